"""Explains why a text is not a number (currency, percentage, comma), and refuses ambiguous ones."""

import math
import re

import duckdb

from alsolike.data.reading.source_table import SourceTable, label_of, line_of, where
from alsolike.errors import DataError

_BLANKS = " \u00a0\u2000-\u200a\u202f\u205f"
_GROUPED = re.compile(rf"[-+]?\d{{1,3}}(?:([{_BLANKS}'\u2019_.,])\d{{3}})(?:\1\d{{3}})*")
_INDIAN = re.compile(r"[-+]?\d{1,2}(?:(,)\d\d)+,\d{3}(?:\.\d+)?")
_BOTH = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d+|[-+]?\d{1,3}(?:,\d{3})+\.\d+")
_COMMA = re.compile(r"[-+]?\d*,\d+")
# Further marks of numbers, and the way out.
_MARKS = (
    (
        re.compile(r"(?i)[$€£¥₹₽₩₺¢]|\b(?:USD|EUR|GBP|JPY|CHF|INR|CAD|AUD|kr|zł)\b"),
        "a currency with the number: write only the number, with a decimal point",
    ),
    (
        re.compile(r"[%‰]"),
        "a percentage: write only the number, in the same unit in all rows",
    ),
    (
        re.compile(r"\(\s*[\d.,]+\s*\)$|\d[\d.,]*\s*[-\u2212]$"),
        "a negative number in accounting notation? Write it with a minus sign, without brackets",
    ),
)

# All values with a point look like this if points are thousands separators.
_THOUSANDS = r"[-+]?[1-9]\d{0,2}(\.\d{3})+"
_SURE = r"[-+]?(\d{1,3}((\.\d{3}){2,}(,\d+)?|(\.\d{3})+,\d+)|\d+,(\d{1,2}|\d{4,}))"


def fault(shown: str | None, kind: str) -> str:
    """Return why a cell is not the expected number or time, and how to write it.

    Examples
    --------
    >>> fault("1,5", "a number")
    "a number expected, found '1,5' (write a point, not a comma: 1.5, or pass decimal=',')"
    >>> fault("", "a number")
    'a number expected, the cell is empty'
    """
    found = misfit(shown, kind)
    if not shown:
        return found
    try:
        finite = math.isfinite(float(shown.replace("_", "?")))
    except ValueError:
        if kind == "a time":
            return (
                f"{found} (seconds since 1970, or like 2026-01-31 12:00:00, and +02:00, Z or UTC "
                "after it where it is known; dates of another form need time_format=, such as "
                "'%d/%m/%Y')"
            )
        meant = _meant(shown.strip())
        return f"{found} ({meant})" if meant else found
    return found if finite else f"{found}, which is not finite"


def misfit(shown: str | None, wanted: str) -> str:
    """Return that something else was expected of a cell."""
    return f"{wanted} expected, " + (f"found {shown[:80]!r}" if shown else "the cell is empty")


def refuse_points_between_thousands(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int
) -> None:
    """Raise, or warn, if points in a column of numbers may be thousands separators.

    One value such as 12.345.678 shows that they are. If all values could be either, they are read
    as decimals, with a warning.
    """
    if loaded.types[place] != "VARCHAR" or loaded.numbers is not None:
        return
    found = connection.execute(
        "SELECT count(*) FILTER (contains(cell, '.')), min(row) FILTER (sure), "  # noqa: S608 - own names
        "arg_min(cell, row) FILTER (sure), min(row) FILTER (maybe), "
        "arg_min(cell, row) FILTER (maybe), count(*) FILTER (maybe) FROM (SELECT *, NOT sure AND "
        f"regexp_full_match(cell, '{_THOUSANDS}') AS maybe FROM (SELECT rowid AS row, "
        f"c{place} AS cell, regexp_full_match(c{place}, '{_SURE}') AS sure FROM {loaded.table} "
        f"WHERE rowid >= {loaded.skip} AND (contains(c{place}, '.') OR contains(c{place}, ','))))"
    ).fetchone()
    total, sure, sure_cell, either, either_cell, eithers = found or (0, None, "", None, "", 0)
    if either is None:
        return
    label = label_of(loaded, place)
    whole = either_cell.replace(".", "")
    if sure is not None:
        line = line_of(loaded, sure, beside=either)
        raise DataError(
            f"{where(loaded, either)}, column {label}: is {either_cell!r} {whole} or "
            f"{float(either_cell):g}? {sure_cell!r} in {line} shows that points may be thousands "
            f"separators. If {whole} is meant, pass thousands='.', decimal=','."
        )
    if eithers == total:
        loaded.warnings.append(
            f"column {label}: {either_cell!r} was read as {float(either_cell):g}. All "
            f"{total:,} values with a point have three digits after it, as with thousands "
            f"separators. If {whole} is meant, pass thousands='.', decimal=','."
        )


def _meant(text: str) -> str:
    """Return what a text that is not a number may mean, and how to write that."""
    for pattern, way_out in _MARKS:
        if pattern.search(text):
            return way_out
    if _BOTH.fullmatch(text):
        point = "," if text.rindex(",") > text.rindex(".") else "."
        mark = "." if point == "," else ","
        plain = text.replace(mark, "").replace(point, ".")
        name = "comma" if point == "," else "point"
        way = f"pass {_options(mark, point)}"
        return f"separators between thousands and a decimal {name}: write {plain}, or {way}"
    grouped = _GROUPED.fullmatch(text) or _INDIAN.fullmatch(text)
    is_zero = text.lstrip("+-").startswith("0")
    if grouped and not is_zero and (grouped[1] != "," or text.count(",") > 1):
        way = f"pass {_options(grouped[1])}"
        return f"separators between thousands: write {text.replace(grouped[1], '')}, or {way}"
    decimal = text.replace(",", ".")
    if grouped and not is_zero:
        return (
            f"{text.replace(',', '')} with a comma between thousands, or {decimal} with a decimal "
            "comma? Both are written so: pass thousands=',' or decimal=','"
        )
    if _COMMA.fullmatch(text):
        return f"write a point, not a comma: {decimal}, or pass decimal=','"
    return ""


def _options(thousands: str, decimal: str = "") -> str:
    """Return the options that read numbers with these marks."""
    mark = {"\u2019": "'"}.get(thousands, " " if thousands.isspace() else thousands)
    decimal = decimal or ("," if mark == "." else ".")
    return f"thousands={mark!r}" + (f", decimal={decimal!r}" if decimal == "," else "")
