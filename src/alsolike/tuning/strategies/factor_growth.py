"""Factor growth: tunes with few factors, and doubles them while the validation score rises."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alsolike.data.validation import check_whole
from alsolike.errors import SettingError
from alsolike.models.registry import family_of
from alsolike.tuning.strategies.base import Ending, Rounds, Trial, best_of, evenly, factors_of
from alsolike.tuning.strategies.search_space import distinct

# Rounds without a better score that end a search.
_IN_VAIN = 2
# Digits of a setting that was multiplied: 0.1 * 3 / 3 is to be 0.1 again.
_DIGITS = 6


@dataclass(frozen=True)
class FactorGrowth(Ending):
    """Trains all configurations, then the best ones with twice the factors, and so on.

    Each round after the first trains the best settings of the round before with twice the factors,
    one less in each round, and the neighbours of the very best: the best weight and regularization
    move with the number of factors. It ends at `most`, or when two rounds in a row are no better
    than those before them: one may be so by chance.

    Parameters
    ----------
    configs : sequence of Config
        The first round, all with the same number of factors.
    most : int
        Factors at most, at least those of `configs`.
    kept : int
        Settings of the first round that are trained with more factors; at least 1. Later rounds
        keep one less each, but no fewer than two of several.
    neighbours : sequence of mappings of str to float
        Each is a neighbour of the best settings: these settings times these numbers.
    patience, prune
        As of `Ending`.

    References
    ----------
    S. Rendle, W. Krichene, L. Zhang, Y. Koren, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks", RecSys 2022, section 3.
    """

    configs: Sequence[Any]
    most: int = 1024
    kept: int = 1
    neighbours: Sequence[Mapping[str, float]] = ()
    name: str = field(default="growth", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("kept", self.kept, least=1)
        counts = set(map(factors_of, self.configs))
        if 0 in counts:
            family = next(family_of(one).name for one in self.configs if not factors_of(one))
            raise SettingError(
                f"A search by growth needs factors, and {family} has none. Use grid, random or "
                "halving."
            )
        if len(counts) > 1:
            raise SettingError(
                "A search by growth begins with one number of factors and doubles it; it was given "
                f"{', '.join(map(str, sorted(counts)))}. Give one, or use --search doubling."
            )

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return all configurations, then the best of the last round with twice the factors."""
        if not rounds:
            return [Trial(config, sweeps[-1]) for config in self.configs]
        chosen = best_of(rounds[-1], 1)[: self._kept_of(len(rounds))]
        if not chosen or not _gains(rounds):
            return []
        best = chosen[0].trial.config
        if 2 * factors_of(best) > self.most:
            return []
        settings = [*(one.trial.config for one in chosen), *self._around(best)]
        return [Trial(_doubled(one), sweeps[-1]) for one in distinct(settings)]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return the trials of all rounds up to `most`, as if every one gained."""
        found = [Trial(config, sweeps[-1]) for config in self.configs]
        stage, stages = list(self.configs), 1
        while stage and 2 * factors_of(stage[0]) <= self.most:
            count = min(self._kept_of(stages), len(stage)) + len(self.neighbours)
            stage = [_doubled(one) for one in evenly(stage, count)]
            found += [Trial(one, sweeps[-1]) for one in stage]
            stages += 1
        return found

    def _kept_of(self, stages: int) -> int:
        """Return how many settings are kept after so many rounds."""
        return max(self.kept + 1 - stages, min(self.kept, 2))

    def _around(self, config: Any) -> list[Any]:
        return [
            replace(
                config,
                **{name: _rounded(getattr(config, name) * times) for name, times in one.items()},
            )
            for one in self.neighbours
        ]


def _gains(rounds: Rounds) -> bool:
    """Tell whether one of the last two rounds has a better score than all rounds before it."""
    bests = [max((one.best for one in each), default=-math.inf) for each in rounds]
    return len(bests) < 1 + _IN_VAIN or max(bests[-_IN_VAIN:]) > max(bests[:-_IN_VAIN])


def _doubled(config: Any) -> Any:
    return replace(config, factors=2 * factors_of(config))


def _rounded(number: float) -> float:
    return float(f"{number:.{_DIGITS}g}")
