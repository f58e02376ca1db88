"""Learning curves: the figures are those of models trained anew to each sweep."""

from dataclasses import replace

import numpy as np
import pytest

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out, hold_out_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.learning_curve import CurvePoint, learning_curve
from alsolike.evaluation.metrics.evaluate import evaluate
from alsolike.evaluation.metrics.squared_errors import mean_squared_error
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit, fold_in
from alsolike.progress import Observer
from alsolike.testing import tiny_likes

CONFIG = ALSConfig(factors=4, seed=3)


@pytest.fixture(scope="module")
def likes() -> Interactions:
    return tiny_likes(60, 40)


@pytest.fixture(scope="module")
def split(likes: Interactions) -> Split:
    return hold_out(likes, k=2, share=0.3)


def figures(points: list[CurvePoint]) -> list[dict[str, float]]:
    return [dict(point.figures) for point in points]


def test_figures_are_those_of_models_trained_to_each_sweep(split: Split) -> None:
    points = list(learning_curve(split, CONFIG, sweeps=[3, 1], k=5))
    assert [point.sweep for point in points] == [1, 3]
    users = split.validation_users
    for point in points:
        model = fit(split.train, replace(CONFIG, iterations=point.sweep))
        found = evaluate(model, split.validation, exclude=split.train, k=5, metrics=["precision"])
        on_train = evaluate(
            model, split.train, exclude=None, k=5, metrics=["precision"], user_indices=users
        )
        assert list(point.figures) == list(RankingObjective(k=5).figures)
        assert point.figures["validation_precision@5"] == found.mean("precision@5")
        assert point.figures["train_precision@5"] == on_train.mean("precision@5")
        for side in ("train", "validation"):
            expected = mean_squared_error(model, getattr(split, side), user_indices=users)
            assert point.figures[f"{side}_mse"] == expected
        low, high = (point.figures[f"validation_precision@5_{end}"] for end in ("low", "high"))
        assert low <= point.figures["validation_precision@5"] <= high
        assert low < high


def test_the_articles_judge_keeps_the_seen_and_looks_at_the_test(split: Split) -> None:
    [point] = learning_curve(split, CONFIG, sweeps=[4], k=5, exclude_seen=False, choose="test")
    model = fit(split.train, replace(CONFIG, iterations=4))
    kept = evaluate(model, split.test, exclude=None, k=5).mean("precision@5")
    excluded = evaluate(model, split.test, exclude=split.train, k=5).mean("precision@5")
    assert point.figures["test_precision@5"] == kept
    assert kept < excluded


def test_judges_beside_give_what_they_give_alone(split: Split) -> None:
    other = RankingObjective(name="other", metric="ndcg", k=3, exclude_seen=False, choose="test")
    [together] = learning_curve(split, CONFIG, sweeps=[2], k=5, beside=[other])
    [first] = learning_curve(split, CONFIG, sweeps=[2], k=5)
    [second] = learning_curve(
        split, CONFIG, sweeps=[2], k=3, metric="ndcg", exclude_seen=False, choose="test"
    )
    expected = dict(first.figures)
    expected |= {f"other: {name}": value for name, value in second.figures.items()}
    assert dict(together.figures) == expected


def test_whole_users_are_folded_in_first(likes: Interactions) -> None:
    split = hold_out_users(likes, share=0.2)
    [point] = learning_curve(split, CONFIG, sweeps=[3], k=5)
    model = fit(split.train, replace(CONFIG, iterations=3))
    assert split.given is not None
    user_factors = fold_in(model, split.given)
    folded = replace(model, user_factors=user_factors)
    found = evaluate(folded, split.validation, exclude=split.given, k=5, metrics=["precision"])
    users = split.validation_users
    assert point.figures["validation_precision@5"] == found.mean("precision@5")
    assert point.figures["train_mse"] == mean_squared_error(folded, split.given, user_indices=users)


def test_figures_do_not_depend_on_threads(split: Split) -> None:
    curves = [
        figures(list(learning_curve(split, CONFIG, sweeps=[1, 4], engine=LocalEngine(threads))))
        for threads in (1, 2)
    ]
    assert curves[0] == curves[1]


def test_every_metric_of_users_can_judge(split: Split) -> None:
    [point] = learning_curve(split, CONFIG, sweeps=[1], metric="auc")
    assert 0.5 < point.figures["validation_auc"] <= 1
    with pytest.raises(SettingError, match="not 'coverage'"):
        RankingObjective(metric="coverage")
    with pytest.raises(SettingError, match="k must be a whole number of at least 1"):
        RankingObjective(k=0)
    with pytest.raises(SettingError, match="not on 'train'"):
        RankingObjective(choose="train")  # type: ignore[arg-type]


def test_the_observer_hears_each_point(split: Split) -> None:
    class Counting(Observer):
        def __init__(self) -> None:
            self.heard: list[object] = []

        def start(self, task: str, total: int | None = None) -> None:
            self.heard.append((task, total))

        def advance(self, steps: int = 1) -> None:
            self.heard.append(steps)

        def finish(self) -> None:
            self.heard.append("finished")

    observer = Counting()
    list(learning_curve(split, CONFIG, sweeps=[1, 2], observer=observer))
    assert observer.heard == [("learning curve", 2), 1, 1, "finished"]


@pytest.mark.parametrize("sweeps", [[], [0, 2], [1.5], [-1]])
def test_sweeps_that_cannot_be(split: Split, sweeps: list[int]) -> None:
    with pytest.raises(SettingError, match="whole number from 1"):
        next(learning_curve(split, CONFIG, sweeps=sweeps))


def test_two_judges_of_one_name(split: Split) -> None:
    with pytest.raises(SettingError, match="different names"):
        next(learning_curve(split, CONFIG, sweeps=[1], beside=[RankingObjective(k=5)]))


def test_nobody_to_choose_on(likes: Interactions) -> None:
    split = hold_out(likes, k=2, share=0.3, validation_share=0)
    with pytest.raises(SplitError, match="no validation users"):
        next(learning_curve(split, CONFIG, sweeps=[1]))
    assert np.isfinite(
        next(learning_curve(split, CONFIG, sweeps=[1], choose="test")).figures["test_mse"]
    )
