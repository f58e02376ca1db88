"""Solves the ridge regression of each item on its neighbourhood.

Notation as in `gramian`, and:

j, S
    An item and its neighbourhood: the items i with the largest ``G_ij / (G_ii + r_i)``, the
    weight that i would have alone; of equal ones the most liked. j is not among them.
r
    The ridge of each item, above 0.
m
    Items of a neighbourhood at most.
d
    ``r_S ** -1/2``. The system is ``(I + d G_SS d) v = d G_Sj``, and the weights are ``d v``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel, part
from alsolike.kernels.compiler.vectors import stay_apart
from alsolike.kernels.linear.gramian import add_pairs, add_row
from alsolike.kernels.solver.rows import solve_in_tiles

Array = npt.NDArray[Any]


@part
def _is_weaker(strengths: Array, items: Array, a: int, b: int) -> bool:
    """Return whether the entry at `a` ranks behind the one at `b`."""
    if strengths[a] != strengths[b]:
        return bool(strengths[a] < strengths[b])
    return bool(items[a] > items[b])


@part
def _sink(strengths: Array, items: Array, count: int, place: int) -> None:
    """Move an entry of a heap down until it is weaker than both below it."""
    while True:
        weakest = place
        for below in (2 * place + 1, 2 * place + 2):
            if below < count and _is_weaker(strengths, items, below, weakest):
                weakest = below
        if weakest == place:
            return
        strengths[place], strengths[weakest] = strengths[weakest], strengths[place]
        items[place], items[weakest] = items[weakest], items[place]
        place = weakest


@part
def _choose(
    item: int,
    near: Array,
    n_near: int,
    totals: Array,
    diagonal: Array,
    ridge: Array,
    strengths: Array,
    chosen: Array,
) -> int:
    """Write S to `chosen` as a heap; return its length. Both arrays have m + 1 places."""
    m = len(chosen) - 1
    count = 0
    for at in range(n_near):
        other = near[at]
        if other == item:
            continue
        # The last place is that of the newcomer.
        strengths[count] = totals[other] / (diagonal[other] + ridge[other])
        chosen[count] = other
        if count < m:
            count += 1
            if count == m:
                for place in range(m // 2 - 1, -1, -1):
                    _sink(strengths, chosen, m, place)
        elif _is_weaker(strengths, chosen, 0, m):
            strengths[0], chosen[0] = strengths[m], chosen[m]
            _sink(strengths, chosen, m, 0)
    return count


@part
def _set_up(
    item: int,
    S: Array,
    H: int,
    head: Array,
    totals: Array,
    diagonal: Array,
    ridge: Array,
    places: Array,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    scale: Array,
    sums: Array,
    system: Array,
    wide: int,
    right: Array,
) -> None:
    """Write the system of an item, upper triangle, and its right side; in strict order.

    So pairs are the same to the byte, of the head or not, as long as they are whole numbers.
    """
    stay_apart()
    count, stride = len(S), wide + 8
    system[: wide * stride] = 0
    right[:wide] = 0
    for k in range(count):
        scale[k] = 1.0 / np.sqrt(ridge[S[k]])
        right[k] = scale[k] * totals[S[k]]
        places[S[k]] = k
    for k in range(count):
        other = S[k]
        if other < H:
            row = np.int64(other) * (other + 1) // 2
            for above in range(k):
                pair = np.float64(head[row + S[above]])
                system[above * stride + k] = scale[above] * scale[k] * pair
        else:
            add_pairs(
                other, S, k, places, user_starts, user_items, user_values,
                item_starts, item_users, item_values, sums,
            )  # fmt: skip
            for above in range(k):
                system[above * stride + k] = scale[above] * scale[k] * sums[above]
            sums[: k + 1] = 0
        system[k * (stride + 1)] = scale[k] * scale[k] * diagonal[other]
    for k in range(count):
        places[S[k]] = -1


@fast_kernel
def solve_neighbourhoods(
    first: int,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    head: Array,
    H: int,
    diagonal: Array,
    ridge: Array,
    counts: Array,
    neighbours: Array,
    weights: Array,
) -> int:
    """Solve for the weights of the items from `first` on, as many as `counts` has room for.

    Parameters
    ----------
    first : int
    head, H
        See `alsolike.kernels.linear.gramian`.
    diagonal, ridge : float64, (n_items,)
        G_ii and r_i.
    counts : int64, (n,)
        Receives the length of each S.
    neighbours, weights : int32 and float64, (n, m)
        Receive each S, ascending, and its weights.

    Returns
    -------
    int
        -1, or the first item whose system is not positive definite in float64.
    """
    n_items, m = len(ridge), neighbours.shape[1]
    room = (m + 7) // 8 * 8
    totals, near = np.zeros(n_items), np.empty(n_items, dtype=np.int32)
    places = np.full(n_items, -1, dtype=np.int32)
    strengths, chosen = np.empty(m + 1), np.empty(m + 1, dtype=np.int32)
    scale, sums, right, inverse = np.empty(room), np.zeros(room), np.empty(room), np.empty(room)
    system = np.empty(room * (room + 8))
    for row in range(len(counts)):
        item = first + row
        n_near = add_row(
            item, user_starts, user_items, user_values, item_starts, item_users, item_values,
            totals, places, near,
        )  # fmt: skip
        for at in range(n_near):
            places[near[at]] = -1
        count = _choose(item, near, n_near, totals, diagonal, ridge, strengths, chosen)
        counts[row] = count
        S = neighbours[row, :count]
        S[:] = np.sort(chosen[:count])
        wide = (count + 7) // 8 * 8
        _set_up(
            item, S, H, head, totals, diagonal, ridge, places, user_starts, user_items,
            user_values, item_starts, item_users, item_values, scale, sums, system, wide, right,
        )  # fmt: skip
        for at in range(n_near):
            totals[near[at]] = 0.0
        if count > 0 and not solve_in_tiles(system, wide, wide + 8, right, inverse):
            return item
        for k in range(count):
            weights[row, k] = scale[k] * right[k]
            if not np.isfinite(weights[row, k]):
                return item
    return -1
