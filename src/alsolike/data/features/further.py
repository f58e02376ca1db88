"""Encodes rows of plain values, such as those of a request, as features known before."""

import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import column_kind, column_name, encode_known
from alsolike.data.features.features import Block, Features, FeatureTable
from alsolike.data.features.report import FeatureReport
from alsolike.data.vocabulary import Id, Vocabulary, refuse_blank_ids
from alsolike.errors import DataError
from alsolike.usage_hints import did_you_mean

_EXPECTED = {
    "set": "a text or a list of texts",
    "text": "a text",
    "number": "a finite number",
    "bins": "a finite number",
    "date": "an ISO date or seconds since 1970",
    "vector": "a list of finite numbers",
}


def encode_rows(
    known: Features, rows: Mapping[Id, Mapping[str, Any]], *, side: str = "item"
) -> tuple[FeatureTable, FeatureReport]:
    """Encode rows of plain values exactly as the features of a model.

    Parameters
    ----------
    known : Features
        Such as ``model.item_features``.
    rows : mapping of id to mapping of str to values
        For each id, what is known by the names of columns: a list of texts of a set, a text, a
        number, a date as ISO text or seconds since 1970, a vector as a list. None: unknown.
    side : {"item", "user"}

    Returns
    -------
    table : FeatureTable
    report : FeatureReport
        Counts words that are unknown.

    Raises
    ------
    DataError
        A column or a value is not one of those known; the message names id, column and value.

    Examples
    --------
    >>> known = Features.of_words("tag", [["rock"], ["folk"]])
    >>> table, report = encode_rows(known, {"m9": {"tag": ["rock", "polka"]}})
    >>> table.features.matrix.toarray().tolist(), report.blocks[0].unknown
    ([[0.0, 1.0]], 1)
    """
    ids = Vocabulary.of(rows, kind=side)
    if not ids.are_whole:
        refuse_blank_ids(list(ids.ids), side)
    names = {column_name(block): block for block in known.blocks}
    for one, given in rows.items():
        if not isinstance(given, Mapping):
            raise DataError(f"{side} {one!r}: names of features with values expected.")
        if odd := next((name for name in given if name not in names), None):
            raise DataError(
                f"{side} {one!r}: no feature {odd!r}; known are {', '.join(names)}."
                f"{did_you_mean(odd, names)}"
            )
    columns = {
        name: _column(block, [(ids.index_of(one), one, given[name]) for one, given in rows.items()
                              if given.get(name) is not None], side)
        for name, block in names.items()
        if any(name in given for given in rows.values())
    }  # fmt: skip
    found = encode_known(known, columns, len(ids))
    return FeatureTable(ids, found.features), FeatureReport(
        side=side,
        sources=(f"{len(ids):,} rows",),
        rows=len(ids),
        with_features=int(np.count_nonzero(found.features.has)),
        blocks=found.blocks,
    )


def _column(block: Block, cells: Sequence[tuple[int, Id, Any]], side: str) -> Column:
    """Return the cells of a column, given as row, id and value."""
    kind, name = column_kind(block), column_name(block)
    width = len(block.names)
    rows, values = [], []
    for row, one, value in sorted(cells, key=lambda cell: cell[0]):
        try:
            found = _values(kind, value, width)
        except (TypeError, ValueError, OverflowError):
            raise DataError(
                f"{side} {one!r}, feature {name!r}: {_EXPECTED[kind]} expected"
                f"{f' ({width:,} of them)' if kind == 'vector' else ''}, found {str(value)[:80]!r}."
            ) from None
        rows += [row] * len(found)
        values += found
    given: Any = values
    if kind == "vector":
        given = np.array(values, dtype=np.float32).reshape(len(rows), width)
    elif kind not in ("set", "text"):
        given = np.array(values, dtype=np.float64)
    return Column(name, kind, np.array(rows, dtype=np.int64), given)


def _values(kind: str, value: Any, width: int) -> list[Any]:
    """Return the cells of a value; ValueError or TypeError if it is of another kind."""
    if kind in ("set", "text"):
        alone = isinstance(value, (str, int)) or kind == "text"
        several = [_text(one) for one in ([value] if alone else value)]
        for one in several:
            one.encode("utf-8")
        return several if kind == "text" else [one.strip() for one in several if one.strip()]
    if kind == "vector":
        vector = np.asarray(value, dtype=np.float32)
        if vector.shape != (width,) or not np.isfinite(vector).all():
            raise ValueError
        return [vector]
    if kind == "date" and isinstance(value, str):
        moment = datetime.datetime.fromisoformat(value)
        return [(moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()]
    if isinstance(value, (str, bool)) or not math.isfinite(value):
        raise ValueError
    return [float(value)]


def _text(word: Any) -> str:
    """Return a word, which may be a whole number; TypeError for others."""
    if isinstance(word, bool) or not isinstance(word, (str, int)):
        raise TypeError
    return str(word)
