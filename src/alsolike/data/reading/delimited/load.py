"""Loads delimited text into DuckDB: detects dialect and header, locates rows."""

import re
import shlex
from collections.abc import Sequence
from itertools import islice

import duckdb

from alsolike.data.reading.delimited.attempts import Attempt, records_of
from alsolike.data.reading.delimited.detection import choose
from alsolike.data.reading.delimited.dialect import Dialect, FixedDialect, candidates
from alsolike.data.reading.delimited.header import first_row
from alsolike.data.reading.delimited.preamble import lines_before
from alsolike.data.reading.delimited.ragged import way_of_lines
from alsolike.data.reading.delimited.table_file import TableFile
from alsolike.data.reading.files.text_files import QUOTES
from alsolike.data.reading.source_table import SourceTable, shortened
from alsolike.errors import DataError

_SHOWN_NAMES = 6
_SHOWN_LINES = 100
_SAMPLE = 1000
_DELIMITED = re.compile(r"[,;|\t]")


def load_delimited(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    fixed: FixedDialect,
    wanted: Sequence[str | int],
    *,
    reject: bool,
) -> SourceTable:
    """Read `file` into `table`; detect its dialect. Raises DataError if none fits."""
    if file.survey.not_utf8 and not reject:
        raise DataError(_not_utf8(file, fixed.prefix))
    wanted = _columns_of(file, wanted)
    names, least = _asked_for(wanted)
    if fixed.quote is None:
        _refuse_quoted_lines(file)
    tried = candidates(file.survey, fixed, names, least)
    if not tried:
        first = file.survey.head.strip().splitlines()[:1]
        if not first:
            raise DataError(
                f"{file.name}, line {file.first}: rows expected, only blank lines found."
            )
        if before := lines_before(file, fixed, names, least):
            raise DataError(f"{file.name}, {before.text}")
        raise DataError(
            f"{file.name}, line {file.first}: at least 2 columns expected, but no delimiter was "
            f"found in {shortened(first[0])!r}. Pass {fixed.prefix}delimiter=."
            f"{'' if fixed.prefix else _way_of_layouts(file, first[0])}"
        )
    try:
        attempt = choose(connection, table, file, tried, fixed, reject=reject)
    except DataError as error:
        before = lines_before(file, fixed, names, least)
        if before is None:
            if not fixed.prefix and (way_out := way_of_lines(file)):
                raise DataError(f"{error}{way_out}") from error
            raise
        if before.sure:
            raise DataError(f"{file.name}, {before.text}") from error
        raise DataError(f"{error} Or else {before.text}") from error
    return _loaded(connection, table, file, attempt, fixed, wanted)


def _way_of_layouts(file: TableFile, first: str) -> str:
    """Return the way out if a file without a delimiter has another layout than a table."""
    if re.fullmatch(r"\s*\d+:\s*", first):
        return f" If {first.strip()!r} is the item of the lines below it, pass layout='netflix'."
    return way_of_lines(file, 2)


def _refuse_quoted_lines(file: TableFile) -> None:
    """Raise DataError if each line, except perhaps the first, is quoted as a whole."""
    lines = [line.rstrip("\r\n") for line in islice(file.lines(), _SHOWN_LINES) if line.strip()]
    for mark in QUOTES if lines else ():
        text = re.escape(mark)
        whole = re.compile(f"{text}(?:[^{text}]|{text}{text})*{text}")
        quoted = [whole.fullmatch(line) is not None for line in lines]
        if not all(quoted[1:] or quoted) or not all(map(_DELIMITED.search, lines)):
            continue
        name = shlex.quote(file.name)
        edit = shlex.quote(f"s/^{text}//; s/{text}\\r*$//; s/{text}{text}/{text}/g")
        command = f"{file.printed} | sed {edit}" if file.printed else f"sed {edit} {name}"
        raise DataError(
            f"{file.name}: each line is quoted as a whole, such as {shortened(lines[-1])!r}, which "
            f"makes it one field. Take these quotes away: {command} > {shlex.quote(file.new_name)}"
        )


def _loaded(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
    fixed: FixedDialect,
    wanted: Sequence[str | int],
) -> SourceTable:
    read = (record.fields for record in records_of(file, attempt.dialect, attempt.width))
    rows = [tuple(fields) for fields in islice(filter(None, read), _SAMPLE)]
    header, told = _header(file, attempt, rows, fixed, wanted)
    reason = attempt.dialect.reason
    if file.separator:
        reason = f"line 1 is {file.separator!r}; {reason}"
    dialect = Dialect(*attempt.dialect.grammar, header, reason, told)
    warnings = [*file.warnings, *attempt.guesses]
    if told:
        other = f"{fixed.prefix}header={not header}"
        is_wrong = "it is a row" if header else "it names the columns"
        warnings.append(f"{file.name}: {told}. If {is_wrong}, pass {other}.")
    names = rows[0] if header and rows else tuple("" for _ in range(attempt.width))
    if header:
        warnings += _names_again(connection, table, file, attempt)
    warnings += _before(file, fixed, wanted, names, None if attempt.rejected else rows)

    def locate(wanted_rows: Sequence[int]) -> list[tuple[int, str]]:
        return _located(file, dialect, attempt.width, wanted_rows)

    return SourceTable(
        name=file.name,
        format="text",
        table=table,
        names=names,
        types=("VARCHAR",) * attempt.width,
        locate=locate,
        dialect=dialect,
        skip=int(header),
        rows=attempt.count - int(header),
        blank=attempt.blank + file.leading_blanks,
        rejected=attempt.rejected,
        warnings=warnings,
        prefix=fixed.prefix,
        encoding=file.encoding,
        skipped=file.skipped,
        comments=attempt.comments + file.leading_comments,
        identity=attempt.selected.identity,
    )


def _names_again(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
) -> list[str]:
    """Warn of later rows equal to the header."""
    columns = attempt.selected.identity or [f"c{place}" for place in range(attempt.width)]
    header = connection.execute(
        f"SELECT {', '.join(columns)} FROM {table} WHERE rowid = 0"  # noqa: S608 - own names
    ).fetchall()
    equal = " AND ".join(f"{column} IS NOT DISTINCT FROM ?" for column in columns)
    [(count, first)] = connection.execute(
        f"SELECT count(*), min(rowid) FROM {table} WHERE rowid > 0 AND {equal}",  # noqa: S608 - own names
        [cell for row in header for cell in row],
    ).fetchall()
    if not count:
        return []
    ((line, _),) = _located(file, attempt.dialect, attempt.width, [first])
    found = f"line {line} is" if count == 1 else f"{count:,} rows, from line {line} on, are"
    it = "It is read as a row" if count == 1 else "They are read as rows"
    return [
        f"{file.name}: {found} equal to the header, as in files that were concatenated "
        f"with their headers. {it}; remove them if they are not data."
    ]


def _header(
    file: TableFile,
    attempt: Attempt,
    rows: Sequence[Sequence[str]],
    fixed: FixedDialect,
    wanted: Sequence[str | int],
) -> tuple[bool, str]:
    """Return whether the first row is a header, and a warning if that is a guess."""
    if fixed.header is not None:
        return fixed.header, ""
    if not all(map(_is_place, wanted)):
        return True, ""
    found = first_row(rows)
    if found.sure or not rows:
        return found.header, ""
    shown = ", ".join(repr(shortened(cell)) for cell in rows[0][:_SHOWN_NAMES])
    more = ", ..." if len(rows[0]) > _SHOWN_NAMES else ""
    ((line, _),) = _located(file, attempt.dialect, attempt.width, [0])
    taken = "column names" if found.header else "a row"
    number = "" if line == 1 else f" (line {line})"
    return found.header, f"first line taken as {taken}: {shown}{more}{number}"


def _before(
    file: TableFile,
    fixed: FixedDialect,
    wanted: Sequence[str | int],
    names: Sequence[str],
    rows: Sequence[Sequence[str]] | None,
) -> list[str]:
    """Raise DataError if lines certainly precede the table; else return a warning."""
    named, least = _asked_for(wanted)
    if set(named) <= set(names) and named:
        return []
    before = lines_before(file, fixed, named, least, rows)
    if before is None:
        return []
    if before.sure:
        raise DataError(f"{file.name}, {before.text}")
    return [f"{file.name}: perhaps {before.text}"]


def _located(
    file: TableFile, dialect: Dialect, width: int, wanted: Sequence[int]
) -> list[tuple[int, str]]:
    """Return the line numbers and texts of ascending rows of the table."""
    found: list[tuple[int, str]] = []
    ahead = iter(wanted)
    target = next(ahead, None)
    good = (record for record in records_of(file, dialect, width) if record.fields)
    for row, record in enumerate(good):
        if target is None:
            break
        if row == target:
            found.append((record.line, record.raw))
            target = next(ahead, None)
    return found


def _not_utf8(file: TableFile, prefix: str) -> str:
    return (
        f"{file.name}, line {file.survey.not_utf8_line}: {file.survey.not_utf8}. Mend the line; "
        f"or, if all of the file is of another encoding, pass it, such as "
        f"{prefix}encoding='latin-1'; or set such lines aside with on_error='reject', "
        "rejects='file'."
    )


def _asked_for(wanted: Sequence[str | int]) -> tuple[list[str], int]:
    """Return the column names in use, and the highest column number in use, at least 2."""
    named = [ref for ref in wanted if isinstance(ref, str) and not _is_place(ref)]
    return named, max([2, *(int(ref) for ref in wanted if _is_place(ref))])


def _columns_of(file: TableFile, wanted: Sequence[str | int]) -> list[str | int]:
    """Return the columns in use: of a path such as ``item.id``, the one that it begins with.

    A reference that the beginning of the file has as it is, is a name; so the row number
    (``line``) is left out where no column is called so.
    """
    columns: list[str | int] = []
    for ref in wanted:
        if isinstance(ref, int) or ref in file.survey.head:
            columns.append(ref)
        elif ref != "line":
            columns.append(re.split(r"[.\[]", ref, maxsplit=1)[0] or ref)
    return columns


def _is_place(ref: object) -> bool:
    return isinstance(ref, int) or (isinstance(ref, str) and ref.isascii() and ref.isdigit())
