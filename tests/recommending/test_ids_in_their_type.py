"""Whole numbers go in and come out as whole numbers, text as text, in all that a model answers."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.errors import DataError, SettingError, Unable, UnknownId
from alsolike.models.bundle.io import describe
from alsolike.recommending.model_diff import diff
from alsolike.recommending.single import recommend_one, similar_to
from alsolike.sklearn import ALSRecommender
from command import fine

RNG = np.random.default_rng(0)
ROWS = [(u, 100 + i) for u in range(30) for i in RNG.choice(25, 8, replace=False).tolist()]
FRAME = pd.DataFrame(ROWS, columns=["user", "item"])
COLUMNS = {"user": "user", "item": "item"}
LIKES, _ = al.read(FRAME, **COLUMNS)
MODEL = al.fit(LIKES, al.ALSConfig(factors=4, iterations=3))
TEXTS, _ = al.read(FRAME.astype(str), **COLUMNS)


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow", "parquet", "jsonl", "floats"])
def test_every_source_of_whole_numbers_gives_the_same(kind: str, tmp_path: Path) -> None:
    source = {
        "pandas": lambda: FRAME.astype({"user": "int16", "item": "UInt64"}),
        "polars": lambda: pl.DataFrame(FRAME),
        "arrow": lambda: pa.table(FRAME),
        "parquet": lambda: FRAME.to_parquet(tmp_path / "l.parquet"),
        "jsonl": lambda: FRAME.to_json(tmp_path / "l.jsonl", orient="records", lines=True),
        "floats": lambda: FRAME.astype(float),
    }[kind]()
    found, _ = al.read(tmp_path / f"l.{kind}" if source is None else source, **COLUMNS)
    assert (found.users.id_type, found.items.id_type) == ("int64", "int64")
    assert found.fingerprint == LIKES.fingerprint == TEXTS.fingerprint  # bytes are of the digits
    assert TEXTS.users.id_type == "text"


def test_row_numbers_of_matrices_are_whole_numbers() -> None:
    for found in (al.read(sp.csr_array(np.eye(11)))[0], al.Interactions.from_matrix(np.eye(11))):
        assert list(found.users)[:3] == [0, 1, 10]
        assert found.items.index_of(10) == 2
    fitted = ALSRecommender(factors=2, iterations=2).fit(sp.csr_array(LIKES.user_items))
    assert fitted.recommend(sp.csr_array(LIKES.user_items), k=1)["user"].tolist() == list(range(30))


def test_numbers_that_fit_no_type_stay_text_and_the_report_says_so(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_text('{"user": 18446744073709551615, "item": 99999999999999999999}\n')
    found, report = al.read(path, **COLUMNS)
    assert list(found.users) == [2**64 - 1]
    assert found.users.ids_of([0]).dtype == np.uint64
    assert list(found.items) == ["99999999999999999999"]
    assert "item ids are whole numbers that no type of 64 bits holds" in report.warnings[0]


def test_results_join_with_the_table_that_was_read(tmp_path: Path) -> None:
    near = al.similar(MODEL, [101, "102"], k=3)
    assert near["item"].tolist() == [101] * 3 + [102] * 3
    lists = al.recommend(MODEL, k=2)
    for table, columns in ((near, ("item", "similar_item")), (lists, ("user", "item"))):
        frames = table.to_pandas(), table.to_polars().to_pandas(), table.to_arrow().to_pandas()
        assert all(str(frame[one].dtype) == "int64" for frame in frames for one in columns)
    assert len(lists.to_pandas().merge(FRAME, on="user")) == 2 * len(FRAME)
    for one, many in (
        (recommend_one(MODEL, 5), al.recommend(MODEL, 5)),
        (similar_to(MODEL, 101), al.similar(MODEL, 101)),
        (al.similar_to_set(MODEL, np.array([101, 102])), al.similar_to_set(MODEL, ["101", 102])),
    ):
        assert [c.dtype for c in one.to_dict().values()] == [
            c.dtype for c in many.to_dict().values()
        ]
        assert list(one.rows()) == list(many.rows())
    text = al.fit(TEXTS, al.ALSConfig(factors=4, iterations=3))
    assert al.similar(text, "101", k=3)["score"].tolist() == near["score"].tolist()[:3]
    item = lists["item"].tolist()[0]
    assert al.explain(MODEL, 0, item).parts["item"].dtype == np.int64
    assert (al.explain(MODEL, "0", str(item)).user, al.explain(MODEL, 0, item).item) == (0, item)
    assert al.why_similar(MODEL, 101, "102").other == 102
    assert al.scores(MODEL, [5], [101])["item"].dtype == np.int64
    assert al.similar_users(MODEL, [5], k=2)["similar_user"].dtype == np.int64
    assert diff(MODEL, al.fit(LIKES, family="item-knn"), k=3).items["item"].dtype == np.int64
    measured = al.evaluate(MODEL, LIKES, exclude=None)
    assert measured.per_user["user"].dtype == np.int64


def test_a_bundle_keeps_the_type_and_one_of_text_keeps_its_format(tmp_path: Path) -> None:
    al.save(MODEL, tmp_path / "model")
    loaded = al.load(tmp_path / "model")
    assert (loaded.users.id_type, loaded.items.id_type) == ("int64", "int64")
    assert loaded.history is not None
    assert loaded.history.items.id_type == "int64"
    stated = describe(tmp_path / "model")
    assert (stated.format_version, stated.id_types) == (4, {"users": "int64", "items": "int64"})
    al.save(al.fit(TEXTS, family="item-knn"), tmp_path / "text")
    assert describe(tmp_path / "text").format_version == 3
    assert b"id_types" not in (tmp_path / "text" / "manifest.json").read_bytes()


@pytest.mark.parametrize("odd", ["154x", "0101", " 101", "101.0"])
def test_what_is_no_whole_number_is_one_clear_error(odd: str) -> None:
    for call in (
        lambda: al.similar(MODEL, [odd]),
        lambda: al.recommend(MODEL, 1, deny=[odd]),
        lambda: al.recommend_for_likes(MODEL, {odd: 1}),
    ):
        with pytest.raises(
            UnknownId, match=rf"^ids of items are whole numbers; '{odd}' is not one"
        ):
            call()
    with pytest.raises(UnknownId, match="ids of users are whole numbers"):
        al.recommend(MODEL, [odd], fallback="popular")
    for wrong in (101.0, True, b"101"):
        with pytest.raises(SettingError, match="ids of items are whole numbers"):
            al.similar(MODEL, [wrong])  # type: ignore[list-item]
    with pytest.raises(UnknownId, match=r"^item 999 is not among the 25 items here"):
        al.similar(MODEL, 999)


def test_a_number_is_never_a_name() -> None:
    named = FRAME.assign(name=FRAME["item"].replace({101: "999", 102: "103"}).astype(str))
    model = al.fit(al.read(named, item_name="name", **COLUMNS)[0], family="item-knn")
    assert al.similar(model, "999", k=1)["item"].tolist() == [101]
    assert al.similar(model, "103", k=1)["item"].tolist() == [103]  # an id before a name
    with pytest.raises(UnknownId, match="item 999 is not among"):
        al.similar(model, 999)


def test_tables_of_both_types_come_together_in_the_type_of_the_first() -> None:
    newer = al.Interactions.from_columns(["5", "900"], ["101", "102"])
    whole = al.joined(LIKES, newer)
    assert (whole.users.id_type, whole.n_users, whole.n_items) == ("int64", 31, 25)
    text = al.joined(TEXTS, al.Interactions.from_columns([5, 900], [101, 102]))
    assert (text.users.id_type, text.n_users) == ("text", 31)
    assert text.fingerprint == whole.fingerprint
    with pytest.raises(DataError, match="ids of items are whole numbers; 'x' is not one"):
        al.joined(LIKES, al.Interactions.from_columns(["5"], ["x"]))


def test_exported_files_have_the_type(tmp_path: Path) -> None:
    al.save(MODEL, tmp_path / "model")
    fine("export", tmp_path / "model", "--to", tmp_path / "out", "--k", 2, "--users", "--quiet")
    out = tmp_path / "out"
    found = pd.read_parquet(next(out.glob("similar*.parquet")))
    assert (found["item"].dtype, found["similar_item"].dtype) == (np.int64, np.int64)
    line = json.loads(next(out.glob("similar*.jsonl")).read_text().splitlines()[0])
    assert (line["item"], type(line["similar_items"][0]["item"])) == (100, int)
    with sqlite3.connect(next(out.glob("*.sqlite"))) as database:
        assert database.execute("SELECT DISTINCT typeof(item) FROM items").fetchall() == [
            ("integer",)
        ]
    assert json.loads(next(out.rglob("id-101.json")).read_text())["item"] == 101


# People who are not in the model.


def test_unknown_users_get_what_was_asked_for() -> None:
    for error in ({}, {"fallback": "error"}):
        with pytest.raises(UnknownId, match="user 777 is not among"):
            al.recommend(MODEL, [777], **error)
    with pytest.raises(SettingError, match="fallback"):
        al.recommend(MODEL, [777], fallback="popularity")  # type: ignore[arg-type]
    found = al.recommend(MODEL, [777, 5, "888"], k=3, fallback="popular", deny=[101])
    own = al.recommend(MODEL, 5, k=3, deny=[101])
    assert found["user"].tolist() == [777] * 3 + [5] * 3 + [888] * 3
    assert found["user"].dtype == np.int64
    assert found["fallback"].tolist() == ["popular"] * 3 + [None] * 3 + ["popular"] * 3
    assert found["item"].tolist()[3:6] == own["item"].tolist()
    assert found["score"].tolist()[3:6] == own["score"].tolist()
    assert set(found["basis"].tolist()[:3]) == {"popularity"}
    counts = dict(zip(MODEL.items, MODEL.item_counts.tolist(), strict=True))
    order = sorted((one for one in counts if one != 101), key=lambda one: (-counts[one], str(one)))
    assert found["item"].tolist()[:3] == found["item"].tolist()[6:] == order[:3]
    assert found["score"].tolist()[:3] == [counts[one] for one in order[:3]]
    assert (
        al.recommend(MODEL, [777, 5], k=3, fallback="none", deny=[101])["user"].tolist() == [5] * 3
    )
    assert not len(al.recommend(MODEL, [777], fallback="none"))


def test_popular_items_need_no_history(tmp_path: Path) -> None:
    al.save(MODEL, tmp_path / "model", with_history=False)
    loaded = al.load(tmp_path / "model")
    found = al.recommend(loaded, [777], k=4, fallback="popular", exclude_seen=False)
    assert (
        found["item"].tolist()
        == al.recommend(MODEL, [777], k=4, fallback="popular")["item"].tolist()
    )


@pytest.mark.parametrize("family", ["als", "item-knn", "ease", "sparse-linear", "popularity"])
def test_new_people_are_folded_in_as_one_by_one(family: str) -> None:
    model = al.fit(LIKES, family=family)
    new = al.Interactions.from_columns(["a", "a", "b"], [101, 102, 103], [1, 2, 1])
    found = al.recommend_to_new(model, new, k=3)
    assert found["user"].tolist() == ["a"] * 3 + ["b"] * 3
    rows = list(found.rows())
    for user, likes in (("a", {101: 1, 102: 2}), ("b", {103: 1})):
        alone = al.recommend_for_likes(model, likes, k=3)
        assert [{k: v for k, v in r.items() if k != "user"} for r in rows if r["user"] == user] == (
            list(alone.rows())
        )
        assert not set(alone["item"].tolist()) & set(likes)
    kept = al.recommend_to_new(model, new, k=25, exclude_seen=False)
    assert {101, 102} <= set(kept["item"].tolist()[:25])


def test_likes_of_unknown_items_are_counted_and_others_say_what_they_cannot() -> None:
    new = al.Interactions.from_columns(["a", "a", "b"], [101, 999, 999])
    with pytest.warns(UserWarning, match="2 likes of items that the model does not know left out"):
        found = al.recommend_to_new(MODEL, new, k=1)
    assert found["basis"].tolist() == ["model", "popularity"]
    with pytest.raises(DataError, match="likes: Interactions expected"):
        al.recommend_to_new(MODEL, FRAME)  # type: ignore[arg-type]
    factors = MODEL.user_factors, MODEL.item_factors, MODEL.item_counts
    with pytest.raises(Unable, match="that folds in users is needed to recommend for likes"):
        al.recommend_to_new(al.FactorModel(MODEL.users, MODEL.items, *factors), new)
