"""Computes the scores that interactions have by the prior of their rows."""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def score_pairs(
    indptr: Ints, indices: Ints, first: int, last: int, X: Floats, Z: Floats, out: Floats
) -> None:
    """Write the product of the factors of both ends of each interaction of a chunk of rows.

    Parameters
    ----------
    indptr, indices : int32 or int64
        CSR of the whole side.
    first, last : int
        The rows from `first` to before `last`.
    X : float32, (last - first, f)
        Factors of these rows.
    Z : float32, (n_columns, at least f)
    out : float32, (interactions,)
        Receives the products of these rows' interactions.
    """
    for row in range(first, last):
        for place in range(indptr[row], indptr[row + 1]):
            column, total = indices[place], np.float32(0)
            for k in range(X.shape[1]):
                total += X[row - first, k] * Z[column, k]
            out[place] = total
