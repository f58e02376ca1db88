"""Judges: what each kind asks of a model, and what it takes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out, hold_out_users
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.item_to_item.evaluate import evaluate_item_to_item
from alsolike.evaluation.item_to_item.item_recommender import item_recommender_of
from alsolike.evaluation.item_to_item.unseen_users import Fold
from alsolike.evaluation.learning_curve import Panel, learning_curve
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.kinds import objective_of
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.testing import tiny_likes
from alsolike.tuning.search import search

CONFIG = ALSConfig(factors=4, seed=3)


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(60, 40), k=2, share=0.3)


@pytest.fixture(scope="module")
def unseen() -> Split:
    return hold_out_unseen_users(tiny_likes(60, 40))


@pytest.mark.parametrize(
    "objective",
    [
        RankingObjective(),
        RankingObjective(name="x", metric="auc", choose="test"),
        ItemToItemObjective(),
        ItemToItemObjective(metric="p_0.5", pages_per_user=2, min_count=7, seed=3),
    ],
)
def test_settings_give_the_judge_back(objective: Objective) -> None:
    assert objective_of(objective.to_settings()) == objective


def test_settings_of_the_measure_of_earlier_versions_are_read() -> None:
    """Its ledgers are shown still, and are not gone on with: their settings differ."""
    old = {"kind": "shelves", "k": 5, "exclude_seen": True}
    assert objective_of(old) == ItemToItemObjective(k=5)
    assert ItemToItemObjective(k=5).to_settings()["kind"] == "item-to-item"


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
    measure: Objective | str | None, objective: Objective, split: Split, unseen: Split
) -> None:
    fitting = unseen if objective.is_of_unseen_users else split
    found = search(fitting, [CONFIG], objective=measure, sweeps=[1])
    assert (found.objective, found.beside) == (objective, {})


def test_of_several_objectives_the_first_ranks(split: Split) -> None:
    beside = RankingObjective(name="short", k=3)
    found = search(split, [CONFIG], objective=["ndcg@5", beside, "map@3"], sweeps=[1])
    assert (found.objective.measure, list(found.beside)) == ("ndcg@5", ["short", "map@3"])
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
        ItemToItemObjective(k=4, metric="p_1", choose="test"),
    ],
    ids=str,
)
def test_figures_are_those_of_the_best_mark_of_models_trained_to_each_sweep(
    unseen: Split, objective: ItemToItemObjective
) -> None:
    points = list(learning_curve(unseen, CONFIG, sweeps=[3, 1], objective=objective))
    assert [point.sweep for point in points] == [1, 3]
    fold = Fold.of(
        unseen,
        seed=objective.seed,
        pages_per_user=objective.pages_per_user,
        min_count=objective.min_count,
    )
    for point in points:
        model = fit(unseen.train, replace(CONFIG, iterations=point.sweep))
        at_marks = [
            evaluate_item_to_item(
                [
                    item_recommender_of(
                        model,
                        unseen.train,
                        min_count=objective.min_count,
                        similarity=SimilarityConfig(popularity_bias=mark),
                    )
                ],
                [fold],
                objective.choose,
                k=objective.k,
                metrics=[objective.metric],
            )
            for mark in MARKS
        ]
        found = max(at_marks, key=lambda one: one.mean(objective.column))
        values = found.per_user[objective.column]
        line = bootstrap_mean(values, np.random.default_rng(CONFIG.seed), resamples=1000)
        assert dict(point.figures) == dict(
            zip(objective.figures, (line.mean, line.low, line.high), strict=True)
        )
        assert point.per_user_scores[""].tobytes() == values.tobytes()
    assert objective.figures == objective.interval
    assert objective.score == f"{objective.choose}_shelf_{objective.metric}@{objective.k}"


def test_further_objectives_of_a_kind_may_stand_beside_it(unseen: Split) -> None:
    first, second = ItemToItemObjective(k=5), ItemToItemObjective(k=5, metric="recall")
    [alone] = learning_curve(unseen, CONFIG, sweeps=[2], objective=second)
    [own] = learning_curve(unseen, CONFIG, sweeps=[2], objective=first)
    [both] = learning_curve(
        unseen, CONFIG, sweeps=[2], objective=first, beside=[replace(second, name="found")]
    )
    assert both.figures == {
        **own.figures,
        **{f"found: {name}": value for name, value in alone.figures.items()},
    }
    assert both.per_user_scores["found: "].tolist() == alone.per_user_scores[""].tolist()


@pytest.mark.parametrize("whole", [True, False])
def test_users_whom_a_model_has_seen_do_not_ask(split: Split, whole: bool) -> None:
    """Not even those of whom it was only given something, by fold-in."""
    seen = hold_out_users(tiny_likes(90, 40), share=0.2) if whole else split
    with pytest.raises(SplitError, match=r"Split with alsolike.hold_out_unseen_users\(likes\)"):
        search(seen, [CONFIG], sweeps=[1], objective=ItemToItemObjective())
    with pytest.raises(SplitError, match="have likes in training"):
        next(learning_curve(seen, CONFIG, sweeps=[1], objective=ItemToItemObjective()))


def test_lists_are_not_for_users_of_whom_nothing_is_known(unseen: Split) -> None:
    words = r"none of its 6 users has a like in training. Split with alsolike.hold_out\(likes\)"
    with pytest.raises(SplitError, match=words):
        search(unseen, [CONFIG], sweeps=[1], objective="precision@5")
    beside = RankingObjective(name="lists")
    with pytest.raises(SplitError, match=words):
        search(unseen, [CONFIG], sweeps=[1], objective=[ItemToItemObjective(), beside])


def test_shelves_of_a_line_to_beat(unseen: Split) -> None:
    objective, model = ItemToItemObjective(k=5), fit_popularity(unseen.train)
    point = Panel(unseen, {"": objective}, 0, LocalEngine(1)).point(1, model)
    shelves = item_recommender_of(model, unseen.train)
    found = evaluate_item_to_item([shelves], [Fold.of(unseen)], k=5)
    assert point.figures[objective.score] == found.mean("precision@5")


def test_settings_of_a_judge_of_shelves_that_cannot_be() -> None:
    for wrong, words in (
        ({"metric": "auc"}, "item-to-item objective has the metrics precision, .*, not 'auc'"),
        ({"metric": "coverage"}, "not 'coverage'"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"choose": "train"}, "not on 'train'"),
        ({"pages_per_user": 0}, "pages_per_user must be a whole number of at least 1, not 0"),
        ({"min_count": -1}, "min_count must be a whole number of at least 0, not -1"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"kind": "walls"}, "must be ranking or item-to-item or ratings, not 'walls'"),
    ):
        with pytest.raises(SettingError, match=words):
            objective_of({"kind": "shelves"} | wrong)


def world(shown: list[list[int]], held_out: list[list[int]]) -> Split:
    ids = {"users": list("uvwxy"), "items": list("abcde")}
    empty = Interactions.from_matrix(sp.csr_array((5, 5), dtype=np.float32), **ids)
    train, wanted = (
        Interactions.from_matrix(sp.csr_array(np.float32(part)), **ids)
        for part in (shown, held_out)
    )
    return Split(train, wanted, empty, "by hand")


def test_users_without_a_page_are_told_of() -> None:
    """One has a single like, another likes what nobody else does."""
    held_out = [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1], *[[0] * 5] * 2]
    shown = [*[[0] * 5] * 3, [1, 1, 1, 0, 0], [1, 1, 0, 0, 0]]
    some = world(shown, held_out)
    told = ItemToItemObjective().left_out(some)
    assert told.startswith("2 of 3 validation users have no like to ask for, or no other one")
    with pytest.raises(SplitError, match="no test users"):
        ItemToItemObjective(choose="test").left_out(some)
