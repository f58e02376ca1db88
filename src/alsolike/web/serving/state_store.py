"""Stores likes, votes, new items and the version of each slot, in one file for all workers.

`add_likes`, `add_vote` and `serve` return when the data is on disk, safe from ``kill -9`` and a
power cut. Readers never wait for writers, nor for the disk. It is an SQLite file.
"""

import itertools
import os
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from alsolike.errors import SettingError, WritingError
from alsolike.storage.sqlite import Database, DatabaseKind

FILE = "state.sqlite"
MOST_LIKES = 10_000
MOST_BYTES = 1 << 30  # some ten million likes of short ids

_FORGOTTEN_AT_ONCE = 5_000

_TABLES = (
    """CREATE TABLE likes (
        number INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        item TEXT NOT NULL,
        value REAL NOT NULL,
        time REAL,
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
        number INTEGER NOT NULL,
        similar TEXT,
        similar_before TEXT
    )""",
    """CREATE TABLE new_items (
        number INTEGER PRIMARY KEY,
        slot TEXT NOT NULL,
        item TEXT NOT NULL,
        content TEXT NOT NULL,
        UNIQUE (slot, item)
    )""",
    "CREATE TABLE counter (number INTEGER NOT NULL)",
    "INSERT INTO counter VALUES (0)",
)
STATE = DatabaseKind(
    name="a state of alsolike's service",
    application=0x616C7376,
    version=4,
    schema=_TABLES,
    way_out="Put back a copy, or move it away to start without likes and votes.",
    error=WritingError,
    patience=10,
    # Likes of version 1 have no time; slots of version 2 serve one model each; there are no new
    # items in version 3.
    upgrades=(
        ("ALTER TABLE likes ADD COLUMN time REAL",),
        (
            "ALTER TABLE slots ADD COLUMN similar TEXT",
            "ALTER TABLE slots ADD COLUMN similar_before TEXT",
        ),
        (_TABLES[3],),
    ),
)


@dataclass(frozen=True)
class SlotVersion:
    """The version that a slot serves, and the number of the change that made it so.

    `similar` is the version of the model for similar items, if that is another one.
    """

    name: str
    version: str
    number: int
    similar: str | None = None

    @property
    def versions(self) -> tuple[str, str | None]:
        """The versions of both models."""
        return self.version, self.similar


@dataclass(frozen=True)
class Vote:
    """One vote on the lists of a pair of models for an item; `versions`: of both models."""

    pair: str
    choice: str
    item: str
    voter: str
    versions: tuple[str, str]


LiveLike = tuple[str, str, float, float]  # user, item, value, seconds since 1970


def file_of(path: str | os.PathLike[str]) -> Path:
    """Return the file of a state, given itself or its folder."""
    given = Path(path)
    return given if given.suffix == ".sqlite" else given / FILE


class Store:
    """The state of one service; any thread may use it.

    Parameters
    ----------
    path : path
        The file, created if missing, or its folder.
    most_bytes : int
        Largest size of the file; likes and votes beyond it are refused.

    Raises
    ------
    WritingError
        It cannot be created or used, is another kind of file, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Store(folder) as state:
    ...     state.add_likes("ann", {"m1": 1.0, "m2": 3.0})
    ...     state.add_likes("ann", {"m1": 2.0})
    ...     state.likes_of("ann"), state.likes_of("bob")
    ({'m1': 2.0, 'm2': 3.0}, {})
    """

    def __init__(self, path: str | os.PathLike[str], *, most_bytes: int = MOST_BYTES) -> None:
        self.path = file_of(path)
        self._most_bytes = most_bytes
        # Two connections: readers do not wait for writes to the disk.
        self._writer = Database(self.path, STATE)
        try:
            self._reader = Database(self.path, STATE, is_checked=True)
        except BaseException:
            self._writer.close()
            raise
        if self._reader.rows("PRAGMA journal_mode") != [("wal",)]:
            self.close()
            raise WritingError(
                f"{self.path}: this file system cannot hold a write-ahead log. Choose a folder "
                "for the state that is on a local disk."
            )

    def likes_of(self, user: str) -> dict[str, float]:
        """Return the live likes of `user`, items to values, in the order of arrival."""
        return dict(
            self._reader.rows("SELECT item, value FROM likes WHERE user = ? ORDER BY number", user)
        )

    def add_likes(self, user: str, likes: Mapping[str, float]) -> None:
        """Store likes of `user`; the last value of an item counts.

        Raises
        ------
        SettingError
            The user would have more than 10,000 live likes. Nothing is stored then.
        WritingError
            The disk or the state is full, or the file cannot be written. Nothing is stored then.
        """
        now = round(time.time(), 3)
        rows = [(user, item, float(value), now) for item, value in likes.items()]
        with self._writer.transaction() as file:
            file.executemany(
                "INSERT INTO likes (user, item, value, time) VALUES (?, ?, ?, ?) ON CONFLICT "
                "(user, item) DO UPDATE SET value = excluded.value, time = excluded.time",
                rows,
            )
            self._refuse_where_full(file)
            (count,) = file.execute("SELECT count(*) FROM likes WHERE user = ?", (user,)).fetchone()
            if count > MOST_LIKES:
                raise SettingError(
                    f"A user may have at most {MOST_LIKES:,} live likes; {user!r} would have "
                    f"{count:,}. Train a model on them."
                )

    def take_back(self, user: str, item: str) -> bool:
        """Delete a like of `user`; return False if there is none."""
        with self._writer.transaction() as file:
            done = file.execute("DELETE FROM likes WHERE user = ? AND item = ?", (user, item))
            return done.rowcount == 1

    def forget(self, likes: Iterable[LiveLike]) -> int:
        """Delete likes that `alsolike.web.serving.live_likes` returned; return how many were.

        A like that came again since, with another value or at a later time, stays.
        """
        rows, forgotten = iter(likes), 0
        # In parts: a running service waits while one is written.
        while part := list(itertools.islice(rows, _FORGOTTEN_AT_ONCE)):
            with self._writer.transaction() as file:
                # Values are float32 in models and files. A like without a time is of version 1.
                done = file.executemany(
                    "DELETE FROM likes WHERE user = ? AND item = ? "
                    "AND abs(value - ?) <= 1e-6 * abs(value) "
                    "AND (time IS NULL OR abs(time - ?) < 0.0005)",
                    part,
                )
                forgotten += done.rowcount
        return forgotten

    def add_vote(
        self, pair: str, choice: str, item: str, voter: str, versions: tuple[str, str]
    ) -> bool:
        """Store a vote; return False if this voter has voted on these."""
        with self._writer.transaction() as file:
            done = file.execute(
                "INSERT OR IGNORE INTO votes (pair, choice, item, voter, first, second) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (pair, choice, item, voter, *versions),
            )
            self._refuse_where_full(file)
            return done.rowcount == 1

    def votes(self, pair: str) -> list[Vote]:
        """Return the votes on a pair of models, in the order of arrival."""
        found = self._reader.rows(
            "SELECT pair, choice, item, voter, first, second FROM votes WHERE pair = ? "
            "ORDER BY number",
            pair,
        )
        return [
            Vote(filed, choice, about, voter, (first, second))
            for filed, choice, about, voter, first, second in found
        ]

    def counts(self) -> dict[str, int]:
        """Return the numbers of live likes and votes."""
        [(likes, votes)] = self._reader.rows(
            "SELECT (SELECT count(*) FROM likes), (SELECT count(*) FROM votes)"
        )
        return {"likes": likes, "votes": votes}

    def number(self) -> int:
        """Return the number of the last change of any slot; it takes microseconds."""
        number: int = self._reader.rows("SELECT number FROM counter")[0][0]
        return number

    def served(self) -> tuple[SlotVersion, ...]:
        """Return the version of each slot, in their order."""
        found = self._reader.rows(
            "SELECT name, version, number, similar FROM slots WHERE place IS NOT NULL "
            "ORDER BY place, name"
        )
        return tuple(itertools.starmap(SlotVersion, found))

    def serve(
        self,
        name: str,
        version: str,
        *,
        similar: str | None = None,
        looked_at: str | None = None,
        new_items: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        """Set the version of a slot; return the number of this change.

        `similar`: the version of the model for similar items, if that is another one.
        `looked_at`: what is in the slot's own folder, if that was looked at.
        `new_items`: items sent to the slot, ids to contents, which are stored in the same step.

        Raises
        ------
        WritingError
            The disk or the state is full, or the file cannot be written. Nothing is changed then.
        """
        rows = [(name, item, content) for item, content in new_items.items()]
        with self._writer.transaction() as file:
            file.executemany(
                "INSERT INTO new_items (slot, item, content) VALUES (?, ?, ?) ON CONFLICT "
                "(slot, item) DO UPDATE SET content = excluded.content",
                rows,
            )
            if rows:
                self._refuse_where_full(file)
            file.execute("UPDATE counter SET number = number + 1")
            (number,) = file.execute("SELECT number FROM counter").fetchone()
            (last,) = file.execute("SELECT coalesce(max(place), -1) FROM slots").fetchone()
            file.execute(
                """INSERT INTO slots (name, place, version, similar, looked_at, number)
                VALUES (:name, :place, :version, :similar, :looked_at, :number)
                ON CONFLICT (name) DO UPDATE SET
                    place = coalesce(place, excluded.place),
                    before = CASE WHEN version = excluded.version
                        AND similar IS excluded.similar THEN before ELSE version END,
                    similar_before = CASE WHEN version = excluded.version
                        AND similar IS excluded.similar THEN similar_before ELSE similar END,
                    version = excluded.version,
                    similar = excluded.similar,
                    looked_at = coalesce(excluded.looked_at, looked_at),
                    number = excluded.number""",
                {
                    "name": name,
                    "place": last + 1,
                    "version": version,
                    "similar": similar,
                    "looked_at": looked_at,
                    "number": number,
                },
            )
        return int(number)

    def new_items(self, slot: str) -> dict[str, str]:
        """Return the items sent to a slot, ids to contents, in the order of arrival."""
        return dict(
            self._reader.rows(
                "SELECT item, content FROM new_items WHERE slot = ? ORDER BY number", slot
            )
        )

    def order(self, names: Sequence[str]) -> None:
        """Set the slots of the service, in order; others are kept, but not served."""
        with self._writer.transaction() as file:
            file.execute("UPDATE slots SET place = NULL")
            for place, name in enumerate(names):
                file.execute("UPDATE slots SET place = ? WHERE name = ?", (place, name))

    def looked_at(self, name: str) -> str | None:
        """Return what was last seen in the folder of slot `name`."""
        rows = self._reader.rows("SELECT looked_at FROM slots WHERE name = ?", name)
        return rows[0][0] if rows else None

    def versions_in_use(self, *, with_former: bool) -> frozenset[str]:
        """Return the versions that slots serve, with those before if `with_former`."""
        rows = self._reader.rows("SELECT version, similar, before, similar_before FROM slots")
        return frozenset(
            version for row in rows for version in row[: 4 if with_former else 2] if version
        )

    def _refuse_where_full(self, file: sqlite3.Connection) -> None:
        """Raise WritingError if the file is too large, which rolls the transaction back."""
        (size,) = file.execute(
            "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, "
            "pragma_freelist_count, pragma_page_size"
        ).fetchone()
        if size > self._most_bytes:
            raise WritingError(
                f"Likes, votes and new items take {self._most_bytes:,} bytes, the limit. The "
                "operator can export the likes for training, and delete them afterwards: alsolike "
                "likes STATE --to likes.csv, later --forget likes.csv."
            )

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
