"""The ranking objective: held-out likes in users' lists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split, relevant_counts
from alsolike.engines.base import Engine
from alsolike.errors import SplitError
from alsolike.evaluation.metrics.evaluate import ACCURACY, measured
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.list_contents import CONTENTS
from alsolike.evaluation.metrics.squared_errors import SquaredErrors, item_gramian
from alsolike.evaluation.objectives.base import (
    BoundObjective,
    Objective,
    Values,
    degenerate_mark,
    point_resamples,
)
from alsolike.models.protocols import HasFactors, PredictsRatings, Recommender
from alsolike.recommending.ranking.scan import Ranked


@dataclass(frozen=True, kw_only=True)
class RankingObjective(Objective):
    """Scores a model by the held-out likes in its lists for users.

    In a split by items, these lists are of the new items of the part that the best is chosen on.

    Parameters
    ----------
    name, metric, k, choose
        As of every `Objective`.
    exclude_seen : bool
        Leave out the training items of a user (False: as in the article). Train metrics leave no
        items out in either case.

    Examples
    --------
    >>> print(RankingObjective(k=5))
    precision@5 on validation, seen items excluded
    >>> print(RankingObjective(k=5, exclude_seen=False, choose="test"))
    precision@5 on test, seen items kept
    """

    kind: ClassVar[str] = "ranking"
    metrics: ClassVar[tuple[str, ...]] = ACCURACY
    unfit: ClassVar[Mapping[str, str]] = {
        "coverage": "Coverage is one value for all users, without an interval over them.",
        "percentile_rank": "A smaller percentile rank is the better one: choose by auc.",
        "pooled_percentile_rank": "A smaller percentile rank is the better one: choose by auc.",
    } | dict.fromkeys(CONTENTS, "It does not know what users like: random lists are the best.")

    exclude_seen: bool = True

    @property
    def figures(self) -> tuple[str, ...]:
        """The metric on both parts, with an interval on the held-out one, and both errors."""
        return (f"train_{self.measure}", *self.interval, "train_mse", f"{self.choose}_mse")

    def left_out(self, split: Split) -> str:
        """Return nothing; raise SplitError if none of the users has a like that a model knows."""
        _, users = self.held_out(split)
        if not relevant_counts(split.shown())[users].any():
            raise SplitError(
                f"Lists for users cannot be scored on {self.choose}: none of its {len(users):,} "
                "users has a like in training. Split with alsolike.hold_out(likes), or choose by "
                "similar items: ItemToItemObjective()."
            )
        return ""

    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Collect the relevant items, of the held-out and of the training likes."""
        return _BoundRanking(self, split, shown, seed)

    def __str__(self) -> str:
        seen = "excluded" if self.exclude_seen else "kept"
        return f"{self.measure} on {self.choose}, seen items {seen}"


class _BoundRanking:
    """A ranking objective with its ground truths, squared errors and resamples."""

    def __init__(
        self, objective: RankingObjective, split: Split, shown: Interactions, seed: int
    ) -> None:
        held_out, users = objective.held_out(split)
        self.objective = objective
        of_chosen = GroundTruth.of(
            held_out,
            shown if objective.exclude_seen else None,
            users,
            among=split.new_items(objective.choose),
        )
        of_train = GroundTruth.of(shown, None, users)
        self.ground_truths = (of_train, of_chosen)
        self._errors = SquaredErrors(shown, users), SquaredErrors(held_out, users)
        self._resamples = point_resamples(len(of_chosen.users), seed)

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the figures; a model without factors has no errors."""
        measure = self.objective.measure
        lengths, names = [self.objective.k], [self.objective.metric]
        of_train, of_chosen = (
            measured(truth.asked(model), truth, ranked, lengths, names, engine)
            for truth, ranked in zip(self.ground_truths, lists, strict=True)
        )
        per_user_scores = of_chosen.per_user[measure]
        interval = self._resamples.mean(per_user_scores)
        values = [of_train.mean(measure), interval.mean, interval.low, interval.high]
        # The article's errors are of targets 0 and 1.
        if isinstance(model, HasFactors) and not isinstance(model, PredictsRatings):
            gramian = item_gramian(model, engine)
            values += [errors.mean(model, engine, gramian) for errors in self._errors]
        named = dict(zip(self.objective.figures, map(float, values), strict=False))
        return named | degenerate_mark(of_chosen), per_user_scores
