"""Stores the measurements of finalists in a small SQLite file, so that a killed run resumes."""

import io
import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alsolike.errors import LedgerError
from alsolike.storage.sqlite import Database, DatabaseKind
from alsolike.tuning.storage.canonical import to_json

Arrays = Mapping[str, npt.NDArray[Any]]

FILE = "finalists.sqlite"

_STORE = DatabaseKind(
    name="a file of measurements of alsolike",
    application=0x616C7366,
    version=1,
    schema=("CREATE TABLE measurements (key TEXT PRIMARY KEY, arrays BLOB NOT NULL)",),
    way_out="Delete it to measure the similar items again.",
    error=LedgerError,
    patience=60,
)


class MeasurementStore:
    """Named arrays by their keys; each method is one transaction, safe against a kill.

    Parameters
    ----------
    path : path or None
        The file; created if missing. None: in memory.

    Raises
    ------
    LedgerError
        The file is not such a store, is damaged, or comes from another version.

    Examples
    --------
    >>> with MeasurementStore(None) as store:
    ...     store.put({"fold": 0}, {"values": np.arange(3)})
    ...     store.get({"fold": 0})["values"].tolist(), store.get({"fold": 1})
    ([0, 1, 2], None)
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._file = Database(path, _STORE)

    def get(self, key: Mapping[str, Any]) -> Arrays | None:
        """Return the arrays of a key; None if there are none."""
        found = self._file.rows("SELECT arrays FROM measurements WHERE key = ?", to_json(dict(key)))
        if not found:
            return None
        with np.load(io.BytesIO(found[0][0]), allow_pickle=False) as arrays:
            return dict(arrays)

    def put(self, key: Mapping[str, Any], arrays: Arrays) -> None:
        """Store arrays under a key, in place of those stored before."""
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **arrays)
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO measurements VALUES (?, ?)",
                (to_json(dict(key)), content.getvalue()),
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
