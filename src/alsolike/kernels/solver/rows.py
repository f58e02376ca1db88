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
    pack_columns,
    stay_apart,
)
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
def fetch_rows(Z: Floats, indices: Ints, first: int, last: int) -> None:
    """Prefetch the rows of Z of the next interactions."""
    f = Z.shape[1]
    for position in range(first, min(last, first + PANEL)):
        place = np.int64(indices[position]) * f
        for k in range(0, f, 16):
            fetch(Z, place + k)


@fast_part
def weigh(amounts: Floats, weighing: Floats, weights: Floats, pulls: Floats) -> Any:
    """Write the weight and the pull of each amount; return the least weight.

    `weighing` is slope, base and pull.
    """
    stay_apart()
    least = np.float32(np.inf)
    for i in range(amounts.shape[0]):
        weight = weighing[0] * abs(np.float64(amounts[i])) + weighing[1]
        weights[i] = weight
        pulls[i] = weight + weighing[2] if amounts[i] > 0 else 0.0
        least = min(least, weights[i])
    return least


@fast_part
def set_scale(dense: Floats, lam: float, scale: Floats) -> None:
    """Set `scale` to s."""
    stay_apart()
    scale[dense.shape[0] :] = 0
    for k in range(dense.shape[0]):
        scale[k] = 1.0 / math.sqrt(dense[k] + lam)


@fast_part
def set_up(
    S: Ints,
    w: Floats,
    r: Floats,
    Z: Floats,
    scale: Floats,
    wide: int,
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
    places : int64, (at least wide and PANEL,)
    roots : (at least wide and PANEL,)
        Scratch, which `finish` needs again.
    panel : (at least PANEL * wide,)
        Scratch.
    system : (at least wide * stride,)
        Receives the upper tiles.
    right : (wide,)
        Receives the right side.
    """
    stay_apart()
    n, f = S.shape[0], Z.shape[1]
    number, nothing = panel.dtype.type, panel.dtype.type(0)
    step = max(16, min(PANEL, _PANEL_NUMBERS // wide // LANES * LANES))
    if n <= f:
        for i in range(n):
            places[i] = S[i]
            roots[i] = math.sqrt(max(w[i], LEAST_WEIGHT))
            right[i] = r[i] / roots[i]
        for i in range(n, wide):
            # Beyond the row, weights are 0: they solve to 0 and change nothing.
            places[i], roots[i], right[i] = S[n - 1], nothing, nothing
        for begin in range(0, f, step):
            count = min(step, f - begin)
            for i in range(0, wide, LANES):
                pack_columns(Z, places, roots, i, scale, f, begin, count, panel, i, wide)
            _multiply(panel, wide, count, system, stride, begin)
        return trace_of(system, wide, stride)
    right[:] = 0
    for begin in range(0, n, step):
        count = min(step, n - begin)
        fetch_rows(Z, S, begin + count, n)
        for i in range(count):
            place = np.int64(S[begin + i])
            root = number(math.sqrt(max(w[begin + i], LEAST_WEIGHT)))
            copy_scaled(Z, place * f, root, scale, f, panel, i * f)
            places[i], roots[i] = place, r[begin + i]
        _multiply(panel, f, count, system, stride, begin)
        add_interactions(Z, places, roots, count, right)
    for k in range(f):
        right[k] *= scale[k]
    return trace_of(system, f, stride)


@fast_part
def finish(
    n: int,
    v: Floats,
    Z: Floats,
    scale: Floats,
    places: Ints,
    roots: Floats,
    t: Floats,
    x: Floats,
) -> bool:
    """Write the row's factors from the solution `v` of its system; return whether they are finite.

    `t` is scratch, (f,); the other parameters are those of `set_up`.
    """
    stay_apart()
    f = Z.shape[1]
    if n <= f:
        for i in range(n):
            roots[i] *= v[i]
        t[:] = 0
        add_interactions(Z, places, roots, n, t)
        for k in range(f):
            t[k] *= scale[k]
    else:
        for k in range(f):
            t[k] = v[k]
    size = v.dtype.type(0)
    for k in range(x.shape[0]):
        x[k] = scale[k] * t[k]
        size += abs(t[k])
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
        add_rows(Z, places, i, weights, i, Z.shape[1], total)


@fast_part
def _multiply(
    panel: Floats, wide: int, count: int, system: Floats, stride: int, before: int
) -> None:
    """Set the upper tiles to ``panel.T @ panel``, or add it to them."""
    stay_apart()
    keep, plus = panel.dtype.type(min(before, 1)), panel.dtype.type(1)
    for i in range(0, wide, LANES):
        place, width = i * (stride + 1), wide - i
        add_product(
            panel, i, wide, panel, i, wide, count, system, place, stride, width, keep, plus
        )
