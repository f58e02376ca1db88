"""Sets up, factorizes and solves the system of one row, in tiles (tiles.py).

Works in the precision of its scratch arrays, float32 or float64. The bytes of a row depend on that
row and on Z only: not on its chunk, its neighbours, or the threads.

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

The systems are eq. 4 of Hu, Koren, Volinsky 2008; the n x n form is that of Pilaszy and Tikk 2009.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_part
from alsolike.kernels.compiler.vectors import (
    LANES,
    add_rows,
    copy_scaled,
    dot,
    fetch,
    stay_apart,
)
from alsolike.kernels.solver.row_products import ROWS, STEP, multiply_rows
from alsolike.kernels.solver.tiles import add_product, factorize, solve_beside

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]

# A system is multiplied out of panels of at most this many interactions or factors, and of at most
# so many numbers: a panel stays in the first-level cache, with its tile.
PANEL, _PANEL_NUMBERS = 64, 6144

# A weight of zero would divide by zero in b. B's rows are at most w * f long (each squared column
# of Z is at most its eigenvalue), so this weight changes an answer by less than float32 holds.
LEAST_WEIGHT = np.float32(1e-12)


@fast_part
def fetch_rows(Z: Floats, columns: Ints) -> None:
    """Prefetch the rows of Z of the first of these interactions."""
    for i in range(min(columns.shape[0], PANEL)):
        _fetch_row(Z, columns[i])


@fast_part
def _fetch_row(Z: Floats, column: int) -> None:
    place = np.int64(column) * Z.shape[1]
    for k in range(0, Z.shape[1], 16):
        fetch(Z, place + k)


@fast_part
def weigh(
    amounts: Floats, weighing: Floats, prior_scores: Floats, weights: Floats, pulls: Floats
) -> Any:
    """Write the weight and the pull of each amount; return the least weight.

    `weighing` is slope, base and pull. A row that is not pulled to 0 but to a prior has a score of
    each interaction from it: the row is solved for what is to be added, so each pull is less by the
    weight times that score. Without a prior there are none, (0,).
    """
    stay_apart()
    least = np.float32(np.inf)
    for i in range(amounts.shape[0]):
        weight = weighing[0] * abs(np.float64(amounts[i])) + weighing[1]
        weights[i] = weight
        pulls[i] = weight + weighing[2] if amounts[i] > 0 else 0.0
        least = min(least, weights[i])
    for i in range(prior_scores.shape[0]):
        pulls[i] -= weights[i] * prior_scores[i]
    return least


@fast_part
def set_scale(dense: Floats, lam: float, scale: Floats) -> None:
    """Set `scale` to s."""
    stay_apart()
    scale[dense.shape[0] :] = 0
    for k in range(dense.shape[0]):
        scale[k] = 1.0 / math.sqrt(dense[k] + lam)


@fast_part
def row_length(f: int) -> int:
    """Return how far apart copied rows of f numbers are: an odd multiple of 16, at least f.

    A power of two would put all rows into the same few places of the first-level cache.
    """
    return ((f + STEP - 1) // STEP | 1) * STEP


@fast_part
def set_up(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    wide: int,
    following: Ints,
    places: Ints,
    roots: Floats,
    panel: Floats,
    system: Floats,
    stride: int,
    right: Floats,
) -> Any:
    """Write a row's system, without the I in it, and its right side; return the system's trace.

    That is BB' and b where n <= f, and B'B and B'b where n > f. The eigenvalues of a system with
    the I in it lie between 1 and 1 + that trace.

    Parameters
    ----------
    wide : int
        Rows and columns of the system, a multiple of 8; what is beyond the row's own is zeros.
    following : int32 or int64
        Columns of the row that is solved next: their factors are prefetched.
    places : int64, (at least PANEL,)
    roots : (at least PANEL,)
        Scratch.
    panel : (at least wide * row_length(f) where n <= f, else PANEL * wide,)
        Scratch; where n <= f it receives B, for `finish`.
    system : (at least wide * stride,)
        Receives the upper tiles.
    right : (wide,)
        Receives the right side.
    """
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    if n <= f:
        following = following[:PANEL]
        _copy_rows(S, w, r, Z, scale, wide, following, panel, right)
        _multiply_copies(panel, n, wide, Z, S, following, system, stride)
        return trace_of(system, wide, stride)
    fetch_rows(Z, following)
    step = max(16, min(PANEL, _PANEL_NUMBERS // wide // LANES * LANES))
    right[:] = 0
    for begin in range(0, n, step):
        count = min(step, n - begin)
        fetch_rows(Z, S[begin + count :])
        for i in range(count):
            place = np.int64(S[begin + i])
            root = panel.dtype.type(math.sqrt(max(w[begin + i], LEAST_WEIGHT)))
            copy_scaled(Z, place * f, root, scale, f, panel, i * f)
            places[i], roots[i] = place, r[begin + i]
        _multiply(panel, f, count, system, stride, begin)
        add_interactions(Z, places, roots, count, right)
    for k in range(f):
        right[k] *= scale[k]
    return trace_of(system, f, stride)


@fast_part
def _copy_rows(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    wide: int,
    following: Ints,
    panel: Floats,
    right: Floats,
) -> None:
    """Write B to `panel`, and b to `right`, both with zeros from n to `wide`.

    Prefetches what `_multiply_copies` has too few tiles for.
    """
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    length, number = row_length(f), panel.dtype.type
    tiles = _tiles_of(n)
    for i in range(n):
        for far in range(tiles + i, following.shape[0], n):
            _fetch_row(Z, following[far])
        root = number(math.sqrt(max(w[i], LEAST_WEIGHT)))
        right[i] = r[i] / root
        copy_scaled(Z, np.int64(S[i]) * f, root, scale, f, panel, i * length)
        for k in range(i * length + f, (i + 1) * length):
            panel[k] = 0
    # They solve to 0 and change nothing.
    right[n:wide] = 0
    panel[n * length : wide * length] = 0


@fast_part
def _multiply_copies(
    panel: Floats,
    n: int,
    wide: int,
    Z: Floats,
    S: Ints,
    following: Ints,
    system: Floats,
    stride: int,
) -> None:
    """Set the upper tiles to the products of all rows of `panel`; zeros beyond them.

    Each tile prefetches the factors of one of the next row's interactions.
    """
    stay_apart()
    f = Z.shape[1]
    length, count = row_length(f), (f + STEP - 1) // STEP * STEP
    own = (n + ROWS - 1) // ROWS * ROWS
    tile = 0
    for i in range(0, own, ROWS):
        for j in range(i, own, ROWS):
            far = following[tile] if tile < following.shape[0] else S[0]
            multiply_rows(
                panel, i * length, j * length, length, count, system, i * stride + j, stride, Z,
                np.int64(far) * f,
            )  # fmt: skip
            tile += 1
    for i in range(wide):
        for j in range(max(own, i // LANES * LANES), wide):
            system[i * stride + j] = 0


@fast_part
def _tiles_of(n: int) -> int:
    """Return the number of tiles that `_multiply_copies` computes."""
    along = (n + ROWS - 1) // ROWS
    return along * (along + 1) // 2


@fast_part
def finish(
    n: int,
    v: Floats,
    panel: Floats,
    scale: Floats,
    lines: Ints,
    t: Floats,
    x: Floats,
) -> bool:
    """Write the row's factors from the solution `v` of its system; return whether they are finite.

    Parameters
    ----------
    v : (at least n where n <= f, else f,)
        Where n <= f, zeros up to the next multiple of 8.
    panel, scale
        Those of `set_up`.
    lines : int64, (at least n where n <= f,)
        0, 1, 2 and so on.
    t : (row_length(f),)
        Scratch.
    x : float32, (factors,)
        Receives the factors.
    """
    stay_apart()
    f = scale.shape[0]
    if n <= f:
        t[:] = 0
        for i in range(0, n, LANES):
            add_rows(panel, lines, i, v, i, row_length(f), row_length(f), t)
    else:
        for k in range(f):
            t[k] = v[k]
    size = v.dtype.type(0)
    for k in range(x.shape[0]):
        x[k] = scale[k] * t[k]
        size += abs(x[k])
    return bool(np.isfinite(size))


@fast_part
def solve_in_tiles(system: Floats, wide: int, stride: int, right: Floats, inverse: Floats) -> bool:
    """Solve ``(I + system) v = right`` by Cholesky, a row of tiles at a time; v replaces `right`.

    The right side is one more column of tiles; ``stride`` is ``wide + 8``. U replaces the upper
    tiles of the system. Returns False if a pivot is not positive.
    """
    stay_apart()
    one, minus = system.dtype.type(1), system.dtype.type(-1)
    for k in range(wide):
        system[k * stride + k] += one
        system[k * stride + wide : (k + 1) * stride] = 0
        system[k * stride + wide] = right[k]
    for k in range(0, wide, LANES):
        place, width = k * (stride + 1), stride - k
        if k > 0:
            add_product(
                system, k, stride, system, k, stride, k, system, place, stride, width, one, minus
            )
        if not factorize(system, place, stride, inverse, k):
            return False
        solve_beside(system, place, stride, inverse, k, width - LANES)
    for k in range(wide):
        right[k] = system[k * stride + wide]
    _substitute(system, wide, stride, right, inverse)
    return True


@fast_part
def solve_again(system: Floats, wide: int, stride: int, right: Floats, inverse: Floats) -> None:
    """Solve for another right side after `solve_in_tiles`; the solution replaces it."""
    stay_apart()
    for k in range(wide):
        right[k] *= inverse[k]
        for j in range(k + 1, wide):
            right[j] -= system[k * stride + j] * right[k]
    _substitute(system, wide, stride, right, inverse)


@fast_part
def trace_of(system: Floats, wide: int, stride: int) -> Any:
    """Return the sum of the diagonal."""
    total = system.dtype.type(0)
    for k in range(wide):
        total += system[k * (stride + 1)]
    return total


@fast_part
def _substitute(system: Floats, wide: int, stride: int, v: Floats, inverse: Floats) -> None:
    """Solve ``U v = v``."""
    stay_apart()
    for k in range(wide - 1, -1, -1):
        after = k // 8 * 8 + 8
        total = v[k] - dot(system, k * stride + after, v, after, wide - after)
        for j in range(k + 1, after):
            total -= system[k * stride + j] * v[j]
        v[k] = total * inverse[k]


@fast_part
def add_interactions(Z: Floats, places: Ints, weights: Floats, count: int, total: Floats) -> None:
    """Add ``weights[i] * Z[places[i]]`` to `total` for the first `count` i; scratch beyond them."""
    for i in range(count, (count + 7) // 8 * 8):
        places[i], weights[i] = places[count - 1], 0
    for i in range(0, count, LANES):
        add_rows(Z, places, i, weights, i, Z.shape[1], Z.shape[1], total)


@fast_part
def _multiply(
    panel: Floats, wide: int, count: int, system: Floats, stride: int, before: int
) -> None:
    """Set the upper tiles to ``panel.T @ panel``, or add it to them."""
    stay_apart()
    keep, plus = panel.dtype.type(min(before, 1)), panel.dtype.type(1)
    for i in range(0, wide, LANES):
        place, width = i * (stride + 1), wide - i
        add_product(panel, i, wide, panel, i, wide, count, system, place, stride, width, keep, plus)
