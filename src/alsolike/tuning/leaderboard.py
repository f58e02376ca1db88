"""From recorded points to a leaderboard: which run is best, as each judge sees it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, LedgerError
from alsolike.evaluation.comparing import (
    Flags,
    Optimism,
    cheapest_of,
    compare_with_best,
    optimism,
)
from alsolike.evaluation.judging import DEGENERATE, Judge
from alsolike.models.config import ALSConfig
from alsolike.tables import Table, wrapped
from alsolike.tuning.candidates import Config, model_of
from alsolike.tuning.canonical import canonical_settings, plain_value
from alsolike.tuning.leading import failed, leading
from alsolike.tuning.ledger import Ledger
from alsolike.tuning.ordering import DEAD, rank_key, said_of_all
from alsolike.tuning.plan import Plan

Values = npt.NDArray[np.float64]
Points = Mapping[int, Mapping[str, float]]

_WHOLE = "--verbose or leaderboard.csv"


@dataclass(frozen=True)
class SearchResult:
    """What a search found, as one judge sees it.

    Parameters
    ----------
    judge : Judge
        What ranks here; ``str(judge)`` says it in words.
    curves : Table
        One row per point: run, rank of its run, sweep, the settings that vary, the figures named
        by ``judge.figures``, ``degenerate_share`` where any point is degenerate, and how the run
        ended: ``"done"``, ``"stopped"`` early, ``"pruned"`` or ``"skipped"`` for want of time.
    leaderboard : Table
        One row per run, best first: rank, run, model, the settings that vary, the sweep of its
        best point, that point's score with both ends of its 95 % interval, whether it ties with
        the best, and how the run ended; ``"degenerate"`` where every point of it ranks next to
        nothing. Those come last, are compared with none, and are never chosen.
    best : ALSConfig
        The first ALS run of the leaderboard, with its best sweep as ``iterations``.
    best_run : int
        The number of its run, from 1.
    proposed : ALSConfig
        The cheapest ALS run of those that cannot be told from the best: the fewest factors, then
        the fewest sweeps. `best` where no other ties. Where all ALS runs are worse than a line to
        beat, they are compared among themselves.
    proposed_run : int
        The number of its run.
    optimism : Optimism
        By how much the best score overstates itself, for being the best of many.
    failures : Table
        Runs without an answer: run, settings, error.
    is_degenerate : bool
        Whether every ALS run is degenerate: `best` is not to be used then. Of the judge that ranks
        a search is an error instead.
    skipped : int
        Runs that were cut or not begun, because time was up.
    seconds : tuple of float or None
        What each run of the leaderboard took, in its order.
    beside : mapping of str to SearchResult
        The same trainings as the further judges see them, by the judge's name.
    """

    judge: Judge
    curves: Table
    leaderboard: Table
    best: ALSConfig
    best_run: int
    proposed: ALSConfig
    proposed_run: int
    optimism: Optimism
    failures: Table
    is_degenerate: bool = False
    skipped: int = 0
    seconds: tuple[float | None, ...] = ()
    beside: Mapping[str, "SearchResult"] = field(default_factory=dict)

    @property
    def choice(self) -> str:
        """Which runs tie, which of them is proposed, and how far the best score can be believed."""
        rows = list(self.leaderboard.rows())
        if self.is_degenerate:
            return said_of_all(rows)
        others = int(np.count_nonzero(self.leaderboard["ties"])) - 1
        if not next(row["ties"] for row in rows if row["run"] == self.best_run):
            told = (
                f"No run reaches {rows[0]['model']}. The best of them is run {self.best_run}; the "
                f"cheapest that cannot be told from that one is run {self.proposed_run}."
            )
        elif others < 1:
            told = "No other run ties with the best."
        else:
            told = (
                f"{others:,} other{'s' * (others > 1)} cannot be told from the best on these "
                f"users; the cheapest that ties is run {self.proposed_run}."
            )
        if degenerate := sum(row["state"] == DEAD for row in rows):
            runs = "1 run is" if degenerate == 1 else f"{degenerate:,} runs are"
            told += f" {runs} degenerate and cannot be chosen."
        if self.skipped:
            told += f" {self.skipped:,} runs were skipped or cut: time was up."
        return f"{told} {self.optimism}"

    def brief(self, width: int) -> str:
        """Return the best runs and the best of each model, at most `width` columns wide."""
        score, measure = self.judge.score, self.judge.measure
        also = {self.best_run, self.proposed_run}
        board = leading(self.leaderboard, score, measure, width, also=also, whole=_WHOLE)
        head = [f"Best on {self.judge}:"]
        if self._shared:
            head.append(f"The same in all als runs: {self._shared}; the rest is the default.")
        said = [wrapped(text, width, indent=2) for text in (*head, self.choice)]
        return "\n".join([*said[:-1], board, *failed(self.failures, width), said[-1]])

    @property
    def _shared(self) -> str:
        """The settings that no run varies and that are not the defaults, in words."""
        usual = ALSConfig().to_settings()
        return ", ".join(
            f"{name} {value}"
            for name, value in self.best.to_settings().items()
            if name not in (*self.leaderboard.column_names, "iterations") and value != usual[name]
        )

    def __str__(self) -> str:
        return f"Best on {self.judge}:\n{self.leaderboard}\n{self.choice}"

    def _repr_html_(self) -> str:
        return f"<p>{self.judge}</p>{self.leaderboard._repr_html_()}<p>{self.choice}</p>"


@dataclass(frozen=True)
class Run:
    """One training of a search.

    Parameters
    ----------
    number : int or None
        From 1, in the order in which the configurations were given; lines to beat have none.
    entry : int
        Its number in the ledger.
    config : Config
    varying : mapping of str to plain values
        The settings that are not the same in all runs of the model.
    """

    number: int | None
    entry: int
    config: Config
    varying: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The word for its model; for the lines to beat with what sets each apart."""
        word = model_of(self.config.to_settings())
        if isinstance(self.config, ALSConfig) or not self.varying:
            return word
        return f"{word} ({', '.join(map(str, self.varying.values()))})"

    @property
    def settings(self) -> str:
        """What sets it apart, in words."""
        return ", ".join(f"{name} {value}" for name, value in self.varying.items())

    @property
    def title(self) -> str:
        """Its number and what sets it apart, in words."""
        if self.number is None:
            return self.model
        return f"run {self.number}: {self.settings}" if self.varying else f"run {self.number}"

    @property
    def cost(self) -> int:
        """What it is to keep: its factors."""
        return self.config.factors if isinstance(self.config, ALSConfig) else 0


def runs_of(configs: Mapping[int, Config]) -> list[Run]:
    """Return configurations, by their entries in the ledger, as numbered runs."""
    of_model: dict[str, list[dict[str, Any]]] = {}
    for config in configs.values():
        settings = config.to_settings()
        of_model.setdefault(model_of(settings), []).append(settings)
    varying = {
        model: [
            name
            for name in settings[0]
            if len({canonical_settings({name: one[name]}) for one in settings}) > 1
        ]
        for model, settings in of_model.items()
    }
    runs: list[Run] = []
    numbers = itertools.count(1)
    for entry, config in configs.items():
        settings = config.to_settings()
        number = next(numbers) if isinstance(config, ALSConfig) else None
        own = {name: plain_value(settings[name]) for name in varying[model_of(settings)]}
        runs.append(Run(number, entry, config, own))
    return runs


@dataclass(frozen=True)
class _Scored:
    """A run with its figures at each sweep, as one judge sees them."""

    run: Run
    points: Points
    score: str
    answers: Values
    state: str
    seconds: float | None

    @property
    def best_sweep(self) -> int:
        keys = {sweep: rank_key(figures, self.score) for sweep, figures in self.points.items()}
        return max(keys, key=lambda sweep: (*keys[sweep], -sweep))

    @property
    def is_degenerate(self) -> bool:
        """Whether no point of it is fit to be chosen: the best comes before all that are not."""
        return not rank_key(self.points[self.best_sweep], self.score)[0]

    @property
    def standing(self) -> tuple[bool, float, int, int, int]:
        """What runs are sorted by: the score, then what is cheaper to train and to keep."""
        sweep = self.best_sweep
        is_alive, score = rank_key(self.points[sweep], self.score)
        return not is_alive, -score, self.run.cost, sweep, self.run.entry


def ranked(
    plan: Plan,
    ledger: Ledger,
    recorded: Sequence[tuple[Run, Points]],
    errors: Sequence[tuple[Run, str]],
    *,
    skipped: int = 0,
) -> SearchResult:
    """Rank runs, once for each judge.

    Parameters
    ----------
    plan : Plan
        Its judges by the prefix of their figures; the first is the result, the others stand
        beside it.
    ledger : Ledger
        Where the values of each user are.
    recorded : sequence of (Run, points)
        The figures of each run at each sweep; at least one run.
    errors : sequence of (Run, str)
        Why the others failed.
    skipped : int
        Runs for which there was no time.
    """
    failures = Table(
        {
            "run": [run.number for run, _ in errors],
            "settings": [run.settings or run.model for run, _ in errors],
            "error": [error for _, error in errors],
        }
    )
    first, *others = (
        _seen_by(judge, _scored(prefix, judge, ledger, recorded), failures, skipped)
        for prefix, judge in plan.judges.items()
    )
    return replace(first, beside={other.judge.name: other for other in others})


def _scored(
    prefix: str, judge: Judge, ledger: Ledger, recorded: Sequence[tuple[Run, Points]]
) -> list[_Scored]:
    """Return the runs with the figures of one judge, under their plain names and in their order."""
    found = []
    for run, points in recorded:
        own = {
            sweep: {
                name: figures[prefix + name]
                for name in (*judge.figures, DEGENERATE)
                if prefix + name in figures
            }
            for sweep, figures in points.items()
        }
        best = ledger.best(run.entry, prefix)
        if best is None:
            raise LedgerError(
                f"{ledger.place}: {run.title} has points, but the values of its users are "
                "gone. Delete the file to start the search anew."
            )
        state, seconds = ledger.state(run.entry), ledger.seconds(run.entry)
        found.append(_Scored(run, own, judge.score, best[1], state, seconds))
    return found


def _seen_by(
    judge: Judge, scored: Sequence[_Scored], failures: Table, skipped: int
) -> SearchResult:
    in_order = sorted(scored, key=lambda one: one.standing)
    ranks = {one.run.entry: rank for rank, one in enumerate(in_order, start=1)}
    # Degenerate runs come last. They are no candidates, unless there are no others.
    alive = [one for one in in_order if not one.is_degenerate]
    answers = np.array([one.answers for one in alive or in_order])
    ties = np.zeros(len(in_order), dtype=bool)
    if alive:
        ties[: len(alive)] = compare_with_best(answers, np.random.default_rng(0)).ties
    has_dead = any(DEGENERATE in figures for one in scored for figures in one.points.values())
    figure_names = (*judge.figures, DEGENERATE) if has_dead else judge.figures
    curves = [
        {"run": one.run.number, "rank": ranks[one.run.entry], "sweep": sweep}
        | _own(one.run)
        | {name: figures.get(name) for name in figure_names}
        | {"state": one.state}
        for one in scored
        if isinstance(one.run.config, ALSConfig)
        for sweep, figures in one.points.items()
    ]
    names = next((list(_own(one.run)) for one in scored if _own(one.run)), [])
    leaderboard = [
        {"rank": rank, "run": one.run.number, "model": one.run.model}
        | {name: _own(one.run).get(name) for name in names}
        | {"sweep": one.best_sweep if isinstance(one.run.config, ALSConfig) else None}
        | {name: one.points[one.best_sweep][name] for name in judge.interval}
        | {"ties": bool(tie), "state": DEAD if one.is_degenerate else one.state}
        for rank, (one, tie) in enumerate(zip(in_order, ties, strict=True), start=1)
    ]
    best, proposed = _chosen(in_order, answers, ties)
    return SearchResult(
        judge,
        Table.from_rows(curves),
        Table.from_rows(leaderboard),
        _config(best),
        best.run.number or 0,
        _config(proposed),
        proposed.run.number or 0,
        optimism(answers, np.random.default_rng(0)),
        failures,
        best.is_degenerate,
        skipped,
        tuple(one.seconds for one in in_order),
    )


def _own(run: Run) -> dict[str, Any]:
    """Return the settings that have columns of their own: those of ALS."""
    return dict(run.varying) if isinstance(run.config, ALSConfig) else {}


def _chosen(in_order: Sequence[_Scored], answers: Values, ties: Flags) -> tuple[_Scored, _Scored]:
    """Return the best ALS run, and the cheapest of those that tie with the best of all.

    Where none does, a line to beat stands above them: the cheapest that tie with the best of them.
    """
    places = [at for at, one in enumerate(in_order) if isinstance(one.run.config, ALSConfig)]
    if not places:
        raise FitError("No run of ALS has a score. The lines to beat alone are no model to fit.")
    best = in_order[places[0]]
    if best.is_degenerate:
        return best, best
    places = [at for at in places if not in_order[at].is_degenerate]
    tie = ties[places]
    if not tie.any():
        tie = compare_with_best(answers[places], np.random.default_rng(0)).ties
    costs = [(in_order[at].run.cost, in_order[at].best_sweep, at) for at in places]
    return best, in_order[places[cheapest_of(costs, tie)]]


def _config(scored: _Scored) -> ALSConfig:
    config = scored.run.config
    if not isinstance(config, ALSConfig):
        raise FitError(f"{scored.run.title} is no run of ALS.")
    return replace(config, iterations=scored.best_sweep)


def curve_table(points: Points, judge: Judge) -> Table:
    """Return the article's table: sweep, and score and error on both sides."""
    first = next(iter(points.values()), {})
    shown = [
        name for name in judge.figures if name in first and not name.endswith(("_low", "_high"))
    ]
    columns: dict[str, list[float]] = {"sweep": list(points)}
    for name in shown:
        columns[name.replace("_", " ")] = [figures[name] for figures in points.values()]
    return Table(columns)
