"""Computes ranking metrics of lists, with ties averaged.

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
.. [2] F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently in
   the presence of tied scores", ECIR 2008.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import kernel, part

Array = npt.NDArray[Any]

# The columns that `measure_lists` fills, in order.
LIST_MEASURES = ("hits", "precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate")


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
    """Measure each list at each length of `ks`, averaged over all orders of equal scores [2]_.

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
