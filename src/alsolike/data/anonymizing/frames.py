"""Takes columns out of frames of pandas, Polars and PyArrow, and puts others in their place."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from alsolike.data.non_tabular import is_of, refusal
from alsolike.data.reading.frames import collected as collected_lazily
from alsolike.errors import DataError

Texts = Sequence[str | None]


def collected(source: Any) -> Any:
    """Return a frame or an Arrow table with all rows; DataError for anything else."""
    if is_of(source, "polars", "LazyFrame"):
        return collected_lazily(source)
    if is_of(source, "pyarrow", "RecordBatchReader"):
        return source.read_all()
    if is_of(source, "pyarrow", "RecordBatch"):
        return importlib.import_module("pyarrow").Table.from_batches([source])
    if is_of(source, "pandas", "DataFrame") or is_of(source, "polars", "DataFrame"):
        return source
    if is_of(source, "pyarrow", "Table"):
        return source
    raise DataError(refusal(source))


def names_of(frame: Any) -> list[str]:
    """Return the names of the columns."""
    is_arrow = is_of(frame, "pyarrow", "Table")
    return [str(name) for name in (frame.schema.names if is_arrow else frame.columns)]


def only(frame: Any, places: Sequence[int]) -> Any:
    """Return a frame of some columns, by their places."""
    if is_of(frame, "pandas", "DataFrame"):
        return frame.iloc[:, list(places)]
    if is_of(frame, "pyarrow", "Table"):
        return frame.select(list(places))
    return frame.select([frame.columns[place] for place in places])


def with_texts(frame: Any, columns: Mapping[int, Texts]) -> Any:
    """Return a frame like `frame` with texts in place of some columns, by their places."""
    if is_of(frame, "pandas", "DataFrame"):
        pandas, changed = importlib.import_module("pandas"), frame.copy()
        for place, texts in columns.items():
            changed.isetitem(place, pandas.array(texts, dtype="string"))
        return changed
    if is_of(frame, "pyarrow", "Table"):
        arrow = importlib.import_module("pyarrow")
        for place, texts in columns.items():
            cells = arrow.array(texts, arrow.string())
            frame = frame.set_column(place, frame.schema.names[place], cells)
        return frame
    polars = importlib.import_module("polars")
    return frame.with_columns(
        polars.Series(frame.columns[place], texts, dtype=polars.String)
        for place, texts in columns.items()
    )
