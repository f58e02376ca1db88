"""Joins the parts of a source to one table: columns by name, rows in the order of the parts."""

import bisect
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

import duckdb

from alsolike.data.reading.files.listing import Part
from alsolike.data.reading.formats.folder_keys import add_keys
from alsolike.data.reading.source_table import OddCell, SourceTable
from alsolike.errors import DataError

# Loads a part into a table; the flag keeps all of its columns.
LoadPart = Callable[[str, Part, bool], SourceTable]
IdText = Callable[[duckdb.DuckDBPyConnection, SourceTable, int, str], str]
# A column: its name, and its number among those of the name; without names, its place.
_Column = tuple[str, int]

_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
_WHOLE = (*_SIGNED, "UBIGINT", "HUGEINT")
_FLOATS = ("FLOAT", "DOUBLE")
_SHOWN = 12
_NAMED = 3
# What differs between the same warning of two files.
_DETAIL = re.compile(r"'[^']*'|\d[\d,]*")


@dataclass
class _Union:
    """The table so far."""

    table: str
    first: SourceTable
    columns: list[_Column]
    types: list[str]
    by_name: bool
    used: dict[_Column, str]
    parts: list[SourceTable] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    narrow: dict[int, str] = field(default_factory=dict)
    kinds: dict[int, set[str]] = field(default_factory=dict)
    uneven: list[str] = field(default_factory=list)
    rows: int = 0


class _UnlikeError(Exception):
    """Raised where parts do not have the same columns and types, so that hashes differ."""


def load_union(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    name: str,
    parts: Sequence[Part],
    load_part: LoadPart,
    id_text: IdText,
    *,
    ids: Sequence[str | int],
    scalars: Sequence[str | int],
) -> SourceTable:
    """Load `parts` into the DuckDB table `table`, with the keys of their folders as columns.

    `ids` and `scalars` are the columns in use. A part that lacks one of these is a DataError that
    names both files; other columns may differ: their cells are empty where a part lacks them. If
    columns or types differ, all columns are kept, since the hashes of rows do not compare.
    """
    refs = [*ids, *scalars]
    joined = functools.partial(
        _joined, connection, table, name, parts, load_part, id_text, ids=ids, refs=refs
    )
    try:
        return joined(whole=False)
    except _UnlikeError:
        connection.execute(f"DROP TABLE {table}_part")
        return joined(whole=True)


def _joined(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    name: str,
    parts: Sequence[Part],
    load_part: LoadPart,
    id_text: IdText,
    *,
    ids: Sequence[str | int],
    refs: Sequence[str | int],
    whole: bool,
) -> SourceTable:
    union: _Union | None = None
    for part in parts:
        loaded = load_part(f"{table}_part", part, whole)
        by_name = any(loaded.names)
        add_keys(connection, loaded, part)
        if union is None:
            union = _begin(connection, table, loaded, by_name=by_name, refs=refs)
        _match(union, loaded, by_name=by_name, refs=refs)
        _compare(union, loaded)
        _append(connection, union, loaded, id_text, _ids_among(union, ids))
        connection.execute(f"DROP TABLE {loaded.table}")
    if union is None:
        raise DataError(f"{name}: no part to read.")
    return _as_source(union, name)


def _begin(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    first: SourceTable,
    *,
    by_name: bool,
    refs: Sequence[str | int],
) -> _Union:
    columns = _columns(first.names)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM {first.table} LIMIT 0"  # noqa: S608
    )
    union = _Union(table, first, columns, list(first.types), by_name, {})
    for ref in refs:
        place = _place(first, ref)
        if place is not None:
            union.used[columns[place]] = first.name
    return union


def _columns(names: Sequence[str]) -> list[_Column]:
    """Return what identifies each column in all parts."""
    return [(name, list(names[:place]).count(name)) for place, name in enumerate(names)]


def _place(loaded: SourceTable, ref: str | int) -> int | None:
    """Return the index of a column in use, None if it is not there."""
    is_number = isinstance(ref, int) or (ref.isascii() and ref.isdigit())
    if str(ref) in loaded.names and not (is_number and loaded.dialect is not None):
        return loaded.names.index(str(ref))
    if is_number and 1 <= int(ref) <= len(loaded.names):
        return int(ref) - 1
    return None


def _ids_among(union: _Union, ids: Sequence[str | int]) -> dict[int, str]:
    """Return the roles of the id columns by their place."""
    roles = ("user", "item")[-len(ids) :]
    found = {_place(union.first, ref): role for ref, role in zip(ids, roles, strict=True)}
    return {place: role for place, role in found.items() if place is not None}


def _match(union: _Union, loaded: SourceTable, *, by_name: bool, refs: Sequence[str | int]) -> None:
    """Raise DataError if a part does not fit the first one."""
    first = union.first
    if by_name != union.by_name:
        with_names, without = (loaded, first) if by_name else (first, loaded)
        raise DataError(
            f"{without.name}: its first line was taken as a row, but that of {with_names.name} "
            f"names the columns. Pass {loaded.prefix}header=True or False for all parts, or read "
            "them apart."
        )
    if not by_name and len(loaded.names) != len(first.names):
        raise DataError(
            f"{loaded.name}: {len(loaded.names)} columns, but {first.name} has "
            f"{len(first.names)}. Parts without a line of column names need the same columns."
        )
    columns = _columns(loaded.names)
    for column, owner in union.used.items():
        if column not in columns:
            raise _lacking(loaded, column[0], owner)
    for ref in refs:
        if (
            isinstance(ref, str)
            and not ref.isdigit()
            and (ref, 0) in columns
            and (ref, 0) not in union.columns
        ):
            raise _lacking(first, str(ref), loaded.name)
    if set(columns) != set(union.columns) and union.parts:
        union.uneven.append(loaded.name)


def _lacking(loaded: SourceTable, column: str, owner: str) -> DataError:
    names = [repr(name) for name in loaded.names if name]
    listed = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return DataError(
        f"{loaded.name}: no column {column!r}, which {owner} has; its columns are {listed}. "
        "The parts of one table need the columns in use under one name: rename it, or leave the "
        "file out."
    )


def _compare(union: _Union, loaded: SourceTable) -> None:
    """Raise _UnlikeError if hashes of the rows of a part do not compare with those before."""
    first = union.first
    if (first.identity or loaded.identity) and (
        (loaded.names, loaded.types, loaded.identity) != (first.names, first.types, first.identity)
    ):
        raise _UnlikeError


def _append(
    connection: duckdb.DuckDBPyConnection,
    union: _Union,
    loaded: SourceTable,
    id_text: IdText,
    ids: dict[int, str],
) -> None:
    """Append the rows of a part; columns of several types become text."""
    places = {column: place for place, column in enumerate(_columns(loaded.names))}
    for column, place in places.items():
        if column not in union.columns:
            union.columns.append(column)
            union.types.append(loaded.types[place])
            connection.execute(
                f"ALTER TABLE {union.table} ADD COLUMN c{len(union.types) - 1} "
                f"{loaded.types[place]}"
            )
    selected = []
    for target, column in enumerate(union.columns):
        if column not in places:
            selected.append("NULL")
            continue
        place = places[column]
        if target in ids:
            id_text(connection, loaded, place, ids[target])  # an error names the part
        selected.append(_converted(connection, union, loaded, target, place, id_text, ids))
        _note(union, loaded, target, place)
    if loaded.identity:  # of the same columns and types: those that are kept, and the hashes
        selected = ["*"]
    connection.execute(
        f"INSERT INTO {union.table} SELECT {', '.join(selected)} FROM {loaded.table} "  # noqa: S608 - own names
        f"WHERE rowid >= {loaded.skip}"
    )
    [[union_rows]] = connection.execute(f"SELECT count(*) FROM {union.table}").fetchall()  # noqa: S608
    union.starts.append(union.rows)
    union.parts.append(loaded)
    union.rows = int(union_rows)


def _converted(
    connection: duckdb.DuckDBPyConnection,
    union: _Union,
    loaded: SourceTable,
    target: int,
    place: int,
    id_text: IdText,
    ids: dict[int, str],
) -> str:
    """Return the SQL of a column of a part, in the type of the union, which may change for it."""
    old, new = union.types[target], loaded.types[place]
    common = _common(old, new)
    if target in ids and {old, new} == {"FLOAT", "DOUBLE"}:
        common = "VARCHAR"  # their digits are certain below different limits
    if common == old == new:
        return f"c{place}"
    is_id = target in ids and common == "VARCHAR"
    if common != old:
        so_far = _as_source(union, union.first.name)
        cell = id_text(connection, so_far, target, ids[target]) if is_id else f"c{target}"
        connection.execute(
            f"ALTER TABLE {union.table} ALTER COLUMN c{target} TYPE {common} "
            f"USING CAST({cell} AS {common})"
        )
        union.types[target] = common
    cell = id_text(connection, loaded, place, ids[target]) if is_id else f"c{place}"
    return f"CAST({cell} AS {common})"


def _common(one: str, other: str) -> str:
    """Return the type that holds the cells of two exactly; text if there is no other.

    Examples
    --------
    >>> _common("INTEGER", "BIGINT"), _common("UBIGINT", "BIGINT"), _common("BIGINT", "DOUBLE")
    ('BIGINT', 'HUGEINT', 'VARCHAR')
    """
    if one == other:
        return one
    both = (one, other)
    if all(kind in _SIGNED for kind in both):
        return "BIGINT"
    if all(kind in _WHOLE for kind in both):
        return "HUGEINT"
    return "DOUBLE" if all(kind in _FLOATS for kind in both) else "VARCHAR"


def _note(union: _Union, loaded: SourceTable, target: int, place: int) -> None:
    """Remember narrow floats, and the types of what may be ids."""
    is_text = loaded.types[place].startswith(("VARCHAR", "ENUM", "UUID"))
    own = loaded.firsts.get(place, {"text": None}) if is_text else {"whole number": None}
    union.kinds.setdefault(target, set()).update(own)
    kind = loaded.narrow.get(place) or ("float32" if loaded.types[place] == "FLOAT" else "")
    if kind and union.narrow.get(target) != "float16":
        union.narrow[target] = kind


def _as_source(union: _Union, name: str) -> SourceTable:
    parts, starts = union.parts or [union.first], union.starts or [0]

    def part_of(row: int) -> tuple[SourceTable, int]:
        at = bisect.bisect_right(starts, row) - 1
        return parts[at], row - starts[at] + parts[at].skip

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        for at, rows in groupby(wanted, key=lambda row: bisect.bisect_right(starts, row) - 1):
            found += parts[at].locate([row - starts[at] + parts[at].skip for row in rows])
        return found

    def origin(row: int) -> tuple[str, str]:
        part, _ = part_of(row)
        return part.name, part.unit

    dialects = [part.dialect for part in parts]
    formats = list(dict.fromkeys(part.format for part in parts))
    return SourceTable(
        name=name,
        format=f"{' and '.join(formats)}, {len(parts):,} parts",
        table=union.table,
        names=tuple(column for column, _ in union.columns),
        types=tuple(union.types),
        locate=locate,
        dialect=dialects[0] if all(dialects) else None,
        rows=union.rows,
        blank=sum(part.blank for part in parts),
        rejected=[replace(one, file=part.name) for part in parts for one in part.rejected],
        unit="line" if all(part.unit == "line" for part in parts) else "row",
        narrow=dict(union.narrow),
        firsts={
            target: {"whole number": OddCell(0, "", "whole number")}
            for target, kinds in union.kinds.items()
            if kinds == {"whole number"}
        },
        warnings=[*_merged_warnings(parts), *_about_dialects(parts), *_about_columns(union)],
        prefix=union.first.prefix,
        encoding=", ".join(dict.fromkeys(part.encoding for part in parts if part.encoding)),
        parts=tuple(part.name for part in parts),
        origin=origin,
        identity=union.first.identity,
    )


def _merged_warnings(parts: Sequence[SourceTable]) -> list[str]:
    """Return each warning of the parts once, with the number of parts that it is about."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for part in parts:
        for warning in part.warnings:
            kind = _DETAIL.sub("#", warning.replace(part.name, "#"))
            first.setdefault(kind, warning)
            count[kind] = count.get(kind, 0) + 1
    return [
        f"{warning} So it is in {count[kind] - 1:,} more of the {len(parts):,} parts."
        if count[kind] > 1
        else warning
        for kind, warning in first.items()
    ]


def _about_dialects(parts: Sequence[SourceTable]) -> list[str]:
    """Warn if the parts were read in several dialects."""
    found: dict[str, str] = {}
    for part in parts:
        if part.dialect is not None:
            found.setdefault(f"delimiter {part.dialect.delimiter!r}", part.name)
    if len(found) < 2:
        return []
    listed = "; ".join(f"{name}: {marks}" for marks, name in [*found.items()][:_NAMED])
    return [
        f"the parts are written with {len(found)} delimiters ({listed}). Each is read in its own."
    ]


def _about_columns(union: _Union) -> list[str]:
    """Warn if columns that are not in use differ between the parts."""
    if not union.uneven:
        return []
    listed = ", ".join(union.uneven[:_NAMED]) + (", ..." if len(union.uneven) > _NAMED else "")
    many = len(union.uneven)
    have = "part has" if many == 1 else "parts have"
    return [
        f"{many:,} {have} other columns than the parts before ({listed}). The columns in use are "
        "in all of them; cells of others are empty where a part lacks them."
    ]
