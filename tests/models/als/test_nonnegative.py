"""Non-negative ALS against `scipy.optimize.nnls`; its loss, bytes, folding in, explanations."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError, SettingError
from alsolike.models.als import half_sweep
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.half_sweep import Side, solve_nonnegative_side
from alsolike.models.als.model import ALSModel
from alsolike.models.als.nonnegative import nonnegative_support
from alsolike.models.als.train import fit, fold_in, fold_in_items, iterate
from alsolike.recommending.explain import explain
from alsolike.testing import CONTRACT, tiny_likes

CONFIG = ALSConfig(
    factors=7, iterations=6, nonnegative=True, unobserved_weight=0.3, regularization=0.05
)


@pytest.fixture(scope="module")
def likes() -> Interactions:
    """Return likes of several values, with dislikes."""
    plain = tiny_likes()
    matrix = plain.user_items.copy()
    matrix.data[3::11] = -1
    return replace(plain, user_items=matrix)


@pytest.fixture(scope="module")
def model(likes: Interactions) -> ALSModel:
    return fit(likes, CONFIG)


def by_nnls(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve the same by a library that minimizes ``|L'x - L^-1 b|`` with ``x >= 0``."""
    lower = np.linalg.cholesky(matrix)
    found: np.ndarray = scipy.optimize.nnls(lower.T, np.linalg.solve(lower, right))[0]
    return found


@pytest.mark.parametrize(
    "change",
    [{}, {"confidence": "linear", "alpha": 40.0}, {"confidence": "scaled", "alpha": 0.2}],
    ids=lambda change: change.get("confidence", "additive"),
)
@pytest.mark.parametrize("factors", [1, 5, 33])
def test_rows_are_those_of_the_library(
    likes: Interactions, factors: int, change: dict[str, object]
) -> None:
    config = replace(CONFIG, factors=factors, **change).loss_config  # type: ignore[arg-type]
    other = np.random.default_rng(0).gamma(0.5, size=(likes.n_items, factors)).astype(np.float32)
    other[::5] = 0
    side = Side.of(likes.user_items, config, "user", likes.users)
    out = np.empty((likes.n_users, factors), dtype=np.float32)
    solve_nonnegative_side(side, other, out, config, LocalEngine())
    many = other.astype(np.float64)
    weights, pulls = half_sweep.Weighing.of(config).weights_and_pulls(side.amounts)
    assert (out == 0).any()
    for row in range(likes.n_users):
        own = slice(*likes.user_items.indptr[row : row + 2])
        if own.start == own.stop:
            assert not out[row].any()
            continue
        some = many[likes.user_items.indices[own]]
        matrix = config.unobserved_weight * many.T @ many + (some.T * weights[own]) @ some
        matrix += side.regularization[row] * np.eye(factors)
        right = some.T @ pulls[own]
        expected = by_nnls(matrix, right)
        np.testing.assert_allclose(out[row], expected, rtol=2e-6, atol=1e-7 * expected.max())
        alone, above = nonnegative_support(matrix, right)
        np.testing.assert_allclose(alone, expected, rtol=1e-7, atol=1e-12)
        assert np.array_equal(above, alone > 0)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_support_is_found_of_any_system(scale: float) -> None:
    drawn = np.random.default_rng(1)
    for size in (1, 2, 10, 60):
        for _ in range(20):
            rows = drawn.standard_normal((size + 3, size))
            matrix, right = scale * rows.T @ rows, scale * drawn.standard_normal(size)
            found, _ = nonnegative_support(matrix, right)
            gradient = matrix @ found - right
            assert (found >= 0).all()
            assert gradient.min() > -1e-8 * scale * max(1.0, np.abs(found).max())
            assert np.abs(gradient[found > 0]).max(initial=0) < 1e-8 * scale * (1 + found.max())


def test_the_loss_falls_and_no_factor_is_below_zero(likes: Interactions) -> None:
    models = list(iterate(likes, CONFIG))
    assert (np.diff([al.loss(one) for one in models]) < 0).all()
    for one in models:
        assert one.user_factors.min() == 0 == one.item_factors.min()
    free = fit(likes, replace(CONFIG, nonnegative=False))
    assert al.loss(models[-1]) > al.loss(free)


def test_threads_change_no_byte(likes: Interactions, model: ALSModel) -> None:
    for threads in (1, 2, 4):
        other = fit(likes, CONFIG, engine=LocalEngine(threads))
        assert other.user_factors.tobytes() == model.user_factors.tobytes()
        assert other.item_factors.tobytes() == model.item_factors.tobytes()


def test_folding_in_a_training_user_gives_the_stored_bytes(
    likes: Interactions, model: ALSModel, tmp_path: Path
) -> None:
    al.save(model, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    assert fold_in(loaded, likes.user_items).tobytes() == model.user_factors.tobytes()
    some = fold_in(model, likes.user_items[[4, 2]])
    assert some.tobytes() == model.user_factors[[4, 2]].tobytes()
    alone = model.folded_in(likes.user_items)
    np.testing.assert_allclose(alone, model.user_factors, rtol=1e-5, atol=1e-7)
    items = fold_in_items(model, likes.item_users)
    assert items.min() == 0
    long = fit(likes, replace(CONFIG, iterations=400))
    np.testing.assert_allclose(
        fold_in_items(long, likes.item_users) @ long.user_factors.T,
        long.item_factors @ long.user_factors.T, atol=1e-3,
    )  # fmt: skip


def test_explanations_add_up(likes: Interactions, model: ALSModel) -> None:
    user, item = model.users.id_of(2), model.items.id_of(9)
    why = explain(model, user, item)
    assert why.parts["contribution"].sum() == pytest.approx(why.stored_score, abs=1e-6)
    nothing = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
    assert model.contributions(*nothing, np.int32([3])).parts.shape == (1, 0)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract(check) -> None:
    check(lambda train: fit(train, replace(CONFIG, unobserved_weight=None)))


def test_training_continues_from_non_negative_models_alone(
    likes: Interactions, model: ALSModel
) -> None:
    more = fit(likes, replace(CONFIG, iterations=1), start=model)
    assert more.sweeps == 7
    assert al.loss(more) < al.loss(model)
    assert more.item_factors.min() == 0
    plain = replace(CONFIG, nonnegative=False, iterations=1)
    with pytest.raises(SettingError, match="may have factors below 0"):
        fit(likes, CONFIG, start=fit(likes, plain))
    assert al.loss(fit(likes, plain, start=model)) < al.loss(model)


def test_what_cannot_be_is_refused(likes: Interactions) -> None:
    for change in ({"momentum": True}, {"solver": "cg"}):
        with pytest.raises(SettingError, match="exact solver and no momentum"):
            ALSConfig(nonnegative=True, **change)
    with pytest.raises(SettingError, match="True or False, not 1"):
        ALSConfig(nonnegative=1)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="family als alone"):
        al.FeatureALSConfig(nonnegative=True)
    with pytest.raises(FitError, match="ill-conditioned"):
        nonnegative_support(np.ones((2, 2)), np.ones(2))
    twins = sp.csr_array(np.ones((2, 1), dtype=np.float32))
    start = Interactions.from_matrix(twins)
    with pytest.raises(FitError, match="singular system"):
        fit(start, replace(CONFIG, factors=3, regularization=0.0))


def test_settings_of_earlier_versions_have_any_sign() -> None:
    settings = ALSConfig().to_settings()
    del settings["nonnegative"]
    assert not ALSConfig.from_settings(settings).nonnegative
