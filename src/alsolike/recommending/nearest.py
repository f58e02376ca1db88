"""The best few of all items for one row, exactly, in plain NumPy: a product, then a narrow look.

A float32 product says about where each item stands. Those that can be among the best by the one
defined sum of `kernels.topk.dot` are scored by that sum, so the answer is the kernels' own.
"""

from collections.abc import Callable

import numpy as np

from alsolike.models.base import FactorModel, Floats, with_factors
from alsolike.recommending.answers import (
    MIN_COUNT,
    Indices,
    Mask,
    product_margin,
    unit_rows,
    with_direction,
)

_LANES = 4  # as in kernels/topk.py, whose import would bring Numba
_BLOCK = 64  # items of which only the best is looked at first


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

        allowed = self._open if min_count == MIN_COUNT else self._known_to(min_count)
        allowed = allowed.copy() if may_appear is None else allowed & may_appear
        allowed[row] = False
        return narrowed(near, allowed, k, self._margin, cosines)

    def _known_to(self, min_count: int) -> Mask:
        known: Mask = self._directed & (self._model.item_counts >= min_count)
        return known


def narrowed(
    near: Floats,
    may_appear: Mask,
    k: int,
    margin: float,
    exact: Callable[[Indices], Floats],
) -> tuple[Indices, Floats]:
    """Return the best items by `exact`, of which `near` is off by at most `margin`.

    Parameters
    ----------
    near : float32, (n_items,), finite
    may_appear : bool, (n_items,)
    k : int
    margin : float
    exact : callable
        From rows of items to their scores, float32.

    Returns
    -------
    int32 and float32, (n,)
        Best first; of equal ones the lower row.
    """
    rough = np.where(may_appear, near, np.float32(-np.inf))
    items = np.flatnonzero(rough >= _surely_below(rough, k) - 2 * margin).astype(np.int32)
    if len(items) > k:
        of_items = rough[items]
        last = np.partition(of_items, len(items) - k)[len(items) - k]
        # k items have exact scores of at least last - margin; whoever beats them is near that.
        items = items[of_items >= np.float64(last) - 2 * margin]
    items = items[may_appear[items]]
    scores = exact(items)
    order = np.lexsort((items, -scores))[:k]
    return items[order], scores[order]


def _surely_below(rough: Floats, k: int) -> np.float64:
    """Return a number that at least k of these reach, minus infinity where none is found at once.

    It is the k-th of the best of each block: one quick pass in place of a selection among all.
    """
    whole = len(rough) // _BLOCK * _BLOCK
    best = rough[:whole].reshape(-1, _BLOCK).max(axis=1)
    if len(best) < k:
        return np.float64(-np.inf)
    return np.float64(np.partition(best, len(best) - k)[len(best) - k])


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
