"""Bayesian search with Optuna's TPE sampler."""

import importlib.util
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from alsolike.errors import SettingError
from alsolike.models.settings import Config, seed_of
from alsolike.tuning.plan import ending_at
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.strategies.base import Ending, Rounds, Trial, TrialResult
from alsolike.tuning.strategies.search_space import Range, Space, drawn, listed, space_of
from alsolike.usage_hints import way_to_install

# Proposals of a round. A fixed number, so that proposals do not depend on the workers.
AT_ONCE = 4
# Attempts per proposal, after which a space counts as exhausted.
_IN_VAIN = 25


@dataclass(frozen=True)
class Bayesian(Ending):
    """Asks a tree-structured Parzen estimator for a few proposals at a time.

    Parameters
    ----------
    space : mapping of str to lists or ranges
    base : Config
        All other settings, and the seed.
    trials : int
        Trainings in all.
    start : sequence of Config
        Tried first.
    patience, prune
        As of `Ending`.

    Raises
    ------
    SettingError
        Optuna is not installed.

    References
    ----------
    J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter Optimization",
    NIPS 2011.
    """

    space: Space
    base: Any
    trials: int
    start: Sequence[Config] = ()
    name: str = "tpe"

    def __post_init__(self) -> None:
        super().__post_init__()
        if importlib.util.find_spec("optuna") is None:
            raise SettingError(
                f"A search by tpe needs Optuna: {way_to_install('optuna>=4.0')}. Searches without "
                "it are grid, random, halving and doubling."
            )
        if self.trials < 1:
            raise SettingError(f"trials must be at least 1, not {self.trials!r}.")
        space_of(self.space, self.base)

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the start, then proposals of the estimator from all scores so far."""
        tried = [one for one_round in rounds for one in one_round]
        wanted = min(AT_ONCE, self.trials - len(tried))
        if wanted <= 0:
            return []
        if not rounds and self.start:
            return [Trial(config, sweeps[-1]) for config in self.start[: self.trials]]
        known = {_text(one.trial.config, sweeps) for one in tried}
        spread = {name: _distribution(name, values) for name, values in self.space.items()}
        study = self._study(len(rounds))
        for one in tried:
            self._tell(study, spread, one)
        found: list[Trial] = []
        for _ in range(wanted * _IN_VAIN):
            params = study.ask(spread).params
            values = {name: _value(name, self.space[name], params[name]) for name in self.space}
            config = replace(self.base, **values)
            text = _text(config, sweeps)
            if text not in known:
                known.add(text)
                found.append(Trial(config, sweeps[-1]))
            if len(found) == wanted:
                break
        return found

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return random draws in place of the proposals."""
        draws = drawn(self.space, self.base, self.trials, start=self.start)
        return [Trial(config, sweeps[-1]) for config in draws]

    def _study(self, number: int) -> Any:
        import optuna  # noqa: PLC0415 - slow to import, and an extra

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # A seed for each round: the sampler's state is not kept between rounds.
            sampler = optuna.samplers.TPESampler(
                seed=seed_of(self.base) * 1_000_003 + number,
                constant_liar=True,
                multivariate=True,
                n_startup_trials=2 * AT_ONCE,
            )
        return optuna.create_study(direction="maximize", sampler=sampler)

    def _tell(self, study: Any, spread: dict[str, Any], one: TrialResult) -> None:
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415 - slow, and an extra

        params = {}
        for name, values in self.space.items():
            value = getattr(one.trial.config, name)
            if not _holds(values, value):
                return  # a start outside of the space is of no use to the estimator
            params[name] = value if isinstance(values, Range) else list(values).index(value)
        ended: dict[str, Any] = {"state": TrialState.FAIL}
        if one.scores:
            ended = {"state": TrialState.COMPLETE, "value": one.best}
        study.add_trial(create_trial(params=params, distributions=spread, **ended))


def _text(config: Config, sweeps: Sequence[int]) -> str:
    """Return a text that identifies a training."""
    return canonical_settings(ending_at(config, sweeps[-1]).to_settings())


def _distribution(name: str, values: Any) -> Any:
    from optuna import distributions  # noqa: PLC0415 - slow to import, and an extra

    if not isinstance(values, Range):
        return distributions.CategoricalDistribution(list(range(len(listed(name, values)))))
    if values.integer:
        return distributions.IntDistribution(int(values.low), int(values.high), log=values.log)
    return distributions.FloatDistribution(values.low, values.high, log=values.log)


def _value(name: str, values: Any, proposed: Any) -> Any:
    """Return a proposed value; Optuna proposes the index of a value in a list."""
    if not isinstance(values, Range):
        return listed(name, values)[proposed]
    if values.integer:
        return proposed
    return min(max(float(f"{proposed:.6g}"), values.low), values.high)


def _holds(values: Any, value: Any) -> bool:
    if isinstance(values, Range):
        return isinstance(value, (int, float)) and values.low <= value <= values.high
    return value in list(values)
