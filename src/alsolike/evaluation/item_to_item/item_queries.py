"""Queries of item-to-item evaluation: items of users whom training never saw."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, masked
from alsolike.data.splitting.split import relevant_counts
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import DataError, SplitError
from alsolike.recommending.shared import MIN_COUNT

Indices = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ItemQueries:
    """Items whose similar items are evaluated, drawn once for all models.

    Parameters
    ----------
    items : int32, (n_queries,)
        The item of each query; the queries of a user are consecutive.
    owners : int64, (n_queries,)
        The position of its user in `users`; ascending.
    users : int64, (n_users,)
        Rows of the measured users, ascending: those with a query.
    wanted : CSR of bool, (n_users, n_items)
        All likes of these users. The item of a query does not count for this query.
    train : Interactions
        The training data, with no like of these users.
    min_count : int
        Items with at least so many likes in it may be listed, and may have a list.
    without_query : int
        Users with two likes or more, of items that may have no list.
    without_relevant : int
        Users with one like, of whom nothing is left to be found.
    """

    items: Items
    owners: Indices
    users: Indices
    wanted: sp.csr_array
    train: Interactions
    min_count: int = MIN_COUNT
    without_query: int = 0
    without_relevant: int = 0

    @classmethod
    def of(
        cls,
        held_out: Interactions,
        train: Interactions,
        *,
        pages_per_user: int = 5,
        min_count: int = MIN_COUNT,
        seed: int = 0,
    ) -> "ItemQueries":
        """Draw the queries of each user, independently of the other users.

        Parameters
        ----------
        held_out : Interactions
            All interactions of the users to measure; values above 0 are likes.
        train : Interactions
            The training data, with no like of these users.
        pages_per_user : int
            Most queries of a user, at least 1.
        min_count : int
            Least likes in training of an item that may be listed or have a list, at least 0.
        seed : int
            Seed of the draw, at least 0.

        Raises
        ------
        SettingError
            A setting is out of its range.
        DataError
            Users or items differ, or no user has a query.
        SplitError
            A user has a like in training.
        """
        check_whole("pages_per_user", pages_per_user, least=1)
        check_whole("min_count", min_count, least=0)
        check_whole("seed", seed, least=0)
        _check_unseen(held_out, train)
        liked = masked(held_out.user_items, held_out.user_items.data > 0)
        lengths = np.diff(liked.indptr)
        has_list = masked(liked, (train.like_counts >= min_count)[liked.indices])
        drawn = _drawn(has_list, pages_per_user, seed)
        counts = np.diff(drawn.indptr)
        is_measured = (counts > 0) & (lengths > 1)
        users = np.flatnonzero(is_measured)
        if not len(users):
            raise DataError(
                f"None of the {np.count_nonzero(lengths):,} users has two likes, one of them of an "
                f"item with at least {min_count:,} likes in training: there is nothing to measure."
            )
        wanted = liked[users]
        return cls(
            drawn[users].indices.astype(np.int32),
            np.repeat(np.arange(len(users)), counts[users]),
            users,
            sp.csr_array((np.ones(wanted.nnz, bool), wanted.indices, wanted.indptr), wanted.shape),
            train,
            min_count,
            int(np.count_nonzero((counts == 0) & (lengths > 1))),
            int(np.count_nonzero(lengths == 1)),
        )

    @property
    def n_items(self) -> int:
        """The number of items, those that may not be listed included."""
        return self.train.n_items

    @property
    def likes(self) -> Indices:
        """Likes of each item in training, int64, (n_items,)."""
        likes: Indices = self.train.like_counts
        return likes

    @functools.cached_property
    def may_show(self) -> Mask:
        """Which items may be listed, and may have a list, bool, (n_items,)."""
        may_show: Mask = self.likes >= self.min_count
        return may_show

    @functools.cached_property
    def distinct(self) -> tuple[Items, Indices]:
        """The distinct items of the queries, ascending, and the place of each query's item."""
        items, places = np.unique(self.items, return_inverse=True)
        return items, places.astype(np.int64)

    @functools.cached_property
    def relevant(self) -> sp.csr_array:
        """The relevant items of each query, CSR of bool, (n_queries, n_items)."""
        of_users = self.wanted[self.owners]
        queries = np.repeat(np.arange(len(self.items)), np.diff(of_users.indptr))
        return masked(of_users, of_users.indices != self.items[queries])

    def is_relevant(self, lists: Items) -> Mask:
        """Return which places of the lists of all queries hold a relevant item."""
        known, n_items = self._keys, self.n_items
        keys = self.owners[:, None] * n_items + lists
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        found: Mask = (known[places] == keys) & (lists >= 0) & (lists != self.items[:, None])
        return found

    @functools.cached_property
    def _keys(self) -> Indices:
        """One number for each wanted pair of a user and an item, ascending."""
        rows = np.repeat(np.arange(len(self.users)), np.diff(self.wanted.indptr))
        keys: Indices = rows.astype(np.int64) * self.n_items + self.wanted.indices
        return keys

    def popularity_weights(self, exponent: float) -> Values:
        """Return the weight of a hit on each item: mean 1 over all wanted likes, (n_items,).

        ``n_j ** -exponent``, over its mean over the wanted likes; n_j are the likes in training, at
        least 1.
        """
        weights: Values = np.maximum(self.likes, 1).astype(np.float64) ** -exponent
        carried = np.bincount(self.wanted.indices, minlength=self.n_items)
        weights *= carried.sum() / float(carried @ weights)
        return weights


def _check_unseen(held_out: Interactions, train: Interactions) -> None:
    """Refuse users whom training has seen."""
    expect_interactions(held_out, "held_out")
    expect_interactions(train, "train")
    if held_out.users != train.users or held_out.items != train.items:
        raise DataError(
            f"The held-out interactions ({held_out!r}) and those of training ({train!r}) do not "
            "have the same users and items. Take both from the same Split."
        )
    seen = np.flatnonzero((relevant_counts(held_out) > 0) & (relevant_counts(train) > 0))
    if len(seen):
        raise SplitError(
            f"Similar items are evaluated on users whom training has not seen: a model answers "
            f"with a bit of the users it knows. {len(seen):,} of the "
            f"{np.count_nonzero(relevant_counts(held_out)):,} held-out users have likes in "
            f"training, the first is {train.users.id_of(int(seen[0]))!r}. Split with "
            "alsolike.hold_out_unseen_users(likes)."
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
