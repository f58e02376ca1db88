"""Drops users and items with too few interactions, repeatedly."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.errors import DataError
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import with_example

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Extent:
    """Size of a table of interactions: users, items, filled pairs and their share."""

    users: int
    items: int
    interactions: int
    density: float

    @classmethod
    def of(cls, interactions: Interactions) -> "Extent":
        """Measure `interactions`."""
        return cls(
            interactions.n_users,
            interactions.n_items,
            interactions.n_interactions,
            interactions.density,
        )

    def __str__(self) -> str:
        return (
            f"{self.users:,} users, {self.items:,} items, {self.interactions:,} interactions, "
            f"{_filled(self.density)} filled"
        )


@dataclass(frozen=True)
class FilterReport:
    """Arguments of `filter_counts`, and the size of the table before and after.

    `rounds` counts the rounds (users, then items) that dropped something.
    """

    min_per_user: int
    min_per_item: int
    before: Extent
    after: Extent
    rounds: int

    def facts(self) -> list[tuple[str, str]]:
        """Return pairs of a label and a text."""
        return [
            ("before the filter", str(self.before)),
            ("minimum per user", f"{self.min_per_user:,} interactions"),
            ("minimum per item", f"{self.min_per_item:,} interactions"),
            ("rounds of the filter", f"{self.rounds:,}"),
            ("after the filter", str(self.after)),
        ]

    def to_table(self) -> Table:
        """Return two rows, before and after, and a column for each count."""
        extents = (self.before, self.after)
        return Table(
            {
                "filter": ["before", "after"],
                "users": np.array([extent.users for extent in extents], dtype=np.int64),
                "items": np.array([extent.items for extent in extents], dtype=np.int64),
                "interactions": np.array([extent.interactions for extent in extents], np.int64),
                "filled": [_filled(extent.density) for extent in extents],
            }
        )

    def brief(self, width: int) -> str:
        """Return the size after the filter, in one line if `width` allows."""
        users, items = f"{self.min_per_user:,} per user", f"{self.min_per_item:,} per item"
        least = (
            f"{users} and item" if self.min_per_user == self.min_per_item else f"{users}, {items}"
        )
        return wrapped(f"after the filter ({least}): {self.after}", width, indent=2)

    def __str__(self) -> str:
        return "\n".join(f"{label}: {text}" for label, text in self.facts())

    def _repr_html_(self) -> str:
        return self.to_table()._repr_html_()


@with_example("kept, report = al.filter_counts(likes, min_per_user=5)")
def filter_counts(
    interactions: Interactions, *, min_per_user: int = 5, min_per_item: int = 5
) -> tuple[Interactions, FilterReport]:
    """Drop users and items with too few interactions, repeatedly, until no more are dropped.

    The result is the largest part of the table in which both minimums hold, whichever side goes
    first. Interactions are counted whatever their value, dislikes included.

    Parameters
    ----------
    interactions : Interactions
    min_per_user : int
        Interactions that a *user* must have, at least 0. 1 drops users without any; 0 keeps every
        user, those included whose items all left.
    min_per_item : int
        Interactions that an *item* must have, likewise.

    Returns
    -------
    filtered : Interactions
        With the ids, times and catalogue rows of those who stayed.
    report : FilterReport
        ``print(report)`` shows the table before and after.

    Raises
    ------
    SettingError
        A minimum is no whole number, or below 0.
    DataError
        Nothing is left; the message names minimums that would leave something.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob", "bob", "cid"], list("xyxyz"))
    >>> filtered, report = filter_counts(likes, min_per_user=2, min_per_item=2)
    >>> filtered
    Interactions(2 users, 2 items, 4 interactions, 100 % filled)
    >>> print(report)
    before the filter: 3 users, 3 items, 5 interactions, 55.6 % filled
    minimum per user: 2 interactions
    minimum per item: 2 interactions
    rounds of the filter: 1
    after the filter: 2 users, 2 items, 4 interactions, 100 % filled
    """
    expect_interactions(interactions)
    for name, minimum in (("min_per_user", min_per_user), ("min_per_item", min_per_item)):
        check_whole(name, minimum, least=0)
    if not interactions.n_interactions:
        raise DataError("There are no interactions to filter.")
    keep_user, keep_item, rounds = _survivors(interactions, min_per_user, min_per_item)
    if not keep_user.any() or not keep_item.any():
        raise DataError(_nothing_left(interactions, min_per_user, min_per_item))
    filtered = interactions
    if rounds:
        filtered = interactions.subset(np.flatnonzero(keep_user), np.flatnonzero(keep_item))
    report = FilterReport(
        min_per_user, min_per_item, Extent.of(interactions), Extent.of(filtered), rounds
    )
    return filtered, report


def _survivors(
    interactions: Interactions, min_per_user: int, min_per_item: int
) -> tuple[Mask, Mask, int]:
    """Return which users and items are kept, and the number of rounds.

    Only rows of dropped users and items are read, each once.
    """
    by_user, by_item = interactions.user_items, interactions.item_users
    user_counts, item_counts = interactions.user_counts.copy(), interactions.item_counts.copy()
    keep_user = np.ones(len(user_counts), dtype=bool)
    keep_item = np.ones(len(item_counts), dtype=bool)
    rounds = 0
    while True:
        users_left = _drop_below(min_per_user, keep_user, user_counts, by_user, item_counts)
        items_left = _drop_below(min_per_item, keep_item, item_counts, by_item, user_counts)
        if not users_left and not items_left:
            return keep_user, keep_item, rounds
        rounds += 1


def _drop_below(
    minimum: int,
    keep: Mask,
    counts: npt.NDArray[np.int64],
    rows: sp.csr_array,
    other_counts: npt.NDArray[np.int64],
) -> int:
    """Drop the rows that count less than `minimum`, in place; return how many were dropped.

    Counts of rows dropped earlier are no longer valid.
    """
    leaving = np.flatnonzero(keep & (counts < minimum))
    if leaving.size:
        keep[leaving] = False
        starts, lengths = rows.indptr[leaving], np.diff(rows.indptr)[leaving]
        shift = np.repeat(starts - np.concatenate(([0], np.cumsum(lengths)[:-1])), lengths)
        partners = rows.indices[np.arange(len(shift)) + shift]
        other_counts -= np.bincount(partners, minlength=len(other_counts))
    return leaving.size


def _nothing_left(interactions: Interactions, min_per_user: int, min_per_item: int) -> str:
    works, fails = 1, max(min_per_user, min_per_item)
    while fails - works > 1:
        middle = (works + fails) // 2
        keep_user, _, _ = _survivors(
            interactions, min(middle, min_per_user), min(middle, min_per_item)
        )
        works, fails = (middle, fails) if keep_user.any() else (works, middle)
    keep_user, keep_item, _ = _survivors(
        interactions, min(works, min_per_user), min(works, min_per_item)
    )
    return (
        f"No users are left after the filter min_per_user={min_per_user}, "
        f"min_per_item={min_per_item}. There were {Extent.of(interactions)}; the busiest user has "
        f"{interactions.user_counts.max():,} interactions, the most popular item "
        f"{interactions.item_counts.max():,}. Lower the minimums: "
        f"min_per_user={min(works, min_per_user)}, min_per_item={min(works, min_per_item)} would "
        f"leave {keep_user.sum():,} users and {keep_item.sum():,} items."
    )


def _filled(density: float) -> str:
    return f"{100 * density:.3g} %"
