"""Judges: what each kind asks of a model, and what it takes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out, hold_out_users, leave_one_out
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.item_to_item.evaluate import evaluate_item_to_item
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.learning_curve import Panel, learning_curve
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.kinds import objective_of
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search

CONFIG = ALSConfig(factors=4, seed=3)


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(60, 40), k=2, share=0.3)


@pytest.mark.parametrize(
    "objective",
    [
        RankingObjective(),
        RankingObjective(name="x", metric="auc", choose="test"),
        ItemToItemObjective(),
        ItemToItemObjective(
            metric="map", pages_per_user=2, min_count=7, seed=3, exclude_seen=False
        ),
    ],
)
def test_settings_give_the_judge_back(objective: Objective) -> None:
    assert objective_of(objective.to_settings()) == objective


def test_a_judge_is_given_as_one_or_by_its_settings(split: Split) -> None:
    [whole] = learning_curve(
        split, CONFIG, sweeps=[2], objective=RankingObjective(k=3, metric="ndcg")
    )
    [by_settings] = learning_curve(split, CONFIG, sweeps=[2], k=3, metric="ndcg")
    assert whole.figures == by_settings.figures
    with pytest.raises(SettingError, match="k and an objective are both given"):
        next(learning_curve(split, CONFIG, sweeps=[2], objective=RankingObjective(), k=3))


@pytest.mark.parametrize(
    ("measure", "objective"),
    [
        (None, RankingObjective()),
        ((), RankingObjective()),
        ("ndcg@7", RankingObjective(metric="ndcg", k=7)),
        ("auc", RankingObjective(metric="auc")),
        ("shelf_hit_rate@3", ItemToItemObjective(metric="hit_rate", k=3)),
        (ItemToItemObjective(k=3), ItemToItemObjective(k=3)),
    ],
)
def test_an_objective_is_a_measure_or_a_judge(
    measure: Objective | str | None, objective: Objective, split: Split
) -> None:
    found = search(split, [CONFIG], objective=measure, sweeps=[1])
    assert (found.objective, found.beside) == (objective, {})


def test_of_several_objectives_the_first_ranks(split: Split) -> None:
    beside = ItemToItemObjective(name="shelves", k=3)
    found = search(split, [CONFIG], objective=["ndcg@5", beside, "map@3"], sweeps=[1])
    assert (found.objective.measure, list(found.beside)) == ("ndcg@5", ["shelves", "map@3"])
    assert found.beside["map@3"].objective.measure == "map@3"


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("presicion@5", "Did you mean 'precision'?"),
        ("precision@", "A measure such as 'ndcg@10' expected, not 'precision@'"),
        ("precision@five", "A measure such as 'ndcg@10' expected"),
        ("precision@0", "k must be a whole number of at least 1, not 0"),
        ("shelf_auc@5", "item-to-item objective has the metrics"),
        (5, "An objective is a metric such as"),
        (RankingObjective, "not the class RankingObjective"),
        (["ndcg@5", 3], "or a list of these, not"),
        (["ndcg@5", "map@5", "map@5"], "need different names"),
    ],
)
def test_what_is_no_objective_is_said(objective: Any, words: str, split: Split) -> None:
    with pytest.raises(SettingError, match=words):
        search(split, [CONFIG], objective=objective, sweeps=[1])


@pytest.mark.parametrize("budget", ["10m", True, float("nan")])
def test_what_is_no_budget_is_said(budget: Any, split: Split) -> None:
    with pytest.raises(SettingError, match="A budget is a number of seconds, not"):
        search(split, [CONFIG], budget=budget, sweeps=[1])


def test_only_an_honest_judge_ranks(split: Split) -> None:
    with pytest.raises(SettingError, match="this objective uses test"):
        search(split, [CONFIG], objective=RankingObjective(choose="test"))
    with pytest.raises(SettingError, match="is named 'honest', not 'mine'"):
        search(split, [CONFIG], objective=RankingObjective(name="mine"))


@pytest.mark.parametrize(
    "objective",
    [
        ItemToItemObjective(k=5),
        ItemToItemObjective(k=3, metric="ndcg", pages_per_user=2, min_count=6, seed=4),
        ItemToItemObjective(k=4, metric="hit_rate", exclude_seen=False, choose="test"),
    ],
    ids=str,
)
def test_figures_are_those_of_the_shelves_of_models_trained_to_each_sweep(
    split: Split, objective: ItemToItemObjective
) -> None:
    held_out = split.validation if objective.choose == "validation" else split.test
    points = list(learning_curve(split, CONFIG, sweeps=[3, 1], objective=objective))
    assert [point.sweep for point in points] == [1, 3]
    for point in points:
        model = fit(split.train, replace(CONFIG, iterations=point.sweep))
        found = evaluate_item_to_item(
            item_recommender_of(model, split.train, min_count=objective.min_count),
            held_out,
            split.train,
            k=objective.k,
            metrics=[objective.metric],
            pages_per_user=objective.pages_per_user,
            exclude_seen=objective.exclude_seen,
            seed=objective.seed,
        )
        values = found.per_user[objective.column]
        line = bootstrap_mean(values, np.random.default_rng(CONFIG.seed), resamples=1000)
        assert dict(point.figures) == dict(
            zip(objective.figures, (line.mean, line.low, line.high), strict=True)
        )
        assert point.per_user_scores[""].tobytes() == values.tobytes()
    assert objective.figures == objective.interval
    assert objective.score == f"{objective.choose}_shelf_{objective.metric}@{objective.k}"


def test_each_kind_may_stand_beside_the_other(split: Split) -> None:
    lists, shelves = RankingObjective(k=5), ItemToItemObjective(k=5, metric="recall")
    [alone] = learning_curve(split, CONFIG, sweeps=[2], objective=shelves)
    [first] = learning_curve(split, CONFIG, sweeps=[2], objective=lists)
    [both] = learning_curve(
        split, CONFIG, sweeps=[2], objective=lists, beside=[replace(shelves, name="shelves")]
    )
    assert both.figures == {
        **first.figures,
        **{f"shelves: {name}": value for name, value in alone.figures.items()},
    }
    assert both.per_user_scores["shelves: "].tolist() == alone.per_user_scores[""].tolist()


def test_shelves_of_whole_held_out_users() -> None:
    """ItemQueries are of what was given of them; neighbours know nothing of it."""
    whole = hold_out_users(tiny_likes(90, 40), share=0.2)
    objective = ItemToItemObjective(k=5)
    [point] = learning_curve(whole, CONFIG, sweeps=[3], objective=objective)
    model = fit(whole.train, replace(CONFIG, iterations=3))
    shelves, shown = item_recommender_of(model, whole.train), whole.shown()
    assert not set(whole.validation_users) & set(np.flatnonzero(whole.train.user_counts))
    found = evaluate_item_to_item(shelves, whole.validation, shown, k=5)
    assert point.figures[objective.score] == found.mean("precision@5")


def test_shelves_of_a_line_to_beat(split: Split) -> None:
    objective, model = ItemToItemObjective(k=5), fit_popularity(split.train)
    point = Panel(split, {"": objective}, 0, LocalEngine(1)).point(1, model)
    found = evaluate_item_to_item(
        item_recommender_of(model, split.train), split.validation, split.train, k=5
    )
    assert point.figures[objective.score] == found.mean("precision@5")
    evaluation = objective.evaluation(
        model, split.train, split.validation, split.train, LocalEngine(1)
    )
    assert evaluation.metrics == ("precision@5", "hit_rate@5", "recall@5", "ndcg@5")
    for metric in evaluation.metrics:
        assert evaluation.mean(metric) == found.mean(metric)


def test_settings_of_a_judge_of_shelves_that_cannot_be() -> None:
    for wrong, words in (
        ({"metric": "auc"}, "item-to-item objective has the metrics precision, .*, not 'auc'"),
        ({"metric": "coverage"}, "not 'coverage'"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"choose": "train"}, "not on 'train'"),
        ({"pages_per_user": 0}, "pages_per_user must be a whole number of at least 1, not 0"),
        ({"min_count": -1}, "min_count must be a whole number of at least 0, not -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"kind": "walls"}, "must be ranking or item-to-item, not 'walls'"),
    ):
        with pytest.raises(SettingError, match=words):
            objective_of({"kind": "shelves"} | wrong)


def world(shown: list[list[int]], held_out: list[list[int]]) -> Split:
    ids = {"users": list("uvw"), "items": list("abcde")}
    empty = Interactions.from_matrix(sp.csr_array((3, 5), dtype=np.float32), **ids)
    train, wanted = (
        Interactions.from_matrix(sp.csr_array(np.float32(part)), **ids)
        for part in (shown, held_out)
    )
    return Split(train, wanted, empty, "by hand")


def test_users_without_a_page_are_told_of_and_nobody_with_one_is_an_error() -> None:
    held_out = [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0]]
    some = world([[1, 1, 0, 0, 0], [0, 0, 0, 0, 0], [-1, 0, 0, 0, 0]], held_out)
    told = ItemToItemObjective().left_out(some)
    assert told.startswith("2 of 3 validation users have no like in training and are left out")
    assert RankingObjective().left_out(some) == ""
    nobody = world([[0] * 5, [0] * 5, [-1, 0, 0, 0, 0]], held_out)
    configs = [ALSConfig(factors=1)]
    with pytest.raises(SplitError, match=r"none of its 3 users has a like in training"):
        search(nobody, configs, sweeps=[1], objective=ItemToItemObjective())
    with pytest.raises(SplitError, match="no test users"):
        ItemToItemObjective(choose="test").left_out(some)


def test_no_page_is_of_a_like_that_is_to_be_found() -> None:
    """Of users with three likes one is left in training, and that one is the page."""
    likes = Interactions.from_columns([f"u{n // 3}" for n in range(60)],
                                      [f"i{(n // 3 + n % 3) % 7}" for n in range(60)])  # fmt: skip
    split = leave_one_out(likes)
    [point] = learning_curve(
        split, CONFIG, sweeps=[1], objective=ItemToItemObjective(k=6, min_count=1)
    )
    # All seven items but the one that the user has stand on the shelf.
    assert point.figures["validation_shelf_precision@6"] == pytest.approx(1 / 6)
