"""Columns of times to seconds since 1970; what only looks like such seconds is refused."""

import duckdb

from alsolike.data.loaded import Loaded, label_of, where
from alsolike.data.sources import number_of
from alsolike.errors import DataError

# Year-month-day, with or without a time of day and an offset: casts accept more, and read it wrong.
_ISO = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?"
_YEAR_2200 = 7_258_118_400
_UNITS = (("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
# 20260131 as a number: it would pass for a second of August 1970.
_DAY = (
    "number = trunc(number) AND number BETWEEN 19000101 AND 20991231 "
    "AND number // 100 % 100 BETWEEN 1 AND 12 AND number % 100 BETWEEN 1 AND 31"
)


def seconds_of(loaded: Loaded, place: int) -> str:
    """Return the SQL expression that gives a time column as seconds since 1970, UTC."""
    column, kind = f"c{place}", loaded.types[place]
    if _is_calendar(kind):
        return f"epoch(CAST({column} AS TIMESTAMPTZ))"
    if kind != "VARCHAR":
        return number_of(loaded, place)
    return (
        f"CASE WHEN regexp_full_match({column}, '{_ISO}') "
        f"THEN epoch(TRY_CAST({column} AS TIMESTAMPTZ)) ELSE {number_of(loaded, place)} END"
    )


def refuse_odd_times(connection: duckdb.DuckDBPyConnection, loaded: Loaded, place: int) -> None:
    """Raise DataError where numbers are no seconds, or stand beside dates.

    Rows with cells that are neither have been dealt with before.
    """
    if _is_calendar(loaded.types[place]):
        return
    is_text = loaded.types[place] == "VARCHAR"
    iso = f"regexp_full_match(c{place}, '{_ISO}')" if is_text else "false"
    found = connection.execute(
        "SELECT min(row) FILTER (iso), min(row) FILTER (NOT iso), bool_and(NOT iso AND "  # noqa: S608 - own names
        f"{_DAY}), min(row) FILTER (NOT iso AND number > {_YEAR_2200}), max(number) FILTER "
        f"(NOT iso) FROM (SELECT rowid AS row, {iso} AS iso, {seconds_of(loaded, place)} AS number "
        f"FROM {loaded.table} WHERE rowid >= {loaded.skip} "
        "AND rowid NOT IN (SELECT row FROM dropped))"
    ).fetchone()
    if found is None:
        return
    date, number, all_days, late, largest = found
    label = label_of(loaded, place)
    if date is not None and number is not None:
        ((line, _),) = loaded.locate([date])
        raise DataError(
            f"{where(loaded, number)}, column {label}: a number, but {loaded.unit} {line} holds a "
            "date. Write all times as seconds since 1970, or all as ISO dates."
        )
    if all_days:
        raise DataError(
            f"{where(loaded, number)}, column {label}: seconds since 1970 or ISO dates expected, "
            "but all numbers of the column look like days (yyyymmdd). Write 20260131 as 2026-01-31."
        )
    if late is not None:
        unit, factor = next(
            (pair for pair in _UNITS if largest / pair[1] <= _YEAR_2200), _UNITS[-1]
        )
        raise DataError(
            f"{where(loaded, late)}, column {label}: seconds since 1970 expected, this is after "
            f"the year 2200 (the largest is {largest:.0f}) and looks like {unit}. Divide by "
            f"{factor}, or give ISO dates."
        )


def _is_calendar(kind: str) -> bool:
    return kind.startswith(("TIMESTAMP", "DATE"))
