"""Converts frames of pandas, Polars and PyArrow to columns that DuckDB reads."""

import decimal
import enum
import importlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.non_tabular import is_of, refusal
from alsolike.data.reading.source_table import OddCell
from alsolike.data.vocabulary import is_blank, plain_text
from alsolike.errors import DataError
from alsolike.system_errors import raise_of_system

_POLARS_NUMBERS = {"Float32", "Float64"} | {
    f"{s}Int{n}" for s in ("", "U") for n in (8, 16, 32, 64)
}
_MOST_DIGITS = 38
# Whole numbers are exact below these, by the type's name in any library: the first whole number
# that such a float cannot hold is rounded to this one.
CERTAIN_BELOW = {"float16": 2**11, "float32": 2**24, "float64": 2**53}
_NARROW = re.compile(r"(?i)(?:^|[^a-z])(half_?float|float16|float32|float)(?![0-9a-z])")


@dataclass
class Frame:
    """A frame as DuckDB reads it: arrays c0, c1, ... or an Arrow table.

    `odd` holds, per column of Python objects, the first cell that cannot be an id; `narrow` holds
    "float16" or "float32" for columns of such floats; `firsts`, per column of Python objects, the
    first cell that is text and the first that is a number.
    """

    library: str
    title: str
    names: tuple[str, ...]
    held: Any = None
    odd: dict[int, OddCell] = field(default_factory=dict)
    narrow: dict[int, str] = field(default_factory=dict)
    firsts: dict[int, dict[str, OddCell]] = field(default_factory=dict)


def columns_of(connection: duckdb.DuckDBPyConnection, source: Any) -> Frame:
    """Convert a frame, also of a subclass of a library's own; DataError if that is impossible."""
    if is_of(source, "polars", "LazyFrame"):
        source = collected(source)
    elif is_of(source, "pyarrow", "RecordBatchReader"):
        source = source.read_all()
    elif is_of(source, "pyarrow", "RecordBatch"):
        source = importlib.import_module("pyarrow").Table.from_batches([source])
    if is_of(source, "pandas", "DataFrame"):
        frame = Frame("pandas", "the pandas frame", tuple(str(name) for name in source.columns))
        columns = [_pandas_column(source.iloc[:, place]) for place in range(len(frame.names))]
        types = [_pandas_type(kind) for kind in source.dtypes]
    elif is_of(source, "polars", "DataFrame"):
        frame = Frame("polars", "the polars frame", tuple(source.columns))
        columns = [_polars_column(series) for series in source.get_columns()]
        types = [str(kind) for kind in source.dtypes]
    elif is_of(source, "pyarrow", "Table"):
        frame = Frame("pyarrow", "the pyarrow table", tuple(source.schema.names))
        columns, types = [], [str(kind) for kind in source.schema.types]
    else:
        raise DataError(refusal(source))
    if not frame.names or not len(source):
        raise DataError(f"{frame.title} has no rows.")
    frame.narrow = {p: kind for p, name in enumerate(types) if (kind := narrow_float(name))}
    if frame.library == "pyarrow":
        _hold_arrow(connection, frame, source)
    else:
        frame.held = {f"c{p}": _held(frame, p, column) for p, column in enumerate(columns)}
    return frame


def frame_of(library: str, title: str, names: Sequence[str], columns: Sequence[Any]) -> Frame:
    """Make a frame of lists of Python objects, None for empty cells."""
    frame = Frame(library, title, tuple(names))
    frame.held = {f"c{p}": _held(frame, p, column) for p, column in enumerate(columns)}
    return frame


def narrow_float(kind: str) -> str:
    """Return "float16" or "float32" if the type name of a column says so, else "".

    Examples
    --------
    >>> [narrow_float(kind) for kind in ("Float32", "halffloat[pyarrow]", "double", "int64")]
    ['float32', 'float16', '', '']
    >>> narrow_float("dictionary<values=float, indices=int32, ordered=0>")
    'float32'
    """
    found = _NARROW.search(kind)
    if found is None or ("<" in kind and not kind.startswith(("dictionary", "run_end"))):
        return ""
    return "float16" if found[1].lower() in ("halffloat", "half_float", "float16") else "float32"


def collected(lazy: Any) -> Any:
    """Return the rows of a Polars lazy frame; DataError if its plan fails."""
    try:
        return lazy.collect()
    except Exception as error:  # whatever a plan of the caller's can raise
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"the Polars lazy frame cannot be collected: {reason}") from error


def _pandas_type(kind: Any) -> str:
    """Return the type name of a column, or of its categories."""
    categories = getattr(kind, "categories", None)
    return str(kind if categories is None else categories.dtype)


def _pandas_column(series: Any) -> Any:
    kind = series.dtype
    if isinstance(kind, np.dtype) and kind.kind in "iufb" and kind.itemsize <= 8:
        column = series.to_numpy().astype(kind.newbyteorder("="), copy=False)
        return column.astype(np.float32) if column.dtype == np.float16 else column
    return series.astype(object).to_list()


def _polars_column(series: Any) -> Any:
    if str(series.dtype) in _POLARS_NUMBERS and not series.null_count():
        return series.to_numpy()
    return series.to_list()


def _hold_arrow(connection: duckdb.DuckDBPyConnection, frame: Frame, table: Any) -> None:
    """Return the Arrow table, with columns of types that DuckDB lacks converted."""
    labels = [f"c{place}" for place in range(len(frame.names))]
    table = table.rename_columns(labels)
    if not _is_known(connection, table):
        for place, label in enumerate(labels):
            if not _is_known(connection, table.select([label])):
                cells = _held(frame, place, table.column(label).to_pylist())
                table = table.set_column(place, label, [cells])
    frame.held = table


def _is_known(connection: duckdb.DuckDBPyConnection, table: Any) -> bool:
    try:
        connection.register("probed", table)
        connection.execute("SELECT * FROM probed LIMIT 0").fetchall()
    except duckdb.Error as error:
        raise_of_system(error)
        return False
    connection.unregister("probed")
    return True


def _held(frame: Frame, place: int, column: Any) -> Any:
    """Return a NumPy column as numbers, or as text and None."""
    if isinstance(column, np.ndarray):
        return column
    missing = [_is_missing(cell) for cell in column]
    kinds = {type(cell) for cell, absent in zip(column, missing, strict=True) if not absent}
    if kinds and kinds <= {float, np.float64}:
        cells = [np.nan if absent else cell for cell, absent in zip(column, missing, strict=True)]
        return np.array(cells, dtype=np.float64)
    if kinds and kinds <= {bool, np.bool_}:
        truths = [not absent and bool(cell) for cell, absent in zip(column, missing, strict=True)]
        return np.ma.array(truths, mask=missing)
    texts = np.empty(len(column), dtype=object)
    texts[:] = [None if absent else _text(c) for c, absent in zip(column, missing, strict=True)]
    for row, cell in enumerate(column):
        if type(cell) is not str and not missing[row] and not _is_id(cell):
            shown = str(float(cell)) if isinstance(cell, (float, np.floating)) else repr(cell)
            kind = "Enum" if isinstance(cell, enum.Enum) else type(cell).__name__
            frame.odd[place] = OddCell(row, shown[:80], kind)
            break
    frame.firsts[place] = _firsts(column, missing, kinds)
    try:
        "".join(text for text in texts if text is not None).encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{frame.title}, column {frame.names[place]!r}: text that is not valid Unicode "
            f"({error.reason})."
        ) from None
    return texts


def _firsts(column: Any, missing: list[bool], kinds: set[type]) -> dict[str, OddCell]:
    """Return the first cell of each type of ids that a column has, in order."""
    wanted = {_id_kind(kind) for kind in kinds}
    firsts: dict[str, OddCell] = {}
    for row, cell in enumerate(column):
        if len(firsts) == len(wanted):
            break
        if missing[row] or (isinstance(cell, str) and is_blank(cell)):
            continue
        if (kind := _id_kind(type(cell))) not in firsts:
            firsts[kind] = OddCell(row, repr(cell) if isinstance(cell, str) else str(cell), kind)
    return firsts


def _id_kind(kind: type) -> str:
    numbers = (int, float, np.integer, np.floating, decimal.Decimal)
    return "whole number" if issubclass(kind, numbers) and kind is not bool else "text"


def _text(cell: Any) -> str | None:
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    if isinstance(cell, (float, np.floating, decimal.Decimal)):
        # NumPy writes 17860 for the float16 that is 17856.
        exact = float(cell) if isinstance(cell, (np.float16, np.float32)) else cell
        return str(int(cell)) if _is_id(cell) else str(exact)
    if isinstance(cell, str):
        return plain_text(cell) or None
    if isinstance(cell, int):
        return int.__repr__(cell)
    if isinstance(cell, (dict, list, tuple, np.ndarray)):
        return json.dumps(cell, default=_plain, ensure_ascii=False)
    # Whole numbers, dates and times: their text is what is meant.
    return str(cell) or None


def _plain(cell: Any) -> Any:
    """Return a cell within a list or a dict as one that JSON has."""
    return cell.tolist() if isinstance(cell, (np.ndarray, np.generic)) else str(cell)


def _is_id(cell: Any) -> bool:
    if isinstance(cell, (float, np.floating)):
        certain_below = CERTAIN_BELOW.get(type(cell).__name__, CERTAIN_BELOW["float64"])
        return float(cell).is_integer() and abs(float(cell)) < certain_below
    if isinstance(cell, decimal.Decimal):
        # The number of digits first: 1E+999999 would take a megabyte.
        return cell.is_finite() and cell.adjusted() < _MOST_DIGITS and cell == int(cell)
    if isinstance(cell, (bool, np.bool_)):
        return False
    return isinstance(cell, (str, int, np.integer)) or type(cell).__name__ == "UUID"


def _is_missing(cell: Any) -> bool:
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, (float, np.floating)) and bool(np.isnan(cell))
