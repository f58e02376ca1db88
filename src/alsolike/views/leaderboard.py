"""Tables in which a mean stands beside its interval, drawn to one scale down the column."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.models.baselines.popularity import PopularityModel
from alsolike.tables import Table
from alsolike.views.page import escaped, isolated, rounded

Row = dict[str, Any]

_SHOWN_ROWS = 15
_DEGENERATE = '<abbr title="its lists are as good as drawn by lot">(degenerate)</abbr>'
_NOT_COUNTED = {"rank", "run", "sweep"}


@dataclass(frozen=True)
class Scale:
    """From numbers to places in a drawing 100 wide, with room for a dot at either end."""

    low: float
    high: float

    @classmethod
    def over(cls, numbers: Iterable[float | None]) -> "Scale | None":
        """Return the scale that holds all of `numbers`, or None where there are none."""
        known = [number for number in numbers if number is not None]
        return cls(min(known), max(known)) if known else None

    def place(self, number: float) -> float:
        """Return where `number` stands, from 4 to 96."""
        spread = self.high - self.low
        return 50.0 if spread <= 0 else 4 + 92 * (number - self.low) / spread


def leaderboard(table: Table) -> str:
    """Return the leaderboard: first its best rows, the rest on demand; popularity always in sight.

    Parameters
    ----------
    table : Table
        Best first: ``rank``, ``run``, ``model``, a column per setting, ``sweep``, then the measure
        as ``mean`` with ``low`` and ``high``, or under its own name with ``<name>_low`` and
        ``<name>_high``. A column ``tie`` marks runs that cannot be told from the best.
    """
    column = _measured_column(table)
    rows = list(table.rows())
    has_sweeps = any(row.get("sweep") is not None for row in rows)
    names = [name for name in table.column_names if has_sweeps or name != "sweep"]
    order = _ordered(names, column)
    scale = _scale(rows, column)
    line = next((_number(row, column) for row in rows if is_popularity(row)), None)

    def body(chosen: Sequence[Row]) -> str:
        lines = "".join(_row(row, order, column, scale, line) for row in chosen)
        return _scrolled(_head(order, column) + f"<tbody>{lines}</tbody>", "Leaderboard")

    first, rest = rows[:_SHOWN_ROWS], rows[_SHOWN_ROWS:]
    pinned = [row for row in rest if is_popularity(row)]
    shown = body([*first, *pinned])
    if not rest:
        return shown
    return (
        f"{shown}<details><summary>The other {len(rest):,} of {len(rows):,} rows</summary>"
        f"{body(rest)}</details>"
    )


def scores(table: Table) -> str:
    """Return the test scores as a table, each metric drawn to a scale of its own."""
    rows = list(table.rows())
    groups = ""
    for metric in dict.fromkeys(str(row["metric"]) for row in rows):
        group = [row for row in rows if str(row["metric"]) == metric]
        scale = _scale(group, "mean")
        lines = "".join(
            f"<tr{_class_of(row)}><td>{isolated(str(row['model']))}</td>"
            f"{_measured(row, 'mean', scale, None)}"
            f'<td class="n">{cell("users", row.get("users"))}</td></tr>'
            for row in group
        )
        title = f'<tr class="group"><th colspan="4" scope="rowgroup">{isolated(metric)}</th></tr>'
        groups += f"<tbody>{title}{lines}</tbody>"
    head = (
        '<thead><tr><th scope="col">model</th><th scope="col" class="n">mean</th>'
        '<th scope="col">95 % interval</th><th scope="col" class="n">users</th></tr></thead>'
    )
    return _scrolled(head + groups, "Scores on the test users")


def plain(table: Table, label: str) -> str:
    """Return a small table as it is: a label first, then figures, set to the right."""
    names = table.column_names
    head = "".join(_heading(name, numeric=name != names[0]) for name in names)
    body = "".join(
        f'<tr><th scope="row">{isolated(cell(names[0], row[names[0]]))}</th>'
        + "".join(f'<td class="n">{isolated(cell(name, row[name]))}</td>' for name in names[1:])
        + "</tr>"
        for row in table.rows()
    )
    return _scrolled(f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>", label)


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
    """Put the measure beside the rank, so that a phone shows both before it has to scroll."""
    hidden = {"ties", "state", column, *_bounds(column)}
    others = [name for name in names if name not in hidden and name not in ("rank", "run")]
    ends = [name for name in ("run",) if name in names]
    return [*(["rank"] if "rank" in names else []), *([column] if column else []), *others, *ends]


def _scale(rows: Iterable[Row], column: str) -> Scale | None:
    names = (column, *_bounds(column))
    return Scale.over(_number(row, name) for row in rows for name in names)


def _number(row: Row, name: str) -> float | None:
    """Return a number, also where a gap elsewhere in its column made the table keep it as text."""
    try:
        value = float(row.get(name))  # type: ignore[arg-type]  # None is caught like other text
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _is_best(row: Row) -> bool:
    return _number(row, "rank") == 1 and not is_degenerate(row)


def is_degenerate(row: Row) -> bool:
    """Tell whether a run is marked as ranking next to nothing."""
    return row.get("state") == "degenerate"


def is_tie(row: Row) -> bool:
    """Tell whether a run other than the best is marked as not to be told from it."""
    return row.get("ties") in (True, "yes") and not _is_best(row)


def is_popularity(row: Row) -> bool:
    """Tell whether a run is popularity, the line that each leaderboard has."""
    return row.get("model") == PopularityModel.name


def _class_of(row: Row) -> str:
    if is_popularity(row):
        return ' class="line"'
    return ' class="best"' if _is_best(row) else ""


def _heading(name: str, *, numeric: bool) -> str:
    if not name:
        return "<td></td>"  # the corner above rows that name themselves
    return f'<th scope="col"{" class=n" if numeric else ""}>{escaped(name.replace("_", " "))}</th>'


def _head(order: Sequence[str], column: str) -> str:
    cells = ""
    for name in order:
        if name == column:
            cells += _heading(name, numeric=True)
            cells += '<th scope="col">95 % interval</th>'
        else:
            cells += _heading(name, numeric=name != "model")
    return f"<thead><tr>{cells}</tr></thead>"


def _row(
    row: Row, order: Sequence[str], column: str, scale: Scale | None, line: float | None
) -> str:
    cells = ""
    for name in order:
        if name == column:
            cells += _measured(row, column, scale, line)
        elif name == "rank":
            mark = ' <abbr title="cannot be told from the best">≈</abbr>' if is_tie(row) else ""
            cells += f'<th scope="row" class="n">{escaped(cell(name, row[name]))}{mark}</th>'
        else:
            css = "" if name == "model" else ' class="n"'
            mark = f" {_DEGENERATE}" if name == "model" and is_degenerate(row) else ""
            cells += f"<td{css}>{isolated(cell(name, row[name]), most=80)}{mark}</td>"
    return f"<tr{_class_of(row)}>{cells}</tr>"


def _measured(row: Row, column: str, scale: Scale | None, line: float | None) -> str:
    """Return the two cells of a measure: the number, and its interval drawn and in words."""
    value = _number(row, column)
    low, high = (_number(row, name) for name in _bounds(column))
    number = f'<td class="n score">{rounded(value)}</td>'
    if value is None or scale is None:
        return f"{number}<td></td>"
    drawn = words = ""
    if low is not None and high is not None:
        words = f"{rounded(low)} to {rounded(high)}"
        ends = f'x1="{scale.place(low):.1f}" x2="{scale.place(high):.1f}"'
        drawn += f'<line class="span" {ends} y1="8" y2="8"/>'
    if line is not None:
        drawn += _tick("base", scale.place(line), 0, 16)
    drawn += _tick("mean", scale.place(value), 2, 14)
    return (
        f'{number}<td><div class="whisker"><svg viewBox="0 0 100 16" aria-hidden="true">{drawn}'
        f"</svg><span>{words}</span></div></td>"
    )


def _tick(css_class: str, place: float, top: int, bottom: int) -> str:
    return f'<line class="{css_class}" x1="{place:.1f}" x2="{place:.1f}" y1="{top}" y2="{bottom}"/>'


def _scrolled(table: str, label: str) -> str:
    return (
        f'<div class="als-scroll" tabindex="0" role="region" aria-label="{escaped(label)}">'
        f"<table>{table}</table></div>"
    )
