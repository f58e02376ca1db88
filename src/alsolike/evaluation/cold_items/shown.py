"""How often new items are in lists of all items, as means over orders of equal scores."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from alsolike.engines.base import Engine
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.ties import Indices, Members, Values, ties_of
from alsolike.models.protocols import Recommender
from alsolike.recommending.ranking.scan import Ranked


@dataclass(frozen=True, eq=False)
class ShownNewItems:
    """How often new items are in each list.

    Parameters
    ----------
    places : float64, (n_lists,)
        Expected share of the list's places with a new item.
    lists : float64, (n_lists,)
        Probability that the list has at least one.
    """

    places: Values
    lists: Values


class _Counted:
    """Counts the new items of groups of equal scores."""

    n_sums = 1

    def __init__(self, is_new: npt.NDArray[np.bool_]) -> None:
        self._bits = np.packbits(is_new)

    def __call__(self, rows: Indices, members: Members) -> Values:
        """Return the number of new items in each group, float64, (1, n)."""
        both = members.bits & self._bits
        counts: Values = np.unpackbits(both, axis=1).sum(axis=1, dtype=np.float64)[None]
        return counts


def shown_new_items(
    model: Recommender,
    truth: GroundTruth,
    ranked: Ranked,
    is_new: npt.NDArray[np.bool_],
    length: int,
    engine: Engine,
) -> ShownNewItems:
    """Count new items in lists of all items.

    Parameters
    ----------
    model : Recommender
    truth : GroundTruth
        Of these lists.
    ranked : Ranked, (n_lists, more than `length`)
    is_new : bool, (n_items,)
    length : int
        Where lists end.
    engine : Engine
    """
    lists = Ranked(ranked.indices[:, : length + 1], ranked.scores[:, : length + 1])
    ties = ties_of(model, truth, lists, [length], engine, group_sums=_Counted(is_new))
    items = lists.indices[:, :length]
    is_cut = ties.sizes > 0
    places = np.arange(length)
    certain = (items >= 0) & (~is_cut[:, None] | (places < ties.before[:, None]))
    sure = (is_new[items] & certain).sum(axis=1)
    slots = np.where(is_cut, length - ties.before, 0).astype(np.float64)
    sizes = np.maximum(ties.sizes, 1).astype(np.float64)
    news = np.zeros(len(items)) if ties.sums is None else ties.sums[0]
    expected = sure + slots * news / sizes
    listed = np.maximum((items >= 0).sum(axis=1), 1)
    some = np.where(sure > 0, 1.0, 1.0 - _none_drawn(sizes, news, slots))
    return ShownNewItems(expected / listed, some)


def _none_drawn(sizes: Values, news: Values, slots: Values) -> Values:
    """Return the probability that none of some new items is drawn, without replacement."""
    others = sizes - news
    can = others >= slots
    rest = np.where(can, others - slots, 0.0)
    logs = gammaln(others + 1) - gammaln(rest + 1) + gammaln(sizes - slots + 1) - gammaln(sizes + 1)
    # Exactly 1 without new items, and 0 where the other items are too few.
    return np.where(can, np.where(news == 0, 1.0, np.exp(np.minimum(logs, 0.0))), 0.0)
