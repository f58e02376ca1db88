"""Collects the results of a run, and makes the figures and galleries of its report."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.data.filtering import FilterReport
from alsolike.data.reading.report import ReadReport
from alsolike.data.splitting.split import Split
from alsolike.evaluation.ablation import Ablation
from alsolike.evaluation.folds import FoldsEvaluation
from alsolike.evaluation.holdout_report import HoldoutReport
from alsolike.models.base import FittedModel
from alsolike.models.baselines.popularity import PopularityModel
from alsolike.models.protocols import HasAffinities, HasFactors, compares_items
from alsolike.pipeline import remarks
from alsolike.pipeline.similar_items.report import NotCompared, SimilarItemsReport
from alsolike.recommending.batch import recommend
from alsolike.recommending.unknown.fallback import fallback_notes
from alsolike.tables import Table
from alsolike.tuning.leaderboard.leaderboard import LeaderboardRow, SearchResult
from alsolike.views.figures.frontier import time_and_score
from alsolike.views.figures.learning_curves import all_curves, best_curve
from alsolike.views.figures.marks import Spec
from alsolike.views.figures.settings import settings_and_score
from alsolike.views.gallery import Gallery, gallery

LIST_LENGTH = 10  # of similar items, and of recommendations
_SHELVES = 4  # in each of the three galleries
_NEIGHBOURS = 5
_MARKS = (0.0, None, 1.0)  # to choose from: more specific, as published, more popular


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The results of a run.

    Parameters
    ----------
    how_read, how_filtered, split, found
        The reports of the steps.
    chosen_run : int
        The run whose settings were fitted: the best of `found`, or the proposed one.
    compared : SimilarItemsReport or NotCompared
        The similar items on test users whom training never saw, or why they were not measured.
    test : HoldoutReport or None
        The lists on test users; None if settings were chosen by similar items, since those users
        are not in training.
    by_fold : FoldsEvaluation or None
        The lists on the test users of rolling folds, if the run has any.
    ablation : Ablation or None
        What features are worth on test users, if there are any and a model uses them.
    model : FittedModel
        Refitted on all filtered interactions.
    similar_items : Table
        The lists of all items; none if the model has no similar items.
    similar_model : FittedModel or None
        The model of similar items, refitted, if it is another one.
    seed : int
        Of the galleries.
    with_history : bool
        Whether the model is saved with the training interactions.
    tried : str
        Which families were tried by default and why; empty if they were given.
    """

    how_read: ReadReport
    how_filtered: FilterReport
    split: Split
    found: SearchResult
    chosen_run: int
    compared: SimilarItemsReport | NotCompared
    test: HoldoutReport | None
    model: FittedModel
    similar_items: Table
    seed: int
    by_fold: FoldsEvaluation | None = None
    ablation: Ablation | None = None
    similar_model: FittedModel | None = None
    with_history: bool = True
    tried: str = ""

    @property
    def beside_items(self) -> FittedModel:
        """The model of similar items."""
        return self.model if self.similar_model is None else self.similar_model

    @property
    def chosen(self) -> Any:
        """The chosen settings, of any family."""
        return self.chosen_row.config

    @property
    def chosen_row(self) -> LeaderboardRow:
        """Their row on the leaderboard."""
        found = self.found
        return found.best_row if self.chosen_run == found.best_run else found.proposed_row

    @property
    def recommendations(self) -> Table:
        """The lists of all users, ranked anew: a run writes them in parts and holds none."""
        return recommend(self.model, k=LIST_LENGTH)

    @functools.cached_property
    def fallbacks(self) -> list[str]:
        """Notes on users about whom the model knows nothing."""
        return fallback_notes(
            self.model, np.arange(len(self.model.users), dtype=np.int32), "popular"
        )

    def verdicts(self) -> list[tuple[str, bool]]:
        """Return the first lines of the report, and whether each is good news; bad news first.

        Whether similar items, and lists, are better than baselines on test users, whether features
        help, and whether a baseline is at the top of the leaderboard.
        """
        found = [(f"{one}", one.is_better) for one in self.compared.verdicts]
        found += [(sentence, False) for sentence in remarks.of_baseline_above(self.found)]
        if self.test is not None:
            found += [(f"{one}", one.is_better) for one in self.test.verdicts]
        if self.ablation is not None:
            found.append((self.ablation.words, self.ablation.helps))
        return sorted(found, key=lambda verdict: verdict[1])

    def warnings(self) -> list[str]:
        """Return warnings on the scores, bad verdicts first."""
        verdicts = [sentence for sentence, is_good in self.verdicts() if not is_good]
        return [*verdicts, *remarks.warnings(self)]

    def figures(self) -> dict[str, Spec]:
        """Return the figures of learning curves, if any, and of the search, by file name."""
        found = self.found
        board, score, measure = found.leaderboard, found.objective.score, found.objective.measure
        figures = {}
        sweep, rows = self.chosen_row.sweep, list(found.curves.rows())
        own = [row for row in rows if row["run"] == self.chosen_run]
        if own and sweep is not None:
            figures["best_curve"] = best_curve(
                Table.from_rows(own),
                metric=measure,
                title=f"Learning curve of the chosen run, number {self.chosen_run}",
                chosen_sweep=sweep,
            )
        if rows:
            first = min(rows, key=lambda row: row["rank"])["run"]
            best, families = found.best_row, {row.family for row in found.rows if row.is_candidate}
            figures["all_curves"] = all_curves(
                found.curves,
                metric=measure,
                best=first,
                baseline=_reached_by_popularity(found),
                above=None if best.run == first else (best.model, best.mean),
                what="runs" if len(families) == 1 else "runs with sweeps",
            )
        if (dials := self.compared.figure()) is not None:
            figures["dials"] = dials
        if varying := varying_settings(found):
            figures["settings_and_score"] = settings_and_score(board, varying, score)
        if len(board) > 1 and any(time is not None for time in found.seconds):
            figures["time_and_score"] = time_and_score(board, found.seconds, score)
        return figures

    def galleries(
        self, *, remote_images: bool = False, image_folder: Path | None = None
    ) -> list[tuple[str, Gallery]]:
        """Return galleries of popular, middling and rare items; none without similar items."""
        model = self.beside_items
        if not compares_items(model):
            return []
        lay_out = functools.partial(
            gallery,
            model,
            k=_NEIGHBOURS,
            marks=_MARKS if isinstance(model, HasAffinities) else (),
            remote_images=remote_images,
            image_folder=image_folder,
        )
        return [(heading, lay_out(ids)) for heading, ids in _chosen_items(model, self.seed)]


def varying_settings(found: SearchResult) -> list[str]:
    """Return the settings with several values in columns of the leaderboard."""
    names = {name for row in found.rows for name in row.own}
    board = found.leaderboard
    return [
        name
        for name in board.column_names
        if name in names and len(set(board[name].tolist()) - {None}) > 1
    ]


def _reached_by_popularity(found: SearchResult) -> float | None:
    return next((row.mean for row in found.rows if row.model == PopularityModel.name), None)


def _chosen_items(model: FittedModel, seed: int) -> list[tuple[str, list[str]]]:
    """Draw items from the most liked twentieth, from the middle, and from the least liked."""
    signs = model.item_norms if isinstance(model, HasFactors) else model.item_counts
    known = np.flatnonzero(signs > 0)
    ranked = known[np.argsort(-model.item_counts[known], kind="stable")]
    n = len(ranked)
    ranges = {
        "Popular items": ranked[: max(n // 20, min(n, _SHELVES))],
        "Middling items": ranked[2 * n // 5 : 3 * n // 5],
        "Rare items": ranked[4 * n // 5 :],
    }
    rng = np.random.default_rng(seed)
    drawn = {
        heading: rng.choice(rows, size=min(_SHELVES, len(rows)), replace=False)
        for heading, rows in ranges.items()
    }
    return [
        (heading, list(model.items.ids_of(rows))) for heading, rows in drawn.items() if len(rows)
    ]
