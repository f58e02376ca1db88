"""Steps of stochastic gradient descent on pairs of a liked item and another: BPR, WARP, k-OS WARP.

Notation
--------
n, m, f : users, items and factors
X, Y, b : float32, (n, width), (m, width) and (m,)
    Factors of users and items, and item biases; `width` is f or the next multiple of 8, and the
    columns from f on are zeros. The score of item i is ``x . y_i + b_i``.
i, j : a liked item, and one drawn that is not
g : minus the slope of the pair's loss by ``s_i - s_j``, times the weight of the like
GX, GY, Gb : float32, (n,), (m,) and (m,)
    1 and the squares of all steps' gradients, their mean over a row: Adagrad with one rate for each
    row. Steps are divided by their roots.

A block has the likes of some users of items of one part. Blocks without a common user and a common
item write to different rows: they may run at once, and give the bytes of one after the other.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part
from alsolike.kernels.compiler.vectors import dot
from alsolike.kernels.pairwise.draws import below, key_of
from alsolike.kernels.pairwise.move import move_rows

Array = npt.NDArray[Any]

# Draws for one other item until a liked one is given up.
_TRIES = 16
# As LightFM has it: no step is longer than that of some 22,000 items before.
_MOST = 10.0


@bare_kernel
def learn_block(
    users: Array,
    L: Array,
    dealt: Array,
    weights: Array,
    next_like: Array,
    part_of: Array,
    item_part: int,
    others: Array,
    n_rivals: int,
    is_warp: bool,
    n_drawn: int,
    draws: int,
    order: int,
    f: int,
    rates: Array,
    is_adaptive: bool,
    key: Any,
    marks: Array,
    X: Array,
    GX: Array,
    Y: Array,
    GY: Array,
    b: Array,
    Gb: Array,
) -> None:
    """Take a step for each like of these users among the items of one part.

    Parameters
    ----------
    users : int32, (n_chosen,)
        In their order.
    L, dealt, weights, next_like
        As `alsolike.kernels.pairwise.blocks.deal_likes` wrote them; `next_like` moves on.
    part_of, item_part : int32 (m,), and the part of this block
    others : int32, (n_others,)
        Items of the part, each as often as it is to be drawn.
    n_rivals : int
        Items besides the liked one, of all parts, by which WARP estimates a rank.
    is_warp : bool
        WARP draws at most `n_drawn` items until one scores above the liked one less 1; BPR takes
        the best of `n_drawn`.
    draws, order : int
        k-OS WARP takes the like that scores `order`-th of so many drawn ones; 0: each like once.
    rates : float32, (4,)
        The learning rate, and lambda of users, items and biases.
    is_adaptive : bool
        Whether GX, GY and Gb grow: Adagrad, or plain descent.
    key : uint64
    marks : uint8, (m,)
        Zeros.
    """
    for user in users:
        start = next_like[user]
        stop, last = start, L[user + 1]
        while stop < last and part_of[dealt[stop]] == item_part:
            marks[dealt[stop]] = 1
            stop += 1
        next_like[user] = stop
        own, draw = key_of(key, user), 0
        for place in range(start, stop):
            like = place
            if order:
                like, draw = _kth_best(user, start, stop, dealt, X, Y, b, draws, order, own, draw)
            i = dealt[like]
            score = _score(X, user, Y, i) + b[i]
            if is_warp:
                j, g, draw = _above(user, score, others, n_rivals, n_drawn, own, draw, marks,
                                    X, Y, b)  # fmt: skip
            else:
                j, g, draw = _best(user, score, others, n_drawn, own, draw, marks, X, Y, b)
            if j >= 0:
                if len(weights):
                    g *= weights[like]
                _step(user, i, j, np.float32(g), f, rates, is_adaptive, X, GX, Y, GY, b, Gb)
        for place in range(start, stop):
            marks[dealt[place]] = 0


@part
def _kth_best(user: int, start: int, stop: int, dealt: Array, X: Array, Y: Array, b: Array,
              draws: int, order: int, key: Any, draw: int) -> Any:  # fmt: skip
    """Return the place of the like that scores `order`-th of some drawn ones, and the next draw.

    Repeated: of the draws not yet passed, the best by score, then by draw.
    """
    bar, bar_draw, best_place = np.float32(np.inf), -1, start
    for _ in range(order):
        best, best_draw = np.float32(-np.inf), -1
        for one in range(draws):
            place = start + below(key, draw + one, stop - start)
            item = dealt[place]
            score = _score(X, user, Y, item) + b[item]
            is_open = score < bar or (score == bar and one > bar_draw)
            if is_open and (best_draw < 0 or score > best):
                best, best_draw, best_place = score, one, place
        bar, bar_draw = best, best_draw
    return best_place, draw + draws


@part
def _best(user: int, score: Any, others: Array, n_drawn: int, key: Any, draw: int, marks: Array,
          X: Array, Y: Array, b: Array) -> Any:  # fmt: skip
    """Return the best of some items drawn, g of BPR, and the next draw; -1: all are liked."""
    best, found, count = np.float32(-np.inf), -1, len(others)
    for _ in range(n_drawn):
        j = others[below(key, draw, count)]
        draw += 1
        tried = 1
        while marks[j] and tried < _TRIES:
            j = others[below(key, draw, count)]
            draw += 1
            tried += 1
        if marks[j]:
            continue
        other = _score(X, user, Y, j) + b[j]
        if found < 0 or other > best:
            best, found = other, j
    return found, 1.0 / (1.0 + math.exp(score - best)), draw


@part
def _above(user: int, score: Any, others: Array, n_rivals: int, n_drawn: int, key: Any, draw: int,
           marks: Array, X: Array, Y: Array, b: Array) -> Any:  # fmt: skip
    """Return the first drawn item that is not ranked below by 1, g of WARP, and the next draw.

    -1: there was none. g is the logarithm of the estimated rank.
    """
    count = len(others)
    for tried in range(1, n_drawn + 1):
        j = others[below(key, draw, count)]
        draw += 1
        if marks[j]:
            continue
        if _score(X, user, Y, j) + b[j] > score - np.float32(1.0):
            return j, min(math.log(max(n_rivals // tried, 1)), _MOST), draw
    return -1, 0.0, draw


@part
def _score(X: Array, user: int, Y: Array, item: int) -> Any:
    width = X.shape[1]
    return dot(X, user * width, Y, item * width, width)


@part
def _step(user: int, i: int, j: int, g: Any, f: int, rates: Array, is_adaptive: bool, X: Array,
          GX: Array, Y: Array, GY: Array, b: Array, Gb: Array) -> None:  # fmt: skip
    """Move the factors of a user and two items, and both biases, by one step."""
    width = X.shape[1]
    x, y, z = user * width, i * width, j * width
    if is_adaptive:
        apart = dot(Y, y, Y, y, width) + dot(Y, z, Y, z, width)
        apart = max(apart - np.float32(2.0) * dot(Y, y, Y, z, width), np.float32(0.0))
        square = g * g / np.float32(f)
        GX[user] += square * apart
        square *= dot(X, x, X, x, width)
        GY[i] += square
        GY[j] += square
        Gb[i] += g * g
        Gb[j] += g * g
    one, rate = np.float32(1.0), rates[0]
    x_rate, i_rate, j_rate = rate / np.sqrt(GX[user]), rate / np.sqrt(GY[i]), rate / np.sqrt(GY[j])
    move_rows(X, x, Y, y, z, width, one - x_rate * rates[1], x_rate * g, one - i_rate * rates[2],
              i_rate * g, one - j_rate * rates[2], j_rate * g)  # fmt: skip
    i_rate, j_rate = rate / np.sqrt(Gb[i]), rate / np.sqrt(Gb[j])
    b[i] += i_rate * (g - rates[3] * b[i])
    b[j] -= j_rate * (g + rates[3] * b[j])
