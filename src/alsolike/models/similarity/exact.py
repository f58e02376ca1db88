"""Dot products defined to the last bit, in plain NumPy, as the compiled kernels add them."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_LANES = 4  # as in kernels/ranking/topk.py, whose import would bring Numba


def exact_products(rows: Floats, vector: Floats) -> Doubles:
    """Return the product of each row with a vector, before its rounding to float32, (n,)."""
    products = rows.astype(np.float64) * vector.astype(np.float64)
    steps = -(-rows.shape[1] // _LANES)
    if steps * _LANES > rows.shape[1]:
        padded = np.zeros((len(rows), steps * _LANES))
        padded[:, : rows.shape[1]] = products
        products = padded
    # A running sum adds in order, which np.sum does not promise.
    lanes = np.cumsum(products.reshape(len(rows), steps, _LANES), axis=1)[:, -1] + 0.0
    total: Doubles = ((lanes[:, 0] + lanes[:, 1]) + lanes[:, 2]) + lanes[:, 3]
    return total
