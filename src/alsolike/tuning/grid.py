"""Grid search with learning curves: each training scored at chosen sweeps, each point once."""

import contextlib
import difflib
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from typing import Any

import numpy as np

from alsolike.data.split import Split
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError, SettingError
from alsolike.evaluation.curves import (
    CurvePoint,
    Judge,
    checked_judges,
    checked_sweeps,
    learning_curve,
)
from alsolike.models.config import ALSConfig
from alsolike.observing import SILENT, Observer
from alsolike.tables import Table
from alsolike.tuning.differences import DATA
from alsolike.tuning.leaderboard import Run, SearchResult, curve_table, ranked
from alsolike.tuning.ledger import Ledger, canonical_settings

# Figures recorded with one of these are not continued with another.
_FIGURES_DEPEND_ON = ("alsolike", "numba", "numpy", "scipy")


@dataclass(frozen=True)
class FinishedRun:
    """What an observer is told when a training is done: its learning curve, ready to be read.

    Parameters
    ----------
    title : str
        Which run of how many, and its settings.
    table : Table
        One row per scored sweep.
    """

    title: str
    table: Table

    def __str__(self) -> str:
        return f"{self.title}\n{self.table}"


def expand(space: Mapping[str, Sequence[Any]], base: ALSConfig) -> list[ALSConfig]:
    """Return every combination of the listed settings, the last setting varying fastest.

    Parameters
    ----------
    space : mapping of str to sequence
        Values to try of each setting of `ALSConfig`.
    base : ALSConfig
        All other settings.

    Returns
    -------
    list of ALSConfig
        In the order of ``itertools.product``, each once.

    Raises
    ------
    SettingError
        An unknown setting, or no list of values for one.

    Examples
    --------
    >>> grid = expand({"factors": [8, 16], "alpha": [1, 10, 10.0]}, ALSConfig())
    >>> [(config.factors, config.alpha) for config in grid]
    [(8, 1), (8, 10), (16, 1), (16, 10)]
    >>> expand({"lambda": [0.1]}, ALSConfig())
    Traceback (most recent call last):
        ...
    alsolike.errors.SettingError: Unknown setting 'lambda'. Known are: factors, ...
    """
    if not isinstance(space, Mapping):
        raise SettingError(
            f"A list of values for each setting expected, such as {{'factors': [8, 16]}}, not "
            f"{space!r}."
        )
    known = [setting.name for setting in fields(ALSConfig)]
    for name in space:
        if name not in known:
            near = difflib.get_close_matches(name, known)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise SettingError(f"Unknown setting {name!r}.{hint} Known are: {', '.join(known)}.")
    lists = [_listed(name, values) for name, values in space.items()]
    distinct: dict[str, ALSConfig] = {}
    for values in itertools.product(*lists):
        config = replace(base, **dict(zip(space, values, strict=True)))
        distinct.setdefault(canonical_settings(config.to_settings()), config)
    return list(distinct.values())


def search(
    split: Split,
    configs: Sequence[ALSConfig],
    *,
    sweeps: Sequence[int] | None = None,
    ledger: Ledger | None = None,
    k: int = 10,
    metric: str = "precision",
    exclude_seen: bool = True,
    beside: Sequence[Judge] = (),
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Train each configuration once, score it at the chosen sweeps, and rank on validation.

    Configurations that differ in ``iterations`` alone are one training. A run is as good as its
    best point; ties go to fewer factors, then to the earlier sweep, then to the earlier run. With
    a ledger on disk, the same call after a kill goes on where it was and ends with the same result.
    A configuration that the solver cannot answer is recorded, reported, and left out of the
    ranking.

    Parameters
    ----------
    split : Split
    configs : sequence of ALSConfig
        From `expand`, or any others.
    sweeps : sequence of int or None
        Where each training is scored; the last ends it. None: the iterations that `configs` name.
    ledger : Ledger or None
        None: in memory.
    k, metric, exclude_seen
        What ranks, as in `Judge`; always on the validation part.
    beside : sequence of Judge
        Further ways to score and to choose, from the same trainings.
    engine : Engine or None
        Where to compute; the result does not depend on it.
    observer : Observer
        Hears a step for each point and is told a `FinishedRun` for each training.

    Raises
    ------
    SettingError
        No configurations, no sweeps, or judges of one name.
    SplitError
        The split lacks the part that a judge chooses on.
    LedgerError
        The ledger belongs to other data or settings, or a point came out different.
    FitError
        Every configuration failed.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting import hold_out
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> items = [f"i{number % 15}" for number in range(240)]
    >>> split = hold_out(Interactions.from_columns(users, items), k=2)
    >>> configs = expand({"factors": [2, 4]}, ALSConfig())
    >>> result = search(split, configs, sweeps=[2, 4], k=5)
    >>> len(result.curves), len(result.leaderboard)
    (4, 2)
    """
    if isinstance(configs, ALSConfig):
        raise SettingError("A search takes a list of configurations, not one. Put it in a list.")
    if not configs:
        raise SettingError("A search needs at least one configuration; none was given.")
    for config in configs:
        if not isinstance(config, ALSConfig):
            raise SettingError(
                f"Configurations are of ALSConfig, as alsolike.expand gives them, not {config!r}."
            )
    asked = [config.iterations for config in configs] if sweeps is None else sweeps
    wanted = checked_sweeps(asked)
    judge = Judge(metric=metric, k=k, exclude_seen=exclude_seen)
    judges = checked_judges(split, judge, beside)
    with Ledger(None) if ledger is None else contextlib.nullcontext(ledger) as book:
        told = _InOrder(observer)
        work = _Search(split, wanted, judges, book, observer, threading.Lock(), told)
        runs = work.enlist(configs)
        observer.start("grid search", len(runs) * len(wanted))
        work.pass_over_what_stands(runs)
        # Trainings beside each other, each on one thread: none waits for the last row of a
        # half-sweep, and what they share stays in the cache.
        (engine or LocalEngine()).each(work.train, runs)
        observer.finish()
        return work.result(runs)


@dataclass(frozen=True)
class _Search:
    """The parts that every step of a search needs; the lock guards ledger and observer."""

    split: Split
    sweeps: tuple[int, ...]
    judges: Mapping[str, Judge]
    ledger: Ledger
    observer: Observer
    lock: threading.Lock
    told: "_InOrder"

    def enlist(self, configs: Sequence[ALSConfig]) -> list[Run]:
        """Bind the ledger to this search and enter the distinct trainings."""
        distinct: dict[str, ALSConfig] = {}
        for config in configs:
            training = replace(config, iterations=self.sweeps[-1])
            distinct.setdefault(canonical_settings(training.to_settings()), training)
        settings = [config.to_settings() for config in distinct.values()]
        varying = [
            name
            for name in settings[0]
            if len({canonical_settings({name: one[name]}) for one in settings}) > 1
        ]
        self.ledger.bind(self._facts())
        entries = self.ledger.enlist(settings)
        return [
            Run(number, entry, config, {name: getattr(config, name) for name in varying})
            for number, (entry, config) in enumerate(
                zip(entries, distinct.values(), strict=True), start=1
            )
        ]

    def pass_over_what_stands(self, runs: Sequence[Run]) -> None:
        """Say how much of the work an earlier start of the same search has done."""
        standing = sum(self._stands(run) for run in runs)
        if standing:
            self.observer.advance(standing * len(self.sweeps))
            self.observer.tell(
                f"{standing} of {len(runs)} runs stand in {self.ledger.place} already."
            )

    def train(self, run: Run) -> None:
        """Train and score one run, unless the ledger has it; record a failure and go on."""
        with self.lock:
            if self._stands(run):
                self.told.tell(run.number, None)
                return
            self.ledger.begin(run.entry)
        began = time.perf_counter()
        scored = 0
        try:
            for point in self._curve(run):
                seconds = time.perf_counter() - began
                with self.lock:
                    self.ledger.record(run.entry, point.sweep, point.figures, seconds)
                    self.observer.advance()
                scored += 1
        except FitError as error:
            with self.lock:
                self.ledger.fail(run.entry, str(error), time.perf_counter() - began)
                self.observer.advance(len(self.sweeps) - scored)
                self.told.tell(run.number, f"{run.title}: failed. {error}")
            return
        with self.lock:
            self.ledger.finish(run.entry, time.perf_counter() - began)
            curve = curve_table(self.ledger.points(run.entry), self.judges[""])
            self.told.tell(run.number, FinishedRun(run.title, curve))

    def result(self, runs: Sequence[Run]) -> SearchResult:
        """Rank what the ledger holds, once for each judge."""
        recorded, errors = [], []
        for run in runs:
            error = self.ledger.error(run.entry)
            if error is None:
                recorded.append((run, self.ledger.points(run.entry)))
            else:
                errors.append((run, error))
        if not recorded:
            raise FitError(f"All {len(runs)} runs failed. The first: {errors[0][1]}")
        return ranked(self.judges, recorded, errors)

    def _stands(self, run: Run) -> bool:
        return self.ledger.state(run.entry) in ("done", "failed")

    def _curve(self, run: Run) -> Iterator[CurvePoint]:
        judge = self.judges[""]
        return learning_curve(
            self.split,
            run.config,
            sweeps=self.sweeps,
            k=judge.k,
            metric=judge.metric,
            exclude_seen=judge.exclude_seen,
            beside=[other for prefix, other in self.judges.items() if prefix],
            engine=LocalEngine(1),
        )

    def _facts(self) -> dict[str, Any]:
        """Return all that the figures depend on, apart from the configurations."""
        split = self.split
        parts = {"train": split.train, "validation": split.validation, "test": split.test}
        if split.given is not None:
            parts["given"] = split.given
        return {
            "split": split.method,
            "sweeps": list(self.sweeps),
            **{f"{DATA}{name}": part.fingerprint for name, part in parts.items()},
            **{f"judge {judge.name}": asdict(judge) for judge in self.judges.values()},
            **{f"version of {package}": version(package) for package in _FIGURES_DEPEND_ON},
        }


class _InOrder:
    """Tells an observer of runs in the order of their numbers, whichever ended first."""

    def __init__(self, observer: Observer) -> None:
        self._observer, self._next = observer, 1
        self._waiting: dict[int, object] = {}

    def tell(self, number: int, finding: object) -> None:
        """Take the finding of a run, None for nothing to tell, and tell all whose turn it is."""
        self._waiting[number] = finding
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                self._observer.tell(ready)


def _listed(name: str, values: Iterable[Any]) -> list[Any]:
    """Return the values to try as plain Python values."""
    listed = [] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    if not listed:
        such = getattr(ALSConfig(), name) if isinstance(values, Iterable) and not values else values
        raise SettingError(
            f"The setting {name!r} needs a list of values to try, such as [{such!r}]; it is "
            f"{values!r}."
        )
    return [value.item() if isinstance(value, np.generic) else value for value in listed]
