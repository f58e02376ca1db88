"""Encodes columns as features, and further rows exactly as those before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.features import numbers, words
from alsolike.data.features.columns import Column
from alsolike.data.features.features import Block, Features
from alsolike.data.features.report import BlockReport
from alsolike.data.string_array import StringArray
from alsolike.errors import DataError

# The name of the column of a block whose own name says more.
COLUMN = "column"
# How numbers or dates of further rows are written.
FORM = "form"
_GRAMS = {"parts": "grams", "shortest": words.SHORTEST, "longest": words.LONGEST}


@dataclass(frozen=True)
class Encoded:
    """Columns as features, with a report for each block."""

    features: Features
    blocks: tuple[BlockReport, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Learned:
    """A block that was made of a column, and how many rare words were left out of it."""

    block: Block
    dropped: int = 0
    note: str = ""


def encode(
    columns: Sequence[Column], n_rows: int, *, minimum: int, last: float | None = None
) -> Encoded:
    """Encode columns, learning from them what further rows will be encoded by.

    Parameters
    ----------
    columns : sequence of Column
        Their names differ.
    n_rows : int
    minimum : int
        Words, and parts of words, of fewer rows are left out and counted.
    last : float or None
        Last moment of training, seconds since 1970; None: the latest of the dates themselves.

    Raises
    ------
    DataError
        No feature is left, or numbers are too large.

    Examples
    --------
    >>> rows = np.array([0, 1, 1, 2])
    >>> found = encode([Column("tag", "set", rows, ["a", "a", "b", "a"])], 3, minimum=2)
    >>> found.features.matrix.toarray().ravel().tolist(), found.blocks[0].dropped
    ([1.0, 1.0, 1.0], 1)
    """
    made, reports, left_out = [], [], []
    for column in columns:
        learned = _learned(column, n_rows, minimum, last) if len(column.rows) else []
        if not learned:
            left_out.append(f"{column.name} ({_why_nothing(column, minimum)})")
        for one in learned:
            if not len(one.block.names):
                left_out.append(f"{one.block.name} ({_why_nothing(column, minimum)})")
                continue
            matrix, _ = cells_of(one.block, column, n_rows)
            made.append((one.block, matrix))
            # A guess is said once.
            notes = [column.note if one.block.name == column.name else "", one.note]
            note = "; ".join(filter(None, notes))
            reports.append(BlockReport.of(one.block, matrix, dropped=one.dropped, note=note))
    if not made:
        raise DataError(
            f"No feature is left: {'; '.join(left_out) or 'there are no columns of them'}. Words "
            f"must be of at least {minimum} rows: a smaller feature_min= keeps more."
        )
    return Encoded(_joined(made, n_rows), tuple(reports), tuple(left_out))


def encode_known(known: Features, columns: Mapping[str, Column], n_rows: int) -> Encoded:
    """Encode further rows exactly as the rows of `known` were.

    Parameters
    ----------
    known : Features
    columns : mapping of str to Column
        By the names of their columns, of the kind that `column_kind` gives. Of blocks without a
        column, nothing is known.
    n_rows : int
    """
    made, reports = [], []
    for block in known.blocks:
        column = columns.get(column_name(block))
        if column is None or not len(column.rows):
            made.append((block, sp.csr_array((n_rows, len(block.names)), dtype=np.float32)))
            note = "not in the table" if column is None else "empty in all rows"
            reports.append(BlockReport.of(block, made[-1][1], note=note))
            continue
        matrix, unknown = cells_of(block, column, n_rows)
        made.append((block, matrix))
        reports.append(BlockReport.of(block, matrix, unknown=unknown, note=column.note))
    return Encoded(_joined(made, n_rows), tuple(reports))


def column_name(block: Block) -> str:
    """Return the name of the column that a block was made of."""
    return str(block.encoding.get(COLUMN, block.name))


def column_kind(block: Block) -> Any:
    """Return the kind of column that further rows of a block are read as."""
    return "bins" if "edges" in block.encoding else block.kind


def cells_of(block: Block, column: Column, n_rows: int) -> tuple[sp.csr_array, int]:
    """Return a column as rows of a block, float32, and how many of its cells are unknown words."""
    encoding, rows = block.encoding, column.rows
    if "edges" in encoding:
        bins = np.searchsorted(encoding["edges"], column.cells, side="right")
        shape = n_rows, len(block.names)
        return numbers.in_columns(rows, bins, np.ones(len(rows)), shape), 0
    if block.is_of_words:
        names, counts = words.named_counts(column, n_rows, encoding)
        return words.taken(names, counts, block.names)
    if block.kind == "vector":
        return numbers.dense_rows(rows, _centred(block, column), n_rows), 0
    values = column.cells
    if block.kind == "date":
        values = numbers.ages(values, encoding["last"])
    return numbers.one_column(rows, numbers.standardized(values, encoding), n_rows), 0


def _learned(column: Column, n_rows: int, minimum: int, last: float | None) -> list[_Learned]:
    if column.kind in ("set", "text", "words"):
        return _of_words(column, n_rows, minimum)
    if column.kind == "bins":
        edges = numbers.edges_of(column.cells, column.n_bins)
        names = numbers.names_of_bins(edges) if edges else []
        ranges = {"edges": edges} | _written(column)
        return [_Learned(Block(column.name, "set", StringArray.pack(names), ranges))]
    if column.kind == "vector":
        encoding = numbers.centre(column.cells)
        places = [str(1 + place) for place in range(column.cells.shape[1] if encoding else 0)]
        return [_Learned(Block(column.name, "vector", StringArray.pack(places), encoding))]
    values, moment, notes = column.cells, {}, []
    if column.kind == "date":
        latest = float(values.max()) if last is None else last
        moment = {"last": latest}
        if later := int(np.count_nonzero(values > latest)):
            notes.append(f"{later:,} after the last like, taken as that moment")
        values = numbers.ages(values, latest)
    learned = numbers.spread(column.name, values)
    if column.kind == "number" and learned:
        notes.append(f"mean {learned['mean']:.6g}, deviation {learned['deviation']:.6g}")
    block = Block(
        column.name,
        "date" if column.kind == "date" else "number",
        StringArray.pack([column.name] if learned else []),
        learned | moment | _written(column),
    )
    return [_Learned(block, note="; ".join(notes))]


def _written(column: Column) -> dict[str, str]:
    """Return how the cells of a column are written, as an encoding, for further rows."""
    return {FORM: column.form} if column.form else {}


def _of_words(column: Column, n_rows: int, minimum: int) -> list[_Learned]:
    """Return the block of a set, or those of the words of a text and of their parts."""
    wanted: list[tuple[str, dict[str, Any]]]
    if column.kind == "set":
        of_cells = {} if column.separator is None else {"separator": column.separator}
        wanted = [(column.name, of_cells)]
    else:
        wanted = [(column.name, {"parts": "words"})]
        if column.kind == "text":
            wanted.append((f"{column.name} (parts)", _GRAMS | {COLUMN: column.name}))
    made = []
    for name, encoding in wanted:
        names, counts = words.named_counts(column, n_rows, encoding)
        kept = words.frequent(names, counts, minimum)
        kind: Any = "set" if column.kind == "set" else "text"
        block = Block(name, kind, StringArray.pack(kept), encoding)
        found = int(np.count_nonzero(words.occurrences(counts)))
        made.append(_Learned(block, dropped=found - len(kept)))
    return made


def _centred(block: Block, column: Column) -> Any:
    mean = np.asarray(block.encoding["mean"])
    if column.cells.shape[1] != len(mean):
        raise DataError(
            f"Vectors {block.name!r} have {column.cells.shape[1]:,} components; those before have "
            f"{len(mean):,}."
        )
    return ((column.cells - mean) / block.encoding["scale"]).astype(np.float32)


def _why_nothing(column: Column, minimum: int) -> str:
    if not len(column.rows):
        return "empty in all rows"
    if column.kind in ("set", "text", "words"):
        return f"no word in {minimum:,} rows or more"
    return "the same in all rows"


def _joined(made: Sequence[tuple[Block, sp.csr_array]], n_rows: int) -> Features:
    names = [block.name for block, _ in made]
    if len(set(names)) < len(names):
        raise DataError(f"Columns of features must have different names: {', '.join(names)}.")
    matrix = sp.csr_array(sp.hstack([matrix for _, matrix in made], format="csr"))
    matrix.sort_indices()
    return Features(matrix.astype(np.float32, copy=False), tuple(block for block, _ in made))
