"""Defines the protocol of search strategies, the fixed list of grid and random search, and pruning.

A round depends only on the rounds before it. So a search that was killed proposes the same again
and finds it done, and the number of workers changes nothing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from alsolike.data.validation import check_whole
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.plan import is_scored_at_sweeps


@dataclass(frozen=True)
class Trial:
    """A configuration, and the sweeps to train it for in all."""

    config: Any
    sweeps: int


@dataclass(frozen=True)
class TrialResult:
    """A trial and its score at each sweep; a failed trial has no scores."""

    trial: Trial
    scores: Mapping[int, float]

    @property
    def best(self) -> float:
        """The best score; minus infinity without any."""
        return max(self.scores.values(), default=-math.inf)


Rounds = Sequence[Sequence[TrialResult]]


class Strategy(Protocol):
    """A search strategy. One that ends trainings early derives from `Ending`."""

    @property
    def name(self) -> str:
        """The name on the command line."""

    @property
    def patience(self) -> int | None:
        """Points without a better score after which a training is stopped; None: never."""

    @property
    def prune(self) -> bool:
        """Whether trainings below the median of earlier rounds are ended."""

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the trials of the next round; an empty list ends the search.

        Parameters
        ----------
        rounds : sequence of sequences of TrialResult
            The results of the earlier rounds.
        sweeps : sequence of int
            Sweeps at which trainings are scored, ascending; the last ends them.
        """

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return trials of about the same cost as all proposals, for the forecast."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """Settings of all strategies: when trainings end before their last sweep.

    Parameters
    ----------
    patience : int or None
        Stop a training after so many points without a better score; None: never.
    prune : bool
        End a training whose score is below the median of earlier rounds at the same sweep.

    Raises
    ------
    SettingError
        `patience` is not a whole number from 1.
    """

    patience: int | None = None
    prune: bool = False

    def __post_init__(self) -> None:
        if self.patience is not None:
            check_whole("patience", self.patience, least=1)


@dataclass(frozen=True)
class FixedList(Ending):
    """Trains all of a list: a grid, or configurations drawn beforehand.

    Parameters
    ----------
    configs : sequence of Config
    name : str
    at_once : int or None
        Trials per round; None: all of them.
    patience, prune
        As of `Ending`.
    """

    configs: Sequence[Any]
    name: str = "grid"
    at_once: int | None = None

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the next trials of the list."""
        done = sum(map(len, rounds))
        size = self.at_once or len(self.configs)
        return [Trial(config, sweeps[-1]) for config in self.configs[done : done + size]]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return all trials."""
        return [Trial(config, sweeps[-1]) for config in self.configs]


def factors_of(config: Config) -> int:
    """Return the number of factors; 0 for a family without any."""
    return family_of(config).factors(config)


def evenly(configs: Sequence[Any], count: int) -> list[Any]:
    """Return `count` elements spread evenly over a list."""
    return [configs[place * len(configs) // count] for place in range(count)]


def best_of(results: Sequence[TrialResult], factor: int) -> list[TrialResult]:
    """Return the best one in `factor` of the results with a score, rounded up, best first.

    Of equal scores, fewer factors come first, then earlier proposals.
    """
    scored = [one for one in results if one.scores]
    order = sorted(scored, key=lambda one: (-one.best, factors_of(one.trial.config)))
    return order[: math.ceil(len(scored) / factor)]


def pruning_thresholds(rounds: Rounds) -> dict[int, float]:
    """Return the median score at each sweep; trainings below it are pruned.

    References
    ----------
    D. Golovin et al., "Google Vizier: A Service for Black-Box Optimization", KDD 2017, section
    3.5.2 (the median stopping rule), here on the scores themselves.
    """
    by_sweep: dict[int, list[float]] = {}
    for result in (result for one_round in rounds for result in one_round):
        if is_scored_at_sweeps(result.trial.config):
            for sweep, score in result.scores.items():
                by_sweep.setdefault(sweep, []).append(score)
    return {sweep: float(np.median(scores)) for sweep, scores in sorted(by_sweep.items())}
