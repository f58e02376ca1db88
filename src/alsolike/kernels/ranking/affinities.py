"""Ranks similar items by affinities: counts of common likes, plus products of factors.

Score of item j for query i, see `alsolike.models.similarity.terms`::

    (c_ij + min(max(q_i . z_j, 0), ceiling)) * h_j / D_i,  rounded once to float32

An item with a count is scored by itself, unless a bound tells that it cannot enter the list. All
others have a product only, and are scanned in panels of rows ``h_j z_j`` as in
`alsolike.kernels.ranking.panels`, whose bars the counted items have raised by then.

Notation
--------
b, n, f : queries of a block, items, factors
starts, near, counts : int64 (b + 1,), int32, float64
    Query q has ``counts`` for the items ``near[starts[q]:starts[q + 1]]``, each once.
known : uint8, (b, (n + 7) // 8)
    Bits of the items that the scan of panels leaves out: the counted ones, and the query itself.
h, D : float64, (n,) and (b,)
best, items, filled
    Heaps, as in `alsolike.kernels.ranking.topk`. Only scores above 0 enter.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, kernel, part
from alsolike.kernels.ranking.panels import (
    TALL,
    WIDE,
    add_products,
    begin_groups,
    begin_step,
    may_enter,
)
from alsolike.kernels.ranking.topk import exact_dot, push

Array = npt.NDArray[Any]

# A little above 1: bounds that are rounded must not lose an item.
UP = 1.0 + 2.0**-20


@part
def clipped_product(x: Array, y: Array, ceiling: float) -> float:
    """Return the product of a query and an item, from 0 to the ceiling."""
    return min(max(exact_dot(x, y), 0.0), ceiling)


@bare_kernel
def count_co_likes(
    queries: Array,
    item_starts: Array,
    item_users: Array,
    user_starts: Array,
    user_items: Array,
    weights: Array,
    totals: Array,
    starts: Array,
    near: Array,
    counts: Array,
) -> None:
    """Write the weighted counts of all items that the likers of each query like, itself left out.

    Parameters
    ----------
    queries : int32, (b,)
    item_starts, item_users, user_starts, user_items
        The likes by items and by users, each CSR.
    weights : float64, (n_users,), above 0
    totals : float64, (n,), zeros
        Zeros again at the end.
    starts, near, counts
        Filled; long enough for all likes of all likers of each query, at most n of them.
    """
    end = 0
    for q in range(len(queries)):
        starts[q] = end
        item = queries[q]
        first = end
        for place in range(item_starts[item], item_starts[item + 1]):
            user = item_users[place]
            weight = weights[user]
            for at in range(user_starts[user], user_starts[user + 1]):
                other = user_items[at]
                if totals[other] == 0.0:
                    near[end] = other
                    end += 1
                totals[other] += weight
        kept = first
        for place in range(first, end):
            other = near[place]
            if other != item:
                near[kept] = other
                counts[kept] = totals[other]
                kept += 1
            totals[other] = 0.0
        end = kept
    starts[len(queries)] = end


@bare_kernel
def rank_counted(
    queries: Array,
    starts: Array,
    near: Array,
    counts: Array,
    X: Array,
    lengths: Array,
    Z: Array,
    right_lengths: Array,
    ceiling: float,
    h: Array,
    D: Array,
    open_items: Array,
    seeds: Array,
    seed_items: Array,
    known: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> None:
    """Push the counted items of each query to its heap, and mark them as known.

    Parameters
    ----------
    queries : int32, (b,)
    X, Z : float32, (b, f) and (n, f)
        f may be 0.
    lengths, right_lengths : float32, (b,) and (n,)
        At least the lengths of their rows.
    open_items : bool, (n,)
        Items that may be listed.
    seeds, seed_items : float32 and int32, (k,)
        Memory.
    """
    k = best.shape[1]
    for q in range(len(queries)):
        own = queries[q]
        known[q, own >> 3] |= np.uint8(1 << (own & 7))
        # The best by counts alone come first: they raise the bar for all others.
        n_seeds, least = 0, np.float32(-np.inf)
        for place in range(starts[q], starts[q + 1]):
            item = near[place]
            known[q, item >> 3] |= np.uint8(1 << (item & 7))
            score = np.float32(counts[place] * h[item])
            # Compared before the call, which costs more than all else here.
            if score > least and open_items[item]:
                n_seeds = push(seeds, seed_items, n_seeds, score, np.int32(place - starts[q]))
                if n_seeds == k:
                    least = seeds[0]
        for seed in range(n_seeds):
            place = starts[q] + seed_items[seed]
            _enter_counted(q, place, near, counts, X, Z, ceiling, h, D, best, items, filled)
            counts[place] = -counts[place]
        length, bar = np.float64(lengths[q]) * UP, counted_bar(q, D, best, filled)
        for place in range(starts[q], starts[q + 1]):
            count = counts[place]
            if count < 0:
                counts[place] = -count
                continue
            item = near[place]
            most = count + min(length * np.float64(right_lengths[item]), ceiling)
            if most * h[item] < bar or not open_items[item]:
                continue
            _enter_counted(q, place, near, counts, X, Z, ceiling, h, D, best, items, filled)
            bar = counted_bar(q, D, best, filled)


@part
def counted_bar(query: int, D: Array, best: Array, filled: Array) -> Any:
    """Return a bound below which no ``(c + q . z_j) h_j`` enters the list of a query."""
    if filled[query] < best.shape[1]:
        return -np.inf
    return np.float64(best[query, 0]) * D[query] * (2.0 - UP)


@part
def _enter_counted(
    q: int, place: int, near: Array, counts: Array, X: Array, Z: Array, ceiling: float, h: Array,
    D: Array, best: Array, items: Array, filled: Array,
) -> None:  # fmt: skip
    item = near[place]
    total = counts[place] + clipped_product(X[q], Z[item], ceiling)
    score = np.float32(total * h[item] / D[q])
    if score > 0 and (filled[q] < best.shape[1] or score >= best[q, 0]):
        filled[q] = push(best[q], items[q], filled[q], score, item)


@kernel
def scan_products(
    panels: Array,
    order: Array,
    ends: Array,
    longest: Array,
    rests: Array,
    X: Array,
    lengths: Array,
    Z: Array,
    slack: float,
    ceiling: float,
    h: Array,
    D: Array,
    known: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> None:
    """Push the items without a count to the heaps of their queries.

    Parameters
    ----------
    panels : float32, (n_panels, f, 16)
        Rows ``h_j z_j``, the longest first.
    order : int32, (n_open,)
        The item of each place in the panels.
    ends, longest, rests, lengths, slack
        As in `alsolike.kernels.ranking.panels.scan_panels`.
    X, Z : float32, (b, f) and (n, f)
    """
    b, f = X.shape
    n_groups = (b + TALL - 1) // TALL
    queries = np.empty((n_groups, f, TALL), dtype=np.float32)
    groups, n_active = np.empty(n_groups, dtype=np.int64), n_groups
    begin_groups(X, queries, groups)
    # A product below this cannot enter the list; nothing enters that of no query, or
    # of one without a product.
    worst = np.empty(n_groups * TALL, dtype=np.float32)
    for query in range(n_groups * TALL):
        is_asked = query < b and lengths[0, query] > 0
        worst[query] = product_bar(query, D, best, filled) if is_asked else np.inf
    sums = np.empty(TALL * WIDE, dtype=np.float32)
    tops, gaps = np.empty(TALL, dtype=np.float32), np.empty(TALL, dtype=np.float32)
    for panel in range(panels.shape[0]):
        at = 0
        while at < n_active:
            first = groups[at] * TALL
            if not may_enter(worst, lengths, longest[panel], first, b, slack):
                n_active -= 1
                groups[at] = groups[n_active]
                continue
            at += 1
            # Written out as in `scan_panels`, which a part of both would slow down by a tenth.
            sums[:] = 0
            begin, hit = 0, False
            for step in range(len(ends)):
                begin_step(worst, lengths, longest[panel], first, step, b, slack, tops, gaps)
                hit = add_products(
                    panels, panel * f * WIDE, queries, first * f, begin, ends[step], sums, tops,
                    gaps, rests, (step + 1) * rests.shape[1] + panel * WIDE,
                )  # fmt: skip
                if not hit:
                    break
                begin = ends[step]
            if hit:
                _enter_tile(
                    first, panel, order, X, Z, sums, tops, ceiling, h, D, known, best, items,
                    filled, worst,
                )  # fmt: skip


@part
def product_bar(query: int, D: Array, best: Array, filled: Array) -> Any:
    """Return a bound below which no product ``h_j q . z_j`` enters the list of a query."""
    if filled[query] < best.shape[1]:
        return np.float32(0)
    return np.float32(np.float64(best[query, 0]) * D[query] * (2.0 - UP))


@part
def _enter_tile(
    first: int,
    panel: int,
    order: Array,
    X: Array,
    Z: Array,
    sums: Array,
    tops: Array,
    ceiling: float,
    h: Array,
    D: Array,
    known: Array,
    best: Array,
    items: Array,
    filled: Array,
    worst: Array,
) -> None:
    """Score the remaining items of a tile, and push them to the heaps."""
    for a in range(min(TALL, X.shape[0] - first)):
        query = first + a
        for lane in range(min(WIDE, len(order) - panel * WIDE)):
            if sums[a * WIDE + lane] <= tops[a]:
                continue
            item = order[panel * WIDE + lane]
            if known[query, item >> 3] >> np.uint8(item & 7) & 1:
                continue
            score = np.float32(clipped_product(X[query], Z[item], ceiling) * h[item] / D[query])
            if score > 0:
                filled[query] = push(best[query], items[query], filled[query], score, item)
                if filled[query] == best.shape[1]:
                    worst[query] = product_bar(query, D, best, filled)


@bare_kernel
def score_affinities(
    starts: Array, near: Array, counts: Array, X: Array, Z: Array, ceiling: float, h: Array,
    D: Array, totals: Array, out: Array,
) -> None:  # fmt: skip
    """Fill `out`, float32 (b, n), with the scores of all items; -inf where they are not above 0.

    `totals` are zeros, float64 (n,), and zeros again at the end.
    """
    for q in range(out.shape[0]):
        for place in range(starts[q], starts[q + 1]):
            totals[near[place]] = counts[place]
        for item in range(out.shape[1]):
            total = totals[item]
            if X.shape[1] > 0:
                total += clipped_product(X[q], Z[item], ceiling)
            score = np.float32(total * h[item] / D[q])
            out[q, item] = score if score > 0 else -np.inf
        for place in range(starts[q], starts[q + 1]):
            totals[near[place]] = 0.0
