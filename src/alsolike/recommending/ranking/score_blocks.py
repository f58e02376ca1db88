"""A model's own scores, in the blocks that lists are ranked by. No Numba."""

from collections.abc import Callable
from typing import Any

import numpy as np

from alsolike.errors import DataError, FitError
from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors, ItemScorer, Recommender

ITEMS_PER_BLOCK = 2048
# Scores of whole rows at once, and the fewest rows.
_WHOLE, _FEWEST = 1 << 23, 16


def blocks_of(count: int, size: int) -> list[slice]:
    """Cut ``range(count)`` into slices of `size`; the last may be shorter.

    Examples
    --------
    >>> blocks_of(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def blocks_of_items(model: Any) -> list[slice]:
    """Return the slices of items that lists are ranked by: one for a model of whole rows."""
    n_items = len(model.items)
    return blocks_of(n_items, n_items if scores_whole_rows(model) else ITEMS_PER_BLOCK)


def scores_whole_rows(model: Any) -> bool:
    """Tell whether some columns of scores take as long as all, see `FittedModel`."""
    return bool(getattr(model, "scores_whole_rows", False))


def parts_of_rows(model: Any, count: int) -> list[slice]:
    """Cut the rows of a block for a model of whole rows, which need much memory."""
    if not scores_whole_rows(model):
        return blocks_of(count, max(count, 1))
    return blocks_of(count, max(_WHOLE // max(len(model.items), 1), _FEWEST))


def block_of(name: str, scores: Floats, n_rows: int, items: slice) -> Floats:
    """Convert a block of scores to float32 in C order; DataError for another shape."""
    block: Floats = np.ascontiguousarray(scores, dtype=np.float32)
    expected = n_rows, items.stop - items.start
    if block.shape != expected:
        raise DataError(
            f"Model {name!r} gave scores of shape {block.shape} for {expected[0]} rows and "
            f"{expected[1]} items."
        )
    return block


def whole_rows(
    name: str, ask: Callable[[slice], Floats], n_rows: int, blocks: list[slice]
) -> Floats:
    """Return the scores of a few rows with all items, float32, (n_rows, n_items).

    Parameters
    ----------
    name : str
        Of the model.
    ask : callable
        From a slice of items to their scores.
    n_rows : int
    blocks : list of slice
        The slices to ask for: those that `alsolike.recommending.ranking.scan` ranks by.
    """
    n_items = blocks[-1].stop if blocks else 0
    found = np.empty((n_rows, n_items), dtype=np.float32)
    for items in blocks:
        found[:, items] = block_of(name, ask(items), n_rows, items)
    return found


def not_finite(model: Recommender | ItemScorer, item: int, owner: str, score: float) -> FitError:
    """Return the error for a score that is NaN or +inf, of an item (row)."""
    way_out = (
        "Fit it again with more regularization, or a smaller alpha."
        if isinstance(model, HasFactors)
        else "Score what must not appear as -inf; fix its method scores for the rest."
    )
    return FitError(
        f"Model {model.name!r} scores item {model.items.id_of(item)!r} for {owner} as {score}; "
        f"every score must be finite. {way_out}"
    )
