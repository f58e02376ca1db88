"""Checks, filters and the result table that `batch` and `single` share. No Numba."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, said
from alsolike.data.vocabulary import Id, Vocabulary, plain_text
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import HasAffinities, HasFactors, ItemScorer, Recommender
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.tables import Table

Indices = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

# With one like, an item's factors only reflect that user.
MIN_COUNT = 2

# Rows shorter than 2 to this are scaled up: products of two such may be subnormal.
_VANISHED = -40


def checked_k(k: int) -> int:
    """Return the length of a list; raise SettingError unless it is a whole number from 1."""
    return check_whole("k", k, least=1)


def checked_ids(ids: Id | Iterable[Id], known: Vocabulary) -> list[Id]:
    """Return `ids` as a list; raise SettingError if one is not of a type that `known` takes.

    These are texts and, among ids that are whole numbers, whole numbers. A text is a whole number
    if it is its digits; of items, it may also be a name.
    """
    single = isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable)
    given: list[Any] = [ids] if single else list(ids)  # type: ignore[arg-type]
    for position, one in enumerate(given):
        is_whole = type(one) is int or isinstance(one, np.integer)
        if not isinstance(one, str) and not (is_whole and known.are_whole):
            raise SettingError(_no_id(one, known, position))
    return [plain_text(one) if isinstance(one, str) else int(one) for one in given]


def user_rows(users: Id | Iterable[Id] | None, known: Vocabulary) -> Indices:
    """Return the rows of users given by ids, int32; None: all."""
    if users is None:
        return np.arange(len(known), dtype=np.int32)
    return known.indices_of(checked_ids(users, known))


def _no_id(one: object, known: Vocabulary, position: int) -> str:
    """Return the message for an id of the wrong type."""
    kind = known.kind
    if known.are_whole:
        return (
            f"ids of {kind}s are whole numbers; {said(one)} (at position {position}) is not one. "
            "Pass them as whole numbers."
        )
    if not isinstance(one, (bytes, int, float, np.generic)):
        return (
            f"{kind} ids must be text, not {said(one)} (at position {position}). Pass them as text."
        )
    text = one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one)
    return (
        f"{kind} ids must be text: {one!r} at position {position} is of type {type(one).__name__}. "
        f"Pass {text!r}."
    )


def checked_indices(indices: npt.ArrayLike, count: int, *, kind: str) -> Indices:
    """Return row numbers as int32, (n,); raise DataError if one is out of range."""
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
    """Return which items may appear, bool, (n_items,): those of `allow` except those of `deny`.

    None allows all, an empty list none.
    """
    may_appear = np.full(n_items, allow is None)
    if allow is not None:
        may_appear[checked_indices(allow, n_items, kind="item")] = True
    if deny is not None:
        may_appear[checked_indices(deny, n_items, kind="item")] = False
    return may_appear


def open_ids(
    model: Recommender, allow: Iterable[Id] | None, deny: Iterable[Id] | None
) -> tuple[Indices | None, Indices | None]:
    """Return the rows of allowed and denied ids or names; raise UnknownId for an unknown one."""
    # Other models may know no names.
    row_of = getattr(model, "item_index", model.items.index_of)

    def rows_of(ids: Iterable[Id] | None) -> Indices | None:
        if ids is None:
            return None
        return np.array([row_of(one) for one in checked_ids(ids, model.items)], dtype=np.int32)

    return rows_of(allow), rows_of(deny)


def known_items(model: FittedModel, items: Sequence[Id] | Indices) -> Indices:
    """Return the rows of distinct items given by ids or names.

    An array of integers holds ids if these are whole numbers, else rows.
    """
    is_array = isinstance(items, np.ndarray) and items.dtype.kind in "iu"
    if is_array and not model.items.are_whole:
        rows = checked_indices(items, len(model.items), kind="item")
    else:
        found = [model.item_index(item) for item in checked_ids(items, model.items)]
        rows = np.array(found, dtype=np.int32)
    if len(rows) == 1:
        return rows
    distinct, counts = np.unique(rows, return_counts=True)
    if len(distinct) < len(rows):
        twice = model.items.id_of(int(distinct[counts.argmax()]))
        raise SettingError(f"item {twice!r} is given more than once. Give each item one value.")
    return rows


def history_of(model: Recommender, purpose: str, *, way_out: str = "") -> Interactions:
    """Return the training interactions of a model; SettingError if it has none."""
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        if isinstance(model, FittedModel):
            model.scores(slice(0, 0), slice(0, 0))  # has its own message if it cannot score without
        raise SettingError(
            f"This model was saved without its history, which is needed to {purpose}. Save it "
            f"with its history{way_out}."
        )
    return history


def ages_of_row(model: Recommender, row: int) -> Doubles | None:
    """Return the ages of a user's likes in the history, in days; None if the model has no ages."""
    ages = getattr(model, "ages", None)
    if ages is None:
        return None
    starts = history_of(model, "weigh likes by their age").user_items.indptr
    found: Doubles = ages[starts[row] : starts[row + 1]]
    return found


def seen_by(model: Recommender) -> sp.csr_array:
    """Return the training pairs of a model; SettingError if it has none."""
    return history_of(
        model, "leave out what a user has seen", way_out=", or pass exclude_seen=False"
    ).user_items


def with_direction(model: HasFactors) -> Mask:
    """Return which items have nonzero factors, bool; FitError if some are not finite."""
    return directed_rows(model.item_norms, model.items)


def directed_rows(norms: Floats, ids: Vocabulary) -> Mask:
    """Return which rows of these lengths have a direction, bool; FitError if one is not finite."""
    if not np.isfinite(norms).all():
        worst = int(np.flatnonzero(~np.isfinite(norms))[0])
        raise FitError(
            f"{ids.kind} {ids.id_of(worst)!r} (row {worst}) has factors that are not finite. "
            "Fit the model again."
        )
    # Below the smallest normal number a row keeps too few bits to have a direction.
    directed: Mask = norms >= np.finfo(np.float32).tiny
    return directed


def why_no_neighbours(
    model: HasFactors | ItemScorer,
    row: int | None,
    min_count: int,
    similarity: SimilarityConfig | None = None,
) -> str:
    """Explain in a sentence why an item (None: any item) has no similar items.

    `similarity` are the affinity and the dial; None: the model's own.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> why_no_neighbours(tiny_model(), 0, 99)
    'No other item has at least 99 likes.'
    """
    counts = likes_of_items(model)
    directed = _directed(model, similarity)
    if directed is not None and not directed.any():
        return (
            "All item factors of this model are zero, so it cannot rank items. Fit it with less "
            "regularization."
        )
    unliked = row is not None and not counts[row]
    if row is not None and (unliked if directed is None else not directed[row]):
        if unliked:
            return "Nobody likes this item in the training data, so it has no similar items."
        return "All factors of this item are zero, so it has no similar items."
    if directed is None:
        others = counts >= min_count
        if row is not None:
            others[row] = False
        if others.any():
            which = "this item" if row is not None else "any item"
            return f"The model {model.name!r} finds no items similar to {which}."
    elif min_count <= 1:
        return "No other item has factors."
    return f"No other item has at least {min_count:,} likes."


def _directed(model: HasFactors | ItemScorer, similarity: SimilarityConfig | None) -> Mask | None:
    """Return which items have nonzero factors; None if more than factors is compared."""
    if not isinstance(model, HasFactors):
        return None
    if isinstance(model, HasAffinities):
        affinity = (similarity or model.similarity_config).affinity or model.affinities[0]
        if affinity not in ("cosine", "dot"):
            return None
    return with_direction(model)


def likes_of_items(model: Recommender | ItemScorer) -> Counts:
    """Return the likes of each item, int64, (n_items,); zeros if unknown."""
    counts = getattr(model, "item_counts", None)
    if isinstance(counts, np.ndarray):
        return counts
    history = getattr(model, "history", None)
    if isinstance(history, Interactions):
        return history.like_counts
    return np.zeros(len(model.items), dtype=np.int64)


def unit_rows(factors: Floats, norms: Floats) -> Floats:
    """Return rows scaled to length 1, float32; zeros for rows without a direction."""
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
    """Return an upper bound of the float32 error of products of rows of these lengths, float32.

    Twice the bound of Higham 2002 (Accuracy and Stability, eq. 3.5: any order of the sum, fused
    or not), plus some roundings for later operations on the product.

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
    """Return powers of two that scale tiny rows up before ranking, int32, as `lengths`.

    If regularization makes all factors vanish, products become subnormal in float32: they lose
    bits, and take a hundred times as long. Powers of two change nothing else. 0 for rows of a usual
    length or of length 0; each row is decided by itself.
    """
    _, exponents = np.frexp(lengths)
    return np.where((lengths > 0) & (exponents < _VANISHED), -exponents, 0).astype(np.int32)


def padded(ranked: tuple[Indices, Floats], k: int) -> tuple[Indices, Floats]:
    """Return one list as `Ranked` holds it, (1, k)."""
    items, scores = ranked
    indices, padding = np.full((1, k), -1, dtype=np.int32), np.full((1, k), -np.inf, np.float32)
    indices[0, : len(items)], padding[0, : len(items)] = items, scores
    return indices, padding


def lists_table(
    model: Recommender,
    queries: tuple[str, npt.NDArray[Any]] | None,
    item_column: str,
    indices: Indices,
    scores: Floats,
    bases: npt.NDArray[np.object_] | None = None,
) -> Table:
    """Convert ranked lists to a table with one row per item, without the padding.

    Parameters
    ----------
    model : Recommender
        Gives ids, and names where it has a catalogue with names.
    queries : (str, object or int64 (n_rows,)) or None
        Name and cells of the first column; None: no such column.
    item_column : str
        Name of the column of items.
    indices, scores : int32 and float32, (n_rows, k)
        As in `Ranked`.
    bases : object, (n_rows, k), or None
        Cells of a last column ``basis``; None: no such column.
    """
    rows, places = np.nonzero(indices >= 0)
    found = indices[rows, places]
    columns: dict[str, Any] = {} if queries is None else {queries[0]: queries[1][rows]}
    columns |= {"rank": (places + 1).astype(np.int32), item_column: model.items.ids_of(found)}
    columns |= names_of(model, found)
    columns["score"] = scores[rows, places]
    if bases is not None:
        columns["basis"] = bases[rows, places]
    return Table(columns)


def list_table(
    model: Recommender,
    query: tuple[str, npt.NDArray[Any]] | None,
    item_column: str,
    found: Indices,
    scores: Floats,
    bases: npt.NDArray[np.object_] | None = None,
) -> Table:
    """Convert one ranked list to a table, as `lists_table` does.

    Parameters
    ----------
    model, item_column
        As in `lists_table`.
    query : (str, object or int64 (1,)) or None
        Name and cell of the first column; None: no such column.
    found, scores : int32 and float32, (n,)
    bases : object, (n,), or None
    """
    columns: dict[str, Any] = {}
    if query is not None:
        columns[query[0]] = query[1].repeat(len(found))
    columns["rank"] = np.arange(1, len(found) + 1, dtype=np.int32)
    columns[item_column] = model.items.ids_of(found)
    columns |= names_of(model, found)
    columns["score"] = scores.view()
    if bases is not None:
        columns["basis"] = bases
    return Table.from_columns(columns)


def names_of(model: Recommender, item_indices: Indices) -> dict[str, npt.NDArray[np.object_]]:
    """Return a column ``name`` for items, or no column if names are unknown."""
    names = getattr(getattr(model, "catalogue", None), "names", None)
    return {} if names is None else {"name": names.cells(item_indices)}
