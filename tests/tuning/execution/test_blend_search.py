"""The last stage of a search: blends of the best families, by validation alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.splitting.split import Split
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.learning_curve import learning_curve
from alsolike.models.blend.config import BlendConfig
from alsolike.models.blend.family import BlendFamily
from alsolike.models.family import TrainingData, training_key
from alsolike.models.memo import Memo
from alsolike.models.registry import family_named
from alsolike.progress import Observer
from alsolike.testing import tiny_likes
from alsolike.tuning.budget.speed_estimate import SpeedEstimate
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.execution.combinations import (
    expected_combinations,
    memory_of_stage,
    seconds_of_stage,
)
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger

ALS = al.ALSConfig(factors=2, iterations=3, values="binary")
KNN = al.ItemKNNConfig(neighbours=1)


def two_views(n_users: int = 400) -> al.Interactions:
    """Make likes of two kinds: items of a taste, which factors see, and pairs of items."""
    rng = np.random.default_rng(0)
    tastes, chosen = rng.integers(0, 2, n_users), np.zeros((n_users, 160), dtype=bool)
    of_taste = np.where(np.arange(100) % 2 == tastes[:, None], 0.5, 0.02) * np.linspace(1, 0.1, 100)
    chosen[:, :100] = rng.random((n_users, 100)) < of_taste
    for user in range(n_users):
        for pair in rng.choice(30, 4, replace=False):
            chosen[user, 100 + 2 * pair : 102 + 2 * pair] = rng.random(2) < 0.9
    return al.Interactions.from_matrix(sp.csr_array(chosen.astype(np.float32)))


@pytest.fixture(scope="module")
def split() -> Split:
    return al.hold_out(two_views(), k=5, share=0.4, seed=1)


def searched(split: Split, **more: Any) -> SearchResult:
    given: dict[str, Any] = {"candidates": [KNN], "combined": ["blend"], "objective": "precision@5"}
    return search(split, [ALS], sweeps=[2, 3], **(given | more))


@pytest.fixture(scope="module")
def found(split: Split) -> SearchResult:
    return searched(split)


def test_a_blend_wins_where_each_family_sees_half(split: Split, found: SearchResult) -> None:
    assert isinstance(found.best, BlendConfig)
    of_als, of_knn = (
        next(row for row in found.rows if row.family == name) for name in ("als", "item-knn")
    )
    assert set(found.best.members) == {of_als.config, of_knn.config}
    assert found.best_row.mean > max(of_als.mean, of_knn.mean)
    assert found.best_row.model.startswith("blend (")
    assert "als 2 factors 0." in found.best_row.model
    assert {row.role for row in found.rows if row.family == "blend"} == {"candidate"}
    assert len([row for row in found.rows if row.family == "blend"]) == 9
    scores = [
        al.evaluate(al.fit(split.train, one), split.test, exclude=split.train, k=5)
        for one in (found.best, of_als.config, of_knn.config)
    ]
    first, *others = (one.mean("precision@5") for one in scores)
    assert first > max(others)


def test_members_are_trained_once_and_change_no_score(split: Split, found: SearchResult) -> None:
    for row in found.rows:
        if row.family == "blend" and row.rank < 4:
            [point] = learning_curve(split, row.config, sweeps=[1], k=5)
            assert point.figures["validation_precision@5"] == row.mean


def rows(found: SearchResult) -> list[Any]:
    return [replace(row, seconds=None) for row in found.rows]


class Stopping(Observer):
    """Interrupts the search after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, steps: int = 1) -> None:
        self.left -= steps
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("steps", [1, 4, 6])
def test_a_search_goes_on_after_a_stop(
    split: Split, found: SearchResult, tmp_path: Path, steps: int
) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        with pytest.raises(KeyboardInterrupt):
            searched(split, ledger=ledger, observer=Stopping(steps), engine=LocalEngine(1))
        table = ledger.to_table()
        n_done = table["state"].tolist().count("done")
        assert n_done < 11
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert rows(searched(split, ledger=ledger)) == rows(found)


def test_neither_threads_nor_processes_change_a_score(
    split: Split, found: SearchResult, tmp_path: Path
) -> None:
    assert rows(searched(split, engine=LocalEngine(1))) == rows(found)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert rows(searched(split, ledger=ledger, workers=2)) == rows(found)


def test_test_users_take_no_part(split: Split, found: SearchResult) -> None:
    nothing = split.test.keep(np.zeros(split.test.n_interactions, dtype=bool))
    assert rows(searched(replace(split, test=nothing))) == rows(found)


def test_pairs_first_and_then_triples_around_the_best_pair() -> None:
    family, ease, more = BlendFamily(), al.EASEConfig(), al.EASEConfig(regularization=9.0)
    best = [(ALS, 0.3), (KNN, 0.2), (ease, 0.1), (more, 0.05)]
    data: Any = None
    assert family.combinations(data, best[:1], []) == []
    pairs = family.combinations(data, best, [])
    assert {one.members for one in pairs} == {(ALS, KNN), (ALS, ease), (KNN, ease)}
    assert len(pairs) == 27
    assert {one.weights[0] for one in pairs} == {place / 10 for place in range(1, 10)}
    tried = [(one, -abs(one.weights[0] - 0.6) - (one.members != (ALS, ease))) for one in pairs]
    triples = family.combinations(data, best, tried)
    assert {one.members for one in triples} == {(ALS, ease, KNN)}
    assert all(sum(one.weights) == pytest.approx(1) for one in triples)
    assert (0.54, 0.36, 0.1) in {one.weights for one in triples}
    assert len(set(triples)) == len(triples) == 9
    assert family.combinations(data, best, [*tried, *((one, 0.0) for one in triples)]) == []
    assert family.combinations(data, best[:2], tried[:1]) == []


def test_where_there_is_nothing_to_blend(split: Split) -> None:
    found = searched(split, candidates=[])
    assert {row.family for row in found.rows} == {"als"}
    with pytest.raises(SettingError, match="'ease' does not build on models of other families"):
        searched(split, combined=["ease"])
    with pytest.raises(SettingError, match="combined is a list of names"):
        searched(split, combined="blend")


def test_similar_items_need_no_blend() -> None:
    unseen = al.hold_out_unseen_users(tiny_likes(120, 40))
    found = search(
        unseen, [ALS], sweeps=[2], candidates=[KNN], combined=["blend"],
        objective="shelf_precision@5",
    )  # fmt: skip
    assert {row.family for row in found.rows} == {"als", "item-knn"}


def test_a_lineup_has_blends_of_two_families_or_more() -> None:
    likes = tiny_likes(60, 40)
    assert lineup_for(None, None, likes).combined == ("blend",)
    assert lineup_for(["als", "item-knn"], None, likes).combined == ()
    assert lineup_for(["als", "item-knn", "blend"], None, likes).combined == ("blend",)
    assert lineup_for(None, ["ease"], likes).combined == ()
    for names in (["blend"], ["als", "blend"]):
        with pytest.raises(SettingError, match="at least two other families"):
            lineup_for(names, None, likes)
    with pytest.raises(SettingError, match="cannot be a baseline"):
        lineup_for(None, ["blend"], likes)


class Hearing(Observer):
    def __init__(self) -> None:
        self.warned: list[str] = []

    def warn(self, danger: str) -> None:
        self.warned.append(danger)


def test_without_time_blends_are_left_out_with_a_word(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alsolike.tuning.execution.rounds.seconds_of_stage", lambda configs, speed: 1e6
    )
    hearing = Hearing()
    found = searched(split, budget=3600.0, observer=hearing)
    assert any("No time for blends of the best models" in one for one in hearing.warned)
    assert found.cut == ("blend",)
    assert found.skipped == 9
    assert {row.family for row in found.rows} == {"als", "item-knn"}


def test_what_blends_will_take_is_forecast(split: Split) -> None:
    speed = SpeedEstimate({"als": {2: (0.0, 1.0, 0.5)}}, {"item-knn": 3.0})
    data: Any = None
    larger = replace(ALS, factors=4)
    blends = expected_combinations(
        ["blend"], [ALS, larger, KNN], data, lambda one: getattr(one, "factors", 0)
    )
    assert {one.members for one in blends} == {(larger, KNN)}
    whole = speed.until(blends[0], sweep=1, points=1)
    assert whole == pytest.approx(3 * 1.0 + 0.5 + 3.0)
    assert seconds_of_stage(blends, speed) == pytest.approx(2 * whole)
    trained = family_named("blend").memory(TrainingData(split.train), blends[0], 1)
    kept = 2 * 4 * len(split.validation_users) * split.train.n_items
    assert memory_of_stage(blends, split, 1) == trained + kept
    assert memory_of_stage([], split, 1) == 0


def test_best_models_are_kept_for_the_stage(split: Split) -> None:
    data = TrainingData(split.train, Memo(keeps_best=True))
    list(learning_curve(split, ALS, sweeps=[2, 3], k=5, data=data))
    (entry,) = data.memo._best.values()  # type: ignore[union-attr]
    assert entry.key in {training_key(replace(ALS, iterations=sweep)) for sweep in (2, 3)}
    again = al.fit(split.train, replace(ALS, iterations=entry.model.sweeps))
    assert entry.model.user_factors.tobytes() == again.user_factors.tobytes()
    blend = BlendConfig(members=(replace(ALS, iterations=entry.model.sweeps), KNN))
    fitted = family_named("blend").fit(data, blend)
    assert fitted.members[0] is entry.model
