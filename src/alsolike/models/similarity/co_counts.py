"""Counts of the users who like two items, weighted by how few items they like. No Numba.

Notation
--------
n_j : users who like j; L_u : items that u likes; N : items; U_i : who likes i
w_u : weight of user u
c_ij : sum of w_u over those who like i and j; W_i : sum of w_u over U_i

Weights are multiples of 2^-20, so sums are exact in float64, in any order.
"""

import functools
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, masked
from alsolike.engines.base import Engine, pieces

Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer]

_QUANTUM = 2.0**-20
_KEPT_AT_ONCE = 256  # items whose strongest neighbours are chosen together
_MANY = 1 << 16  # likes, from which a sparse product is faster
_SPARSE = 256  # of so many items one like: fewer are sorted


class CoLikes(Protocol):
    """The counts c_ij of pairs of items, and W_i."""

    sizes: Doubles

    def of(self, row: int) -> tuple[Indices, Doubles]:
        """Return the other items with a count for item `row`, ascending, and the counts."""


@dataclass(frozen=True, eq=False)
class CoCounts:
    """Counts of pairs of items, from the likes: nothing is stored for pairs.

    Parameters
    ----------
    weights : float64, (n_users,)
        w_u.
    user_starts, user_items : int, (n_users + 1,) and (n_likes,)
        User u likes ``user_items[user_starts[u]:user_starts[u + 1]]``, ascending.
    item_starts, item_users : int, (n_items + 1,) and (n_likes,)
        The same by items.
    sizes : float64, (n_items,)
        W_i.
    """

    weights: Doubles
    user_starts: Rows
    user_items: Rows
    item_starts: Rows
    item_users: Rows
    sizes: Doubles

    @classmethod
    def from_likes(cls, likes: Interactions, *, equal: bool = False) -> "CoCounts":
        """Prepare the counts; values above zero are likes.

        Parameters
        ----------
        likes : Interactions
        equal : bool
            Weigh all users equally; else by `user_weights`.

        Examples
        --------
        >>> likes = Interactions.from_columns(["u", "u", "v", "v", "v"], list("abbca"))
        >>> CoCounts.from_likes(likes, equal=True).of(0)
        (array([1, 2], dtype=int32), array([2., 1.]))
        """
        matrix = likes.user_items
        liked = matrix.data > 0
        if not liked.all():
            matrix = masked(matrix, liked)
        # Ones of one byte: only the places are needed.
        places = sp.csr_array(
            (np.ones(matrix.nnz, np.int8), matrix.indices, matrix.indptr), matrix.shape
        )
        columns = places.tocsc()
        lengths = np.diff(matrix.indptr)
        weights = np.ones(len(lengths)) if equal else user_weights(lengths, matrix.shape[1])
        of_likes = weights[columns.indices]
        sums = np.concatenate(([0.0], np.cumsum(of_likes)))
        sizes = np.diff(sums[columns.indptr])
        return cls(weights, matrix.indptr, matrix.indices, columns.indptr, columns.indices, sizes)

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.item_starts) - 1

    def likers(self, row: int) -> Rows:
        """Return the users who like an item, ascending."""
        return self.item_users[self.item_starts[row] : self.item_starts[row + 1]]

    def of(self, row: int) -> tuple[Indices, Doubles]:
        """Return the other items with a count for item `row`, ascending, and the counts."""
        users = self.likers(row)
        items, counts = self.of_users(users, self.weights[users])
        others = items != row
        return items[others], counts[others]

    def of_users(self, users: Rows, weights: Doubles) -> tuple[Indices, Doubles]:
        """Return the items that users like, ascending, and the sums of the users' weights."""
        starts = self.user_starts[users]
        lengths = self.user_starts[users + 1] - starts
        n_likes = int(lengths.sum())
        if n_likes >= _MANY:
            # Rows are copied as a whole, and added without converting their indices.
            some = self._matrix[users]
            ones = np.ones(n_likes)
            likes = sp.csr_array((ones, some.indices, some.indptr), shape=some.shape)
            return _above_zero(likes.T @ weights)
        liked = self.user_items[_places(starts, lengths, n_likes)]
        each = np.repeat(weights, lengths)
        if n_likes * _SPARSE >= self.n_items:
            return _above_zero(_sums(liked, each, self.n_items))
        items, of_likes = np.unique(liked, return_inverse=True)
        return items.astype(np.int32, copy=False), _sums(of_likes, each, len(items))

    @functools.cached_property
    def _matrix(self) -> sp.csr_array:
        """The likes with ones of one byte, (n_users, n_items)."""
        ones = np.ones(len(self.user_items), dtype=np.int8)
        shape = len(self.weights), self.n_items
        return sp.csr_array((ones, self.user_items, self.user_starts), shape=shape)

    def strongest(self, keep: int, likes: Doubles, engine: Engine) -> "KeptCounts":
        """Return the counts of the `keep` strongest neighbours of each item, to be stored.

        Parameters
        ----------
        keep : int
        likes : float64, (n_items,)
            n_j, at least 1; strong is ``c_ij / n_j ** 0.25``, the middle of the dial.
        engine : Engine
        """
        discounts = likes**-0.25

        def chosen(rows: slice) -> list[tuple[Indices, Doubles]]:
            return [_strongest(*self.of(row), keep, discounts) for row in range(*rows.indices(n))]

        n = self.n_items
        lists = [one for block in engine.each(chosen, pieces(n, _KEPT_AT_ONCE)) for one in block]
        starts = np.concatenate(
            ([0], np.cumsum([len(items) for items, _ in lists], dtype=np.int64))
        )
        items = np.concatenate([np.empty(0, np.int32), *(one for one, _ in lists)])
        counts = np.concatenate([np.empty(0), *(one for _, one in lists)])
        return KeptCounts(starts, items, counts, self.sizes)


@dataclass(frozen=True, eq=False)
class KeptCounts:
    """Stored counts of the strongest neighbours of each item, for bundles without history.

    Parameters
    ----------
    starts : int64, (n_items + 1,)
    items : int32, (n_kept,)
        Neighbours of item i: ``items[starts[i]:starts[i + 1]]``, ascending.
    counts : float64, (n_kept,)
    sizes : float64, (n_items,)
        W_i.
    """

    starts: Rows
    items: Indices
    counts: Doubles
    sizes: Doubles

    def of(self, row: int) -> tuple[Indices, Doubles]:
        """Return the kept neighbours of item `row`, ascending, and their counts."""
        stored = slice(self.starts[row], self.starts[row + 1])
        return self.items[stored], self.counts[stored]


def user_weights(lengths: Rows, n_items: int) -> Doubles:
    """Return w_u of users with so many likes: who likes everything says little.

    ``ln(1 + (N - L_u + 0.5) / (L_u + 0.5)) ** 2``, the square of a Robertson-Sparck Jones weight,
    divided by the mean over users with a like; a multiple of 2^-20 above zero.
    """
    counts = np.asarray(lengths, dtype=np.float64)
    rarity = np.log1p((n_items - counts + 0.5) / (counts + 0.5)) ** 2
    has_likes = counts > 0
    mean = rarity[has_likes].mean() if has_likes.any() else 1.0
    weights: Doubles = np.maximum(np.round(rarity / mean / _QUANTUM), 1.0) * _QUANTUM
    return weights


def _places(starts: Rows, lengths: Rows, total: int) -> npt.NDArray[np.int64]:
    """Return the places of the ranges that begin at `starts`, one range after the other."""
    filled = lengths > 0
    starts, lengths = starts[filled].astype(np.int64), lengths[filled]
    steps = np.ones(total, dtype=np.int64)
    steps[:1] = starts[:1]
    steps[np.cumsum(lengths[:-1])] = starts[1:] - starts[:-1] - lengths[:-1] + 1
    return np.cumsum(steps, out=steps)


def _sums(places: Rows, values: Doubles, n_places: int) -> Doubles:
    sums: Doubles = np.bincount(places, values, n_places).astype(np.float64, copy=False)
    return sums


def _above_zero(totals: Doubles) -> tuple[Indices, Doubles]:
    # Comparing first: places of true values are found ten times as fast as those of numbers.
    items = np.flatnonzero(totals > 0)
    return items.astype(np.int32), totals[items]


def _strongest(
    items: Indices, counts: Doubles, keep: int, discounts: Doubles
) -> tuple[Indices, Doubles]:
    if len(items) <= keep:
        return items, counts
    order = np.lexsort((items, -counts * discounts[items]))[:keep]
    kept = np.sort(order)
    return items[kept], counts[kept]
