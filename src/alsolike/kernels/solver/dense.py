"""Computes the Gramian, a change of basis and the observed loss of all rows of one side.

From factors in float32, in tiles (tiles.py). Not every BLAS uses the widest vectors, and none mixes
float32 and float64. Numbers of factors are multiples of 8, as in all kernels.

Both operands of a product are copied into strips of at most 32 columns. Rows of 1,024 numbers lie
4 KiB apart, where all lines that a tile reads compete for the same few places of the cache.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel
from alsolike.kernels.compiler.vectors import LANES, copy_scaled, pack_columns
from alsolike.kernels.solver.tiles import add_product

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# Columns of a strip: those of the widest tile.
STRIP = 32
# Terms summed in registers before they are added to the sum of the others: float32 loses less, and
# what is read stays in the first-level cache.
_TERMS = 128
# Rows of a Gramian whose sums are added to the total at once, and rows that change basis at once.
GRAMIAN_ROWS, _TURNED_ROWS = 256, 32


@fast_kernel
def add_gramian(factors: Floats, panel: Floats, total: Floats) -> None:
    """Add ``factors.T @ factors`` to the upper triangle of `total`, in the order of the rows.

    Parameters
    ----------
    factors : float32, (n, f), f a multiple of 8
    panel : float64 or float32, (GRAMIAN_ROWS * f,)
        Scratch. Its type is that of sums over `GRAMIAN_ROWS` rows.
    total : float64, (f, at least f), columns a multiple of `STRIP`
        Receives the upper triangle; cells below its diagonal and beyond f are undefined afterwards.
    """
    n, f = factors.shape
    number, one = panel.dtype.type, panel.dtype.type(1)
    tile, ones = np.zeros(LANES * STRIP, dtype=panel.dtype), np.ones(STRIP, dtype=panel.dtype)
    for first in range(0, n, GRAMIAN_ROWS):
        count = min(GRAMIAN_ROWS, n - first)
        for row in range(count):
            for j in range(0, f, STRIP):
                width = min(STRIP, f - j)
                place = (first + row) * f + j
                copy_scaled(factors, place, one, ones, width, panel, j * count + row * width)
        for j in range(0, f, STRIP):
            width = min(STRIP, f - j)
            for i in range(0, j + width, LANES):
                strip = i // STRIP * STRIP
                own, left = min(STRIP, f - strip), strip * count + i - strip
                below = max(i - j, 0)  # columns left of the diagonal
                for begin in range(0, count, _TERMS):
                    add_product(
                        panel, left + begin * own, own, panel, j * count + begin * width + below,
                        width, min(_TERMS, count - begin), tile, below, STRIP, width - below,
                        number(min(begin, 1)), one,
                    )  # fmt: skip
                for row in range(LANES):
                    for k in range(STRIP):
                        total[i + row, j + k] += tile[row * STRIP + k]


@fast_kernel
def turn(factors: Floats, strips: Floats, out: Floats) -> None:
    """Write the product of the factors and a basis to `out`, which may be the factors themselves.

    Parameters
    ----------
    factors : float32, (n, f), f a multiple of 8
    strips : float64 or float32, (f * f,)
        The basis, (f, f): strips of at most `STRIP` columns one after the other, each in C order.
        Its type is that of the sums.
    out : float32, (n, at most f)
        Receives the first columns, rounded once.
    """
    n, f = factors.shape
    number, one = strips.dtype.type, strips.dtype.type(1)
    columns = np.empty(_TURNED_ROWS * f, dtype=strips.dtype)
    product = np.empty(_TURNED_ROWS * STRIP, dtype=strips.dtype)
    rows, ones = np.empty(LANES, dtype=np.int64), np.ones(max(f, LANES), dtype=strips.dtype)
    for first in range(0, n, _TURNED_ROWS):
        count = min(_TURNED_ROWS, n - first)
        for row in range(0, count, LANES):
            for lane in range(LANES):
                rows[lane] = min(first + row + lane, n - 1)
            pack_columns(factors, rows, ones, 0, ones, f, 0, f, columns, row * f, LANES)
        for j in range(0, f, STRIP):
            width = min(STRIP, f - j)
            for begin in range(0, f, _TERMS):
                terms, keep = min(_TERMS, f - begin), number(min(begin, 1))
                for row in range(0, count, LANES):
                    left, right = row * f + begin * LANES, j * f + begin * width
                    add_product(
                        columns, left, LANES, strips, right, width, terms, product, row * STRIP,
                        STRIP, width, keep, one,
                    )  # fmt: skip
            for row in range(count):
                if j + STRIP <= out.shape[1]:
                    for k in range(STRIP):
                        out[first + row, j + k] = product[row * STRIP + k]
                else:
                    for k in range(out.shape[1] - j):
                        out[first + row, j + k] = product[row * STRIP + k]


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
