"""Sentences on a run: its choice, warnings and notes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsolike.evaluation.holdout_report import HoldoutReport
from alsolike.evaluation.metrics.result import describe_degenerate
from alsolike.models.base import FoldsIn, HasFactors, compares_items
from alsolike.tables import wrapped
from alsolike.text import counted
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult

if TYPE_CHECKING:
    from alsolike.pipeline.outcome import Outcome


@dataclass(frozen=True)
class Choice:
    """The chosen model, and the number of candidates.

    Parameters
    ----------
    found : SearchResult
    run : int
        The number of the chosen run.
    """

    found: SearchResult
    run: int

    @property
    def words(self) -> str:
        """Return it as the rest of a sentence."""
        found, is_best = self.found, self.run == self.found.best_run
        could_be = [row for row in found.rows if row.is_candidate]
        families = list(dict.fromkeys(row.family for row in could_be))
        among = counted(len(could_be), "training")
        if len(families) > 1:
            among += f" of {len(families):,} families ({', '.join(families)})"
        how = "the best" if is_best else "the cheapest that ties with the best"
        return f"{named(found.best_row if is_best else found.proposed_row)}, {how} of {among}."

    def brief(self, width: int) -> str:
        """Return it as a sentence, at most `width` columns wide."""
        return wrapped(f"{self}", width, indent=2)

    def __str__(self) -> str:
        return f"Chosen: {self.words}"


def named(row: LeaderboardRow) -> str:
    """Return what a row of a leaderboard is, in words: its family, settings and number."""
    settings = ", ".join(f"{name} {value}" for name, value in row.settings.items())
    return f"{row.family}{f' ({settings})' if settings else ''}" + (
        f", run {row.run}" if row.run is not None else ""
    )


def of_baseline_above(found: SearchResult) -> Iterator[str]:
    """Warn where a baseline is above all that may be published."""
    above = found.beaten_by
    if above is None:
        return
    best = found.best_row
    yield (
        f"At the top of the leaderboard is {above.model}, a baseline, with "
        f"{found.objective.measure} "
        f"{above.mean:.4f} on the validation users; the best model that may be published reaches "
        f"{best.mean:.4f}{': no significant difference' if best.ties else ''}."
    )


def warnings(outcome: "Outcome") -> Iterator[str]:
    """Yield what could mislead a reader of the figures, but for the verdicts."""
    found, gain = outcome.found, outcome.test.difference
    yield from _as_by_lot(outcome.test)
    if not compares_items(outcome.model):
        yield (
            f"{outcome.model.name} scores items for users alone: there are no similar items, and "
            "similar_items.parquet has no rows."
        )
    elif not len(outcome.similar_items):
        yield "No item has a similar item: similar_items.parquet has no rows."
    if gain.n < 100:
        yield f"Only {gain.n:,} test users: the intervals are wide, and rough."
    if found.skipped:
        among = f" Among them: {', '.join(found.cut)}." if found.cut else ""
        runs = "1 run was" if found.skipped == 1 else f"{found.skipped:,} runs were"
        yield f"{runs} skipped or cut: time was up.{among}"
    if len(found.failures):
        runs = "1 run" if len(found.failures) == 1 else f"{len(found.failures):,} runs"
        yield f"{runs} had no answer; the first: {found.failures['error'][0]}"
    yield from _at_the_last_sweep(found)
    yield from _at_the_edge(found)
    read = outcome.how_read
    yield from read.warnings
    if rejected := read.rejected + read.items_rejected:
        yield f"{rejected:,} malformed lines were rejected."
    if read.missing:
        yield f"{read.missing:,} rows without a user or an item were dropped."


def _as_by_lot(test: HoldoutReport) -> Iterator[str]:
    """Warn where the chosen model, or its similar items, rank next to nothing."""
    if test.evaluations and test.evaluations[0].is_degenerate:
        yield f"On the test users: {describe_degenerate(test.evaluations[0].degenerate_share)}"
    if test.item_to_item and test.item_to_item[0].is_degenerate:
        told = describe_degenerate(test.item_to_item[0].degenerate_share, "queries")
        yield f"Similar items: {told} Pages whose item has no similar item are among them."


def _at_the_last_sweep(found: SearchResult) -> Iterator[str]:
    """Warn where the best training was still improving at its end."""
    best, sweeps = found.best_row.sweep, {row["sweep"] for row in found.curves.rows()}
    if best is not None and len(sweeps) > 1 and best == max(sweeps):
        yield f"The best point is the last sweep, {best}: more sweeps may do better."


def _at_the_edge(found: SearchResult) -> Iterator[str]:
    """Warn of settings whose best value is the edge of those tried."""
    # Of what the strategy tried alone: of other families a setting of the same name is another.
    best = found.best.to_settings() if found.best_row.sweep is not None else {}
    for name, value in best.items():
        if name not in found.curves or isinstance(value, (str, bool)) or value is None:
            continue
        tried = sorted({one for one in found.curves[name].tolist() if one is not None})
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            beyond = "below" if value == tried[0] else "above"
            yield f"The best {name}, {value:g}, is the edge of what was tried: try {beyond} it."


def notes(outcome: "Outcome") -> Iterator[str]:
    """Yield what else to know of the figures and of the model."""
    found = outcome.found
    yield f"Chosen by {found.objective}. {found.choice}"
    yield from outcome.fallbacks
    yield (
        "The figures above come from the chosen settings trained without the test items; the "
        "model beside this page was then refitted on all interactions."
    )
    if outcome.test.item_to_item:
        yield (
            "Figures that begin with shelf_ are of shelves of similar items: a user is shown what "
            "stands beside items that the user likes, a few drawn of each user's, and the held-out "
            "items are looked for there."
        )
    yield from of_history(outcome)
    for name, other in found.beside.items():
        if other.is_degenerate:
            yield f"By {name} own way of counting ({other.objective}): {other.choice}"
            continue
        best = other.best_row
        # A point of what is scored at its end alone is in no curve.
        at_end = [row for row in other.rows if row.is_candidate and row.sweep is None]
        points = len(other.curves) + len(at_end)
        yield (
            f"By {name} own way of counting ({other.objective}; best of {points:,} points "
            f"chosen on the very users it is reported on) the best would be {_place(best)}: "
            f"{best.mean:.4f}. The honest choice, {_place(outcome.chosen_row)}, counts "
            f"{_counts(other, outcome.chosen_row):.4f} there."
        )


def of_history(outcome: "Outcome") -> Iterator[str]:
    """Say what a model published without history cannot do, if it scores people by likes."""
    model = outcome.model
    by_likes = isinstance(model, FoldsIn) and not isinstance(model, HasFactors)
    if by_likes and not outcome.with_history:
        yield (
            f"The model is published without history, and {model.name} scores people by their "
            "likes: it shows similar items, and recommends for likes that are given to it, but not "
            "to the users that it was fitted to by their ids."
        )


def _place(row: LeaderboardRow) -> str:
    """Return the run, and its sweep where it has one."""
    return f"run {row.run}" + ("" if row.sweep is None else f" at sweep {row.sweep}")


def _counts(found: SearchResult, chosen: LeaderboardRow) -> float:
    """Return what a row of another leaderboard, at its sweep there, scores on this one."""
    for row in found.curves.rows():
        if (row["run"], row["sweep"]) == (chosen.run, chosen.sweep):
            return float(row[found.objective.score])
    return next(row.mean for row in found.rows if row.run == chosen.run)
