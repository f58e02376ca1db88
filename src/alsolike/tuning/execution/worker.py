"""Claims trainings from a ledger, scores them point by point, and records how they end."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from alsolike.engines.base import Engine
from alsolike.errors import FitError, LeaseLost
from alsolike.evaluation.learning_curve import CurvePoint, learning_curve
from alsolike.models.registry import config_of
from alsolike.models.settings import Config
from alsolike.tuning.budget.budget import Deadline
from alsolike.tuning.leaderboard.runs import rank_key, tied
from alsolike.tuning.plan import Plan, sweeps_of
from alsolike.tuning.storage.ledger import LEASE, Ledger

_BEAT = LEASE / 12


@dataclass(frozen=True)
class Worker:
    """Trains configurations that it claims from a ledger.

    Parameters
    ----------
    name : str
        From `alsolike.tuning.storage.worker_names.name_of`.
    plan : Plan
    ledger : Ledger
    engine : Engine
    deadline : Deadline
        A training that would not reach its next point in time ends, and counts as skipped.
    on_progress : callable
        Called with the configuration's number after each point and at each end.
    """

    name: str
    plan: Plan
    ledger: Ledger
    engine: Engine
    deadline: Deadline = field(default_factory=Deadline)
    on_progress: Callable[[int], None] = lambda _: None

    def work(self, among: Sequence[int] | None = None) -> None:
        """Train until nothing is left to claim, or out of time."""
        try:
            with _Heartbeat(self.ledger, self.name):
                while not self.deadline.is_over:
                    number = self.ledger.claim(self.name, among)
                    if number is None:
                        return
                    with suppress(LeaseLost):  # another worker has it now
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
        self.on_progress(number)

    def _scored(self, number: int, began: float) -> str:
        """Score the missing points of a training; return how it ended."""
        settings, until, thresholds = self.ledger.task(number)
        curve = _Curve(self.plan, self.ledger.points(number), thresholds)
        if state := curve.ended():
            return state
        config = config_of(settings)
        asked = sweeps_of(config, [s for s in self.plan.sweeps if s <= until])
        known = [sweep for sweep in asked if sweep in curve.points]
        wanted = [sweep for sweep in asked if sweep not in curve.points]
        # The last point before a kill is scored again, and compared.
        again, speed = known[-1:], self.deadline.speed
        if wanted and not self.deadline.allows(
            speed.until(config, sweep=wanted[0], points=len(again) + 1)
        ):
            return "skipped"
        for scored, point in enumerate(self._points(config, again + wanted), start=1):
            if point.sweep in known:
                self.ledger.compare(number, point.sweep, point.figures)
                continue
            best_of = curve.add(point.sweep, point.figures)
            self.ledger.record(
                number,
                point.sweep,
                point.figures,
                worker=self.name,
                seconds=time.perf_counter() - began,
                bests={prefix: point.per_user_scores[prefix] for prefix in best_of},
            )
            self.on_progress(number)
            if state := curve.ended():
                return state
            following = next((sweep for sweep in wanted if sweep > point.sweep), None)
            if following is None:
                break
            usual = speed.until(config, sweep=point.sweep, points=scored)
            more = speed.until(config, sweep=following, points=scored + 1) - usual
            # Other programs may have made this training slower than estimated.
            slower = max((time.perf_counter() - began) / usual, 1.0) if usual else 1.0
            if not self.deadline.allows(more * slower):
                return "skipped"
        return "done"

    def _points(self, config: Config, sweeps: Sequence[int]) -> Iterable[CurvePoint]:
        if not sweeps:
            return ()
        split, engine = self.plan.split, self.engine
        first, *others = self.plan.objectives.values()
        return learning_curve(
            split, config, sweeps=sweeps, objective=first, beside=others, engine=engine,
            data=self.plan.data,
        )  # fmt: skip


class _Curve:
    """The points of one training so far; decides when it ends early."""

    def __init__(
        self, plan: Plan, points: Mapping[int, Mapping[str, float]], thresholds: Mapping[int, float]
    ) -> None:
        self._plan, self._thresholds = plan, thresholds
        self.points = dict(points)

    def add(self, sweep: int, figures: Mapping[str, float]) -> list[str]:
        """Add a point; return the prefixes of the objectives by which it is the best one."""
        scores = {prefix: objective.score for prefix, objective in self._plan.objectives.items()}
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

    def ended(self) -> str | None:
        """Return why the training ends before its last sweep; None: it continues.

        This depends only on the points, so it is the same after a kill and for any workers.
        """
        score = self._plan.score
        scores = [rank_key(self.points[sweep], score) for sweep in sorted(self.points)]
        for sweep, threshold in self._thresholds.items():
            # A degenerate point is below any threshold.
            if sweep in self.points and rank_key(self.points[sweep], score) < (
                True,
                tied(threshold),
            ):
                return "pruned"
        patience = self._plan.patience
        if patience is None or len(scores) <= patience:
            return None
        return "stopped" if max(scores[-patience:]) <= max(scores[:-patience]) else None


class _Heartbeat:
    """Sends the heartbeats of a worker."""

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
