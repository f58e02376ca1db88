"""Ranks similar items at several marks of the dial in one pass over the products.

The scores are those of `alsolike.kernels.ranking.affinities`; only the weights h differ by mark.

Notation
--------
S : float32, (b, n)
    Products ``q_i . z_j``, rounded anyhow.
H, narrow : float64 (n, n_marks) and float32 (n_marks, n)
    h of each mark.
starts, near, counts, X, Z, D, best, items, filled
    As there; the heaps have a first axis of marks.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part
from alsolike.kernels.ranking.affinities import UP, clipped_product, product_bar
from alsolike.kernels.ranking.topk import push

Array = npt.NDArray[Any]

# Products compared at a time, of all marks.
CHUNK = 128


@bare_kernel
def rank_marks(
    queries: Array,
    S: Array,
    margins: Array,
    starts: Array,
    near: Array,
    counts: Array,
    X: Array,
    Z: Array,
    ceiling: float,
    H: Array,
    narrow: Array,
    D: Array,
    open_items: Array,
    bars: Array,
    bars32: Array,
    exact: Array,
    best: Array,
    items: Array,
    filled: Array,
) -> None:
    """Fill the heaps of each query for several marks of the dial at once.

    Parameters
    ----------
    queries : int32, (b,)
    S : float32, (b, n)
        The products, rounded anyhow; overwritten.
    margins : float32, (b,)
        A product differs from its exact value by less.
    H, narrow : float64 (n, n_marks) and float32 (n_marks, n)
        h of each mark.
    bars, bars32, exact : float64 (n_marks,), float32 (b, n_marks) and float64 (128,)
        Memory.
    best, items, filled : (n_marks, b, k) twice, and (n_marks, b)
    """
    n_marks, n, k = H.shape[1], S.shape[1], best.shape[2]
    for q in range(len(queries)):
        line = S[q]
        for item in range(n):
            line[item] += margins[q]
        line[queries[q]] = -np.inf
        for mark in range(n_marks):
            bars[mark] = 0.0
        for place in range(starts[q], starts[q + 1]):
            item = near[place]
            most = (counts[place] + min(max(np.float64(line[item]), 0.0), ceiling)) * UP
            line[item] = -np.inf
            if not open_items[item]:
                continue
            total = -1.0
            for mark in range(n_marks):
                if most * H[item, mark] < bars[mark]:
                    continue
                if total < 0:
                    total = counts[place] + clipped_product(X[q], Z[item], ceiling)
                score = np.float32(total * H[item, mark] / D[q])
                if score > 0:
                    filled[mark, q] = push(
                        best[mark, q], items[mark, q], filled[mark, q], score, item
                    )
                    if filled[mark, q] == k:
                        bars[mark] = np.float64(best[mark, q, 0]) * D[q]
        for mark in range(n_marks):
            bars32[q, mark] = product_bar(q, D, best[mark], filled[mark])
    if X.shape[1] == 0:
        return
    # Chunk by chunk for all queries: the weights of a chunk stay in the first-level cache.
    for start in range(0, n, CHUNK):
        stop = min(start + CHUNK, n)
        for q in range(len(queries)):
            _scan_chunk(
                q, start, stop, S[q, start:stop], X, Z, ceiling, H, narrow, D, open_items, bars32,
                exact, best, items, filled,
            )  # fmt: skip


@part
def _scan_chunk(
    q: int, start: int, stop: int, line: Array, X: Array, Z: Array, ceiling: float, H: Array,
    narrow: Array, D: Array, open_items: Array, bars32: Array, exact: Array, best: Array,
    items: Array, filled: Array,
) -> None:  # fmt: skip
    """Push the items of a chunk without a count to the heaps of all marks of one query."""
    is_fresh = True
    for mark in range(H.shape[1]):
        weights, bar = narrow[mark, start:stop], bars32[q, mark]
        hits = np.int32(0)
        for at in range(len(line)):
            hits |= np.int32(line[at] * weights[at] > bar)
        if not hits:
            continue
        if is_fresh:
            exact[:] = -1.0
            is_fresh = False
        for at in range(len(line)):
            item = start + at
            if not (line[at] * weights[at] > bar) or not open_items[item]:
                continue
            if exact[at] < 0:
                exact[at] = clipped_product(X[q], Z[item], ceiling)
            score = np.float32(exact[at] * H[item, mark] / D[q])
            if score > 0:
                filled[mark, q] = push(
                    best[mark, q], items[mark, q], filled[mark, q], score, np.int32(item)
                )
                bar = product_bar(q, D, best[mark], filled[mark])
        bars32[q, mark] = bar
