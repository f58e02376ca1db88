"""Explicit ALS against its equations, written out in float64; bytes; folding in; explaining."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.explicit_als.fold_in import new_users
from alsolike.models.explicit_als.model import ExplicitALSModel
from alsolike.models.explicit_als.train import iterate
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.explain import explain

BIASED = ExplicitALSConfig(
    factors=5, iterations=4, user_regularization=0.2, item_regularization=0.1,
    bias_regularization=0.05,
)  # fmt: skip
PLAIN = ExplicitALSConfig(
    factors=6, iterations=4, biases=False, regularization=2.0, item_regularization=3.0,
    regularization_exponent=0.0,
)  # fmt: skip
BOTH = pytest.mark.parametrize("config", [BIASED, PLAIN], ids=["biased", "plain"])


def made_up(n_users: int = 60, n_items: int = 45, *, seed: int = 0) -> Interactions:
    """Make ratings from 1 to 5 that follow from two hidden traits; the last rows have none."""
    drawn = np.random.default_rng(seed)
    traits = drawn.standard_normal((n_users, 2)) @ drawn.standard_normal((2, n_items))
    noise = 0.4 * drawn.standard_normal(traits.shape)
    ratings = np.clip(np.rint(3.4 + 0.8 * traits + noise), 1, 5)
    rated = drawn.random(ratings.shape) < np.linspace(0.05, 0.7, n_items)
    rated[0, 0] = True
    rated[-1], rated[:, -1] = False, False
    table = np.where(rated, ratings, 0).astype(np.float32)
    return Interactions.from_matrix(sp.csr_array(table))


@pytest.fixture(scope="module")
def ratings() -> Interactions:
    return made_up()


def literal_loss(model: ExplicitALSModel, ratings: Interactions) -> float:
    """Return the loss cell by cell, float64."""
    config, f = model.config, model.config.factors
    x, y = (part.astype(np.float64) for part in (model.user_factors, model.item_factors))
    cells = ratings.user_items.tocoo()
    total = 0.0
    for user, item, rating in zip(cells.row, cells.col, cells.data, strict=True):
        score = x[user, :f] @ y[item, :f]
        if config.biases:
            score += x[user, f] + y[item, f + 1]
        total += (float(rating) - score) ** 2
    for counts, rows, own, bias in (
        (ratings.user_counts, x, config.regularization_of("user"), x[:, f:f + 1]),
        (ratings.item_counts, y, config.regularization_of("item"), y[:, f + 1:] - model.mean),
    ):  # fmt: skip
        strength = config.bias_regularization or own
        for count, row, one in zip(counts, rows, bias if config.biases else rows, strict=True):
            if count:
                scaled = float(count) ** config.regularization_exponent
                total += scaled * own * (row[:f] @ row[:f])
                total += scaled * strength * float(one[0] ** 2) if config.biases else 0.0
    return total


def literal_row(
    others: np.ndarray, targets: np.ndarray, lam: float, bias_lam: float, *, biases: bool
) -> np.ndarray:
    """Return the least squares solution of one row in float64, with the bias last."""
    penalty = np.full(others.shape[1], lam)
    if biases:
        others = np.hstack([others, np.ones((len(others), 1))])
        penalty = np.append(penalty, bias_lam)
    return np.linalg.solve(others.T @ others + np.diag(penalty), others.T @ targets)


@BOTH
def test_the_loss_is_that_of_its_formula_and_falls(
    ratings: Interactions, config: ExplicitALSConfig
) -> None:
    losses = []
    for model in iterate(ratings, config):
        losses.append(model.loss())
        assert losses[-1] == pytest.approx(literal_loss(model, ratings), rel=1e-6)
    assert (np.diff(losses) < 0).all()


@BOTH
def test_a_half_sweep_solves_the_equations(
    ratings: Interactions, config: ExplicitALSConfig
) -> None:
    """The users of a model are solved against its items; the items, against the users before."""
    before, after = list(iterate(ratings, replace(config, iterations=2)))
    f, biases = config.factors, config.biases
    users, items = after.user_factors.astype(float), after.item_factors.astype(float)
    then = before.user_factors.astype(float)
    for side, matrix, own, other, expected_by in (
        (
            "item",
            ratings.item_users,
            items,
            then,
            after.mean + then[:, f] * biases if biases else 0,
        ),
        ("user", ratings.user_items, users, items, items[:, f + 1] if biases else 0),
    ):
        base = np.broadcast_to(expected_by, len(other))
        for row in range(matrix.shape[0]):
            part = slice(matrix.indptr[row], matrix.indptr[row + 1])
            columns, values = matrix.indices[part], matrix.data[part].astype(float)
            if not len(columns):
                assert not own[row, :f].any()
                continue
            scaled = float(len(columns)) ** config.regularization_exponent
            lam = config.regularization_of(side) * scaled  # type: ignore[arg-type]
            bias_lam = (config.bias_regularization or 1.0) * scaled
            factors = other[columns, :f]
            expected = literal_row(factors, values - base[columns], lam, bias_lam, biases=biases)
            found = own[row, :f]
            scores, wanted = factors @ found, factors @ expected[:f]
            if biases:
                bias = own[row, f] if side == "user" else own[row, f + 1] - after.mean
                scores, wanted = scores + bias, wanted + expected[f]
            assert np.abs(scores - wanted).max() < 5e-6  # 1e-6 of a rating of 5


@BOTH
def test_the_gradient_vanishes(ratings: Interactions, config: ExplicitALSConfig) -> None:
    *_, last = iterate(ratings, replace(config, iterations=400))
    f, whole = config.factors, literal_loss(last, ratings)
    drawn = np.random.default_rng(1)
    for name in ("user_factors", "item_factors"):
        for _ in range(8):
            row, column = drawn.integers(0, 40), drawn.integers(0, f)
            ends = []
            for step in (1e-2, -1e-2):
                moved = getattr(last, name).copy()
                moved[row, column] += np.float32(step)
                ends.append(literal_loss(replace(last, **{name: moved}), ratings) - whole)
            # A parabola in a single factor: how far its lowest point is.
            assert abs(ends[0] - ends[1]) / max(sum(ends), 1e-12) * 5e-3 < 2e-4


@BOTH
def test_bytes_do_not_depend_on_threads(ratings: Interactions, config: ExplicitALSConfig) -> None:
    found = {
        tuple(part.tobytes() for part in (model.user_factors, model.item_factors))
        for threads in (1, 2, 4)
        for model in [*iterate(ratings, config, engine=LocalEngine(threads))][-1:]
    }
    assert len(found) == 1


@BOTH
def test_folding_in_gives_the_stored_bytes(
    ratings: Interactions, config: ExplicitALSConfig
) -> None:
    *_, model = iterate(ratings, config)
    rows = new_users(model, ratings.user_items, LocalEngine(2))
    assert rows.tobytes() == model.user_factors.tobytes()
    near = model.folded_in(ratings.user_items)
    assert np.abs(near - model.user_factors).max() < 2e-5


def test_training_continues(ratings: Interactions) -> None:
    whole = list(iterate(ratings, replace(BIASED, iterations=4)))
    first = list(iterate(ratings, replace(BIASED, iterations=2)))[-1]
    rest = list(iterate(ratings, replace(BIASED, iterations=2), start=first))[-1]
    assert rest.user_factors.tobytes() == whole[-1].user_factors.tobytes()
    assert rest.sweeps == 4
    fewer = ratings.subset(np.arange(0, 60, 2), np.arange(45))
    grown = list(iterate(ratings, BIASED, start=list(iterate(fewer, BIASED))[-1]))[-1]
    assert grown.loss() < whole[0].loss()
    with pytest.raises(SettingError, match="factors=5 and biases=True"):
        next(iterate(ratings, replace(BIASED, factors=4), start=first))


def test_biases_alone(ratings: Interactions) -> None:
    *_, model = iterate(ratings, ExplicitALSConfig(factors=0, iterations=30, regularization=1e-6))
    scores = model.scores(slice(None), slice(None))
    cells = ratings.user_items.tocoo()
    missed = cells.data - scores[cells.row, cells.col]
    for rows, count in ((cells.row, 60), (cells.col, 45)):
        sums = np.bincount(rows, missed, count)
        assert np.abs(sums).max() < 1e-2  # what each row gave, on average
    assert repr(model) == "ExplicitALSModel(60 users, 45 items, 0 factors and biases, 30 sweeps)"


def test_similar_items_leave_biases_out(ratings: Interactions) -> None:
    *_, fitted = iterate(ratings, BIASED)
    model = fitted.with_similarity(SimilarityConfig(popularity_bias=0.0))
    assert model.affinities == ("cosine", "dot")
    own = model.item_factors[:, :5].astype(float)
    units = own / np.maximum(np.linalg.norm(own, axis=1), 1e-30)[:, None]
    cosines = units @ units.T
    found = model.item_scores(slice(None), slice(None))
    shown = np.isfinite(found)
    assert np.allclose(found[shown], cosines[shown], atol=1e-5)
    assert (cosines[~shown] <= 1e-6).all()
    (pair,) = al.similar_users(model, "7", k=1).rows()
    x = model.user_factors[:, :5].astype(float)
    row, other = model.users.index_of("7"), model.users.index_of(pair["similar_user"])
    cosine = x[row] @ x[other] / np.linalg.norm(x[row]) / np.linalg.norm(x[other])
    assert pair["score"] == pytest.approx(cosine, abs=1e-5)
    with pytest.raises(SettingError, match="ratings, not shares of people"):
        al.similar(model, "7", affinity="evidence")


@BOTH
def test_an_explanation_adds_up(ratings: Interactions, config: ExplicitALSConfig) -> None:
    *_, model = iterate(ratings, config)
    why = explain(model, "3", "9")
    assert why.score == pytest.approx(why.stored_score, abs=1e-4)
    assert why.score == pytest.approx(why.parts["contribution"].sum() + why.by_item)
    assert ("expected of it for anybody" in why.summary) == config.biases


def test_it_is_saved_and_predicts_the_same(tmp_path: Path, ratings: Interactions) -> None:
    *_, model = iterate(ratings, BIASED)
    al.save(model, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    assert loaded.rating_range == (1.0, 5.0)
    users, items = ["1", "2"], ["4", "5"]
    pairs = [al.scores(one, users, items)["score"].tobytes() for one in (model, loaded)]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"regularization": 0.0}, "no unique solution without"),
        ({"bias_regularization": 0.0}, "bias_regularization must be a finite number above 0"),
        ({"factors": 0, "biases": False}, "nothing would be learnt"),
        ({"biases": 1}, "biases must be True or False"),
        ({"regularization_exponent": np.nan}, "regularization_exponent must be a finite number"),
        ({"factors": -1}, "factors"),
    ],
)
def test_bad_settings_are_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        ExplicitALSConfig(**change)  # type: ignore[arg-type]


def test_bad_data_are_refused(ratings: Interactions) -> None:
    nothing = ratings.keep(np.zeros(ratings.n_interactions, dtype=bool))
    with pytest.raises(DataError, match="no ratings to train on"):
        next(iterate(nothing, BIASED))
    alike = Interactions.from_matrix(sp.csr_array(np.full((3, 4), 2.0, dtype=np.float32)))
    with pytest.raises(DataError, match="all 12 are 2, and their mean predicts each"):
        next(iterate(alike, BIASED))
    with pytest.raises(FitError, match="too large or too small"):
        next(iterate(ratings, replace(BIASED, regularization_exponent=1e4)))
    with pytest.raises(SettingError, match="explicit ALS is needed"):
        next(iterate(ratings, BIASED, start=al.fit_popularity(ratings)))  # type: ignore[arg-type]
