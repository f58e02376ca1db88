"""The item-to-item objective: likes of unseen users among similar items."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.dial import Dial, dial_of
from alsolike.evaluation.item_to_item.evaluate import METRICS, PREFIX
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.objectives.base import (
    BoundObjective,
    Objective,
    Values,
    degenerate_mark,
    point_resamples,
)
from alsolike.models.protocols import Recommender
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT


@dataclass(frozen=True, kw_only=True)
class ItemToItemObjective(Objective):
    """Scores a model by the likes of unseen users among the items similar to one of their likes.

    A user's value is the mean over the user's queries, which are the same at all points, see
    `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item`. A model with a dial is scored
    at all marks, and its figure is that of the best mark. There are no train metrics, since
    neighbours come from the very likes to be found, and no squared errors.

    It needs a split of `alsolike.data.splitting.unseen_users.hold_out_unseen_users`.

    Parameters
    ----------
    name, k, choose
        As of every `Objective`.
    metric : str
        Any of `alsolike.evaluation.item_to_item.evaluate.METRICS`.
    pages_per_user : int
        Most queries of a user, at least 1.
    min_count : int
        Recommend items with at least this many likes in training, at least 0; the same for every
        model.
    seed : int
        Seed of the queries, at least 0.

    Examples
    --------
    >>> print(ItemToItemObjective(metric="hit_rate"))
    shelf_hit_rate@10 on validation users whom training never saw, at most 5 items per user
    """

    kind: ClassVar[str] = "item-to-item"
    is_of_unseen_users: ClassVar[bool] = True
    metrics: ClassVar[tuple[str, ...]] = METRICS

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
        """Draw the queries; SplitError if training has seen a user."""
        return _BoundItemToItem(self, split, shown, seed)

    def left_out(self, split: Split) -> str:
        """Describe the users without a query; SplitError if training has seen a user."""
        held_out, users = self.held_out(split)
        count = len(users) - len(self.queries(held_out, split.shown()).users)
        if not count:
            return ""
        return (
            f"{count:,} of {len(users):,} {self.choose} users have no like to ask for, or no other "
            "one to find, and are left out of the item-to-item metrics."
        )

    def queries(self, held_out: Interactions, train: Interactions) -> ItemQueries:
        """Draw the queries of held-out users of whom `train` has seen nothing."""
        return ItemQueries.of(
            held_out,
            train,
            pages_per_user=self.pages_per_user,
            min_count=self.min_count,
            seed=self.seed,
        )

    def dial(self, model: Recommender, queries: ItemQueries, engine: Engine) -> Dial:
        """Evaluate a model at all marks of its dial, by the metric alone."""
        return dial_of(
            [model], [queries], self.k, [self.metric], choose_by=self.metric, engine=engine
        )

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values, with their kind."""
        return {"kind": self.kind} | super().to_settings()

    def __str__(self) -> str:
        return (
            f"{self.measure} on {self.choose} users whom training never saw, at most "
            f"{self.pages_per_user} items per user"
        )


class _BoundItemToItem:
    """An item-to-item objective with its queries and resamples."""

    ground_truths: tuple[GroundTruth, ...] = ()

    def __init__(
        self, objective: ItemToItemObjective, split: Split, shown: Interactions, seed: int
    ) -> None:
        held_out, _ = objective.held_out(split)
        self.objective = objective
        # What a model was given of a user, by fold-in, it has seen as well.
        self._queries = objective.queries(held_out, shown)
        self._resamples = point_resamples(len(self._queries.users), seed)

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the figures at the best mark; users' lists are not used."""
        objective = self.objective
        dial = objective.dial(model, self._queries, engine)
        evaluation = dial.evaluations[dial.best]
        per_user_scores: Values = evaluation.per_user[objective.column]
        found = self._resamples.mean(per_user_scores)
        values = (float(found.mean), float(found.low), float(found.high))
        named = dict(zip(objective.interval, values, strict=True))
        return named | degenerate_mark(evaluation), per_user_scores
