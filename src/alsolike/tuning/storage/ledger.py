"""Records a search in one SQLite file, each training and each scored point exactly once.

Any SQLite tool can read its tables, see `alsolike.tuning.storage.schema`. Trainings are leased:
`claim` gives one to a worker, which keeps it by a heartbeat. A worker whose process has ended, or
that was silent for `LEASE` seconds, has lost it.
"""

import json
import os
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alsolike.errors import LeaseLost, LedgerError
from alsolike.storage.sqlite import Database
from alsolike.tables import Table
from alsolike.tuning.storage.canonical import apart, canonical_settings, differences, to_json
from alsolike.tuning.storage.schema import LEDGER
from alsolike.tuning.storage.worker_names import SilenceDetector

PerUser = npt.NDArray[np.float64]

LEASE = 60.0  # seconds without a heartbeat after which another worker may take a training
ENDED = ("done", "stopped", "pruned", "failed", "skipped")

# Each heartbeat differs from the one before, even if the clock was set back.
_BEAT = "heartbeat = max(?, ifnull(heartbeat, 0) + 0.001)"

# A training during which so many workers in a row died without a point is not tried again.
_ATTEMPTS = 5
_TOO_OFTEN = "{} workers died while training it. Was there too little memory?"

_WAY_OUT = (
    "To resume it, use the same data, settings and versions as before; or choose another folder, "
    "or delete this file to start again."
)


class Ledger:
    """The state of a search; each method is one transaction, safe against a kill at any moment.

    Parameters
    ----------
    path : path or None
        The file; created if missing. None: in memory.
    only_read : bool
        Write nothing, neither to the file nor next to it.

    Raises
    ------
    LedgerError
        The file is not a ledger, is damaged, or comes from another version.
    WritingError
        The file cannot be created.

    Examples
    --------
    >>> ledger = Ledger(None)
    >>> ledger.bind({"data": "0f3a", "sweeps": [2, 4]})
    >>> [number] = ledger.enlist([{"factors": 8, "alpha": 10.0}], sweeps=4)
    >>> ledger.claim("me") == number
    True
    >>> ledger.record(number, 2, {"validation_precision@5": 0.25}, worker="me")
    >>> ledger.finish(number, worker="me")
    >>> ledger.state(number), ledger.points(number)
    ('done', {2: {'validation_precision@5': 0.25}})
    >>> ledger.bind({"data": "77c1", "sweeps": [2, 4]})
    Traceback (most recent call last):
        ...
    alsolike.errors.LedgerError: a ledger of alsolike in memory belongs to another run: data was
    "0f3a" and is now "77c1". To resume it, use the same data, settings and versions as before; ...
    >>> ledger.close()
    """

    def __init__(
        self, path: str | os.PathLike[str] | None = None, *, only_read: bool = False
    ) -> None:
        self._file = Database(path, LEDGER, only_read=only_read)
        self._silence = SilenceDetector(LEASE)
        self.place = self._file.place

    def bind(self, facts: Mapping[str, Any]) -> None:
        """Record the facts of the run, or compare them with the recorded ones.

        Parameters
        ----------
        facts : mapping of str to JSON values
            Data fingerprints, settings of the split and of the curves.

        Raises
        ------
        LedgerError
            The ledger belongs to other data or settings; the message says which.
        """
        now = {name: to_json(value) for name, value in facts.items()}
        with self._file.transaction() as connection:
            before = dict(connection.execute("SELECT name, value FROM facts"))
            if not before:
                connection.executemany("INSERT INTO facts VALUES (?, ?)", sorted(now.items()))
                return
        if differing := differences(before, now):
            raise LedgerError(f"{self.place} belongs to another run: {differing}. {_WAY_OUT}")

    def enlist(
        self,
        settings: Sequence[Mapping[str, Any]],
        *,
        sweeps: int = 0,
        thresholds: Mapping[int, float] | None = None,
    ) -> list[int]:
        """Add configurations to be trained for so many sweeps; return the number of each.

        10 and 10.0 are one setting. A known configuration keeps its number and its state, unless
        it was done with fewer sweeps: then it waits to be trained further.

        Parameters
        ----------
        settings : sequence of mappings
        sweeps : int
        thresholds : mapping of sweep to float, or None
            A training whose score is below the threshold of its sweep ends as pruned.
        """
        texts = [canonical_settings(one) for one in settings]
        seeds = [one.get("seed") for one in settings]
        bars = to_json({str(sweep): value for sweep, value in (thresholds or {}).items()})
        with self._file.transaction() as connection:
            for text, seed in zip(texts, seeds, strict=True):
                connection.execute(
                    "INSERT OR IGNORE INTO configurations (settings, seed, sweeps, bars) "
                    "VALUES (?, ?, ?, ?)",
                    (text, seed, sweeps, bars),
                )
                connection.execute(
                    "UPDATE configurations SET sweeps = ?, bars = ?, state = 'waiting' "
                    "WHERE settings = ? AND state = 'done' AND sweeps < ?",
                    (sweeps, bars, text, sweeps),
                )
            numbers = dict(connection.execute("SELECT settings, id FROM configurations"))
        return [numbers[text] for text in texts]

    def claim(self, worker: str, among: Sequence[int] | None = None) -> int | None:
        """Lease the first configuration that waits, or whose worker is gone; None: there is none.

        `worker` is from `alsolike.tuning.storage.worker_names.name_of`; `among`: only one of these.
        """
        with self._file.transaction() as connection:
            rows = connection.execute(
                "SELECT id, state, worker, heartbeat, attempts FROM configurations "
                "WHERE state IN ('waiting', 'running') ORDER BY id"
            ).fetchall()
            for number, state, holder, heard, attempts in rows:
                if among is not None and number not in among:
                    continue
                if state == "running" and not self._silence.has_lost(holder, heard):
                    continue
                if attempts >= _ATTEMPTS:
                    connection.execute(
                        "UPDATE configurations SET state = 'failed', error = ?, worker = NULL "
                        "WHERE id = ?",
                        (_TOO_OFTEN.format(attempts), number),
                    )
                    continue
                connection.execute(
                    f"UPDATE configurations SET state = 'running', worker = ?, {_BEAT}, "  # noqa: S608
                    "attempts = attempts + 1 WHERE id = ?",
                    (worker, time.time(), number),
                )
                return int(number)
        return None

    def beat(self, worker: str) -> None:
        """Show that a worker is alive."""
        statement = f"UPDATE configurations SET {_BEAT} WHERE worker = ?"  # noqa: S608 - own words
        with self._file.transaction() as connection:
            connection.execute(statement, (time.time(), worker))

    def record(
        self,
        number: int,
        sweep: int,
        figures: Mapping[str, float],
        *,
        worker: str,
        seconds: float | None = None,
        bests: Mapping[str, PerUser] | None = None,
    ) -> None:
        """Record one scored point of a training that the worker has leased.

        Parameters
        ----------
        number : int
            Of the configuration, from `enlist`.
        sweep : int
        figures : mapping of str to finite float
        worker : str
        seconds : float or None
            Since the training began.
        bests : mapping of str to float64, (n_users,)
            The scores of users, for each objective for which this is the best point so far.

        Raises
        ------
        LedgerError
            The point was recorded before, or a figure is not finite.
        LeaseLost
            Another worker has the training.
        """
        try:
            text = json.dumps(dict(figures), sort_keys=True, allow_nan=False)
        except ValueError:
            raise LedgerError(
                f"{self.place}: configuration {number}, sweep {sweep}: every figure must be "
                f"finite, these are {dict(figures)}."
            ) from None
        with self._file.transaction() as connection:
            before = connection.execute(
                "SELECT worker FROM points WHERE configuration = ? AND sweep = ?", (number, sweep)
            ).fetchone()
            if before is not None:
                raise LedgerError(
                    f"{self.place}: configuration {number}, sweep {sweep} was already scored "
                    f"by worker {before[0]}; worker {worker} scored it again."
                )
            self._refuse_others(number, worker)
            connection.execute(
                "INSERT INTO points VALUES (?, ?, ?, ?, ?)", (number, sweep, text, seconds, worker)
            )
            connection.execute("UPDATE configurations SET attempts = 0 WHERE id = ?", (number,))
            connection.executemany(
                "INSERT OR REPLACE INTO bests VALUES (?, ?, ?, ?)",
                [
                    (number, name, sweep, zlib.compress(np.ascontiguousarray(values).tobytes()))
                    for name, values in (bests or {}).items()
                ],
            )

    def compare(self, number: int, sweep: int, figures: Mapping[str, float]) -> None:
        """Raise LedgerError if a recorded point has other figures."""
        differing = apart(self.points(number)[sweep], figures)
        if differing:
            raise LedgerError(
                f"{self.place}: configuration {number}, sweep {sweep} was scored before with a "
                f"different result: {differing}. The same work must give the same scores: was the "
                "ledger started on another machine or with other versions? Delete it to start "
                "again."
            )

    def finish(
        self, number: int, *, worker: str, state: str = "done", seconds: float | None = None
    ) -> None:
        """End a training: ``"done"``, ``"stopped"`` early, or ``"pruned"`` below a threshold."""
        self._end(number, worker, state, seconds, None)

    def fail(self, number: int, error: str, *, worker: str, seconds: float | None = None) -> None:
        """Mark configuration `number` as failed for good, with an error message."""
        self._end(number, worker, "failed", seconds, error)

    def give_back(self, worker: str) -> None:
        """Release the trainings that a worker will not end."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE configurations SET state = 'waiting', worker = NULL, attempts = 0 "
                "WHERE worker = ?",
                (worker,),
            )

    def skip(self, numbers: Sequence[int]) -> None:
        """Mark configurations that have not ended as skipped."""
        self._exchange(numbers, ("waiting", "running"), "skipped")

    def take_up(self, numbers: Sequence[int]) -> None:
        """Put skipped configurations back to waiting, and reset all attempts."""
        self._exchange(numbers, ("skipped",), "waiting")
        with self._file.transaction() as connection:
            connection.execute("UPDATE configurations SET attempts = 0")

    def state(self, number: int) -> str:
        """Return the state of configuration `number`; `ENDED` lists the final ones."""
        return str(self._one(number, "state"))

    def states(self) -> dict[int, str]:
        """Return all states."""
        return dict(self._rows("SELECT id, state FROM configurations ORDER BY id"))

    def facts(self) -> dict[str, Any]:
        """Return the recorded facts."""
        rows = self._rows("SELECT name, value FROM facts ORDER BY name")
        return {name: json.loads(value) for name, value in rows}

    def workers(self) -> list[tuple[str, float]]:
        """Return the workers that have trainings, and the last heartbeat of each."""
        return self._rows(
            "SELECT worker, max(heartbeat) FROM configurations WHERE state = 'running' "
            "GROUP BY worker ORDER BY worker"
        )

    def task(self, number: int) -> tuple[dict[str, Any], int, dict[int, float]]:
        """Return settings, sweeps and thresholds of configuration `number`."""
        settings, bars = self._one(number, "settings"), self._one(number, "bars")
        read = {int(sweep): bar for sweep, bar in json.loads(bars).items()}
        return json.loads(settings), int(self._one(number, "sweeps")), read

    def error(self, number: int) -> str | None:
        """Return the error of configuration `number`; None if it has not failed."""
        error: str | None = self._one(number, "error")
        return error

    def seconds(self, number: int) -> float | None:
        """Return how long configuration `number` took; None before its end."""
        seconds: float | None = self._one(number, "seconds")
        return seconds

    def points(self, number: int) -> dict[int, dict[str, float]]:
        """Return the figures of each recorded sweep of configuration `number`, ascending."""
        rows = self._rows(
            "SELECT sweep, figures FROM points WHERE configuration = ? ORDER BY sweep", number
        )
        return {sweep: json.loads(figures) for sweep, figures in rows}

    def best(self, number: int, objective: str) -> tuple[int, PerUser] | None:
        """Return the best sweep of configuration `number` by an objective, and scores of users."""
        found = self._rows(
            "SELECT sweep, answers FROM bests WHERE configuration = ? AND judge = ?",
            number,
            objective,
        )
        if not found:
            return None
        return int(found[0][0]), np.frombuffer(zlib.decompress(found[0][1]), dtype=np.float64)

    def to_table(self) -> Table:
        """Return one row per configuration: id, state, points, seconds, error, settings."""
        names = ("id", "state", "points", "seconds", "error", "settings")
        rows = self._rows(
            "SELECT id, state, (SELECT count(*) FROM points WHERE configuration = id), seconds, "
            "error, settings FROM configurations ORDER BY id"
        )
        return Table({name: [row[place] for row in rows] for place, name in enumerate(names)})

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.place})"

    def _rows(self, statement: str, *values: object) -> list[Any]:
        return self._file.rows(statement, *values)

    def _one(self, number: int, column: str) -> Any:
        # `column` is a word of this class, never a caller's text.
        found = self._rows(f"SELECT {column} FROM configurations WHERE id = ?", number)  # noqa: S608
        if not found:
            raise LedgerError(f"{self.place}: there is no configuration {number}.")
        return found[0][0]

    def _refuse_others(self, number: int, worker: str) -> None:
        if self._one(number, "worker") != worker:
            raise LeaseLost(
                f"{self.place}: configuration {number} is {self.state(number)} and not leased "
                f"by worker {worker}."
            )

    def _end(
        self, number: int, worker: str, state: str, seconds: float | None, error: str | None
    ) -> None:
        with self._file.transaction() as connection:
            self._refuse_others(number, worker)
            connection.execute(
                "UPDATE configurations SET state = ?, seconds = ifnull(seconds, 0) + ?, "
                "error = ?, worker = NULL, attempts = 0 WHERE id = ?",
                (state, seconds or 0.0, error, number),
            )

    def _exchange(self, numbers: Sequence[int], before: tuple[str, ...], after: str) -> None:
        marks = ", ".join("?" for _ in before)
        with self._file.transaction() as connection:
            connection.executemany(
                "UPDATE configurations SET state = ?, worker = NULL "  # noqa: S608
                f"WHERE id = ? AND state IN ({marks})",
                [(after, number, *before) for number in numbers],
            )
