r"""Loads blocks as Netflix has them: a line ``1:`` for an item, then lines ``user,rating,date``."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import duckdb

from alsolike.data.reading.delimited.attempts import insert_rows
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.source_table import Reject, SourceTable, shortened
from alsolike.errors import DataError

_BATCH = 1 << 16
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FORM = re.compile(r"\s*\d+:[ \t]*(?:\r\n|\n|\r)\d+,(?:\d+,)?\d{4}-\d\d-\d\d[ \t]*(?:[\r\n]|$)")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_COLUMNS = (("user",), ("user", "rating"), ("user", "rating", "date"))


class _Line(NamedTuple):
    """A line: a row if it has `names`, an item, blank, or with a `problem`."""

    number: int
    raw: str
    text: str
    item: str = ""
    names: tuple[str, ...] = ()
    problem: str = ""


def is_blocks(head: str) -> bool:
    r"""Return whether a text begins with a block: ``1:`` and a line that ends with a date.

    Examples
    --------
    >>> is_blocks("1:\n1488844,3,2005-09-06\n"), is_blocks("1:\n2\n")
    (True, False)
    """
    return _FORM.match(head) is not None


def load_blocks(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    ids: Sequence[str | int],
    *,
    asked: bool,
    reject: bool,
) -> SourceTable:
    """Read `file` into `table`: the columns user, rating and date, where lines have them, and item.

    `asked` is whether the caller named the form; else a warning says that it was found. Raises
    DataError for a line that is neither an item nor as long as the first of its kind, unless
    `reject`, and if one of the `ids` is the column of ratings or dates.
    """
    raw = f"{table}_blocks"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {raw} (c0 VARCHAR, c1 VARCHAR)")
    rows: list[list[str]] = []
    rejected: list[Reject] = []
    names: tuple[str, ...] = ()
    count = blank = 0
    for line in _lines(file):
        if line.problem and not reject:
            raise DataError(
                f"{file.name}, line {line.number}: {line.problem}, found {shortened(line.raw)!r}. "
                "Fix the line, set such lines aside with on_error='reject', rejects='file', or "
                "pass layout='table' if the file is a table."
            )
        if line.problem:
            rejected.append(Reject(line.number, line.problem, line.raw))
        elif line.names:
            names = line.names
            rows.append([line.item, line.text])
            count += 1
        elif not line.text:
            blank += 1
        if len(rows) == _BATCH:
            insert_rows(connection, raw, rows, 2)
            rows = []
    insert_rows(connection, raw, rows, 2)
    names = names or _COLUMNS[0]
    parts = [
        f"nullif(split_part(c1, ',', {place + 1}), '') AS c{place}" for place in range(len(names))
    ]
    parts.append(f"c0 AS c{len(names)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {', '.join(parts)} FROM {raw}"  # noqa: S608
    )
    connection.execute(f"DROP TABLE {raw}")
    columns = (*names, "item")
    for ref in ids:
        place = int(ref) - 1 if str(ref).isdecimal() else -1
        name = columns[place] if 0 <= place < len(columns) else ref
        if name in ("rating", "date"):
            is_table = "" if asked else ", or layout='table' if it is a table"
            raise DataError(
                f"{file.name}: column {ref!r} of blocks is the {name}, not an id; the columns are "
                f"{', '.join(columns)}. Pass user='user' and item='item'{is_table}."
            )
    warnings = [
        f"{file.name}: read as blocks, an item such as '1:' and then its lines, with the columns "
        f"{', '.join(columns)}. If it is a table, pass layout='table'."
    ]

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        return _located(file, wanted)

    return SourceTable(
        name=file.name,
        format="blocks of items",
        table=table,
        names=columns,
        types=("VARCHAR",) * len(columns),
        locate=locate,
        rows=count,
        blank=blank,
        rejected=rejected,
        warnings=[] if asked else warnings,
    )


def _names(text: str) -> tuple[str, ...]:
    """Return the columns of the lines, by the first of them."""
    fields = text.split(",")
    if len(fields) == 2 and _DATE.fullmatch(fields[1]):
        return ("user", "date")
    return _COLUMNS[min(len(fields), len(_COLUMNS)) - 1]


def _lines(file: TextFile) -> Iterator[_Line]:
    """Yield all lines; rows are as long as the first of them."""
    check = bool(file.survey.not_utf8)
    item: str | None = None
    names: tuple[str, ...] = ()
    for number, raw in enumerate(file.lines(), start=1):
        text = raw.rstrip()
        if check and _NOT_UTF8.search(text):
            yield _Line(number, raw, text, problem="bytes that are not UTF-8")
        elif text.endswith(":") and "," not in text:
            item = text[:-1].strip()
            yield _Line(number, raw, text, problem="" if item else "an item before ':' expected")
        elif not text:
            yield _Line(number, raw, text)
        elif not item:
            problem = "an item such as '1:' expected before the rows"
            yield _Line(number, raw, text, problem=problem)
        else:
            names = names or _names(text)
            is_row = text.count(",") == len(names) - 1
            problem = "" if is_row else f"an item such as '1:', or {','.join(names)}, expected"
            yield _Line(number, raw, text, item, names if is_row else (), problem)


def _located(file: TextFile, wanted: Sequence[int]) -> list[tuple[int, str]]:
    """Return the line numbers and texts of ascending rows of the table."""
    found: list[tuple[int, str]] = []
    rows = (line for line in _lines(file) if line.names)
    at = 0
    for target in wanted:
        line = next(itertools.islice(rows, target - at, None))
        found.append((line.number, line.raw))
        at = target + 1
    return found
