"""Evaluation of similar items: whether users who like an item like those beside it.

User lists do not answer this. A model may know what a user wants and have poor neighbours, and
what is best for lists need not be best for the shelf beside an item. A *page* is one item with one
user who likes it in training; wanted on its shelf are the user's held-out likes. A user has a few
queries, drawn by a seed, and counts once, however many likes there are.

Nothing is left out: a page whose item has no neighbours counts 0, and so does whatever a shelf is
too short to show. Equal scores are taken as in lists: each figure is the mean over their orders.
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
from alsolike.evaluation.item_to_item.item_recommender import (
    CosineRecommender,
    ItemRecommender,
    ScoreRecommender,
    item_recommender_of,
)
from alsolike.evaluation.metrics.evaluate import (
    METRICS,
    checked_lengths,
    checked_metrics,
    values_of,
)
from alsolike.evaluation.metrics.exposure import exposure_of
from alsolike.evaluation.metrics.result import Evaluation, describe_degenerate
from alsolike.kernels.ranking.metrics import LIST_MEASURES
from alsolike.recommending.ranking.scan import Ranked
from alsolike.tables import Table

__all__ = [
    "ITEM_TO_ITEM_METRICS",
    "CosineRecommender",
    "ItemQueries",
    "ItemRecommender",
    "ItemToItemEvaluation",
    "ScoreRecommender",
    "evaluate_item_to_item",
    "evaluate_queries",
    "item_recommender_of",
]

Items = npt.NDArray[np.int32]
Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# A shelf is a list and has no scores of all other items, which AUC needs.
ITEM_TO_ITEM_METRICS = tuple(metric for metric in METRICS if metric != "auc")
# What is measured where nothing is said.
USUAL = ("hit_rate", "recall", "precision", "ndcg")


@dataclass(frozen=True, eq=False)
class ItemToItemEvaluation(Evaluation):
    """Result of `evaluate_item_to_item`: values are means over a user's queries.

    ``hits_at`` are the hits on all queries together, ``coverage_at`` the share of all items that are
    on at least one of the shelves shown; the other fields are those of `Evaluation`.

    Parameters
    ----------
    queries : int
        ItemRecommender evaluate_queries, of all users together.
    without_neighbours : int
        ItemQueries among them whose item has no neighbour at all; they count 0.
    short : int
        ItemQueries with fewer items than the longest list, those without neighbours among them; the
        free places count as misses.
    without_query : int
        Users asked for who have held-out likes and none in training: there is no page to ask them
        on, so they have no values.
    """

    queries: int = 0
    without_neighbours: int = 0
    short: int = 0
    without_query: int = 0

    def facts(self) -> list[tuple[str, str]]:
        """Return what was asked, as pairs of a label and a text."""
        seen = "left out" if self.excludes_seen else "kept"
        told = [
            ("shelves", f"{self.model_name}; what the user has already is {seen}"),
            ("queries", f"{self.queries:,} of {len(self.user_indices):,} users"),
        ]
        counted = (
            ("queries whose item has no neighbour", self.without_neighbours, "count 0"),
            ("queries with a shelf that is not full", self.short, "free places are misses"),
            ("users without a like to have a page of", self.without_query, "not measured"),
            ("users without a held-out like", self.without_relevant, "not measured"),
        )
        told += [(label, f"{count:,}; {rule}") for label, count, rule in counted if count]
        if self.is_degenerate:
            told.append(("degenerate", describe_degenerate(self.degenerate_share, "queries")))
        return told

    def __str__(self) -> str:
        lines = [f"{label}: {text}" for label, text in self.facts()]
        return "\n".join([*lines, str(self.summary())])

    def __repr__(self) -> str:
        return f"Shelf{super().__repr__()}"


def evaluate_item_to_item(
    shelves: ItemRecommender,
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
    """Measure the shelves beside items against other likes of the users who like the items.

    For each user with held-out likes, up to `pages_per_user` items are drawn of those that the
    user likes in `shown`, all equally likely. The shelf beside each is compared with the user's
    held-out likes. A user's value is the mean over the user's queries, a mean is one over users.
    Popularity is the shelf to beat: judge `PopularityShelves` with the same settings, and compare
    user by user with `alsolike.evaluation.statistics.intervals.paired_difference`.

    Parameters
    ----------
    shelves : ItemRecommender
        ``CosineRecommender(model)`` of a factorization, ``PopularityShelves(model)``, what
        `item_recommender_of` gives for any other model here, or your own.
    held_out : Interactions
        Values above 0 are the likes to be found, such as ``split.validation``.
    shown : Interactions
        What the model was trained on, such as ``split.train``, with what was given of whole
        held-out users; over the same users and items.
    k : int or sequence of int
        Lengths of the shelf, each at least 1.
    metrics : sequence of str
        Any of `ITEM_TO_ITEM_METRICS`, as defined in `alsolike.evaluation.metrics.evaluate`, of one shelf.
    pages_per_user : int
        At most so many, at least 1: all, where a user has fewer likes.
    exclude_seen : bool
        Leave what the user has in `shown` out of the shelf, and fill it up with what comes next.
        False: the shelf is the same for everybody.
    user_indices : int, (n,), or None
        Rows of the users to measure, each once; the values come in this order. Those without a
        held-out like, or without a page, are left out and counted. None: all with a held-out like.
    seed : int
        Of the draw, at least 0. The same queries for every model.

    Returns
    -------
    ItemToItemEvaluation

    Raises
    ------
    SettingError
        A setting is out of its range, or `shelves` is a model that is not wrapped.
    DataError
        Ids differ; a held-out like is in `shown`, too; nobody has both a held-out like and a
        page; or a list of `shelves` has an item twice, the item of the page, or one that there is
        not.

    Examples
    --------
    >>> from alsolike.data.splitting.splitters import leave_one_out
    >>> from alsolike.models.als.train import ALSConfig, fit
    >>> users = [f"u{user}" for user in range(60) for _ in range(4)]
    >>> items = [f"{'abc'[user % 3]}{item}" for user in range(60) for item in range(4)]
    >>> split = leave_one_out(Interactions.from_columns(users, items))
    >>> model = fit(split.train, ALSConfig(factors=3, iterations=5))
    >>> evaluate_item_to_item(CosineRecommender(model), split.validation, split.train, k=2)
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
    return evaluate_queries(shelves, queries, lengths, names)


def evaluate_queries(
    shelves: ItemRecommender, queries: ItemQueries, lengths: Sequence[int], names: Sequence[str]
) -> ItemToItemEvaluation:
    """Measure shelves on given queries, else as `evaluate_item_to_item`.

    Parameters
    ----------
    shelves : ItemRecommender
    queries : ItemQueries
    lengths : sequence of int
        As `alsolike.evaluation.metrics.evaluate.checked_lengths` gives them.
    names : sequence of str
        As `checked_item_metrics` gives them.
    """
    if not callable(getattr(shelves, "ranked", None)):
        raise SettingError(
            "ItemRecommender are needed, such as CosineRecommender(model) or PopularityShelves(model), not "
            f"{type(shelves).__name__}."
        )
    truth, owners = queries.truth, queries.owners
    if shelves.items != truth.held_out.items:
        raise DataError(
            f"The shelves {shelves.name!r} know {len(shelves.items):,} items, the interactions "
            f"{truth.held_out.n_items:,}, and they are not the same. Take both from the same "
            "Split."
        )
    with_coverage = "coverage" in names
    filled = queries.filled(
        functools.partial(_checked, shelves),
        lengths,
        n_shown=int(getattr(shelves, "n_shown", len(shelves.items))),
        lines=getattr(shelves, "lines", None),
        spread=with_coverage,
    )
    values = values_of(filled.shelves, filled.ties, truth.wanted[owners], lengths)
    columns: dict[str, Any] = {"user": truth.user_ids}
    for at, length in enumerate(lengths):
        for name in names:
            if name in LIST_MEASURES:
                of_queries = values[at, LIST_MEASURES.index(name)]
                columns[f"{name}@{length}"] = _mean_of_pages(of_queries, owners)
    n_items = len(shelves.items)
    covered = {
        length: exposure_of(filled.shelves, lengths, at, filled.ties, n_items).coverage
        for at, length in enumerate(lengths)
        if with_coverage
    }
    is_blind = filled.ties.is_blind | filled.is_barren
    return ItemToItemEvaluation(
        shelves.name,
        queries.exclude_seen,
        truth.users,
        Table(columns),
        {length: float(values[at, 0].sum()) for at, length in enumerate(lengths)},
        covered,
        truth.without_relevant,
        blind_at={length: float(is_blind[at].mean()) for at, length in enumerate(lengths)},
        queries=len(owners),
        without_neighbours=int(np.count_nonzero(filled.is_barren)),
        short=int(np.count_nonzero(filled.shelves.indices[:, -1] < 0)),
        without_query=queries.without_query,
    )


def _mean_of_pages(values: Values, owners: Indices) -> Values:
    """Return the mean over each user's queries, whatever the order in which these come."""
    in_order = values[np.lexsort((values, owners))]
    means: Values = np.bincount(owners, weights=in_order) / np.bincount(owners)
    return means


def item_to_item_name(metric: str) -> str:
    """Return what a metric is called where it stands beside the same metric of users' lists.

    Examples
    --------
    >>> item_to_item_name("precision@10")
    'shelf_precision@10'
    """
    return f"shelf_{metric}"


def checked_item_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the distinct names; raise SettingError for one that shelves do not have."""
    names = checked_metrics(metrics)
    if "auc" in names:
        raise SettingError(
            "auc is measured on scores of all items, and a shelf is a list. ItemRecommender have: "
            f"{', '.join(ITEM_TO_ITEM_METRICS)}."
        )
    return names


def _checked(model: ItemRecommender, items: Items, depth: int) -> Ranked:
    """Return what stands beside items, or raise DataError where it is nothing to be measured."""
    found, n_items = model.ranked(items, depth), len(model.items)
    lists, scores = np.asarray(found.indices), np.asarray(found.scores, dtype=np.float32)
    if lists.shape != (len(items), depth) or lists.dtype.kind not in "iu":
        raise DataError(
            f"The shelves {model.name!r} gave lists of shape {lists.shape} and {lists.dtype}; row "
            f"numbers of shape {(len(items), depth)} expected, -1 where a list has ended."
        )
    if scores.shape != lists.shape:
        raise DataError(
            f"The shelves {model.name!r} gave scores of shape {scores.shape} for lists of shape "
            f"{lists.shape}; a score for each place expected, -inf where there is none."
        )
    ascending = np.sort(lists, axis=1)
    is_twice = (ascending[:, 1:] == ascending[:, :-1]) & (ascending[:, 1:] >= 0)
    is_outside = (lists < -1) | (lists >= n_items)
    goes_on = (lists[:, :-1] < 0) & (lists[:, 1:] >= 0)
    for odd, what in (
        (is_outside.any(axis=1), f"an item that is none of the {n_items:,}"),
        (goes_on.any(axis=1), "an item after its end (-1)"),
        ((lists == items[:, None]).any(axis=1), "that item itself"),
        ((~(scores[:, :-1] >= scores[:, 1:])).any(axis=1), "scores that do not descend"),
        (is_twice.any(axis=1), "an item twice"),
    ):
        if odd.any():
            item = model.items.id_of(int(items[np.flatnonzero(odd)[0]]))
            raise DataError(f"The shelf {model.name!r} beside item {item!r} shows {what}.")
    return Ranked(lists.astype(np.int32, copy=False), scores)
