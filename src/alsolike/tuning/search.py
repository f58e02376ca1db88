"""A search: rounds of trainings from a strategy, each scored at chosen sweeps, each point once."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from alsolike.data.split import Split, expect_split
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.judges import checked_judges, first_judge
from alsolike.evaluation.judging import Judge
from alsolike.hints import with_example
from alsolike.models.settings import Config, seed_of
from alsolike.observing import SILENT, Observer
from alsolike.tuning.asked import checked_workers, lines_for, may_rank, strategy_for, sweeps_for
from alsolike.tuning.crew import Crew, Processes, Threads
from alsolike.tuning.differences import DATA
from alsolike.tuning.leaderboard import SearchResult
from alsolike.tuning.ledger import Ledger
from alsolike.tuning.plan import Plan
from alsolike.tuning.rounds import Progress, Tasks
from alsolike.tuning.strategies import Listed, Strategy
from alsolike.tuning.timing import TimeForecast

# Figures recorded with one of these are not continued with another.
_FIGURES_DEPEND_ON = ("alsolike", "numba", "numpy", "scipy")


@with_example('al.search(split, al.expand({"factors": [16, 64]}, al.ALSConfig()))')
def search(
    split: Split,
    configs: Sequence[Any] | Strategy,
    *,
    sweeps: Sequence[int] | None = None,
    ledger: Ledger | None = None,
    k: int | None = None,
    metric: str | None = None,
    exclude_seen: bool | None = None,
    judge: Judge | None = None,
    beside: Sequence[Judge] = (),
    candidates: Sequence[Config] = (),
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
    best point; equal scores go to baselines, then to what keeps fewer bytes, then to the earlier
    sweep, then to candidates before the strategy's trainings, in their order. With
    a ledger on disk, the same call after a kill goes on where it was and ends with the same
    result, whatever the number of workers. A configuration that the solver cannot answer is
    recorded, reported, and left out of the ranking. A point that is degenerate is below all others,
    and never chosen.

    Parameters
    ----------
    split : Split
    configs : sequence of Config, or Strategy
        All of a list, as from `expand`, of any family; or one of `alsolike.tuning.strategies`. A
        list may be empty where there are candidates.
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
    candidates, baselines : sequence of Config
        Other models for the same leaderboard, such as `alsolike.tuning.lineup.lineup_for` gives
        them. A candidate may be the best; a baseline is compared with, and never chosen.
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
        All that may be chosen is degenerate: its lists are as good as drawn by lot, see
        `alsolike.evaluation.results.Evaluation.is_degenerate`. What was found is in ``found``.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting import hold_out
    >>> from alsolike.models.config import ALSConfig
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
    wanted = sweeps_for(configs, sweeps, candidates)
    strategy = strategy_for(configs, wanted[-1], prune=prune, beside=candidates)
    tasks = Tasks(
        _drawn(strategy) if deadline is not None else strategy,
        lines_for(candidates, "candidates", wanted[-1]),
        lines_for(baselines, "baselines", wanted[-1]),
        prune,
    )
    expect_split(split)
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
            work = Progress(plan, book, tasks, observer)
            if forecast or deadline is not None:
                work.expect(crew, until, afterwards, told=forecast)
            work.go(crew)
        return work.result()


def _drawn(strategy: Strategy) -> Strategy:
    """Return a list in an order drawn by its seed, so that what there is time for is no corner."""
    if not isinstance(strategy, Listed) or not strategy.configs:
        return strategy
    rng = np.random.default_rng(seed_of(strategy.configs[0]))
    order = rng.permutation(len(strategy.configs))
    return replace(strategy, configs=[strategy.configs[place] for place in order])


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
