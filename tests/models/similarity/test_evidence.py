"""Counts, audiences and evidence against a literal reference in float64."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError, Unable
from alsolike.models.factor_model import FactorModel
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.similarity.co_counts import CoCounts, user_weights
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.evidence import KEPT, ItemEvidence
from alsolike.recommending.affinities import similarity_with
from alsolike.testing import tiny_likes


def factor_model(likes: Interactions, factors: int = 5, seed: int = 0) -> FactorModel:
    """Return a model of random factors, whose predictions are mostly above 0."""
    rng = np.random.default_rng(seed)
    return FactorModel(
        users=likes.users,
        items=likes.items,
        user_factors=(rng.normal(size=(likes.n_users, factors)) + 0.5).astype(np.float32),
        item_factors=(rng.normal(size=(likes.n_items, factors)) + 0.5).astype(np.float32),
        item_counts=likes.like_counts,
        catalogue=likes.catalogue,
        history=likes,
    )


def literal_evidence(model: FactorModel, likes: Interactions, kappa: float, bias: float):
    """Return P(j | i) / n_j ** g by the definitions, with loops, in float64."""
    liked = likes.user_items.toarray() > 0
    n_users, n_items = liked.shape
    own = liked.sum(axis=1)
    rarity = np.log(1 + (n_items - own + 0.5) / (own + 0.5)) ** 2
    weights = rarity / rarity[own > 0].mean()
    x, y = model.user_factors.astype(float), model.item_factors.astype(float)
    n = np.maximum(liked.sum(axis=0), 1)
    scores = np.full((n_items, n_items), -np.inf)
    for i in range(n_items):
        users = [u for u in range(n_users) if liked[u, i]]
        size = sum(weights[u] for u in users)
        audience = sum((weights[u] * x[u] for u in users), np.zeros(x.shape[1]))
        audience = audience / size if users else audience
        count = np.array([sum(weights[u] for u in users if liked[u, j]) for j in range(n_items)])
        count[i] = 0
        predicted = y @ audience
        total = predicted.sum() - predicted[i]
        share = (count.sum() / size) / total if users and total > 0 else 0.0
        expected = np.clip(share * predicted, 0, 1)
        p = (count + kappa * expected) / (size + kappa)
        scores[i] = p / n ** ((1 - bias) / 2)
        scores[i, i] = -np.inf
    return np.where(scores > 0, scores, -np.inf)


@pytest.mark.parametrize("bias", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("kappa", [0.5, 100.0])
def test_evidence_is_what_the_definition_says(kappa: float, bias: float):
    likes = tiny_likes(60, 25)
    model = factor_model(likes).with_similarity(
        SimilarityConfig(popularity_bias=bias, prior_strength=kappa)
    )

    found = model.item_scores(slice(None), slice(None)).astype(float)
    np.fill_diagonal(found, -np.inf)

    expected = literal_evidence(model, likes, kappa, bias)
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_evidence_at_1_is_a_probability():
    model = factor_model(tiny_likes(60, 25)).with_similarity(SimilarityConfig(popularity_bias=1.0))
    scores = model.item_scores(slice(None), slice(None))
    assert scores[scores > -np.inf].max() <= 1
    assert model.similarity.most == 1


def test_weights_of_users_are_exact_in_any_order():
    weights = user_weights(np.arange(400), 399)
    assert (weights > 0).all()
    assert np.array_equal(weights * 2**20, np.round(weights * 2**20))
    assert weights[1:].mean() == pytest.approx(1)
    assert (np.diff(weights) <= 0).all()  # who likes more, says less
    shuffled = np.random.default_rng(0).permutation(weights)
    assert shuffled.sum() == weights.sum() == sum(weights[::-1])


def test_counts_are_those_of_a_product_of_matrices():
    likes = tiny_likes(80, 30)
    counts, ones = CoCounts.from_likes(likes), (likes.user_items.toarray() > 0).astype(float)
    expected = ones.T @ (counts.weights[:, None] * ones)
    for row in range(30):
        items, found = counts.of(row)
        dense = np.zeros(30)
        dense[items] = found
        expected[row, row] = 0
        np.testing.assert_array_equal(dense, expected[row])
    np.testing.assert_array_equal(counts.sizes, ones.T @ counts.weights)


def test_dislikes_do_not_count():
    users, items = ["a", "a", "b", "b"], ["x", "y", "x", "y"]
    likes = Interactions.from_columns(users, items, values=[1.0, 2.0, -1.0, 3.0])
    counts = CoCounts.from_likes(likes, equal=True)
    assert counts.of(0)[1].tolist() == [1.0]
    assert counts.sizes.tolist() == [1.0, 2.0]
    assert counts.likers(1).tolist() == [0, 1]


def test_an_item_without_likers_has_nothing():
    matrix = sp.csr_array(np.array([[1, 1, 0], [1, 0, 0]], dtype=np.float32))
    likes = Interactions.from_columns(["u"], ["i"])
    likes = Interactions(matrix, _ids("u", 2, likes.users), _ids("i", 3, likes.items))
    counts = CoCounts.from_likes(likes)
    assert counts.of(2)[0].tolist() == []
    model = factor_model(likes)
    assert (model.item_scores([2], slice(None)) == -np.inf).all()
    assert (model.evidence.audiences[2] == 0).all()


def _ids(letter: str, count: int, like):
    return type(like).of([f"{letter}{n}" for n in range(count)], kind=like.kind)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_audiences_do_not_depend_on_threads(seed: int):
    likes = tiny_likes(50, 20)
    model = factor_model(likes, seed=seed)
    one, two = (
        ItemEvidence.of(model.user_factors, model.item_factors, likes, LocalEngine(threads))
        for threads in (1, 2)
    )
    assert one.audiences.tobytes() == two.audiences.tobytes()
    assert one.shares.tobytes() == two.shares.tobytes()


def test_predictions_that_sum_to_nothing_leave_the_counts():
    likes = tiny_likes(60, 25)
    model = factor_model(likes)
    model = replace(model, item_factors=-np.abs(model.item_factors),
                    user_factors=np.abs(model.user_factors))  # fmt: skip
    assert (model.evidence.shares == 0).all()
    scores = model.item_scores(slice(None), slice(None))
    ones = (likes.user_items.toarray() > 0).astype(float)
    shared = ones.T @ ones
    np.fill_diagonal(shared, 0)
    np.testing.assert_array_equal(scores > -np.inf, shared > 0)


def test_a_bundle_without_history_keeps_the_strongest_counts(tmp_path):
    likes = tiny_likes(60, 25)
    model = factor_model(likes)
    al.save(model, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    assert loaded.affinities == model.affinities
    everything = slice(None), slice(None)
    np.testing.assert_array_equal(loaded.item_scores(*everything), model.item_scores(*everything))
    assert len(likes.items) < KEPT  # so that nothing was left out here


def test_only_the_strongest_counts_are_kept():
    likes = tiny_likes(200, 60)
    counts, n = CoCounts.from_likes(likes), np.maximum(likes.like_counts, 1).astype(float)
    kept = counts.strongest(7, n, LocalEngine(1))
    for row in range(60):
        items, found = counts.of(row)
        order = sorted(range(len(items)), key=lambda at: (-found[at] * n[items[at]] ** -0.25, at))
        expected = sorted(items[order[:7]].tolist())
        assert kept.of(row)[0].tolist() == expected
    np.testing.assert_array_equal(kept.sizes, counts.sizes)


def test_item_knn_without_history_keeps_its_counts(tmp_path):
    model = al.fit(tiny_likes(60, 25), ItemKNNConfig(weighting="bm25"))
    al.save(model, tmp_path / "model", with_history=False)
    loaded, everything = al.load(tmp_path / "model"), (slice(None), slice(None))
    np.testing.assert_array_equal(loaded.item_scores(*everything), model.item_scores(*everything))


def test_the_settings_of_similar_items_are_saved(tmp_path):
    config = SimilarityConfig(affinity="audience", popularity_bias=0.25, prior_strength=30)
    model = factor_model(tiny_likes(60, 25)).with_similarity(config)
    al.save(model, tmp_path / "model")
    assert al.load(tmp_path / "model").similarity_config == config


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"popularity_bias": 1.2}, "from 0 .specific items. to 1 .popular items., not 1.2"),
        ({"popularity_bias": float("nan")}, "popularity_bias must be a number"),
        ({"popularity_bias": "auto"}, "popularity_bias must be a number"),
        ({"popularity_bias": True}, "popularity_bias must be a number"),
        ({"prior_strength": 0}, "prior_strength must be a finite number above 0"),
        ({"affinity": "evidense"}, "Did you mean 'evidence'"),
    ],
)
def test_settings_out_of_range(settings, says):
    with pytest.raises(SettingError, match=says):
        SimilarityConfig(**settings)


def test_an_affinity_that_the_model_lacks():
    model = al.fit(tiny_likes(), ItemKNNConfig())
    with pytest.raises(SettingError, match="'item-knn' has the affinities counts, not 'cosine'"):
        model.with_similarity(SimilarityConfig(affinity="cosine"))


def test_a_family_without_a_dial_says_so():
    model = al.fit(tiny_likes(), family="ease")
    with pytest.raises(
        Unable, match=r"with a dial from specific to popular items .* 'ease' has none"
    ):
        similarity_with(model, popularity_bias=0.5)


def test_without_likes_there_is_no_evidence():
    model = replace(factor_model(tiny_likes(60, 25)), history=None)
    assert model.affinities == ("cosine", "dot")
    with pytest.raises(SettingError, match="saved without its likes"):
        model.with_similarity(SimilarityConfig(affinity="evidence"))
