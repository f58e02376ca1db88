"""Sums the products of two items' likes: all pairs of the most liked items, one item with all.

Notation
--------
X
    The weighted likes, users x items. Items are ranked by likes: 0 is the most liked.
G
    X'X. It is never stored whole.
user_starts, user_items, user_values : (n_users + 1,), int32 (n_likes,), float64 (n_likes,)
    X by users; items ascend, so the most liked come first.
item_starts, item_users, item_values
    X by items; users ascend. All sums run over ascending users.
H
    Items of the head: G of the pairs among them is stored as a packed lower triangle, float32,
    ``head[s * (s + 1) // 2 + t]`` for t <= s < H.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part

Array = npt.NDArray[Any]


@bare_kernel
def fill_head(
    first: int,
    last: int,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    totals: Array,
    head: Array,
) -> None:
    """Write the rows `first` to `last` of the head.

    Parameters
    ----------
    first, last : int
    totals : float64, (H,), zeros
        Zeros again at the end.
    head : float32, (H * (H + 1) // 2,)
    """
    for item in range(first, last):
        for place in range(item_starts[item], item_starts[item + 1]):
            user, value = item_users[place], item_values[place]
            for at in range(user_starts[user], user_starts[user + 1]):
                other = user_items[at]
                if other > item:
                    break
                totals[other] += value * user_values[at]
        row = np.int64(item) * (item + 1) // 2
        for other in range(item + 1):
            head[row + other] = totals[other]
            totals[other] = 0.0


@part
def add_row(
    item: int,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    totals: Array,
    places: Array,
    near: Array,
) -> int:
    """Add the row of an item to `totals`, and list the items with a sum in `near`; count them.

    Parameters
    ----------
    totals : float64, (n_items,), zeros
    places : int32, (n_items,), all -1
        Becomes 0 for the items of `near`.
    near : int32, (n_items,)
    """
    count = 0
    for place in range(item_starts[item], item_starts[item + 1]):
        user, value = item_users[place], item_values[place]
        for at in range(user_starts[user], user_starts[user + 1]):
            other = user_items[at]
            if places[other] < 0:
                places[other] = 0
                near[count] = other
                count += 1
            totals[other] += value * user_values[at]
    return count


@part
def add_pairs(
    item: int,
    chosen: Array,
    count: int,
    places: Array,
    user_starts: Array,
    user_items: Array,
    user_values: Array,
    item_starts: Array,
    item_users: Array,
    item_values: Array,
    sums: Array,
) -> None:
    """Add the products of an item with the first `count` of `chosen`, all at least as liked.

    Parameters
    ----------
    chosen : int32, ascending
    places : int32, (n_items,)
        The place of each chosen item, -1 elsewhere.
    sums : float64, (at least count,), zeros
    """
    for place in range(item_starts[item], item_starts[item + 1]):
        user, value = item_users[place], item_values[place]
        start, end = user_starts[user], user_starts[user + 1]
        # Users of very many items are searched; all others are read up to the item.
        length = end - start
        width = 1
        while 1 << width < length:
            width += 1
        if length > 4 * width * count:
            for position in range(count):
                other = chosen[position]
                low, high = start, end
                while low < high:
                    middle = (low + high) >> 1
                    if user_items[middle] < other:
                        low = middle + 1
                    else:
                        high = middle
                if low < end and user_items[low] == other:
                    sums[position] += value * user_values[low]
                start = low
        else:
            for at in range(start, end):
                other = user_items[at]
                if other > item:
                    break
                if places[other] >= 0:
                    sums[places[other]] += value * user_values[at]
