"""Draws training time against score for each run, and the frontier of the two."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from alsolike.errors import SettingError
from alsolike.models.registry import names
from alsolike.tables import Table
from alsolike.text import counted, duration
from alsolike.views.figures import label_placement, marks, run_points
from alsolike.views.figures.axes import time_axis
from alsolike.views.figures.marks import ACCENT, INK, MUTED, PHONE, Row, Spec
from alsolike.views.labels import begun, spoken
from alsolike.views.page import finite, rounded

_SHAPES = ("circle", "triangle-up", "diamond", "square", "cross")  # of the families in their order
_FURTHER_SHAPES = ("triangle-down", "triangle-left", "triangle-right")
_PLOT = (528, 400)
_SIZES = (_PLOT, PHONE)  # of the drawing, on a page and on a phone
_LIST, _LIMIT = 268, 236  # widths of the list and of its text: a page may have a wider typeface
_LISTED, _APART = 5, 20.0  # numbered runs, and their least distance
_LINE, _LETTERS = 16, 36  # the height of a line of the list, and its characters


def time_and_score(leaderboard: Table, seconds: Sequence[float | None], score: str) -> Spec:
    """Draw training time against score for each run, and the frontier of the two.

    The frontier has the runs that no other run beats in both. They are numbered, with a list of
    their settings. The best run of each model is labelled with the model's name.

    Parameters
    ----------
    leaderboard : Table
        As for `settings_and_score`, of all models.
    seconds : sequence of float or None, (n_rows,)
        Time to train and score each run; at least 0, None if unknown.
    score : str
        As in the column names: ``"validation_precision@10"``.

    Raises
    ------
    SettingError
        A column is missing, `seconds` has another length than the leaderboard or a number below
        0, or no run has both a time and a score.

    Examples
    --------
    >>> runs = Table({"rank": [1, 2], "run": [1, None], "model": ["als", "popularity"],
    ...               "factors": [40, None], "validation_mrr": [0.3, 0.1]})
    >>> time_and_score(runs, [12.0, 0.1], "validation_mrr")["description"]
    'Validation mrr of 2 runs by training time. ... popularity, 0.1 s: 0.1000; run 1 (factors
    40), 12 s: 0.3000.'
    """
    marks.require(leaderboard, ["rank", score], "run")
    if len(seconds) != len(leaderboard):
        raise SettingError(
            f"A figure of times needs one for each row; the leaderboard has {len(leaderboard):,} "
            f"rows, and there are {len(seconds):,} times."
        )
    below = [time for time in seconds if (finite(time) or 0.0) < 0]
    if below:
        raise SettingError(f"Times must not be negative; one is {below[0]}.")
    scored = run_points.runs_of(leaderboard, score, seconds=seconds)
    runs = run_points.with_leaders([run for run in scored if run["seconds"] is not None])
    if not runs:
        raise SettingError(f"A figure of times needs a run with a time and a {score}.")
    alive = [run for run in runs if run["standing"] != run_points.DEAD]
    plan = _Layout(runs, frontier(alive or runs))
    on_phone = [plan.place(run, PHONE) for run in plan.reached]
    numbered = [
        plan.reached[at] for at in label_placement.apart(on_phone, distance=_APART, most=_LISTED)
    ]
    title = f"{begun(score)} of {counted(len(runs), 'run')} by training time"
    untimed = counted(len(scored) - len(runs), "run")
    missing = run_points.left_out(leaderboard, scored)
    missing += f"; {untimed} without a time not shown" if len(scored) > len(runs) else ""
    listed = "; ".join(
        f"{run['name']}{f' ({settings})' if (settings := run['settings']) else ''}, "
        f"{duration(run['seconds'])}: {rounded(run['value'])}"
        for run in plan.reached
    )
    return {
        **marks.frame("", f"{title}{missing}. On the frontier: {listed}."),
        "title": run_points.heading(title, runs),
        "columns": 2,
        "concat": [
            _drawing(plan, numbered, score),
            _list(numbered, by_model=len({run["model"] for run in runs}) > 1),
        ],
    }


def frontier(runs: Iterable[Row]) -> list[Row]:
    """Return the runs that no other beats in both ``seconds`` and ``value``, by time.

    Of equal runs, the first counts.

    Examples
    --------
    >>> runs = [{"seconds": 2.0, "value": 0.3}, {"seconds": 1.0, "value": 0.1},
    ...         {"seconds": 3.0, "value": 0.2}]
    >>> [run["value"] for run in frontier(runs)]
    [0.1, 0.3]
    """
    reached: list[Row] = []
    for run in sorted(runs, key=lambda run: (run["seconds"], -run["value"])):
        if not reached or run["value"] > reached[-1]["value"]:
            reached.append(run)
    return reached


class _Layout:
    """Places runs and labels in both sizes of the drawing; `reached` are on the frontier."""

    def __init__(self, runs: Sequence[Row], reached: Sequence[Row]) -> None:
        self.runs, self.reached = runs, reached
        self.axis = time_axis(run["seconds"] for run in runs)
        self.ends = run_points.range_of(runs)
        self.taken: list[list[label_placement.Box]] = []
        for size in _SIZES:
            corners = [self.place(run, size) for run in reached]
            corners.append((size[0] - marks.EDGE, corners[-1][1]))
            dots = [label_placement.around(self.place(run, size)) for run in runs]
            self.taken.append([*dots, *label_placement.along_steps(corners)])

    def place(self, run: Row, size: tuple[int, int]) -> tuple[float, float]:
        """Return the position of a run in a drawing of `size`, from the upper left."""
        (low, high), room = self.ends, size[0] - 2 * marks.EDGE
        along = marks.EDGE + room * self.axis.share(run["seconds"])
        return along, size[1] * (high - run["value"]) / (high - low)

    def words(self, numbered: Sequence[Row]) -> list[Spec]:
        """Return the numbers along the frontier, and each model's name next to its best run."""
        layers: list[Spec] = []
        for number, run in enumerate(numbered, 1):
            # There is no other run above and left of a run on the frontier.
            layers += self._write(run, str(number), ("right", -7.0, -9.0), color=INK)
        best_of = {run["model"]: run for run in reversed(self.runs)}
        named = list(reversed(best_of.items())) if len(best_of) > 1 else []
        for text, run in named:
            drawings = [
                label_placement.Drawing(self.place(run, size), size[0], boxes)
                for size, boxes in zip(_SIZES, self.taken, strict=True)
            ]
            colour = ACCENT if run["standing"] == run_points.BEST else MUTED
            layers += self._write(
                run, text, label_placement.best_side(text, drawings), color=colour
            )
        return layers

    def _write(self, run: Row, text: str, side: label_placement.Side, *, color: str) -> list[Spec]:
        """Return `text` at `side` of a run, and mark its area as taken."""
        for boxes, size in zip(self.taken, _SIZES, strict=True):
            boxes.append(label_placement.box(text, side, self.place(run, size)))
        align, right, down = side
        look = {"align": align, "dx": right, "dy": down, "baseline": "middle", "fontSize": 12}
        datum = {"place": self.axis.places[run["seconds"]], "value": run["value"], "words": text}
        return marks.haloed(
            {
                "data": {"values": [datum]},
                "mark": {"type": "text", "fontWeight": 600, "aria": False, "color": color, **look},
                "encoding": {"text": {"field": "words"}},
            }
        )


def _drawing(plan: _Layout, numbered: Sequence[Row], score: str) -> Spec:
    """Return the runs as points, the frontier as steps, and their labels."""
    runs, legend = plan.runs, run_points.legend_names(plan.runs)
    models = list(dict.fromkeys(run["model"] for run in runs))
    points = [
        {key: run[key] for key in ("trace", "label", "text", "value", "low", "high", "seconds")}
        | {"model": run["model"], "standing": legend[run["standing"]]}
        | {"place": plan.axis.places[run["seconds"]]}
        for run in reversed(runs)  # the best on top
    ]
    corners = [
        {"place": plan.axis.places[run["seconds"]], "value": run["value"]} for run in plan.reached
    ]
    end = max(point["place"] for point in points)
    corners.append({"place": end, "value": corners[-1]["value"]})
    steps = {"type": "line", "interpolate": "step-after", "color": MUTED, "strokeWidth": 1.5}
    dots = run_points.dots(legend)
    dots["encoding"]["shape"] = {
        "field": "model",
        "type": "nominal",
        "scale": {"domain": models, "range": _shapes(models)},
        "legend": None,
    }
    return {
        "width": _PLOT[0],
        "height": _PLOT[1],
        "data": {"values": points},
        "encoding": {
            "x": {**plan.axis.encoding, "field": "place", "title": "time to train and score"},
            "y": run_points.upright(spoken(score), plan.ends),
        },
        "layer": [
            *run_points.whiskers(points),
            {"data": {"values": corners}, "mark": {**steps, "aria": False}},
            dots,
            *plan.words(numbered),
        ],
    }


def _shapes(models: Sequence[str]) -> list[str]:
    """Return a shape for each family; a table without models has circles."""
    own = dict(zip(["", *names()], (_SHAPES[0], *_SHAPES), strict=False))
    further = itertools.cycle(_FURTHER_SHAPES)
    return [own.get(model) or next(further) for model in models]


def _list(numbered: Sequence[Row], *, by_model: bool) -> Spec:
    """Return the numbered runs as a list of scores, times and settings."""
    entries: list[Row] = []
    at = 0
    for number, run in enumerate(numbered, 1):
        model = f", {run['model']}" if by_model else ""
        reached = f"{rounded(run['value'])} after {duration(run['seconds'])}{model}"
        lines = _lines(run["settings"])
        entries.append({"at": at, "number": str(number), "reached": reached, "settings": lines})
        at += _LINE * (1 + len(lines)) + 12
    text = {"type": "text", "align": "left", "baseline": "top", "fontSize": 12, "aria": False}

    def column(field: str, x: int, **mark: Any) -> Spec:
        return {
            "mark": {**text, "color": INK, "limit": _LIMIT - x, **mark},
            "encoding": {"x": {"value": x}, "text": {"field": field}},
        }

    downwards = {"domain": [0, at], "reverse": True, "nice": False, "zero": False}
    height = {"field": "at", "type": "quantitative", "scale": downwards, "axis": None}
    return {
        "title": {"text": "On the frontier", "fontSize": 13, "offset": 10, "frame": "group"},
        "width": _LIST,
        "height": at,
        "data": {"values": entries},
        "encoding": {"y": height},
        "layer": [
            column("number", 0, fontWeight=600),
            column("reached", 20),
            column("settings", 20, dy=_LINE, lineHeight=_LINE, color=MUTED),
        ],
    }


def _lines(settings: str) -> list[str]:
    """Return settings in at most two lines."""
    lines: list[str] = []
    for setting in filter(None, settings.split(" · ")):
        longer = f"{lines[-1]} · {setting}" if lines else setting
        if lines and len(lines) < 2 and len(longer) > _LETTERS:
            lines.append(setting)
        else:
            lines[-1:] = [longer]
    return lines
