"""Finds the nearest neighbours of items by their users.

The sums of one item with all others lie in an array over the items, next to a list of those that
have one: what nobody likes together costs nothing, not even to clear. Of a long list few are above
a bound that a histogram of the similarities gives, and only those are put in order.

Notation
--------
n_items, n_users : numbers of items and users
W_u, v_ui : weight of a user, and of a like, above zero
D : float64, (n_items,)
    Sums of the item at hand with all others; zeros between items.
T : float64, (n_items,) or (0,)
    Common users, where they must be counted beside the sums; zeros between items.
L : int32, (n_items + 1,)
    The others with a sum, in the order in which they were met.
S : float64, (n_items + 1,)
    The similarities of the others in L.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part
from alsolike.kernels.ranking.topk import push

Array = npt.NDArray[Any]

# Two digits of 11 bits sort most catalogues, and the counts of one stay in the first-level cache.
_BITS = 11
DIGITS = 1 << _BITS
_FEW = 40  # sorted by insertion
# Bits of a float64 behind those that name its bin: 256 bins to an octave.
_BIN = 44


@bare_kernel
def find_nearest(
    first: int,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    weights: Array,
    source_sizes: Array,
    target_sizes: Array,
    is_root: bool,
    shrinkage: float,
    D: Array,
    T: Array,
    L: Array,
    S: Array,
    bits: Array,
    others: Array,
    sizes: Array,
    digits: Array,
    heap: Array,
    ends: Array,
    near: Array,
    similarities: Array,
) -> None:
    """List the nearest neighbours of a block of items, of equal ones the first.

    Parameters
    ----------
    first : int
        The block's first item.
    item_starts, item_users : int64 (n_items + 1,), int32 (n_likes,)
        Who likes item i, ascending: ``item_users[item_starts[i]:item_starts[i + 1]]``.
    item_values : float64, (n_likes,) or (0,)
        v_ui in that order; empty if all are 1.
    user_starts, user_items, user_values
        The same by users.
    weights : float64, (n_users,)
        W_u.
    source_sizes, target_sizes : float64, (n_items,)
        The sum of W_u v_ui v_uj over users is divided by ``source_sizes[i] * target_sizes[j]``, i
        being the block's item and j the other; or its square, and the root taken of that.
    is_root : bool
        Whether it is the root of squares.
    shrinkage : float
        s: similarities are multiplied by n / (n + s), n the common users.
    bits : int64, (n_items + 1,)
        The memory of S as whole numbers, which order like numbers above zero.
    others, sizes, digits : int32 and float64 (n_items + 1,), int32 (DIGITS,)
        Memory to work in.
    heap : float64, (k,)
        Memory for the k nearest.
    ends : int64, (n_block + 1,)
        Overwritten: where the neighbours of each item end.
    near, similarities : int32 and float64, (enough,)
        Overwritten: the neighbours of each item, ascending, and the similarities.
    """
    filled = 0
    ends[0] = 0
    for place in range(len(ends) - 1):
        item = first + place
        n_met = _add_up(
            item, item_starts, item_users, item_values, user_starts, user_items, user_values,
            weights, D, T, L,
        )  # fmt: skip
        k, n_near = len(heap), n_met
        if n_met <= k:
            _sort(L, n_met, len(D), others, digits)
        _compare(n_met, source_sizes[item], target_sizes, is_root, shrinkage, D, T, L, sizes, S)
        chosen, values = L, S
        if n_met > k:
            bound, n_near = _bound(n_met, k, S, bits, digits), 0
            for entry in range(n_met):
                if S[entry] >= bound:
                    n_near = push(heap, others, n_near, S[entry], L[entry])
            _sort_pairs(heap, others, n_near)
            chosen, values = others, heap
        for entry in range(n_near):
            near[filled + entry] = chosen[entry]
            similarities[filled + entry] = values[entry]
        filled += n_near
        ends[place + 1] = filled


@part
def _add_up(
    item: int,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    weights: Array,
    D: Array,
    T: Array,
    L: Array,
) -> int:
    """Add up the sums of one item with all others, users ascending; return how many have one."""
    n_met, is_weighted = 0, len(user_values) > 0
    D[item] = 1.0  # above zero, so it is not met itself
    for like in range(item_starts[item], item_starts[item + 1]):
        user = item_users[like]
        weight = weights[user]
        value = item_values[like] if is_weighted else 1.0
        for place in range(user_starts[user], user_starts[user + 1]):
            other = user_items[place]
            total = D[other]
            # Written always, kept if new: no branch, which would be guessed wrongly half the time.
            L[n_met] = other
            n_met += total == 0.0
            # The same to the bit for both items of a pair.
            D[other] = total + ((value * user_values[place]) * weight if is_weighted else weight)
    D[item] = 0.0
    if len(T):
        for like in range(item_starts[item], item_starts[item + 1]):
            user = item_users[like]
            for place in range(user_starts[user], user_starts[user + 1]):
                T[user_items[place]] += 1.0
        T[item] = 0.0
    return n_met


@part
def _compare(
    n_met: int,
    size: float,
    target_sizes: Array,
    is_root: bool,
    shrinkage: float,
    D: Array,
    T: Array,
    L: Array,
    sizes: Array,
    S: Array,
) -> None:
    """Turn the sums of those met into similarities, and clear the sums."""
    for entry in range(n_met):
        other = L[entry]
        S[entry] = D[other]
        sizes[entry] = size * target_sizes[other]
        D[other] = 0.0
    if shrinkage > 0.0:
        for entry in range(n_met):
            common = T[L[entry]] if len(T) else S[entry]
            value = _similarity(S[entry], sizes[entry], is_root)
            S[entry] = value * (common / (common + shrinkage))
        for entry in range(n_met if len(T) else 0):
            T[L[entry]] = 0.0
    elif is_root:
        for entry in range(n_met):
            S[entry] = _similarity(S[entry], sizes[entry], True)
    else:
        for entry in range(n_met):
            S[entry] = _similarity(S[entry], sizes[entry], False)


@part
def _similarity(total: float, size: float, is_root: bool) -> float:
    # The root of a quotient of whole numbers: equal cosines are equal floats.
    return np.sqrt(total * total / size) if is_root else total / size


@part
def _bound(n_met: int, k: int, S: Array, bits: Array, bins: Array) -> float:
    """Return a number that the k largest similarities reach, and few others."""
    most = np.int64(0)
    for entry in range(n_met):
        most = max(most, bits[entry])
    last = len(bins) - 1
    for place in range(len(bins)):
        bins[place] = 0
    most >>= _BIN
    for entry in range(n_met):
        bins[min(most - (bits[entry] >> _BIN), last)] += 1
    place, count = 0, np.int64(bins[0])
    while count < k:
        place += 1
        count += bins[place]
    if place == last:  # of all that are far below the largest
        return 0.0
    # The last place is free, as no item is met beside itself.
    bits[len(bits) - 1] = (most - place) << _BIN
    return float(S[len(S) - 1])


@part
def _sort(items: Array, count: int, n_items: int, spare: Array, digits: Array) -> None:
    """Sort items, by insertion or digit by digit."""
    if count <= _FEW:
        for last in range(1, count):
            item, hole = items[last], last
            while hole > 0 and items[hole - 1] > item:
                items[hole] = items[hole - 1]
                hole -= 1
            items[hole] = item
        return
    shift = 0
    while (n_items - 1) >> shift > 0:
        for digit in range(DIGITS):
            digits[digit] = 0
        for entry in range(count):
            digits[(items[entry] >> shift) & (DIGITS - 1)] += 1
        place = np.int32(0)
        for digit in range(DIGITS):
            here = digits[digit]
            digits[digit] = place
            place += here
        for entry in range(count):
            digit = (items[entry] >> shift) & (DIGITS - 1)
            spare[digits[digit]] = items[entry]
            digits[digit] += 1
        for entry in range(count):
            items[entry] = spare[entry]
        shift += _BITS


@part
def _sort_pairs(values: Array, items: Array, count: int) -> None:
    """Sort pairs by item: a heap with the last item at its root, taken from the end."""
    for root in range(count // 2 - 1, -1, -1):
        _sink(values, items, root, count)
    for last in range(count - 1, 0, -1):
        value, item = values[last], items[last]
        values[last], items[last] = values[0], items[0]
        values[0], items[0] = value, item
        _sink(values, items, 0, last)


@part
def _sink(values: Array, items: Array, hole: int, size: int) -> None:
    value, item = values[hole], items[hole]
    while 2 * hole + 1 < size:
        child = 2 * hole + 1
        if child + 1 < size and items[child + 1] > items[child]:
            child += 1
        if items[child] <= item:
            break
        values[hole], items[hole] = values[child], items[child]
        hole = child
    values[hole], items[hole] = value, item
