"""Solves single rows, hard ones with iterative refinement; notation as in `rows`.

The system is set up and factorized in float32. If float32 is not enough, the residual is computed
in float64 on the interactions and solved for with the same factorization. That takes n f
operations, and about squares the error (iterative refinement: J. H. Wilkinson, "Rounding Errors in
Algebraic Processes", 1963, chapter 3).
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, fast_part
from alsolike.kernels.compiler.vectors import LANES, dot_rows, stay_apart
from alsolike.kernels.solver.rows import (
    LEAST_WEIGHT,
    PANEL,
    add_interactions,
    finish,
    row_length,
    set_scale,
    set_up,
    solve_again,
    solve_in_tiles,
    weigh,
)

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def solve_single(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    easy: float,
    most: float,
    out: Floats,
    left: Ints,
) -> int:
    """Solve rows of any size, except those that need float64 throughout.

    Parameters
    ----------
    rows : int64, (n_chosen,)
        In any order. The other parameters are those of `alsolike.kernels.solver.batch.solve_small`.
    easy, most : float
        Rows whose trace of BB' is above `easy` are refined, those where it is above `most` are left
        to `solve_hard`, as are those with a weight below zero.

    Returns
    -------
    int
        How many rows `left` received.
    """
    f, n_left, longest = Z.shape[1], 0, 0
    for number in range(rows.shape[0]):
        longest = max(longest, indptr[rows[number] + 1] - indptr[rows[number]])
    widest, length = (min(longest, f) + 7) // 8 * 8, row_length(f)
    panel = np.empty(max(PANEL * f, widest * length), dtype=np.float32)
    system = np.empty(widest * (widest + 8), dtype=np.float32)
    scale, right = np.empty(f, dtype=np.float32), np.empty(f, dtype=np.float32)
    inverse, t = np.empty(f, dtype=np.float32), np.empty(length, dtype=np.float32)
    fine_scale, fine, fine_t = np.empty(f), np.empty(f), np.empty(f)
    places, roots = np.empty(PANEL, dtype=np.int64), np.empty(PANEL, dtype=np.float32)
    lines = np.arange(widest)
    w, r = np.empty(longest, dtype=np.float32), np.empty(longest, dtype=np.float32)
    S, terms = np.empty(longest + LANES, dtype=np.int64), np.empty(longest + LANES)
    for number in range(rows.shape[0]):
        row, ahead = rows[number], rows[min(number + 1, rows.shape[0] - 1)]
        if not _solve_one(
            row, ahead, indptr, indices, amounts, weighing, prior_scores, Z, dense, regularization,
            easy, most, w, r, S, terms, scale, places, roots, lines, panel, system, right, inverse,
            t, fine_scale, fine, fine_t, out,
        ):  # fmt: skip
            left[n_left] = row
            n_left += 1
    return n_left


@fast_part
def _solve_one(
    row: int,
    ahead: int,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    easy: float,
    most: float,
    w: Floats,
    r: Floats,
    S: Ints,
    terms: Floats,
    scale: Floats,
    places: Ints,
    roots: Floats,
    lines: Ints,
    panel: Floats,
    system: Floats,
    right: Floats,
    inverse: Floats,
    t: Floats,
    fine_scale: Floats,
    fine: Floats,
    fine_t: Floats,
    out: Floats,
) -> bool:
    """Solve one row; return whether it succeeded. The row `ahead` is prefetched."""
    stay_apart()
    f = Z.shape[1]
    start, end = indptr[row], indptr[row + 1]
    n = end - start
    size = min(n, f)
    wide = (size + 7) // 8 * 8
    stride, gain = wide + 8, np.float32(0)
    solved = weigh(amounts[start:end], weighing, prior_scores[start:end], w, r) >= 0
    if solved:
        set_scale(dense, regularization[row], scale)
        gain = set_up(
            indices[start:end], w, r, Z, scale, wide, indices[indptr[ahead] : indptr[ahead + 1]],
            places, roots, panel, system, stride, right[:wide],
        )  # fmt: skip
        solved = gain <= most and solve_in_tiles(system, wide, stride, right, inverse)
    if solved and gain <= easy:
        solved = finish(n, right, panel, scale, lines, t, out[row])
    elif solved:
        for i in range(n):
            S[i] = indices[start + i]
        set_scale(dense, regularization[row], fine_scale)
        for k in range(f):
            fine[k] = right[k]
        _measure(S, n, w, r, Z, fine_scale, fine, fine_t, terms, right)
        solve_again(system, wide, stride, right, inverse)
        for k in range(size):
            fine[k] += right[k]
        solved = _finish_refined(S, n, w, Z, fine_scale, fine, fine_t, terms, out[row])
    return bool(solved)


@fast_part
def _measure(
    S: Ints,
    n: int,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    v: Floats,
    t: Floats,
    terms: Floats,
    missed: Floats,
) -> None:
    """Set `missed` to the residual of `v`.

    That is ``b - v - B B'v`` where n <= f, and ``B'b - v - B'B v`` where n > f. `t`, (f,), and
    `terms`, (n + 8,), are scratch.
    """
    stay_apart()
    f = Z.shape[1]
    missed[:] = 0
    if n <= f:
        _gather(S, n, w, Z, scale, v, t, terms)
        for k in range(f):
            t[k] *= scale[k]
        _scores(S, n, Z, t, terms)
        for i in range(n):
            root = math.sqrt(max(float(w[i]), float(LEAST_WEIGHT)))
            missed[i] = r[i] / root - v[i] - root * terms[i]
        return
    for k in range(f):
        t[k] = scale[k] * v[k]
    _scores(S, n, Z, t, terms)
    for i in range(n):
        terms[i] = r[i] - w[i] * terms[i]
    t[:] = 0
    add_interactions(Z, S, terms, n, t)
    for k in range(f):
        missed[k] = scale[k] * t[k] - v[k]


@fast_part
def _finish_refined(
    S: Ints,
    n: int,
    w: Floats,
    Z: Floats,
    scale: Floats,
    v: Floats,
    t: Floats,
    terms: Floats,
    x: Floats,
) -> bool:
    """Write the row's factors; return whether they are finite."""
    stay_apart()
    if n <= Z.shape[1]:
        _gather(S, n, w, Z, scale, v, t, terms)
    else:
        for k in range(v.shape[0]):
            t[k] = v[k]
    size = 0.0
    for k in range(x.shape[0]):
        x[k] = scale[k] * t[k]
        size += abs(x[k])
    return bool(np.isfinite(size))


@fast_part
def _gather(
    S: Ints, n: int, w: Floats, Z: Floats, scale: Floats, v: Floats, t: Floats, terms: Floats
) -> None:
    """Set `t` to B'v."""
    for i in range(n):
        terms[i] = math.sqrt(max(float(w[i]), float(LEAST_WEIGHT))) * v[i]
    t[:] = 0
    add_interactions(Z, S, terms, n, t)
    for k in range(t.shape[0]):
        t[k] *= scale[k]


@fast_part
def _scores(S: Ints, n: int, Z: Floats, t: Floats, terms: Floats) -> None:
    """Set the first `n` of `terms` to ``Z[S] @ t``."""
    for i in range(n, (n + 7) // 8 * 8):
        S[i] = S[n - 1]
    for i in range(0, n, LANES):
        dot_rows(Z, S, i, t, Z.shape[1], terms, i)
