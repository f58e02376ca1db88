"""Shared by `many` and `one`: checks, which items may appear, the table of results. No Numba."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, said
from alsolike.data.vocabulary import Vocabulary, plain_text
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.base import FittedModel, Floats, HasFactors, ItemScorer, Recommender
from alsolike.tables import Table

Indices = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]

# With one listener, an item's factors are that listener's and say nothing of the item.
MIN_COUNT = 2

# Rows shorter than 2 to this are lifted: products of two such may be no normal numbers any more.
_VANISHED = -40


def checked_k(k: int) -> int:
    """Return the length of a list; raise SettingError where it is no whole number from 1."""
    return check_whole("k", k, least=1)


def checked_ids(ids: Iterable[str], kind: str) -> list[str]:
    """Return `ids` as a list of plain texts, or raise SettingError where one is not text."""
    single = isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable)
    given: list[Any] = [ids] if single else list(ids)
    for position, one in enumerate(given):
        if not isinstance(one, str):
            raise SettingError(_no_id(one, kind, position))
    return [plain_text(one) for one in given]


def user_rows(users: str | Iterable[str] | None, known: Vocabulary) -> Indices:
    """Return the rows of users given by ids, int32; None: of all of them."""
    if users is None:
        return np.arange(len(known), dtype=np.int32)
    return known.indices_of(checked_ids(users, "user"))


def _no_id(one: object, kind: str, position: int) -> str:
    """Return what is wrong with an id that is no text, and what to pass."""
    if not isinstance(one, (bytes, int, float, np.generic)):
        return f"{kind} ids are text, not {said(one)} (at position {position}). Pass their texts."
    text = one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
    return (
        f"{kind} ids are text: {one!r} at position {position} is of type {type(one).__name__}. "
        f"Pass {text!r}."
    )


def checked_indices(indices: npt.ArrayLike, count: int, *, kind: str) -> Indices:
    """Return row numbers as int32, (n,), or raise DataError where one is out of range."""
    rows = np.asarray(indices)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise DataError(
            f"{kind} indices must be a row of whole numbers, not {rows.dtype} of shape "
            f"{rows.shape}."
        )
    outside = np.flatnonzero((rows < 0) | (rows >= count))
    if len(outside):
        raise DataError(
            f"{kind} index {rows[outside[0]]} at position {outside[0]} is not one of the "
            f"{count:,} rows 0 to {count - 1:,}."
        )
    return rows.astype(np.int32)


def open_items(n_items: int, allow: npt.ArrayLike | None, deny: npt.ArrayLike | None) -> Mask:
    """Return which items may appear, bool, (n_items,).

    Parameters
    ----------
    n_items : int
    allow : int, (any,), or None
        The only items that may appear; an empty list allows none.
    deny : int, (any,), or None
        Items that may not appear, allowed or not.
    """
    may_appear = np.full(n_items, allow is None)
    if allow is not None:
        may_appear[checked_indices(allow, n_items, kind="item")] = True
    if deny is not None:
        may_appear[checked_indices(deny, n_items, kind="item")] = False
    return may_appear


def open_ids(
    model: Recommender, allow: Iterable[str] | None, deny: Iterable[str] | None
) -> tuple[Indices | None, Indices | None]:
    """Return the rows of allowed and denied ids, or names; raise UnknownId for another text."""
    # Other models may know no names.
    row_of = getattr(model, "item_index", model.items.index_of)

    def rows_of(ids: Iterable[str] | None) -> Indices | None:
        if ids is None:
            return None
        return np.array([row_of(one) for one in checked_ids(ids, "item")], dtype=np.int32)

    return rows_of(allow), rows_of(deny)


def known_items(model: FittedModel, items: Sequence[str] | Indices) -> Indices:
    """Return the rows of distinct items given by ids, names or rows."""
    if isinstance(items, np.ndarray) and items.dtype.kind in "iu":
        rows = checked_indices(items, len(model.items), kind="item")
    else:
        found = [model.item_index(item) for item in checked_ids(items, "item")]
        rows = np.array(found, dtype=np.int32)
    distinct, counts = np.unique(rows, return_counts=True)
    if len(distinct) < len(rows):
        twice = model.items.id_of(int(distinct[counts.argmax()]))
        raise SettingError(f"item {twice!r} is given more than once. Give each item one value.")
    return rows


def history_of(model: Recommender, purpose: str, *, way_out: str = "") -> Interactions:
    """Return the interactions that a model was trained on; SettingError where it lost them."""
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        if isinstance(model, FittedModel):
            model.scores(slice(0, 0), slice(0, 0))  # says so where it cannot even score without
        raise SettingError(
            f"This model was saved without its history, which is needed to {purpose}. Save it "
            f"with its history{way_out}."
        )
    return history


def seen_by(model: Recommender) -> sp.csr_array:
    """Return the pairs that a model was trained on; SettingError where it lost them."""
    return history_of(
        model, "leave out what a user has seen", way_out=", or pass exclude_seen=False"
    ).user_items


def with_direction(model: HasFactors) -> Mask:
    """Return which items have factors that are not all zero, bool, (n_items,).

    Raises
    ------
    FitError
        An item's factors are not finite.
    """
    return directed_rows(model.item_norms, model.items)


def directed_rows(norms: Floats, ids: Vocabulary) -> Mask:
    """Return which rows of factors of these lengths have a direction, bool, (n,).

    Raises
    ------
    FitError
        A length is not finite.
    """
    if not np.isfinite(norms).all():
        worst = int(np.flatnonzero(~np.isfinite(norms))[0])
        raise FitError(
            f"{ids.kind} {ids.id_of(worst)!r} (row {worst}) has factors that are not finite. "
            "Fit the model anew."
        )
    # Below the smallest normal number a row keeps too few bits to have a direction.
    directed: Mask = norms >= np.finfo(np.float32).tiny
    return directed


def why_no_neighbours(model: HasFactors | ItemScorer, row: int | None, min_count: int) -> str:
    """Return why nothing is similar to an item (None: to any), as a sentence.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> why_no_neighbours(tiny_model(), 0, 99)
    'No other item has at least 99 likes.'
    """
    counts = likes_of_items(model)
    directed = with_direction(model) if isinstance(model, HasFactors) else None
    if directed is not None and not directed.any():
        return (
            "All item factors of this model are zero, so it tells no items apart. Fit it with less "
            "regularization."
        )
    unliked = row is not None and not counts[row]
    if row is not None and (unliked if directed is None else not directed[row]):
        if unliked:
            return "Nobody likes this item in the training data, so nothing is similar to it."
        return "This item has factors that are all zero, so nothing is similar to it."
    if directed is None:
        others = counts >= min_count
        if row is not None:
            others[row] = False
        if others.any():
            asked = "this item" if row is not None else "any item"
            return f"The model {model.name!r} finds nothing similar to {asked}."
    elif min_count <= 1:
        return "No other item has factors."
    return f"No other item has at least {min_count:,} likes."


def likes_of_items(model: Recommender | ItemScorer) -> Counts:
    """Return how many like each item, int64, (n_items,); zeros where a model does not know."""
    counts = getattr(model, "item_counts", None)
    if isinstance(counts, np.ndarray):
        return counts
    history = getattr(model, "history", None)
    if isinstance(history, Interactions):
        return history.like_counts
    return np.zeros(len(model.items), dtype=np.int64)


def unit_rows(factors: Floats, norms: Floats) -> Floats:
    """Return rows scaled to length 1, float32; zeros where `norms` says that a row has none."""
    lengths = np.where(norms >= np.finfo(np.float32).tiny, norms, np.float32(np.inf))
    units: Floats = np.divide(factors, lengths[..., None], dtype=np.float32)
    return units


def row_lengths(rows: Floats) -> npt.NDArray[np.float64]:
    """Return the Euclidean length of each row, float64."""
    lengths: npt.NDArray[np.float64] = np.sqrt(
        np.einsum("...f,...f->...", rows, rows, dtype=np.float64)
    )
    return lengths


def product_margin(
    lengths: npt.NDArray[np.float64], longest: float | np.floating[Any], factors: int
) -> Floats:
    """Return more than float32 products of rows of these lengths can be off, float32.

    Twice the bound of Higham 2002 (Accuracy and Stability, eq. 3.5: any order of the sum, fused
    or not), with some roundings added for what is done to a product afterwards.

    Parameters
    ----------
    lengths : float64, (...)
    longest : float
        Largest length among the rows on the other side.
    factors : int
        Terms of each sum.
    """
    bound = 2 * (factors + 8) * (2.0**-24 * lengths * float(longest) + 2.0**-149)
    margin: Floats = np.asarray(bound, dtype=np.float32)
    return margin


def lifts_of(lengths: npt.NDArray[np.float64] | np.float64) -> npt.NDArray[np.int32]:
    """Return powers of two by which rows are to be lifted before they are ranked, int32, (...).

    Where regularization makes all factors vanish, products leave the range of float32: they
    rank by what is left of their bits, and take a hundred times as long. Powers of two change
    nothing else. 0 for rows of a usual length, and for those of length 0.

    Parameters
    ----------
    lengths : float64, (...)
        What is decided for one does not depend on the others.
    """
    _, exponents = np.frexp(lengths)
    return np.where((lengths > 0) & (exponents < _VANISHED), -exponents, 0).astype(np.int32)


def tidy(
    model: Recommender,
    queries: tuple[str, npt.NDArray[np.object_]] | None,
    answer: str,
    indices: Indices,
    scores: Floats,
    bases: npt.NDArray[np.object_] | None = None,
) -> Table:
    """Lay ranked lists out as one row per item, without the padding.

    Parameters
    ----------
    model : Recommender
        Gives ids, and names where it has a catalogue with names.
    queries : (str, object (n_rows,)) or None
        Name and cells of the first column; None: no such column.
    answer : str
        Name of the column of items.
    indices, scores : int32 and float32, (n_rows, k)
        As in `Ranked`.
    bases : object, (n_rows, k), or None
        Cells of a last column ``basis``; None: no such column.
    """
    rows, places = np.nonzero(indices >= 0)
    found = indices[rows, places]
    columns: dict[str, Any] = {} if queries is None else {queries[0]: queries[1][rows]}
    columns |= {"rank": (places + 1).astype(np.int32), answer: model.items.ids_of(found)}
    columns |= names_of(model, found)
    columns["score"] = scores[rows, places]
    if bases is not None:
        columns["basis"] = bases[rows, places]
    return Table(columns)


def names_of(model: Recommender, item_indices: Indices) -> dict[str, npt.NDArray[np.object_]]:
    """Return a column ``name`` for items, or no column where the model knows no names."""
    names = getattr(getattr(model, "catalogue", None), "names", None)
    return {} if names is None else {"name": names.take(item_indices).to_array()}
