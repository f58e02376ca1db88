"""Deals each user's likes into parts of the items, in random order.

Notation
--------
n, m : users and items
P : parts; those of items are numbered 0 to P - 1
L : int64, (n + 1,)
    Likes of user u: ``liked[L[u]:L[u + 1]]``.
"""

from typing import Any

import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part
from alsolike.kernels.pairwise.draws import below, key_of

Array = npt.NDArray[Any]


@bare_kernel
def deal_likes(
    users: Array,
    L: Array,
    liked: Array,
    weights: Array,
    part_of: Array,
    first_part: int,
    n_parts: int,
    key: Any,
    counts: Array,
    shuffled: Array,
    dealt: Array,
    dealt_weights: Array,
    next_like: Array,
) -> None:
    """Write the likes of users to `dealt`, part after part of the items, beginning with one.

    Within a part they are in random order. `next_like` is set to the first like of each user.

    Parameters
    ----------
    users : int32, (n_chosen,)
        Whose likes are dealt.
    liked, weights : int32 and float32, (n_likes,)
        `weights` may be empty: all likes weigh the same.
    part_of : int32, (m,)
    first_part, n_parts : int
        P, and the part that comes first; the others follow, and after the last one number 0.
    key : uint64
    counts, shuffled : int64, (P + 1,) and (most likes of a user,)
        Overwritten.
    dealt, dealt_weights : int32 and float32, (n_likes,)
        Written where these users' likes are in `liked`.
    next_like : int64, (n,)
    """
    for user in users:
        start, stop = L[user], L[user + 1]
        next_like[user] = start
        own = key_of(key, user)
        length = stop - start
        counts[:] = 0
        for place in range(length):  # Fisher, Yates
            other = below(own, place, place + 1)
            shuffled[place] = shuffled[other]
            shuffled[other] = start + place
            counts[_turn(part_of[liked[start + place]], first_part, n_parts) + 1] += 1
        for turn in range(n_parts):
            counts[turn + 1] += counts[turn]
        for place in range(length):
            like = shuffled[place]
            turn = _turn(part_of[liked[like]], first_part, n_parts)
            target = start + counts[turn]
            counts[turn] += 1
            dealt[target] = liked[like]
            if len(weights):
                dealt_weights[target] = weights[like]


@part
def _turn(item_part: int, first_part: int, n_parts: int) -> int:
    """Return when a part's turn comes: 0 for the first."""
    turn = item_part - first_part
    return turn + n_parts if turn < 0 else turn
