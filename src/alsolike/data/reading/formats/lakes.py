"""Loads Delta and Iceberg tables of a local folder into DuckDB, with their own libraries."""

import re
import urllib.parse
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import load_frame
from alsolike.data.reading.frames import columns_of
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError
from alsolike.usage_hints import way_to_install

_SCHEME = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+):(?://)?")
_NUMBER = re.compile(r"v?(\d+)")


def load_lake(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    folder: Path,
    kind: str,
    selection: Selection,
) -> SourceTable:
    """Load the newest version of a Delta or Iceberg table; deleted rows are left out.

    Raises DataError if a file of it is not in a local folder, or the library cannot read it.
    """
    try:
        read = _delta(folder) if kind == "delta" else _iceberg(folder)
    except ImportError as error:
        title = "a Delta" if kind == "delta" else "an Iceberg"
        raise DataError(
            f"{folder}: this is {title} table, which is read with a library that is not "
            f"installed: {way_to_install(f'alsolike[{kind}]')}"
        ) from error
    except DataError:
        raise
    except Exception as error:  # whatever these libraries raise: they share no root
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{folder}: the {kind.capitalize()} table cannot be read ({reason}). Export it as "
            "Parquet with the program that wrote it."
        ) from error
    if not read.num_rows:
        raise DataError(f"{folder}: the {kind.capitalize()} table has no rows.")
    frame = columns_of(connection, read)
    frame.title, frame.library = str(folder), kind.capitalize()
    return load_frame(connection, table, frame, selection)


def _delta(folder: Path) -> Any:
    """Return a Delta table as a PyArrow table."""
    from deltalake import DeltaTable  # noqa: PLC0415 - optional

    found = DeltaTable(str(folder.resolve()))
    for address in found.file_uris():
        _local(address, folder)
    return found.to_pyarrow_table()


def _iceberg(folder: Path) -> Any:
    """Return an Iceberg table as a PyArrow table; files are looked for in `folder` alone.

    The table may have been copied: paths below its recorded place are taken from `folder`.
    """
    from pyiceberg.io.pyarrow import PyArrowFileIO  # noqa: PLC0415 - optional
    from pyiceberg.table import StaticTable  # noqa: PLC0415

    recorded: list[str] = []

    class LocalFiles(PyArrowFileIO):  # type: ignore[misc]  # the library may be missing
        """Opens local files only."""

        def new_input(self, location: str) -> Any:
            """Open a file of the table for reading."""
            for place in recorded:
                if location.startswith(f"{place}/"):
                    location = str(folder.resolve() / location.removeprefix(f"{place}/"))
            return super().new_input(str(_local(location, folder)))

    newest = _newest_metadata(folder / "metadata")
    found = StaticTable.from_metadata(str(newest.resolve()))
    recorded.append(found.metadata.location.rstrip("/"))
    found.io = LocalFiles()
    return found.scan().to_arrow()


def _newest_metadata(folder: Path) -> Path:
    """Return the metadata file that the hint names, or else the one with the highest number."""
    files = sorted(folder.glob("*.metadata.json"), key=lambda path: (_number(path), path.name))
    hint = folder / "version-hint.text"
    if hint.is_file():
        version = hint.read_text("utf-8").strip()
        hinted = [one for one in files if one.name in (f"v{version}.metadata.json", version)]
        if hinted:
            return hinted[0]
    return files[-1]


def _number(path: Path) -> int:
    found = _NUMBER.match(path.name)
    return int(found[1]) if found else -1


def _local(address: str, folder: Path) -> Path:
    """Return the local path of an address; DataError for one in a network."""
    found = _SCHEME.match(address)
    if found is not None and found["scheme"].lower() != "file":
        raise DataError(
            f"{folder}: a file of the table is at {address}, and only local files are read. Export "
            "the table as Parquet, or copy all of it to this folder."
        )
    path = address[found.end() :] if found else address
    return Path(urllib.parse.unquote(path) if found else path)
