"""The best items for one row of user factors. No Numba."""

from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors
from alsolike.recommending.ranking.longest import MOST, Longest
from alsolike.recommending.ranking.narrowing import check_scores, dots, hidden, narrowed, ordered
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.stages import Stages, stages_of
from alsolike.recommending.shared import Indices, Mask, lifts_of, product_margin, row_lengths

_TRIED, _USUAL = 8, 20  # users that are tried, and the length of their lists


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
    if not lift and length * known.longest < MOST:
        margin = float(product_margin(np.asarray(length), known.longest, model.factors))
        found = known.few(vector, length, k, may_appear, margin)
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
    stages : Stages or None
        Both None where they do not help most users, or rows are not finite or all but vanish.
    """

    longest: float
    raised: int
    longest_rows: Longest | None
    stages: Stages | None

    @classmethod
    def of(cls, model: HasFactors) -> "_Rows":
        longest = float(model.item_norms.max(initial=0.0))
        raised = int(lifts_of(np.float64(longest)))
        without = cls(longest, raised, None, None)
        lengths = row_lengths(model.item_factors)
        if raised or not np.isfinite(lengths).all():
            return without
        factors = model.item_factors
        rows = Longest.of(factors.__getitem__, model.factors, lengths, np.ones(len(lengths)))
        known = replace(without, longest_rows=rows)
        if known._takes_few(model):
            return known
        known = replace(without, stages=stages_of(model, factors))
        return known if known._takes_few(model) else without

    def few(
        self, vector: Floats, length: float, k: int, may_appear: Mask, margin: float
    ) -> tuple[Indices, Floats] | None:
        """Return what can be among the best with few products; None if that takes all."""
        nothing = np.empty(0, dtype=np.float32)
        if self.longest_rows is not None:
            return self.longest_rows.scan(vector, length, k, may_appear, nothing, margin)
        if self.stages is None:
            return None
        rows = self.stages.rows
        return self.stages.scan(
            vector, k, may_appear, nothing, margin, lambda items: rows.take(items, axis=0) @ vector
        )

    def _takes_few(self, model: HasFactors) -> bool:
        """Tell whether few products suffice for most of some users."""
        shown, n_found = np.ones(len(model.items), dtype=bool), 0
        for vector in model.user_factors[:: max(len(model.users) // _TRIED, 1)][:_TRIED]:
            length = float(row_lengths(vector))
            if not length * self.longest < MOST:
                continue
            margin = float(product_margin(np.asarray(length), self.longest, model.factors))
            n_found += not length or self.few(vector, length, _USUAL, shown, margin) is not None
        return 2 * n_found > min(_TRIED, len(model.users))
