"""Adds up rows of sparse item weights for many users at once, by the compiled kernels."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.neighbours.sums import add_up_rows, rank_sums
from alsolike.models.base import Doubles, Floats, Indices

Bounds = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix of float64 with sorted columns, as the kernels take it.

    Parameters
    ----------
    starts : int64, (n_rows + 1,)
    items : int32, (n_stored,)
    values : float64, (n_stored,)
    """

    starts: Bounds
    items: Indices
    values: Doubles

    @classmethod
    def of(cls, matrix: sp.csr_array) -> "Rows":
        """Take the arrays of a matrix, as they are where possible."""
        return cls(
            plain(matrix.indptr.astype(np.int64)),
            plain(matrix.indices.astype(np.int32, copy=False)),
            plain(matrix.data.astype(np.float64, copy=False)),
        )


@dataclass(frozen=True, eq=False)
class _Memory:
    """What a thread works in, see `alsolike.kernels.neighbours.sums`."""

    sums: Doubles
    marks: npt.NDArray[np.uint8]
    met: Indices


@dataclass(frozen=True, eq=False)
class WeightRows:
    """Item weights with memory for each thread that adds them up.

    Parameters
    ----------
    weights : Rows
        A row for each item.
    """

    weights: Rows
    _spare: list[_Memory] = field(default_factory=list)

    @classmethod
    def of(cls, item_weights: sp.csr_array) -> "WeightRows":
        """Prepare item weights, (n_items, n_items)."""
        return cls(Rows.of(item_weights))

    @property
    def n_items(self) -> int:
        """The number of items."""
        return len(self.weights.starts) - 1

    def rank(
        self,
        pulls: Rows,
        queries: slice,
        open_items: npt.NDArray[np.bool_],
        taken: Indices,
        bounds: tuple[Bounds, Bounds],
        heaps: tuple[Floats, Indices, Bounds],
    ) -> int:
        """Rank the items for some rows of pulls, see `rank_sums`."""
        memory = self._memory()
        bad = rank_sums(
            pulls.starts[queries.start : queries.stop + 1], pulls.items, pulls.values,
            self.weights.starts, self.weights.items, self.weights.values, open_items, taken,
            *bounds, memory.sums, memory.marks, memory.met, *heaps,
        )  # fmt: skip
        if bad < 0:  # else it has sums of the last query
            self._spare.append(memory)
        return int(bad)

    def add_up(self, pulls: sp.csr_array) -> Floats:
        """Return the scores of all items for rows of pulls, float32, (n, n_items)."""
        memory, rows = self._memory(), Rows.of(pulls)
        out = np.empty((pulls.shape[0], self.n_items), dtype=np.float32)
        add_up_rows(
            rows.starts, rows.items, rows.values, self.weights.starts, self.weights.items,
            self.weights.values, memory.sums, memory.marks, memory.met, out,
        )  # fmt: skip
        self._spare.append(memory)
        return out

    def _memory(self) -> _Memory:
        try:
            return self._spare.pop()
        except IndexError:
            n_items = self.n_items
            marks, met = np.zeros(n_items, np.uint8), np.empty(n_items + 1, np.int32)
            return _Memory(np.zeros(n_items), marks, met)
