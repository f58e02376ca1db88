"""Ranks items by sums of rows of a sparse matrix of weights: one row for each like.

Notation
--------
m : items
D : float64, (m,)
    Scores of the query at hand; zeros between queries.
M : uint8, (m,)
    1 for the items to which some row adds; zeros between queries.
L : int32, (m + 1,)
    These items, in the order in which they were met. Where most items are met, neither is kept:
    all items are looked at.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part
from alsolike.kernels.ranking.topk import push

Array = npt.NDArray[Any]

_MANY = 2  # additions for each item, from which most items are met


@bare_kernel
def rank_sums(
    starts: Array,
    liked: Array,
    pulls: Array,
    weight_starts: Array,
    weight_items: Array,
    weights: Array,
    open_items: Array,
    taken: Array,
    first_taken: Array,
    last_taken: Array,
    D: Array,
    M: Array,
    L: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> Any:
    """Push the items of each query to its heap, scored by sums over its likes in their order.

    Parameters
    ----------
    starts : int64, (b + 1,)
        Likes of query r: ``liked[starts[r]:starts[r + 1]]``.
    liked, pulls : int32 and float64, (n_likes,)
    weight_starts, weight_items, weights : int64 (m + 1,), int32 and float64, (n_weights,)
        What a like of each item adds to others, times its pull.
    open_items : bool, (m,)
        Items that may appear at all.
    taken : int32, (n_taken,)
        Items that may not appear in the list of query r, ascending:
        ``taken[first_taken[r]:last_taken[r]]``.
    best, items, filled
        The heaps, see `alsolike.kernels.ranking.topk`.

    Returns
    -------
    int
        -1, or ``row * m + item`` of a score that is NaN or +inf.
    """
    m, k = len(D), best.shape[1]
    for row in range(len(starts) - 1):
        n_met = _add_up(row, starts, liked, pulls, weight_starts, weight_items, weights, D, M, L)
        for place in range(first_taken[row], last_taken[row]):
            D[taken[place]] = -np.inf  # not listed
        bad = _push_met(row, n_met, D, L, open_items, best, items, filled)
        if bad >= 0:
            return row * m + bad
        if filled[row] < k or best[row, 0] <= 0.0:
            _push_nothing(row, D, open_items, best, items, filled)
        for place in range(first_taken[row], last_taken[row]):
            D[taken[place]] = 0.0
        _clear(n_met, D, M, L)
    return -1


@bare_kernel
def add_up_rows(
    starts: Array,
    liked: Array,
    pulls: Array,
    weight_starts: Array,
    weight_items: Array,
    weights: Array,
    D: Array,
    M: Array,
    L: Array,
    out: Array,
) -> None:
    """Fill `out`, float32 (b, m), with the scores by which `rank_sums` ranks."""
    for row in range(len(starts) - 1):
        n_met = _add_up(row, starts, liked, pulls, weight_starts, weight_items, weights, D, M, L)
        for item in range(len(D)):
            out[row, item] = np.float32(D[item])
        _clear(n_met, D, M, L)


@part
def _add_up(
    row: int,
    starts: Array,
    liked: Array,
    pulls: Array,
    weight_starts: Array,
    weight_items: Array,
    weights: Array,
    D: Array,
    M: Array,
    L: Array,
) -> int:
    """Add up the scores of a query; return how many items some row adds to, or -1: most."""
    n_met, n_added = 0, 0
    for like in range(starts[row], starts[row + 1]):
        item = liked[like]
        n_added += weight_starts[item + 1] - weight_starts[item]
    if n_added > _MANY * len(D):
        for like in range(starts[row], starts[row + 1]):
            item, pull = liked[like], pulls[like]
            for place in range(weight_starts[item], weight_starts[item + 1]):
                D[weight_items[place]] += pull * weights[place]
        return -1
    for like in range(starts[row], starts[row + 1]):
        item, pull = liked[like], pulls[like]
        for place in range(weight_starts[item], weight_starts[item + 1]):
            other = weight_items[place]
            D[other] += pull * weights[place]
            # Written always, kept if new: no branch, which would be guessed wrongly half the time.
            L[n_met] = other
            n_met += 1 - M[other]
            M[other] = 1
    return n_met


@part
def _push_met(
    row: int,
    n_met: int,
    D: Array,
    L: Array,
    open_items: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> int:
    """Push the items met with another score than 0; return one with NaN or +inf, or -1."""
    k, scores, ids, count = best.shape[1], best[row], items[row], filled[row]
    bar = np.float32(-np.inf)
    for entry in range(n_met if n_met >= 0 else len(D)):
        item = L[entry] if n_met >= 0 else np.int32(entry)
        score = np.float32(D[item])
        # Not those equal to the worst, which come before it if their item does.
        if score < bar or score == 0.0 or not open_items[item]:
            continue
        if not (score < np.inf):
            return int(item)
        count = push(scores, ids, count, score, item)
        if count == k:
            bar = scores[0]
    filled[row] = count
    return -1


@part
def _push_nothing(
    row: int, D: Array, open_items: Array, best: Array, items: Array, filled: Array
) -> None:
    """Push the first items with score 0, as far as they enter."""
    k, scores, ids, count = best.shape[1], best[row], items[row], filled[row]
    for item in range(len(D)):
        if np.float32(D[item]) != 0.0 or not open_items[item]:
            continue
        if count == k and (scores[0] > 0.0 or (scores[0] == 0.0 and ids[0] < item)):
            break
        count = push(scores, ids, count, np.float32(0.0), np.int32(item))
    filled[row] = count


@part
def _clear(n_met: int, D: Array, M: Array, L: Array) -> None:
    if n_met < 0:
        for item in range(len(D)):
            D[item] = 0.0
    for entry in range(n_met):
        D[L[entry]] = 0.0
        M[L[entry]] = 0
