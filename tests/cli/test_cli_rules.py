"""Rules on the command line: what is listed, and what is said of it."""

import json
from pathlib import Path

import pytest

from command import fine, refused

KINDS = ("shoes", "boots", "gift")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rules")
    rows = [
        f"u{user},i{item},A{item % 3},{KINDS[item % 3]}"
        for user in range(12)
        for item in range(12)
        if (user * 7 + item * 5) % 4
    ]
    (folder / "likes.csv").write_text("\n".join(["user,item,artist,kind", *rows]))
    fine(
        "fit", folder / "likes.csv", "--item-columns", "artist, kind", "--to", folder / "model",
        "--set", "factors=2", "--set", "iterations=2", "--quiet",
    )  # fmt: skip
    return folder / "model"


def items(output: str, column: int) -> list[str]:
    return [line.split("|")[column].strip() for line in output.splitlines()[3:-1]]


def test_recommend_and_similar_keep_the_rules(model: Path) -> None:
    found = fine("recommend", model, "u1", "--keep-seen", "--only", "kind=shoes|boots", "--k", 4)
    assert found.stderr == ""
    assert len(listed := items(found.stdout, 3)) == 4
    assert all(int(one[1:]) % 3 < 2 for one in listed)
    found = fine("similar", model, "i1", "--not", "kind=gift", "--at-most", "1:artist", "--k", 5)
    assert len(items(found.stdout, 3)) == 2
    expected = "'i1': 2 of 5 asked: only 2 items are allowed, at most 1 per artist."
    assert found.stderr.splitlines() == [expected]
    found = fine("similar", model, "i1", "i2", "--together", "--one-of", "artist", "--k", 2)
    assert found.stderr == "Similar to i1, i2\n" or "Similar to i1, i2" in found.stdout


def test_available_is_a_list_of_ids_or_a_column(model: Path) -> None:
    stock = model.parent / "stock.txt"
    stock.write_bytes(b"\xef\xbb\xbfi1\r\ni2\r\nnew\r\n")
    (model.parent / "stock.csv").write_text("sku;name\ni1;One\ni2;Two\nnew;Three\n")
    for given in (stock, f"{model.parent / 'stock.csv'}:sku"):
        found = fine("recommend", model, "u1", "--keep-seen", "--available", given, "--k", 3)
        assert sorted(items(found.stdout, 3)) == ["i1", "i2"]
        assert "no items of this model: 1, such as 'new'." in found.stderr
        assert "'u1': 2 of 3 asked: only 2 items are allowed." in found.stderr
    found = fine("recommend", model, "u1", "u2", "--keep-seen", "--available", stock, "--k", 3)
    assert "2 users have fewer than 3 items; the first is 'u1': 2 of 3" in found.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "knd=shoes"], "--only asks for the column 'knd'"),
        (["--not", "kind=shoe"], "--not asks for 'shoe'"),
        (["--not", "kind"], "--not takes COLUMN=VALUE"),
        (["--at-most", "artist"], "--at-most takes NUMBER:COLUMN"),
        (["--one-of", "artst"], "--one-of asks for the column 'artst'"),
        (["--available", "nowhere.txt"], "nowhere.txt: a file with the id of an item"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_options(
    model: Path, words: list[str], said: str
) -> None:
    assert said in refused("recommend", model, "u1", *words)


def test_export_keeps_the_rules_at_every_mark_and_for_users(model: Path, tmp_path: Path) -> None:
    words = (
        "--users",
        "--keep-seen",
        "--k",
        4,
        "--only",
        "kind=shoes|boots",
        "--at-most",
        "1:artist",
    )
    done = fine("export", model, "--to", tmp_path / "out", *words)
    assert "12 users have fewer than 4 items; the first is 'u0': 2 of 4 asked" in done.output
    lines = (tmp_path / "out" / "similar_items.jsonl").read_text().splitlines()
    for line in [json.loads(one) for one in lines]:
        artists = [int(one["item"][1:]) % 3 for one in line["similar_items"]]
        assert len(set(artists)) == len(artists)
        assert set(artists) <= {0, 1}
    stated = json.loads((tmp_path / "out" / "alsolike-export.json").read_text())
    assert stated["rules"] == "only kind=shoes|boots; at most 1 per artist"
    assert "Rules on lists: only kind=" in (tmp_path / "out" / "html" / "index.html").read_text()
