"""The best items for one row of user factors. No Numba."""

from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from alsolike.models.base import Floats, HasFactors
from alsolike.recommending.ranking.longest import MOST, Longest
from alsolike.recommending.ranking.narrowing import check_scores, dots, hidden, narrowed, ordered
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.shared import Indices, Mask, lifts_of, product_margin, row_lengths


def has_factors(model: Any) -> TypeGuard[HasFactors]:
    """Tell whether a model is `HasFactors`; asking that takes as long as half of an answer."""
    return prepared(model, "has factors", lambda: isinstance(model, HasFactors))


def best_items(
    model: HasFactors, vector: Floats, may_appear: Mask, k: int, owner: str
) -> tuple[Indices, Floats]:
    """Rank the items for one row of user factors, by exact products.

    Parameters
    ----------
    model : HasFactors
    vector : float32, (factors,)
    may_appear, k, owner
        As in `alsolike.recommending.ranking.narrowing.best_of`.

    Returns
    -------
    int32 and float32, (at most k,)
        Best first, ties by row.

    Raises
    ------
    FitError
        The score of an item that may appear is NaN or +inf.
    """
    known = prepared(model, "lists", lambda: _Rows.of(model))
    length = float(row_lengths(vector))
    lift = int(lifts_of(np.float64(length)))
    if known.longest_rows is not None and not lift and length * known.longest < MOST:
        margin = float(product_margin(np.asarray(length), known.longest, model.factors))
        found = known.longest_rows.scan(
            vector, length, k, may_appear, np.empty(0, dtype=np.float32), margin
        )
        if found is not None:
            items, near = found
            return ordered(
                items, near, k, margin,
                lambda places: dots(model.item_factors[items[places]], vector),
            )  # fmt: skip
    with np.errstate(over="ignore", invalid="ignore"):
        near = model.item_factors @ vector
    check_scores(model, near, may_appear, owner)
    raised = known.raised
    factors = np.ldexp(model.item_factors, raised) if raised else model.item_factors
    vector = np.ldexp(vector, lift)
    near = factors @ vector if raised or lift else near
    margin = float(
        product_margin(row_lengths(vector), np.ldexp(known.longest, raised), model.factors)
    )

    def scores(items: Indices) -> Floats:
        return dots(factors[items], vector)

    items, of_items = narrowed(hidden(near, may_appear), k, margin, scores)
    return items, np.ldexp(of_items, -(raised + lift))


@dataclass(frozen=True, eq=False)
class _Rows:
    """What does not depend on the user.

    Parameters
    ----------
    longest : float
        Length of the longest row.
    raised : int
        See `lifts_of`.
    longest_rows : Longest or None
        None if they are not finite, not far longer than the others, or all but vanish.
    """

    longest: float
    raised: int
    longest_rows: Longest | None

    @classmethod
    def of(cls, model: HasFactors) -> "_Rows":
        longest = float(model.item_norms.max(initial=0.0))
        raised, rows = int(lifts_of(np.float64(longest))), None
        lengths = row_lengths(model.item_factors)
        if not raised and np.isfinite(lengths).all():
            rows = Longest.of(
                model.item_factors.__getitem__, model.factors, lengths, np.ones(len(lengths))
            )
        return cls(longest, raised, rows)
