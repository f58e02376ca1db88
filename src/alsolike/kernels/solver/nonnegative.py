"""Solves rows for non-negative factors, in float64 and in the factors' own basis.

Notation
--------
Y : factors of the other side, (m, f)
D : the dense part of all rows' systems, ``unobserved_weight * Y'Y``, (f, f)
S, w, r : columns, weights and pulls of a row's cells
A : ``D + lambda I + Y_S' diag(w) Y_S``;  b : ``Y_S' r``
P : the places of the factors above 0, (k,), ascending;  L : Cholesky factor of A[P, P]

``x'Ax / 2 - b'x`` has one minimum with ``x >= 0``: there A[P, P] x[P] = b[P], and the gradient of
the others, which are 0, is not below 0. P is found by block principal pivoting, as in
`alsolike.models.als.nonnegative`, which is the same for one row.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, fast_part

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def solve_nonnegative(
    rows: Ints,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    Y: Floats,
    D: Floats,
    regularization: Floats,
    rounding: float,
    patience: int,
    most: int,
    out: Floats,
) -> int:
    """Solve rows into `out`.

    Parameters
    ----------
    rows : int64, (n_chosen,)
    indptr, indices : of a CSR matrix, (n_rows + 1,) and (interactions,)
    weights, pulls : float64, (interactions,)
    Y : float32, (m, f)
    D : float64, (f, f)
    regularization : float64, (n_rows,)
    rounding : float
        Gradients above minus this, in units of the largest part of b, count as 0.
    patience, most : int
        Exchanges without progress before single ones, and in all.
    out : float32, (n_rows, f)

    Returns
    -------
    int
        -1, or the first row whose system is not positive definite, or that is not solved.
    """
    f = Y.shape[1]
    A, L = np.empty((f, f)), np.empty((f, f))
    b, x, y = np.empty(f), np.empty(f), np.empty(f)
    P, wrong = np.empty(f, dtype=np.int64), np.empty(f, dtype=np.int64)
    above = np.empty(f, dtype=np.bool_)
    for number in range(rows.shape[0]):
        row = rows[number]
        _set_up(row, indptr, indices, weights, pulls, Y, D, regularization[row], A, b, y)
        if not _solve(A, b, rounding, patience, most, above, P, wrong, L, x):
            return int(row)
        for j in range(f):
            out[row, j] = x[j]
    return -1


@fast_part
def _set_up(
    row: int,
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    Y: Floats,
    D: Floats,
    penalty: float,
    A: Floats,
    b: Floats,
    y: Floats,
) -> None:
    """Write A and b of a row."""
    f = Y.shape[1]
    for i in range(f):
        b[i] = 0.0
        for j in range(f):
            A[i, j] = D[i, j]
        A[i, i] += penalty
    for cell in range(indptr[row], indptr[row + 1]):
        other = indices[cell]
        for j in range(f):
            y[j] = np.float64(Y[other, j])
            b[j] += pulls[cell] * y[j]
        for i in range(f):
            if y[i] != 0.0:  # about half of non-negative factors are 0
                weighted = weights[cell] * y[i]
                for j in range(f):
                    A[i, j] += weighted * y[j]


@fast_part
def _solve(
    A: Floats,
    b: Floats,
    rounding: float,
    patience: int,
    most: int,
    above: npt.NDArray[np.bool_],
    P: Ints,
    wrong: Ints,
    L: Floats,
    x: Floats,
) -> bool:
    """Find P and x; return False if A is not positive definite, or P is not found."""
    f, largest = b.shape[0], 0.0
    for j in range(f):
        above[j] = b[j] > 0
        largest = max(largest, abs(b[j]))
    best, left = f + 1, patience
    for _ in range(most):
        k = 0
        for j in range(f):
            x[j] = 0.0
            if above[j]:
                P[k] = j
                k += 1
        if not _solve_part(A, b, P, k, L, x):
            return False
        count = 0
        for j in range(f):
            if above[j]:
                odd = x[j] < 0
            else:
                gradient = -b[j]
                for i in range(k):
                    gradient += A[j, P[i]] * x[P[i]]
                odd = gradient < -rounding * largest
            if odd:
                wrong[count] = j
                count += 1
        if count == 0:
            return True
        first = 0
        if count < best:
            best, left = count, patience
        elif left > 0:
            left -= 1
        else:
            first = count - 1
        for i in range(first, count):
            above[wrong[i]] = not above[wrong[i]]
    return False


@fast_part
def _solve_part(A: Floats, b: Floats, P: Ints, k: int, L: Floats, x: Floats) -> bool:
    """Solve A[P, P] x[P] = b[P] by Cholesky; return False if A is not positive definite."""
    for i in range(k):
        for j in range(i, k):
            L[i, j] = A[P[i], P[j]]  # the upper triangle: rows are contiguous
        x[P[i]] = b[P[i]]
    for i in range(k):
        if not L[i, i] > 1e-15 * A[P[i], P[i]]:
            return False
        root = np.sqrt(L[i, i])
        for j in range(i, k):
            L[i, j] /= root
        for row in range(i + 1, k):
            factor = L[i, row]
            for j in range(row, k):
                L[row, j] -= factor * L[i, j]
        x[P[i]] /= root
        for j in range(i + 1, k):
            x[P[j]] -= L[i, j] * x[P[i]]
    for i in range(k - 1, -1, -1):
        total = x[P[i]]
        for j in range(i + 1, k):
            total -= L[i, j] * x[P[j]]
        x[P[i]] = total / L[i, i]
    return True
