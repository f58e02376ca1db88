"""Reports the progress of a search: points at once, finished runs in their order."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from alsolike.models.settings import Config
from alsolike.progress import Observer
from alsolike.tables import Table
from alsolike.tuning.leaderboard.ranking import curve_table
from alsolike.tuning.leaderboard.runs import Role, rank_key, runs_of
from alsolike.tuning.plan import Plan
from alsolike.tuning.storage.ledger import ENDED, Ledger


@dataclass(frozen=True)
class FinishedRun:
    """A finished training: run and settings, and a row per scored sweep."""

    title: str
    table: Table

    def brief(self, width: int) -> str:
        """Return nothing: a terminal shows the progress."""
        return ""

    def __str__(self) -> str:
        return f"{self.title}\n{self.table}"


@dataclass(frozen=True)
class FailedRun:
    """A failed training: run and settings, and the error."""

    title: str
    error: str

    def brief(self, width: int) -> str:
        """Return nothing: failed runs are counted below the leaderboard."""
        return ""

    def __str__(self) -> str:
        return f"{self.title}: failed. {self.error}"


@dataclass
class ProgressReporter:
    """Reports the progress of a round to an observer."""

    ledger: Ledger
    plan: Plan
    observer: Observer
    configs: Mapping[int, Config]
    roles: Mapping[int, Role]
    expected: Mapping[int, int]
    reported: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: dict[int, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runs = {run.entry: run for run in runs_of(self.configs, self.roles)}
        self.order = list(self.expected)
        known = [e for e in self.order if self.ledger.state(e) in ENDED]
        for entry in known:
            self._advance(entry, self.expected[entry])
            self.waiting[entry] = None
        if any(self.runs[entry].role == "trial" for entry in known):
            self.observer.tell(
                f"{len(known)} of {len(self.order)} runs are already in {self.ledger.place}."
            )
        self._tell_in_order()

    def look(self, entry: int) -> None:
        """Report new points of a training, or its end."""
        with self.lock:
            if entry in self.waiting or entry not in self.order:
                return
            state, points = self.ledger.state(entry), self.ledger.points(entry)
            if state not in ENDED:
                self._advance(entry, len(points))
                return
            self._advance(entry, self.expected[entry])
            self.waiting[entry] = self._finding(entry, state, points)
            self._tell_in_order()

    def _advance(self, entry: int, to: int) -> None:
        step = min(to, self.expected[entry]) - self.reported.get(entry, 0)
        if step > 0:
            self.reported[entry] = self.reported.get(entry, 0) + step
            self.observer.advance(step)

    def _finding(self, entry: int, state: str, points: Mapping[int, Mapping[str, float]]) -> object:
        title = self.runs[entry].title
        if state == "failed":
            return FailedRun(title, str(self.ledger.error(entry)))
        if not self.runs[entry].has_curve:
            return None  # the leaderboard shows it
        if state != "done":
            title += f" ({state})"
        score = self.plan.score
        dead = [sweep for sweep, one in points.items() if not rank_key(one, score)[0]]
        if dead:
            where = f" at {len(dead)} of {len(points)} points" if len(dead) < len(points) else ""
            title += f" (degenerate{where}: never chosen)"
        return FinishedRun(title, curve_table(points, self.plan.objectives[""]))

    def _tell_in_order(self) -> None:
        while self.order and self.order[0] in self.waiting:
            finding = self.waiting[self.order.pop(0)]
            if finding is not None:
                self.observer.tell(finding)
