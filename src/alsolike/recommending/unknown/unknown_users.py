"""Finds users about whom a model knows nothing: no likes, or equal scores for all items."""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors, Recommender, ScoresColdUsers
from alsolike.recommending.ranking.narrowing import dots
from alsolike.recommending.ranking.score_blocks import (
    ITEMS_PER_BLOCK,
    block_of,
    blocks_of,
    blocks_of_items,
)
from alsolike.recommending.shared import (
    Counts,
    Indices,
    Mask,
    lifts_of,
    product_margin,
    row_lengths,
)

_SAMPLED = 64  # items whose scores settle most users
_USERS = 2048  # at a time
_HALF_OF_LEAST = 2.0**-151  # numbers below round to 0 as float32


def is_informed(model: Recommender, rows: Indices) -> Mask:
    """Return of which users the model knows likes, or features if it uses them, bool, (n_rows,)."""
    known: Mask = has_likes(model, rows) | has_user_features(model, rows)
    return known


def has_user_features(model: Recommender, rows: npt.NDArray[np.integer[Any]]) -> Mask:
    """Return which users have features that the model scores by, bool, (n_rows,)."""
    if not isinstance(model, ScoresColdUsers) or model.user_features is None:
        return np.zeros(len(rows), dtype=bool)
    known: Mask = model.user_features.has[rows]
    return known


def has_likes(model: Recommender, rows: Indices) -> Mask:
    """Return which users have a value above zero in the model's history, bool, (n_rows,).

    True for all users of a model without history.
    """
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        return np.ones(len(rows), dtype=bool)
    matrix, found = history.user_items, np.zeros(len(rows), dtype=bool)
    if len(rows) == 1:
        own = slice(matrix.indptr[rows[0]], matrix.indptr[rows[0] + 1])
        found[0] = (matrix.data[own] > 0).any()
        return found
    for part in blocks_of(len(rows), _USERS):
        starts = matrix.indptr[rows[part]].astype(np.int64)
        lengths = matrix.indptr[rows[part] + 1] - starts
        owners = np.repeat(np.arange(len(starts)), lengths)
        places = np.arange(len(owners)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        found[part][owners[matrix.data[places] > 0]] = True
    return found


def is_by_popularity(model: Recommender) -> bool:
    """Tell whether the model itself ranks by popularity."""
    return getattr(model, "basis", "model") == "popularity"


def listed_alike(model: Recommender, rows: Indices, scores: Floats, kept: Counts) -> Mask:
    """Return for which users the model scores all items equally, bool, (n_rows,)."""
    if is_by_popularity(model):
        return np.zeros(len(rows), dtype=bool)
    last = np.maximum(kept - 1, 0)
    # Lists with two different scores are settled.
    flat: Mask = scores[:, 0] == scores[np.arange(len(rows)), last]
    if flat.any() and not isinstance(model, HasFactors):
        flat &= kept > 0
    if flat.any():
        flat[flat] = users_alike(model, rows[flat])
    return flat


def users_alike(model: Recommender, rows: Indices) -> Mask:
    """Return for which users all items have the same score, see `all_alike`, bool, (n_rows,)."""
    alike = np.zeros(len(rows), dtype=bool)
    for part in blocks_of(len(rows), _USERS):
        some = rows[part]
        if isinstance(model, HasFactors):
            alike[part] = all_alike(model, model.user_factors[some])
        else:
            alike[part] = _scored_alike(model, some)
    return alike


def all_alike(model: HasFactors, vectors: Floats) -> Mask:
    """Return for which rows of user factors all items have the same score, as float32.

    Products of vanishing factors are ranked with more bits than returned scores have; the returned
    scores count, as in evaluation.

    Parameters
    ----------
    model : HasFactors
    vectors : float32, (n, factors)

    Returns
    -------
    bool, (n,)
        True for a row of zeros; with a single item, only for those.
    """
    longest = float(model.item_norms.max(initial=0.0))
    if longest == 0:
        return np.ones(len(vectors), dtype=bool)
    raised, lengths = int(lifts_of(np.float64(longest))), row_lengths(vectors)
    n_items = len(model.items)
    is_unknown: Mask = lengths == 0
    if n_items == 1:
        return is_unknown
    sampled = np.unique(np.linspace(0, n_items - 1, _SAMPLED).astype(np.int64))
    sample = np.ldexp(model.item_factors[sampled], raised)
    for part in blocks_of(len(vectors), _USERS):
        lifts = lifts_of(lengths[part])
        lifted = np.ldexp(vectors[part], lifts[:, None])
        with np.errstate(over="ignore", invalid="ignore"):
            near = lifted @ sample.T
            spread = near.max(axis=1) - near.min(axis=1)
        margins = product_margin(row_lengths(lifted), np.ldexp(longest, raised), model.factors)
        is_unknown[part] |= lengths[part] * longest < _HALF_OF_LEAST
        # The sample settles most rows; the others need the exact scores of all items.
        is_doubtful = (spread <= 2 * margins) | (lifts + raised > 0)
        for row in np.flatnonzero(is_doubtful & ~is_unknown[part]).tolist():
            is_unknown[part][row] = _is_flat(model, lifted[row], raised, int(lifts[row]))
    return is_unknown


def are_alike(scores: Floats) -> bool:
    """Tell whether all items that may appear have the same score, (n_items,), as `all_alike`."""
    may_appear = scores[scores > -np.inf]
    return len(scores) > 1 and not (len(may_appear) and may_appear.min() < may_appear.max())


def _scored_alike(model: Recommender, rows: Indices) -> Mask:
    lowest = np.full(len(rows), np.inf, dtype=np.float32)
    highest = np.full(len(rows), -np.inf, dtype=np.float32)
    left = np.arange(len(rows))
    for items in blocks_of_items(model):
        block = block_of(model.name, model.scores(rows[left], items), len(left), items)
        highest[left] = np.maximum(highest[left], block.max(axis=1))
        least = np.where(block == -np.inf, np.float32(np.inf), block).min(axis=1)
        lowest[left] = np.minimum(lowest[left], least)
        left = left[lowest[left] >= highest[left]]
        if not len(left):
            break
    alike: Mask = (lowest >= highest) & (len(model.items) > 1)
    return alike


def _is_flat(model: HasFactors, vector: Floats, raised: int, lift: int) -> bool:
    """Tell whether all items have the same score, as it is given back, for one lifted row."""
    first = None
    for part in blocks_of(len(model.items), ITEMS_PER_BLOCK):
        scores = np.ldexp(dots(np.ldexp(model.item_factors[part], raised), vector), -raised - lift)
        first = scores[0] if first is None else first
        if not (scores == first).all():
            return False
    return True
