"""The kinds of objectives: users' lists, and similar items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split, relevant_counts
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.item_to_item.evaluate import (
    ITEM_TO_ITEM_METRICS,
    USUAL,
    ItemToItemEvaluation,
    evaluate_item_to_item,
    evaluate_queries,
    item_recommender_of,
    item_to_item_name,
)
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.metrics.evaluate import METRICS, SquaredErrors, item_gramian, measured
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.objectives.base import (
    BoundObjective,
    Objective,
    degenerate_mark,
    describe_seen,
    point_resamples,
)
from alsolike.models.base import HasFactors, Recommender
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT
from alsolike.suggestions import did_you_mean

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class RankingObjective(Objective):
    """Scores a model by the held-out items that its lists for users find.

    Parameters
    ----------
    name, metric, k, exclude_seen, choose
        As of every `Objective`. The train figures leave no item out of the lists, whatever
        `exclude_seen` says.

    Examples
    --------
    >>> print(RankingObjective(k=5))
    precision@5 on validation, seen items excluded
    >>> print(RankingObjective(k=5, exclude_seen=False, choose="test"))
    precision@5 on test, seen items kept
    """

    kind: ClassVar[str] = "lists"
    # Coverage has one value for all users, and so no interval over them.
    metrics: ClassVar[tuple[str, ...]] = tuple(one for one in METRICS if one != "coverage")

    @property
    def figures(self) -> tuple[str, ...]:
        """Measure both sides, with an interval on the held-out one, and both errors."""
        return (f"train_{self.measure}", *self.interval, "train_mse", f"{self.choose}_mse")

    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Prepare the truth, of the held-out and of the training likes."""
        return _BoundRanking(self, split, shown, seed)

    def __str__(self) -> str:
        return f"{self.measure} on {self.choose}, {describe_seen(self.exclude_seen)}"


class _BoundRanking:
    """A judge of lists with its truth, its cells and its resamples."""

    def __init__(
        self, objective: RankingObjective, split: Split, shown: Interactions, seed: int
    ) -> None:
        held_out, users = objective.held_out(split)
        self.objective = objective
        of_chosen = GroundTruth.of(held_out, shown if objective.exclude_seen else None, users)
        of_train = GroundTruth.of(shown, None, users)
        self.ground_truths = (of_train, of_chosen)
        self._errors = SquaredErrors(shown, users), SquaredErrors(held_out, users)
        self._resamples = point_resamples(len(of_chosen.users), seed)

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the judge's figures; a model without factors has no errors."""
        measure = self.objective.measure
        of_train, of_chosen = (
            measured(model, asked, ranked, [self.objective.k], [self.objective.metric], engine)
            for asked, ranked in zip(self.ground_truths, lists, strict=True)
        )
        per_user_scores = of_chosen.per_user[measure]
        interval = self._resamples.mean(per_user_scores)
        values = [of_train.mean(measure), interval.mean, interval.low, interval.high]
        if isinstance(model, HasFactors):
            gramian = item_gramian(model, engine)
            values += [errors.mean(model, engine, gramian) for errors in self._errors]
        named = dict(zip(self.objective.figures, map(float, values), strict=False))
        return named | degenerate_mark(of_chosen), per_user_scores


@dataclass(frozen=True, kw_only=True)
class ItemToItemObjective(Objective):
    """Scores a model by the held-out likes among its similar items.

    It scores like `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item`: a user's
    value is the mean over the user's queries, and all points are asked of the same users on the same
    queries. There are no train figures: neighbours were made from the likes that they would have to
    find. There are no squared errors: no shelf depends on them.

    Parameters
    ----------
    name, k, exclude_seen, choose
        As of every `Objective`.
    metric : str
        Any of `alsolike.evaluation.item_to_item.evaluate.ITEM_TO_ITEM_METRICS` that each user has a value
        of.
    pages_per_user : int
        Items that a user likes and is asked on, at most; at least 1.
    min_count : int
        Shown are items with at least so many interactions in training, at least 0; the same for
        every model.
    seed : int
        Of the draw of the queries, at least 0.

    Examples
    --------
    >>> print(ItemToItemObjective(metric="hit_rate"))
    shelf_hit_rate@10 on validation, at most 5 queries of each user, seen items excluded
    """

    kind: ClassVar[str] = "shelves"
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
        """The metric of a shelf with its length, such as ``"shelf_precision@10"``."""
        return item_to_item_name(self.column)

    @property
    def figures(self) -> tuple[str, ...]:
        """Measure a point, with its interval."""
        return self.interval

    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Draw the queries."""
        return _BoundItemToItem(self, split, shown, seed)

    def left_out(self, split: Split) -> str:
        """Count the users without a like to draw a page of, in words."""
        _, users = self.held_out(split)
        count = int(np.count_nonzero(relevant_counts(split.shown())[users] == 0))
        if count == len(users):
            raise SplitError(
                f"ItemRecommender cannot be evaluate_queries on {self.choose}: none of its {count:,} users has a "
                "like in training, so there is no item page to ask them on. Split so that they "
                "keep some of their likes, or judge by lists."
            )
        if not count:
            return ""
        return (
            f"{count:,} of {len(users):,} {self.choose} users have no like in training, and so no "
            "item page to be asked on: shelves are evaluate_queries without them."
        )

    def evaluation(
        self,
        model: Recommender,
        train: Interactions,
        held_out: Interactions,
        shown: Interactions,
        engine: Engine,
    ) -> ItemToItemEvaluation:
        """Measure a model's shelves, by the usual metrics as well.

        Parameters
        ----------
        model : Recommender
        train : Interactions
            What it was fitted to.
        held_out, shown : Interactions
            As `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item` takes them.
        engine : Engine
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
        """Return all settings as plain values, with ``"kind": "shelves"``."""
        return {"kind": self.kind} | super().to_settings()

    def __str__(self) -> str:
        return (
            f"{self.measure} on {self.choose}, at most {self.pages_per_user} queries of each user, "
            f"{describe_seen(self.exclude_seen)}"
        )


class _BoundItemToItem:
    """A judge of shelves with its queries and its resamples."""

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
        """Return the judge's figures; users' lists are not looked at."""
        objective = self.objective
        shelves = item_recommender_of(
            model, self._train, min_count=objective.min_count, engine=engine
        )
        evaluation = evaluate_queries(shelves, self._queries, [objective.k], [objective.metric])
        per_user_scores = evaluation.per_user[objective.column]
        found = self._resamples.mean(per_user_scores)
        values = (float(found.mean), float(found.low), float(found.high))
        named = dict(zip(objective.interval, values, strict=True))
        return named | degenerate_mark(evaluation), per_user_scores


KINDS: Mapping[str, type[Objective]] = {
    objective.kind: objective for objective in (RankingObjective, ItemToItemObjective)
}


def objective_of(settings: Mapping[str, Any]) -> Objective:
    """Return the judge that these are the settings of, as `Objective.to_settings` gave them.

    Raises
    ------
    SettingError
        There is no such kind, or a setting is out of its range.

    Examples
    --------
    >>> objective_of({"kind": "shelves", "k": 5}) == ItemToItemObjective(k=5)
    True
    """
    kind, own = settings.get("kind", RankingObjective.kind), dict(settings)
    own.pop("kind", None)
    if kind not in KINDS:
        raise SettingError(
            f"A search is evaluate_queries by {' or by '.join(KINDS)}, not by {kind!r}."
            f"{did_you_mean(kind, KINDS)}"
        )
    return KINDS[kind](**own)


def objective_named(measure: str, **settings: Any) -> Objective:
    """Return the judge of a measure by its name: of lists, or of shelves; with further settings.

    Raises
    ------
    SettingError
        There is no such measure.

    Examples
    --------
    >>> objective_named("ndcg@20") == RankingObjective(metric="ndcg", k=20)
    True
    >>> objective_named("shelf_hit_rate") == ItemToItemObjective(metric="hit_rate")
    True
    """
    name, at, k = measure.partition("@")
    if at and not k.isdecimal():
        raise SettingError(f"A measure such as 'ndcg@10' expected, not {measure!r}.")
    kind = ItemToItemObjective if name.startswith(item_to_item_name("")) else RankingObjective
    if at:
        settings |= {"k": int(k)}
    return kind(metric=name.removeprefix(item_to_item_name("")), **settings)


def chosen_objective(objective: Objective | None, **asked: Any) -> Objective:
    """Return the judge that was given, or one of lists with what is asked of it (None: its own).

    Raises
    ------
    SettingError
        Both are given.
    """
    said = {name: value for name, value in asked.items() if value is not None}
    if objective is None:
        return RankingObjective(**said)
    if said:
        raise SettingError(
            f"{', '.join(said)} and a judge: a judge has its own. Give them to the judge alone."
        )
    return objective


def checked_objectives(
    split: Split, first: Objective, beside: Sequence[Objective]
) -> dict[str, Objective]:
    """Return the judges by the prefix of their figures; "" for the first."""
    names = [objective.name for objective in (first, *beside)]
    if len(set(names)) < len(names):
        raise SettingError(f"Judges of one search need different names; these are {names}.")
    objectives = {"": first, **{f"{objective.name}: ": objective for objective in beside}}
    for objective in objectives.values():
        objective.left_out(split)
    return objectives
