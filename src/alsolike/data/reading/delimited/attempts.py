"""Reads a whole file in one dialect into DuckDB, or finds the first line that fails.

DuckDB is fast but silently accepts some faults: a spare delimiter at the end of a line, blanks
around quotes, lines lost among mixed line ends. Its table is kept only if the bytes of all fields,
delimiters, quotes and line ends add up to the bytes of the file; otherwise the file is read again
by ``records``, which is slower and exact.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.reading.delimited.dialect import Dialect
from alsolike.data.reading.delimited.strict_parser import Record, records
from alsolike.data.reading.delimited.table_file import TableFile
from alsolike.data.reading.source_table import Reject
from alsolike.system_errors import raise_of_system

GLANCE = 2000
_BATCH = 1 << 16
_MOST_COLUMNS = 10_000


@dataclass
class Attempt:
    """Result of reading the whole file in one dialect."""

    dialect: Dialect
    width: int
    lines: list[int] | None = None
    count: int = 0
    blank: int = 0
    comments: int = 0
    breaks: int = 0
    problem: Record | None = None
    rejected: list[Reject] = field(default_factory=list)
    guesses: list[str] = field(default_factory=list)


def try_dialect(
    connection: duckdb.DuckDBPyConnection, table: str, file: TableFile, dialect: Dialect
) -> Attempt:
    """Read the whole file into `table` in `dialect`, or note the first problem."""
    attempt = Attempt(dialect, 0)
    first = ""
    for record in itertools.islice(records_of(file, dialect, 0), GLANCE):
        if record.fields is None:
            attempt.problem = record
            return attempt
        first = first or record.raw
        attempt.width = attempt.width or len(record.fields)
    if not 1 < attempt.width <= _MOST_COLUMNS:
        limit = "at least 2" if attempt.width < _MOST_COLUMNS else f"at most {_MOST_COLUMNS:,}"
        found = f"{limit} columns expected, {attempt.width:,} found"
        attempt.problem = Record(file.first, None, first, found)
        return attempt
    if not _read_fast(connection, table, file, attempt):
        read_exactly(connection, table, file, attempt, stop=True)
    return attempt


def _read_fast(
    connection: duckdb.DuckDBPyConnection, table: str, file: TableFile, attempt: Attempt
) -> bool:
    """Read with DuckDB; return whether the result accounts for every byte of the file."""
    delimiter, quote, escape = attempt.dialect.grammar
    wide = len(delimiter.encode())
    if file.survey.lone_returns or wide > 4 or not (quote + escape).isascii():
        return False
    # After a closing quote, DuckDB takes part of a delimiter of several bytes for all of it.
    if wide > 1 and quote and file.count(quote):
        return False
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(attempt.width))
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_csv(?, delim=?, quote=?, "  # noqa: S608 - own names
            "escape=?, compression=?, skip=?, header=false, auto_detect=false, strict_mode=true, "
            f"hive_partitioning=false, columns={{{columns}}})",
            [file.pattern, delimiter, quote, escape, file.compression, file.first - 1],
        )
    except duckdb.Error as error:
        raise_of_system(error)
        return False
    may_have_comments = _may_have_comments(connection, table, file, attempt.dialect)
    return not may_have_comments and _adds_up(connection, table, file, attempt)


def _may_have_comments(
    connection: duckdb.DuckDBPyConnection, table: str, file: TableFile, dialect: Dialect
) -> bool:
    """Return whether comments may be among the rows, which DuckDB has read."""
    if not file.comment:
        return False
    if dialect.delimiter in file.comment or file.comment[0] == dialect.quote:
        return True
    query = f"SELECT count(*) FROM {table} WHERE starts_with(c0, ?)"  # noqa: S608 - own names
    [[count]] = connection.execute(query, [file.comment]).fetchall()
    return bool(count)


def _adds_up(
    connection: duckdb.DuckDBPyConnection, table: str, file: TableFile, attempt: Attempt
) -> bool:
    delimiter, quote, escape = attempt.dialect.grammar
    survey = file.survey
    every = [f"c{place}" for place in range(attempt.width)]
    rows, text = _sums(connection, table, ["strlen({0})"], every)
    feeds = returns = quoting = 0
    if rows != survey.line_feeds + survey.ends_open:
        feeds, returns = _sums(connection, table, [_occurrences(10), _occurrences(13)], every)[1:]
    for mark in dict.fromkeys([quote, escape]):
        if mark and survey.marks.get(mark, 1):
            (left,) = _sums(connection, table, [_occurrences(ord(mark))], every)[1:]
            quoting += file.count(mark) - left
    line_bytes = survey.line_feeds + survey.returns - feeds - returns
    delimiters = rows * (attempt.width - 1) * len(delimiter.encode())
    if text + delimiters + line_bytes + quoting + 3 * survey.bom != survey.size:
        return False
    attempt.count, attempt.breaks = rows, feeds
    attempt.blank = survey.line_feeds - feeds + survey.ends_open - rows
    return attempt.blank >= 0


def _occurrences(character: int) -> str:
    mark = f"chr({character})"
    return (
        f"CASE WHEN contains({{0}}, {mark}) "
        f"THEN strlen({{0}}) - strlen(replace({{0}}, {mark}, '')) END"
    )


def _sums(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    expressions: Sequence[str],
    columns: Sequence[str],
) -> list[int]:
    # One output a column: a sum written over thousands of columns would be too deep to parse.
    sums = [f"sum({expression.format(name)})" for expression in expressions for name in columns]
    row = connection.execute(f"SELECT count(*), {', '.join(sums)} FROM {table}").fetchone()  # noqa: S608 - own names
    rows, *cells = (int(number or 0) for number in row or ())
    width = len(columns)
    return [rows, *(sum(cells[at : at + width]) for at in range(0, len(cells), width))]


def read_exactly(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
    *,
    stop: bool,
) -> None:
    """Read with the strict parser; stop at a problem and note it, or note all as rejects."""
    columns = ", ".join(f"c{place} VARCHAR" for place in range(attempt.width))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({columns})")
    attempt.lines, rows = [], []
    attempt.blank = attempt.comments = attempt.breaks = 0
    for record in records_of(file, attempt.dialect, attempt.width):
        if record.fields:
            rows.append(record.fields)
            attempt.lines.append(record.line)
            attempt.breaks += record.breaks
        elif record.is_comment:
            attempt.comments += 1
        elif record.fields is not None:
            attempt.blank += 1
        elif stop:
            attempt.problem = record
            return
        else:
            attempt.rejected.append(Reject(record.line, record.problem, record.raw))
        if len(rows) == _BATCH:
            insert_rows(connection, table, rows, attempt.width)
            rows = []
    insert_rows(connection, table, rows, attempt.width)
    attempt.count = len(attempt.lines)


def insert_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Sequence[str | None]],
    width: int,
) -> None:
    """Append rows of text to a table of `width` VARCHAR columns; empty texts become NULL."""
    if not rows:
        return
    batch: dict[str, Any] = {}
    for place, column in enumerate(zip(*rows, strict=True)):
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [text or None for text in column]
        batch[f"c{place}"] = cells
    connection.register("batch", batch)
    chosen = ", ".join(f"CAST(c{place} AS VARCHAR)" for place in range(width))
    connection.execute(f"INSERT INTO {table} SELECT {chosen} FROM batch")  # noqa: S608 - own names
    connection.unregister("batch")


def records_of(file: TableFile, dialect: Dialect, width: int) -> Iterator[Record]:
    """Yield the records of `file` in `dialect`, malformed and blank ones included."""
    check = bool(file.survey.not_utf8)
    return records(
        file.every_line(),
        dialect.grammar,
        width=width,
        check_bytes=check,
        first=file.first,
        comment=file.comment,
    )
