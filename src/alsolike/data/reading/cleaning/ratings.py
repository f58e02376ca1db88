"""Turns ratings into likes by a mark, and notes values that look like ratings."""

import math
import re
from dataclasses import dataclass

import duckdb

from alsolike.data.reading.source_table import SourceTable, label_of
from alsolike.errors import SettingError

BELOW = ("drop", "dislike")
_NAMED = re.compile(r"rating|stars?\b|score|grade|overall|review", re.IGNORECASE)
_FEW = 20  # rows, below which values in an unnamed column say little


@dataclass(frozen=True)
class MarkCounts:
    """Rows at or above the mark, which count 1, and rows below it."""

    kept: int = 0
    below: int = 0


def checked_mark(at_least: object, *, has_value: bool) -> float | None:
    """Return the mark of ratings as a number; SettingError if it is none or lacks a value."""
    if at_least is None:
        return None
    try:
        mark = float(at_least)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        mark = math.nan
    if not math.isfinite(mark) or isinstance(at_least, bool):
        raise SettingError(f"at_least={at_least!r}: a number expected, such as at_least=4.")
    if not has_value:
        raise SettingError(
            f"at_least={mark:g} needs value=, the column of ratings, such as value='rating'."
        )
    return mark


def mark_likes(connection: duckdb.DuckDBPyConnection, at_least: float, below: str) -> MarkCounts:
    """Set the values of the table ``facts``: 1 from `at_least` on, below it -1 or no row."""
    [(kept, less)] = connection.execute(
        f"SELECT count(*) FILTER (value >= {at_least!r}), count(*) FILTER (value < {at_least!r}) "  # noqa: S608
        "FROM facts"
    ).fetchall()
    if below == "drop":
        connection.execute(f"DELETE FROM facts WHERE value < {at_least!r}")  # noqa: S608
    connection.execute(
        f"UPDATE facts SET value = CASE WHEN value < {at_least!r} THEN -1 ELSE 1 END"  # noqa: S608
    )
    return MarkCounts(int(kept), int(less))


def note_of_ratings(connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int) -> str:
    """Return a note if the values of the table ``facts`` look like ratings, else nothing.

    Ratings are whole or half, up to 5 or 10. In a column that is not named like ratings they also
    are many, take at least four values, and are high more often than low, as counts are not.
    """
    [(rows, kinds, low, high, mean, are_halves)] = connection.execute(
        "SELECT count(*), count(DISTINCT value), min(value), max(value), avg(value), "
        "coalesce(bool_and(2 * value = trunc(2 * value)), false) FROM facts"
    ).fetchall()
    if not are_halves or low < 0.5 or high not in (5, 10) or low == high:
        return ""
    is_named = _NAMED.search(loaded.names[place]) is not None
    if not is_named and (rows < _FEW or kinds < 4 or mean < (low + high) / 2):
        return ""
    return (
        f"column {label_of(loaded, place)}: the values look like ratings, from {low:g} to "
        f"{high:g}. A low one counts as a weak like, not as a dislike. To take only ratings of "
        f"{0.8 * high:g} and more as likes, pass at_least={0.8 * high:g}; with below='dislike', "
        "the others then count as dislikes. To predict ratings instead, fit the family "
        "explicit-als, or run with the objective ratings."
    )
