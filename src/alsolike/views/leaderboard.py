"""Renders tables of the report: leaderboard, test scores with intervals, and plain tables."""

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from alsolike.models.baselines.popularity import PopularityModel
from alsolike.tables import Table
from alsolike.views.page import MOST_CHARACTERS, clean
from alsolike.views.templating import macro

Row = dict[str, Any]

_SHOWN_ROWS = 15
_NOT_COUNTED = {"rank", "run", "sweep"}


def leaderboard(table: Table) -> Markup:
    """Return the leaderboard: its best rows and popularity, the rest on demand.

    Parameters
    ----------
    table : Table
        Best first: ``rank``, ``run``, ``model``, a column per setting, ``sweep``, then the metric
        as ``mean`` with ``low`` and ``high``, or under its own name with ``<name>_low`` and
        ``<name>_high``, ``ties`` and ``state``.
    """
    column = _measured_column(table)
    rows = list(table.rows())
    has_sweeps = any(row.get("sweep") is not None for row in rows)
    names = [name for name in table.column_names if has_sweeps or name != "sweep"]
    baseline = next((_number(row, column) for row in rows if is_popularity(row)), None)
    shown = _drawn(rows, column, baseline)
    rest = shown[_SHOWN_ROWS:]
    board = {
        "order": _ordered(names, column),
        "measure": column,
        "shown": shown[:_SHOWN_ROWS] + [row for row in rest if row["kind"] == "line"],
        "rest": rest,
        "total": len(rows),
    }
    return macro("tables.html", "leaderboard")(board)


def scores(table: Table, of: str = "model") -> Markup:
    """Return the test scores as a table, with intervals drawn to one scale per metric.

    `of` is the heading of the column ``model``.
    """
    groups: dict[str, list[Row]] = {}
    for row in table.rows():
        groups.setdefault(str(row["metric"]), []).append({"users": None, **row})
    drawn = {metric: _drawn(rows, "mean") for metric, rows in groups.items()}
    return macro("tables.html", "scores")(drawn, of)


def families(table: Table) -> Markup:
    """Return the best run of each family, with intervals drawn to one scale.

    Parameters
    ----------
    table : Table
        See `alsolike.views.report.ReportContent`.
    """
    rows = _drawn([{**row, "rank": at} for at, row in enumerate(table.rows(), start=1)], "mean")
    return macro("tables.html", "families")(rows)


def plain(table: Table, label: str) -> Markup:
    """Return a small table of labels and numbers."""
    rows = [[_text(name, value) for name, value in row.items()] for row in table.rows()]
    return macro("tables.html", "plain")(table.column_names, rows, label)


def cell(name: str, value: Any) -> str:
    """Return one value as text for people."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "density" and isinstance(value, float):
        return f"{100 * value:.3g} %"
    if isinstance(value, int):
        return str(value) if name in _NOT_COUNTED else f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _measured_column(table: Table) -> str:
    """Return the name of the column that has an interval."""
    if "mean" in table:
        return "mean"
    named = (
        name for name in table.column_names if f"{name}_low" in table and f"{name}_high" in table
    )
    return next(named, "")


def _bounds(column: str) -> tuple[str, str]:
    return ("low", "high") if column == "mean" else (f"{column}_low", f"{column}_high")


def _ordered(names: Sequence[str], column: str) -> list[str]:
    """Return column names with the metric next to the rank, so that a phone shows both."""
    hidden = {"ties", "state", column, *_bounds(column)}
    others = [name for name in names if name not in hidden and name not in ("rank", "run")]
    ends = [name for name in ("run",) if name in names]
    return [*(["rank"] if "rank" in names else []), *([column] if column else []), *others, *ends]


def _number(row: Row, name: str) -> float | None:
    """Return a finite number, also from text; None for anything else."""
    try:
        value = float(row.get(name))  # type: ignore[arg-type]  # None is caught like other text
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _is_best(row: Row) -> bool:
    return _number(row, "rank") == 1 and not is_degenerate(row)


def is_degenerate(row: Row) -> bool:
    """Return whether a run is marked as degenerate."""
    return row.get("state") == "degenerate"


def is_tie(row: Row) -> bool:
    """Return whether a run other than the best is marked as tied with it."""
    return row.get("ties") in (True, "yes") and not _is_best(row)


def is_popularity(row: Row) -> bool:
    """Return whether a run is the popularity baseline."""
    return row.get("model") == PopularityModel.name


def _drawn(rows: Sequence[Row], column: str, baseline: float | None = None) -> list[Row]:
    """Return rows for the template: texts, the metric in `column`, and ``marks`` to one scale.

    A mark is a line: its kind, its two horizontal and its two vertical ends. Each row shows the
    score of popularity, `baseline`.
    """
    ends = _bounds(column)
    numbers = [_number(row, name) for row in rows for name in (column, *ends)]
    known = [number for number in numbers if number is not None]
    lowest, spread = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)

    def place(number: float) -> str:  # in a drawing 100 wide, with margins
        return f"{4 + 92 * (number - lowest) / spread if spread else 50.0:.1f}"

    drawn = []
    for row in rows:
        value, low, high = (_number(row, name) for name in (column, *ends))
        marks: list[tuple[str, str, str, int, int]] = []
        if value is not None:
            if low is not None and high is not None:
                marks.append(("span", place(low), place(high), 8, 8))
            if baseline is not None:
                marks.append(("base", place(baseline), place(baseline), 0, 16))
            marks.append(("mean", place(value), place(value), 2, 14))
        kind = "line" if is_popularity(row) else "best" if _is_best(row) else ""
        drawn.append(
            {"texts": {name: _text(name, one, most=80) for name, one in row.items()}, "kind": kind}
            | {"value": value, "low": low, "high": high, "marks": marks}
            | {"tie": is_tie(row), "degenerate": is_degenerate(row)}
        )
    return drawn


def _text(name: str, value: Any, most: int = MOST_CHARACTERS) -> str:
    return clean(cell(name, value), most=most)
