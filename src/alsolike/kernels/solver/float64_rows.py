"""Solves the few rows that need float64 throughout; notation as in `rows`.

Some cell weighs less than an unobserved one, or the weights are extreme.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, fast_part
from alsolike.kernels.compiler.vectors import copy_scaled, stay_apart
from alsolike.kernels.solver.rows import (
    PANEL,
    finish,
    row_length,
    set_scale,
    set_up,
    solve_in_tiles,
    weigh,
)

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def solve_hard(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    prior_scores: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    out: Floats,
) -> int:
    """Solve rows in float64; compiled only if there are any.

    Parameters
    ----------
    rows : int64, (n_chosen,)
        From `alsolike.kernels.solver.single.solve_single`, whose other parameters these are.

    Returns
    -------
    int
        -1, or the first row whose system is not positive definite.
    """
    f, longest = Z.shape[1], 0
    for number in range(rows.shape[0]):
        longest = max(longest, indptr[rows[number] + 1] - indptr[rows[number]])
    length, widest = row_length(f), (min(longest, f) + 7) // 8 * 8
    panel, system = np.empty(max(PANEL * f, widest * length)), np.empty(f * (f + 8))
    scale, right, t = np.empty(f), np.empty(f), np.empty(length)
    z, inverse, lines = np.empty(f), np.empty(f), np.arange(widest)
    places, roots = np.empty(PANEL, dtype=np.int64), np.empty(PANEL)
    for number in range(rows.shape[0]):
        row = rows[number]
        start, end = indptr[row], indptr[row + 1]
        S = indices[start:end]
        w, r = np.empty(end - start, dtype=np.float32), np.empty(end - start, dtype=np.float32)
        least = weigh(amounts[start:end], weighing, prior_scores[start:end], w, r)
        set_scale(dense, regularization[row], scale)
        if least < 0:
            size = f + 1
            solved = _solve_signed(S, w, r, Z, scale, system, right, inverse, z)
        else:
            size = S.shape[0]
            wide = (min(size, f) + 7) // 8 * 8
            set_up(
                S, w, r, Z, scale, wide, S[:0], places, roots, panel, system, wide + 8, right[:wide]
            )
            solved = solve_in_tiles(system, wide, wide + 8, right, inverse)
        if not (solved and finish(size, right, panel, scale, lines, t, out[row])):
            return int(row)
    return -1


@fast_part
def _solve_signed(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    system: Floats,
    right: Floats,
    inverse: Floats,
    z: Floats,
) -> bool:
    """Solve (I + B'B) t = B'b for rows with a cell that weighs less than an unobserved one.

    A negative weight has no root, and float32 would lose what the two parts share.
    """
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    stride = f + 8
    system[: f * stride] = 0
    right[:] = 0
    for i in range(n):
        copy_scaled(Z, np.int64(S[i]) * f, 1.0, scale, f, z, 0)
        for k in range(f):
            weighted = np.float64(w[i]) * z[k]
            target = k * stride
            right[k] += np.float64(r[i]) * z[k]
            for j in range(k, f):
                system[target + j] += weighted * z[j]
    return bool(solve_in_tiles(system, f, stride, right, inverse))
