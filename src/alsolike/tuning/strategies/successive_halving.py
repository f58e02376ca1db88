"""Successive halving and factor doubling: the best of each round are trained further."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.errors import SettingError
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.strategies.base import Ending, Rounds, Trial, best_of, evenly, factors_of


@dataclass(frozen=True)
class _Successive(Ending):
    """Passes one in `factor` of each round on to the next."""

    configs: Sequence[Any]
    factor: int = 3
    name: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.factor < 2:
            raise SettingError(f"The factor of {self.name} is at least 2, not {self.factor!r}.")


@dataclass(frozen=True)
class Halving(_Successive):
    """Successive halving over sweeps: the best of each round are trained for more sweeps.

    Parameters
    ----------
    configs : sequence of Config
    factor : int
        One in so many continues, for about so many times the sweeps; at least 2.
    patience, prune
        As of `Ending`.

    References
    ----------
    K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter
    Optimization", AISTATS 2016, section 4.
    """

    name: str = "halving"

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
        """Return each rung's trials, spread evenly over the configurations."""
        found: list[Trial] = []
        count = len(self.configs)
        for rung in self.rungs(sweeps):
            found += [Trial(one, rung) for one in evenly(self.configs, count)]
            count = math.ceil(count / self.factor)
        return found

    def rungs(self, sweeps: Sequence[int]) -> list[int]:
        """Return the sweep at which each round ends."""
        rungs = [sweeps[-1]]
        left = len(self.configs)
        while left > self.factor and rungs[0] > sweeps[0]:
            goal = rungs[0] / self.factor
            rungs.insert(0, max((s for s in sweeps if s <= goal), default=sweeps[0]))
            left = math.ceil(left / self.factor)
        return rungs


@dataclass(frozen=True)
class FactorDoubling(_Successive):
    """Tunes with few factors, and repeats the best settings with more.

    Parameters
    ----------
    configs : sequence of Config
        With several numbers of factors.
    factor : int
        One in so many of each round continues; at least 2.
    patience, prune
        As of `Ending`.

    References
    ----------
    S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022, section 3.
    """

    name: str = "doubling"

    def __post_init__(self) -> None:
        super().__post_init__()
        for config in self.configs:
            if not factors_of(config):
                raise SettingError(
                    f"Doubling needs factors, and {family_of(config).name} has none. Use grid, "
                    "random or halving."
                )
        if len(self._stages) < 2:
            raise SettingError("Doubling needs at least two numbers of factors.")

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return all with the fewest factors, then the best of the last round with the next."""
        if len(rounds) >= len(self._stages):
            return []
        own = self._with(self._stages[len(rounds)])
        if rounds:
            wanted = {_but_factors(one.trial.config) for one in best_of(rounds[-1], self.factor)}
            own = [config for config in own if _but_factors(config) in wanted]
        return [Trial(config, sweeps[-1]) for config in own]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return each stage's trials, spread evenly over the settings."""
        found: list[Trial] = []
        share = 1
        for factors in self._stages:
            own = self._with(factors)
            found += [Trial(one, sweeps[-1]) for one in evenly(own, math.ceil(len(own) / share))]
            share *= self.factor
        return found

    def _with(self, factors: int) -> list[Any]:
        return [config for config in self.configs if factors_of(config) == factors]

    @property
    def _stages(self) -> list[int]:
        return sorted(set(map(factors_of, self.configs)))


def _but_factors(config: Config) -> str:
    settings = config.to_settings()
    return canonical_settings({name: settings[name] for name in settings if name != "factors"})
