"""The best few of all items for one row, exactly, in plain NumPy: a product, then a narrow look.

A float32 product says about where each item stands. Those that can be among the best by the one
defined sum of `kernels.topk.dot` are scored by that sum, so the answer is the kernels' own.
"""

from collections.abc import Callable

import numpy as np

from alsolike.models.base import Floats
from alsolike.models.factor_model import FactorModel, with_factors
from alsolike.recommending.answers import (
    MIN_COUNT,
    Indices,
    Mask,
    product_margin,
    unit_rows,
    with_direction,
)

_LANES = 4  # as in kernels/topk.py, whose import would bring Numba
_BLOCK = 64  # items, far apart, of which only the best is looked at first
_AT_ONCE = 1 << 19  # products of a few items with all: what the caches of a core hold
_PAIRS = 1 << 14  # exact products at a time
_LOWEST = np.finfo(np.float32).min  # what minus infinity does not reach


class Neighbours:
    """Similar items of one model, with what does not depend on the item made ready once.

    Parameters
    ----------
    model : FactorModel

    Raises
    ------
    FitError
        An item's factors are not finite.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> rows, cosines = Neighbours(tiny_model()).similar(0, 2)
    >>> len(rows), bool(cosines[0] >= cosines[1])
    (2, True)
    """

    def __init__(self, model: FactorModel) -> None:
        self._model = with_factors(model, "compare items")
        self._norms, self._directed = model.item_norms, with_direction(model)
        self._lengths: Floats = np.where(self._directed, self._norms, np.float32(1))
        self._margin = float(product_margin(np.ones(()), 1.0, model.factors))
        self._open = self._known_to(MIN_COUNT)
        self._closing = _closing(self._open)

    def similar(
        self, row: int, k: int, *, min_count: int = MIN_COUNT, may_appear: Mask | None = None
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to one, and their cosines, the best first.

        Parameters
        ----------
        row : int
            Of the item, which is not among the answers.
        k : int
            At most so many, at least 1.
        min_count : int
            Least likes of an answer.
        may_appear : bool, (n_items,), or None
            What may be among the answers; None: everything.

        Returns
        -------
        int32 and float32, (n,)
            Empty where the item has no direction.
        """
        if not self._directed[row]:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        factors, norms = self._model.item_factors, self._norms
        query = unit_rows(factors[row], norms[row])
        near: Floats = np.divide(factors @ query, self._lengths, dtype=np.float32)

        def cosines(items: Indices) -> Floats:
            exact = dots(unit_rows(factors[items], norms[items]), query)
            return np.clip(exact, -1, 1)

        if min_count == MIN_COUNT and may_appear is None:
            near += self._closing
        else:
            allowed = self._known_to(min_count)
            near += _closing(allowed if may_appear is None else allowed & may_appear)
        near[row] = -np.inf
        return narrowed(near, k, self._margin, cosines)

    def similar_to_many(self, rows: Indices, k: int) -> tuple[Indices, Floats]:
        """Return what `similar` returns for each of these items.

        Parameters
        ----------
        rows : int32, (n,)
        k : int
            At most so many for each, at least 1.

        Returns
        -------
        int32 and float32, (n, k)
            Best first; -1 and NaN where there are fewer.
        """
        items = np.full((len(rows), k), -1, dtype=np.int32)
        cosines = np.full((len(rows), k), np.nan, dtype=np.float32)
        step = max(1, _AT_ONCE // max(1, len(self._lengths)))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            self._fill(rows[part], items[part], cosines[part])
        return items, cosines

    def _fill(self, rows: Indices, items: Indices, cosines: Floats) -> None:
        """Fill in the neighbours of a few items by one product."""
        factors, norms = self._model.item_factors, self._norms
        k, queries = items.shape[1], unit_rows(factors[rows], norms[rows])
        near: Floats = queries @ factors.T
        near /= self._lengths
        near += self._closing
        near[np.arange(len(rows)), rows] = -np.inf
        near[~self._directed[rows]] = -np.inf
        least = _least(near, k, self._margin)
        owners, found = np.divmod(np.flatnonzero(near >= least[:, None]), near.shape[1])
        exact = np.empty(len(found), dtype=np.float32)
        for start in range(0, len(found), _PAIRS):  # twins of each other may be any number
            pairs = slice(start, start + _PAIRS)
            units = unit_rows(factors[found[pairs]], norms[found[pairs]])
            exact[pairs] = dots(units, queries[owners[pairs]])
        exact = np.clip(exact, -1, 1)
        order = np.lexsort((found, -exact, owners))
        owners = owners[order]
        places = np.arange(len(order)) - np.searchsorted(owners, owners)
        order, owners, places = (one[places < k] for one in (order, owners, places))
        items[owners, places] = found[order]
        cosines[owners, places] = exact[order]

    def _known_to(self, min_count: int) -> Mask:
        known: Mask = self._directed & (self._model.item_counts >= min_count)
        return known


def narrowed(
    near: Floats, k: int, margin: float, exact: Callable[[Indices], Floats]
) -> tuple[Indices, Floats]:
    """Return the best items by `exact`, of which `near` is off by at most `margin`.

    Parameters
    ----------
    near : float32, (n_items,)
        Minus infinity where an item must not appear; finite elsewhere.
    k : int
    margin : float
    exact : callable
        From rows of items to their scores, float32.

    Returns
    -------
    int32 and float32, (n,)
        Best first; of equal ones the lower row.
    """
    items = np.flatnonzero(near >= _least(near, k, margin)).astype(np.int32)
    if len(items) > k:
        of_items = near[items]
        last = np.partition(of_items, len(items) - k)[len(items) - k]
        # k items have exact scores of at least last - margin; whoever beats them is near that.
        items = items[of_items >= np.float64(last) - 2 * margin]
    scores = exact(items)
    order = np.lexsort((items, -scores))[:k]
    return items[order], scores[order]


def _closing(may_appear: Mask) -> Floats:
    """Return what turns a score into minus infinity where an item must not appear."""
    closing: Floats = np.where(may_appear, np.float32(0), np.float32(-np.inf))
    return closing


def _least(near: Floats, k: int, margin: float) -> Floats:
    """Return for each row a number below which nothing is among the best k by the exact scores.

    It is the k-th of the best of each block, less what both can be off: one quick pass in place of
    a selection among all.
    """
    whole = near.shape[-1] // _BLOCK * _BLOCK
    best = near[..., :whole].reshape(*near.shape[:-1], _BLOCK, -1).max(axis=-2)
    place = best.shape[-1] - k
    if place < 0:
        return np.full(near.shape[:-1], _LOWEST, dtype=np.float32)
    surely = np.partition(best, place)[..., place].astype(np.float64) - 2 * margin
    below: Floats = np.nextafter(surely.astype(np.float32), np.float32(-np.inf))
    return np.maximum(below, _LOWEST)


def dots(rows: Floats, vector: Floats) -> Floats:
    """Return ``dot(row, vector)`` of `kernels.topk` for each row, to the last bit."""
    products = rows.astype(np.float64) * vector.astype(np.float64)
    steps = -(-rows.shape[1] // _LANES)
    padded = np.zeros((len(rows), steps * _LANES))
    padded[:, : rows.shape[1]] = products
    # A running sum adds in order, which np.sum does not promise.
    lanes = np.cumsum(padded.reshape(len(rows), steps, _LANES), axis=1)[:, -1] + 0.0
    total = ((lanes[:, 0] + lanes[:, 1]) + lanes[:, 2]) + lanes[:, 3]
    return total.astype(np.float32)
