"""Makes one row for each item of rows that hold objects, arrays or several items.

This is the stage between loading and cleaning. The result is a table of its own; its column
``origin`` has the row of the source, so that messages name the original file, line and column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from alsolike.data.reading.cleaning.rows import Roles, refuse_no_rows
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.delimited.ragged import BETWEEN
from alsolike.data.reading.layouts.json_cells import Extracted, extract
from alsolike.data.reading.layouts.paths import Path, deepest, resolve
from alsolike.data.reading.layouts.structs import StructQuery, literal
from alsolike.data.reading.source_table import OddCell, SourceTable, label_of
from alsolike.data.reading.sources import Ref, id_text, place_of
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import did_you_mean

LAYOUTS = ("table", "lines", "netflix")
LINE = "line"
_BLANKS = " \t\r\n\v\f"
_TEXT_TYPES = ("VARCHAR", "JSON")


@dataclass(frozen=True)
class RowCounts:
    """Counts of one arrangement, None if each row was taken as it is.

    `elements` counts the rows made, `without` the rows without any item, `empty` the items without
    text, and `trimmed` those with blanks around them, which were cut off.
    """

    elements: int | None = None
    without: int = 0
    empty: int = 0
    trimmed: int = 0

    def fields(self) -> dict[str, int | None]:
        """Return the fields of the report."""
        return {
            "elements": self.elements,
            "without_items": self.without,
            "empty_items": self.empty,
            "trimmed_items": self.trimmed,
        }


@dataclass(frozen=True)
class _Column:
    """A column of the new table: its place, and where it comes from."""

    place: int
    role: str
    path: Path | None
    is_id: bool


def checked_layout(layout: str | None, separator: str | None) -> str | None:
    """Return what stands between the items of a cell; SettingError for an unknown layout.

    Examples
    --------
    >>> checked_layout(None, "comma"), checked_layout("table", " "), checked_layout(None, None)
    (',', ' ', None)
    """
    if layout not in (None, *LAYOUTS):
        raise SettingError(
            f"layout={layout!r}: one of {', '.join(map(repr, LAYOUTS))} expected."
            f"{did_you_mean(layout, LAYOUTS)}"
        )
    if layout == "lines":
        if separator is not None:
            raise SettingError(
                "items_separator= is for a column that holds several items. With layout='lines' "
                "each item is a field: pass delimiter= for what stands between them."
            )
        return BETWEEN
    if separator is None:
        return None
    mark = FixedDialect.of(separator, None, None, None).delimiter if separator else ""
    if not mark:
        raise SettingError("items_separator='': one or more characters expected.")
    return mark


def arrange(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    roles: Roles,
    texts: Mapping[str, Ref],
    *,
    separator: str | None = None,
    reject: bool = False,
) -> tuple[SourceTable, RowCounts]:
    """Return a table in which each of the `roles` is a column, and each row has one item.

    The table is `loaded` itself unless a role is a path, `separator` splits the items, or each row
    is a user (``user="line"``). `texts` are the columns of names, images and links, by role; those
    that the table lacks are left out. `reject` sets rows aside that do not hold what a path leads
    through. Raises DataError or SettingError for such rows, and for paths that lead nowhere.
    """
    columns, is_line = _columns(loaded, roles, texts)
    paths = [one.path for one in columns if one.path is not None]
    if not paths and separator is None and not is_line:
        return loaded, RowCounts()
    refuse_no_rows(loaded)
    last = deepest(paths)
    if is_line and last is None and separator is None:
        raise SettingError(
            "user='line' makes a user of each row, which then needs several items: pass "
            "items_separator=, or the path of an array as item=, such as item='products[].id'; or "
            "layout='lines' for a text file whose lines differ in their number of fields."
        )
    for one in columns:
        if one.is_id and one.path is None and not (one.role == "item" and separator):
            id_text(connection, loaded, one.place, one.role)  # raises for cells that are no ids
    cells = _extracted(connection, loaded, columns, reject=reject)
    refuse_no_rows(loaded)
    query = StructQuery(connection, loaded.name, _joined(loaded, cells, is_line=is_line))
    if last is not None and cells.of(last) is None:
        query.unnest(last)
    chosen = ["origin"]
    for one in columns:
        cell = f"c{one.place}"
        if one.path is not None:
            at = cells.of(one.path)
            cell = query.cell(one.path) if at is None else f"p{at}"
        chosen.append(f"{cell} AS c{one.place}")
    line = len(loaded.names) + len(paths)
    if is_line:
        chosen.append(f"line AS c{line}")
    sql = f"SELECT {', '.join(chosen)} FROM ({query.sql})"  # noqa: S608 - own names
    # If one column is given twice, cleaning refuses it.
    item = next((one for one in columns if one.role == "item"), columns[0])
    return _made(connection, loaded, sql, columns, cells, item, separator, is_line=is_line)


@dataclass(frozen=True)
class _Cells:
    """The cells extracted from columns of JSON text, if any."""

    found: Extracted | None
    paths: tuple[Path, ...]

    def of(self, path: Path) -> int | None:
        """Return the number of the column of a path, or None if it is not of JSON text."""
        return self.paths.index(path) if path in self.paths else None


def _columns(
    loaded: SourceTable, roles: Roles, texts: Mapping[str, Ref]
) -> tuple[list[_Column], bool]:
    """Return the columns in use, paths after all columns of `loaded`; and whether user is a row."""
    is_line = roles.user == LINE and LINE not in loaded.names
    refs = {
        role: ref
        for role in ("user", "item", "value", "timestamp", "event")
        if (ref := getattr(roles, role)) is not None and not (is_line and role == "user")
    }
    known = {str(ref) for ref in loaded.names}
    for role, ref in texts.items():
        is_place = str(ref).isdecimal() and 1 <= int(ref) <= len(loaded.names)
        if is_place or str(ref) in known or resolve(loaded.names, ref) is not None:
            refs[f"item_{role}"] = ref
    columns: list[_Column] = []
    added: dict[str, int] = {}
    for role, ref in refs.items():
        path = resolve(loaded.names, ref)
        if path is None:
            place = place_of(loaded, ref, role)
        else:
            place = added.setdefault(path.text, len(loaded.names) + len(added))
        if place not in {one.place for one in columns}:
            columns.append(_Column(place, role, path, role in ("user", "item")))
    return columns, is_line


def _extracted(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    columns: Sequence[_Column],
    *,
    reject: bool,
) -> _Cells:
    """Extract the paths that begin with a column of text."""
    wanted = [
        (one.path, one.is_id)
        for one in columns
        if one.path is not None
        and loaded.types[one.path.root].startswith(_TEXT_TYPES)
        and not loaded.types[one.path.root].endswith("]")
    ]
    if not wanted:
        return _Cells(None, ())
    found = extract(connection, loaded, wanted, reject=reject)
    return _Cells(found, tuple(path for path, _ in wanted))


def _joined(loaded: SourceTable, cells: _Cells, *, is_line: bool) -> str:
    """Return the query of the rows of the source, once for each of their extracted elements."""
    line = f", source.rowid - {loaded.skip} + 1 AS line" if is_line else ""
    if cells.found is None:
        return (
            f"SELECT source.rowid AS origin, source.*{line} FROM {loaded.table} AS source "  # noqa: S608
            f"WHERE source.rowid >= {loaded.skip}"
        )
    made = ", ".join(f"made.p{at}" for at in range(len(cells.paths)))
    return (
        f"SELECT made.origin AS origin, source.*, {made}{line} FROM {cells.found.table} AS made "  # noqa: S608
        f"JOIN {loaded.table} AS source ON source.rowid = made.origin ORDER BY made.rowid"
    )


def _made(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    sql: str,
    columns: Sequence[_Column],
    cells: _Cells,
    item: _Column,
    separator: str | None,
    *,
    is_line: bool,
) -> tuple[SourceTable, RowCounts]:
    """Fill the new table by `sql`; return it with its counts."""
    table = f"{loaded.table}_items"
    empty = trimmed = 0
    if separator is not None:
        cell, part = f"c{item.place}", f"trim(part, {literal(_BLANKS)})"
        parts = f"string_split(CAST({cell} AS VARCHAR), {literal(separator)})"
        sql = f"SELECT *, unnest({parts}) AS part FROM ({sql})"  # noqa: S608 - own names
        [(empty, trimmed)] = connection.execute(
            f"SELECT count(*) FILTER ({part} = ''), count(*) FILTER ({part} NOT IN ('', part)) "  # noqa: S608
            f"FROM ({sql})"
        ).fetchall()
        sql = f"SELECT * EXCLUDE ({cell}, part), {part} AS {cell} FROM ({sql}) WHERE {part} <> ''"  # noqa: S608
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {sql}")
    [(elements, origins)] = connection.execute(
        f"SELECT count(*), count(DISTINCT origin) FROM {table}"  # noqa: S608 - own name
    ).fetchall()
    if not elements:
        raise DataError(
            f"{loaded.name}: none of the {loaded.rows:,} rows has an item in "
            f"{item.path.text if item.path else label_of(loaded, item.place)!r}."
        )
    paths = {one.place: one.path.text for one in columns if one.path is not None}
    width = len(loaded.names) + len(paths)
    names = [*loaded.names, *(paths[place] for place in range(len(loaded.names), width))]
    described = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {table}").fetchall()}
    known = [*loaded.types, *("VARCHAR" for _ in paths), "BIGINT"]
    types = [described.get(f"c{place}", known[place]) for place in range(width + is_line)]
    locate = _Locator(connection, table, loaded)
    result = replace(
        loaded,
        table=table,
        names=(*names, LINE) if is_line else tuple(names),
        types=tuple(types),
        locate=locate,
        origin=None if loaded.origin is None else locate.part_of,
        skip=0,
        rows=int(elements),
        odd={},
        firsts=_firsts(loaded, columns, cells),
        base=loaded,
        apart=is_line,
    )
    if separator is None and not any(one.path.levels for one in columns if one.path is not None):
        return result, RowCounts()
    return result, RowCounts(int(elements), loaded.rows - int(origins), int(empty), int(trimmed))


def _firsts(
    loaded: SourceTable, columns: Sequence[_Column], cells: _Cells
) -> dict[int, dict[str, OddCell]]:
    """Return the first id of each type, of columns of the source and of extracted cells."""
    firsts = dict(loaded.firsts)
    for one in columns:
        if one.path is not None and cells.found is not None:
            at = cells.of(one.path)
            if at is not None and at in cells.found.firsts:
                firsts[one.place] = cells.found.firsts[at]
    return firsts


class _Locator:
    """Finds the place in the source of rows that were made from it."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, loaded: SourceTable
    ) -> None:
        self._connection, self._table, self._loaded = connection, table, loaded

    def __call__(self, wanted: Sequence[int]) -> list[tuple[int, str]]:
        """Return the line and the text of rows, in their order."""
        origins = self._origins(wanted)
        distinct = sorted(set(origins.values()))
        places = dict(zip(distinct, self._loaded.locate(distinct), strict=True))
        return [places[origins[row]] for row in wanted]

    def part_of(self, row: int) -> tuple[str, str]:
        """Return the name and the unit of the part of a source of several."""
        if self._loaded.origin is None:
            return self._loaded.name, self._loaded.unit
        return self._loaded.origin(self._origins([row])[row])

    def _origins(self, wanted: Sequence[int]) -> dict[int, int]:
        """Return the rows of the source of some rows."""
        # A parameter: nothing can be registered while the caller's last result is still open.
        found = self._connection.execute(
            f"SELECT rowid, origin FROM {self._table} WHERE rowid IN (SELECT unnest(?::BIGINT[]))",  # noqa: S608
            [list(map(int, wanted))],
        ).fetchall()
        return dict(found)
