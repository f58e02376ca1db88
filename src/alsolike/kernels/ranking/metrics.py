"""Computes ranking metrics of lists, with ties averaged, and AUC and percentile rank of scores.

Notation
--------
ranked : int32, (n, K)
    One list per row, best item first; -1 after its end.
starts : int64, (n + 1,)
relevant : int32, (n_relevant,)
    Row r's relevant items are ``relevant[starts[r]:starts[r + 1]]``, ascending, at least one.
hit : uint8, (K,)
    Whether the item at each place of one list is relevant.
sizes, wanted : int64, (K,)
    At the first place of each group of equal scores: how many items are in it, and how many of
    them are relevant. Other places hold nothing that is read.
k, m
    Length of the list that counts; number of relevant items.
r
    Relevant items of one group.

All sums run in the order of the list, in float64. What is in no tie comes out as it would without
groups, to the last bit.

References
----------
.. [1] K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
   20(4), 2002. The discount 1 / log2(place + 1), places from 1, is the one that became usual
   later (C. Burges et al., "Learning to rank using gradient descent", ICML 2005).
.. [2] J. A. Hanley, B. J. McNeil, "The meaning and use of the area under a receiver operating
   characteristic (ROC) curve", Radiology 143(1), 1982.
.. [3] F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently in
   the presence of tied scores", ECIR 2008.
.. [4] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets",
   ICDM 2008, equation 8.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import kernel, part
from alsolike.kernels.ranking.topk import clipped_dot

Array = npt.NDArray[Any]

# The columns that `measure_lists` fills, in order.
LIST_MEASURES = ("hits", "precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


# Scores are counted this many at a time, and one by one only if in doubt.
_CHUNK = 256


@part
def mark_hits(items: Array, relevant: Array, hit: Array) -> None:
    """Mark in `hit` the places of one list with a relevant item."""
    for place in range(len(items)):
        hit[place] = items[place] >= 0 and contains(relevant, items[place])


@part
def group_places(
    scores: Array, hit: Array, cut: int, cut_relevant: int, sizes: Array, wanted: Array
) -> None:
    """Write the size and the relevant items of each group of equal scores at its first place.

    The last group may reach beyond the list; then `cut` is its whole size, else 0.
    """
    first = 0
    while first < len(scores):
        end, hits = first, 0
        while end < len(scores) and scores[end] == scores[first]:
            hits += hit[end]
            end += 1
        sizes[first], wanted[first] = end - first, hits
        if end == len(scores) and cut:
            sizes[first], wanted[first] = cut, cut_relevant
        first = end


@part
def expected_hits(sizes: Array, wanted: Array, k: int) -> float:
    """Return the expected relevant items among the first k; a cut group counts by its share."""
    whole, first = 0, 0
    while first < k:
        size, r = sizes[first], wanted[first]
        if first + size > k:
            return float(whole + r * (k - first) / size)
        whole += r
        first += size
    return float(whole)


@part
def ndcg(sizes: Array, wanted: Array, k: int, m: int) -> float:
    """Return DCG / ideal DCG: each hit gains 1 / log2(place + 1), places from 1; see [1]_.

    The ideal list has its first min(k, m) places filled with hits.
    """
    gained, ideal = 0.0, 0.0
    first, size, r = 0, 1, 0
    for place in range(k):
        if place == 0 or place == first + size:
            first, size, r = place, sizes[place], wanted[place]
        gain = 1.0 / np.log2(place + 2.0)
        if r:
            gained += gain if r == size else gain * (r / size)
        if place < m:
            ideal += gain
    return gained / ideal


@part
def average_precision(sizes: Array, wanted: Array, k: int, m: int) -> float:
    """Return the sum of the precisions at the places of the hits, over min(k, m)."""
    before, total, first = 0, 0.0, 0
    while first < k:
        size, r = sizes[first], wanted[first]
        if r:
            # Of the other slots of the group each holds one of its other hits as often.
            others = (r - 1) / (size - 1) if size > 1 else 0.0
            for slot in range(min(size, k - first)):
                precision = (before + 1 + slot * others) / (first + slot + 1.0)
                total += precision if r == size else precision * (r / size)
        before += r
        first += size
    return total / min(k, m)


@part
def first_hit(sizes: Array, wanted: Array, k: int) -> Any:
    """Return the mean of 1 / place of the first hit, and the probability of no hit in the first k.

    Places count from 1; without a hit it is 0.
    """
    total, none, first = 0.0, 1.0, 0
    while first < k and none == 1.0:
        size, r = sizes[first], wanted[first]
        if r:
            for slot in range(min(size, k - first)):
                total += none * r / (size - slot) / (first + slot + 1.0)
                none *= (size - r - slot) / (size - slot)
                if none <= 0.0:
                    break
        first += size
    return total, none


@kernel
def measure_lists(
    ranked: Array,
    scores: Array,
    cut: Array,
    cut_relevant: Array,
    starts: Array,
    relevant: Array,
    ks: Array,
    out: Array,
) -> None:
    """Measure each list at each length of `ks`, averaged over all orders of equal scores [3]_.

    Parameters
    ----------
    scores : float32, (n, K)
        Of the items of `ranked`, descending.
    cut, cut_relevant : int64, (n,)
        Where the last score of a list is also that of items which are not in it: all items of
        that score, and the relevant ones among them; 0 elsewhere.
    ks : int64, (n_ks,)
        Each from 1 to K.
    out : float64, (n_ks, len(LIST_MEASURES), n)
        Filled with the measures of `LIST_MEASURES`.
    """
    length = ranked.shape[1]
    hit = np.empty(length, dtype=np.uint8)
    sizes, wanted = np.empty(length, dtype=np.int64), np.empty(length, dtype=np.int64)
    for row in range(ranked.shape[0]):
        own = relevant[starts[row] : starts[row + 1]]
        m = len(own)
        mark_hits(ranked[row], own, hit)
        group_places(scores[row], hit, cut[row], cut_relevant[row], sizes, wanted)
        for at in range(len(ks)):
            k = ks[at]
            hits = expected_hits(sizes, wanted, k)
            reciprocal, none = first_hit(sizes, wanted, k)
            out[at, 0, row] = hits
            out[at, 1, row] = hits / k
            out[at, 2, row] = hits / m
            out[at, 3, row] = hits / min(k, m)
            out[at, 4, row] = ndcg(sizes, wanted, k, m)
            out[at, 5, row] = average_precision(sizes, wanted, k, m)
            out[at, 6, row] = reciprocal
            out[at, 7, row] = 1.0 - none


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
    the relevant one scores higher; pairs of equal scores count one half [2]_. Without other items
    it is 0.5, as for a row of equal scores.

    The percentile rank is the weighted mean, over the relevant items, of the share of all other
    items that score higher; equal scores count one half [4]_. Without any it is 0.5.

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
            score, weight = clipped_dot(x, Y[own[place]], ceiling), weights[starts[row] + place]
            wins = 0
            for start in range(0, n_items, _CHUNK):
                stop = min(start + _CHUNK, n_items)
                below, up_to = _counts(score, low[start:stop], high[start:stop])
                wins += 2 * below
                if up_to > below:
                    for other in range(start, stop):
                        if low[other] <= score <= high[other]:
                            wins += _half_win(score, x, Y[other], ceiling)
            wins -= _half_wins_of(score, aside, low, high, x, Y, ceiling)
            half_wins += wins - _half_wins_of(score, own, low, high, x, Y, ceiling)
            ranked += weight * _share_above(wins, n_items - len(aside))
            total += weight
        pairs = (n_items - len(own) - len(aside)) * len(own)
        out[0, row] = 0.5 * half_wins / pairs if pairs else 0.5
        out[1, row] = ranked / total
    return -1


@part
def contains(ascending: Array, wanted: int) -> bool:
    """Return whether an ascending list contains a number."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return bool(low < len(ascending) and ascending[low] == wanted)


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
def _half_win(score: float, x: Array, y: Array, ceiling: float) -> int:
    """Return 2 where the score of an item is below `score`, 1 where it equals it, else 0."""
    other = clipped_dot(x, y, ceiling)
    return 2 if other < score else int(other == score)


@part
def _half_wins_of(
    score: float, items: Array, low: Array, high: Array, x: Array, Y: Array, ceiling: float
) -> int:
    """Return the half wins of `score` over some items, whose scores lie from `low` to `high`."""
    half_wins = 0
    for item in items:
        if high[item] < score:
            half_wins += 2
        elif low[item] <= score:
            half_wins += _half_win(score, x, Y[item], ceiling)
    return half_wins


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
