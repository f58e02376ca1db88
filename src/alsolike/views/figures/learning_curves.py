"""Draws learning curves as Vega-Lite specifications, and renders any figure as PNG, SVG and HTML.

Specifications are plain dicts with their own data. Pages show them as inline SVG instead of using
Vega's 0.9 MB of JavaScript, which needs ``Function``, forbidden by a strict content policy, and
draws nothing without scripts. A small script of ours adds the numbers under the pointer.
"""

import functools
import json
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from alsolike.errors import SettingError
from alsolike.system_errors import expect_to_draw
from alsolike.tables import Table
from alsolike.views.figures import curve_ends, inline, marks
from alsolike.views.figures.marks import ACCENT, INK, MUTED, Row, Spec
from alsolike.views.labels import setting_names, settings_of
from alsolike.views.page import clean, finite, rounded
from alsolike.views.templating import fragment, macro, standalone

_VEGA_LITE = "5.20"


def best_curve(
    curve: Table,
    *,
    metric: str,
    title: str,
    chosen_sweep: int,
    held_out: str = "validation",
) -> Spec:
    """Draw one run's learning curve: the metric and the squared error, validation and train.

    Each of the four has a panel with its own scale: if training items are not left out, training
    precision is many times that of validation.

    Parameters
    ----------
    curve : Table
        One row per scored sweep: ``sweep``, and, if known, ``validation_`` and ``train_`` of
        `metric` and of ``mse``. Columns that end in ``_low`` and ``_high`` give a band.
    metric : str
        As in the column names: ``"precision@10"``.
    title : str
    chosen_sweep : int
        The sweep to mark.
    held_out : {"validation", "test"}
        Columns to show in addition to ``train_``.

    Raises
    ------
    SettingError
        The table lacks the metric's held-out column, has no rows or no such sweep.

    Examples
    --------
    >>> curve = Table({"sweep": [2, 4], "validation_precision@10": [0.10, 0.12]})
    >>> spec = best_curve(curve, metric="precision@10", title="Best run", chosen_sweep=4)
    >>> [panel["title"]["text"] for panel in spec["concat"]]
    ['precision@10, validation']
    """
    marks.require(curve, ("sweep", f"{held_out}_{metric}"), "scored sweep")
    if chosen_sweep not in curve["sweep"].tolist():
        raise SettingError(
            f"The sweep to mark is {chosen_sweep}; the curve has {curve['sweep'].tolist()}."
        )
    shown = [
        (side, measure)
        for side in (held_out, "train")
        for measure in (metric, "mse")
        if f"{side}_{measure}" in curve
    ]
    marked = next(row for row in curve.rows() if row["sweep"] == chosen_sweep)
    reached = ", ".join(
        f"{side} {measure} {rounded(marked[f'{side}_{measure}'])}" for side, measure in shown
    )
    return {
        **marks.frame(
            title, f"Learning curve over sweeps. At the chosen sweep {chosen_sweep}: {reached}."
        ),
        "columns": 2,
        "concat": [
            _panel(curve, side, measure, chosen_sweep, height=150 if side == "train" else 230)
            for side, measure in shown
        ],
    }


def all_curves(
    curves: Table,
    *,
    metric: str,
    best: int,
    baseline: float | None = None,
    above: tuple[str, float] | None = None,
    what: str = "runs",
    held_out: str = "validation",
) -> Spec:
    """Draw the validation curves of all runs in one figure, faded by their rank.

    Parameters
    ----------
    curves : Table
        One row per run and scored sweep: ``run``, ``rank`` (1 is best), ``sweep``,
        ``validation_<metric>``, one column per setting that varies, and perhaps ``state``:
        ``"done"``, ``"stopped"`` early (the curve ends in a circle), ``"pruned"`` (dashed, to a
        cross), ``"failed"`` (dashed, to a triangle) or ``"skipped"``.
    metric : str
        As in the column names: ``"precision@10"``.
    best : int
        The run to draw in the accent colour, on top.
    baseline : float or None
        The score of popularity: a dashed rule.
    above : (str, float) or None
        Name and score of the best model without a curve: a dashed rule, too.
    what : str
        The noun for what has curves.
    held_out : {"validation", "test"}
        Columns to draw.

    Raises
    ------
    SettingError
        A column is missing, there are no rows, `best` is not among the runs, or a state is unknown.

    Examples
    --------
    >>> curves = Table({"run": [1, 1, 2, 2], "rank": [2, 2, 1, 1], "sweep": [2, 4, 2, 4],
    ...                 "factors": [10, 10, 40, 40], "validation_mrr": [0.2, 0.3, 0.3, 0.4]})
    >>> spec = all_curves(curves, metric="mrr", best=2, baseline=0.1)
    >>> spec["description"]
    'Validation mrr of 2 runs over sweeps; the best, run 2 (factors 40), reaches 0.4000; ...'
    """
    column = f"{held_out}_{metric}"
    marks.require(curves, ("run", "rank", "sweep", column), "scored sweep")
    if best not in curves["run"].tolist():
        raise SettingError(f"The best run is said to be {best}; the curves have no such run.")
    points = [_point(row, column, metric, curves.column_names) for row in curves.rows()]
    drawn = [point for point in points if point["value"] is not None]
    ranks = [point["rank"] for point in points]
    sweeps = [point["sweep"] for point in points]
    chosen = [point for point in drawn if point["run"] == best]
    peak = max(chosen, key=lambda point: point["value"], default=None)
    settings = next(point["settings"] for point in points if point["run"] == best)
    named = f"run {best}" + (f" ({settings})" if settings else "")
    reaches = "has no value" if peak is None else f"reaches {rounded(peak['value'])}"
    runs = len({point["run"] for point in points})
    description = (
        f"{held_out.capitalize()} {metric} of {runs} {what} over sweeps; the best, {named}, "
        f"{reaches}"
    )
    if finite(baseline) is not None:
        description += f"; popularity reaches {rounded(baseline)}"
    if above is not None:
        description += f"; {clean(above[0])}, without a curve, reaches {rounded(above[1])}"
    ended = curve_ends.described(points)
    others = [point for point in points if point["run"] != best]
    layers: list[Spec] = [
        *curve_ends.cut_off([point for point in others if curve_ends.is_cut_off(point)]),
        marks.line(
            [point for point in others if not curve_ends.is_cut_off(point)],
            INK,
            width=1.1,
            ranks=ranks,
        ),
        *marks.baseline(baseline),
        *([] if above is None else marks.baseline(above[1], above[0])),
        marks.line([point for point in points if point["run"] == best], ACCENT, width=2.8),
        *curve_ends.end_marks(drawn),
    ]
    if peak is not None:
        label = f"run {best}, sweep {peak['sweep']}: {rounded(peak['value'])}"
        layers += [marks.dot(peak), marks.words(peak, label, sweeps)]
    return {
        **marks.frame("", description + (f"; {ended}." if ended else ".")),
        "title": {
            "text": clean(f"{held_out.capitalize()} {metric} of all {runs} {what}"),
            "subtitle": "Lines fade with rank; best in colour"
            + ("; dashed: stopped early" if any(map(curve_ends.is_cut_off, points)) else ""),
        },
        "width": 860,
        "height": 420,
        "encoding": marks.axes(sweeps, metric),
        "layer": layers,
    }


def to_png(spec: Spec, scale: float = 2) -> bytes:
    """Return `spec` drawn as PNG, `scale` pixels to a unit."""
    expect_to_draw()
    import vl_convert  # noqa: PLC0415 - starts a JavaScript engine, so only when something is drawn

    return bytes(vl_convert.vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=scale))


def to_svg(spec: Spec) -> str:
    """Return `spec` drawn as a standalone SVG."""
    return _drawn(json.dumps(spec))


# The report and the figures' own pages show the same drawings.
@functools.lru_cache(maxsize=8)
def _drawn(spec: str) -> str:
    expect_to_draw()
    import vl_convert  # noqa: PLC0415 - as in to_png

    return str(vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE))


def to_html(specs: Mapping[str, Spec]) -> str:
    """Return captioned figures as one fragment for any page, with style and script.

    Parameters
    ----------
    specs : mapping of str to spec
        Caption to figure, in order.
    """
    figures = Markup("\n").join(figure(spec, caption=caption) for caption, spec in specs.items())
    return fragment(figures, "figure.css", "figure.js")


def to_page(spec: Spec) -> str:
    """Return a figure as a page of its own, without further files."""
    title = title_of(spec)
    return standalone(
        title,
        macro("figure.html", "whole")(title, figure(spec)),
        styles=("page.css", "figure.css"),
        scripts=("figure.js",),
    )


def title_of(spec: Spec) -> str:
    """Return the title of a figure as text."""
    title = spec["title"]
    return str(title if isinstance(title, str) else title["text"])


def figure(spec: Spec, *, caption: str = "") -> Markup:
    """Return `spec` as a ``<figure>``, drawn twice: for a wide page, and for a phone.

    It has the page's colours, needs no scripts, and contains the texts that ``figure.js`` shows
    under the pointer. Figures with few lines also have a table of their numbers.
    """
    shown = inline.traces(spec)
    drawings = {
        kind: Markup(inline.themed(to_svg(inline.bare(spec, narrow=kind == "narrow")), shown))  # noqa: S704 - as Vega escaped it
        for kind in ("wide", "narrow")
    }
    few_lines = len(shown) <= 4 and all("points" in trace for trace in shown.values())
    sweeps = inline.numbers(shown) if few_lines else {}
    return macro("figure.html", "figure")(spec["description"], drawings, shown, caption, sweeps)


def _panel(curve: Table, side: str, measure: str, chosen: int, *, height: int) -> Spec:
    """Return one panel: a line, its band if any, and the chosen sweep."""
    column = f"{side}_{measure}"
    banded = f"{column}_low" in curve and f"{column}_high" in curve
    points: list[Row] = [
        {
            "trace": column,
            "label": f"{measure}, {side}",
            "measure": measure,
            "sweep": int(row["sweep"]),
            "value": finite(row[column]),
            "low": finite(row[f"{column}_low"]) if banded else None,
            "high": finite(row[f"{column}_high"]) if banded else None,
        }
        for row in curve.rows()
    ]
    sweeps = [point["sweep"] for point in points]
    colour = INK if side == "train" else ACCENT
    marked = [point for point in points if point["sweep"] == chosen and point["value"] is not None]
    layers: list[Spec] = []
    if banded:
        layers.append(
            {
                "data": {"values": points},
                "mark": {"type": "area", "color": colour, "fillOpacity": 0.14},
                "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
            }
        )
    layers.append(
        {
            "data": {"values": [{"sweep": chosen}]},
            "mark": {"type": "rule", "color": MUTED, "strokeDash": [2, 3]},
            "encoding": {"y": None},
        }
    )
    layers.append(marks.line(points, colour, width=2.2))
    if marked:
        layers.append(marks.dot(marked[0], colour))
    reached = rounded(marked[0]["value"]) if marked else "no value"
    return {
        "title": {
            "text": f"{measure}, {side}",
            "subtitle": f"{reached} at sweep {chosen}",
            "fontSize": 13,
            "offset": 12,
            "frame": "group",
        },
        "width": 390,
        "height": height,
        "encoding": marks.axes(sweeps, ""),
        "layer": layers,
    }


def _point(row: Row, column: str, metric: str, names: Sequence[str]) -> Row:
    run, rank = int(row["run"]), int(row["rank"])
    settings = settings_of(row, setting_names(names))
    return {
        "run": run,
        "rank": rank,
        "trace": f"run {run}",
        "settings": clean(settings),
        "label": clean(f"rank {rank} · run {run}" + (f" · {settings}" if settings else "")),
        "measure": metric,
        "sweep": int(row["sweep"]),
        "value": finite(row[column]),
        **({"state": curve_ends.state_of(row)} if "state" in row else {}),
    }
