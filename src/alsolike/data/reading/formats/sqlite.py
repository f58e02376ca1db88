"""Loads a table of an SQLite database into DuckDB, with Python's own library."""

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from alsolike.data.reading.files.listing import INNER
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import typed
from alsolike.data.reading.source_table import OddCell, SourceTable
from alsolike.errors import DataError
from alsolike.storage.cleanup import no_room
from alsolike.storage.sqlite import reading
from alsolike.usage_hints import did_you_mean

_BATCH = 1 << 16
_MOST_LISTED = 20
_CERTAIN = 1 << 53  # whole numbers below it are exact as floats


class _Column(NamedTuple):
    """The SQL of a column for SQLite, and its type in DuckDB."""

    selected: str
    kind: str


def load_database(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    name: str,
    inner: str,
    scratch: Path,
    selection: Selection,
) -> SourceTable:
    """Load a table or view of the database at `path`; without a name, the only one there is.

    A column of whole numbers keeps its type; a column of several types becomes text. Raises
    DataError if there is no such table, or several and none is named.
    """
    try:
        with reading(path, scratch) as database:
            chosen = inner or _only_table(database, name)
            if inner and inner not in (known := _tables(database)):
                raise DataError(
                    f"{path}: no table {inner!r}.{did_you_mean(inner, known)} In this database, "
                    f"{_listed(path, known)}"
                )
            label = name if inner else f"{name}{INNER}{chosen}"
            return _loaded(connection, table, database, chosen, label, selection)
    except sqlite3.OperationalError as error:
        raise DataError(f"{name}: the database cannot be read ({error}).") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{name}: the SQLite database is damaged ({error}). Copy it again, or repair it with "
            "the command .recover of sqlite3."
        ) from error
    except OSError as error:
        if isinstance(error, DataError):
            raise
        raise no_room(scratch, error) from error


def _tables(database: sqlite3.Connection) -> list[str]:
    rows = database.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [name for (name,) in rows]


def _only_table(database: sqlite3.Connection, name: str) -> str:
    known = _tables(database)
    if len(known) != 1:
        raise DataError(f"{name}: this is a database; {_listed(name, known)}")
    return known[0]


def _listed(name: str | Path, known: Sequence[str]) -> str:
    if not known:
        return "there are no tables."
    shown = ", ".join(map(repr, known[:_MOST_LISTED]))
    more = f" and {len(known) - _MOST_LISTED:,} more" if len(known) > _MOST_LISTED else ""
    return f"the tables are {shown}{more}. Name one, such as {name}{INNER}{known[0]}"


def _loaded(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    database: sqlite3.Connection,
    chosen: str,
    label: str,
    selection: Selection,
) -> SourceTable:
    quoted = _quoted(chosen)
    names = [
        column[0]
        for column in database.execute(f"SELECT * FROM {quoted} LIMIT 0").description  # noqa: S608
    ]
    columns = [_column(database, quoted, name) for name in names]
    types = [column.kind for column in columns]
    kept = selection.of(names, types)
    defined = [f"c{place} {types[place]}" for place in kept.places]
    defined += [f"{name} UBIGINT" for name in kept.identity]
    connection.execute(f"CREATE TEMP TABLE {table} ({', '.join(defined)})")
    selected = ", ".join(column.selected for column in columns)
    rows = database.execute(f"SELECT {selected} FROM {quoted}")  # noqa: S608 - quoted names
    while batch := rows.fetchmany(_BATCH):
        _insert(connection, table, batch, columns, kept.sql)
    loaded = typed(connection, table, label, "SQLite", names, types)
    loaded.identity = kept.identity
    loaded.odd = {
        place: cell
        for place, name in enumerate(names)
        if (cell := _odd(database, quoted, name)) is not None
    }
    return loaded


def _column(database: sqlite3.Connection, table: str, name: str) -> _Column:
    """Choose the type of a column by the types of its cells, which SQLite leaves free."""
    column = _quoted(name)
    found = dict(
        database.execute(f"SELECT typeof({column}), count(*) FROM {table} GROUP BY 1").fetchall()  # noqa: S608
    )
    kinds = set(found) - {"null"}
    if kinds == {"integer"}:
        return _Column(column, "BIGINT")
    if kinds == {"real"}:
        return _Column(column, "DOUBLE")
    if kinds == {"integer", "real"}:
        [(largest,)] = database.execute(
            f"SELECT max(abs(CAST({column} AS REAL))) FROM {table} "  # noqa: S608 - quoted names
            f"WHERE typeof({column}) = 'integer'"
        ).fetchall()
        if largest < _CERTAIN:
            return _Column(column, "DOUBLE")
    as_digits = f"CAST(CAST({column} AS INTEGER) AS TEXT)"
    return _Column(
        f"CASE typeof({column}) WHEN 'real' THEN CASE WHEN {column} = CAST({column} AS INTEGER) "
        f"AND abs({column}) < {_CERTAIN} THEN {as_digits} ELSE CAST({column} AS TEXT) END "
        f"WHEN 'blob' THEN hex({column}) ELSE nullif(CAST({column} AS TEXT), '') END",
        "VARCHAR",
    )


def _odd(database: sqlite3.Connection, table: str, name: str) -> OddCell | None:
    """Return the first cell that cannot be an id: bytes; among texts also a fraction."""
    column = _quoted(name)
    kinds = {
        kind
        for (kind,) in database.execute(f"SELECT DISTINCT typeof({column}) FROM {table}")  # noqa: S608
    }
    if "blob" not in kinds and not {"real", "text"} <= kinds:
        return None
    found = database.execute(
        f"SELECT at, cell, kind FROM (SELECT row_number() OVER () - 1 AS at, typeof({column}) "  # noqa: S608
        f"AS kind, {column} AS cell FROM {table}) WHERE kind = 'blob' OR (kind = 'real' AND "
        f"(cell <> CAST(cell AS INTEGER) OR abs(cell) >= {_CERTAIN})) ORDER BY at LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    row, cell, kind = found
    if kind == "blob":
        return OddCell(row, repr(cell)[:80], "bytes")
    return OddCell(row, str(cell), "float")


def _insert(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[_Column],
    kept: Sequence[str],
) -> None:
    batch: dict[str, Any] = {}
    types = {"BIGINT": np.int64, "DOUBLE": np.float64}
    for place, (cells, column) in enumerate(zip(zip(*rows, strict=True), columns, strict=True)):
        if column.kind == "VARCHAR":
            held = np.empty(len(cells), dtype=object)
            held[:] = cells
            batch[f"c{place}"] = held
        else:
            empty = [cell is None for cell in cells]
            full = [0 if cell is None else cell for cell in cells]
            batch[f"c{place}"] = np.ma.array(np.array(full, types[column.kind]), mask=empty)
    connection.register("batch", batch)
    texts = ", ".join(f"CAST(c{at} AS {one.kind}) AS c{at}" for at, one in enumerate(columns))
    connection.execute(
        f"INSERT INTO {table} SELECT {', '.join(kept)} FROM (SELECT {texts} FROM batch)"  # noqa: S608 - own names
    )
    connection.unregister("batch")


def _quoted(name: str) -> str:
    # A name in quotes that is unknown would be read as a text, but these come from the schema.
    return '"' + re.sub('"', '""', name) + '"'
