"""Adds the keys of folders such as ``date=2024-01-01`` to the table of a file, as columns."""

import duckdb

from alsolike.data.reading.files.listing import Part
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError


def add_keys(connection: duckdb.DuckDBPyConnection, loaded: SourceTable, part: Part) -> None:
    """Add the keys of the folders as text columns; those that are in the file must be equal."""
    for key, value in part.keys:
        if key in loaded.names:
            _refuse_other_value(connection, loaded, key, value)
            continue
        place = len(loaded.names)
        connection.execute(f"ALTER TABLE {loaded.table} ADD COLUMN c{place} VARCHAR")
        connection.execute(f"UPDATE {loaded.table} SET c{place} = ?", [value])  # noqa: S608
        if loaded.identity:
            loaded.identity = (*loaded.identity, f"c{place}")
        loaded.names, loaded.types = (*loaded.names, key), (*loaded.types, "VARCHAR")


def _refuse_other_value(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, key: str, value: str | None
) -> None:
    place = loaded.names.index(key)
    found = connection.execute(
        f"SELECT rowid, CAST(c{place} AS VARCHAR) FROM {loaded.table} WHERE rowid >= "  # noqa: S608
        f"{loaded.skip} AND c{place} IS DISTINCT FROM TRY_CAST(? AS {loaded.types[place]}) "
        f"AND CAST(c{place} AS VARCHAR) IS DISTINCT FROM ? ORDER BY rowid LIMIT 1",
        [value, value],
    ).fetchone()
    if found is not None:
        ((line, _),) = loaded.locate([found[0]])
        raise DataError(
            f"{loaded.name}, {loaded.unit} {line}: column {key!r} is {found[1]!r}, but the name of "
            f"its folder says {key}={value}. Rename one of them; or read the file by itself."
        )
