"""The items most similar to one item, or to a few, by an affinity. No Numba.

The items with a count come first: by their counts alone, most of them cannot be among the best, and
those that can raise the bar for all others, of which the longest are multiplied.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import FitError
from alsolike.models.base import Floats
from alsolike.models.similarity.exact import exact_products
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.recommending.ranking.leading import Leading
from alsolike.recommending.ranking.longest import MOST, Longest, least_with_rounding, with_rounding
from alsolike.recommending.ranking.narrowing import closest, ordered
from alsolike.recommending.ranking.stages import Stages
from alsolike.recommending.shared import (
    MIN_COUNT,
    Counts,
    Indices,
    Mask,
    product_margin,
    row_lengths,
)

Doubles = npt.NDArray[np.float64]

_UP = 1 + 2.0**-20  # bounds that are rounded must not lose an item
# Shorter rows are divided by their lengths before they are multiplied: products of such rows keep
# too few bits.
_SHORT = 2.0**-40
_SEEDS = 2  # times the length of a list
_TRIED, _USUAL = 16, 10  # items that leading coordinates are tried with, and the length of lists


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is asked.

    Parameters
    ----------
    k : int
    size : float
        D, which only exact scores are divided by.
    query : float32, (factors,)
    length : float
        Of the query; 0 where there are no products.
    margin : float
        Rounded scores are off by less, before they are divided by D; inf where products overflow.
    is_clipped : bool
        Whether products can be above the ceiling by more than that.
    """

    k: int
    size: float
    query: Floats
    length: float
    margin: float
    is_clipped: bool


class _Candidates(NamedTuple):
    """Items with their counts and their scores, rounded."""

    items: Indices
    totals: Doubles
    near: Floats


_NOTHING = _Candidates(np.empty(0, np.int32), np.empty(0), np.empty(0, np.float32))


def _joined(one: _Candidates, other: _Candidates) -> _Candidates:
    return _Candidates(
        np.concatenate((one.items, other.items)),
        np.concatenate((one.totals, other.totals)),
        np.concatenate((one.near, other.near)),
    )


class SingleAffinities:
    """Compares the items of one model by the terms of an affinity.

    Parameters
    ----------
    items : Vocabulary
    likes : int64, (n_items,)
    terms : AffinityTerms
    stages_of : callable
        From rows of factors to their `Stages`, or None.

    Raises
    ------
    FitError
        An item's factors are not finite.
    """

    def __init__(
        self,
        items: Vocabulary,
        likes: Counts,
        terms: AffinityTerms,
        stages_of: Callable[[Floats], Stages | None] = Stages.of,
    ) -> None:
        self._terms, self.n_items = terms, len(items)
        self._likes, self._may_appear = likes, (MIN_COUNT, likes >= MIN_COUNT)
        self._weights = terms.weights
        self._most_weight = float(self._weights.max(initial=0.0))
        self._narrow: Floats = self._weights.astype(np.float32)
        self._right = terms.right
        self._longest: Longest | None = None
        self._leading: Leading | None = None
        self._stages: Stages | None = None
        if terms.right is None:
            return
        lengths = row_lengths(terms.right)
        _check(lengths, items)
        self._scales = self._narrow
        if terms.right_lengths is not None:
            lengths = lengths / terms.right_lengths
            if terms.right_lengths.min(initial=np.inf) < _SHORT:
                self._right = terms.targets(slice(None))
            else:
                self._scales = self._narrow / terms.right_lengths
        self._lengths, self._has_row = lengths * _UP, lengths > 0
        self._longest_length = float(self._lengths.max(initial=0.0))
        factors = terms.right.shape[1]
        # Of products with queries of length 1 and 0.
        self._margin, self._least_margin = (
            float(product_margin(np.asarray(length), self._longest_length, factors))
            for length in (1.0, 0.0)
        )
        self._longest = Longest.of(terms.targets, factors, self._lengths, self._weights)
        if terms.counts is None:  # counts raise the bar, so that few rows are long enough
            self._longest = self._longest if self._takes_few() else None
        if self._right is not None and (self._longest is None or terms.counts is not None):
            self._stages = stages_of(self._right)
            self._stages = self._stages if self._takes_few() else None
        if self._longest is None and self._stages is None and terms.counts is None:
            self._leading = Leading.of(terms.targets, factors, self._weights)
            self._leading = self._leading if self._takes_few() else None

    def similar(
        self, row: int, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        """Return the items most similar to one, see `Neighbours.similar`."""
        return self.similar_to_set(np.array([row], dtype=np.int32), k, min_count, may_appear)

    def similar_to_set(
        self, rows: Indices, k: int, min_count: int, may_appear: Mask | None
    ) -> tuple[Indices, Floats]:
        """Rank by the sums of the terms of all rows; for one row, the scores of lists."""
        shown = self._with_likes(min_count)
        if may_appear is not None:
            shown &= may_appear
        return self._ranked(rows, k, shown, None)

    def fill(self, rows: Indices, items: Indices, scores: Floats) -> None:
        """Fill in the neighbours of a few items."""
        products = None
        if self._right is not None and self._longest is None:
            products = self._products(self._terms.queries(rows))
        for place in range(len(rows)):
            own = None if products is None else products[place]
            found, of_found = self._ranked(
                rows[place : place + 1], items.shape[1], self._with_likes(MIN_COUNT), own
            )
            items[place, : len(found)], scores[place, : len(found)] = found, of_found

    def _with_likes(self, min_count: int) -> Mask:
        """Return which items have so many likes, a new array."""
        counted = self._may_appear  # of the last call
        if counted[0] != min_count:
            self._may_appear = counted = min_count, self._likes >= min_count
        return counted[1].copy()

    def _ranked(
        self, rows: Indices, k: int, shown: Mask, products: Floats | None
    ) -> tuple[Indices, Floats]:
        """Rank the items that are `shown`, which is overwritten; `products`: with all items."""
        shown[rows] = False
        asked = self._asked(rows, k)
        found = self._counted(rows, asked, shown)
        if asked.length:
            others = self._others(asked, shown, found.near, products)
            found = _joined(found, others) if len(found.items) else others
        margin = with_rounding(found.near, asked.margin)

        def exact(places: npt.NDArray[np.intp]) -> Floats:
            items, total = found.items[places], found.totals[places]
            if asked.length:
                exactly = exact_products(self._terms.targets(items), asked.query)
                total = total + np.minimum(np.maximum(exactly, 0.0), self._terms.ceiling)
            scores: Floats = (total * self._weights[items] / asked.size).astype(np.float32)
            return scores

        items, scores = ordered(found.items, found.near, k, margin, exact)
        above = scores > 0
        return items[above], scores[above]

    def _asked(self, rows: Indices, k: int) -> _Asked:
        terms = self._terms
        size = terms.size_of(rows)
        if terms.left is None:
            return _Asked(k, size, np.empty(0, dtype=np.float32), 0.0, 0.0, is_clipped=False)
        queries = terms.queries(rows)
        query = queries[0]
        if len(rows) > 1:
            shares = terms.masses[rows]
            query = (queries.T @ shares / max(shares.sum(), 1e-300)).astype(np.float32)
        exactly = query.astype(np.float64)
        length = math.sqrt(exactly @ exactly)
        most, margin = length * self._longest_length, np.inf
        if most < MOST:
            margin = self._margin * length + self._least_margin
        # The product of an item with itself may be above the ceiling by a rounding, no more.
        above = max(most - terms.ceiling, 0.0)
        is_clipped = above > margin
        margin = (margin if is_clipped else margin + above) * self._most_weight
        return _Asked(k, size, query, length, margin, is_clipped=is_clipped)

    def _counted(self, rows: Indices, asked: _Asked, shown: Mask) -> _Candidates:
        """Return the items with a count that can be among the best; `shown` loses all of them."""
        counts = self._terms.counts
        if counts is None:
            return _NOTHING
        items, totals = counts.of(int(rows[0]))
        for row in rows[1:].tolist():
            items, totals = _added(items, totals, *counts.of(row))
        open_ones = shown[items]
        shown[items] = False
        items, totals = items[open_ones], totals[open_ones]
        weights = self._weights[items]
        least = totals * weights
        if not asked.length:
            return _Candidates(items, totals, least.astype(np.float32))
        if len(items) > _SEEDS * asked.k:
            # The best by counts alone come first: they raise the bar for all others.
            place = len(items) - _SEEDS * asked.k
            seeds = np.flatnonzero(least >= np.partition(least, place)[place])
            best = self._with_products(items[seeds], totals[seeds], asked)
            bar = least_with_rounding(best, asked.k, asked.margin)
            ceiling = self._terms.ceiling
            most = (totals + np.minimum(self._lengths[items] * asked.length, ceiling)) * weights
            kept = most * _UP >= bar
            items, totals = items[kept], totals[kept]
        return _Candidates(items, totals, self._with_products(items, totals, asked))

    def _with_products(self, items: Indices, totals: Doubles, asked: _Asked) -> Floats:
        """Return the scores of items with a count, rounded."""
        is_whole = self._terms.right_lengths is None
        rows = self._rows(items) if is_whole else self._terms.targets(items)
        products = np.minimum(np.maximum(rows @ asked.query, 0), self._terms.ceiling)
        near: Floats = ((totals + products) * self._weights[items]).astype(np.float32)
        return near

    def _others(
        self, asked: _Asked, shown: Mask, counted: Floats, products: Floats | None
    ) -> _Candidates:
        """Return the items without a count that can be among the best."""
        if asked.margin == np.inf:  # too long for float32: all of them need exact scores
            items = np.flatnonzero(shown).astype(np.int32)
            return _Candidates(items, np.zeros(len(items)), np.zeros(len(items), np.float32))
        found = self._few(asked, shown, counted) if products is None else None
        if found is None:
            near = self._all_near(asked, products)
            near *= shown
            most = min(asked.length * self._longest_length, self._terms.ceiling)
            most *= self._most_weight
            margin = asked.margin + most * 2.0**-21
            # Products below 0 by more than their error are not listed.
            items = closest(near, asked.k, margin, above=-margin)
            items = items[shown[items] & self._has_row[items]]
            found = items, near[items]
        return _Candidates(found[0], np.zeros(len(found[0])), found[1])

    def _near(self, items: Indices, asked: _Asked) -> Floats:
        """Return the scores of a few items without a count, rounded."""
        near: Floats = self._rows(items) @ asked.query
        near *= self._scales[items]
        return self._clipped(near, self._narrow[items]) if asked.is_clipped else near

    def _clipped(self, near: Floats, weights: Floats) -> Floats:
        clipped: Floats = np.minimum(near, np.float32(self._terms.ceiling) * weights)
        return clipped

    def _few(self, asked: _Asked, shown: Mask, counted: Floats) -> tuple[Indices, Floats] | None:
        """Return what can be among the best with few products; None if that takes all."""
        found = None
        if self._longest is not None:
            found = self._longest.scan(
                asked.query, asked.length, asked.k, shown, counted, asked.margin,
                self._terms.ceiling,
            )  # fmt: skip
        if found is None and self._stages is not None:
            return self._stages.scan(
                asked.query, asked.k, shown, counted, asked.margin,
                lambda items: self._near(items, asked), self._scales,
            )  # fmt: skip
        if self._leading is not None:
            return self._leading.scan(
                asked.query, asked.length, asked.k, shown, asked.margin,
                lambda items: self._near(items, asked),
            )  # fmt: skip
        return found

    def _takes_few(self) -> bool:
        """Tell whether few products suffice for most of some items, else all are faster."""
        n_found = 0
        for row in np.linspace(0, self.n_items - 1, _TRIED).astype(np.int32):
            asked, shown = self._asked(row[None], _USUAL), self._with_likes(MIN_COUNT)
            shown[row] = False
            found = None
            if asked.length and asked.margin < np.inf:
                found = self._few(asked, shown, self._counted(row[None], asked, shown).near)
            n_found += not asked.length or found is not None
        return 2 * n_found > _TRIED

    def _all_near(self, asked: _Asked, products: Floats | None) -> Floats:
        """Return the scores of all items without a count, rounded."""
        near = self._products(asked.query) if products is None else products
        near *= self._scales
        return self._clipped(near, self._narrow) if asked.is_clipped else near

    def _rows(self, items: Indices) -> Floats:
        """Return the rows that products are made of, which `_scales` divides by their lengths."""
        if self._right is None:
            raise ValueError("these terms have no product")
        return self._right.take(items, axis=0)

    def _products(self, queries: Floats) -> Floats:
        """Return the products of queries, (..., factors), with all rows, (..., n_items)."""
        if self._right is None:
            raise ValueError("these terms have no product")
        products: Floats = queries @ self._right.T
        return products


def _added(
    items: Indices, totals: Doubles, more: Indices, counts: Doubles
) -> tuple[Indices, Doubles]:
    """Return the sums of two lists of counts."""
    both, places = np.unique(np.concatenate((items, more)), return_inverse=True)
    sums = np.zeros(len(both))
    sums[places[: len(items)]] = totals
    sums[places[len(items) :]] += counts
    return both, sums


def _check(lengths: Doubles, items: Vocabulary) -> None:
    bad = np.flatnonzero(~np.isfinite(lengths))
    if len(bad):
        raise FitError(
            f"item {items.id_of(int(bad[0]))!r} (row {bad[0]}) has factors that are not finite. "
            "Fit the model again."
        )
