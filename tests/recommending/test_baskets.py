"""Similar items of a set: held to sums over its items, written down in float64."""

import itertools

import numpy as np
import pytest

import alsolike as al
from alsolike.errors import SettingError, UnknownId
from alsolike.models.fit import fit
from alsolike.recommending.baskets import similar_to_set
from alsolike.recommending.batch import similar
from alsolike.testing import tiny_likes
from made_up import same, small_model

LIKES = tiny_likes(60, 40)
KNN = fit(LIKES, family="item-knn")
ALS = small_model()


def test_of_counts_it_is_who_likes_some_of_the_set_by_how_many_of_it_they_like():
    liked = LIKES.user_items.toarray() > 0
    items = ["a0", "a3", "a6"]
    rows = LIKES.items.indices_of(items)
    weights = liked[:, rows].sum(axis=1)
    counts = weights @ liked.astype(np.float64)
    likes = np.maximum(liked.sum(axis=0), 1)
    for bias in (0.0, 0.8, 1.0):
        scores = counts * likes ** ((bias - 1) / 2) / liked[:, rows].sum()
        scores[[*rows, *np.flatnonzero(LIKES.like_counts < 2)]] = 0
        best = np.lexsort((np.arange(len(scores)), -scores))[:7]
        found = similar_to_set(KNN, items, k=7, popularity_bias=bias)
        np.testing.assert_allclose(found["score"], scores[best], rtol=1e-6)
        np.testing.assert_allclose(scores[LIKES.items.indices_of(found["similar_item"])],
                                   scores[best], rtol=1e-6)  # fmt: skip


@pytest.mark.parametrize("model", [ALS, KNN], ids=["als", "item-knn"])
def test_of_one_item_it_is_the_items_own_list(model):
    for item in list(model.items)[:9]:
        found, own = similar_to_set(model, [item], k=5), similar(model, item, k=5)
        assert found.column_names == own.column_names[1:]
        for name in found.column_names:
            assert found[name].tolist() == own[name].tolist()
        same(found, similar_to_set(model, item, k=5))


def test_a_family_without_a_dial_has_sets_of_one_item():
    model = fit(LIKES, family="ease")
    found, own = similar_to_set(model, ["a0"], k=5), similar(model, "a0", k=5)
    assert found["similar_item"].tolist() == own["similar_item"].tolist()


@pytest.mark.parametrize("affinity", ["evidence", "audience", "cosine", "dot"])
def test_a_set_has_no_order_and_lists_none_of_its_own(affinity):
    items = ["i03", "Name 7", "i11"]
    how = {"k": 30, "affinity": affinity, "popularity_bias": 0.5, "min_count": 1}
    first = similar_to_set(ALS, items, **how)
    assert len(first)
    assert not {"i03", "i07", "i11"} & set(first["similar_item"])
    assert (np.diff(first["score"]) <= 0).all()
    assert (first["score"] > 0).all()
    for order in itertools.permutations(items):
        same(similar_to_set(ALS, list(order), **how), first)
    rows = ALS.items.indices_of(["i11", "i03", "i07"])
    same(similar_to_set(ALS, rows, **how), first)


def test_wrong_sets_are_refused():
    with pytest.raises(SettingError, match="item 'i07' is given more than once"):
        similar_to_set(ALS, ["i07", "i03", "Name 7"])
    with pytest.raises(UnknownId, match="item 'i99' is neither an id nor a name"):
        similar_to_set(ALS, ["i03", "i99"])
    with pytest.raises(SettingError, match="at least one item expected, an empty set given"):
        similar_to_set(ALS, [])
    with pytest.raises(SettingError, match="item ids must be text"):
        similar_to_set(ALS, [3])
    with pytest.raises(SettingError, match="k must be"):
        similar_to_set(ALS, ["i03"], k=0)
    with pytest.raises(TypeError, match=r"Example: al\.similar_to_set"):
        al.similar_to_set(ALS, ["i03"], kay=3)
