"""The exact best items for one row in plain NumPy: an approximate product, then few exact sums.

A float32 product locates each score up to rounding. Items that can be among the best by the sum of
`kernels.topk.dot` are scored by that sum, so the result equals that of the kernels.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, SettingError, Unable
from alsolike.models.base import (
    FittedModel,
    Floats,
    HasAffinities,
    HasFactors,
    ItemScorer,
    able,
)
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.exact import exact_products
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.score_blocks import not_finite, whole_rows
from alsolike.recommending.shared import (
    MIN_COUNT,
    Indices,
    Mask,
    likes_of_items,
    product_margin,
    row_lengths,
)

_BLOCK = 64  # items, far apart, of which only the best is compared first
_AT_ONCE = 1 << 19  # products of a few items with all, within the caches of a core
_LOWEST = np.finfo(np.float32).min  # above minus infinity


def expect_item_scorer(model: Any, purpose: str) -> Any:
    """Return `model` if it compares items by cosine or ``item_scores``; else raise SettingError."""
    return model if isinstance(model, HasFactors) else able(model, ItemScorer, purpose)


def expect_cosines(model: Any, similarity: SimilarityConfig | None = None) -> HasFactors:
    """Return `model`; raise SettingError unless it compares items by the cosine."""
    is_cosine = True
    if isinstance(model, HasAffinities):
        config = similarity or model.similarity_config
        affinity = config.affinity or model.affinities[0]
        is_cosine = affinity == "cosine" and config.popularity_bias == 0
    if is_cosine and isinstance(model, HasFactors):
        return model
    raise SettingError(
        "include_self needs the cosine, with popularity_bias 0: the score of an item with itself "
        f"has no meaning otherwise. {model.name!r} compares by something else. Leave out "
        "include_self."
    )


class Neighbours:
    """Finds the similar items of one model; prepares once what does not depend on the item.

    Parameters
    ----------
    model : HasAffinities, HasFactors or ItemScorer
        Compared by an affinity, the cosine of factors, or else by ``item_scores``.
    similarity : SimilarityConfig or None
        The affinity and the dial; None: the model's own.

    Raises
    ------
    SettingError
        The model compares no items, has no dial, or not that affinity.
    FitError
        An item's factors are not finite.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> rows, cosines = Neighbours(tiny_model()).similar(0, 2)
    >>> len(rows), bool(cosines[0] >= cosines[1])
    (2, True)
    """

    def __init__(
        self,
        model: FittedModel | HasFactors | ItemScorer,
        similarity: SimilarityConfig | None = None,
    ) -> None:
        self._comparison: _Comparison
        terms = affinity_terms_of(model, similarity)
        if terms is not None:
            self._comparison = _Affinities(model, terms)
        else:
            self._comparison = _Scores(expect_item_scorer(model, "compare items"))

    def similar_to_set(
        self, rows: Indices, k: int, *, min_count: int = MIN_COUNT, may_appear: Mask | None = None
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to a set of distinct items, as `similar` does for one.

        The users who like some of the set count by how many of it they like: counts, sizes and
        predictions are sums over the items of the set.

        Raises
        ------
        Unable
            The model has no affinities.
        """
        if not isinstance(self._comparison, _Affinities):
            raise Unable("A model with affinities is needed to compare a set of items.")
        return self._comparison.similar_to_set(rows, k, min_count, may_appear)

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


class _Affinities:
    """Compares by the terms of an affinity: an approximate product, then few exact sums."""

    def __init__(self, model: Any, terms: AffinityTerms) -> None:
        self._model, self._terms = model, terms
        self.n_items = len(model.items)
        self._counts = likes_of_items(model)
        self._weights: Floats = terms.weights.astype(np.float32)
        self._most_weight = float(terms.weights.max(initial=0.0))
        self._open = _closing(self._counts >= MIN_COUNT)
        self._margin = 0.0
        if terms.right is not None:
            lengths = row_lengths(terms.right)
            self._check(lengths)
            if terms.right_lengths is not None:
                lengths = lengths / terms.right_lengths
            factors = terms.right.shape[1]
            self._margin = float(product_margin(np.ones(()), lengths.max(initial=0.0), factors))

    def _check(self, lengths: npt.NDArray[np.float64]) -> None:
        bad = np.flatnonzero(~np.isfinite(lengths))
        if len(bad):
            item = self._model.items.id_of(int(bad[0]))
            raise FitError(
                f"item {item!r} (row {bad[0]}) has factors that are not finite. Fit the model "
                "again."
            )

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        return self.similar_to_set(np.array([row], dtype=np.int32), k, min_count, may_appear)

    def similar_to_set(
        self, rows: Indices, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        """Rank by the sums of the terms of all rows; for one row, the scores of lists."""
        terms = self._terms
        query = self._query(rows)
        size = terms.size_of(rows)
        near = np.zeros(self.n_items, dtype=np.float32)
        margin = 0.0
        if query is not None and terms.right is not None and query.any():
            np.matmul(terms.right, query, out=near)
            if terms.right_lengths is not None:
                near /= terms.right_lengths
            margin = self._margin * float(row_lengths(query))
            near[near <= -margin] = -np.inf  # the exact product is below 0
            np.clip(near, 0.0, terms.ceiling, out=near, where=near > -np.inf)
        else:
            near[:] = -np.inf
        totals = np.zeros(self.n_items)
        if terms.counts is not None:
            for row in rows.tolist():
                items, counts = terms.counts.of(row)
                totals[items] += counts
            counted = np.flatnonzero(totals)
            near[counted] = np.maximum(near[counted], 0) + totals[counted].astype(np.float32)
        near *= self._weights
        near /= np.float32(size)
        if min_count == MIN_COUNT and may_appear is None:
            near += self._open
        else:
            shown = self._counts >= min_count
            near += _closing(shown if may_appear is None else shown & may_appear)
        near[rows] = -np.inf
        margin = margin * self._most_weight / size + float(near.max(initial=0.0)) * 2.0**-21

        def exact(items: Indices) -> Floats:
            total = totals[items]
            if query is not None:
                products = exact_products(terms.targets(items), query)
                total = total + np.clip(products, 0.0, terms.ceiling)
            scores: Floats = (total * terms.weights[items] / size).astype(np.float32)
            return scores

        items, scores = narrowed(near, k, margin, exact)
        shown_ones = scores > 0
        return items[shown_ones], scores[shown_ones]

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None:
        """Fill in the neighbours of a few items."""
        for place, row in enumerate(rows.tolist()):
            found, of_found = self.similar(row, items.shape[1], MIN_COUNT, None)
            items[place, : len(found)], scores[place, : len(found)] = found, of_found

    def _query(self, rows: Indices) -> Floats | None:
        terms = self._terms
        if terms.left is None:
            return None
        queries = terms.queries(rows)
        if len(rows) == 1:
            alone: Floats = queries[0]
            return alone
        shares = terms.masses[rows]
        mean: Floats = (queries.T @ shares / max(shares.sum(), 1e-300)).astype(np.float32)
        return mean


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
    return exact_products(rows, vector).astype(np.float32)
