"""Popularity baseline: the most liked items for all users."""

import functools
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.models.base import Basis, FittedModel, Floats, Rows
from alsolike.models.family import Baseline, TrainingData
from alsolike.models.history_model import HistoryModel
from alsolike.models.settings import FamilyConfig
from alsolike.models.similarity.config import SimilarityScale
from alsolike.usage_hints import with_example


@dataclass(frozen=True, kw_only=True)
class PopularityConfig(FamilyConfig):
    """Popularity has no settings."""

    family: ClassVar[str] = "popularity"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PopularityModel(HistoryModel):
    """Scores an item by how many users like it, its `item_counts`."""

    name: ClassVar[str] = "popularity"
    basis: ClassVar[Basis] = "popularity"
    score_of_nothing: ClassVar[float | None] = 0.0

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return the items' counts, once per user, (n_chosen_users, n_chosen_items)."""
        return self._repeated(_count(user_indices, len(self.users)), item_indices)

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Return the items' counts, once per row of likes, (n, n_chosen_items)."""
        return self._repeated(likes.shape[0], item_indices)

    @property
    def similarity(self) -> SimilarityScale:
        """The likes of the other item."""
        return SimilarityScale("how many like it")

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the counts of others, once per item, (n_chosen_items, n_chosen_others)."""
        return self._repeated(_count(item_indices, len(self.items)), other_indices)

    def _repeated(self, n_rows: int, item_indices: slice) -> Floats:
        line = self._line[item_indices]
        return np.broadcast_to(line, (n_rows, len(line)))

    @functools.cached_property
    def _line(self) -> Floats:
        return as_scores(self.item_counts)


@with_example("model = al.fit_popularity(likes)")
def fit_popularity(train: Interactions) -> PopularityModel:
    """Count the users who like each item; dislikes do not count.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"], [9, 1, 1])
    >>> fit_popularity(likes).scores([0], slice(None))
    array([[1., 2.]], dtype=float32)
    """
    expect_interactions(train)
    return PopularityModel.of(train, PopularityConfig())


class PopularityFamily(Baseline):
    """Popularity, a baseline."""

    name: ClassVar[str] = "popularity"
    config: ClassVar[type[Any]] = PopularityConfig
    model: ClassVar[type[FittedModel]] = PopularityModel

    def train(self, data: TrainingData, config: PopularityConfig, **how: Any) -> PopularityModel:
        """Return the counts of likes."""
        return fit_popularity(data.interactions)


def _count(indices: Rows, n_rows: int) -> int:
    if isinstance(indices, slice):
        return len(range(*indices.indices(n_rows)))
    return len(indices)


def as_scores(counts: npt.NDArray[np.int64]) -> Floats:
    """Convert counts (int64, not negative) to float32 so that different ones never tie.

    Counts up to 2**24 are exact. Above, a count that would round to no more than a smaller count
    gets the next float32 above that one's score.
    """
    distinct, place = np.unique(counts, return_inverse=True)
    # The bits of floats that are not negative ascend as the floats do, one by one.
    bits = distinct.astype(np.float32).view(np.int32).astype(np.int64)
    steps = np.arange(len(bits))
    ascending = np.maximum.accumulate(bits - steps) + steps
    spread: Floats = ascending.astype(np.int32).view(np.float32)
    return spread[place]
