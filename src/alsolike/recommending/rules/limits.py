"""Limits the items of one value in a list, such as two of each artist, exactly.

The list is that of a walk from the best item down, which takes each item that no limit forbids. Its
end may lie deep in the ranking. So the best items are ranked first; if too few of them may be
taken, those of the values that are full are left out, and the best of the others are ranked.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from alsolike.models.base import Floats
from alsolike.recommending.rules.values import ItemValues
from alsolike.recommending.shared import Indices, Mask

_DEEPER = 4  # times as many items as before are ranked
_DEPTHS = 3  # of many lists together; what is left then is ranked list by list
_CELLS = 1 << 22  # ranked at once
_WALKED = 1024  # items of an order at a time

RankOne = Callable[[Mask, int], tuple[Indices, Floats]]


@dataclass(frozen=True, eq=False)
class Limit:
    """At most `most` items of each value of `column` in a list."""

    column: str
    values: ItemValues
    most: int


@dataclass(frozen=True, eq=False)
class Limits:
    """Limits that all apply to a list; an item without values has none.

    Examples
    --------
    >>> artist = ItemValues.of(["A", "A", "B", "", "B"])
    >>> limits = Limits((Limit("artist", artist, 1),))
    >>> scores = np.array([5, 4, 3, 2, 1], dtype=np.float32)
    >>> def rank(may_appear, k):
    ...     found = np.flatnonzero(may_appear)[:k].astype(np.int32)
    ...     return found, scores[found]
    >>> limits.best(4, np.ones(5, dtype=bool), rank)[0]
    array([0, 2, 3], dtype=int32)
    """

    limits: tuple[Limit, ...]

    def __str__(self) -> str:
        return " and ".join(f"at most {limit.most} per {limit.column}" for limit in self.limits)

    def length(self, k: int, may_appear: Mask) -> int:
        """Return how many of `k` items a list can have at most."""
        most = int(np.count_nonzero(may_appear))
        for limit in self.limits:
            chosen = limit.values.of_items[may_appear]
            free = int(np.count_nonzero(np.diff(chosen.indptr) == 0))
            counts = np.bincount(chosen.indices, minlength=len(limit.values.values))
            most = min(most, free + int(np.minimum(counts, limit.most).sum()))
        return min(k, most)

    def best(self, k: int, may_appear: Mask, rank: RankOne) -> tuple[Indices, Floats]:
        """Return the best items of one list.

        Parameters
        ----------
        k : int
        may_appear : bool, (n_items,)
        rank : callable
            From items that may appear and a length to the best items and their scores, best first;
            fewer than that if there are no more.

        Returns
        -------
        int32 and float32, (at most k,)
        """
        tally, length = Tally(self), self.length(k, may_appear)
        left = may_appear.copy()
        found: list[int] = []
        scores: list[np.float32] = []
        while len(found) < length and (n_left := int(np.count_nonzero(left))):
            depth = min(_DEEPER * k, n_left)
            items, of_items = rank(left, depth)
            places = tally.take(items, length - len(found))
            found += items[places].tolist()
            scores += list(of_items[places])
            if len(items) < depth:
                break
            left[items] = False
            left[tally.full_items()] = False
        return np.array(found, dtype=np.int32), np.array(scores, dtype=np.float32)

    def best_of_many(
        self,
        n_lists: int,
        k: int,
        may_appear: Mask,
        rank_many: Callable[[Indices, int], tuple[Indices, Floats]],
        rank_one: Callable[[int, Mask, int], tuple[Indices, Floats]],
    ) -> tuple[Indices, Floats]:
        """Return the best items of many lists, each as `best` does.

        Parameters
        ----------
        n_lists, k : int
        may_appear : bool, (n_items,)
        rank_many : callable
            From lists and a length to their best items, int32 and float32, (n, length), as in
            `alsolike.recommending.ranking.scan.Ranked`.
        rank_one : callable
            As in `best`, of the list that is its first argument.

        Returns
        -------
        int32 and float32, (n_lists, k)
            As in `Ranked`.
        """
        indices = np.full((n_lists, k), -1, dtype=np.int32)
        scores = np.full((n_lists, k), -np.inf, dtype=np.float32)
        length, n_items = self.length(k, may_appear), len(may_appear)
        left = np.arange(n_lists if length else 0, dtype=np.int32)
        depth = k
        for _ in range(_DEPTHS):
            depth = min(_DEEPER * depth, n_items)
            unfinished = []
            step = max(1, _CELLS // depth)
            for start in range(0, len(left), step):
                part = left[start : start + step]
                items, of_items = rank_many(part, depth)
                for place, row in enumerate(part.tolist()):
                    listed = items[place][items[place] >= 0]
                    taken = Tally(self).take(listed, length)
                    if len(taken) < length and len(listed) == depth < n_items:
                        unfinished.append(row)
                        continue
                    indices[row, : len(taken)] = listed[taken]
                    scores[row, : len(taken)] = of_items[place, taken]
            left = np.array(unfinished, dtype=np.int32)
        for row in left.tolist():
            found, of_found = self.best(k, may_appear, functools.partial(rank_one, row))
            indices[row, : len(found)], scores[row, : len(found)] = found, of_found
        return indices, scores

    def first_of(self, order: Indices, k: int, *, listed: Indices, left_out: Indices) -> Indices:
        """Return the first `k` items of an order that fit after those that are listed."""
        tally = Tally(self)
        tally.take(listed, len(listed))
        found: list[int] = []
        barred = np.concatenate([listed, left_out])
        for start in range(0, len(order), _WALKED):
            part = order[start : start + _WALKED]
            part = part[~np.isin(part, barred)]
            found += part[tally.take(part, k - len(found))].tolist()
            if len(found) >= k:
                break
        return np.array(found, dtype=np.int32)


class Tally:
    """Counts the items of each value in one list."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits.limits
        self._counts: list[dict[int, int]] = [{} for _ in self._limits]

    def take(self, items: Sequence[int] | Indices, most: int) -> list[int]:
        """Take items in order while they fit, at most so many; return their places."""
        taken: list[int] = []
        for place, item in enumerate(items):
            if len(taken) == most:
                break
            values = [limit.values.values_of(item).tolist() for limit in self._limits]
            rules = list(zip(self._limits, self._counts, values, strict=True))
            if all(counts.get(one, 0) < limit.most for limit, counts, own in rules for one in own):
                for _, counts, own in rules:
                    for one in own:
                        counts[one] = counts.get(one, 0) + 1
                taken.append(place)
        return taken

    def full_items(self) -> Indices:
        """Return all items of the values that are full, in any order."""
        found = [np.empty(0, dtype=np.int32)]
        for limit, counts in zip(self._limits, self._counts, strict=True):
            found += [
                limit.values.items_of(value) for value, n in counts.items() if n >= limit.most
            ]
        return np.concatenate(found)
