"""Writes a loaded table with some columns replaced, in the format that a file's name asks for."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb

from alsolike.data.reading.source_table import SourceTable, label_of, where
from alsolike.errors import DataError, WritingError
from alsolike.storage.atomic import copy_rows, quoted

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".psv": "|"}
_JSON = (".jsonl", ".ndjson")
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_NESTED = ("STRUCT", "MAP", "UNION")
_BYTES = ("BLOB", "BIT")


@dataclass(frozen=True)
class Target:
    """A file to write: its path, ``"text"``, ``"json"`` or ``"parquet"``, delimiter and packing."""

    path: Path
    kind: str
    delimiter: str = ""
    packing: str = "none"

    @classmethod
    def of(cls, to: str | os.PathLike[str]) -> Self:
        """Return the target that the ending of a name asks for.

        Examples
        --------
        >>> Target.of("likes.psv.gz")
        Target(path=PosixPath('likes.psv.gz'), kind='text', delimiter='|', packing='gzip')
        """
        path = Path(to)
        endings = [ending.lower() for ending in path.suffixes]
        packing = _PACKED.get(endings[-1] if endings else "", "none")
        ending = "".join(endings[-2:-1] if packing != "none" else endings[-1:])
        if ending in _DELIMITERS:
            return cls(path, "text", _DELIMITERS[ending], packing)
        if ending in _JSON:
            return cls(path, "json", "", packing)
        if ending == ".parquet" and packing == "none":
            return cls(path, "parquet")
        raise WritingError(
            f"{path}: a name that ends in {', '.join([*_DELIMITERS, *_JSON])} (each perhaps "
            "followed by .gz or .zst) or .parquet expected, for it says the format."
        )


def write_table_with(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    target: Target,
    replaced: Mapping[int, str],
    source: str,
) -> None:
    """Write all columns of a loaded table in the order of its rows.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Left with one thread, so that the file does not depend on the number of threads.
    loaded : SourceTable
    target : Target
    replaced : mapping of int to str
        The SQL expressions of the columns that are replaced.
    source : str
        What to select from: the table's columns c0, c1, ..., its rowid as ``row``, and what the
        expressions need.

    Raises
    ------
    DataError
        A column or a value cannot be written in the format of the target.
    WritingError
        The file cannot be written.
    """
    # A header that came as text goes out as the row that it is.
    is_row = target.kind == "text" and loaded.dialect is not None
    kept = [place for place in range(len(loaded.types)) if place not in replaced]
    for place in kept:
        _expect_writable(connection, loaded, target, place)
    if not is_row:
        _expect_names(loaded, target)
    picked = []
    for place in range(len(loaded.types)):
        cell = replaced.get(place, f"c{place}")
        if place in replaced and is_row:
            cell = f"CASE WHEN row < {loaded.skip} THEN c{place} ELSE {cell} END"
        picked.append(cell if is_row else f"{cell} AS {quoted(loaded.names[place])}")
    first = 0 if is_row else loaded.skip
    rows = f"SELECT {', '.join(picked)} FROM ({source}) WHERE row >= {first} ORDER BY row"  # noqa: S608 - own names and quoted ones
    options = {
        "text": f"FORMAT csv, HEADER {not is_row}, DELIMITER '{target.delimiter}', "
        f"COMPRESSION {target.packing}",
        "json": f"FORMAT json, COMPRESSION {target.packing}",
        "parquet": "FORMAT parquet, COMPRESSION zstd",
    }
    connection.execute("SET threads = 1")
    copy_rows(connection, rows, target.path, options[target.kind])


def _expect_names(loaded: SourceTable, target: Target) -> None:
    """Raise DataError if columns have no names, or two of them one name."""
    seen: dict[str, int] = {}
    for place, name in enumerate(loaded.names):
        if not name:
            raise DataError(
                f"{loaded.name}: column {place + 1} has no name, which {target.path} needs. Write "
                ".csv, or give the table a header."
            )
        other = seen.setdefault(name.casefold(), place)
        if other != place:
            raise DataError(
                f"{loaded.name}: columns {other + 1} and {place + 1} are named "
                f"{loaded.names[other]!r} and {name!r}, which are one name in {target.path}. "
                "Rename one of them."
            )


def _expect_writable(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, target: Target, place: int
) -> None:
    """Raise DataError if a column would not come back as it is from the target."""
    kind, label = loaded.types[place], label_of(loaded, place)
    is_nested = kind.startswith(_NESTED) or kind.endswith("]")
    if (is_nested and target.kind == "text") or (
        kind.startswith(_BYTES) and target.kind != "parquet"
    ):
        raise DataError(
            f"{loaded.name}, column {label}: values of type {kind} cannot be written as "
            f"{target.path.suffix[1:]}. Write .parquet, or leave the column out."
        )
    if target.kind == "json" and kind in ("FLOAT", "DOUBLE"):
        odd = connection.execute(
            f"SELECT rowid, c{place} FROM {loaded.table} WHERE NOT isfinite(c{place}) "  # noqa: S608 - own names
            "ORDER BY rowid LIMIT 1"
        ).fetchone()
        if odd is not None:
            raise DataError(
                f"{where(loaded, odd[0])}, column {label}: {odd[1]} is no number of JSON. Write "
                ".parquet or .csv."
            )
