"""The ledger of a search: what was tried and what it scored, each exactly once, in one SQLite file.

It can be read with any SQLite tool while a search runs::

    facts           name, value                                        what all of it belongs to
    configurations  id, settings, state, seconds, seed, error          one row per training
    points          configuration, sweep, figures, seconds             one row per scored point

Settings, facts and figures are JSON. The two UNIQUE constraints, not the care of any caller, keep
a configuration or a point from being there twice. SQLite writes the file through its own journal,
so it is the one output that does not go through `alsolike.writing`.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from alsolike.errors import LedgerError, WritingError
from alsolike.tables import Table
from alsolike.tuning.differences import differences

_APPLICATION = 0x616C736F
_VERSION = 1
_MAGIC = b"SQLite format 3\0"

_SCHEMA = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE configurations (
        id INTEGER PRIMARY KEY,
        settings TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL DEFAULT 'waiting'
            CHECK (state IN ('waiting', 'running', 'done', 'failed')),
        seconds REAL,
        seed INTEGER,
        error TEXT,
        CHECK ((error IS NOT NULL) = (state = 'failed'))
    )""",
    """CREATE TABLE points (
        configuration INTEGER NOT NULL REFERENCES configurations (id),
        sweep INTEGER NOT NULL,
        figures TEXT NOT NULL,
        seconds REAL,
        PRIMARY KEY (configuration, sweep)
    )""",
)

_WAY_OUT = (
    "Give the data and settings of the first time to go on with it, or choose another place, or "
    "delete this file to start anew."
)


class Ledger:
    """What a search has done so far; safe against a kill at any moment.

    Each method is one transaction. After a kill the file holds all that was recorded before, and
    `record` takes a point that it already has only if it is the same to the last bit.

    Parameters
    ----------
    path : path or None
        The file, made where it is not there yet. None: in memory, gone with the process.

    Raises
    ------
    LedgerError
        The file is no ledger, is damaged, or comes from a later version.
    WritingError
        The file cannot be made there.

    Examples
    --------
    >>> ledger = Ledger(None)
    >>> ledger.bind({"data": "0f3a", "sweeps": [2, 4]})
    >>> [number] = ledger.enlist([{"factors": 8, "alpha": 10.0}])
    >>> ledger.begin(number)
    >>> ledger.record(number, 2, {"validation_precision@5": 0.25})
    >>> ledger.finish(number)
    >>> ledger.state(number), ledger.points(number)
    ('done', {2: {'validation_precision@5': 0.25}})
    >>> ledger.bind({"data": "77c1", "sweeps": [2, 4]})
    Traceback (most recent call last):
        ...
    alsolike.errors.LedgerError: the ledger in memory belongs to another run: data was "0f3a" and
    is now "77c1". Give the data and settings of the first time to go on with it, or choose another
    place, or delete this file to start anew.
    >>> ledger.close()
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.place = "the ledger in memory" if path is None else str(Path(path))
        if path is not None:
            _make_room(Path(path))
        with self._explained():
            # Autocommit, so that the transactions are the ones written below and no others.
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=60,
                isolation_level=None,
                # A search works on several threads, and lets one at a time come here.
                check_same_thread=False,
            )
        try:
            self._open()
        except BaseException:
            self._connection.close()
            raise

    def bind(self, facts: Mapping[str, Any]) -> None:
        """Record what the run belongs to; later, compare with it.

        Parameters
        ----------
        facts : mapping of str to JSON values
            Data fingerprints, settings of the split and of the curves.

        Raises
        ------
        LedgerError
            The ledger belongs to other data or settings; says which.
        """
        now = {name: _to_json(value) for name, value in facts.items()}
        with self._transaction() as connection:
            before = dict(connection.execute("SELECT name, value FROM facts"))
            if not before:
                connection.executemany("INSERT INTO facts VALUES (?, ?)", sorted(now.items()))
                return
        if differing := differences(before, now):
            raise LedgerError(f"{self.place} belongs to another run: {differing}. {_WAY_OUT}")

    def enlist(self, settings: Sequence[Mapping[str, Any]]) -> list[int]:
        """Enter the configurations that are not there yet; return the number of each.

        Numbers 10 and 10.0 are one setting. Those that stand already keep number and state.
        """
        texts = [canonical_settings(one) for one in settings]
        seeds = [one.get("seed") for one in settings]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO configurations (settings, seed) VALUES (?, ?)",
                zip(texts, seeds, strict=True),
            )
            numbers = dict(connection.execute("SELECT settings, id FROM configurations"))
        return [numbers[text] for text in texts]

    def state(self, number: int) -> str:
        """Return ``"waiting"``, ``"running"``, ``"done"`` or ``"failed"``."""
        return str(self._one(number, "state"))

    def error(self, number: int) -> str | None:
        """Return why configuration `number` failed, or None where it did not."""
        error = self._one(number, "error")
        return None if error is None else str(error)

    def points(self, number: int) -> dict[int, dict[str, float]]:
        """Return the figures of each recorded sweep of configuration `number`, ascending."""
        with self._explained():
            rows = self._connection.execute(
                "SELECT sweep, figures FROM points WHERE configuration = ? ORDER BY sweep",
                (number,),
            ).fetchall()
        return {sweep: json.loads(figures) for sweep, figures in rows}

    def begin(self, number: int) -> None:
        """Mark configuration `number` as running. One that a kill left running may begin again."""
        self._move(number, "running", allowed=("waiting", "running"))

    def record(
        self, number: int, sweep: int, figures: Mapping[str, float], seconds: float | None = None
    ) -> None:
        """Record one scored point.

        Parameters
        ----------
        number : int
            The configuration, as `enlist` gave it.
        sweep : int
            Sweeps trained when it was scored.
        figures : mapping of str to finite float
        seconds : float or None
            Since the training began.

        Raises
        ------
        LedgerError
            The point is there with other figures, or a figure is not finite.
        """
        try:
            text = json.dumps(dict(figures), sort_keys=True, allow_nan=False)
        except ValueError:
            raise LedgerError(
                f"{self.place}: configuration {number}, sweep {sweep}: every figure must be "
                f"finite, these are {dict(figures)}."
            ) from None
        with self._transaction() as connection:
            added = connection.execute(
                "INSERT OR IGNORE INTO points VALUES (?, ?, ?, ?)", (number, sweep, text, seconds)
            ).rowcount
        if not added:
            self._compare(number, sweep, json.loads(text))

    def finish(self, number: int, seconds: float | None = None) -> None:
        """Mark configuration `number` as done."""
        self._move(number, "done", allowed=("running",), seconds=seconds)

    def fail(self, number: int, error: str, seconds: float | None = None) -> None:
        """Mark configuration `number` as failed for good, with the message that says why."""
        self._move(number, "failed", allowed=("running",), seconds=seconds, error=error)

    def to_table(self) -> Table:
        """Return one row per configuration: id, state, points, seconds, error, settings."""
        with self._explained():
            cursor = self._connection.execute(
                "SELECT id, state, (SELECT count(*) FROM points WHERE configuration = id) AS "
                "points, seconds, error, settings FROM configurations ORDER BY id"
            )
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        return Table({name: [row[place] for row in rows] for place, name in enumerate(names)})

    def close(self) -> None:
        """Close the file. What was recorded is on disk already."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.place})"

    def _open(self) -> None:
        """Check the file, or make it; a kill leaves the whole schema or none of it."""
        with self._explained():
            run = self._connection.execute
            # The check reads every page, and fails on a file that is no database at all.
            found = run("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise LedgerError(
                    f"{self.place} is damaged ({found}). Delete it to start the search anew."
                )
            run("PRAGMA journal_mode = WAL")
            run("PRAGMA synchronous = FULL")
            run("PRAGMA foreign_keys = ON")
        with self._transaction() as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != _APPLICATION:
            raise LedgerError(
                f"{self.place} is a database, but not a ledger of alsolike. Choose another place."
            )
        if version != _VERSION:
            raise LedgerError(
                f"{self.place} is a ledger of format {version}; this version of alsolike knows "
                f"format {_VERSION}. Go on with the version that began it, or delete the file."
            )

    def _one(self, number: int, column: str) -> Any:
        with self._explained():
            row = self._connection.execute(
                # `column` is one of two words of this class, never a caller's text.
                f"SELECT {column} FROM configurations WHERE id = ?",  # noqa: S608
                (number,),
            ).fetchone()
        if row is None:
            raise LedgerError(f"{self.place}: there is no configuration {number}.")
        return row[0]

    def _move(
        self,
        number: int,
        state: str,
        *,
        allowed: tuple[str, ...],
        seconds: float | None = None,
        error: str | None = None,
    ) -> None:
        """Change the state where it is one of `allowed`, in one statement.

        One statement, so that of two processes that want the same change one is refused.
        """
        marks = ", ".join("?" for _ in allowed)
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE configurations SET state = ?, seconds = ?, error = ? "  # noqa: S608
                f"WHERE id = ? AND state IN ({marks})",
                (state, seconds, error, number, *allowed),
            ).rowcount
        if not changed:
            raise LedgerError(
                f"{self.place}: configuration {number} is {self.state(number)}, so it cannot "
                f"become {state}. Is another process at work on this ledger?"
            )

    def _compare(self, number: int, sweep: int, now: dict[str, float]) -> None:
        before = self.points(number)[sweep]
        differing = [
            f"{name} was {before.get(name)!r} and is now {now.get(name)!r}"
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name)
        ]
        if differing:
            raise LedgerError(
                f"{self.place}: configuration {number}, sweep {sweep} was scored before, and not "
                f"the same: {'; '.join(differing)}. Equal work must give equal figures: was the "
                "ledger begun on another machine or with other versions? Delete it to start anew."
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, with the file's name and a way out."""
        try:
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


def canonical_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON, the same text for equal settings in whatever order they come.

    Examples
    --------
    >>> canonical_settings({"factors": 8, "alpha": 10.0, "regularization": 1e-5})
    '{"alpha": 10, "factors": 8, "regularization": 1e-05}'
    """
    return _to_json({name: _plain(value) for name, value in settings.items()})


def _plain(value: Any) -> Any:
    """Return NumPy's scalars as Python's, and a whole float as an int: 10.0 and 10 are equal."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _to_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


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
