"""Pages: items whose shelves users are shown, drawn once and asked of one model after another."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.arguments import expect_whole
from alsolike.data.interactions import Interactions
from alsolike.errors import DataError
from alsolike.evaluation.questions import Questions, relevant_of

Indices = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Neighbours = Callable[[Items, int], Items]

# Neighbours are asked for at this many times the length of a shelf, since a user has some of them
# already; then, where that was not enough, at this many times what was asked. Of the 36,311 items
# of Gowalla's pages 1,631 are asked about again; three times the length takes longer in all.
_DEEPER = 2
# Cells of users x items, and of pages x neighbours, that are held at once: 16 MB and more.
_CELLS_PER_BLOCK = 1 << 24


@dataclass(frozen=True, eq=False)
class Pages:
    """Items whose shelves users are shown; made ready once, and asked of one model after another.

    Parameters
    ----------
    questions : Questions
        The users, each with a page, with what they want and what they have already.
    items : int32, (n_pages,)
        The item of each page, the pages of a user beside each other.
    owners : int64, (n_pages,)
        The place of its user in ``questions.users``; ascending.
    exclude_seen : bool
        Whether what the user has already is left out of the shelf.
    without_page : int
        Users asked for who have held-out likes and none in training.
    """

    questions: Questions
    items: Items
    owners: Indices
    exclude_seen: bool
    without_page: int

    @classmethod
    def of(
        cls,
        held_out: Interactions,
        shown: Interactions,
        *,
        pages_per_user: int = 5,
        exclude_seen: bool = True,
        user_indices: npt.ArrayLike | None = None,
        seed: int = 0,
    ) -> "Pages":
        """Draw the pages. Which ones a user has does not depend on who else is asked.

        Parameters and errors are those of `alsolike.evaluation.shelves.judge_shelves`.
        """
        expect_whole("pages_per_user", pages_per_user, least=1)
        expect_whole("seed", seed, least=0)
        if held_out.users != shown.users or held_out.items != shown.items:
            raise DataError(
                f"The held-out interactions ({held_out!r}) and those shown ({shown!r}) do not have "
                "the same users and items. Take both from the same Split."
            )
        # Also where the seen is kept: a page must not be an item that is still to be found.
        asked = Questions.of(held_out, shown, user_indices)
        drawn = _drawn(relevant_of(shown), pages_per_user, seed)
        has_page = np.diff(drawn.indptr)[asked.users] > 0
        if not has_page.any():
            raise DataError(
                f"None of the {len(asked.users):,} users with held-out likes has a like in "
                "training: there is no item page to show them."
            )
        questions = asked
        if not has_page.all():
            questions = replace(
                Questions.of(held_out, shown, asked.users[has_page]),
                without_relevant=asked.without_relevant,
            )
        own = drawn[questions.users]
        owners = np.repeat(np.arange(len(questions.users)), np.diff(own.indptr))
        without_page = int(np.count_nonzero(~has_page))
        return cls(questions, own.indices.astype(np.int32), owners, exclude_seen, without_page)

    def shelves(self, neighbours: Neighbours, k: int) -> tuple[Items, Mask]:
        """Fill the shelf beside the item of each page.

        Each item's neighbours are asked for once, for all its pages. Where a user has so many of
        them already that a shelf is not full, that item's list is taken deeper.

        Parameters
        ----------
        neighbours : callable
            From items and a depth to lists, int32, (n_given, depth): the best beside each item,
            each once, without the item itself; -1 where a list has ended. A deeper list begins
            with the shallower one.
        k : int
            Length of a shelf, at least 1.

        Returns
        -------
        shelves : int32, (n_pages, k)
            -1 where a shelf has ended.
        is_barren : bool, (n_pages,)
            Pages whose item has no neighbour at all.
        """
        shelves = np.full((len(self.items), k), -1, dtype=np.int32)
        is_barren = np.zeros(len(self.items), dtype=bool)
        unfilled, depth, n_items = np.arange(len(self.items)), k, self.questions.wanted.shape[1]
        while unfilled.size:
            # A list as long as a shelf and all that its user has fills the shelf, or has ended.
            enough = k + int(self._have[self.owners[unfilled]].max())
            depth = min(depth * _DEEPER, enough, n_items)
            distinct, place = np.unique(self.items[unfilled], return_inverse=True)
            lists = neighbours(distinct, depth)
            is_barren[unfilled] = lists[place, 0] < 0
            for block in self._blocks(unfilled, depth):
                pages, of_pages = unfilled[block], lists[place[block]]
                shelves[pages] = first_kept(of_pages, self._may_show(pages, of_pages), k)
            unfilled = unfilled[(shelves[unfilled, -1] < 0) & (lists[place, -1] >= 0)]
        return shelves, is_barren

    @functools.cached_property
    def _have(self) -> Indices:
        """Items that each user has already and that are left out."""
        aside = self.questions.aside
        if aside is None or not self.exclude_seen:
            return np.zeros(len(self.questions.users), dtype=np.int64)
        have: Indices = np.diff(aside.indptr).astype(np.int64)
        return have

    def _may_show(self, pages: Indices, lists: Items) -> Mask:
        """Return which places of the lists of consecutive pages hold something to be shown."""
        is_item: Mask = lists >= 0
        aside = self.questions.aside
        if aside is None or not self.exclude_seen:
            return is_item
        first, last = self.owners[pages[0]], self.owners[pages[-1]] + 1
        has = np.zeros((last - first, aside.shape[1]), dtype=bool)
        own = aside[first:last]
        has[np.repeat(np.arange(last - first), np.diff(own.indptr)), own.indices] = True
        may_show: Mask = is_item & ~has[(self.owners[pages] - first)[:, None], lists]
        return may_show

    def _blocks(self, pages: Indices, depth: int) -> list[slice]:
        """Return slices of `pages`, of few enough users and pages to be held at once."""
        owners = self.owners[pages]
        users_at_once = max(_CELLS_PER_BLOCK // self.questions.wanted.shape[1], 1)
        pages_at_once = max(_CELLS_PER_BLOCK // depth, 1)
        blocks, start = [], 0
        while start < len(pages):
            stop = int(np.searchsorted(owners, owners[start] + users_at_once))
            stop = min(stop, start + pages_at_once)
            blocks.append(slice(start, stop))
            start = stop
        return blocks


def _drawn(likes: sp.csr_array, pages_per_user: int, seed: int) -> sp.csr_array:
    """Return at most so many of each row's entries, the first in the order of random keys."""
    keys = np.random.default_rng(seed).random(likes.nnz)
    rows = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
    order = np.lexsort((keys, rows))
    is_first = np.arange(likes.nnz) - likes.indptr[rows] < pages_per_user
    is_drawn = np.zeros(likes.nnz, dtype=bool)
    is_drawn[order[is_first]] = True
    starts = np.concatenate(([0], np.cumsum(is_drawn, dtype=np.int64)))[likes.indptr]
    return sp.csr_array((likes.data[is_drawn], likes.indices[is_drawn], starts), likes.shape)


def first_kept(lists: Items, keep: Mask, k: int) -> Items:
    """Return the first `k` of each row's items that are kept, then -1."""
    places = np.cumsum(keep, axis=1, dtype=np.int32)
    rows, columns = np.nonzero(keep & (places <= k))
    kept = np.full((len(lists), k), -1, dtype=np.int32)
    kept[rows, places[rows, columns] - 1] = lists[rows, columns]
    return kept
