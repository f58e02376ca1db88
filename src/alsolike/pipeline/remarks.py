"""Writes sentences about a run: the chosen run, warnings and notes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alsolike.evaluation.holdout_report import HoldoutReport
from alsolike.evaluation.metrics.result import describe_degenerate
from alsolike.models.protocols import FoldsIn, HasFactors, compares_items
from alsolike.tables import wrapped
from alsolike.text import counted
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult
from alsolike.tuning.leaderboard.top_runs import failed

if TYPE_CHECKING:
    from alsolike.pipeline.outcome import Outcome


@dataclass(frozen=True)
class ChosenRun:
    """The chosen run, and the number of candidates.

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
    """Return the family, settings and number of a row of a leaderboard."""
    settings = ", ".join(f"{name} {value}" for name, value in row.settings.items())
    return f"{row.family}{f' ({settings})' if settings else ''}" + (
        f", run {row.run}" if row.run is not None else ""
    )


def of_baseline_above(found: SearchResult) -> Iterator[str]:
    """Warn if a baseline is above all that may be published."""
    above = found.beaten_by
    if above is None:
        return
    best = found.best_row
    yield (
        f"A baseline, {above.model}, tops the leaderboard with {found.objective.measure} "
        f"{above.mean:.4f} on the validation users; the best model that may be published reaches "
        f"{best.mean:.4f}{': no significant difference' if best.ties else ''}."
    )


def warnings(outcome: "Outcome") -> Iterator[str]:
    """Yield what could mislead a reader of the scores, except for the verdicts."""
    found, test, beside = outcome.found, outcome.test, outcome.beside_items
    yield from outcome.compared.warnings()
    if test is not None:
        yield from _degenerate(test)
    if not compares_items(beside):
        yield (
            f"{beside.name} only scores items for users: there are no similar items, and "
            "similar_items.parquet is empty."
        )
    elif not len(outcome.similar_items):
        yield "No item has a similar item: similar_items.parquet is empty."
    if test is not None and test.difference.n < 100:
        yield f"Only {test.difference.n:,} test users: the intervals are wide and approximate."
    yield from found.out_of_time()
    yield from failed(found.failures)
    yield from _at_the_last_sweep(found)
    yield from _at_the_edge(found)
    read = outcome.how_read
    yield from read.warnings
    if rejected := read.rejected + read.items_rejected:
        yield f"{rejected:,} malformed lines were rejected."
    if read.missing:
        yield f"{read.missing:,} rows without a user or an item were dropped."


def _degenerate(test: HoldoutReport) -> Iterator[str]:
    """Warn if the lists of the chosen model are degenerate."""
    if test.evaluations and test.evaluations[0].is_degenerate:
        yield f"On the test users: {describe_degenerate(test.evaluations[0].degenerate_share)}"


def _at_the_last_sweep(found: SearchResult) -> Iterator[str]:
    """Warn if the best training was still improving at its end."""
    best, sweeps = found.best_row.sweep, {row["sweep"] for row in found.curves.rows()}
    if best is not None and len(sweeps) > 1 and best == max(sweeps):
        yield f"The best sweep, {best}, is the last one scored: more sweeps may score higher."


def _at_the_edge(found: SearchResult) -> Iterator[str]:
    """Warn of settings whose best value is the edge of those tried."""
    # Only for trainings of the strategy: in other families the same name means another setting.
    best = found.best.to_settings() if found.best_row.sweep is not None else {}
    for name, value in best.items():
        if name not in found.curves or isinstance(value, (str, bool)) or value is None:
            continue
        tried = sorted({one for one in found.curves[name].tolist() if one is not None})
        if len(tried) > 2 and value in (tried[0], tried[-1]):
            way = "lower" if value == tried[0] else "higher"
            yield (
                f"The best {name}, {value:g}, is at the edge of the values tried: try {way} ones."
            )


def notes(outcome: "Outcome") -> Iterator[str]:
    """Yield further facts on the scores and on the model."""
    found = outcome.found
    yield f"Chosen by {found.objective}. {found.choice}"
    yield from outcome.fallbacks
    yield (
        "The scores above are for the chosen settings, trained without the test items. The saved "
        "model was then refitted on all interactions."
    )
    if outcome.by_fold is not None:
        yield (
            "Folds by time: the settings were chosen on the validation window of the last fold. So "
            "only its test is of users and times that the choice knew nothing of; those of earlier "
            "folds show whether the figure is steady."
        )
    yield from outcome.compared.notes()
    if outcome.test is None:
        yield (
            "Lists for users were not measured: settings were chosen by similar items, on users of "
            "whom training saw nothing. A run with the ranking objective measures lists."
        )
    yield from of_history(outcome)
    for name, other in found.beside.items():
        if other.is_degenerate:
            yield f"By {name} own method ({other.objective}): {other.choice}"
            continue
        best = other.best_row
        # Trainings scored only at their end have one point each, and no curve.
        at_end = [row for row in other.rows if row.is_candidate and row.sweep is None]
        points = len(other.curves) + len(at_end)
        yield (
            f"By {name} own method ({other.objective}; the best of {points:,} points, chosen on "
            f"the same users that it is reported on) the best is {_place(best)}: {best.mean:.4f}. "
            f"The honest choice, {_place(outcome.chosen_row)}, scores "
            f"{_score_by(other, outcome.chosen_row):.4f} by that method."
        )


def of_history(outcome: "Outcome") -> Iterator[str]:
    """Note what a model saved without history cannot do, if it scores users by their likes."""
    model = outcome.model
    by_likes = isinstance(model, FoldsIn) and not isinstance(model, HasFactors)
    if by_likes and not outcome.with_history:
        yield (
            f"The model is saved without history, and {model.name} scores users by their likes: it "
            "gives similar items, and recommendations for likes passed to it, but none for "
            "training users by id."
        )


def _place(row: LeaderboardRow) -> str:
    """Return the run, and its sweep if it has one."""
    return f"run {row.run}" + ("" if row.sweep is None else f" at sweep {row.sweep}")


def _score_by(found: SearchResult, chosen: LeaderboardRow) -> float:
    """Return the score in `found` of a row of another leaderboard, at its sweep there."""
    for row in found.curves.rows():
        if (row["run"], row["sweep"]) == (chosen.run, chosen.sweep):
            return float(row[found.objective.score])
    return next(row.mean for row in found.rows if row.run == chosen.run)
