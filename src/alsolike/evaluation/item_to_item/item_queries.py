"""Queries of item-to-item evaluation: items that users like, drawn once for all models."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, masked
from alsolike.data.validation import check_whole
from alsolike.errors import DataError
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.ties import Ties, covers_median
from alsolike.models.base import Floats
from alsolike.models.history_model import likes_of
from alsolike.recommending.ranking.scan import Ranked

Indices = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Neighbours = Callable[[Items, int], Ranked]
ScoreRows = Callable[[Items], Floats]

# Items are ranked to this many times the length of a list, since users have seen some neighbours;
# if that is not enough, to this many times the last depth. Of the 36,311 items of Gowalla's queries
# 1,631 are ranked again; three times the length takes longer in all.
_DEEPER = 2
# Cells of users x items, and of queries x neighbours, held at once: 16 MB and more.
_CELLS_PER_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class ItemQueries:
    """Items whose similar items are evaluated, drawn once for all models.

    Parameters
    ----------
    truth : GroundTruth
        The users with a query, their relevant items and their seen ones.
    items : int32, (n_queries,)
        The item of each query; the queries of a user are consecutive.
    owners : int64, (n_queries,)
        The position of its user in ``truth.users``; ascending.
    exclude_seen : bool
        Whether items that the user has seen are left out of the lists.
    without_query : int
        Requested users with held-out likes and none in training.
    """

    truth: GroundTruth
    items: Items
    owners: Indices
    exclude_seen: bool
    without_query: int

    @classmethod
    def of(
        cls,
        held_out: Interactions,
        shown: Interactions,
        *,
        pages_per_user: int = 5,
        exclude_seen: bool = True,
        user_indices: npt.ArrayLike | None = None,
        seed: int = 0,
    ) -> "ItemQueries":
        """Draw the queries of each user, independently of the other users.

        Parameters and errors are those of
        `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item`.
        """
        check_whole("pages_per_user", pages_per_user, least=1)
        check_whole("seed", seed, least=0)
        if held_out.users != shown.users or held_out.items != shown.items:
            raise DataError(
                f"The held-out interactions ({held_out!r}) and those shown ({shown!r}) do not have "
                "the same users and items. Take both from the same Split."
            )
        # Even if seen items are kept: the item of a query must not be a held-out one.
        requested = GroundTruth.of(held_out, shown, user_indices)
        drawn = _drawn(likes_of(shown), pages_per_user, seed)
        has_query = np.diff(drawn.indptr)[requested.users] > 0
        if not has_query.any():
            raise DataError(
                f"None of the {len(requested.users):,} users with held-out likes has a like in "
                "training, so there are no items to query."
            )
        truth = requested
        if not has_query.all():
            truth = replace(
                GroundTruth.of(held_out, shown, requested.users[has_query]),
                without_relevant=requested.without_relevant,
            )
        own = drawn[truth.users]
        owners = np.repeat(np.arange(len(truth.users)), np.diff(own.indptr))
        without_query = int(np.count_nonzero(~has_query))
        return cls(truth, own.indices.astype(np.int32), owners, exclude_seen, without_query)

    def answered(
        self,
        neighbours: Neighbours,
        lengths: Sequence[int],
        *,
        n_shown: int,
        score_rows: ScoreRows | None = None,
        spread: bool = False,
    ) -> "QueryResults":
        """List the items similar to that of each query.

        Each item is ranked once, for all its queries, and deeper if a user has seen so many of the
        best that a list is not full, or if a list ends within equal scores.

        Parameters
        ----------
        neighbours : callable
            From items and a depth to lists, (n_given, depth): the best for each item, each once,
            without the item itself; -1 where a list has ended. A deeper list begins with the
            shallower one, but for the order of equal scores. If all scores are -inf, no two are
            equal.
        lengths : sequence of int
            Of the lists, ascending, each at least 1.
        n_shown : int
            Items that may be listed at all.
        score_rows : callable or None
            From items to the scores, float32, (n_given, n_items), that lists are ranked by; -inf
            for items that may not be listed. None: find equal scores by ranking deeper.
        spread : bool
            Whether `Ties.expected` and `Ties.missed` are needed.
        """
        longest = lengths[-1]
        found = QueryResults.nothing(self, lengths, n_shown, spread=spread)
        left, depth, n_items = np.arange(len(self.items)), longest, self.truth.wanted.shape[1]
        while left.size:
            # One place more than a list and all seen items of its user shows what follows the list.
            # Only equal scores may reach further.
            enough = longest + 1 + int(self._have[self.owners[left]].max())
            is_full = found.lists.indices[left, -1] >= 0
            depth = min(depth * _DEEPER, n_items, n_items if is_full.any() else enough)
            is_done = np.zeros(len(left), dtype=bool)
            for items, own in self._together(left, depth):
                lists = neighbours(items, depth)
                for block in self._blocks(left[own], depth):
                    queries = left[own[block]]
                    rows = np.searchsorted(items, self.items[queries])
                    deep = Ranked(lists.indices[rows], lists.scores[rows])
                    is_done[own[block]] = found.put(queries, deep)
            left = left[~is_done]
            if score_rows is not None:
                is_full = found.lists.indices[left, -1] >= 0
                self._settle(found, left[is_full], score_rows)
                left = left[~is_full]
        return found

    def _settle(self, found: "QueryResults", full: Indices, score_rows: ScoreRows) -> None:
        """Find all items with the score that full lists end with."""
        n_items = self.truth.wanted.shape[1]
        everything = np.arange(n_items, dtype=np.int32)
        for items, own in self._together(full, n_items):
            scores = score_rows(items)
            for block in self._blocks(full[own], n_items):
                queries = full[own[block]]
                of_queries = scores[np.searchsorted(items, self.items[queries])]
                is_shown = of_queries > -np.inf
                found.tie(queries, Ranked(np.where(is_shown, everything, -1), of_queries))

    def _together(self, queries: Indices, depth: int) -> Iterator[tuple[Items, Indices]]:
        """Yield blocks of the distinct items of queries, and their queries."""
        distinct, place = np.unique(self.items[queries], return_inverse=True)
        at_once = max(_CELLS_PER_BLOCK // depth, 1)
        for first in range(0, len(distinct), at_once):
            is_own = (place >= first) & (place < first + at_once)
            yield distinct[first : first + at_once], np.flatnonzero(is_own)

    @functools.cached_property
    def _have(self) -> Indices:
        """Count the seen items of each user, to be left out."""
        aside = self.truth.aside
        if aside is None or not self.exclude_seen:
            return np.zeros(len(self.truth.users), dtype=np.int64)
        have: Indices = np.diff(aside.indptr).astype(np.int64)
        return have

    def may_show(self, queries: Indices, lists: Items) -> Mask:
        """Return which places of the lists of consecutive queries hold items that may be listed."""
        is_item: Mask = lists >= 0
        aside = self.truth.aside
        if aside is None or not self.exclude_seen:
            return is_item
        return is_item & ~self.among(aside, queries, lists)

    def among(self, matrix: sp.csr_array, queries: Indices, lists: Items) -> Mask:
        """Return which places of the lists hold an item that `matrix` has for the query's user."""
        first, last = self.owners[queries[0]], self.owners[queries[-1]] + 1
        has = np.zeros((last - first, matrix.shape[1]), dtype=bool)
        own = matrix[first:last]
        has[np.repeat(np.arange(last - first), np.diff(own.indptr)), own.indices] = True
        found: Mask = has[(self.owners[queries] - first)[:, None], lists]
        return found

    def _blocks(self, queries: Indices, depth: int) -> list[slice]:
        """Cut `queries` into slices whose users and lists fit into memory."""
        owners = self.owners[queries]
        users_at_once = max(_CELLS_PER_BLOCK // self.truth.wanted.shape[1], 1)
        queries_at_once = max(_CELLS_PER_BLOCK // depth, 1)
        blocks, start = [], 0
        while start < len(queries):
            stop = int(np.searchsorted(owners, owners[start] + users_at_once))
            stop = min(stop, start + queries_at_once)
            blocks.append(slice(start, stop))
            start = stop
        return blocks


@dataclass(frozen=True, eq=False)
class QueryResults:
    """The list of each query, with the equal scores that it ends in.

    Parameters
    ----------
    queries : ItemQueries
    lists : Ranked, (n_queries, longest length)
    ties : Ties
        Of each query; `Ties.is_in` is empty.
    is_barren : bool, (n_queries,)
        Queries whose item has no neighbour.
    lengths : sequence of int
    n_shown : int
    """

    queries: ItemQueries
    lists: Ranked
    ties: Ties
    is_barren: Mask
    lengths: Sequence[int]
    n_shown: int

    @classmethod
    def nothing(
        cls, queries: ItemQueries, lengths: Sequence[int], n_shown: int, *, spread: bool
    ) -> "QueryResults":
        """Return empty lists."""
        n_queries, n_items = len(queries.items), queries.truth.wanted.shape[1]
        ties = Ties.none(n_queries, 0, lengths, n_items if spread else None)
        empty = Ranked.empty(n_queries, lengths[-1])
        return cls(queries, empty, ties, np.zeros(n_queries, dtype=bool), lengths, n_shown)

    def put(self, queries: Indices, lists: Ranked) -> Mask:
        """Fill the lists of consecutive queries; return which given lists were deep enough.

        A given list is if it has ended, or ends below the last score of the filled list.
        """
        items, scores, longest = lists.indices, lists.scores, self.lengths[-1]
        columns = np.broadcast_to(np.arange(items.shape[1], dtype=np.int32), items.shape)
        may_show = self.queries.may_show(queries, items)
        places = first_kept(columns, may_show, longest)
        is_item = places >= 0
        listed, of_list = (
            np.where(is_item, np.take_along_axis(part, places, axis=1), nothing)
            for part, nothing in ((items, -1), (scores, -np.inf))
        )
        # Without scores no two are equal: places serve as scores.
        is_scored: Mask = np.all(np.isfinite(of_list) | ~is_item, axis=1)
        self.is_barren[queries] = items[:, 0] < 0
        self.lists.indices[queries] = listed
        self.lists.scores[queries] = np.where(is_item & ~is_scored[:, None], -places, of_list)
        is_full = is_item[:, -1]
        is_below = ~is_scored | (scores[:, -1] < of_list[:, -1])
        is_done: Mask = (items[:, -1] < 0) | (is_full & is_below)
        rows = np.flatnonzero(is_done & is_full & is_scored)
        self.tie(queries[rows], Ranked(items[rows], scores[rows]))
        # Lists that hold all there is, with one score.
        n_listed, top = np.count_nonzero(may_show, axis=1), of_list[:, :1]
        is_flat = np.all((of_list == top) | ~is_item, axis=1) & is_scored & (n_listed > 1)
        rows = np.flatnonzero(is_flat & (items[:, -1] < 0) & (n_listed <= longest))
        above, not_below = _counted(Ranked(items[rows], scores[rows]), top[rows])
        for at, length in enumerate(self.lengths):
            is_held = n_listed[rows] <= length
            self.ties.is_blind[at, queries[rows[is_held]]] = covers_median(
                above, not_below, max(self.n_shown - 1, 0)
            )[is_held]
        return is_done

    def tie(self, queries: Indices, lists: Ranked) -> None:
        """Record which full lists of consecutive queries end within equal scores, and their items.

        Parameters
        ----------
        queries : int64, (n_given,)
        lists : Ranked
            In any order, with all items of at least the last listed score; -1 for items that may
            not be listed.
        """
        if not len(queries):
            return
        ties, scores = self.ties, lists.scores
        of_list, may_show = (
            self.lists.scores[queries],
            self.queries.may_show(queries, lists.indices),
        )
        for at, length in enumerate(self.lengths):
            last = of_list[:, length - 1, None]
            before = np.count_nonzero(of_list > last, axis=1)
            size = np.count_nonzero(may_show & (scores == last), axis=1)
            above, not_below = _counted(lists, last)
            # Among the other items: an item is not similar to itself.
            is_median = covers_median(above, not_below, max(self.n_shown - 1, 0))
            ties.is_blind[at, queries] = (before + size > length) & is_median
        rows = np.flatnonzero(before + size > self.lengths[-1])
        if not len(rows):
            return
        cut, items = queries[rows], lists.indices[rows]
        is_equal = may_show[rows] & (scores[rows] == last[rows])
        ties.sizes[cut], ties.before[cut] = size[rows], before[rows]
        is_wanted = self.queries.among(self.queries.truth.wanted, cut, items)
        ties.relevant[cut] = np.count_nonzero(is_equal & is_wanted, axis=1)
        if ties.expected is not None and ties.missed is not None:
            of_cut, column = np.nonzero(is_equal)
            for at, length in enumerate(self.lengths):
                share = ties.share(length)[cut[of_cut]]
                for total, weights in ((ties.expected, share), (ties.missed, np.log1p(-share))):
                    total[at] += np.bincount(
                        items[of_cut, column], weights, minlength=total.shape[1]
                    )


def _drawn(likes: sp.csr_array, pages_per_user: int, seed: int) -> sp.csr_array:
    """Return at most so many entries of each row, the first by random keys."""
    keys = np.random.default_rng(seed).random(likes.nnz)
    rows = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
    order = np.lexsort((keys, rows))
    is_first = np.arange(likes.nnz) - likes.indptr[rows] < pages_per_user
    is_drawn = np.zeros(likes.nnz, dtype=bool)
    is_drawn[order[is_first]] = True
    return masked(likes, is_drawn)


def _counted(lists: Ranked, score: Floats) -> tuple[Indices, Indices]:
    """Return how many items of each list are above a score, and how many are not below it."""
    is_item, scores = lists.indices >= 0, lists.scores
    return (
        np.count_nonzero(is_item & (scores > score), axis=1),
        np.count_nonzero(is_item & (scores >= score), axis=1),
    )


def first_kept(lists: Items, keep: Mask, k: int) -> Items:
    """Return the first `k` of each row's items that are kept, then -1."""
    places = np.cumsum(keep, axis=1, dtype=np.int32)
    rows, columns = np.nonzero(keep & (places <= k))
    kept = np.full((len(lists), k), -1, dtype=np.int32)
    kept[rows, places[rows, columns] - 1] = lists[rows, columns]
    return kept
