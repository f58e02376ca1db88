"""The verb `recommend` for people who are not in a model, as it is typed."""

from pathlib import Path

import pandas as pd
import pytest

import alsolike as al
from command import call, fine, refused

PAIRS = [(user, 100 + (user * 7 + step * 3) % 25) for user in range(30) for step in range(8)]
MODEL = al.fit(al.Interactions.from_columns(*zip(*PAIRS, strict=True)), family="item-knn")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "model"
    al.save(MODEL, folder)
    return folder


def test_a_table_of_new_people(model: Path, tmp_path: Path) -> None:
    likes, to = tmp_path / "new.csv", tmp_path / "lists.parquet"
    likes.write_text("who;what\nann;101\nann;102\n7;103\n7;999\n")
    columns = "--user", "who", "--item", "what", "--delimiter", ";"
    said = fine("recommend", model, "--likes", likes, *columns, "--k", 3, "--to", to).stderr
    assert "In the model, too: 1 user of" in said
    assert "warning: 1 like of items that the model does not know left out" in said
    found = pd.read_parquet(to)
    new = al.Interactions.from_columns(["ann", "ann", "7"], ["101", "102", "103"])
    assert found["item"].tolist() == al.recommend_to_new(MODEL, new, k=3)["item"].tolist()
    assert found["item"].dtype == "int64"
    assert found["user"].tolist() == ["7"] * 3 + ["ann"] * 3  # as the table has them


def test_one_person_by_what_is_liked(model: Path) -> None:
    said = fine("recommend", model, "--like", "101", "--like", 102, "--k", 3).stdout
    assert said == f"{al.recommend_for_likes(MODEL, {101: 1, 102: 1}, k=3)}\n"
    assert "ids of items are whole numbers; '10x'" in refused("recommend", model, "--like", "10x")


def test_a_fallback_for_users_who_are_not_in_the_model(model: Path) -> None:
    found = fine("recommend", model, 5, 777, "--k", 2, "--fallback", "popular")
    assert found.stdout == f"{al.recommend(MODEL, [5, 777], k=2, fallback='popular')}\n"
    assert "Not in the model: 777; the most liked items (fallback popular)." in found.stderr
    none = fine("recommend", model, 777, 778, "--fallback", "none")
    assert none.stderr.splitlines() == ["Not in the model: 777 and 1 more; no list."]
    assert "user 777 is not among the 30 users" in refused("recommend", model, 777)
    assert "ids of users are whole numbers; 'u7'" in refused(
        "recommend", model, "u7", "--fallback", "popular"
    )


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((), "Give the ids of users, or --all, or --likes FILE, or --like ITEM"),
        ((5, "--like", 101), "one of them"),
        ((5, "--delimiter", ";"), "--delimiter needs --likes"),
        ((5, "--no-header"), "--header needs --likes"),
        (("--all", "--fallback", "none"), "--fallback is for USERS"),
        (("--like", 101, "--keep-seen"), "--keep-seen is not for --like"),
    ],
)
def test_what_does_not_go_together(model: Path, words: tuple[object, ...], match: str) -> None:
    assert match in refused("recommend", model, *words, status=2)
    assert call("recommend", "--help").exit_code == 0
