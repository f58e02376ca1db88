"""The verbs of similar items: the dial, baskets, reasons and stored settings, as they are typed."""

import json
from pathlib import Path

import pandas as pd
import pytest

import alsolike as al
from alsolike.testing import tiny_likes
from command import call, fine, refused

LIKES = tiny_likes(60, 40)
ALS = al.fit(LIKES, al.ALSConfig(factors=4))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    al.save(ALS, folder / "als")
    al.save(ALS, folder / "without", with_history=False)
    for family in ("item-knn", "ease"):
        al.save(al.fit(LIKES, family=family), folder / family)
    return folder


def test_the_dial_is_that_of_python(models: Path, tmp_path: Path) -> None:
    options = "--popularity-bias", ".3", "--affinity", "audience", "--k", 4
    said = fine("similar", models / "als", "a0", *options).stdout
    wanted = al.similar(ALS, "a0", k=4, popularity_bias=0.3, affinity="audience")
    assert said == f"{wanted}\n"
    to = tmp_path / "near.parquet"
    fine("similar", models / "als", "--all", "--prior-strength", 5, "--to", to)
    wanted = al.similar(ALS, prior_strength=5)
    assert pd.read_parquet(to)["similar_item"].tolist() == wanted["similar_item"].tolist()
    knn = fine("similar", models / "item-knn", "a0", "--popularity-bias", 0).stdout
    assert knn == f"{al.similar(al.load(models / 'item-knn'), 'a0', popularity_bias=0)}\n"


def test_several_items_have_a_list_each_or_one_together(models: Path, tmp_path: Path) -> None:
    apart = fine("similar", models / "als", "a0", "Item 6 ♪").stdout
    assert apart.count("Similar to Item") == 2
    words = "similar", models / "als", "a0", "Item 6 ♪", "--together", "--k", 3
    wanted = al.similar_to_set(ALS, ["a0", "Item 6 ♪"], k=3)
    heading, _, table = fine(*words).stdout.partition("\n")
    assert heading.startswith("Similar to Item 1 ♪ (a0), Item 6 ♪ (")
    assert table == f"{wanted}\n"
    fine(*words, "--to", tmp_path / "set.csv")
    assert list(pd.read_csv(tmp_path / "set.csv")) == ["rank", "similar_item", "name", "score"]
    one = fine("similar", models / "als", "a0", "--together").stdout
    assert f"{al.similar_to_set(ALS, ['a0'])}" in one


def test_wrong_words_are_refused_in_one_line(models: Path) -> None:
    def of(family: str, *words: object, status: int = 1) -> str:
        return refused("similar", models / family, "a0", *words, status=status)

    for bias, message in (
        ("auto", "a number from 0 to 1 expected, 'auto' given."),
        ("nan", "a number from 0 to 1 expected, 'nan' given."),
        ("1.2", "1.2 is not in the range 0<=x<=1."),
        ("-.1", "-0.1 is not in the range 0<=x<=1."),
    ):
        said = of("als", f"--popularity-bias={bias}", status=2)
        assert said == f"Error: Invalid value for '--popularity-bias': {message}"
    said = of("als", "--affinity", "evidense", status=2)
    assert said.endswith("expected, 'evidense' given. Did you mean 'evidence'?")
    assert of("als", "--affinity", "counts") == (
        "error: 'als' has the affinities evidence, audience, cosine, dot, not 'counts'."
    )
    for strength in (0, -1, "nan", "inf"):
        said = of("als", f"--prior-strength={strength}")
        assert "--prior-strength must be a finite number above 0" in said
    assert of("ease", "--popularity-bias", 0.3) == (
        "error: A model with a dial from specific to popular items is needed to choose between "
        "specific and popular items; 'ease' has none."
    )
    assert "to compare a set of items; 'ease' has none" in of("ease", "a3", "--together")
    assert "item 'a0' is given more than once" in of("als", "Item 6 ♪", "a0", "--together")
    assert "item 'nothing' is neither an id nor a name" in of("als", "nothing", "--together")
    said = refused("similar", models / "als", "--all", "--together", status=2)
    assert said == "Error: Give the ids of items for --together, not --all."


def test_few_likes_are_said_to_be_weak(models: Path, tmp_path: Path) -> None:
    likes = al.Interactions.from_columns(
        [*"stuvw", *"stuvwxyz", *"xyz", *"sxy"], [*"a" * 5, *"b" * 8, *"c" * 3, *"d" * 3]
    )
    al.save(al.fit(likes, factors=2), tmp_path / "model")
    assert fine("similar", tmp_path / "model", "b").stderr == ""
    said = fine("similar", tmp_path / "model", "c").stderr
    assert said == "Similar to 'c' (3 likes: weakly founded).\n"
    said = fine("similar", tmp_path / "model", "--all").stderr
    assert said == "Similar to 'a' (5 likes: weakly founded) and 2 others with few likes.\n"


def test_without_history_the_counts_are_said_to_be_of_the_strongest(models: Path) -> None:
    for words in (["a0"], ["--all"], ["a0", "Item 6 ♪", "--together"]):
        of_all, kept = (fine("similar", models / name, *words) for name in ("als", "without"))
        assert of_all.stdout == kept.stdout
        assert "counts of the 200 strongest neighbours" in kept.stderr
        assert "strongest" not in of_all.stderr
    plain = fine("similar", models / "without", "a0", "--affinity", "cosine")
    assert "strongest" not in plain.stderr


def test_why_is_a_sentence(models: Path) -> None:
    said = fine("why", models / "als", "a0", "Item 6 ♪").stdout
    assert said == f"{al.why_similar(ALS, 'a0', 'Item 6 ♪')}\n"
    assert "; the model expects" in said
    assert "the model expects" not in fine("why", models / "ease", "a0", "Item 6 ♪").stdout
    assert "saved without its history" in refused("why", models / "without", "a0", "Item 6 ♪")
    assert "Two different items expected" in refused("why", models / "als", "a0", "a0")
    assert "is neither an id nor a name" in refused("why", models / "als", "a0", "nothing")


def test_configure_says_what_was_and_is(tmp_path: Path) -> None:
    al.save(ALS, tmp_path / "model")
    said = fine("configure", tmp_path / "model", "--popularity-bias", ".3").stdout
    assert said.splitlines() == [
        "was: evidence, popularity bias 0.8, prior strength 30",
        "is:  evidence, popularity bias 0.3, prior strength 30",
    ]
    described = fine("describe", tmp_path / "model").stdout
    assert "similar items affinity           the default" in described
    assert "similar items popularity_bias    0.3" in described
    said = fine("configure", tmp_path / "model", "--affinity", "cosine").stdout
    assert said.splitlines()[1] == "is:  cosine, popularity bias 0.3"
    wanted = al.similar(ALS, "a0", affinity="cosine", popularity_bias=0.3)
    assert fine("similar", tmp_path / "model", "a0").stdout == f"{wanted}\n"


def test_configure_refuses_what_it_cannot_change(models: Path) -> None:
    assert refused("configure", models / "ease", "--popularity-bias", 0.3) == (
        "error: A model with a dial from specific to popular items is needed to change how items "
        "are compared; 'ease' has none."
    )
    assert refused("configure", models / "als") == (
        "error: Nothing to change is given. Give one of --affinity, --popularity-bias, "
        "--prior-strength."
    )
    said = fine("configure", models / "without", "--popularity-bias", 0.8)
    assert "counts of the 200 strongest neighbours" in said.stderr


def test_the_folder_of_a_run_asks_the_model_of_similar_items(tmp_path: Path) -> None:
    knn = al.fit(LIKES, family="item-knn")
    al.save(ALS, tmp_path / "out/model")
    assert fine("similar", tmp_path / "out", "a0").stdout == f"{al.similar(ALS, 'a0')}\n"
    al.save(knn, tmp_path / "out/similar")
    assert fine("similar", tmp_path / "out", "a0").stdout == f"{al.similar(knn, 'a0')}\n"
    user = LIKES.users.id_of(0)
    assert fine("recommend", tmp_path / "out", user).stdout == f"{al.recommend(ALS, user)}\n"
    fine("configure", tmp_path / "out", "--popularity-bias", 0.1)
    assert al.load(tmp_path / "out/similar").similarity_config.popularity_bias == 0.1
    assert al.load(tmp_path / "out/model").similarity_config.popularity_bias == 0.8
    fine("diff", tmp_path / "out", tmp_path / "out", "--to", tmp_path / "out/diff.csv")
    fine("gallery", tmp_path / "out", "a0", "--to", tmp_path / "out/gallery.html")


def test_a_gallery_has_the_marks_that_are_asked_for(models: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    fine("gallery", models / "als", "a0", "--to", page)
    assert "als-dial" not in page.read_text().partition("<body>")[2]
    fine("gallery", models / "als", "a0", "--to", page, "--marks", "0,1", "--popularity-bias", 0.5)
    for label in ("Specific (0)", "Chosen (0.5)", "Popular (1)"):
        assert f"<span>{label}</span>" in page.read_text()
    fine("gallery", models / "ease", "a0", "--to", page, "--marks", "0,1")
    assert "&#39;ease&#39; has no dial: there is one list for each item." in page.read_text()
    for marks in ("0;1", "2", "x", "nan", ""):
        assert call("gallery", models / "als", "a0", "--to", page, "--marks", marks).exit_code == 2
    said = refused("gallery", models / "als", "a0", "--to", page, "--marks", "0,.1,.2,.3,.4")
    assert "At most 5 marks expected" in said


def test_an_export_takes_the_dial(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = "export", models / "als", "--to", out, "--quiet", "--format", "jsonl"
    fine(*words, "--popularity-bias", 0.2, "--affinity", "audience", "--marks", "none")
    line = json.loads((out / "similar_items.jsonl").read_text().splitlines()[0])
    wanted = al.similar(ALS, line["item"], popularity_bias=0.2, affinity="audience")
    assert [one["item"] for one in line["similar_items"]] == wanted["similar_item"].tolist()
    said = refused("export", models / "ease", "--to", tmp_path / "e", "--popularity-bias", 0.2)
    assert "'ease' has none" in said
