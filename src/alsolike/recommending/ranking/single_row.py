"""Ranks all items for one user, and scores them for likes of a new one. No Numba."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.models.base import Doubles, Floats
from alsolike.models.protocols import HasItemWeights, Recommender
from alsolike.models.values import aged_by
from alsolike.recommending.ranking.factor_single import best_items, has_factors
from alsolike.recommending.ranking.narrowing import best_of
from alsolike.recommending.ranking.prepared import prepared
from alsolike.recommending.ranking.score_blocks import block_of, blocks_of_items, whole_rows
from alsolike.recommending.shared import Indices, Mask


def ranked_for_user(
    model: Recommender, row: int, may_appear: Mask, k: int
) -> tuple[Indices, Floats]:
    """Return the best items of a user by the model's own scores."""
    owner = f"user {model.users.id_of(row)!r}"
    if has_factors(model):
        if not model.user_factors[row].any():  # everything ties
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        return best_items(model, model.user_factors[row], may_appear, k, owner)
    return best_of(model, scores_of_user(model, row), may_appear, k, owner)


def scores_of_user(model: Any, row: int) -> Floats:
    """Return the model's own scores of all items for a user (row), (n_items,)."""
    rows = np.array([row], dtype=np.int32)
    return _all_scores(model, lambda items: model.scores(rows, items))


def scores_for_likes(
    model: Any, items: Indices, values: Floats, ages: Doubles | None = None
) -> Floats:
    """Return the scores of all items for likes (rows) by a model that `FoldsIn`, (n_items,).

    `ages` are those of the likes, in days; None: all are new.
    """
    order = np.argsort(items)  # as in a table of likes
    likes = row_of_likes(items[order], values[order], len(model.items))
    own = aged_by(model, None if ages is None else ages[order])
    return _all_scores(model, lambda columns: model.user_scores(likes, columns, **own))


def _all_scores(model: Any, ask: Callable[[slice], Floats]) -> Floats:
    """Return the scores of all items for one row, (n_items,); `ask` is given slices of items.

    A model with item weights adds up whole rows of them, whatever the slice: it is asked once.
    """
    n_items = len(model.items)
    scores: Floats
    if prepared(model, "has item weights", lambda: isinstance(model, HasItemWeights)):
        (scores,) = block_of(model.name, ask(slice(0, n_items)), 1, slice(0, n_items))
    else:
        (scores,) = whole_rows(model.name, ask, 1, blocks_of_items(model))
    return scores


def row_of_likes(items: Indices, values: Floats, n_items: int) -> sp.csr_array:
    """Return items (rows) and their values as a matrix of one row, in the given order."""
    # As wide as the rows: a product with wider ones would copy the other matrix to be so, too.
    starts = np.array([0, len(items)], dtype=np.int32)
    return sp.csr_array((values, items, starts), shape=(1, n_items))
