"""Builds the parts of figures in Vega-Lite: colours, axes, lines, dots and labels."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from alsolike.errors import SettingError
from alsolike.tables import Table
from alsolike.views.page import clean, finite, rounded

Spec = dict[str, Any]
Row = dict[str, Any]

INK, MUTED, GRID, ACCENT, PAPER = "#1f1d1a", "#625d56", "#e4dfd6", "#0b6a60", "#ffffff"
ROLES = {INK: "ink", MUTED: "muted", GRID: "grid", ACCENT: "accent", PAPER: "paper"}

PHONE = (296, 300)  # the width of a panel on a phone, and its greatest height
EDGE = 26  # between the end of a panel and the outermost points

_FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"

_CONFIG: Spec = {
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "domainColor": MUTED,
        "gridColor": GRID,
        "labelColor": MUTED,
        "labelFontSize": 12,
        "tickColor": MUTED,
        "tickSize": 4,
        "titleColor": MUTED,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "axisY": {"domain": False, "ticks": False, "labelPadding": 8, "minExtent": 56},
    "axisX": {"grid": False},
    "title": {
        "anchor": "start",
        "color": INK,
        "fontSize": 15,
        "fontWeight": 600,
        "offset": 14,
        "subtitleColor": MUTED,
        "subtitleFontSize": 12,
        "subtitlePadding": 5,
    },
    "concat": {"spacing": 28},
    "legend": {
        "labelColor": MUTED,
        "labelFontSize": 12,
        "labelLimit": 320,
        "orient": "top",
        "symbolOpacity": 1,
        "columnPadding": 44,  # a page may have a wider typeface
        "rowPadding": 4,
        "offset": 20,
        "title": None,
    },
}


def require(table: Table, names: Iterable[str], row: str) -> None:
    """Raise SettingError if `table` lacks one of these columns, or has no rows (of such a kind)."""
    missing = [name for name in names if name not in table]
    if missing:
        raise SettingError(
            f"A figure needs the columns {missing}; the table has {list(table.column_names)}."
        )
    if not len(table):
        raise SettingError(f"A figure needs at least one {row}; the table has no rows.")


def frame(title: str, description: str) -> Spec:
    """Return the common part of all figures: background, title, description, configuration."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": PAPER,
        "padding": 14,
        "title": clean(title),
        "description": clean(description, most=600),
        "config": _CONFIG,
    }


def axes(sweeps: Sequence[int], title: str) -> Spec:
    """Return the shared encoding, with ticks only at scored sweeps."""
    known = sorted(set(sweeps))
    step = math.ceil(len(known) / 10)
    return {
        "x": {
            "field": "sweep",
            "type": "quantitative",
            "title": "sweep",
            "axis": {"values": known[::step], "format": "d"},
            "scale": {"domain": [known[0], known[-1]], "nice": False, "zero": False},
        },
        "y": upright(title),
    }


def upright(title: str) -> Spec:
    """Return the encoding of the metric on the vertical axis."""
    return {
        "field": "value",
        "type": "quantitative",
        "title": title or None,
        "axis": {"tickCount": 4},
        "scale": {"zero": False, "nice": False, "padding": 10},
    }


def line(
    points: list[Row], colour: str, *, width: float, ranks: Sequence[int] | None = None
) -> Spec:
    """Return a line for each trace of `points`; with `ranks`, faded by the rank of its points."""
    encoding: Spec = {"detail": {"field": "trace"}, "description": {"field": "trace"}}
    if ranks is not None:
        scale = {
            "type": "pow",
            "exponent": 0.5,
            "domain": [1, max(*ranks, 2)],
            "range": [0.6, 0.09],
        }
        opacity = {"field": "rank", "type": "quantitative", "scale": scale, "legend": None}
        encoding["strokeOpacity"] = opacity
    mark = {"type": "line", "color": colour, "strokeWidth": width, "strokeJoin": "round"}
    return {"data": {"values": points}, "mark": mark, "encoding": encoding}


def dot(point: Row, colour: str = ACCENT) -> Spec:
    """Return a dot at `point`."""
    mark = {"type": "point", "filled": True, "color": colour, "size": 60, "opacity": 1}
    return {"data": {"values": [point]}, "mark": mark}


def words(point: Row, words: str, sweeps: Sequence[int]) -> Spec:
    """Return a label next to `point`, towards the middle of the figure."""
    late = 2 * point["sweep"] > min(sweeps) + max(sweeps)
    mark = {
        "type": "text",
        "color": ACCENT,
        "fontSize": 12,
        "fontWeight": 600,
        "align": "right" if late else "left",
        "dx": -6 if late else 6,
        "dy": -14,
    }
    data = {"values": [{**point, "words": words}]}
    return {"data": data, "mark": mark, "encoding": {"text": {"field": "words"}}}


def baseline(value: float | None, name: str = "popularity") -> list[Spec]:
    """Return a dashed rule at the score of a model, with a label."""
    if finite(value) is None:
        return []
    data = {"values": [{"value": value, "words": f"{clean(name)}: {rounded(value)}"}]}
    rule = {"type": "rule", "color": MUTED, "strokeDash": [5, 4], "strokeWidth": 1.5}
    text = {"type": "text", "color": MUTED, "fontSize": 12, "align": "right", "dx": -4, "dy": -9}
    aside = {"x": {"value": "width"}, "text": {"field": "words"}}
    words = {"data": data, "mark": text, "encoding": aside}
    return [{"data": data, "mark": rule, "encoding": {"x": None}}, *haloed(words)]


def haloed(layer: Spec) -> list[Spec]:
    """Return a layer of labels twice: first as a halo, so that lines do not cross them out."""
    halo = {"stroke": PAPER, "strokeWidth": 4, "strokeJoin": "round"}
    return [{**layer, "mark": {**layer["mark"], **halo}}, layer]
