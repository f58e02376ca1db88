"""One worker at one ledger: claims a training, scores it point by point, and ends it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from alsolike.engines.base import Engine
from alsolike.errors import FitError, LeaseLost
from alsolike.models.registry import config_of
from alsolike.tuning.budget.speed_estimate import Deadline
from alsolike.tuning.candidates import points_of, sweeps_of
from alsolike.tuning.leaderboard.ordering import rank_key, tied
from alsolike.tuning.storage.ledger import LEASE, Ledger
from alsolike.tuning.trial_plan import Plan

_BEAT = LEASE / 12


@dataclass(frozen=True)
class Worker:
    """One worker.

    Parameters
    ----------
    name : str
        From `alsolike.tuning.storage.worker_names.name_of`.
    plan : Plan
    ledger : Ledger
    engine : Engine
    deadline : Deadline
        A training that would not reach its next point by then is not begun, or is cut at its last
        one, and counts as skipped.
    heard : callable
        Is called with the configuration's number after each point and at each end.
    """

    name: str
    plan: Plan
    ledger: Ledger
    engine: Engine
    deadline: Deadline = field(default_factory=Deadline)
    heard: Callable[[int], None] = lambda _: None

    def work(self, among: Sequence[int] | None = None) -> None:
        """Train whatever can be claimed, until nothing can."""
        try:
            with _Heart(self.ledger, self.name):
                while not self.deadline.is_over:
                    number = self.ledger.claim(self.name, among)
                    if number is None:
                        return
                    with suppress(LeaseLost):  # somebody else has it, and will end it
                        self._train(number)
        finally:
            self.ledger.give_back(self.name)

    def _train(self, number: int) -> None:
        began = time.perf_counter()
        try:
            state = self._scored(number, began)
        except FitError as error:
            seconds = time.perf_counter() - began
            self.ledger.fail(number, str(error), worker=self.name, seconds=seconds)
        else:
            seconds = time.perf_counter() - began
            self.ledger.finish(number, worker=self.name, state=state, seconds=seconds)
        self.heard(number)

    def _scored(self, number: int, began: float) -> str:
        """Score what is still to be scored of a training; return how it ended."""
        settings, until, bars = self.ledger.task(number)
        curve = _Curve(self.plan, self.ledger.points(number), bars)
        if state := curve.verdict():
            return state
        config = config_of(settings)
        asked = sweeps_of(config, [s for s in self.plan.sweeps if s <= until])
        known = [sweep for sweep in asked if sweep in curve.points]
        wanted = [sweep for sweep in asked if sweep not in curve.points]
        # The last point before a kill is scored again: was it the same work?
        expected = self.deadline.pace.until(
            config, sweep=max(wanted[:1], default=0), points=len(known[-1:] + wanted[:1])
        )
        if wanted and not self.deadline.allows(expected):
            return "skipped"
        for point in points_of(self.plan, config, known[-1:] + wanted, self.engine):
            if point.sweep in known:
                self.ledger.compare(number, point.sweep, point.figures)
                continue
            best_for = curve.add(point.sweep, point.figures)
            self.ledger.record(
                number,
                point.sweep,
                point.figures,
                worker=self.name,
                seconds=time.perf_counter() - began,
                bests={prefix: point.answers[prefix] for prefix in best_for},
            )
            self.heard(number)
            if state := curve.verdict():
                return state
            following = next((sweep for sweep in wanted if sweep > point.sweep), None)
            if following is None:
                break
            more = self.deadline.pace.between(config, following - point.sweep)
            # Other trainings, and other programs, may have made this one slower than was measured.
            slower = max((time.perf_counter() - began) / expected, 1.0) if expected else 1.0
            if not self.deadline.allows(more * slower):
                return "skipped"
            expected += more
        return "done"


class _Curve:
    """The points of one training so far, and what follows from them."""

    def __init__(
        self, plan: Plan, points: Mapping[int, Mapping[str, float]], bars: Mapping[int, float]
    ) -> None:
        self._plan, self._bars = plan, bars
        self.points = dict(points)

    def add(self, sweep: int, figures: Mapping[str, float]) -> list[str]:
        """Add a point; return the prefixes of the judges to whom it is the best one."""
        scores = {prefix: judge.score for prefix, judge in self._plan.judges.items()}
        best = [
            prefix
            for prefix, score in scores.items()
            if all(
                rank_key(figures, score, prefix) > rank_key(old, score, prefix)
                for old in self.points.values()
            )
        ]
        self.points[sweep] = figures
        return best

    def verdict(self) -> str | None:
        """Return why the training is to end before its last sweep, if it is.

        It depends on the points alone, so that it is the same after a kill, and for any number of
        workers.
        """
        score = self._plan.score
        scores = [rank_key(self.points[sweep], score) for sweep in sorted(self.points)]
        for sweep, bar in self._bars.items():
            # A degenerate point is below any bar.
            if sweep in self.points and rank_key(self.points[sweep], score) < (True, tied(bar)):
                return "pruned"
        patience = self._plan.patience
        if patience is None or len(scores) <= patience:
            return None
        return "stopped" if max(scores[-patience:]) <= max(scores[:-patience]) else None


class _Heart:
    """Keeps a worker's lease while it works."""

    def __init__(self, ledger: Ledger, worker: str) -> None:
        self._ledger, self._worker = ledger, worker
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alsolike-heart", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_BEAT):
            self._ledger.beat(self._worker)
