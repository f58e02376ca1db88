"""Searches over families that are not ALS: alone, beside it, by several workers, in time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest

import alsolike as al
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.splitters import hold_out, hold_out_users
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.holdout_report import holdout_report as figures_of
from alsolike.evaluation.learning_curve import learning_curve
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.base import FittedModel
from alsolike.models.baselines.popularity import PopularityConfig
from alsolike.models.family import Family, TrainingData
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.family import ItemKNNFamily
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.models.neighbours.model import ItemKNNModel
from alsolike.models.registry import FAMILIES
from alsolike.models.settings import FamilyConfig
from alsolike.progress import Observer
from alsolike.testing import tiny_likes
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.budget.speed_estimate import SpeedEstimate
from alsolike.tuning.budget.time_forecast import TimeForecast
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.search import search
from alsolike.tuning.status import status_of
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.base import Trial, TrialResult, pruning_thresholds
from alsolike.tuning.strategies.by_name import strategy_of
from alsolike.tuning.strategies.search_space import Range, draw, expand
from alsolike.tuning.strategies.successive_halving import FactorDoubling, Halving

GRID = expand({"neighbours": [5, 20, 40]}, ItemKNNConfig())
ALS = expand({"factors": [2, 4], "alpha": [1.0, 9.0]}, al.ALSConfig(seed=3))


@dataclass(frozen=True, kw_only=True)
class GrowingConfig(FamilyConfig):
    """A neighbour more with each sweep."""

    family: ClassVar[str] = "growing"
    iterations: int = 3
    shrinkage: float = 0.0


class GrowingFamily(Family):
    """A family that is scored at sweeps, and has no factors."""

    name: ClassVar[str] = "growing"
    config: ClassVar[type[Any]] = GrowingConfig
    model: ClassVar[type[FittedModel]] = ItemKNNModel
    scored: ClassVar[Literal["sweeps", "end"]] = "sweeps"

    def iterate(self, data: TrainingData, config: Any, **_: Any) -> Iterator[FittedModel]:
        for sweep in range(1, config.iterations + 1):
            asked = ItemKNNConfig(neighbours=sweep, shrinkage=config.shrinkage)
            yield fit_item_knn(data.interactions, asked)

    def pack(self, model: Any) -> Any:
        return ItemKNNFamily().pack(model)

    def unpack(self, arrays: Any, known: Any) -> FittedModel:
        return ItemKNNFamily().unpack(arrays, known)


class Hearing(Observer):
    def __init__(self) -> None:
        self.told: list[object] = []
        self.warned: list[str] = []

    def tell(self, finding: object) -> None:
        self.told.append(finding)

    def warn(self, danger: str) -> None:
        self.warned.append(danger)


@pytest.fixture(scope="module")
def split() -> Split:
    return hold_out(tiny_likes(120, 40), k=2, share=0.3)


@pytest.fixture
def growing() -> Iterator[GrowingFamily]:
    family = GrowingFamily()
    FAMILIES.append(family)
    yield family
    FAMILIES.remove(family)


def rows(found: SearchResult) -> list[object]:
    return [*found.curves.rows(), *found.leaderboard.rows(), found.best, found.proposed]


def test_a_grid_over_item_knn(split: Split) -> None:
    found = search(split, GRID, objective="precision@5")
    board = list(found.leaderboard.rows())
    assert sorted((row["run"], row["neighbours"]) for row in board) == [(1, 5), (2, 20), (3, 40)]
    assert {(row["model"], row["sweep"], row["state"]) for row in board} == {
        ("item-knn", None, "done")
    }
    for row in found.rows:
        [point] = learning_curve(split, row.config, sweeps=[3], k=5)
        assert (point.sweep, point.figures[found.objective.score]) == (1, row.mean)
        assert not any("mse" in name for name in point.figures)
    assert found.best == found.rows[0].config
    assert found.best in GRID
    assert f"neighbours {GRID[0].neighbours}" not in found.brief(100)
    assert al.fit(split.train, found.best).name == "item-knn"
    assert found.curves["sweep"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("way", ["random", "halving", "tpe"])
def test_other_ways_to_search_item_knn(split: Split, way: str) -> None:
    if way == "tpe":
        pytest.importorskip("optuna")
    space = {
        "neighbours": Range(low=1, high=40, integer=True),
        "weighting": ["cosine", "bm25"],
        "b": [0.05, 0.2, 0.5],
    }
    asked = strategy_of(way, space, ItemKNNConfig(), trials=7)
    ended = strategy_of(way, space, ItemKNNConfig(), trials=7, patience=1, prune=True)
    found = search(split, ended, sweeps=[2, 4, 8], objective="precision@5")
    again = search(split, asked, sweeps=[2, 4, 8], objective="precision@5", engine=LocalEngine(2))
    assert rows(found) == rows(again)
    assert len(found.rows) == 7
    assert {row.state for row in found.rows} == {"done"}


def test_what_a_space_or_a_strategy_cannot_do_is_said() -> None:
    with pytest.raises(SettingError, match=r"Doubling needs factors, and item-knn has none\."):
        FactorDoubling(GRID)
    with pytest.raises(SettingError, match=r"Unknown setting 'factors'\. .*neighbours"):
        expand({"factors": [1]}, ItemKNNConfig())
    with pytest.raises(SettingError, match="Unknown setting 'alpha'"):
        draw({"alpha": [1]}, ItemKNNConfig(), np.random.default_rng(0))
    with pytest.raises(SettingError, match=r"list of values to try, such as \[100\]"):
        expand({"neighbours": []}, ItemKNNConfig())
    with pytest.raises(SettingError, match="Settings expected, not"):
        expand({}, {"neighbours": 3})


def test_what_is_no_configuration_is_refused(split: Split) -> None:
    for wrong, words in (
        ({"candidates": ItemKNNConfig()}, "candidates is a list of configurations, not"),
        ({"baselines": "ease"}, "baselines is a list of configurations, not"),
        ({"candidates": [ItemKNNConfig]}, "Settings expected"),
        ({"candidates": ["ease"]}, "Settings expected"),
    ):
        for sweeps in ([1], None):
            with pytest.raises(SettingError, match=words):
                search(split, ALS, sweeps=sweeps, **wrong)  # type: ignore[arg-type]


def test_the_best_of_a_search_may_be_ease(split: Split) -> None:
    hopeless = al.ALSConfig(factors=1, alpha=0.01, iterations=1)
    candidates = [al.EASEConfig(regularization=5.0), ItemKNNConfig(neighbours=1)]
    found = search(
        split,
        [hopeless],
        objective=["precision@5", RankingObjective(name="found", metric="recall", k=5)],
        candidates=candidates,
        baselines=[PopularityConfig()],
    )
    top = max((row for row in found.rows if row.is_candidate), key=lambda row: row.mean)
    assert found.best == top.config == candidates[0]
    assert found.best_run == 2
    assert [(run.number, run.model) for run in map(_named, found.rows)].count((1, "als")) == 1
    assert found.beside["found"].rows[0].mean >= found.beside["found"].rows[-1].mean
    model = al.fit(split.train_and_validation(), found.best)
    assert model.name == "ease"
    quoted = figures_of(RankingObjective(k=5), found.best, split, LocalEngine(1))
    assert quoted.errors == {}
    assert "mse_all" not in quoted.table()["metric"].tolist()
    assert {"ease", "popularity"} == set(quoted.table()["model"].tolist())
    als = figures_of(RankingObjective(k=5), hopeless, split, LocalEngine(1))
    assert set(als.errors) == {"mse_users", "mse_all"}


@dataclass(frozen=True)
class _Named:
    number: int | None
    model: str


def _named(row: Any) -> _Named:
    return _Named(row.run, row.model)


def test_candidates_alone_are_a_search(split: Split) -> None:
    lineup = lineup_for(["item-knn", "ease"], ["random"], split.train)
    found = search(
        split,
        (),
        objective="precision@5",
        candidates=lineup.candidates,
        baselines=lineup.baselines,
        budget=Budget(forecast=True),
    )
    n_candidates = len(lineup.candidates)
    assert len(found.rows) == n_candidates + 2
    assert found.best_row.family in ("item-knn", "ease")
    assert sorted(row.run for row in found.rows if row.run) == list(range(1, n_candidates + 1))
    assert len(found.curves) == 0
    assert "sweep" in found.curves
    with pytest.raises(SettingError, match="at least one configuration"):
        search(split, (), objective="precision@5", baselines=lineup.baselines)


def test_whole_users_held_out_are_scored_by_every_family() -> None:
    split = hold_out_users(tiny_likes(120, 40), share=0.3)
    lineup = lineup_for(None, None, split.train)
    found = search(
        split,
        ALS[:1],
        sweeps=[2],
        objective="precision@5",
        candidates=lineup.candidates,
        baselines=lineup.baselines,
    )
    for row in found.rows:
        [point] = learning_curve(split, row.config, sweeps=[2], k=5)
        assert point.figures[found.objective.score] == row.mean


def test_candidates_and_baselines_change_nothing_of_trainings(split: Split) -> None:
    lineup = lineup_for(None, None, split.train)
    alone = search(split, ALS, sweeps=[1, 2], objective="precision@5")
    found = search(
        split,
        ALS,
        sweeps=[1, 2],
        objective="precision@5",
        candidates=lineup.candidates,
        baselines=lineup.baselines,
    )
    own = [row for row in found.rows if row.family == "als"]
    assert [(row.run, row.mean, row.config) for row in own] == [
        (row.run, row.mean, row.config) for row in alone.rows
    ]
    points = [[row[name] for name in ("run", "sweep", "train_mse")] for row in alone.curves.rows()]
    assert points == [
        [row[name] for name in ("run", "sweep", "train_mse")] for row in found.curves.rows()
    ]


def test_a_search_that_began_with_baselines_goes_on_with_them_as_candidates(
    split: Split, tmp_path: Path
) -> None:
    """As a ledger of an earlier version does, where all but ALS was compared with alone."""
    lineup = lineup_for(None, None, split.train)
    everything: dict[str, Any] = {
        "candidates": lineup.candidates,
        "baselines": lineup.baselines,
        "sweeps": [1, 2],
        "objective": "precision@5",
    }
    whole = search(split, ALS, **everything)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        before = everything | {"candidates": (), "baselines": lineup.candidates[:3]}
        search(split, ALS[:2], ledger=ledger, **before)
        taken = [ledger.seconds(entry) for entry in ledger.states()]
        found = search(split, ALS, ledger=ledger, **everything)
        assert [ledger.seconds(entry) for entry in ledger.states()][: len(taken)] == taken
    key = ("model", "run", "validation_precision@5", "ties")
    assert [[row[name] for name in key] for row in found.leaderboard.rows()] == [
        [row[name] for name in key] for row in whole.leaderboard.rows()
    ]
    shown = status_of(tmp_path).leaderboard
    assert len(shown) == len(found.rows)
    assert {row["run"] for row in shown.rows()} == {None, 1, 2, 3, 4}


def test_what_is_searched_and_compared_with_may_be_chosen(split: Split) -> None:
    found = search(split, GRID, objective="precision@5", baselines=[PopularityConfig(), GRID[1]])
    assert sorted(row.run for row in found.rows if row.run) == [1, 2, 3]


def test_als_beside_others_is_scored_at_all_sweeps(split: Split) -> None:
    found = search(
        split,
        GRID,
        sweeps=[1, 3],
        objective="precision@5",
        candidates=ALS[:1],
        baselines=[replace(ALS[1], iterations=9)],
    )
    by_role = {row.role: row for row in found.rows if row.family == "als"}
    assert (by_role["candidate"].run, by_role["baseline"].run) == (4, None)
    assert by_role["candidate"].sweep in (1, 3)
    own = [row["sweep"] for row in found.curves.rows() if row["run"] == 4]
    assert own == [1, 3]


def test_a_family_with_sweeps_of_its_own(
    growing: GrowingFamily, split: Split, tmp_path: Path
) -> None:
    asked = expand({"shrinkage": [0.0, 5.0, 50.0]}, GrowingConfig())
    heard = Hearing()
    found = search(
        split,
        Halving(asked, factor=2),
        sweeps=[1, 2, 4],
        objective="precision@5",
        budget=Budget(forecast=True),
        observer=heard,
        candidates=[ItemKNNConfig(neighbours=2)],
    )
    assert isinstance(heard.told[0], TimeForecast)
    assert set(heard.told[0].speed.measured) == {"growing"}
    assert set(heard.told[0].speed.at_end) == {"item-knn"}
    assert "for other models" in str(heard.told[0])
    best = found.best_row
    if best.family == "growing":
        assert found.best.iterations == best.sweep
    assert {row["sweep"] for row in found.curves.rows()} <= {1, 2, 4}
    two = {row.mean for row in found.rows if row.family == "item-knn"}
    at_two = [
        row["validation_precision@5"] for row in found.curves.rows()
        if (row["sweep"], row["shrinkage"]) == (2, 0.0)
    ]  # fmt: skip
    assert not at_two or at_two[0] in two
    with pytest.raises(SettingError, match="growing has none"):
        strategy_of("doubling", {"shrinkage": [1.0, 2.0]}, GrowingConfig())
    results = [rows(found)]
    with Ledger(tmp_path / "ledger.sqlite") as ledger:  # worker processes know the family, too
        results.append(
            rows(
                search(
                    split,
                    Halving(asked, factor=2),
                    sweeps=[1, 2, 4],
                    objective="precision@5",
                    ledger=ledger,
                    candidates=[ItemKNNConfig(neighbours=2)],
                    workers=2,
                    engine=LocalEngine(2),
                )
            )
        )
    assert results[0] == results[1]


def test_what_has_one_point_prunes_nothing() -> None:
    rounds = [
        [TrialResult(Trial(GRID[0], 1), {1: 0.9}), TrialResult(Trial(ALS[0], 2), {1: 0.1, 2: 0.2})]
    ]
    assert pruning_thresholds(rounds) == {1: 0.1, 2: 0.2}


def test_a_budget_cuts_candidates_as_baselines_and_says_so(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of 40 seconds a quarter is theirs: three of item-knn, and nothing of EASE. The trainings leave
    # enough of them for the fourth after all.
    pace = SpeedEstimate({}, {"ease": 1000.0, "item-knn": 3.0})
    known = TimeForecast(60.0, 4, 40.0, pace)
    monkeypatch.setattr("alsolike.tuning.execution.rounds.forecast_time", lambda *_, **__: known)
    heard, lineup = Hearing(), lineup_for(["als", "item-knn", "ease"], None, split.train)
    asked: dict[str, Any] = {
        "sweeps": [1],
        "objective": "precision@5",
        "candidates": lineup.candidates,
        "baselines": lineup.baselines,
        "engine": LocalEngine(1),
    }
    found = search(
        split,
        ALS,
        budget=Budget(seconds=160.0, afterwards=lambda _: 120.0),
        observer=heard,
        **asked,
    )
    assert found.cut == ("ease",)
    [said] = [one for one in heard.warned if one.startswith("No time for these candidates")]
    assert re.search(r"item-knn \(\d of 8\), ease\. They are tried last, if time is left\.", said)
    assert "Among them: ease." in found.choice
    assert found.skipped == 3
    assert len([row for row in found.rows if row.family == "item-knn"]) == 8
    assert search(split, ALS, **asked).cut == ()


def test_candidates_alone_have_all_of_the_time(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = TimeForecast(60.0, 0, 40.0, SpeedEstimate({}, {"ease": 15.0, "item-knn": 900.0}))
    monkeypatch.setattr("alsolike.tuning.execution.rounds.forecast_time", lambda *_, **__: known)
    candidates = [*lineup_for(["ease"], None, split.train).candidates[:2], GRID[0]]
    asked: dict[str, Any] = {
        "objective": "precision@5",
        "candidates": candidates,
        "engine": LocalEngine(1),
    }
    found = search(split, (), budget=Budget(seconds=160.0, afterwards=lambda _: 120.0), **asked)
    assert found.cut == ("item-knn",)
    assert {row.family for row in found.rows} == {"ease"}
    # No time for any: the one that takes least is done all the same.
    found = search(split, (), budget=Budget(seconds=121.0, afterwards=lambda _: 120.0), **asked)
    assert [row.family for row in found.rows] == ["ease"]
    assert found.cut == ("ease (1 of 2)", "item-knn")


def test_lists_of_any_family_are_drawn_by_their_seed_under_a_deadline(split: Split) -> None:
    found = search(split, GRID, objective="precision@5", budget=600.0)
    assert sorted(row.config.neighbours for row in found.rows) == [5, 20, 40]
