"""The dial by name: what is given replaces the model's own, and wrong settings are refused."""

from dataclasses import replace

import numpy as np
import pytest

import alsolike as al
from alsolike.errors import SettingError, Unable
from alsolike.models.fit import fit
from alsolike.models.similarity.config import FEW_LIKES
from alsolike.recommending.affinities import (
    described,
    note_on_counts,
    note_on_few_likes,
    similarity_with,
)
from alsolike.recommending.baskets import similar_to_set
from alsolike.recommending.batch import similar
from alsolike.recommending.single import similar_to
from alsolike.testing import tiny_likes
from made_up import same, small_model

MODEL = small_model()
KNN = fit(tiny_likes(), family="item-knn")
SETTINGS = [
    {"popularity_bias": 0.0},
    {"popularity_bias": 1},
    {"popularity_bias": np.float32(0.3), "prior_strength": 5},
    {"affinity": "cosine"},
    {"affinity": "dot", "popularity_bias": 0.5},
    {"affinity": "audience"},
]
WRONG = [
    ({"popularity_bias": 1.2}, "popularity_bias must be a number from 0 .* to 1 .*, not 1.2"),
    ({"popularity_bias": -0.1}, "popularity_bias must be a number"),
    ({"popularity_bias": float("nan")}, "popularity_bias must be a number .* not nan"),
    ({"popularity_bias": "auto"}, "popularity_bias must be a number .* not 'auto'"),
    ({"popularity_bias": True}, "popularity_bias must be a number"),
    ({"prior_strength": 0}, "prior_strength must be a finite number above 0"),
    ({"prior_strength": float("inf")}, "prior_strength must be a finite number above 0"),
    ({"affinity": "cosin"}, "affinity must be one of .* Did you mean 'cosine'"),
    ({"affinity": "counts"}, "'als' has the affinities evidence, .*, not 'counts'"),
]


@pytest.mark.parametrize("dial", SETTINGS, ids=str)
def test_what_is_given_is_what_a_model_so_configured_has_of_itself(dial):
    configured = al.with_similarity(MODEL, **dial)
    same(similar(MODEL, k=6, **dial), similar(configured, k=6))
    for item in ("i03", "Name 7"):
        same(similar_to(MODEL, item, k=6, **dial), similar(configured, item, k=6))
        same(similar_to(MODEL, item, k=6, **dial), similar(MODEL, item, k=6, **dial))


def test_what_is_not_given_stays_the_models():
    own = al.with_similarity(MODEL, affinity="audience", popularity_bias=0.2)
    changed = al.with_similarity(own, popularity_bias=0.6)
    assert changed.similarity_config == al.SimilarityConfig(
        affinity="audience", popularity_bias=0.6
    )
    assert al.with_similarity(own) is own
    assert similarity_with(own) is None
    assert own.similarity_config.popularity_bias == 0.2


@pytest.mark.parametrize(("dial", "message"), WRONG, ids=str)
def test_wrong_settings_are_refused_everywhere(dial, message):
    for ask in (
        lambda: similar(MODEL, "i03", **dial),
        lambda: similar_to(MODEL, "i03", **dial),
        lambda: similar_to_set(MODEL, ["i03", "i07"], **dial),
        lambda: al.with_similarity(MODEL, **dial),
        lambda: al.gallery(MODEL, ["i03"], **dial),
    ):
        with pytest.raises(SettingError, match=message):
            ask()


@pytest.mark.parametrize("family", ["ease", "popularity", "random"])
def test_a_family_without_a_dial_says_so(family):
    model = fit(tiny_likes(), family=family)
    assert described(model) == ""
    message = f"A model with a dial from specific to popular items is needed .* '{family}' has none"
    for ask in (
        lambda: similar(model, "a0", popularity_bias=0.3),
        lambda: similar_to(model, "a0", affinity="cosine"),
        lambda: similar_to_set(model, ["a0"], popularity_bias=0.3),
        lambda: similar_to_set(model, ["a0", "a3"]),
        lambda: al.with_similarity(model, popularity_bias=0.3),
        lambda: al.gallery(model, ["a0"], popularity_bias=0.3),
    ):
        with pytest.raises(Unable, match=message):
            ask()
    assert al.with_similarity(model) is model


def test_item_knn_has_the_dial_of_its_counts():
    lists = [
        similar(KNN, "a0", k=5, popularity_bias=bias)["similar_item"].tolist() for bias in (0, 1)
    ]
    assert lists[0] != lists[1]
    with pytest.raises(SettingError, match="'item-knn' has the affinities counts, not 'cosine'"):
        similar(KNN, "a0", affinity="cosine")


def test_settings_in_words():
    assert described(KNN) == "counts, popularity bias 0.8"
    assert described(MODEL) == "evidence, popularity bias 0.8, prior strength 30"
    config = al.SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    assert described(MODEL, config) == "cosine, popularity bias 0"


def test_few_likes_are_noted():
    counts = np.array([0, 1, FEW_LIKES, FEW_LIKES + 1, *[9] * (len(MODEL.items) - 4)])
    model = replace(MODEL, item_counts=counts)
    assert [note_on_few_likes(model, row) for row in range(4)] == [
        "", "1 like: weakly founded", "5 likes: weakly founded", "",
    ]  # fmt: skip


def test_stored_counts_are_noted(tmp_path):
    al.save(MODEL, tmp_path / "model", with_history=False)
    stored = al.load(tmp_path / "model")
    assert "counts of the 200 strongest neighbours" in note_on_counts(stored)
    assert note_on_counts(stored, al.SimilarityConfig(affinity="cosine")) == ""
    assert note_on_counts(MODEL) == ""
    # So few items have all their counts stored.
    for dial in ({}, *SETTINGS):
        same(similar(stored, k=4, **dial), similar(MODEL, k=4, **dial))
        same(similar_to(stored, "i03", **dial), similar(MODEL, "i03", **dial))
