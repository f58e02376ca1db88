"""Merges interactions: adds newer ones, aligns them with the ids of a model, makes a table."""

import warnings
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.string_array import StringArray
from alsolike.data.validation import expect_interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError
from alsolike.progress import Observer
from alsolike.tables import Table
from alsolike.usage_hints import with_example

Places = npt.NDArray[np.int64]


@with_example("al.joined(likes, newer_likes)")
def joined(
    before: Interactions, newer: Interactions, *, observer: Observer | None = None
) -> Interactions:
    """Return the interactions of both; values of pairs in both are summed.

    The catalogue of `newer` wins over that of `before`. Timestamps are kept if both have them: the
    later of a pair in both. If most of `newer` is in `before` with the same values, as when a table
    is added twice, `observer` is warned; without one, this is a ``UserWarning``.

    Examples
    --------
    >>> before = Interactions.from_columns(["ann"], ["m1"], [2])
    >>> joined(before, Interactions.from_columns(["ann", "bob"], ["m1", "m2"])).user_items.toarray()
    array([[3., 0.],
           [0., 1.]], dtype=float32)
    """
    for name, likes in (("before", before), ("newer", newer)):
        expect_interactions(likes, name)
    if doubt := added_before(before, newer):
        if observer is None:
            warnings.warn(doubt, stacklevel=2)
        else:
            observer.warn(doubt)
    users, items = before.users.union(newer.users), before.items.union(newer.items)
    parts = [_laid_over(part, users, items) for part in (before, newer)]
    total = canonical(parts[0].astype(np.float64) + parts[1].astype(np.float64))
    total.eliminate_zeros()
    return Interactions(
        total, users, items, _latest(before, newer, total, users, items),
        _catalogue(before, newer, items),
        joined_features(
            before.items, before.item_features, newer.items, newer.item_features, items
        ),
        joined_features(
            before.users, before.user_features, newer.users, newer.user_features, users
        ),
    )  # fmt: skip


def added_before(before: Interactions, newer: Interactions) -> str:
    """Return a warning if most of `newer` seems to be in `before` already, or "".

    This is if more than half of its pairs have the same value in both, or nearly all of them the
    same whole multiple of it, as when added more than once. Timestamps, if both have them, must
    agree, too.
    """
    rows = before.users.places_of(newer.users)[newer.user_items.tocoo().row]
    columns = before.items.places_of(newer.items)[newer.user_items.indices]
    cells = before.user_items.tocoo()
    own = _keys(cells.row, cells.col, before.n_items)
    wanted = _keys(rows, columns, before.n_items)
    places = np.minimum(np.searchsorted(own, wanted), max(len(own) - 1, 0))
    both = (rows >= 0) & (columns >= 0)
    both[both] = own[places[both]] == wanted[both]
    timed = before.timestamps is not None and newer.timestamps is not None
    if before.timestamps is not None and newer.timestamps is not None:
        both[both] = before.timestamps[places[both]] == newer.timestamps[both]
    ratios = cells.data[places[both]] / newer.user_items.data[both]
    multiples, counts = np.unique(
        ratios[(ratios >= 1) & (ratios == np.trunc(ratios))], return_counts=True
    )
    if not len(counts):
        return ""
    often, count = int(multiples[counts.argmax()]), int(counts.max())
    if count <= newer.n_interactions * (0.5 if often == 1 else 0.9):
        return ""
    share = 100 * count / newer.n_interactions
    same = "the same value" if often == 1 else f"{often} times the value"
    return (
        f"{count:,} of the {newer.n_interactions:,} new pairs ({share:.1f} %) are already in the "
        f"model, with {same}{' and the same time' if timed else ''}: were they added before? "
        "Values of pairs in both are summed, so they now count twice. Add only new likes."
    )


def aligned(likes: Interactions, users: Vocabulary, items: Vocabulary) -> tuple[Interactions, int]:
    """Return `likes` over the ids of a model, and the number of likes with unknown ids."""
    matrix = _laid_over(likes, users, items)
    return Interactions(matrix, users, items), likes.n_interactions - int(matrix.nnz)


def with_items_of(before: Interactions, likers: Interactions) -> Interactions:
    """Return `before` with the items of `likers`, whose likes replace those it had of them.

    Raises DataError for a user of `likers` who is unknown in `before`.

    Examples
    --------
    >>> before = Interactions.from_columns(["ann", "bob"], ["m1", "m2"])
    >>> with_items_of(before, Interactions.from_columns(["bob"], ["m3"])).user_items.toarray()
    array([[1., 0., 0.],
           [0., 1., 1.]], dtype=float32)
    """
    expect_interactions(likers, "likers")
    places = before.users.places_of(likers.users)
    if (unknown := np.flatnonzero(places < 0)).size:
        others = f" and {len(unknown) - 1:,} others" if len(unknown) > 1 else ""
        raise DataError(
            f"New items can only be added with likes of known users; the model does not know "
            f"{likers.users.id_of(int(unknown[0]))!r}{others}. Leave these likes out, or train "
            "again."
        )
    renewed = np.isin(np.arange(before.n_items), before.items.places_of(likers.items))
    kept = before.keep(~renewed[before.user_items.indices])
    items = before.items.union(likers.items)
    matrix = _laid_over(kept, before.users, items) + _laid_over(likers, before.users, items)
    total = canonical(matrix)
    return Interactions(
        total, before.users, items, _latest(kept, likers, total, before.users, items),
        _catalogue(before, likers, items),
        joined_features(
            before.items, before.item_features, likers.items, likers.item_features, items
        ),
        before.user_features,
    )  # fmt: skip


def joined_features(
    own: Vocabulary,
    before: Features | None,
    others: Vocabulary,
    newer: Features | None,
    ids: Vocabulary,
) -> Features | None:
    """Return the features of `ids`: those of `newer` where it has some, else those of `before`.

    Raises
    ------
    DataError
        Both have features, and not the same ones.
    """
    if before is None or newer is None:
        known, features = (own, before) if before is not None else (others, newer)
        return None if features is None else FeatureTable(known, features).of(ids)
    if not before.same_columns(newer):
        raise DataError(
            f"The {ids.kind}s of both tables have features, but not the same: {before!r} and "
            f"{newer!r}. Read both with the same features, or one of them without."
        )
    both = Features(sp.vstack([before.matrix, newer.matrix], format="csr"), before.blocks)
    places, later = own.places_of(ids), others.places_of(ids)
    is_newer = (later >= 0) & newer.has[np.maximum(later, 0)]
    return both.take(np.where(is_newer, before.n_rows + later, places))


def to_table(likes: Interactions) -> Table:
    """Return one row per interaction: user, item, value, and timestamp if there are any."""
    matrix = likes.user_items
    rows = np.repeat(np.arange(likes.n_users), likes.user_counts)
    columns = {
        "user": likes.users.ids_of(rows),
        "item": likes.items.ids_of(matrix.indices),
        "value": matrix.data,
    }
    if likes.timestamps is not None:
        columns["timestamp"] = likes.timestamps
    return Table(columns)


def _laid_over(likes: Interactions, users: Vocabulary, items: Vocabulary) -> sp.csr_array:
    cells = likes.user_items.tocoo()
    rows = users.places_of(likes.users)[cells.row]
    columns = items.places_of(likes.items)[cells.col]
    known = (rows >= 0) & (columns >= 0)
    shape = (len(users), len(items))
    return canonical(sp.csr_array((cells.data[known], (rows[known], columns[known])), shape=shape))


def _latest(
    before: Interactions,
    newer: Interactions,
    total: sp.csr_array,
    users: Vocabulary,
    items: Vocabulary,
) -> npt.NDArray[np.float64] | None:
    if before.timestamps is None or newer.timestamps is None:
        return None
    latest = np.full(total.nnz, -np.inf)
    keys = _keys(total.tocoo().row, total.indices, len(items))
    for part, times in ((before, before.timestamps), (newer, newer.timestamps)):
        cells = part.user_items.tocoo()
        rows = users.places_of(part.users)[cells.row]
        own = _keys(rows, items.places_of(part.items)[cells.col], len(items))
        # A pair whose values cancel out has no place in the total.
        held = np.isin(own, keys)
        np.maximum.at(latest, np.searchsorted(keys, own[held]), times[held])
    return latest


def _keys(rows: npt.ArrayLike, columns: npt.ArrayLike, n_items: int) -> Places:
    return np.asarray(rows, dtype=np.int64) * n_items + np.asarray(columns, dtype=np.int64)


def _catalogue(before: Interactions, newer: Interactions, items: Vocabulary) -> Catalogue | None:
    both = (before.items, before.catalogue), (newer.items, newer.catalogue)
    return joined_catalogue(both, items)


def joined_catalogue(
    parts: Sequence[tuple[Vocabulary, Catalogue | None]], items: Vocabulary
) -> Catalogue | None:
    """Return one catalogue of several; a later text that is not empty wins."""
    columns: dict[str, list[str]] = {}
    for own, catalogue in parts:
        places = items.places_of(own)
        known = {} if catalogue is None else catalogue.columns()
        for label, texts in known.items():
            column = columns.setdefault(label, [""] * len(items))
            for place, text in zip(places, texts, strict=True):
                column[place] = text or column[place]
    if not columns:
        return None
    packed = {label: StringArray.pack(column) for label, column in columns.items()}
    return Catalogue.from_columns(packed, n_items=len(items))
