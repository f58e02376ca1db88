"""The main job from Python: what it refuses, what it takes, and that its parts fit."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import alsolike
from als_settings import LOSS
from alsolike.errors import DataError, LedgerError, SettingError, WritingError
from alsolike.evaluation.item_to_item.dial import evaluate_dial
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.models.als.config import ALSConfig
from alsolike.models.linear.ease import EASEConfig
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.pipeline.job import Job, resolve
from alsolike.pipeline.run import Prepared, prepare, run_job, search_settings, seconds_as
from alsolike.pipeline.similar_items.report import SimilarItemsReport
from alsolike.progress import SILENT, Observer
from alsolike.tuning import presets
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.options import Searching
from alsolike.tuning.storage.ledger import Ledger


class Listener(Observer):
    """Write down what is heard."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.open: list[list[Any]] = []
        self.told: list[object] = []
        self.warned: list[str] = []

    def start(self, task: str, total: int | None = None) -> None:
        self.tasks.append(task)
        self.open.append([task, total, 0])

    def advance(self, steps: int = 1) -> None:
        self.open[-1][2] += steps

    def finish(self) -> None:
        task, total, done = self.open.pop()
        assert total in (None, done), f"{task} ended after {done} of {total} steps"

    def tell(self, finding: object) -> None:
        self.told.append(finding)

    def warn(self, danger: str) -> None:
        self.warned.append(danger)


def frame(users: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = [
        (f"u{user}", f"i{2 * place + user % 2}", int(hours))
        for user in range(users)
        for place, hours in zip(
            rng.choice(12, size=8, replace=False), rng.integers(1, 9, size=8), strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["user", "item", "hours"])


def job(out: Path, **changes: Any) -> Job:
    reading = {"user": "user", "item": "item"} | changes.pop("reading", {})
    settings = changes.pop("settings", {"regularization": 1.0, "alpha": 3.0})
    grid = changes.pop("grid", {"factors": [2, 4]})
    usual: dict[str, Any] = {
        "source": frame(),
        "held_out": 2,
        "grid": grid,
        "settings": {name: LOSS[name] for name in LOSS if name not in grid} | settings,
        "sweeps": [1, 2],
        "reading": reading,
        "search": Searching(baselines=["popularity"]),
    }
    return Job(**usual | {"out": out} | changes)


def test_a_frame_and_an_item_frame_go_all_the_way(tmp_path: Path) -> None:
    items = pd.DataFrame(
        {"item": [f"i{n}" for n in range(24)], "name": [f"Item {n}" for n in range(24)]}
    )
    listener = Listener()
    outcome = run_job(
        job(tmp_path, reading={"items": items, "item_id": "item", "item_name": "name"}),
        observer=listener,
    )
    assert outcome.model.item_index("Item 3") == outcome.model.items.index_of("i3")
    assert outcome.found.best.iterations in (1, 2)
    assert outcome.model.sweeps == outcome.found.best.iterations
    assert outcome.model.history is not None
    assert outcome.model.history.n_interactions == outcome.how_filtered.after.interactions
    assert listener.open == []
    assert {"Reading", "grid search", "sweeps", "writing"} <= set(listener.tasks)
    kinds = [type(finding).__name__ for finding in listener.told]
    assert kinds == [
        "ReadReport", "FilterReport", "Split", "Lineup", "MemoryForecast", "TimeForecast",
        "MemoryForecast", "FinishedRun", "FinishedRun", "SimilarItemsReport", "HoldoutReport",
        "SearchResult", "ChosenRun", "str", *(["str"] if outcome.similar_model is not None else []),
    ]  # fmt: skip
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_folds_by_time_choose_on_the_last_and_test_on_all(tmp_path: Path) -> None:
    likes = frame(60).assign(when=np.random.default_rng(1).permutation(60 * 8))
    how = {"source": likes, "by": "time", "folds": 3, "share": 0.15, "held_out": None}
    reading = {"timestamp": "when"}
    listener = Listener()
    outcome = run_job(job(tmp_path, reading=reading, **how), observer=listener)
    by_fold = outcome.by_fold
    assert by_fold is not None
    assert [one.test.n_interactions for one in by_fold.splits] == [72, 72, 72]
    assert outcome.split is by_fold.splits[-1]
    assert by_fold in listener.told
    # The last fold is that of the report, and the figure is the same.
    measure = outcome.found.objective.measure
    assert outcome.test is not None
    ours = outcome.test.evaluations[0].per_user[measure]
    assert by_fold.evaluations[-1].per_user[measure].tolist() == ours.tolist()
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Folds by time" in page
    assert "all folds" in page
    assert "chosen on the validation window of the last fold" in page
    assert "Tried by default: als on every table." in page
    assert json.loads((tmp_path / "families.json").read_text())["best"] == "als"
    for options, text in (
        ({"by": "items"}, "by items takes no folds="),
        ({"held_out": 2}, "Folds have windows of time"),
        ({"objective": "item-to-item"}, "folds=3 is for the ranking objective|by='time' is for"),
    ):
        with pytest.raises(SettingError, match=text):
            resolve(job(tmp_path, reading=reading, **how | options))


@pytest.mark.parametrize(("free", "warns"), [(1 << 20, True), (1 << 60, False), (None, False)])
def test_too_little_memory_is_said_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int | None, warns: bool
) -> None:
    class Patient(Listener):
        def start(self, task: str, total: int | None = None) -> None:
            assert task != "baselines", "trained already"

        def finish(self) -> None:
            pass

    monkeypatch.setattr("alsolike.pipeline.run.available", lambda: free)
    listener = Patient()
    with pytest.raises(AssertionError, match="trained already"):
        run_job(job(tmp_path), observer=listener)
    assert re.fullmatch(r"memory: peak of about [\d,]+0 MiB", str(listener.told[4]))
    assert len(listener.warned) == warns
    for warning in listener.warned:
        assert "only 10 MiB is free: the system may kill it. Use fewer factors" in warning


def test_a_place_may_be_a_text_and_a_matrix_may_be_the_source(tmp_path: Path) -> None:
    likes = alsolike.Interactions.from_columns(frame()["user"], frame()["item"])
    asked = Job(
        source=sp.coo_matrix(likes.user_items),
        out=str(tmp_path / "o"),  # type: ignore[arg-type]
        held_out=2,
        grid={"factors": [2]},
        sweeps=[1],
        search=Searching(families=["als"]),
    )
    found = found_by(asked)
    assert found.best.factors == 2
    assert (tmp_path / "o" / "ledger.sqlite").exists()


def prepared_of(asked: Job) -> Prepared:
    return prepare(resolve(asked))


def found_by(asked: Job, observer: Observer = SILENT) -> SearchResult:
    """Search as `run_job` does, without all that comes after."""
    resolved = resolve(asked)
    return search_settings(resolved, prepare(resolved), observer=observer)


def test_the_seed_draws_the_split_and_the_first_factors(tmp_path: Path) -> None:
    first, again, other = (prepared_of(job(tmp_path, seed=seed)) for seed in (1, 1, 2))
    assert first.split.test.fingerprint == again.split.test.fingerprint
    assert first.split.test.fingerprint != other.split.test.fingerprint
    assert [one.preset.base.seed for one in (first, other)] == [1, 2]


def test_what_is_asked_stands_before_the_presets_own(tmp_path: Path) -> None:
    preset = prepared_of(
        job(tmp_path, k=3, metric="ndcg", min_per_user=2, min_per_item=3, share=0.25)
    ).preset
    assert (preset.k, preset.metric, preset.min_per_user, preset.min_per_item) == (3, "ndcg", 2, 3)
    assert (preset.share, preset.held_out, preset.sweeps) == (0.25, 2, (1, 2))
    assert preset.space["factors"] == [2, 4]
    assert preset.base.alpha == 3
    own = prepared_of(job(tmp_path, grid={}, settings={"alpha": 5.0}, sweeps=None)).preset
    assert "alpha" not in own.space
    assert own.base.alpha == 5
    assert own.sweeps == presets.quick_for(prepared_of(job(tmp_path)).kept).sweeps


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"settings": {"seed": 3}}, "--seed"),
        ({"settings": {"iterations": 3}}, "--sweeps"),
        ({"grid": {"iterations": [3]}}, "--sweeps"),
        ({"settings": {"factors": 3}}, "set and searched"),
        ({"preset": "fast"}, "no preset 'fast'"),
        ({"metric": "rmse"}, "rmse"),
        ({"k": 0}, "k must be"),
        (
            {"objective": "item-to-item", "metric": "auc"},
            "item-to-item objective has the metrics precision, .* not 'auc'",
        ),
        ({"objective": "walls"}, "must be ranking or item-to-item or ratings, not 'walls'"),
        ({"sweeps": []}, "at least one sweep"),
        ({"grid": {"factors": 3}}, "list of values"),
        ({"grid": {"factors": [0]}}, "whole number"),
        ({"settings": {"alpha": -1.0}}, "at least 0"),
        ({"share": 5}, "at most 1"),
        ({"share": float("nan")}, "at most 1"),
        ({"share": True}, "at most 1"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_refused_before_anything_is_read(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(SettingError, match=match):
        resolve(job(tmp_path, source=tmp_path / "nowhere.csv", **changes))


def test_an_empty_name_is_not_the_current_folder() -> None:
    with pytest.raises(SettingError, match="out is empty"):
        Job(source="likes.csv", out="")  # type: ignore[arg-type]


def test_a_file_where_the_results_should_go_is_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WritingError, match="a folder for the results expected"):
        resolve(job(tmp_path / "file", source=tmp_path / "nowhere.csv"))
    with pytest.raises(DataError, match="no such file"):
        prepare(resolve(job(tmp_path / "o", source=tmp_path / "nowhere.csv")))
    assert not (tmp_path / "o").exists()


def test_a_search_broken_off_goes_on_and_does_nothing_twice(tmp_path: Path) -> None:
    class Impatient(Observer):
        points = 0

        def advance(self, steps: int = 1) -> None:
            self.points += steps
            if self.points == 4:
                raise KeyboardInterrupt

    asked = job(tmp_path / "broken", threads=1)
    with pytest.raises(KeyboardInterrupt):
        found_by(asked, Impatient())
    listener = Listener()
    found = found_by(asked, listener)
    assert any("1 of 2 runs are already in" in str(finding) for finding in listener.told)
    whole = job(tmp_path / "whole")
    other = found_by(whole)
    assert list(found.leaderboard.rows()) == list(other.leaderboard.rows())
    assert list(found.curves.rows()) == list(other.curves.rows())


def test_other_data_or_settings_do_not_mix_with_a_ledger(tmp_path: Path) -> None:
    asked = job(tmp_path)
    found_by(asked)
    for changes in ({"source": frame(41)}, {"seed": 5}, {"k": 4}, {"sweeps": [1, 3]},
                    {"objective": "item-to-item", "held_out": None}):  # fmt: skip
        other = job(tmp_path, **changes)
        with pytest.raises(LedgerError, match="choose another folder"):
            found_by(other)
    more = job(tmp_path, grid={"factors": [2, 4, 8]})
    found = found_by(more)  # a wider grid of the same is no other run
    assert len(found.leaderboard) == 4


def test_threads_change_nothing_that_is_found(tmp_path: Path) -> None:
    found = []
    for threads in (1, 4):
        asked = job(tmp_path / str(threads), threads=threads)
        result = found_by(asked)
        with Ledger(asked.out / "ledger.sqlite") as ledger:
            points = [ledger.points(number) for number in (2, 3)]
        found.append((list(result.curves.rows()), points))
    assert found[0] == found[1]


def test_the_article_is_shown_beside_the_honest_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(
        presets.ARTICLE,
        space={"factors": (2, 4), "alpha": (1, 50)},
        sweeps=(1, 2, 4),
        held_out=2,
    )
    monkeypatch.setattr(presets, "ARTICLE", small)
    asked = Job(
        source=frame(60),
        out=tmp_path,
        preset="article",
        reading={"user": "user", "item": "item"},
        search=Searching(families=["als"]),
    )
    outcome = run_job(asked)
    found = outcome.found
    assert found.best.confidence == "scaled"
    assert found.best.start == "normal"
    assert outcome.model.settings["confidence"] == "scaled"
    article = found.beside["the article's"]
    assert (article.objective.choose, article.objective.exclude_seen) == ("test", False)
    assert (found.objective.choose, found.objective.exclude_seen) == ("validation", True)
    assert article.objective.score == "test_precision@5"
    assert len(article.curves) == len(found.curves) == 4 * 3
    best = max(article.curves["test_precision@5"])
    rows = article.leaderboard.rows()
    assert next(row["test_precision@5"] for row in rows if row["model"] == "als") == best
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    [note] = [part for part in page.split("<li>") if "own method" in part]
    assert f"{best:.4f}" in note
    assert "best of 12 points" in note
    there = next(
        row["test_precision@5"]
        for row in article.curves.rows()
        if (row["run"], row["sweep"]) == (found.best_run, found.best.iterations)
    )
    assert f"The honest choice, run {found.best_run} at sweep {found.best.iterations}" in note
    assert f"{there:.4f}" in note
    for name in ("leaderboard", "learning_curves"):
        assert (tmp_path / f"{name}_thearticles.csv").exists()
        assert f"{name}_thearticles" in page


def test_without_history_the_model_holds_no_likes(tmp_path: Path) -> None:
    asked = job(tmp_path, with_history=False)
    outcome = run_job(asked)
    assert outcome.model.history is not None  # needed for what is written beside it
    loaded = alsolike.load(tmp_path / "model")
    assert loaded.history is None
    assert not (tmp_path / "model" / "history.safetensors").exists()
    with pytest.raises(SettingError, match="history"):
        alsolike.recommend(loaded)
    assert len(alsolike.similar(loaded)) > 0


def test_settings_are_chosen_by_shelves_and_quoted_so(tmp_path: Path) -> None:
    asked = job(tmp_path, objective="item-to-item", k=4, metric="map", seed=2, held_out=None,
                one_model=True)  # fmt: skip
    outcome = run_job(asked)
    found, split = outcome.found, outcome.split
    assert found.objective == ItemToItemObjective(k=4, metric="map", seed=2)
    assert found.leaderboard["rank"].tolist() == [1, 2, 3]
    assert "validation_shelf_map@4" in found.leaderboard
    report = outcome.compared
    assert isinstance(report, SimilarItemsReport)
    assert report.how.metric == "map"
    assert report.how.folds[0].train.fingerprint == split.train.fingerprint
    published = report.choice.published
    assert published.contestant.config == found.best
    dial = evaluate_dial(
        [alsolike.fit(fold.train, found.best) for fold in report.how.folds],
        report.how.folds,
        "test",
        k=4,
        metrics=["map"],
        choose_by="map",
        similarity=published.config,
    )
    first, *_ = report.table().rows()
    assert first["metric"] == "map@4"
    assert first["mean"] == pytest.approx(dial.evaluations[published.published].mean("map@4"))
    assert outcome.test is None  # of these users nothing is known
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Chosen by shelf_map@4 on validation users whom training never saw" in page
    assert "Lists for users were not measured" in page
    assert "nan" not in page.casefold().replace("nance", "")
    assert not any("mse" in name or "train" in name for name in found.curves.column_names)


def test_lists_and_shelves_are_both_told_of_a_search_by_lists(tmp_path: Path) -> None:
    by_lists = run_job(job(tmp_path / "lists"))
    assert by_lists.test is not None
    assert by_lists.test.table()["metric"].tolist()[0] == "precision@10"
    assert isinstance(by_lists.compared, SimilarItemsReport)
    assert by_lists.compared.table()["metric"].tolist()[0] == "precision@10"


@pytest.mark.parametrize("changes", [{"by": "one"}, {"held_out": 3}, {"share": 0.2}])
def test_another_split_is_refused_for_similar_items(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    [name] = changes
    asked = job(tmp_path, **{"objective": "item-to-item", "held_out": None} | changes)
    with pytest.raises(SettingError, match=f"{name}=.* is for the ranking objective"):
        resolve(asked)


@pytest.mark.parametrize("by", ["one", "fraction", "users"])
def test_a_run_may_split_in_other_ways(tmp_path: Path, by: str) -> None:
    outcome = run_job(job(tmp_path, by=by, held_out=None))
    split = outcome.split
    assert split.test.n_interactions > 0
    assert not set(split.test_users) & set(split.validation_users) or by != "users"
    assert (split.given is not None) == (by == "users")
    assert outcome.test is not None
    assert {"mse_users", "mse_all"} <= set(outcome.test.table()["metric"])


def test_an_unknown_way_of_splitting_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="not by 'luck'"):
        resolve(job(tmp_path, by="luck", source=tmp_path / "no such file.csv"))
    with pytest.raises(SettingError, match="takes no held_out="):
        resolve(job(tmp_path, by="users", source=tmp_path / "no such file.csv"))


def test_the_leaderboard_keeps_its_columns_where_popularity_leads(tmp_path: Path) -> None:
    asked = job(tmp_path, settings={"regularization": 1e6, "alpha": 0.0})
    found = found_by(asked)
    names = found.leaderboard.column_names
    assert names[:4] == ("rank", "run", "model", "factors")
    assert "popularity" in found.leaderboard["model"].tolist()
    assert found.leaderboard["rank"].tolist() == list(range(1, len(found.leaderboard) + 1))


def test_the_first_of_the_leaderboard_is_the_run_that_was_chosen(tmp_path: Path) -> None:
    asked = job(tmp_path, grid={"factors": [2, 3, 4, 5, 6], "regularization": [1.0, 2.0]},
                settings={"alpha": 3.0})  # fmt: skip
    found = found_by(asked)
    first = next(row for row in found.leaderboard.rows() if row["model"] == "als")
    assert first["run"] == found.best_run
    assert (first["factors"], first["sweep"]) == (found.best.factors, found.best.iterations)


def test_time_is_reserved_by_the_nearest_number_of_factors() -> None:
    trained = [(ALSConfig(factors=f), s) for f, s in ((64, 1.0), (256, 4.0), (1024, 30.0))]
    trained.append((EASEConfig(), 9.0))
    expected = {8: 1.0, 64: 1.0, 65: 4.0, 1024: 30.0, 2048: 30.0}
    assert {f: seconds_as(ALSConfig(factors=f), trained) for f in expected} == expected
    assert seconds_as(ItemKNNConfig(), trained) == 0.0
