"""Rows that float32 alone would not solve well enough; the notation is that of `kernels.solve`.

The system is set up and factorized in float32. What the solution misses is measured in float64, on
the interactions themselves, and solved for with the same factorization. That takes n f operations,
and leaves of an error about its own square (iterative refinement: J. H. Wilkinson, "Rounding Errors
in Algebraic Processes", 1963, chapter 3).
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.launch import fast_kernel, fast_part
from alsolike.kernels.rows import (
    LEAST_WEIGHT,
    PANEL,
    add_interactions,
    range_of,
    set_scale,
    set_up,
    solve_again,
    solve_in_tiles,
    weigh,
)
from alsolike.kernels.vectors import LANES, dot_rows, stay_apart

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

_TIMES = 2


@fast_kernel
def solve_refined(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    Z: Floats,
    leverage: Floats,
    dense: Floats,
    regularization: Floats,
    most: float,
    out: Floats,
    hard: Ints,
) -> int:
    """Solve the given rows, but for those that need float64 throughout.

    Parameters
    ----------
    rows : int64, (n_rows,)
        From `solve_exact`, whose other parameters these are.
    most : float
        Rows whose trace of BB' may be above this are left to `solve_hard`.

    Returns
    -------
    int
        How many rows `hard` received.
    """
    f, left, longest = Z.shape[1], 0, 0
    for row in rows:
        longest = max(longest, indptr[row + 1] - indptr[row])
    room = max(f, PANEL)
    panel, system = np.empty(room * PANEL, dtype=np.float32), np.empty(f * (f + 8), np.float32)
    scale, right, inverse = np.empty((3, f), dtype=np.float32)
    fine_scale, v, t = np.empty((3, f))
    places, roots = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
    w, r = np.empty(longest, dtype=np.float32), np.empty(longest, dtype=np.float32)
    S, terms = np.empty(longest + LANES, dtype=np.int64), np.empty(longest + LANES)
    for row in rows:
        start, end = indptr[row], indptr[row + 1]
        n = end - start
        weigh(amounts[start:end], weighing, w, r)
        least, gain = range_of(indices[start:end], w, leverage)
        solved = least >= 0 and gain <= most
        if solved:
            S[:n] = indices[start:end]
            set_scale(dense, regularization[row], fine_scale)
            scale[:] = fine_scale
            wide = (min(n, f) + 7) // 8 * 8
            stride = wide + 8
            set_up(S[:n], w, r, Z, scale, wide, places, roots, panel, system, stride, right[:wide])
            solved = solve_in_tiles(system, wide, stride, right, inverse)
            v[:] = right
            _measure(S, n, w, r, Z, fine_scale, v, t, terms, right)
            solve_again(system, wide, stride, right, inverse)
            for k in range(min(n, f)):
                v[k] += right[k]
            solved = solved and _finish(S, n, w, Z, fine_scale, v, t, terms, out[row])
        if not solved:
            hard[left] = row
            left += 1
    return left


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
    """Set `missed` to the right side less the system times `v`.

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
def _finish(
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
    """Write the row's factors; say whether they are finite."""
    stay_apart()
    if n <= Z.shape[1]:
        _gather(S, n, w, Z, scale, v, t, terms)
    else:
        t[:] = v
    for k in range(x.shape[0]):
        x[k] = scale[k] * t[k]
    return bool(np.isfinite(x).all())


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
