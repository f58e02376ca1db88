"""Evaluation of similar items on users whom training never saw.

Good lists for users do not imply good similar items, so these are measured by themselves. A *query*
is one item that a user likes; relevant are all other likes of that user. A user has a few queries,
drawn by a seed, and counts once, however many likes there are. No like of these users is in
training: a model that has seen a user answers with a bit of that user, through the item's factors,
and would look better than it is.

Nothing but the query's own item is left out: a list beside an item is the same for everybody. A
query whose item has no neighbours counts 0, and so do places that stay empty. For equal scores,
each metric is the mean over all their orders.

Besides the metrics of lists there is popularity-stratified precision [1]_, P_g@k: each hit on item
j weighs ``n_j ** -g``, over the mean of ``n_j ** -g`` over all wanted likes, with n_j the likes of
j in training (at least 1). P_0 is precision; the larger g, the more a hit on a rare item counts.

References
----------
.. [1] H. Steck, "Item popularity and recommendation accuracy", RecSys 2011.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.data.validation import check_whole
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.item_to_item.item_queries import Indices, ItemQueries, Items, Values
from alsolike.evaluation.item_to_item.item_recommender import ItemRecommender
from alsolike.evaluation.item_to_item.query_metrics import (
    METRICS,
    QueryMetrics,
    checked_lists,
    checked_names,
    query_metrics,
    score_rows_of,
)
from alsolike.evaluation.item_to_item.shown_items import ShownItems
from alsolike.evaluation.item_to_item.source_classes import ClassValues, by_source_class
from alsolike.evaluation.item_to_item.unseen_users import Fold, Part
from alsolike.evaluation.metrics.result import Evaluation, describe_degenerate
from alsolike.recommending.ranking.scan import Ranked
from alsolike.tables import Table

__all__ = ["METRICS", "PREFIX", "USUAL", "ItemToItemEvaluation", "evaluate_item_to_item"]

# Metrics by default.
USUAL = ("precision", "hit_rate", "ndcg", "p_0.5", "p_1", "recall")
# Begins the names of these metrics next to those of users' lists.
PREFIX = "shelf_"


@dataclass(frozen=True, eq=False, repr=False)
class ItemToItemEvaluation(Evaluation):
    """Result of `evaluate_item_to_item`: a value per user of any fold.

    A user's value is the mean over the user's queries, and over the folds that the user is in.
    ``hits_at`` are the hits of all queries; ``coverage_at`` is empty, see `share_shown`. The other
    fields are those of `Evaluation`.

    Parameters
    ----------
    k : int
        Length of the lists.
    folds : tuple of QueryMetrics
        The values of the queries of each fold.
    shown : ShownItems or None
        What is shown beside all items; None: not asked for.
    """

    k: int = 10
    folds: tuple[QueryMetrics, ...] = ()
    shown: ShownItems | None = None

    @classmethod
    def of(
        cls, name: str, folds: Sequence[QueryMetrics], k: int, shown: ShownItems | None = None
    ) -> "ItemToItemEvaluation":
        """Pool the queries of all folds by their users."""
        columns: dict[str, Any] = {}
        users = np.zeros(0, dtype=np.int64)
        for metric in folds[0].columns:
            users, columns[metric] = _user_means(
                (one.queries, one.columns[metric]) for one in folds
            )
        ids = folds[0].queries.train.users.ids_of(users)
        return cls(
            name,
            excludes_seen=False,
            user_indices=users,
            per_user=Table({"user": ids} | columns),
            hits_at={k: float(sum(one.hits.sum() for one in folds))},
            coverage_at={},
            without_relevant=sum(one.queries.without_relevant for one in folds),
            blind_at={k: float(np.concatenate([one.is_blind for one in folds]).mean())},
            k=k,
            folds=tuple(folds),
            shown=shown,
        )

    @property
    def queries(self) -> int:
        """Queries of all users."""
        return sum(len(one.queries.items) for one in self.folds)

    @property
    def without_neighbours(self) -> int:
        """Queries whose item has no neighbour; they count 0."""
        return sum(int(np.count_nonzero(one.is_barren)) for one in self.folds)

    @property
    def short(self) -> int:
        """Queries with fewer than k items; empty places count as misses."""
        return sum(int(np.count_nonzero(one.is_short)) for one in self.folds)

    @property
    def without_query(self) -> int:
        """Users with likes of items alone that may have no list; they are not measured."""
        return sum(one.queries.without_query for one in self.folds)

    @property
    def share_shown(self) -> float | None:
        """Share of the items that may be shown which is shown beside any item, if asked for."""
        return None if self.shown is None else self.shown.share

    @property
    def median_likes(self) -> float | None:
        """Median likes of what is shown beside all items, if asked for."""
        return None if self.shown is None else self.shown.median_likes

    @functools.cached_property
    def class_values(self) -> Mapping[str, ClassValues]:
        """Precision by the class of the query's item, user by user; see `by_source_class`."""
        return by_source_class(
            [(one.queries, one.columns[f"precision@{self.k}"]) for one in self.folds], _user_means
        )

    @property
    def classes(self) -> Table:
        """Precision by the class of the query's item, with 95 % bootstrap intervals.

        Columns model, metric, class, likes_from, likes_to (in training, of the queries' items),
        queries, users, mean, low, high. Items with 2 to 5 likes are in a class of popularity, too.
        """
        head = {"model": self.model_name, "metric": f"precision@{self.k}"}
        return Table.from_rows([head | one.row() for one in self.class_values.values()])

    def facts(self) -> list[tuple[str, str]]:
        """Return the counts as pairs of a label and a text."""
        folds = f" in {len(self.folds)} folds" if len(self.folds) > 1 else ""
        facts = [
            ("similar items", f"{self.model_name}; users whom training never saw"),
            ("queries", f"{self.queries:,} of {len(self.user_indices):,} users{folds}"),
        ]
        counted = (
            ("queries whose item has no neighbour", self.without_neighbours, "count 0"),
            ("queries with fewer than k items", self.short, "empty places count as misses"),
            ("users without an item that may have a list", self.without_query, "not measured"),
            ("users without a second like", self.without_relevant, "not measured"),
        )
        facts += [(label, f"{count:,}; {rule}") for label, count, rule in counted if count]
        if self.shown is not None:
            facts += self.shown.facts()
        if self.is_degenerate:
            facts.append(("degenerate", describe_degenerate(self.degenerate_share, "queries")))
        return facts

    def __str__(self) -> str:
        lines = [f"{label}: {text}" for label, text in self.facts()]
        return "\n".join([*lines, str(self.summary())])

    def __repr__(self) -> str:
        means = ", ".join(f"{name} {self.mean(name):z.4f}" for name in self.metrics)
        degenerate = ", degenerate" * self.is_degenerate
        return (
            f"ItemToItemEvaluation({self.model_name}, {len(self.user_indices):,} users{degenerate}:"
            f" {means})"
        )


def evaluate_item_to_item(
    recommenders: Sequence[ItemRecommender],
    folds: Sequence[Fold],
    part: Part = "validation",
    *,
    k: int = 10,
    metrics: Sequence[str] = USUAL,
    spread: bool = False,
    features: FeatureVectors | None = None,
) -> ItemToItemEvaluation:
    """Measure how many likes of unseen users are among the items similar to one of their likes.

    Compare with popularity and with plain co-counts on the same folds, user by user, with
    `alsolike.evaluation.statistics.intervals.paired_difference`.

    Parameters
    ----------
    recommenders : sequence of ItemRecommender
        One for each fold, of a model trained on the fold's training data alone; from
        `alsolike.evaluation.item_to_item.item_recommender.item_recommender_of`, or your own.
    folds : sequence of Fold
        From `alsolike.evaluation.item_to_item.unseen_users.unseen_users`.
    part : {"validation", "test"}
        Whose users ask.
    k : int
        Length of the lists, at least 1.
    metrics : sequence of str
        Any of `METRICS`.
    spread : bool
        Also list all items that may have a list, for `ItemToItemEvaluation.shown`.
    features : FeatureVectors or None
        Also measure the agreement of what is shown; implies `spread`.

    Raises
    ------
    SettingError
        A setting is out of its range, or a recommender is a model that is not wrapped.
    DataError
        Not one recommender for each fold, other items, or a list has an item twice, the item of the
        query, or an unknown item.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
    >>> from alsolike.evaluation.item_to_item.unseen_users import unseen_users
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> users = [f"u{user}" for user in range(60) for _ in range(4)]
    >>> items = [f"{'abc'[user % 3]}{item}" for user in range(60) for item in range(4)]
    >>> folds = unseen_users(Interactions.from_columns(users, items))
    >>> shelves = [item_recommender_of(fit_popularity(one.train), one.train) for one in folds]
    >>> evaluate_item_to_item(shelves, folds, k=2, metrics=["precision", "hit_rate"])
    ItemToItemEvaluation(popularity, 27 users: precision@2 ..., hit_rate@2 ...)
    """
    check_whole("k", k, least=1)
    names = checked_names(metrics)
    queries = queries_of(recommenders, folds, part)
    return evaluate_queries(recommenders, queries, k, names, spread=spread, features=features)


def evaluate_queries(
    recommenders: Sequence[ItemRecommender],
    of_folds: Sequence[ItemQueries],
    k: int,
    names: Sequence[str],
    *,
    spread: bool = False,
    features: FeatureVectors | None = None,
) -> ItemToItemEvaluation:
    """Measure as `evaluate_item_to_item`, on the queries of each fold; names are checked."""
    measured, shown = [], []
    for recommender, queries in zip(recommenders, of_folds, strict=True):
        _check_recommender(recommender, queries)
        sources = sources_of(queries, spread=spread or features is not None)
        one = FoldLists(queries, sources, checked_lists(recommender, sources, k + 1))
        n_shown = int(getattr(recommender, "n_shown", len(recommender.items)))
        measured.append(one.metrics(score_rows_of(recommender), n_shown, k, names))
        if spread or features is not None:
            shown.append(one.shown(k, features))
    return ItemToItemEvaluation.of(recommenders[0].name, measured, k, ShownItems.pooled(shown))


@dataclass(frozen=True, eq=False)
class FoldLists:
    """The lists of `sources`, ascending, among them the items of all queries; (n, k + 1)."""

    queries: ItemQueries
    sources: Items
    lists: Ranked

    def metrics(self, score_rows: Any, n_shown: int, k: int, names: Sequence[str]) -> QueryMetrics:
        """Return the metrics of the queries."""
        rows = np.searchsorted(self.sources, self.queries.distinct[0])
        lists = Ranked(self.lists.indices[rows], self.lists.scores[rows])
        return query_metrics(self.queries, lists, score_rows, n_shown=n_shown, k=k, metrics=names)

    def shown(self, k: int, features: FeatureVectors | None) -> ShownItems:
        """Return what is shown; `sources` are all items that may have a list."""
        return ShownItems.of(self.queries, self.sources, self.lists.indices[:, :k], features)


def sources_of(queries: ItemQueries, *, spread: bool) -> Items:
    """Return the items to list, ascending: those of the queries, or all that may have a list."""
    if not spread:
        return queries.distinct[0]
    return np.flatnonzero(queries.may_show).astype(np.int32)


def queries_of(models: Sequence[Any], folds: Sequence[Fold], part: Part) -> list[ItemQueries]:
    """Return the queries of a part of each fold; raise unless there is a model for each fold."""
    if part not in ("validation", "test"):
        raise SettingError(f"part must be 'validation' or 'test', not {part!r}.")
    if not folds or len(models) != len(folds):
        raise DataError(
            f"One model for each fold expected, trained on the fold's own training data; there are "
            f"{len(models)} for {len(folds)} folds."
        )
    return [fold.queries(part) for fold in folds]


def _check_recommender(recommender: ItemRecommender, queries: ItemQueries) -> None:
    if not callable(getattr(recommender, "ranked", None)):
        raise SettingError(
            "An item recommender is needed, such as item_recommender_of(model, train), not "
            f"{type(recommender).__name__}."
        )
    if recommender.items != queries.train.items:
        raise DataError(
            f"The item recommender {recommender.name!r} has {len(recommender.items):,} items, the "
            f"fold has {queries.n_items:,}, or different ones. Train it on the fold's own "
            "training data."
        )


def _user_means(parts: Iterable[tuple[ItemQueries, Values]]) -> tuple[Indices, Values]:
    """Return the distinct users of all folds, and their means over pages, then over folds.

    NaN marks queries that do not count; users without any other are left out.
    """
    users, values = [], []
    for queries, of_queries in parts:
        counts = ~np.isnan(of_queries)
        own, means = _grouped_means(queries.users[queries.owners[counts]], of_queries[counts])
        users.append(own)
        values.append(means)
    return _grouped_means(np.concatenate(users), np.concatenate(values))


def _grouped_means(groups: Indices, values: Values) -> tuple[Indices, Values]:
    """Return the distinct groups, ascending, and the mean of each, whatever the order."""
    order = np.lexsort((values, groups))
    distinct, places = np.unique(groups[order], return_inverse=True)
    sums = np.bincount(places, weights=values[order])
    return distinct, sums / np.bincount(places)
