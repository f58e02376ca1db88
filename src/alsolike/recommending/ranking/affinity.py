"""Ranks similar items of many items by affinities, see `alsolike.models.similarity.terms`."""

import functools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.affinities import (
    count_co_likes,
    rank_counted,
    scan_products,
    score_affinities,
)
from alsolike.kernels.ranking.affinity_marks import CHUNK, rank_marks
from alsolike.kernels.ranking.panels import WIDE, lay_out
from alsolike.kernels.ranking.topk import sort_heaps
from alsolike.models.base import Floats
from alsolike.models.similarity.co_counts import CoCounts
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.progress import Observer
from alsolike.recommending.ranking.scan import (
    Filler,
    Heaps,
    Ranked,
    lengths_from,
    rests_of,
    steps_of,
)
from alsolike.recommending.ranking.score_blocks import blocks_of
from alsolike.recommending.shared import Indices, Mask, product_margin, row_lengths

Bounds = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

# Products held at once by a thread while several marks are ranked.
_CELLS = 1 << 21
_MARK_QUERIES = 48
_ROWS = 256  # scaled together, in the caches


@dataclass(frozen=True, eq=False)
class Counted:
    """The counts of a block of items: item q has ``near[starts[q]:starts[q + 1]]``."""

    starts: Bounds
    near: Indices
    counts: Doubles


@dataclass(frozen=True, eq=False)
class AffinitySource:
    """Scores of items `rows` with all items; a `ScoreSource`.

    The items themselves are never listed, nor are scores not above 0.
    """

    rows: Indices
    terms: AffinityTerms

    def filler(self, may_appear: Mask) -> Filler:
        """Prepare the ranking of the items that may appear."""
        terms, known = self.terms, self._known
        scan = _Panels.of(known, may_appear)
        open_items, n_items = plain(may_appear), len(terms.likes)

        def fill(
            queries: slice, taken: Indices, starts: Bounds, stops: Bounds, heaps: Heaps
        ) -> None:
            rows = plain(self.rows[queries])
            counted = counted_of(terms, rows)
            x, lengths = known.queries(rows)
            sizes = plain(terms.sizes[rows])
            k = heaps.scores.shape[1]
            marked = np.zeros((len(rows), (n_items + 7) // 8), dtype=np.uint8)
            rank_counted(
                rows, counted.starts, counted.near, counted.counts, x, lengths[0],
                known.right, known.lengths, terms.ceiling, known.weights, sizes, open_items,
                np.empty(k, dtype=np.float32), np.empty(k, dtype=np.int32), marked,
                heaps.scores, heaps.items, heaps.filled,
            )  # fmt: skip
            if scan is not None:
                scan_products(
                    scan.panels, scan.order, scan.ends, scan.longest, scan.rests, x, lengths,
                    known.right, scan.slack, terms.ceiling, known.weights, sizes, marked,
                    heaps.scores, heaps.items, heaps.filled,
                )  # fmt: skip
            sort_heaps(heaps.scores, heaps.items, heaps.filled)

        return fill

    def scored(self, queries: slice, chosen: Bounds) -> Iterator[tuple[slice, Floats]]:
        """Yield the scores of some queries of a block with all items, -inf where not listed."""
        rows = plain(self.rows[queries][chosen])
        known, counted, n_items = self._known, counted_of(self.terms, rows), len(self.terms.likes)
        x, _ = known.queries(rows)
        out = np.empty((len(rows), n_items), dtype=np.float32)
        score_affinities(
            counted.starts, counted.near, counted.counts, x, known.right, self.terms.ceiling,
            known.weights, plain(self.terms.sizes[rows]), np.zeros(n_items), out,
        )  # fmt: skip
        out[np.arange(len(rows)), rows] = -np.inf
        yield slice(0, n_items), out

    @functools.cached_property
    def _known(self) -> "_Prepared":
        return _Prepared.of(self.terms)


def rank_at_marks(
    terms: AffinityTerms,
    rows: Indices,
    may_appear: Mask,
    k: int,
    marks: Sequence[float],
    engine: Engine,
    observer: Observer,
) -> list[Ranked]:
    """Rank the similar items of items `rows` at several marks of the dial, in one pass.

    The lists are those that `AffinitySource` gives mark by mark.
    """
    known, n_items = _Prepared.of(terms), len(terms.likes)
    weights = np.stack([terms.at(mark).weights for mark in marks])
    narrow, by_item = plain(weights.astype(np.float32)), plain(np.ascontiguousarray(weights.T))
    ranked = [Ranked.empty(len(rows), k) for _ in marks]
    open_items, lock = plain(may_appear), threading.Lock()

    def work(queries: slice) -> None:
        own = plain(rows[queries])
        counted = counted_of(terms, own)
        x, _ = known.queries(own)
        margins = product_margin(row_lengths(x), known.longest, x.shape[1])
        products = x @ known.right.T
        scores = np.full((len(marks), len(own), k), -np.inf, dtype=np.float32)
        items = np.full((len(marks), len(own), k), -1, dtype=np.int32)
        filled = np.zeros((len(marks), len(own)), dtype=np.int64)
        rank_marks(
            own, products, margins, counted.starts, counted.near, counted.counts, x, known.right,
            terms.ceiling, by_item, narrow, plain(terms.sizes[own]), open_items,
            np.empty(len(marks)), np.empty((len(own), len(marks)), dtype=np.float32),
            np.empty(CHUNK), scores, items, filled,
        )  # fmt: skip
        for mark in range(len(marks)):
            sort_heaps(scores[mark], items[mark], filled[mark])
            ranked[mark].scores[queries], ranked[mark].indices[queries] = scores[mark], items[mark]
        with lock:
            observer.advance(len(own))

    observer.start("Comparing items", len(rows))
    engine.each(work, blocks_of(len(rows), min(_MARK_QUERIES, max(_CELLS // max(n_items, 1), 6))))
    observer.finish()
    return ranked


def counted_of(terms: AffinityTerms, rows: Indices) -> Counted:
    """Return the counts of a block of items."""
    counts = terms.counts
    if counts is None:
        nothing = np.empty(0, dtype=np.int32), np.empty(0)
        return Counted(np.zeros(len(rows) + 1, dtype=np.int64), *nothing)
    if not isinstance(counts, CoCounts):
        lists = [counts.of(row) for row in rows.tolist()]
        ends = np.cumsum([len(near) for near, _ in lists], dtype=np.int64)
        return Counted(
            np.concatenate((np.zeros(1, dtype=np.int64), ends)),
            np.concatenate([np.empty(0, np.int32), *(near for near, _ in lists)]),
            np.concatenate([np.empty(0), *(one for _, one in lists)]),
        )
    lengths, n_items = np.diff(counts.user_starts), counts.n_items
    most = 0
    for row in rows.tolist():
        most += min(int(lengths[counts.likers(row)].sum()), n_items)
    found = Counted(
        np.empty(len(rows) + 1, dtype=np.int64), np.empty(most, dtype=np.int32), np.empty(most)
    )
    count_co_likes(
        rows, plain(counts.item_starts), plain(counts.item_users), plain(counts.user_starts),
        plain(counts.user_items), plain(counts.weights), np.zeros(n_items), found.starts,
        found.near, found.counts,
    )  # fmt: skip
    return found


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What does not depend on the query: z_j, bounds of their lengths, and h_j."""

    terms: AffinityTerms
    right: Floats
    lengths: Floats
    weights: Doubles
    longest: float

    @classmethod
    def of(cls, terms: AffinityTerms) -> "_Prepared":
        n_items = len(terms.likes)
        if terms.right is None:
            right = np.empty((n_items, 0), dtype=np.float32)
        else:
            right = np.ascontiguousarray(terms.targets(slice(None)))
        lengths = row_lengths(right)
        upper = (lengths * (1 + 1e-6)).astype(np.float32)
        longest = float(lengths.max(initial=0.0))
        return cls(terms, plain(right), plain(upper), plain(terms.weights), longest)

    def queries(self, rows: Indices) -> tuple[Floats, Floats]:
        """Return q of items, and bounds of the lengths of its rests, see `lengths_from`."""
        if self.terms.left is None:
            x = np.empty((len(rows), 0), dtype=np.float32)
        else:
            x = np.ascontiguousarray(self.terms.queries(rows))
        return plain(x), lengths_from(x, steps_of(x.shape[1]))


@dataclass(frozen=True, eq=False)
class _Panels:
    """The rows ``h_j z_j`` in panels, the longest first, see `scan_products`."""

    panels: Floats
    order: Indices
    ends: Bounds
    longest: Floats
    rests: Floats
    slack: float

    @classmethod
    def of(cls, known: _Prepared, may_appear: Mask) -> "_Panels | None":
        factors = known.right.shape[1]
        if not factors:
            return None
        scaled = np.empty_like(known.right)
        for rows in blocks_of(len(scaled), _ROWS):  # a float64 copy of all would be twice as large
            scaled[rows] = known.right[rows] * known.weights[rows, None]
        lengths = row_lengths(scaled)
        order = np.argsort(-lengths, kind="stable").astype(np.int32)
        order = plain(order[may_appear[order] & (lengths[order] > 0)])
        n_panels = -(-len(order) // WIDE)
        panels = np.zeros((n_panels, factors, WIDE), dtype=np.float32)
        lay_out(plain(scaled), order, panels)
        ends = steps_of(factors)
        longest, rests = rests_of(scaled, order, ends)
        # Twice: the rows of the panels are rounded, too.
        slack = 2 * float(product_margin(np.ones(()), 1.0, factors))
        return cls(plain(panels), order, ends, longest, rests, slack)


def check_finite(terms: AffinityTerms, items: Vocabulary) -> None:
    """Raise FitError if a product of some item would not be finite."""
    for part in (terms.left, terms.right):
        bad = np.empty(0) if part is None else np.flatnonzero(~np.isfinite(row_lengths(part)))
        if len(bad):
            row = int(bad[0])
            raise FitError(
                f"item {items.id_of(row)!r} (row {row}) has factors that are not finite. "
                "Fit the model again."
            )
