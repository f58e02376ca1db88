"""Blends: scores by their definition, the same bytes in any blocks, and what members can do."""

import itertools
import json
import pickle
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError, SettingError
from alsolike.models.base import FittedModel
from alsolike.models.blend.config import BlendConfig
from alsolike.models.blend.model import blend_of
from alsolike.models.blend.standardized import Standardized, in_whole_units, standardize
from alsolike.models.family import TrainingData, training_key
from alsolike.models.memo import Memo
from alsolike.models.protocols import (
    Explains,
    FoldsIn,
    FoldsInItems,
    HasAffinities,
    HasFactors,
    ItemScorer,
    factor_model_of,
)
from alsolike.models.registry import config_of, family_of
from alsolike.recommending.batch import recommend, top_items
from alsolike.recommending.explain import explain
from alsolike.recommending.single import recommend_one
from alsolike.testing import tiny_likes, tiny_model
from forged import rewrite
from made_up import same

LIKES = tiny_likes(60, 40)
EVERYTHING = slice(None)
ALS = al.ALSConfig(factors=7, iterations=3)
KNN = al.ItemKNNConfig(neighbours=9)
EASE = al.EASEConfig(regularization=20.0)
PAIR = BlendConfig(members=(ALS, KNN), weights=(0.7, 0.3))
TRIPLE = BlendConfig(members=(EASE, ALS, KNN), weights=(5, 3, 2))


def by_definition(config: BlendConfig, likes: al.Interactions = LIKES) -> Any:
    """Add up the members' scores over their standard deviations, in loops of float64."""
    scores = [al.fit(likes, one).scores(EVERYTHING, EVERYTHING) for one in config.members]
    total = np.zeros(scores[0].shape)
    for user in range(len(total)):
        for weight, own in zip(config.weights, scores, strict=True):
            row = [float(one) for one in own[user]]
            mean = sum(row) / len(row)
            deviation = (sum((one - mean) ** 2 for one in row) / len(row)) ** 0.5
            if deviation > 1e-6 * max(map(abs, row)):
                total[user] += weight * np.array(row) / deviation
    return total


@pytest.mark.parametrize("config", [PAIR, TRIPLE], ids=["pair", "triple"])
def test_scores_are_those_of_the_definition(config):
    found = al.fit(LIKES, config).scores(EVERYTHING, EVERYTHING)
    np.testing.assert_allclose(found, by_definition(config), rtol=2e-5, atol=2e-5)


def test_lists_are_those_of_weighted_z_scores():
    """The means only move the scores of a user."""
    scores = [al.fit(LIKES, one).scores(EVERYTHING, EVERYTHING) for one in PAIR.members]
    deviations = [own.std(axis=1, dtype=np.float64)[:, None] for own in scores]
    z_scores = [
        (own - own.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
        for own, deviation in zip(scores, deviations, strict=True)
    ]
    expected = 0.7 * z_scores[0] + 0.3 * z_scores[1]
    found = top_items(al.fit(LIKES, PAIR), np.arange(59), k=10)
    for row, (items, own) in enumerate(zip(found.indices, expected, strict=False)):
        best = np.sort(own)[::-1][:10]
        np.testing.assert_allclose(own[items], best, atol=1e-5, err_msg=f"user {row}")


@pytest.mark.parametrize("factors", [1, 7, 64, 1024])
def test_products_of_factors_are_exact_in_any_order(factors):
    model = tiny_model(9, 300, factors)
    member = Standardized(model)
    whole = member._products(model.user_factors)
    for rows in ([4], [4, 0, 8], [8, 4, 1, 0, 3]):
        assert member._products(model.user_factors[rows]).tobytes() == whole[rows].tobytes()
    exact = model.user_factors.astype(np.float64) @ model.item_factors.astype(np.float64).T
    lengths = np.linalg.norm(model.user_factors, axis=1)[:, None] * model.item_norms
    assert (np.abs(whole - exact) <= 3e-6 * lengths).all()
    digits = min((53 - (factors - 1).bit_length()) // 2, 24)
    units, _ = in_whole_units(model.item_factors, digits)
    assert np.abs(units).max() <= 2**digits
    assert (units == np.rint(units)).all()


def test_deviations_are_of_each_row_alone():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((50, 9001))
    whole, deviations = np.zeros((50, 9001), dtype=np.float32), np.zeros(50)
    standardize(scores, whole, deviations)
    for row in (0, 17, 49):
        alone, own = np.zeros((1, 9001), dtype=np.float32), np.zeros(1)
        standardize(scores[row : row + 1], alone, own)
        assert alone.tobytes() == whole[row].tobytes()
        assert own.tobytes() == deviations[row : row + 1].tobytes()
    np.testing.assert_allclose(deviations, scores.std(axis=1), rtol=1e-12)
    turned = np.zeros_like(whole)  # a view in another order gives the same
    standardize(np.asfortranarray(scores), turned, np.zeros(50))
    assert turned.tobytes() == whole.tobytes()


@pytest.mark.parametrize(
    "scores", [np.full((2, 7), 0.1), np.zeros((2, 7)), np.full((2, 7), 0.1) + 1e-9 * np.arange(7)]
)
def test_scores_that_differ_by_rounding_alone_add_nothing(scores):
    found, deviations = np.zeros(scores.shape, dtype=np.float32), np.ones(2)
    standardize(scores, found, deviations)
    assert not found.any()
    assert not deviations.any()


def test_items_that_must_not_be_listed_remain_so_and_take_no_part():
    scores = np.array([[1.0, -np.inf, 3.0], [1.0, 2.0, 3.0], [-np.inf, -np.inf, -np.inf]])
    found, deviations = np.zeros((3, 3), dtype=np.float32), np.zeros(3)
    standardize(scores, found, deviations)
    np.testing.assert_allclose(deviations, [1.0, np.std([1, 2, 3]), 0.0])
    np.testing.assert_allclose(found[0], [1.0, -np.inf, 3.0])
    np.testing.assert_allclose(found[1], scores[1] / np.std([1, 2, 3]), rtol=1e-6)
    assert np.isneginf(found[2]).all()


def test_rows_are_ranked_in_parts_where_there_are_many_items(monkeypatch):
    model = al.fit(tiny_likes(300, 44), PAIR)
    whole = recommend(model, k=44)
    pairs = al.scores(model, ["user 3", "user 290"], ["a0", "é1"])
    monkeypatch.setattr("alsolike.recommending.ranking.score_blocks._WHOLE", 44 * 7)
    monkeypatch.setattr("alsolike.recommending.ranking.score_blocks._FEWEST", 1)
    monkeypatch.setattr("alsolike.models.blend.standardized._BLOCK", 44 * 3)
    monkeypatch.setattr("alsolike.models.blend.standardized._FEWEST_ROWS", 1)
    same(recommend(model, k=44), whole)
    same(al.scores(model, ["user 3", "user 290"], ["a0", "é1"]), pairs)


def test_no_byte_depends_on_blocks_threads_or_what_is_kept():
    likes = tiny_likes(300, 44)
    model, kept = al.fit(likes, TRIPLE), al.fit(TrainingData(likes, Memo()), TRIPLE)
    whole = model.scores(EVERYTHING, EVERYTHING)
    for rows in ([5], [7, 5, 7], range(290, 300)):
        for one in (model, kept, kept):
            block = one.scores(np.array(rows), slice(3, 20))
            assert block.tobytes() == np.ascontiguousarray(whole[list(rows), 3:20]).tobytes()
    tables = [recommend(model, k=44, engine=LocalEngine(threads)) for threads in (1, 2)]
    same(*tables)
    same(tables[0], recommend(kept, k=44))
    user = likes.users.id_of(7)
    same(recommend_one(model, user, k=44), recommend(model, user, k=44))


def test_new_people_get_what_known_ones_with_their_likes_get():
    model = al.fit(LIKES, PAIR)
    found = model.user_scores(LIKES.user_items, EVERYTHING)
    np.testing.assert_allclose(found, model.scores(EVERYTHING, EVERYTHING), atol=1e-4)
    alone = model.user_scores(LIKES.user_items[[4]], slice(2, 9))
    assert alone.tobytes() == found[[4], 2:9].tobytes()


def test_a_history_that_is_replaced_is_that_of_each_member():
    fewer = LIKES.keep(np.arange(LIKES.n_interactions) % 2 == 0)
    for memo in (None, Memo()):
        moved = al.fit(TrainingData(LIKES, memo), PAIR).with_history(fewer)
        assert moved.history is fewer
        assert [one.history for one in moved.members] == [fewer, fewer]


def test_an_explanation_names_what_each_member_adds():
    model = al.fit(LIKES, PAIR)
    user = LIKES.users.id_of(3)
    item = al.recommend(model, user, k=1)["item"].tolist()[0]
    why = explain(model, user, item)
    assert why.members == ("als", "item-knn")
    parts = [explain(one, user, item).parts for one in model.members]
    scores = [one.scores([3], EVERYTHING)[0].astype(np.float64) for one in model.members]
    for name, weight, own, score in zip(why.members, (0.7, 0.3), parts, scores, strict=True):
        assert why.parts[name].sum() == pytest.approx(
            weight * own["contribution"].sum() / score.std(), rel=1e-3
        )
    added = why.parts["als"] + why.parts["item-knn"]
    np.testing.assert_allclose(why.parts["contribution"], added)
    assert why.score == pytest.approx(why.stored_score, abs=1e-4)
    assert "item-knn" in f"{why}"


def test_similar_items_are_those_of_the_first_member_with_a_dial(tmp_path):
    model = al.fit(LIKES, TRIPLE)
    assert model.config.comparing == 1
    same(al.similar(model, k=5), al.similar(model.members[1], k=5))
    turned = al.with_similarity(model, popularity_bias=0.1, affinity="cosine")
    same(al.similar(turned, k=5), al.similar(turned.members[1], k=5))
    assert turned.members[0] is model.members[0]
    al.save(turned, tmp_path / "model")
    loaded = al.load(tmp_path / "model")
    assert loaded.similarity_config == turned.similarity_config
    same(al.similar(loaded, k=5), al.similar(turned, k=5))
    assert (
        loaded.scores(EVERYTHING, EVERYTHING).tobytes()
        == model.scores(EVERYTHING, EVERYTHING).tobytes()
    )


def test_a_bundle_without_history_does_what_its_members_do_without(tmp_path):
    model = al.fit(LIKES, PAIR)
    al.save(model, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    assert loaded.affinities[0] == "evidence"
    same(al.similar(loaded, k=3), al.similar(al.load(tmp_path / "model"), k=3))
    folded = loaded.user_scores(LIKES.user_items, EVERYTHING)
    assert folded.tobytes() == model.user_scores(LIKES.user_items, EVERYTHING).tobytes()
    with pytest.raises(SettingError, match="saved without its history, which item-knn needs"):
        loaded.scores(EVERYTHING, EVERYTHING)


def test_a_model_has_the_abilities_of_its_members():
    whole = al.fit(LIKES, PAIR)
    for protocol in (FoldsIn, FoldsInItems, Explains, ItemScorer, HasAffinities):
        assert isinstance(whole, protocol)
    assert not isinstance(whole, HasFactors)
    assert factor_model_of(whole, "compare users") is whole.members[0]
    table = al.similar_users(whole, k=2)
    assert table["score"].tolist() == al.similar_users(whole.members[0], k=2)["score"].tolist()
    eases = BlendConfig(members=(EASE, al.EASEConfig(regularization=90.0)))
    assert eases.names == ("ease 1", "ease 2")
    without_dial = al.fit(LIKES, eases)
    assert isinstance(without_dial, ItemScorer)
    assert not isinstance(without_dial, HasAffinities)
    assert al.similar(without_dial, "a0", k=3)["score"].tolist() == (
        al.similar(without_dial.members[0], "a0", k=3)["score"].tolist()
    )
    mute = blend_of(PAIR, [Mute(LIKES), whole.members[1]])
    for protocol in (FoldsIn, FoldsInItems, Explains):
        assert not isinstance(mute, protocol)
    assert len(al.recommend(mute, k=3))
    counts = BlendConfig(members=(KNN, al.ItemKNNConfig(weighting="bm25")))
    assert al.fit(LIKES, counts).score_of_nothing == 0
    assert whole.score_of_nothing is None
    again = pickle.loads(pickle.dumps(whole))  # noqa: S301 - our own bytes
    assert again.scores([1], EVERYTHING).tobytes() == whole.scores([1], EVERYTHING).tobytes()


@dataclass(frozen=True, eq=False)
class Mute(FittedModel):
    """Scores users, and can do nothing else."""

    history: Any
    name: ClassVar[str] = "mute"

    def __post_init__(self):
        for name in ("users", "items", "catalogue", "item_counts"):
            object.__setattr__(self, name, getattr(self.history, name))

    def scores(self, user_indices, item_indices):
        block = np.arange(40.0) * (1 + np.arange(60.0)[user_indices])[:, None]
        return block[:, item_indices].astype(np.float32)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"members": [{}]}, "A blend has two or three members, not 1"),
        ({"members": {"factors": 3}}, "members of a blend must be a list, not"),
        ({"members": [{}, {"model": "ease"}, {"model": "item-knn"}]}, "each of the 3 members"),
        ({"members": [{}, {"factor": 3}]}, "Unknown settings .'factor'."),
        ({"members": [{}, {"model": "eas"}]}, "Did you mean 'ease'"),
        ({"members": [{}, 3]}, "Settings expected, not"),
        ({"members": [{}, {"model": "popularity"}]}, "'popularity' cannot .* it is a baseline"),
        ({"members": [{}, {"model": "blend"}]}, "made of models itself"),
        ({"members": [{}, {}]}, "Two members of a blend are the same"),
        ({"weights": [1, 0]}, "Each weight of a blend must be a finite number above 0, not 0"),
        ({"weights": [1, np.nan]}, "Each weight of a blend must be a finite number above 0"),
        ({"weights": [1, "much"]}, "Each weight of a blend must be a finite number above 0"),
        ({"weights": 0.5}, "weights of a blend must be a list"),
        ({"weight": [0.5]}, "Unknown settings"),
    ],
)
def test_settings_that_cannot_be(given, message):
    with pytest.raises(SettingError, match=message):
        BlendConfig.from_settings({"model": "blend", **given})


def test_settings_go_through_text_and_are_scaled_once():
    for weights in itertools.permutations((1, 2, 4)):
        config = BlendConfig(members=(ALS, KNN, EASE), weights=weights)
        assert sum(config.weights) == pytest.approx(1)
        again = config_of(json.loads(json.dumps(config.to_settings())))
        assert again == config
        assert hash(again) == hash(config)
    assert f"{PAIR}" == "als 7 factors 0.7 + item-knn cosine 0.3"
    assert family_of(PAIR).labels(PAIR) == {"of": f"{PAIR}"}


def test_the_family_adds_up_what_its_members_need():
    family, data = family_of(PAIR), TrainingData(LIKES)
    each = [family_of(one) for one in PAIR.members]
    costs = [one.cost(c, 60, 40) for one, c in zip(each, PAIR.members, strict=True)]
    assert family.cost(PAIR, 60, 40) == sum(costs)
    assert family.memory(data, PAIR, 2) >= each[0].memory(data, ALS, 2)
    code = family.code(PAIR, LIKES)
    assert code == tuple(
        (one.name, one.code(c, LIKES)) for one, c in zip(each, PAIR.members, strict=True)
    )
    assert family.small(code).names == ("als", "item-knn")
    assert list(family.kernels(PAIR)) == [
        kernel for one, c in zip(each, PAIR.members, strict=True) for kernel in one.kernels(c)
    ]
    assert family.beside_items(TRIPLE) == ALS
    assert family.compared_by(BlendConfig(members=(EASE, KNN))) == "cosine"


@pytest.mark.parametrize(
    ("forged", "message"),
    [
        ({"members": [{}, {"model": "wide"}]}, "Unknown model 'wide'"),
        ({"weights": [3, -1]}, "Each weight of a blend must be"),
        ({"members": [{"factors": 7}, {"model": "ease"}]}, "tensor 'member2.weights': .* missing"),
    ],
)
def test_forged_bundles_are_refused(forged, message, tmp_path):
    al.save(al.fit(LIKES, PAIR), tmp_path / "model")
    rewrite(tmp_path / "model", lambda stated: stated["settings"].update(forged))
    with pytest.raises(BundleError, match=message):
        al.load(tmp_path / "model")


def test_a_memo_makes_each_thing_once_and_keeps_the_best():
    memo, made = Memo(1000, keeps_best=True), []

    def make(name):
        made.append(name)
        return name

    wanted = {name: (lambda name=name: make(name)) for name in "ab"}
    LocalEngine(4).each(lambda _: memo.models(wanted), range(8))
    assert sorted(made) == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        memo.models({"c": lambda: 1 // 0})
    assert memo.models({"c": lambda: 3}) == [3]
    blocks = [memo.array(size, lambda size=size: np.zeros(size)) for size in (100, 100, 50, 50)]
    assert blocks[0] is blocks[1]  # 800 bytes are kept, 400 more are not
    assert blocks[2] is not blocks[3]
    memo.offer("als", "key", "model", 0.5, 600)
    memo.offer("ease", "other", "large", 0.5, 500)  # no room
    memo.offer("als", "worse", "worse", 0.4, 1)
    assert memo.models({"key": lambda: "fitted", "other": lambda: "fitted"}) == ["model", "fitted"]
    memo.clear()
    assert memo.models({"key": lambda: "fitted"}) == ["fitted"]
    assert pickle.loads(pickle.dumps(memo))._models == {}  # noqa: S301 - our own bytes
    assert training_key(config_of({"model": "ease", "regularization": 20})) == training_key(EASE)


def test_rows_of_likes_without_any_score_nothing():
    nobody = sp.csr_array((1, 40), dtype=np.float32)
    assert not al.fit(LIKES, PAIR).user_scores(nobody, EVERYTHING).any()
