"""Computes the map of a catalogue: two principal components of the items' directions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.models.base import Floats
from alsolike.models.factor_model import row_norms
from alsolike.models.protocols import HasFactors, item_directions
from alsolike.recommending.shared import unit_rows, with_direction

# Rows turned to float64 at once: 64 factors of so many take 2 MB.
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class ItemMap:
    """Items as points in a plane.

    Parameters
    ----------
    points : float32, (n_items, 2)
        Both coordinates are from -2 to 2; an item without a direction is at the origin.
    shares : (float, float)
        Shares of the variance that the two axes explain, 0 to 1.
    """

    points: Floats
    shares: tuple[float, float]


def item_map(model: HasFactors, *, block_rows: int = _ROWS_AT_ONCE) -> ItemMap:
    """Place the items by the two principal components of their directions.

    Neighbours are found by cosine, so factors are scaled to length 1 first. The largest weight of
    each axis is positive, so that the same model always gives the same map.

    Parameters
    ----------
    model : HasFactors
    block_rows : int
        Items per block.

    Returns
    -------
    ItemMap
        With one principal axis, or none, the other coordinates are 0.

    Raises
    ------
    FitError
        An item's factors are not finite.

    References
    ----------
    I. T. Jolliffe, "Principal Component Analysis", 2nd edition, 2002, chapters 2 and 3.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> found = item_map(tiny_model(n_items=40, factors=3))
    >>> found.points.shape, sum(found.shares) <= 1
    ((40, 2), True)
    """
    directed = np.flatnonzero(with_direction(model))
    points = np.zeros((len(model.items), 2), dtype=np.float32)
    if not len(directed):
        return ItemMap(points, (0.0, 0.0))
    parts = [directed[i : i + block_rows] for i in range(0, len(directed), block_rows)]
    # Two passes: subtracting the mean first keeps precision if all directions are close.
    width = item_directions(model).shape[1]
    total = np.zeros(width)
    for rows in parts:
        total += _directions(model, rows).sum(axis=0)
    middle = total / len(directed)
    spread = np.zeros((width, width))
    for rows in parts:
        apart = _directions(model, rows) - middle
        spread += apart.T @ apart
    axes, shares = _principal(spread, noise=1e-12 * len(directed))
    for rows in parts:
        points[rows, : axes.shape[1]] = (_directions(model, rows) - middle) @ axes
    return ItemMap(points, shares)


def _directions(model: HasFactors, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    own = item_directions(model)[rows]
    return unit_rows(own, row_norms(own)).astype(np.float64)


def _principal(
    spread: npt.NDArray[np.float64], *, noise: float
) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    """Return up to two axes as columns, the longest first, and their shares of the variance.

    Parameters
    ----------
    spread : float64, (factors, factors)
        Sum of outer products about the mean.
    noise : float
        Spread of equal directions by float32 rounding.
    """
    values, vectors = np.linalg.eigh(spread)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    kept = values > noise
    axes = vectors[:, kept]
    heaviest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[heaviest, np.arange(axes.shape[1])])
    found = [float(value) / float(np.trace(spread)) for value in values[kept]]
    first, second, *_ = (*found, 0.0, 0.0)
    return axes, (first, second)
