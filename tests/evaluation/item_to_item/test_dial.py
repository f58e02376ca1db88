"""All marks in one pass: the same figures as mark by mark, and which mark is chosen."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError, Unable
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.item_to_item.co_counts import CoCountModel
from alsolike.evaluation.item_to_item.dial import Dial, evaluate_dial
from alsolike.evaluation.item_to_item.evaluate import METRICS, evaluate_item_to_item
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.item_to_item.unseen_users import Fold, unseen_users
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.linear.ease import EASEConfig, fit_ease
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.testing import tiny_likes

LIKES = tiny_likes(90, 40)


@pytest.fixture(scope="module")
def folds() -> tuple[Fold, ...]:
    return unseen_users(LIKES)


FAMILIES: dict[str, Any] = {
    "als": lambda likes: fit(likes, ALSConfig(factors=4, iterations=3)),
    "item-knn": lambda likes: fit_item_knn(likes, ItemKNNConfig()),
    "co-counts": CoCountModel,
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("part", ["validation", "test"])
def test_figures_are_those_mark_by_mark(family: str, part: Any, folds: tuple[Fold, ...]) -> None:
    models = [FAMILIES[family](fold.train) for fold in folds]
    dial = evaluate_dial(
        models, folds, part, k=4, metrics=METRICS, spread=True, engine=LocalEngine(1)
    )
    assert (dial.name, dial.marks) == (family, MARKS)
    for place, mark in enumerate(MARKS):
        config = replace(models[0].similarity_config, popularity_bias=mark)
        assert dial.config_at(place) == config
        shelves = [
            item_recommender_of(model.with_similarity(config), fold.train, engine=LocalEngine(2))
            for model, fold in zip(models, folds, strict=True)
        ]
        alone = evaluate_item_to_item(shelves, folds, part, k=4, metrics=METRICS, spread=True)
        found = dial.evaluations[place]
        assert found.metrics == alone.metrics
        for name in alone.metrics:
            assert found.per_user[name].tobytes() == alone.per_user[name].tobytes()
        assert (found.share_shown, found.median_likes) == (alone.share_shown, alone.median_likes)
        assert found.blind_at == alone.blind_at
    assert dial.values == tuple(one.mean("precision@4") for one in dial.evaluations)


def test_other_affinities_have_the_dial_as_well(folds: tuple[Fold, ...]) -> None:
    models = [FAMILIES["als"](fold.train) for fold in folds]
    cosine = SimilarityConfig(affinity="cosine", popularity_bias=0.3)
    dial = evaluate_dial(models, folds, k=4, marks=(0.0, 1.0), similarity=cosine)
    assert dial.config == cosine
    plain = [
        item_recommender_of(model, fold.train, similarity=replace(cosine, popularity_bias=0.0))
        for model, fold in zip(models, folds, strict=True)
    ]
    assert dial.values[0] == evaluate_item_to_item(plain, folds, k=4).mean("precision@4")


def test_a_model_without_a_dial_is_evaluated_as_it_is(folds: tuple[Fold, ...]) -> None:
    for train in (fit_popularity, lambda likes: fit_ease(likes, EASEConfig())):
        models = [train(fold.train) for fold in folds]
        dial = evaluate_dial(models, folds, "test", k=4)
        shelves = [item_recommender_of(m, f.train) for m, f in zip(models, folds, strict=True)]
        alone = evaluate_item_to_item(shelves, folds, "test", k=4)
        assert (dial.marks, dial.config, dial.best, dial.auto) == ((), None, 0, 0)
        assert dial.mark(dial.auto) is None
        assert dial.config_at(0) is None
        assert dial.evaluations[0].mean("ndcg@4") == alone.mean("ndcg@4")
    with pytest.raises(Unable, match="choose between specific and popular items"):
        evaluate_dial(models, folds, similarity=SimilarityConfig())


class _Of:
    def __init__(self, value: float) -> None:
        self.value = value

    def mean(self, metric: str) -> float:
        return self.value


@pytest.mark.parametrize(
    ("values", "best", "auto"),
    [
        ([0.1, 0.2, 0.3, 0.3, 0.2], 2, 2),
        ([0.292, 0.29, 0.3, 0.29, 0.2], 2, 0),
        ([0.1, 0.29, 0.295, 0.3, 0.299], 3, 2),
        ([0.0, 0.0, 0.0, 0.0, 0.0], 0, 0),
        ([0.291, 0.0, 0.0, 0.0, 0.3], 4, 0),
    ],
)
def test_the_most_specific_mark_that_loses_little_is_chosen(
    values: list[float], best: int, auto: int
) -> None:
    evaluations: Any = tuple(map(_Of, values))
    dial = Dial("model", SimilarityConfig(), tuple(MARKS[:5]), evaluations, "precision@10")
    assert (dial.best, dial.auto) == (best, auto)
    assert dial.mark(dial.auto) == MARKS[auto]


def test_what_cannot_be_is_said(folds: tuple[Fold, ...]) -> None:
    models = [CoCountModel(fold.train) for fold in folds]
    for wrong, words in (
        ({"marks": ()}, "one popularity bias or more"),
        ({"marks": (0.5, 0.2)}, r"ascending, not \[0.5, 0.2\]"),
        ({"marks": (0.5, 1.2)}, "popularity_bias must be a number from 0"),
        ({"k": 0}, "k must be"),
        ({"choose_by": "auc"}, "choose_by must be one of the metrics"),
        ({"metrics": ["auc"]}, "not available for similar items"),
        ({"part": "train"}, "part must be"),
        ({"similarity": SimilarityConfig(affinity="cosine")}, "has the affinities counts"),
    ):
        with pytest.raises(SettingError, match=words):
            evaluate_dial(models, folds, **wrong)
    with pytest.raises(DataError, match="there are 1 for 5 folds"):
        evaluate_dial(models[:1], folds)


def test_co_counts_are_counts_of_users_who_like_both() -> None:
    model = CoCountModel(LIKES)
    liked = (LIKES.user_items.toarray() > 0).astype(float)
    together = liked.T @ liked
    np.fill_diagonal(together, 0)
    counts = np.maximum(np.diag(liked.T @ liked), 1)
    for bias in (1.0, 0.4):
        expected = together / counts[:, None] / counts ** ((1 - bias) / 2)
        found = model.with_similarity(SimilarityConfig(popularity_bias=bias)).item_scores(
            np.arange(40), slice(None)
        )
        assert np.where(np.isfinite(found), found, 0) == pytest.approx(expected, rel=1e-6)
    assert model.similarity_config.popularity_bias == 1.0
    assert model.evidence_to_store() is None


def test_agreement_is_that_of_each_mark(folds: tuple[Fold, ...]) -> None:
    rng = np.random.default_rng(0)
    features = FeatureVectors.of(sp.csr_array((rng.random((40, 6)) < 0.4).astype(float)))
    models = [CoCountModel(fold.train) for fold in folds]
    dial = evaluate_dial(models, folds, k=3, marks=(0.0, 1.0), features=features)
    bounds = {
        (one.shown.agreement.floor, one.shown.agreement.ceiling)
        for one in dial.evaluations
        if one.shown is not None and one.shown.agreement is not None
    }
    assert len(bounds) == 1
    [(floor, ceiling)] = bounds
    assert 0 < floor < ceiling
    assert "agreement of features" in str(dial.evaluations[0])
