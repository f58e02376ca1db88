"""Extracts cells from columns of JSON text by paths, with a row for each element of an array."""

import ast
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.reading.formats.json_lines import cell_of, is_whole, parsed_json
from alsolike.data.reading.layouts.paths import Element, Field, Path, Steps, deepest
from alsolike.data.reading.source_table import (
    OddCell,
    Reject,
    SourceTable,
    label_of,
    shortened,
    where,
)
from alsolike.errors import DataError
from alsolike.usage_hints import did_you_mean

_BATCH = 1 << 14
_MOST_KEYS = 30


class _MisfitError(Exception):
    """A cell that does not hold what a path leads through; its argument says so."""


@dataclass
class Extracted:
    """A table with the columns ``origin`` (row of the source), p0, p1, ... of the paths, in order.

    `firsts` holds, per path, the first cell of each type that its cells had, as in `SourceTable`.
    """

    table: str
    rows: int = 0
    firsts: dict[int, dict[str, OddCell]] = field(default_factory=dict)


def extract(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    paths: Sequence[tuple[Path, bool]],
    *,
    reject: bool,
) -> Extracted:
    """Fill a table with the cells at `paths`, each with whether it holds ids, from JSON text.

    A row whose text is not JSON, or does not hold what a path leads through, is added to the
    rejects of `loaded`, or raises DataError. Raises DataError, too, for a path that no row has.
    """
    found = Extracted(f"{loaded.table}_cells")
    columns = ", ".join(["origin BIGINT", *(f"p{at} VARCHAR" for at in range(len(paths)))])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {found.table} ({columns})")
    roots = sorted({path.root for path, _ in paths})
    last = deepest([path for path, _ in paths])
    seen = [False] * len(paths)
    keys: list[dict[str, None]] = [{} for _ in paths]
    faulty: list[tuple[int, str]] = []
    for rows in _batches(connection, loaded, roots):
        cells: list[list[str | None]] = []
        origins: list[int] = []
        for origin, *texts in rows:
            try:
                values = {
                    root: _value(text, loaded, root)
                    for root, text in zip(roots, texts, strict=True)
                }
                made = list(_rows_of(values, paths, last))
                ready = [_cells(one, paths) for one in made]
            except _MisfitError as error:
                if not reject:
                    raise DataError(
                        f"{where(loaded, origin)}: {error}. Fix the row, or set such rows aside "
                        "with on_error='reject', rejects='file'."
                    ) from None
                faulty.append((origin, str(error)))
                continue
            for at, (path, is_id) in enumerate(paths):
                if not seen[at]:
                    seen[at] = any(one[at] is not None for one in ready)
                    if not seen[at]:
                        _note_keys(keys[at], values[path.root], path)
                if is_id:
                    _note_kinds(found, at, made, ready, len(origins))
            cells += ready
            origins += [origin] * len(ready)
        _insert(connection, found, origins, cells)
    _refuse_unknown(loaded, paths, seen, keys)
    _set_aside(loaded, faulty)
    return found


def _batches(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, roots: Sequence[int]
) -> Iterator[list[tuple[Any, ...]]]:
    chosen = ", ".join(f"CAST(c{root} AS VARCHAR)" for root in roots)
    end = loaded.skip
    while True:
        rows = connection.execute(
            f"SELECT rowid, {chosen} FROM {loaded.table} WHERE rowid >= {end} "  # noqa: S608 - own names
            f"AND rowid < {end + _BATCH} ORDER BY rowid"
        ).fetchall()
        if not rows:
            return
        yield rows
        end += _BATCH


def _value(text: str | None, loaded: SourceTable, root: int) -> Any:
    """Return the JSON of a cell; None if it is empty."""
    if not text or not text.strip():
        return None
    value, problem = parsed_json(text)
    if problem and text.lstrip().startswith(("[", "{")):
        value, problem = _of_python(text, problem)
    if problem or not isinstance(value, (dict, list)):
        found = f"found {shortened(text)!r}" + (f", which is {problem}" if problem else "")
        raise _MisfitError(
            f"column {label_of(loaded, root)}: a JSON object or array expected, {found}"
        )
    return value


def _of_python(text: str, problem: str) -> tuple[Any, str]:
    """Parse a list or a dict as Python prints it, as in CSV files that pandas wrote."""
    try:
        return parsed_json(json.dumps(ast.literal_eval(text.strip())))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None, problem


def _rows_of(
    values: dict[int, Any], paths: Sequence[tuple[Path, bool]], last: Path | None
) -> Iterator[list[Any]]:
    """Yield the values of the paths, for each element of the innermost array."""
    for elements in _elements(values, last):
        yield [
            _at(
                elements[len(path.levels) - 1] if path.levels else values[path.root],
                path.tail,
                path,
            )
            for path, _ in paths
        ]


def _elements(values: dict[int, Any], last: Path | None) -> list[tuple[Any, ...]]:
    """Return the elements of each array that `last` leads through, from outer to inner."""
    found: list[tuple[Any, ...]] = [()]
    if last is None:
        return found
    for steps in last.levels:
        deeper = []
        for elements in found:
            array = _at(elements[-1] if elements else values[last.root], steps, last)
            if array is not None and not isinstance(array, list):
                raise _MisfitError(
                    f"{last.text!r}: an array expected before '[]', found {_kind(array)}"
                )
            deeper += [(*elements, one) for one in array or ()]
        found = deeper
    return found


def _at(value: Any, steps: Steps, path: Path) -> Any:
    """Follow steps from a value; None if something on the way is missing."""
    for step in steps:
        if value is None:
            return None
        if isinstance(step, Field):
            if not isinstance(value, dict):
                way_out = "; add '[]' for each element" if isinstance(value, list) else ""
                raise _MisfitError(
                    f"{path.text!r}: an object expected before .{step.name}, found "
                    f"{_kind(value)}{way_out}"
                )
            value = value.get(step.name)
        else:
            value = _element(value, step, path)
    return value


def _element(value: Any, step: Element, path: Path) -> Any:
    if not isinstance(value, list):
        raise _MisfitError(
            f"{path.text!r}: an array expected before [{step.key}={step.text}], "
            f"found {_kind(value)}"
        )
    fitting = (one for one in value if isinstance(one, dict) and one.get(step.key) == step.text)
    return next(fitting, None)


def _kind(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return repr(str(value)[:80])


def _cells(values: Sequence[Any], paths: Sequence[tuple[Path, bool]]) -> list[str | None]:
    """Return the values of one row as text; empty texts become None."""
    cells: list[str | None] = []
    for value, (path, is_id) in zip(values, paths, strict=True):
        text, problem = cell_of(value, path.text, is_id=is_id)
        if problem:
            raise _MisfitError(problem)
        cells.append(text or None)
    return cells


def _note_kinds(
    found: Extracted,
    at: int,
    made: Sequence[Sequence[Any]],
    ready: Sequence[Sequence[str | None]],
    before: int,
) -> None:
    """Note the first id of each type, unless both were met."""
    firsts = found.firsts.setdefault(at, {})
    if len(firsts) == 2:
        return
    for place, (values, texts) in enumerate(zip(made, ready, strict=True), start=before):
        text = texts[at]
        if text is not None and text.strip():
            kind = "whole number" if is_whole(values[at]) else "text"
            shown = text if kind == "whole number" else repr(text)
            firsts.setdefault(kind, OddCell(found.rows + place, shown, kind))


def _insert(
    connection: duckdb.DuckDBPyConnection,
    found: Extracted,
    origins: Sequence[int],
    cells: Sequence[Sequence[str | None]],
) -> None:
    if not origins:
        return
    batch: dict[str, Any] = {"origin": np.array(origins, dtype=np.int64)}
    for at, column in enumerate(zip(*cells, strict=True)):
        batch[f"p{at}"] = np.empty(len(column), dtype=object)
        batch[f"p{at}"][:] = column
    connection.register("batch", batch)
    chosen = ", ".join(["origin", *(f"CAST(p{at} AS VARCHAR)" for at in range(len(cells[0])))])
    connection.execute(f"INSERT INTO {found.table} SELECT {chosen} FROM batch")  # noqa: S608
    connection.unregister("batch")
    found.rows += len(origins)


def _note_keys(keys: dict[str, None], value: Any, path: Path) -> None:
    """Note the fields of the object in which the last field of a path is looked for."""
    if len(keys) > _MOST_KEYS or not path.tail or not isinstance(path.tail[-1], Field):
        return
    before = Path(path.text, path.root, path.levels, path.tail[:-1])
    for (holder,) in _rows_of({path.root: value}, [(before, False)], path if path.levels else None):
        if isinstance(holder, dict):
            keys.update(dict.fromkeys(holder))


def _refuse_unknown(
    loaded: SourceTable,
    paths: Sequence[tuple[Path, bool]],
    seen: Sequence[bool],
    keys: Sequence[dict[str, None]],
) -> None:
    for (path, _), known, names in zip(paths, seen, keys, strict=True):
        if known:
            continue
        listed = list(names)[:_MOST_KEYS]
        inside = f" The fields there are {', '.join(map(repr, listed))}." if listed else ""
        name = path.tail[-1].name if path.tail and isinstance(path.tail[-1], Field) else ""
        hint = did_you_mean(name, listed) if name else ""
        raise DataError(
            f"{loaded.name}: no row has anything at {path.text!r}, a path from column "
            f"{label_of(loaded, path.root)}.{inside}{hint}"
        )


def _set_aside(loaded: SourceTable, faulty: Sequence[tuple[int, str]]) -> None:
    located = loaded.locate([row for row, _ in faulty]) if faulty else []
    loaded.rejected += [
        Reject(line, reason, text)
        for (line, text), (_, reason) in zip(located, faulty, strict=True)
    ]
    loaded.rows -= len(faulty)
