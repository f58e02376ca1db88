"""The front door of training: `fit` and `iterate` of every family, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.baselines.random import RandomConfig
from alsolike.models.family import TrainingData
from alsolike.models.fit import config_for
from alsolike.models.linear.ease import fit_ease
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.registry import family_named, names, trained
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())


def scores_of(model):
    return model.scores(slice(None), slice(None)).tobytes()


def test_als_is_fitted_where_nothing_is_said():
    plain = al.fit(LIKES, iterations=1)
    assert (plain.name, plain.factors) == ("als", 256)
    assert scores_of(plain) == scores_of(al.fit(LIKES, al.ALSConfig(iterations=1)))
    few = al.fit(LIKES, factors=4, iterations=2, alpha=3.0)
    assert scores_of(few) == scores_of(
        al.fit(LIKES, al.ALSConfig(factors=4, iterations=2, alpha=3.0))
    )
    assert al.fit(LIKES, al.ALSConfig(factors=4), iterations=2, alpha=3.0).settings == few.settings


def test_a_name_and_a_configuration_say_the_same():
    by_name = al.fit(LIKES, family="item-knn", neighbours=7)
    by_config = al.fit(LIKES, al.ItemKNNConfig(neighbours=7))
    by_both = al.fit(LIKES, al.ItemKNNConfig(), family="item-knn", neighbours=7)
    itself = fit_item_knn(LIKES, al.ItemKNNConfig(neighbours=7))
    assert len({scores_of(one) for one in (by_name, by_config, by_both, itself)}) == 1
    ease = al.fit(LIKES, family="ease", regularization=20)
    assert scores_of(ease) == scores_of(fit_ease(LIKES, al.EASEConfig(regularization=20)))


@pytest.mark.parametrize("family", names())
def test_every_family_is_fitted_by_its_name_alone_for_any_number_of_threads(family):
    one, four = (al.fit(LIKES, family=family, engine=LocalEngine(n)) for n in (1, 4))
    assert one.name == family
    assert scores_of(one) == scores_of(four)
    assert scores_of(list(al.iterate(LIKES, family=family))[-1]) == scores_of(one)


def test_iterate_gives_one_model_of_a_family_without_sweeps():
    assert [model.name for model in al.iterate(LIKES, family="ease")] == ["ease"]
    assert [model.sweeps for model in al.iterate(LIKES, factors=2, iterations=2)] == [1, 2]


@pytest.mark.parametrize("form", [sp.csr_array, sp.csr_matrix, sp.coo_array, sp.csc_array])
def test_a_matrix_is_fitted_and_its_numbers_are_the_ids(form):
    dense = np.zeros((12, 11), dtype=np.float64)
    dense[0, 1] = dense[10, 1] = dense[2, 9] = dense[11, 10] = dense[2, 1] = 2.0
    model = al.fit(form(dense), factors=3, iterations=2)
    assert len(model.users) == 12
    assert model.users.id_of(model.users.index_of("11")) == 11
    assert model.item_counts[model.items.index_of("1")] == 3
    named = al.fit(al.Interactions.from_matrix(sp.csr_array(dense)), factors=3, iterations=2)
    assert scores_of(model) == scores_of(named)
    assert [one.sweeps for one in al.iterate(form(dense), factors=3, iterations=2)] == [1, 2]


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        ((), {"factor": 3}, "'als' has no setting 'factor'. Did you mean factors? Settings of als"),
        (
            (),
            {"family": "item-knn", "factors": 3},
            "'factors'. It is a setting of als, feature-als, explicit-als, lmf, bpr and warp. Sett",
        ),
        ((), {"family": "ease", "neighbours": 3}, "It is a setting of item-knn and sparse-linear."),
        (
            (),
            {"family": "popularity", "seed": 3},
            "It is a setting of als, feature-als, explicit-als, lmf, bpr, warp and random. It",
        ),
        ((), {"engin": None}, "no setting 'engin'. Did you mean engine?"),
        ((), {"model": "als"}, "'als' has no setting 'model'"),
        ((), {"family": "item-kn"}, "Unknown model 'item-kn'; known are als, item-knn, ease,"),
        ((), {"family": "itemknn"}, "Did you mean 'item-knn'?"),
        ((), {"family": 3}, "Unknown model 3; known are"),
        (
            (),
            {"family": "factors"},
            "Models of the family 'factors' are made by other programs",
        ),
        ((al.ALSConfig(),), {"family": "ease"}, "The settings are of als, but family is"),
        ((al.EASEConfig(),), {"factors": 3}, "'ease' has no setting 'factors'. It is a setti"),
        (({"factors": 3},), {}, "Settings expected, not a dict. Make settings of it: alsolike.ALS"),
        (
            ("item-knn",),
            {},
            "not the text 'item-knn'. Give the name of a family as family='item",
        ),
        ((al.EASEConfig,), {}, "not the class EASEConfig. Make settings of the class: call it."),
        (([al.ALSConfig()],), {}, "Settings expected, not a list. Give settings such as"),
        ((), {"factors": "many"}, "factors must be a whole number of at least 1, not 'many'"),
        ((), {"family": "item-knn", "neighbours": 0}, "neighbours must be a whole number of at le"),
        (
            (),
            {"family": "ease", "start": al.fit_popularity(LIKES)},
            "ease cannot continue training",
        ),
        ((), {"family": "ease", "start": 3}, "A model is needed to go on from it"),
        ((), {"start": "normal"}, "use ALSConfig(start='normal')."),
        ((), {"family": "ease", "start": "normal"}, "go on from it, as alsolike.fit"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(given, named, message):
    for take in (al.fit, lambda *one, **two: next(al.iterate(*one, **two))):
        with pytest.raises(al.AlsolikeError) as raised:
            take(LIKES, *given, **named)
        assert message in str(raised.value)


@pytest.mark.parametrize(
    ("likes", "message"),
    [
        (pd.DataFrame({"user": ["a"], "item": ["x"]}), "Read it first: likes, report = alsolike.r"),
        (np.eye(3), "not a dense array of shape (3, 3). Of an array with a row for each user"),
        ([("a", "x")], "not a list. Make them of columns with Interactions.from_columns"),
        ("likes.csv", "Read the file first: likes, report = alsolike.read("),
        (sp.csr_array(np.array([[np.nan, 1.0]])), "finite"),
        (sp.csr_array((3, 4)), "no interactions to train on"),
    ],
)
@pytest.mark.parametrize("family", ["als", "item-knn"])
def test_what_are_no_likes_is_refused_with_the_way_to_them(likes, message, family):
    if family != "als" and "train on" in message:
        return  # nothing liked is nothing near, and no error
    with pytest.raises(al.AlsolikeError) as raised:
        al.fit(likes, family=family)
    assert message in str(raised.value)


def test_settings_of_every_family_come_back():
    for family in trained():
        config = family.config()
        assert family.config.from_settings(config.to_settings()) == config
        assert config_for(config) is config
    assert config_for(None, {"seed": 3}, family="random") == RandomConfig(seed=3)
    assert config_for(PopularityConfig()) == PopularityConfig()


def test_a_family_without_sweeps_starts_anew_and_factors_are_not_trained():
    data, knn = TrainingData(LIKES), family_named("item-knn")
    (model,) = knn.iterate(data, al.ItemKNNConfig())
    with pytest.raises(SettingError, match="item-knn cannot continue training"):
        knn.fit(data, al.ItemKNNConfig(), start=model)
    with pytest.raises(
        SettingError, match="'factors' are made by other programs and cannot be fitted"
    ):
        family_named("factors").fit(data, {})
