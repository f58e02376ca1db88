"""Every model keeps to the contract of `alsolike.testing`."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alsolike import testing
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.model import ALSModel
from alsolike.models.als.train import fit
from alsolike.models.base import FittedModel, Floats
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.baselines.random import RandomConfig, RandomModel, fit_random
from alsolike.models.blend.config import BlendConfig
from alsolike.models.bundle.io import load, save
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.factor_model import FactorModel
from alsolike.models.family import TrainingData
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.linear.ease import EASEConfig, EASEModel, fit_ease
from alsolike.models.linear.sparse import (
    SparseLinearConfig,
    SparseLinearModel,
    fit_sparse_linear,
)
from alsolike.models.lmf.config import LMFConfig
from alsolike.models.lmf.model import LMFModel
from alsolike.models.lmf.train import fit_lmf
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.neighbours.model import ItemKNNModel
from alsolike.models.pairwise.config import BPRConfig, WARPConfig
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.models.profile.model import ItemProfileModel, fit_item_profile
from alsolike.models.protocols import Contributions, Recommender
from alsolike.models.registry import family_named, family_of_model, trained
from alsolike.testing import CONTRACT, tiny_likes, tiny_model, with_tiny_features

Fit = Callable[[Interactions], Recommender]


def fit_als(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=8, iterations=5))


def fit_als_cg(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=8, iterations=5, solver="cg", confidence="log"))


def fit_more_factors_than_items(train: Interactions) -> FactorModel:
    return fit(train, ALSConfig(factors=50, iterations=2, alpha=1000.0))


def fit_knn_cosine(train: Interactions) -> ItemKNNModel:
    return fit_item_knn(train, ItemKNNConfig(neighbours=10))


def fit_knn_bm25(train: Interactions) -> ItemKNNModel:
    return fit_item_knn(train, ItemKNNConfig(weighting="bm25", shrinkage=2.0))


def fit_all_on_all(train: Interactions) -> EASEModel:
    return fit_ease(train, EASEConfig(regularization=10.0))


def fit_denoising(train: Interactions) -> EASEModel:
    return fit_ease(train, EASEConfig(regularization=10.0, dropout=0.3, values="bm25"))


def fit_neighbourhoods(train: Interactions) -> SparseLinearModel:
    return fit_sparse_linear(train, SparseLinearConfig(regularization=5.0, neighbours=12))


def fit_neighbourhoods_of_weights(train: Interactions) -> SparseLinearModel:
    config = SparseLinearConfig(regularization=2.0, neighbours=7, dropout=0.2, values="tf-idf")
    return fit_sparse_linear(train, config)


def fit_logistic(train: Interactions) -> LMFModel:
    return fit_lmf(train, LMFConfig(factors=4, regularization=1.0, iterations=6))


def fit_seeded_random(train: Interactions) -> RandomModel:
    return fit_random(train, RandomConfig(seed=1))


def fit_with_features(train: Interactions) -> FittedModel:
    tags = [[f"tag {row % 3}", f"tag {row % 7}"] for row in range(train.n_items)]
    known = dataclasses.replace(train, item_features=Features.of_words("tag", tags))
    config = FeatureALSConfig(factors=8, iterations=5)
    return family_named("feature-als").fit(TrainingData(known), config)


def fit_ratings(train: Interactions) -> FittedModel:
    config = ExplicitALSConfig(factors=8, iterations=5)
    return family_named("explicit-als").fit(TrainingData(train), config)


def fit_ratings_without_biases(train: Interactions) -> FittedModel:
    config = ExplicitALSConfig(factors=8, iterations=5, biases=False)
    return family_named("explicit-als").fit(TrainingData(train), config)


def fit_blend(train: Interactions) -> FittedModel:
    return family_named("blend").fit(TrainingData(train), BlendConfig())


def fit_profile(train: Interactions) -> ItemProfileModel:
    return fit_item_profile(with_tiny_features(train), ItemProfileConfig(values="tf-idf"))


def fit_bpr(train: Interactions) -> FittedModel:
    return family_named("bpr").fit(TrainingData(train), BPRConfig(factors=8, values="log"))


def fit_warp(train: Interactions) -> FittedModel:
    return family_named("warp").fit(TrainingData(train), WARPConfig(factors=8))


FITS = [
    fit_als,
    fit_als_cg,
    fit_more_factors_than_items,
    fit_popularity,
    fit_knn_cosine,
    fit_knn_bm25,
    fit_all_on_all,
    fit_denoising,
    fit_neighbourhoods,
    fit_neighbourhoods_of_weights,
    fit_with_features,
    fit_ratings,
    fit_ratings_without_biases,
    fit_blend,
    fit_profile,
    fit_logistic,
    fit_bpr,
    fit_warp,
    fit_seeded_random,
]
# A model that learns nothing, or solves new people in another way than those of its training.
EXEMPT = {
    (fit_seeded_random, testing.check_learns),
    (fit_seeded_random, testing.check_folds_in),
    (fit_als_cg, testing.check_folds_in),
    (fit_bpr, testing.check_folds_in),
    (fit_warp, testing.check_folds_in),
}


def test_the_contract_is_checked_of_every_family() -> None:
    families = {family_of_model(fit(tiny_likes())) for fit in FITS}
    assert families == set(trained())


@pytest.mark.parametrize(
    ("train", "check"),
    [(train, check) for train in FITS for check in CONTRACT if (train, check) not in EXEMPT],
    ids=lambda given: given.__name__,
)
def test_contract(train: Fit, check: Callable[[Fit], None]) -> None:
    check(train)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract_of_a_loaded_model(tmp_path: Path, check: Callable[[Fit], None]) -> None:
    def fit_save_load(train: Interactions) -> FittedModel:
        save(fit_als(train), tmp_path / "model")
        return load(tmp_path / "model")

    check(fit_save_load)


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
def test_contract_of_factors_made_elsewhere(check: Callable[[Fit], None]) -> None:
    def fit_elsewhere(train: Interactions) -> FactorModel:
        model = fit_als(train)
        return FactorModel(
            users=model.users,
            items=model.items,
            user_factors=model.user_factors,
            item_factors=model.item_factors,
            item_counts=model.item_counts,
            catalogue=model.catalogue,
            history=model.history,
        )

    check(fit_elsewhere)


def breaking(change: Callable[[Any], Any], method: str = "scores") -> Fit:
    """Return a fit whose models change what one of their methods returns."""

    class Broken(ALSModel):
        pass

    def changed(self: ALSModel, *given: Any, **named: Any) -> Any:
        return change(getattr(super(Broken, self), method)(*given, **named))

    setattr(Broken, method, changed)

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
            "check_folds_in",
            breaking(lambda scores: scores + np.float32(0.1)),
            "scores by likes within .* a gap of",
        ),
        ("check_item_scores", breaking(with_nan, "item_scores"), "numbers or -inf expected"),
        (
            "check_item_scores",
            breaking(lambda scores: scores + len(scores), "item_scores"),
            "item scores within .* a gap of",
        ),
        ("check_new_people", breaking(with_nan, "user_scores"), "finite scores expected"),
        (
            "check_new_people",
            breaking(lambda scores: scores + len(scores), "user_scores"),
            "scores of new people within .* a gap of",
        ),
        (
            "check_folds_in",
            breaking(lambda model: tiny_model(30, 40), "with_history"),
            "scores of another history within",
        ),
        (
            "check_new_items",
            breaking(
                lambda model: dataclasses.replace(model, item_counts=model.item_counts + 1),
                "with_items",
            ),
            r"the likes that came, \[3, 1\] expected",
        ),
        (
            "check_contributions",
            breaking(lambda one: Contributions(2 * one.pulls, one.similarities), "contributions"),
            "sums of what likes add within",
        ),
        (
            "check_saved",
            lambda likes: dataclasses.replace(fit_als(likes), history=None),
            "the history or none expected",
        ),
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
