"""Merges repeated (user, item) pairs, and makes `Interactions` of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.reading.source_table import SourceTable, where
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

RULES = ("sum", "count", "once", "max", "error")


@dataclass(frozen=True)
class Pairs:
    """Distinct (user, item) pairs, sorted by user and item.

    `users`, `items` int64, `values` float64, `timestamps` float64 or None, `first` int64 (index of
    the pair's first row), all (n_pairs,); `merged` counts the rows beyond the first of a pair,
    `repeated` the pairs with such rows.
    """

    users: Codes
    items: Codes
    values: Floats
    timestamps: Floats | None
    first: Codes
    merged: int
    repeated: int


def merge(
    users: Codes,
    items: Codes,
    values: Floats,
    timestamps: Floats | None,
    *,
    n_items: int,
    rule: str,
) -> Pairs:
    """Merge the rows of each (user, item) pair by `rule`.

    Row numbers are integers, values finite float64, timestamps float64 seconds or None, all
    (n_rows,). Sums are taken in float64 in the order of the rows. The latest timestamp is kept. For
    the rule "error", the caller checks `merged`.

    Examples
    --------
    >>> pairs = merge(np.array([0, 1, 0]), np.array([2, 0, 2]), np.array([1.0, 5.0, 2.5]), None,
    ...               n_items=3, rule="sum")
    >>> pairs.users.tolist(), pairs.items.tolist(), pairs.values.tolist(), pairs.merged
    ([0, 1], [2, 0], [3.5, 5.0], 1)
    """
    keys = users.astype(np.int64)
    keys *= n_items
    keys += items
    del users, items  # in a large table each column weighs, here and below
    order = np.argsort(keys, kind="stable")
    keys, values = keys[order], values[order]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))[: len(keys)])
    sizes = np.diff(np.append(starts, len(keys)))
    first = order[starts]
    latest = None
    if timestamps is not None:
        timestamps = timestamps[order]
        latest = np.maximum.reduceat(timestamps, starts) if len(starts) else timestamps[:0]
    del order, timestamps
    pairs = keys[starts]
    n_rows = len(keys)
    del keys
    return Pairs(
        users=pairs // n_items,
        items=pairs % n_items,
        values=_merged(values, starts, sizes, rule),
        timestamps=latest,
        first=first,
        merged=n_rows - len(starts),
        repeated=int(np.count_nonzero(sizes > 1)),
    )


def _merged(values: Floats, starts: Codes, sizes: Codes, rule: str) -> Floats:
    """Return the value of each pair, whose rows are `sizes` many from `starts` on."""
    if rule == "max":
        return np.maximum.reduceat(values, starts) if len(starts) else values[:0]
    if rule == "count":
        return sizes.astype(np.float64)
    if rule == "once":
        return np.ones(len(starts))
    merged = values[starts]
    several = sizes > 1
    # bincount adds strictly in order; reduceat would add in pairs.
    groups = np.repeat(np.arange(np.count_nonzero(several)), sizes[several])
    merged[several] = np.bincount(groups, weights=values[np.repeat(several, sizes)])
    return merged


def assembled(
    pairs: Pairs, users: Vocabulary, items: Vocabulary, negative: str, name: str
) -> tuple[Interactions, int]:
    """Build the interactions; also return the number of pairs with a sum of zero or less."""
    kept = pairs.values > 0 if negative == "net" else pairs.values != 0
    with np.errstate(over="ignore", under="ignore"):
        values = pairs.values[kept].astype(np.float32)
    odd = np.flatnonzero(~np.isfinite(values) | (values == 0))
    if len(odd):
        place = int(np.flatnonzero(kept)[odd[0]])
        raise DataError(
            f"{name}: the value {pairs.values[place]:g} of user "
            f"{users.id_of(int(pairs.users[place]))!r} and item "
            f"{items.id_of(int(pairs.items[place]))!r}, its rows taken together, is beyond what "
            "32-bit floats hold (1e-45 to 3e38). Rescale the values."
        )
    counts = np.bincount(pairs.users[kept], minlength=len(users))
    indptr = np.concatenate(([0], np.cumsum(counts)))
    matrix = sp.csr_array((values, pairs.items[kept], indptr), shape=(len(users), len(items)))
    times = None if pairs.timestamps is None else pairs.timestamps[kept]
    return Interactions(canonical(matrix), users, items, times), int(np.count_nonzero(~kept))


def repeated(
    loaded: SourceTable, facts: Any, pairs: Pairs, users: Vocabulary, items: Vocabulary
) -> DataError:
    """Return the error of a pair that occurs more than once."""
    rows = facts["row"]
    is_first = np.zeros(len(rows), dtype=bool)
    is_first[pairs.first] = True
    again = int(np.flatnonzero(~is_first)[0])
    user, item = (int(facts[side][again]) for side in ("user", "item"))
    return DataError(
        f"{where(loaded, int(rows[again]))}: user {users.id_of(user)!r} and item "
        f"{items.id_of(item)!r} occur "
        f"together before; {pairs.repeated:,} pairs are repeated. Pass repeats='sum', 'count', "
        "'once' or 'max'."
    )


def without_empty(
    interactions: Interactions, loaded: SourceTable, reasons: str
) -> tuple[Interactions, Codes]:
    """Drop users and items without pairs left; also return the items kept.

    Raises DataError if none is left, for the `reasons` why rows were dropped.
    """
    if not interactions.n_interactions:
        raise DataError(
            f"{loaded.name}: none of the {loaded.rows:,} rows is an interaction ({reasons}, the "
            "sums of the others are not positive)."
        )
    users = np.flatnonzero(interactions.user_counts)
    items = np.flatnonzero(interactions.item_counts)
    if len(users) < interactions.n_users or len(items) < interactions.n_items:
        interactions = interactions.subset(users, items)
    return interactions, items
