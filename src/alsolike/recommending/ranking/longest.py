"""The longest rows of factors, which are all that most lists need. No Numba.

A product is at most the product of both lengths (Cauchy-Schwarz). As soon as k scores are known,
rows that are too short for the k-th of them need no product, and they are most of the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.models.base import Floats
from alsolike.recommending.ranking.narrowing import hidden, least_among
from alsolike.recommending.shared import Indices, Mask

Doubles = npt.NDArray[np.float64]

_MOST_BYTES = 1 << 23  # of the copied rows, which should stay in the caches
_PART = 4  # of all rows at most one in so many is copied
_FEW = 1024  # rows, of which any number is copied, and which are scored first
_EQUAL = 0.75  # rows that are all about as long are not copied
_UP = 1 + 2.0**-20  # bounds that are rounded must not lose an item
_GROWTH = 3  # times as many rows as before are scored where more than the copied may be needed
# Products whose sums stay within float32.
MOST = 1e37


@dataclass(frozen=True, eq=False)
class Longest:
    """The rows with the highest bounds, copied in their order.

    Parameters
    ----------
    items : int32, (n,)
        Their items, the highest bound first, ties by row.
    rows : float32, (n, factors)
    weights : float32, (n,)
        By which their products are multiplied.
    falling : float64, (n,)
        Their bounds, length times weight, with a minus sign: ascending.
    rest : float
        The highest bound of all other rows.
    """

    items: Indices
    rows: Floats
    weights: Floats
    falling: Doubles
    rest: float

    @classmethod
    def of(
        cls, rows_of: Callable[[Indices], Floats], factors: int, lengths: Doubles, weights: Doubles
    ) -> "Longest | None":
        """Copy the rows with the highest bounds; None if they are hardly higher than the others.

        Parameters
        ----------
        rows_of : callable
            From items to their rows, float32, (n, factors).
        factors : int
        lengths, weights : float64, (n_items,)
            At least 0, finite.
        """
        bounds, n_items = lengths * weights, len(lengths)
        wanted = min(n_items // _PART, _MOST_BYTES // (4 * max(factors, 1)))
        count = min(n_items, max(wanted, _FEW))
        if not count:
            return None
        chosen = np.argpartition(-bounds, count - 1)[:count]
        items = chosen[np.lexsort((chosen, -bounds[chosen]))].astype(np.int32)
        left = np.ones(n_items, dtype=bool)
        left[items] = False
        rest = float(bounds[left].max(initial=0.0))
        if rest > _EQUAL * float(bounds[items[0]]):
            return None
        own = np.ascontiguousarray(rows_of(items))
        return cls(items, own, weights[items].astype(np.float32), -bounds[items], rest)

    def scan(
        self,
        query: Floats,
        length: float,
        k: int,
        shown: Mask,
        others: Floats,
        margin: float,
        ceiling: float = np.inf,
    ) -> tuple[Indices, Floats] | None:
        """Return the rows that can be among the best k, and more, with their scores, rounded.

        Parameters
        ----------
        query : float32, (factors,)
        length : float
            Its length.
        k : int
        shown : bool, (n_items,)
            Items to be scored.
        others : float32, (any,)
            Scores of other items, which are in the list, too.
        margin : float
            Scores are off by less, except for 2^-21 of the highest.
        ceiling : float
            Of products.

        Returns
        -------
        int32 and float32, (n,), or None
            -inf for items that are not shown. None: rows that are not copied may be among the
            best, or the k-th score is not above 0.
        """
        near = np.empty(0, dtype=np.float32)
        bar = least_with_rounding(others, k, margin)
        reach = self._reach(bar / length) if bar > 0 else min(_FEW, len(self.items))
        while reach is not None and reach > len(near):
            more = slice(len(near), reach)
            products = np.minimum(self.rows[more] @ query, np.float32(ceiling))
            products *= self.weights[more]
            products = hidden(products, shown[self.items[more]])
            near = np.concatenate((near, products)) if len(near) else products
            bar = least_with_rounding(np.concatenate((others, near)), k, margin)
            reach = self._reach(bar / length) if bar > 0 else None
            if reach is None and len(near) < len(self.items):
                reach = min(_GROWTH * len(near), len(self.items))
        return None if reach is None else (self.items[: len(near)], near)

    def _reach(self, least: float) -> int | None:
        """Return how many rows have a bound of at least `least`; None: those not copied, too."""
        least /= _UP
        if self.rest >= least:
            return None
        return int(np.searchsorted(self.falling, -least, side="right"))


def least_with_rounding(near: Floats, k: int, margin: float) -> float:
    """Return `least_among` for scores that are off by `margin` and 2^-21 of the highest."""
    return least_among(near, k, with_rounding(near, margin)) if len(near) >= k else -np.inf


def with_rounding(near: Floats, margin: float) -> float:
    """Return `margin` and the roundings of a few operations on these scores."""
    return margin + max(float(near.max(initial=0.0)), 0.0) * 2.0**-21 + 2.0**-146
