"""The exact solutions of one half-sweep, a chunk of rows at a time.

Notation
--------
n
    Interactions of the row; S their columns; w and r their weights and pulls (confidence.py).
Z
    The other side's factors in the basis of their Gramian, (m, f), so that Z'Z is diagonal; f is
    a multiple of 8, columns of zeros fill it up.
d
    ``unobserved_weight * eigenvalues + lambda`` of the row; s = d ** -1/2, 0 where Z has nothing.
B
    Row i is ``w_i ** 1/2 * Z[S_i] * s``; b_i = r_i / w_i ** 1/2.
U
    The Cholesky factor: U'U is the system.

Rows with small systems are solved eight at a time (batch.py), others by themselves (rows.py). Every
row's bytes depend on that row and on Z alone: not on the chunk it stands in, its neighbours, or the
threads.

The systems are eq. 4 of Hu, Koren, Volinsky 2008; the n x n form is that of Pilaszy and Tikk 2009.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.batch import SMALL, solve_small
from alsolike.kernels.launch import fast_kernel, fast_part
from alsolike.kernels.rows import (
    PANEL,
    fetch_rows,
    finish,
    range_of,
    set_scale,
    set_up,
    size_of,
    solve_in_tiles,
    weigh,
)
from alsolike.kernels.vectors import copy_scaled, stay_apart

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def solve_exact(
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
    """Solve `rows` into `out`, but for those that need more than float32.

    Parameters
    ----------
    rows : int64, (n_chosen,)
        Ascending by number of interactions, each with at least one.
    indptr : int32 or int64, (n_rows + 1,)
    indices : of the same width, (interactions,)
        CSR of the whole side.
    amounts : float32 or float64, (interactions,)
    weighing : float64, (3,)
        Slope, base and pull of `alsolike.models.confidence.Weighing`.
    Z : float32, (m, f), C order, f a multiple of 8
    leverage : float32, (m,)
        At least ``sum(Z[i] ** 2 / d)`` of each row of Z, for every row's d.
    dense : float64, (factors,), factors at most f
        Eigenvalues of Z'Z times the weight of an unobserved cell.
    regularization : float64, (n_rows,)
        lambda of each row.
    most : float
        Rows whose trace of BB' may be above this are left over, as are those with a weight below
        zero. The eigenvalues of a system lie between 1 and 1 + that trace.
    out : float32, (n_rows, factors), C order
        Receives the solutions.
    hard : int64, (at least n_chosen,)
        Receives the rows that are left over.

    Returns
    -------
    int
        How many rows those are.
    """
    f, small = Z.shape[1], 0
    while small < rows.shape[0] and size_of(rows[small], indptr, f) <= SMALL:
        small += 1
    left = solve_small(
        rows[:small], indptr, indices, amounts, weighing, Z, leverage, dense, regularization, most,
        out, hard, 0,
    )  # fmt: skip
    return _solve_large(
        rows[small:], indptr, indices, amounts, weighing, Z, leverage, dense, regularization, most,
        out, hard, left,
    )  # fmt: skip


@fast_kernel
def solve_hard(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    amounts: Floats,
    weighing: Floats,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    out: Floats,
) -> int:
    """Solve the given rows in float64; it is compiled only where there are some.

    Parameters
    ----------
    rows : int64, (n_chosen,)
        From `solve_exact`, whose other parameters these are.

    Returns
    -------
    int
        -1, or the first row whose system is not positive definite.
    """
    f = Z.shape[1]
    room = max(f, PANEL)
    panel, system = np.empty(room * PANEL), np.empty(f * (f + 8))
    scratch, inverse = np.empty((4, f)), np.empty(f)
    places, roots = np.empty(room, dtype=np.int64), np.empty(room)
    scale, right, t = scratch[0], scratch[1], scratch[2]
    for row in rows:
        start, end = indptr[row], indptr[row + 1]
        S = indices[start:end]
        w, r = np.empty(end - start, dtype=np.float32), np.empty(end - start, dtype=np.float32)
        weigh(amounts[start:end], weighing, w, r)
        set_scale(dense, regularization[row], scale)
        if w.min() < 0:
            size = f + 1
            solved = _solve_signed(S, w, r, Z, scale, system, right, inverse, scratch[3])
        else:
            size = S.shape[0]
            wide = (min(size, f) + 7) // 8 * 8
            set_up(S, w, r, Z, scale, wide, places, roots, panel, system, wide + 8, right[:wide])
            solved = solve_in_tiles(system, wide, wide + 8, right, inverse)
        if not (solved and finish(size, right, Z, scale, places, roots, t, out[row])):
            return int(row)
    return -1


@fast_part
def _solve_large(
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
    left: int,
) -> int:
    """Solve `rows` one by one; parameters and result are those of `solve_small`."""
    stay_apart()
    f, count = Z.shape[1], rows.shape[0]
    if not count:
        return left
    room = max(f, PANEL)
    longest = indptr[rows[count - 1] + 1] - indptr[rows[count - 1]]
    w, r = np.empty(longest, dtype=np.float32), np.empty(longest, dtype=np.float32)
    panel, system = np.empty(room * PANEL, dtype=np.float32), np.empty(f * (f + 8), np.float32)
    scale, right, t, inverse = np.empty((4, f), dtype=np.float32)
    places, roots = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.float32)
    known = np.nan
    for number in range(count):
        row = rows[number]
        start, end = indptr[row], indptr[row + 1]
        S = indices[start:end]
        ahead = rows[min(number + 1, count - 1)]
        fetch_rows(Z, indices, indptr[ahead], indptr[ahead + 1])
        weigh(amounts[start:end], weighing, w, r)
        least, gain = range_of(S, w, leverage)
        solved = least >= 0 and gain <= most
        if solved:
            if known != regularization[row]:
                known = regularization[row]
                set_scale(dense, known, scale)
            n = end - start
            wide = (min(n, f) + 7) // 8 * 8
            set_up(S, w, r, Z, scale, wide, places, roots, panel, system, wide + 8, right[:wide])
            solved = solve_in_tiles(system, wide, wide + 8, right, inverse)
            solved = solved and finish(n, right, Z, scale, places, roots, t, out[row])
        if not solved:
            hard[left] = row
            left += 1
    return left


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
    """Solve (I + B'B) t = B'b for rows where some cell weighs less than an unobserved one.

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
