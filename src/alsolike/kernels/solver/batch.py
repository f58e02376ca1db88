"""Solves eight rows with small systems at once; notation as in `alsolike.kernels.solver.rows`.

Each system is set up in tiles. Then the eight are dealt into the lanes of vectors and solved
together (lanes.py).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, fast_part
from alsolike.kernels.compiler.vectors import LANES, fetch, stay_apart
from alsolike.kernels.solver.lanes import deal, solve_lanes
from alsolike.kernels.solver.rows import (
    PANEL,
    fetch_rows,
    finish,
    row_length,
    set_scale,
    set_up,
    trace_of,
    weigh,
)
from alsolike.kernels.solver.tiles import multiply_gathered

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]
Flags = npt.NDArray[np.bool_]

# The largest system solved here: eight of them, and their lanes, stay in the second-level cache.
SMALL = 64
# Up to so many factors, all systems are f x f: smaller n x n ones would save nothing.
FEW = 24


@fast_kernel
def solve_small(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    most: float,
    out: Floats,
    left: Ints,
) -> int:
    """Solve rows with systems up to `SMALL`, except those that need more than float32.

    Parameters
    ----------
    rows : int64, (n_chosen,)
        Ascending by number of interactions, each with at least one.
    indptr : int32 or int64, (n_rows + 1,)
    indices : of the same width, (interactions,)
        CSR of the whole side.
    amounts : float32 or float64, (interactions,)
    weighing : float64, (3,)
        Slope, base and pull of `alsolike.models.als.confidence.Weighing`.
    prior_scores : float32, (interactions,) or (0,)
        See `alsolike.kernels.solver.rows.weigh`.
    Z : float32, (m, f), C order, f a multiple of 8
    dense : float64, (factors,), factors at most f
        Eigenvalues of Z'Z times the weight of an unobserved cell.
    regularization : float64, (n_rows,)
        lambda of each row.
    most : float
        Rows whose trace of BB' is above this are left over, as are those with a weight below zero.
    out : float32, (n_rows, factors), C order
        Receives the solutions.
    left : int64, (at least n_chosen,)
        Receives the rows that are left over.

    Returns
    -------
    int
        How many rows those are.
    """
    f, count, n_left = Z.shape[1], rows.shape[0], 0
    longest = indptr[rows[count - 1] + 1] - indptr[rows[count - 1]]
    widest = max((min(longest, f) + 7) // 8 * 8, FEW)
    w, r = np.empty(longest, dtype=np.float32), np.empty(longest, dtype=np.float32)
    # No lambda is NaN: each lane sets its scale when it first solves a row, lambda 0 included.
    scales, known = np.empty((LANES, f), dtype=np.float32), np.empty(LANES)
    places, lines = np.empty(PANEL, dtype=np.int64), np.arange(widest)
    roots, right = np.empty(PANEL, dtype=np.float32), np.empty(SMALL, dtype=np.float32)
    room = max(PANEL * SMALL, widest * row_length(f)) if f > FEW else 0
    panels, t = np.empty((LANES, room), np.float32), np.empty(row_length(f), dtype=np.float32)
    systems = np.empty(LANES * _area(widest), dtype=np.float32)
    A = np.empty(((widest + 2) * widest + LANES) * LANES, dtype=np.float32)
    v = np.empty(widest * LANES, dtype=np.float32)
    systems[:], A[:], v[:], known[:] = 0, 0, 0, np.nan
    solved = np.empty(LANES, dtype=np.bool_)
    for begin in range(0, count, LANES):
        n_left = _solve_eight(
            begin, rows, indptr, indices, amounts, weighing, prior_scores, Z, dense, regularization,
            most, w, r, scales, known, places, lines, roots, right, panels, t, systems, A, v,
            solved, out, left, n_left,
        )  # fmt: skip
    return n_left


@fast_part
def _solve_eight(
    begin: int,
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    most: float,
    w: Floats,
    r: Floats,
    scales: Floats,
    known: Floats,
    places: Ints,
    lines: Ints,
    roots: Floats,
    right: Floats,
    panels: Floats,
    t: Floats,
    systems: Floats,
    A: Floats,
    v: Floats,
    solved: Flags,
    out: Floats,
    left: Ints,
    n_left: int,
) -> int:
    """Solve the eight rows from `begin` on; return the new length of `left`."""
    stay_apart()
    f, count = Z.shape[1], rows.shape[0]
    lanes = min(LANES, count - begin)
    most_n = indptr[rows[begin + lanes - 1] + 1] - indptr[rows[begin + lanes - 1]]
    size = ((min(most_n, f) if f > FEW else dense.shape[0]) + 3) // 4 * 4
    wide = (size + 7) // 8 * 8
    for lane in range(lanes):
        row = rows[begin + lane]
        start, end = indptr[row], indptr[row + 1]
        far = indptr[rows[min(begin + lane + 6, count - 1)]]
        fetch(indices, far)
        fetch(indices, far + 15)
        fetch(amounts, far)
        fetch(amounts, far + 15)
        ahead = rows[min(begin + lane + 1 + (f <= FEW), count - 1)]
        following = indices[indptr[ahead] : indptr[ahead + 1]]
        solved[lane] = weigh(amounts[start:end], weighing, prior_scores[start:end], w, r) >= 0
        if not solved[lane]:
            continue
        if known[lane] != regularization[row]:
            known[lane] = regularization[row]
            set_scale(dense, known[lane], scales[lane])
        S, scale, system = indices[start:end], scales[lane], systems[lane * _area(wide) :]
        if f <= FEW:
            fetch_rows(Z, following)
            multiply_gathered(Z, S, w, r, end - start, f, scale, system, wide, right)
            gain = trace_of(system, f, wide)
        else:
            gain = set_up(
                S, w, r, Z, scale, wide, following, places, roots, panels[lane], system, wide,
                right[:wide],
            )  # fmt: skip
        solved[lane] = gain <= most
        for i in range(size):
            v[i * LANES + lane] = right[i]
    _deal_all(systems, wide, size, v, A)
    solve_lanes(A, size, v)
    for lane in range(lanes):
        row = rows[begin + lane]
        # A system of the factors is that of a row with more interactions than factors.
        n = indptr[row + 1] - indptr[row] if f > FEW else f + 1
        for i in range(size):
            right[i] = v[i * LANES + lane]
        right[size:] = 0
        if solved[lane]:
            scale = scales[lane]
            solved[lane] = finish(n, right, panels[lane], scale, lines, t, out[row])
        if not solved[lane]:
            left[n_left] = row
            n_left += 1

    return n_left


@fast_part
def _area(wide: int) -> int:
    """Return the size of one system in memory."""
    # Not a power of two, or all eight would want the same lines of the first-level cache.
    return wide * wide + 16


@fast_part
def _deal_all(systems: Floats, wide: int, size: int, right: Floats, A: Floats) -> None:
    """Deal the upper triangles and right sides of eight systems into the lanes of `A`."""
    stay_apart()
    width = size + 2
    # Row by row: the next row overwrites what the last tile writes beyond the end of a row.
    for i in range(size):
        for j in range(i // 8 * 8, wide, LANES):
            deal(systems, _area(wide), i * wide + j, A, (i * width + j) * LANES)
        for lane in range(LANES):
            A[(i * width + size) * LANES + lane] = right[i * LANES + lane]
            A[(i * width + size + 1) * LANES + lane] = 0
