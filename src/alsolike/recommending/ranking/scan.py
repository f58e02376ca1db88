"""Ranks many queries: blocks of scores, on an engine, into lists of the best."""

import functools
import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.errors import FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.panels import WIDE, lay_out, scan_panels
from alsolike.kernels.ranking.topk import dot, rank_few, scan_block, score_all, sort_heaps
from alsolike.models.base import Floats
from alsolike.models.protocols import Recommender
from alsolike.progress import Observer
from alsolike.recommending.ranking.score_blocks import (
    ITEMS_PER_BLOCK,
    block_of,
    blocks_of,
    blocks_of_items,
    not_finite,
    parts_of_rows,
    scores_whole_rows,
)
from alsolike.recommending.shared import Indices, Mask, lifts_of, product_margin, row_lengths

# Tiles of six; the queries of a block stay in the second-level cache.
QUERIES_PER_BLOCK = 240
_ROWS = 256  # whose lengths are computed together, in the caches

Bounds = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """The best items of each row, best first; equal scores in the order of the items.

    Parameters
    ----------
    indices : int32, (n_rows, k)
        Items; -1 where a row has no more.
    scores : float32, (n_rows, k)
        Their scores; -inf where a row has no more.
    """

    indices: Indices
    scores: Floats

    @classmethod
    def empty(cls, n_rows: int, k: int) -> "Ranked":
        """Return lists that are empty so far."""
        indices = np.full((n_rows, k), -1, dtype=np.int32)
        return cls(indices, np.full((n_rows, k), -np.inf, dtype=np.float32))


@dataclass(frozen=True, eq=False)
class Heaps:
    """The best so far of a block of queries, see `alsolike.kernels.ranking.topk`."""

    scores: Floats
    items: Indices
    filled: Bounds

    @classmethod
    def of(cls, ranked: Ranked, queries: slice) -> "Heaps":
        """Return empty heaps in the memory of these queries' lists."""
        scores = ranked.scores[queries]
        return cls(scores, ranked.indices[queries], np.zeros(len(scores), dtype=np.int64))


class NotFiniteError(Exception):
    """A score that is NaN or +inf, by query and item; the caller knows their names."""

    def __init__(self, query: int, item: int, score: float) -> None:
        super().__init__(query, item, score)
        self.query, self.item, self.score = query, item, score

    def as_fit_error(self, model: Recommender, rows: Indices) -> FitError:
        """Convert to a FitError that names the item and the user, one of `rows`."""
        user = model.users.id_of(int(rows[self.query]))
        return not_finite(model, self.item, f"user {user!r}", self.score)


class Filler(Protocol):
    """Fills the lists of one block of queries, best first."""

    def __call__(self, queries: slice, taken: Indices, starts: Bounds, stops: Bounds,
                 heaps: Heaps) -> None:  # fmt: skip
        """List the best items of each query, without ``taken[start:stop]``."""


class ScoreSource(Protocol):
    """Scores of queries, each a row, with items."""

    def scored(self, queries: slice, chosen: Rows) -> Iterator[tuple[slice, Floats]]:
        """Yield the scores that rank some queries of one block, in ascending slices of all items.

        `chosen` counts from the block's first query.
        """

    def filler(self, may_appear: Mask) -> Filler:
        """Prepare the ranking of the items that may appear."""


@dataclass(frozen=True, eq=False)
class Products:
    """Scores that are dot products of ``left[rows]`` and `right`, clipped to ``ceiling``.

    `right_lengths` are Euclidean lengths. Most products end early if the first coordinates of both
    sides carry the most, as in factors.
    """

    rows: Indices
    left: Floats
    right: Floats
    right_lengths: Floats
    ceiling: float = np.inf

    def filler(self, may_appear: Mask) -> Filler:
        """Lay the items out in panels, the longest first."""
        n_factors = self.right.shape[1]
        known = np.where(np.isfinite(self.right_lengths), self.right_lengths, np.inf)
        order = np.argsort(-known, kind="stable").astype(np.int32)
        order = plain(order[may_appear[order]])
        n_panels = -(-len(order) // WIDE)
        panels = np.zeros((n_panels, n_factors, WIDE), dtype=np.float32)
        longest = np.float64(known[order].max(initial=0.0))
        right, raised = self._raised(longest)
        lay_out(right, order, panels)
        ends = steps_of(n_factors)
        longest_in, rests = rests_of(right, order, ends)
        slack = float(product_margin(np.ones(()), 1.0, n_factors))
        in_order = np.sort(order)

        def fill(
            queries: slice, taken: Indices, starts: Bounds, stops: Bounds, heaps: Heaps
        ) -> None:
            x, lifts, lengths_of_x = self.lifted(queries)
            for query in np.flatnonzero(lengths_of_x * longest == 0).tolist():
                _tie(in_order, taken[starts[query] : stops[query]], heaps, query)
            bad = scan_panels(
                plain(panels), order, ends, longest_in, rests, x, lengths_from(x, ends), right,
                slack, self.ceiling, taken, starts, stops, heaps.scores, heaps.items, heaps.filled,
            )  # fmt: skip
            _finish(heaps, bad, queries.start, x, right, raised + lifts)

        return fill

    def among(self, few: Indices, starts: Bounds, k: int, engine: Engine) -> Ranked:
        """Return the best of a few items: of each query q, of ``few[starts[q]:starts[q + 1]]``."""
        ranked = Ranked.empty(len(self.rows), k)
        right, raised = self.everything_raised
        few = plain(few)

        def work(queries: slice) -> None:
            x, lifts, _ = self.lifted(queries)
            first, last = plain(starts[:-1][queries]), plain(starts[1:][queries])
            heaps = Heaps.of(ranked, queries)
            bad = rank_few(
                x, right, self.ceiling, few, first, last, heaps.scores, heaps.items, heaps.filled
            )
            _finish(heaps, bad, queries.start, x, right, raised + lifts)

        engine.each(work, blocks_of(len(self.rows), QUERIES_PER_BLOCK))
        return ranked

    def scored(self, queries: slice, chosen: Rows) -> Iterator[tuple[slice, Floats]]:
        """Yield the products as in `Ranked`: lifted, rounded, and scaled back."""
        right, raised = self.everything_raised
        x, lifts, lengths = self.lifted(queries)
        few, nothing = plain(x[chosen]), bool((lengths[chosen] == 0).all())
        for items in blocks_of(len(right), ITEMS_PER_BLOCK):
            scores = np.zeros((len(few), items.stop - items.start), dtype=np.float32)
            if not nothing:
                score_all(few, plain(right[items]), self.ceiling, scores)
            back = raised + lifts[chosen]
            yield items, np.ldexp(scores, -back) if back.any() else scores

    @functools.cached_property
    def everything_raised(self) -> tuple[Floats, int]:
        """The right side, scaled away from subnormal numbers, and the power of two."""
        return self._raised(self._longest)

    @functools.cached_property
    def _longest(self) -> np.float64:
        known = np.isfinite(self.right_lengths)
        return np.float64(self.right_lengths.max(initial=0.0, where=known))

    def _raised(self, longest: np.float64) -> tuple[Floats, int]:
        """Scale the right side away from subnormal numbers; return it and the power of two."""
        raised = int(lifts_of(longest))
        return plain(np.ldexp(self.right, raised) if raised else self.right), raised

    def margins(self, lengths: Doubles) -> tuple[Floats, Floats]:
        """Return factors for left rows of such lengths, and for all right rows.

        Their product exceeds the float32 error of the product of two rows.
        """
        least = np.float32(self._longest * 1e-6)
        return product_margin(lengths, 1.0, self.right.shape[1]), self.right_lengths + least

    def lifted(self, queries: slice) -> tuple[Floats, Indices, Doubles]:
        """Return the scaled left rows of queries, their powers of two, and their lengths."""
        x = self.left[self.rows[queries]]
        lengths = row_lengths(x)
        lifts = lifts_of(lengths)[:, None]
        return plain(np.ldexp(x, lifts) if lifts.any() else x), lifts, lengths


@dataclass(frozen=True, eq=False)
class Plain:
    """A model's own scores; an item with -inf is not listed."""

    rows: Indices
    model: Recommender

    def filler(self, may_appear: Mask) -> Filler:
        """Take the scores block by block of items, in their order."""
        open_items = plain(may_appear)

        def fill(
            queries: slice, taken: Indices, starts: Bounds, stops: Bounds, heaps: Heaps
        ) -> None:
            cursors, rows = starts.copy(), self.rows[queries]
            parts = parts_of_rows(self.model, len(rows))
            for part, items in itertools.product(parts, blocks_of_items(self.model)):
                if not open_items[items].any():
                    continue
                scores = self._block(rows[part], items)
                bad = scan_block(
                    scores, items.start, open_items, taken, cursors[part], stops[part],
                    heaps.scores[part], heaps.items[part], heaps.filled[part],
                )  # fmt: skip
                if bad >= 0:
                    row, column = divmod(bad, scores.shape[1])
                    place = queries.start + part.start + row, items.start + column
                    raise NotFiniteError(*place, float(scores[row, column]))
            sort_heaps(heaps.scores, heaps.items, heaps.filled)

        return fill

    def scored(self, queries: slice, chosen: Rows) -> Iterator[tuple[slice, Floats]]:
        """Yield the scores of the ranked blocks, on which they may depend, or of whole rows."""
        rows = self.rows[queries]
        if scores_whole_rows(self.model):
            everything = slice(0, len(self.model.items))
            yield everything, self._block(rows[chosen], everything)
            return
        for items in blocks_of_items(self.model):
            yield items, self._block(rows, items)[chosen]

    def _block(self, rows: Indices, items: slice) -> Floats:
        return block_of(self.model.name, self.model.scores(rows, items), len(rows), items)


@dataclass(frozen=True, eq=False)
class Scan:
    """One ranking of all queries of a source.

    Parameters
    ----------
    source : ScoreSource
    may_appear : bool, (n_items,)
        Items that may be listed.
    taken : int32, (n_taken,)
        Ascending; items ``taken[starts[q]:ends[q]]`` are left out for query q.
    starts, ends : int64, (n_queries,)
    k : int
    """

    source: ScoreSource
    may_appear: Mask
    taken: Indices
    starts: Bounds
    ends: Bounds
    k: int

    def run(self, engine: Engine, observer: Observer, task: str) -> Ranked:
        """Return the best items of all queries; NotFiniteError if a score is NaN or +inf."""
        n_queries = len(self.starts)
        ranked = Ranked.empty(n_queries, self.k)
        lock = threading.Lock()

        fill = self.source.filler(self.may_appear)
        taken = plain(self.taken)

        def work(queries: slice) -> None:
            starts, stops = plain(self.starts[queries]), plain(self.ends[queries])
            fill(queries, taken, starts, stops, Heaps.of(ranked, queries))
            with lock:
                observer.advance(queries.stop - queries.start)

        observer.start(task, n_queries)
        engine.each(work, blocks_of(n_queries, QUERIES_PER_BLOCK))
        observer.finish()
        return ranked


def _tie(in_order: Indices, taken: Indices, heaps: Heaps, query: int) -> None:
    """Fill one query's list with the first items that may appear, all with score 0."""
    k = heaps.scores.shape[1]
    first = in_order[: k + len(taken)]
    first = first[~np.isin(first, taken)][:k][::-1]  # the worst on top of the heap
    heaps.items[query, : len(first)] = first
    heaps.scores[query, : len(first)] = 0.0
    heaps.filled[query] = len(first)


def _finish(heaps: Heaps, bad: int, first: int, x: Floats, right: Floats, lifts: Indices) -> None:
    """Turn heaps of lifted scores into lists; NotFiniteError if `bad` is a place."""
    if bad >= 0:
        row, item = divmod(bad, len(right))
        raise NotFiniteError(first + row, item, float(dot(x[row], right[item])))
    sort_heaps(heaps.scores, heaps.items, heaps.filled)
    if lifts.any():
        heaps.scores[:] = np.ldexp(heaps.scores, -lifts)


def steps_of(n_factors: int) -> Bounds:
    """Return the coordinates after which products are compared, including the last one."""
    early = {max(32, -(-n_factors * eighths // 128) * 16) for eighths in (2, 3, 4, 6)}
    ends = sorted(end for end in early if end + 16 <= n_factors)
    return plain(np.array([*ends, n_factors], dtype=np.int64))


def lengths_from(rows: Floats, ends: Bounds) -> Floats:
    """Return upper bounds of the lengths of rows: whole, and after each of `ends`."""
    found = np.empty((len(ends) + 1, len(rows)), dtype=np.float32)
    begins = [0, *ends.tolist()]
    for part in blocks_of(len(rows), _ROWS):
        squares = np.square(rows[part], dtype=np.float64)
        left = np.zeros((len(begins), len(squares)))
        for step in range(len(ends) - 1, -1, -1):
            own = squares[:, begins[step] : begins[step + 1]].sum(axis=1)
            np.add(left[step + 1], own, out=left[step])
        # Rounded up: too large a length costs time, too small a one loses an item.
        found[:, part] = np.sqrt(left) * (1 + 1e-6)
    return found


def rests_of(rows: Floats, order: Indices, ends: Bounds) -> tuple[Floats, Floats]:
    """Return the bounds of `lengths_from` as in panels: the longest of each, and of all places."""
    n_panels = -(-len(order) // WIDE)
    rests = np.zeros((len(ends) + 1, n_panels * WIDE), dtype=np.float32)
    rests[:, : len(order)] = lengths_from(rows, ends)[:, order]
    return rests[0].reshape(n_panels, WIDE).max(axis=1), rests
