"""Evaluation on rolling folds: one training each, users pooled over folds."""

from dataclasses import replace

import numpy as np
import pytest

from alsolike.data.splitting.folds import split_folds
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.folds import evaluate_folds
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.models.als.config import ALSConfig
from alsolike.models.fit import fit
from alsolike.testing import tiny_likes


@pytest.fixture(scope="module")
def folds():
    likes = tiny_likes(60, 30)
    times = np.random.default_rng(0).permutation(likes.n_interactions).astype(float)
    return split_folds(replace(likes, timestamps=times), folds=3, share=0.12)


def test_each_fold_is_a_training_of_its_own_and_users_are_pooled(folds):
    config = ALSConfig(factors=3, iterations=2)
    found = evaluate_folds(config, folds, k=4, metrics=["ndcg", "coverage"], engine=LocalEngine(1))
    of_user = {}
    for fold, evaluation in zip(folds, found.evaluations, strict=True):
        seen = fold.train_and_validation()
        expected = evaluate(fit(seen, config), fold.test, exclude=seen, k=4, metrics=["ndcg"])
        values = expected.per_user["ndcg@4"].tolist()
        assert evaluation.per_user["ndcg@4"].tolist() == values
        for user, value in zip(expected.per_user["user"].tolist(), values, strict=True):
            of_user.setdefault(user, []).append(value)
    means = {user: np.mean(values) for user, values in of_user.items()}
    assert any(len(values) > 1 for values in of_user.values())
    assert found.per_user("ndcg@4") == pytest.approx(means)
    rows = {(row["metric"], row["fold"]): row for row in found.table().rows()}
    assert rows["ndcg@4", "all"]["mean"] == pytest.approx(np.mean(list(means.values())))
    assert rows["ndcg@4", "all"]["users"] == len(means)
    assert rows["ndcg@4", "all"]["low"] < rows["ndcg@4", "all"]["high"]
    # Coverage has no value per user: nothing is pooled.
    assert [fold for metric, fold in rows if metric == "coverage@4"] == ["1", "2", "3"]
    sizes = found.folds()
    assert sizes["seen"].tolist() == [one.train_and_validation().n_interactions for one in folds]
    assert sizes["test users"].tolist() == [len(one.test_users) for one in folds]
    assert found.table_of_first()["model"].tolist() == ["fold 1", "fold 2", "fold 3", "all folds"]
    assert "3 folds by time" in found.brief(80)
    assert "test from" in str(found)


def test_what_is_not_folds_is_refused(folds):
    for given in ((), folds[0], None):
        with pytest.raises(SettingError, match="One or more folds expected"):
            evaluate_folds(ALSConfig(), given)
    with pytest.raises(DataError, match="A Split expected"):
        evaluate_folds(ALSConfig(), [folds[0], "fold"])
    with pytest.raises(SettingError, match="Settings expected"):
        evaluate_folds("als", folds)
