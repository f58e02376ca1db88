"""Finds the nearest neighbours of items by their users."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine, pieces
from alsolike.models.base import Doubles
from alsolike.models.history_model import likes_of
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.progress import SILENT, Observer

# Items compared at once in each thread.
BLOCK = 128


def nearest_items(
    train: Interactions,
    config: ItemKNNConfig,
    engine: Engine,
    *,
    observer: Observer = SILENT,
    block_items: int = BLOCK,
) -> sp.csc_array:
    """Return the similarities of each item, a column, to its neighbours; rows ascend in it.

    See `alsolike.models.neighbours.fit.fit_item_knn`.
    """
    similarity, lock = _Similarity.of(likes_of(train), config), threading.Lock()

    def nearest(rows: slice) -> list[tuple[npt.NDArray[Any], Doubles]]:
        found = [
            _largest(columns, values, config.neighbours) for columns, values in similarity.to(rows)
        ]
        with lock:
            observer.advance(rows.stop - rows.start)
        return found

    observer.start("Computing item similarities", train.n_items)
    blocks = engine.each(nearest, pieces(train.n_items, block_items))
    observer.finish()
    return _joined(blocks, train.n_items)


@dataclass(frozen=True, eq=False)
class _Similarity:
    """Similarities of items: scaled sums over common users.

    Parameters
    ----------
    item_users : scipy.sparse.csr_array of float64, (n_items, n_users)
        Ones.
    user_items : scipy.sparse.csr_array of float64, (n_users, n_items)
        What each user adds to the sum, equal within a row.
    sizes : float64, (n_items,)
        Sums are divided by the product of two sizes, for the cosine by its root.
    config : ItemKNNConfig
    counted : scipy.sparse.csr_array of float64, (n_users, n_items), or None
        Ones, if common users must also be counted.
    """

    item_users: sp.csr_array
    user_items: sp.csr_array
    sizes: Doubles
    config: ItemKNNConfig
    counted: sp.csr_array | None = None

    @classmethod
    def of(cls, likes: sp.csr_array, config: ItemKNNConfig) -> "_Similarity":
        item_users = likes.T.tocsr()
        n_users_of = np.diff(item_users.indptr).astype(np.float64)
        if config.weighting == "cosine":
            return cls(item_users, likes, n_users_of, config)
        n_items, n_items_of = likes.shape[1], np.diff(likes.indptr)
        # Robertson-Sparck Jones weight, plus 1 inside the logarithm: never below zero.
        rarity = np.log1p((n_items - n_items_of + 0.5) / (n_items_of + 0.5))
        adds = np.repeat(np.square(rarity), n_items_of)
        weighted = sp.csr_array((adds, likes.indices, likes.indptr), likes.shape)
        relative = n_users_of / max(n_users_of.sum() / max(n_items, 1), 1e-9)
        # (1 + k1 * length) / (k1 + 1), without overflow for large k1.
        share = config.k1 / (config.k1 + 1)
        sizes = 1 / (config.k1 + 1) + share * (1 - config.b + config.b * relative)
        return cls(item_users, weighted, sizes, config, likes if config.shrinkage else None)

    def to(self, rows: slice) -> list[tuple[npt.NDArray[Any], Doubles]]:
        """Return, for each of these items, the others with common users, and similarities."""
        sums = self.item_users[rows] @ self.user_items
        together = sums
        if self.counted is not None:
            together = self.item_users[rows] @ self.counted
            together.sort_indices()
            sums.sort_indices()
        items = np.repeat(np.arange(rows.start, rows.stop), np.diff(sums.indptr))
        sizes = self.sizes[items] * self.sizes[sums.indices]
        # The root of a quotient of whole numbers: equal cosines are equal floats.
        cosine = self.config.weighting == "cosine"
        values = np.sqrt(np.square(sums.data) / sizes) if cosine else sums.data / sizes
        if self.config.shrinkage:
            values *= together.data / (together.data + self.config.shrinkage)
        others = sums.indices != items
        bounds = np.concatenate(([0], np.cumsum(others)))[sums.indptr[1:-1]]
        parts = (np.split(part[others], bounds) for part in (sums.indices, values))
        return list(zip(*parts, strict=True))


def _largest(
    columns: npt.NDArray[Any], values: Doubles, count: int
) -> tuple[npt.NDArray[Any], Doubles]:
    """Return the `count` largest values and their columns; of equal ones the first columns."""
    if len(values) <= count:
        return columns, values
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)
    first = equal[np.argsort(columns[equal])][: count - len(above)]
    chosen = np.concatenate((above, first))
    return columns[chosen], values[chosen]


def _joined(blocks: list[list[tuple[npt.NDArray[Any], Doubles]]], n_items: int) -> sp.csc_array:
    """Join the neighbours of all items into one matrix with a column for each."""
    lists = [one for block in blocks for one in block]
    starts = np.concatenate(
        ([0], np.cumsum([len(columns) for columns, _ in lists], dtype=np.int64))
    )
    width = np.int64 if starts[-1] > np.iinfo(np.int32).max else np.int32
    columns = np.concatenate([np.empty(0, width), *(one[0] for one in lists)])
    values = np.concatenate([np.empty(0), *(one[1] for one in lists)])
    by_item = sp.csr_array(
        (values, columns.astype(width, copy=False), starts.astype(width)), (n_items, n_items)
    )
    by_item.sort_indices()
    return by_item.T
