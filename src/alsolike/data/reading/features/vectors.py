"""Reads vectors of items or users: NumPy files with ids, or tables with a column of lists."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from alsolike.data.features.columns import Column
from alsolike.data.reading.features.asked import AskedColumn, AskedTable
from alsolike.data.reading.features.guess import guessed
from alsolike.data.reading.features.tables import Found, load_table, of_loaded
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref
from alsolike.data.vocabulary import Vocabulary, check_ids, refuse_blank_ids
from alsolike.errors import DataError, SettingError

_NUMPY = (".npy", ".npz")
_WAY = (
    "Give vectors.npy:ids.txt, a text with an id in each line; or an .npz file with the arrays ids "
    "and vectors; or a Parquet file with a column of ids and one of lists"
)


@dataclass(frozen=True)
class AskedVectors:
    """A file of vectors: a NumPy file, perhaps with a file of ids, or a table."""

    table: AskedTable
    ids: str = ""

    @classmethod
    def of(cls, option: str, given: Any) -> "AskedVectors":
        """Parse ``"vectors.npz"``, ``"vectors.npy:ids.txt"`` or ``"table.parquet:item,vector"``."""
        if isinstance(given, (str, os.PathLike)):
            path, colon, ids = os.fspath(given).rpartition(":")
            if colon and path.endswith(_NUMPY) and "," not in ids:
                if not ids:
                    raise SettingError(f"{option}: {_WAY}; not {os.fspath(given)!r}.")
                return cls(AskedTable(path), ids)
        return cls(AskedTable.of(option, given, 2))

    @property
    def files(self) -> list[Any]:
        """The files to read."""
        return [self.table.source, *([self.ids] if self.ids else [])]


def read_vectors(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    asked: AskedVectors,
    likely: Sequence[Ref],
    side: str,
) -> Found:
    """Read vectors with their ids.

    Raises
    ------
    DataError
        There are no ids, or not as many as vectors, or a vector is not of finite numbers.
    """
    source = asked.table.source
    if isinstance(source, tuple) and len(source) == 2:
        return of_arrays("vectors", *source, side=side)
    if isinstance(source, (str, os.PathLike)) and os.fspath(source).endswith(_NUMPY):
        name = Path(source).name.partition(".")[0]
        return of_arrays(name, *_numpy(Path(source), asked.ids), side=side, file=os.fspath(source))
    refs = asked.table.columns
    loaded = load_table(connection, scratch, "vector_table", source, refs[:1])
    item, vector = refs or _columns(connection, loaded, likely, side)
    found = of_loaded(connection, loaded, item, [AskedColumn(vector, "vector")], side)
    connection.execute("DROP TABLE vector_table")
    return found


def of_arrays(name: str, ids: Any, vectors: Any, *, side: str, file: str = "") -> Found:
    """Return vectors, (n, n_components), with an id for each."""
    title = file or name
    matrix = np.asarray(vectors)
    if matrix.ndim != 2 or matrix.dtype.kind not in "biuf" or not matrix.size:
        raise DataError(
            f"{title}: an array of numbers with a row for each {side} expected, found one of shape "
            f"{matrix.shape} and type {matrix.dtype}."
        )
    given = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if len(given) != len(matrix):
        raise DataError(f"{title}: {len(given):,} ids for {len(matrix):,} vectors.")
    texts, are_whole = check_ids(given, side)
    refuse_blank_ids(texts, side)
    with np.errstate(over="ignore"):
        matrix = matrix.astype(np.float32)
    if len(odd := np.flatnonzero(~np.isfinite(matrix).all(axis=1))):
        raise DataError(
            f"{title}, {side} {given[int(odd[0])]!r}: a vector of finite numbers expected. "
            f"{len(odd):,} of {len(matrix):,} are not."
        )
    known = Vocabulary.of(given if are_whole else texts, kind=side)
    places = known.places_of(texts)
    if len(known) < len(given):
        again = next(one for one, n in zip(*np.unique(places, return_counts=True), strict=True)
                     if n > 1)  # fmt: skip
        raise DataError(f"{title}: {side} {known.id_of(int(again))!r} has several vectors.")
    order = np.argsort(places, kind="stable")
    column = Column(name, "vector", np.arange(len(known)), matrix[order])
    return Found(title, known, [column])


def _numpy(path: Path, ids: str) -> tuple[Any, Any]:
    """Return ids and vectors of a NumPy file; objects, which may run code, are never loaded."""
    found = _loaded(path)
    if isinstance(found, np.ndarray):
        if not ids:
            raise DataError(f"{path}: whose vectors are these? {_WAY}.")
        return _ids(Path(ids)), found
    own = found.pop("ids", None)
    if len(found) != 1 or (own is None) is (not ids):
        listed = ", ".join([*found, *(["ids"] if own is not None else [])])
        raise DataError(
            f"{path}: an array ids and one of vectors expected, found {listed or 'none'}."
        )
    return (_ids(Path(ids)) if own is None else own), next(iter(found.values()))


def _ids(path: Path) -> Any:
    if path.suffix == ".npy":
        found = _loaded(path)
        if not isinstance(found, np.ndarray) or found.ndim != 1:
            raise DataError(f"{path}: a column of ids expected.")
        return found
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: ids expected, one in each line of a text: {error}.") from error


def _loaded(path: Path) -> npt.NDArray[Any] | dict[str, Any]:
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        if "allow_pickle" in reason:
            reason = "it holds Python objects, which are never loaded, since they may run code"
        raise DataError(
            f"{path}: it cannot be read as an array of NumPy: {reason}. Save plain numbers, and "
            "ids as text or whole numbers."
        ) from error


def _columns(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    likely: Sequence[Ref],
    side: str,
) -> tuple[Ref, Ref]:
    """Return the columns of ids and of vectors: the only one of lists of numbers."""
    lists = []
    for place, kind in enumerate(loaded.types):
        cells = []
        if kind.endswith("]"):
            lists.append(place)
        elif kind == "VARCHAR":
            cells = connection.execute(
                f"SELECT c{place} FROM {loaded.table} WHERE rowid >= {loaded.skip} AND "  # noqa: S608 - own names
                f"c{place} IS NOT NULL ORDER BY rowid LIMIT 100"
            ).fetchall()
            if cells and guessed([text for (text,) in cells]).kind == "vector":
                lists.append(place)
    wanted = [str(one).casefold() for one in (*likely, side, f"{side}_id", "id")]
    names = [name.casefold() for name in loaded.names]
    keys = [names.index(one) for one in wanted if one in names]
    keys += [place for place in range(len(names)) if place not in lists]
    if len(lists) != 1 or not keys:
        raise DataError(
            f"{loaded.name}: a column of ids and one of lists of numbers expected, found "
            f"{len(lists)} such columns. Name them: FILE:{side.upper()},VECTOR."
        )
    return keys[0] + 1, lists[0] + 1
