"""Reports the status of a search from its ledger, while it runs or after."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from alsolike.errors import DataError
from alsolike.evaluation.objectives.base import HONEST
from alsolike.evaluation.objectives.kinds import objective_of
from alsolike.models.registry import config_of, family_of
from alsolike.tables import Table, wrapped
from alsolike.text import duration
from alsolike.tuning.leaderboard.runs import DEAD, Run, rank_key, runs_of
from alsolike.tuning.leaderboard.top_runs import top_runs
from alsolike.tuning.storage.ledger import ENDED, LEASE, Ledger
from alsolike.tuning.storage.worker_names import is_gone, is_here

_WHOLE = "--verbose or --to FILE"


@dataclass(frozen=True)
class SearchStatus:
    """The status of a search.

    Parameters
    ----------
    place : str
        The ledger's file.
    states : mapping of str to int
        Number of runs in each state.
    workers : int
        Active workers.
    left : float or None
        Estimated seconds of the trainings proposed so far; None if none ended or none is left.
    leaderboard : Table
        Runs with a score, best first.
    """

    place: str
    states: dict[str, int]
    workers: int
    left: float | None
    leaderboard: Table

    def brief(self, width: int) -> str:
        """Return the status and the best of the leaderboard, at most `width` columns wide."""
        lines = [wrapped(line, width, indent=2) for line in self._lines()]
        if len(self.leaderboard):
            names = self.leaderboard.column_names
            score = next(one[:-4] for one in names if one.endswith("_low"))
            part, _, measure = score.partition("_")
            lines.append(f"Best on {measure} on {part}:")
            lines.append(top_runs(self.leaderboard, score, measure, width, whole=_WHOLE))
        return "\n".join(lines)

    def __str__(self) -> str:
        board = [str(self.leaderboard)] if len(self.leaderboard) else []
        return "\n".join([*self._lines(), *board])

    def _lines(self) -> Iterator[str]:
        counts = ", ".join(f"{count:,} {state}" for state, count in self.states.items())
        yield f"{self.place}: {counts or 'no trainings yet'}."
        if self.states.get("running"):
            yield f"Active workers: {self.workers:,}."
        if self.left is not None:
            yield f"The remaining trainings will take about {duration(self.left)}."


def status_of(folder: Path) -> SearchStatus:
    """Return the status of the search in a run's folder.

    Parameters
    ----------
    folder : path
        Of ``alsolike run`` or ``alsolike search``, or the ledger's file itself.

    Raises
    ------
    DataError
        There is no ledger.
    LedgerError
        It is not a valid ledger.
    """
    try:
        path = folder / "ledger.sqlite" if folder.is_dir() else folder
        is_there = path.exists()
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be read ({error.strerror}). Check its permissions."
        ) from error
    if not is_there:
        raise DataError(f"{folder}: contains no ledger of a search.")
    with Ledger(path, only_read=True) as ledger:
        rows = ledger.to_table()
        states = Counter(rows["state"].tolist())
        ordered = {
            state: states[state] for state in (*ENDED, "running", "waiting") if states[state]
        }
        return SearchStatus(
            str(path), ordered, _alive(ledger), _left(rows, ledger), _leaderboard(rows, ledger)
        )


def _alive(ledger: Ledger) -> int:
    """Count the active workers.

    On this machine their processes are checked. On another one, a worker counts as active for
    `LEASE` seconds after its heartbeat, also if its clock is ahead.
    """
    now = time.time()
    return sum(
        is_here(name) or (now - heard <= LEASE and not is_gone(name))
        for name, heard in ledger.workers()
    )


def _left(rows: Table, ledger: Ledger) -> float | None:
    """Estimate the seconds left by the time of ended trainings with as many factors."""
    took: dict[tuple[str, int], list[float]] = {}
    waiting = []
    for row in rows.rows():
        config = config_of(json.loads(row["settings"]))
        family = family_of(config)
        like = family.name, family.factors(config)
        if row["state"] in ("done", "stopped", "pruned"):
            took.setdefault(like, []).append(row["seconds"])
        elif row["state"] in ("waiting", "running"):
            waiting.append(like)
    if not waiting or not took:
        return None
    every = [seconds for own in took.values() for seconds in own]
    total = 0.0
    for like in waiting:
        own = took.get(like, every)
        total += sum(own) / len(own)
    return total / max(len(ledger.workers()), 1)


def _leaderboard(rows: Table, ledger: Ledger) -> Table:
    facts = ledger.facts()
    if f"judge {HONEST}" not in facts:
        return Table({})
    honest = objective_of(facts[f"judge {HONEST}"])
    runs = runs_of({row["id"]: config_of(json.loads(row["settings"])) for row in rows.rows()})
    states = ledger.states()
    scored = []
    for run in runs:
        points = ledger.points(run.entry)
        if points:
            sweep = max(points, key=lambda at: (*rank_key(points[at], honest.score), -at))
            scored.append((run, sweep, points[sweep]))

    def place(one: tuple[Run, int, Mapping[str, float]]) -> tuple[bool, float, int, int]:
        # A ledger has no counts of users and items to tell bytes by.
        is_alive, score = rank_key(one[2], honest.score)
        return not is_alive, -score, family_of(one[0].config).factors(one[0].config), one[1]

    scored.sort(key=place)
    return Table.from_rows(
        [
            {"rank": rank, "run": run.number, "settings": run.settings if run.number else run.model}
            | {"sweep": sweep}
            | {name: figures[name] for name in honest.interval}
            | {"state": states[run.entry] if rank_key(figures, honest.score)[0] else DEAD}
            for rank, (run, sweep, figures) in enumerate(scored, start=1)
        ]
    )
