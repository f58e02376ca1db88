"""Explains how to make a table of Python objects that are none; imports no library."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

EXPECTED = "A path, a pandas, Polars or PyArrow table, or a SciPy sparse matrix expected"

_FRAME = "Make a frame of it: pandas.DataFrame(source)"
_PAIRS = (
    "pandas.DataFrame([(user, item) for user, items in source.items() for item in items], "
    "columns=['user', 'item'])"
)
_EACH_PAIR = f"Make a row of each pair: {_PAIRS}"
_GROUPS = (list, tuple, set, frozenset, np.ndarray)
# (library, class): what it is and the way out; also of subclasses.
_LIBRARIES = {
    ("pandas", "Series"): ("a pandas Series", "Make a frame of it: source.reset_index()"),
    ("pandas", "DataFrameGroupBy"): (
        "a pandas DataFrameGroupBy, which holds no rows of its own",
        "Pass the frame itself, or one row per group: source.size().reset_index()",
    ),
    ("pandas", "SeriesGroupBy"): (
        "a pandas SeriesGroupBy, which holds no rows of its own",
        "Pass the frame itself, or one row per group: source.sum().reset_index()",
    ),
    ("pandas", "TextFileReader"): (
        "a pandas reader of chunks",
        "Read all of them: pandas.concat(source)",
    ),
    ("pandas", "Index"): ("a pandas Index", "Make a frame of it: source.to_frame(index=False)"),
    ("polars", "Series"): (
        "a Polars Series",
        "A table needs a column of users and one of items: polars.DataFrame({...})",
    ),
    ("polars", "GroupBy"): (
        "a Polars GroupBy, which holds no rows of its own",
        "Pass the frame itself, or one row per group: source.len()",
    ),
    ("polars", "LazyGroupBy"): (
        "a Polars LazyGroupBy, which holds no rows of its own",
        "Pass the frame itself, or one row per group: source.len()",
    ),
    ("pyarrow", "ChunkedArray"): (
        "a PyArrow column",
        "A table needs a column of users and one of items: pyarrow.table({...})",
    ),
    ("pyarrow", "Array"): (
        "a PyArrow array",
        "A table needs a column of users and one of items: pyarrow.table({...})",
    ),
    ("pyarrow", "Dataset"): ("a PyArrow dataset", "Load it: source.to_table()"),
    ("pyarrow", "Scanner"): ("a PyArrow scanner", "Load it: source.to_table()"),
    ("pyarrow", "ParquetFile"): ("a PyArrow ParquetFile", "Load it: source.read()"),
    ("duckdb", "DuckDBPyRelation"): ("a DuckDB relation", "Fetch it: source.df()"),
    ("_duckdb", "DuckDBPyRelation"): ("a DuckDB relation", "Fetch it: source.df()"),
    ("duckdb", "DuckDBPyConnection"): (
        "a DuckDB connection",
        "Fetch the result of its query: source.df()",
    ),
    ("_duckdb", "DuckDBPyConnection"): (
        "a DuckDB connection",
        "Fetch the result of its query: source.df()",
    ),
    ("sqlite3", "Connection"): (
        "an SQLite connection",
        "Fetch a query: pandas.read_sql(query, source)",
    ),
    ("sqlite3", "Cursor"): (
        "an SQLite cursor",
        "Fetch its rows: pandas.DataFrame(source, columns=[...])",
    ),
    ("dask", "DataFrame"): ("a Dask frame", "Compute it: source.compute()"),
    ("dask_expr", "DataFrame"): ("a Dask frame", "Compute it: source.compute()"),
    ("pyspark", "DataFrame"): ("a Spark frame", "Fetch it: source.toPandas()"),
    ("modin", "DataFrame"): ("a Modin frame", "Turn it into pandas: source._to_pandas()"),
    ("cudf", "DataFrame"): ("a cuDF frame", "Turn it into pandas: source.to_pandas()"),
    ("ibis", "Table"): ("an Ibis table", "Fetch it: source.to_pandas()"),
    ("narwhals", "DataFrame"): ("a Narwhals frame", "Unwrap it: source.to_native()"),
    ("torch", "Tensor"): (
        "a PyTorch tensor",
        "Of users x items: scipy.sparse.csr_array(source.numpy())",
    ),
    ("alsolike", "Table"): ("an alsolike Table", "Turn it into a frame: source.to_pandas()"),
    ("alsolike", "Interactions"): (
        "Interactions, which have been read already",
        "Use them as they are",
    ),
    ("alsolike", "Split"): ("a Split", "Its parts have been read already: use source.train"),
    ("alsolike", "FittedModel"): ("a fitted model", "Its likes, where it has them: model.history"),
}
# Of a list of such: library, class, plural, way out.
_PIECES = (
    ("pandas", "DataFrame", "frames", "pandas.concat(source)"),
    ("polars", "DataFrame", "frames", "polars.concat(source)"),
    ("pyarrow", "Table", "tables", "pyarrow.concat_tables(source)"),
    ("pyarrow", "RecordBatch", "record batches", "pyarrow.Table.from_batches(source)"),
)


def is_of(given: object, library: str, *names: str) -> bool:
    """Return whether an object is of a class of a library, or inherits from one."""
    return any((library, name) in _kinds(given) for name in names)


def described(given: object) -> tuple[str, str]:
    """Return what an object is, and how to make a table of it.

    Examples
    --------
    >>> described([{"user": "ann", "item": "m1"}])
    ('a list of dicts', 'Make a frame of it: pandas.DataFrame(source)')
    """
    known = next((_LIBRARIES[kind] for kind in _kinds(given) if kind in _LIBRARIES), None)
    if known is not None:
        return known
    if isinstance(given, np.ndarray):
        return _of_array(given)
    if isinstance(given, Mapping):
        return _of_mapping(given)
    if isinstance(given, (list, tuple, set, frozenset)):
        return _of_rows(given)
    return _of_stream(given)


def refusal(given: object) -> str:
    """Return the message for an object that was passed as a table and is none."""
    what, way_out = described(given)
    return f"{EXPECTED}, not {what}. {way_out}."


def _kinds(given: object) -> list[tuple[str, str]]:
    return [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(given).__mro__]


def _of_array(array: Any) -> tuple[str, str]:
    if array.dtype.names:
        return "a structured NumPy array", _FRAME
    shape = " x ".join(f"{length:,}" for length in array.shape)
    what = f"a dense NumPy array ({shape or 'one number'}, {array.dtype})"
    if array.ndim == 2 and array.dtype.kind in "biuf":
        return what, (
            "Of users x items: scipy.sparse.csr_array(source). Of rows such as user, item, value: "
            "pandas.DataFrame(source)"
        )
    if array.ndim == 2:
        return what, _FRAME
    return what, "A table has rows and columns: pandas.DataFrame({'user': ..., 'item': ...})"


def _of_mapping(given: Mapping[Any, Any]) -> tuple[str, str]:
    what = _article(type(given).__name__)
    if any(isinstance(cells, Mapping) for cells in given.values()):
        return f"{what} of dicts", (
            "Make a row of each pair: pandas.DataFrame([(user, item, value) for user, likes in "
            "source.items() for item, value in likes.items()], columns=['user', 'item', 'value'])"
        )
    if given and all(isinstance(cells, _GROUPS) for cells in given.values()):
        return _of_groups(given, what)
    if given and all(isinstance(key, tuple) and len(key) == 2 for key in given):
        return f"{what} of pairs", (
            "Make a row of each pair: pandas.DataFrame([(user, item, value) for (user, item), value"
            " in source.items()], columns=['user', 'item', 'value'])"
        )
    if given and all(isinstance(cell, (str, int, float)) for cell in given.values()):
        return what, (
            "If it holds an item of each user: pandas.DataFrame(list(source.items()), "
            "columns=['user', 'item'])"
        )
    return what, _FRAME


def _of_groups(given: Mapping[Any, Any], what: str) -> tuple[str, str]:
    """Return whether a mapping holds the items of each user, not columns."""
    if any(isinstance(cells, (set, frozenset)) for cells in given.values()):
        return f"{what} of sets", _EACH_PAIR
    if len({len(cells) for cells in given.values()}) > 1:
        return f"{what} of lists of different lengths", _EACH_PAIR
    if {"user", "item"} <= {*given}:
        return f"{what} of columns", _FRAME
    return f"{what} of lists of one length", (
        f"If they are columns: pandas.DataFrame(source). If its keys are users: {_PAIRS}"
    )


def _of_rows(given: Any) -> tuple[str, str]:
    kind = type(given).__name__
    rows = "source" if isinstance(given, (list, tuple)) else "list(source)"
    first = next(iter(given), None)
    named = f"pandas.DataFrame({rows}, columns=[...])"
    for library, name, plural, way_out in _PIECES:
        if is_of(first, library, name):
            return f"a {kind} of {plural}", f"Make one of them: {way_out}"
    if isinstance(first, (str, os.PathLike)):
        return f"a {kind} of {len(given):,} texts", (
            "If they are files of one table, pass a list of paths: sorted(source)"
        )
    if isinstance(first, Mapping):
        return f"a {kind} of dicts", f"Make a frame of it: pandas.DataFrame({rows})"
    if isinstance(first, (list, tuple)):
        return f"a {kind} of {type(first).__name__}s", f"Make a frame of it: {named}"
    return f"a {kind}", f"A table has rows and columns: {named}"


def _of_stream(given: object) -> tuple[str, str]:
    rows = "Make a frame of its rows: pandas.DataFrame(list(source), columns=[...])"
    if hasattr(given, "read"):
        name = getattr(given, "name", None)
        named = f": {name!r}" if isinstance(name, str) else ""
        return "an open file", f"Pass its path{named}, or what pandas.read_csv(source) gives"
    if isinstance(given, Iterator):
        return f"{_article(type(given).__name__)}, whose rows can be gone through only once", rows
    if isinstance(given, (bytes, bytearray)):
        return _article(type(given).__name__), "Pass the path as text: os.fsdecode(source)"
    what = "None" if given is None else _article(type(given).__name__)
    return what, "Pass what holds the rows"


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
