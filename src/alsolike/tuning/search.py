"""Searches for the best settings: trains what a strategy proposes, and ranks it."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from alsolike.data.splitting.split import Split, expect_split
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.kinds import checked_objectives
from alsolike.models.memo import Memo
from alsolike.models.settings import Config, seed_of
from alsolike.progress import SILENT, Observer
from alsolike.tuning.budget.budget import Budget, budget_of
from alsolike.tuning.execution.executors import Executor, Processes, Threads
from alsolike.tuning.execution.rounds import SearchRun, Tasks
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.plan import Plan
from alsolike.tuning.storage.canonical import DATA
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import FixedList, Strategy
from alsolike.tuning.validation import (
    combined_families,
    distinct_configs,
    expect_times,
    objectives_of,
    ranking_objective,
    strategy_for,
    sweeps_for,
)
from alsolike.usage_hints import with_example

# A search is not continued with another version of one of these.
_FIGURES_DEPEND_ON = ("alsolike", "numba", "numpy", "scipy")


@with_example('al.search(split, al.expand({"factors": [16, 64]}, al.ALSConfig()))')
def search(
    split: Split,
    strategy: Sequence[Any] | Strategy,
    *,
    objective: Objective | str | Sequence[Objective | str] | None = None,
    budget: Budget | float | None = None,
    sweeps: Sequence[int] | None = None,
    candidates: Sequence[Config] = (),
    baselines: Sequence[Config] = (),
    combined: Sequence[str] = (),
    ledger: Ledger | None = None,
    workers: int = 1,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> SearchResult:
    """Train each configuration once, score it at the chosen sweeps, and rank on validation.

    Configurations that differ only in ``iterations`` are one training. A run ranks by its best
    point; of equal scores, baselines come first, then models of fewer bytes, then earlier sweeps,
    then candidates before the strategy's trainings, in their order. With a ledger on disk, the same
    call after a kill resumes the search and ends with the same result, for any number of workers.
    Failed trainings are reported, and not ranked. A degenerate point is below all others, and never
    chosen.

    Parameters
    ----------
    split : Split
    strategy : sequence of Config, or Strategy
        A list, as from `expand`, of any family; or one of `alsolike.tuning.strategies`, which may
        end trainings early. A list may be empty if there are candidates.
    objective : str, Objective, sequence of these, or None
        Ranks, always on the validation part: a metric of lists such as ``"ndcg@10"``, or of
        similar items such as ``"shelf_hit_rate@10"``; or a `RankingObjective` or
        `ItemToItemObjective`, which have further settings. Of several the first ranks; the result
        has those of the others, from the same trainings. None: ``"precision@10"``.
    budget : Budget, float or None
        The time limit, or its seconds; None: no limit.
    sweeps : sequence of int or None
        Sweeps at which each training is scored; the last ends it. None: the iterations of the
        configurations.
    candidates, baselines : sequence of Config
        Other models for the same leaderboard, such as
        `alsolike.tuning.candidate_families.lineup_for` returns. A candidate may be chosen, a
        baseline may not.
    combined : sequence of str
        Families such as ``"blend"``, whose models are made of the best models of the families above
        that may be chosen; tried last, and only if lists are ranked. See `Lineup`.
    ledger : Ledger or None
        None: in memory.
    workers : int
        Training processes; above 1, the ledger must be a file.
    engine : Engine or None
        The result does not depend on it.
    observer : Observer
        Receives a step for each point, a `FinishedRun` for each training, and a warning about
        users whom an objective leaves out.

    Raises
    ------
    SettingError
        No configurations, no sweeps, no such metric, objectives of one name, or one that would
        rank by test users.
    SplitError
        The split lacks the part that an objective chooses on.
    DataError
        A configuration has a half-life, and the likes have no times.
    LedgerError
        The ledger belongs to other data or settings, or a point was scored twice.
    FitError
        Every configuration failed.
    DegenerateError
        All that may be chosen is degenerate, see
        `alsolike.evaluation.metrics.result.Evaluation.is_degenerate`; the result is in ``found``.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting.splitters import hold_out
    >>> from alsolike.models.als.config import ALSConfig
    >>> from alsolike.tuning.strategies.search_space import expand
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> items = [f"i{number % 15}" for number in range(240)]
    >>> split = hold_out(Interactions.from_columns(users, items), k=2)
    >>> configs = expand({"factors": [2, 4]}, ALSConfig())
    >>> result = search(split, configs, objective="precision@5", sweeps=[2, 4])
    >>> len(result.curves), len(result.leaderboard)
    (4, 2)
    """
    spend = budget_of(budget)
    until = None if spend.seconds is None else time.monotonic() + spend.seconds
    wanted = sweeps_for(strategy, sweeps, candidates)
    chosen = strategy_for(strategy, wanted[-1], candidates=candidates)
    tasks = Tasks(
        chosen if until is None else _shuffled(chosen),
        distinct_configs(candidates, "candidates", wanted[-1]),
        distinct_configs(baselines, "baselines", wanted[-1]),
        combined_families(combined),
    )
    expect_split(split)
    planned = (trial.config for trial in chosen.expected(wanted))
    expect_times(split.train, (*planned, *candidates, *baselines))
    first, *further = objectives_of(objective)
    objectives = checked_objectives(split, ranking_objective(first), further)
    for one in objectives.values():
        if left_out := one.left_out(split):
            observer.warn(left_out)
    check_whole("workers", workers, least=1)
    memo = Memo(keeps_best=bool(tasks.combined) and not objectives[""].is_of_unseen_users)
    plan = Plan(split, objectives, wanted, chosen.patience, memo=memo)
    with Ledger(None) if ledger is None else contextlib.nullcontext(ledger) as book:
        book.bind(_facts(plan, chosen))
        local = engine or LocalEngine()
        executor: Executor = (
            Threads(plan, book, local) if workers == 1 else Processes(plan, book, local, workers)
        )
        with executor:
            work = SearchRun(plan, book, tasks, observer)
            if spend.forecast or until is not None:
                work.expect(executor, spend, until)
            work.go(executor)
        return work.result()


def _shuffled(strategy: Strategy) -> Strategy:
    """Return a list in random order, so that a cut-short search covers the grid."""
    if not isinstance(strategy, FixedList) or not strategy.configs:
        return strategy
    rng = np.random.default_rng(seed_of(strategy.configs[0]))
    order = rng.permutation(len(strategy.configs))
    return replace(strategy, configs=[strategy.configs[place] for place in order])


def _facts(plan: Plan, strategy: Strategy) -> dict[str, Any]:
    """Return all that scores depend on, except for the configurations."""
    split = plan.split
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    if split.given is not None:
        parts["given"] = split.given
    return {
        "split": split.method,
        "search": strategy.name,
        "sweeps": list(plan.sweeps),
        "patience": plan.patience,
        "prune": strategy.prune,
        "figures under equal scores": "mean over all orders",
        **{f"{DATA}{name}": part.fingerprint for name, part in parts.items()},
        **{
            f"judge {objective.name}": objective.to_settings()
            for objective in plan.objectives.values()
        },
        **{f"version of {package}": version(package) for package in _FIGURES_DEPEND_ON},
    }
