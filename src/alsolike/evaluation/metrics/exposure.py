"""Expected number of lists that each item is in, and coverage, as means over orders of ties."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alsolike.evaluation.metrics.ties import Indices, Ties, Values
from alsolike.models.base import Floats
from alsolike.recommending.ranking.scan import Ranked


@dataclass(frozen=True, eq=False)
class Exposure:
    """How often each item is listed, as a mean over all orders of equal scores.

    Parameters
    ----------
    expected : float64, (n_items,)
        Expected number of lists that contain the item.
    covered : float64, (n_items,)
        Probability that at least one list contains it; ties are broken independently per list.
    """

    expected: Values
    covered: Values

    @property
    def distinct(self) -> float:
        """Expected number of distinct items in the lists."""
        return float(self.covered.sum())

    @property
    def coverage(self) -> float:
        """Expected share of all items that are in a list."""
        return self.distinct / len(self.covered)


def exposure_of(
    ranked: Ranked, lengths: Sequence[int], at: int, ties: Ties, n_items: int
) -> Exposure:
    """Count how often each item is among the first ``lengths[at]`` places of lists.

    Parameters
    ----------
    ranked : Ranked, (n_lists, at least the longest length)
    lengths : sequence of int
        As given to `ties_of`, with ``spread=True``.
    at : int
    ties : Ties
    n_items : int
    """
    length, longest = lengths[at], lengths[-1]
    items, scores = ranked.indices[:, :longest], ranked.scores[:, :longest]
    firsts, sizes = groups_of(scores)
    share = np.clip((length - firsts) / sizes, 0.0, 1.0)
    # The groups that the longest lists cut were spread over all of their items.
    is_seen = (items >= 0) & ~((ties.sizes > 0)[:, None] & (firsts == ties.before[:, None]))
    expected, missed = np.zeros((2, n_items))
    if ties.expected is not None and ties.missed is not None:
        expected += ties.expected[at]
        missed += ties.missed[at]
    expected += np.bincount(items[is_seen], weights=share[is_seen], minlength=n_items)
    is_cut = is_seen & (share < 1.0)
    missed += np.bincount(items[is_cut], weights=np.log1p(-share[is_cut]), minlength=n_items)
    covered = -np.expm1(missed) + 0.0  # never -0.0
    covered[items[is_seen & (share == 1.0)]] = 1.0
    return Exposure(expected, covered)


def coverages_of(
    ranked: Ranked, lengths: Sequence[int], ties: Ties, n_items: int
) -> dict[int, float]:
    """Return the coverage at each of `lengths`; arguments as of `exposure_of`."""
    return {
        length: exposure_of(ranked, lengths, at, ties, n_items).coverage
        for at, length in enumerate(lengths)
    }


def groups_of(scores: Floats) -> tuple[Indices, Indices]:
    """Return the start and the size of the group of equal scores that each place is in, (n, k)."""
    n_lists, length = scores.shape
    places = np.broadcast_to(np.arange(length), scores.shape)
    is_new = np.ones((n_lists, length), dtype=bool)
    is_new[:, 1:] = scores[:, 1:] != scores[:, :-1]
    firsts = np.maximum.accumulate(np.where(is_new, places, 0), axis=1)
    ends_here = np.ones((n_lists, length), dtype=bool)
    ends_here[:, :-1] = is_new[:, 1:]
    ends = np.where(ends_here, places + 1, length)[:, ::-1]
    ends = np.minimum.accumulate(ends, axis=1)[:, ::-1]
    return firsts, ends - firsts
