"""Profiles of features: vectors by hand, cold items, reasons by features, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Block, Features, FeatureTable
from alsolike.data.interactions import canonical
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.models.bundle.io import load, save
from alsolike.models.feature_vectors import vectors_of
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.models.profile.model import fit_item_profile
from alsolike.models.protocols import AddsItems, ComparesFeatures, ExplainsByFeatures
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())
EVERYTHING = slice(None)
WORDS = {"m1": ["rock"], "m2": ["folk", "rock"], "m3": ["folk"], "m4": ["rock", "jazz"], "m5": []}


def tagged(users="aabbc", items=("m1", "m2", "m2", "m3", "m1")):
    likes = al.Interactions.from_columns(list(users), list(items))
    return replace(likes, item_features=FeatureTable.of_words("tag", WORDS).of(likes.items))


def table_of(items, like):
    """Give new items the columns of known ones: the first words of each."""
    ids = Vocabulary.of(items, kind="item")
    cells = np.zeros((len(items), like.n_features), dtype=np.float32)
    for row, one in enumerate(ids):
        cells[row, items[one]] = 1
    return FeatureTable(ids, Features(canonical(sp.csr_array(cells)), like.blocks))


def test_scores_are_sums_of_cosines_of_rare_words():
    likes = tagged()
    model = fit_item_profile(likes, ItemProfileConfig(rarity_exponent=2))
    has = likes.item_features.matrix.toarray().astype(np.float64)
    rarity = np.log(3 / np.maximum(has.sum(axis=0), 1)) ** 2
    vectors = has * rarity
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = likes.user_items.toarray() @ vectors @ vectors.T
    np.testing.assert_allclose(model.scores(EVERYTHING, EVERYTHING), expected, rtol=1e-6)
    cosines = model.item_scores(EVERYTHING, EVERYTHING)
    np.testing.assert_allclose(np.maximum(cosines, 0), vectors @ vectors.T, rtol=1e-6, atol=1e-7)
    assert np.isneginf(cosines[0, 2])


def test_numbers_are_bounded_and_vectors_have_a_length_of_one():
    blocks = (
        Block("price", "number", StringArray.pack(["price"])),
        Block("vector", "vector", StringArray.pack("01")),
    )
    rows = sp.csr_array(np.float32([[3.0, 3.0, 4.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 2.0]]))
    found = vectors_of(rows, blocks, np.array([0.5, 2.0, 2.0])).toarray()
    expected = [[1.5 / np.sqrt(10), 1.2, 1.6], [0, 0, 0], [-0.5 / np.sqrt(2), 0, 2]]
    np.testing.assert_allclose(found, expected)


def test_weights_of_blocks_change_what_counts():
    equal, tags = (
        al.fit(LIKES, ItemProfileConfig(weights=weights))
        for weights in (None, "kind=0,price=0,vector=0")
    )
    assert equal.scores(EVERYTHING, EVERYTHING).tobytes() != (
        tags.scores(EVERYTHING, EVERYTHING).tobytes()
    )
    assert tags.item_vectors.indices.max() < 6


def test_a_new_item_is_scored_as_if_it_had_been_there():
    model = al.fit(LIKES, family="item-profile")
    assert isinstance(model, (AddsItems, ComparesFeatures, ExplainsByFeatures))
    new = table_of({"b": [0, 1], "zz": [2], LIKES.items.id_of(3): [4], "nothing": []},
                   LIKES.item_features)  # fmt: skip
    names = StringArray.pack(f"Name of {one}" for one in new.ids)
    shown = Catalogue(n_items=4, names=names)
    larger = model.with_cold_items(new, shown)
    assert list(larger.items) == sorted(larger.items, key=str.encode)
    old = larger.items.places_of(LIKES.items)
    before, after = (one.scores(EVERYTHING, EVERYTHING) for one in (model, larger))
    assert after[:, old].tobytes() == np.ascontiguousarray(before).tobytes()
    assert larger.item_counts.sum() == model.item_counts.sum()
    assert larger.catalogue.name_of(larger.items.index_of("zz")) == "Name of zz"
    third = larger.items.index_of(LIKES.items.id_of(3))
    assert larger.catalogue.name_of(third) == LIKES.catalogue.name_of(3)
    wanted = new.features.matrix[[new.ids.index_of("b")]]
    like = larger.item_scores_of_features(wanted, EVERYTHING)[0]
    alone = larger.item_vectors @ larger.item_vectors[[larger.items.index_of("b")]].T
    np.testing.assert_allclose(like, alone.toarray()[:, 0], rtol=1e-6, atol=1e-7)
    assert larger.history.n_interactions == LIKES.n_interactions
    assert not larger.scores(EVERYTHING, EVERYTHING)[:, larger.items.index_of("nothing")].any()
    again = larger.with_cold_items(table_of({"zz": [0]}, LIKES.item_features))
    row = again.items.index_of("zz")
    assert again.item_features.matrix[[row]].indices.tolist() == [0]


def test_a_model_with_new_items_comes_back(tmp_path):
    model = al.fit(LIKES, family="item-profile")
    larger = model.with_cold_items(table_of({"b": [0, 1]}, LIKES.item_features))
    save(larger, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.scores(EVERYTHING, EVERYTHING).tobytes() == (
        larger.scores(EVERYTHING, EVERYTHING).tobytes()
    )


def test_shared_features_add_up_to_the_score():
    model = al.fit(LIKES, family="item-profile")
    likes, values = np.array([2, 7], np.int32), np.array([1, 1], np.float32)
    row = sp.csr_array((values, likes, [0, 2]), shape=(1, 40))
    scores = model.user_scores(row, EVERYTHING)[0]
    for item in (0, 5, 39):
        shared = model.shared_features(likes, values, item)
        assert sum(part for _, part in shared) == pytest.approx(scores[item], abs=1e-6)
        assert [part for _, part in shared] == sorted((p for _, p in shared), reverse=True)


def test_features_are_suggested_that_the_nearest_items_have():
    likes = tagged("aabbcc", ("m1", "m2", "m4", "m3", "m1", "m5"))
    model = al.fit(likes, family="item-profile")
    features = likes.item_features
    scores = model.feature_scores(np.array([likes.items.index_of("m1")]))[0]
    column = {features.name_of(at): scores[at] for at in range(3)}
    assert np.isneginf(column["jazz"])  # of a single item
    assert column["rock"] > column["folk"] > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": "tags=2"}, r"block 'tags'; the features have tag, .* Did you mean 'tag'"),
        ({"weights": "tag"}, "names of blocks with a number for each"),
        ({"weights": {"a,b": 1}}, "rename such a column"),
        ({"weights": "tag=x"}, "'tag' must be a number, not 'x'"),
        ({"weights": "tag=-1"}, "of at least 0, not -1.0"),
        ({"weights": "tag=1,tag=2"}, "two of block 'tag'"),
        ({"weights": 3}, "a text or a mapping"),
        ({"rarity_exponent": 11}, "at most 10"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        al.fit(LIKES, family="item-profile", **settings)


def test_without_features_and_with_others_it_says_so():
    with pytest.raises(DataError, match=r"these interactions have none\. Read them with features"):
        al.fit(tiny_likes(), family="item-profile")
    model = al.fit(LIKES, family="item-profile")
    with pytest.raises(DataError, match="The new items have other features"):
        model.with_cold_items(FeatureTable.of_words("other", {"b": ["x"]}))
