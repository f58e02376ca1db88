"""Tiles of any width against NumPy in float64, and code for processors without wide vectors."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numba import njit

from als_settings import classic
from alsolike.kernels.solver.tiles import add_product, factorize, multiply_gathered, solve_beside
from alsolike.models.als.train import fit
from made_up import make_likes
from scans import scan_products

WIDTHS = [8, 16, 24, 32, 40, 56, 72]
TYPES = [np.float32, np.float64]


@njit
def product(A, i, j, count, C, c, width, keep, sign):
    stride = A.shape[1]
    add_product(A, i, stride, A, j, stride, count, C, c, C.shape[1], width, keep, sign)


@njit
def cholesky(C, inverse, width):
    fine = factorize(C, 0, C.shape[1], inverse, 0)
    solve_beside(C, 0, C.shape[1], inverse, 0, width)
    return fine


@njit
def gathered(Z, rows, weights, pulls, scale, C, right):
    multiply_gathered(Z, rows, weights, pulls, len(rows), Z.shape[1], scale, C, C.shape[1], right)


def numbers(*shape, kind):
    return np.random.default_rng(0).standard_normal(shape).astype(kind)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [0, 1, 63])
def test_products_equal_numpy_at_any_width(kind, width, count) -> None:
    A, C = numbers(64, 96, kind=kind), numbers(16, 88, kind=kind)
    expected = C.astype(np.float64)
    left, right = A[:count, 8:16].astype(np.float64), A[:count, 16 : 16 + width].astype(np.float64)
    expected[8:, 5 : 5 + width] = 2 * expected[8:, 5 : 5 + width] - left.T @ right
    product(A, 8, 16, count, C, 8 * 88 + 5, width, kind(2), kind(-1))
    np.testing.assert_allclose(C, expected, rtol=0, atol=100 * np.finfo(kind).eps)


@pytest.mark.parametrize("length", [8, 16, 24, 32, 40])
@pytest.mark.parametrize("of_rows", [np.int32, np.int64])
def test_rows_multiplied_where_they_stand_equal_numpy(length, of_rows) -> None:
    Z, C = numbers(30, length, kind=np.float32), np.full((length, length + 8), 7, np.float32)
    rows = np.array([3, 29, 0, 3, 11], dtype=of_rows)
    weights, pulls = np.arange(5, dtype=np.float32), np.arange(1, 6, dtype=np.float32)
    scale, right = np.linspace(0.5, 2, length, dtype=np.float32), np.empty(length, np.float32)
    gathered(Z, rows, weights, pulls, scale, C, right)
    B = Z[rows].astype(np.float64) * scale
    near = {"rtol": 0, "atol": 1e-4}
    np.testing.assert_allclose(np.triu(C[:, :length]), np.triu((B.T * weights) @ B), **near)
    np.testing.assert_allclose(right, B.T @ pulls, **near)
    assert (C[:, length:] == 7).all()


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_is_kept_of_what_is_not_a_number(kind) -> None:
    A, C = numbers(4, 56, kind=kind), np.full((8, 56), np.nan, dtype=kind)
    product(A, 0, 0, 4, C, 0, 56, kind(0), kind(1))
    np.testing.assert_allclose(C, A[:, :8].T @ A, rtol=1e-4, atol=1e-5)


def test_a_number_is_the_same_to_the_last_bit_in_tiles_of_any_width() -> None:
    A = numbers(64, 72, kind=np.float32)
    whole, pieces = np.zeros((8, 72), np.float32), np.zeros((8, 72), np.float32)
    product(A, 0, 0, 64, whole, 0, 72, np.float32(0), np.float32(1))
    for first in range(0, 72, 8):
        product(A, 0, first, 64, pieces, first, 8, np.float32(0), np.float32(1))
    assert whole.tobytes() == pieces.tobytes()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("width", WIDTHS)
def test_factor_and_what_stands_beside_it_equal_numpy(kind, width) -> None:
    A, inverse = numbers(40, 8 + width, kind=kind), np.empty(8, dtype=kind)
    system = A.T @ A
    C = system[:8].copy()
    assert cholesky(C, inverse, width)
    U = np.linalg.cholesky(system[:8, :8].astype(np.float64)).T
    near = {"rtol": 0, "atol": 200 * np.finfo(kind).eps}
    np.testing.assert_allclose(np.triu(C[:, :8]), U, **near)
    np.testing.assert_allclose(inverse, 1 / np.diag(U), **near)
    np.testing.assert_allclose(C[:, 8:], np.linalg.solve(U.T, system[:8, 8:]), **near)


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("pivot", [0.0, -1.0, np.nan])
def test_a_pivot_that_is_not_positive_is_told(place, pivot) -> None:
    C, inverse = np.eye(8, 16, dtype=np.float32), np.empty(8, dtype=np.float32)
    C[place, place] = pivot
    assert not cholesky(C, inverse, 8)


OTHER = """
import sys
import numpy as np
from test_tiles import lists, scores
np.savez(sys.argv[1], lists=lists(), **scores())
"""


def scores():
    found = {}
    # A few steps from far away make much of rounding; near the solution they do not.
    for solver, alpha in (("exact", 300.0), ("cg", 3.0)):
        base = classic(factors=72, alpha=alpha, regularization=1.0, iterations=2)
        model = fit(make_likes(), replace(base, solver=solver))
        found[solver] = model.user_factors @ model.item_factors.T
    return found


def lists():
    items, _ = scan_products(numbers(20, 24, kind=np.float32), numbers(90, 24, kind=np.float32), 9)
    return items


def test_code_for_a_plain_processor_gives_the_same_scores_and_lists(tmp_path) -> None:
    path = tmp_path / "found.npz"
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": tmp_path}
    here = Path(__file__)
    plain["PYTHONPATH"] = f"{here.parent}{os.pathsep}{here.parents[2]}"
    environment = os.environ | {name: str(value) for name, value in plain.items()}
    subprocess.run([sys.executable, "-c", OTHER, str(path)], env=environment, check=True)
    found = np.load(path)
    assert np.array_equal(found["lists"], lists())
    for solver, ours in scores().items():
        limit = 1e-4 * np.abs(ours).max()
        np.testing.assert_allclose(found[solver], ours, rtol=0, atol=limit, err_msg=solver)
