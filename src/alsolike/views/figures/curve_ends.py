"""Marks the ends of learning curves that were stopped early, pruned, or failed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from alsolike.errors import SettingError
from alsolike.text import counted
from alsolike.views.figures.marks import INK, MUTED, PAPER, Row, Spec

STATES = ("done", "stopped", "pruned", "failed", "skipped")

_CROSS = "M-1,-1L1,1M1,-1L-1,1"
_SHAPES = {"stopped": "circle", "pruned": _CROSS, "failed": "triangle-down"}
_WORDS = {"stopped": "stopped early", "pruned": "pruned", "failed": "failed"}
_CUT_OFF = ("pruned", "failed", "skipped")


def state_of(row: Row) -> str:
    """Return the state of a row of the table of curves; raise SettingError if it is unknown."""
    state = row["state"]
    if state not in STATES:
        raise SettingError(
            f"Run {row.get('run')} has the state {state!r}; a figure knows {', '.join(STATES)}."
        )
    return str(state)


def is_cut_off(point: Row) -> bool:
    """Return whether a point, or a row of a leaderboard, is of a run that was not completed."""
    return point.get("state") in _CUT_OFF


def cut_off(points: list[Row]) -> list[Spec]:
    """Return dashed grey lines for the points of runs that were not completed, if any."""
    if not points:
        return []
    mark = {"type": "line", "color": MUTED, "strokeWidth": 1, "strokeDash": [4, 3], "opacity": 0.5}
    detail = {"detail": {"field": "trace"}, "description": {"field": "trace"}}
    return [{"data": {"values": points}, "mark": mark, "encoding": detail}]


def end_marks(points: Sequence[Row]) -> list[Spec]:
    """Return a mark at the end of each curve that was stopped, pruned or failed, with a legend."""
    last: dict[Any, Row] = {}
    for point in points:
        held = last.get(point["run"])
        if point.get("state") in _SHAPES and (held is None or held["sweep"] < point["sweep"]):
            last[point["run"]] = point
    if not last:
        return []
    counts = Counter(point["state"] for point in last.values())
    known = [state for state in _SHAPES if counts[state]]
    names = {state: f"{_WORDS[state]} ({counted(counts[state], 'run')})" for state in known}
    ends = [
        {"sweep": point["sweep"], "value": point["value"], "end": names[point["state"]]}
        for point in last.values()
    ]
    scale = {"domain": list(names.values()), "range": [_SHAPES[state] for state in known]}
    mark = {"type": "point", "stroke": INK, "fill": PAPER, "strokeWidth": 1, "size": 22,
            "opacity": 0.75, "aria": False}  # fmt: skip
    shape = {"field": "end", "type": "nominal", "scale": scale}
    return [{"data": {"values": ends}, "mark": mark, "encoding": {"shape": shape}}]


def described(points: Sequence[Row]) -> str:
    """Return the numbers of runs by state as text; empty if all were done."""
    states = Counter({point["run"]: point.get("state") for point in points}.values())
    known = [
        f"{states[state]:,} {_WORDS.get(state, state)}" for state in STATES[1:] if states[state]
    ]
    return ", ".join(known)
