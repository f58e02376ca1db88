"""Measures the chosen settings of a run on test users: lists, features, folds."""

from collections.abc import Sequence

from alsolike.data.splitting.split import Split
from alsolike.evaluation.ablation import Ablation, ablation, has_features
from alsolike.evaluation.folds import FoldsEvaluation, evaluate_folds
from alsolike.evaluation.holdout_report import HoldoutReport, holdout_report
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.objectives.ratings import RatingsObjective
from alsolike.models.registry import uses_features
from alsolike.pipeline.job import ResolvedJob
from alsolike.pipeline.similar_items.contestants import baselines_of_lists
from alsolike.progress import SILENT, Observer
from alsolike.tuning.leaderboard.leaderboard import SearchResult


def measure_lists(
    resolved: ResolvedJob,
    split: Split,
    found: SearchResult,
    *,
    features: FeatureVectors | None = None,
) -> HoldoutReport:
    """Measure the lists of the chosen settings and of baselines on test users.

    Of settings that were chosen by ratings, the lists stand beside their errors.
    """
    search, objective = resolved.job.search, found.objective
    of_ratings = isinstance(objective, RatingsObjective)
    return holdout_report(
        RankingObjective(k=objective.k) if of_ratings else objective,
        search.chosen(found),
        split,
        resolved.engine,
        with_ratings=of_ratings,
        others={}
        if of_ratings
        else baselines_of_lists(found, search.chosen_run(found), split.train),
        features=features,
    )


def measure_features(
    resolved: ResolvedJob,
    split: Split,
    found: SearchResult,
    *,
    exclude_seen: bool = True,
    observer: Observer = SILENT,
) -> Ablation | None:
    """Compare features with none and with others, by the chosen settings or the best that use any.

    None where there are no features, or no such settings.
    """
    if not has_features(split.train):
        return None
    chosen = resolved.job.search.chosen(found)
    others = (row.config for row in found.rows if row.is_candidate)
    config = next(filter(uses_features, [chosen, *others]), None)
    if config is None:
        return None
    return ablation(
        split,
        config,
        k=found.objective.k,
        metric=found.objective.metric,
        exclude_seen=exclude_seen,
        seed=resolved.job.seed,
        engine=resolved.engine,
        observer=observer,
    )


def measure_folds(
    resolved: ResolvedJob,
    folds: Sequence[Split],
    found: SearchResult,
    *,
    observer: Observer = SILENT,
) -> FoldsEvaluation:
    """Train the chosen settings on each rolling fold, and measure their lists on its test users."""
    objective = found.objective
    if isinstance(objective, RatingsObjective):  # folds are of lists
        objective = RankingObjective(k=objective.k)
    return evaluate_folds(
        resolved.job.search.chosen(found),
        folds,
        k=objective.k,
        metrics=[objective.metric],
        engine=resolved.engine,
        observer=observer,
    )
