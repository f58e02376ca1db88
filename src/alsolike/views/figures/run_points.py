"""Draws runs of a leaderboard as points: the best, those tied with it, and the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from alsolike.tables import Table
from alsolike.text import counted, duration
from alsolike.views.figures import marks
from alsolike.views.figures.curve_ends import is_cut_off
from alsolike.views.figures.marks import ACCENT, INK, MUTED, PAPER, Row, Spec
from alsolike.views.labels import family_in, setting_names, settings_of, spoken
from alsolike.views.page import clean, finite, rounded

BEST, TIE, LEADER, OTHER, CUT = "best", "tie", "leader", "other", "cut"
DEAD = "degenerate"

_LONGEST_NAME, _LONGEST_SETTINGS = 24, 60  # characters
_NUMBERS = 40  # the width of the numbers on the vertical axis


def runs_of(
    leaderboard: Table, score: str, *, model: str | None = None, seconds: Sequence[Any] = ()
) -> list[Row]:
    """Return the runs with a score as points, best first.

    Parameters
    ----------
    leaderboard : Table
        With ``rank`` and `score`, and if known ``run``, ``model``, ``ties``, ``state``,
        ``<score>_low``, ``<score>_high`` and settings.
    score : str
    model : str or None
        Only runs of this model.
    seconds : sequence of float or None, (n_rows,)
        Durations of the runs.

    Returns
    -------
    list of points
        ``row`` as in the table; ``value``, ``low``, ``high``, ``seconds``, ``settings``;
        ``standing``, one of `BEST`, `TIE`, `OTHER`, `CUT`, `DEAD`; and for the pointer ``trace``,
        ``label`` and ``text``.
    """
    names = setting_names(leaderboard.column_names, score)
    taken = list(seconds) or [None] * len(leaderboard)
    points = [
        _point(row, names, score, place, time)
        for place, (row, time) in enumerate(zip(leaderboard.rows(), taken, strict=True))
        if model is None or row.get("model", model) == model
    ]
    scored = [point for point in points if point["value"] is not None]
    scored.sort(key=lambda point: (rank_of(point["row"]), -point["value"]))
    for at, point in enumerate(scored):
        point["standing"] = BEST if at == 0 else _standing(point["row"])
    return scored


def with_leaders(runs: Sequence[Row]) -> list[Row]:
    """Return `runs`, best first, with the best of each other model as `LEADER`."""
    models = [run["model"] for run in runs]
    return [
        {**run, "standing": LEADER}
        if run["standing"] == OTHER and models.index(run["model"]) == at
        else run
        for at, run in enumerate(runs)
    ]


def legend_names(points: Sequence[Row]) -> dict[str, str]:
    """Return the text of the legend for each standing among `points`."""
    counts = Counter(point["standing"] for point in points)
    best = [point for point in points if point["standing"] == BEST]
    of_all = any(point["row"]["rank"] == 1 for point in best)
    words = {
        BEST: "".join(f"best: {point['title']}, {rounded(point['value'])}" for point in best),
        TIE: f"not significantly different from {'it' if of_all else 'the best of all'} "
        f"({counted(counts[TIE], 'run')})",
        LEADER: f"best of its model ({counts[LEADER]:,})",
        OTHER: f"others ({counted(counts[OTHER], 'run')})",
        CUT: f"stopped early ({counted(counts[CUT], 'run')})",
        DEAD: f"degenerate, never chosen ({counted(counts[DEAD], 'run')})",
    }
    return {standing: clean(name) for standing, name in words.items() if counts[standing]}


def dots(names: Mapping[str, str], **mark: Any) -> Spec:
    """Return a layer of points whose size, stroke and fill, not only colour, show their standing.

    Parameters
    ----------
    names : mapping of str to str
        From `legend_names`; the values of ``standing`` in the data.
    **mark
        Further properties of the points.
    """
    drawn: dict[str, dict[str, object]] = {
        "size": {BEST: 150, TIE: 46, LEADER: 70, OTHER: 26, CUT: 7, DEAD: 12},
        "stroke": {BEST: PAPER, TIE: ACCENT, LEADER: INK, OTHER: MUTED, CUT: MUTED, DEAD: MUTED},
        "fill": {BEST: ACCENT, TIE: ACCENT, LEADER: PAPER, OTHER: PAPER, CUT: MUTED, DEAD: PAPER},
    }
    encoding: Spec = {
        channel: {
            "field": "standing",
            "type": "nominal",
            "scale": {
                "type": "ordinal",
                "domain": list(names.values()),
                "range": [looks[standing] for standing in names],
            },
        }
        for channel, looks in drawn.items()
    }
    encoding["description"] = {"field": "trace"}
    return {
        "mark": {"type": "point", "opacity": 1, "strokeWidth": 1, **mark},
        "encoding": encoding,
    }


def whiskers(points: Sequence[Row], **mark: Any) -> list[Spec]:
    """Return a layer of faint lines for the intervals, if any."""
    known = [point for point in points if point["low"] is not None and point["high"] is not None]
    if not known:
        return []
    return [
        {
            "data": {"values": known},
            "mark": {"type": "rule", "color": MUTED, "opacity": 0.35, "aria": False, **mark},
            "encoding": {"y": {"field": "low"}, "y2": {"field": "high"}},
        }
    ]


def left_out(leaderboard: Table, runs: Sequence[Row], model: str | None = None) -> str:
    """Return the numbers of rows of `leaderboard` that are not among `runs`, and why, as text."""
    rows = list(leaderboard.rows())
    others = [row for row in rows if model is not None and row.get("model", model) != model]
    without = len(rows) - len(others) - len(runs)
    text = f"; {counted(len(others), 'row')} of other models not shown" if others else ""
    return text + (f"; {counted(without, 'run')} without a score not shown" if without else "")


def range_of(runs: Sequence[Row]) -> tuple[float, float]:
    """Return the lowest and the highest score, including intervals, with a margin."""
    found = [run[end] for run in runs for end in ("value", "low", "high") if run[end] is not None]
    low, high = min(found), max(found)
    margin = 0.04 * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def upright(title: str, ends: tuple[float, float]) -> Spec:
    """Return the encoding of the score on a vertical axis with these ends."""
    encoding = marks.upright(title)
    axis = {**encoding["axis"], "minExtent": _NUMBERS}
    return {**encoding, "axis": axis, "scale": {"domain": ends, "zero": False, "nice": False}}


def heading(title: str, runs: Sequence[Row]) -> Spec:
    """Return the title of a figure of points, with a subtitle that explains points and lines."""
    drawn = any(run["low"] is not None and run["high"] is not None for run in runs)
    lines = "; the faint lines are 95 % intervals" if drawn else ""
    return {"text": clean(title), "subtitle": f"Each point is a run{lines}"}


def _point(row: Row, names: Sequence[str], score: str, place: int, seconds: Any) -> Row:
    value, low, high = (finite(row.get(f"{score}{end}")) for end in ("", "_low", "_high"))
    time = finite(seconds)
    run, model = row.get("run"), row.get("model")
    word = "" if model is None else str(model)
    family = family_in(word)
    # Trials are named by their numbers, others by their families, whose settings follow the family.
    searched = settings_of(row, names)
    settings = searched or clean(word[len(family) :].strip(" ()"), most=_LONGEST_SETTINGS)
    kind = clean(family, most=_LONGEST_NAME)
    numbered = f"run {run}" if run is not None else ""
    is_numbered = numbered and (not kind or searched or row.get("sweep") is not None)
    name = numbered if is_numbered else kind
    ranked = f"rank {row['rank']}" if row["rank"] is not None else ""
    facts = [ranked, kind, numbered, settings]
    text = f"{spoken(score)} {rounded(value)}"
    text += f" ({rounded(low)} to {rounded(high)})" if low is not None and high is not None else ""
    return {
        "row": row,
        "name": name,
        "title": name if is_numbered or not settings else f"{name} ({settings})",
        "model": kind,
        "settings": settings,
        "trace": f"row {place}",
        "label": clean(" · ".join(fact for fact in facts if fact)),
        "text": text + (f", {duration(time)}" if time is not None else ""),
        "value": value,
        "low": low,
        "high": high,
        "seconds": time,
    }


def _standing(row: Row) -> str:
    """Return the standing of a run that is not the best."""
    if row.get("state") == DEAD:
        return DEAD
    if row.get("ties") is True:
        return TIE
    return CUT if is_cut_off(row) else OTHER


def rank_of(row: Row) -> float:
    """Return the rank of a row; infinity where it has none."""
    rank = finite(row["rank"])
    return float("inf") if rank is None else rank
