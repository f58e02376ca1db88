"""A run by new items: settings are chosen on items of which training sees no like."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alsolike as al
from alsolike.data.features.attributed import AttributedFeatures
from alsolike.data.features.features import Features
from alsolike.errors import DataError
from alsolike.models.bundle.io import load
from alsolike.pipeline import run
from alsolike.pipeline.job import Job, resolve
from alsolike.testing import tiny_likes
from alsolike.tuning.options import Searching
from command import fine, refused

LIKES = tiny_likes(60, 50)
# Users like one half of the items; three of eight words of the half tell which it is.
RNG = np.random.default_rng(0)
WORDS = [[f"{row % 2} {n}" for n in RNG.choice(8, 3, replace=False)] for row in range(50)]
TAGS = Features.of_words("half", WORDS)


def read_as(monkeypatch: pytest.MonkeyPatch, likes: al.Interactions) -> None:
    """Let a run read these likes, whose features no file of the test has."""
    source = run.read

    def reads(*given: Any, **how: Any) -> Any:
        return likes, source(*given, **how)[1]

    monkeypatch.setattr(run, "read", reads)


def job(out: Path, likes: al.Interactions, **changes: Any) -> Job:
    usual: dict[str, Any] = {"by": "new-items", "share": 0.2, "metric": "recall", "k": 3}
    quick = {"min_per_user": 1, "min_per_item": 1}
    return Job(source=likes.user_items, out=out, **{**usual, **quick, **changes})


def test_a_run_by_new_items_says_what_features_are_worth(tmp_path, monkeypatch):
    likes = replace(LIKES, item_features=TAGS)
    read_as(monkeypatch, likes)
    outcome = run.run_job(job(tmp_path, likes))
    assert outcome.found.best_row.family == "item-profile"
    assert outcome.split.is_by_items
    assert {"item-profile"} <= {row.family for row in outcome.found.rows}
    assert not {"als", "item-knn"} & {row.family for row in outcome.found.rows}
    assert outcome.test.evaluations[0].mean("recall@3") > outcome.test.evaluations[1].mean(
        "recall@3"
    )
    assert outcome.test.slices == ()
    assert "among all items, new ones are in" in str(outcome.test)
    assert "among all items, new ones are in" in outcome.test.brief(100)
    assert outcome.ablation.helps
    page = (tmp_path / "report.html").read_text()
    assert "Features help: the real ones are better than constant and shuffled" in page
    assert "new items, in lists of these alone and of all items" in page
    assert load(tmp_path / "model").item_features is not None


def test_a_run_leaves_out_what_test_users_gave(tmp_path, monkeypatch):
    cells = LIKES.user_items.tocoo()
    users, items = LIKES.users.ids_of(cells.row), LIKES.items.ids_of(cells.col)
    words = [f"half {column % 2}" for column in cells.col]
    tags = AttributedFeatures.of_rows("half", users, items, words, LIKES.items)
    likes = replace(LIKES, item_features=tags)
    read_as(monkeypatch, likes)
    search = Searching(families=["item-profile"])
    given = job(tmp_path, likes, by="items", share=None, held_out=2, search=search)
    prepared = run.prepare(resolve(given))
    assert not isinstance(prepared.split.train.item_features, AttributedFeatures)
    kept = run.prepare(resolve(replace(given, keep_own_features=True)))
    assert isinstance(kept.split.train.item_features, AttributedFeatures)


def test_without_features_new_items_cannot_be_told_apart(tmp_path, monkeypatch):
    read_as(monkeypatch, LIKES)
    with pytest.raises(DataError, match="the items of this table have none"):
        run.run_job(job(tmp_path, LIKES, search=Searching(families=["item-knn"])))
    search = Searching(families=["item-profile"])
    with pytest.raises(DataError, match="item-profile scores items by their features"):
        run.run_job(job(tmp_path, LIKES, by="items", share=None, search=search))


def test_the_command_line_scores_new_items(tmp_path):
    likes = replace(LIKES, item_features=TAGS)
    split = al.hold_out_new_items(likes, share=0.2)
    al.save(al.fit(split.train, family="item-profile"), tmp_path / "model")
    rows = split.test.user_items.tocoo()
    lines = [
        f"{likes.users.id_of(int(user))},{likes.items.id_of(int(item))}"
        for user, item in zip(rows.row, rows.col, strict=True)
    ]
    (tmp_path / "test.csv").write_text("\n".join(["user,item", *lines]))
    said = fine(
        "evaluate", tmp_path / "model", tmp_path / "test.csv", "--new-items", "--k", "3"
    ).output
    assert "9 new items, with held-out likes of" in said
    assert "new_places@3" in said
    cells = likes.user_items.tocoo()
    lines = [
        f"{likes.users.id_of(int(user))},{likes.items.id_of(int(item))}"
        for user, item in zip(cells.row, cells.col, strict=True)
    ]
    (tmp_path / "likes.csv").write_text("\n".join(["user,item", *lines]))
    said = fine(
        "split", tmp_path / "likes.csv", "--by", "new-items", "--to", tmp_path / "parts"
    ).output
    assert "all interactions of some items, which are new to a model" in said
    old = refused(
        "split", tmp_path / "likes.csv", "--by", "newest-items", "--to", tmp_path / "parts"
    )
    assert "needs timestamps" in old


def test_numbers_of_new_items_are_the_same_for_any_threads():
    split = al.hold_out_new_items(replace(LIKES, item_features=TAGS), share=0.2)
    model = al.fit(split.train, family="item-profile")
    found = [
        al.evaluate_new_items(
            model, split.test, exclude=split.train, engine=al.engines.local.LocalEngine(n)
        )
        for n in (1, 4)
    ]
    assert all(
        np.array_equal(found[0].shown[name], found[1].shown[name]) for name in found[0].shown
    )
