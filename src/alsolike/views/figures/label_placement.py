"""Where numbers and words stand beside points, so that none covers another."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

Box = tuple[float, float, float, float]  # left, top, right, bottom
Side = tuple[str, float, float]  # alignment of words beside a point, offset to the right and down

_LETTER, _LINE = 6.6, 15.0  # how wide a letter of 12 units is on average, and a line how high
_DOT = 4.5  # half the width of a dot
_FAR = 9.0  # from the middle of a point to the words beside it


class Drawing(NamedTuple):
    """A point in one of the sizes of a figure.

    Parameters
    ----------
    place : (x, y)
        Of the point, from the upper left.
    width : float
        Of the drawing.
    taken : sequence of boxes
        What words should not cover.
    """

    place: tuple[float, float]
    width: float
    taken: Sequence[Box]


def apart(places: Sequence[tuple[float, float]], *, distance: float, most: int) -> list[int]:
    """Return which of `places` can have a number each, the last before the others.

    Parameters
    ----------
    places : sequence of (x, y)
        In units of the narrowest drawing, by time.
    distance : float
        Two that are closer than this in both directions do not both get one.
    most : int
        So many at most, spread over all.
    """
    kept: list[int] = []
    for at in _spread(len(places)):
        x, y = places[at]
        near = (abs(x - places[one][0]) < distance and abs(y - places[one][1]) < distance
                for one in kept)  # fmt: skip
        if len(kept) < most and not any(near):
            kept.append(at)
    return sorted(kept)


def beside(text: str, drawings: Sequence[Drawing]) -> Side:
    """Return where to write `text` beside a point: its alignment and its offset, right and down.

    Right of the point, left, below or above: the first that keeps within all drawings and covers
    nothing, or else what covers least.

    Examples
    --------
    >>> beside("ease", [Drawing((100, 50), 300, [])])
    ('left', 9.0, 0.0)
    >>> beside("ease", [Drawing((280, 50), 300, [])])
    ('right', -9.0, 0.0)
    """
    sides: list[Side] = [("left", _FAR, 0.0), ("right", -_FAR, 0.0)]
    sides += [(align, 0.0, down) for down in (_LINE, -_LINE) for align in ("left", "right")]
    return min(sides, key=lambda side: sum(_harm(text, side, drawing) for drawing in drawings))


def around(place: tuple[float, float]) -> Box:
    """Return the room that a dot takes."""
    x, y = place
    return x - _DOT, y - _DOT, x + _DOT, y + _DOT


def along_steps(corners: Sequence[tuple[float, float]]) -> list[Box]:
    """Return the room that a line takes which goes right, then up or down, to each corner."""
    boxes: list[Box] = []
    for (x, y), (right, end) in itertools.pairwise(corners):
        boxes.append((x, y - 1, right, y + 1))
        boxes.append((right - 1, min(y, end), right + 1, max(y, end)))
    return boxes


def box(text: str, side: Side, place: tuple[float, float]) -> Box:
    """Return the room that `text` takes at `side` of the point at `place`."""
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
    """Return the numbers below `count`, the last first, then the first, then what halves gaps."""
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
