"""Answers by features: items for tags, tags for items, items by features, cold items and users."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError, Unable, UnknownId
from alsolike.recommending.features.comparing import FeatureComparison, unit_rows_of
from alsolike.recommending.features.names import FeatureNames, words_by_block
from alsolike.recommending.features.reasons import features_behind
from alsolike.recommending.features.suggesting import co_likes_of, suggestions_of
from alsolike.recommending.single import similar_to
from alsolike.testing import tiny_model
from toy_features import TAGS, tagged_likes, tagged_model

KNN = tagged_model()
TOY = tagged_model("tag-sums")


def tags_of(model, item):
    features = model.item_features
    row = features.matrix[[model.items.index_of(item)]]
    return {features.name_of(one) for one in row.indices}


def test_names_are_found_exactly_without_case_by_label_and_block():
    names = FeatureNames(KNN.item_features)
    column = names.column_of("castle")
    assert names.column_of("tag: castle") == names.column_of("CASTLE") == column
    assert names.column_of("castle", "tag") == column
    with pytest.raises(UnknownId, match=r"no feature 'castel' among the 5 here. Did you mean 'cas"):
        names.column_of("castel")
    with pytest.raises(UnknownId, match=r"no features 'genre' that are words here. Known are: tag"):
        names.column_of("castle", "genre")
    assert [KNN.item_features.name_of(one) for one in names.matching("S")][:2] == ["castle", "Sea"]


def test_a_word_of_two_blocks_asks_for_one():
    tags = Features.of_words("tag", [["x"]])
    both = Features(
        tags.matrix[:, [0, 0]], (*tags.blocks, Features.of_words("y", [["x"]]).blocks[0])
    )
    with pytest.raises(
        UnknownId, match=r"2 features are called 'x'. Give one of 'tag: x' or 'y: x'"
    ):
        FeatureNames(both).column_of("x")
    assert FeatureNames(both).column_of("y: x") == 1


@pytest.mark.parametrize("model", [KNN, TOY], ids=["by cosine", "by the model"])
def test_items_for_features_have_them(model):
    found = al.items_for_features(model, ["castle", "medieval"], k=5)
    assert found.column_names == ("rank", "item", "name", "score")
    assert all({"castle", "medieval"} <= tags_of(model, one) for one in found["item"])
    same = al.items_for_features(model, {"tag": ["medieval", "castle"]}, k=5)
    assert same.to_dict()["item"].tolist() == found["item"].tolist()
    only = found["item"].tolist()[1]
    assert al.items_for_features(model, "castle", allow=[only])["item"].tolist() == [only]


def test_items_for_features_refuse_what_cannot_be_asked():
    with pytest.raises(SettingError, match="No feature is given"):
        al.items_for_features(KNN, [])
    with pytest.raises(SettingError, match="castle' is given more than once"):
        al.items_for_features(KNN, ["castle", "tag: castle"])
    with pytest.raises(SettingError, match="by their names, not by"):
        al.items_for_features(KNN, [3])
    with pytest.raises(Unable, match=r"'als' knows none. Train on likes with item features"):
        al.items_for_features(tiny_model(), "castle")


def test_unit_rows_have_length_one_and_weigh_rare_words_more():
    units = unit_rows_of(KNN.item_features).toarray()
    lengths = np.sqrt((units**2).sum(axis=1))
    assert np.allclose(lengths[KNN.item_features.has], 1)
    assert not lengths[~KNN.item_features.has].any()
    counts = FeatureNames(KNN.item_features).counts
    (row,) = np.flatnonzero(units[:, 0])[:1]  # the fifth word, on few items
    assert units[row].argmax() == counts.argmin()


def test_parts_of_words_count_only_where_there_is_nothing_else():
    words = Features.of_words("text", [["castle"], ["castles"], []])
    parts = Features.of_words("parts", [["cas"], ["cas"], ["cas"]])
    grams = replace(parts.blocks[0], encoding={"parts": "grams"})
    both = Features(sp.csr_array(sp.hstack([words.matrix, parts.matrix])), (*words.blocks, grams))
    assert unit_rows_of(both).toarray()[:, :2].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert not unit_rows_of(both).toarray()[:, 2].any()
    alone = Features.of_words("parts", [["cas"], ["sea"]])
    alone = Features(alone.matrix, (replace(alone.blocks[0], encoding={"parts": "grams"}),))
    assert unit_rows_of(alone).toarray().tolist() == [[1, 0], [0, 1]]


def test_similar_by_features_is_the_cosine_of_unit_rows():
    units = unit_rows_of(KNN.item_features).toarray()
    cosines = units @ units[0]
    cosines[0] = 0
    found = al.similar(KNN, KNN.items.id_of(0), by="features", k=40)
    assert len(found) == np.count_nonzero(cosines > 0)
    assert np.allclose(found["score"], np.sort(cosines[cosines > 0])[::-1])
    alone = similar_to(KNN, KNN.items.id_of(0), by="features", k=3)
    assert alone["similar_item"].tolist() == found["similar_item"].tolist()[:3]


def test_both_lies_between_likes_and_features():
    item = KNN.items.id_of(4)
    lists = {
        weight: al.similar(KNN, item, by="both", weight=weight, k=5)["similar_item"].tolist()
        for weight in (0, 0.5, 1)
    }
    likes = al.similar(KNN, item, k=5, popularity_bias=KNN.similarity_config.popularity_bias)
    assert lists[0] == likes["similar_item"].tolist()
    by_features = al.similar(KNN, item, by="features", k=5)
    assert set(lists[1]) == set(by_features["similar_item"].tolist())
    assert lists[0.5] not in (lists[0], lists[1])


def test_by_refuses_other_words_and_settings_of_likes():
    item = KNN.items.id_of(0)
    with pytest.raises(SettingError, match=r"not 'feature'. Did you mean 'features'"):
        al.similar(KNN, item, by="feature")
    with pytest.raises(SettingError, match="popularity_bias belongs to the comparison by likes"):
        al.similar(KNN, item, by="both", popularity_bias=0.2)
    with pytest.raises(SettingError, match="from 0 to 1, not 2"):
        al.similar(KNN, item, by="both", weight=2)
    with pytest.raises(Unable, match="knows none"):
        al.similar(tiny_model(), "a0", by="features")


def test_suggestions_leave_out_own_and_rare_features():
    for item in list(KNN.items)[:8]:
        found = al.suggest_features(KNN, item)
        assert not {one.removeprefix("tag: ") for one in found["feature"]} & tags_of(KNN, item)
        assert (found["items"] >= 2).all()
        assert (np.diff(found["score"]) <= 0).all()
    many = al.suggest_features(KNN, list(KNN.items), min_support=15)
    assert "tag: <b>hill</b>" not in many["feature"].tolist()
    with pytest.raises(UnknownId, match=r"no features 'genre'"):
        al.suggest_features(KNN, KNN.items.id_of(0), blocks="genre")


def test_suggestions_are_votes_of_the_nearest_items():
    suggesting = suggestions_of(KNN)
    units, likes = unit_rows_of(KNN.item_features).toarray(), KNN.history.user_items.toarray() > 0
    both, counts = likes.T.astype(int) @ likes, likes.sum(axis=0)
    assert co_likes_of(KNN.history, 5).tolist() == both[5].tolist()
    near = units @ units[5] + both[5] / (np.sqrt(counts[5] * counts) + 1)
    near[5] = 0
    votes = near**1.5 @ (KNN.item_features.matrix.toarray() > 0)
    assert np.allclose(suggesting.scores(5), votes)


def test_suggestions_by_the_model_are_its_own_scores():
    model = al.fit(tagged_likes(), family="feature-als", factors=4, iterations=3)
    item = model.items.id_of(2)
    scores = model.feature_scores(np.array([2]))[0]
    found = al.suggest_features(model, item, by="model", min_support=0)
    lacking = model.item_features.matrix[[2]].toarray()[0] == 0
    assert np.allclose(found["score"], np.sort(scores[lacking & (scores > 0)])[::-1])
    with pytest.raises(Unable, match="compares features with items is needed"):
        al.suggest_features(KNN, item, by="model")
    with pytest.raises(SettingError, match=r"neighbours, model, not 'neighbors'. Did you mean"):
        al.suggest_features(KNN, item, by="neighbors")


def test_an_item_without_likes_gets_suggestions_by_its_features():
    last = KNN.items.id_of(int(np.argmin(KNN.item_counts)))
    assert len(al.suggest_features(KNN, last))


def test_cold_users_are_recommended_by_their_features():
    found = al.recommend_for_features(TOY, "even", k=5)
    assert len(found) == 5
    with pytest.raises(Unable, match="scores by features of users is needed"):
        al.recommend_for_features(KNN, "even")
    with pytest.raises(UnknownId, match="Did you mean 'even'"):
        al.recommend_for_features(TOY, "evne")


def test_reasons_name_features():
    user = TOY.users.id_of(0)
    item = al.recommend(TOY, user, k=1)["item"].tolist()[0]
    likes = TOY.history.user_items[[0]]
    behind = features_behind(TOY, likes.indices, likes.data, TOY.items.index_of(item))
    assert {label.removeprefix("tag: ") for label, _ in behind} <= tags_of(TOY, item)
    other = al.similar(KNN, KNN.items.id_of(0), by="features", k=1)["similar_item"].tolist()[0]
    assert "Both have: " in str(al.why_similar(KNN, KNN.items.id_of(0), other))


def test_cold_items_are_added_and_listed():
    model, report = al.add_items(
        TOY, {"new 1": {"tag": ["castle", "gold"]}, "new 2": {"tag": ["silver"]}}
    )
    assert report.added == ("new 1",)
    assert report.without_features == ("new 2",)
    assert report.unknown_features == {"tag": 2}
    assert "Left out 2 words of 'tag'" in str(report)
    assert len(model.items) == len(TOY.items) + 1
    assert tags_of(model, "new 1") == {"castle"}
    listed = al.items_for_features(model, "castle", k=40)["item"].tolist()
    assert "new 1" in listed
    castle = next(one for one in TOY.items if tags_of(TOY, one) == {"castle", "medieval"})
    assert "new 1" in al.similar(model, castle, by="both", k=40)["similar_item"].tolist()


def test_items_with_likes_are_refused_unless_renewed():
    item = TOY.items.id_of(0)
    with pytest.raises(DataError, match="1 item of these has likes in the model already"):
        al.add_items(TOY, {item: {"tag": ["Sea"]}})
    model, report = al.add_items(TOY, {item: {"tag": ["Sea"]}}, renew=True)
    assert report.renewed == (item,)
    assert not report.added
    assert tags_of(model, item) == {"Sea"}
    assert model.history.item_features is model.item_features
    assert tags_of(TOY, item) != {"Sea"}


def test_new_items_must_fit():
    with pytest.raises(DataError, match="No item is given"):
        al.add_items(TOY, {})
    with pytest.raises(DataError, match="5 features of the model, encoded alike"):
        al.add_items(TOY, FeatureTable.of_words("tag", {"n": ["x"]}))
    with pytest.raises(Unable, match="takes in items by their features is needed"):
        al.add_items(KNN, {"n": {"tag": ["castle"]}})
    table = FeatureTable(Vocabulary.of([7], kind="item"), TOY.item_features.take([0]))
    with pytest.raises(UnknownId, match="text here, not numbers"):
        al.add_items(TOY, table)


def test_words_are_those_that_people_choose():
    assert list(words_by_block(KNN.item_features)) == ["tag"]
    assert set(TAGS) == set(KNN.item_features.blocks[0].names)
    assert tagged_likes().item_features.same_columns(KNN.item_features)


def test_a_comparison_works_without_likes_of_the_item():
    cold = int(np.argmin(KNN.item_counts))
    rows, scores = FeatureComparison(KNN, "both").similar(cold, 5)
    assert len(rows) == 5
    assert np.isfinite(scores).all()
