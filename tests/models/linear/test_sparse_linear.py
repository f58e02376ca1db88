"""Regressions on neighbourhoods, against their definition written out item by item."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.family import TrainingData
from alsolike.models.linear import sparse
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.linear.sparse import (
    SparseLinearConfig,
    SparseLinearFamily,
    fit_sparse_linear,
    training_bytes,
)
from alsolike.models.values import weighted
from alsolike.progress import Observer
from alsolike.testing import tiny_likes


def make_likes(n_users=60, n_items=90, seed=0, least=0.01):
    """Return counts and dislikes: a user who likes all items, an item that nobody likes."""
    rng = np.random.default_rng(seed)
    filled = rng.random((n_users, n_items)) < least + 0.5 * rng.random(n_items) ** 4
    filled[5] = True
    filled[:, 7] = filled[9] = False
    values = filled * rng.integers(1, 9, filled.shape) * rng.choice([1, 1, 1, -1], filled.shape)
    values[5] = np.abs(values[5])
    return Interactions.from_matrix(sp.csr_array(values.astype(float)))


def weighted_matrix(likes, config):
    above = likes.user_items.copy()
    above.data[above.data < 0] = 0
    above.eliminate_zeros()
    return weighted(above, likes.like_counts, config.value_weights).toarray()


def by_definition(likes, config):
    """Return B, each item's neighbourhood chosen and its ridge regression solved literally."""
    x = weighted_matrix(likes, config)
    g, n_likes = x.T @ x, (x > 0).sum(axis=0)
    ridge = config.regularization + config.dropout / (1 - config.dropout) * np.diag(g)
    weights = np.zeros_like(g)
    for item in range(len(g)):
        alone = g[:, item] / (np.diag(g) + ridge)
        others = [i for i in np.flatnonzero(g[:, item] > 0) if i != item]
        others.sort(key=lambda i: (-alone[i], -n_likes[i], i))
        chosen = others[: config.neighbours]
        system = g[np.ix_(chosen, chosen)] + np.diag(ridge[chosen])
        weights[chosen, item] = np.linalg.solve(system, g[chosen, item])
    return weights


@pytest.mark.parametrize("head_items", [0, 11, 90])
@pytest.mark.parametrize("neighbours", [1, 3, 17, 200])
@pytest.mark.parametrize(("regularization", "dropout"), [(1.0, 0.0), (30.0, 0.0), (5.0, 0.4)])
def test_weights_and_scores_equal_the_definition(head_items, neighbours, regularization, dropout):
    likes = make_likes()
    config = SparseLinearConfig(
        neighbours=neighbours, regularization=regularization, dropout=dropout
    )
    model = fit_sparse_linear(likes, config, head_items=head_items)
    expected = by_definition(likes, config)
    np.testing.assert_allclose(model.weights.toarray(), expected, rtol=1e-9, atol=1e-13)
    assert model.weights.has_sorted_indices
    assert not model.weights.diagonal().any()
    scores = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(
        scores, weighted_matrix(likes, config) @ expected, rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("values", ["given", "log", "tf-idf", "bm25"])
@pytest.mark.parametrize("head_items", [0, 90])
def test_values_are_weighted_in_training_and_in_scoring(values, head_items):
    likes = make_likes()
    config = SparseLinearConfig(
        neighbours=17, regularization=8.0, values=values, value_scale=2.0, value_length=0.3
    )
    model = fit_sparse_linear(likes, config, head_items=head_items)
    expected = by_definition(likes, config)
    # Pairs of the head are in float32.
    np.testing.assert_allclose(model.weights.toarray(), expected, rtol=1e-4, atol=1e-6)
    scores = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(
        scores, weighted_matrix(likes, config) @ expected, rtol=1e-4, atol=1e-5
    )


def test_is_ease_where_all_items_are_neighbours():
    likes = Interactions.from_matrix(
        sp.random_array((300, 40), density=0.3, rng=np.random.default_rng(0))
    )
    for dropout in (0.0, 0.3):
        settings = {"regularization": 7.0, "dropout": dropout}
        ease = fit_ease(likes, EASEConfig(**settings))
        model = fit_sparse_linear(likes, SparseLinearConfig(neighbours=39, **settings))
        np.testing.assert_allclose(model.weights.toarray(), ease.weights, rtol=1e-9, atol=1e-13)


def test_users_of_very_many_items_are_searched():
    # All but one like three items; that one likes all 2,000.
    rng = np.random.default_rng(0)
    rows, columns = np.repeat(np.arange(40), 3), rng.integers(0, 60, 120)
    cells = np.zeros((41, 2000))
    cells[rows, columns] = cells[40] = 1
    likes = Interactions.from_matrix(sp.csr_array(cells))
    config = SparseLinearConfig(neighbours=5, regularization=2.0)
    model = fit_sparse_linear(likes, config, head_items=0)
    np.testing.assert_allclose(
        model.weights.toarray(), by_definition(likes, config), rtol=1e-9, atol=1e-13
    )


def test_the_same_bytes_for_any_threads_and_any_head():
    likes = Interactions.from_matrix(
        sp.random_array((400, 700), density=0.03, rng=np.random.default_rng(0))
    )
    config = SparseLinearConfig(neighbours=30, regularization=10.0)
    found = set()
    for threads, head_items in ((1, 700), (2, 700), (5, 50), (1, 0)):
        model = fit_sparse_linear(likes, config, engine=LocalEngine(threads), head_items=head_items)
        parts = model.weights.indptr, model.weights.indices, model.weights.data
        found.add(b"".join(part.tobytes() for part in parts))
    assert len(found) == 1


def test_a_block_of_scores_is_the_slice_of_the_whole_to_the_byte():
    likes = make_likes(n_users=150)
    model = fit_sparse_linear(likes, SparseLinearConfig(neighbours=9, values="log"))
    whole = model.scores(slice(None), slice(None))
    rng = np.random.default_rng(0)
    for size in (0, 1, 5, 64, 65, 140):
        rows = rng.integers(likes.n_users, size=size)
        start, stop = np.sort(rng.integers(0, likes.n_items + 1, 2))
        block = model.scores(rows, slice(start, stop))
        assert block.dtype == np.float32
        assert block.flags.c_contiguous
        assert block.tobytes() == whole[rows, start:stop].tobytes()


def test_similar_items_are_those_with_a_weight_above_zero():
    likes = make_likes(n_items=30, least=0.2)
    model = fit_sparse_linear(likes, SparseLinearConfig(neighbours=20, regularization=1.0))
    weights = model.weights.toarray()
    assert (weights < 0).any()
    whole = model.item_scores(slice(None), slice(None))
    assert whole.dtype == np.float32
    shown = whole > -np.inf
    np.testing.assert_array_equal(shown, weights > 0)
    np.testing.assert_allclose(whole[shown], weights[shown], rtol=1e-6)
    rows = np.array([7, 3, 7])
    np.testing.assert_array_equal(model.item_scores(rows, slice(5, 20)), whole[rows, 5:20])


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(sparse, "available", lambda: 2**28)
    likes = Interactions.from_matrix(sp.csr_array((1, 40_981)))
    with pytest.raises(
        DataError,
        match=r"of 40,981 items with 300 neighbours each needs \d\.\d\d GiB of memory, and "
        r"0.25 GiB are available. Give fewer neighbours, or filter more strictly",
    ):
        fit_sparse_linear(likes, SparseLinearConfig(neighbours=300))
    with pytest.raises(DataError, match="Give fewer neighbours"):
        SparseLinearFamily().refuse(TrainingData(likes), SparseLinearConfig(neighbours=300))
    monkeypatch.setattr(sparse, "available", lambda: None)
    assert fit_sparse_linear(tiny_likes(), SparseLinearConfig()).weights.nnz


def test_memory_grows_with_the_neighbours_and_not_with_all_pairs():
    of_many = training_bytes(1_000_000, 30_000_000, 50, 2)
    assert of_many < 16 * 2**30
    assert training_bytes(1_000_000, 30_000_000, 100, 2) < 1.6 * of_many
    assert training_bytes(92_000, 2_400_000, 200, 2) < 8 * 2**30


def test_a_regularization_that_float64_cannot_carry_is_refused():
    likes = Interactions.from_columns(["u", "u", "u", "v", "v"], ["a", "b", "c", "a", "b"])
    config = SparseLinearConfig(regularization=1e-300)
    with pytest.raises(FitError, match=r"regularization=1e-300 is too small .* values='binary'"):
        fit_sparse_linear(likes, config)


@pytest.mark.parametrize(
    "likes",
    [
        Interactions.from_columns([], []),
        Interactions.from_columns(["u"], ["a"]),
        Interactions.from_columns(["u", "u", "v"], ["a", "b", "a"], [-1, -2, -1]),
    ],
    ids=["nothing", "one pair", "dislikes only"],
)
def test_hardly_any_data(likes):
    scores = fit_sparse_linear(likes, SparseLinearConfig()).scores(slice(None), slice(None))
    assert scores.shape == (likes.n_users, likes.n_items)
    assert not scores.any()


def test_settings_go_there_and_back_as_plain_values():
    config = SparseLinearConfig(neighbours=np.int64(50), regularization=3, values="log")
    settings = config.to_settings()
    assert settings["model"] == "sparse-linear"
    assert settings["neighbours"] == 50
    assert SparseLinearConfig.from_settings(json.loads(json.dumps(settings))) == config
    with pytest.raises(SettingError, match="neighbours"):
        SparseLinearConfig(neighbours=0)
    with pytest.raises(SettingError, match="regularization must be a finite number above 0"):
        SparseLinearConfig(regularization=0)
    with pytest.raises(SettingError, match=r"dropout must be below 1, not 1\.0"):
        SparseLinearConfig(dropout=1.0)


def test_tells_an_observer_how_far_it_is():
    heard = []

    class Ear(Observer):
        def start(self, task, total=None):
            heard.append((task, total))

        def advance(self, steps=1):
            heard.append(steps)

        def finish(self):
            heard.append("done")

    model = fit_sparse_linear(tiny_likes(), SparseLinearConfig(), observer=Ear())
    assert heard == [("Solving the neighbourhoods of items", 40), 40, "done"]
    assert repr(model) == (
        "SparseLinearModel(30 users, 40 items, 200 neighbours, regularization 100)"
    )


@pytest.mark.parametrize(
    ("n_items", "neighbours", "is_tried"),
    [(50_000, {50, 200}, True), (100_000, {25, 100}, True), (200_001, {12, 48}, False)],
)
def test_a_search_tries_fewer_neighbours_of_more_items(n_items, neighbours, is_tried):
    data = TrainingData(Interactions.from_matrix(sp.csr_array((1, n_items))))
    family = SparseLinearFamily()
    assert {config.neighbours for config in family.search_space(data)} == neighbours
    assert family.is_tried(data) is is_tried
