"""One SQLite file, opened with care: whole or not at all, and every error with a way out."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from alsolike.errors import LedgerError, WritingError

_APPLICATION = 0x616C736F
_MAGIC = b"SQLite format 3\0"


class Database:
    """A connection whose transactions are those of `transaction` and no others.

    Parameters
    ----------
    path : path or None
        The file, made where it is not there yet. None: in memory.
    schema : sequence of str
        The statements that make the tables.
    version : int
        Of the schema.

    Raises
    ------
    LedgerError
        The file is another kind of file, is damaged, or is of another version.
    WritingError
        The file cannot be made there.
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, schema: Sequence[str], version: int
    ) -> None:
        self.place = "the ledger in memory" if path is None else str(Path(path))
        # Of the threads of a search one at a time comes here; other processes SQLite holds off.
        self._one_at_a_time = threading.RLock()
        if path is not None:
            _make_room(Path(path))
        with self.explained():
            self.connection = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=60,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            self._open(schema, version)
        except BaseException:
            self.connection.close()
            raise

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all that is done within, or nothing."""
        with self.explained():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
            except BaseException:
                self.connection.rollback()
                raise
            self.connection.commit()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, with the file's name and a way out."""
        try:
            with self._one_at_a_time:
                yield
        except sqlite3.IntegrityError as error:
            raise LedgerError(f"{self.place} refuses this entry ({error}).") from error
        except sqlite3.OperationalError as error:
            raise WritingError(
                f"{self.place} cannot be used ({error}). Is there room, may it be written, and is "
                "no other process holding it?"
            ) from error
        except sqlite3.DatabaseError as error:
            raise LedgerError(
                f"{self.place} is not a ledger, or is damaged ({error}). Choose another place, or "
                "delete it to start anew."
            ) from error

    def _open(self, schema: Sequence[str], known: int) -> None:
        """Check the file, or make it; a kill leaves the whole schema or none of it."""
        with self.explained():
            run = self.connection.execute
            # The check reads every page, and fails on a file that is no database at all.
            found = run("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise LedgerError(
                    f"{self.place} is damaged ({found}). Delete it to start the search anew."
                )
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = FULL")
            run("PRAGMA foreign_keys = ON")
        with self.transaction() as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {known}")
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise LedgerError(
                f"{self.place} is a database, but not a ledger of alsolike. Choose another place."
            )
        if version != known:
            raise LedgerError(
                f"{self.place} is a ledger of format {version}; this version of alsolike knows "
                f"format {known}. Go on with the version that began it, or delete the file."
            )


def _make_room(path: Path) -> None:
    """Make the folder, and look before SQLite does: it would write over a file of a few bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise WritingError(f"{path}: a folder stands where the ledger's file should be.")
        if path.exists():
            with path.open("rb") as file:
                start = file.read(len(_MAGIC))
            if start not in (b"", _MAGIC):
                raise LedgerError(
                    f"{path} is another kind of file, not a ledger. Choose another place."
                )
    except OSError as error:
        if isinstance(error, WritingError):
            raise
        raise WritingError(f"{path}: cannot be made or read ({error.strerror}).") from error
