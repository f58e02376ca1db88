"""Multiplies sparse features, and takes the steps of conjugate gradients of a ridge regression.

All columns of the solution take their steps at once, each with a length of its own. Each call works
on the features from `first` to before `last`; sums over features are one row per call.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.kernels.compiler.jit import fast_kernel

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.floating[Any]]


@fast_kernel
def multiply_sparse(
    indptr: Ints, indices: Ints, values: Floats, first: int, last: int, X: Floats, out: Floats
) -> None:
    """Write rows of the product of a sparse and a dense matrix.

    Parameters
    ----------
    indptr, indices, values
        CSR of the sparse one, values of float32.
    first, last : int
        The rows from `first` to before `last`.
    X : float32, (n_columns, f)
    out : float32, (n_rows, f)
        Receives these rows.
    """
    for row in range(first, last):
        for k in range(X.shape[1]):
            out[row, k] = 0
        for place in range(indptr[row], indptr[row + 1]):
            column, value = indices[place], values[place]
            for k in range(X.shape[1]):
                out[row, k] += value * X[column, k]


@fast_kernel
def apply_system(
    indptr: Ints,
    indices: Ints,
    values: Floats,
    first: int,
    last: int,
    predicted: Floats,
    penalty: float,
    direction: Floats,
    applied: Floats,
    sums: Floats,
) -> None:
    """Write ``V'p + mu d``, and add up its products with d.

    Parameters
    ----------
    indptr, indices, values
        V' as CSR, values of float32: features x rows.
    predicted : float32, (n_rows, f)
        p = V d.
    penalty : float32
        mu.
    direction : float32, (n_features, f)
        d.
    applied : float32, (n_features, f)
        Receives the result.
    sums : float64, (f,)
        Receives the sums over these features, column by column.
    """
    sums[:] = 0
    for row in range(first, last):
        for k in range(direction.shape[1]):
            applied[row, k] = penalty * direction[row, k]
        for place in range(indptr[row], indptr[row + 1]):
            column, value = indices[place], values[place]
            for k in range(direction.shape[1]):
                applied[row, k] += value * predicted[column, k]
        for k in range(direction.shape[1]):
            sums[k] += np.float64(direction[row, k] * applied[row, k])


@fast_kernel
def step(
    first: int,
    last: int,
    lengths: Floats,
    direction: Floats,
    applied: Floats,
    inverse: Floats,
    found: Floats,
    rest: Floats,
    sums: Floats,
) -> None:
    """Take a step of these lengths, float32 (f,), along the direction, and add up what is left.

    `found` and `rest` are the solution and its residual, (n_features, f), `inverse` is that of the
    preconditioner, float32 (n_features,). `sums`, float64 (2, f), receives the squares of the
    residual, and the same times `inverse`.
    """
    sums[:] = 0
    for row in range(first, last):
        for k in range(rest.shape[1]):
            found[row, k] += lengths[k] * direction[row, k]
            left = rest[row, k] - lengths[k] * applied[row, k]
            rest[row, k] = left
            square = np.float64(left * left)
            sums[0, k] += square
            sums[1, k] += square * inverse[row]


@fast_kernel
def turn_direction(
    first: int, last: int, ratios: Floats, rest: Floats, inverse: Floats, direction: Floats
) -> None:
    """Set the direction to the residual times `inverse`, plus `ratios`, (f,), of the last one."""
    for row in range(first, last):
        for k in range(rest.shape[1]):
            direction[row, k] = inverse[row] * rest[row, k] + ratios[k] * direction[row, k]
