"""Ranks the recorded runs of a search by each objective."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, LedgerError
from alsolike.evaluation.objectives.base import DEGENERATE, Objective
from alsolike.evaluation.statistics.selection import cheapest_of, compare_with_best, optimism
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tables import Table
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult
from alsolike.tuning.leaderboard.runs import DEAD, Run, rank_key
from alsolike.tuning.plan import Plan, ending_at, is_scored_at_sweeps
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.storage.ledger import Ledger

Values = npt.NDArray[np.float64]
Points = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class _Scored:
    """A run with its figures at each sweep, by one objective."""

    run: Run
    points: Points
    score: str
    per_user: Values
    state: str
    seconds: float | None
    cost: int

    @property
    def best_sweep(self) -> int:
        keys = {sweep: rank_key(figures, self.score) for sweep, figures in self.points.items()}
        return max(keys, key=lambda sweep: (*keys[sweep], -sweep))

    @property
    def is_degenerate(self) -> bool:
        """Whether none of its points may be chosen."""
        return not rank_key(self.points[self.best_sweep], self.score)[0]

    @property
    def sort_key(self) -> tuple[bool, float, int, int, int]:
        """The sort key: the score, then the cost of the model and of training.

        The cost of baselines counts as 0, so that runs with equal scores are below them.
        """
        sweep, cost = self.best_sweep, 0 if self.run.role == "baseline" else self.cost
        is_alive, score = rank_key(self.points[sweep], self.score)
        return not is_alive, -score, cost, sweep, self.run.entry

    def row(self, rank: int, interval: Sequence[str], *, ties: bool) -> LeaderboardRow:
        """Return its row of the leaderboard."""
        run, sweep = self.run, self.best_sweep
        mean, low, high = (self.points[sweep][name] for name in interval)
        return LeaderboardRow(
            rank=rank,
            run=run.number,
            family=run.family,
            config=ending_at(run.config, sweep),
            settings=run.varying,
            sweep=sweep if is_scored_at_sweeps(run.config) else None,
            mean=mean,
            low=low,
            high=high,
            ties=ties,
            state=DEAD if self.is_degenerate else self.state,
            seconds=self.seconds,
            bytes=self.cost,
            role=run.role,
        )


def ranked(
    plan: Plan,
    ledger: Ledger,
    recorded: Sequence[tuple[Run, Points]],
    errors: Sequence[tuple[Run, str]],
    *,
    skipped: int = 0,
    cut: Sequence[str] = (),
) -> SearchResult:
    """Rank runs by each objective.

    Parameters
    ----------
    plan : Plan
        The first of its objectives gives the result, the others are added to it.
    ledger : Ledger
        Has the scores of each user.
    recorded : sequence of (Run, points)
        The figures of each run at each sweep; at least one run.
    errors : sequence of (Run, str)
        The errors of the other runs.
    skipped : int
        Number of runs for which there was no time.
    cut : sequence of str
        The families of baselines and candidates among them.

    Raises
    ------
    FitError
        No run that may be chosen has a score.
    """
    failures = Table(
        {
            "run": [run.number for run, _ in errors],
            "settings": [run.settings or run.model for run, _ in errors],
            "error": [error for _, error in errors],
        }
    )
    first, *others = (
        replace(
            _result_of(objective, _scored(prefix, objective, plan, ledger, recorded), failures),
            skipped=skipped,
            cut=tuple(cut),
        )
        for prefix, objective in plan.objectives.items()
    )
    return replace(first, beside={other.objective.name: other for other in others})


def _scored(
    prefix: str,
    objective: Objective,
    plan: Plan,
    ledger: Ledger,
    recorded: Sequence[tuple[Run, Points]],
) -> list[_Scored]:
    """Return the runs with the figures of one objective, without their prefix."""
    found, train = [], plan.split.train
    seconds_of = _seconds(ledger, recorded)
    for run, points in recorded:
        own = {
            sweep: {
                name: figures[prefix + name]
                for name in (*objective.figures, DEGENERATE)
                if prefix + name in figures
            }
            for sweep, figures in points.items()
        }
        best = ledger.best(run.entry, prefix)
        if best is None:
            raise LedgerError(
                f"{ledger.place}: {run.title} has points, but the scores of its users are "
                "missing. Delete the file to start the search again."
            )
        state, seconds = ledger.state(run.entry), seconds_of(run)
        cost = int(family_of(run.config).cost(run.config, train.n_users, train.n_items))
        found.append(_Scored(run, own, objective.score, best[1], state, seconds, cost))
    return found


def _seconds(
    ledger: Ledger, recorded: Sequence[tuple[Run, Points]]
) -> Callable[[Run], float | None]:
    """Return how long runs took, with the trainings of their members, which others have done."""
    known = {_trained(run.config): ledger.seconds(run.entry) for run, _ in recorded}

    def seconds_of(run: Run) -> float | None:
        members = family_of(run.config).members(run.config)
        each = [ledger.seconds(run.entry), *(known.get(_trained(one)) for one in members)]
        return None if None in each else sum(filter(None, each))

    return seconds_of


def _trained(config: Config) -> str:
    """Return a key of a training, whatever the sweep that was chosen."""
    return canonical_settings(ending_at(config, 1).to_settings())


def _result_of(objective: Objective, scored: Sequence[_Scored], failures: Table) -> SearchResult:
    in_order = sorted(scored, key=lambda one: one.sort_key)
    # Degenerate runs come last, and are compared only if there are no others.
    alive = [one for one in in_order if not one.is_degenerate]
    per_user = np.array([one.per_user for one in alive or in_order])
    ties = np.zeros(len(in_order), dtype=bool)
    if alive:
        ties[: len(alive)] = compare_with_best(per_user, np.random.default_rng(0)).ties
    rows = tuple(
        one.row(rank, objective.interval, ties=bool(tie))
        for rank, (one, tie) in enumerate(zip(in_order, ties, strict=True), start=1)
    )
    best, proposed = _chosen(in_order, rows, per_user)
    return SearchResult(
        objective,
        _curves(
            objective, scored, {one.run.entry: row for one, row in zip(in_order, rows, strict=True)}
        ),
        rows,
        best,
        proposed,
        optimism(per_user, np.random.default_rng(0)).mapped(objective.of_gain),
        failures,
        best.is_degenerate,
    )


def _curves(
    objective: Objective, scored: Sequence[_Scored], rows: Mapping[int, LeaderboardRow]
) -> Table:
    """Return all points of the runs that have curves, by run number."""
    has_dead = any(DEGENERATE in figures for one in scored for figures in one.points.values())
    names = (*objective.figures, DEGENERATE) if has_dead else objective.figures
    shown = sorted(
        (one for one in scored if one.run.has_curve), key=lambda one: one.run.number or 0
    )
    points: list[dict[str, Any]] = [
        {"run": one.run.number, "rank": rows[one.run.entry].rank, "sweep": sweep}
        | dict(rows[one.run.entry].own)
        | {name: figures.get(name) for name in names}
        | {"state": one.state}
        for one in shown
        for sweep, figures in one.points.items()
    ]
    if not points:
        return Table({name: [] for name in ("run", "rank", "sweep", *names, "state")})
    return Table.from_rows(points)


def _chosen(
    in_order: Sequence[_Scored], rows: Sequence[LeaderboardRow], per_user: Values
) -> tuple[LeaderboardRow, LeaderboardRow]:
    """Return the best row that may be chosen, and the cheapest tied with the best of all.

    If none ties with it, a baseline is at the top: the cheapest tied with the best of the others.
    """
    places = [at for at, row in enumerate(rows) if row.is_candidate]
    if not places:
        raise FitError("No run that may be chosen has a score; only baselines have.")
    best = rows[places[0]]
    if best.is_degenerate:
        return best, best
    places = [at for at in places if not rows[at].is_degenerate]
    tie = np.array([rows[at].ties for at in places])
    if not tie.any():
        tie = compare_with_best(per_user[places], np.random.default_rng(0)).ties
    costs = [(rows[at].bytes, in_order[at].best_sweep, at) for at in places]
    return best, rows[places[cheapest_of(costs, tie)]]


def curve_table(points: Points, objective: Objective) -> Table:
    """Return the learning curve as a table: sweep, and score and error on train and held-out."""
    first = next(iter(points.values()), {})
    shown = [
        name for name in objective.figures if name in first and not name.endswith(("_low", "_high"))
    ]
    columns: dict[str, list[float]] = {"sweep": list(points)}
    for name in shown:
        columns[name.replace("_", " ")] = [figures[name] for figures in points.values()]
    return Table(columns)
