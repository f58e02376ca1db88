"""Opens SQLite files: checks them, upgrades old versions, and explains errors."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alsolike.errors import AlsolikeError, WritingError
from alsolike.storage.cleanup import closed_at_end, scratch_folder
from alsolike.system_errors import of_sqlite

_MAGIC = b"SQLite format 3\0"
_PAUSE = 0.005  # seconds between two tries

_File = tuple[int, int]  # device and number of a file
_open_here: Counter[_File | None] = Counter()  # connections of this process, by file
_OPENING = threading.RLock()


@dataclass(frozen=True)
class DatabaseKind:
    """Purpose of a file, its schema, and the error for a wrong file.

    Parameters
    ----------
    name : str
        Such as "a ledger of alsolike".
    application, version : int
        What the file's header says: whose it is, and of which format.
    schema : tuple of str
        The statements that make the tables.
    way_out : str
        What to do with a damaged file, as a sentence.
    error : type of AlsolikeError
        Raised for a file that cannot be used.
    patience : int
        Seconds to wait for other processes that write.
    upgrades : tuple of tuple of str
        Statements that turn a file of version 1 into one of version 2, those from 2 to 3, and on.
    """

    name: str
    application: int
    version: int
    schema: tuple[str, ...]
    way_out: str
    error: type[AlsolikeError]
    patience: int
    upgrades: tuple[tuple[str, ...], ...] = ()


class Database:
    """A connection shared by all threads of a process, one at a time.

    Parameters
    ----------
    path : path or None
        The file, created if missing. None: in memory.
    kind : DatabaseKind
    is_checked : bool
        This process has opened and checked it before.
    only_read : bool
        Write nothing, neither to the file nor next to it. A file of an earlier version is not
        upgraded.

    Raises
    ------
    AlsolikeError
        As `kind` says: the file is another kind of file, is damaged, or is of another version.
    WritingError
        The file cannot be made there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        kind: DatabaseKind,
        *,
        is_checked: bool = False,
        only_read: bool = False,
    ) -> None:
        self.place = f"{kind.name} in memory" if path is None else str(Path(path))
        self._kind, self._only_read = kind, only_read
        self._folder = Path() if path is None else Path(path).absolute().parent
        self._one_at_a_time = threading.RLock()
        self._copy = contextlib.ExitStack()
        self._file: _File | None = None
        with _OPENING:
            if path is not None:
                _look_before(Path(path), kind, make=not only_read)
            with self._explained():
                if only_read and path is not None:
                    self._connection = self._opened_to_read(Path(path))
                else:
                    self._connection = self._opened(":memory:" if path is None else path)
            if path is not None:
                self._file = _file_at(path)
                _open_here[self._file] += 1
        closed_at_end(self)
        try:
            if not is_checked:
                self._look_through()
            self._set_up()
        except BaseException:
            self.close()
            raise

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Return all rows of a query."""
        with self._explained():
            return self._connection.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit all changes of the block to disk, or none."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def close(self) -> None:
        """Close the file, once no other thread uses it."""
        with self._one_at_a_time:
            self._connection.close()
            self._copy.close()
        with _OPENING:
            _open_here[self._file] -= 1
            self._file = None

    def _opened(self, path: str | os.PathLike[str], *, uri: bool = False) -> sqlite3.Connection:
        return sqlite3.connect(
            path,
            timeout=self._kind.patience,
            isolation_level=None,
            check_same_thread=False,
            uri=uri,
        )

    def _opened_to_read(self, path: Path) -> sqlite3.Connection:
        """Open the file without changing it or the files next to it.

        Recent writes are in a log next to the file during a write or after a kill. SQLite needs an
        index to read the log, and makes one if missing: in this case a copy is read.
        """
        log, index = (path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))
        address = path.absolute().as_uri()
        if index.exists():
            connection = self._opened(f"{address}?mode=ro&readonly_shm=1", uri=True)
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
            except sqlite3.OperationalError:  # no process has it open, and the index is useless
                connection.close()
            else:
                return connection
        if not log.exists() or not log.stat().st_size:
            return self._opened(f"{address}?mode=ro&immutable=1", uri=True)
        copy = self._copy.enter_context(scratch_folder()) / path.name
        shutil.copyfile(path, copy)
        with contextlib.suppress(FileNotFoundError):  # its writer has just closed it
            shutil.copyfile(log, copy.with_name(log.name))
        return self._opened(copy)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise errors of SQLite as ours, with the file's name and a way out."""
        kind = self._kind
        try:
            with self._one_at_a_time:
                yield
        except sqlite3.IntegrityError as error:
            raise kind.error(f"{self.place} refuses this entry ({error}).") from error
        except sqlite3.OperationalError as error:
            raise of_sqlite(error, self.place, self._folder) from error
        except sqlite3.DatabaseError as error:
            raise kind.error(
                f"{self.place} is not {kind.name}, or is damaged ({error}). {kind.way_out}"
            ) from error

    def _look_through(self) -> None:
        # The check reads every page, and fails on a file that is no database at all.
        [(found,)] = self.rows("PRAGMA quick_check(1)")
        if found != "ok":
            raise self._kind.error(f"{self.place} is damaged ({found}). {self._kind.way_out}")

    def _set_up(self) -> None:
        """Create the tables in one transaction, if missing."""
        if self._has_tables():
            self._refuse_others()  # before a byte of another program's file has changed
        elif self._only_read:
            raise self._kind.error(f"{self.place} is empty, and not {self._kind.name}.")
        if self._only_read:
            return
        self._write_ahead()
        self.rows("PRAGMA synchronous = FULL")
        self.rows("PRAGMA foreign_keys = ON")
        with self.transaction() as connection:
            if not self._has_tables():
                for statement in self._kind.schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {self._kind.application}")
                connection.execute(f"PRAGMA user_version = {self._kind.version}")
            self._upgrade(connection)

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        """Upgrade a file of an earlier version, step by step."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        while version < self._kind.version:
            for statement in self._kind.upgrades[version - 1]:
                connection.execute(statement)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")

    def _write_ahead(self) -> None:
        """Switch the file to a write-ahead log.

        Here SQLite does not wait for other processes: if two switch a new file at once, one gets
        "locked" and has to retry.
        """
        until = time.monotonic() + self._kind.patience
        with self._explained():
            while True:
                try:
                    self._connection.execute("PRAGMA journal_mode = WAL").fetchall()
                    return
                except sqlite3.OperationalError as error:
                    if _is_final(error) or time.monotonic() > until:
                        raise
                time.sleep(_PAUSE)

    def _has_tables(self) -> bool:
        [(count,)] = self.rows("SELECT count(*) FROM sqlite_master")
        return bool(count)

    def _refuse_others(self) -> None:
        kind = self._kind
        [(application,)] = self.rows("PRAGMA application_id")
        if application != kind.application:
            raise kind.error(
                f"{self.place} is a database, but not {kind.name}. Choose another place."
            )
        [(version,)] = self.rows("PRAGMA user_version")
        if version != kind.version and not 0 < version <= len(kind.upgrades):
            raise kind.error(
                f"{self.place} is of format {version}; this version of alsolike knows format "
                f"{kind.version}. Go on with the version that began it, or choose another place."
            )


@contextlib.contextmanager
def reading(path: Path, scratch: Path) -> Iterator[sqlite3.Connection]:
    """Open a database of another program, without changing it or the files next to it.

    If recent writes are still in a log next to it, a copy in `scratch` is read. Triggers and
    functions that its schema names are not trusted. Raises sqlite3.Error and OSError.
    """
    log = path.with_name(f"{path.name}-wal")
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    if log.exists() and log.stat().st_size:
        copy = Path(tempfile.mkdtemp(dir=scratch)) / "copy.db"
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
        address = copy.as_uri()
    with contextlib.closing(sqlite3.connect(address, uri=True, isolation_level=None)) as found:
        found.execute("PRAGMA trusted_schema = OFF")
        found.execute("PRAGMA query_only = ON")
        yield found


def _file_at(path: str | os.PathLike[str]) -> _File:
    about = Path(path).stat()
    return about.st_dev, about.st_ino


def _is_final(error: sqlite3.OperationalError) -> bool:
    """Return whether a retry would be useless."""
    return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY


def _look_before(path: Path, kind: DatabaseKind, *, make: bool) -> None:
    """Make the folder, and refuse other files: SQLite would overwrite one of a few bytes."""
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise WritingError(f"{path}: a folder is where {kind.name} should be.")
        # Closing a file releases all locks of this process on it, also SQLite's: another process
        # could then remove the log of connections that are open here.
        if path.exists() and not _open_here[_file_at(path)]:
            with path.open("rb") as file:
                start = file.read(len(_MAGIC))
            if start not in (b"", _MAGIC):
                raise kind.error(
                    f"{path} is another kind of file, not {kind.name}. Choose another place."
                )
    except OSError as error:
        if isinstance(error, WritingError):
            raise
        way_out = "Choose another place." if make else "Check who may read it."
        done = "made or read" if make else "read"
        raise WritingError(f"{path}: cannot be {done} ({error.strerror}). {way_out}") from error
