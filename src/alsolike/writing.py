"""Every file that alsolike writes: under a temporary name, flushed to disk, then renamed.

A reader of the final name sees the old content or the new, never a half; a kill leaves at most
a ``.part`` file or folder beside it, which the next write of the same name sweeps away.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from alsolike.errors import WritingError
from alsolike.tables import Column, Table

_PART = ".part"

_SQL_TYPES = {"b": "BOOLEAN", "i": "BIGINT", "u": "BIGINT", "f": "DOUBLE", "O": "VARCHAR"}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; rename it to `path` when the block ends well.

    Parameters
    ----------
    path : path
        The file or folder to make. Its parent folders are created. A folder takes the place of a
        folder of that name, which goes whole; a file never does.

    Yields
    ------
    Path
        Where to write. The block may create a file or a folder there.

    Raises
    ------
    WritingError
        The place cannot be written, or the block wrote nothing.
    """
    target = Path(path)
    if not target.name:
        raise WritingError(f"{target}: the name of a file or folder to make expected.")
    part = target.with_name(f".{target.name}{_PART}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
    except OSError as error:
        raise WritingError(f"{target}: cannot be written ({error.strerror}).") from error
    try:
        yield part
        if not part.exists():
            raise WritingError(f"{target}: nothing was written.")
        if target.is_dir() and not part.is_dir():
            raise WritingError(
                f"{target}: the name of a file expected, a folder found. Give a name in it."
            )
        _flush(part)
        _swap(part, target)
    except OSError as error:
        _remove(part)
        if isinstance(error, WritingError):
            raise
        raise WritingError(f"{target}: cannot be written ({error.strerror or error}).") from error
    except BaseException:
        _remove(part)
        raise


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path`, all of it or none."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` to `path` as UTF-8 with its line ends as they are, all of it or none."""
    write_bytes(path, content.encode("utf-8"))


def write_table(path: str | os.PathLike[str], table: Table) -> None:
    """Write `table` as CSV or Parquet, as the ending of `path` says; equal tables, equal bytes.

    Numbers are written so that reading gives them back exactly; a gap is an empty field, or null.
    """
    ending = Path(path).suffix
    options = {".csv": "FORMAT csv, HEADER true", ".parquet": "FORMAT parquet, COMPRESSION zstd"}
    if ending not in options:
        raise WritingError(f"{path}: a table is written as .csv or .parquet, not as {ending!r}.")
    import duckdb  # noqa: PLC0415 - half of the time that importing alsolike may take

    columns = table.to_dict()
    picked = ", ".join(
        f"CAST({_identifier(name)} AS {_sql_type(column)}) AS {_identifier(name)}"
        for name, column in columns.items()
    )
    with replacing(path) as part, duckdb.connect(config={"threads": 1}) as connection:
        connection.register("columns", columns)
        place = str(part).replace("'", "''")
        statement = f"COPY (SELECT {picked} FROM columns) TO '{place}' ({options[ending]})"  # noqa: S608 - COPY takes no parameters; names and place are quoted
        try:
            connection.execute(statement)
        except duckdb.Error as error:
            raise WritingError(f"{path}: cannot be written ({error}).") from error


def _sql_type(column: Column) -> str:
    if column.dtype == np.float32:
        return "FLOAT"
    if column.dtype.kind == "O" and len(column):
        kinds = {type(cell) for cell in column} - {type(None)}
        if kinds == {int} or kinds == {bool}:
            return "BIGINT" if kinds == {int} else "BOOLEAN"
        if str not in kinds:  # numbers with gaps, or gaps alone
            return "DOUBLE"
    return _SQL_TYPES[column.dtype.kind]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _swap(part: Path, target: Path) -> None:
    """Rename `part` to `target`. A folder cannot be renamed over a full one: step aside first."""
    old = target.with_name(f".{target.name}.old")
    _remove(old)
    if target.is_dir() and not target.is_symlink():
        target.rename(old)
    part.replace(target)
    _remove(old)
    _sync(target.parent)


def _flush(part: Path) -> None:
    """Ask the disk to hold what was written before the name points at it."""
    if part.is_dir():
        for file in sorted(part.rglob("*")):
            _sync(file)
    _sync(part)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
