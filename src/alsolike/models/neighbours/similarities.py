"""Finds the nearest neighbours of items by their users, by the compiled kernel."""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine, pieces
from alsolike.errors import SettingError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.neighbours.similarities import DIGITS, find_nearest
from alsolike.models.base import Doubles, Indices
from alsolike.models.history_model import training_likes
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.progress import SILENT, Observer

Bounds = npt.NDArray[np.int64]

# Items compared at once in each thread.
BLOCK = 128
_NOTHING = plain(np.empty(0))


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
    likes = sp.csr_array(training_likes(train, config.value_weights))
    likes.eliminate_zeros()
    similarity, lock = _Similarity.of(likes, config), threading.Lock()
    spare: list[_Memory] = []

    def nearest(rows: slice) -> tuple[Bounds, Indices, Doubles]:
        memory = spare.pop() if spare else similarity.memory()
        found = similarity.to(rows, memory)
        spare.append(memory)
        with lock:
            observer.advance(rows.stop - rows.start)
        return found

    observer.start("Computing item similarities", train.n_items)
    blocks = engine.each(nearest, pieces(train.n_items, block_items))
    observer.finish()
    return _joined(blocks, train.n_items)


@dataclass(frozen=True, eq=False)
class _Side:
    """The likes of each user or of each item, as the kernel takes them.

    Parameters
    ----------
    starts : int64, (n_rows + 1,)
    others : int32, (n_likes,)
        Ascending within a row.
    values : float64, (n_likes,) or (0,)
        Empty if all are 1.
    """

    starts: Bounds
    others: Indices
    values: Doubles

    @classmethod
    def of(cls, likes: sp.csr_array, *, is_binary: bool) -> "_Side":
        return cls(
            plain(likes.indptr.astype(np.int64)),
            plain(likes.indices.astype(np.int32, copy=False)),
            _NOTHING if is_binary else plain(likes.data),
        )

    @property
    def lengths(self) -> Doubles:
        return np.diff(self.starts).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Memory:
    """What a thread works in, see `alsolike.kernels.neighbours.similarities`."""

    sums: Doubles
    common: Doubles
    met: Indices
    found: Doubles
    others: Indices
    sizes: Doubles
    digits: Indices
    heap: Doubles


@dataclass(frozen=True, eq=False)
class _Similarity:
    """Similarities of items: sums over common users, divided by sizes of both items.

    Parameters
    ----------
    by_item, by_user : _Side
    user_weights : float64, (n_users,)
    source_sizes, target_sizes : float64, (n_items,)
        Of the liked item, and of the other.
    config : ItemKNNConfig
    most : int64, (n_items,)
        Neighbours that each item has at most.
    """

    by_item: _Side
    by_user: _Side
    user_weights: Doubles
    source_sizes: Doubles
    target_sizes: Doubles
    config: ItemKNNConfig
    most: Bounds

    @classmethod
    def of(cls, likes: sp.csr_array, config: ItemKNNConfig) -> "_Similarity":
        is_binary = config.value_weights.are_ones
        item_users = likes.T.tocsr()
        by_item = _Side.of(item_users, is_binary=is_binary)
        by_user = _Side.of(likes, is_binary=is_binary)
        weights, sources, targets = _sizes(likes, by_item.lengths, by_user.lengths, config)
        if likes.nnz:
            _refuse_vanishing(float(likes.data.min()), float(weights[by_user.lengths > 0].min()))
        n_items = likes.shape[1]
        # Whom an item's users like besides it.
        pairs = np.add.reduceat(
            np.append(by_user.lengths[by_item.others] - 1, 0), by_item.starts[:-1]
        )
        most = np.where(by_item.lengths > 0, np.minimum(pairs, n_items - 1), 0).astype(np.int64)
        if config.neighbours is not None:
            most = np.minimum(most, config.neighbours)
        return cls(by_item, by_user, plain(weights), plain(sources), plain(targets), config, most)

    def memory(self) -> _Memory:
        """Return memory for one thread."""
        n_items = len(self.most)
        # Sums of ones, each counted as it is, are the common users themselves.
        is_counted = self.config.shrinkage > 0 and not (
            self.config.weighting == "cosine" and self.config.value_weights.are_ones
        )
        return _Memory(
            np.zeros(n_items),
            np.zeros(n_items if is_counted else 0),
            np.empty(n_items + 1, dtype=np.int32),
            np.empty(n_items + 1),
            np.empty(n_items + 1, dtype=np.int32),
            np.empty(n_items + 1),
            np.empty(DIGITS, dtype=np.int32),
            np.empty(max(int(self.most.max(initial=0)), 1)),
        )

    def to(self, rows: slice, memory: _Memory) -> tuple[Bounds, Indices, Doubles]:
        """Return where the neighbours of each of these items end, the neighbours, and how near."""
        room = int(self.most[rows].sum())
        ends = np.empty(rows.stop - rows.start + 1, dtype=np.int64)
        near, similarities = np.empty(room, dtype=np.int32), np.empty(room)
        items, users = self.by_item, self.by_user
        find_nearest(
            rows.start, items.starts, items.others, items.values, users.starts, users.others,
            users.values, self.user_weights, self.source_sizes, self.target_sizes,
            self.config.weighting == "cosine", float(self.config.shrinkage), memory.sums,
            memory.common, memory.met, memory.found, memory.found.view(np.int64), memory.others,
            memory.sizes, memory.digits, memory.heap, ends, near, similarities,
        )  # fmt: skip
        # Copies: room for all that there may be is often far more than what there is.
        return ends, near[: ends[-1]].copy(), similarities[: ends[-1]].copy()


def _sizes(
    likes: sp.csr_array, n_users_of: Doubles, n_items_of: Doubles, config: ItemKNNConfig
) -> tuple[Doubles, Doubles, Doubles]:
    """Return the weights of users, and the sizes of liked and of other items."""
    n_items = likes.shape[1]
    equal = np.ones(len(n_items_of))
    if config.weighting == "cosine":
        if config.value_weights.are_ones:
            return equal, n_users_of, n_users_of
        squares: Doubles = np.bincount(likes.indices, np.square(likes.data), n_items)  # type: ignore[assignment]
        return equal, squares, squares
    if config.weighting == "normalized":
        weights, sources, targets = (
            np.maximum(counts, 1.0) ** exponent
            for counts, exponent in (
                (n_items_of, -config.user_exponent),
                (n_users_of, config.source_exponent),
                (n_users_of, config.target_exponent),
            )
        )
        return weights, sources, targets
    # Robertson-Sparck Jones weight, plus 1 inside the logarithm: never below zero.
    rarity = np.log1p((n_items - n_items_of + 0.5) / (n_items_of + 0.5))
    relative = n_users_of / max(n_users_of.sum() / max(n_items, 1), 1e-9)
    # (1 + k1 * length) / (k1 + 1), without overflow for large k1.
    share = config.k1 / (config.k1 + 1)
    sizes = 1 / (config.k1 + 1) + share * (1 - config.b + config.b * relative)
    return np.square(rarity), sizes, sizes


def _refuse_vanishing(value: float, weight: float) -> None:
    """Raise SettingError if the least product of two likes and a user's weight is no number."""
    if value * value * weight > 0:
        return
    raise SettingError(
        f"The weights of likes must be large enough to be multiplied; the least is {value!r}. "
        "Choose a smaller value_scale."
    )


def _joined(blocks: list[tuple[Bounds, Indices, Doubles]], n_items: int) -> sp.csc_array:
    """Join the neighbours of all items into one matrix with a column for each."""
    lengths = [np.empty(0, np.int64), *(np.diff(ends) for ends, _, _ in blocks)]
    starts = np.concatenate(([0], np.cumsum(np.concatenate(lengths), dtype=np.int64)))
    width = np.int64 if starts[-1] > np.iinfo(np.int32).max else np.int32
    near = np.concatenate([np.empty(0, np.int32), *(near for _, near, _ in blocks)])
    values = np.concatenate([np.empty(0), *(found for _, _, found in blocks)])
    by_item = sp.csr_array(
        (values, near.astype(width, copy=False), starts.astype(width)), (n_items, n_items)
    )
    by_item.has_sorted_indices = True
    return by_item.T
