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
from alsolike.evaluation.item_to_item.evaluate import judge_shelves, shelves_of
from alsolike.evaluation.learning_curve import Panel, learning_curve
from alsolike.evaluation.objectives.base import Judge
from alsolike.evaluation.objectives.kinds import ListJudge, ShelfJudge, judge_of
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
    "judge",
    [
        ListJudge(),
        ListJudge(name="x", metric="auc", choose="test"),
        ShelfJudge(),
        ShelfJudge(metric="map", pages_per_user=2, min_count=7, seed=3, exclude_seen=False),
    ],
)
def test_settings_give_the_judge_back(judge: Judge) -> None:
    assert judge_of(judge.to_settings()) == judge


def test_a_judge_is_given_as_one_or_by_its_settings(split: Split) -> None:
    [whole] = learning_curve(split, CONFIG, sweeps=[2], judge=ListJudge(k=3, metric="ndcg"))
    [by_settings] = learning_curve(split, CONFIG, sweeps=[2], k=3, metric="ndcg")
    assert whole.figures == by_settings.figures
    with pytest.raises(SettingError, match="k and a judge: a judge has its own"):
        next(learning_curve(split, CONFIG, sweeps=[2], judge=ListJudge(), k=3))


@pytest.mark.parametrize(
    ("measure", "judge"),
    [
        (None, ListJudge()),
        ((), ListJudge()),
        ("ndcg@7", ListJudge(metric="ndcg", k=7)),
        ("auc", ListJudge(metric="auc")),
        ("shelf_hit_rate@3", ShelfJudge(metric="hit_rate", k=3)),
        (ShelfJudge(k=3), ShelfJudge(k=3)),
    ],
)
def test_an_objective_is_a_measure_or_a_judge(
    measure: Judge | str | None, judge: Judge, split: Split
) -> None:
    found = search(split, [CONFIG], objective=measure, sweeps=[1])
    assert (found.judge, found.beside) == (judge, {})


def test_of_several_objectives_the_first_ranks(split: Split) -> None:
    beside = ShelfJudge(name="shelves", k=3)
    found = search(split, [CONFIG], objective=["ndcg@5", beside, "map@3"], sweeps=[1])
    assert (found.judge.measure, list(found.beside)) == ("ndcg@5", ["shelves", "map@3"])
    assert found.beside["map@3"].judge.measure == "map@3"


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("presicion@5", "Did you mean 'precision'?"),
        ("precision@", "A measure such as 'ndcg@10' expected, not 'precision@'"),
        ("precision@five", "A measure such as 'ndcg@10' expected"),
        ("precision@0", "k must be a whole number of at least 1, not 0"),
        ("shelf_auc@5", "Shelves are judged by"),
        (5, "An objective is a measure such as 'ndcg@10', or a judge such as"),
        (ListJudge, "not the class ListJudge"),
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
    with pytest.raises(SettingError, match="this judge chooses on test"):
        search(split, [CONFIG], objective=ListJudge(choose="test"))
    with pytest.raises(SettingError, match="is called 'honest', not 'mine'"):
        search(split, [CONFIG], objective=ListJudge(name="mine"))


@pytest.mark.parametrize(
    "judge",
    [
        ShelfJudge(k=5),
        ShelfJudge(k=3, metric="ndcg", pages_per_user=2, min_count=6, seed=4),
        ShelfJudge(k=4, metric="hit_rate", exclude_seen=False, choose="test"),
    ],
    ids=str,
)
def test_figures_are_those_of_the_shelves_of_models_trained_to_each_sweep(
    split: Split, judge: ShelfJudge
) -> None:
    held_out = split.validation if judge.choose == "validation" else split.test
    points = list(learning_curve(split, CONFIG, sweeps=[3, 1], judge=judge))
    assert [point.sweep for point in points] == [1, 3]
    for point in points:
        model = fit(split.train, replace(CONFIG, iterations=point.sweep))
        found = judge_shelves(
            shelves_of(model, split.train, min_count=judge.min_count),
            held_out,
            split.train,
            k=judge.k,
            metrics=[judge.metric],
            pages_per_user=judge.pages_per_user,
            exclude_seen=judge.exclude_seen,
            seed=judge.seed,
        )
        values = found.per_user[judge.column]
        line = bootstrap_mean(values, np.random.default_rng(CONFIG.seed), resamples=1000)
        assert dict(point.figures) == dict(
            zip(judge.figures, (line.mean, line.low, line.high), strict=True)
        )
        assert point.answers[""].tobytes() == values.tobytes()
    assert judge.figures == judge.interval
    assert judge.score == f"{judge.choose}_shelf_{judge.metric}@{judge.k}"


def test_each_kind_may_stand_beside_the_other(split: Split) -> None:
    lists, shelves = ListJudge(k=5), ShelfJudge(k=5, metric="recall")
    [alone] = learning_curve(split, CONFIG, sweeps=[2], judge=shelves)
    [first] = learning_curve(split, CONFIG, sweeps=[2], judge=lists)
    [both] = learning_curve(
        split, CONFIG, sweeps=[2], judge=lists, beside=[replace(shelves, name="shelves")]
    )
    assert both.figures == {
        **first.figures,
        **{f"shelves: {name}": value for name, value in alone.figures.items()},
    }
    assert both.answers["shelves: "].tolist() == alone.answers[""].tolist()


def test_shelves_of_whole_held_out_users() -> None:
    """Pages are of what was given of them; neighbours know nothing of it."""
    whole = hold_out_users(tiny_likes(90, 40), share=0.2)
    judge = ShelfJudge(k=5)
    [point] = learning_curve(whole, CONFIG, sweeps=[3], judge=judge)
    model = fit(whole.train, replace(CONFIG, iterations=3))
    shelves, shown = shelves_of(model, whole.train), whole.shown()
    assert not set(whole.validation_users) & set(np.flatnonzero(whole.train.user_counts))
    found = judge_shelves(shelves, whole.validation, shown, k=5)
    assert point.figures[judge.score] == found.mean("precision@5")


def test_shelves_of_a_line_to_beat(split: Split) -> None:
    judge, model = ShelfJudge(k=5), fit_popularity(split.train)
    point = Panel(split, {"": judge}, 0, LocalEngine(1)).point(1, model)
    found = judge_shelves(shelves_of(model, split.train), split.validation, split.train, k=5)
    assert point.figures[judge.score] == found.mean("precision@5")
    evaluation = judge.evaluation(model, split.train, split.validation, split.train, LocalEngine(1))
    assert evaluation.metrics == ("precision@5", "hit_rate@5", "recall@5", "ndcg@5")
    for metric in evaluation.metrics:
        assert evaluation.mean(metric) == found.mean(metric)


def test_settings_of_a_judge_of_shelves_that_cannot_be() -> None:
    for wrong, words in (
        ({"metric": "auc"}, "Shelves are judged by precision, .*, not by 'auc'"),
        ({"metric": "coverage"}, "not by 'coverage'"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"choose": "train"}, "not on 'train'"),
        ({"pages_per_user": 0}, "pages_per_user must be a whole number of at least 1, not 0"),
        ({"min_count": -1}, "min_count must be a whole number of at least 0, not -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"kind": "walls"}, "judged by lists or by shelves, not by 'walls'"),
    ):
        with pytest.raises(SettingError, match=words):
            judge_of({"kind": "shelves"} | wrong)


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
    told = ShelfJudge().left_out(some)
    assert told.startswith("2 of 3 validation users have no like in training, and so no item page")
    assert ListJudge().left_out(some) == ""
    nobody = world([[0] * 5, [0] * 5, [-1, 0, 0, 0, 0]], held_out)
    configs = [ALSConfig(factors=1)]
    with pytest.raises(SplitError, match=r"none of its 3 users has a like in training"):
        search(nobody, configs, sweeps=[1], objective=ShelfJudge())
    with pytest.raises(SplitError, match="no test users"):
        ShelfJudge(choose="test").left_out(some)


def test_no_page_is_of_a_like_that_is_to_be_found() -> None:
    """Of users with three likes one is left in training, and that one is the page."""
    likes = Interactions.from_columns([f"u{n // 3}" for n in range(60)],
                                      [f"i{(n // 3 + n % 3) % 7}" for n in range(60)])  # fmt: skip
    split = leave_one_out(likes)
    [point] = learning_curve(split, CONFIG, sweeps=[1], judge=ShelfJudge(k=6, min_count=1))
    # All seven items but the one that the user has stand on the shelf.
    assert point.figures["validation_shelf_precision@6"] == pytest.approx(1 / 6)
