r"""Loads blocks as Netflix has them: a line ``1:`` for an item, then lines ``user,rating,date``."""

import re
from collections.abc import Sequence

import duckdb

from alsolike.data.reading.delimited.attempts import insert_rows
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.source_table import Reject, SourceTable, shortened
from alsolike.errors import DataError

_BATCH = 1 << 16
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_FORM = re.compile(r"\s*\d+:[ \t]*(?:\r\n|\n|\r)\d+,(?:\d+,)?\d{4}-\d\d-\d\d[ \t]*(?:[\r\n]|$)")
_COLUMNS = (("user",), ("user", "rating"), ("user", "rating", "date"))


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
    *,
    asked: bool,
    reject: bool,
) -> SourceTable:
    """Read `file` into `table`: the columns user, rating and date, where lines have them, and item.

    `asked` is whether the caller named the form; else a warning says that it was found. Raises
    DataError for a line that is neither an item nor as long as the first of its kind, unless
    `reject`.
    """
    raw = f"{table}_blocks"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {raw} (c0 VARCHAR, c1 VARCHAR)")
    item: str | None = None
    names: tuple[str, ...] = ()
    rows: list[list[str]] = []
    rejected: list[Reject] = []
    count = blank = 0
    for number, line in enumerate(file.lines(), start=1):
        text = line.rstrip()
        if text.endswith(":") and "," not in text:
            item, problem = text[:-1], ""
        elif not text:
            blank, problem = blank + 1, ""
        else:
            names = names or _names(text)
            problem = _problem(text, item, names)
            if not problem:
                rows.append([item or "", text])
                count += 1
        if problem and not reject:
            raise DataError(
                f"{file.name}, line {number}: {problem}, found {shortened(line)!r}. Fix the line, "
                "set such lines aside with on_error='reject', rejects='file', or pass "
                "layout='table' if the file is a table."
            )
        if problem:
            rejected.append(Reject(number, problem, line))
        if len(rows) == _BATCH:
            insert_rows(connection, raw, rows, 2)
            rows = []
    insert_rows(connection, raw, rows, 2)
    parts = [
        f"nullif(split_part(c1, ',', {place + 1}), '') AS c{place}" for place in range(len(names))
    ]
    parts.append(f"c0 AS c{len(names)}")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT {', '.join(parts)} FROM {raw}"  # noqa: S608
    )
    connection.execute(f"DROP TABLE {raw}")
    columns = (*names, "item")
    warnings = [
        f"{file.name}: read as blocks, an item such as '1:' and then its lines, with the columns "
        f"{', '.join(columns)}. If it is a table, pass layout='table'."
    ]

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        return _located(file, names, wanted)

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


def _problem(text: str, item: str | None, names: Sequence[str]) -> str:
    """Return what is wrong with a line within a block, or nothing."""
    if item is None:
        return "a line with an item, such as '1:', expected first"
    if not item.strip():
        return "the line before has no item before its colon"
    if text.count(",") != len(names) - 1:
        return f"an item such as '1:', or {','.join(names)}, expected"
    if "\udc80" <= max(text) <= "\udcff":
        return "bytes that are not UTF-8"
    return ""


def _located(file: TextFile, names: Sequence[str], wanted: Sequence[int]) -> list[tuple[int, str]]:
    """Return the line numbers and texts of ascending rows of the table."""
    found: list[tuple[int, str]] = []
    ahead = iter(wanted)
    target, row, item = next(ahead, None), 0, None
    for number, line in enumerate(file.lines(), start=1):
        text = line.rstrip()
        if text.endswith(":") and "," not in text:
            item = text[:-1]
        elif text and not _problem(text, item, names):
            if row == target:
                found.append((number, line))
                target = next(ahead, None)
                if target is None:
                    break
            row += 1
    return found
