"""Computes AUC and percentile rank from the scores of all items, with ties averaged.

Notation
--------
S : float32, (n, n_items)
    Scores of all items for each row.
starts : int64, (n + 1,)
relevant : int32, (n_relevant,)
    Row r's relevant items are ``relevant[starts[r]:starts[r + 1]]``, ascending, at least one.

References
----------
.. [1] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
   characteristic (ROC) curve", Radiology 143(1), 1982.
.. [2] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
   2008, equation 8.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import kernel, part
from alsolike.kernels.ranking.topk import clipped_dot

Array = npt.NDArray[Any]

# Scores are counted this many at a time, and one by one only if in doubt.
_CHUNK = 256


@kernel
def measure_order(
    S: Array,
    starts: Array,
    relevant: Array,
    weights: Array,
    left_out_starts: Array,
    left_out: Array,
    out: Array,
) -> int:
    """Fill `out` with the AUC and the percentile rank of each row of scores.

    AUC, the area under the ROC curve, is the share of pairs of a relevant and another item in which
    the relevant one scores higher; pairs of equal scores count one half [1]_. Without other items
    it is 0.5, as for a row of equal scores.

    The percentile rank is the weighted mean, over the relevant items, of the share of all other
    items that score higher; equal scores count one half [2]_. Without any it is 0.5.

    Parameters
    ----------
    S : float32, (n, n_items)
        Scores.
    weights : float64, (n_relevant,)
        Of the items of `relevant`, above 0.
    left_out_starts, left_out
        Items that take no part, in the same form as `starts` and `relevant`; none is relevant.
    out : float64, (2, n)

    Returns
    -------
    int
        -1, or ``row * n_items + item`` of a score that is NaN.
    """
    n_items: int = S.shape[1]
    for row in range(S.shape[0]):
        line = S[row]
        own = line[relevant[starts[row] : starts[row + 1]]]
        aside = line[left_out[left_out_starts[row] : left_out_starts[row + 1]]]
        if _has_nan(line):
            for item in range(n_items):
                if np.isnan(line[item]):
                    return row * n_items + item
        # Counting the whole line and subtracting what does not count needs no branch, so it runs
        # in vector instructions; a search of each item among the relevant ones would not.
        half_wins, ranked, total = 0, 0.0, 0.0
        for place in range(len(own)):
            score, weight = own[place], weights[starts[row] + place]
            wins = _half_wins(score, line) - _half_wins(score, aside)
            half_wins += wins - _half_wins(score, own)
            ranked += weight * _share_above(wins, n_items - len(aside))
            total += weight
        pairs = (n_items - len(own) - len(aside)) * len(own)
        out[0, row] = 0.5 * half_wins / pairs if pairs else 0.5
        out[1, row] = ranked / total
    return -1


@kernel
def measure_product_order(
    S: Array,
    starts: Array,
    relevant: Array,
    weights: Array,
    left_out_starts: Array,
    left_out: Array,
    X: Array,
    Y: Array,
    ceiling: float,
    margins: Array,
    reach: Array,
    out: Array,
) -> int:
    """Fill `out` like `measure_order`, for scores with rounding errors.

    Scores too close to a relevant item's are computed again by `alsolike.kernels.ranking.topk.dot`.

    Parameters
    ----------
    S : float32, (n, n_items)
        ``X @ Y.T``, rounded anyhow.
    X, Y : float32, (n, f) and (n_items, f)
    ceiling : float
        Recomputed scores are clipped to ``[-ceiling, ceiling]``.
    margins : float32, (n,)
    reach : float32, (n_items,)
        The score of an item may be off by its row's margin times its reach.
    """
    n_items: int = S.shape[1]
    low, high = np.empty(n_items, dtype=np.float32), np.empty(n_items, dtype=np.float32)
    # Where many scores are equal, each relevant item asks for all of them: computed once per row.
    exact, of_row = np.empty(n_items, dtype=np.float32), np.full(n_items, -1, dtype=np.int64)
    for row in range(S.shape[0]):
        line, x = S[row], X[row]
        own = relevant[starts[row] : starts[row + 1]]
        aside = left_out[left_out_starts[row] : left_out_starts[row + 1]]
        if _has_nan(line):
            for item in range(n_items):
                if np.isnan(line[item]):
                    return row * n_items + item
        _bound(line, margins[row], reach, low, high)
        half_wins, ranked, total = 0, 0.0, 0.0
        for place in range(len(own)):
            score = _exact_score(own[place], row, x, Y, ceiling, exact, of_row)
            weight, wins = weights[starts[row] + place], 0
            for start in range(0, n_items, _CHUNK):
                stop = min(start + _CHUNK, n_items)
                below, up_to = _counts(score, low[start:stop], high[start:stop])
                wins += 2 * below
                if up_to > below:
                    for other in range(start, stop):
                        if low[other] <= score <= high[other]:
                            near = _exact_score(other, row, x, Y, ceiling, exact, of_row)
                            wins += _half_win(score, near)
            for item in aside:
                wins -= _half_win_of(score, item, row, low, high, x, Y, ceiling, exact, of_row)
            half_wins += wins
            for item in own:
                half_wins -= _half_win_of(score, item, row, low, high, x, Y, ceiling, exact, of_row)
            ranked += weight * _share_above(wins, n_items - len(aside))
            total += weight
        pairs = (n_items - len(own) - len(aside)) * len(own)
        out[0, row] = 0.5 * half_wins / pairs if pairs else 0.5
        out[1, row] = ranked / total
    return -1


@part
def _bound(line: Array, margin: float, reach: Array, low: Array, high: Array) -> None:
    """Fill `low` and `high` with bounds of the scores of one row."""
    for item in range(len(line)):
        # The last term is for the rounding of the bounds themselves.
        most = margin * reach[item] + abs(line[item]) * np.float32(2.0**-22)
        low[item], high[item] = line[item] - most, line[item] + most


@part
def _half_wins(score: float, others: Array) -> Any:
    """Return twice the number of `others` below `score`, plus the number equal to it."""
    below, up_to = _counts(score, others, others)
    return below + up_to


@part
def _counts(score: float, low: Array, high: Array) -> Any:
    """Return how many of `high` are below `score`, and how many of `low` are not above it."""
    # Two counts of as many bits as the scores have: more of them fit into a vector.
    below, up_to = np.int32(0), np.int32(0)
    for place in range(len(low)):
        below = np.int32(below + (high[place] < score))
        up_to = np.int32(up_to + (low[place] <= score))
    return np.int64(below), np.int64(up_to)


@part
def _exact_score(
    item: int, row: int, x: Array, Y: Array, ceiling: float, exact: Array, of_row: Array
) -> Any:
    """Return the recomputed score of an item; keep it in `exact` for the rest of the row."""
    if of_row[item] != row:
        exact[item], of_row[item] = clipped_dot(x, Y[item], ceiling), row
    return exact[item]


@part
def _half_win(score: float, other: float) -> int:
    """Return 2 where another score is below `score`, 1 where it equals it, else 0."""
    return 2 if other < score else int(other == score)


@part
def _half_win_of(
    score: float,
    item: int,
    row: int,
    low: Array,
    high: Array,
    x: Array,
    Y: Array,
    ceiling: float,
    exact: Array,
    of_row: Array,
) -> int:
    """Return the half win of `score` over an item whose score lies from `low` to `high`."""
    if high[item] < score:
        return 2
    if low[item] > score:
        return 0
    return _half_win(score, _exact_score(item, row, x, Y, ceiling, exact, of_row))


@part
def _share_above(half_wins: int, n_listed: int) -> float:
    """Return the share of the others above an item, from its half wins over all and itself."""
    return 1.0 - 0.5 * (half_wins - 1) / (n_listed - 1) if n_listed > 1 else 0.5


@part
def _has_nan(numbers: Array) -> bool:
    """Return whether any is NaN, without an early exit: faster if none is."""
    found = np.int32(0)
    for place in range(len(numbers)):
        found = np.int32(found + np.isnan(numbers[place]))
    return bool(found)
