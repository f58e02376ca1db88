"""A family in one file: items that are liked by the same users. See docs/extending.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel, Floats, Indices, Rows
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.history_model import HistoryModel, likes_of, ones_of
from alsolike.models.protocols import Contributions
from alsolike.models.settings import FamilyConfig, check_number


@dataclass(frozen=True, kw_only=True)
class CoCountsConfig(FamilyConfig):
    """How much less popular items count: their counts are divided by likes to this power."""

    family: ClassVar[str] = "co-counts"
    damping: float = 0.5

    def __post_init__(self) -> None:
        check_number("damping", self.damping)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class CoCountsModel(HistoryModel):
    """Scores an item by how many users like it and what is liked already.

    ``together``, CSR of float64, (n_items, n_items): at ``[i, j]`` what a like of i adds to j.
    """

    name: ClassVar[str] = "co-counts"
    score_of_nothing: ClassVar[float | None] = 0.0
    together: sp.csr_array
    config: CoCountsConfig

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        sums = ones_of(likes) @ self.together[:, item_indices]
        scores: Floats = sums.toarray().astype(np.float32)
        return scores

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        scores = self.together[item_indices][:, other_indices].toarray().astype(np.float32)
        scores[scores == 0] = -np.inf  # nobody likes both: not to be shown
        return scores

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        added = self.together[likes][:, items].toarray().T
        return Contributions((values > 0).astype(np.float64), added)

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> "CoCountsModel":
        return co_counts(train, self.config)


def co_counts(train: Interactions, config: CoCountsConfig) -> CoCountsModel:
    likes = likes_of(train)
    together = (likes.T @ likes).tocoo()
    popularity = np.maximum(train.like_counts, 1) ** config.damping
    others = together.row != together.col
    row, col = together.row[others], together.col[others]
    values = together.data[others] / popularity[col]
    counts = sp.csr_array((values, (row, col)), shape=together.shape)
    counts.sort_indices()
    return CoCountsModel.of(train, config, together=counts)


class CoCountsFamily(Family):
    """Items that are liked by the same users."""

    name: ClassVar[str] = "co-counts"
    config: ClassVar[type[Any]] = CoCountsConfig
    model: ClassVar[type[FittedModel]] = CoCountsModel

    def train(self, data: TrainingData, config: CoCountsConfig, **how: Any) -> CoCountsModel:
        return co_counts(data.interactions, config)

    def pack(self, model: CoCountsModel) -> Arrays:
        counts = model.together
        return {"indptr": counts.indptr, "indices": counts.indices, "together": counts.data}

    def unpack(self, arrays: BundleArrays, known: Known) -> CoCountsModel:
        counts = arrays.matrix("together", np.float64, len(known.items), len(known.items))
        return CoCountsModel(**known.of_history(CoCountsConfig), together=counts)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[CoCountsConfig]:
        return [CoCountsConfig(damping=damping) for damping in (0.0, 0.5, 1.0)]
