"""Loads JSON lines into DuckDB: one object per line, values as their original text."""

import ast
import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

import duckdb

from alsolike.data.reading.delimited.attempts import insert_rows
from alsolike.data.reading.delimited.table_file import TableFile
from alsolike.data.reading.source_table import OddCell, Reject, SourceTable
from alsolike.data.vocabulary import is_blank
from alsolike.errors import DataError

_BATCH = 1 << 16
_MARK = re.compile(r"[.\[]")  # after the column that a path begins with
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


def _refuse_one_document(file: TableFile) -> None:
    """Raise DataError for one list, an object over several lines, or Python dicts."""
    text = file.survey.head.lstrip()
    is_list = text.startswith("[")
    name, packed = shlex.quote(file.name), file.printed
    if _is_of_python(text):
        command = f"python -c {shlex.quote(_FROM_PYTHON)}"
        command = f"{packed} | {command}" if packed else f"{command} < {name}"
        raise DataError(
            f"{file.name}: one JSON object a line expected, these are dicts as Python prints them. "
            f"Turn them into JSON: {command} > new.jsonl"
        )
    if not is_list and not _OBJECT.match(text):
        return

    def lines_of(path: str) -> str:
        jq = f"jq -c {shlex.quote(path)}"
        return f"{packed} | {jq} > new.jsonl" if packed else f"{jq} {name} > new.jsonl"

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
    file: TableFile,
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
    blank, comments = file.leading_blanks, file.leading_comments
    roots = _roots([*ids, *scalars])
    firsts: dict[int, dict[str, OddCell]] = {}
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} (c0 VARCHAR)")
    for number, line in enumerate(file.every_line(), start=file.first):
        if not line.strip() or file.is_comment(line):
            comments += file.is_comment(line)
            blank += not file.is_comment(line)
            continue
        found, problem = _parsed(line, ids, scalars, roots)
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
        _note_firsts(firsts, places, found, len(lines))
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
        numbered = enumerate(file.every_line(), start=file.first)
        texts = {number: text for number, text in numbered if number in targets}
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
        warnings=[*file.warnings],
        encoding=file.encoding,
        skipped=file.skipped,
        comments=comments,
        firsts=firsts,
    )


def _note_firsts(
    firsts: dict[int, dict[str, OddCell]],
    places: dict[str, int],
    found: dict[str, str | None],
    row: int,
) -> None:
    """Remember the cells of ids of a row that are the first of their type."""
    for key, place in places.items():
        if (cell := found.get(key)) and not is_blank(cell):
            kind = "whole number" if isinstance(cell, _Whole) else "text"
            shown = cell if kind == "whole number" else repr(cell)
            firsts.setdefault(place, {}).setdefault(kind, OddCell(row, shown, kind))


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
    line: str,
    ids: Sequence[str | int | None],
    scalars: Sequence[str | int | None],
    roots: set[str],
) -> tuple[dict[str, str | None] | None, str]:
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        return None, "bytes that are not UTF-8"
    pairs, problem = parsed_json(line)
    if problem:
        return None, problem
    if not isinstance(pairs, dict):
        return None, "a JSON object expected"
    try:
        row = {key: _text(value, key in roots) for key, value in pairs.items()}
    except RecursionError as error:
        return None, f"not JSON that can be read ({error})"
    return row, _misfit(line, pairs, row, ids, scalars)


def parsed_json(text: str) -> tuple[Any, str]:
    """Return a JSON text as objects, with numbers as their original text, or a problem.

    Examples
    --------
    >>> parsed_json('{"id": 154}'), parsed_json("[1,")
    (({'id': '154'}, ''), (None, 'not JSON (Expecting value at character 4)'))
    """
    try:
        value = json.loads(
            text,
            parse_int=_Whole,
            parse_float=_Fraction,
            parse_constant=_Fraction,
            object_pairs_hook=_object,
        )
    except _TwiceError as error:
        return None, f"the key {error.args[0]!r} occurs twice"
    except json.JSONDecodeError as error:
        return None, f"not JSON ({error.msg} at character {error.pos + 1})"
    except (ValueError, RecursionError) as error:
        return None, f"not JSON that can be read ({error})"
    return value, ""


def cell_of(value: Any, label: str, *, is_id: bool) -> tuple[str | None, str]:
    """Return a value of `parsed_json` as the text of a cell, or why it cannot be one.

    An object or an array is no cell; an id is text or a whole number.
    """
    if isinstance(value, (dict, list)):
        kind, way_out = _inside(value, label)
        wanted = " where an id is expected" if is_id else ""
        return None, f"{label!r} holds {kind}{wanted}; {way_out}"
    if is_id and isinstance(value, (_Fraction, bool)):
        return None, f"{label!r} must be text or a whole number to be an id"
    text = _text(value)
    return (text, "") if _is_clean(text) else (None, "a NUL character or half a surrogate pair")


def is_whole(value: Any) -> bool:
    """Return whether a value of `parsed_json` was a whole number."""
    return isinstance(value, _Whole)


def _inside(value: Any, label: str) -> tuple[str, str]:
    """Return what an object or a list is called, and a path to what is in it."""
    inner = next(iter(value), None) if isinstance(value, list) else value
    fields = ", ".join(map(repr, inner)) if isinstance(inner, dict) else ""
    within = f", with one of its fields: {fields[:200]}" if fields else ""
    name = ".NAME" if fields else ""
    if isinstance(value, list):
        return "an array", f"its elements are {label + '[]' + name!r}{within}"
    return "an object", f"what is in it is {label + '.NAME'!r}{within}"


def _misfit(
    line: str,
    pairs: dict[str, Any],
    row: dict[str, str | None],
    ids: Sequence[str | int | None],
    scalars: Sequence[str | int | None],
) -> str:
    for key in (*ids, *scalars):
        value = pairs.get(str(key))
        if isinstance(value, (_Fraction, bool, dict, list)):
            problem = cell_of(value, str(key), is_id=key in ids)[1]
            if problem:
                return problem
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


def _text(value: Any, is_root: bool = False) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _Nested(
        _json(value) if is_root else json.dumps(value, sort_keys=True, ensure_ascii=False)
    )


def _roots(refs: Sequence[str | int | None]) -> set[str]:
    """Return the keys with which paths among the columns in use may begin."""
    return {
        ref[: mark.start()] for ref in refs if isinstance(ref, str) for mark in _MARK.finditer(ref)
    }


def _json(value: Any) -> str:
    """Write a value of `parsed_json` as JSON, with numbers as they were, for paths to follow."""
    if isinstance(value, (_Whole, _Fraction)):
        return str(value)
    if isinstance(value, dict):
        pairs = [
            f"{json.dumps(key, ensure_ascii=False)}: {_json(value[key])}" for key in sorted(value)
        ]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    return json.dumps(value, ensure_ascii=False)


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
