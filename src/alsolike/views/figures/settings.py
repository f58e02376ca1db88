"""Draws each setting of a search against the score, as small panels of points."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from alsolike.errors import SettingError
from alsolike.tables import Table
from alsolike.text import counted
from alsolike.views.figures import marks, run_points
from alsolike.views.figures.axes import number_axis, text_axis
from alsolike.views.figures.marks import Row, Spec
from alsolike.views.labels import begun, plain, settings_of, spoken
from alsolike.views.page import rounded

_WIDTH = 880  # of a whole figure on a page
_MARGIN = 48  # left of a panel, for the numbers on its vertical axis
_GAP = 28
_HEIGHT = 210
_STEP = 5.0  # between points side by side


def settings_and_score(
    leaderboard: Table, settings: Sequence[str], score: str, *, model: str | None = None
) -> Spec:
    """Draw each setting that varies against the score, in small panels with one vertical scale.

    A point is a run. Runs with the same value and nearly the same score are drawn side by side. On
    a page, the run under the pointer is highlighted in all panels.

    Parameters
    ----------
    leaderboard : Table
        One row per run: ``rank`` (1 is best), `score`, and the settings; ``run`` and ``model`` if
        known. With columns ``<score>_low`` and ``<score>_high``, intervals are drawn; with
        ``ties`` (bool), tied runs are filled; with ``state``, runs that were pruned are specks.
    settings : sequence of str
        Columns to draw; those with a single value have no panel.
    score : str
        As in the column names: ``"validation_precision@10"``.
    model : str or None
        The model whose runs are drawn, since settings of one name differ between models. None: the
        model of the best run that has settings.

    Raises
    ------
    SettingError
        A column is missing, no run of `model` has a score, or no setting varies.

    Examples
    --------
    >>> runs = Table({"rank": [2, 1], "run": [1, 2], "alpha": [1.0, 40.0],
    ...               "validation_mrr": [0.2, 0.3]})
    >>> spec = settings_and_score(runs, ["alpha"], "validation_mrr")
    >>> spec["description"]
    'Validation mrr of 2 runs by their settings. The best, run 2 (alpha 40), reaches 0.3000.'
    """
    marks.require(leaderboard, ["rank", score, *settings], "run")
    model = model or _with_settings(leaderboard, settings)
    runs = run_points.runs_of(leaderboard, score, model=model)
    if not runs:
        raise SettingError(f"A figure needs a run of {model!r} with a {score}; there is none.")
    varying = [name for name in settings if len(_values(runs, name)) > 1]
    if not varying:
        raise SettingError(
            f"A figure of settings needs one that varies; none of {list(settings)} has two values "
            f"in the {counted(len(runs), 'run')} of {model!r} with a {score}."
        )
    columns = len(varying) if len(varying) < 4 else 2 if len(varying) == 4 else 3
    width = (_WIDTH - _GAP * (columns - 1)) // columns - _MARGIN
    best = runs[0]
    title = f"{begun(score)} of {counted(len(runs), 'run')} by their settings"
    description = (
        f"{title}. The best, {best['name']} ({settings_of(best['row'], varying)}), reaches "
        f"{rounded(best['value'])}{run_points.left_out(leaderboard, runs, model)}."
    )
    return {
        **marks.frame("", description),
        "title": run_points.heading(title, runs),
        "columns": columns,
        "concat": [_panel(runs, name, width) for name in varying],
    }


def _with_settings(leaderboard: Table, settings: Sequence[str]) -> str | None:
    """Return the model of the best run that has one of these settings; None: unknown."""
    rows = (row for row in leaderboard.rows() if any(row[name] is not None for name in settings))
    best = min(rows, key=run_points.rank_of, default={})
    return best.get("model")


def _panel(runs: Sequence[Row], name: str, width: int) -> Spec:
    """Return one setting against the score; runs without the setting are counted."""
    values = _values(runs, name)
    numeric = all(isinstance(one, int | float) and not isinstance(one, bool) for one in values)
    narrowest = min(width, marks.PHONE[0])
    axis = (number_axis if numeric else text_axis)(values, width=narrowest)
    legend, (low, high) = run_points.legend_names(runs), run_points.range_of(runs)
    drawn = [run for run in runs if run["row"][name] in values]
    asides = _asides(
        [(axis.places[run["row"][name]], run["value"]) for run in drawn],
        room=_room(axis.least_gap(narrowest - 2 * marks.EDGE)),
        span=high - low,
    )
    points = [
        {key: run[key] for key in ("trace", "label", "text", "value", "low", "high")}
        | {"standing": legend[run["standing"]]}
        | {"setting": run["row"][name], "place": axis.places[run["row"][name]], "aside": aside}
        for run, aside in zip(drawn, asides, strict=True)
    ]
    points.reverse()  # the best on top
    aside = {"xOffset": {"expr": "datum.aside"}}
    return {
        "title": {
            "text": spoken(name),
            "subtitle": _subtitle(runs, drawn, name),
            "fontSize": 13,
            "offset": 8,
            "frame": "group",
            "limit": width,
        },
        "width": width,
        "height": _HEIGHT,
        "data": {"values": points},
        "encoding": {
            "x": {**axis.encoding, "field": "place", "title": None},
            "y": run_points.upright("", (low, high)),
        },
        "layer": [*run_points.whiskers(points, **aside), run_points.dots(legend, **aside)],
    }


def _subtitle(runs: Sequence[Row], drawn: Sequence[Row], name: str) -> str:
    """Return the value of the best run, and the number of runs with a value if not all have one."""
    best = [f"best: {plain(run['row'][name])}" for run in drawn if run is runs[0]]
    partly = [f"set in {len(drawn):,} of {counted(len(runs), 'run')}"]
    return ", ".join(best + (partly if len(drawn) < len(runs) else []))


def _room(distance: float) -> float:
    """Return how far aside points may be drawn, given the distance of places."""
    return max(0.0, min(distance / 2 - 3, marks.EDGE - 2))


def _asides(places: Sequence[tuple[Any, float]], *, room: float, span: float) -> list[float]:
    """Return how far aside each point is drawn, so that points at one place do not overlap.

    Parameters
    ----------
    places : sequence of (place, value)
        Best first; the first at a place stays in the middle.
    room : float
        To either side.
    span : float
        Of the values, over the height of the panel.
    """
    counts = Counter(place for place, _ in places)
    together: dict[tuple[Any, int], list[int]] = defaultdict(list)
    for at, (place, value) in enumerate(places):
        # If there is room for all, their intervals do not overlap either.
        fit = counts[place] * _STEP <= 2 * room
        together[place, 0 if fit else round(value / span * _HEIGHT / _STEP)].append(at)
    asides = [0.0] * len(places)
    for group in together.values():
        clear = min(_STEP, room / 2) if group[0] == 0 else 0.0  # of the best, which is large
        step = min(_STEP, (room - clear) / max(len(group) // 2, 1))
        for nth, at in enumerate(group[1:], 2):
            asides[at] = round((nth // 2 * step + clear) * (-1 if nth % 2 else 1), 2)
    return asides


def _values(runs: Sequence[Row], name: str) -> list[Any]:
    """Return the distinct values of a setting in order, without None and NaN."""
    known = {run["row"][name] for run in runs} - {None}
    numbers = [one for one in known if isinstance(one, int | float) and math.isfinite(one)]
    texts = [one for one in known if isinstance(one, str)]
    return sorted(numbers) + sorted(texts)
