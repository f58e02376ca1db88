"""Every model keeps to the contract of `alsolike.testing`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from alsolike import testing
from alsolike.data.interactions import Interactions
from alsolike.models.als import ALSConfig, fit
from alsolike.models.base import FactorModel, Floats, Recommender, Rows
from alsolike.models.bundle import load, save
from alsolike.models.chance import ChanceConfig, ChanceModel, fit_chance
from alsolike.models.ease import EASEConfig, EASEModel, fit_ease
from alsolike.models.neighbours import NeighboursConfig, NeighboursModel, fit_neighbours
from alsolike.models.popularity import fit_popularity
from alsolike.testing import CONTRACT, tiny_likes

Fit = Callable[[Interactions], Recommender]


def fit_als(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=8, iterations=5))


def fit_als_cg(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=8, iterations=5, solver="cg", confidence="log"))


def fit_more_factors_than_items(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=50, iterations=2, alpha=1000.0))


def fit_knn_cosine(train: Interactions) -> NeighboursModel:
    return fit_neighbours(train, NeighboursConfig(neighbours=10))


def fit_knn_bm25(train: Interactions) -> NeighboursModel:
    return fit_neighbours(train, NeighboursConfig(weighting="bm25", shrinkage=2.0))


def fit_all_on_all(train: Interactions) -> EASEModel:
    return fit_ease(train, EASEConfig(regularization=10.0))


def fit_random(train: Interactions) -> ChanceModel:
    return fit_chance(train, ChanceConfig(seed=1))


@pytest.fixture(scope="module")
def fit_and_load(tmp_path_factory: pytest.TempPathFactory) -> Fit:
    folder: Path = tmp_path_factory.mktemp("bundles")

    def fit_save_load(train: Interactions) -> FactorModel:
        save(fit_als(train), folder / "model")
        return load(folder / "model")

    return fit_save_load


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "train",
    [
        fit_als,
        fit_als_cg,
        fit_more_factors_than_items,
        fit_popularity,
        fit_knn_cosine,
        fit_knn_bm25,
        fit_all_on_all,
    ],
)
def test_contract(train: Fit, check: Callable[[Fit], None]) -> None:
    check(train)


@pytest.mark.parametrize(
    "check",
    [check for check in CONTRACT if check is not testing.check_learns],
    ids=lambda check: check.__name__,
)
def test_contract_of_chance_which_learns_nothing(check: Callable[[Fit], None]) -> None:
    check(fit_random)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract_of_a_loaded_model(fit_and_load: Fit, check: Callable[[Fit], None]) -> None:
    check(fit_and_load)


def breaking(change: Callable[[Floats], Floats]) -> Fit:
    """Return a fit whose models change their scores."""

    class Broken(FactorModel):
        def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
            return change(super().scores(user_indices, item_indices))

    def train(likes: Interactions) -> Recommender:
        model = fit_als(likes)
        parts = {part.name: getattr(model, part.name) for part in dataclasses.fields(model)}
        return Broken(**parts)

    return train


def with_nan(scores: Floats) -> Floats:
    scores[..., :1] = np.nan
    return scores


@pytest.mark.parametrize(
    ("check", "train", "message"),
    [
        ("check_shape", breaking(lambda scores: scores.T), r"scores \(30, 40\) expected"),
        ("check_shape", breaking(lambda scores: scores.astype(float)), "float32 scores expected"),
        ("check_finite", breaking(with_nan), "finite scores expected, 30 NaN"),
        ("check_blocks", breaking(lambda scores: scores - scores.mean()), "within .* a gap of"),
        ("check_learns", breaking(np.negative), "likes to score above"),
        (
            "check_repeatable",
            breaking(lambda scores: scores + np.float32(np.random.default_rng().random())),
            "the same bytes",
        ),
        ("check_ids", lambda likes: fit_als(testing.tiny_likes(5, 6)), "users .* expected"),
    ],
)
def test_a_model_that_breaks_the_contract_is_told(check: str, train: Fit, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        getattr(testing, check)(train)


def test_tiny_likes_has_what_its_text_promises() -> None:
    likes = tiny_likes()
    assert likes.user_counts.min() == 0
    assert likes.item_counts.min() == 0
    assert likes.user_items.data.max() > 1
    assert likes.catalogue is not None
    assert likes.catalogue.names is not None
    names = list(likes.catalogue.names)
    assert "" in names
    assert names[0] == names[1]
    assert tiny_likes().fingerprint == likes.fingerprint != tiny_likes(seed=1).fingerprint
    for shape in ((2, 2), (2, 50), (50, 2), (3, 3)):
        assert tiny_likes(*shape).n_interactions > 0
