"""Loads JSON lines into DuckDB: one object per line, values as their original text."""

import ast
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

import duckdb

from alsolike.data.reading.delimited.attempts import insert_rows
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.source_table import OddCell, Reject, SourceTable
from alsolike.data.vocabulary import is_blank
from alsolike.errors import DataError

_BATCH = 1 << 16
_MOST_KEYS = 1000
# An object over several lines, or a list of objects.
_OBJECT = re.compile(r'\{\s*\n\s*"[^"\n]*"\s*:')
_FROM_PYTHON = (
    "import ast, json, sys; sys.stdout.writelines("
    'json.dumps(ast.literal_eval(line)) + "\\n" for line in sys.stdin if line.strip())'
)
_LIST = re.compile(r'\[\s*\{\s*(?:"[^"\n]*"\s*:|\})')


class _Fraction(str):
    """A number with a point or an exponent, as its original text."""

    __slots__ = ()


class _Whole(str):
    """A whole number, as its original text, but zero without a sign."""

    __slots__ = ()

    def __new__(cls, digits: str) -> "_Whole":
        return super().__new__(cls, "0" if digits == "-0" else digits)


class _Nested(str):
    """An object or a list, as JSON."""

    __slots__ = ()


def is_json(head: str) -> bool:
    """Return whether a text begins with a JSON object or a list of them.

    Examples
    --------
    >>> is_json('{"user": "ann", "item": "m1"}'), is_json("{ann},m1"), is_json("[1],m1")
    (True, False, False)
    """
    text = head.lstrip()
    if _OBJECT.match(text) or _LIST.match(text) or _is_of_python(text):
        return True
    try:
        return text.startswith("{") and isinstance(json.loads(text.partition("\n")[0]), dict)
    except (ValueError, RecursionError):
        return False


def _is_of_python(text: str) -> bool:
    """Return whether the first line is a dict as Python prints it."""
    try:
        return text.startswith(("{'", "{u'")) and isinstance(
            ast.literal_eval(text.partition("\n")[0].strip()), dict
        )
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return False


def _refuse_one_document(file: TextFile) -> None:
    """Raise DataError for one list, an object over several lines, or Python dicts."""
    text = file.survey.head.lstrip()
    is_list = text.startswith("[")
    name, packed = shlex.quote(file.name), file.unpacked_by
    if _is_of_python(text):
        command = f"python -c {shlex.quote(_FROM_PYTHON)}"
        command = f"{packed} -dc {name} | {command}" if packed else f"{command} < {name}"
        raise DataError(
            f"{file.name}: one JSON object a line expected, these are dicts as Python prints them. "
            f"Turn them into JSON: {command} > new.jsonl"
        )
    if not is_list and not _OBJECT.match(text):
        return

    def lines_of(path: str) -> str:
        jq = f"jq -c {shlex.quote(path)}"
        return f"{packed} -dc {name} | {jq} > new.jsonl" if packed else f"{jq} {name} > new.jsonl"

    if is_list:
        raise DataError(
            f"{file.name}: one JSON object a line expected, this is one array. Turn it into "
            f"lines: {lines_of('.[]')}"
        )
    raise DataError(
        f"{file.name}: one JSON object a line expected, this one takes several lines. If each "
        f"object is a row: {lines_of('.')} ; if the rows are a list in it, here named rows: "
        f"{lines_of('.rows[]')}"
    )


def load_json_lines(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    file: TextFile,
    ids: Sequence[str | int | None],
    scalars: Sequence[str | int | None],
    *,
    reject: bool,
) -> SourceTable:
    """Read `file` into `table`: a column per key, in order of appearance.

    Numbers keep their digits, so that ids beyond 2^63 stay exact. DataError for a line that is not
    a JSON object, `ids` that are not text or whole numbers, and nested `scalars`.
    """
    _refuse_one_document(file)
    keys: dict[str, int] = {}
    places: dict[str, int] = {}
    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    rejected: list[Reject] = []
    firsts: dict[int, dict[str, OddCell]] = {}
    blank = 0
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} (c0 VARCHAR)")
    for number, line in enumerate(file.lines(), start=1):
        if not line.strip():
            blank += 1
            continue
        found, problem = _parsed(line, ids, scalars)
        if problem and not reject:
            shown = line.strip()[:80].encode("utf-8", "backslashreplace").decode()
            raise DataError(
                f"{file.name}, line {number}: {problem}: {shown!r}. Fix the line, or set "
                "such lines aside with on_error='reject', rejects='file'."
            )
        if problem or found is None:
            rejected.append(Reject(number, problem, line))
            continue
        if not found.keys() <= keys.keys():
            for key in found:
                keys.setdefault(key, len(keys))
            places = _places(ids, keys)
        for key, place in places.items():
            if (cell := found.get(key)) and not is_blank(cell):
                kind = "whole number" if isinstance(cell, _Whole) else "text"
                shown = cell if kind == "whole number" else repr(cell)
                firsts.setdefault(place, {}).setdefault(kind, OddCell(len(lines), shown, kind))
        rows.append(found)
        lines.append(number)
        if len(keys) > _MOST_KEYS:
            raise DataError(f"{file.name}, line {number}: more than {_MOST_KEYS:,} different keys.")
        if len(rows) == _BATCH:
            _insert(connection, table, rows, keys)
            rows = []
    _insert(connection, table, rows, keys)

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        targets = {lines[row] for row in wanted}
        texts = {n: text for n, text in enumerate(file.lines(), start=1) if n in targets}
        return [(lines[row], texts[lines[row]]) for row in wanted]

    return SourceTable(
        name=file.name,
        format="JSON lines",
        table=table,
        names=tuple(keys),
        types=("VARCHAR",) * len(keys),
        locate=locate,
        rows=len(lines),
        blank=blank,
        rejected=rejected,
        firsts=firsts,
    )


def _places(ids: Sequence[str | int | None], keys: dict[str, int]) -> dict[str, int]:
    """Return the columns of ids that have appeared, by key; a number counts columns from 1."""
    names, found = list(keys), {}
    for ref in (str(one) for one in ids if one is not None):
        if ref in keys:
            found[ref] = keys[ref]
        elif ref.isdecimal() and 1 <= int(ref) <= len(names):
            found[names[int(ref) - 1]] = int(ref) - 1
    return found


def _parsed(
    line: str, ids: Sequence[str | int | None], scalars: Sequence[str | int | None]
) -> tuple[dict[str, str | None] | None, str]:
    try:
        line.encode("utf-8")
        pairs = json.loads(
            line,
            parse_int=_Whole,
            parse_float=_Fraction,
            parse_constant=_Fraction,
            object_pairs_hook=_object,
        )
    except UnicodeEncodeError:
        return None, "bytes that are not UTF-8"
    except _TwiceError as error:
        return None, f"the key {error.args[0]!r} occurs twice"
    except json.JSONDecodeError as error:
        return None, f"not JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return None, f"not JSON that can be read ({error})"
    if not isinstance(pairs, dict):
        return None, "a JSON object expected"
    row = {key: _text(value) for key, value in pairs.items()}
    return row, _misfit(line, pairs, row, ids, scalars)


def _misfit(
    line: str,
    pairs: dict[str, Any],
    row: dict[str, str | None],
    ids: Sequence[str | int | None],
    scalars: Sequence[str | int | None],
) -> str:
    for key in ids:
        if isinstance(pairs.get(str(key)), (_Fraction, bool, dict, list)):
            return f"{key!r} must be text or a whole number to be an id"
    for key in scalars:
        if isinstance(row.get(str(key)), _Nested):
            return f"{key!r} holds an object or a list"
    # Escapes can contain characters that no text file may contain.
    if "\\u" in line and not all(map(_is_clean, row.values())):
        return "a NUL character or half a surrogate pair"
    return ""


class _TwiceError(ValueError):
    """Raised for a key that occurs twice in one object."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [key for key, _ in pairs]
        raise _TwiceError(next(key for key in names if names.count(key) > 1))
    return result


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _Nested(json.dumps(value, sort_keys=True, ensure_ascii=False))


def _is_clean(text: str | None) -> bool:
    if text is None:
        return True
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[dict[str, str | None]],
    keys: dict[str, int],
) -> None:
    for place in keys.values():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS c{place} VARCHAR")
    width = max(1, len(keys))
    insert_rows(connection, table, [[row.get(key) for key in keys] for row in rows], width)
