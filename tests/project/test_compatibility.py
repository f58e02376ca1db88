"""What earlier versions wrote still loads, resumes and means the same."""

import csv
import json
import shutil
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click.testing
import pytest

import alsolike as al
from alsolike.cli.group import main
from alsolike.tables import Table
from alsolike.web.serving.state_store import Store, Vote

HERE = Path(__file__).parents[1] / "compatibility"
ANSWERS = json.loads((HERE / "answers.json").read_text(encoding="utf-8"))


def same_rows(table: Table, rows: list[dict[str, Any]]) -> None:
    """Expect these rows, which may have come to have further columns."""
    found = list(table.rows())
    assert len(found) == len(rows)
    for ours, theirs in zip(found, rows, strict=True):
        for name, value in theirs.items():
            expected = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
            assert ours[name] == expected


@pytest.mark.parametrize("name", ["bundle-with-history", "bundle-without-history"])
def test_a_bundle_of_format_1_answers_as_it_did(name: str) -> None:
    model, answers = al.load(HERE / name), ANSWERS[name]
    has_history = name == "bundle-with-history"

    same_rows(al.similar(model, ["a0", "é1"], k=3), answers["similar"])
    same_rows(
        al.recommend(model, ["user 0", "user 7"], k=3, exclude_seen=has_history),
        answers["recommend"],
    )
    same_rows(
        al.recommend_for_likes(model, {"a0": 1, "é1": 3}, k=3), answers["recommend_for_likes"]
    )


def test_a_search_interrupted_earlier_is_resumed_to_the_same_leaderboard(tmp_path: Path) -> None:
    shutil.copy(HERE / "half_done.sqlite", tmp_path / "ledger.sqlite")
    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.execute("SELECT count(*) FROM points").fetchone() == (9,)
        # The last bit of squared errors is the processor's: trainings that were interrupted start
        # again here, and those that were finished are kept.
        finished = "(SELECT id FROM configurations WHERE state = 'done')"
        for table in ("points", "bests"):
            ledger.execute(f"DELETE FROM {table} WHERE configuration NOT IN {finished}")  # noqa: S608
        before = ledger.execute("SELECT configuration, sweep, figures FROM points").fetchall()
        # Figures of one version of a library are not continued with another; this is about ours.
        for library in ("numba", "numpy", "scipy"):
            row = json.dumps(version(library)), f"version of {library}"
            assert ledger.execute("UPDATE facts SET value = ? WHERE name = ?", row).rowcount == 1
    assert len(before) == 5

    words = ["search", HERE / "likes.csv", "--value", "plays", "--space", HERE / "search.toml"]
    words += ["--k", 3, "--min-per-user", 2, "--min-per-item", 1, "--out", tmp_path]
    result = click.testing.CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == 0, result.output

    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        after = ledger.execute("SELECT configuration, sweep, figures FROM points").fetchall()
    assert set(before) < set(after)
    # Popularity, the four settings of item-knn that were tried then and those of now, and ALS.
    assert len(after) == 1 + 4 + 8 + 4 * 3
    ours, theirs = (
        {
            (row["run"], row["model"]): float(row["validation_precision@3"])
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
            if not row["model"].startswith("item-knn")
        }
        for path in (tmp_path / "leaderboard.csv", HERE / "leaderboard.csv")
    )
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_the_state_of_an_earlier_service_is_kept(tmp_path: Path) -> None:
    shutil.copy(HERE / "state.sqlite", tmp_path / "state.sqlite")
    with Store(tmp_path) as state:
        assert state.likes_of("ann") == {"a0": 1.0, "é1": 3.0}
        assert state.likes_of("user 1") == {"ж2": -1.0}
        assert state.votes("als / other") == [
            Vote("als / other", "first", "a0", "voter-1", ("v1", "v2")),
            Vote("als / other", "tie", "é1", "voter-2", ("v1", "v2")),
        ]
        state.add_likes("ann", {"a3": 1.0})
        assert state.counts() == {"likes": 4, "votes": 2}
