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

Every row's bytes depend on that row and on Z alone: not on the chunk it stands in, its
neighbours, or the threads. Systems are worked on in tiles of 8 x 8 (vectors.py), with the right
side as one more column of tiles, so that it is solved on the way.

The systems are eq. 4 of Hu, Koren, Volinsky 2008; the n x n form is that of Pilaszy and Tikk 2009.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.launch import fast_kernel, fast_part
from alsolike.kernels.vectors import (
    add_scaled,
    add_tile,
    copy_scaled,
    dot,
    fetch,
    pack_columns,
    solve_tile,
    stay_apart,
)

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# A weight of zero would divide by zero in b. B's rows are at most w * f long (each squared column
# of Z is at most its eigenvalue), so this weight changes an answer by less than float32 holds.
_LEAST_WEIGHT = np.float32(1e-12)

# Interactions of a long row are added to its system in panels of this many, which stay in the
# first-level cache.
_PANEL = 64


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
    most: float,
    out: Floats,
    hard: Ints,
) -> int:
    """Solve the rows ``first`` to ``last - 1`` into `out`, but for those that need float64.

    Parameters
    ----------
    indptr : int32 or int64, (rows + 1,)
    indices : of the same width, (interactions,)
        CSR of the whole side.
    weights, pulls : float32, (interactions of the chunk,)
        Those of the chunk alone, in order.
    first, last : int
        The chunk.
    Z : float32, (m, f), C order, f a multiple of 8
    leverage : float32, (m,)
        At least ``sum(Z[i] ** 2 / d)`` of each row of Z, for every row's d.
    dense : float64, (factors,), factors at most f
        Eigenvalues of Z'Z times the weight of an unobserved cell.
    regularization : float64, (last - first,)
        lambda of each row of the chunk.
    most : float
        Rows whose trace of BB' may be above this are left to `solve_hard`, as are those with a
        weight below zero. The eigenvalues of a system lie between 1 and 1 + that trace.
    out : float32, (rows, factors), C order
        Row ``first + i`` receives the solution.
    hard : int64, (at least last - first,)
        Receives the rows that are left to `solve_hard`.

    Returns
    -------
    int
        How many rows those are.
    """
    f = Z.shape[1]
    panel = np.empty(max(f, _PANEL) * (f + 8), dtype=np.float32)
    system = np.empty(f * (f + 8), dtype=np.float32)
    scratch, few = np.empty(4 * f, dtype=np.float32), np.empty(8, dtype=np.float32)
    base, left = indptr[first], 0
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
        if lightest < 0 or gain > most:
            solved = False
        else:
            fetch_rows(Z, indices, end, min(end + end - start, indptr[last]))
            solved = _solve_row(S, w, r, Z, dense, lam, panel, system, scratch, few, x)
        if not solved:
            hard[left] = row
            left += 1
    return left


@fast_kernel
def solve_hard(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    first: int,
    Z: Floats,
    dense: Floats,
    regularization: Floats,
    out: Floats,
) -> int:
    """Solve the given rows of a chunk in float64; it is compiled only where there are some.

    Parameters
    ----------
    rows : int64, (n_rows,)
        From `solve_exact`, whose other parameters these are.

    Returns
    -------
    int
        -1, or the first row whose system is not positive definite.
    """
    f = Z.shape[1]
    panel, system = np.empty(max(f, _PANEL) * (f + 8)), np.empty(f * (f + 8))
    scratch, few = np.empty(4 * f), np.empty(8)
    base = indptr[first]
    for row in rows:
        start, end = indptr[row], indptr[row + 1]
        S, x = indices[start:end], out[row]
        w = weights[start - base : end - base]
        r = pulls[start - base : end - base]
        lam = regularization[row - first]
        if w.min() < 0:
            solved = _solve_signed(S, w, r, Z, dense, lam, system, scratch, x)
        else:
            solved = _solve_row(S, w, r, Z, dense, lam, panel, system, scratch, few, x)
        if not solved:
            return int(row)
    return -1


@fast_part
def fetch_rows(Z: Floats, indices: Ints, first: int, last: int) -> None:
    """Bring the rows of Z closer that the next interactions need, while others are worked on."""
    f = Z.shape[1]
    for position in range(first, min(last, first + _PANEL)):
        place = np.int64(indices[position]) * f
        for k in range(0, f, 16):
            fetch(Z, place + k)


@fast_part
def _range_of(S: Ints, w: Floats, leverage: Floats) -> tuple[Any, Any]:
    """Return the least weight, and the trace of BB', which bounds the system's condition."""
    least, gain = w[0], np.float32(0)
    for i in range(w.shape[0]):
        least = min(least, w[i])
        gain += w[i] * leverage[S[i]]
    return least, gain


@fast_part
def _solve_row(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    dense: Floats,
    lam: float,
    panel: Floats,
    system: Floats,
    scratch: Floats,
    few: Floats,
    x: Floats,
) -> bool:
    """Solve one row in the precision of the scratch that it is given."""
    stay_apart()
    f, factors = Z.shape[1], dense.shape[0]
    scale, v = scratch[:f], scratch[f : 2 * f]
    scale[factors:] = 0
    for k in range(factors):
        scale[k] = 1.0 / math.sqrt(dense[k] + lam)
    if S.shape[0] <= f:
        solved = _solve_dual(S, w, r, Z, scale, panel, system, v, scratch[2 * f :], few)
    else:
        solved = _solve_primal(S, w, r, Z, scale, panel, system, v, scratch[2 * f :])
    for k in range(factors):
        x[k] = scale[k] * v[k]
    return solved


@fast_part
def _solve_dual(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    panel: Floats,
    system: Floats,
    t: Floats,
    scratch: Floats,
    few: Floats,
) -> bool:
    """Solve (I + BB') v = b, then t = B'v: the cheaper way where n <= f."""
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    size = (n + 7) // 8 * 8
    stride = size + 8
    v, inverse = scratch[:f], scratch[f : 2 * f]
    places = np.empty(8, dtype=np.int64)
    for i in range(size):
        system[i * stride + size : (i + 1) * stride] = 0
    for i in range(0, size, 8):
        for lane in range(8):
            # Columns beyond the n-th are of weight 0: they solve to 0 and change nothing.
            places[lane] = S[min(i + lane, n - 1)]
            few[lane] = 0
            if i + lane < n:
                few[lane] = math.sqrt(max(w[i + lane], _LEAST_WEIGHT))
                system[(i + lane) * stride + size] = r[i + lane] / few[lane]
        pack_columns(Z, places, few, scale, f, panel, i, size)
    _multiply(panel, size, f, size, system, stride, 0)
    if not _factorize(system, size, stride, v, inverse):
        return False
    t[:] = 0
    for i in range(n):
        root = math.sqrt(max(w[i], _LEAST_WEIGHT))
        add_scaled(Z, np.int64(S[i]) * f, v[i] * few.dtype.type(root), f, t)
    for k in range(f):
        t[k] *= scale[k]
    return True


@fast_part
def _solve_primal(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    panel: Floats,
    system: Floats,
    t: Floats,
    scratch: Floats,
) -> bool:
    """Solve (I + B'B) t = B'b: the cheaper way where n > f."""
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    stride = f + 8
    for begin in range(0, n, _PANEL):
        count = min(_PANEL, n - begin)
        fetch_rows(Z, S, begin + count, n)
        for i in range(count):
            root = panel.dtype.type(math.sqrt(max(w[begin + i], _LEAST_WEIGHT)))
            place = i * stride
            copy_scaled(Z, np.int64(S[begin + i]) * f, root, scale, f, panel, place)
            panel[place + f] = r[begin + i] / root
            panel[place + f + 1 : place + stride] = 0
        _multiply(panel, stride, count, f, system, stride, begin)
    return _factorize(system, f, stride, t, scratch[:f])


@fast_part
def _multiply(
    panel: Floats,
    panel_stride: int,
    count: int,
    size: int,
    system: Floats,
    stride: int,
    before: int,
) -> None:
    """Set the upper tiles to ``panel.T @ panel``, or add that where there was something before.

    A panel that is wider than `size` brings the right side along, as its last column of tiles.
    """
    stay_apart()
    keep, plus = panel.dtype.type(min(before, 1)), panel.dtype.type(1)
    for i in range(0, size, 8):
        for j in range(i, panel_stride, 8):
            add_tile(panel, i, j, panel_stride, count, system, i * stride + j, stride, keep, plus)


@fast_part
def _factorize(system: Floats, size: int, stride: int, v: Floats, inverse: Floats) -> bool:
    """Solve ``(I + system) v = right`` by Cholesky, a row of tiles at a time.

    The right side is column `size` of `system`; U replaces its upper tiles. Returns False where a
    pivot is not positive.
    """
    stay_apart()
    keep, minus = system.dtype.type(1), system.dtype.type(-1)
    for k in range(size):
        system[k * stride + k] += keep
    for k in range(0, size, 8):
        if k > 0:
            for j in range(k, size + 8, 8):
                add_tile(system, k, j, stride, k, system, k * stride + j, stride, keep, minus)
        if not _factorize_tile(system, k, stride, inverse):
            return False
        for j in range(k + 8, size + 8, 8):
            solve_tile(system, k * stride + k, k * stride + j, stride, inverse, k)
    for k in range(size - 1, -1, -1):
        after = k // 8 * 8 + 8
        total = system[k * stride + size]
        total -= dot(system, k * stride + after, v, after, size - after)
        for j in range(k + 1, after):
            total -= system[k * stride + j] * v[j]
        v[k] = total * inverse[k]
    return True


@fast_part
def _factorize_tile(system: Floats, first: int, stride: int, inverse: Floats) -> bool:
    """Replace the upper triangle of a tile on the diagonal by its Cholesky factor."""
    for k in range(8):
        source = (first + k) * stride + first
        pivot = system[source + k]
        if not pivot > 0:
            return False
        inverse[first + k] = 1 / math.sqrt(pivot)
        for j in range(k, 8):
            system[source + j] *= inverse[first + k]
        for i in range(k + 1, 8):
            number = system[source + i]
            target = (first + i) * stride + first
            for j in range(i, 8):
                system[target + j] -= number * system[source + j]
    return True


@fast_part
def _solve_signed(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    dense: Floats,
    lam: float,
    system: Floats,
    scratch: Floats,
    x: Floats,
) -> bool:
    """Solve (D + Z'WZ) x = Z'r in float64, for rows where some cell weighs less than unobserved.

    A negative weight has no root, and float32 would lose what the two parts share.
    """
    stay_apart()
    n, f, factors = S.shape[0], Z.shape[1], dense.shape[0]
    stride = f + 8
    scale, t, z = scratch[:f], scratch[f : 2 * f], scratch[2 * f : 3 * f]
    system[: f * stride] = 0
    scale[factors:] = 0
    for k in range(factors):
        scale[k] = 1.0 / math.sqrt(dense[k] + lam)
    for i in range(n):
        copy_scaled(Z, np.int64(S[i]) * f, 1.0, scale, f, z, 0)
        for k in range(factors):
            weighted = np.float64(w[i]) * z[k]
            target = k * stride
            system[target + f] += np.float64(r[i]) * z[k]
            for j in range(k, f):
                system[target + j] += weighted * z[j]
    if not _factorize(system, f, stride, t, scratch[3 * f :]):
        return False
    for k in range(factors):
        x[k] = scale[k] * t[k]
    return True
