"""Takes features from Python objects: dicts of words, numbers or vectors, and SciPy matrices."""

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alsolike.data.features.columns import Column, ColumnKind
from alsolike.data.interactions import check_matrix
from alsolike.data.reading.features.tables import Found
from alsolike.data.reading.features.vectors import of_arrays
from alsolike.data.validation import said
from alsolike.data.vocabulary import Vocabulary, refuse_blank_ids
from alsolike.errors import DataError

NAME = "feature"
_WIDEST = 4096  # columns of a matrix with values below zero, which is taken as vectors


def is_object(source: Any) -> bool:
    """Tell whether a source is a dict, a matrix, or a pair of ids and a matrix."""
    return isinstance(source, (Mapping, tuple)) or hasattr(source, "tocoo")


def of_object(source: Any, side: str) -> list[Found]:
    """Take features from a dict or a SciPy matrix.

    Parameters
    ----------
    source : mapping or matrix
        For each id a text, a list of texts, a number or a vector; or such a mapping for each name
        of features. Or a matrix of items x features, whose row numbers are the ids; or a pair of
        ids and a matrix.
    side : str

    Raises
    ------
    DataError
        A value is something else.
    """
    if isinstance(source, Mapping):
        inner = [isinstance(one, Mapping) for one in source.values()]
        if inner and all(inner):
            return [_of_dict(str(name), one, side) for name, one in source.items()]
        return [_of_dict(NAME, source, side)]
    ids = None
    if isinstance(source, tuple):
        if len(source) != 2:
            raise DataError(f"A pair of ids and a matrix expected, not {len(source)} parts.")
        ids, source = source
    if not hasattr(source, "tocoo"):
        return [of_arrays("vectors", range(len(source)) if ids is None else ids, source, side=side)]
    return [_of_matrix(source, ids, side)]


def _of_matrix(matrix: Any, ids: Sequence[Any] | None, side: str) -> Found:
    check_matrix(matrix)
    title = f"the {matrix.shape[0]:,} x {matrix.shape[1]:,} matrix"
    given = list(range(matrix.shape[0])) if ids is None else list(ids)
    if len(given) != matrix.shape[0]:
        raise DataError(f"{title}: {len(given):,} ids for its rows.")
    cells = matrix.tocoo()
    values = np.asarray(cells.data, dtype=np.float64)
    if len(odd := np.flatnonzero(~np.isfinite(values))):
        at = int(odd[0])
        raise DataError(
            f"{title}, row {int(cells.row[at])}, column {int(cells.col[at])}: a finite value "
            f"expected, found {values[at]:g}."
        )
    if (values < 0).any():
        if matrix.shape[1] > _WIDEST:
            raise DataError(
                f"{title} has values below zero, as vectors have, but those have at most "
                f"{_WIDEST:,} components. Make its values counts."
            )
        return of_arrays(NAME, given, matrix.toarray(), side=side, file=title)
    known = Vocabulary.of(given, kind=side)
    if len(known) < len(given):
        raise DataError(f"{title}: its rows have {len(known):,} different ids.")
    # Numbers in the order of their digits as text, as the names of words are.
    names = [str(column) for column in range(matrix.shape[1])]
    order = sorted(range(len(names)), key=names.__getitem__)
    places = np.empty(len(names), dtype=np.int64)
    places[order] = np.arange(len(names))
    column = Column(
        NAME,
        "set",
        known.places_of(given)[cells.row],
        places[cells.col],
        weights=values,
        words=[names[at] for at in order],
    )
    return Found(title, known, [column], zeros=int(np.count_nonzero(values == 0)))


def _of_dict(name: str, given: Mapping[Any, Any], side: str) -> Found:
    ids = Vocabulary.of(given, kind=side)
    if not ids.are_whole:
        refuse_blank_ids(list(ids.ids), side)
    ordered = [(one, given[one]) for one in ids if given[one] is not None]
    values = [value for _, value in ordered]
    rows = np.array([ids.index_of(one) for one, _ in ordered], dtype=np.int64)
    title = f"a dict of {len(ids):,} {side}s"
    if values and all(_is_number(value) for value in values):
        return Found(title, ids, [_column(name, "number", rows, ordered, title)])
    if values and all(_is_vector(value) for value in values):
        widths = {len(value) for value in values}
        if len(widths) > 1:
            raise DataError(f"{title}: vectors of one length expected, found {sorted(widths)}.")
        found = of_arrays(name, [one for one, _ in ordered], np.stack(values), side=side)
        return Found(title, found.ids, found.columns)
    words: list[str] = []
    counts = []
    for one, value in ordered:
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, (list, tuple, set, frozenset)) or not all(
            isinstance(word, (str, int)) and not isinstance(word, bool) for word in several
        ):
            raise DataError(
                f"{title}, {side} {one!r}, {name}: a list of texts expected, found {said(value)}."
            )
        kept = dict.fromkeys(text for word in several if (text := str(word).strip()))
        counts.append(len(kept))
        words += kept
    column = Column(name, "set", np.repeat(rows, np.array(counts, dtype=np.int64)), words)
    return Found(title, ids, [column])


def _column(
    name: str, kind: ColumnKind, rows: Any, ordered: Sequence[tuple[Any, Any]], title: str
) -> Column:
    values = np.array([float(value) for _, value in ordered])
    if len(odd := np.flatnonzero(~np.isfinite(values))):
        one, value = ordered[int(odd[0])]
        raise DataError(f"{title}, {one!r}, {name}: a finite number expected, found {value!r}.")
    return Column(name, kind, rows, values)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_vector(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 1 and value.dtype.kind in "iuf"
    return (
        isinstance(value, (list, tuple))
        and len(value) > 0
        and all(isinstance(one, float) for one in value)
    )
