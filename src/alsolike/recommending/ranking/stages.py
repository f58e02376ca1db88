"""A quarter of the coordinates of all rows, then more of fewer and fewer rows. No Numba.

With many factors a product with all rows moves hundreds of MiB. A product is at most that of the
first coordinates plus the product of the lengths of the rest (Cauchy-Schwarz). In the basis of the
Gramian, which trained factors are in, the first coordinates are the largest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from alsolike.models.base import Floats
from alsolike.recommending.ranking.longest import least_with_rounding
from alsolike.recommending.ranking.narrowing import block_bests
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.shared import Indices, Mask, row_lengths

_LEAST_ITEMS, _LEAST_FACTORS = 1 << 14, 256  # with fewer, other ways are as fast
_EIGHTHS = 2, 3, 4  # of the coordinates, after which rows are left out
_MOST_LEFT = (
    2,
    16,
)  # of so many rows one, after the first and the last: more are as fast all at once
_SEEDS = 96  # blocks, whose best by the bound are scored first
_MOST_BYTES = 1 << 26  # of the copy of the first coordinates, which halves the time of a product
_ROWS = 1024  # at a time
_UP = 1 + 2.0**-20  # bounds that are rounded must not lose an item


@dataclass(frozen=True, eq=False)
class Stages:
    """All rows, with bounds of what is left of them after some coordinates.

    Parameters
    ----------
    rows : float32, (n_items, factors)
    ends : tuple of int
        Coordinates after which rows are left out.
    first : float32, (ends[0], n_items)
        The first coordinates of all rows: a copy, or a view where that would be too large.
    rests : float32, (n_ends, n_items)
        At least the length of what is left of each row.
    """

    rows: Floats
    ends: tuple[int, ...]
    first: Floats
    rests: Floats

    @classmethod
    def of(cls, rows: Floats) -> "Stages | None":
        """Prepare the rows of all items; None if there are too few items or factors."""
        n_items, factors = rows.shape
        if n_items < _LEAST_ITEMS or factors < _LEAST_FACTORS:
            return None
        ends = tuple(eighths * factors // 8 for eighths in _EIGHTHS)
        first, rests = rows[:, : ends[0]].T, np.empty((len(ends), n_items), dtype=np.float32)
        if first.nbytes <= _MOST_BYTES:
            first = np.ascontiguousarray(first)
        for start in range(0, n_items, _ROWS):
            block = slice(start, start + _ROWS)
            left = np.zeros(len(rows[block]))
            for place, (begin, end) in reversed(list(enumerate(pairwise((*ends, factors))))):
                left += np.square(row_lengths(rows[block, begin:end]))
                rests[place, block] = np.sqrt(left) * _UP
        return cls(rows, ends, first, rests)

    def scan(
        self,
        query: Floats,
        k: int,
        shown: Mask,
        others: Floats,
        margin: float,
        scores_of: Callable[[Indices], Floats],
        scales: Floats | None = None,
    ) -> tuple[Indices, Floats] | None:
        """Return the items that can be among the best k, with their scores, rounded.

        Parameters
        ----------
        query, k, shown, others, margin
            As in `alsolike.recommending.ranking.longest.Longest.scan`.
        scores_of : callable
            From items to their scores, rounded.
        scales : float32, (n_items,), or None
            By which products are multiplied, at least 0; None: 1.

        Returns
        -------
        int32 and float32, (n,), or None
            None: they are too many, or the k-th score is not above 0.
        """
        near: Floats = query[: self.ends[0]] @ self.first
        most = self.rests[0] * self._rest(query, self.ends[0])
        most += near
        if scales is not None:
            most *= scales
        most *= shown  # a score above 0 has a bound above 0
        bests = block_bests(most)
        seeds = _above(most, float(np.partition(bests, -_SEEDS)[-_SEEDS]))
        if seeds is None:
            return None
        bar = least_with_rounding(np.concatenate((others, scores_of(seeds))), k, margin) - margin
        items = _above(most, bar)
        if items is None:
            return None
        near = near[items]
        for rests, (begin, end) in zip(self.rests[1:], pairwise(self.ends), strict=True):
            near += self.rows[items, begin:end] @ query[begin:end]
            most = near + rests[items] * self._rest(query, end)
            kept = np.flatnonzero((most if scales is None else most * scales[items]) >= bar)
            items, near = items[kept], near[kept]
        if len(items) * _MOST_LEFT[1] > len(self.rows):
            return None
        return items, scores_of(items)

    def _rest(self, query: Floats, end: int) -> np.float32:
        """Return a bound of the length of what is left of the query."""
        return np.float32(float(row_lengths(query[end:])) * _UP)


def stages_of(model: Any, rows: Floats) -> Stages | None:
    """Return the stages of rows of a model, the same for all settings."""
    # What is kept holds the rows, so that no others can have their address.
    return prepared(model, ("stages", id(rows)), lambda: Stages.of(rows))


def _above(most: Floats, bar: float) -> Indices | None:
    """Return the items with a bound of at least `bar`; None if it is not above 0, or many."""
    if not bar > 0:
        return None
    items = np.flatnonzero(most >= bar)
    return None if len(items) * _MOST_LEFT[0] > len(most) else items.astype(np.int32)
