"""Evaluation of new items: among themselves, among all, and how often they are listed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

import alsolike as al
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.learning_curve import learning_curve
from alsolike.evaluation.metrics.among_items import among_items
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.testing import tiny_likes, with_tiny_features

LIKES = with_tiny_features(tiny_likes())
SPLIT = al.hold_out_new_items(LIKES, share=0.2)
NEW = SPLIT.new_items("test")
MODELS = {
    "profile": al.fit(SPLIT.train, family="item-profile"),
    "als": al.fit(SPLIT.train, al.ALSConfig(factors=4, iterations=3)),
    "knn": al.fit(SPLIT.train, family="item-knn"),
}


@dataclass(frozen=True)
class Levels:
    """Scores with many ties, the same for all blocks."""

    users: Vocabulary
    items: Vocabulary
    table: np.ndarray
    name: str = "levels"

    def scores(self, user_indices, item_indices):
        return self.table[user_indices][:, item_indices]


@pytest.mark.parametrize("name", MODELS)
def test_fewer_items_are_scored_as_among_all(name):
    model, rows = MODELS[name], np.array([1, 5, 6, 30])
    fewer = among_items(model, rows)
    users = np.array([3, 0, 7])
    for items in (slice(None), slice(1, 3)):
        whole = model.scores(users, slice(None))[:, rows[items]]
        np.testing.assert_allclose(fewer.scores(users, items), whole, rtol=1e-5)
    assert list(fewer.items) == [LIKES.items.id_of(int(row)) for row in rows]


@pytest.mark.parametrize("name", MODELS)
def test_lists_of_new_items_are_those_of_a_catalogue_of_them(name):
    model = MODELS[name]
    found = al.evaluate_new_items(model, SPLIT.test, exclude=SPLIT.train, k=3)
    everybody = np.arange(LIKES.n_users)
    expected = al.evaluate(
        among_items(model, NEW), SPLIT.test.subset(everybody, NEW), exclude=None, k=3,
        metrics=found.among_new.per_user.column_names[1:][0].partition("@")[0],
    )  # fmt: skip
    assert found.among_new.per_user["precision@3"].tolist() == (
        expected.per_user["precision@3"].tolist()
    )
    among_all = al.evaluate(model, SPLIT.test, exclude=SPLIT.train, k=3, metrics=["recall"])
    assert found.among_all.per_user["recall@3"].tolist() == among_all.per_user["recall@3"].tolist()
    assert found.n_items == len(NEW)


def test_items_that_are_scored_alike_count_in_expectation():
    found = al.evaluate_new_items(MODELS["als"], SPLIT.test, exclude=SPLIT.train, k=2)
    assert found.among_new.per_user["recall@2"] == pytest.approx(2 / len(NEW))
    assert found.among_new.is_degenerate
    assert (found.without_features, found.n_items) == (0, 7)


@pytest.mark.parametrize("seed", range(3))
def test_shown_items_are_means_over_orders_of_ties(seed):
    rng = np.random.default_rng(seed)
    table = rng.integers(0, 3, (30, 40)).astype(np.float32)
    model = Levels(LIKES.users, LIKES.items, table)
    found = al.evaluate_new_items(
        model, SPLIT.test, exclude=SPLIT.train, k=[3, 6], new_items=NEW, metrics=["recall"]
    )
    is_new = np.isin(np.arange(40), NEW)
    for k in (3, 6):
        for at, user in enumerate(found.among_all.user_indices[:6]):
            open_items = np.flatnonzero(SPLIT.train.user_items.toarray()[user] == 0)
            draws = rng.random((4000, len(open_items)))
            order = np.argsort(-(table[user, open_items] + 0.5 * draws), axis=1)[:, :k]
            has = is_new[open_items][order]
            assert found.shown[f"new_places@{k}"][at] == pytest.approx(has.mean(), abs=0.03)
            some = has.any(axis=1).mean()
            assert found.shown[f"new_lists@{k}"][at] == pytest.approx(some, abs=0.03)


def test_items_without_features_are_counted():
    bare = LIKES.item_features.take(np.where(np.arange(40) == NEW[0], -1, np.arange(40)))
    train = replace(SPLIT.train, item_features=bare)
    model = al.fit(train, family="item-profile")
    found = al.evaluate_new_items(model, SPLIT.test, exclude=train)
    assert found.without_features == 1
    share = SPLIT.test.item_counts[NEW[0]] / SPLIT.test.n_interactions
    assert found.likes_without_features == pytest.approx(share)
    assert "1 of them have no features" in found.about
    assert {"new items", "all items"} == set(found.table()["lists"])
    assert "of the places of 10" in found.about_shown


def test_what_is_not_new_is_refused():
    model = MODELS["profile"]
    with pytest.raises(DataError, match="None of the held-out items is new"):
        al.evaluate_new_items(model, SPLIT.train, exclude=None)
    with pytest.raises(SettingError, match="novelty says nothing of new items"):
        al.evaluate_new_items(model, SPLIT.test, exclude=None, metrics=["novelty"])
    with pytest.raises(SettingError, match="row numbers from 0 to 39"):
        al.evaluate_new_items(model, SPLIT.test, exclude=None, new_items=[40])
    plain = Levels(LIKES.users, LIKES.items, np.zeros((30, 40), np.float32))
    with pytest.raises(SettingError, match="give the rows of new ones"):
        al.evaluate_new_items(plain, SPLIT.test, exclude=None)


def test_a_search_scores_the_new_items_of_its_part():
    objective = RankingObjective(metric="recall", k=2)
    [point] = learning_curve(SPLIT, ItemProfileConfig(), sweeps=[1], objective=objective)
    model = al.fit(SPLIT.train, ItemProfileConfig())
    found = al.evaluate_new_items(
        model, SPLIT.validation, exclude=SPLIT.train, k=2, metrics=["recall"]
    )
    assert point.figures["validation_recall@2"] == found.among_new.mean("recall@2")
    [blind] = learning_curve(SPLIT, al.ItemKNNConfig(), sweeps=[1], objective=objective)
    assert blind.figures["validation_recall@2"] == pytest.approx(2 / 7)
