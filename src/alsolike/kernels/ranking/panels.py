"""Finds the exact top k of dot products without computing most of them.

Items are stored in panels of sixteen, the longest rows of factors first. A tile of six queries and
one panel is multiplied in registers, coordinate by coordinate, and left once no item in it can
reach any of the six lists. Two bounds tell, both by Cauchy and Schwarz:

- ``|x| |y|`` is below the worst score of the list: then so are all later panels.

- The sum of the first coordinates plus ``|x'| |y'|`` of the rest is below it. In the basis of the
items' Gramian the first coordinates are the largest, so that this comes early (Teflioudi, Gemulla,
Mykytiuk 2015, "LEMP: Fast Retrieval of Large Entries in a Matrix Product", section 4, with a basis
that factorization gives for free).

The remaining items are scored by `alsolike.kernels.ranking.topk.dot`, one defined sum: the result
depends on the factors only.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import types
from numba.core.cgutils import for_range
from numba.extending import intrinsic

from alsolike.kernels.compiler.jit import bare_kernel, kernel, part
from alsolike.kernels.compiler.vectors import Code, widths
from alsolike.kernels.ranking.metrics import contains
from alsolike.kernels.ranking.topk import dot, push

Array = npt.NDArray[Any]

# Queries and items of a tile: twelve sums in registers.
TALL, WIDE = 6, 16

# Products can lose this much to underflow; it also keeps a bar below a worst score of 0.
LEAST = np.float32(1e-38)

_INT = ir.IntType(64)


@intrinsic
def add_products(typingctx: Any, panel: Any, p: Any, queries: Any, x: Any, begin: Any, end: Any,
                 sums: Any, tops: Any, gaps: Any, rests: Any, r: Any) -> Any:  # fmt: skip
    """Add the products of the coordinates from `begin` to `end` to the sums of a tile.

    The panel starts at `p`, its six queries at `x`. Returns whether any sum is not below or equal
    to ``tops[query] - gaps[query] * rests[r + item]``; NaN never is.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        code = Code(context, builder, kinds[0], widths(context, kinds[0])[0])
        panel = code.at(code.start(kinds[0], args[0]), args[1])
        x = code.at(code.start(kinds[2], args[2]), args[3])
        totals, tops, gaps = (code.start(kinds[n], args[n]) for n in (6, 7, 8))
        rests = code.at(code.start(kinds[9], args[9]), args[10])
        parts = range(0, WIDE, code.lanes)
        tile = [(a, b) for a in range(TALL) for b in parts]
        homes = {(a, b): code.at(totals, _INT(a * WIDE + b)) for a, b in tile}
        begun = code.accumulators([code.load(home) for home in homes.values()])
        kept = dict(zip(tile, begun, strict=True))
        with for_range(builder, args[5], start=args[4], intp=_INT) as loop:
            items = code.at(panel, builder.shl(loop.index, _INT(4)))
            right = {b: code.load(code.at(items, _INT(b))) for b in parts}
            six = code.at(x, builder.mul(loop.index, _INT(TALL)))
            for a in range(TALL):
                left = code.spread(builder.load(code.at(six, _INT(a))))
                for b, vector in right.items():
                    total = code.add(builder.load(kept[a, b]), code.mul(left, vector))
                    builder.store(total, kept[a, b])
        left_over = {b: code.load(code.at(rests, _INT(b))) for b in parts}
        found = ir.Constant(ir.VectorType(ir.IntType(1), code.lanes), [0] * code.lanes)
        for (a, b), place in kept.items():
            total = builder.load(place)
            code.store(total, homes[a, b])
            top, gap = (code.spread(builder.load(code.at(one, _INT(a)))) for one in (tops, gaps))
            bar = code.sub(top, code.mul(gap, left_over[b]))
            found = builder.or_(found, builder.fcmp_unordered(">", total, bar))
        flags = builder.bitcast(found, ir.IntType(code.lanes))
        return builder.icmp_unsigned("!=", flags, ir.IntType(code.lanes)(0))

    whole = types.int64
    given = panel, whole, queries, whole, whole, whole, sums, tops, gaps, rests, whole
    return types.boolean(*given), emit


@bare_kernel
def lay_out(Y: Array, order: Array, panels: Array) -> None:
    """Write the rows `order` of Y into panels.

    Parameters
    ----------
    Y : float32, (m, f)
    order : int32, (n,)
    panels : float32, (n_panels, f, 16), zeros
    """
    for number in range(len(order)):
        row = Y[order[number]]
        panel = panels[number // WIDE]
        lane = number % WIDE
        for k in range(len(row)):
            panel[k, lane] = row[k]


@kernel
def scan_panels(
    panels: Array,
    order: Array,
    ends: Array,
    longest: Array,
    rests: Array,
    X: Array,
    lengths: Array,
    Y: Array,
    slack: float,
    ceiling: float,
    taken: Array,
    starts: Array,
    stops: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> Any:
    """Fill the heaps of queries with the best items.

    Parameters
    ----------
    panels : float32, (n_panels, f, 16)
        From `lay_out`, the longest rows first.
    order : int32, (n,)
        The item of each place in the panels.
    ends : int64, (n_steps,)
        Coordinates after which products are compared with bounds; the last is f.
    longest : float32, (n_panels,)
        At least the length of any row in a panel.
    rests : float32, (n_steps + 1, 16 n_panels)
        At least the length of each row in the panels: of the whole row, then of what is left of it
        after each step.
    X : float32, (b, f), C order
        The queries.
    lengths : float32, (n_steps + 1, at least b)
        The same of the queries.
    Y : float32, (m, f)
        The items, as they were given.
    slack : float
        A product of two rows of length 1 differs from `dot` by less.
    ceiling : float
        Scores are clipped to ``[-ceiling, ceiling]``.
    taken : int32, (n_taken,)
        Query q must not get ``taken[starts[q]:stops[q]]``, which ascends.
    best, items, filled
        The heaps, as in `alsolike.kernels.ranking.topk`; one with anything in it is left as it is.

    Returns
    -------
    int
        -1, or ``query * m + item`` of a score that is NaN or +inf.
    """
    b, f = X.shape
    n_groups = (b + TALL - 1) // TALL
    queries = np.empty((n_groups, f, TALL), dtype=np.float32)
    groups, n_active = np.empty(n_groups, dtype=np.int64), n_groups
    begin_groups(X, queries, groups)
    # The worst score of each list, below which nothing enters it; nothing enters no query's.
    worst = np.empty(n_groups * TALL, dtype=np.float32)
    for query in range(n_groups * TALL):
        worst[query] = -np.inf if query < b and filled[query] == 0 else np.inf
    sums = np.empty(TALL * WIDE, dtype=np.float32)
    tops, gaps = np.empty(TALL, dtype=np.float32), np.empty(TALL, dtype=np.float32)
    for panel in range(panels.shape[0]):
        at = 0
        while at < n_active:
            first = groups[at] * TALL
            if not may_enter(worst, lengths, longest[panel], first, b, slack):
                # Later panels are shorter, and the lists only get better.
                n_active -= 1
                groups[at] = groups[n_active]
                continue
            at += 1
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
            if not hit:
                continue
            bad = _enter(
                first, panel, order, X, Y, sums, tops, ceiling, taken, starts, stops, best, items,
                filled, worst,
            )  # fmt: skip
            if bad >= 0:
                return bad
    return -1


@part
def begin_groups(X: Array, queries: Array, groups: Array) -> None:
    """Copy the queries, six by six, with zeros up to a whole number of tiles; number the groups.

    The numbers that a tile reads together lie together, whatever f is: rows a power of two apart
    would share few places of the caches.
    """
    for group in range(len(groups)):
        groups[group] = group
        for a in range(TALL):
            query = group * TALL + a
            for k in range(X.shape[1]):
                queries[group, k, a] = X[query, k] if query < len(X) else np.float32(0)


@part
def may_enter(
    worst: Array, lengths: Array, longest: float, first: int, b: int, slack: float
) -> bool:
    """Return whether an item as long as the longest of a panel may enter one of six lists."""
    for query in range(first, min(first + TALL, b)):
        # Not "below": NaN is never skipped.
        if not (np.float32(1 + slack) * lengths[0, query] * longest < worst[query]):
            return True
    return False


@part
def begin_step(
    worst: Array, lengths: Array, longest: float, first: int, step: int, b: int, slack: float,
    tops: Array, gaps: Array,
) -> None:  # fmt: skip
    """Set what sums are compared with after a step: ``tops - gaps * rests``."""
    for a in range(TALL):
        query = min(first + a, b - 1)
        tops[a] = worst[first + a] - np.float32(slack * lengths[0, query] * longest) - LEAST
        gaps[a] = lengths[step + 1, query]


@part
def _enter(
    first: int,
    panel: int,
    order: Array,
    X: Array,
    Y: Array,
    sums: Array,
    tops: Array,
    ceiling: float,
    taken: Array,
    starts: Array,
    stops: Array,
    best: Array,
    items: Array,
    filled: Array,
    worst: Array,
) -> int:
    """Score the remaining items of a tile, and push them to the heaps."""
    for a in range(min(TALL, X.shape[0] - first)):
        query = first + a
        for lane in range(min(WIDE, len(order) - panel * WIDE)):
            if sums[a * WIDE + lane] <= tops[a]:
                continue
            item = order[panel * WIDE + lane]
            if contains(taken[starts[query] : stops[query]], item):
                continue
            score = dot(X[query], Y[item])
            if not (score < np.inf):
                return int(query * Y.shape[0] + item)
            score = np.float32(max(-ceiling, min(ceiling, score)))
            filled[query] = push(best[query], items[query], filled[query], score, item)
            if filled[query] == best.shape[1]:
                worst[query] = best[query, 0]
    return -1
