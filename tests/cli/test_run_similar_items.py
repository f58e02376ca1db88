"""The options of similar items of ``alsolike run``, typed or in a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import alsolike
from alsolike.cli.group import main
from alsolike.testing import tiny_likes


@pytest.fixture(scope="module")
def likes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("likes") / "likes.csv"
    table = tiny_likes(60, 30)
    users, items = table.user_items.nonzero()
    rows = zip(table.users.ids_of(np.asarray(users)), table.items.ids_of(np.asarray(items)),
               strict=True)  # fmt: skip
    path.write_text("user,item\n" + "\n".join(f"{user},{item}" for user, item in rows) + "\n")
    return path


def run(likes: Path, out: Path, *words: str) -> Any:
    usual = ["run", str(likes), "--out", str(out), "--families", "item-knn", "--held-out", "2"]
    return CliRunner().invoke(main, [*usual, "--min-per-item", "2", *words])


def test_options_are_typed_or_stand_in_a_file(likes: Path, tmp_path: Path) -> None:
    typed = run(likes, tmp_path / "a", "--popularity-bias", "0.3", "--one-model")
    assert typed.exit_code == 0, typed.output
    (tmp_path / "how.toml").write_text("popularity_bias = 0.3\none_model = true\n")
    filed = run(likes, tmp_path / "b", "--space", str(tmp_path / "how.toml"))
    assert filed.exit_code == 0, filed.output
    for name in "ab":
        model = alsolike.load(tmp_path / name / "model")
        assert model.similarity_config.popularity_bias == 0.3
    one, two = ((tmp_path / name / "similar_items.parquet").read_bytes() for name in "ab")
    assert one == two
    both = run(likes, tmp_path / "c", "--space", str(tmp_path / "how.toml"), "--one-model")
    assert both.exit_code != 0
    assert "--one-model is set in" in both.output


def test_similar_items_are_printed_first(likes: Path, tmp_path: Path) -> None:
    found = run(likes, tmp_path / "a", "--popularity-bias", "auto")
    assert found.exit_code == 0, found.output
    lists = found.output.index("Lists: ")
    assert found.output.index("Similar items by item-knn") < lists
    assert 0 < found.output.index("popularity: precision@10") < lists
    assert "test users whom training never saw" in found.output


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (("--popularity-bias", "2"), "or 'auto', not 2.0"),
        (("--popularity-bias", "more"), "or 'auto', not 'more'"),
        (("--agree", "tags.csv:item"), "FILE:ITEM,FEATURE"),
        (("--agree", "nowhere.csv:item,tag"), "no such file"),
        (("--agree", "genre"), "no column 'genre'"),
    ],
    ids=str,
)
def test_wrong_values_end_in_one_line(
    likes: Path, tmp_path: Path, words: tuple[str, ...], match: str
) -> None:
    found = run(likes, tmp_path / "a", *words)
    assert found.exit_code != 0
    assert match in found.output
    assert "Traceback" not in found.output


def test_a_search_alone_has_none_of_them(likes: Path, tmp_path: Path) -> None:
    words = ["search", str(likes), "--out", str(tmp_path / "a"), "--one-model"]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 2
    assert "No such option" in found.output
