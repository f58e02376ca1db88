"""The result of a search: typed rows, their table, and a summary in words."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.statistics.selection import Optimism
from alsolike.models.registry import family_named
from alsolike.tables import Table, wrapped
from alsolike.text import counted
from alsolike.tuning.leaderboard.runs import DEAD, Role, model_name
from alsolike.tuning.leaderboard.top_runs import failed, leading

_WHOLE = "--verbose or leaderboard.csv"


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One training on a leaderboard.

    Parameters
    ----------
    rank : int
        From 1.
    run : int or None
        From 1: trainings of the strategy, then the other candidates; baselines have none.
    family : str
    config : Config
        What was trained, with the best sweep as ``iterations`` where it is scored at sweeps.
    settings : mapping of str to plain values
        Those that are not the same in all runs of the family.
    sweep : int or None
        Of its best point; None where it is scored at its end alone.
    mean, low, high : float
        That point's score and its 95 % interval.
    ties : bool
        Whether it cannot be told from the best row.
    state : str
        ``"done"``, ``"stopped"`` early, ``"pruned"``, ``"skipped"``, or ``"degenerate"``.
    seconds : float or None
        What the training took.
    bytes : int
        About what the model keeps, see `alsolike.models.family.Family.cost`.
    role : {"trial", "candidate", "baseline"}
        Whether the strategy proposed it, it stands beside these and may be chosen as well, or it
        is compared with.
    """

    rank: int
    run: int | None
    family: str
    config: Any
    settings: Mapping[str, Any]
    sweep: int | None
    mean: float
    low: float
    high: float
    ties: bool
    state: str
    seconds: float | None
    bytes: int
    role: Role

    @property
    def is_candidate(self) -> bool:
        """Whether it may be chosen, unless it is degenerate."""
        return self.role != "baseline"

    @property
    def is_degenerate(self) -> bool:
        """Whether no point of it is fit to be chosen."""
        return self.state == DEAD

    @property
    def own(self) -> Mapping[str, Any]:
        """The settings that have columns of their own: those of the strategy's trainings."""
        return self.settings if self.role == "trial" else {}

    @property
    def model(self) -> str:
        """The family, with what sets it apart where no columns say it."""
        return model_name(self.family, {} if self.role == "trial" else self.settings)

    @property
    def title(self) -> str:
        """Its number, and its model where that is not the strategy's."""
        return f"run {self.run}" if self.role == "trial" else f"run {self.run}, {self.model}"


@dataclass(frozen=True)
class SearchResult:
    """The result of a search, by one judge.

    Parameters
    ----------
    judge : Judge
        What ranks here; ``str(judge)`` says it in words.
    curves : Table
        One row per point: run, rank of its run, sweep, the settings that vary, the figures named
        by ``judge.figures``, ``degenerate_share`` where any point is degenerate, and how the run
        ended: ``"done"``, ``"stopped"`` early, ``"pruned"`` or ``"skipped"`` for want of time.
        Baselines, and candidates that are scored at their end alone, have none.
    rows : tuple of LeaderboardRow
        One per run, best first. Degenerate ones come last, are compared with none, and are never
        chosen.
    best_row : LeaderboardRow
        The first one that may be chosen.
    proposed_row : LeaderboardRow
        The cheapest of those that may be chosen and cannot be told from the best row: the fewest
        bytes, then the fewest sweeps. `best_row` where no other ties. Where all are worse than a
        baseline, they are compared among themselves.
    optimism : Optimism
        By how much the best score overstates itself, for being the best of many.
    failures : Table
        Runs without an answer: run, settings, error.
    is_degenerate : bool
        Whether every run that may be chosen is degenerate: `best` is not to be used then. Of the
        judge that ranks a search is an error instead.
    skipped : int
        Runs that were cut or not begun, because time was up.
    cut : tuple of str
        Families beside the strategy's that there was no time for, or how much of each.
    beside : mapping of str to SearchResult
        The same trainings as the further judges see them, by the judge's name.
    """

    objective: Objective
    curves: Table
    rows: tuple[LeaderboardRow, ...]
    best_row: LeaderboardRow
    proposed_row: LeaderboardRow
    optimism: Optimism
    failures: Table
    is_degenerate: bool = False
    skipped: int = 0
    cut: tuple[str, ...] = ()
    beside: Mapping[str, "SearchResult"] = field(default_factory=dict)

    @property
    def best(self) -> Any:
        """The configuration of the best run, with its best sweep as ``iterations``."""
        return self.best_row.config

    @property
    def best_run(self) -> int:
        """The number of the best run, from 1."""
        return self.best_row.run or 0

    @property
    def proposed(self) -> Any:
        """The configuration of the cheapest run that ties, with its best sweep."""
        return self.proposed_row.config

    @property
    def proposed_run(self) -> int:
        """The number of the cheapest run that ties."""
        return self.proposed_row.run or 0

    @property
    def seconds(self) -> tuple[float | None, ...]:
        """What each run of the leaderboard took, in its order."""
        return tuple(row.seconds for row in self.rows)

    @property
    def beaten_by(self) -> LeaderboardRow | None:
        """The baseline at the top of the leaderboard, above all that may be chosen, if one is."""
        return self.rows[0] if self.rows[0].rank < self.best_row.rank else None

    @functools.cached_property
    def leaderboard(self) -> Table:
        """The rows as a table, see `leaderboard_table`."""
        return leaderboard_table(self.rows, self.objective.interval)

    @property
    def choice(self) -> str:
        """Which runs tie, which of them is proposed, and how far to trust the best score."""
        if self.is_degenerate:
            return _said_of_all([row.family for row in self.rows if row.is_candidate])
        told = " ".join([self._told_of_ties, *self._told_of_the_rest])
        return f"{told} {self.optimism}"

    @property
    def _told_of_ties(self) -> str:
        above, best, proposed = self.beaten_by, self.best_row.title, self.proposed_row.title
        if not self.best_row.ties:
            return (
                f"No run reaches {self.rows[0].model}. The best run is {best}; the cheapest run "
                f"tied with it is {proposed}."
            )
        others = sum(row.ties for row in self.rows) - 1
        many = (
            f"{counted(others, 'other')} do{'es' * (others == 1)} not differ significantly from "
            "the best on these users"
        )
        if above is not None:
            return (
                f"{above.model}, a baseline, is at the top. The best run that may be chosen is "
                f"{best}. {many}; the cheapest of them that may be chosen is {proposed}."
            )
        if others < 1:
            return "No other run ties with the best."
        return f"{many}; the cheapest of them is {proposed}."

    @property
    def _told_of_the_rest(self) -> list[str]:
        told = []
        if degenerate := sum(row.is_degenerate for row in self.rows):
            runs = "1 run is" if degenerate == 1 else f"{degenerate:,} runs are"
            told.append(f"{runs} degenerate and cannot be chosen.")
        if self.skipped:
            runs = "1 run was" if self.skipped == 1 else f"{self.skipped:,} runs were"
            told.append(f"{runs} skipped or cut short: out of time.")
        if self.cut:
            told.append(f"Among them: {', '.join(self.cut)}.")
        return told

    def brief(self, width: int) -> str:
        """Return the best runs and the best of each model, at most `width` columns wide."""
        score, measure = self.objective.score, self.objective.measure
        also = {self.best_run, self.proposed_run}
        board = leading(self.leaderboard, score, measure, width, also=also, whole=_WHOLE)
        head = [f"Best on {self.objective}:", *self._shared]
        said = [wrapped(text, width, indent=2) for text in (*head, self.choice)]
        return "\n".join([*said[:-1], board, *failed(self.failures, width), said[-1]])

    @property
    def _shared(self) -> list[str]:
        """The settings that no run of the strategy varies and that are not the defaults."""
        found = []
        trials = {row.family: row for row in reversed(self.rows) if row.role == "trial"}
        for family, row in sorted(trials.items()):
            usual = family_named(family).config().to_settings()
            varying = (*self.leaderboard.column_names, "iterations")
            shared = ", ".join(
                f"{name} {value}"
                for name, value in row.config.to_settings().items()
                if name not in varying and value != usual[name]
            )
            if shared:
                words = f"Shared by all {family} runs: {shared}; all other settings are defaults."
                found.append(words)
        return found

    def __str__(self) -> str:
        return f"Best on {self.objective}:\n{self.leaderboard}\n{self.choice}"

    def _repr_html_(self) -> str:
        return f"<p>{self.objective}</p>{self.leaderboard._repr_html_()}<p>{self.choice}</p>"


def leaderboard_table(rows: Sequence[LeaderboardRow], interval: Sequence[str]) -> Table:
    """Return rows as a table.

    Its columns: rank, run, model, the settings that the strategy's trainings vary, the sweep of the
    best point, its score with both ends of its interval, whether it ties, and how it ended.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
    interval : sequence of str
        What the score and the ends of its interval are called.
    """
    names = dict.fromkeys(name for row in rows for name in row.own)
    return Table.from_rows(
        [
            {"rank": row.rank, "run": row.run, "model": row.model}
            | {name: row.own.get(name) for name in names}
            | {"sweep": row.sweep}
            | dict(zip(interval, (row.mean, row.low, row.high), strict=True))
            | {"ties": row.ties, "state": row.state}
            for row in rows
        ]
    )


def _said_of_all(families: Sequence[str]) -> str:
    """Return the summary if all runs that may be chosen, of these families, are degenerate."""
    each = "The only run is" if len(families) == 1 else f"All {len(families):,} runs are"
    advice = dict.fromkeys(family_named(name).advice for name in families)
    return (
        f"{each} degenerate: for more than half of the users or queries, the list ends in a tie of "
        "half of all items or more, so its order is as good as random. None is chosen. "
        f"{' '.join(advice)}"
    )
