"""Novelty, diversity and percentile rank against slow definitions, under ties and short lists."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import oracles_metrics as oracle
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.metrics.evaluate import CONTENTS, METRICS, evaluate
from alsolike.evaluation.objectives.kinds import objective_named
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from fixed_model import Fixed

OF_LISTS = ("novelty", "diversity")


@dataclass(frozen=True)
class World:
    """Likes to train on and to find, and a model with many ties over few items."""

    train: Interactions
    held_out: Interactions
    model: Fixed
    features: FeatureVectors

    @classmethod
    def of(cls, seed, *, n_users=7, n_items=7, levels=3):
        rng = np.random.default_rng(seed)
        part = rng.choice(3, (n_users, n_items), p=[0.4, 0.3, 0.3])
        values = rng.choice([-1.0, 1.0, 2.5], (n_users, n_items), p=[0.15, 0.5, 0.35])
        values[0, 0], part[0, 0], values[1, 1], part[1, 1] = 1, 0, 2, 1
        train, held_out = (
            Interactions.from_matrix(sp.csr_array(np.where(part == which, values, 0)))
            for which in (0, 1)
        )
        table = rng.integers(0, levels, (n_users, n_items)).astype(np.float32)
        table[rng.random(table.shape) < 0.15] = -np.inf
        counts = rng.poisson(0.8, (n_items, 5)).astype(float)
        counts[:3, 0], counts[3:, 0] = 1, 0
        model = Fixed(train.users, train.items, table)
        return cls(train, held_out, model, FeatureVectors.of(sp.csr_array(counts)))

    @property
    def likers(self):
        liked = self.train.user_items.toarray() > 0
        return [set(np.flatnonzero(column).tolist()) for column in liked.T]

    def expected(self, user, k, *, exclude_seen):
        """By the definitions, over all orders of equal scores."""
        likers = self.likers
        n_users = len(set().union(*likers))
        vectors = self.features.vectors.toarray()
        seen = set(np.flatnonzero(self.train.user_items.toarray()[user]).tolist())
        measures = {
            "novelty": lambda listed: oracle.novelty(listed, likers, n_users),
            "diversity": lambda listed: oracle.diversity(
                listed, lambda i, j: oracle.cosine_of_likers(likers[i], likers[j])
            ),
            "feature_diversity": lambda listed: oracle.diversity(
                listed, lambda i, j: float(vectors[i] @ vectors[j])
            ),
        }
        scores = self.model.table[user].tolist()
        excluded = seen if exclude_seen else set()
        return {
            name: oracle.expected_over_orders(scores, excluded, k, measure)
            for name, measure in measures.items()
        }


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 4))
def test_contents_are_means_over_all_orders_of_ties(seed, exclude_seen, levels):
    """One level is a tie of all items, of which a list shows some."""
    world, ks = World.of(seed, levels=levels), [1, 2, 4, 12]
    found = evaluate(
        world.model,
        world.held_out,
        exclude=world.train if exclude_seen else None,
        k=ks,
        metrics=CONTENTS,
        likes=world.train,
        features=world.features,
    )
    for place, user in enumerate(found.user_indices.tolist()):
        for k in ks:
            expected = world.expected(user, k, exclude_seen=exclude_seen)
            for name, value in expected.items():
                assert found.per_user[f"{name}@{k}"][place] == pytest.approx(value, abs=1e-12), name


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_percentile_rank_is_the_mean_over_all_orders(seed, exclude_seen):
    world = World.of(seed, n_items=6)
    world.model.table[np.isinf(world.model.table)] = 0
    found = evaluate(
        world.model,
        world.held_out,
        exclude=world.train if exclude_seen else None,
        metrics=["percentile_rank", "pooled_percentile_rank"],
    )
    values = world.held_out.user_items.toarray()
    weighted, total = 0.0, 0.0
    for place, user in enumerate(found.user_indices.tolist()):
        own = {i: v for i, v in enumerate(values[user].tolist()) if v > 0}
        seen = set(np.flatnonzero(world.train.user_items.toarray()[user]).tolist())
        scores, excluded = world.model.table[user].tolist(), seen if exclude_seen else set()
        expected = oracle.percentile_rank(scores, own, excluded)
        assert found.per_user["percentile_rank"][place] == pytest.approx(expected, abs=1e-12)
        weighted, total = weighted + sum(own.values()) * expected, total + sum(own.values())
    assert found.mean("pooled_percentile_rank") == pytest.approx(weighted / total, abs=1e-12)
    assert found.single == {"pooled_percentile_rank": found.pooled_percentile_rank}


def _fitted(seed=0):
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((40, 30)) < 0.4)
    likes = Interactions.from_columns(
        [f"u{user:02}" for user in users], [f"i{item:02}" for item in items],
        rng.integers(1, 5, len(users)).astype(float),
    )  # fmt: skip
    split = hold_out(likes, k=2)
    return fit(split.train, ALSConfig(factors=4, iterations=2)), split


def test_a_model_with_factors_is_ranked_by_the_scores_of_its_lists():
    model, split = _fitted()
    # Equal factors: whole groups of items with one score.
    factors = np.array(model.item_factors)
    factors[10:20] = factors[10]
    model = replace(model, item_factors=factors)
    scores = model.scores(np.arange(len(model.users)), slice(0, len(model.items)))
    found = evaluate(model, split.test, exclude=split.train, metrics=["percentile_rank", "auc"])
    seen, values = split.train.user_items.toarray(), split.test.user_items.toarray()
    for place, user in enumerate(found.user_indices.tolist()):
        own = {i: v for i, v in enumerate(values[user].tolist()) if v > 0}
        expected = oracle.percentile_rank_by_counts(
            scores[user].tolist(), own, set(np.flatnonzero(seen[user]).tolist())
        )
        assert found.per_user["percentile_rank"][place] == pytest.approx(expected, abs=1e-12)


def test_the_same_bytes_for_any_threads_and_for_renamed_items():
    model, split = _fitted(1)
    model = replace(model, item_factors=np.round(model.item_factors, 0))
    metrics = ["percentile_rank", "novelty", "diversity"]
    how = {"exclude": split.train, "metrics": metrics, "k": [3, 7]}
    one, many = (evaluate(model, split.test, engine=LocalEngine(n), **how) for n in (1, 4))
    order = np.random.default_rng(0).permutation(len(model.items))
    turned = Fixed(
        model.users, model.items,
        model.scores(np.arange(len(model.users)), slice(0, len(model.items)))[:, order],
    )  # fmt: skip
    train, test = (
        replace(part, user_items=sp.csr_array(part.user_items.toarray()[:, order]))
        for part in (split.train, split.test)
    )
    renamed = evaluate(turned, test, **{**how, "exclude": train})
    for name in one.metrics:
        assert one.per_user[name].tobytes() == many.per_user[name].tobytes()
        np.testing.assert_allclose(renamed.per_user[name], one.per_user[name], atol=1e-12)


def test_by_hand():
    # a is liked by all four users, b and c by two each of them, d by nobody.
    train = Interactions.from_columns(
        ["u1", "u2", "u3", "u4", "u1", "u2", "u2", "u3"], list("aaaabbcc")
    )
    items = Interactions.from_columns(["u1", "u2", "u3", "u4"], list("abcd"))
    matrix = sp.csr_array(np.hstack([train.user_items.toarray(), np.zeros((4, 1), np.float32)]))
    train = Interactions(matrix.astype(np.float32), items.users, items.items)
    held_out = replace(train, user_items=sp.csr_array(np.float32([[0, 0, 1, 0]] + [[0] * 4] * 3)))

    def measured(scores, k):
        model = Fixed(train.users, train.items, np.float32([scores] * 4))
        found = evaluate(
            model, held_out, exclude=None, k=k, likes=train, metrics=[*OF_LISTS, "percentile_rank"]
        )
        return [float(found.per_user[name][0]) for name in found.metrics]

    # Information 0 of a, 1 of b and c; 2 of d, as if one user liked it.
    rank, novelty, diversity = measured([4, 3, 2, 1], 3)
    assert rank == pytest.approx(2 / 3)
    assert novelty == pytest.approx(2 / 3)
    # Cosines: a with b and with c sqrt(1/2), b with c 1/2.
    assert diversity == pytest.approx(1 - (2 * np.sqrt(0.5) + 0.5) / 3)
    assert measured([4, 3, 2, 1], 1)[1:] == [0.0, 0.0]  # one item is no pair
    assert measured([1, 1, 1, 4], 4)[1] == pytest.approx(1.0)
    assert measured([-np.inf] * 4, 2)[1:] == [0.0, 0.0]  # nothing is listed


def test_no_likes_no_features_and_wrong_ones_are_errors():
    world = World.of(0)
    how = {"exclude": None, "metrics": ["novelty"]}
    with pytest.raises(DataError, match=r"there is none.*likes=split\.train"):
        evaluate(world.model, world.held_out, **how)
    none = replace(world.train, user_items=-abs(world.train.user_items))
    with pytest.raises(DataError, match="none with a value above 0"):
        evaluate(world.model, world.held_out, **how, likes=none)
    with pytest.raises(DataError, match="same users and items"):
        evaluate(world.model, world.held_out, **how, likes=Interactions.from_columns(["a"], ["b"]))
    how = {"exclude": world.train, "metrics": ["feature_diversity"]}
    with pytest.raises(SettingError, match=r"none are given: pass features=.*By likes: diversity"):
        evaluate(world.model, world.held_out, **how)
    few = FeatureVectors.of(sp.csr_array(np.float64([[1], [1], [1], [0]])))
    with pytest.raises(DataError, match="model's 7 items expected; these are of 4"):
        evaluate(world.model, world.held_out, **how, features=few)
    with pytest.raises(SettingError, match="FeatureVectors expected"):
        evaluate(world.model, world.held_out, **how, features="tags.csv")
    with pytest.raises(SettingError, match="novelty need none"):
        evaluate(
            world.model, world.held_out, exclude=world.train, metrics=["novelty"], features=few
        )


def test_the_history_of_a_model_is_counted_where_nothing_is_excluded():
    model, split = _fitted()
    kept = evaluate(model, split.test, exclude=None, metrics=OF_LISTS)
    told = evaluate(model, split.test, exclude=None, metrics=OF_LISTS, likes=split.train)
    assert kept.mean("novelty@10") == told.mean("novelty@10")


def test_popularity_is_the_least_novel():
    model, split = _fitted()
    popular = fit_popularity(split.train)
    ours, theirs = (
        evaluate(one, split.test, exclude=split.train, k=5, metrics=OF_LISTS)
        for one in (model, popular)
    )
    assert theirs.mean("novelty@5") < ours.mean("novelty@5")
    assert [row["metric"] for row in ours.summary().rows()] == ["novelty@5", "diversity@5"]


@pytest.mark.parametrize("metric", [name for name in METRICS if name in CONTENTS or "rank" in name])
def test_settings_cannot_be_chosen_by_them(metric):
    reason = "smaller percentile rank is the better" if "rank" in metric else "random lists"
    with pytest.raises(SettingError, match=f"not '{metric}'. .*{reason}"):
        objective_named(f"{metric}@10")
