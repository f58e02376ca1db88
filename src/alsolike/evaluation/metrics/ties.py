"""Ties: groups of items with equal scores that reach beyond the end of a list.

Metrics of lists are means over all orders of equal scores [1]_. Groups that end within a list are
visible in it. All items of a group that the end cuts are found here, by the very float32 scores
that the list was ranked by, and only for lists with such a group.

References
----------
.. [1] F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently in
   the presence of tied scores", ECIR 2008.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.models.base import Floats
from alsolike.models.protocols import Recommender
from alsolike.recommending.batch import source_of
from alsolike.recommending.ranking.exclusion import excluded_of
from alsolike.recommending.ranking.scan import QUERIES_PER_BLOCK, Ranked, ScoreSource
from alsolike.recommending.ranking.score_blocks import ITEMS_PER_BLOCK, blocks_of

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Parts of sums over lists, for any number of threads.
_PARTS = 16


@dataclass(frozen=True, eq=False)
class Ties:
    """Groups of equal scores that reach beyond the ends of lists.

    Parameters
    ----------
    sizes, relevant : int64, (n_lists,)
        Items of the group, in the list or not, and the relevant ones among them; 0 where the end
        of the list cuts no group.
    before : int64, (n_lists,)
        Places before the group.
    is_in : bool, (n_wanted,)
        For each relevant item, list by list, whether it is in its list's group.
    expected, missed : float64, (n_lengths, n_items), or None
        What the groups add to an `alsolike.evaluation.metrics.exposure.Exposure`: how often an item
        is expected in the first places, and the logarithm of the probability that it is in none of
        them. None: not requested.
    is_blind : bool, (n_lengths, n_lists)
        Whether the list is nearly random: the last score of the first places is the median of all
        items' scores and reaches beyond them, or is the score of all items (two or more) that may
        be listed.
    sums : float64, (n_sums, n_lists), or None
        Sums over the items of each group, see `GroupSums`; 0 without one. None: not requested.
    """

    sizes: Indices
    relevant: Indices
    before: Indices
    is_in: Flags
    is_blind: Flags
    expected: Values | None = None
    missed: Values | None = None
    sums: Values | None = None

    @classmethod
    def none(
        cls, n_lists: int, n_wanted: int, lengths: Sequence[int], n_items: int | None = None
    ) -> "Ties":
        """Return that no list ends within equal scores; with sums over `n_items` items, or none."""
        sizes, relevant, before = np.zeros((3, n_lists), dtype=np.int64)
        is_in = np.zeros(n_wanted, dtype=bool)
        is_blind = np.zeros((len(lengths), n_lists), dtype=bool)
        if n_items is None:
            return cls(sizes, relevant, before, is_in, is_blind)
        expected, missed = np.zeros((2, len(lengths), n_items))
        return cls(sizes, relevant, before, is_in, is_blind, expected, missed)

    def share(self, length: int) -> Values:
        """Return the share of each list's group that is among the first `length` places."""
        slots = np.maximum(length - self.before, 0)
        return np.divide(slots, self.sizes, out=np.zeros(len(slots)), where=self.sizes > 0)


def ties_of(
    model: Recommender,
    truth: GroundTruth,
    ranked: Ranked,
    lengths: Sequence[int],
    engine: Engine,
    *,
    spread: bool = False,
    group_sums: "GroupSums | None" = None,
) -> Ties:
    """Find the groups of equal scores that the ends of a model's lists cut.

    Parameters
    ----------
    model : Recommender
    truth : GroundTruth
        Of these lists.
    ranked : Ranked, (n_lists, more than the longest length)
    lengths : sequence of int
        Ascending. The last is where lists end; `Ties.is_blind` is found at each.
    engine : Engine
    spread : bool
        Whether `Ties.expected` and `Ties.missed` are needed.
    group_sums : GroupSums or None
        Gives `Ties.sums`.
    """
    longest, (n_lists, n_items) = lengths[-1], truth.wanted.shape
    ties = Ties.none(n_lists, truth.wanted.nnz, lengths, n_items if spread else None)
    if group_sums is not None:
        ties = replace(ties, sums=np.zeros((group_sums.n_sums, n_lists)))
    sizes, before, is_blind = ties.sizes, ties.before, ties.is_blind
    starts = truth.wanted.indptr
    counting = _Counting.of(model, truth)
    cut = np.flatnonzero(_goes_on(ranked, longest))
    last = ranked.scores[:, longest - 1]
    before[cut] = np.count_nonzero(ranked.scores[cut, :longest] > last[cut, None], axis=1)
    spreading = lengths, before if spread else None, group_sums
    for part in counting.run(cut, last[cut], engine, *spreading):
        sizes[part.rows] = part.sizes
        if ties.sums is not None:
            ties.sums[:, part.rows] = part.sums
        for row, flags in zip(part.rows.tolist(), part.wanted, strict=True):
            ties.is_in[starts[row] : starts[row + 1]] = flags
            ties.relevant[row] = np.count_nonzero(flags)
        is_blind[-1, part.rows] = part.is_blind
        if ties.expected is not None and ties.missed is not None:
            np.add(ties.expected, part.expected, out=ties.expected)
            np.add(ties.missed, part.missed, out=ties.missed)
    for at, length in enumerate(lengths[:-1]):
        is_blind[at] = is_blind[-1] & (before < length)
        visible = _goes_on(ranked, length) & ~((sizes > 0) & (before < length))
        # Only in catalogues so small that a list may reach the median.
        for part in counting.run(*counting.doubtful(ranked, visible, length), engine):
            is_blind[at, part.rows] = part.is_blind
    for at, length in enumerate(lengths):
        flat = np.flatnonzero(is_flat(ranked, length))
        for part in counting.run(flat, ranked.scores[flat, 0], engine):
            is_blind[at, part.rows] = part.is_blind
    return ties


@dataclass(frozen=True, eq=False)
class _Part:
    """Counts of some lists with a cut group."""

    rows: Indices
    sizes: Indices
    wanted: list[Flags]
    is_blind: Flags
    sums: Values
    expected: Values | float = 0.0
    missed: Values | float = 0.0


@dataclass(frozen=True, eq=False)
class _Counting:
    """Finds all items that have exactly the score of a place, for some lists.

    Parameters
    ----------
    source : ScoreSource
    truth : GroundTruth
    starts, ends : int64, (n_lists,)
        Items ``taken[starts[q]:ends[q]]`` may not be in list q.
    taken : int32, (n_taken,)
    """

    source: ScoreSource
    truth: GroundTruth
    starts: Indices
    ends: Indices
    taken: npt.NDArray[np.int32]

    @classmethod
    def of(cls, model: Recommender, truth: GroundTruth) -> "_Counting":
        rows = truth.users.astype(np.int32)
        exclude = None if truth.exclude is None else truth.exclude.user_items
        shape = len(model.users), len(model.items)
        starts, ends, taken = excluded_of(exclude, rows, shape)
        return cls(source_of(model, rows), truth, starts, ends, taken)

    def doubtful(self, ranked: Ranked, visible: Flags, length: int) -> tuple[Indices, Floats]:
        """Return which lists with a group around `length` may reach the median, and its score."""
        score = ranked.scores[:, length - 1]
        listed = np.count_nonzero(ranked.scores >= score[:, None], axis=1)
        reach = listed + self.ends - self.starts > self.truth.wanted.shape[1] // 2
        rows = np.flatnonzero(visible & reach)
        return rows, score[rows]

    def run(
        self,
        rows: Indices,
        scores: Floats,
        engine: Engine,
        lengths: Sequence[int] = (),
        before: Indices | None = None,
        group_sums: "GroupSums | None" = None,
    ) -> list[_Part]:
        """Count the items with these scores for lists `rows`; spread them if `before` is given."""
        if not len(rows):
            return []
        # Blocks of the ranking's own queries: a model's scores may depend on the block.
        blocks = np.split(
            np.arange(len(rows)), np.flatnonzero(np.diff(rows // QUERIES_PER_BLOCK)) + 1
        )
        bounds = np.linspace(0, len(blocks), min(_PARTS, len(blocks)) + 1).astype(int)

        def work(part: int) -> _Part:
            own = blocks[bounds[part] : bounds[part + 1]]
            found = [self._block(rows[b], scores[b], lengths, before, group_sums) for b in own]
            return _together(found)

        return engine.each(work, range(len(bounds) - 1))

    def _block(
        self,
        rows: Indices,
        scores: Floats,
        lengths: Sequence[int],
        before: Indices | None,
        group_sums: "GroupSums | None",
    ) -> _Part:
        wanted, n_items = self.truth.wanted, self.truth.wanted.shape[1]
        first = int(rows[0]) // QUERIES_PER_BLOCK * QUERIES_PER_BLOCK
        queries = slice(first, min(first + QUERIES_PER_BLOCK, len(self.starts)))
        equal = Members.none(len(rows), n_items)
        above, level = np.zeros((2, len(rows)), dtype=np.int64)
        for items, found in self.source.scored(queries, rows - first):
            is_equal = found == scores[:, None]
            equal.put(items, is_equal)
            level += np.count_nonzero(is_equal, axis=1)
            above += np.count_nonzero(found > scores[:, None], axis=1)
        # The median is of all items, including those that may not be in the list.
        is_blind = covers_median(above, above + level, n_items)
        at, places = _laid_out(self.starts[rows], self.ends[rows])
        taken = self.taken[places]
        is_taken = equal.has(at, taken)
        equal.leave_out(at[is_taken], taken[is_taken])
        sizes = level - np.bincount(at[is_taken], minlength=len(rows))
        starts, ends = wanted.indptr[rows].astype(np.int64), wanted.indptr[rows + 1]
        at, places = _laid_out(starts, ends.astype(np.int64))
        flags = equal.has(at, wanted.indices[places])
        sums = np.empty((0, len(rows))) if group_sums is None else group_sums(rows, equal)
        part = _Part(rows, sizes, np.split(flags, np.cumsum(ends - starts)[:-1]), is_blind, sums)
        if before is None:
            return part
        share = np.maximum(np.array(lengths)[:, None] - before[rows], 0) / sizes
        return replace(part, expected=equal.sums(share), missed=equal.sums(np.log1p(-share)))


@dataclass(frozen=True, eq=False)
class Members:
    """Membership of all items in the group of each list, as bits.

    Parameters
    ----------
    bits : uint8, (n_lists, at least n_items / 8)
    n_items : int
    """

    bits: npt.NDArray[np.uint8]
    n_items: int

    @classmethod
    def none(cls, n_lists: int, n_items: int) -> "Members":
        """Return groups without items."""
        return cls(np.zeros((n_lists, -(-n_items // 8)), dtype=np.uint8), n_items)

    def put(self, items: slice, flags: Flags) -> None:
        """Set the bits of consecutive items; the first is a multiple of eight."""
        packed = np.packbits(flags, axis=1)
        self.bits[:, items.start // 8 : items.start // 8 + packed.shape[1]] = packed

    def flags_of(self, at: int) -> Flags:
        """Return which items are in the group of one list, bool, (n_items,)."""
        return np.unpackbits(self.bits[at], count=self.n_items).astype(bool)

    def has(self, lists: Indices, items: npt.NDArray[np.integer]) -> Flags:
        """Return the membership of pairs of a list and an item."""
        found: Flags = (self.bits[lists, items >> 3] & (0x80 >> (items & 7))) != 0
        return found

    def leave_out(self, lists: Indices, items: npt.NDArray[np.integer]) -> None:
        """Clear the bits of pairs."""
        np.bitwise_xor.at(self.bits, (lists, items >> 3), (0x80 >> (items & 7)).astype(np.uint8))

    def sums(self, weights: Values) -> Values:
        """Return for each item the sum of the weights, (any, n_lists), of the lists it is in."""
        total = np.empty((len(weights), self.n_items))
        for items in blocks_of(self.n_items, ITEMS_PER_BLOCK):
            some = self.bits[:, items.start // 8 : -(-items.stop // 8)]
            flags = np.unpackbits(some, axis=1, count=items.stop - items.start)
            total[:, items] = weights @ flags.astype(np.float64)
        return total


class GroupSums(Protocol):
    """Adds up something over the items of groups; results must not depend on the block of lists."""

    n_sums: int

    def __call__(self, rows: Indices, members: Members) -> Values:
        """Return the sums of the groups of lists `rows`, float64, (n_sums, n)."""


def _laid_out(starts: Indices, ends: Indices) -> tuple[Indices, Indices]:
    """Return ``starts[r], ..., ends[r] - 1`` of all rows, and the row of each."""
    counts = ends - starts
    rows = np.repeat(np.arange(len(starts)), counts)
    places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return rows, places + np.repeat(starts, counts)


def _together(parts: Sequence[_Part]) -> _Part:
    """Join consecutive parts; sums are taken in their order."""
    expected, missed = parts[0].expected, parts[0].missed
    for part in parts[1:]:
        expected, missed = expected + part.expected, missed + part.missed
    return _Part(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.sizes for part in parts]),
        [flags for part in parts for flags in part.wanted],
        np.concatenate([part.is_blind for part in parts]),
        np.concatenate([part.sums for part in parts], axis=1),
        expected,
        missed,
    )


def covers_median(above: Indices, not_below: Indices, n_items: int) -> Flags:
    """Return whether a score with so many above and not below it is the median of `n_items`.

    For an even number of items, both in the middle must have it.
    """
    is_median: Flags = (above < (n_items + 1) // 2) & (not_below >= n_items // 2 + 1)
    return is_median


def is_flat(ranked: Ranked, length: int) -> Flags:
    """Return which lists hold all items that may be listed (two or more) with one score."""
    n_listed = np.count_nonzero(ranked.indices[:, :length] >= 0, axis=1)
    last = np.take_along_axis(ranked.scores, np.maximum(n_listed - 1, 0)[:, None], axis=1)[:, 0]
    has_ended = np.all(ranked.indices[:, length:] < 0, axis=1)
    flat: Flags = has_ended & (n_listed > 1) & (ranked.scores[:, 0] == last)
    return flat


def _goes_on(ranked: Ranked, length: int) -> Flags:
    """Return in which lists the score of the last place continues beyond it."""
    beyond = ranked.scores[:, length]
    goes_on: Flags = (ranked.indices[:, length] >= 0) & (beyond == ranked.scores[:, length - 1])
    return goes_on
