"""Delimited text into a DuckDB table: fast where every byte can be accounted for, else by rule.

DuckDB reads fast, but some things it lets pass without a word: a spare delimiter at the end of a
line, blanks around quotes, lines lost where line ends are mixed. So its table is kept only if the
bytes of all fields, delimiters, quotes and line ends add up to the bytes of the file; otherwise
the file is read again by ``records``, which is slower and exact, and knows the line of each fault.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.dialect import (
    Asked,
    Dialect,
    candidates,
    describe,
    looks_like_header,
    quotes_are_ordinary,
)
from alsolike.data.files import TextFile
from alsolike.data.loaded import Loaded, Reject
from alsolike.data.records import Record, records
from alsolike.errors import DataError
from alsolike.faults import raise_of_system

_BATCH = 1 << 16
_GLANCE = 2000
_MOST_COLUMNS = 10_000


@dataclass
class _Trial:
    """What became of one candidate on the whole file."""

    dialect: Dialect
    width: int
    lines: list[int] | None = None
    count: int = 0
    blank: int = 0
    breaks: int = 0
    problem: Record | None = None
    rejected: list[Reject] = field(default_factory=list)


def load_delimited(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    asked: Asked,
    wanted: Sequence[str | int],
    *,
    reject: bool,
) -> Loaded:
    """Read `file` into `table`, finding its dialect.

    Raises
    ------
    DataError
        No candidate reads the whole file, and malformed lines are not to be rejected.
    """
    if file.survey.not_utf8 and not reject:
        raise DataError(
            f"{file.name}, line {file.survey.not_utf8_line}: {file.survey.not_utf8}. Convert the "
            "file (iconv -f LATIN1 -t UTF-8, if it is Latin-1), or pass on_error='reject'."
        )
    names = [ref for ref in wanted if isinstance(ref, str) and not ref.isdigit()]
    least = max([2, *(int(ref) for ref in wanted if _is_place(ref))])
    tried = candidates(file.survey, asked, names, least)
    if not tried:
        first = file.survey.head.strip().splitlines()[:1]
        raise DataError(
            f"{file.name}, line 1: at least 2 columns expected, but no delimiter was found "
            f"in {_cut(first[0] if first else '')!r}. Pass delimiter=."
        )
    trial, failures = _first_that_reads(connection, table, file, tried, asked)
    if trial is None:
        trial = _best_of(connection, table, file, failures, asked, reject=reject)
    else:
        told = [(f.dialect, f.problem.line, f.problem.problem) for f in failures if f.problem]
        trial.dialect = trial.dialect.because(describe(trial.dialect, told))
    return _loaded(connection, table, file, trial, asked, wanted)


def _first_that_reads(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    tried: Sequence[Dialect],
    asked: Asked,
) -> tuple[_Trial | None, list[_Trial]]:
    failures: list[_Trial] = []
    bare: dict[str, bool] = {}
    for dialect in tried:
        if not dialect.quote and asked.quote is None:
            ordinary = bare.setdefault(dialect.delimiter, _may_be_bare(file, dialect))
            if not ordinary:
                continue
        trial = _try(connection, table, file, dialect)
        if trial.problem is not None:
            failures.append(trial)
            continue
        plain = next((d for d in tried if d.delimiter == dialect.delimiter and not d.quote), None)
        # Line breaks within fields, yet each line on its own is a full row? Then the quotes that
        # swallowed the breaks are ordinary characters.
        swallowed = trial.breaks and asked.quote is None and plain is not None
        if swallowed and plain is not None and _every_line_is_a_row(file, plain, trial.width):
            return _try(connection, table, file, plain), failures
        return trial, failures
    return None, failures


def _every_line_is_a_row(file: TextFile, plain: Dialect, width: int) -> bool:
    return all(record.fields is not None for record in _records(file, plain, width))


def _try(
    connection: duckdb.DuckDBPyConnection, table: str, file: TextFile, dialect: Dialect
) -> _Trial:
    """Read the whole file into `table` in `dialect`, or say where that fails first."""
    trial = _Trial(dialect, 0)
    first = ""
    for record in itertools.islice(_records(file, dialect, 0), _GLANCE):
        if record.fields is None:
            trial.problem = record
            return trial
        first = first or record.raw
        trial.width = trial.width or len(record.fields)
    if not 1 < trial.width <= _MOST_COLUMNS:
        limit = "at least 2" if trial.width < _MOST_COLUMNS else f"at most {_MOST_COLUMNS:,}"
        found = f"{limit} columns expected, {trial.width:,} found"
        trial.problem = Record(1, None, first, found)
        return trial
    if not _read_fast(connection, table, file, trial):
        _read_exactly(connection, table, file, trial, stop=True)
    return trial


def _read_fast(
    connection: duckdb.DuckDBPyConnection, table: str, file: TextFile, trial: _Trial
) -> bool:
    """Let DuckDB read; True where what it read accounts for every byte of the file."""
    delimiter, quote, escape = trial.dialect.grammar
    if file.survey.lone_returns or len(delimiter.encode()) > 4 or not (quote + escape).isascii():
        return False
    columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(trial.width))
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM read_csv(?, delim=?, quote=?, "  # noqa: S608 - own names
            "escape=?, compression=?, header=false, auto_detect=false, strict_mode=true, "
            f"hive_partitioning=false, columns={{{columns}}})",
            [file.pattern, delimiter, quote, escape, file.compression],
        )
    except duckdb.Error as error:
        raise_of_system(error)
        return False
    return _adds_up(connection, table, file, trial)


def _adds_up(
    connection: duckdb.DuckDBPyConnection, table: str, file: TextFile, trial: _Trial
) -> bool:
    delimiter, quote, escape = trial.dialect.grammar
    survey = file.survey
    every = [f"c{place}" for place in range(trial.width)]
    rows, text = _sums(connection, table, ["strlen({0})"], every)
    feeds = returns = quoting = 0
    if rows != survey.line_feeds + survey.ends_open:
        feeds, returns = _sums(connection, table, [_occurrences(10), _occurrences(13)], every)[1:]
    for mark in dict.fromkeys([quote, escape]):
        if mark and survey.marks.get(mark, 1):
            (left,) = _sums(connection, table, [_occurrences(ord(mark))], every)[1:]
            quoting += file.count(mark) - left
    line_bytes = survey.line_feeds + survey.returns - feeds - returns
    delimiters = rows * (trial.width - 1) * len(delimiter.encode())
    if text + delimiters + line_bytes + quoting + 3 * survey.bom != survey.size:
        return False
    trial.count, trial.breaks = rows, feeds
    trial.blank = survey.line_feeds - feeds + survey.ends_open - rows
    return trial.blank >= 0


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
    """Count the rows, and sum each expression over all cells of the table."""
    # One output a column: a sum written over thousands of columns would be too deep to parse.
    sums = [f"sum({expression.format(name)})" for expression in expressions for name in columns]
    row = connection.execute(f"SELECT count(*), {', '.join(sums)} FROM {table}").fetchone()  # noqa: S608 - own names
    rows, *cells = (int(number or 0) for number in row or ())
    width = len(columns)
    return [rows, *(sum(cells[at : at + width]) for at in range(0, len(cells), width))]


def _read_exactly(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    trial: _Trial,
    *,
    stop: bool,
) -> None:
    """Read by rule into `table`; at a problem, stop and note it, or note all as rejects."""
    columns = ", ".join(f"c{place} VARCHAR" for place in range(trial.width))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({columns})")
    trial.lines, rows = [], []
    trial.blank = trial.breaks = 0
    for record in _records(file, trial.dialect, trial.width):
        if record.fields:
            rows.append(record.fields)
            trial.lines.append(record.line)
            trial.breaks += record.breaks
        elif record.fields is not None:
            trial.blank += 1
        elif stop:
            trial.problem = record
            return
        else:
            trial.rejected.append(Reject(record.line, record.problem, record.raw))
        if len(rows) == _BATCH:
            insert_rows(connection, table, rows, trial.width)
            rows = []
    insert_rows(connection, table, rows, trial.width)
    trial.count = len(trial.lines)


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


def _best_of(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    failures: Sequence[_Trial],
    asked: Asked,
    *,
    reject: bool,
) -> _Trial:
    """Read in the dialect with the fewest malformed lines, rejecting those, or raise for them."""
    first = failures[0].dialect.delimiter
    rivals = [trial for trial in failures if trial.dialect.delimiter == first]
    if len(rivals) > 1:
        rivals.sort(key=lambda trial: _malformed(file, trial.dialect))
    best = rivals[0]
    problem = best.problem
    if problem is not None and not reject:
        raise DataError(
            f"{file.name}, line {problem.line}: {problem.problem}: {_cut(problem.raw)!r}. "
            f"Read with {best.dialect.marks}. {_way_out(problem, best.dialect, asked)}"
        )
    trial = _Trial(best.dialect.because("reads most rows; malformed lines are rejected"), 0)
    trial.width = max(best.width, 2) if best.width else _width_of(file, best.dialect)
    _read_exactly(connection, table, file, trial, stop=False)
    return trial


def _width_of(file: TextFile, dialect: Dialect) -> int:
    for record in _records(file, dialect, 0):
        if record.fields:
            return len(record.fields)
    raise DataError(f"{file.name}: no line can be read with {dialect}.")


def _malformed(file: TextFile, dialect: Dialect) -> int:
    return sum(record.fields is None for record in _records(file, dialect, 0))


def _way_out(problem: Record, dialect: Dialect, asked: Asked) -> str:
    ways = []
    if "quote" in problem.problem:
        ways.append("Close or double the quote, or pass quote='' if quotes are plain characters")
    elif "columns" in problem.problem:
        ways.append(f"Quote fields that contain {dialect.delimiter!r}, or pass delimiter=, quote=")
    elif "UTF-8" in problem.problem:
        ways.append("Convert the file to UTF-8")
    ways.append("or set such lines aside with on_error='reject', rejects='file'")
    if asked.delimiter is None and "columns" in problem.problem:
        ways.append("if this is not one table of rows, reshape it first")
    return "; ".join(ways) + "."


def _loaded(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    trial: _Trial,
    asked: Asked,
    wanted: Sequence[str | int],
) -> Loaded:
    sample = connection.execute(f"SELECT * FROM {table} ORDER BY rowid LIMIT 1000").fetchall()  # noqa: S608
    rows = [tuple(text or "" for text in row) for row in sample]
    header = asked.header
    if header is None:
        header = not all(map(_is_place, wanted)) or looks_like_header(rows)
    dialect = Dialect(*trial.dialect.grammar, header=header, reason=trial.dialect.reason)
    names = rows[0] if header and rows else tuple("" for _ in range(trial.width))

    def locate(wanted_rows: Sequence[int]) -> list[tuple[int, str]]:
        return _located(file, dialect, trial.width, wanted_rows)

    return Loaded(
        name=file.name,
        format="text",
        table=table,
        names=names,
        types=("VARCHAR",) * trial.width,
        locate=locate,
        dialect=dialect,
        skip=int(header),
        rows=trial.count - int(header),
        blank=trial.blank,
        rejected=trial.rejected,
    )


def _located(
    file: TextFile, dialect: Dialect, width: int, wanted: Sequence[int]
) -> list[tuple[int, str]]:
    """Find the lines of some rows of the table, which ascend."""
    found: list[tuple[int, str]] = []
    ahead = iter(wanted)
    target = next(ahead, None)
    good = (record for record in _records(file, dialect, width) if record.fields)
    for row, record in enumerate(good):
        if target is None:
            break
        if row == target:
            found.append((record.line, record.raw))
            target = next(ahead, None)
    return found


def _records(file: TextFile, dialect: Dialect, width: int) -> Iterator[Record]:
    check = bool(file.survey.not_utf8)
    return records(file.lines(), dialect.grammar, width=width, check_bytes=check)


def _may_be_bare(file: TextFile, dialect: Dialect) -> bool:
    r"""Tell whether "no quotes" may be the truth: no field begins with ``"``, or one goes on."""
    opening = dialect.delimiter + '"'
    suspects = (line for line in file.lines() if line.startswith('"') or opening in line)
    return quotes_are_ordinary(suspects, dialect.delimiter)


def _is_place(ref: object) -> bool:
    return isinstance(ref, int) or (isinstance(ref, str) and ref.isascii() and ref.isdigit())


def _cut(text: str) -> str:
    shown = text.rstrip("\r\n").encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= 80 else shown[:77] + "..."
