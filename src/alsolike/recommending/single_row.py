"""Ranks all items for one user or one row of likes, by the model's scores. No Numba."""

from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.models.base import FittedModel, Floats, FoldsInFactors, HasFactors
from alsolike.recommending.ranking.nearest import best_of, dots, narrowed
from alsolike.recommending.ranking.score_blocks import not_finite, whole_rows
from alsolike.recommending.shared import (
    Indices,
    Mask,
    checked_k,
    lifts_of,
    product_margin,
    row_lengths,
)
from alsolike.recommending.unknown_users import all_alike, are_alike, is_by_popularity


def ranked_for_user(
    model: FittedModel, row: int, may_appear: Mask, k: int
) -> tuple[Indices, Floats]:
    """Return the best items of a user by the model's own scores."""
    whom = f"user {model.users.id_of(row)!r}"
    if isinstance(model, HasFactors):
        if not model.user_factors[row].any():  # everything ties
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        return best_items(model, model.user_factors[row], may_appear, k, whom)
    rows = np.array([row], dtype=np.int32)
    (scores,) = whole_rows(model.name, lambda items: model.scores(rows, items), 1, len(model.items))
    return best_of(model, scores, may_appear, k, whom)


def ranked_for_likes(
    model: Any, items: Indices, values: Floats, may_appear: Mask, k: int
) -> tuple[tuple[Indices, Floats], bool]:
    """Return the best items for likes, and whether the model scores all items equally."""
    whom = "this row of likes"
    if isinstance(model, FoldsInFactors):
        (vector,) = model.folded_in(row_of_likes(items, values, len(model.items)))
        if all_alike(model, vector[None])[0]:
            return (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)), True
        return best_items(model, vector, may_appear, k, whom), False
    scores = scores_for_likes(model, items, values)
    may_appear = may_appear.copy()
    may_appear[items[values < 0]] = False
    is_unknown = not is_by_popularity(model) and are_alike(scores)
    return best_of(model, scores, may_appear, k, whom), is_unknown


def best_items(
    model: HasFactors, vector: Floats, may_appear: Mask, k: int, who: str
) -> tuple[Indices, Floats]:
    """Rank the items for one row of user factors; as `nearest.best_of`, by exact products."""
    near = model.item_factors @ vector
    bad = np.flatnonzero(may_appear & ~(near < np.inf))
    if len(bad):
        raise not_finite(model, int(bad[0]), who, float(near[bad[0]]))
    longest = np.float64(model.item_norms.max(initial=0.0))
    raised, lift = int(lifts_of(longest)), int(lifts_of(row_lengths(vector)))
    factors = np.ldexp(model.item_factors, raised) if raised else model.item_factors
    vector = np.ldexp(vector, lift)
    near = factors @ vector if raised or lift else near
    margin = product_margin(row_lengths(vector), np.ldexp(longest, raised), model.factors)

    def scores(items: Indices) -> Floats:
        return dots(factors[items], vector)

    near = np.where(may_appear, near, np.float32(-np.inf))
    items, found = narrowed(near, checked_k(k), float(margin), scores)
    return items, np.ldexp(found, -(raised + lift))


def scores_for_likes(model: Any, items: Indices, values: Floats) -> Floats:
    """Return the scores of all items for likes (rows) by a model that `FoldsIn`, (n_items,)."""
    order = np.argsort(items)  # as in a table of likes
    likes = row_of_likes(items[order], values[order], len(model.items))
    scores: Floats
    (scores,) = whole_rows(
        model.name, lambda columns: model.user_scores(likes, columns), 1, len(model.items)
    )
    return scores


def row_of_likes(items: Indices, values: Floats, n_items: int) -> sp.csr_array:
    """Return items (rows) and their values as a matrix of one row, in the given order."""
    # As wide as the rows: a product with wider ones would copy the other matrix to be so, too.
    starts = np.array([0, len(items)], dtype=np.int32)
    return sp.csr_array((values, items, starts), shape=(1, n_items))
