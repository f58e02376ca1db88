"""Draws the dial of each family: precision against how specific its similar items are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from alsolike.tables import Table
from alsolike.views.figures import label_placement, marks
from alsolike.views.figures.marks import ACCENT, INK, MUTED, PAPER, PHONE, Row, Spec
from alsolike.views.figures.run_points import upright
from alsolike.views.labels import begun
from alsolike.views.page import clean, finite, rounded

_PLOT = (860, 400)
_SIZES = (_PLOT, PHONE)
_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_NAME = 24  # characters


@dataclass
class _Layout:
    """Places points and labels in both sizes of the drawing."""

    across: tuple[float, float]
    upward: tuple[float, float]
    taken: tuple[list[label_placement.Box], ...] = field(default_factory=lambda: ([], []))

    def place(self, point: Row, size: tuple[int, int]) -> tuple[float, float]:
        """Return the position of a point in a drawing of `size`, from the upper left."""
        (left, right), (low, high) = self.across, self.upward
        along = size[0] * (point["x"] - left) / (right - left)
        return along, size[1] * (high - point["value"]) / (high - low)

    def written(self, point: Row, text: str, colour: str, *, always: bool = True) -> list[Spec]:
        """Return `text` next to a point; nothing if it would cover others and need not be there."""
        drawings = [
            label_placement.Drawing(self.place(point, size), size[0], boxes)
            for size, boxes in zip(_SIZES, self.taken, strict=True)
        ]
        side = label_placement.best_side(text, drawings)
        if not always and not all(label_placement.is_free(text, side, one) for one in drawings):
            return []
        for boxes, size in zip(self.taken, _SIZES, strict=True):
            boxes.append(label_placement.box(text, side, self.place(point, size)))
        align, right, down = side
        look = {"align": align, "dx": right, "dy": down, "baseline": "middle", "fontSize": 12}
        datum = {"x": point["x"], "value": point["value"], "words": text}
        weight = 600 if colour == ACCENT else 400
        return marks.haloed(
            {
                "data": {"values": [datum]},
                "mark": {"type": "text", "fontWeight": weight, "aria": False, "color": colour}
                | look,
                "encoding": {"text": {"field": "words"}},
            }
        )


def dials(table: Table, *, x: str, y: str, chosen: tuple[str, float | None]) -> Spec:
    """Draw a line per model through the marks of its dial, and a point for a model without one.

    Parameters
    ----------
    table : Table
        ``model``, ``mark`` (None for a model without a dial), and the columns `x` and `y`; rows
        without a value in one of these are left out, and the description counts them.
    x, y : str
        Columns, whose names are the titles of the axes.
    chosen : (str, float or None)
        The model and the mark that are published, drawn in colour.

    Raises
    ------
    SettingError
        A column is missing, or no row has both values.

    Examples
    --------
    >>> table = Table({"model": ["als", "als", "popularity"], "mark": [0.0, 1.0, None],
    ...                "share shown": [0.8, 0.2, 0.1], "precision@10": [0.3, 0.4, 0.2]})
    >>> dials(table, x="share shown", y="precision@10", chosen=("als", 1.0))["description"]
    'Precision@10 by share shown. als: 0.8 and 0.3 at mark 0, 0.2 and 0.4 at mark 1 (published);
    popularity: 0.1 and 0.2.'
    """
    marks.require(table, ["model", "mark", x, y], "row")
    points = [_point(row, x, y, chosen, place) for place, row in enumerate(table.rows())]
    known = [point for point in points if None not in (point["x"], point["value"])]
    marks.require(Table.from_rows(known) if known else Table({"model": []}), ["model"], "value")
    title = f"{begun(y)} by {clean(x)}"
    missing = f"; {len(points) - len(known):,} without a value" if len(known) < len(points) else ""
    models = list(dict.fromkeys(point["model"] for point in known))
    models.sort(key=lambda model: model != clean(chosen[0], most=_NAME))  # stable
    return {
        **marks.frame("", f"{title}{missing}. {'; '.join(_said(m, known) for m in models)}."),
        "title": {
            "text": title,
            "subtitle": "Lines go through the marks of a dial, from specific (0) to popular (1); "
            "the published mark is filled",
        },
        "width": _PLOT[0],
        "height": _PLOT[1],
        **_drawing(known, models, x, y),
    }


def _drawing(known: Sequence[Row], models: Sequence[str], x: str, y: str) -> Spec:
    """Return the encoding and the layers: lines, points, and labels."""
    across, upward = (_range([point[axis] for point in known]) for axis in ("x", "value"))
    plan = _Layout(across, upward)
    own = {model: [point for point in known if point["model"] == model] for model in models}
    for boxes, size in zip(plan.taken, _SIZES, strict=True):
        places = [[plan.place(point, size) for point in own[model]] for model in models]
        boxes += [label_placement.around(place) for line in places for place in line]
        boxes += [box for line in places for box in label_placement.along_lines(line)]
    layers: list[Spec] = []
    for model in reversed(models):  # the published one on top
        layers += _line(own[model], is_first=model == models[0])
    for model in reversed(models):
        layers.append(_dots(own[model], _SHAPES[models.index(model) % len(_SHAPES)]))
    for model in models:
        colour = ACCENT if model == models[0] else INK
        layers += plan.written(_end(own[model]), model, colour)
    for model in models:
        with_marks = [point for point in own[model] if point["mark"] is not None]
        for point in with_marks if model == models[0] else [*with_marks[:1], *with_marks[-1:]]:
            colour = ACCENT if point["standing"] == "published" else MUTED
            text = f"{point['mark']:g}"
            layers += plan.written(point, text, colour, always=point["standing"] == "published")
    horizontal: Spec = {
        "field": "x",
        "type": "quantitative",
        "title": clean(x),
        "axis": {"tickCount": 5},
        "scale": {"domain": across, "zero": False, "nice": False},
    }
    return {"encoding": {"x": horizontal, "y": upright(clean(y), upward)}, "layer": layers}


def _point(row: Row, x: str, y: str, chosen: tuple[str, float | None], place: int) -> Row:
    mark, model = finite(row["mark"]), clean(str(row["model"]), most=_NAME)
    at = "" if mark is None else f" at mark {mark:g}"
    is_chosen = (row["model"], mark) == chosen
    return {
        "model": model,
        "mark": mark,
        "x": finite(row[x]),
        "value": finite(row[y]),
        "standing": "published" if is_chosen else "other",
        "trace": f"row {place}",
        "label": f"{model}{at}{', published' if is_chosen else ''}",
        "text": f"{clean(y)} {rounded(row[y])}, {clean(x)} {rounded(row[x])}",
    }


def _said(model: str, known: Sequence[Row]) -> str:
    """Return the values of a model as text."""
    texts = []
    for point in known:
        if point["model"] == model:
            at = "" if point["mark"] is None else f" at mark {point['mark']:g}"
            at += " (published)" if point["standing"] == "published" and at else ""
            texts.append(f"{point['x']:.3g} and {point['value']:.3g}{at}")
    return f"{model}: {', '.join(texts)}"


def _line(points: Sequence[Row], *, is_first: bool) -> list[Spec]:
    if len(points) < 2:
        return []
    colour, width = (ACCENT, 2.4) if is_first else (MUTED, 1.4)
    look = {"type": "line", "color": colour, "strokeWidth": width, "aria": False}
    order = {"order": {"field": "mark", "type": "quantitative"}}
    return [{"data": {"values": list(points)}, "mark": look, "encoding": order}]


def _dots(points: Sequence[Row], shape: str) -> Spec:
    """Return the points of a model; the published one is larger and filled."""
    looks = {"published": (170, PAPER, ACCENT), "other": (46, MUTED, PAPER)}
    names = list(looks)
    encoding: Spec = {
        channel: {
            "field": "standing",
            "type": "nominal",
            "scale": {"type": "ordinal", "domain": names, "range": [looks[n][at] for n in names]},
            "legend": None,
        }
        for at, channel in enumerate(("size", "stroke", "fill"))
    }
    encoding["description"] = {"field": "trace"}
    return {
        "data": {"values": list(points)},
        "mark": {"type": "point", "shape": shape, "opacity": 1, "strokeWidth": 1.2},
        "encoding": encoding,
    }


def _end(points: Sequence[Row]) -> Row:
    """Return the point that bears the model's name: its most specific mark."""
    return min(points, key=lambda point: -1.0 if point["mark"] is None else point["mark"])


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis, with a margin."""
    low, high = min(values), max(values)
    margin = 0.07 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin
