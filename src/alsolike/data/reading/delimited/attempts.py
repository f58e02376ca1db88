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
from alsolike.data.reading.files.selection import Selected
from alsolike.data.reading.source_table import Reject
from alsolike.system_errors import raise_of_system

GLANCE = 2000
_BATCH = 1 << 16
_MOST_COLUMNS = 10_000


@dataclass
class Attempt:
    """Result of reading the whole file in one dialect.

    The table has the columns `selected`. `cells` is the SQL that reads all columns again, with its
    parameters, and None if the strict parser read the file.
    """

    dialect: Dialect
    width: int
    selected: Selected = field(default_factory=Selected)
    cells: tuple[str, tuple[Any, ...]] | None = None
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
    names: Sequence[str] = ()
    for record in itertools.islice(records_of(file, dialect, 0), GLANCE):
        if record.fields is None:
            attempt.problem = record
            return attempt
        first, names = first or record.raw, names or record.fields
    attempt.width = len(names)
    if not 1 < attempt.width <= _MOST_COLUMNS:
        limit = "at least 2" if attempt.width < _MOST_COLUMNS else f"at most {_MOST_COLUMNS:,}"
        found = f"{limit} columns expected, {attempt.width:,} found"
        attempt.problem = Record(file.first, None, first, found)
        return attempt
    attempt.selected = file.selection.of(names)
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
    attempt.cells = (
        "read_csv(?, delim=?, quote=?, escape=?, compression=?, skip=?, header=false, "
        f"auto_detect=false, strict_mode=true, hive_partitioning=false, columns={{{columns}}})",
        (file.pattern, delimiter, quote, escape, file.compression, file.first - 1),
    )
    cells, parameters = attempt.cells
    every = ", ".join(f"c{place}" for place in range(attempt.width))
    counts = _counts_of_row(file, attempt.dialect)
    chosen = [*attempt.selected.sql, *(f"{sql} AS {name}" for name, sql in counts.items())]
    marks = [file.comment] if "comments" in counts else []
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {', '.join(chosen)} FROM "  # noqa: S608 - own names
            f"(SELECT *, concat({every}) AS line FROM {cells})",
            [*marks, *parameters],
        )
    except duckdb.Error as error:
        raise_of_system(error)
        return False
    return _adds_up(connection, table, file, attempt, list(counts))


def _counts_of_row(file: TableFile, dialect: Dialect) -> dict[str, str]:
    """Return the SQL of what is counted in each row, where `line` are all its cells together.

    Line ends are within cells only if these are quoted.
    """
    delimiter, quote, escape = dialect.grammar
    counts = {"bytes": "CAST(strlen(line) AS UINTEGER)"}
    marks = [mark for mark in (quote, escape) if mark and file.survey.marks.get(mark, 1)]
    if marks:
        counts |= {"feeds": _occurrences(10), "returns": _occurrences(13)}
    counts |= {f"mark_{ord(mark)}": _occurrences(ord(mark)) for mark in marks}
    if file.comment and delimiter not in file.comment and file.comment[0] != quote:
        counts["comments"] = "starts_with(c0, ?)"
    return counts


def _occurrences(character: int) -> str:
    mark = f"chr({character})"
    return (
        f"CASE WHEN contains(line, {mark}) "
        f"THEN CAST(strlen(line) - strlen(replace(line, {mark}, '')) AS UINTEGER) END"
    )


def _adds_up(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
    counts: Sequence[str],
) -> bool:
    """Return whether the rows account for all bytes, without comments; drop their counts."""
    survey, delimiter = file.survey, attempt.dialect.delimiter
    sums = ", ".join(f"coalesce(sum(CAST({name} AS BIGINT)), 0)" for name in counts)
    [numbers] = connection.execute(f"SELECT count(*), {sums} FROM {table}").fetchall()  # noqa: S608 - own names
    rows, *found = map(int, numbers)
    total = dict(zip(counts, found, strict=True))
    for name in counts:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {name}")
    # Without this count, a comment may be within the rows and not be seen.
    if file.comment and total.get("comments", 1):
        return False
    feeds = returns = quoting = 0
    if rows != survey.line_feeds + survey.ends_open:
        feeds, returns = total.get("feeds", 0), total.get("returns", 0)
    for name in counts:
        if name.startswith("mark_"):
            quoting += file.count(chr(int(name.removeprefix("mark_")))) - total[name]
    line_bytes = survey.line_feeds + survey.returns - feeds - returns
    delimiters = rows * (attempt.width - 1) * len(delimiter.encode())
    if total["bytes"] + delimiters + line_bytes + quoting + 3 * survey.bom != survey.size:
        return False
    attempt.count, attempt.breaks = rows, feeds
    attempt.blank = survey.line_feeds - feeds + survey.ends_open - rows
    return attempt.blank >= 0


def read_exactly(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
    *,
    stop: bool,
) -> None:
    """Read with the strict parser; stop at a problem and note it, or note all as rejects."""
    selected, width = attempt.selected, attempt.width
    columns = [f"c{place} VARCHAR" for place in selected.places]
    columns += [f"{name} UBIGINT" for name in selected.identity]
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(columns)})")
    attempt.cells, attempt.lines, rows = None, [], []
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
            insert_rows(connection, table, rows, width, selected.sql)
            rows = []
    insert_rows(connection, table, rows, width, selected.sql)
    attempt.count = len(attempt.lines)


def insert_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[Sequence[str | None]],
    width: int,
    chosen: Sequence[str] = ("*",),
) -> None:
    """Append rows of `width` texts to a table; empty texts become NULL.

    `chosen` is the SQL of the columns of the table, of texts c0, c1, ...
    """
    if not rows:
        return
    batch: dict[str, Any] = {}
    for place, column in enumerate(zip(*rows, strict=True)):
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [text or None for text in column]
        batch[f"c{place}"] = cells
    connection.register("batch", batch)
    texts = ", ".join(f"CAST(c{place} AS VARCHAR) AS c{place}" for place in range(width))
    connection.execute(
        f"INSERT INTO {table} SELECT {', '.join(chosen)} FROM (SELECT {texts} FROM batch)"  # noqa: S608 - own names
    )
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
