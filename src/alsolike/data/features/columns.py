"""Holds the cells of one column of a table that tells something of items or users.

Readers of all kinds of tables make such columns, and `encode` makes features of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary

ColumnKind = Literal["set", "number", "bins", "date", "text", "words", "vector"]

DEFAULT_BINS = 10


@dataclass(frozen=True, eq=False)
class Givers:
    """People who gave words of a set: who, of which row and which word; int64, (n,) each.

    `words` are places in `Column.words`, and `by` in `people`.
    """

    people: Vocabulary
    rows: npt.NDArray[np.int64]
    words: npt.NDArray[np.int64]
    by: npt.NDArray[np.int64]

    def moved(self, places: npt.NDArray[np.int64]) -> "Givers":
        """Return the same with other row numbers, as `Column.moved`."""
        rows = places[self.rows]
        kept = rows >= 0
        return Givers(self.people, rows[kept], self.words[kept], self.by[kept])


@dataclass(frozen=True, eq=False)
class Column:
    """Cells of a column, each with its row; empty cells are left out.

    Parameters
    ----------
    name : str
    kind : {"set", "number", "bins", "date", "text", "words", "vector"}
        What it is taken as. ``"bins"`` are numbers to be cut at quantiles, ``"words"`` texts whose
        words count and whose parts of words do not.
    rows : int64, (n_cells,)
        Ascending but for sets, which may have several cells in a row, and others none.
    cells : list of str, float64 (n_cells,), or float32 (n_cells, n_components)
        Words of a set, or int64, their places in `words`; texts; numbers, dates as seconds since
        1970; vectors. All are finite.
    weights : float64, (n_cells,), or None
        How much each word of a set counts, at least 0; None: 1 each.
    words : sequence of str or None
        Sorted and distinct, where `cells` are places in them.
    separator : str or None
        What stood between the words of a cell, if anything; None: each was a row, or an element.
    n_bins : int
    givers : Givers or None
        Who gave each word, where the source names people.
    form : str
        How numbers or dates are written, where it was given, such as ``"comma"``.
    note : str
        How it was read, for the report, such as a guess.
    """

    name: str
    kind: ColumnKind
    rows: npt.NDArray[np.int64]
    cells: Any
    weights: npt.NDArray[np.float64] | None = None
    words: Sequence[str] | None = None
    separator: str | None = None
    n_bins: int = DEFAULT_BINS
    givers: Givers | None = None
    form: str = ""
    note: str = field(default="", compare=False)

    def moved(self, places: npt.NDArray[np.int64]) -> "Column":
        """Return the cells with other row numbers: row i becomes ``places[i]``, or none for -1."""
        rows = places[self.rows]
        kept = np.flatnonzero(rows >= 0)
        kept = kept[np.argsort(rows[kept], kind="stable")]
        weights = None if self.weights is None else self.weights[kept]
        is_array = isinstance(self.cells, np.ndarray)
        cells = self.cells[kept] if is_array else [self.cells[at] for at in kept.tolist()]
        givers = None if self.givers is None else self.givers.moved(places)
        return replace(self, rows=rows[kept], cells=cells, weights=weights, givers=givers)
