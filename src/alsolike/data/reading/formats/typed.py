"""Makes a source of columns with types: frames, sheets, databases, Parquet files."""

from collections.abc import Sequence

import duckdb

from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.frames import Frame
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError
from alsolike.system_errors import raise_of_system


def load_frame(
    connection: duckdb.DuckDBPyConnection, table: str, frame: Frame, selection: Selection
) -> SourceTable:
    """Load a frame into the DuckDB table `table`."""
    try:
        connection.register("held", frame.held)
        _, types = described(connection, "SELECT * FROM held", [])
        selected = selection.of(frame.names, types)
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT {', '.join(selected.sql)} FROM held"  # noqa: S608 - own names
        )
    except duckdb.Error as error:
        raise_of_system(error)
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"{frame.title} cannot be read ({reason}). Turn its columns into text or numbers."
        ) from error
    connection.unregister("held")
    loaded = typed(connection, table, frame.title, frame.library, frame.names, types)
    loaded.identity = selected.identity
    loaded.odd, loaded.narrow, loaded.firsts = frame.odd, frame.narrow, frame.firsts
    return loaded


def typed(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    title: str,
    kind: str,
    names: Sequence[str],
    types: Sequence[str],
) -> SourceTable:
    """Return the source of a DuckDB table whose rows are all data, located by their number."""
    # All of it, since one row fetched leaves the connection busy for the next frame.
    [[counted]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        return [(row + 1, "") for row in wanted]

    return SourceTable(
        name=title,
        format=kind,
        table=table,
        names=tuple(names),
        types=tuple(types),
        locate=locate,
        rows=int(counted),
        unit="row",
    )


def described(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[str]
) -> tuple[list[str], list[str]]:
    """Return the names and types of the columns of a query."""
    columns = connection.execute(f"DESCRIBE {query}", parameters).fetchall()
    return [row[0] for row in columns], [row[1] for row in columns]
