"""The exact best items for one row in plain NumPy: an approximate product, then few exact sums.

A float32 product locates each score up to rounding. Items that can be among the best by the sum of
`kernels.topk.dot` are scored by that sum, so the result equals that of the kernels.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from alsolike.errors import SettingError
from alsolike.models.base import FittedModel, Floats, HasFactors, ItemScorer, able
from alsolike.recommending.ranking.score_blocks import not_finite, whole_rows
from alsolike.recommending.shared import (
    MIN_COUNT,
    Indices,
    Mask,
    likes_of_items,
    product_margin,
    unit_rows,
    with_direction,
)

_LANES = 4  # as in kernels/ranking/topk.py, whose import would bring Numba
_BLOCK = 64  # items, far apart, of which only the best is compared first
_AT_ONCE = 1 << 19  # products of a few items with all, within the caches of a core
_PAIRS = 1 << 14  # exact products at a time
_LOWEST = np.finfo(np.float32).min  # above minus infinity


def expect_item_scorer(model: Any, purpose: str) -> Any:
    """Return `model` if it compares items by cosine or ``item_scores``; else raise SettingError."""
    return model if isinstance(model, HasFactors) else able(model, ItemScorer, purpose)


def expect_cosines(model: Any) -> HasFactors:
    """Return `model`, or raise SettingError unless it compares items by cosine."""
    if not isinstance(model, HasFactors):
        raise SettingError(
            f"include_self needs cosine similarity; {model.name!r} uses scores of its own. Leave "
            "out include_self."
        )
    return model


class Neighbours:
    """Finds the similar items of one model; prepares once what does not depend on the item.

    Parameters
    ----------
    model : HasFactors or ItemScorer
        Compared by the cosine of factors, or else by ``item_scores``.

    Raises
    ------
    SettingError
        The model compares no items.
    FitError
        An item's factors are not finite.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> rows, cosines = Neighbours(tiny_model()).similar(0, 2)
    >>> len(rows), bool(cosines[0] >= cosines[1])
    (2, True)
    """

    def __init__(self, model: FittedModel | HasFactors | ItemScorer) -> None:
        self._comparison: _Comparison
        if isinstance(model, HasFactors):
            self._comparison = _Cosines(model)
        else:
            self._comparison = _Scores(expect_item_scorer(model, "compare items"))

    def similar(
        self, row: int, k: int, *, min_count: int = MIN_COUNT, may_appear: Mask | None = None
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to one, and their scores, best first.

        Parameters
        ----------
        row : int
            The item, which is left out.
        k : int
            Most items, at least 1.
        min_count : int
            Least likes of a similar item.
        may_appear : bool, (n_items,), or None
            Items that may be returned; None: all.

        Returns
        -------
        int32 and float32, (n,)
            With cosines for models with factors, else with ``item_scores``. May be empty.

        Raises
        ------
        FitError
            A score is NaN or +inf.
        """
        return self._comparison.similar(row, k, min_count, may_appear)

    def similar_to_many(
        self, rows: Indices, k: int, *, block: int = _AT_ONCE
    ) -> tuple[Indices, Floats]:
        """Return the results of `similar` for several items.

        Parameters
        ----------
        rows : int32, (n,)
        k : int
            Most items for each, at least 1.
        block : int
            Scores held at once.

        Returns
        -------
        int32 and float32, (n, k)
            Best first; -1 and NaN where there are fewer.
        """
        items = np.full((len(rows), k), -1, dtype=np.int32)
        scores = np.full((len(rows), k), np.nan, dtype=np.float32)
        step = max(1, block // max(1, self._comparison.n_items))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            self._comparison.fill(rows[part], items[part], scores[part])
        return items, scores


class _Comparison(Protocol):
    """How to compare the items of a model."""

    n_items: int

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]: ...

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None: ...


class _Scores:
    """Compares by a model's own scores; -inf is not listed."""

    def __init__(self, model: ItemScorer) -> None:
        self._model, self._counts = model, likes_of_items(model)
        self.n_items = len(model.items)

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        (scores,) = self._scores(np.array([row], dtype=np.int32))
        return self._best(row, scores, k, min_count, may_appear)

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None:
        """Fill in the neighbours of a few items."""
        for place, near in enumerate(self._scores(rows)):
            found, of_found = self._best(int(rows[place]), near, items.shape[1], MIN_COUNT, None)
            items[place, : len(found)], scores[place, : len(found)] = found, of_found

    def _scores(self, rows: Indices) -> Floats:
        name, ask = self._model.name, self._model.item_scores
        return whole_rows(name, lambda items: ask(rows, items), len(rows), self.n_items)

    def _best(
        self, row: int, scores: Floats, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        shown: Mask = self._counts >= min_count
        if may_appear is not None:
            shown &= may_appear
        shown[row] = False
        return best_of(self._model, scores, shown, k, f"item {self._model.items.id_of(row)!r}")


class _Cosines:
    """Compares by the cosine of factors, with a pruned product."""

    def __init__(self, model: HasFactors) -> None:
        self._model = model
        self.n_items = len(model.items)
        self._norms, self._directed = model.item_norms, with_direction(model)
        self._lengths: Floats = np.where(self._directed, self._norms, np.float32(1))
        self._margin = float(product_margin(np.ones(()), 1.0, model.factors))
        self._open = self._known_to(MIN_COUNT)
        self._closing = _closing(self._open)

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
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

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None:
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
        scores[owners, places] = exact[order]

    def _known_to(self, min_count: int) -> Mask:
        known: Mask = self._directed & (self._model.item_counts >= min_count)
        return known


def best_of(
    model: Any, scores: Floats, may_appear: Mask, k: int, owner: str
) -> tuple[Indices, Floats]:
    """Rank the items by a model's own scores, without those of -inf.

    Parameters
    ----------
    model : Recommender or ItemScorer
    scores : float32, (n_items,)
    may_appear : bool, (n_items,)
    k : int
    owner : str
        Owner of the scores, for messages.

    Returns
    -------
    int32 and float32, (at most k,)
        Best first, ties by row.

    Raises
    ------
    FitError
        The score of an item that may appear is NaN or +inf.
    """
    bad = np.flatnonzero(may_appear & ~(scores < np.inf))
    if len(bad):
        raise not_finite(model, int(bad[0]), owner, float(scores[bad[0]]))
    near = np.where(may_appear, scores, np.float32(-np.inf))
    return narrowed(near, k, 0.0, near.__getitem__)


def narrowed(
    near: Floats, k: int, margin: float, exact: Callable[[Indices], Floats]
) -> tuple[Indices, Floats]:
    """Rank the items by `exact`, from which `near` differs by at most `margin`.

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
    int32 and float32, (at most k,)
        Best first, ties by row.
    """
    items = np.flatnonzero(near >= _least(near, k, margin)).astype(np.int32)
    if len(items) > k:
        of_items = near[items]
        last = np.partition(of_items, len(items) - k)[len(items) - k]
        # k items have exact scores of at least last - margin.
        items = items[of_items >= np.float64(last) - 2 * margin]
    scores = exact(items)
    order = np.lexsort((items, -scores))[:k]
    return items[order], scores[order]


def _closing(may_appear: Mask) -> Floats:
    """Return 0 for items that may appear and -inf for others, to add to scores."""
    closing: Floats = np.where(may_appear, np.float32(0), np.float32(-np.inf))
    return closing


def _least(near: Floats, k: int, margin: float) -> Floats:
    """Return for each row a bound below which no item is among the exact best k.

    The k-th best of the blocks' best items, minus both errors: one quick pass instead of a
    selection.
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
