"""The observed cells' part of the exact loss, a chunk of rows at a time."""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def observed_loss(
    indptr: Ints,
    indices: Ints,
    weights: Floats,
    pulls: Floats,
    first: int,
    last: int,
    X: Floats,
    Z: Floats,
) -> float:
    """Return what the observed cells of a chunk of rows add to the loss, in float64.

    With score s = x'z, a cell adds ``w s^2 - 2 r s + r`` to ``unobserved_weight * s^2``, which the
    Gramians give for all cells at once. It is summed as ``r (1 - s)^2 + (w - r) s^2``, whose parts
    are no larger than they need to be. Weights and pulls are float64, (interactions of the chunk,).
    """
    total = 0.0
    base = indptr[first]
    for row in range(first, last):
        x = X[row]
        for position in range(indptr[row], indptr[row + 1]):
            z = Z[indices[position]]
            score = 0.0
            for k in range(X.shape[1]):
                score += np.float64(x[k]) * np.float64(z[k])
            w, r = weights[position - base], pulls[position - base]
            total += r * (1.0 - score) ** 2 + (w - r) * score**2
    return total
