"""Finds other dialects that also read a file, but differently, and warns of them."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

import duckdb

from alsolike.data.reading.delimited.attempts import GLANCE, Attempt, records_of
from alsolike.data.reading.delimited.dialect import Dialect, FixedDialect, is_number, shown
from alsolike.data.reading.delimited.header import is_no_value
from alsolike.data.reading.delimited.table_file import TableFile
from alsolike.data.reading.files.text_files import QUOTES

_FEW = 3
# Letters and digits with blanks between them: fields that need no quotes.
_PLAIN = re.compile(r"\w+(?:[ .-]\w+)*")
_LINE_END = re.compile(r"\r\n|\n|\r")


def is_plain_rival(
    file: TableFile, attempt: Attempt, tried: Sequence[Dialect], fixed: FixedDialect
) -> bool:
    """Return whether every line is also a full row without the quotes of `attempt`.

    For ``"`` without line ends inside, this only counts if no column is quoted throughout. If the
    column names in use are quoted, the plain dialect is not among those `tried`.
    """
    quote = attempt.dialect.quote
    plain = Dialect(attempt.dialect.delimiter, "", "", header=False)
    if not quote or fixed.quote is not None or all(one.grammar != plain.grammar for one in tried):
        return False
    if quote == '"' and not attempt.breaks:
        return file.survey.marks[quote] > 0 and _are_uneven(file, attempt)
    return all(row.fields is not None for row in records_of(file, plain, attempt.width))


def _are_uneven(file: TableFile, attempt: Attempt) -> bool:
    """Return whether no field needs its quotes, and a column has texts with and without them."""
    delimiter, quote, _ = attempt.dialect.grammar
    headed: set[int] = set()
    quoted, plain = [0] * attempt.width, [0] * attempt.width
    for number, line in enumerate(file.lines()):
        if quote not in line and number >= GLANCE:
            continue
        cells = line.rstrip("\r\n").split(delimiter)
        if len(cells) != attempt.width and line.strip():
            return False
        for place, cell in enumerate(cells if len(cells) == attempt.width else ()):
            if not cell.startswith(quote):
                plain[place] += number > 0 and not is_number(cell or "0")
            elif (quote in cell[1:-1] and cell.strip(quote)) or cell[1:2] == "#":
                return False  # a doubled quote; or quoted because it is not a comment
            elif number:
                quoted[place] += 1
            else:
                headed.add(place)
        if max(quoted) > GLANCE:
            break
    return any(
        count and (plain[place] or (count < _FEW and place not in headed))
        for place, count in enumerate(quoted)
    )


def plain_is_likelier(file: TableFile, attempt: Attempt) -> bool:
    r"""Return whether quotes around line ends in `attempt` are more likely ordinary characters.

    Call it if every line is a full row, too. Evidence for: a quote within an unquoted field (``5"
    disk``); numbers, after a line end within quotes, in a column that is numeric in all other rows.
    Evidence against: a field quoted as a whole within its line.
    """
    delimiter, quote, _ = attempt.dialect.grammar
    if not attempt.breaks:
        return False
    strays = 0
    numeric: set[int] | None = None
    swallowed: list[list[str]] = []
    rows = (row for row in records_of(file, attempt.dialect, attempt.width) if row.fields)
    next(rows, None)  # which may name the columns
    for row in rows:
        if row.breaks:
            swallowed += [
                line.split(delimiter) for line in _LINE_END.split(row.raw) if line.strip()
            ]
            continue
        cells = row.raw.rstrip("\r\n").split(delimiter)
        if quote in row.raw:
            quoted = [cell for cell in cells if cell.startswith(quote)]
            if quoted:
                return False
            strays += any(quote in cell for cell in cells)
        numbers = {place for place, cell in enumerate(cells) if is_number(cell)}
        numeric = numbers if numeric is None else numeric & numbers
    alike = bool(swallowed) and any(
        all(place < len(cells) and is_number(cells[place]) for cells in swallowed)
        for place in numeric or ()
    )
    return strays > 0 or alike


def needless_quotes(file: TableFile, attempt: Attempt) -> tuple[int, str]:
    """Return how many fields are quoted without need, and the first; 0 if quotes are in use.

    Such a field contains nothing that needs quotes, while other texts of its column have none. A
    delimiter or a quote within quotes shows that they are in use.
    """
    delimiter, quote, _ = attempt.dialect.grammar
    if quote != '"' or attempt.breaks or not file.survey.marks[quote]:
        return 0, ""
    quoted: dict[int, int] = {}
    bare: set[int] = set()
    first = ""
    for number, line in enumerate(islice(file.lines(), 1, None)):
        if number > GLANCE and quote not in line:
            continue
        cells = line.rstrip("\r\n").split(delimiter)
        if len(cells) != attempt.width and line.strip():
            return 0, ""
        for place, cell in enumerate(cells):
            if not cell.startswith(quote):
                is_text = any(map(str.isalpha, cell)) and not is_no_value(cell.strip())
                if is_text or quote in cell:
                    bare.add(place)
                continue
            if '"' in cell[1:-1]:
                return 0, ""
            if _PLAIN.fullmatch(cell[1:-1]) and any(map(str.isalpha, cell)):
                quoted[place] = quoted.get(place, 0) + 1
                first = first or cell
        if number > GLANCE and quoted and not bare.intersection(quoted):
            return 0, ""
    return sum(count for place, count in quoted.items() if place in bare), first


def guesses_of(
    connection: duckdb.DuckDBPyConnection,
    file: TableFile,
    attempt: Attempt,
    others: Sequence[Dialect],
    fixed: FixedDialect,
) -> tuple[list[str], list[str]]:
    """Return notes on the dialect, and warnings, if `others` read the file differently.

    Parts of the dialect fixed by the caller are not guesses.
    """
    guesses: list[str] = []
    if fixed.quote is None:
        guesses += _other_quotes(connection, file, attempt, others, fixed)
        count, first = (0, "") if attempt.guesses else needless_quotes(file, attempt)
        if count:
            guesses.append(
                f"{file.name}: {count:,} fields are quoted, such as {first}, though nothing in "
                "them needs it and other texts of the column have no quotes. They are read without "
                f"the quotes; if these belong to the text, pass {fixed.prefix}quote=''."
            )
    if fixed.escape is None and attempt.dialect.quote != "\\" and file.survey.marks["\\"]:
        guesses += _escapes(file, attempt, fixed)
    notes: list[str] = []
    if fixed.delimiter is None:
        for other, width in _other_delimiters(file, attempt, others):
            notes.append(f"delimiter {shown(other)} would give {width:,} columns")
            # Blanks within texts and times may well be as many in all rows.
            if other != " " or width >= attempt.width:
                guesses.append(
                    f"{file.name}: read with {attempt.dialect.marks}, {attempt.width:,} columns; "
                    f"delimiter {shown(other)} would give {width:,} columns in every row, too. If "
                    f"that is meant, pass {fixed.prefix}delimiter={other!r}."
                )
    return notes, guesses


def _other_quotes(
    connection: duckdb.DuckDBPyConnection,
    file: TableFile,
    attempt: Attempt,
    others: Sequence[Dialect],
    fixed: FixedDialect,
) -> Iterator[str]:
    for mark in QUOTES:
        rival = next(
            (
                other
                for other in others
                if other.quote == mark and other.delimiter == attempt.dialect.delimiter
            ),
            None,
        )
        if rival is None or mark in (attempt.dialect.quote, '"') or not file.survey.marks[mark]:
            continue
        begins = _beginning(connection, file, attempt, mark)
        if begins and _reads(file, rival):
            yield (
                f"{file.name}: {begins:,} fields begin with {mark!r} and end with it, as if "
                "quoted. It is read as a plain character; if it is the quote, pass "
                f"{fixed.prefix}quote={mark!r}."
            )


def _reads(file: TableFile, dialect: Dialect) -> bool:
    widths = (-1 if row.fields is None else len(row.fields) for row in records_of(file, dialect, 0))
    return min(filter(None, widths), default=0) > 1  # a blank line has no width


def _escapes(file: TableFile, attempt: Attempt, fixed: FixedDialect) -> Iterator[str]:
    r"""Warn if all backslashes may be escapes, as ``csv`` reads them, and matter.

    An escape precedes a quote, the delimiter, a line end or a backslash; one backslash elsewhere,
    as in ``C:\temp``, shows that none is an escape.
    """
    delimiter, _, escape = attempt.dialect.grammar
    if _is_odd(file, delimiter) or not _differs_without_escapes(file, attempt, attempt.dialect):
        return
    found = f"{file.name}: each backslash is where an escape could be."
    escaped = Dialect(delimiter, attempt.dialect.quote or '"', "\\", header=False)
    if escape != "\\" and _differs_without_escapes(file, attempt, escaped):
        yield (
            f"{found} They are read as plain characters; if they are escapes, also outside quotes, "
            "have the file written with quotes doubled and without escapes."
        )
    elif escape == "\\":
        yield (
            f"{found} Outside quotes they are read as plain characters; if they are escapes, have "
            "the file written with quotes doubled and without escapes."
        )
    else:
        yield (
            f"{found} They are read as plain characters; if they are escapes, pass "
            f"{fixed.prefix}escape={chr(92)!r}, or have the file written without escapes."
        )


def _differs_without_escapes(file: TableFile, attempt: Attempt, dialect: Dialect) -> bool:
    """Return whether ``csv`` with escapes reads rows of one width that differ from `dialect`."""
    delimiter, quote, _ = attempt.dialect.grammar
    # csv knows only delimiters of one character; NUL replaces others, since text has none.
    mark = delimiter if len(delimiter) == 1 else "\0"
    lines = (line.replace(delimiter, mark) for line in file.lines())
    read = csv.reader(
        lines,
        delimiter=mark,
        quotechar=quote or '"',
        doublequote=False,
        escapechar="\\",
        strict=True,
    )
    rows = ([cell.replace(mark, delimiter) for cell in row] for row in read)
    theirs = (row for row in rows if "".join(row).strip() or len(row) == attempt.width)
    ours = (row.fields for row in records_of(file, dialect, attempt.width) if row.fields)
    widths: set[int] = set()
    differs = False
    try:
        for own, other in zip_longest(ours, theirs):
            widths |= set() if other is None else {len(other)}
            differs = differs or own != other
            if len(widths) > 1:
                return False
    except csv.Error:
        return False
    return differs and min(widths, default=0) > 1


def _is_odd(file: TableFile, delimiter: str) -> bool:
    """Return whether a backslash precedes a character that needs no escape."""
    escapes = re.compile(rf"""\\(?:[\\"'\r\n]|{re.escape(delimiter)})""")
    return any("\\" in line and "\\" in escapes.sub("", line) for line in file.lines())


def _beginning(
    connection: duckdb.DuckDBPyConnection, file: TableFile, attempt: Attempt, mark: str
) -> int:
    """Count the cells that begin with `mark`, also in columns that are not kept."""
    if attempt.cells is None:
        read = records_of(file, attempt.dialect, attempt.width)
        return sum(cell.startswith(mark) for record in read for cell in record.fields or ())
    cells, parameters = attempt.cells
    tests = [f"count(*) FILTER (starts_with(c{place}, ?))" for place in range(attempt.width)]
    query = f"SELECT {', '.join(tests)} FROM {cells}"  # noqa: S608 - own names
    [found] = connection.execute(query, [mark] * attempt.width + list(parameters)).fetchall()
    return sum(found)


def _other_delimiters(
    file: TableFile, attempt: Attempt, others: Sequence[Dialect]
) -> Iterator[tuple[str, int]]:
    seen = {attempt.dialect.delimiter}
    for other in others:
        if other.delimiter in seen:
            continue
        rows = list(islice(records_of(file, other, 0), GLANCE))
        if rows and all(row.fields is not None for row in rows):
            seen.add(other.delimiter)
            yield other.delimiter, max(len(row.fields or ()) for row in rows)
