"""Reads a users x items matrix; row and column numbers become the ids."""

from typing import Any

import numpy as np

from alsolike.data.interactions import Interactions, check_matrix
from alsolike.data.reading.cleaning.aggregate import Pairs, assembled, merge
from alsolike.data.reading.cleaning.ratings import MarkCounts
from alsolike.data.reading.cleaning.rows import DroppedRows, Rules
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError


def read_matrix(
    matrix: Any, rules: Rules
) -> tuple[Interactions, SourceTable, DroppedRows, Pairs, int]:
    """Read a SciPy matrix; a cell stored more than once is a repeated pair.

    All users and items are kept. Also returns the source, counts, pairs and the number of dropped
    pairs, for the report. Raises DataError for a bad matrix or value, or if no interaction is left.
    """
    check_matrix(matrix)
    if not all(matrix.shape):
        raise DataError(f"The {matrix.shape[0]:,} x {matrix.shape[1]:,} matrix is empty.")
    cells = matrix.tocoo()
    values = np.asarray(cells.data, dtype=np.float64)
    loaded = SourceTable(
        f"the {cells.shape[0]:,} x {cells.shape[1]:,} matrix",
        "SciPy",
        "",
        (),
        (),
        lambda wanted_rows: [(row + 1, "") for row in wanted_rows],
        rows=len(values),
        unit="cell",
    )
    faulty = np.flatnonzero(~np.isfinite(values))
    negative = np.flatnonzero(values < 0) if rules.at_least is None else faulty[:0]
    refused = negative if rules.negative == "error" else negative[:0]
    for places, problem in ((faulty, "a finite value"), (refused, "a value above 0")):
        if len(places):
            row, column = int(cells.row[places[0]]), int(cells.col[places[0]])
            raise DataError(
                f"{loaded.name}, row {row}, column {column}: {problem} expected, found "
                f"{values[places[0]]:g}. Fix it, or see negative=."
            )
    live = values != 0
    counts = DroppedRows(zeros=int(np.count_nonzero(~live)), negatives=len(negative))
    if rules.at_least is not None:
        is_like = values >= rules.at_least
        kept, less = np.count_nonzero(live & is_like), np.count_nonzero(live & ~is_like)
        counts.marks = MarkCounts(int(kept), int(less))
        if rules.below != "dislike":
            live &= is_like
        values = np.where(is_like, 1.0, -1.0)
    users, user_codes = _numbered(cells.shape[0], "user")
    items, item_codes = _numbered(cells.shape[1], "item")
    pairs = merge(
        user_codes[cells.row[live]],
        item_codes[cells.col[live]],
        values[live],
        None,
        n_items=max(1, len(items)),
        rule=rules.repeats,
    )
    if rules.repeats == "error" and pairs.merged:
        raise DataError(f"{loaded.name}: {pairs.repeated:,} cells are stored more than once.")
    interactions, dropped = assembled(pairs, users, items, rules.negative, loaded.name)
    if not interactions.n_interactions:
        raise DataError(
            f"{loaded.name}: none of its {loaded.rows:,} stored cells is an interaction, a value "
            "that is not 0."
        )
    return interactions, loaded, counts, pairs, dropped


def _numbered(count: int, kind: str) -> tuple[Vocabulary, Any]:
    """Return the vocabulary of row numbers, and the row of each number."""
    names = [str(number) for number in range(count)]
    order = np.array(sorted(range(count), key=names.__getitem__), dtype=np.int64)
    codes = np.empty(count, dtype=np.int64)
    codes[order] = np.arange(count)
    digits = StringArray.pack(names[number] for number in order)
    return Vocabulary.of_digits(digits, kind=kind), codes
