"""The best of approximate scores, by few exact ones. No Numba."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.models.base import Floats
from alsolike.models.similarity.exact import exact_products
from alsolike.recommending.ranking.score_blocks import not_finite
from alsolike.recommending.shared import Indices, Mask

_BLOCK = 64  # items, far apart, of which only the best is compared first
_LOWEST = float(np.finfo(np.float32).min)  # above minus infinity


def best_of(
    model: Any, scores: Floats, may_appear: Mask, k: int, owner: str
) -> tuple[Indices, Floats]:
    """Rank the items by a model's own scores, without those of -inf.

    Parameters
    ----------
    model : Recommender or ItemScorer
    scores : float32, (n_items,)
    may_appear : bool, (n_items,)
    k : int
    owner : str
        Owner of the scores, for messages.

    Returns
    -------
    int32 and float32, (at most k,)
        Best first, ties by row.

    Raises
    ------
    FitError
        The score of an item that may appear is NaN or +inf.
    """
    check_scores(model, scores, may_appear, owner)
    near = hidden(scores, may_appear)
    return narrowed(near, k, 0.0, near.__getitem__)


def check_scores(model: Any, scores: Floats, may_appear: Mask, owner: str) -> None:
    """Raise FitError if the score of an item that may appear is NaN or +inf."""
    if scores.max(initial=-np.inf) < np.inf:  # false for NaN, too
        return
    bad = np.flatnonzero(may_appear & ~(scores < np.inf))
    if len(bad):
        raise not_finite(model, int(bad[0]), owner, float(scores[bad[0]]))


def hidden(near: Floats, shown: Mask) -> Floats:
    """Return scores with -inf for items that are not shown."""
    found: Floats = np.where(shown, near, np.float32(-np.inf))
    return found


def narrowed(
    near: Floats, k: int, margin: float, exact: Callable[[Indices], Floats]
) -> tuple[Indices, Floats]:
    """Rank the items by `exact`, from which `near` differs by at most `margin`.

    Parameters
    ----------
    near : float32, (n_items,)
        Minus infinity where an item must not appear; finite elsewhere.
    k : int
    margin : float
    exact : callable
        From rows of items to their scores, float32.

    Returns
    -------
    int32 and float32, (at most k,)
        Best first, ties by row.
    """
    items = closest(near, k, margin)
    of_items = near[items]
    return ordered(items, of_items, k, margin, lambda places: exact(items[places]))


def closest(near: Floats, k: int, margin: float, *, above: float = _LOWEST) -> Indices:
    """Return the items that can be among the exact best k, and some more, ascending.

    Compared is the k-th best of the blocks' best items, minus both errors: one quick pass instead
    of a selection.

    Parameters
    ----------
    near, k, margin
        As in `narrowed`.
    above : float
        Lower items are left out.
    """
    least = max(least_among(block_bests(near), k, margin), above)
    return np.flatnonzero(near >= least).astype(np.int32)


def block_bests(near: Floats) -> Floats:
    """Return the best scores of disjoint blocks of items."""
    whole = len(near) // _BLOCK * _BLOCK
    bests: Floats = near[:whole].reshape(_BLOCK, -1).max(axis=0)
    return bests


def ordered(
    items: Indices,
    near: Floats,
    k: int,
    margin: float,
    exact: Callable[[npt.NDArray[np.intp]], Floats],
) -> tuple[Indices, Floats]:
    """Rank distinct items, in any order, as `narrowed`; `exact` is asked for places in `items`."""
    places = np.arange(len(items))
    if len(items) > k:
        places = np.flatnonzero(near >= least_among(near, k, margin))
    scores, found = exact(places), items[places]
    order = np.lexsort((found, -scores))[:k]
    return found[order], scores[order]


def least_among(near: Floats, k: int, margin: float) -> float:
    """Return the k-th best of approximate scores minus both errors; -inf for fewer than k."""
    place = len(near) - k
    if place < 0:
        return -np.inf
    return float(np.partition(near, place)[place]) - 2 * margin


def dots(rows: Floats, vector: Floats) -> Floats:
    """Return ``dot(row, vector)`` of `kernels.topk` for each row, to the last bit."""
    return exact_products(rows, vector).astype(np.float32)
