"""The item-to-item objective: held-out likes among similar items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split, relevant_counts
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.errors import SplitError
from alsolike.evaluation.item_to_item.evaluate import (
    ITEM_TO_ITEM_METRICS,
    PREFIX,
    USUAL,
    ItemToItemEvaluation,
    evaluate_item_to_item,
    evaluate_queries,
)
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.objectives.base import (
    BoundObjective,
    Objective,
    Values,
    degenerate_mark,
    describe_seen,
    point_resamples,
)
from alsolike.models.base import Recommender
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT


@dataclass(frozen=True, kw_only=True)
class ItemToItemObjective(Objective):
    """Scores a model by the held-out likes among the items similar to users' likes.

    A user's value is the mean over the user's queries, which are the same at all points, see
    `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item`. There are no train metrics,
    since neighbours come from the very likes to be found, and no squared errors.

    Parameters
    ----------
    name, k, exclude_seen, choose
        As of every `Objective`.
    metric : str
        Any of `alsolike.evaluation.item_to_item.evaluate.ITEM_TO_ITEM_METRICS` but coverage.
    pages_per_user : int
        Most queries of a user, at least 1.
    min_count : int
        Recommend items with at least this many interactions in training, at least 0; the same for
        every model.
    seed : int
        Seed of the queries, at least 0.

    Examples
    --------
    >>> print(ItemToItemObjective(metric="hit_rate"))
    shelf_hit_rate@10 on validation, at most 5 items per user, seen items excluded
    """

    kind: ClassVar[str] = "item-to-item"
    metrics: ClassVar[tuple[str, ...]] = tuple(
        one for one in ITEM_TO_ITEM_METRICS if one != "coverage"
    )

    pages_per_user: int = 5
    min_count: int = MIN_COUNT
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("pages_per_user", self.pages_per_user, least=1)
        check_whole("min_count", self.min_count, least=0)
        check_whole("seed", self.seed, least=0)

    @property
    def measure(self) -> str:
        """The metric with its length, such as ``"shelf_precision@10"``."""
        return PREFIX + self.column

    @property
    def figures(self) -> tuple[str, ...]:
        """The metric with its interval."""
        return self.interval

    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Draw the queries."""
        return _BoundItemToItem(self, split, shown, seed)

    def left_out(self, split: Split) -> str:
        """Describe the users without a like in training, who have no query."""
        _, users = self.held_out(split)
        count = int(np.count_nonzero(relevant_counts(split.shown())[users] == 0))
        if count == len(users):
            raise SplitError(
                f"The item-to-item objective cannot be scored on {self.choose}: none of its "
                f"{count:,} users has a like in training to start from. Split so that users keep "
                "some likes, or use the ranking objective."
            )
        if not count:
            return ""
        return (
            f"{count:,} of {len(users):,} {self.choose} users have no like in training and are "
            "left out of the item-to-item metrics."
        )

    def evaluation(
        self,
        model: Recommender,
        train: Interactions,
        held_out: Interactions,
        shown: Interactions,
        engine: Engine,
    ) -> ItemToItemEvaluation:
        """Measure a model's similar items by its metric and the usual ones.

        `train` is what the model was fitted to; the rest is as of
        `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item`.
        """
        return evaluate_item_to_item(
            item_recommender_of(model, train, min_count=self.min_count, engine=engine),
            held_out,
            shown,
            k=self.k,
            metrics=(self.metric, *USUAL),
            pages_per_user=self.pages_per_user,
            exclude_seen=self.exclude_seen,
            seed=self.seed,
        )

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values, with ``"kind": "shelves"``, as ledgers have it."""
        return {"kind": "shelves"} | super().to_settings()

    def __str__(self) -> str:
        return (
            f"{self.measure} on {self.choose}, at most {self.pages_per_user} items per user, "
            f"{describe_seen(self.exclude_seen)}"
        )


class _BoundItemToItem:
    """An item-to-item objective with its queries and resamples."""

    ground_truths: tuple[GroundTruth, ...] = ()

    def __init__(
        self, objective: ItemToItemObjective, split: Split, shown: Interactions, seed: int
    ) -> None:
        held_out, users = objective.held_out(split)
        self.objective, self._train = objective, split.train
        self._queries = ItemQueries.of(
            held_out,
            shown,
            pages_per_user=objective.pages_per_user,
            exclude_seen=objective.exclude_seen,
            user_indices=users,
            seed=objective.seed,
        )
        self._resamples = point_resamples(len(self._queries.truth.users), seed)

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the figures; users' lists are not used."""
        objective = self.objective
        recommender = item_recommender_of(
            model, self._train, min_count=objective.min_count, engine=engine
        )
        evaluation = evaluate_queries(recommender, self._queries, [objective.k], [objective.metric])
        per_user_scores = evaluation.per_user[objective.column]
        found = self._resamples.mean(per_user_scores)
        values = (float(found.mean), float(found.low), float(found.high))
        named = dict(zip(objective.interval, values, strict=True))
        return named | degenerate_mark(evaluation), per_user_scores
