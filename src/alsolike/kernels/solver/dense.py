"""Computes the Gramian, a change of basis and the observed loss of all rows of one side.

From factors in float32, in tiles (tiles.py). Not every BLAS uses the widest vectors, and none mixes
float32 and float64. Numbers of factors are multiples of 8, as in all kernels.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel
from alsolike.kernels.compiler.vectors import LANES, pack_columns
from alsolike.kernels.solver.tiles import add_product

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# Rows that are multiplied at once: in float64 they stay in the second-level cache with 256 factors.
_ROWS = 128


@fast_kernel
def add_gramian(factors: Floats, total: Floats) -> None:
    """Add ``factors.T @ factors`` to the upper triangle of `total`, row by row.

    Parameters
    ----------
    factors : float32, (n, f), f a multiple of 8
    total : float64, (f, f)
        Cells below its diagonal are undefined afterwards.
    """
    n, f = factors.shape
    panel = np.empty(_ROWS * f, dtype=np.float64)
    for first in range(0, n, _ROWS):
        count = min(_ROWS, n - first)
        for row in range(count):
            for k in range(f):
                panel[row * f + k] = factors[first + row, k]
        for i in range(0, f, LANES):
            add_product(panel, i, i, f, count, total, i * (f + 1), f, f - i, 1.0, 1.0)


@fast_kernel
def turn(factors: Floats, basis: Floats, out: Floats) -> None:
    """Write ``factors @ basis``, rounded once, to `out`, which may be the factors themselves.

    Parameters
    ----------
    factors : float32, (n, f), f a multiple of 8
    basis : float64 or float32, (f, g), C order, g a multiple of 8
        Its type is that of the sums.
    out : float32, (n, at most g)
        Receives the first columns.
    """
    n, f = factors.shape
    width = basis.shape[1]
    # Eight rows as columns, then the basis.
    stride = LANES + width
    number = basis.dtype.type
    beside = np.empty(f * stride, dtype=basis.dtype)
    product = np.empty(LANES * width, dtype=basis.dtype)
    rows, ones = np.empty(LANES, dtype=np.int64), np.ones(max(f, LANES), dtype=basis.dtype)
    for k in range(f):
        for j in range(width):
            beside[k * stride + LANES + j] = basis[k, j]
    for first in range(0, n, LANES):
        for lane in range(LANES):
            rows[lane] = min(first + lane, n - 1)
        pack_columns(factors, rows, ones, 0, ones, f, 0, f, beside, 0, stride)
        add_product(beside, 0, LANES, stride, f, product, 0, width, width, number(0), number(1))
        for lane in range(min(LANES, n - first)):
            for j in range(out.shape[1]):
                out[first + lane, j] = product[lane * width + j]


@fast_kernel
def observed_loss(
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    first: int,
    last: int,
    X: Floats,
    Z: Floats,
) -> float:
    """Return what the observed cells of a chunk of rows add to the loss, in float64.

    With score s = x'z, a cell adds ``w s^2 - 2 r s + r`` to ``unobserved_weight * s^2``, which the
    Gramians give for all cells at once. It is summed as ``r (1 - s)^2 + (w - r) s^2``, whose parts
    are no larger than they need to be. Weights and pulls are float64, (interactions of the chunk,).
    """
    total = 0.0
    base = indptr[first]
    for row in range(first, last):
        x = X[row]
        for position in range(indptr[row], indptr[row + 1]):
            z = Z[indices[position]]
            score = 0.0
            for k in range(X.shape[1]):
                score += np.float64(x[k]) * np.float64(z[k])
            w, r = weights[position - base], pulls[position - base]
            total += r * (1.0 - score) ** 2 + (w - r) * score**2
    return total
