"""Logistic matrix factorization against its loss, written out; bytes, new people and items."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError, Unable
from alsolike.models.lmf import logistic_rows
from alsolike.models.lmf.config import LMFConfig
from alsolike.models.lmf.model import LMFModel
from alsolike.models.lmf.train import fit_lmf
from alsolike.recommending.explain import explain
from alsolike.recommending.similarity import similar_users
from alsolike.testing import tiny_likes
from alsolike.web.serving.item_map import item_map

CONFIG = LMFConfig(
    factors=5, regularization=0.7, bias_regularization=0.2, alpha=2.0, values="given", iterations=8
)


@pytest.fixture(scope="module")
def likes() -> Interactions:
    """Return likes of several values, with a user and an item of none, and a dislike."""
    plain = tiny_likes()
    matrix = plain.user_items.copy()
    matrix.data[7] = -1
    return replace(plain, user_items=matrix)


@pytest.fixture(scope="module")
def model(likes: Interactions) -> LMFModel:
    return fit_lmf(likes, CONFIG)


def loss_of(users: Any, items: Any, likes: Interactions, config: LMFConfig) -> float:
    """Return the loss of `LMFConfig`, cell by cell in float64."""
    f, cells = config.factors, likes.user_items.toarray().astype(np.float64)
    scores = users.astype(np.float64) @ items.astype(np.float64).T
    weights = config.alpha * np.abs(cells)
    total = (
        (1 + weights) * np.logaddexp(0, scores) - np.where(cells > 0, weights, 0) * scores
    ).sum()
    for own, bias in ((users, f), (items, f + 1)):
        total += config.regularization / 2 * (own[:, :f].astype(np.float64) ** 2).sum()
        total += config.bias_regularization / 2 * (own[:, bias].astype(np.float64) ** 2).sum()
    return float(total)


def best_row(model: LMFModel, row: np.ndarray) -> np.ndarray:
    """Return the scores of all items for one user's values, by a general minimizer in float64."""
    config, items = model.config, model.item_factors.astype(np.float64)
    features, offset = items[:, :-1], items[:, -1]
    weights = config.alpha * np.abs(row.astype(np.float64))
    pulls = np.where(row > 0, weights, 0)
    penalty = np.append(np.full(config.factors, config.regularization), config.bias_regularization)

    def loss(x: np.ndarray) -> tuple[float, np.ndarray]:
        scores = features @ x + offset
        chances = 1 / (1 + np.exp(-scores))
        value = ((1 + weights) * np.logaddexp(0, scores) - pulls * scores).sum()
        gradient = features.T @ ((1 + weights) * chances - pulls) + penalty * x
        return value + 0.5 * (penalty * x**2).sum(), gradient

    start = np.zeros(config.factors + 1)
    found = scipy.optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-9})
    return np.asarray(features @ found.x + offset)


def test_users_are_the_minimum_of_their_loss(likes: Interactions, model: LMFModel) -> None:
    scores = model.scores(slice(None), slice(None))
    for user, row in enumerate(likes.user_items.toarray()):
        np.testing.assert_allclose(scores[user], best_row(model, row), atol=5e-5)


def test_the_loss_falls_to_a_stationary_point(likes: Interactions) -> None:
    losses = []
    for iterations in (1, 3, 9, 300):
        found = fit_lmf(likes, replace(CONFIG, iterations=iterations))
        losses.append(loss_of(found.user_factors, found.item_factors, likes, CONFIG))
    assert (np.diff(losses) < 0).all()
    users, items = (one.astype(np.float64) for one in (found.user_factors, found.item_factors))
    drawn = np.random.default_rng(0)
    for own in (users, items):
        for _ in range(20):
            at = drawn.integers(len(own)), drawn.integers(CONFIG.factors)
            kept, both = own[at], []
            for step in (1e-4, -1e-4):
                own[at] = kept + step
                both.append(loss_of(users, items, likes, CONFIG))
            own[at] = kept
            assert abs(both[0] - both[1]) / 2e-4 < 2e-2


def test_chances_of_a_table_without_taste_are_shares_of_likes() -> None:
    """With strong regularization only biases remain, whose sums of chances are the likes."""
    likes = tiny_likes()
    config = LMFConfig(factors=2, regularization=1e6, bias_regularization=1e-4, iterations=60)
    found = fit_lmf(likes, config)
    cells = likes.user_items.toarray() > 0
    chances = 1 / (1 + np.exp(-found.scores(slice(None), slice(None)).astype(np.float64)))
    # Of a like, the loss counts a cell more: (1 + w) p - w = 0 in sum.
    expected = cells.sum(axis=1)
    found_sums = chances.sum(axis=1) + (chances * cells).sum(axis=1)
    some = expected > 0
    np.testing.assert_allclose(found_sums[some], expected[some], rtol=2e-3)


@pytest.mark.parametrize("cells", [1 << 20, 200])
def test_threads_change_no_byte(
    likes: Interactions, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic_rows, "_CELLS", cells)
    first, *others = (fit_lmf(likes, CONFIG, engine=LocalEngine(n)) for n in (1, 2, 4))
    for other in others:
        assert first.user_factors.tobytes() == other.user_factors.tobytes()
        assert first.item_factors.tobytes() == other.item_factors.tobytes()


def test_rows_that_float32_cannot_solve_are_solved_in_float64(
    likes: Interactions, model: LMFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic_rows, "_STEPS_IN_FLOAT32", 1)
    monkeypatch.setattr(logistic_rows, "SOLVED", 1e-10)
    found = model.user_scores(likes.user_items, slice(None))
    for user in (0, 3, 29):
        expected = best_row(model, likes.user_items.toarray()[user])
        np.testing.assert_allclose(found[user], expected, atol=3e-6)


def test_a_row_that_is_not_solved_is_refused(
    likes: Interactions, model: LMFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logistic_rows, "SOLVED", -1.0)
    with pytest.raises(FitError, match="Raise regularization and"):
        model.folded_in(likes.user_items[[0]])


def test_an_item_without_likes_is_the_least_likely(likes: Interactions, model: LMFModel) -> None:
    cold = int(np.flatnonzero(likes.like_counts == 0)[0])
    scores = model.scores(slice(None), slice(None))
    assert (scores[:, cold] < np.median(scores, axis=1)).all()


def test_new_items_are_those_of_training(likes: Interactions, model: LMFModel) -> None:
    """Users are fixed, so a known item with its own likes is solved to where training leads."""
    long = fit_lmf(likes, replace(CONFIG, iterations=200))
    item = 7
    column = likes.user_items.tocsc()[:, [item]].tocoo()
    users = [likes.users.id_of(row) for row in column.row]
    likers = Interactions.from_columns(users, [likes.items.id_of(item)] * len(users), column.data)
    again = long.with_items(likers)
    np.testing.assert_allclose(
        again.scores(slice(None), slice(item, item + 1)),
        long.scores(slice(None), slice(item, item + 1)), atol=5e-3,
    )  # fmt: skip
    assert len(long.with_items(Interactions.from_columns(users, ["new"] * len(users))).items) == 41


def test_items_and_users_are_compared_without_biases(model: LMFModel) -> None:
    assert model.affinities == ("cosine", "dot")
    vectors = model.item_factors[:, :-2].astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = al.similar(model, model.items.id_of(4), k=1, popularity_bias=0.0)
    cosines = unit @ unit[4]
    cosines[4] = -1
    assert found["score"][0] == pytest.approx(cosines.max(), abs=1e-5)
    with pytest.raises(SettingError, match="log-odds, not shares of people"):
        al.with_similarity(model, affinity="evidence")
    users = model.user_factors[:, :-2].astype(np.float64)
    users /= np.linalg.norm(users, axis=1, keepdims=True)
    near = users @ users[2]
    near[2] = -1
    assert similar_users(model, model.users.id_of(2), k=1)["score"][0] == pytest.approx(
        near.max(), abs=1e-5
    )
    assert item_map(model).points.shape == (40, 2)


def test_it_explains_by_no_single_likes(model: LMFModel) -> None:
    with pytest.raises(Unable, match="scores by single likes"):
        explain(model, model.users.id_of(0), model.items.id_of(0))


def test_a_bundle_holds_all_of_it(model: LMFModel, tmp_path: Path) -> None:
    al.save(model, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    assert isinstance(loaded, LMFModel)
    assert repr(loaded) == "LMFModel(30 users, 40 items, 5 factors, 8 sweeps)"
    asked = sp.csr_array(np.eye(40, dtype=np.float32)[:2])
    assert np.array_equal(
        loaded.user_scores(asked, slice(None)), model.user_scores(asked, slice(None))
    )


def test_bad_input_is_refused(likes: Interactions) -> None:
    for bad in ({"regularization": 0}, {"bias_regularization": 0}, {"alpha": 0}, {"factors": 0}):
        with pytest.raises(SettingError, match=next(iter(bad))):
            LMFConfig(**bad)
    with pytest.raises(SettingError, match="values must be one of given, binary, log, capped"):
        LMFConfig(values="bm25")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="within float32"):
        fit_lmf(likes, replace(CONFIG, alpha=1e39))
    with pytest.raises(DataError, match="no interactions to train on"):
        fit_lmf(likes.keep(np.zeros(likes.n_interactions, dtype=bool)), CONFIG)
