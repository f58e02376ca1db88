"""Counts of the users who like one item, or two, and what a model expects. No Numba."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.errors import DataError
from alsolike.models.base import HasAffinities, Recommender
from alsolike.models.similarity.co_counts import CoCounts
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.exact import exact_products
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.shared import history_of

Rows = npt.NDArray[np.integer]


class Likers:
    """The users who like each item, with a value above zero in the model's history.

    Parameters
    ----------
    model : Recommender
        With its history. The first call turns the likes to columns, with 4 bytes for each, unless
        the model's counts of common likes have them.

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
        self._model = model
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
        terms = affinity_terms_of(self._model)
        if terms is not None and isinstance(terms.counts, CoCounts):
            return terms.counts.item_users, terms.counts.item_starts
        columns = sp.csc_array(self._likes)
        users, starts = columns.indices, columns.indptr
        liked = columns.data > 0
        if not liked.all():
            starts = np.concatenate(([0], np.cumsum(liked)))[starts]
            users = users[liked]
        return users, starts


# Fewer people than this are never counted out: they could be recognized.
_FEWEST = 3


@dataclass(frozen=True)
class PairEvidence:
    """Why two items are similar, in numbers of people.

    Parameters
    ----------
    shared : int
        Users who like both.
    likers : int
        Users who like the first.
    expected : float or None
        How many of them the model expects to like the second; None for a model without factors.
    by_popularity : float
        How many of as many users would like it, whoever they are.
    """

    shared: int
    likers: int
    expected: float | None
    by_popularity: float

    @property
    def shared_to_show(self) -> int | None:
        """The users who like both; None for one or two, who are not counted out."""
        return None if 0 < self.shared < _FEWEST else self.shared

    def sentence(self, name: str, other: str) -> str:
        """Return it in words.

        Examples
        --------
        >>> PairEvidence(31, 140, 24.2, 9.1).sentence("A", "B")
        '31 of the 140 who like A like B; the model expects 24; of anyone, 9.'
        >>> PairEvidence(2, 7, None, 0.04).sentence("A", "B")
        'A few of the 7 who like A like B; of anyone, fewer than 1.'
        """
        shared = _people(self.shared).capitalize()
        expects = "" if self.expected is None else f" the model expects {_amount(self.expected)};"
        return (
            f"{shared} of the {_people(self.likers)} who like {name} like {other};{expects} "
            f"of anyone, {_amount(self.by_popularity)}."
        )


def _people(count: int) -> str:
    if not count:
        return "none"
    return f"{count:,}" if count >= _FEWEST else "a few"


def _amount(expected: float) -> str:
    return f"{expected:,.0f}" if expected >= 1 else "fewer than 1"


def pair_evidence(
    model: Recommender, row: int, other: int, likers: Likers | None = None
) -> PairEvidence:
    """Count who likes items `row` and `other`, and what the model and popularity expect.

    Parameters
    ----------
    model : Recommender
        With its history.
    row, other : int
    likers : Likers or None
        Of the model, if it is there already.

    Raises
    ------
    SettingError
        The model was saved without its history.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> pair_evidence(tiny_model(), 0, 3).shared
    1
    """
    known = likers or Likers(model)
    count = known.count(row)
    expected = None
    if isinstance(model, HasAffinities) and "audience" in model.affinities:
        everything = SimilarityConfig(affinity="audience", popularity_bias=1.0)
        terms = model.affinity_terms(everything)
        (product,) = exact_products(
            terms.targets(np.array([other])), terms.queries(np.array([row]))[0]
        )
        expected = count * float(np.clip(product, 0.0, terms.ceiling))
    of_anyone = count * known.count(other) / max(len(model.users), 1)
    return PairEvidence(known.shared(row, other), count, expected, of_anyone)
