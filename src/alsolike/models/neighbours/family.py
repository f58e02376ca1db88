"""The family item-knn."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.hardware import available
from alsolike.errors import DataError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.model import ItemKNNModel
from alsolike.models.values import forms_to_try

_GIB = 2**30
# A number and an index, twice while blocks are joined.
_BYTES_PER_NEIGHBOUR = 24
# Numbers and indices by users, by items, and while one is made of the other.
_BYTES_PER_LIKE = 48
_BYTES_PER_ITEM = 40  # that a thread works in

# Exponents of user, liked and scored item, and neighbours, which a search tries.
_NORMALIZED = (
    (1.0, 0.5, 0.3, 400),
    (0.5, 0.7, 0.4, 400),
    (1.0, 0.7, 0.5, 400),
    (0.5, 0.9, 0.5, 400),
    (0.5, 0.5, 0.6, 400),
    (0.5, 0.7, 0.6, 50),
)


class ItemKNNFamily(Family):
    """Nearest neighbours of items, by the cosine of their likes or by BM25."""

    name: ClassVar[str] = "item-knn"
    config: ClassVar[type[Any]] = ItemKNNConfig
    model: ClassVar[type[FittedModel]] = ItemKNNModel

    def train(self, data: TrainingData, config: ItemKNNConfig, **how: Any) -> ItemKNNModel:
        """Fit the model."""
        from alsolike.models.neighbours.fit import fit_item_knn  # noqa: PLC0415 - the compiler

        return fit_item_knn(data.interactions, config, **how)

    def pack(self, model: ItemKNNModel) -> Arrays:
        """Return the similarities, a row of neighbours for each item."""
        near = model.similarities.T.tocsr()
        return {"indptr": near.indptr, "indices": near.indices, "similarities": near.data}

    def unpack(self, arrays: BundleArrays, known: Known) -> ItemKNNModel:
        """Return the model of the similarities."""
        near = arrays.matrix("similarities", np.float64, len(known.items), len(known.items))
        return ItemKNNModel(**known.of_history(ItemKNNConfig), similarities=near.T)

    def cost(self, config: ItemKNNConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of a number and an index for each neighbour, at most."""
        return 12.0 * n_items * _kept(config, n_items)

    def memory(self, data: TrainingData, config: ItemKNNConfig, threads: int) -> int:
        """Return the bytes of likes by users and by items, and of neighbours while joined."""
        table = data.interactions
        each = _BYTES_PER_LIKE + (0 if config.half_life is None else 8)
        likes = each * table.n_interactions + _BYTES_PER_ITEM * threads * table.n_items
        return likes + _BYTES_PER_NEIGHBOUR * _most_pairs(data, config)

    def refuse(self, data: TrainingData, config: ItemKNNConfig) -> None:
        """Raise DataError if all neighbours may not fit into memory."""
        if config.neighbours is not None:
            return
        needed, free = self.memory(data, config, 1), available()
        if free is not None and needed > free:
            raise DataError(
                f"All neighbours of {data.interactions.n_items:,} items may take "
                f"{needed / _GIB:,.1f} GiB of memory, and {free / _GIB:,.1f} GiB are available. "
                "Keep fewer: neighbours=400."
            )

    def code(self, config: ItemKNNConfig, train: Interactions) -> tuple[Any, ...]:
        """Return the only key: the kernels are the same for all settings."""
        return ("neighbours",)

    def kernels(self, config: ItemKNNConfig) -> Sequence[Any]:
        """Return the kernels that find neighbours, and that rank by them."""
        from alsolike.kernels.neighbours.similarities import (  # noqa: PLC0415 - the compiler
            find_nearest,
        )
        from alsolike.kernels.neighbours.sums import rank_sums  # noqa: PLC0415

        return find_nearest, rank_sums

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ItemKNNConfig]:
        """Return some configurations of all weightings; docs/decisions/0028 has what they reach."""
        return [
            ItemKNNConfig(),
            ItemKNNConfig(weighting="bm25", neighbours=400),
            *(
                ItemKNNConfig(
                    weighting="normalized", neighbours=kept, user_exponent=user,
                    source_exponent=source, target_exponent=target,
                )
                for user, source, target, kept in _NORMALIZED
            ),
        ]  # fmt: skip

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ItemKNNConfig]:
        """Return the same and a grid of the filter, also on logarithms where values differ."""
        grid = [
            ItemKNNConfig(
                weighting="normalized", neighbours=400, user_exponent=user, source_exponent=source,
                target_exponent=target, values=form.values, value_scale=form.value_scale,
            )
            for user in (0.5, 1.0)
            for source in (0.5, 0.7, 0.9)
            for target in (0.3, 0.4, 0.5, 0.6)
            for form in forms_to_try(data.interactions.user_items.data)
        ]  # fmt: skip
        usual = self.search_space(data, seed=seed)
        return [*usual, *(one for one in grid if one not in usual)]

    def fit_beside_items(
        self, data: TrainingData, config: Any, *, engine: Engine | None = None
    ) -> ItemKNNModel:
        """Return a model without neighbours: similar items need counts of common likes alone."""
        nothing = sp.csc_array(2 * (data.interactions.n_items,), dtype=np.float64)
        return ItemKNNModel.of(data.interactions, config, similarities=nothing)

    def compared_by(self, config: ItemKNNConfig) -> str:
        """Name the weighting of users in counts of common likes: that of BM25 for all but one."""
        return "cosine" if config.weighting == "cosine" else "bm25"

    def kind(self, config: ItemKNNConfig) -> str:
        """Name the weighting."""
        return config.weighting

    def similar_space(self, data: TrainingData) -> Sequence[ItemKNNConfig]:
        """Return both weightings of users, with the few neighbours that similar items need."""
        return [
            ItemKNNConfig(weighting=weighting, neighbours=10) for weighting in ("cosine", "bm25")
        ]

    def is_tried(self, data: TrainingData) -> bool:
        """Return True."""
        return True

    @property
    def growth(self) -> float:
        """A little less than 2, on three public tables."""
        return 1.7


def _kept(config: ItemKNNConfig, n_items: int) -> int:
    return n_items if config.neighbours is None else min(config.neighbours, n_items)


def _most_pairs(data: TrainingData, config: ItemKNNConfig) -> int:
    """Return how many neighbours all items have at most: of each pair some user likes both."""
    table = data.interactions
    lengths = np.diff(table.user_items.indptr).astype(np.float64)
    return int(min(np.square(lengths).sum(), table.n_items * _kept(config, table.n_items)))
