"""Metrics of the lists of similar items that queries get, as means over orders of equal scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.item_queries import Indices, ItemQueries, Items, Mask, Values
from alsolike.evaluation.item_to_item.item_recommender import ItemRecommender
from alsolike.evaluation.metrics.evaluate import ACCURACY, columns_of, values_of
from alsolike.evaluation.metrics.ties import Ties, covers_median
from alsolike.models.base import Floats
from alsolike.recommending.ranking.scan import Ranked
from alsolike.usage_hints import did_you_mean

ScoreRows = Callable[[Items], Floats]

# Popularity-stratified precision, and its exponents.
STRATIFIED: Mapping[str, float] = {"p_0.5": 0.5, "p_1": 1.0}
# AUC needs the scores of all items.
METRICS = (*(name for name in ACCURACY if name != "auc"), *STRATIFIED)

# Scores of items with all items that are held at once: 64 MB.
_CELLS_PER_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class QueryMetrics:
    """Metrics of each query of a fold.

    Parameters
    ----------
    queries : ItemQueries
    columns : mapping of str to float64, (n_queries,)
        Such as ``"precision@10"``.
    hits : float64, (n_queries,)
    is_barren : bool, (n_queries,)
        Queries whose item has no neighbour.
    is_short : bool, (n_queries,)
        Queries with fewer than k items, those without any included.
    is_blind : bool, (n_queries,)
        Queries whose list is nearly random, see `alsolike.evaluation.metrics.ties.Ties`.
    """

    queries: ItemQueries
    columns: Mapping[str, Values]
    hits: Values
    is_barren: Mask
    is_short: Mask
    is_blind: Mask


def query_metrics(
    queries: ItemQueries,
    lists: Ranked,
    score_rows: ScoreRows,
    *,
    n_shown: int,
    k: int,
    metrics: Sequence[str],
) -> QueryMetrics:
    """Measure the lists of queries.

    Parameters
    ----------
    queries : ItemQueries
    lists : Ranked, (n_distinct, k + 1)
        Of the distinct items of the queries, as in ``queries.distinct``; the extra place shows
        whether equal scores reach beyond a list. If all scores of a list are -inf, no two are
        equal.
    score_rows : callable
        From items to the scores that lists are ranked by, float32, (n_given, n_items); -inf for
        items that may not be listed. Only asked of items whose list ends within equal scores.
    n_shown : int
        Items that may be listed at all.
    k : int
    metrics : sequence of str
        Of `METRICS`.
    """
    items, place = queries.distinct
    is_item = lists.indices >= 0
    is_scored = np.all(np.isfinite(lists.scores) | ~is_item, axis=1)
    # Without scores no two are equal: places serve as scores.
    places = -np.arange(k + 1, dtype=np.float32)
    scores = np.where(is_item & ~is_scored[:, None], places, lists.scores)
    weights = {name: queries.popularity_weights(STRATIFIED[name])
               for name in metrics if name in STRATIFIED}  # fmt: skip
    ties = Ties.none(len(queries.items), 0, [k])
    tied = {name: np.zeros(len(queries.items)) for name in weights}
    is_cut = is_item[:, k] & (scores[:, k] == scores[:, k - 1])
    is_blind = _flat(lists.indices, scores, is_scored, k, n_shown)
    for cut in _blocks(np.flatnonzero(is_cut), queries.n_items):
        last = scores[cut, k - 1, None]
        all_scores = score_rows(items[cut])
        is_equal = all_scores == last
        size, above = (
            np.count_nonzero(is_equal, axis=1),
            np.count_nonzero(all_scores > last, axis=1),
        )
        is_blind[cut] = covers_median(above, above + size, max(n_shown - 1, 0))
        row_of = np.full(len(items), -1)
        row_of[cut] = np.arange(len(cut))
        rows = row_of[place]
        own = np.flatnonzero(rows >= 0)
        ties.sizes[own], ties.before[own] = size[rows[own]], above[rows[own]]
        relevant = queries.relevant[own]
        of_query = np.repeat(np.arange(len(own)), np.diff(relevant.indptr))
        is_tied = is_equal[rows[own][of_query], relevant.indices]
        of_query, wanted = of_query[is_tied], relevant.indices[is_tied]
        ties.relevant[own] = np.bincount(of_query, minlength=len(own))
        for name, weight in weights.items():
            tied[name][own] = np.bincount(of_query, weight[wanted], minlength=len(own))
    of_queries = Ranked(lists.indices[place, :k], scores[place, :k])
    values = values_of(of_queries, ties, queries.relevant, [k])
    columns = columns_of(values, [k], metrics)
    if weights:
        is_hit = queries.is_relevant(of_queries.indices)
        is_tied = (ties.sizes > 0)[:, None] & (of_queries.scores == of_queries.scores[:, -1:])
        for name, weight in weights.items():
            sums = np.where(is_hit & ~is_tied, weight[of_queries.indices], 0.0).sum(axis=1)
            columns[f"{name}@{k}"] = (sums + ties.share(k) * tied[name]) / k
    is_barren = ~is_item[place, 0]
    return QueryMetrics(
        queries,
        {f"{name}@{k}": columns[f"{name}@{k}"] for name in metrics},
        values[0, 0],
        is_barren,
        ~is_item[place, k - 1],
        is_blind[place] | is_barren,
    )


def _flat(indices: Items, scores: Floats, is_scored: Mask, k: int, n_shown: int) -> Mask:
    """Return which lists hold all there is, with one score that is the median of all."""
    n_listed = np.count_nonzero(indices[:, :k] >= 0, axis=1)
    is_flat: Mask = np.all((scores == scores[:, :1]) | (indices < 0), axis=1)
    is_flat &= is_scored & (n_listed > 1) & (indices[:, k] < 0)
    return is_flat & covers_median(np.zeros_like(n_listed), n_listed, max(n_shown - 1, 0))


def _blocks(rows: Indices, n_items: int) -> Iterator[Indices]:
    """Cut rows into blocks whose scores with all items fit into memory."""
    at_once = max(_CELLS_PER_BLOCK // n_items, 1)
    for first in range(0, len(rows), at_once):
        yield rows[first : first + at_once]


def score_rows_of(recommender: ItemRecommender) -> ScoreRows:
    """Return how to find the scores of all items: its own method, or by ranking them all."""
    own: ScoreRows | None = getattr(recommender, "score_rows", None)
    if own is not None:
        return own
    n_items = len(recommender.items)

    def ranked_all(items: Items) -> Floats:
        lists = checked_lists(recommender, items, n_items)
        found = np.full((len(items), n_items), -np.inf, dtype=np.float32)
        rows, places = np.nonzero(lists.indices >= 0)
        found[rows, lists.indices[rows, places]] = lists.scores[rows, places]
        return found

    return ranked_all


def checked_names(metrics: Sequence[str]) -> list[str]:
    """Return the distinct names of metrics; raise SettingError for one not available here."""
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    if "auc" in names:
        raise SettingError(
            "auc needs the scores of all items and is not available for similar items; these are: "
            f"{', '.join(METRICS)}."
        )
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        hint = did_you_mean(str(unknown[0]).partition("@")[0], METRICS) if unknown else ""
        raise SettingError(
            f"Unknown metrics {unknown} of similar items; known are {', '.join(METRICS)} (no @k)."
            f"{hint}"
        )
    return names


def checked_lists(recommender: ItemRecommender, items: Items, depth: int) -> Ranked:
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
