"""Encodes numbers, dates and vectors: standardized by the rows that training has, or in bins."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.errors import DataError

Doubles = npt.NDArray[np.float64]

_DAY = 86_400.0
# Deviations from the mean: what lies further counts as if it were there.
_FURTHEST = 10.0


def spread(name: str, values: Doubles) -> dict[str, float]:
    """Return mean and deviation, as an encoding; empty if all values are the same.

    Raises
    ------
    DataError
        They are too large for that.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = float(values.mean()), float(values.std())
    if not np.isfinite(mean) or not np.isfinite(deviation):
        raise DataError(
            f"Column {name!r} has numbers up to {np.abs(values).max():g}, of which no mean can be "
            "taken. Leave them out, or give the column as bins."
        )
    # Equal values may have a deviation by rounding.
    if values.min() == values.max() or deviation <= 1e-12 * abs(mean):
        return {}
    return {"mean": mean, "deviation": deviation}


def ages(seconds: Doubles, last: float) -> Doubles:
    """Return log(1 + days before `last`); 0 for later dates."""
    found: Doubles = np.log1p(np.maximum(last - seconds, 0.0) / _DAY)
    return found


def standardized(values: Doubles, encoding: Mapping[str, Any]) -> Doubles:
    """Return values as deviations from the mean, from -10 to 10."""
    deviations = (values - encoding["mean"]) / encoding["deviation"]
    found: Doubles = np.clip(deviations, -_FURTHEST, _FURTHEST)
    return found


def edges_of(values: Doubles, n_bins: int) -> list[float]:
    """Return where bins begin that have about as many values each, but for the first.

    Examples
    --------
    >>> edges_of(np.array([1.0, 2.0, 3.0, 4.0, 100.0, 100.0]), 3), edges_of(np.ones(5), 4)
    ([2.5, 52.0], [])
    """
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.unique(np.quantile(values, inner, method="midpoint"))
    return [float(edge) for edge in edges if values.min() < edge <= values.max()]


def names_of_bins(edges: list[float]) -> list[str]:
    """Return the names of bins, such as "2.5 to 50".

    Examples
    --------
    >>> names_of_bins([2.5, 50.0])
    ['below 2.5', '2.5 to 50', '50 or more']
    """
    shown = [f"{edge:g}" for edge in edges]
    if len(set(shown)) < len(shown):
        shown = [repr(edge) for edge in edges]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
    return [f"below {shown[0]}", *between, f"{shown[-1]} or more"]


def centre(vectors: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Return the mean vector and a scale, as an encoding; empty if all vectors are the same.

    Less the mean and divided by the scale, vectors have a mean squared length of 1.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    scale = float(np.sqrt(((vectors - mean) ** 2).sum(axis=1).mean()))
    if not np.isfinite(scale) or scale <= 1e-12 * float(np.abs(mean).max()):
        return {}
    return {"mean": mean.tolist(), "scale": scale}


def one_column(rows: npt.NDArray[np.int64], values: Doubles, n_rows: int) -> sp.csr_array:
    """Return a value in each of `rows`, also if it is 0: (n_rows, 1)."""
    return in_columns(rows, np.zeros(len(rows), dtype=np.int64), values, (n_rows, 1))


def in_columns(
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    values: npt.NDArray[Any],
    shape: tuple[int, int],
) -> sp.csr_array:
    """Return CSR of float32 with these cells, zeros kept."""
    cells = values.astype(np.float32), (rows, columns)
    return sp.csr_array(sp.coo_array(cells, shape=shape))


def dense_rows(
    rows: npt.NDArray[np.int64], vectors: npt.NDArray[np.float32], n_rows: int
) -> sp.csr_array:
    """Return CSR with these vectors in `rows`, which ascend."""
    width = vectors.shape[1]
    counts = np.zeros(n_rows, dtype=np.int64)
    counts[rows] = width
    starts = np.concatenate(([0], np.cumsum(counts)))
    places = np.tile(np.arange(width), len(rows))
    return sp.csr_array((vectors.ravel(), places, starts), shape=(n_rows, width))
