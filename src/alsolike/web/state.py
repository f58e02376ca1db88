"""`State`: likes, votes and what is served, in one SQLite file that all workers share.

What `add_likes` and `add_vote` were told is on disk when they return: it is there after ``kill -9``
and after a power cut. Readers never wait for writers, nor for the disk.
"""

import contextlib
import itertools
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import SettingError, WritingError

FILE = "state.sqlite"
MOST_LIKES = 10_000

_APPLICATION = 0x616C7376
_VERSION = 1
_SECONDS = 10
_Run = Callable[..., sqlite3.Cursor]

_MAGIC = b"SQLite format 3\0"

_SCHEMA = (
    """CREATE TABLE likes (
        number INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        item TEXT NOT NULL,
        value REAL NOT NULL,
        UNIQUE (user, item)
    )""",
    """CREATE TABLE votes (
        number INTEGER PRIMARY KEY,
        pair TEXT NOT NULL,
        choice TEXT NOT NULL,
        item TEXT NOT NULL,
        voter TEXT NOT NULL,
        first TEXT NOT NULL,
        second TEXT NOT NULL,
        UNIQUE (pair, item, voter, first, second)
    )""",
    """CREATE TABLE slots (
        name TEXT PRIMARY KEY,
        place INTEGER,
        version TEXT NOT NULL,
        before TEXT,
        looked_at TEXT,
        number INTEGER NOT NULL
    )""",
    "CREATE TABLE counter (number INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (0)",
)


@dataclass(frozen=True)
class Served:
    """What one slot serves.

    Parameters
    ----------
    name : str
        Of the slot.
    version : str
        Of the model.
    number : int
        Grows with each change of what is served; that of the last one of this slot.
    """

    name: str
    version: str
    number: int


@dataclass(frozen=True)
class Vote:
    """One answer to "which of these two lists is better?".

    Parameters
    ----------
    pair : str
        Which two models were compared.
    choice : str
        What was chosen.
    item : str
        Whose lists were shown.
    voter : str
        Who voted.
    versions : tuple of str
        Of both models, when they were shown.
    """

    pair: str
    choice: str
    item: str
    voter: str
    versions: tuple[str, str]


class State:
    """The file of one service, for one process; any of its threads may ask.

    Parameters
    ----------
    path : path
        The file, made where it is not there yet, or the folder for ``state.sqlite``.

    Raises
    ------
    WritingError
        It cannot be made or used there, is another kind of file, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, State(folder) as state:
    ...     state.add_likes("ann", {"m1": 1.0, "m2": 3.0})
    ...     state.add_likes("ann", {"m1": 2.0})
    ...     state.likes_of("ann"), state.likes_of("bob")
    ({'m1': 2.0, 'm2': 3.0}, {})
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path)
        self.path = given if given.suffix == ".sqlite" else given / FILE
        _make_room(self.path)
        # Two connections: whoever reads does not stand behind a write that waits for the disk.
        self._writer, self._reader = _Connection(self.path), _Connection(self.path)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def likes_of(self, user: str) -> dict[str, float]:
        """Return the live likes of `user`, item to value, in the order of their first mention."""
        with self._reader.used() as run:
            found = run("SELECT item, value FROM likes WHERE user = ? ORDER BY number", (user,))
            return dict(found.fetchall())

    def add_likes(self, user: str, likes: Mapping[str, float]) -> None:
        """Keep the likes of `user`, on disk when this returns; the last value of an item counts.

        Raises
        ------
        SettingError
            The user would have more than 10,000 live likes. Nothing is kept then.
        WritingError
            The disk is full, or the file cannot be written. Nothing is kept then.
        """
        rows = [(user, item, float(value)) for item, value in likes.items()]
        with self._writer.transaction() as run:
            for row in rows:
                run(
                    "INSERT INTO likes (user, item, value) VALUES (?, ?, ?) "
                    "ON CONFLICT (user, item) DO UPDATE SET value = excluded.value",
                    row,
                )
            (count,) = run("SELECT count(*) FROM likes WHERE user = ?", (user,)).fetchone()
            if count > MOST_LIKES:
                raise SettingError(
                    f"A user can have {MOST_LIKES:,} live likes; with these {user!r} would have "
                    f"{count:,}. Train a model on them."
                )

    def add_vote(
        self, pair: str, choice: str, item: str, voter: str, versions: tuple[str, str]
    ) -> bool:
        """Keep a vote, on disk when this returns; False where this voter has voted on these."""
        with self._writer.transaction() as run:
            done = run(
                "INSERT OR IGNORE INTO votes (pair, choice, item, voter, first, second) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (pair, choice, item, voter, *versions),
            )
            return done.rowcount == 1

    def votes(self, pair: str) -> list[Vote]:
        """Return the votes on a pair of models, in the order in which they were cast."""
        with self._reader.used() as run:
            found = run(
                "SELECT pair, choice, item, voter, first, second FROM votes WHERE pair = ? "
                "ORDER BY number",
                (pair,),
            ).fetchall()
        return [
            Vote(filed, choice, about, voter, (first, second))
            for filed, choice, about, voter, first, second in found
        ]

    def counts(self) -> dict[str, int]:
        """Return how many live likes and votes there are."""
        with self._reader.used() as run:
            return {
                "likes": run("SELECT count(*) FROM likes").fetchone()[0],
                "votes": run("SELECT count(*) FROM votes").fetchone()[0],
            }

    def number(self) -> int:
        """Return a number that grows whenever what is served changes; it takes microseconds."""
        with self._reader.used() as run:
            number: int = run("SELECT number FROM counter").fetchone()[0]
            return number

    def served(self) -> tuple[Served, ...]:
        """Return what each slot of the service serves, in the slots' order."""
        with self._reader.used() as run:
            found = run(
                "SELECT name, version, number FROM slots WHERE place IS NOT NULL "
                "ORDER BY place, name"
            ).fetchall()
        return tuple(itertools.starmap(Served, found))

    def serve(self, name: str, version: str, *, looked_at: str | None = None) -> int:
        """Let slot `name` serve `version` from now on; return the number of this change.

        Parameters
        ----------
        name, version : str
        looked_at : str or None
            The version that the slot's own folder holds, where that was looked at.
        """
        with self._writer.transaction() as run:
            number: int = run("UPDATE counter SET number = number + 1 RETURNING number").fetchone()[
                0
            ]
            (last,) = run("SELECT coalesce(max(place), -1) FROM slots").fetchone()
            run(
                """INSERT INTO slots (name, place, version, looked_at, number)
                VALUES (:name, :place, :version, :looked_at, :number)
                ON CONFLICT (name) DO UPDATE SET
                    place = coalesce(place, excluded.place),
                    before = CASE WHEN version = excluded.version THEN before ELSE version END,
                    version = excluded.version,
                    looked_at = coalesce(excluded.looked_at, looked_at),
                    number = excluded.number""",
                {
                    "name": name,
                    "place": last + 1,
                    "version": version,
                    "looked_at": looked_at,
                    "number": number,
                },
            )
        return number

    def order(self, names: Sequence[str]) -> None:
        """Say which slots the service has, in order; others are remembered, but not served."""
        with self._writer.transaction() as run:
            run("UPDATE slots SET place = NULL")
            for place, name in enumerate(names):
                run("UPDATE slots SET place = ? WHERE name = ?", (place, name))

    def looked_at(self, name: str) -> str | None:
        """Return the version that the folder of slot `name` held when it was last looked at."""
        with self._reader.used() as run:
            row = run("SELECT looked_at FROM slots WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def versions_in_use(self, *, with_former: bool) -> frozenset[str]:
        """Return the versions that any slot serves, or that it served just before, too."""
        with self._reader.used() as run:
            rows = run("SELECT version, before FROM slots").fetchall()
        return frozenset(
            version for row in rows for version in row[: 1 + with_former] if version is not None
        )

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> "State":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        """Check the file, or make it; a kill leaves the whole schema or none of it."""
        with self._writer.used() as run:
            found = run("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise WritingError(
                    f"{self.path} is damaged ({found}). Put back a copy, or move it away to start "
                    "without likes and votes."
                )
            (journal,) = run("PRAGMA journal_mode = WAL").fetchone()
            if journal != "wal":
                raise WritingError(
                    f"{self.path}: this file system cannot hold a write-ahead log. Choose a folder "
                    "for the state that is on a local disk."
                )
            run("PRAGMA synchronous = FULL")
        with self._writer.transaction() as run:
            if not run("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA:
                    run(statement)
                run(f"PRAGMA application_id = {_APPLICATION}")
                run(f"PRAGMA user_version = {_VERSION}")
            (application,) = run("PRAGMA application_id").fetchone()
            (version,) = run("PRAGMA user_version").fetchone()
        if (application, version) != (_APPLICATION, _VERSION):
            raise WritingError(
                f"{self.path} is not a state of a service of format {_VERSION} (kind "
                f"{application:#x}, format {version} found). Choose another folder for the state."
            )


class _Connection:
    """One connection to SQLite, for one thread at a time; its errors become ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = threading.Lock()
        with self._explained():
            self._connection = sqlite3.connect(
                path, timeout=_SECONDS, isolation_level=None, check_same_thread=False
            )

    @contextlib.contextmanager
    def used(self) -> Iterator[_Run]:
        """Give a function that runs one statement."""
        with self._one_at_a_time, self._explained():
            yield self._connection.execute

    @contextlib.contextmanager
    def transaction(self) -> Iterator[_Run]:
        """Do all that is done within, or nothing; it is on disk when the block has ended."""
        with self.used() as run:
            run("BEGIN IMMEDIATE")
            try:
                yield run
                self._connection.commit()
            except BaseException:
                self._connection.rollback()
                raise

    def close(self) -> None:
        with self._one_at_a_time:
            self._connection.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise WritingError(
                f"{self._path} cannot be used ({error}). Is there room on the disk, may the folder "
                "be written, and is this a state folder of a service?"
            ) from error


def _make_room(path: Path) -> None:
    """Make the folder, and look before SQLite does: it would write over a file of a few bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            with path.open("rb") as file:
                start = file.read(len(_MAGIC))
            if start not in (b"", _MAGIC):
                raise WritingError(
                    f"{path} is another kind of file, not a service's state. Choose another folder."
                )
    except OSError as error:
        if isinstance(error, WritingError):
            raise
        raise WritingError(
            f"{path}: cannot be made or read ({error.strerror}). Choose another folder for the "
            "state."
        ) from error
