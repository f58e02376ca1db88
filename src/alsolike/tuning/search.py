"""A search: rounds of trainings from a strategy, each scored at chosen sweeps, each point once."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from alsolike.data.split import Split, expect_split
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DegenerateError, FitError
from alsolike.evaluation.judges import checked_judges, first_judge
from alsolike.evaluation.judging import Judge
from alsolike.forecasting import search_memory
from alsolike.hints import with_example
from alsolike.models.config import ALSConfig
from alsolike.observing import SILENT, Observer
from alsolike.tuning.asked import checked_workers, may_rank, strategy_for, sweeps_for
from alsolike.tuning.baselines import bytes_of
from alsolike.tuning.candidates import ONE_GO, Config, model_of, sweeps_of
from alsolike.tuning.canonical import canonical_settings
from alsolike.tuning.crew import Crew, Processes, Threads
from alsolike.tuning.differences import DATA
from alsolike.tuning.leaderboard import Run, SearchResult, ranked, runs_of
from alsolike.tuning.ledger import ENDED, Ledger
from alsolike.tuning.ordering import rank_key
from alsolike.tuning.pace import Deadline
from alsolike.tuning.plan import Plan
from alsolike.tuning.rehearsal import kinds_of
from alsolike.tuning.strategies import Listed, Strategy, Trial, Tried, bars_of
from alsolike.tuning.telling import Teller
from alsolike.tuning.timing import TimeForecast, forecast_time, in_words

# Figures recorded with one of these are not continued with another.
_FIGURES_DEPEND_ON = ("alsolike", "numba", "numpy", "scipy")
# Where a configuration stays, whatever time there is.
_AT_REST = frozenset(ENDED) - {"skipped"}
# Of the time until a deadline, what the lines to beat may take.
_FOR_LINES = 0.25
# What a single training may take of what was measured, where it is all that there is time for.
_PATIENT = 3.0


@with_example('al.search(split, al.expand({"factors": [16, 64]}, al.ALSConfig()))')
def search(
    split: Split,
    configs: Sequence[ALSConfig] | Strategy,
    *,
    sweeps: Sequence[int] | None = None,
    ledger: Ledger | None = None,
    k: int | None = None,
    metric: str | None = None,
    exclude_seen: bool | None = None,
    judge: Judge | None = None,
    beside: Sequence[Judge] = (),
    baselines: Sequence[Config] = (),
    patience: int | None = None,
    prune: bool = False,
    workers: int = 1,
    deadline: float | None = None,
    afterwards: Callable[[TimeForecast], float] = lambda _: 0.0,
    forecast: bool = False,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Train each configuration once, score it at the chosen sweeps, and rank on validation.

    Configurations that differ in ``iterations`` alone are one training. A run is as good as its
    best point; ties go to fewer factors, then to the earlier sweep, then to the earlier run. With
    a ledger on disk, the same call after a kill goes on where it was and ends with the same
    result, whatever the number of workers. A configuration that the solver cannot answer is
    recorded, reported, and left out of the ranking. A point that is degenerate is below all others,
    and never chosen.

    Parameters
    ----------
    split : Split
    configs : sequence of ALSConfig, or Strategy
        All of a list, as from `expand`; or one of `alsolike.tuning.strategies`.
    sweeps : sequence of int or None
        Where each training is scored; the last ends it. None: the iterations that `configs` name.
    ledger : Ledger or None
        None: in memory.
    k, metric, exclude_seen
        Settings of a `ListJudge`, in place of `judge`; None keeps its own.
    judge : Judge or None
        What ranks, always on the validation part: a `ListJudge`, or a `ShelfJudge` to choose by
        similar items. None: lists.
    beside : sequence of Judge
        Further ways to score and to choose, from the same trainings.
    baselines : sequence of Config
        Other models for the same leaderboard, see `alsolike.tuning.candidates`.
    patience : int or None
        Stop a training after so many points without a better score; None: never.
    prune : bool
        End a training whose score falls below the median that earlier rounds had at its sweep.
    workers : int
        Above 1, so many processes train; the ledger must be a file then.
    deadline : float or None
        In seconds since 1970; what would not end by then is skipped, and the result says so. Lists
        are tried in an order drawn by the seed then, so that what there is time for is no corner.
    afterwards : callable
        Seconds before the deadline that the caller needs for what comes after, by the forecast.
    forecast : bool
        Measure a few sweeps first, and tell how long it will take and in how much memory.
    engine : Engine or None
        Where to compute; the result does not depend on it.
    observer : Observer
        Hears a step for each point, is told a `FinishedRun` for each training, and is warned of
        users whom a judge cannot ask.

    Raises
    ------
    SettingError
        No configurations, no sweeps, judges of one name, a judge with settings beside it, or one
        that would rank by test users.
    SplitError
        The split lacks the part that a judge chooses on.
    LedgerError
        The ledger belongs to other data or settings, or a point was done twice.
    FitError
        Every configuration failed.
    DegenerateError
        Every training of ALS is degenerate: its lists are as good as drawn by lot, see
        `alsolike.evaluation.results.Evaluation.is_degenerate`. What was found is in ``found``.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting import hold_out
    >>> from alsolike.tuning.space import expand
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> items = [f"i{number % 15}" for number in range(240)]
    >>> split = hold_out(Interactions.from_columns(users, items), k=2)
    >>> configs = expand({"factors": [2, 4]}, ALSConfig())
    >>> result = search(split, configs, sweeps=[2, 4], k=5)
    >>> len(result.curves), len(result.leaderboard)
    (4, 2)
    """
    # From here on by a clock that nobody sets.
    until = None if deadline is None else time.monotonic() + deadline - time.time()
    wanted = sweeps_for(configs, sweeps)
    strategy = strategy_for(configs, wanted[-1], prune=prune)
    expect_split(split)
    if deadline is not None and isinstance(strategy, Listed):
        order = np.random.default_rng(strategy.configs[0].seed).permutation(len(strategy.configs))
        strategy = replace(strategy, configs=[strategy.configs[place] for place in order])
    first = first_judge(judge, k=k, metric=metric, exclude_seen=exclude_seen)
    judges = checked_judges(split, may_rank(first), beside)
    for one in judges.values():
        if left_out := one.left_out(split):
            observer.warn(left_out)
    checked_workers(workers, patience)
    plan = Plan(split, judges, wanted, patience)
    with Ledger(None) if ledger is None else contextlib.nullcontext(ledger) as book:
        book.bind(_facts(plan, strategy, prune))
        local = engine or LocalEngine()
        crew: Crew = (
            Threads(plan, book, local) if workers == 1 else Processes(plan, book, local, workers)
        )
        with crew:
            work = _Search(plan, book, strategy, prune, observer)
            if forecast or deadline is not None:
                work.expect(crew, baselines, until, afterwards, told=forecast)
            work.go(crew, baselines)
        return work.result()


class _Search:
    """One search as it goes on: its rounds, and the runs that these have entered."""

    def __init__(
        self, plan: Plan, ledger: Ledger, strategy: Strategy, prune: bool, observer: Observer
    ) -> None:
        self._plan, self._ledger, self._strategy = plan, ledger, strategy
        self._prune, self._observer = prune, observer
        self._deadline = Deadline()
        self._configs: dict[int, Config] = {}  # by entry, in the order of the proposals

    def expect(
        self,
        crew: Crew,
        baselines: Sequence[Config],
        until: float | None,
        afterwards: Callable[[TimeForecast], float],
        *,
        told: bool,
    ) -> None:
        """Forecast how long what is left of the search takes, and what the deadline leaves of it.

        Nothing is measured where nothing is left, or no time.
        """
        self._deadline = Deadline(until)
        rows = self._ledger.to_table().rows()
        ended = {row["settings"] for row in rows if row["state"] in _AT_REST}
        trials = self._strategy.expected(self._plan.sweeps)
        left = [one for one in trials if _name(one.config) not in ended]
        lines = [one for one in baselines if _name(one) not in ended]
        if not (left or lines) or self._deadline.is_over:
            return
        self._observer.start("making ready")
        crew.make_ready(kinds_of((one.config for one in left), self._plan.split.train))
        shape = crew.shape
        found = forecast_time(self._plan, left, lines, shape)
        self._observer.finish()
        if told:
            self._observer.tell(found)
        if told and left:
            configs, train = [one.config for one in left], self._plan.split.train
            memory = bytes_of(lines, train, shape.beside)
            self._observer.tell(search_memory(train, configs, shape, baselines=memory))
        if until is None:
            return
        self._deadline = Deadline(until - afterwards(found), found.pace)
        if (seconds := self._deadline.left) < found.seconds:
            share = max(seconds - found.lines, 0.0) / max(found.seconds - found.lines, 1e-9)
            words = (
                f"The budget leaves {in_words(seconds)} of that: about {len(left) * share:,.0f} of "
                f"{len(left):,} trainings"
            )
            if isinstance(self._strategy, Listed):
                words += ", drawn evenly. A search by halving or doubling makes more of little time"
            self._observer.warn(f"{words}.")

    def go(self, crew: Crew, baselines: Sequence[Config]) -> None:
        """Do the lines to beat, then round after round, until nothing more is proposed or fits."""
        if baselines:
            entries = [self._enlist(config, ONE_GO, {}) for config in baselines]
            self._do(crew, self._affordable(crew, entries), "lines to beat")
        rounds: list[list[Tried]] = []
        while trials := self._proposed(rounds):
            bars = bars_of(rounds) if self._prune else {}
            entries = [self._enlist(trial.config, trial.sweeps, bars) for trial in trials]
            again = f", round {len(rounds) + 1}" if rounds else ""
            self._do(crew, entries, f"{self._strategy.name} search{again}")
            rounds.append(
                [self._tried(entry, trial) for entry, trial in zip(entries, trials, strict=True)]
            )
            states = [self._ledger.state(entry) for entry in entries]
            if self._deadline.is_over or set(states) == {"skipped"}:
                break
        self._do_one(crew)

    def _do_one(self, crew: Crew) -> None:
        """Do the start of one training where there was time for none: some answer beats no answer.

        It is the one with the nearest point; what was not measured cannot be told, and is left.
        """
        pace, first = self._deadline.pace, self._plan.sweeps[0]
        own = {e: one for e, one in self._configs.items() if isinstance(one, ALSConfig)}
        if not pace.measured or any(self._ledger.points(entry) for entry in own):
            return
        needed = {e: pace.until(one, sweep=first, points=1) for e, one in own.items()}
        nearest = min(needed, key=needed.__getitem__)
        self._deadline = Deadline(self._deadline.clock() + _PATIENT * needed[nearest], pace)
        self._do(crew, [nearest], "one training")

    def _affordable(self, crew: Crew, entries: Sequence[int]) -> list[int]:
        """Return the lines to beat that take no more of the time than is theirs; skip the others.

        They come in their order, popularity first.
        """
        allowed = _FOR_LINES * self._deadline.left * crew.shape.beside
        chosen = []
        for entry in entries:
            needed = self._deadline.pace.whole(self._configs[entry], ())
            if needed <= allowed or self._ledger.state(entry) in _AT_REST:
                chosen.append(entry)
                allowed -= needed
        if left_out := [entry for entry in entries if entry not in chosen]:
            self._ledger.skip(left_out)
            names = dict.fromkeys(model_of(self._configs[e].to_settings()) for e in left_out)
            self._observer.warn(f"There is no time for these lines to beat: {', '.join(names)}.")
        return chosen

    def result(self) -> SearchResult:
        """Rank what the ledger holds, once for each judge."""
        runs = runs_of(self._configs)
        recorded = [(run, points) for run in runs if (points := self._ledger.points(run.entry))]
        errors = [(run, e) for run in runs if (e := self._ledger.error(run.entry)) is not None]
        failed = {run.entry for run, _ in errors}
        recorded = [(run, points) for run, points in recorded if run.entry not in failed]
        if not recorded and errors:
            raise FitError(f"All {len(runs)} runs failed. The first: {errors[0][1]}")
        if not recorded:
            raise FitError("Time was up before any run had a score. Give the search more of it.")
        found = ranked(self._plan, self._ledger, recorded, errors, skipped=self._skipped(runs))
        if found.is_degenerate:
            self._observer.tell(found)
            raise DegenerateError(found.choice, found)
        return found

    def _proposed(self, rounds: Sequence[Sequence[Tried]]) -> list[Trial]:
        """Return the next round, the iterations of all its trainings the same."""
        last = self._plan.sweeps[-1]
        return [
            replace(trial, config=replace(trial.config, iterations=last))
            for trial in self._strategy.propose(rounds, self._plan.sweeps)
        ]

    def _enlist(self, config: Config, sweeps: int, bars: Mapping[int, float]) -> int:
        [entry] = self._ledger.enlist([config.to_settings()], sweeps=sweeps, bars=bars)
        self._configs.setdefault(entry, config)
        return entry

    def _do(self, crew: Crew, entries: Sequence[int], task: str) -> None:
        """Have one round done, and tell of it."""
        self._ledger.take_up(entries)
        expected = {entry: self._expected(entry) for entry in entries}
        self._observer.start(task, sum(expected.values()))
        teller = Teller(self._ledger, self._plan, self._observer, self._configs, expected)
        crew.work(entries, self._deadline, teller.look)
        self._observer.finish()
        if self._deadline.is_over:
            self._ledger.skip(entries)

    def _expected(self, entry: int) -> int:
        _, sweeps, _ = self._ledger.task(entry)
        asked = [sweep for sweep in self._plan.sweeps if sweep <= sweeps]
        return len(sweeps_of(self._configs[entry], asked))

    def _tried(self, entry: int, trial: Trial) -> Tried:
        """Return what came of a trial, by its own sweeps alone: later rounds may stand already.

        Degenerate points have no score: nothing goes on, is proposed or is pruned by them.
        """
        score = self._plan.score
        return Tried(
            trial,
            {
                sweep: figures[score]
                for sweep, figures in self._ledger.points(entry).items()
                if sweep <= trial.sweeps
                and self._ledger.error(entry) is None
                and rank_key(figures, score)[0]
            },
        )

    def _skipped(self, runs: Sequence[Run]) -> int:
        return sum(self._ledger.state(run.entry) == "skipped" for run in runs)


def _name(config: Config) -> str:
    return canonical_settings(config.to_settings())


def _facts(plan: Plan, strategy: Strategy, prune: bool) -> dict[str, Any]:
    """Return all that the figures depend on, apart from the configurations."""
    split = plan.split
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    if split.given is not None:
        parts["given"] = split.given
    return {
        "split": split.method,
        "search": strategy.name,
        "sweeps": list(plan.sweeps),
        "patience": plan.patience,
        "prune": prune,
        "figures under equal scores": "mean over all orders",
        **{f"{DATA}{name}": part.fingerprint for name, part in parts.items()},
        **{f"judge {judge.name}": judge.to_settings() for judge in plan.judges.values()},
        **{f"version of {package}": version(package) for package in _FIGURES_DEPEND_ON},
    }
