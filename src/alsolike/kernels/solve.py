"""The exact solutions of one half-sweep, a chunk of rows at a time.

Notation
--------
n
    Interactions of the row; S their columns; w and r their weights and pulls (confidence.py).
Z
    The other side's factors in the basis of their Gramian, (m, f), so that Z'Z is diagonal.
d
    ``unobserved_weight * eigenvalues + lambda`` of the row; s = d ** -1/2.
B
    Row i is ``w_i ** 1/2 * Z[S_i] * s``; b_i = r_i / w_i ** 1/2.b_i = r_i / w_i ** 1/2.

Every row's bytes depend on that row and on Z alone: not on the chunk it stands in, its
neighbours, or the threads.

References
----------
Hu, Koren, Volinsky 2008, eq. 4, for the systems. Pilaszy and Tikk 2009 for solving the n x n
system of a short row.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.launch import fast_kernel

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# A weight of zero would divide by zero in b. B's rows are at most w * f long (each squared column
# of Z is at most its eigenvalue), so this weight changes an answer by less than float32 holds.
_LEAST_WEIGHT = np.float32(1e-12)

# The systems' eigenvalues lie between 1 and 1 + this trace of BB'. Above it, float32 would lose
# more than 1e-5 of a row's scores, and the row is solved in float64 (tests/test_als.py).
_FLOAT32_GAIN = np.float32(128)

# Interactions of a long row are added to its f x f matrix in panels of this many.
_PANEL = 128


@fast_kernel
def solve_exact(
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    first: int,
    last: int,
    Z: Floats,
    leverage: Floats,
    dense: Floats,
    regularization: Floats,
    out: Floats,
) -> int:
    """Solve the rows ``first`` to ``last - 1`` exactly into `out`.

    Parameters
    ----------
    indptr : int32 or int64, (rows + 1,)
    indices : of the same width, (interactions,)
        CSR of the whole side.
    weights, pulls : float32, (interactions of the chunk,)
        Those of the chunk alone, in order.
    first, last : int
        The chunk.
    Z : float32, (m, f), C order
    leverage : float32, (m,)
        At least ``sum(Z[i] ** 2 / d)`` of each row of Z, for every row's d.
    dense : float64, (f,)
        Eigenvalues of Z'Z times the weight of an unobserved cell.
    regularization : float64, (last - first,)
        lambda of each row of the chunk.
    out : float32, (rows, f), C order
        Row ``first + i`` receives the solution.

    Returns
    -------
    int
        -1, or the first row whose system is not positive definite.
    """
    f = Z.shape[1]
    size = max(f, _PANEL)
    panel = np.empty((size, size), dtype=np.float32)
    system = np.empty((f, f), dtype=np.float32)
    right = np.empty(f, dtype=np.float32)
    scale = np.empty(f, dtype=np.float32)
    # The same again for rows that float32 cannot hold; touched by them alone.
    panel64 = np.empty((size, size), dtype=np.float64)
    system64 = np.empty((f, f), dtype=np.float64)
    right64 = np.empty(f, dtype=np.float64)
    scale64 = np.empty(f, dtype=np.float64)
    base = indptr[first]
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        x = out[row]
        x[:] = 0
        if start == end:
            continue
        S = indices[start:end]
        w = weights[start - base : end - base]
        r = pulls[start - base : end - base]
        lam = regularization[row - first]
        lightest, gain = _range_of(S, w, leverage)
        if lightest < 0:
            solved = _solve_signed(S, w, r, Z, dense, lam, system64, right64, x)
        elif gain > _FLOAT32_GAIN:
            solved = _solve_row(S, w, r, Z, dense, lam, scale64, panel64, system64, right64, x)
        else:
            solved = _solve_row(S, w, r, Z, dense, lam, scale, panel, system, right, x)
        if not solved:
            return row
    return -1


@fast_kernel
def _solve_row(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    dense: Floats,
    lam: float,
    scale: Floats,
    panel: Floats,
    system: Floats,
    right: Floats,
    x: Floats,
) -> bool:
    """Solve one row in the precision of the scratch that it is given."""
    for k in range(scale.shape[0]):
        scale[k] = 1.0 / math.sqrt(dense[k] + lam)
    if S.shape[0] <= scale.shape[0]:
        return _solve_dual(S, w, r, Z, scale, panel, system, right, x)
    return _solve_primal(S, w, r, Z, scale, panel, system, right, x)


@fast_kernel
def _range_of(S: Ints, w: Floats, leverage: Floats) -> tuple[Any, Any]:
    """Return the least weight, and the trace of BB', which bounds the system's condition."""
    least, gain = w[0], np.float32(0)
    for i in range(w.shape[0]):
        least = min(least, w[i])
        gain += w[i] * leverage[S[i]]
    return least, gain


@fast_kernel
def _solve_dual(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    panel: Floats,
    system: Floats,
    right: Floats,
    x: Floats,
) -> bool:
    """Solve (I + BB') v = b, then x = s * B'v: the cheaper way where n <= f."""
    n, f = S.shape[0], Z.shape[1]
    Bt = panel
    for i in range(n):
        root = math.sqrt(max(w[i], _LEAST_WEIGHT))
        z = Z[S[i]]
        for k in range(f):
            Bt[k, i] = root * z[k] * scale[k]
        right[i] = r[i] / root
    _start_system(system, n)
    _add_outer_products(Bt, f, n, system)
    if not _solve_in_place(system, n, right):
        return False
    for k in range(f):
        total = right[0] * 0
        for i in range(n):
            total += Bt[k, i] * right[i]
        x[k] = scale[k] * total
    return True


@fast_kernel
def _solve_primal(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    panel: Floats,
    system: Floats,
    right: Floats,
    x: Floats,
) -> bool:
    """Solve (I + B'B) t = B'b, then x = s * t: the cheaper way where n > f."""
    n, f = S.shape[0], Z.shape[1]
    _start_system(system, f)
    right[:] = 0
    for begin in range(0, n, _PANEL):
        size = min(_PANEL, n - begin)
        for i in range(size):
            root = math.sqrt(max(w[begin + i], _LEAST_WEIGHT))
            pull = r[begin + i] / root
            z = Z[S[begin + i]]
            for k in range(f):
                panel[i, k] = root * z[k] * scale[k]
                right[k] += pull * panel[i, k]
        _add_outer_products(panel, size, f, system)
    if not _solve_in_place(system, f, right):
        return False
    for k in range(f):
        x[k] = scale[k] * right[k]
    return True


@fast_kernel
def _solve_signed(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    dense: Floats,
    lam: float,
    system: Floats,
    right: Floats,
    x: Floats,
) -> bool:
    """Solve (D + Z'WZ) x = Z'r in float64, for rows where some cell weighs less than unobserved.

    A negative weight has no root, and float32 would lose what the two parts share.
    """
    n, f = S.shape[0], Z.shape[1]
    system[:] = 0
    right[:] = 0
    for k in range(f):
        system[k, k] = dense[k] + lam
    for i in range(n):
        z = Z[S[i]]
        for k in range(f):
            weighted = np.float64(w[i]) * z[k]
            right[k] += np.float64(r[i]) * z[k]
            for j in range(k, f):
                system[k, j] += weighted * z[j]
    if not _solve_in_place(system, f, right):
        return False
    for k in range(f):
        x[k] = right[k]
    return True


@fast_kernel
def _start_system(system: Floats, size: int) -> None:
    """Set the upper triangle to the identity."""
    for i in range(size):
        system[i, i:size] = 0
        system[i, i] = 1


@fast_kernel
def _add_outer_products(panel: Floats, count: int, size: int, system: Floats) -> None:
    """Add ``panel[:count, :size].T @ panel[:count, :size]`` to the upper triangle of `system`.

    Eight rows of the panel at a time: eight multiply-adds for each load and store of `system`.
    """
    whole = count - count % 8
    for p in range(0, whole, 8):
        p0, p1, p2, p3 = panel[p], panel[p + 1], panel[p + 2], panel[p + 3]
        p4, p5, p6, p7 = panel[p + 4], panel[p + 5], panel[p + 6], panel[p + 7]
        for i in range(size):
            a0, a1, a2, a3 = p0[i], p1[i], p2[i], p3[i]
            a4, a5, a6, a7 = p4[i], p5[i], p6[i], p7[i]
            target = system[i]
            for j in range(i, size):
                target[j] += (
                    (a0 * p0[j] + a1 * p1[j])
                    + (a2 * p2[j] + a3 * p3[j])
                    + (a4 * p4[j] + a5 * p5[j])
                    + (a6 * p6[j] + a7 * p7[j])
                )
    for p in range(whole, count):
        source = panel[p]
        for i in range(size):
            a = source[i]
            target = system[i]
            for j in range(i, size):
                target[j] += a * source[j]


@fast_kernel
def _solve_in_place(system: Floats, size: int, right: Floats) -> bool:
    """Solve ``system @ v = right`` by Cholesky; v replaces `right`, U'U the upper triangle.

    Returns False where a pivot is not positive.
    """
    for k in range(size):
        pivot = system[k, k]
        if not pivot > 0:
            return False
        source = system[k]
        inverse = 1 / math.sqrt(pivot)
        for j in range(k, size):
            source[j] *= inverse
        right[k] *= inverse
        a = right[k]
        for j in range(k + 1, size):
            right[j] -= a * source[j]
        for i in range(k + 1, size):
            b = source[i]
            target = system[i]
            for j in range(i, size):
                target[j] -= b * source[j]
    for k in range(size - 1, -1, -1):
        source = system[k]
        total = right[k]
        for j in range(k + 1, size):
            total -= source[j] * right[j]
        right[k] = total / source[k]
    return True
