"""Places values along an axis: linear, logarithmic with a place for zero, or as texts."""

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.text import duration
from alsolike.views.figures.marks import EDGE, Spec
from alsolike.views.labels import plain

_DECADE = 10.0
_FEW = 9  # different values, at most, that have a tick each
_MANY = 4  # ticks, at most, among decades
_LETTER = 7.6  # the width of a digit at font size 12 in a wide typeface
_TIMES = (1e-3, 1e-2, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0, 360000.0)
_TIMES_BETWEEN = (
    2e-3, 5e-3, 2e-2, 5e-2, 0.2, 0.5, 2.0, 5.0, 20.0, 30.0, 120.0, 300.0, 1200.0, 1800.0,
    7200.0, 18000.0, 72000.0, 180000.0,
)  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """An axis, and the place of each value on it.

    Parameters
    ----------
    encoding : spec
        Of the channel, without its field.
    places : mapping of value to number or str
        The value in the drawing's data: the value itself, except for zero on a logarithmic scale,
        and for texts, which are cleaned and made unique.
    shares : mapping of place to float
        The position of each place along the axis, from 0 to 1.
    """

    encoding: Spec
    places: Mapping[Any, float | str]
    shares: Mapping[float | str, float]

    def share(self, value: Any) -> float:
        """Return the position of `value` along the axis, from 0 to 1."""
        return self.shares[self.places[value]]

    def least_gap(self, width: float) -> float:
        """Return the smallest distance of two places on an axis of `width` units."""
        gaps = (
            after - before for before, after in itertools.pairwise(sorted(self.shares.values()))
        )
        return width * min(gaps, default=1.0)


def number_axis(values: Iterable[float], *, width: float) -> Axis:
    """Return an axis for numbers: logarithmic if they span a decade, then zero has its own tick.

    A few numbers have a tick each; if the labels would overlap, at equal distances.

    Parameters
    ----------
    values : iterable of float
        At least one; all finite.
    width : float
        Of the narrowest drawing.

    Examples
    --------
    >>> axis = number_axis([0.0, 0.001, 0.1, 10.0], width=300)
    >>> axis.encoding["scale"]["type"], axis.places[0.1]
    ('log', 0.1)
    >>> 0 < axis.places[0.0] < 0.001
    True
    """
    known = sorted(set(values))
    places, scale = _places(known)
    shares = _shares(places, scale)
    ticks: list[tuple[float, str]] = []
    if len(known) <= _FEW:
        ticks = [(places[value], _short(value)) for value in known]
        if _crowded(ticks, shares, width - 2 * EDGE):
            return text_axis(known, width=width)
    elif scale == "log":
        ticks = [(places[value], "0") for value in known if value == 0]
        ticks += [(tick, _short(tick)) for tick in _decades(known)]
    return Axis(_encoding(places, scale, ticks), places, shares)


def time_axis(seconds: Iterable[float]) -> Axis:
    """Return an axis for times in seconds, at least one, with ticks such as 0.1 s, 1 min, 1 h."""
    known = sorted(set(seconds))
    places, scale = _places(known)
    low, high = min(places.values()), max(places.values())
    if scale == "linear":
        return Axis(
            _encoding(places, scale, [(time, duration(time)) for time in _steps(low, high)]),
            places,
            _shares(places, scale),
        )
    zero = [place for value, place in places.items() if value == 0]
    clear = max(low, *(1.5 * place for place in zero), 0)
    inside = [time for time in _TIMES if clear <= time <= high]
    if len(inside) < 3:
        inside += [time for time in _TIMES_BETWEEN if clear <= time <= high]
    ticks = [(place, "0 s") for place in zero] + [(time, duration(time)) for time in sorted(inside)]
    return Axis(_encoding(places, scale, ticks), places, _shares(places, scale))


def text_axis(values: Sequence[Any], *, width: float) -> Axis:
    """Return an axis for texts, in their order; long ones are cut to fit.

    Parameters
    ----------
    values : sequence
        Distinct texts, which may be hostile, or numbers.
    width : float
        Of the narrowest drawing.

    Examples
    --------
    >>> text_axis(["linear", "log"], width=300).shares
    {'linear': 0.25, 'log': 0.75}
    """
    places: dict[Any, str] = {}
    for value in values:
        text = _short(value).strip() or "(empty)"
        while text in places.values():
            text += "\u2032"  # two texts that are equal when cleaned and cut
        places[value] = text
    order = list(places.values())
    limit = max(36, round(width / len(order)) - 2)
    encoding = {
        "type": "ordinal",
        "scale": {"type": "point", "domain": order, "padding": 0.5},
        "axis": {"labelAngle": 0, "labelLimit": limit, "labelOverlap": "greedy"},
    }
    shares: dict[float | str, float]
    shares = {place: (at + 0.5) / len(order) for at, place in enumerate(order)}
    return Axis(encoding, places, shares)


def _places(known: Sequence[float]) -> tuple[dict[Any, float], str]:
    """Return the place of each number, and the scale; `known` ascends."""
    positive = [value for value in known if value > 0]
    if known[0] < 0 or not positive or positive[-1] < _DECADE * positive[0]:
        return {value: value for value in known}, "linear"
    decades = math.log10(positive[-1] / positive[0])
    zero = positive[0] / 10 ** max(0.2 * decades, 0.3)
    return {value: value if value > 0 else zero for value in known}, "log"


def _shares(places: Mapping[Any, float], scale: str) -> dict[float | str, float]:
    at = {place: math.log10(place) if scale == "log" else place for place in places.values()}
    low, high = min(at.values()), max(at.values())
    return {place: (x - low) / (high - low) if high > low else 0.5 for place, x in at.items()}


def _short(value: Any) -> str:
    """Return the label of a value, without leading zeros of an exponent."""
    text = plain(value)
    return re.sub(r"e([+-])0+", r"e\1", text) if isinstance(value, float) else text


def _crowded(
    ticks: Sequence[tuple[float, str]], shares: Mapping[float | str, float], width: float
) -> bool:
    """Return whether the labels of two neighbouring ticks would touch."""
    return any(
        width * (shares[after] - shares[before]) < _LETTER * ((len(one) + len(other)) / 2 + 0.5)
        for (before, one), (after, other) in itertools.pairwise(ticks)
    )


def _encoding(places: Mapping[Any, float], scale: str, ticks: Sequence[tuple[float, str]]) -> Spec:
    low, high = min(places.values()), max(places.values())
    if low == high:  # Vega would extend an empty domain in its own way
        low, high = (low / 2, high * 2) if scale == "log" else (low - 1, high + 1)
    axis: Spec = {"tickCount": 4}
    if ticks:
        # This expression has only numbers and our own words.
        named = (f"abs(datum.value - {at!r}) <= {abs(at) / 1e6!r} ? '{text}'" for at, text in ticks)
        axis = {"values": [at for at, _ in ticks], "labelExpr": f"{' : '.join(named)} : ''"}
    axis |= {"labelOverlap": "greedy", "labelSeparation": 4}
    return {
        "type": "quantitative",
        "axis": axis,
        "scale": {
            "type": scale,
            "domain": [low, high],
            "nice": False,
            "zero": False,
            "padding": EDGE,
        },
    }


def _decades(known: Sequence[float]) -> list[float]:
    """Return powers of ten within the range of `known`; if few, multiples by 3, or by 2 and 5."""
    low, high = next(value for value in known if value > 0), known[-1]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1,), (1, 3), (1, 2, 5)):
        exact = [float(f"{f}e{power}") for power in range(first, last + 1) for f in factors]
        inside = [tick for tick in exact if low <= tick <= high]
        if len(inside) > 2:
            break
    return inside[:: math.ceil(len(inside) / _MANY)]


def _steps(low: float, high: float) -> list[float]:
    """Return three to seven round times at equal steps within a range."""
    steps = [time for time in sorted(_TIMES + _TIMES_BETWEEN) if 3 * time <= high - low]
    step = steps[-1] if steps else max(high - low, 1e-3)
    first = math.ceil(low / step - 1e-9)
    return [round(step * n, 9) for n in range(first, math.floor(high / step + 1e-9) + 1)] or [low]
