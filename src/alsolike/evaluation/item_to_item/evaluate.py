"""Evaluation of similar items on the held-out likes of users.

Good lists for users do not imply good similar items, so these are measured by themselves. A *query*
is one item together with one user who likes it in training; relevant are the user's held-out likes.
A user has a few queries, drawn by a seed, and counts once, however many likes there are.

Nothing is left out: a query whose item has no neighbours counts 0, and so do places that stay
empty. For equal scores, each metric is the mean over all their orders.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import ItemRecommender
from alsolike.evaluation.metrics.evaluate import (
    METRICS,
    checked_lengths,
    checked_metrics,
    columns_of,
    values_of,
)
from alsolike.evaluation.metrics.exposure import coverages_of
from alsolike.evaluation.metrics.result import Evaluation, describe_degenerate
from alsolike.recommending.ranking.scan import Ranked
from alsolike.tables import Table

Items = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# AUC needs the scores of all items.
ITEM_TO_ITEM_METRICS = tuple(metric for metric in METRICS if metric != "auc")
# Metrics by default.
USUAL = ("hit_rate", "recall", "precision", "ndcg")
# Begins the names of these metrics next to those of users' lists.
PREFIX = "shelf_"


@dataclass(frozen=True, eq=False)
class ItemToItemEvaluation(Evaluation):
    """Result of `evaluate_item_to_item`: values are means over a user's queries.

    ``hits_at`` are the hits of all queries, ``coverage_at`` the share of all items that are listed
    for at least one query; the other fields are those of `Evaluation`.

    Parameters
    ----------
    queries : int
        Queries of all users.
    without_neighbours : int
        Queries whose item has no neighbour; they count 0.
    short : int
        Queries with fewer items than the longest list, including those without neighbours; empty
        places count as misses.
    without_query : int
        Requested users with held-out likes and none in training, who have no values.
    """

    queries: int = 0
    without_neighbours: int = 0
    short: int = 0
    without_query: int = 0

    def facts(self) -> list[tuple[str, str]]:
        """Return the counts as pairs of a label and a text."""
        seen = "left out" if self.excludes_seen else "kept"
        facts = [
            ("similar items", f"{self.model_name}; seen items {seen}"),
            ("queries", f"{self.queries:,} of {len(self.user_indices):,} users"),
        ]
        counted = (
            ("queries whose item has no neighbour", self.without_neighbours, "count 0"),
            ("queries with fewer than k items", self.short, "empty places count as misses"),
            ("users without a like in training", self.without_query, "not measured"),
            ("users without a held-out like", self.without_relevant, "not measured"),
        )
        facts += [(label, f"{count:,}; {rule}") for label, count, rule in counted if count]
        if self.is_degenerate:
            facts.append(("degenerate", describe_degenerate(self.degenerate_share, "queries")))
        return facts

    def __str__(self) -> str:
        lines = [f"{label}: {text}" for label, text in self.facts()]
        return "\n".join([*lines, str(self.summary())])

    def __repr__(self) -> str:
        return f"ItemToItem{super().__repr__()}"


def evaluate_item_to_item(
    recommender: ItemRecommender,
    held_out: Interactions,
    shown: Interactions,
    *,
    k: int | Sequence[int] = 10,
    metrics: Sequence[str] = USUAL,
    pages_per_user: int = 5,
    exclude_seen: bool = True,
    user_indices: npt.ArrayLike | None = None,
    seed: int = 0,
) -> ItemToItemEvaluation:
    """Measure how many held-out likes of users are among the items similar to their likes.

    For each user with held-out likes, up to `pages_per_user` of the user's likes in `shown` are
    drawn as queries, all equally likely. The items similar to each are compared with the user's
    held-out likes. A user's value is the mean over the user's queries, a mean is one over users.
    Compare with the popularity baseline under the same settings, user by user, with
    `alsolike.evaluation.statistics.intervals.paired_difference`.

    Parameters
    ----------
    recommender : ItemRecommender
        From `alsolike.evaluation.item_to_item.item_recommender.item_recommender_of`, or your own.
    held_out : Interactions
        Values above 0 are the likes to be found, such as ``split.validation``.
    shown : Interactions
        The training data, such as ``split.train``, with the given likes of users held out whole;
        over the same users and items.
    k : int or sequence of int
        Lengths of the lists, each at least 1.
    metrics : sequence of str
        Any of `ITEM_TO_ITEM_METRICS`, see `alsolike.evaluation.metrics.evaluate`.
    pages_per_user : int
        Most queries of a user, at least 1.
    exclude_seen : bool
        Leave the user's items in `shown` out of the lists, which are filled with the next ones.
        False: a list is the same for all users.
    user_indices : int, (n,), or None
        Rows of the users to measure, each once; the values come in this order. Those without a
        held-out like, or without a query, are left out and counted. None: all with a held-out like.
    seed : int
        Seed of the queries, at least 0; they are the same for every model.

    Raises
    ------
    SettingError
        A setting is out of its range, or `recommender` is a model that is not wrapped.
    DataError
        Ids differ; a held-out like is also in `shown`; nobody has both a held-out like and a
        query; or a list has an item twice, the item of the query, or an unknown item.

    Examples
    --------
    >>> from alsolike.data.splitting.splitters import leave_one_out
    >>> from alsolike.evaluation.item_to_item.item_recommender import ModelItemRecommender
    >>> from alsolike.models.als.train import fit
    >>> from alsolike.models.als.config import ALSConfig
    >>> users = [f"u{user}" for user in range(60) for _ in range(4)]
    >>> items = [f"{'abc'[user % 3]}{item}" for user in range(60) for item in range(4)]
    >>> split = leave_one_out(Interactions.from_columns(users, items))
    >>> model = fit(split.train, ALSConfig(factors=3, iterations=5))
    >>> evaluate_item_to_item(ModelItemRecommender(model), split.validation, split.train, k=2)
    ItemToItemEvaluation(als, 60 users, seen excluded: hit_rate@2 1.0000, recall@2 1.0000, ...)
    """
    lengths = checked_lengths(k)
    names = checked_item_metrics(metrics)
    queries = ItemQueries.of(
        held_out,
        shown,
        pages_per_user=pages_per_user,
        exclude_seen=exclude_seen,
        user_indices=user_indices,
        seed=seed,
    )
    return evaluate_queries(recommender, queries, lengths, names)


def evaluate_queries(
    recommender: ItemRecommender,
    queries: ItemQueries,
    lengths: Sequence[int],
    names: Sequence[str],
) -> ItemToItemEvaluation:
    """Measure as `evaluate_item_to_item`, on given queries; lengths and names are checked."""
    if not callable(getattr(recommender, "ranked", None)):
        raise SettingError(
            "An item recommender is needed, such as item_recommender_of(model, train), not "
            f"{type(recommender).__name__}."
        )
    truth, owners = queries.truth, queries.owners
    if recommender.items != truth.held_out.items:
        raise DataError(
            f"The item recommender {recommender.name!r} has {len(recommender.items):,} items, the "
            f"interactions have {truth.held_out.n_items:,}, or different ones. Take both from the "
            "same Split."
        )
    with_coverage = "coverage" in names
    found = queries.answered(
        functools.partial(_checked, recommender),
        lengths,
        n_shown=int(getattr(recommender, "n_shown", len(recommender.items))),
        score_rows=getattr(recommender, "score_rows", None),
        spread=with_coverage,
    )
    values = values_of(found.lists, found.ties, truth.wanted[owners], lengths)
    of_queries = columns_of(values, lengths, names)
    means: dict[str, Any] = {
        name: _mean_of_queries(column, owners) for name, column in of_queries.items()
    }
    n_items = len(recommender.items)
    is_blind = found.ties.is_blind | found.is_barren
    return ItemToItemEvaluation(
        recommender.name,
        queries.exclude_seen,
        truth.users,
        Table({"user": truth.user_ids} | means),
        {length: float(values[at, 0].sum()) for at, length in enumerate(lengths)},
        coverages_of(found.lists, lengths, found.ties, n_items) if with_coverage else {},
        truth.without_relevant,
        blind_at={length: float(is_blind[at].mean()) for at, length in enumerate(lengths)},
        queries=len(owners),
        without_neighbours=int(np.count_nonzero(found.is_barren)),
        short=int(np.count_nonzero(found.lists.indices[:, -1] < 0)),
        without_query=queries.without_query,
    )


def _mean_of_queries(values: Values, owners: Indices) -> Values:
    """Return the mean over each user's queries, whatever their order."""
    in_order = values[np.lexsort((values, owners))]
    means: Values = np.bincount(owners, weights=in_order) / np.bincount(owners)
    return means


def checked_item_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the distinct names; raise SettingError for one that is not available here."""
    names = checked_metrics(metrics)
    if "auc" in names:
        raise SettingError(
            "auc needs the scores of all items and is not available for similar items; these are: "
            f"{', '.join(ITEM_TO_ITEM_METRICS)}."
        )
    return names


def _checked(recommender: ItemRecommender, items: Items, depth: int) -> Ranked:
    """Return the lists of a recommender; raise DataError for invalid ones."""
    found, n_items = recommender.ranked(items, depth), len(recommender.items)
    called = f"The item recommender {recommender.name!r}"
    lists, scores = np.asarray(found.indices), np.asarray(found.scores, dtype=np.float32)
    if lists.shape != (len(items), depth) or lists.dtype.kind not in "iu":
        raise DataError(
            f"{called} gave lists of shape {lists.shape} and {lists.dtype}; row "
            f"numbers of shape {(len(items), depth)} expected, -1 where a list has ended."
        )
    if scores.shape != lists.shape:
        raise DataError(
            f"{called} gave scores of shape {scores.shape} for lists of shape "
            f"{lists.shape}; a score for each place expected, -inf where there is none."
        )
    ascending = np.sort(lists, axis=1)
    is_twice = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    is_outside = (lists < -1) | (lists >= n_items)
    goes_on = (lists[:, :-1] < 0) & (lists[:, 1:] >= 0)
    for odd, what in (
        (is_outside.any(axis=1), f"an item that is not one of the {n_items:,}"),
        (goes_on.any(axis=1), "an item after its end (-1)"),
        ((lists == items[:, None]).any(axis=1), "that item itself"),
        ((~(scores[:, :-1] >= scores[:, 1:])).any(axis=1), "scores that do not descend"),
        (is_twice.any(axis=1), "an item twice"),
    ):
        if odd.any():
            item = recommender.items.id_of(int(items[np.flatnonzero(odd)[0]]))
            raise DataError(f"{called} lists {what} as similar to item {item!r}.")
    return Ranked(lists.astype(np.int32, copy=False), scores)
