"""Draws random numbers by their place: the n-th number of a key, on any thread, in any order.

SplitMix64 (Steele, Lea, Flood 2014): its state after n draws is the key plus n times a constant, so
that it needs no generator that threads would share.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import bare_kernel, part

Array = npt.NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@part
def mixed(state: Any) -> Any:
    """Return 64 random bits of a state of 64 bits."""
    z = (state ^ (state >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@part
def key_of(key: Any, row: Any) -> Any:
    """Return the key of a row, such as a user's, under a key of an epoch."""
    return mixed(key + mixed(np.uint64(row) + _GOLDEN))


@part
def below(key: Any, draw: Any, count: int) -> int:
    """Return the draw-th whole number of a key, from 0 to below `count`.

    The upper 32 bits times the count: uneven by less than ``count / 2 ** 32``.
    """
    bits = mixed(key + np.uint64(draw + 1) * _GOLDEN) >> np.uint64(32)
    return int((bits * np.uint64(count)) >> np.uint64(32))


@bare_kernel
def draw_below(key: Any, count: int, out: Array) -> None:
    """Fill `out`, int64, with whole numbers below `count`: those that `below` draws."""
    for draw in range(len(out)):
        out[draw] = below(key, draw, count)
