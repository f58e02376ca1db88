"""What a search asks of each training; the same for all of its workers."""

from collections.abc import Mapping
from dataclasses import dataclass

from alsolike.data.splitting.split import Split
from alsolike.evaluation.objectives.base import Judge


@dataclass(frozen=True)
class Plan:
    """What all workers of a search need to know; travels to other processes.

    Parameters
    ----------
    split : Split
    judges : mapping of str to Judge
        By the prefix of their figures; the first one's prefix is empty.
    sweeps : tuple of int
        Where trainings are scored, as far as they go.
    patience : int or None
        Points without a better score after which a training is stopped.
    seed : int
        Of the resamples behind the intervals of models that have no seed of their own.
    """

    split: Split
    judges: Mapping[str, Judge]
    sweeps: tuple[int, ...]
    patience: int | None = None
    seed: int = 0

    @property
    def score(self) -> str:
        """The figure by which trainings are stopped, pruned and ranked."""
        return self.judges[""].score
