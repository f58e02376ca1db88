"""Defines what the trainings of a search share, and the sweeps of a configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alsolike.data.splitting.split import Split
from alsolike.evaluation.objectives.base import Objective
from alsolike.models.family import TrainingData
from alsolike.models.memo import Memo
from alsolike.models.registry import family_of
from alsolike.models.settings import Config

# The sweeps of a training that is scored only at its end.
ONE_GO = 1


@dataclass(frozen=True)
class Plan:
    """Everything that the workers of a search share, also in other processes.

    Parameters
    ----------
    split : Split
    objectives : mapping of str to Objective
        By the prefix of their figures; the first one's prefix is empty.
    sweeps : tuple of int
        Sweeps at which trainings are scored.
    patience : int or None
        Points without a better score after which a training is stopped.
    seed : int
        Of resamples for the intervals of models that have no seed of their own.
    memo : Memo
        Keeps what several trainings need; each process has its own.
    """

    split: Split
    objectives: Mapping[str, Objective]
    sweeps: tuple[int, ...]
    patience: int | None = None
    seed: int = 0
    memo: Memo = field(default_factory=Memo)

    @property
    def data(self) -> TrainingData:
        """The data of all trainings."""
        return TrainingData(self.split.train, self.memo)

    @property
    def score(self) -> str:
        """The figure by which trainings are stopped, pruned and ranked."""
        return self.objectives[""].score


def is_scored_at_sweeps(config: Config) -> bool:
    """Tell whether a training is scored at sweeps, and not only at its end."""
    return family_of(config).scored == "sweeps"


def ending_at(config: Any, sweep: int) -> Any:
    """Return settings with these iterations, if the family has any."""
    return replace(config, iterations=sweep) if is_scored_at_sweeps(config) else config


def iterations_of(config: Any) -> int:
    """Return the sweeps of a whole training; 1 if the family has none."""
    return int(config.iterations) if is_scored_at_sweeps(config) else ONE_GO


def sweeps_of(config: Config, sweeps: Sequence[int]) -> tuple[int, ...]:
    """Return the sweeps at which a configuration is scored."""
    return tuple(sweeps) if is_scored_at_sweeps(config) else (ONE_GO,)
