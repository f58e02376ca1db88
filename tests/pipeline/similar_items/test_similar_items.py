"""The model of similar items and its mark: chosen on users whom training never saw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alsolike
from als_settings import LOSS, classic
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.item_to_item.dial import evaluate_dial
from alsolike.evaluation.item_to_item.unseen_users import unseen_users
from alsolike.models.als.config import ALSConfig
from alsolike.models.linear.ease import EASEConfig
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.protocols import HasAffinities
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.pipeline.job import Job, resolve
from alsolike.pipeline.outcome import Outcome
from alsolike.pipeline.run import run_job
from alsolike.pipeline.similar_items.choice import Choice, choose, decide, without_losers
from alsolike.pipeline.similar_items.compare import (
    FeatureSource,
    compare_similar_items,
    describe_features,
)
from alsolike.pipeline.similar_items.contestants import Contestant
from alsolike.pipeline.similar_items.holdout import measure_test
from alsolike.pipeline.similar_items.measurement import Measured, Measuring, measure
from alsolike.pipeline.similar_items.report import NotCompared, SimilarItemsReport
from alsolike.pipeline.similar_items.store import FILE, MeasurementStore
from alsolike.progress import SILENT, Observer
from alsolike.tuning.options import Searching


def frame(users: int = 80, seed: int = 3) -> pd.DataFrame:
    """Return likes of three groups of people, each mostly of items of its own."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"u{user:03}", f"i{item:02}")
        for user in range(users)
        for item in {
            *(3 * rng.choice(10, size=6, replace=False) + user % 3).tolist(),
            *rng.integers(0, 30, size=2).tolist(),
        }
    ]
    return pd.DataFrame(rows, columns=["user", "item"])


def likes_of(table: pd.DataFrame) -> Interactions:
    return Interactions.from_columns(table["user"], table["item"])


def job(out: Path, families: list[str], **changes: Any) -> Job:
    usual: dict[str, Any] = {"source": frame(), "held_out": 2, "k": 5, "out": out}
    usual |= {"reading": {"user": "user", "item": "item"}}
    if "als" in families:
        usual |= {
            "grid": {"factors": [2]},
            "sweeps": [2],
            "settings": LOSS | {"regularization": 1.0, "alpha": 3.0},
        }
    return Job(**usual | {"search": Searching(families=families)} | changes)


def made(name: ItemKNNConfig | EASEConfig, validation: Any, run: int | None = 1) -> Measured:
    """Return measurements with these values of validation users, (n_marks, n_users)."""
    values = np.asarray(validation, dtype=np.float64)
    marks = tuple(mark / 10 for mark in range(len(values)))
    nan = np.full(len(values), np.nan)
    return Measured(
        Contestant(name, run, may_win=run is not None),
        SimilarityConfig() if len(values) > 1 else None,
        1,
        marks if len(values) > 1 else (None,),
        values,
        test=dict.fromkeys(("precision", "hit_rate", "ndcg", "p_0.5", "p_1"), values),
        facts={"degenerate_share": nan},
    )


def at(*means: float, users: int = 200) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the same value for all users at each mark."""
    return np.repeat(np.array(means)[:, None], users, axis=1)


@pytest.mark.parametrize(
    ("means", "best", "published"),
    [
        ((0.1, 0.2, 0.3), 2, 2),
        ((0.1, 0.291, 0.3), 2, 1),  # just 0.97 of the best
        ((0.1, 0.2909, 0.3), 2, 2),
        ((0.3, 0.3, 0.3), 0, 0),  # of equal ones the smaller
        ((0.296, 0.1, 0.3), 2, 0),
        ((0.0, 0.0), 0, 0),
    ],
)
def test_auto_is_the_smallest_mark_that_keeps_97_percent(
    means: tuple[float, ...], best: int, published: int
) -> None:
    found = choose(made(ItemKNNConfig(), at(*means)))
    assert (found.best, found.published) == (best, published)
    assert found.config == SimilarityConfig(popularity_bias=published / 10)
    assert choose(found.measured, 0.1).published == 1  # given: that one


def test_the_winner_is_the_best_at_its_best_mark_and_of_equal_ones_the_first() -> None:
    lists = choose(made(ItemKNNConfig(), at(0.2, 0.3), run=1))
    other = choose(made(EASEConfig(), at(0.3), run=2))
    better = choose(made(EASEConfig(regularization=9.0), at(0.31), run=3))
    baseline = choose(made(ItemKNNConfig(neighbours=3), at(0.4, 0.5), run=None))
    found = decide([lists, other, baseline], 1, "precision")
    assert found is not None
    assert (found.winner, found.published, found.of_lists) == (lists, lists, lists)
    assert found.loss_of_one_model() is None
    [(above, gain)] = found.above_on_validation()
    assert above is baseline
    assert gain.mean == pytest.approx(0.2)
    found = decide([lists, other, better], 1, "precision")
    assert found is not None
    assert (found.published, found.of_lists) == (better, lists)
    found = decide([lists, other, better], 1, "precision", one_model=True)
    assert found is not None
    assert (found.published, found.winner) == (lists, better)
    loss = found.loss_of_one_model()
    assert loss is not None
    assert loss.mean == pytest.approx(0.01)
    assert decide([baseline], 1, "precision") is None
    assert decide([better], 1, "precision", one_model=True) is None  # the lists' compares nothing


def test_only_clear_losers_are_left_behind() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.05, size=(1, 200))
    best = made(EASEConfig(), at(0.3) + noise, run=1)
    close = made(EASEConfig(regularization=2.0), at(0.299) - noise, run=2)
    worse = made(EASEConfig(regularization=3.0), at(0.2) + noise, run=3)
    chosen = made(EASEConfig(regularization=4.0), at(0.1) + noise, run=4)
    counts = replace(worse, contestant=replace(worse.contestant, baseline="item-knn"))
    assert without_losers([best, close, worse, chosen], 4) == [best, close, chosen]
    assert without_losers([best, counts], 1) == [best, counts]
    few = [made(EASEConfig(), at(0.3, users=9), 1), made(EASEConfig(), at(0.1, users=9), 2)]
    assert without_losers(few, 1) == few


def measuring(**changes: Any) -> Measuring:
    return Measuring(folds=unseen_users(likes_of(frame())), k=5, **changes)


@pytest.mark.parametrize("config", [ALSConfig(factors=3, iterations=3), EASEConfig(), None])
def test_measurements_are_those_of_all_folds_together(config: Any) -> None:
    how, engine = measuring(), LocalEngine(1)
    contestant = Contestant(config, 1)
    with MeasurementStore(None) as store:
        found = measure(contestant, how.folds, how, store, engine)
        again = measure(contestant, how.folds, how, store, LocalEngine(2))
        assert found is not None
        assert again is not None
        found = measure_test(found, how, store, engine, spread_at=0)
    models = [contestant.trained(fold.train, engine) for fold in how.folds]
    for part, values in (("validation", found.validation), ("test", found.test["precision"])):
        dial = evaluate_dial(models, how.folds, part, k=5, marks=how.marks_of(contestant),
                             similarity=found.config, engine=engine)  # fmt: skip
        assert found.marks == (dial.marks or (None,))
        for place, one in enumerate(dial.evaluations):
            np.testing.assert_allclose(values[place], one.per_user["precision@5"], rtol=1e-12)
    assert isinstance(models[0], HasAffinities) == (found.config is not None)
    assert len(found.marks) == (1 if config is None or found.config is None else len(MARKS))
    np.testing.assert_array_equal(found.validation, again.validation)
    few = found.classes["2 to 5 likes"]
    assert few.shape == found.test["precision"].shape


def test_threads_change_no_measurement() -> None:
    how, contestant = measuring(), Contestant(ALSConfig(factors=3, iterations=3), 1)
    found = []
    for threads in (1, 2):
        with MeasurementStore(None) as store:
            one = measure(contestant, how.folds, how, store, LocalEngine(threads))
            assert one is not None
            found.append(measure_test(one, how, store, LocalEngine(threads), spread_at=3))
    assert found[0].config == found[1].config
    np.testing.assert_array_equal(found[0].validation, found[1].validation)
    for name, values in found[0].test.items():
        np.testing.assert_array_equal(values, found[1].test[name])


def test_the_prior_strength_is_the_best_on_the_first_fold() -> None:
    how, contestant = measuring(), Contestant(classic(factors=3, iterations=3), 1)
    engine = LocalEngine(1)
    with MeasurementStore(None) as store:
        found = measure(contestant, how.folds, how, store, engine)
    assert found is not None
    assert found.config is not None
    assert found.strengths in (3, 4)  # larger ones as long as they gain
    first = how.folds[:1]
    model = contestant.trained(first[0].train, engine)
    best = {
        strength: max(evaluate_dial([model], first, k=5, engine=engine,
                      similarity=SimilarityConfig(prior_strength=strength)).values)
        for strength in (30.0, 100.0, 300.0, 1000.0)
    }  # fmt: skip
    assert best[found.config.prior_strength] == pytest.approx(max(best.values()))


def test_a_large_table_has_one_fold_and_leaves_nobody_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alsolike.evaluation.item_to_item.unseen_users._FEW_USERS", 10)
    monkeypatch.setattr("alsolike.pipeline.similar_items.choice._FEW_USERS", 1)
    found = run_job(job(tmp_path, ["item-knn", "ease"]))
    report = found.compared
    assert isinstance(report, SimilarItemsReport)
    assert len(report.how.folds) == 1
    assert report.choice.left == ()
    assert not any("split" in note for note in report.notes())


def compared(folder: Path, observer: Observer = SILENT, **changes: Any) -> Any:
    contestants = [
        Contestant(ItemKNNConfig(), 1, may_win=True),
        Contestant(EASEConfig(), 2, may_win=True),
        Contestant(baseline="co-counts"),
    ]
    return compare_similar_items(
        contestants, measuring(**changes), 1,
        folder=folder, engine=LocalEngine(1), observer=observer,
    )  # fmt: skip


def test_a_kill_loses_no_finished_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    train = Contestant.trained

    def counted(self: Contestant, *given: Any) -> Any:
        if len(trained) == 6:
            trained.append("killed")
            raise KeyboardInterrupt
        trained.append(self.name)
        return train(self, *given)

    monkeypatch.setattr(Contestant, "trained", counted)
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path)
    resumed = compared(tmp_path)
    trained.remove("killed")
    assert set(trained) == {"item-knn (cosine)", "ease", "co-counts"}
    before = len(trained)
    again = compared(tmp_path)  # all is stored
    assert len(trained) == before
    whole = compared(tmp_path / "..")  # another folder: all anew
    assert sorted(trained[before:]) == sorted(trained[:before])
    for other in (again, whole):
        assert list(other.table().rows()) == list(resumed.table().rows())
        assert list(other.marks.rows()) == list(resumed.marks.rows())
    compared(tmp_path, seed=7)  # other settings are other measurements
    assert len(trained) > 2 * before


def test_a_contestant_that_cannot_be_trained_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = Contestant.trained

    def failing(self: Contestant, *given: Any) -> Any:
        if self.family == "ease":
            raise FitError("It has no finite solution.")
        return train(self, *given)

    monkeypatch.setattr(Contestant, "trained", failing)
    found = compared(tmp_path)
    assert isinstance(found, SimilarItemsReport)
    assert "ease is not compared beside items. It has no finite solution." in found.warnings()
    assert {row["model"] for row in found.table().rows()} == {"item-knn (cosine), mark "
        f"{found.choice.published.mark:g}", "co-counts"}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    out = tmp_path_factory.mktemp("run")
    return run_job(job(out, ["als", "item-knn", "ease"])), out


def test_the_parquet_file_is_of_the_winner_at_its_mark(outcome: tuple[Outcome, Path]) -> None:
    found, out = outcome
    report = found.compared
    assert isinstance(report, SimilarItemsReport)
    published = report.choice.published
    place = out / ("model" if found.similar_model is None else "similar")
    loaded = alsolike.load(place)
    written = alsolike.similar(loaded, k=10)
    assert list(written.rows()) == list(found.similar_items.rows())
    assert len(written) > 100
    if published.config is not None:
        assert isinstance(loaded, HasAffinities)
        assert loaded.similarity_config.popularity_bias == published.mark
        assert loaded.similarity_config.affinity == loaded.affinities[0]
    lists = alsolike.load(out / "model")
    own = report.settings_of_lists
    assert own is None or lists.similarity_config.popularity_bias == own.popularity_bias


def test_the_report_leads_with_similar_items_beside_their_baselines(
    outcome: tuple[Outcome, Path],
) -> None:
    found, out = outcome
    report = found.compared
    assert isinstance(report, SimilarItemsReport)
    told = [sentence for sentence, _ in found.verdicts()]
    baselines = {verdict.baseline for verdict in report.verdicts}
    assert {"popularity", "co-counts"} <= baselines
    assert len(baselines) >= 2
    bad = [is_good for _, is_good in found.verdicts()]
    assert bad == sorted(bad)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.index("<h3>Similar items</h3>") < page.index("<h3>Lists</h3>")
    for sentence in told:
        assert sentence.split(":")[1].split("(")[0].strip() in page
    assert "shown beside all items" in page
    assert "All marks of all families on test users" in page
    assert "co-counts" in page
    for name in ("dials.svg", "dials.png", "dials.html", FILE):
        assert (out / name).exists()
        assert name.split(".")[0] in page
    rows = list(report.marks.rows())
    assert [row["mark"] for row in rows if row["model"] == "als"] == list(MARKS)
    assert [row["mark"] for row in rows if row["model"] == "ease"] == [None]
    shown = [row["share of the catalogue shown"] for row in rows]
    looked_at = [share for share in shown if share is not None]
    assert len(looked_at) == len({row["model"] for row in rows})  # at one mark of each
    assert all(0 < share <= 1 for share in looked_at)
    for width in (40, 80, 120):
        assert max(map(len, report.brief(width).splitlines())) <= width


def test_one_model_serves_both_and_says_what_that_loses(tmp_path: Path) -> None:
    (tmp_path / "o" / "similar").mkdir(parents=True)
    alsolike.save(alsolike.fit(likes_of(frame())), tmp_path / "o" / "similar")
    asked = job(tmp_path / "o", ["als", "item-knn"], one_model=True)
    found = run_job(asked)
    assert found.similar_model is None
    assert not (tmp_path / "o" / "similar").exists()  # of an earlier run
    report = found.compared
    assert isinstance(report, SimilarItemsReport)
    assert report.choice.published is report.choice.of_lists
    loss = report.choice.loss_of_one_model()
    said = [one for one in found.warnings() if one.startswith("One model serves")]
    assert len(said) == (loss is not None)
    two = run_job(replace(asked, one_model=False))
    assert (tmp_path / "o" / "similar").exists() == (two.similar_model is not None)
    assert isinstance(two.compared, SimilarItemsReport)
    assert (loss is None) == (two.similar_model is None)


def test_a_given_mark_is_published_and_measured(tmp_path: Path) -> None:
    found = run_job(job(tmp_path, ["item-knn"], popularity_bias=0.25))
    assert isinstance(found.compared, SimilarItemsReport)
    assert found.compared.choice.published.mark == 0.25
    assert "at the mark that was given" in found.compared.sentence()
    assert alsolike.load(tmp_path / "model").similarity_config.popularity_bias == 0.25
    assert 0.25 in [row["mark"] for row in found.compared.marks.rows()]


def test_a_family_without_a_dial_says_so(tmp_path: Path) -> None:
    found = run_job(job(tmp_path, ["ease"], popularity_bias=0.3))
    assert isinstance(found.compared, SimilarItemsReport)
    assert found.compared.choice.published.mark is None
    assert any("ease has no dial" in one for one in found.warnings())


def test_a_table_too_small_still_has_lists_and_says_why(tmp_path: Path) -> None:
    small = frame(8)
    found = run_job(
        job(tmp_path, ["item-knn"], source=small, held_out=1, min_per_user=1, min_per_item=1)
    )
    assert isinstance(found.compared, NotCompared)
    assert found.test is not None
    said = "Similar items are not measured, nor their dial chosen. Similar items are evaluated on"
    assert any(one.startswith(said) for one in found.warnings())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "nor their dial chosen" in page
    assert "dials.png" not in page
    assert len(found.similar_items)


def test_features_say_whether_similar_items_agree(tmp_path: Path) -> None:
    tags = pd.DataFrame(
        [(f"i{item:02}", f"group {item % 3}") for item in range(30)] + [("nothing", "group 1")],
        columns=["item", "tag"],
    )
    tags.to_csv(tmp_path / "tags.csv", index=False)
    asked = job(tmp_path / "o", ["item-knn"], agree=f"{tmp_path / 'tags.csv'}:item,tag")
    found = run_job(asked)
    assert isinstance(found.compared, SimilarItemsReport)
    [spread] = [table for heading, table in found.compared.further() if "what is shown" in heading]
    own, *_ = spread.rows()
    assert own["of random items"] < own["agreement of features"] <= 1.0
    assert own["of the nearest by features"] == pytest.approx(1.0)
    figure = found.compared.figure()
    assert figure["encoding"]["x"]["title"] == "agreement of features"
    likes = likes_of(frame())
    features = FeatureSource.of(asked.agree or "").read(likes)
    assert describe_features(features).endswith("left out: 1 of unknown items")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"popularity_bias": 1.5}, r"from 0 .* to 1 .*, or 'auto', not 1.5"),
        ({"popularity_bias": "best"}, "or 'auto', not 'best'"),
        ({"agree": " "}, "agree is empty"),
        ({"agree": "tags.csv:item"}, "FILE:ITEM,FEATURE"),
        ({"agree": ":item,tag"}, "FILE:ITEM,FEATURE"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_anything_is_read(
    tmp_path: Path, changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(SettingError, match=match):
        resolve(job(tmp_path, ["item-knn"], source=tmp_path / "nowhere.csv", **changes))


def test_unknown_features_end_the_run_before_training(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no column 'genre'"):
        run_job(job(tmp_path, ["item-knn"], agree="genre"))
    with pytest.raises(DataError, match="no such file"):
        run_job(job(tmp_path, ["item-knn"], agree=f"{tmp_path / 'no.csv'}:item,tag"))
    assert not (tmp_path / "ledger.sqlite").exists()


def test_choices_have_names_for_readers() -> None:
    dial = choose(made(ItemKNNConfig(), at(0.2, 0.3)))
    assert isinstance(dial, Choice)
    assert (dial.name, dial.named(0)) == (
        "item-knn (cosine), mark 0.1",
        "item-knn (cosine), mark 0",
    )
    assert choose(made(EASEConfig(), at(0.3))).name == "ease"
    assert Contestant(EASEConfig(regularization=7.0)).origin == "regularization 7.0"
    assert Contestant(EASEConfig(), 3).origin == "run 3"
