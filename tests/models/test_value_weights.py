"""Weights of values: each form against a literal definition, and through a whole training."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.als.fold_in import new_items
from alsolike.models.settings import recorded_settings
from alsolike.models.values import ValueWeights, weighted
from oracles_als import weighed

FORMS = ("given", "binary", "log", "capped", "tf-idf", "bm25")


def table(seed=0, *, dislikes=True):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(1, 30, (40, 25)) * (rng.random((40, 25)) < 0.2) / 4
    if dislikes:
        matrix *= np.where(rng.random(matrix.shape) < 0.1, -1, 1)
    matrix[np.arange(40), np.arange(40) % 25] = 1.0
    return matrix


def likes_of(matrix):
    rows, columns = matrix.nonzero()
    users, items = ([f"{kind}{n:02}" for n in at] for kind, at in (("u", rows), ("i", columns)))
    return al.Interactions.from_columns(users, items, matrix[rows, columns])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("scale", "length"), [(1.0, 0.0), (2.5, 0.3), (1e30, 1.0)])
def test_each_form_is_its_definition(form, scale, length):
    matrix, weights = table(), ValueWeights(values=form, value_scale=scale, value_length=length)
    found = weighted(sp.csr_array(matrix), (matrix > 0).sum(axis=0), weights)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.toarray(), weighed(matrix, weights), rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_training_on_values_is_training_on_their_weights(form):
    matrix = table()
    base = al.ALSConfig(factors=5, alpha=2.0, unobserved_weight=0.2, values="given", iterations=2)
    config = replace(base, values=form, value_scale=2.0, value_length=0.4)
    found = al.fit(likes_of(matrix), config)
    weights = ValueWeights(values=form, value_scale=2.0, value_length=0.4)
    expected = al.fit(likes_of(weighed(matrix, weights)), base)
    scores, wanted = (model.scores(slice(None), slice(None)) for model in (found, expected))
    np.testing.assert_allclose(scores, wanted, rtol=1e-4, atol=1e-5)
    assert al.loss(found) == pytest.approx(al.loss(expected), rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_folding_in_weighs_alike(form):
    likes = likes_of(table(dislikes=False))
    config = al.ALSConfig(factors=4, values=form, value_scale=3.0, value_length=0.5, iterations=2)
    model = al.fit(likes, config)
    np.testing.assert_array_equal(al.fold_in(model, likes), model.user_factors)
    one = likes.user_items[[3]]
    np.testing.assert_allclose(model.folded_in(one)[0], model.user_factors[3], rtol=1e-4, atol=1e-6)
    items = new_items(model, likes.item_users, LocalEngine())
    assert np.isfinite(items).all()


def test_items_cannot_be_folded_in_where_users_likes_are_unknown():
    likes = likes_of(table())
    model = al.fit(likes, al.ALSConfig(factors=3, values="tf-idf", iterations=1))
    with pytest.raises(SettingError, match=r"values='tf-idf' weighs .* without its history"):
        al.fold_in_items(replace(model, history=None), likes.item_users)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"values": "bm52"}, "values must be one of given, binary, .* Did you mean 'bm25'"),
        ({"value_scale": 0}, "value_scale must be a finite number above 0"),
        ({"value_length": 1.5}, r"value_length must be at most 1, not 1\.5"),
        ({"value_length": -1}, "value_length must be a finite number of at least 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(setting, expected):
    with pytest.raises(SettingError, match=expected):
        al.ALSConfig(**setting)


def test_settings_without_the_form_are_of_an_earlier_version():
    config = al.ALSConfig(values="given")
    old = recorded_settings(config)
    assert not {"values", "value_scale", "value_length"} & old.keys()
    assert al.ALSConfig.from_settings(old) == config
    for changes in ({"values": None}, {"values": "log", "value_scale": 2.0}, {"value_length": 0.5}):
        config = al.ALSConfig(**changes)
        assert al.ALSConfig.from_settings(recorded_settings(config)) == config
        assert al.ALSConfig.from_settings(config.to_settings()) == config
