"""A run publishes the best of the leaderboard, whichever family it is of."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from markupsafe import escape

import alsolike
from als_settings import LOSS
from alsolike.cli.group import main
from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.linear.ease import EASEConfig, EASEModel, ease_bytes
from alsolike.models.neighbours.model import ItemKNNModel
from alsolike.pipeline import job as jobs
from alsolike.pipeline.job import Job, resolve
from alsolike.pipeline.outcome import Outcome
from alsolike.pipeline.run import prepare, run_job
from alsolike.testing import tiny_likes
from alsolike.tuning.budget.memory_forecast import at_once, forecast
from alsolike.tuning.options import Searching
from alsolike.views.gallery import gallery


def tastes(users: int = 60) -> pd.DataFrame:
    """Return likes of two groups of people, each of items of its own."""
    rng = np.random.default_rng(3)
    rows = [
        (f"u{user}", f"i{2 * place + user % 2}")
        for user in range(users)
        for place in rng.choice(12, size=8, replace=False)
    ]
    return pd.DataFrame(rows, columns=["user", "item"])


def fashions(users: int = 120) -> pd.DataFrame:
    """Return likes that say nothing but how popular each item is."""
    rng = np.random.default_rng(4)
    weights = 1.0 / np.arange(1, 31)
    rows = [
        (f"u{user}", f"i{item}")
        for user in range(users)
        for item in rng.choice(30, size=8, replace=False, p=weights / weights.sum())
    ]
    return pd.DataFrame(rows, columns=["user", "item"])


def job(out: Path, families: list[str] | None, **changes: Any) -> Job:
    how = Searching(families=families, **changes.pop("how", {}))
    usual: dict[str, Any] = {"source": tastes(), "held_out": 2, "k": 5}
    usual |= {"reading": {"user": "user", "item": "item"}}
    return Job(**usual | {"out": out, "search": how} | changes)


def small(**changes: Any) -> dict[str, Any]:
    """Return what makes the part of ALS quick."""
    als = {"grid": {"factors": [2, 4]}, "settings": LOSS | {"regularization": 1.0, "alpha": 3.0}}
    return als | {"sweeps": [1, 2]} | changes


def page_of(outcome: Outcome, out: Path) -> str:
    page = (out / "report.html").read_text(encoding="utf-8")
    assert " nan" not in page.casefold()
    return page


@pytest.mark.parametrize(("family", "model"), [("item-knn", ItemKNNModel), ("ease", EASEModel)])
def test_a_family_without_sweeps_goes_all_the_way(tmp_path: Path, family: str, model: type) -> None:
    outcome = run_job(job(tmp_path, [family]))
    assert isinstance(outcome.model, model)
    assert outcome.chosen == outcome.chosen_row.config
    assert outcome.chosen_row.rank == 1
    assert outcome.chosen_row.sweep is None
    assert outcome.model.settings == outcome.chosen.to_settings()
    loaded = alsolike.load(tmp_path / "model")
    assert isinstance(loaded, model)
    for made, table in (
        (alsolike.similar(loaded, k=10), outcome.similar_items),
        (alsolike.recommend(loaded, k=10), outcome.recommendations),
    ):
        assert len(table) > 100
        assert list(made.rows()) == list(table.rows())
    assert set(outcome.figures()) == {"time_and_score", "dials"}
    assert not list(tmp_path.glob("*curve*"))
    page = page_of(outcome, tmp_path)
    assert f"Published: {family} (" in page
    assert f"run {outcome.chosen_run}, the best of " in page
    assert "learning_curves" not in page
    assert "sweeps may do better" not in page
    assert "Popular items" in page
    chosen = outcome.chosen.to_settings()
    given = [name for name, value in chosen.items() if value is not None]
    assert all(f"<bdi>{name.replace('_', ' ')}</bdi>" in page for name in given)


def test_the_same_job_leaves_the_same_bytes(tmp_path: Path) -> None:
    for place, threads in (("one", 1), ("two", 3)):
        run_job(job(tmp_path / place, ["item-knn", "ease"], threads=threads))
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    own = [file for file in files if "ledger" not in file.name and "time_and" not in file.name]
    assert len(own) >= 8
    for file in own:
        if file.suffix not in (".html",) and (tmp_path / "one" / file).is_file():
            same = (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
            assert same, file


def test_the_best_of_all_families_is_published(tmp_path: Path) -> None:
    outcome = run_job(job(tmp_path, ["als", "item-knn", "ease"], **small()))
    rows = [row for row in outcome.found.rows if row.run is not None]
    assert {row.family for row in rows} == {"als", "item-knn", "ease"}
    best = min(rows, key=lambda row: row.rank)
    assert outcome.chosen_row == best
    assert outcome.model.name == best.family
    page = page_of(outcome, tmp_path)
    assert f"Published: {best.family} (" in page
    assert f"the best of {len(rows)} trainings of 3 families (" in page
    assert "all_curves" in outcome.figures()
    assert ("best_curve" in outcome.figures()) == (best.sweep is not None)


def test_als_alone_is_searched_as_if_there_were_no_others(tmp_path: Path) -> None:
    alone = run_job(job(tmp_path / "alone", ["als"], **small()))
    before = run_job(
        job(tmp_path / "before", None, how={"baselines": ["popularity", "random"]}, **small())
    )
    assert list(alone.found.leaderboard.rows()) == list(before.found.leaderboard.rows())
    for name in ("similar_items", "recommendations"):
        ours, theirs = (
            (tmp_path / place / f"{name}.parquet").read_bytes() for place in ("alone", "before")
        )
        assert ours == theirs
    assert "Published: als (" in page_of(alone, tmp_path / "alone")
    assert "families (" not in page_of(alone, tmp_path / "alone")


def test_a_baseline_above_all_is_the_first_line(tmp_path: Path) -> None:
    asked = job(tmp_path, ["ease"], source=fashions(), by="items")
    outcome = run_job(asked)
    above = outcome.found.beaten_by
    assert above is not None
    assert above.model == "popularity"
    bad = [told for told, is_good in outcome.verdicts() if not is_good]
    assert bad[0].startswith("Similar items: not better than item-knn")  # it leads
    [told] = [one for one in bad if one.startswith("A baseline")]
    assert told.startswith(
        "A baseline, popularity, tops the leaderboard with precision@5 "
        f"{above.mean:.4f} on the validation users; "
    )
    assert f"may be published reaches {outcome.chosen_row.mean:.4f}" in told
    assert outcome.warnings()[: len(bad)] == bad
    page = page_of(outcome, tmp_path)
    assert page.index(told.split(";")[0]) < page.index("Published: ease")
    assert outcome.model.name == "ease"


@pytest.mark.parametrize("family", ["item-knn", "ease"])
def test_without_history_it_recommends_for_likes_alone_and_says_so(
    tmp_path: Path, family: str
) -> None:
    outcome = run_job(job(tmp_path, [family], with_history=False))
    page = page_of(outcome, tmp_path)
    assert f"saved without history, and {family} scores users by their likes" in page
    loaded = alsolike.load(tmp_path / "model")
    assert loaded.history is None
    with pytest.raises(SettingError, match="saved without its history"):
        alsolike.recommend(loaded, ["u1"], exclude_seen=False)
    assert len(alsolike.recommend_for_likes(loaded, {"i1": 1.0}, k=3)) == 3
    assert len(alsolike.similar(loaded, ["i1"], k=3)) == 3


@pytest.mark.parametrize(
    ("families", "changes", "match"),
    [
        (
            ["esae"],
            {},
            r"Unknown model 'esae'; known are als, item-knn, ease.* Did you mean 'ease'\?",
        ),
        ([], {}, "[Aa]t least one family"),
        (["factors"], {}, "made by other programs"),
        (["item-knn"], {"grid": {"factors": [2]}}, "--grid is for families that are searched"),
        (["ease"], {"settings": {"alpha": 2.0}}, "--set is for families .*this run has none: ease"),
        (["ease"], {"sweeps": [1, 2]}, "--sweeps is for"),
        (["ease"], {"how": {"trials": 3}}, "--trials is for"),
    ],
    ids=str,
)
def test_families_are_checked_before_anything_is_read(
    tmp_path: Path, families: list[str], changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(SettingError, match=match):
        resolve(job(tmp_path, families, source=tmp_path / "nowhere.csv", **changes))


def test_a_job_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    places = jobs._refuse_places
    monkeypatch.setattr(jobs, "_refuse_places", lambda one: seen.append(one) or places(one))
    asked = job(tmp_path, ["ease"])
    resolved = resolve(asked)
    assert prepare(resolved).lineup.searched == ()
    assert seen == [asked]
    run_job(asked)
    assert seen == [asked, asked]


def test_families_are_typed_or_stand_in_a_file(tmp_path: Path) -> None:
    tastes().to_csv(tmp_path / "likes.csv", index=False)
    words = ["search", str(tmp_path / "likes.csv"), "--held-out", "2", "--out"]
    typed = CliRunner().invoke(main, [*words, str(tmp_path / "a"), "--families", "ease, item-knn"])
    assert typed.exit_code == 0, typed.output
    assert "Wrote leaderboard.csv to" in typed.output
    (tmp_path / "how.toml").write_text('families = ["ease", "item-knn"]\n')
    file = ["--space", str(tmp_path / "how.toml")]
    filed = CliRunner().invoke(main, [*words, str(tmp_path / "b"), *file])
    assert filed.exit_code == 0, filed.output
    one, two = ((tmp_path / name / "leaderboard.csv").read_text() for name in "ab")
    assert one == two
    both = CliRunner().invoke(main, [*words, str(tmp_path / "c"), *file, "--families", "ease"])
    assert both.exit_code != 0
    assert "families is set in" in both.output
    other = ["--set", "neighbours=3"]
    set_ = CliRunner().invoke(main, [*words, str(tmp_path / "c"), *other])
    assert "neighbours is a setting of item-knn; a run tries" in set_.output


def test_the_forecast_of_memory_asks_each_family() -> None:
    likes = tiny_likes(200, 100)
    usual = {"points": 8, "test_users": 40, "folds": 5, "shelf": 10, "threads": 2}
    als = forecast(likes, [ALSConfig(factors=8)], **usual).stages
    both = forecast(likes, [ALSConfig(factors=8), EASEConfig()], **usual).stages
    only = forecast(likes, [EASEConfig()], **usual, baselines=123).stages
    assert both["search"] == als["search"]  # EASE is trained before it
    assert both["shelves"] >= max(als["shelves"], only["shelves"] - 1)
    assert only["writing"] > als["writing"]  # 100 x 100 float64, and three times while it is saved
    assert at_once(likes, [EASEConfig(), EASEConfig(regularization=9.0)], 2) == 2 * ease_bytes(100)
    assert at_once(likes, [EASEConfig(), ALSConfig()], 1) >= ease_bytes(100)


def test_a_gallery_draws_scores_of_any_scale() -> None:
    likes = tiny_likes(60, 20)
    for family in ("item-knn", "ease"):
        model = alsolike.fit(likes, family=family)
        made = gallery(model, [likes.items.id_of(0), likes.items.id_of(1)], k=3)
        cards = [card for shelf in made.shelves for card in shelf.neighbours]
        assert cards
        assert {card.measure for card in cards} == {model.similarity.words}
        best = max(card.score for card in cards if card.score is not None)
        assert {card.full for card in cards} == {model.similarity.most or best}
        assert escape(model.similarity.words) in made.fragment()
