"""Keeps the top k of many rows of scores in small heaps.

Models give scores in blocks; the top k of factors is found by `alsolike.kernels.ranking.panels`.

Notation
--------
S : float32, (b, m), C order
    The block of scores: b rows (users), m columns (consecutive items).
best, items : float32 and int32, (b, k)
    Per row a binary heap whose root is the worst entry: the lowest score and, among equal scores,
    the highest item.
filled : int64, (b,)
    Entries in each heap.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part

Array = npt.NDArray[Any]

# Scores are compared to the threshold this many at a time, which the compiler turns into vector
# instructions; only a chunk with a hit is looked at one by one.
_CHUNK = 128
LANES = 4


@part
def exact_dot(x: Array, y: Array) -> float:
    """Return `dot` before its rounding, float64.

    Products of two float32 are exact in float64. They are added in `LANES` interleaved partial
    sums, each in order, then the partial sums in order.
    """
    a = b = c = d = 0.0
    whole = len(x) - len(x) % LANES
    for i in range(0, whole, LANES):
        a += np.float64(x[i]) * np.float64(y[i])
        b += np.float64(x[i + 1]) * np.float64(y[i + 1])
        c += np.float64(x[i + 2]) * np.float64(y[i + 2])
        d += np.float64(x[i + 3]) * np.float64(y[i + 3])
    if whole < len(x):
        a += np.float64(x[whole]) * np.float64(y[whole])
    if whole + 1 < len(x):
        b += np.float64(x[whole + 1]) * np.float64(y[whole + 1])
    if whole + 2 < len(x):
        c += np.float64(x[whole + 2]) * np.float64(y[whole + 2])
    return ((a + b) + c) + d


@bare_kernel
def dot(x: Array, y: Array) -> Any:
    """Return the dot product of two float32 rows, defined to the last bit: rounded once."""
    return np.float32(exact_dot(x, y))


@bare_kernel
def scan_block(
    S: Array,
    first_item: int,
    open_items: Array,
    taken: Array,
    cursors: Array,
    ends: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> Any:
    """Push the block's items into the heaps of their rows.

    Blocks of one row must come in ascending order of items.

    Parameters
    ----------
    first_item : int
        Item of the block's first column.
    open_items : bool, (n_items,)
        Items that may appear at all.
    taken : int32, (n_taken,)
        Concatenated lists, ascending within each, of items that may not appear in a row.
    cursors, ends : int64, (b,)
        Each row's list is ``taken[cursor:end]``; cursors move on with the blocks.

    Returns
    -------
    int
        -1, or ``row * m + column`` of a score that is NaN or +inf. A score of -inf means that
        the item must not appear.
    """
    m, k = S.shape[1], best.shape[1]
    for row in range(S.shape[0]):
        line = S[row]
        bar = _bar(best[row, 0], filled[row], k)
        for start in range(0, m, _CHUNK):
            stop = min(start + _CHUNK, m)
            # Flags as wide as the scores: twice as fast as the int64 that Python's 0 would give.
            # "Not below or equal" holds for NaN, too: no NaN can hide below a threshold.
            hits = np.int32(0)
            for column in range(start, stop):
                hits |= np.int32(not (line[column] <= bar))
            if not hits:
                continue
            for column in range(start, stop):
                score = line[column]
                if score <= bar:
                    continue
                item = first_item + column
                if not open_items[item] or _is_taken(item, taken, cursors, ends, row):
                    continue
                if not (score < np.inf):
                    return row * m + column
                small = np.int32(item)  # as elsewhere: a part is compiled for each type
                filled[row] = push(best[row], items[row], filled[row], score, small)
                bar = _bar(best[row, 0], filled[row], k)
    return -1


@bare_kernel
def rank_few(
    X: Array,
    Y: Array,
    ceiling: float,
    few: Array,
    starts: Array,
    stops: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> Any:
    """Push a few items of each row to its heap, scored by `dot`.

    Parameters
    ----------
    X, Y : float32, (b, f) and (m, f)
    ceiling : float
        Scores are clipped to ``[-ceiling, ceiling]``.
    few : int32, (n_few,)
        Row r's items are ``few[starts[r]:stops[r]]``, each once.

    Returns
    -------
    int
        -1, or ``row * m + item`` of a score that is NaN or +inf.
    """
    for row in range(X.shape[0]):
        for place in range(starts[row], stops[row]):
            item = few[place]
            score = dot(X[row], Y[item])
            if not (score < np.inf):
                return row * Y.shape[0] + item
            score = np.float32(max(-ceiling, min(ceiling, score)))
            filled[row] = push(best[row], items[row], filled[row], score, item)
    return -1


@bare_kernel
def score_all(X: Array, Y: Array, ceiling: float, out: Array) -> None:
    """Fill `out`, float32 (b, m), with the scores of all rows with all items, by `dot`.

    Scores are clipped to ``[-ceiling, ceiling]``, as those of lists are.
    """
    for row in range(X.shape[0]):
        for item in range(Y.shape[0]):
            out[row, item] = clipped_dot(X[row], Y[item], ceiling)


@part
def clipped_dot(x: Array, y: Array, ceiling: float) -> Any:
    """Return `dot`, clipped to ``[-ceiling, ceiling]``, float32."""
    return np.float32(max(-ceiling, min(ceiling, dot(x, y))))


@part
def push(scores: Array, ids: Array, filled: int, score: Any, item: Any) -> int:
    """Push an item to one heap, in any order; return the new number of entries.

    An item with the score -inf is ignored.
    """
    if filled < len(scores):
        if score > -np.inf:
            _sift_up(scores, ids, filled, score, item)
            filled += 1
    elif _is_worse(scores[0], ids[0], score, item):
        _sift_down(scores, ids, filled, score, item)
    return filled


@bare_kernel
def sort_heaps(best: Array, items: Array, filled: Array) -> None:
    """Sort each heap: best score first, lower item first among equals."""
    for row in range(best.shape[0]):
        scores, ids = best[row], items[row]
        for last in range(filled[row] - 1, 0, -1):
            worst, item = scores[0], ids[0]
            _sift_down(scores, ids, last, scores[last], ids[last])
            scores[last], ids[last] = worst, item


@part
def _bar(worst: float, filled: int, k: int) -> Any:
    """Return the score at or below which nothing can enter the heap."""
    return np.float32(worst) if filled == k else np.float32(-np.inf)


@part
def _is_taken(item: int, taken: Array, cursors: Array, ends: Array, row: int) -> bool:
    cursor, end = cursors[row], ends[row]
    while cursor < end and taken[cursor] < item:
        cursor += 1
    cursors[row] = cursor
    return bool(cursor < end and taken[cursor] == item)


@part
def _is_worse(score: Any, item: int, other_score: Any, other_item: int) -> bool:
    return bool(score < other_score or (score == other_score and item > other_item))


@part
def _sift_up(scores: Array, ids: Array, hole: int, score: Any, item: int) -> None:
    """Put an entry into the free leaf `hole`, moving worse ones towards the root."""
    while hole > 0:
        parent = (hole - 1) // 2
        if not _is_worse(score, item, scores[parent], ids[parent]):
            break
        scores[hole], ids[hole] = scores[parent], ids[parent]
        hole = parent
    scores[hole], ids[hole] = score, item


@part
def _sift_down(scores: Array, ids: Array, size: int, score: Any, item: int) -> None:
    """Replace the root of a heap of `size` entries."""
    hole = 0
    while 2 * hole + 1 < size:
        child = 2 * hole + 1
        right = child + 1
        if right < size and _is_worse(scores[right], ids[right], scores[child], ids[child]):
            child = right
        if not _is_worse(scores[child], ids[child], score, item):
            break
        scores[hole], ids[hole] = scores[child], ids[child]
        hole = child
    scores[hole], ids[hole] = score, item
