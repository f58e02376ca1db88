"""Scores of a member over all items, divided by their standard deviation for each user.

A list for one user and a table for all users are equal to the byte, whatever the linear algebra
library does: products of factors are made exact, and deviations are summed row by row.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.models.base import Doubles, FittedModel, Floats, Indices, Rows
from alsolike.models.memo import Memo
from alsolike.models.protocols import FoldsInFactors, HasFactors
from alsolike.models.values import aged_by

_EVERYTHING = slice(None)
# Bits of exact sums in float64, and of float32 numbers.
_DOUBLE, _FLOAT = 53, 24
# Scores of a user whose deviation is a smaller share of the largest differ by rounding alone.
_LEAST = 1e-6
# Items multiplied at a time, and scores of a group of rows, which fit into the caches.
_ITEMS, _SCORES = 4096, 1 << 18
# Rows scored together: as many as a ranking asks for, fewer for many items.
_ROWS, _FEWEST_ROWS, _BLOCK = 240, 16, 1 << 23


@dataclass(frozen=True, eq=False)
class Standardized:
    """The scores of one model, divided by their standard deviation over the items of each user.

    Parameters
    ----------
    model : FittedModel
    memo : Memo or None
        Keeps blocks of scores of training users.
    """

    model: FittedModel
    memo: Memo | None = None

    def of_users(self, rows: Indices) -> Floats:
        """Return scores of training users over deviations, float32, (n_rows, n_items).

        0 for users whose scores are all equal, or differ by rounding alone.
        """
        if self.memo is None:
            return self._of_users(rows)
        key = (id(self.model), rows.tobytes())
        found: Floats = self.memo.array(key, lambda: self._of_users(rows))
        return found

    def of_likes(self, likes: sp.csr_array, ages: Doubles | None = None) -> tuple[Floats, Doubles]:
        """Return scores of rows of likes over deviations, and the deviations, float64, (n,).

        `ages` are those of the likes, in days; None: all are new.
        """
        model: Any = self.model
        if isinstance(model, FoldsInFactors):
            vectors = model.folded_in(likes, **aged_by(model, ages))
            return self._in_groups(len(vectors), lambda rows: self._products(vectors[rows]))

        def scores(rows: slice) -> Floats:
            here = slice(likes.indptr[rows.start], likes.indptr[rows.stop])
            own = aged_by(model, None if ages is None else ages[here])
            block: Floats = model.user_scores(likes[rows], _EVERYTHING, **own)
            return block

        return self._in_groups(likes.shape[0], scores)

    def _of_users(self, rows: Indices) -> Floats:
        model = self.model
        if isinstance(model, HasFactors):
            found, _ = self._in_groups(
                len(rows), lambda group: self._products(model.user_factors[rows[group]])
            )
        else:
            found, _ = self._in_groups(
                len(rows), lambda group: model.scores(rows[group], _EVERYTHING)
            )
        return found

    def _in_groups(
        self, n_rows: int, scores: Callable[[slice], npt.NDArray[Any]]
    ) -> tuple[Floats, Doubles]:
        n_items = len(self.model.items)
        found = np.zeros((n_rows, n_items), dtype=np.float32)
        deviations = np.zeros(n_rows)
        size = min(max(_BLOCK // max(n_items, 1), _FEWEST_ROWS), _ROWS)
        for first in range(0, n_rows, size):
            rows = slice(first, min(first + size, n_rows))
            standardize(scores(rows), found[rows], deviations[rows])
        return found, deviations

    def _products(self, vectors: Floats) -> Doubles:
        """Return the products of rows of factors with those of all items, exact in any order.

        Both sides are rounded to whole multiples of a power of two of each row, with so few digits
        that float64 holds every partial sum.

        References
        ----------
        Ozaki, Ogita, Oishi, Rump 2012, "Error-free transformations of matrix multiplication by
        using fast routines of matrix multiplication and its applications".
        """
        whole, units = self._item_factors
        left, own = in_whole_units(vectors, _digits(vectors.shape[1]))
        left = left.astype(np.float64)
        products = np.empty((len(vectors), len(whole)))
        for first in range(0, len(whole), _ITEMS):
            items = slice(first, first + _ITEMS)
            np.matmul(left, whole[items].astype(np.float64).T, out=products[:, items])
        products *= units
        products *= own[:, None]
        return products

    @functools.cached_property
    def _item_factors(self) -> tuple[Floats, Doubles]:
        model: Any = self.model
        return in_whole_units(model.item_factors, _digits(model.factors))


def _digits(factors: int) -> int:
    """Return the bits of each number by which sums of so many products are exact."""
    return min((_DOUBLE - max(factors - 1, 0).bit_length()) // 2, _FLOAT)


def in_whole_units(rows: Floats, digits: int) -> tuple[Floats, Doubles]:
    """Round each row to whole multiples of a power of two.

    Parameters
    ----------
    rows : float32, (n, factors)
    digits : int
        Multiples are at most ``2 ** digits``.

    Returns
    -------
    float32, (n, factors)
        The multiples.
    float64, (n,)
        The powers.

    Examples
    --------
    >>> in_whole_units(np.array([[1.0, -0.3], [0.0, 0.0]], dtype=np.float32), 4)
    (array([[ 8., -2.],
           [ 0.,  0.]], dtype=float32), array([0.125 , 0.0625]))
    """
    _, exponents = np.frexp(np.abs(rows).max(axis=1, initial=0.0))
    whole = np.rint(np.ldexp(rows, (digits - exponents)[:, None]))
    return whole, np.ldexp(1.0, exponents - digits)


def standardize(scores: npt.NDArray[Any], found: Floats, deviations: Doubles) -> None:
    """Divide each row of scores by its standard deviation, which is written to `deviations`.

    Scores of -inf, of items that must not be listed, remain and take no part.

    Parameters
    ----------
    scores : float32 or float64, (n, n_items)
    found : float32, (n, n_items)
        Zeros before; remain so for rows whose deviation is 0.
    deviations : float64, (n,)
    """
    n_rows, n_items = scores.shape
    size = max(_SCORES // max(n_items, 1), 1)
    for first in range(0, n_rows, size):
        rows = slice(first, min(first + size, n_rows))
        # In float64 and C order, so that NumPy adds each row by itself, in the same order.
        own = np.array(scores[rows], dtype=np.float64, order="C")
        lowest = own.min(axis=1, initial=0.0)
        if np.isneginf(lowest).any():
            _standardize_listed(own, found[rows], deviations[rows])
            continue
        centred = own - (own.sum(axis=1) / max(n_items, 1))[:, None]
        deviation = np.sqrt(np.square(centred).sum(axis=1) / max(n_items, 1))
        largest = np.maximum(own.max(axis=1, initial=0.0), -lowest)
        deviation[deviation <= _LEAST * largest] = 0.0
        deviations[rows] = deviation
        np.divide(
            own, deviation[:, None], out=found[rows], where=(deviation > 0)[:, None],
            casting="same_kind",
        )  # fmt: skip


def _standardize_listed(scores: Doubles, found: Floats, deviations: Doubles) -> None:
    """Standardize rows some of whose items must not be listed, each by itself."""
    for row, own in enumerate(scores):
        listed = ~np.isneginf(own)
        part = np.zeros((1, int(listed.sum())), dtype=np.float32)
        standardize(own[listed][None], part, deviations[row : row + 1])
        found[row] = -np.inf
        found[row, listed] = part[0]


def rows_of(given: Rows, count: int) -> Indices:
    """Return rows given by a slice or by numbers as int32, (n,)."""
    rows: Indices = np.arange(count, dtype=np.int32)[given]
    return rows
