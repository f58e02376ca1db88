"""One ranking of many queries: blocks of scores, spread over an engine, into lists of the best."""

import threading
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.errors import DataError
from alsolike.kernels.launch import plain
from alsolike.kernels.topk import scan_block, sort_heaps
from alsolike.models.base import Floats, Recommender
from alsolike.observing import Observer
from alsolike.recommending.answers import Indices, Mask, product_margin

QUERIES_PER_BLOCK = 256
ITEMS_PER_BLOCK = 2048

Bounds = npt.NDArray[np.int64]


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
    def nothing(cls, n_rows: int, k: int) -> "Ranked":
        """Return lists that are empty so far."""
        indices = np.full((n_rows, k), -1, dtype=np.int32)
        return cls(indices, np.full((n_rows, k), -np.inf, dtype=np.float32))


class NotFiniteError(Exception):
    """A score that is NaN or +inf, by its place; the caller knows what the places are called."""

    def __init__(self, query: int, item: int, score: float) -> None:
        super().__init__(query, item, score)
        self.query, self.item, self.score = query, item, score


class Source(Protocol):
    """Scores of queries (rows that somebody asked for) in blocks."""

    @property
    def ceiling(self) -> float:
        """Scores are clipped to ``[-ceiling, ceiling]``."""

    def block(self, queries: slice, items: slice) -> tuple[Floats, Floats, Floats, Floats]:
        """Return S, X, Y and margins as `scan_block` wants them."""


@dataclass(frozen=True, eq=False)
class Products:
    """Scores that are dot products of ``left[rows]`` and `right`.

    `row_lengths` and `right_lengths` are the Euclidean lengths of both.
    """

    rows: Indices
    left: Floats
    row_lengths: npt.NDArray[np.float64]
    right: Floats
    right_lengths: Floats
    ceiling: float = np.inf

    def block(self, queries: slice, items: slice) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the product, its factors and its margins."""
        x = plain(self.left[self.rows[queries]])
        y = plain(self.right[items])
        longest = self.right_lengths[items].max()
        margins = product_margin(self.row_lengths[queries], longest, x.shape[1])
        return x @ y.T, x, y, margins


@dataclass(frozen=True, eq=False)
class Plain:
    """Scores as a model gives them."""

    rows: Indices
    model: Recommender
    ceiling: float = np.inf

    def block(self, queries: slice, items: slice) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the model's block of scores, and no factors."""
        rows = self.rows[queries]
        scores = np.ascontiguousarray(self.model.scores(rows, items), dtype=np.float32)
        expected = (len(rows), items.stop - items.start)
        if scores.shape != expected:
            raise DataError(
                f"Model {self.model.name!r} gave scores of shape {scores.shape} for "
                f"{expected[0]} users and {expected[1]} items."
            )
        none = plain(np.zeros((len(rows), 0), dtype=np.float32))
        return scores, none, none, np.zeros(len(rows), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Scan:
    """One ranking of all queries of a source.

    Parameters
    ----------
    source : Source
    may_appear : bool, (n_items,)
        Items that may appear at all.
    taken : int32, (n_taken,)
        Items that may not appear for query q: ``taken[starts[q]:ends[q]]``, ascending.
    starts, ends : int64, (n_queries,)
    k : int
    """

    source: Source
    may_appear: Mask
    taken: Indices
    starts: Bounds
    ends: Bounds
    k: int

    def run(self, engine: Engine, observer: Observer, task: str) -> Ranked:
        """Return the best items of all queries.

        Raises
        ------
        NotFiniteError
            A score is NaN or +inf. One of -inf means that the item may not appear.
        """
        n_queries = len(self.starts)
        ranked = Ranked.nothing(n_queries, self.k)
        lock = threading.Lock()

        def work(queries: slice) -> None:
            self._rank(queries, ranked)
            with lock:
                observer.advance(queries.stop - queries.start)

        observer.start(task, n_queries)
        engine.each(work, _blocks(n_queries, QUERIES_PER_BLOCK))
        observer.finish()
        return ranked

    def _rank(self, queries: slice, ranked: Ranked) -> None:
        best, found = ranked.scores[queries], ranked.indices[queries]
        filled = np.zeros(len(best), dtype=np.int64)
        cursors, ends = self.starts[queries].copy(), plain(self.ends[queries])
        may_appear, taken = plain(self.may_appear), plain(self.taken)
        for items in _blocks(len(self.may_appear), ITEMS_PER_BLOCK):
            if not self.may_appear[items].any():
                continue
            scores, x, y, margins = self.source.block(queries, items)
            bad = scan_block(
                scores,
                x,
                y,
                margins,
                self.source.ceiling,
                items.start,
                may_appear,
                taken,
                cursors,
                ends,
                best,
                found,
                filled,
            )
            if bad >= 0:
                row, column = divmod(bad, scores.shape[1])
                place = queries.start + row, items.start + column
                raise NotFiniteError(*place, float(scores[row, column]))
        sort_heaps(best, found, filled)


def _blocks(count: int, size: int) -> list[slice]:
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]
