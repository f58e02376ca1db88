"""Counts of the users who like one item, or two. No Numba."""

import functools

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.errors import DataError
from alsolike.models.base import Recommender
from alsolike.recommending.shared import history_of

Rows = npt.NDArray[np.integer]


class Likers:
    """The users who like each item, with a value above zero in the model's history.

    Parameters
    ----------
    model : Recommender
        With its history. The first call turns the likes to columns, with 4 bytes for each.

    Raises
    ------
    SettingError
        The model was saved without its history.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> likers = Likers(tiny_model())
    >>> likers.count(0), likers.count(2), likers.shared(0, 2)
    (1, 1, 1)
    """

    def __init__(self, model: Recommender) -> None:
        self._likes = history_of(model, "count who likes two items").user_items
        self._n_items = len(model.items)

    def count(self, row: int) -> int:
        """Count the users who like the item of this row; DataError for an unknown row."""
        return len(self._of(row))

    def shared(self, row: int, other: int) -> int:
        """Count the users who like both items."""
        few, many = sorted((self._of(row), self._of(other)), key=len)
        if not len(few):
            return 0
        # Both ascend: looking up the few takes microseconds, merging would sort the many.
        places = np.searchsorted(many, few)
        return int(np.count_nonzero(many[np.minimum(places, len(many) - 1)] == few))

    def _of(self, row: int) -> Rows:
        if not 0 <= row < self._n_items:
            raise DataError(f"item row {row} is not one of 0 to {self._n_items - 1:,}.")
        users, starts = self._columns
        return users[starts[row] : starts[row + 1]]

    @functools.cached_property
    def _columns(self) -> tuple[Rows, Rows]:
        """Users in ascending order of item i: ``users[starts[i]:starts[i + 1]]``."""
        columns = sp.csc_array(self._likes)
        users, starts = columns.indices, columns.indptr
        liked = columns.data > 0
        if not liked.all():
            starts = np.concatenate(([0], np.cumsum(liked)))[starts]
            users = users[liked]
        return users, starts
