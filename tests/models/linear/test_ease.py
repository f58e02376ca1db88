"""EASE against its published closed form, and against what that form solves."""

import json
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.linear import ease
from alsolike.models.linear.ease import EASEConfig, ease_bytes, fit_ease
from alsolike.models.values import weighted
from alsolike.testing import tiny_likes


def make_likes(n_users=80, n_items=53, seed=0):
    """Return counts and dislikes, with items that nobody or everybody likes."""
    rng = np.random.default_rng(seed)
    filled = rng.random((n_users, n_items)) < np.clip(0.03 + 0.7 * rng.random(n_items) ** 3, 0, 1)
    filled[:, 3] = True
    filled[:, 7] = filled[9, :] = False
    values = filled * rng.integers(1, 9, filled.shape) * rng.choice([1, 1, 1, -1], filled.shape)
    return Interactions.from_matrix(sp.csr_array(values.astype(float)))


def liked(likes):
    return (likes.user_items.toarray() > 0).astype(np.float64)


def closed_form(x, regularization, dropout=0.0):
    """Return B of algorithm 1 of Steck 2019, line by line, with the ridges of Steck 2020."""
    g = x.T @ x
    diagonal = np.diag_indices(len(g))
    g[diagonal] += regularization + dropout / (1 - dropout) * g[diagonal]
    p = np.linalg.inv(g)
    b = p / (-np.diag(p))
    b[diagonal] = 0
    return b


@pytest.mark.parametrize("tile", [7, 53, 512])
@pytest.mark.parametrize("regularization", [0.01, 1, 500, 1e7])
def test_weights_and_scores_equal_the_closed_form(tile, regularization):
    likes = make_likes()
    model = fit_ease(likes, EASEConfig(regularization=regularization), tile=tile)
    expected = closed_form(liked(likes), regularization)
    np.testing.assert_allclose(model.weights, expected, rtol=1e-9, atol=1e-13)
    assert not model.weights.diagonal().any()
    assert model.weights.dtype == np.float64
    assert model.weights.flags.c_contiguous
    scores = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(scores, liked(likes) @ expected, rtol=1e-6, atol=1e-12)


def test_beside_an_item_is_its_row_of_the_weights():
    model = fit_ease(make_likes(), EASEConfig(regularization=5.0))
    expected = closed_form(liked(make_likes()), 5.0)
    whole = model.item_scores(slice(None), slice(None))
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, expected, rtol=1e-6, atol=1e-12)
    rows = np.array([7, 3, 7])
    np.testing.assert_array_equal(model.item_scores(rows, slice(5, 20)), whole[rows, 5:20])
    # Which is what it would recommend to somebody who likes that item alone.
    ids = list(model.items)
    alone = Interactions.from_matrix(sp.csr_array(np.eye(len(ids))), users=ids, items=ids)
    lists = replace(model, history=alone).scores(slice(None), slice(None))
    np.testing.assert_array_equal(lists, whole)


def test_weights_are_the_ridge_regressions_of_each_item_on_the_others():
    likes, regularization = make_likes(), 20.0
    x = liked(likes)
    model = fit_ease(likes, EASEConfig(regularization=regularization))
    for item in range(likes.n_items):
        others = np.delete(x, item, axis=1)
        system = others.T @ others + regularization * np.eye(likes.n_items - 1)
        solved = np.linalg.solve(system, others.T @ x[:, item])
        np.testing.assert_allclose(np.delete(model.weights[:, item], item), solved, atol=1e-12)


def test_the_published_objective_has_its_minimum_there():
    likes, regularization = make_likes(), 20.0
    x = liked(likes)
    weights = fit_ease(likes, EASEConfig(regularization=regularization)).weights

    def objective(b):
        return np.square(x - x @ b).sum() + regularization * np.square(b).sum()

    least, rng = objective(weights), np.random.default_rng(0)
    for _ in range(20):
        step = 1e-3 * rng.standard_normal(weights.shape)
        np.fill_diagonal(step, 0)
        assert objective(weights + step) > least
        assert objective(weights - step) > least


def test_the_same_bytes_for_any_number_of_threads_of_ours_and_of_the_library():
    rng = np.random.default_rng(0)
    likes = Interactions.from_matrix(sp.random_array((400, 300), density=0.1, rng=rng))
    found = set()
    for threads in (1, 2, 5):
        with threadpool_limits(limits=threads, user_api="blas"):
            model = fit_ease(
                likes, EASEConfig(regularization=10), engine=LocalEngine(threads), tile=64
            )
        found.add(model.weights.tobytes())
    assert len(found) == 1
    np.testing.assert_allclose(model.weights, closed_form(liked(likes), 10), atol=1e-14)


def test_a_block_of_scores_is_the_slice_of_the_whole_to_the_byte():
    likes = make_likes()
    model = fit_ease(likes, EASEConfig(regularization=5))
    whole = model.scores(slice(None), slice(None))
    rng = np.random.default_rng(0)
    for _ in range(40):
        rows = rng.integers(likes.n_users, size=rng.integers(0, 9))
        start, stop = np.sort(rng.integers(0, likes.n_items + 1, 2))
        block = model.scores(rows, slice(start, stop))
        assert block.dtype == np.float32
        assert block.tobytes() == whole[rows, start:stop].tobytes()
    assert model.scores(slice(3, 9), slice(5, 6)).tobytes() == whole[3:9, 5:6].tobytes()


def test_whole_users_held_out_are_scored_from_what_is_shown():
    split = hold_out_users(tiny_likes(), share=0.2)
    model = fit_ease(split.train, EASEConfig(regularization=5))
    shown = model.with_history(split.given)
    assert not model.scores(split.test_users, slice(None)).any()
    np.testing.assert_allclose(
        shown.scores(slice(None), slice(None)), liked(split.given) @ model.weights, rtol=1e-5
    )
    assert shown.scores(split.test_users, slice(None)).any(axis=1).all()
    assert shown.history is split.given
    assert shown.weights is model.weights
    with pytest.raises(DataError, match=r"model's 40 items expected.*have 41"):
        model.with_history(tiny_likes(30, 41))


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(ease, "available", lambda: 4 * 2**30)
    likes = Interactions.from_matrix(sp.csr_array((1, 40_981)))
    with pytest.raises(
        DataError,
        match=r"EASE over 40,981 items needs 12.83 GiB of memory, and 4.00 GiB are available. "
        r"Up to 22,664 items fit: filter more strictly \(min_per_item\), or leave EASE out",
    ):
        fit_ease(likes, EASEConfig())
    assert ease_bytes(22_664) <= 4 * 2**30 < ease_bytes(22_665)


@pytest.mark.parametrize("free", [0, 10**6])
def test_a_bound_for_the_smallest_machines(free, monkeypatch):
    monkeypatch.setattr(ease, "available", lambda: free)
    with pytest.raises(DataError, match=r"Up to (\d+) items fit") as refusal:
        fit_ease(Interactions.from_matrix(sp.csr_array((1, 2000))), EASEConfig())
    assert ease_bytes(int(str(refusal.value).partition("Up to ")[2].partition(" ")[0])) <= free


@pytest.mark.parametrize("free", [None, ease_bytes(53)])
def test_what_fits_to_the_byte_is_made_and_so_is_what_nobody_can_tell(free, monkeypatch):
    monkeypatch.setattr(ease, "available", lambda: free)
    assert fit_ease(make_likes(), EASEConfig()).weights.shape == (53, 53)


def test_a_regularization_that_float64_cannot_carry_is_refused():
    likes = Interactions.from_columns(["u", "u", "v", "v"], ["a", "b", "a", "b"])
    with pytest.raises(
        FitError, match="regularization=1e-12 is too small for float64 over 2 items; at least 4e-10"
    ):
        fit_ease(likes, EASEConfig(regularization=1e-12))
    weights = fit_ease(likes, EASEConfig(regularization=4.1e-10)).weights
    np.testing.assert_allclose(weights, [[0, 1], [1, 0]], atol=1e-6)
    assert not fit_ease(likes, EASEConfig(regularization=1e308)).weights.round(300).any()


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
    scores = fit_ease(likes, EASEConfig()).scores(slice(None), slice(None))
    assert scores.shape == (likes.n_users, likes.n_items)
    assert not scores.any()


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.9])
def test_dropout_is_the_ridge_of_the_expected_loss(dropout):
    likes, regularization = make_likes(), 20.0
    x = liked(likes)
    weights = fit_ease(likes, EASEConfig(regularization=regularization, dropout=dropout)).weights
    np.testing.assert_allclose(weights, closed_form(x, regularization, dropout), atol=1e-13)
    # The mean of |x - z b|^2 over all z, which keep each like with probability 1 - p and scale it
    # by 1 / (1 - p), is |x - x b|^2 and the variance of z b: p / (1 - p) times the likes.
    item = 11
    others = np.delete(x, item, axis=1)
    variance = dropout / (1 - dropout) * np.square(others).sum(axis=0)
    system = others.T @ others + np.diag(variance) + regularization * np.eye(len(variance))
    solved = np.linalg.solve(system, others.T @ x[:, item])
    np.testing.assert_allclose(np.delete(weights[:, item], item), solved, atol=1e-12)


def test_the_loss_under_drawn_dropout_is_least_at_the_weights():
    likes, dropout = make_likes(40, 8), 0.4
    x = liked(likes)
    weights = fit_ease(likes, EASEConfig(regularization=1e-6, dropout=dropout)).weights
    rng = np.random.default_rng(0)
    kept = x * (rng.random((4000, *x.shape)) >= dropout) / (1 - dropout)
    others = [1, 2, 3, 4, 5, 6]
    drawn = kept[:, :, others].reshape(-1, 6)
    target = np.tile(x[:, 0], 4000)
    solved = np.linalg.lstsq(drawn, target)[0]
    np.testing.assert_allclose(weights[others, 0], solved, atol=0.01)


@pytest.mark.parametrize("values", ["given", "log", "capped", "tf-idf", "bm25"])
def test_values_are_weighted_in_training_and_in_scoring(values):
    likes = make_likes()
    config = EASEConfig(regularization=5.0, values=values, value_scale=3.0, value_length=0.0)
    model = fit_ease(likes, config)
    above = likes.user_items.copy()
    above.data[above.data < 0] = 0
    above.eliminate_zeros()
    x = weighted(above, likes.like_counts, config.value_weights).toarray()
    assert len(np.unique(x)) > 3
    np.testing.assert_allclose(model.weights, closed_form(x, 5.0), rtol=1e-9, atol=1e-12)
    scores = model.scores(slice(None), slice(None))
    np.testing.assert_allclose(scores, x @ closed_form(x, 5.0), rtol=1e-5, atol=1e-6)
    row = slice(*likes.user_items.indptr[4:6])
    columns, own = likes.user_items.indices[row], likes.user_items.data[row]
    parts = model.contributions(columns, own, np.arange(likes.n_items)).parts
    np.testing.assert_allclose(parts.sum(axis=1), scores[4], rtol=1e-5, atol=1e-6)


def test_settings_go_there_and_back_as_plain_values():
    for config in (EASEConfig(), EASEConfig(regularization=np.float64(3.5), dropout=0.25)):
        settings = config.to_settings()
        assert settings == {
            "model": "ease", "regularization": config.regularization, "dropout": config.dropout,
            "values": "binary", "value_scale": 1.0, "value_length": 0.0, "half_life": None,
            "feature_weight": 0.0,
        }  # fmt: skip
        assert EASEConfig.from_settings(json.loads(json.dumps(settings))) == config
    # As models were saved before there was more than one setting.
    assert EASEConfig.from_settings({"model": "ease", "regularization": 500.0}) == EASEConfig()
    with pytest.raises(SettingError, match=r"Unknown settings \['factors'\]"):
        EASEConfig.from_settings({"model": "ease", "factors": 1})
    with pytest.raises(SettingError, match="model 'ease' expected, not 'als'"):
        EASEConfig.from_settings({"model": "als"})


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "500", None, True])
def test_settings_out_of_range(value):
    with pytest.raises(SettingError, match="regularization must be a finite number above 0, not"):
        EASEConfig(regularization=value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 1.0}, "dropout must be below 1, not 1.0"),
        ({"dropout": -0.1}, "dropout must be a finite number of at least 0"),
        ({"dropout": None}, "dropout must be a finite number of at least 0"),
        ({"values": "logarithm"}, "values must be one of given, binary, log"),
        ({"value_scale": 0}, "value_scale must be a finite number above 0"),
        ({"value_length": 2}, "value_length must be at most 1"),
    ],
)
def test_dropout_and_weights_out_of_range(settings, message):
    with pytest.raises(SettingError, match=message):
        EASEConfig(**settings)


def test_a_matrix_is_not_interactions():
    with pytest.raises(DataError, match="Interactions expected, not a SciPy csr_array"):
        fit_ease(tiny_likes().user_items, EASEConfig())


def test_tells_an_observer_how_far_it_is():
    heard = []

    class Ear(ease.Observer):
        def start(self, task, total=None):
            heard.append((task, total))

        def advance(self, steps=1):
            heard.append(steps)

        def finish(self):
            heard.append("done")

    model = fit_ease(tiny_likes(), EASEConfig(), observer=Ear(), tile=16)
    assert heard == [("Inverting the item matrix", 40), 16, 16, 8, "done"]
    assert repr(model) == "EASEModel(30 users, 40 items, regularization 500)"
