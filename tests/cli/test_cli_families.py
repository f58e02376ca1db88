"""The verbs on models of every family: fitted, asked, handed on, or refused in a sentence."""

import csv
from pathlib import Path

import numpy as np
import pytest

import alsolike as al
from alsolike.models.registry import family_named, names
from command import call, fine, refused

SETTINGS = {
    "als": ["factors=4", "iterations=3"],
    "item-knn": ["neighbours=8", "weighting=bm25", "b=0.1"],
    "ease": ["regularization=20"],
    "sparse-linear": ["neighbours=8", "regularization=20"],
    "feature-als": ["factors=4", "iterations=3"],
    "explicit-als": ["factors=4", "iterations=3", "biases=False"],
    "lmf": ["factors=3", "iterations=2"],
    "bpr": ["factors=4", "iterations=3"],
    "warp": ["factors=4", "iterations=3"],
    "popularity": [],
    "random": ["seed=5"],
    "blend": ["weights=[0.25, 0.75]"],
}
CANNOT = {("explain", "popularity"), ("explain", "random"), ("explain", "lmf")}


@pytest.fixture(scope="module")
def likes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table of two tastes: even users like even items."""
    folder, rng = tmp_path_factory.mktemp("families"), np.random.default_rng(1)
    for name, users in (("likes", range(30)), ("held_out", range(30)), ("newer", range(28, 34))):
        lines = ["user,item,name"]
        for user in users:
            for place in rng.choice(12, size=7 if name == "likes" else 3, replace=False):
                lines.append(f"u{user},i{2 * place + user % 2},Item {2 * place + user % 2}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder / "likes.csv"


@pytest.fixture(scope="module", params=list(SETTINGS))
def fitted(request: pytest.FixtureRequest, likes: Path) -> tuple[str, Path]:
    family, to = request.param, likes.parent / request.param
    words = [word for one in SETTINGS[family] for word in ("--set", one)]
    said = fine("fit", likes, "--item-name", "name", "--to", to, "--family", family, *words).output
    assert f"Saved in {to}" in said
    assert ("loss" in said) == (family in ("als", "feature-als", "explicit-als"))
    return family, to


def test_every_family_is_here() -> None:
    fitted = [name for name in names() if not family_named(name).needs_features]
    assert set(SETTINGS) == set(fitted)


def test_what_was_fitted_is_of_the_family_and_its_settings(fitted: tuple[str, Path]) -> None:
    family, folder = fitted
    settings = al.load(folder).settings
    assert settings.get("model", "als") == family
    for one in SETTINGS[family]:
        name, _, value = one.partition("=")
        assert str(settings[name]).removesuffix(".0") == value
    assert family in fine("describe", folder).output


def test_similar_items(fitted: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = fitted
    assert "Item" in fine("similar", folder, "i0", "--k", 3).output
    fine("similar", folder, "--all", "--k", 3, "--to", tmp_path / "all.csv")
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert {row["item"] for row in rows} == set(al.load(folder).items)
    table = al.similar(al.load(folder), k=3)
    assert [row["similar_item"] for row in rows] == table["similar_item"].tolist()


def test_recommendations(fitted: tuple[str, Path]) -> None:
    family, folder = fitted
    said = fine("recommend", folder, "u0", "u1", "--k", 2, "--verbose").output
    assert ("popularity" in said) == (family == "popularity")
    assert "i3" in fine("recommend", folder, "u0", "--allow", "i3", "--keep-seen").output


def test_similar_users_and_scores(fitted: tuple[str, Path], tmp_path: Path) -> None:
    family, folder = fitted
    if family in ("als", "feature-als", "explicit-als", "lmf", "bpr", "warp", "blend"):
        table = al.similar_users(al.load(folder), ["u0", "u1"], k=2)
        fine("similar-users", folder, "u0", "u1", "--k", 2, "--to", tmp_path / "near.csv")
        rows = list(csv.DictReader((tmp_path / "near.csv").read_text().splitlines()))
        assert [row["similar_user"] for row in rows] == table["similar_user"].tolist()
        assert table["similar_user"].tolist()[0] in fine("similar-users", folder, "u0").output
        fine("similar-users", folder, "--all", "--k", 1)
        assert "among the 30 users" in refused("similar-users", folder, "nobody")
    else:
        assert f"A model with factors is needed to compare users; {family!r} has none." in refused(
            "similar-users", folder, "u0"
        )
    model = al.load(folder)
    fine("scores", folder, "u0", "i0", "Item 3", "i0", "--to", tmp_path / "scores.csv")
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["item"] for row in rows] == ["i0", "i3", "i0"]
    expected = model.scores(np.array([model.users.index_of("u0")]), slice(None))[0]
    for row in rows:
        score = expected[model.items.index_of(row["item"])]
        assert float(row["score"]) == pytest.approx(score, rel=1e-5)
    assert "i3" in fine("scores", folder, "u0", "i3").output


def test_explanations(fitted: tuple[str, Path]) -> None:
    family, folder = fitted
    if ("explain", family) in CANNOT:
        assert f"single likes is needed to explain a score; {family!r}" in refused(
            "explain", folder, "u0", "i4"
        )
    else:
        assert "i4" in fine("explain", folder, "u0", "i4", "--verbose").output


def test_evaluation_metric_definitions_and_gallery(
    fitted: tuple[str, Path], tmp_path: Path
) -> None:
    _, folder = fitted
    held_out = folder.parent / "held_out.csv"
    for verb in ("evaluate", "metric-definitions"):
        assert "ndcg" in fine(verb, folder, held_out, "--k", 3, "--keep-seen").output.lower()
    fine("gallery", folder, "i0", "i1", "--to", tmp_path / "page.html")
    assert "Item 0" in (tmp_path / "page.html").read_text()


def test_export_and_diff(fitted: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = fitted
    fine("export", folder, "--to", tmp_path / "files", "--users", "--k", 3, "--quiet")
    assert (tmp_path / "files").is_dir()
    said = fine("diff", folder, folder, "--fail-over", 0).output
    assert "within the limit" in said
    assert call("diff", folder.parent / "als", folder).exit_code == 0


def test_newer_likes_are_added(fitted: tuple[str, Path], tmp_path: Path) -> None:
    family, folder = fitted
    newer = folder.parent / "newer.csv"
    said = fine("fit", newer, "--from", folder, "--add", "--to", tmp_path / "more").output
    assert (f"{family} is trained again from scratch, with the settings of {folder}" in said) == (
        family not in ("als", "feature-als", "explicit-als", "bpr", "warp")
    )
    old, more = al.load(folder), al.load(tmp_path / "more")
    assert more.name == family
    assert dict(more.settings) == dict(old.settings)
    assert set(more.users) == set(old.users) | {"u30", "u31", "u32", "u33"}
    again = 1 if family == "lmf" else 2  # whose sweeps begin anew
    assert more.sweeps == again * old.sweeps


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--family", "item-kn"],
            "Unknown model 'item-kn'; known are als, item-knn, ease, sparse-linear, feature-als,",
        ),
        (["--family", "factors"], "Models of the family 'factors' are made by other programs"),
        (
            ["--family", "item-knn", "--set", "factors=3"],
            "'factors'. It is a setting of als, feature-als, explicit-als, lmf, bpr and warp. S",
        ),
        (["--family", "item-knn", "--set", "neighbors=3"], "Did you mean neighbours?"),
        (["--family", "item-knn", "--set", "neighbours=many"], "neighbours must be a whole number"),
        (
            ["--family", "item-knn", "--set", "neighbours=[3]"],
            "number of at least 1, not [3]",
        ),
        (["--family", "item-knn", "--set", "weighting=tfidf"], "must be one of cosine, bm25"),
        (["--family", "ease", "--set", "regularization=none"], "finite number above 0, not None"),
        (["--family", "ease", "--set", "regularization=[3"], "regularization=[3: a TOML value exp"),
        (["--set", "family=ease"], "has no setting 'family'. Settings of als are"),
        (["--set", "config=3"], "has no setting 'config'."),
        (["--set", "engine=3"], "has no setting 'engine'. Settings of als are"),
        (["--family", "ease", "--from", "als"], "settings are of als, but family is 'ea"),
    ],
)
def test_what_does_not_fit_is_one_line(
    likes: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    if "--from" in words:
        fine("fit", likes, "--to", tmp_path / "als", "--set", "factors=2", "--quiet")
        words = [*words[:-1], str(tmp_path / "als")]
    assert message in refused("fit", likes, "--to", tmp_path / "m", *words)
    assert not (tmp_path / "m").exists()


def test_factors_made_elsewhere_are_asked_but_not_trained(likes: Path, tmp_path: Path) -> None:
    model = al.fit(al.read(likes, user="user", item="item")[0], factors=3, iterations=2)
    parts = ("users", "items", "user_factors", "item_factors", "item_counts", "history")
    al.save(al.FactorModel(**{part: getattr(model, part) for part in parts}), tmp_path / "made")
    fine("similar", tmp_path / "made", "i0")
    fine("recommend", tmp_path / "made", "u0")
    assert "was made by another program; its training cannot be continued" in refused(
        "fit", likes, "--from", tmp_path / "made", "--to", tmp_path / "more"
    )
    assert "A model that scores by single likes is needed" in refused(
        "explain", tmp_path / "made", "u0", "i4"
    )
