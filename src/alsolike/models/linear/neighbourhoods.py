"""Regresses each item on its neighbourhood, in parallel; holds no matrix of all pairs.

Items are numbered by their likes meanwhile, the most liked first: pairs of the first ones are
summed once and looked up, pairs with a later one are summed where they are needed, from its few
likes.
"""

import threading
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine, pieces
from alsolike.errors import FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.linear.gramian import fill_head
from alsolike.kernels.linear.neighbourhoods import solve_neighbourhoods
from alsolike.models.base import Doubles, Indices
from alsolike.models.linear.config import LinearConfig
from alsolike.progress import Observer

# Items regressed in one piece of work, and rows of the head summed in one.
_ITEMS, _ROWS = 256, 128
KERNELS = (fill_head, solve_neighbourhoods)

Starts = npt.NDArray[np.int64]
Block = tuple[Starts, Indices, Doubles]
Arrays = tuple[Starts, Indices, Doubles, Starts, Indices, Doubles]


@dataclass(frozen=True, eq=False)
class RankedLikes:
    """Weighted likes of items that are numbered by their likes.

    Parameters
    ----------
    items : int64, (n_items,)
        The item of each number.
    arrays : tuple
        What the kernels take: starts, indices (ascending) and values, by users and by items.
    diagonal : float64, (n_items,)
        G_ii by number.
    """

    items: npt.NDArray[np.int64]
    arrays: Arrays
    diagonal: Doubles

    @classmethod
    def of(cls, likes: sp.csr_array) -> "RankedLikes":
        """Return weighted likes with new numbers; of equally liked items the first comes first."""
        n_items = likes.shape[1]
        items = np.argsort(-np.bincount(likes.indices, minlength=n_items), kind="stable")
        numbers = np.empty(n_items, dtype=likes.indices.dtype)
        numbers[items] = np.arange(n_items)
        by_users = sp.csr_array(
            (likes.data.copy(), numbers[likes.indices], likes.indptr.copy()), likes.shape
        )
        by_users.sort_indices()
        diagonal = np.bincount(by_users.indices, np.square(by_users.data), minlength=n_items)
        arrays = *_parts(by_users), *_parts(by_users.T.tocsr())
        return cls(items, arrays, diagonal.astype(np.float64, copy=False))


def _parts(matrix: sp.csr_array) -> tuple[Starts, Indices, Doubles]:
    """Return the arrays of a matrix in the types that kernels are compiled for."""
    starts = matrix.indptr.astype(np.int64)
    indices = matrix.indices.astype(np.int32, copy=False)
    return plain(starts), plain(indices), plain(matrix.data)


def neighbourhood_weights(
    likes: sp.csr_array,
    config: LinearConfig,
    neighbours: int,
    engine: Engine,
    observer: Observer,
    *,
    head_items: int,
) -> sp.csc_array:
    """Solve for the weights of each item's neighbours, (n_items, n_items).

    Parameters
    ----------
    likes : scipy.sparse.csr_array of float64, (n_users, n_items)
        Weighted likes, all above zero.
    config : LinearConfig
    neighbours : int
        Items of a neighbourhood at most.
    engine : Engine
    observer : Observer
        Notified of each piece of items, perhaps from another thread.
    head_items : int
        Items whose pairs are held; whole numbers are the same for any.

    Raises
    ------
    FitError
        A system is not positive definite in float64.
    """
    ranked = RankedLikes.of(likes)
    n_items, m = likes.shape[1], min(neighbours, likes.shape[1])
    ridge, lock = config.ridge(ranked.diagonal), threading.Lock()
    head, n_head = _head(ranked, min(head_items, n_items), engine)

    def solve(rows: slice) -> Block:
        n_rows = rows.stop - rows.start
        counts = np.empty(n_rows, dtype=np.int64)
        near, weights = np.empty((n_rows, m), dtype=np.int32), np.empty((n_rows, m))
        failed = solve_neighbourhoods(
            rows.start, *ranked.arrays, head, n_head, ranked.diagonal, ridge, counts, near, weights
        )
        if failed >= 0:
            raise FitError(_unsolvable(config))
        filled = np.arange(m) < counts[:, None]
        with lock:
            observer.advance(n_rows)
        return counts, near[filled], weights[filled]

    observer.start("Solving the neighbourhoods of items", n_items)
    blocks = engine.each(solve, pieces(n_items, _ITEMS))
    observer.finish()
    return _joined(blocks, ranked.items)


def _head(ranked: RankedLikes, n_head: int, engine: Engine) -> tuple[npt.NDArray[np.float32], int]:
    head = np.empty(n_head * (n_head + 1) // 2, dtype=np.float32)

    def fill(rows: slice) -> None:
        fill_head(rows.start, rows.stop, *ranked.arrays, np.zeros(n_head), head)

    engine.each(fill, pieces(n_head, _ROWS))
    return head, n_head


def _joined(blocks: list[Block], items: npt.NDArray[np.int64]) -> sp.csc_array:
    """Join the weights of all neighbourhoods, and number the items as the caller does."""
    n_items = len(items)
    nothing: Block = np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0)
    counts, near, weights = (np.concatenate(parts) for parts in zip(nothing, *blocks, strict=True))
    starts = np.concatenate(([0], np.cumsum(counts)))
    width = np.int64 if starts[-1] > np.iinfo(np.int32).max else np.int32
    by_rank = sp.csr_array(
        (weights, items.astype(width)[near], starts.astype(width)), (n_items, n_items)
    )
    ranks = np.empty(n_items, dtype=np.int64)
    ranks[items] = np.arange(n_items)
    by_item = by_rank[ranks]
    by_item.sort_indices()
    return by_item.T


def _unsolvable(config: LinearConfig) -> str:
    return (
        f"regularization={config.regularization!r} is too small for weights of likes as large as "
        f"those of values={config.values!r}: give a larger one, 1 to 1000 is usual, or smaller "
        "weights, such as values='log' or a larger value_scale."
    )
