"""Exported factors: their products, read back by DuckDB, are the scores of the lists."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import alsolike as al
from alsolike.errors import FitError, Unable, WritingError
from alsolike.models.blend.config import BlendConfig
from alsolike.testing import tiny_likes, tiny_model
from command import fine, refused

LIKES = tiny_likes()
ALS = al.ALSConfig(factors=5, iterations=3)


@pytest.fixture(scope="module")
def model() -> al.FactorModel:
    return al.fit(LIKES, ALS)


def query_of(readme: Path, user: str) -> list[tuple[str, float]]:
    """Run the query that the README shows, for one user, in the folder of the files."""
    sql = readme.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    for name in ("user", "item"):
        file = readme.with_name(f"{name}_factors.parquet")
        sql = sql.replace(f"'{file.name}'", f"'{file}'")
    return duckdb.execute(sql.replace("the id of a user", user)).fetchall()


def test_products_read_back_are_the_scores_of_recommend(
    model: al.FactorModel, tmp_path: Path
) -> None:
    done = al.export_factors(model, tmp_path / "out")
    assert str(done).startswith("5 factors of 30 users and 40 items in ")
    for user in ("user 0", "user 7"):
        wanted = al.recommend(model, [user], k=10, exclude_seen=False)
        found = query_of(tmp_path / "out" / "readme.md", user)
        assert [item for item, _ in found] == wanted["item"].tolist()
        np.testing.assert_allclose([score for _, score in found], wanted["score"], rtol=1e-5)


def test_files_hold_ids_names_and_all_digits(model: al.FactorModel, tmp_path: Path) -> None:
    al.export_factors(model, tmp_path / "out")
    for name, ids, factors in (
        ("user", model.users, model.user_factors),
        ("item", model.items, model.item_factors),
    ):
        rows = duckdb.execute(f"FROM '{tmp_path}/out/{name}_factors.parquet'").fetchall()
        assert [row[0] for row in rows] == list(ids)
        assert np.array_equal(np.array([row[-1] for row in rows], dtype=np.float32), factors)
    assert model.catalogue is not None
    assert [row[1] for row in rows] == list(model.catalogue.names or ())
    stated = json.loads((tmp_path / "out" / "alsolike-export.json").read_text())
    assert (stated["kind"], stated["factors"], stated["users"]) == ("factors", 5, 30)


def test_the_readme_says_what_similar_items_are(model: al.FactorModel, tmp_path: Path) -> None:
    al.export_factors(model, tmp_path / "out")
    said = " ".join((tmp_path / "out" / "readme.md").read_text().split())
    assert "`alsolike similar --affinity cosine --popularity-bias 0`" in said
    assert "another one: evidence, popularity bias 0.8, prior strength 30." in said
    row = model.items.index_of("a0")
    table = al.similar(model, ["a0"], k=3, affinity="cosine", popularity_bias=0)
    others = [model.items.index_of(item) for item in table["similar_item"]]
    cosines = (model.item_factors[others] @ model.item_factors[row]) / (
        model.item_norms[others] * model.item_norms[row]
    )
    np.testing.assert_allclose(table["score"], cosines, rtol=1e-5)


def test_a_blend_gives_the_factors_of_its_member_and_says_so(tmp_path: Path) -> None:
    blend = al.fit(LIKES, BlendConfig(members=(al.ItemKNNConfig(), ALS), weights=(1, 1)))
    done = al.export_factors(blend, tmp_path / "out")
    (note,) = done.notes
    assert note.startswith("The factors are those of the member 'als' of 'blend'")
    assert note in " ".join((tmp_path / "out" / "readme.md").read_text("utf-8").split())


def test_a_model_without_factors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unable, match="needed to export factors; 'item-knn' has none"):
        al.export_factors(al.fit(LIKES, al.ItemKNNConfig()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_factors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tiny = tiny_model()
    broken = tiny.user_factors.copy()
    broken[1, 0] = np.nan
    with pytest.raises(FitError, match="user 'user 1'"):
        al.export_factors(replace(tiny, user_factors=broken), tmp_path / "out")


def test_the_same_model_leaves_all_files_unchanged(model: al.FactorModel, tmp_path: Path) -> None:
    al.save(model, tmp_path / "model")
    first = al.export_factors(tmp_path / "model", tmp_path / "out")
    again = al.export_factors(tmp_path / "model", tmp_path / "out")
    assert (first.files.written, again.files.written, again.files.unchanged) == (3, 0, 3)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_folder_with_other_files_is_refused(make: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out" / "mine")
    with pytest.raises(WritingError, match="mine"):
        al.export_factors(tiny_model(), tmp_path / "out")


def test_the_command_line_writes_lists_factors_or_both(
    model: al.FactorModel, tmp_path: Path
) -> None:
    al.save(model, tmp_path / "model")
    only = fine("export", tmp_path / "model", "--factors", tmp_path / "factors")
    assert "5 factors of 30 users" in only.output
    lists = ("--to", tmp_path / "lists", "--format", "json")
    both = fine("export", tmp_path / "model", "--factors", tmp_path / "factors", *lists)
    assert "40 lists of model" in both.output
    assert "0 files written, 3 unchanged" in both.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Give --to FOLDER for lists, --factors FOLDER, or both."),
        (("--factors", "f", "--users"), "--users is for lists, which need --to FOLDER."),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    assert said in refused("export", tmp_path / "model", *options, status=2)


def test_lists_and_factors_need_two_folders(tmp_path: Path) -> None:
    words = ("export", tmp_path / "model", "--to", tmp_path / "out", "--factors", tmp_path / "out")
    assert "two outputs of this command cannot have one place" in refused(*words)
