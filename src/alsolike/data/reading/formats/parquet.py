"""Loads Parquet files into DuckDB."""

from pathlib import Path

import duckdb

from alsolike.data.reading.files.listing import pattern_of
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import described, typed
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError
from alsolike.system_errors import raise_of_system


def load_parquet(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    name: str,
    selection: Selection,
) -> SourceTable:
    """Load a Parquet file into the DuckDB table `table`; messages call it `name`."""
    pattern = pattern_of(path)
    try:
        names, types = described(
            connection, "SELECT * FROM read_parquet(?, hive_partitioning=false)", [pattern]
        )
        listed = ", ".join(f'"{column.replace(chr(34), chr(34) * 2)}"' for column in names)
        renamed = ", ".join(f"c{place}" for place in range(len(names)))
        selected = selection.of(names, types)
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT {', '.join(selected.sql)} FROM (SELECT {listed} "  # noqa: S608
            f"FROM read_parquet(?, hive_partitioning=false)) AS source({renamed})",
            [pattern],
        )
        # DuckDB makes 32 bits of 16, which hides that digits are gone.
        found = connection.execute(
            "SELECT name FROM parquet_schema(?) WHERE CAST(logical_type AS VARCHAR) "
            "LIKE 'Float16%'",
            [pattern],
        ).fetchall()
        halves = {column for (column,) in found}
    except duckdb.Error as error:
        raise_of_system(error)
        raise DataError(
            f"{name}: the Parquet file is damaged, encrypted or truncated. Download or write it "
            "again."
        ) from error
    loaded = typed(connection, table, name, "Parquet", names, types)
    loaded.identity = selected.identity
    loaded.narrow = {p: "float16" for p, column in enumerate(names) if column in halves}
    return loaded
