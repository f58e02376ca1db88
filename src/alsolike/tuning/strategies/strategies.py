"""Ways to search: each proposes trainings round by round, from what the earlier rounds scored.

A round depends on nothing but the rounds before it. So a search that was killed proposes the same
again and finds it done, and the number of workers changes nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alsolike.errors import SettingError
from alsolike.models.registry import family_of
from alsolike.models.settings import Config, check_whole, seed_of
from alsolike.suggestions import did_you_mean
from alsolike.tuning.candidates import is_scored_at_sweeps
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.strategies.search_space import Space, distinct, draw, expand

# Draws that come out as one that is there already, before a space counts as used up.
SEARCHES = ("doubling", "grid", "halving", "random", "tpe")

_DRAWS_IN_VAIN = 200


@dataclass(frozen=True)
class Trial:
    """A configuration, to be trained for so many sweeps in all."""

    config: Any
    sweeps: int


@dataclass(frozen=True)
class Tried:
    """What came of a trial: its score at each sweep, none where it failed."""

    trial: Trial
    scores: Mapping[int, float]

    @property
    def best(self) -> float:
        """Its best score; minus infinity where it has none."""
        return max(self.scores.values(), default=-math.inf)


Rounds = Sequence[Sequence[Tried]]


class Strategy(Protocol):
    """A way to search. One that ends trainings early derives from `Ending`."""

    @property
    def name(self) -> str:
        """One word, as on the command line."""

    @property
    def patience(self) -> int | None:
        """Points without a better score after which a training is stopped; None: never."""

    @property
    def prune(self) -> bool:
        """Whether trainings below the median of earlier rounds are ended."""

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the trials of the next round; none where the search is over.

        Parameters
        ----------
        rounds : sequence of sequences of Tried
            What came of the rounds before.
        sweeps : sequence of int
            Where trainings are scored, ascending; the last ends them.
        """

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return trials of about the cost of all that will be proposed, to forecast it by."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """When trainings are ended before their last sweep; what all of these strategies take.

    Parameters
    ----------
    patience : int or None
        Stop a training after so many points without a better score; None: never.
    prune : bool
        End a training whose score falls below the median that earlier rounds had at its sweep.

    Raises
    ------
    SettingError
        `patience` is no number of points.
    """

    patience: int | None = None
    prune: bool = False

    def __post_init__(self) -> None:
        if self.patience is not None:
            check_whole("patience", self.patience, least=1)


@dataclass(frozen=True)
class Listed(Ending):
    """All of a list: a grid, or points drawn beforehand.

    Parameters
    ----------
    configs : sequence of Config
    name : str
    at_once : int or None
        Trials of a round; None: all of them.
    patience, prune
        As of every `Ending`.
    """

    configs: Sequence[Any]
    name: str = "grid"
    at_once: int | None = None

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the next of the list."""
        done = sum(map(len, rounds))
        size = self.at_once or len(self.configs)
        return [Trial(config, sweeps[-1]) for config in self.configs[done : done + size]]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return all."""
        return [Trial(config, sweeps[-1]) for config in self.configs]


@dataclass(frozen=True)
class Halving(Ending):
    """Successive halving over sweeps: all for a few, the best for more, the best of these for all.

    Parameters
    ----------
    configs : sequence of Config
    factor : int
        Of each round one in so many goes on, for about so many times the sweeps; at least 2.
    patience, prune
        As of every `Ending`.

    References
    ----------
    K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
    Optimization", AISTATS 2016, section 4.
    """

    configs: Sequence[Any]
    factor: int = 3
    name: str = "halving"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor < 2:
            raise SettingError(f"The factor of halving is at least 2, not {self.factor!r}.")

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return all for the first rung, then the best of the last round for the next."""
        rungs = self.rungs(sweeps)
        if len(rounds) >= len(rungs):
            return []
        rung = rungs[len(rounds)]
        if not rounds:
            return [Trial(config, rung) for config in self.configs]
        return [Trial(one.trial.config, rung) for one in best_of(rounds[-1], self.factor)]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return each rung's trials; who gets there is not known, so all are taken evenly."""
        found: list[Trial] = []
        count = len(self.configs)
        for rung in self.rungs(sweeps):
            found += [Trial(one, rung) for one in evenly(self.configs, count)]
            count = math.ceil(count / self.factor)
        return found

    def rungs(self, sweeps: Sequence[int]) -> list[int]:
        """Return to how many sweeps each round goes, from among those that are scored."""
        rungs = [sweeps[-1]]
        left = len(self.configs)
        while left > self.factor and rungs[0] > sweeps[0]:
            goal = rungs[0] / self.factor
            rungs.insert(0, max((s for s in sweeps if s <= goal), default=sweeps[0]))
            left = math.ceil(left / self.factor)
        return rungs


@dataclass(frozen=True)
class Doubling(Ending):
    """Tune with few factors, and take the best settings on to more.

    Parameters
    ----------
    configs : sequence of Config
        Of several numbers of factors.
    factor : int
        Of each round one in so many goes on; at least 2.
    patience, prune
        As of every `Ending`.

    References
    ----------
    S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022, section 3: settings found with few dimensions are
    good ones with many.
    """

    configs: Sequence[Any]
    factor: int = 3
    name: str = "doubling"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor < 2:
            raise SettingError(f"The factor of doubling is at least 2, not {self.factor!r}.")
        for config in self.configs:
            if not (family := family_of(config)).factors(config):
                raise SettingError(
                    f"Doubling goes from few factors to many, and {family.name} has none. Search "
                    "it by grid, random or halving."
                )
        if len(self._stages) < 2:
            raise SettingError(
                "Doubling goes from few factors to many: give at least two numbers of factors."
            )

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return all with the fewest factors, then the best of the last round with the next."""
        if len(rounds) >= len(self._stages):
            return []
        factors = self._stages[len(rounds)]
        if rounds:
            wanted = {_but_factors(one.trial.config) for one in best_of(rounds[-1], self.factor)}
        else:
            wanted = {_but_factors(config) for config in self.configs}
        return [
            Trial(config, sweeps[-1])
            for config in self.configs
            if _factors_of(config) == factors and _but_factors(config) in wanted
        ]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return each stage's trials; which settings get there is not known."""
        found: list[Trial] = []
        share = 1
        for factors in self._stages:
            own = [config for config in self.configs if _factors_of(config) == factors]
            count = math.ceil(len(own) / share)
            found += [Trial(one, sweeps[-1]) for one in evenly(own, count)]
            share *= self.factor
        return found

    @property
    def _stages(self) -> list[int]:
        return sorted({_factors_of(config) for config in self.configs})


def drawn(space: Space, base: Config, trials: int, *, start: Sequence[Config] = ()) -> list[Any]:
    """Return `start`, and further configurations drawn from the space, so many in all.

    The draws depend on the seed of `base`. Fewer come where a space of lists holds no more.
    """
    if trials < 1:
        raise SettingError(f"trials must be at least 1, not {trials!r}.")
    rng = np.random.default_rng(seed_of(base))
    found, in_vain = distinct(start)[:trials], 0
    while len(found) < trials and in_vain < _DRAWS_IN_VAIN:
        more = distinct([*found, draw(space, base, rng)])
        in_vain = 0 if len(more) > len(found) else in_vain + 1
        found = more
    return found


def strategy_of(
    name: str,
    space: Space,
    base: Config,
    *,
    trials: int | None = None,
    start: Sequence[Config] = (),
    patience: int | None = None,
    prune: bool = False,
) -> Strategy:
    """Return a way to search by name.

    Parameters
    ----------
    name : {"grid", "random", "tpe", "halving", "doubling"}
    space : mapping of str to lists or ranges
        With `trials`, halving and doubling draw from it; without, it must be all lists.
    base : Config
        All other settings, and the seed of all draws.
    trials : int or None
        Trainings to draw; of random and tpe 30 where it is None.
    start : sequence of Config
        Tried first.
    patience, prune
        As of every `Ending`.

    Raises
    ------
    SettingError
        There is no such way, or it cannot go over this space.
    """
    ending: dict[str, Any] = {"patience": patience, "prune": prune}
    if name in ("random", "tpe"):
        count = 30 if trials is None else trials
        if name == "random":
            return Listed(drawn(space, base, count, start=start), name, **ending)
        from alsolike.tuning.strategies.bayesian import Bayesian  # noqa: PLC0415 - Optuna is an extra

        return Bayesian(space, base, count, start, **ending)
    if name not in SEARCHES:
        raise SettingError(
            f"There is no search {name!r}; known are {', '.join(SEARCHES)}."
            f"{did_you_mean(name, SEARCHES)}"
        )
    if trials is None:
        configs = distinct([*start, *expand(space, base)])
    elif name == "halving":
        configs = drawn(space, base, trials, start=start)
    else:
        raise SettingError(f"A search by {name} tries all of its lists; trials is not for it.")
    if name == "grid":
        return Listed(configs, **ending)
    return Halving(configs, **ending) if name == "halving" else Doubling(configs, **ending)


def evenly(configs: Sequence[Any], count: int) -> list[Any]:
    """Return so many of a list, spread evenly over it."""
    return [configs[place * len(configs) // count] for place in range(count)]


def best_of(tried: Sequence[Tried], factor: int) -> list[Tried]:
    """Return the best one in `factor` of those with a score, at least one where there is any.

    Best first; equal scores go to fewer factors, then to what was proposed first.
    """
    scored = [one for one in tried if one.scores]
    order = sorted(
        range(len(scored)),
        key=lambda at: (-scored[at].best, _factors_of(scored[at].trial.config), at),
    )
    return [scored[at] for at in order[: math.ceil(len(scored) / factor)]]


def bars_of(rounds: Rounds) -> dict[int, float]:
    """Return for each sweep the median score of the rounds before: below it a training is pruned.

    What is scored at its end alone has no sweep to be compared at.

    References
    ----------
    D. Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section
    3.5.2 (the median stopping rule), here on the scores themselves.
    """
    by_sweep: dict[int, list[float]] = {}
    for one in (tried for one_round in rounds for tried in one_round):
        for sweep, score in one.scores.items() if is_scored_at_sweeps(one.trial.config) else ():
            by_sweep.setdefault(sweep, []).append(score)
    return {sweep: float(np.median(scores)) for sweep, scores in sorted(by_sweep.items())}


def _factors_of(config: Config) -> int:
    return family_of(config).factors(config)


def _but_factors(config: Config) -> str:
    settings = config.to_settings()
    return canonical_settings({name: settings[name] for name in settings if name != "factors"})
