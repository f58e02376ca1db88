"""Places labels next to points, so that none covers another."""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

Box = tuple[float, float, float, float]  # left, top, right, bottom
Side = tuple[str, float, float]  # alignment of a label, its offset to the right and down

_LETTER, _LINE = 6.6, 15.0  # average width of a letter at font size 12, and height of a line
_DOT = 4.5  # half the width of a dot
_FAR = 9.0  # from the centre of a point to its label


class Drawing(NamedTuple):
    """A point in one size of a figure, from the upper left, and boxes not to cover."""

    place: tuple[float, float]
    width: float
    taken: Sequence[Box]


def apart(places: Sequence[tuple[float, float]], *, distance: float, most: int) -> list[int]:
    """Return the indices of at most `most` places to number, spread over all, first the last.

    Two that are closer than `distance` in both directions are not both numbered. Places are by
    time, in units of the narrowest drawing.
    """
    kept: list[int] = []
    for at in _spread(len(places)):
        x, y = places[at]
        near = (abs(x - places[one][0]) < distance and abs(y - places[one][1]) < distance
                for one in kept)  # fmt: skip
        if len(kept) < most and not any(near):
            kept.append(at)
    return sorted(kept)


def best_side(text: str, drawings: Sequence[Drawing]) -> Side:
    """Return the side of a point for `text`: right, left, below or above.

    It is the first side within all drawings that covers nothing, or else the one that covers least.

    Examples
    --------
    >>> best_side("ease", [Drawing((100, 50), 300, [])])
    ('left', 9.0, 0.0)
    >>> best_side("ease", [Drawing((280, 50), 300, [])])
    ('right', -9.0, 0.0)
    """
    sides: list[Side] = [("left", _FAR, 0.0), ("right", -_FAR, 0.0)]
    sides += [(align, 0.0, down) for down in (_LINE, -_LINE) for align in ("left", "right")]
    return min(sides, key=lambda side: sum(_harm(text, side, drawing) for drawing in drawings))


def is_free(text: str, side: Side, drawing: Drawing) -> bool:
    """Tell whether `text` at that side is within the drawing and covers nothing."""
    return _harm(text, side, drawing) == 0


def around(place: tuple[float, float]) -> Box:
    """Return the box of a dot."""
    x, y = place
    return x - _DOT, y - _DOT, x + _DOT, y + _DOT


def along_steps(corners: Sequence[tuple[float, float]]) -> list[Box]:
    """Return the boxes of a line that goes right, then up or down, to each corner."""
    boxes: list[Box] = []
    for (x, y), (right, end) in itertools.pairwise(corners):
        boxes.append((x, y - 1, right, y + 1))
        boxes.append((right - 1, min(y, end), right + 1, max(y, end)))
    return boxes


def along_lines(corners: Sequence[tuple[float, float]]) -> list[Box]:
    """Return small boxes along the straight lines from corner to corner."""
    boxes: list[Box] = []
    for (x, y), (right, end) in itertools.pairwise(corners):
        parts = max(math.ceil(math.hypot(right - x, end - y) / _DOT), 1)
        for part in range(1, parts):
            here, there = x + (right - x) * part / parts, y + (end - y) * part / parts
            boxes.append((here - 1, there - 1, here + 1, there + 1))
    return boxes


def box(text: str, side: Side, place: tuple[float, float]) -> Box:
    """Return the box of `text` at `side` of the point at `place`."""
    align, right, down = side
    long = _LETTER * len(text)
    left = place[0] + right - (long if align == "right" else 0.0)
    top = place[1] + down - _LINE / 2
    return left, top, left + long, top + _LINE


def _harm(text: str, side: Side, drawing: Drawing) -> float:
    here = box(text, side, drawing.place)
    outside = max(0.0, -here[0]) + max(0.0, here[2] - drawing.width)
    return outside * _LINE + sum(_shared(here, other) for other in drawing.taken)


def _spread(count: int) -> list[int]:
    """Return the numbers below `count`: the last, the first, then those that halve gaps."""
    order, gaps = [count - 1, 0][: max(count, 0)], [(0, count - 1)]
    while gaps:
        low, high = gaps.pop(0)
        if high - low > 1:
            middle = (low + high) // 2
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return order


def _shared(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
