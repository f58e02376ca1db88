"""Chooses the dialect of a file among candidates, and explains the failure of all."""

from collections.abc import Sequence

import duckdb

from alsolike.data.reading.delimited.alternatives import (
    guesses_of,
    is_plain_rival,
    plain_is_likelier,
)
from alsolike.data.reading.delimited.attempts import Attempt, read_exactly, records_of, try_dialect
from alsolike.data.reading.delimited.dialect import (
    Dialect,
    FixedDialect,
    describe,
    quotes_are_ordinary,
    shown,
)
from alsolike.data.reading.delimited.strict_parser import Record
from alsolike.data.reading.delimited.table_file import TableFile, mark_of_comment
from alsolike.data.reading.source_table import shortened
from alsolike.errors import DataError


def choose(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    tried: Sequence[Dialect],
    fixed: FixedDialect,
    *,
    reject: bool,
) -> Attempt:
    """Read `file` into `table` in the first of the dialects `tried` that reads all of it.

    If another one also reads all of it, but differently, `guesses` of the attempt say so. If none
    does, DataError is raised; with `reject`, the one with the fewest malformed lines is used.
    """
    attempt, failures = _first_that_reads(connection, table, file, tried, fixed)
    if attempt is None:
        return _best_of(connection, table, file, failures, fixed, reject=reject)
    if is_plain_rival(file, attempt, tried, fixed):
        attempt = _plain_or_quoted(connection, table, file, attempt, fixed)
    others = [one for one in tried if all(one is not failed.dialect for failed in failures)]
    notes, guesses = guesses_of(connection, file, attempt, others, fixed)
    attempt.guesses += guesses
    first = failures[0] if failures else attempt
    if first.problem is not None and first.dialect.delimiter != attempt.dialect.delimiter:
        likelier, taken = shown(first.dialect.delimiter), shown(attempt.dialect.delimiter)
        attempt.guesses.append(
            f"{file.name}: delimiter {likelier} is more likely, but fails at line "
            f"{first.problem.line} ({first.problem.problem}). Read with delimiter {taken}; if "
            f"{likelier} is right, fix that line and pass "
            f"{fixed.prefix}delimiter={first.dialect.delimiter!r}."
        )
    told = [(f.dialect, f.problem.line, f.problem.problem) for f in failures if f.problem]
    attempt.dialect = attempt.dialect.because("; ".join([describe(attempt.dialect, told), *notes]))
    return attempt


def _plain_or_quoted(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    attempt: Attempt,
    fixed: FixedDialect,
) -> Attempt:
    """Choose between `attempt` and unquoted lines that are all full rows, and note the choice."""
    mark, option = attempt.dialect.quote, f"{fixed.prefix}quote"
    found = f"{file.name}: {mark} encloses some fields that do not need it, and not others."
    if attempt.breaks:
        found = (
            f"{file.name}: {mark} encloses {attempt.breaks:,} line ends, and each line by itself "
            "is a full row, too."
        )
    if plain_is_likelier(file, attempt):
        plain = Dialect(attempt.dialect.delimiter, "", "", header=False)
        attempt = try_dialect(connection, table, file, plain)
        ending = f"as a plain character; if it is the quote, pass {option}={mark!r}."
    else:
        ending = f"as the quote; if it is a plain character, pass {option}=''."
    attempt.guesses.append(f"{found} It is read {ending}")
    return attempt


def _first_that_reads(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    tried: Sequence[Dialect],
    fixed: FixedDialect,
) -> tuple[Attempt | None, list[Attempt]]:
    failures: list[Attempt] = []
    for dialect in tried:
        # If nothing else is left, the column names in use appear in this dialect only.
        doubtful = fixed.quote is None and len(tried) > 1
        if doubtful and not dialect.quote and not _is_founded(file, dialect):
            continue
        # Texts have blanks: they are no way out of a fault under a likelier delimiter.
        if dialect.delimiter == " " and failures and failures[0].dialect.delimiter != " ":
            continue
        attempt = try_dialect(connection, table, file, dialect)
        if attempt.problem is not None:
            failures.append(attempt)
        elif not doubtful or _is_founded(file, dialect):
            return attempt, failures
    if not failures:  # there was a doubt about all of them
        attempt = try_dialect(connection, table, file, tried[0])
        if attempt.problem is None:
            return attempt, failures
        failures.append(attempt)
    return None, failures


def _is_founded(file: TableFile, dialect: Dialect) -> bool:
    """Return whether the file gives evidence for the quote of `dialect`, or for none.

    ``"`` needs none. Another quote must enclose fields that need it; no quote needs an ordinary
    ``"``.
    """
    if dialect.quote == '"' or (dialect.quote and _encloses(file, dialect)):
        return True
    opening = dialect.delimiter + '"'
    suspects = (line for line in file.lines() if line.startswith('"') or opening in line)
    return quotes_are_ordinary(suspects, dialect.delimiter)


def _encloses(file: TableFile, dialect: Dialect) -> bool:
    """Return whether the quote encloses a field that needs it, or all fields of a line."""
    delimiter, quote, _ = dialect.grammar
    for record in records_of(file, dialect, 0):
        raw = record.raw.rstrip("\r\n")
        if not record.fields or quote not in raw:
            continue
        if record.breaks or any(delimiter in text for text in record.fields):
            return True
        between = raw.count(quote + delimiter + quote)
        if raw[:1] == raw[-1:] == quote and between + 1 == len(record.fields):
            return True
    return False


def _best_of(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TableFile,
    failures: Sequence[Attempt],
    fixed: FixedDialect,
    *,
    reject: bool,
) -> Attempt:
    """Read in the dialect with the fewest malformed lines, rejecting them, or raise."""
    first = failures[0].dialect.delimiter
    rivals = [
        attempt
        for attempt in failures
        if attempt.dialect.delimiter == first
        and (fixed.quote is not None or _is_founded(file, attempt.dialect))
    ] or [failures[0]]
    if len(rivals) > 1:
        rivals.sort(key=lambda attempt: _malformed(file, attempt.dialect))
    best = rivals[0]
    problem = best.problem
    if problem is not None and not reject:
        raise DataError(
            f"{file.name}, line {problem.line}: {problem.problem}: {shortened(problem.raw)!r}. "
            f"Read with {best.dialect.marks}. {_way_out(problem, best.dialect, fixed)}"
        )
    attempt = Attempt(best.dialect.because("reads most rows; malformed lines are rejected"), 0)
    names = _first_fields(file, best.dialect)
    attempt.width = max(best.width, 2) if best.width else len(names)
    attempt.selected = file.selection.of((*names, *[""] * attempt.width)[: attempt.width])
    read_exactly(connection, table, file, attempt, stop=False)
    return attempt


def _first_fields(file: TableFile, dialect: Dialect) -> Sequence[str]:
    for record in records_of(file, dialect, 0):
        if record.fields:
            return record.fields
    raise DataError(f"{file.name}: no line can be read with {dialect}.")


def _malformed(file: TableFile, dialect: Dialect) -> int:
    return sum(record.fields is None for record in records_of(file, dialect, 0))


def _way_out(problem: Record, dialect: Dialect, fixed: FixedDialect) -> str:
    ways, prefix = [], fixed.prefix
    mark = mark_of_comment(problem.raw) if "columns" in problem.problem else ""
    if mark and problem.raw.startswith(mark) and not fixed.comment:
        ways.append(
            f"If lines that begin with {mark!r} are comments, pass {prefix}comment={mark!r}"
        )
    elif "quote" in problem.problem:
        ways.append(
            f"Close or double the quote, or pass {prefix}quote='' if quotes are plain characters"
        )
    elif "columns" in problem.problem:
        ways.append(
            f"Quote fields that contain {dialect.delimiter!r}, or pass {prefix}delimiter=, "
            f"{prefix}quote="
        )
    elif "UTF-8" in problem.problem:
        ways.append("Convert the file to UTF-8")
    ways.append("or set such lines aside with on_error='reject', rejects='file'")
    if fixed.delimiter is None and "columns" in problem.problem:
        ways.append("if this is not one table of rows, reshape it first")
    return "; ".join(ways) + "."
