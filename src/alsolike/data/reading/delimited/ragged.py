r"""Loads text whose lines hold several items each: a line per user or per basket.

Lines differ in their number of fields: ``user item item ...``, or ``item item ...`` where each line
is a user of its own. The fields of items go into one column with ``\0`` between them, a mark that
no text file has, to be split later.
"""

import re
from array import array
from collections.abc import Iterator, Sequence

import duckdb

from alsolike.data.reading.delimited.attempts import insert_rows
from alsolike.data.reading.delimited.dialect import Dialect, FixedDialect
from alsolike.data.reading.delimited.strict_parser import Grammar, Record, records
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.source_table import Reject, SourceTable, shortened
from alsolike.errors import DataError, SettingError

BETWEEN = "\0"
_BATCH = 1 << 16
_FEW_WIDTHS = 3  # numbers of fields; a table with a broken line has two
_DELIMITERS = ("\t", ";", "|", ",")
_SAMPLE = 200
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


def load_lines(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    fixed: FixedDialect,
    wanted: Sequence[str | int],
    *,
    reject: bool,
) -> SourceTable:
    """Read `file` into `table`: the columns user (the first field) and item, or item alone.

    `wanted` are the columns in use, that of users first; if it is "line", each line is a user and
    all its fields are items. Unless it is fixed, the delimiter is that of tab, ``;``, ``|`` and
    comma which the most of the first lines have, or else a run of blanks. A field in quotes ends on
    its line. Raises DataError for a line with a quote left open or bytes that are not UTF-8, unless
    `reject`; SettingError for other columns.
    """
    dialect = _dialect(file, fixed)
    with_user = wanted[0] != "line"
    _refuse_other_columns(wanted, ["user", "item"] if with_user else ["line", "item"])
    width = 1 + with_user
    columns = ", ".join(f"c{place} VARCHAR" for place in range(width))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({columns})")
    lines = array("q")
    rows: list[list[str]] = []
    rejected: list[Reject] = []
    blank = 0
    for record in _records(file, dialect):
        if record.fields is None:
            if not reject:
                raise DataError(
                    f"{file.name}, line {record.line}: {record.problem}: "
                    f"{shortened(record.raw)!r}. Fix the line, pass quote='none' if quotes are "
                    "ordinary characters, or set such lines aside with on_error='reject', "
                    "rejects='file'."
                )
            rejected.append(Reject(record.line, record.problem, record.raw))
        elif not record.fields:
            blank += 1
        else:
            fields = record.fields
            items = BETWEEN.join(fields[1:] if with_user else fields)
            rows.append([fields[0], items] if with_user else [items])
            lines.append(record.line)
        if len(rows) == _BATCH:
            insert_rows(connection, table, rows, width)
            rows = []
    insert_rows(connection, table, rows, width)

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        targets = {lines[row] for row in wanted}
        texts = {n: text for n, text in enumerate(file.lines(), start=1) if n in targets}
        return [(lines[row], texts[lines[row]]) for row in wanted]

    return SourceTable(
        name=file.name,
        format="a user a line",
        table=table,
        names=("user", "item") if with_user else ("item",),
        types=("VARCHAR",) * width,
        locate=locate,
        dialect=dialect,
        skip=int(dialect.header),
        rows=len(lines) - int(dialect.header),
        blank=blank,
        rejected=rejected,
        prefix=fixed.prefix,
    )


def found_delimiter(file: TextFile) -> str:
    """Return the delimiter that the most of the first lines have, or else a blank."""
    lines = file.survey.head.splitlines()[:_SAMPLE]
    counts = [sum(mark in line for line in lines) for mark in _DELIMITERS]
    return _DELIMITERS[counts.index(max(counts))] if any(counts) else " "


def way_of_lines(file: TextFile, at_least: int = _FEW_WIDTHS) -> str:
    """Return the way out if the first lines differ in their number of fields, as baskets do."""
    mark, survey = found_delimiter(file), file.survey
    lines = survey.head.splitlines()
    if len(survey.head.encode()) + 3 * survey.bom < survey.size:
        lines = lines[:-1]  # the last may be cut
    widths = {len(line.split(None if mark == " " else mark)) for line in lines[:_SAMPLE]}
    if len(widths) < at_least:
        return ""
    return (
        " If each line is a user and then items, pass layout='lines'; if it is a basket of items "
        "alone, also user='line'."
    )


def _refuse_other_columns(wanted: Sequence[str | int], names: Sequence[str]) -> None:
    known = {*names, *(str(at) for at in range(1, 1 + len(names)))}
    for ref in wanted:
        if str(ref) not in known:
            raise SettingError(
                f"{ref!r} is no column: with layout='lines' there are only user, the first field "
                "of a line, and item, its other fields; with user='line' each line is a user and "
                "all of its fields are items."
            )


def _dialect(file: TextFile, fixed: FixedDialect) -> Dialect:
    if fixed.escape:
        raise SettingError("escape= does not apply to layout='lines'.")
    delimiter = found_delimiter(file) if fixed.delimiter is None else fixed.delimiter
    quote = fixed.quote
    if quote is None:
        quote = "" if delimiter.isspace() else '"'
    reason = "" if fixed.delimiter else "the delimiter of most of the first lines"
    return Dialect(delimiter, quote, quote, bool(fixed.header), reason)


def _records(file: TextFile, dialect: Dialect) -> Iterator[Record]:
    """Yield a record for each line."""
    grammar = Grammar(dialect.delimiter, dialect.quote, dialect.quote)
    check = bool(file.survey.not_utf8)
    for number, line in enumerate(file.lines(), start=1):
        if check and _NOT_UTF8.search(line):
            yield Record(number, None, line, "bytes that are not UTF-8")
        elif not line.strip():
            yield Record(number, [], line)
        elif grammar.quote and grammar.quote in line:
            [record, *_] = records([line], grammar)
            yield record._replace(line=number)
        elif dialect.delimiter == " ":
            yield Record(number, line.split(), line)
        else:
            yield Record(number, line.rstrip("\r\n").split(dialect.delimiter), line)
