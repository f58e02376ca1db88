"""Counts of the users who like one item, or two, and what a model expects. No Numba."""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.vocabulary import Id
from alsolike.errors import DataError, SettingError
from alsolike.models.base import FittedModel
from alsolike.models.protocols import HasAffinities, Recommender, expect_model
from alsolike.models.similarity.co_counts import CoCounts
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.features.reasons import shared_words
from alsolike.recommending.shared import checked_ids, history_of
from alsolike.usage_hints import with_example

Rows = npt.NDArray[np.integer]

_NEAR = 10  # items by whose likes a prediction is read


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
        self._last: tuple[int, _Order | None] = (-1, None)
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

    def expected_share(self, row: int, other: int) -> float | None:
        """Return the share of an item's likers whom the model expects to like another item.

        The model's predictions for these people put all items in an order. Predictions are no
        shares: what they mean is read from the items next to the other one in this order, as the
        mean share of the likers who like those. None for a model without factors, or if there are
        no other items.
        """
        order, count = self._order(row), self.count(row)
        if order is None or not count:
            return None
        near = order.next_to(other)
        shared = sum(self.shared(row, one) for one in near)
        return shared / (count * len(near)) if near else None

    def _order(self, row: int) -> "_Order | None":
        """Return the order of all other items for the likers of one; the last is kept."""
        last, found = self._last
        if last == row:
            return found
        model, found = self._model, None
        if isinstance(model, HasAffinities) and "audience" in model.affinities:
            terms = model.affinity_terms(SimilarityConfig(affinity="audience"))
            products = terms.targets(slice(None)) @ terms.queries(np.array([row]))[0]
            found = _Order.of(products, row)
        self._last = row, found
        return found

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


@dataclass(frozen=True, eq=False)
class _Order:
    """All items but one in the order of predictions, and the place of each."""

    items: Rows
    places: Rows

    @classmethod
    def of(cls, predicted: npt.NDArray[np.float32], without: int) -> "_Order":
        # Rounded, as the order must not depend on the library that multiplies.
        most = max(float(np.abs(predicted).max(initial=0.0)), 1e-30)
        items = np.argsort(-np.round(predicted / most, 5), kind="stable")
        items = items[items != without]
        places = np.zeros(len(predicted), dtype=np.int64)
        places[items] = np.arange(len(items))
        return cls(items, places)

    def next_to(self, item: int) -> list[int]:
        """Return the items next to one of them, on both sides where there are enough."""
        place = int(self.places[item])
        first = min(max(place - _NEAR // 2, 0), max(len(self.items) - _NEAR - 1, 0))
        near: list[int] = self.items[first : first + _NEAR + 1].tolist()
        return [one for one in near if one != item]


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
        How many of them the model expects to like the second, see `Likers.expected_share`; None
        for a model without factors.
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

    def brief(self) -> str:
        """Return how many like both, to be shown next to the second; empty without likers.

        Examples
        --------
        >>> PairEvidence(31, 140, 24.2, 9.1).brief(), PairEvidence(2, 7, None, 0.04).brief()
        ('31 of the 140 like it', 'a few of the 7 like it')
        """
        if not self.likers:
            return ""
        likers = f"{self.likers:,}" if self.likers >= _FEWEST else "few"
        return f"{_people(self.shared).lower()} of the {likers} like it"

    def sentence(self, name: str, other: str) -> str:
        """Return it in words.

        Examples
        --------
        >>> PairEvidence(31, 140, 24.2, 9.1).sentence("A", "B")
        '31 of the 140 who like A like B; the model expects 24; of anyone, 9.'
        >>> PairEvidence(2, 7, None, 0.04).sentence("A", "B")
        'A few of the 7 who like A like B; of anyone, fewer than 1.'
        """
        if not self.likers:
            return f"Nobody likes {name}."
        expects = "" if self.expected is None else f" the model expects {_amount(self.expected)};"
        likers = f"{self.likers:,}" if self.likers >= _FEWEST else "few"
        return (
            f"{_people(self.shared)} of the {likers} who like {name} like {other};{expects} "
            f"of anyone, {_amount(self.by_popularity)}."
        )


def _people(count: int) -> str:
    if not count:
        return "None"
    return f"{count:,}" if count >= _FEWEST else "A few"


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
    share = known.expected_share(row, other)
    expected = None if share is None else count * share
    of_anyone = count * known.count(other) / max(len(model.users), 1)
    return PairEvidence(known.shared(row, other), count, expected, of_anyone)


@dataclass(frozen=True)
class WhySimilar:
    """Why two items are similar, in numbers of people; as text, one sentence.

    Parameters
    ----------
    item, other : str or int
        Ids.
    name, other_name : str
        Their names, or the ids where there are none.
    evidence : PairEvidence
        The exact numbers; the sentence never counts out fewer than three people.
    features : tuple of str
        What both have in common, such as tags, the rarest first.
    """

    item: Id
    other: Id
    name: str
    other_name: str
    evidence: PairEvidence
    features: tuple[str, ...] = ()

    def __str__(self) -> str:
        have = f" Both have: {', '.join(self.features)}." if self.features else ""
        return f"{self.evidence.sentence(self.name, self.other_name)}{have}"


@with_example('al.why_similar(model, "i1", "i2")')
def why_similar(model: FittedModel, item: Id, other: Id) -> WhySimilar:
    """Tell why an item is similar to another: how many of those who like it like the other.

    Parameters
    ----------
    model : FittedModel
        With its history.
    item, other : str
        Ids or names of two items. Those who like the first are asked.

    Returns
    -------
    WhySimilar
        As text, one sentence, and one more if both have features in common, such as tags.

    Raises
    ------
    UnknownId
        An item is neither an id nor exactly one item's name.
    SettingError
        Both are the same item, or the model was saved without its history.

    Examples
    --------
    >>> from alsolike.testing import tiny_likes
    >>> from alsolike.models.fit import fit
    >>> print(why_similar(fit(tiny_likes(), factors=4), "a0", "a6"))
    4 of the 22 who like Item 1 ♪ like Item 12 ♪; the model expects 4; of anyone, 3.
    """
    expect_model(model, "tell why two items are similar")
    given = checked_ids([item, other], model.items)
    row, other_row = (model.item_index(one) for one in given)
    item_id, other_id = model.items.id_of(row), model.items.id_of(other_row)
    if row == other_row:
        raise SettingError(f"Two different items expected, {item_id!r} given twice.")
    names = model.catalogue.name_of if model.catalogue else (lambda _: "")
    return WhySimilar(
        item_id,
        other_id,
        names(row) or str(item_id),
        names(other_row) or str(other_id),
        pair_evidence(model, row, other_row),
        shared_words(model, row, other_row),
    )
