"""The map: principal components of directions, the same every time."""

import dataclasses

import numpy as np
import pytest

from alsolike.errors import FitError
from alsolike.testing import tiny_model
from alsolike.web.serving.item_map import item_map


def model_of(item_factors):
    item_factors = np.asarray(item_factors, dtype=np.float32)
    n_items, factors = item_factors.shape
    return dataclasses.replace(
        tiny_model(n_items=n_items, factors=factors), item_factors=item_factors
    )


def drawn(n_items=500, factors=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_items, factors)) * np.arange(factors, 0, -1)


def test_points_and_shares_are_those_of_a_singular_value_decomposition():
    factors = drawn()
    found = item_map(model_of(factors))
    units = factors / np.linalg.norm(factors, axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    expected *= np.sign((expected * found.points).sum(axis=0))
    np.testing.assert_allclose(found.points, expected, atol=1e-5)
    assert found.shares == pytest.approx(values[:2] ** 2 / (values**2).sum(), rel=1e-5)
    assert found.points.dtype == np.float32
    assert np.abs(found.points).max() <= 2


def test_the_same_model_gives_the_same_bytes():
    one, other = (item_map(model_of(drawn())) for _ in range(2))
    assert one.points.tobytes() == other.points.tobytes()
    assert one.shares == other.shares


def test_neither_length_nor_the_number_of_blocks_matters():
    factors = drawn()
    whole = item_map(model_of(factors))
    longer = item_map(model_of(np.ldexp(factors, np.arange(500)[:, None] % 20)))
    np.testing.assert_allclose(longer.points, whole.points, atol=1e-6)
    blocks = item_map(model_of(factors), block_rows=7)
    np.testing.assert_allclose(blocks.points, whole.points, atol=1e-6)


def test_an_axis_points_to_where_its_largest_weight_does():
    factors = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0.1, 1]])
    found = item_map(model_of(factors)).points
    assert found[0, 0] * found[2, 0] < 0
    turned = item_map(model_of(-factors)).points
    np.testing.assert_allclose(np.abs(turned), np.abs(found), atol=1e-6)


def test_items_without_a_direction_are_at_the_origin_and_move_no_other():
    factors = drawn(50)
    factors[7] = 0
    found = item_map(model_of(factors))
    assert found.points[7].tolist() == [0, 0]
    rest = item_map(model_of(np.delete(factors, 7, axis=0)))
    np.testing.assert_allclose(np.delete(found.points, 7, axis=0), rest.points, atol=1e-6)
    assert found.shares == pytest.approx(rest.shares)


@pytest.mark.parametrize(
    "factors",
    [
        np.zeros((5, 3)),
        np.tile([0.1, 0.7, 0.3], (400, 1)) * np.arange(1, 401)[:, None],
        [[1.0], [2.0], [3.0]],
        [[1.0, 2.0], [0.0, 0.0]],
    ],
    ids=["nothing", "one direction, many lengths", "one factor", "one item with factors"],
)
def test_where_nothing_differs_everything_is_at_the_origin(factors):
    found = item_map(model_of(factors))
    assert not found.points.any()
    assert found.shares == (0.0, 0.0)


def test_directions_along_a_line_have_one_coordinate():
    found = item_map(model_of([[1.0], [-2.0], [3.0]]))
    assert found.shares == (1.0, 0.0)
    assert found.points[:, 1].tolist() == [0, 0, 0]
    assert found.points[0, 0] == found.points[2, 0] > 0 > found.points[1, 0]


def test_factors_that_are_not_finite_are_refused():
    with pytest.raises(FitError, match="not finite"):
        item_map(model_of([[1.0, np.nan], [0.0, 1.0]]))
