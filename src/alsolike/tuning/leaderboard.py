"""From recorded points to a leaderboard: which run is best, as each judge sees it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alsolike.evaluation.curves import Judge
from alsolike.models.config import ALSConfig
from alsolike.tables import Table

Points = Mapping[int, Mapping[str, float]]


@dataclass(frozen=True)
class SearchResult:
    """What a search found, as one judge sees it.

    Parameters
    ----------
    judge : Judge
        What ranks here; ``str(judge)`` says it in words.
    curves : Table
        One row per point: run, rank of its run, sweep, the settings that vary, and the figures
        named by ``judge.figures``.
    leaderboard : Table
        One row per run, best first: rank, run, model, the settings that vary, the sweep of its
        best point, and that point's score with both ends of its 95 % interval.
    best : ALSConfig
        The first of the leaderboard, with its best sweep as ``iterations``.
    best_run : int
        The number of its run, from 1.
    failures : Table
        Runs without an answer: run, settings, error.
    beside : mapping of str to SearchResult
        The same trainings as the further judges see them, by the judge's name.
    """

    judge: Judge
    curves: Table
    leaderboard: Table
    best: ALSConfig
    best_run: int
    failures: Table
    beside: Mapping[str, "SearchResult"] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"Best on {self.judge}:\n{self.leaderboard}"

    def _repr_html_(self) -> str:
        return f"<p>{self.judge}</p>{self.leaderboard._repr_html_()}"


@dataclass(frozen=True)
class Run:
    """One training of a search.

    Parameters
    ----------
    number : int
        From 1, in the order in which the configurations were given.
    entry : int
        Its number in the ledger.
    config : ALSConfig
    varying : mapping of str to plain values
        The settings that are not the same in all runs.
    """

    number: int
    entry: int
    config: ALSConfig
    varying: Mapping[str, Any]

    @property
    def settings(self) -> str:
        """What sets it apart, in words."""
        return ", ".join(f"{name} {value}" for name, value in self.varying.items())

    @property
    def title(self) -> str:
        """Its number and what sets it apart, in words."""
        return f"run {self.number}: {self.settings}" if self.varying else f"run {self.number}"


def tied(score: float) -> float:
    """Return the score as it ranks: means of the same hits tie, whatever their last bits."""
    return round(score, 12)


@dataclass(frozen=True)
class _Scored:
    """A run with its figures at each sweep, as one judge sees them."""

    run: Run
    points: Points
    score: str

    @property
    def best_sweep(self) -> int:
        return min(self.points, key=lambda sweep: (-self._at(sweep), sweep))

    @property
    def standing(self) -> tuple[float, int, int, int]:
        """What runs are sorted by: the score, then what is cheaper to train and to keep."""
        sweep = self.best_sweep
        return -self._at(sweep), self.run.config.factors, sweep, self.run.number

    def _at(self, sweep: int) -> float:
        return tied(self.points[sweep][self.score])


def _stripped(points: Points, prefix: str, judge: Judge) -> dict[int, dict[str, float]]:
    """Return the figures of one judge, under their plain names and in their order."""
    return {
        sweep: {name: figures[prefix + name] for name in judge.figures}
        for sweep, figures in points.items()
    }


def ranked(
    judges: Mapping[str, Judge],
    recorded: Sequence[tuple[Run, Points]],
    errors: Sequence[tuple[Run, str]],
) -> SearchResult:
    """Rank runs, once for each judge.

    Parameters
    ----------
    judges : mapping of str to Judge
        By the prefix of their figures; the first is the result, the others stand beside it.
    recorded : sequence of (Run, points)
        The figures of each finished run at each sweep; at least one run.
    errors : sequence of (Run, str)
        Why the others failed.
    """
    failures = Table(
        {
            "run": [run.number for run, _ in errors],
            "settings": [run.settings for run, _ in errors],
            "error": [error for _, error in errors],
        }
    )
    first, *others = (
        _seen_by(
            judge,
            [
                _Scored(run, _stripped(points, prefix, judge), judge.score)
                for run, points in recorded
            ],
            failures,
        )
        for prefix, judge in judges.items()
    )
    return replace(first, beside={other.judge.name: other for other in others})


def _seen_by(judge: Judge, scored: Sequence[_Scored], failures: Table) -> SearchResult:
    in_order = sorted(scored, key=lambda one: one.standing)
    ranks = {one.run.number: rank for rank, one in enumerate(in_order, start=1)}
    interval = (judge.score, f"{judge.score}_low", f"{judge.score}_high")
    curves = [
        {"run": one.run.number, "rank": ranks[one.run.number], "sweep": sweep}
        | dict(one.run.varying)
        | dict(figures)
        for one in scored
        for sweep, figures in one.points.items()
    ]
    leaderboard = [
        {"rank": rank, "run": one.run.number, "model": "als"}
        | dict(one.run.varying)
        | {"sweep": one.best_sweep}
        | {name: one.points[one.best_sweep][name] for name in interval}
        for rank, one in enumerate(in_order, start=1)
    ]
    best = in_order[0]
    return SearchResult(
        judge,
        Table.from_rows(curves),
        Table.from_rows(leaderboard),
        replace(best.run.config, iterations=best.best_sweep),
        best.run.number,
        failures,
    )


def curve_table(points: Points, judge: Judge) -> Table:
    """Return the article's table: sweep, and score and error on both sides."""
    shown = [name for name in judge.figures if not name.endswith(("_low", "_high"))]
    columns: dict[str, list[float]] = {"sweep": list(points)}
    for name in shown:
        columns[name.replace("_", " ")] = [figures[name] for figures in points.values()]
    return Table(columns)
