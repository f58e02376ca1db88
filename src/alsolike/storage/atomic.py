"""Writes files atomically: to a temporary name, flushed to disk, then renamed.

Readers see the old content or the new. A kill leaves at most a ``.part`` file or folder next to it,
which the next write of the same name removes. Each write has a temporary name of its own; of
several writers the last one wins.
"""

import contextlib
import errno
import fcntl
import itertools
import os
import re
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from alsolike.errors import WritingError
from alsolike.storage.cleanup import undone_at_end
from alsolike.system_errors import explained, is_interrupt, raise_of_system, way_out_of
from alsolike.tables import Column, Table

_CALLS = itertools.count()
_NOTHING: Mapping[str, Column] = MappingProxyType({})

_SQL_TYPES = {"b": "BOOLEAN", "i": "BIGINT", "u": "BIGINT", "f": "DOUBLE", "O": "VARCHAR"}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it to `path` at the end of the block.

    Parameters
    ----------
    path : path
        The file or folder to make. Its parent folders are created. A folder takes the place of a
        folder of that name, which goes whole; a file never does. A link stays, and what it points
        at is replaced.

    Yields
    ------
    Path
        Where to write. The block may create a file or a folder there.

    Raises
    ------
    WritingError
        The place cannot be written or is a device, or the block wrote nothing.
    """
    target = _real_target(Path(path))
    own = f".{target.name}.{os.getpid()}-{next(_CALLS)}"
    part, old = target.with_name(f"{own}.part"), target.with_name(f"{own}.old")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        _remove(part)
    except OSError as error:
        raise not_written(target, error) from error
    with undone_at_end(lambda: _undo(target, part, old)):
        yield from _replaced(target, part, old)


def _replaced(target: Path, part: Path, old: Path) -> Iterator[Path]:
    try:
        yield part
        if not part.exists():
            raise WritingError(f"{target}: nothing was written.")
        if target.is_dir() and not part.is_dir():
            raise WritingError(
                f"{target}: the name of a file expected, a folder found. Give a name in it."
            )
        _flush(part)
        _swap(part, target, old)
    except OSError as error:
        _undo(target, part, old)
        if isinstance(error, WritingError):
            raise
        raise not_written(target, error) from error
    except BaseException:
        _undo(target, part, old)
        raise


@contextlib.contextmanager
def alone_in(folder: str | os.PathLike[str], *, patience: float = 0.0) -> Iterator[None]:
    """Lock `folder` for this block; a kill releases it, too.

    Parameters
    ----------
    folder : path
        It is made if missing.
    patience : float
        Seconds to wait for another process, or thread, that keeps it.

    Raises
    ------
    WritingError
        Another one keeps it, or it cannot be made.
    """
    place = Path(folder)
    is_new = not place.exists()
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle = os.open(place, os.O_RDONLY)
    except OSError as error:
        raise WritingError(f"{place}: cannot be written ({error.strerror}).") from error

    def leave() -> None:
        if is_new:
            with contextlib.suppress(OSError):  # there is something in it, which stays
                place.rmdir()

    with undone_at_end(leave):
        try:
            _lock(handle, place, patience)
            yield
        finally:
            leave()
            os.close(handle)


def refuse_overlap(
    reads: Iterable[str | os.PathLike[str]], writes: Iterable[str | os.PathLike[str]]
) -> None:
    """Raise WritingError if an output equals, contains or lies in an input or another output."""
    sources, outputs = list(reads), list(writes)
    for number, output in enumerate(outputs):
        for source in sources:
            if _overlap(output, source):
                raise WritingError(
                    f"{output}: this command reads {source} and would write over it. Choose "
                    "another name for the output."
                )
        for other in outputs[:number]:
            if _overlap(output, other):
                raise WritingError(
                    f"{output}: two outputs of this command cannot have one place, the other is "
                    f"{other}. Choose another name for one."
                )


def create_private(path: str | os.PathLike[str], content: bytes) -> None:
    """Create a file that only its owner may read; WritingError if there is one of that name."""
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WritingError(
            f"{target}: exists already, and is not written over. Choose another name."
        ) from None
    except OSError as error:
        raise not_written(target, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        _sync(target)
        _sync(target.parent)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise not_written(target, error) from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write `content` to `path` as UTF-8 atomically, with its line ends."""
    write_bytes(path, content.encode("utf-8"))


def write_table(
    path: str | os.PathLike[str], table: Table, *, vectors: Mapping[str, Column] = _NOTHING
) -> None:
    """Write `table` as CSV or Parquet, by the ending of `path`; equal tables give equal bytes.

    Numbers are read back exactly; a gap is an empty field, or null.

    Parameters
    ----------
    path : path
    table : Table
    vectors : mapping of str to float32, (n_rows, n)
        Further columns, which hold a list of n numbers in each row.
    """
    ending = Path(path).suffix
    options = {".csv": "FORMAT csv, HEADER true", ".parquet": "FORMAT parquet, COMPRESSION zstd"}
    if ending not in options:
        raise WritingError(f"{path}: a table is written as .csv or .parquet, not as {ending!r}.")
    import duckdb  # noqa: PLC0415 - half of the time that importing alsolike may take

    columns = table.to_dict()
    picked = [
        f"CAST({quoted(name)} AS {_sql_type(column)}) AS {quoted(name)}"
        for name, column in columns.items()
    ]
    for name, block in vectors.items():
        # Views of a block's columns: nothing is copied.
        cells = {f"{name} {place}": block[:, place] for place in range(block.shape[1])}
        picked.append(f"array_value({', '.join(map(quoted, cells))}) AS {quoted(name)}")
        columns |= cells
    rows = f"SELECT {', '.join(picked)} FROM columns"  # noqa: S608 - the names are quoted
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("columns", columns)
        copy_rows(connection, rows, path, options[ending])


def copy_rows(connection: Any, rows: str, path: str | os.PathLike[str], options: str) -> None:
    """Write the rows of a DuckDB query to a file; WritingError if it cannot be written.

    Parameters
    ----------
    connection : DuckDBPyConnection
    rows : str
        The query.
    path : path
    options : str
        Those of ``COPY``: format, compression.
    """
    import duckdb  # noqa: PLC0415 - as above

    with replacing(path) as part:
        place = str(part).replace("'", "''")  # COPY takes no parameters
        try:
            connection.execute(f"COPY ({rows}) TO '{place}' ({options})")
        except duckdb.Error as error:
            raise_of_system(error, part.parent)
            said = str(error).partition("\n")[0].rstrip(".")
            raise WritingError(f"{path}: cannot be written ({said}).") from error
        except RuntimeError as error:
            if is_interrupt(error):
                raise KeyboardInterrupt from error
            raise


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove a folder with all that is in it, at once for all readers; nothing if there is none."""
    target = _real_target(Path(path))
    if not target.is_dir():
        return
    _sweep(target)
    old = target.with_name(f".{target.name}.{os.getpid()}-{next(_CALLS)}.old")
    try:
        target.rename(old)
        _remove(old)
    except OSError as error:
        raise not_written(target, error) from error


def not_written(target: Path, error: OSError) -> WritingError:
    """Return the error to raise if the system refuses to write `target`."""
    said = explained(error, target.parent, is_undone=True)
    hint = way_out_of(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "Make room there, or name another place."
    return WritingError(f"{target}: cannot be written ({said}). {hint}".rstrip())


def _sql_type(column: Column) -> str:
    if column.dtype == np.float32:
        return "FLOAT"
    if column.dtype.kind == "O" and len(column):
        kinds = {type(cell) for cell in column} - {type(None)}
        if kinds in ({int}, {bool}):
            return "BIGINT" if kinds == {int} else "BOOLEAN"
        if str not in kinds:  # numbers with gaps, or gaps alone
            return "DOUBLE"
    return _SQL_TYPES[column.dtype.kind]


def quoted(name: str) -> str:
    """Return the name of a column as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _real_target(target: Path) -> Path:
    """Return the target at the end of all links; refuse devices and pipes."""
    if not target.name:
        raise WritingError(f"{target}: the name of a file or folder to make expected.")
    try:
        kind = target.stat().st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    except OSError as error:
        raise WritingError(f"{target}: cannot be written ({error.strerror}).") from error
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise WritingError(
            f"{target}: a file or folder to replace expected, a device, pipe or socket found. "
            "Write to a file, and pass that on."
        )
    return Path(os.path.realpath(target)) if target.is_symlink() else target


def _lock(handle: int, place: Path, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise WritingError(
                    f"{place}: another alsolike is running in this folder. Wait until it is done, "
                    "then give the command again."
                ) from None
            time.sleep(0.05)
        except OSError:
            # Some network file systems lock no folders: the ledger finds out there, and later.
            return
        else:
            return


def _overlap(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    first, second = (Path(os.path.realpath(path)) for path in (one, other))
    if first.is_relative_to(second) or second.is_relative_to(first):
        return True
    try:
        return first.samefile(second)  # a second name of one file
    except OSError:  # one of them is still to be made
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _undo(target: Path, part: Path, old: Path) -> None:
    """Restore the old content and remove the new."""
    if old.exists() and not target.exists():
        old.rename(target)
    _remove(part)


def _sweep(target: Path) -> None:
    """Remove files left next to `target` by writers that were killed."""
    left = re.compile(rf"\.{re.escape(target.name)}\.(\d+)-\d+\.(part|old)")
    for entry in target.parent.iterdir():
        found = left.fullmatch(entry.name)
        if found and not _lives(int(found[1])):
            with contextlib.suppress(FileNotFoundError):  # another writer sweeps it, too
                _remove(entry)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _swap(part: Path, target: Path, old: Path) -> None:
    """Rename `part` to `target`; a full folder is renamed away first."""
    while True:
        if target.is_dir():
            with contextlib.suppress(FileNotFoundError):  # another writer has just set it aside
                target.rename(old)
        try:
            part.replace(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            _remove(old)  # another writer was faster: replace its folder in turn
            continue
        break
    _remove(old)
    _sync(target.parent)


def _flush(part: Path) -> None:
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
