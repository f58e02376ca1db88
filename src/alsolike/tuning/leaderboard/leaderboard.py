"""The result of a search: rows, their table, and a summary."""

import functools
import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.statistics.selection import Optimism
from alsolike.models.registry import family_named
from alsolike.tables import Table, wrapped
from alsolike.text import counted
from alsolike.tuning.leaderboard.families import FamilyComparison
from alsolike.tuning.leaderboard.runs import DEAD, Role, model_name
from alsolike.tuning.leaderboard.top_runs import failed, top_runs

_WHOLE = "--verbose or leaderboard.csv"


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow:
    """One training on a leaderboard.

    Parameters
    ----------
    rank, run : int, int or None
        From 1; runs as in `alsolike.tuning.leaderboard.runs.Run.number`.
    family : str
    config : Config
        With the best sweep as ``iterations`` if it is scored at sweeps.
    settings : mapping of str to plain values
        The settings that differ among the runs of the family.
    sweep : int or None
        Of its best point; None if it is scored only at its end.
    mean, low, high : float
        That point's score and its 95 % interval.
    ties : bool
        Whether it does not differ significantly from the best row.
    state : str
        ``"done"``, ``"stopped"`` early, ``"pruned"``, ``"skipped"``, or ``"degenerate"``.
    seconds : float or None
        Duration of the training.
    bytes : int
        Approximate size of the model, see `alsolike.models.family.Family.cost`.
    role : {"trial", "candidate", "baseline"}
        Proposed by the strategy; another that may be chosen; or only compared with.
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
        """Whether no point of it may be chosen."""
        return self.state == DEAD

    @property
    def own(self) -> Mapping[str, Any]:
        """The settings with columns of their own: those of trials."""
        return self.settings if self.role == "trial" else {}

    @property
    def model(self) -> str:
        """The family, with settings that have no columns of their own."""
        return model_name(self.family, {} if self.role == "trial" else self.settings)

    @property
    def title(self) -> str:
        """Its number, and its model unless it is a trial."""
        return f"run {self.run}" if self.role == "trial" else f"run {self.run}, {self.model}"


@dataclass(frozen=True)
class SearchResult:
    """The result of a search by one objective.

    Parameters
    ----------
    objective : Objective
    curves : Table
        One row per point: run, rank of its run, sweep, the settings that vary, the figures named
        by ``objective.figures``, ``degenerate_share`` if any point is degenerate, and the run's
        state. Only of runs that have curves.
    rows : tuple of LeaderboardRow
        One per run, best first. Degenerate ones come last and are never chosen.
    best_row : LeaderboardRow
        The first one that may be chosen.
    proposed_row : LeaderboardRow
        Of those that may be chosen and are tied with the best row, the cheapest: the fewest bytes,
        then the fewest sweeps. If all are worse than a baseline, ties are among themselves.
    optimism : Optimism
        The selection bias of the best score.
    failures : Table
        Failed runs: run, settings, error.
    is_degenerate : bool
        Whether every run that may be chosen is degenerate: then `best` is not to be used.
    skipped : int
        Runs that were cut short or not started, out of time.
    cut : tuple of str
        Other families for which there was no time, or how many of each.
    beside : mapping of str to SearchResult
        The results of the same trainings by the further objectives, by name.
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
        """The configuration of the cheapest tied run, with its best sweep."""
        return self.proposed_row.config

    @property
    def proposed_run(self) -> int:
        """The number of the cheapest tied run."""
        return self.proposed_row.run or 0

    @property
    def seconds(self) -> tuple[float | None, ...]:
        """The durations of the runs, in the order of the leaderboard."""
        return tuple(row.seconds for row in self.rows)

    @property
    def beaten_by(self) -> LeaderboardRow | None:
        """The baseline at the top of the leaderboard, if one is above all that may be chosen."""
        return self.rows[0] if self.rows[0].rank < self.best_row.rank else None

    @functools.cached_property
    def leaderboard(self) -> Table:
        """The rows as a table, see `leaderboard_table`."""
        return leaderboard_table(self.rows, self.objective.interval)

    @functools.cached_property
    def families(self) -> FamilyComparison:
        """The best run of each family that may be chosen, compared."""
        above = "" if self.beaten_by is None else self.beaten_by.model
        return FamilyComparison.of(self.rows, self.proposed_row, above)

    @property
    def choice(self) -> str:
        """Which runs tie, which of them is proposed, and how far to trust the best score."""
        if self.is_degenerate:
            return _all_degenerate([row.family for row in self.rows if row.is_candidate])
        return " ".join([self._about_ties(), *self._about_others(), f"{self.optimism}"])

    def _about_ties(self) -> str:
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

    def _about_others(self) -> Iterator[str]:
        if degenerate := sum(row.is_degenerate for row in self.rows):
            runs = "1 run is" if degenerate == 1 else f"{degenerate:,} runs are"
            yield f"{runs} degenerate and cannot be chosen."
        yield from self.out_of_time()

    def out_of_time(self) -> Iterator[str]:
        """Yield a sentence on runs that were skipped or cut short, if any were."""
        if self.skipped:
            runs = "1 run was" if self.skipped == 1 else f"{self.skipped:,} runs were"
            among = f" Among them: {', '.join(self.cut)}." if self.cut else ""
            yield f"{runs} skipped or cut short: out of time.{among}"

    def brief(self, width: int) -> str:
        """Return the best runs and the best of each model, at most `width` columns wide."""
        score, measure = self.objective.score, self.objective.measure
        also = {self.best_run, self.proposed_run}
        board = top_runs(self.leaderboard, score, measure, width, also=also, whole=_WHOLE)
        head = [f"Best on {self.objective}:", *self._shared_settings()]
        below = [*failed(self.failures), self.choice, *filter(None, [str(self.families)])]
        above, below = ([wrapped(one, width, indent=2) for one in part] for part in (head, below))
        return "\n".join([*above, board, *below])

    def _shared_settings(self) -> Iterator[str]:
        """Yield the settings that no trial varies and that are not the defaults."""
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
                yield f"Shared by all {family} runs: {shared}; all other settings are defaults."

    def __str__(self) -> str:
        text = f"Best on {self.objective}:\n{self.leaderboard}\n{self.choice}\n{self.families}"
        return text.rstrip()

    def _repr_html_(self) -> str:
        objective, choice, families = (
            html.escape(str(one)) for one in (self.objective, self.choice, self.families)
        )
        return f"<p>{objective}</p>{self.leaderboard._repr_html_()}<p>{choice} {families}</p>"


def leaderboard_table(rows: Sequence[LeaderboardRow], interval: Sequence[str]) -> Table:
    """Return rows as a table; `interval` has the names of the score and of its two ends.

    Columns: rank, run, model, the settings that trials vary, the sweep of the best point, its
    score and interval, ties, and state.
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


def _all_degenerate(families: Sequence[str]) -> str:
    """Return the summary if all runs that may be chosen, of these families, are degenerate."""
    each = "The only run is" if len(families) == 1 else f"All {len(families):,} runs are"
    advice = dict.fromkeys(family_named(name).advice for name in families)
    return (
        f"{each} degenerate: for more than half of the users or queries, the list ends in a tie of "
        "half of all items or more, so its order is as good as random. None is chosen. "
        f"{' '.join(advice)}"
    )
