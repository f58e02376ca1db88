"""Every verb, by its own words: what it prints and writes, and one line for whatever is wrong."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click.testing
import duckdb
import numpy as np
import pytest

import alsolike
from als_settings import set_loss
from alsolike.cli import pipeline
from alsolike.cli.arguments import grid_of, settings_of
from alsolike.cli.group import main
from alsolike.errors import SettingError
from alsolike.storage.atomic import alone_in
from command import call, fine, refused

Call = Callable[..., click.testing.Result]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with likes of two tastes: even users like even items."""
    folder = tmp_path_factory.mktemp("cli")
    rng = np.random.default_rng(1)
    lines = ["user,item,hours,name,when"]
    for user in range(30):
        for place in rng.choice(12, size=8, replace=False):
            item = 2 * place + user % 2
            hours = rng.integers(1, 90) / 10
            lines.append(f"u{user},i{item},{hours},Item {item},{1_600_000_000 + rng.integers(999)}")
    (folder / "likes.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def likes(data: Path) -> Path:
    return data / "likes.csv"


@pytest.fixture(scope="module")
def model(data: Path, likes: Path) -> Path:
    fine("fit", likes, "--value", "hours", "--item-name", "name", "--to", data / "model",
         "--set", "factors=4", "--set", "iterations=5", "--quiet")  # fmt: skip
    return data / "model"


@pytest.fixture(scope="module")
def bare(data: Path, likes: Path) -> Path:
    fine("fit", likes, "--to", data / "bare", "--without-history", "--set", "factors=2")
    return data / "bare"


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.read_parquet(str(path)).fetchall()


def test_help_names_the_verbs_in_the_order_of_the_flow() -> None:
    lines = fine("--help").output.splitlines()
    verbs = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]]
    assert verbs == [
        "run", "demo", "read", "anonymize", "filter", "split", "search", "runs", "fit", "compile",
        "evaluate", "evaluate-folds", "metric-definitions", "similar", "why", "similar-users",
        "features", "items-for", "suggest-features", "add-items", "recommend", "scores", "predict",
        "explain", "gallery", "describe", "configure", "export", "diff", "serve", "swap", "likes",
    ]  # fmt: skip
    for verb in verbs:
        assert "Usage:" in fine(verb, "-h").output


def test_version() -> None:
    assert fine("--version").output == f"alsolike, version {alsolike.__version__}\n"


def test_read_says_what_it_found_and_writes_it(likes: Path, tmp_path: Path) -> None:
    said = fine("read", likes, "--value", "hours", "--timestamp", "when",
                "--to", tmp_path / "r.parquet").output  # fmt: skip
    assert "delimiter ','" in said
    assert "interactions    240" in said
    assert f"Wrote 240 rows to {tmp_path / 'r.parquet'}" in said
    user, item, value, time = rows_of(tmp_path / "r.parquet")[0]
    assert (user, item[0], type(value), time > 1.5e9) == ("u0", "i", float, True)


def test_filter_drops_and_says_how_much(likes: Path, tmp_path: Path) -> None:
    said = fine("filter", likes, "--min-per-item", 9, "--min-per-user", 2,
                "--to", tmp_path / "f.parquet").output  # fmt: skip
    assert "before the filter: 30 users, 24 items" in said
    assert "minimum per item: 9" in said
    assert len(rows_of(tmp_path / "f.parquet")) < 240
    assert "Lower the minimums" in refused("filter", likes, "--min-per-user", 100)


@pytest.mark.parametrize(
    ("way", "more", "parts"),
    [
        ("items", ["--held-out", "2", "--share", "0.3"], 3),
        ("one", [], 3),
        ("fraction", ["--share", "0.25"], 3),
        ("time", ["--timestamp", "when", "--held-out", "1"], 3),
        ("time", ["--timestamp", "when", "--share", "0.25"], 3),
        ("users", [], 4),
    ],
)
def test_each_way_of_splitting_writes_parts_that_add_up(
    likes: Path, tmp_path: Path, way: str, more: list[str], parts: int
) -> None:
    said = fine("split", likes, "--to", tmp_path, "--by", way, *more).output
    assert said.startswith("split: ")
    written = sorted(tmp_path.iterdir())
    assert len(written) == parts
    pairs = [row[:2] for part in written for row in rows_of(part)]
    assert len(pairs) == len(set(pairs))
    assert len(pairs) == 240 or way == "users"


def test_folds_by_time_are_split_and_evaluated(likes: Path, tmp_path: Path) -> None:
    how = ["--timestamp", "when", "--folds", 2, "--share", 0.2]
    said = fine("split", likes, "--to", tmp_path, "--by", "time", *how).output
    assert said.count("split: fold ") == 2
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["fold-1", "fold-2"]
    first, last = (
        [row[:2] for part in (tmp_path / name).iterdir() for row in rows_of(part)]
        for name in ("fold-1", "fold-2")
    )
    assert set(first) < set(last)
    assert len(last) == len(set(last)) == 240
    said = fine("evaluate-folds", likes, *how, "--family", "popularity", "--metrics", "ndcg").output
    assert [line.split()[3] for line in said.splitlines() if "ndcg@10" in line] == ["1", "2", "all"]
    line = refused("split", likes, "--to", tmp_path, "--by", "items", "--folds", 2)
    assert "by items takes no --folds" in line
    line = refused("split", likes, "--to", tmp_path, "--by", "time", *how, "--held-out", 2)
    assert "Folds have windows of time" in line
    assert "below 0.25" in refused("evaluate-folds", likes, "--timestamp", "when", "--share", 0.3)
    assert "Unknown metrics" in refused("evaluate-folds", likes, "--metrics", "p")


def test_an_option_that_a_way_of_splitting_does_not_take_is_refused(
    likes: Path, tmp_path: Path
) -> None:
    for way, option in (("one", "share"), ("fraction", "held_out"), ("users", "held_out")):
        flag = f"--{option.replace('_', '-')}"
        line = refused("split", likes, "--to", tmp_path, "--by", way, flag, 1)
        assert f"by {way} takes no {flag}, but " in line
    assert "share" in refused("split", likes, "--to", tmp_path, "--by", "users", "--share", 0)
    assert "share" in refused("split", likes, "--to", tmp_path, "--by", "fraction", "--share", 0)
    assert "timestamps" in refused("split", likes, "--to", tmp_path, "--by", "time")
    assert list(tmp_path.iterdir()) == []


def test_search_leaves_the_leaderboard_and_the_curves(likes: Path, tmp_path: Path) -> None:
    words = ("search", likes, "--out", tmp_path, "--held-out", 2, "--grid", "factors=2,4",
             "--set", "alpha=3", *set_loss(regularization=1), "--sweeps", "1,3")  # fmt: skip
    said = fine(*words, "--verbose").output
    assert "run 2: factors 4" in said
    assert "popularity" in said
    names = {"families.json", "leaderboard.csv", "learning_curves.csv", "learning_curves.parquet",
             "ledger.sqlite"}  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == names
    assert len(rows_of(tmp_path / "learning_curves.parquet")) == 4
    assert fine(*words, "--quiet").output == ""


def test_thorough_is_short_for_its_preset(likes: Path, tmp_path: Path) -> None:
    words = ("search", likes, "--held-out", 2, "--set", "factors=2", "--set", "regularization=0.01",
             "--sweeps", "1", "--baselines", "popularity")  # fmt: skip
    boards = []
    for name, how in (("short", ["--thorough"]), ("long", ["--preset", "thorough"]), ("quick", [])):
        fine(*words, *how, "--out", tmp_path / name, "--quiet")
        boards.append((tmp_path / name / "leaderboard.csv").read_text())
    assert boards[0] == boards[1]
    assert [board.count(",als,") for board in boards] == [5, 5, 3]


def test_a_search_by_shelves_from_options_and_from_a_file(likes: Path, tmp_path: Path) -> None:
    words = ("search", likes, "--grid", "factors=2,4", "--sweeps", "1,3",
             "--baselines", "popularity,item-knn,random")  # fmt: skip
    said = fine(*words, "--objective", "item-to-item", "--out", tmp_path / "typed").output
    assert "Best on shelf_precision@10 on validation users whom training never saw" in said
    assert "shelf_precision@10_low" in fine("runs", tmp_path / "typed", "--verbose").output
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('objective = "item-to-item"\n')
    fine(*words, "--space", recipe, "--out", tmp_path / "described")
    typed, described = (
        (tmp_path / name / "leaderboard.csv").read_text() for name in ("typed", "described")
    )
    assert typed == described
    assert typed.startswith("rank,run,model,factors,")
    both = refused(*words, "--objective", "ranking", "--space", recipe, "--out", tmp_path / "both")
    assert f"objective is set in {recipe} and on the command line" in both
    auc = refused(
        *words, "--objective", "item-to-item", "--metric", "auc", "--out", tmp_path / "auc"
    )
    assert "not 'auc'" in auc
    again = refused(*words, "--held-out", 2, "--out", tmp_path / "typed")
    assert "split was" in again
    other = refused(*words, "--objective", "item-to-item", "--held-out", 2, "--out", tmp_path / "h")
    assert "--held-out 2 is for the ranking objective" in other
    assert "--judge" not in fine("search", "--help").output


@pytest.mark.parametrize("option", ["--judge", "--objective"])
def test_old_names_of_objectives_are_still_read(likes: Path, tmp_path: Path, option: str) -> None:
    words = ("search", likes, "--grid", "factors=2", "--sweeps", "1")
    said = fine(*words, option, "shelves", "--out", tmp_path / "typed").output
    assert "Best on shelf_precision@10" in said
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('judge = "shelves"\n')
    said = fine(*words, "--space", recipe, "--out", tmp_path / "described").output
    assert "Best on shelf_precision@10" in said
    recipe.write_text('judge = "shelves"\nobjective = "ranking"\n')
    both = refused(*words, "--space", recipe, "--out", tmp_path / "both")
    assert "judge is the old name of objective" in both
    both = refused(*words, "--judge", "lists", "--objective", "ranking", "--out", tmp_path / "both")
    assert "--judge is the old name of --objective" in both


def test_the_old_name_of_metric_definitions_is_still_read() -> None:
    assert "passport" not in fine("--help").output
    old, new = (fine(verb, "--help").output for verb in ("passport", "metric-definitions"))
    assert old.partition("[OPTIONS]")[2] == new.partition("[OPTIONS]")[2]


def test_fit_goes_on_from_a_model_and_adds_newer_likes(
    likes: Path, model: Path, tmp_path: Path
) -> None:
    newer = tmp_path / "newer.csv"
    newer.write_text("user,item\nu0,brand new\nu0,i0\nnobody before,i0\n")
    said = fine("fit", newer, "--from", model, "--add", "--to", tmp_path / "more").output
    assert "31 users, 25 items, 4 factors, 10 sweeps" in said
    more = alsolike.load(tmp_path / "more")
    assert more.history is not None
    assert more.history.n_interactions >= 242
    assert more.item_index("Item 0") == more.item_index("i0")  # names came along
    repeated = fine("fit", newer, "--from", tmp_path / "more", "--add", "--to", tmp_path / "twice")
    assert "warning: 2 of the 3 new pairs (66.7 %) are already in the model" in repeated.stderr
    again = fine("fit", likes, "--from", model, "--to", tmp_path / "again").output
    assert "30 users, 24 items, 4 factors, 10 sweeps" in again


def test_doubts_about_a_table_are_warnings_and_stand_in_its_report(tmp_path: Path) -> None:
    table = tmp_path / "likes.csv"
    table.write_text("user,item,at\n" + "nan,m1,5\n" * 9 + "bob,m1,7\n")
    for words in (["read"], ["filter", "--min-per-user", 1, "--min-per-item", 1]):
        result = fine(words[0], table, "--timestamp", "at", *words[1:])
        lines = result.stderr.splitlines()
        assert [line.partition(":")[0] for line in lines] == ["warning"] * 3
        for told in ("8 of 10 rows (80.0 %)", "a user is called 'nan' in 9 of 10 rows", "1970"):
            assert any(told in line for line in lines)
    report = fine("read", table, "--timestamp", "at").stdout
    assert report.count("warning  ") == 3
    model = fine("fit", table, "--to", tmp_path / "model", "--set", "factors=1", "--quiet")
    assert model.stderr.startswith("warning: 8 of 10 rows")


def test_fit_takes_settings(model: Path) -> None:
    said = fine("describe", model).output
    assert "als, 4 factors, 5 sweeps" in said
    assert "setting factors" in said
    assert "history" in said
    assert "model.safetensors" in said
    assert "{" not in said
    assert max(map(len, said.splitlines())) < 100


def test_evaluate_says_what_it_left_out(likes: Path, model: Path, tmp_path: Path) -> None:
    held_out = tmp_path / "held_out.csv"
    with duckdb.connect() as connection:
        liked = connection.read_csv(str(likes)).filter("\"user\" = 'u0'").fetchall()
    unseen = next(f"i{n}" for n in range(24) if f"i{n}" not in {row[1] for row in liked})
    held_out.write_text(f"user,item\nu0,{unseen}\nstranger,i0\n")
    said = fine("evaluate", model, held_out, "--k", 3).output
    assert said.startswith("Left out 1 like of users or items that the model does not know.")
    assert "precision@3" in said
    assert "precision@10" in fine("evaluate", model, likes, "--keep-seen").output
    assert "--keep-seen" in refused("evaluate", model, likes)
    told = fine("evaluate", model, held_out, "--metrics", "novelty, coverage", "--k", 3).output
    rows = [line.split()[1] for line in told.splitlines() if "@" in line]
    assert rows == ["novelty@3", "coverage@3"]
    tags = tmp_path / "tags.csv"
    tags.write_text("item,tag\n" + "".join(f"i{n},t{n % 3}\n" for n in range(20)))
    options = ["--metrics", "feature_diversity", "--agree", f"{tags}:item,tag"]
    assert "feature_diversity@10" in fine("evaluate", model, held_out, *options).output
    assert "pass features=" in refused("evaluate", model, held_out, *options[:2])


def test_similar_takes_ids_and_names(model: Path, tmp_path: Path) -> None:
    said = fine("similar", model, "i4", "Item 5", "item 6", "--k", 2).output
    rows = [line.split() for line in said.splitlines()]
    assert [row[1] for row in rows if row and row[0] == "|" and row[1] != "item"] == [
        f"i{n}" for n in (4, 4, 5, 5, 6, 6)
    ]
    assert [line for line in said.splitlines() if line.startswith("Similar")] == [
        f"Similar to Item {n} (i{n})" for n in (4, 5, 6)
    ]
    fine("similar", model, "--all", "--k", 3, "--to", tmp_path / "s.parquet")
    rows = rows_of(tmp_path / "s.parquet")
    assert len(rows) == 24 * 3
    assert all(item != near and -1 <= score <= 1 for item, _, near, _, score in rows)
    same_taste = [int(item[1:]) % 2 == int(near[1:]) % 2 for item, _, near, _, _ in rows]
    assert np.mean(same_taste) > 0.95
    fine("similar", model, "--all", "--to", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().startswith("item,rank,similar_item,name,score\n")


def test_min_count_keeps_rarities_away(data: Path, tmp_path: Path) -> None:
    likes = tmp_path / "likes.csv"
    likes.write_text((data / "likes.csv").read_text() + "u0,rarity,1,Rarity,1600000000\n")
    fine("fit", likes, "--to", tmp_path / "m", "--set", "factors=4")
    assert "rarity" not in fine("similar", tmp_path / "m", "--all").stdout.replace("| rarity |", "")
    assert "rarity" in fine("similar", tmp_path / "m", "i0", "--k", 23, "--min-count", 1).output


def test_recommend_leaves_out_what_was_seen_and_keeps_to_lists(model: Path, likes: Path) -> None:
    with duckdb.connect() as connection:
        liked = connection.read_csv(str(likes)).filter("\"user\" = 'u3'").fetchall()
    seen = {row[1] for row in liked}

    def items(*words: object) -> list[str]:
        lines = fine("recommend", model, "u3", *words).output.splitlines()[3:-1]
        return [line.split()[5] for line in lines]

    assert not seen & set(items("--k", 24))
    assert len(items("--k", 24)) == 24 - len(seen)
    assert seen <= set(items("--k", 24, "--keep-seen"))
    one, other = items("--k", 2)
    assert items("--allow", one, "--allow", other, "--deny", other) == [one]
    assert items("--deny", one)[0] == other
    name = f"Item {other[1:]}"
    assert items("--allow", name) == [other]


def test_explain_adds_up(model: Path) -> None:
    said = fine("explain", model, "u3", "Item 5").output
    assert "scores" in said.splitlines()[0]
    parts = [float(line.split("|")[-2]) for line in said.splitlines()[4:-1]]
    assert len(parts) == 8
    score = float(said.split("scores ")[1].split()[0])
    assert sum(parts) == pytest.approx(score, abs=1e-3)


def test_gallery_is_a_page(model: Path, tmp_path: Path) -> None:
    assert f"Open {tmp_path / 'g.html'}" in fine(
        "gallery", model, "i4", "Item 5", "--k", 3, "--to", tmp_path / "g.html"
    ).output  # fmt: skip
    page = (tmp_path / "g.html").read_text()
    assert page.count("Item ") >= 8
    assert "Content-Security-Policy" in page


def test_without_history_says_what_then_does_not_work(bare: Path, likes: Path) -> None:
    assert "left out" in fine("describe", bare).output
    assert "--keep-seen" in refused("recommend", bare, "u3")
    assert "--keep-seen" in refused("evaluate", bare, likes)
    assert "explain" in refused("explain", bare, "u3", "i5")
    assert "saved with its likes" in refused("fit", likes, "--from", bare, "--add", "--to", bare)
    assert "u3" in fine("recommend", bare, "u3", "--keep-seen", "--k", 1).output
    assert "i5" in fine("similar", bare, "i5").output


@pytest.mark.parametrize(
    ("words", "way_out"),
    [
        (["similar", "MODEL", "Itm 5"], "Did you mean 'Item 5'"),
        (["similar", "MODEL", "something else"], "--all --to items.csv"),
        (["similar", "MODEL", "\udcff"], "neither an id nor a name"),
        (["similar", "nowhere", "i5"], "Check the path"),
        (["similar", "LIKES", "i5"], "Give the folder"),
        (["similar", "MODEL", "i5", "--to", "near.txt"], ".csv or .parquet"),
        (["recommend", "MODEL", "u33"], "Did you mean 'u3"),
        (["recommend", "MODEL", "somebody"], "--all --to users.csv"),
        (["recommend", "MODEL", "u3", "--allow", "Itm 5"], "Did you mean"),
        (["recommend", "MODEL", "u3", "--deny", "nothing"], "alsolike similar"),
        (["explain", "MODEL", "u3", "nothing"], "alsolike similar"),
        (["explain", "MODEL", "nobody", "i5"], "alsolike recommend"),
        (["gallery", "MODEL", "Itm 5", "--to", "g.html"], "Did you mean 'Item 5'"),
        (["gallery", "MODEL", "i5", "--to", "."], "name of a file"),
        (["describe", "LIKES"], "Give the folder"),
        (["read", "lieks.csv"], "no such file"),
        (["read", "LIKES", "--user", "usr"], "user"),
        (["fit", "LIKES", "--to", "m", "--set", "factor=3"], "Did you mean factors"),
        (["fit", "LIKES", "--to", "m", "--set", "factors=many"], "whole number"),
        (["fit", "LIKES", "--to", "m", "--set", "alpha=-1"], "at least 0"),
        (["fit", "LIKES", "--to", "m", "--set", "alpha=1e999"], "finite"),
        (["fit", "LIKES", "--to", "m", "--set", "regularization_exponent=x"], "finite"),
        (["fit", "LIKES", "--to", "m", "--set", "confidence=loud"], "linear, scaled, log"),
        (["fit", "LIKES", "--to", "m", "--set", "alpha"], "NAME=VALUE"),
        (["fit", "LIKES", "--to", "m", "--set", "=1"], "NAME=VALUE"),
        (["fit", "LIKES", "--to", "m", "--set", "alpha=1", "--set", "alpha=2"], "given twice"),
        (["fit", "LIKES", "--to", "m", "--add"], "--from"),
        (["run", "LIKES", "--out", "o", "--set", "factor=3"], "Did you mean factors"),
        (["run", "LIKES", "--out", "o", "--set", "seed=3"], "--seed"),
        (["run", "LIKES", "--out", "o", "--set", "iterations=3"], "--sweeps"),
        (["run", "LIKES", "--out", "o", "--grid", "iterations=3,4"], "--sweeps"),
        (["run", "LIKES", "--out", "o", "--grid", "alpha=3,4", "--set", "alpha=3"], "only once"),
        (["run", "LIKES", "--out", "o", "--grid", "factors"], "NAME=VALUE"),
        (["run", "LIKES", "--out", "o", "--grid", "factors=2,,4"], "NAME=VALUE"),
        (["run", "LIKES", "--out", "o", "--grid", "factors=2,x"], "whole number"),
        (["run", "LIKES", "--out", "o", "--grid", "factor=2"], "Did you mean factors"),
        (["run", "LIKES", "--out", "o", "--sweeps", "two"], "2,4,8"),
        (["run", "LIKES", "--out", "o", "--sweeps", "0"], "whole number from 1"),
        (["run", "LIKES", "--out", "o", "--preset", "fast"], "known are article, quick, thorough"),
        (["run", "LIKES", "--out", "o", "--preset", "quick", "--thorough"], "Give one of them"),
        (
            ["run", "LIKES", "--out", "o", "--search", "growth", "--grid", "factors=8,16"],
            "was given 8, 16. Give one, or use --search doubling",
        ),
        (["run", "LIKES", "--out", "o", "--search", "growth", "--trials", "3"], "trials does not"),
        (["run", "LIKES", "--out", "o", "--metric", "rmse"], "precision"),
        (["run", "LIKES", "--out", "o", "--share", "3"], "at most 1"),
        (["run", "LIKES", "--out", "o", "--held-out", "50"], "That number is --held-out 50 here."),
        (["run", "LIKES", "--out", "LIKES"], "a folder"),
        (["run", "nowhere.csv", "--out", "o"], "no such file"),
    ],
    ids=lambda part: " ".join(part[:1] + part[2:]) if isinstance(part, list) else "",
)
def test_what_is_wrong_is_one_line_with_a_way_out(
    words: list[str],
    way_out: str,
    model: Path,
    likes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"MODEL": str(model), "LIKES": str(likes)}
    assert way_out in refused(*(places.get(word, word) for word in words))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["nope"], ["run"], ["similar", "m"], ["similar", "m", "a", "--k", "0"]]
)
def test_what_cannot_be_understood_shows_the_usage(words: list[str]) -> None:
    refused(*words, status=2)


def test_a_wrong_setting_is_found_before_the_table_is_read(tmp_path: Path) -> None:
    line = refused("run", tmp_path / "nowhere.csv", "--out", tmp_path / "o", "--metric", "rmse")
    assert "rmse" in line


def test_names_that_would_act_on_the_terminal_are_shown_instead(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J"
    lines = [f'{user},i{item},"{evil}{item}"' for user in "abcdef" for item in range(4)]
    (tmp_path / "l.csv").write_text("user,item,name\n" + "\n".join(lines) + "\n")
    fine("fit", tmp_path / "l.csv", "--item-name", "name", "--to", tmp_path / "m",
         "--set", "factors=2", "--quiet")  # fmt: skip
    for words in (["similar", tmp_path / "m", "i1"], ["explain", tmp_path / "m", "a", "i1"]):
        said = fine(*words).output
        assert "\\x1b]0;owned\\x07\\x1b[2J" in said
        assert said.replace("\n", "").isprintable()
    assert "\x1b" not in refused("similar", tmp_path / "m", evil + "?")


def test_settings_are_numbers_where_they_look_like_numbers() -> None:
    given = settings_of(("a=1", "b=1e-3", "c-d=log", "e= none ", "f=-2"))
    assert given == {"a": 1, "b": 1e-3, "c_d": "log", "e": None, "f": -2}
    assert isinstance(given["a"], int)
    assert grid_of(("a=1, 2.5", "b=x")) == {"a": [1, 2.5], "b": ["x"]}
    for wrong in ("a", "=3", "a=", "a=1,"):
        with pytest.raises(SettingError, match="NAME=VALUE"):
            grid_of((wrong,))


@pytest.mark.parametrize("value", ["[" * 100_000, "[" + "9" * 5000 + "]", "[1, 2", '"\\ud800"'])
def test_settings_that_are_no_toml_are_refused(value: str) -> None:
    with pytest.raises(SettingError, match="a TOML value expected") as caught:
        settings_of((f"steps={value}",))
    assert len(str(caught.value)) < 300


def run_alsolike(*words: object, **more: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "alsolike", *map(str, words)]
    return subprocess.run(command, capture_output=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


def test_a_reader_that_leaves_early_is_no_error_of_ours(model: Path) -> None:
    command = f"'{sys.executable}' -m alsolike similar '{model}' --all | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert done.stdout.startswith(b"+---")
    assert done.stderr == b""


def test_a_terminal_of_another_alphabet_gets_escapes_and_not_a_crash(tmp_path: Path) -> None:
    lines = [f"{user},i{item},日本 {item}" for user in "abcdef" for item in range(4)]
    (tmp_path / "l.csv").write_text("user,item,name\n" + "\n".join(lines) + "\n", encoding="utf-8")
    fine("fit", tmp_path / "l.csv", "--item-name", "name", "--to", tmp_path / "m", "--quiet")
    done = run_alsolike(
        "similar", tmp_path / "m", "i1", env=os.environ | {"PYTHONIOENCODING": "latin-1"}
    )
    assert b"\\u65e5\\u672c 2" in done.stdout
    assert done.stderr == b""


@pytest.mark.parametrize(
    "words", ["similar MODEL --all", "--help", "run --help", "similar MODEL x"]
)
def test_standard_output_that_takes_nothing_is_one_line(
    model: Path, likes: Path, words: str
) -> None:
    command = [sys.executable, "-m", "alsolike", *words.replace("MODEL", str(model)).split()]
    with likes.open("rb") as only_for_reading:
        done = subprocess.run(command, stdout=only_for_reading, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(b"error: item 'x'" if " x" in words else b"error: standard output: ")


def test_an_interruption_has_a_status_of_its_own(
    likes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alsolike.models.als.train.fit", interrupted)
    result = call("fit", likes, "--to", tmp_path / "m", "--quiet")
    assert result.exit_code == 130
    assert result.stderr == "Interrupted. No half-written file is left.\n"


def test_guesses_are_warnings_and_options_settle_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("l.csv").write_text("2,x1,5\n16,x1,2\n47,x2,8\n")
    Path("i.csv").write_text('x1,"Good, old"\nx2,Bad, extra\n')
    columns = ["--user", "1", "--item", "2", "--item-id", "1", "--item-name", "2"]
    words = ["read", "l.csv", "--items", "i.csv", *columns]
    assert "--items-delimiter" in refused(*words)
    rejecting = fine(*words, "--on-error", "reject", "--rejects", "r.csv")
    assert "malformed lines of the item table  1 rejected" in rejecting.stdout
    assert Path("r.csv").read_text().splitlines()[1].startswith("i.csv,2,")
    assert rejecting.stderr.startswith("warning: i.csv: first line taken as ")
    Path("i.csv").write_text("x1|'Good|old'\nx2|Bad\n")
    options = ["--items-delimiter", "|", "--items-quote", "'", "--no-items-header"]
    settled = fine(*words, *options, "--to", "o.csv")
    assert settled.stderr == ""
    assert "delimiter '|', quote ''', escape ''', header no" in settled.stdout


@pytest.mark.parametrize(
    "words",
    [
        "read LIKES --to LIKES",
        "read LIKES --on-error reject --rejects r.csv --to r.csv",
        "filter LIKES --to LIKES",
        "read LIKES --items ITEMS --item-id item --to ITEMS",
        "split LIKES --to . --on-error reject --rejects test.parquet",
        "fit LIKES --to m --on-error reject --rejects m/r.csv",
        "fit LIKES --to n --from MODEL --on-error reject --rejects MODEL/r.csv",
        "run LIKES --out o --on-error reject --rejects o/report.html",
        "search LIKES --out o --items o/leaderboard.csv",
        "similar MODEL i1 --to MODEL/similar.csv",
        "recommend MODEL u1 --to MODEL/manifest.json",
        "gallery MODEL i1 --to MODEL/page.html",
        "evaluate MODEL LIKES --on-error reject --rejects MODEL/r.csv",
    ],
)
def test_an_output_never_takes_the_place_of_an_input_or_another_output(
    likes: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "items.csv").write_text("item,name\ni1,One\n")
    before = likes.read_bytes(), sorted(model.iterdir())
    real = words.replace("LIKES", str(likes)).replace("MODEL", str(model))
    line = refused(*real.replace("ITEMS", "items.csv").split())
    assert "Choose another name" in line
    assert (likes.read_bytes(), sorted(model.iterdir())) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.csv"]


def test_fit_may_replace_the_model_that_it_goes_on_from(likes: Path, tmp_path: Path) -> None:
    fine("fit", likes, "--to", tmp_path / "m", "--set", "factors=2", "--quiet")
    fine("fit", likes, "--from", tmp_path / "m", "--to", tmp_path / "m", "--quiet")


def test_an_empty_name_is_not_the_current_folder(likes: Path) -> None:
    for words in (["run", likes, "--out", ""], ["read", likes, "--to", ""]):
        assert "an empty text given" in refused(*words, status=2)


def test_an_answer_without_rows_says_why(model: Path) -> None:
    none = fine("similar", model, "i1", "--min-count", "1000")
    assert none.stderr == (
        "No neighbours for 'i1'. No other item has at least 1,000 likes. Try --min-count 1.\n"
    )
    allowed = fine("explain", model, "u0", "i0") and fine("recommend", model, "u0", "--k", "30")
    assert allowed.stderr == ""
    left = [word for number in range(24) for word in ("--deny", f"i{number}")]
    assert "No items left" in fine("recommend", model, "u0", *left).stderr


def test_one_folder_holds_one_run_at_a_time(likes: Path, tmp_path: Path) -> None:
    with alone_in(tmp_path):
        for verb in ("run", "search"):
            line = refused(verb, likes, "--out", tmp_path)
            assert "another alsolike is running in this folder" in line


def test_errors_of_memory_are_one_line(
    likes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 7 TiB.")

    monkeypatch.setattr("alsolike.models.als.train.fit", too_much)
    line = refused("fit", likes, "--to", tmp_path / "m")
    assert "Unable to allocate 7 TiB" in line
    assert "fewer factors (--set factors=16)" in line
    monkeypatch.setattr("alsolike.data.reading.read.read", too_much)
    line = refused("read", likes)
    assert "--threads 1" in line
    assert "factors" not in line


def test_demo_is_run_on_data_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = []

    def seen(job: object, *, quiet: bool, verbose: bool, also: object) -> None:
        jobs.append(job)
        assert not quiet
        assert not verbose
        assert callable(also)

    monkeypatch.setattr("alsolike.cli.demo.run_and_print", seen)
    said = fine("demo", "--data", tmp_path / "data", "--out", tmp_path / "out").output
    [job] = jobs
    assert said == f"$ {job.command}\n\n"
    names = sorted(path.name for path in (tmp_path / "data").iterdir())
    assert names == ["items.csv", "likes.psv", "new-items.csv"]
    report = fine(*job.command.replace(" run ", " read ").split()[1:-2]).output
    assert " 2,000\nitems " in report


def test_demo_adds_items_that_nobody_likes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    def seen(job: object, *, quiet: bool, verbose: bool, also: Callable[[], Path]) -> None:
        folders.append(also())

    monkeypatch.setattr("alsolike.cli.demo.run_and_print", seen)
    said = fine("demo", "--data", tmp_path / "data", "--out", tmp_path / "out").output
    [folder] = folders
    assert said.endswith(f"Added 24 items.\nSaved {folder}\n")
    model = alsolike.load(folder)
    assert len(model.items) == 1524
    assert model.item_counts[model.items.index_of("n01")] == 0
    found = alsolike.items_for_features(model, ["tags: cat", "tags: teal"], k=3)
    kinds = dict(zip(model.items, model.catalogue.more["kind"], strict=True))
    assert {kinds[item] for item in found["item"].tolist()} == {"teal cat"}
    assert not fine("demo", "--data", tmp_path / "d", "--out", tmp_path / "out", "--quiet").output


def test_streams_that_cannot_be_told_how_to_fail_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(SystemExit):
        main(["--version"])


def test_what_is_offered_can_be_called_where_it_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # `make demo` runs .venv/bin/alsolike, to which no PATH leads.
    (tmp_path / "a b").mkdir()
    program = tmp_path / "a b" / "alsolike"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pipeline._program() == "'a b/alsolike'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert pipeline._program() == "alsolike"
