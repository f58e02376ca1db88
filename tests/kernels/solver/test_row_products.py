"""Products of rows with one another, Gramians and changes of basis against NumPy in float64."""

import numpy as np
import pytest
from numba import njit

from alsolike.engines.local import LocalEngine
from alsolike.kernels.solver.row_products import multiply_rows
from alsolike.models.als.gramian_basis import gramian, turned

ONE = LocalEngine(1)


@njit
def products(P, count, C):
    for i in range(0, P.shape[0], 4):
        for j in range(0, P.shape[0], 4):
            place = i * C.shape[1] + j
            stride = P.shape[1]
            multiply_rows(P, i * stride, j * stride, stride, count, C, place, C.shape[1], P, 0)


def numbers(*shape, kind=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(kind)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("count", [16, 48, 1040])
@pytest.mark.parametrize("rows", [4, 12])
def test_products_of_rows_equal_numpy(kind, count, rows) -> None:
    P, C = numbers(rows, count + 16, kind=kind), np.full((rows, rows + 3), 7, dtype=kind)
    P[:, count:] = np.nan  # not read
    products(P, count, C)
    exact = P[:, :count].astype(np.float64)
    limit = 4 * count * np.finfo(kind).eps
    np.testing.assert_allclose(C[:, :rows], exact @ exact.T, rtol=0, atol=limit)
    assert (C[:, rows:] == 7).all()


# Float32 sums some rows before they are added in float64.
LIMITS = {False: 1e-12, True: 3e-5}


@pytest.mark.parametrize("in_float32", [False, True])
@pytest.mark.parametrize("factors", [1, 8, 30, 72, 264])
@pytest.mark.parametrize("rows", [1, 300])
def test_gramian_equals_numpy(in_float32, factors, rows) -> None:
    Y = numbers(rows, factors)
    found = gramian(Y, ONE, in_float32=in_float32)
    exact = Y.astype(np.float64)
    np.testing.assert_allclose(found, exact.T @ exact, rtol=0, atol=LIMITS[in_float32] * rows**0.5)
    assert (found == found.T).all()


@pytest.mark.parametrize("in_float32", [False, True])
@pytest.mark.parametrize("factors", [1, 8, 30, 72, 264])
@pytest.mark.parametrize("rows", [1, 37])
def test_change_of_basis_equals_numpy_also_in_place(in_float32, factors, rows) -> None:
    Y, basis = numbers(rows, factors), np.linalg.qr(numbers(factors, factors, kind=np.float64))[0]
    exact = Y.astype(np.float64) @ basis
    found = turned(Y, basis, ONE, in_float32=in_float32)
    if in_float32:
        np.testing.assert_allclose(found, exact, rtol=0, atol=2e-6)
    else:
        np.testing.assert_allclose(found, exact, rtol=1e-7, atol=1e-12)
    turned(Y, basis, ONE, in_float32=in_float32, out=Y)
    assert Y.tobytes() == found.tobytes()
