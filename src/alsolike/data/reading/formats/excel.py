"""Loads sheets of Excel and OpenDocument workbooks into DuckDB, with python-calamine."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.delimited.header import first_row
from alsolike.data.reading.files.listing import INNER
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import load_frame
from alsolike.data.reading.frames import frame_of
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError
from alsolike.usage_hints import did_you_mean, way_to_install

_SAMPLE = 1000


def load_sheet(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    name: str,
    sheet: str,
    fixed: FixedDialect,
    wanted: Sequence[str | int],
) -> SourceTable:
    """Load one sheet of the workbook at `path`; without a name, the first, which a warning says.

    Whole numbers become their digits, dates and times ISO texts. Raises DataError if there is no
    such sheet, or the file is damaged or protected.
    """
    title, others, cells, top = _cells(path, name, sheet)
    label = name if sheet else f"{name}{INNER}{title}"
    rows = [(top + at, row) for at, row in enumerate(cells) if any(cell != "" for cell in row)]
    if not rows:
        raise DataError(f"{label}: the sheet is empty.")
    blank = rows[-1][0] - rows[0][0] + 1 - len(rows)
    header, guess = _header(fixed, wanted, [row for _, row in rows[:_SAMPLE]])
    width = len(rows[0][1])
    names = [_text(cell) for cell in rows[0][1]] if header else [""] * width
    numbers = [number for number, _ in rows[int(header) :]]
    if not numbers:
        raise DataError(f"{label}: no rows after the names of the columns.")
    body = (row for _, row in itertools.islice(rows, int(header), None))
    columns = [
        [None if cell == "" else cell for cell in column] for column in zip(*body, strict=True)
    ]
    loaded = load_frame(connection, table, frame_of("Excel", label, names, columns), Selection())

    def locate(wanted_rows: Sequence[int]) -> list[tuple[int, str]]:
        return [(numbers[row], "") for row in wanted_rows]

    loaded.locate, loaded.blank, loaded.prefix = locate, blank, fixed.prefix
    if guess:
        is_wrong = "it is a row" if header else "it names the columns"
        loaded.warnings.append(
            f"{label}: {guess}. If {is_wrong}, pass {fixed.prefix}header={not header}."
        )
    if others and not sheet:
        listed = ", ".join(repr(other) for other in others)
        loaded.warnings.append(
            f"{name}: the first of {len(others) + 1} sheets was read, {title!r}. To read another "
            f"({listed}), name it: {name}{INNER}{others[0]}"
        )
    return loaded


def _cells(path: Path, name: str, sheet: str) -> tuple[str, list[str], list[list[Any]], int]:
    """Return the sheet's name, the other sheets, its cells, and the number of their first row."""
    try:
        from python_calamine import (  # noqa: PLC0415 - optional
            CalamineError,
            CalamineWorkbook,
            PasswordError,
        )
    except ImportError as error:
        raise DataError(
            f"{name}: workbooks are read with python-calamine, which is not installed: "
            f"{way_to_install('alsolike[excel]')}. Or save the sheet as CSV (UTF-8)."
        ) from error
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            sheets = list(book.sheet_names)
            if not sheets:
                raise DataError(f"{name}: no sheet is in the workbook.")
            if sheet and sheet not in sheets:
                listed = ", ".join(map(repr, sheets))
                raise DataError(
                    f"{path}: no sheet {sheet!r}; the sheets are {listed}."
                    f"{did_you_mean(sheet, sheets)}"
                )
            chosen = sheet or sheets[0]
            found = book.get_sheet_by_name(chosen)
            first = found.start[0] + 1 if found.start is not None else 1
            cells = found.to_python(skip_empty_area=True)
    except PasswordError as error:
        raise DataError(
            f"{name}: the workbook is protected by a password. Save it without one."
        ) from error
    except (CalamineError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{name}: the workbook cannot be read ({reason}). Is it complete? Else save the sheet "
            "as CSV (UTF-8), and name that."
        ) from error
    return chosen, [other for other in sheets if other != chosen], cells, first


def _header(
    fixed: FixedDialect, wanted: Sequence[str | int], rows: Sequence[Sequence[Any]]
) -> tuple[bool, str]:
    """Return whether the first row names the columns, and what to say if that is a guess."""
    if fixed.header is not None:
        return fixed.header, ""
    if not all(isinstance(ref, int) or ref.isdigit() for ref in wanted):
        return True, ""
    found = first_row([tuple(_text(cell) for cell in row) for row in rows])
    taken = "column names" if found.header else "a row"
    return found.header, "" if found.sure else f"first row taken as {taken}"


def _text(cell: Any) -> str:
    """Return a cell as text; whole numbers as their digits."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
