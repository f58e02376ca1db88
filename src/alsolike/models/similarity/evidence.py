"""The evidence that two items belong together: counts, and the audience's prediction. No Numba.

Notation
--------
x_u, y_j : factors of user u and item j; w_u, c_ij, W_i, U_i : see `co_counts`
a_i : the audience of item i, the mean of ``x_u`` over U_i, weighted by w_u
m_ij = s_i a_i . y_j : the share of i's likers that the model expects to like j
s_i : makes the sum of m_ij over j not i equal to that of c_ij / W_i

Evidence is P(j | i) = (c_ij + kappa * m_ij) / (W_i + kappa), with m_ij clipped to [0, 1].
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine, pieces
from alsolike.models.arrays import BundleArrays
from alsolike.models.similarity.co_counts import CoCounts, KeptCounts

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

KEPT = 200  # counts of each item in a bundle without history
_ITEMS = 1024  # whose audiences are computed together


@dataclass(frozen=True, eq=False)
class ItemEvidence:
    """What evidence needs of each item.

    Parameters
    ----------
    audiences : float32, (n_items, factors)
        a_i; zeros for items that nobody likes.
    shares : float64, (n_items,)
        s_i, at least 0.
    counts : CoCounts or KeptCounts
        c_ij and W_i.
    """

    audiences: Floats
    shares: Doubles
    counts: CoCounts | KeptCounts

    @classmethod
    def of(
        cls, user_factors: Floats, item_factors: Floats, likes: Interactions, engine: Engine
    ) -> "ItemEvidence":
        """Prepare the evidence by the likes, values above zero, of users with factors."""
        counts = CoCounts.from_likes(likes)
        audiences = _audiences(user_factors, counts, engine)
        return cls(audiences, _shares(audiences, item_factors, counts), counts)

    def without_likes(self, likes: Doubles, engine: Engine) -> "ItemEvidence":
        """Return the evidence with the counts of the strongest neighbours only, to be stored."""
        if isinstance(self.counts, KeptCounts):
            return self
        kept = self.counts.strongest(KEPT, likes, engine)
        return ItemEvidence(self.audiences, self.shares, kept)

    def placed(self, own: npt.NDArray[np.int64], n_items: int) -> "ItemEvidence | None":
        """Return the evidence with further items, which nobody likes; `own` are the places of ours.

        None if it is not of kept counts, and so made again of the likes.
        """
        counts = self.counts
        if not isinstance(counts, KeptCounts):
            return None

        def wide(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            placed = np.zeros((n_items, *values.shape[1:]), dtype=values.dtype)
            placed[own] = values
            return placed

        lengths = wide(np.diff(counts.starts))
        starts = np.concatenate(([0], np.cumsum(lengths))).astype(counts.starts.dtype)
        items = own[counts.items].astype(counts.items.dtype)
        kept = KeptCounts(starts, items, counts.counts, wide(counts.sizes))
        return ItemEvidence(wide(self.audiences), wide(self.shares), kept)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of a bundle, by name."""
        counts = self.counts
        if not isinstance(counts, KeptCounts):
            raise TypeError("only kept counts are stored")
        return {
            "audiences": self.audiences,
            "shares": self.shares,
            "sizes": counts.sizes,
            "starts": counts.starts,
            "items": counts.items,
            "counts": counts.counts,
        }

    @classmethod
    def from_arrays(cls, arrays: BundleArrays, n_items: int) -> "ItemEvidence":
        """Take what `to_arrays` returned, and check it."""
        counts = arrays.finite("counts", np.float64, None)
        starts = arrays.ascending("starts", n_items, len(counts))
        items = arrays.within("items", np.int32, len(counts), below=n_items)
        sizes = arrays.finite("sizes", np.float64, n_items)
        audiences = arrays.finite("audiences", np.float32, n_items, None)
        shares = arrays.finite("shares", np.float64, n_items)
        for label, numbers in (("shares", shares), ("sizes", sizes), ("counts", counts)):
            arrays.expect(bool((numbers >= 0).all()), label, "numbers of at least 0")
        rows = np.repeat(np.arange(n_items), np.diff(starts))
        ascends = (items[1:] > items[:-1]) | (rows[1:] > rows[:-1])
        arrays.expect(bool(ascends.all()), "items", "ascending numbers for each item")
        return cls(audiences, shares, KeptCounts(starts, items, counts, sizes))


def _audiences(user_factors: Floats, counts: CoCounts, engine: Engine) -> Floats:
    """Return a_i, each summed in float32 in the order of the users."""
    audiences = np.zeros((counts.n_items, user_factors.shape[1]), dtype=np.float32)
    weights = counts.weights.astype(np.float32)
    sizes = np.where(counts.sizes > 0, counts.sizes, np.inf).astype(np.float32)

    def fill(rows: slice) -> None:
        starts = counts.item_starts[rows.start : rows.stop + 1]
        users = counts.item_users[starts[0] : starts[-1]]
        shape = len(starts) - 1, len(user_factors)
        block = sp.csr_array((weights[users], users, starts - starts[0]), shape)
        audiences[rows] = (block @ user_factors) / sizes[rows, None]

    engine.each(fill, pieces(counts.n_items, _ITEMS))
    return audiences


def _shares(audiences: Floats, item_factors: Floats, counts: CoCounts) -> Doubles:
    """Return s_i: other likes of i's likers, over their unscaled prediction.

    0 if that is not above 0. The sum of predictions is not clipped, item by item: a closed form,
    which needs no product of all items, and differs by less than the choice of kappa does.
    """
    lengths = np.diff(counts.user_starts)
    others = np.maximum(lengths - 1, 0) * counts.weights
    sums = np.concatenate(([0.0], np.cumsum(others[counts.item_users])))
    sizes = np.where(counts.sizes > 0, counts.sizes, np.inf)
    observed = np.diff(sums[counts.item_starts]) / sizes
    total = item_factors.sum(axis=0, dtype=np.float64)
    predicted = np.zeros(len(audiences))
    for rows in pieces(len(audiences), _ITEMS):
        own = audiences[rows].astype(np.float64)
        predicted[rows] = np.einsum("if,if->i", own, total - item_factors[rows])
    usable = predicted > 1e-6 * observed
    return np.divide(observed, predicted, out=np.zeros(len(audiences)), where=usable)
