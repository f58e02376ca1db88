"""`ItemWeightsModel`: base of models that sum sparse weights from a user's likes to items."""

import functools
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.models.base import Doubles, Floats, Indices, Rows
from alsolike.models.history_model import HistoryModel, weights_of_likes
from alsolike.models.protocols import Contributions

_FEW = 8  # users scored without the compiler, which a server has not loaded


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ItemWeightsModel(HistoryModel):
    """Scores an item by the weights from the user's likes to it, times those of the likes."""

    @property
    @abstractmethod
    def item_weights(self) -> sp.csr_array:
        """What a like of an item adds to others, float64, a row for each item."""

    def user_pulls(self, user_indices: Rows) -> sp.csr_array:
        """Return the weights of likes, float64, (n_chosen_users, n_items)."""
        ages = None if self._ages is None else self._ages[user_indices].data
        return self._pulls(self._likes[user_indices], ages)

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Sum weights, in float64 in the order of the items, (n, n_chosen_items)."""
        pulls, chosen = self._pulls(likes, ages), slice(*item_indices.indices(len(self.items))[:2])
        if pulls.shape[0] > _FEW:
            return np.ascontiguousarray(self._compiled.add_up(pulls)[:, chosen])
        return _sums_of_rows(pulls, self.item_weights, chosen)

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Return the weights of likes, and those from likes to items."""
        near = np.ascontiguousarray(self.item_weights[likes][:, items].toarray().T)
        pulls = weights_of_likes(likes, values, self.item_counts, self.config.value_weights, ages)
        return Contributions(pulls, near)

    @functools.cached_property
    def _compiled(self) -> Any:
        """The weights as the compiled kernels take them, for many users."""
        from alsolike.models.neighbours.weight_rows import WeightRows  # noqa: PLC0415 - compiler

        return WeightRows.of(self.item_weights)


def _sums_of_rows(pulls: sp.csr_array, weights: sp.csr_array, chosen: slice) -> Floats:
    """Add up rows of weights, one for each pull and in their order, float32 (n, n_chosen)."""
    out = np.empty((pulls.shape[0], chosen.stop - chosen.start), dtype=np.float32)
    for row in range(len(out)):
        own = slice(pulls.indptr[row], pulls.indptr[row + 1])
        near = weights[pulls.indices[own]]
        parts = np.repeat(pulls.data[own], np.diff(near.indptr)) * near.data
        # Sums in the order given, in float64, as the kernels have them.
        out[row] = np.bincount(near.indices, parts, weights.shape[1])[chosen]
    return out
