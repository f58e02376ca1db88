"""Leading coordinates of rows of factors, which rule out most rows of equal lengths. No Numba.

A product is at most that of the leading coordinates plus the product of the lengths of the rest
(Cauchy-Schwarz). In the basis of the Gramian the first coordinates are the largest. Reading a
third of each row takes a third of the time, and what is left are a few hundred whole rows.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.models.base import Floats
from alsolike.recommending.ranking.longest import least_with_rounding
from alsolike.recommending.ranking.narrowing import block_bests
from alsolike.recommending.shared import Indices, Mask

Doubles = npt.NDArray[np.float64]

_LEAST_ITEMS, _LEAST_FACTORS = 1 << 14, 32  # with fewer a whole product is as fast
_MOST_BYTES = 1 << 26
_SHARE = 3 / 8  # of the coordinates
_SEEDS = 96  # blocks, whose best by the bound are scored first
_MOST_LEFT = 16  # of so many rows one: more are scored faster all at once
_ROWS = 8192  # at a time


@dataclass(frozen=True, eq=False)
class Leading:
    """The leading coordinates of all rows.

    Parameters
    ----------
    basis : float32, (factors, n_leading)
        Columns of length 1, at right angles.
    rows : float32, (n_leading, n_items)
        The coordinates, times the weight of the item.
    rests : float32, (n_items,)
        At least the length of the rest of each row, times the weight.
    slack : float
        What rounded coordinates may add to the square of a rest, over that of the whole row.
    """

    basis: Floats
    rows: Floats
    rests: Floats
    slack: float

    @classmethod
    def of(
        cls, rows_of: Callable[[slice], Floats], factors: int, weights: Doubles
    ) -> "Leading | None":
        """Prepare the rows of all items; None if there are too few, or too many.

        Parameters
        ----------
        rows_of : callable
            From items to their rows, float32, (n, factors).
        factors : int
        weights : float64, (n_items,), at least 0
        """
        n_items, count = len(weights), int(_SHARE * factors)
        if n_items < _LEAST_ITEMS or factors < _LEAST_FACTORS:
            return None
        if 4 * n_items * count > _MOST_BYTES:
            return None
        blocks = [slice(start, start + _ROWS) for start in range(0, n_items, _ROWS)]
        gramian = np.zeros((factors, factors))
        for block in blocks:
            own = rows_of(block)
            gramian += own.T @ own
        basis = np.linalg.eigh(gramian)[1][:, : -count - 1 : -1].astype(np.float32)
        rows, rests = np.empty((count, n_items), np.float32), np.empty(n_items, np.float32)
        slack = 2.0**-20 * factors
        for block in blocks:
            own = rows_of(block).astype(np.float64)
            leading = own @ basis
            squares = np.einsum("if,if->i", own, own)
            left = squares * (1 + slack) - np.einsum("if,if->i", leading, leading)
            rows[:, block] = (leading * weights[block, None]).T
            rests[block] = np.sqrt(np.maximum(left, 0.0)) * weights[block] * (1 + 2.0**-20)
        return cls(np.ascontiguousarray(basis), rows, rests, slack)

    def scan(
        self,
        query: Floats,
        length: float,
        k: int,
        shown: Mask,
        margin: float,
        scores_of: Callable[[Indices], Floats],
    ) -> tuple[Indices, Floats] | None:
        """Return the items that can be among the best k, with their scores, rounded.

        Parameters
        ----------
        query, length, k, shown, margin
            As in `alsolike.recommending.ranking.longest.Longest.scan`.
        scores_of : callable
            From items to their scores, rounded.

        Returns
        -------
        int32 and float32, (n,), or None
            None: they are too many, or the k-th score is not above 0.
        """
        leading: Floats = query @ self.basis
        rest = np.sqrt(max(length**2 * (1 + self.slack) - float(leading @ leading), 0.0))
        most: Floats = leading @ self.rows
        most += self.rests * np.float32(rest * (1 + 2.0**-20))
        most *= shown  # a score above 0 has a bound above 0
        bests = block_bests(most)
        seeds = self._above(most, float(np.partition(bests, -_SEEDS)[-_SEEDS]))
        if seeds is None:
            return None
        bar = least_with_rounding(scores_of(seeds), k, margin)
        items = self._above(most, bar - margin)
        return None if items is None else (items, scores_of(items))

    def _above(self, most: Floats, bar: float) -> Indices | None:
        """Return the items with a bound of at least `bar`; None if it is not above 0, or many."""
        if not bar > 0:
            return None
        items = np.flatnonzero(most >= bar)
        return None if len(items) * _MOST_LEFT > len(most) else items.astype(np.int32)
