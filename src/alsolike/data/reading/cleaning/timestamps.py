"""Converts columns of times to seconds since 1970, and refuses units that were not asked for."""

from typing import Any

import duckdb

from alsolike.data.reading.cleaning.time_units import (
    DAYS,
    DIGITS,
    LARGE,
    PERHAPS,
    Digits,
    Unit,
    shown,
)
from alsolike.data.reading.frames import CERTAIN_BELOW
from alsolike.data.reading.source_table import SourceTable, label_of, line_of, where
from alsolike.data.reading.sources import float_kind, number_of
from alsolike.errors import DataError

# Year-month-day, with or without a time of day and an offset: casts accept more, and read it wrong
# (a blank before an offset makes them ignore it).
_LOCAL = r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?"
_PLAIN = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?"
_OFFSET = r"([+-])(0\d|1[0-8])(?::?([0-5]\d)(?::?([0-5]\d))?)?( [A-Z]{2,5})?$"
_ISO = (
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?"
    rf"( ?([Zz]|UTC|GMT|{_OFFSET.removesuffix('$')}))?)?"
)
_YEAR_2200 = 7_258_118_400
_LATE = f"number > {_YEAR_2200}"
_MONTHS = "n BETWEEN 190001 AND 209912 AND n % 100 BETWEEN 1 AND 12"
_SHORT_DAYS = (
    "n BETWEEN 101 AND 991231 AND n // 100 % 100 BETWEEN 1 AND 12 AND n % 100 BETWEEN 1 AND 31 "
    "AND length(trim(cell)) = 6"
)
_YEAR_1971 = 31_536_000


def seconds_of(loaded: SourceTable, place: int) -> str:
    """Return the SQL expression that gives a time column as seconds since 1970, UTC."""
    column, kind = f"c{place}", loaded.types[place]
    if _is_calendar(kind):
        return f"epoch(CAST({column} AS TIMESTAMPTZ))"
    if loaded.times is not None:
        text = f"CAST({column} AS VARCHAR)"
        if kind in ("FLOAT", "DOUBLE"):  # 20260131.0 stands for 20260131
            whole = f"CAST(TRY_CAST({column} AS HUGEINT) AS VARCHAR)"
            text = f"CASE WHEN {column} = trunc({column}) THEN {whole} ELSE {text} END"
        return loaded.times.sql(text, number_of(loaded, place))
    if kind != "VARCHAR":
        return number_of(loaded, place)
    hours, minutes, seconds = (
        f"coalesce(TRY_CAST(regexp_extract({column}, '{_OFFSET}', {group}) AS INTEGER), 0)"
        for group in (2, 3, 4)
    )
    ahead = f"3600 * {hours} + 60 * {minutes} + {seconds}"
    sign = f"CASE regexp_extract({column}, '{_OFFSET}', 1) WHEN '+' THEN 1 WHEN '-' THEN -1 END"
    # The end of a date alone looks like an offset.
    offset = f"CASE WHEN length({column}) > 10 THEN coalesce({sign}, 0) * ({ahead}) ELSE 0 END"
    local = f"replace(upper(regexp_extract({column}, '^{_LOCAL}')), ',', '.')"
    return (
        f"CASE WHEN NOT contains({column}, '-') THEN {number_of(loaded, place)} "  # the fastest
        f"WHEN regexp_full_match({column}, '{_PLAIN}') "
        f"THEN epoch(TRY_CAST({column} AS TIMESTAMP)) "
        f"WHEN regexp_full_match({column}, '{_ISO}') "
        f"THEN epoch(TRY_CAST({local} AS TIMESTAMP)) - ({offset}) "
        f"ELSE {number_of(loaded, place)} END"
    )


def refuse_odd_times(connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int) -> str:
    """Raise DataError if numbers are not seconds, or are mixed with dates.

    Returns what the column holds, in words. Ambiguous columns are added to the warnings, but not
    if the caller says how times are written. Cells that are neither must be gone.
    """
    kind = loaded.types[place]
    iso = "false"
    if kind == "VARCHAR":
        matches = f"regexp_full_match(c{place}, '{_ISO}')"
        iso = f"CASE WHEN contains(c{place}, '-') THEN {matches} ELSE false END"
    if _is_calendar(kind):
        iso = "true"
    if loaded.times is not None:
        if _is_calendar(kind):
            raise DataError(
                f"{loaded.name}, column {label_of(loaded, place)}: these are times of type {kind}, "
                "which need no unit or format. Leave out time_unit= and time_format=."
            )
        return str(loaded.times)
    times = _Times(connection, loaded, place, iso)
    if times.date is not None and times.number is not None:
        line = line_of(loaded, times.date, beside=times.number)
        raise DataError(
            f"{where(loaded, times.number)}, column {label_of(loaded, place)}: a number, but "
            f"{line} holds a date. Write all times as seconds since 1970, or all as "
            "ISO dates."
        )
    if times.number is not None:
        _refuse_other_numbers(times)
    _warn_of_1970(times)
    if times.number is not None:
        return "read as seconds since 1970"
    return f"times of type {kind}" if _is_calendar(kind) else "read as ISO dates"


class _Times:
    """Times of the accepted rows: row, cell, iso, number, and n, the same if whole."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int, iso: str
    ) -> None:
        self.loaded, self.place = loaded, place
        self._connection = connection
        self._rows = (
            "(SELECT *, CASE WHEN number = trunc(number) THEN TRY_CAST(number AS BIGINT) END AS n "  # noqa: S608 - own names
            f"FROM (SELECT rowid AS row, CAST(c{place} AS VARCHAR) AS cell, {iso} AS iso, "
            f"{seconds_of(loaded, place)} AS number FROM {loaded.table} "
            f"WHERE rowid >= {loaded.skip} AND rowid NOT IN (SELECT row FROM dropped)))"
        )
        # All that the common case needs, in one pass: each pass reads all texts again.
        counted = ["number <> 0", _LATE]
        counted += [kind.condition for kind in DIGITS] + [scale.condition for scale in DAYS]
        self.date, self.number, self.low, self.high, self.total, self.late, *found = self._one(
            "min(row) FILTER (iso), min(row) FILTER (NOT iso), min(number), max(number), "
            + _counts(counted)
        )
        self.digits = dict(zip(DIGITS, found, strict=False))
        self.days = dict(zip(DAYS, found[len(DIGITS) :], strict=True))

    def counts(self, conditions: list[str]) -> list[int]:
        """Return for how many times each condition holds."""
        return list(map(int, self._one(_counts(conditions))))

    def first(self, condition: str) -> tuple[int, float, str] | None:
        row, number, cell = self._one(
            "min(row), arg_min(number, row), arg_min(cell, row)", condition
        )
        return None if row is None else (int(row), float(number), str(cell))

    def _one(self, selected: str, condition: str = "true") -> Any:
        query = f"SELECT {selected} FROM {self._rows} WHERE {condition}"  # noqa: S608 - own names
        return self._connection.execute(query).fetchone()

    def place_of(self, condition: str) -> str:
        row = (self.first(condition) or (0,))[0]
        return f"{where(self.loaded, row)}, column {label_of(self.loaded, self.place)}"


def _refuse_other_numbers(times: _Times) -> None:
    for kind, hits in times.digits.items():
        if 2 * hits > times.total:
            raise _run_of_digits(times, kind, hits)
    if times.late:
        raise _too_late(times)
    for scale, hits in times.days.items():
        if times.total and 10 * hits >= 9 * times.total:
            raise _days(times, scale)
    width = float_kind(times.loaded, times.place)
    largest = max(abs(times.low), abs(times.high))
    if width in ("float16", "float32") and largest > CERTAIN_BELOW[width]:
        times.loaded.warnings.append(
            f"column {label_of(times.loaded, times.place)}: times of type {width} are exact up to "
            f"{CERTAIN_BELOW[width]:,} seconds only; these, up to {largest:.0f}, have been "
            "rounded. Keep times as float64 or as integers."
        )


def _run_of_digits(times: _Times, kind: Digits, count: int) -> DataError:
    _, number, cell = times.first(kind.condition) or (0, 0.0, "")
    digits = cell if cell.isdigit() else f"{number:.0f}"
    of_all = f"{count:,} of {times.total:,}"
    share = f"{'all' if count == times.total else of_all} numbers"
    written = f"{digits} as {kind.written(digits)}"
    way = f"Write {written}"
    if kind.format:
        way = f"Pass time_format={kind.format!r}, which reads {written}"
    return DataError(
        f"{times.place_of(kind.condition)}: seconds since 1970 or ISO dates expected, but {share} "
        f"of the column look like {_named(kind)}. {way}."
    )


def _named(kind: Digits) -> str:
    return "days (yyyymmdd)" if not kind.parts else f"dates with a time ({kind.name})"


def _too_late(times: _Times) -> DataError:
    found = times.counts([f"{_LATE} AND {scale.condition}" for scale in LARGE])
    fitting = [s for s, hits in zip(LARGE, found, strict=True) if 2 * hits >= times.late]
    before = (
        f"{times.place_of(_LATE)}: seconds since 1970 expected, this is after the year 2200 (the "
        f"largest is {times.high:.0f})"
    )
    others = f" Only {times.late:,} of {times.total:,} are such; leave the others."
    if not fitting:
        return DataError(f"{before} and of no unit known here. Give ISO dates.")
    ways = "; or ".join(
        f"{scale.name}. {scale.way}, which makes the largest {shown(scale.seconds(times.high))}"
        for scale in fitting
    )
    return DataError(
        f"{before} and looks like {ways}, or give ISO dates.{others * (times.late < times.total)}"
    )


def _days(times: _Times, scale: Unit) -> DataError:
    _, number, _ = times.first(scale.condition) or (0, 0.0, "")
    return DataError(
        f"{times.place_of(scale.condition)}: seconds since 1970 or ISO dates expected, but the "
        f"numbers of the column look like {scale.name}. {scale.way}: {number:.12g} is then "
        f"{shown(scale.seconds(number))}. If they count something else, let the count start at 0."
    )


def _warn_of_1970(times: _Times) -> None:
    """Warn if all times are within a year of 1970, as other units are when read as seconds."""
    if not 0 <= times.low <= times.high < _YEAR_1971:
        return
    years, months, days, *found = times.counts(
        ["n BETWEEN 1900 AND 2099", _MONTHS, _SHORT_DAYS] + [scale.condition for scale in PERHAPS]
    )
    guesses = [
        f"{scale.name} ({scale.way[0].lower()}{scale.way[1:]})"
        for scale, hits in zip(PERHAPS, found, strict=True)
        if times.total and 10 * hits >= 9 * times.total
    ]
    if times.total and years == times.total:
        guesses.append("years (write 2014 as 2014-01-01)")
    if times.total and months == times.total:
        guesses.append("months (yyyymm; write 201404 as 2014-04-01)")
    if times.total and days == times.total:
        guesses.append("days (yymmdd; write 140407 as 2014-04-07)")
    hint = f" They look like {' or '.join(guesses)}." if guesses else ""
    times.loaded.warnings.append(
        f"column {label_of(times.loaded, times.place)}: all times, taken as seconds since 1970, "
        f"lie from {shown(times.low)} to {shown(times.high)}.{hint} If they are "
        "of another year, their order is kept, but not their dates."
    )


def _counts(conditions: list[str]) -> str:
    return ", ".join(f"count(*) FILTER ({condition})" for condition in conditions)


def _is_calendar(kind: str) -> bool:
    return kind.startswith(("TIMESTAMP", "DATE"))
