"""Whatever holds a table (a file, a frame) into DuckDB, and what its columns may be used for."""

import contextlib
import difflib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from alsolike.data.delimited import load_delimited
from alsolike.data.dialect import Asked
from alsolike.data.files import SEALED, existing, kind_of, open_text, pattern_of
from alsolike.data.jsonlines import load_json_lines
from alsolike.data.loaded import Loaded
from alsolike.errors import DataError, SettingError

Ref = str | int

_TEXT_TYPES = ("VARCHAR", "UUID", "ENUM")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE_TYPES = (*_WHOLE, *(f"U{name}" for name in _WHOLE))
_FLOAT_TYPES = ("FLOAT", "DOUBLE", "DECIMAL")
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
# Year-month-day, with or without a time of day and an offset: casts accept more, and read it wrong.
_ISO = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?"


@contextlib.contextmanager
def workspace(threads: int | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Give a sealed in-memory DuckDB of our own and a scratch folder, both gone afterwards."""
    if threads is not None and threads < 1:
        raise SettingError(f"threads={threads}: at least 1.")
    with tempfile.TemporaryDirectory(prefix="alsolike-") as scratch:
        settings = dict(SEALED) | {"temp_directory": scratch}
        if threads is not None:
            settings["threads"] = threads
        with duckdb.connect(":memory:", config=settings) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET enable_progress_bar = false")
            yield connection, Path(scratch)


def load(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    table: str,
    source: Any,
    asked: Asked,
    *,
    ids: Sequence[Ref | None],
    scalars: Sequence[Ref | None] = (),
    reject: bool = False,
) -> Loaded:
    """Bring `source` into the DuckDB table `table`, all columns and all rows.

    Parameters
    ----------
    connection, scratch : from `workspace`
        Where to.
    table : str
        A name of our own.
    source : path or frame
        A text, Parquet or JSON-lines file, or a pandas, Polars or PyArrow table.
    asked : Asked
        What is fixed of the dialect.
    ids, scalars : sequence of str, int or None
        The columns that will be used as ids and as plain values.
    reject : bool
        Set malformed lines aside instead of raising.

    Raises
    ------
    DataError
        The source cannot be read as it is.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _load_frame(connection, table, source)
    path = existing(source)
    kind = kind_of(path)
    if kind == "parquet":
        return _load_parquet(connection, table, path)
    file = open_text(path, scratch)
    if kind == "json":
        return load_json_lines(connection, table, file, ids, scalars, reject=reject)
    wanted = [ref for ref in (*ids, *scalars) if ref is not None]
    return load_delimited(connection, table, file, asked, wanted, reject=reject)


def place_of(loaded: Loaded, ref: Ref, role: str) -> int:
    """Return the position of a column: an exact name wins over a number that counts from 1.

    Raises
    ------
    DataError
        There is no such column, or its name occurs more than once.
    """
    width = len(loaded.types)
    hits = [place for place, name in enumerate(loaded.names) if name == ref]
    if len(hits) == 1:
        return hits[0]
    if hits:
        numbers = " and ".join(str(place + 1) for place in hits)
        raise DataError(
            f"{loaded.name}: {role} column {ref!r} occurs {len(hits)} times (columns {numbers}). "
            "Pass its number instead of its name."
        )
    if isinstance(ref, int) or _NUMBER.fullmatch(ref):
        if 1 <= int(ref) <= width:
            return int(ref) - 1
        raise DataError(
            f"{loaded.name}: {role} column {ref} is out of range; there are {width} columns, "
            "counted from 1."
        )
    names = [name for name in loaded.names if name]
    if not names:
        raise DataError(
            f"{loaded.name}: {role} column {ref!r} asked for, but no line names the columns. "
            f"Pass a number from 1 to {width}, or header=True."
        )
    near = difflib.get_close_matches(ref, names, n=2, cutoff=0.5)
    near = near or [name for name in names if name.strip().lower() == ref.strip().lower()]
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    listed = ", ".join(map(repr, names[:30])) + (", ..." if len(names) > 30 else "")
    raise DataError(f"{loaded.name}: no {role} column {ref!r}; the columns are {listed}.{hint}")


def id_text(connection: duckdb.DuckDBPyConnection, loaded: Loaded, place: int, role: str) -> str:
    """Return the SQL expression that gives an id column as text.

    Whole numbers that came as floats (pandas makes them so where ids are missing) become their
    digits; a fraction is an error.
    """
    column, kind = f"c{place}", loaded.types[place]
    if kind.startswith(_TEXT_TYPES) or kind in _WHOLE_TYPES:
        return f"CAST({column} AS VARCHAR)"
    label = loaded.names[place] or str(place + 1)
    if not kind.startswith(_FLOAT_TYPES):
        raise DataError(
            f"{loaded.name}: {role} column {label!r} is of type {kind}; ids must be text or whole "
            "numbers. Turn it into text first."
        )
    exact = "" if kind.startswith("DECIMAL") else f"OR abs({column}) > 9007199254740992"
    bad = connection.execute(
        f"SELECT rowid, CAST({column} AS VARCHAR) FROM {loaded.table} WHERE NOT isnan(CAST("  # noqa: S608
        f"{column} AS DOUBLE)) AND (CAST({column} AS DOUBLE) <> trunc(CAST({column} AS DOUBLE)) "
        f"{exact}) ORDER BY rowid LIMIT 1"
    ).fetchone()
    if bad is not None:
        raise DataError(
            f"{loaded.name}, row {bad[0] + 1}, column {label!r}: the {role} id {bad[1]} is no "
            "whole number of at most 2^53. Turn the column into text first."
        )
    return (
        f"CASE WHEN isnan(CAST({column} AS DOUBLE)) THEN NULL "
        f"ELSE CAST(CAST({column} AS HUGEINT) AS VARCHAR) END"
    )


def number_of(loaded: Loaded, place: int) -> str:
    """Return the SQL expression that gives a value column as DOUBLE; NULL where it is none."""
    column = f"c{place}"
    if loaded.types[place] == "VARCHAR":
        return f"CASE WHEN contains({column}, '_') THEN NULL ELSE TRY_CAST({column} AS DOUBLE) END"
    return f"TRY_CAST({column} AS DOUBLE)"


def seconds_of(loaded: Loaded, place: int) -> str:
    """Return the SQL expression that gives a time column as seconds since 1970, UTC."""
    column, kind = f"c{place}", loaded.types[place]
    if kind.startswith(("TIMESTAMP", "DATE")):
        return f"epoch(CAST({column} AS TIMESTAMPTZ))"
    if kind != "VARCHAR":
        return f"TRY_CAST({column} AS DOUBLE)"
    return (
        f"CASE WHEN regexp_full_match({column}, '{_ISO}') "
        f"THEN epoch(TRY_CAST({column} AS TIMESTAMPTZ)) ELSE {number_of(loaded, place)} END"
    )


def _load_parquet(connection: duckdb.DuckDBPyConnection, table: str, path: Path) -> Loaded:
    try:
        names, types = _described(
            connection,
            "SELECT * FROM read_parquet(?, hive_partitioning=false)",
            [pattern_of(path)],
        )
        listed = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}"' for name in names)
        renamed = ", ".join(f"c{place}" for place in range(len(names)))
        connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT * FROM (SELECT {listed} FROM read_parquet(?, "  # noqa: S608
            f"hive_partitioning=false)) AS source({renamed})",
            [pattern_of(path)],
        )
    except duckdb.Error as error:
        raise DataError(
            f"{path}: the Parquet file is damaged, encrypted or was cut short. Fetch or write it "
            "again."
        ) from error
    return _typed(connection, table, str(path), "Parquet", names, types)


def _load_frame(connection: duckdb.DuckDBPyConnection, table: str, frame: Any) -> Loaded:
    library = type(frame).__module__.split(".")[0]
    if library == "polars" and hasattr(frame, "collect"):
        frame = frame.collect()
    if library == "pandas" and hasattr(frame, "iloc") and hasattr(frame, "columns"):
        names = [str(name) for name in frame.columns]
        columns = [_pandas_column(frame.iloc[:, place]) for place in range(len(names))]
    elif library == "polars" and hasattr(frame, "get_columns"):
        names = list(frame.columns)
        columns = [_polars_column(series) for series in frame.get_columns()]
    elif library == "pyarrow" and hasattr(frame, "column_names"):
        names = list(frame.column_names)
        return _load_arrow(connection, table, frame, names)
    else:
        raise DataError(
            "A path, a pandas, Polars or PyArrow table, or a SciPy sparse matrix expected, "
            f"not {type(frame).__name__}."
        )
    title = f"the {library} frame"
    if not names or not len(columns[0]):
        raise DataError(f"{title} has no rows.")
    held = {f"c{place}": _storable(column, title) for place, column in enumerate(columns)}
    connection.register("held", held)
    connection.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM held")  # noqa: S608 - own name
    connection.unregister("held")
    return _typed(connection, table, title, library, names)


def _load_arrow(
    connection: duckdb.DuckDBPyConnection, table: str, frame: Any, names: list[str]
) -> Loaded:
    connection.register("held", frame.rename_columns([f"c{p}" for p in range(len(names))]))
    connection.execute(f"CREATE TEMP TABLE {table} AS SELECT * FROM held")  # noqa: S608 - own name
    connection.unregister("held")
    return _typed(connection, table, "the pyarrow table", "pyarrow", names)


def _typed(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    title: str,
    kind: str,
    names: Sequence[str],
    types: Sequence[str] | None = None,
) -> Loaded:
    if types is None:
        _, types = _described(connection, f"SELECT * FROM {table}", [])  # noqa: S608 - own name
    # All of it, since one row fetched leaves the connection busy for the next frame.
    [[counted]] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608

    def locate(wanted: Sequence[int]) -> list[tuple[int, str]]:
        return [(row + 1, "") for row in wanted]

    return Loaded(
        name=title,
        format=kind,
        table=table,
        names=tuple(names),
        types=tuple(types),
        locate=locate,
        rows=int(counted),
        unit="row",
    )


def _described(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: list[str]
) -> tuple[list[str], list[str]]:
    described = connection.execute(f"DESCRIBE {query}", parameters).fetchall()
    return [row[0] for row in described], [row[1] for row in described]


def _pandas_column(series: Any) -> Any:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iufb":
        return series.to_numpy()
    return series.astype(object).to_list()


def _polars_column(series: Any) -> Any:
    if series.dtype.is_numeric() and not series.dtype.is_decimal() and not series.null_count():
        return series.to_numpy()
    return series.to_list()


def _storable(column: Any, title: str) -> Any:
    """Return a NumPy column that DuckDB takes as it is: numbers, or text and None."""
    if isinstance(column, np.ndarray):
        return column
    kinds = {type(cell) for cell in column}
    kinds.discard(type(None))
    missing = {kind for kind in kinds if kind.__name__ in ("NAType", "NaTType")}
    if kinds - missing and kinds - missing <= {float, np.float64}:
        return np.array([np.nan if _is_missing(cell) else cell for cell in column], dtype=float)
    cells = np.empty(len(column), dtype=object)
    cells[:] = [_cell_text(cell) for cell in column]
    try:
        "".join(cell for cell in cells if cell is not None).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(f"{title}: text that is not valid Unicode ({error.reason}).") from None
    return cells


def _cell_text(cell: Any) -> str | None:
    if type(cell) is str or _is_missing(cell):
        return cell or None if type(cell) is str else None
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    if isinstance(cell, (float, np.floating)):
        return repr(float(cell))
    # Whole numbers, dates and times, decimals: their text is what is meant.
    return str(cell) or None


def _is_missing(cell: Any) -> bool:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float) and cell != cell  # noqa: PLR0124 - NaN alone differs from itself
