"""Feature-aware ALS against its loss, written out; cold items and users; bytes; errors."""

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.half_sweep import Side
from alsolike.models.als.train import fit as fit_als
from alsolike.models.bundle.io import load, save
from alsolike.models.feature_als import ridge
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.feature_als.model import FeatureALSModel
from alsolike.models.feature_als.train import fit, iterate
from alsolike.recommending.batch import recommend
from alsolike.recommending.explain import explain
from alsolike.testing import tiny_likes

CONFIG = FeatureALSConfig(
    factors=6, iterations=12, regularization=0.1, unobserved_weight=0.2,
    item_feature_regularization=0.3, user_feature_regularization=0.5,
)  # fmt: skip
PARTS = ("user_factors", "item_factors", "of_item_features", "of_user_features")


@pytest.fixture(scope="module")
def likes() -> Interactions:
    drawn = np.random.default_rng(0)
    plain = tiny_likes()
    tags = [
        [f"t{one}" for one in drawn.choice(12, size=drawn.integers(0, 4), replace=False)]
        for _ in range(plain.n_items)
    ]
    groups = [[f"g{row % 3}"] if row % 5 else [] for row in range(plain.n_users)]
    return replace(
        plain,
        item_features=Features.of_words("tag", tags),
        user_features=Features.of_words("group", groups),
    )


@pytest.fixture(scope="module")
def model(likes: Interactions) -> FeatureALSModel:
    return fit(likes, CONFIG)


def loss_of(model: FeatureALSModel, likes: Interactions, parts: dict[str, np.ndarray]) -> float:
    """Return the loss cell by cell, float64; rows without likes are no part of it."""
    config = model.config
    ratings = likes.user_items.toarray()
    total = 0.0
    sides = Side.both_of(likes, config.loss_config)
    occupied = [np.diff(side.matrix.indptr) > 0 for side in sides]
    users, items = parts["user_factors"], parts["item_factors"]
    scores = users[occupied[0]] @ items[occupied[1]].T
    cells = ratings[occupied[0]][:, occupied[1]]
    total += config.loss_config.unobserved_weight * (scores**2).sum()
    total += (config.alpha * (cells != 0) * ((cells > 0) - scores) ** 2).sum()
    for side, own, factors, strength, features, learned in zip(
        sides, occupied, (users, items), (0.5, 0.3), (likes.user_features, likes.item_features),
        ("of_user_features", "of_item_features"), strict=True,
    ):  # fmt: skip
        assert features is not None
        vectors = model.factors_of(side.kind).vectors(features).toarray().astype(np.float64)  # type: ignore[union-attr]
        weights = side.regularization[own]
        missed = (factors - vectors @ parts[learned])[own]
        total += float((weights[:, None] * missed**2).sum())
        total += float(strength * weights.mean() * (parts[learned] ** 2).sum())
    return total


def parts_of(model: FeatureALSModel) -> dict[str, np.ndarray]:
    return {
        "user_factors": model.user_factors.astype(np.float64),
        "item_factors": model.item_factors.astype(np.float64),
        "of_item_features": model.of_item_features.coefficients.astype(np.float64),  # type: ignore[union-attr]
        "of_user_features": model.of_user_features.coefficients.astype(np.float64),  # type: ignore[union-attr]
    }


@pytest.mark.parametrize("by_steps", [False, True])
def test_the_loss_is_that_of_its_formula_and_falls(
    likes: Interactions, by_steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge, "MOST_DENSE", 0 if by_steps else 1000)
    losses = []
    for model in iterate(likes, CONFIG):
        losses.append(model.loss())
        assert losses[-1] == pytest.approx(loss_of(model, likes, parts_of(model)), rel=1e-6)
    assert (np.diff(losses) < 0).all()


@pytest.mark.parametrize("change", [{}, {"momentum": True}, {"solver": "cg"}])
def test_the_gradient_vanishes(likes: Interactions, change: dict[str, object]) -> None:
    config = replace(CONFIG, iterations=700, **change)  # type: ignore[arg-type]
    model = fit(likes, config)
    parts, step, drawn = parts_of(model), 1e-5, np.random.default_rng(1)
    cold = {"user_factors": likes.user_counts == 0, "item_factors": likes.item_counts == 0}
    for name in PARTS:
        own = parts[name]
        for _ in range(12):
            at = tuple(drawn.integers(0, length) for length in own.shape)
            if name in cold and cold[name][at[0]]:
                continue
            kept = own[at]
            own[at] = kept + step
            above = loss_of(model, likes, parts)
            own[at] = kept - step
            below = loss_of(model, likes, parts)
            own[at] = kept
            assert abs(above - below) / (2 * step) < 1e-4


def test_both_ways_of_the_regression_agree(
    likes: Interactions, model: FeatureALSModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge, "MOST_DENSE", 0)
    other = fit(likes, CONFIG)
    assert np.allclose(other.item_factors, model.item_factors, atol=2e-3)
    assert other.loss() == pytest.approx(model.loss(), rel=1e-5)


@pytest.mark.parametrize("by_steps", [False, True])
def test_the_regression_is_that_of_its_formula(
    by_steps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ridge, "MOST_DENSE", 0 if by_steps else 1000)
    drawn = np.random.default_rng(2)
    vectors = sp.random_array((60, 25), density=0.2, format="csr", rng=drawn, dtype=np.float32)
    targets = drawn.standard_normal((60, 5)).astype(np.float32)
    weights = drawn.random(60) + 0.1
    weights[:7] = 0
    own = ridge.Ridge(vectors, weights, 0.05, LocalEngine())
    found = own.fit(targets, np.zeros((25, 5), dtype=np.float32))
    dense = vectors.toarray().astype(np.float64)
    system = dense.T @ (weights[:, None] * dense) + 0.05 * np.eye(25)
    right = dense.T @ (weights[:, None] * targets)
    missed = np.linalg.norm(system @ found - right, axis=0) / np.linalg.norm(right, axis=0)
    assert (missed < 2e-4).all()


def test_without_features_it_is_als_to_the_byte() -> None:
    plain = tiny_likes()
    own = {one.name: getattr(CONFIG, one.name) for one in dataclasses.fields(ALSConfig)}
    ours, theirs = fit(plain, CONFIG), fit_als(plain, ALSConfig(**own))
    assert ours.user_factors.tobytes() == theirs.user_factors.tobytes()
    assert ours.item_factors.tobytes() == theirs.item_factors.tobytes()


def test_threads_change_no_byte(likes: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ridge, "MOST_DENSE", 0)
    one, three = (fit(likes, CONFIG, engine=LocalEngine(threads)) for threads in (1, 3))
    for name in PARTS:
        assert parts_of(one)[name].tobytes() == parts_of(three)[name].tobytes()


def test_rows_without_likes_are_what_their_features_predict(
    likes: Interactions, model: FeatureALSModel
) -> None:
    cold = np.flatnonzero(likes.item_counts == 0)
    assert len(cold)
    assert likes.item_features is not None
    assert model.of_item_features is not None
    predicted = model.of_item_features.predict(likes.item_features)
    assert np.array_equal(model.item_factors[cold], predicted[cold])


def test_cold_items_are_added_and_others_stay(likes: Interactions, model: FeatureALSModel) -> None:
    assert likes.item_features is not None
    names = likes.item_features.blocks[0]
    row = np.zeros((3, likes.item_features.n_features), dtype=np.float32)
    row[:, 1] = row[1, 2] = 1
    known = likes.items.id_of(0)
    table = FeatureTable(
        type(likes.items).of(["a0x", "zz", known], kind="item"),
        Features(sp.csr_array(row), (names,)),
    )
    wider = model.with_cold_items(table)
    assert len(wider.items) == len(model.items) + 2
    assert wider.is_cold[wider.items.index_of("zz")]
    own = wider.items.places_of(model.items)
    assert np.array_equal(wider.item_factors[own], model.item_factors)
    assert np.array_equal(wider.item_counts[own], model.item_counts)
    assert wider.history is not None
    assert wider.history.n_interactions == likes.n_interactions
    at = wider.items.index_of("zz")
    assert wider.item_features is not None
    assert wider.of_item_features is not None
    expected = wider.of_item_features.predict(wider.item_features)[at]
    assert np.array_equal(wider.item_factors[at], expected)
    users = wider.scores(slice(None), slice(None))
    assert np.array_equal(users[:, own], model.scores(slice(None), slice(None)))


def test_a_model_without_features_takes_in_no_cold_items() -> None:
    model = fit(tiny_likes(), CONFIG)
    with pytest.raises(DataError, match="without features of items"):
        model.with_cold_items(FeatureTable.of_words("tag", {"new": ["t1"]}))


def test_other_features_are_refused(model: FeatureALSModel) -> None:
    with pytest.raises(DataError, match="other features than the model"):
        model.with_cold_items(FeatureTable.of_words("tag", {"new": ["another"]}))


def test_a_bundle_holds_all_of_it(model: FeatureALSModel, tmp_path: Path) -> None:
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert isinstance(loaded, FeatureALSModel)
    for name in PARTS:
        assert parts_of(loaded)[name].tobytes() == parts_of(model)[name].tobytes()
    assert loaded.settings == model.settings
    asked = sp.csr_array(np.eye(12, dtype=np.float32)[:2])
    scores = loaded.item_scores_of_features(asked, slice(None))
    assert np.array_equal(scores, model.item_scores_of_features(asked, slice(None)))


def test_folding_in_a_training_user_gives_his_factors(
    likes: Interactions, model: FeatureALSModel
) -> None:
    moved = likes.keep(np.arange(likes.n_interactions) > 3)
    back = model.with_history(moved).with_history(likes)
    assert np.allclose(back.user_factors, model.user_factors, atol=1e-5)


def test_items_with_likes_are_pulled_to_their_features(model: FeatureALSModel) -> None:
    likers = Interactions.from_columns([model.users.id_of(0)], ["brand new"])
    features = Features.of_words("tag", [["t3"]])
    columns = model.item_features.blocks[0].names.to_list()  # type: ignore[union-attr]
    cells = np.zeros((1, len(columns)), dtype=np.float32)
    cells[0, columns.index("t3")] = 1
    features = Features(sp.csr_array(cells), model.item_features.blocks)  # type: ignore[union-attr]
    wider = model.with_items(replace(likers, item_features=features))
    plain = model.with_items(likers)
    at = wider.items.index_of("brand new")
    own, other = (one.scores(slice(None), slice(at, at + 1)) for one in (wider, plain))
    predicted = wider.of_item_features.predict(features) @ wider.user_factors.T  # type: ignore[union-attr]
    assert np.linalg.norm(own.ravel() - predicted) < np.linalg.norm(other.ravel() - predicted)


def test_shared_features_add_up_to_the_predicted_part(model: FeatureALSModel) -> None:
    assert model.history is not None
    row = model.history.user_items[[0]]
    item = int(np.flatnonzero(model.item_features.has)[0])  # type: ignore[union-attr]
    parts = model.shared_features(row.indices, row.data, item)
    user = model.folded_in(row)[0]
    predicted = model.of_item_features.predict(model.item_features.take([item]))[0]  # type: ignore[union-attr]
    assert sum(part for _, part in parts) == pytest.approx(float(user @ predicted), rel=1e-4)
    assert [part for _, part in parts] == sorted((part for _, part in parts), reverse=True)


def test_a_block_that_is_not_there_is_refused(likes: Interactions) -> None:
    with pytest.raises(
        SettingError, match=r"block 'tags'; the features have tag, group. Did you mean 'tag'"
    ):
        fit(likes, replace(CONFIG, weights={"tags": 0.5}))


def test_a_regression_without_a_unique_solution_is_refused(likes: Interactions) -> None:
    config = replace(CONFIG, item_feature_regularization=0.0)
    twice = Features(
        sp.csr_array(sp.hstack([likes.item_features.matrix] * 2, format="csr")),  # type: ignore[union-attr]
        (
            *likes.item_features.blocks,  # type: ignore[union-attr]
            replace(likes.item_features.blocks[0], name="again"),  # type: ignore[union-attr]
        ),
    )
    with pytest.raises(FitError, match="no unique solution"):
        fit(replace(likes, item_features=twice), config)


def test_users_without_likes_get_lists_by_their_features(
    likes: Interactions, model: FeatureALSModel
) -> None:
    cold = int(np.flatnonzero(likes.user_counts == 0)[0])
    known = replace(
        likes, user_features=Features.of_words("group", [[f"g{row % 3}"] for row in range(30)])
    )
    informed = fit(known, CONFIG)
    user = likes.users.id_of(cold)
    assert set(recommend(informed, [user], k=3)["basis"]) == {"model"}
    assert set(recommend(fit_als(likes, ALSConfig(factors=4)), [user], k=3)["basis"]) == {
        "popularity"
    }


def test_an_explanation_says_what_is_due_to_the_user(model: FeatureALSModel) -> None:
    user = model.users.id_of(1)
    why = explain(model, user, recommend(model, [user], k=1)["item"][0])
    parts = why.parts["contribution"].sum()
    assert parts + why.by_user_features == pytest.approx(why.score)
    assert why.score == pytest.approx(why.stored_score, abs=1e-6)
    assert "by what is known of the user" in why.summary
    without = explain(model, model.users.id_of(0), why.item)  # no group
    assert "by what is known of the user" not in without.summary
