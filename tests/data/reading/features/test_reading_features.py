"""Features of files, frames and objects: kinds, guesses, reports, and one clear error each."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

import alsolike as al
from alsolike.data.features.attributed import AttributedFeatures
from alsolike.errors import DataError, SettingError

LIKES = "user,item\nann,1\nann,2\nbob,2\nbob,3\ncat,3\n"
ITEMS = """item,title,kind,tags,price,released
1,One red castle,shoe,a|b,3,2026-01-31
2,Two red boats,boot,b|c,,2025-01-31
3,Three blue boats,shoe,a|b|c,5,2024-01-31
9,Nine,boot,c,7,2023-01-31
"""
TAGS = "item,tag,weight\n1,rock,2\n1,folk,1\n3,rock,0\n3,rock,4\n,rock,1\n9,polka,1\n"
USERS = "user,country,age\nann,ch,20\nbob,de,30\ncat,ch,40\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("likes", LIKES), ("items", ITEMS), ("tags", TAGS), ("users", USERS)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


def read(folder: Path, **how):
    return al.read(folder / "likes.csv", user="user", item="item", feature_min=1, **how)


def dense(features, block=0):
    return features.matrix[:, features.columns_of(block)].toarray().tolist()


def test_columns_of_the_item_table_by_their_kinds(folder: Path) -> None:
    likes, report = read(
        folder, items=folder / "items.csv",
        item_feature="kind:category,tags:set:pipe,price:number,title:words,released:date",
    )  # fmt: skip
    features = likes.item_features
    assert [block.kind for block in features.blocks] == ["set", "set", "number", "text", "date"]
    assert dense(features) == [[0, 1], [1, 0], [0, 1]]
    assert dense(features, 1) == [[1, 1, 0], [0, 1, 1], [1, 1, 1]]
    assert dense(features, 2) == [[-1], [0], [1]]  # of the items with likes alone
    assert list(features.blocks[3].names) == ["blue", "boats", "castle", "one", "red", "three",
                                              "two"]  # fmt: skip
    [found] = report.features
    assert found.unknown_ids == 1
    assert "1 item without" in str(report)
    # The first date is the last moment: no likes have times.
    assert features.blocks[4].encoding["last"] == pytest.approx(1769817600)


def test_guessed_kinds_are_said(folder: Path) -> None:
    rows = [f"{row},{'xyz'[row % 3]},{'a;b' if row % 2 else 'b;c'},{row / 2},2026-01-{row + 10},"
            f"Text number {row} of all" for row in range(12)]  # fmt: skip
    (folder / "i.csv").write_text("\n".join(["item,kind,tags,price,day,text", *rows]))
    table, report = al.read_features(folder / "i.csv", columns="*")
    kinds = [(block.name, block.kind) for block in table.features.blocks]
    assert kinds == [("kind", "set"), ("tags", "set"), ("price", "number"), ("day", "date"),
                     ("text", "text"), ("text (parts)", "text")]  # fmt: skip
    assert table.features.blocks[1].encoding["separator"] == ";"
    for words in ("only 3 different texts", "words with ';' between", "all are numbers",
                  "all are dates", "12 different texts"):  # fmt: skip
        assert words in str(report)


def test_a_long_table_counts_values_and_what_is_left_out(folder: Path) -> None:
    likes, report = read(folder, item_features=folder / "tags.csv")
    assert dense(likes.item_features) == [[1, 2], [0, 0], [0, 4]]
    assert likes.item_features.blocks[0].name == "tag"
    [found] = report.features
    assert (found.unknown_ids, found.without_id, found.zeros) == (1, 1, 1)
    table, _ = al.read_features(f"{folder / 'tags.csv'}:item,tag", feature_min=1)
    assert list(table.ids) == ["1", "3", "9"]
    assert dense(table.features) == [[1, 0, 1], [0, 0, 2], [0, 1, 0]]  # rows counted


def test_several_tables_are_blocks_and_plain_names_take_the_name_of_the_file(folder) -> None:
    (folder / "cites.csv").write_text("item,feature\n1,7\n2,7\n")
    (folder / "words.csv").write_text("item,tag\n2,folk\n")
    files = [str(folder / f"{name}.csv") for name in ("tags", "cites", "words")]
    likes, _ = read(folder, item_features=files)
    assert [block.name for block in likes.item_features.blocks] == ["tags tag", "cites",
                                                                    "words tag"]  # fmt: skip


def test_users_have_a_table_of_their_own(folder: Path) -> None:
    likes, report = read(
        folder, user_table=folder / "users.csv", user_feature="country:set,age:number",
        user_features={"ann": ["chess"]},
    )  # fmt: skip
    assert [block.name for block in likes.user_features.blocks] == ["country", "age", "feature"]
    assert report.features[0].side == "user"
    assert likes.item_features is None
    with pytest.raises(SettingError, match="user_table= and user_feature= go together"):
        read(folder, user_table=folder / "users.csv")


def test_columns_of_the_likes_are_texts_of_their_items(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item,kind,when\na,1,shoe,2026-01-31\nb,2,boot,2026-01-01\na,2,,\n"
                    "b,3,shoe,2026-01-30\n")  # fmt: skip
    likes, _ = al.read(path, user="user", item="item", item_feature="kind:set,when:date",
                       feature_min=1)  # fmt: skip
    assert dense(likes.item_features) == [[0, 1], [1, 0], [0, 1]]
    assert dense(likes.item_features, 1)[0] < dense(likes.item_features, 1)[1]


@pytest.mark.parametrize("library", ["json", "parquet", "pandas", "polars", "arrow"])
def test_lists_are_sets_or_vectors_in_every_format(library: str, tmp_path: Path) -> None:
    rows = {"item": ["m1", "m2", "m3"], "tags": [["a", "b"], ["b"], ["a", None]],
            "at": [[0.5, 1.0], [2.0, 3.0], [4.0, 5.0]]}  # fmt: skip
    source: object
    if library == "json":
        source = tmp_path / "items.jsonl"
        lines = [dict(zip(rows, cells, strict=True)) for cells in zip(*rows.values(), strict=True)]
        source.write_text("\n".join(map(json.dumps, lines)))
    elif library == "parquet":
        source = tmp_path / "items.parquet"
        pq.write_table(pa.table(rows), source)
    else:
        source = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[library](rows)
    table, _ = al.read_features(source, columns="tags,at", feature_min=1)
    assert [block.kind for block in table.features.blocks] == ["set", "vector"]
    assert dense(table.features) == [[1, 1], [0, 1], [1, 0]]
    vectors = [("m9", [2.0, 3.0])]
    more, _ = al.encode_more(table.features, {one: {"at": list(at)} for one, at in vectors})
    assert dense(more.features, 1)[0] == pytest.approx(dense(table.features, 1)[1])


def test_numpy_files_have_ids_and_never_objects(folder: Path) -> None:
    vectors = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    np.save(folder / "v.npy", vectors)
    (folder / "ids.txt").write_text("3\n2\n1\n")
    np.savez(folder / "v.npz", ids=np.array([3, 2, 1]), vectors=vectors)
    likes, _ = read(folder, item_vectors=f"{folder / 'v.npy'}:{folder / 'ids.txt'}")
    for same in (str(folder / "v.npz"), (["3", "2", "1"], vectors)):
        table, _ = al.read_features(vectors=same)
        assert dense(table.of(likes.items)) == dense(likes.item_features)
    assert dense(likes.item_features)[0] > dense(likes.item_features)[2]
    np.save(folder / "o.npy", np.array([{}], dtype=object))
    (folder / "bad.npy").write_bytes(b"\x93NUMPY\x01")
    for name, message in (
        ("v.npy", "whose vectors are these"),
        (f"v.npy:{folder / 'likes.csv'}", "6 ids for 3 vectors"),
        ("o.npy:x", "Python objects, which are never loaded"),
        ("bad.npy", "cannot be read as an array"),
        ("none.npz", "No such file"),
    ):
        with pytest.raises(DataError, match=message):
            al.read_features(vectors=str(folder / name))
    vectors[1, 1] = np.nan
    with pytest.raises(DataError, match=r"item '2': a vector of finite numbers expected\. 1 of 3"):
        al.read_features(vectors=(["3", "2", "1"], vectors))


def test_objects_of_python(folder: Path) -> None:
    likes, _ = read(folder)
    named = {"tag": {"1": ["a", "b"], "2": "b"}, "price": {"1": 1.0, "3": 2.0}}
    found = al.with_features(likes, items=named, feature_min=1).item_features
    assert [block.name for block in found.blocks] == ["tag", "price"]
    matrix = sp.csr_array(np.array([[0, 0], [1, 0], [2, 1], [0, 0]]))
    numbered, _ = al.read(sp.csr_array(np.eye(4)), item_features=matrix, feature_min=1)
    assert dense(numbered.item_features) == matrix.toarray().tolist()
    table, _ = al.read_features((["3", "2"], matrix[1:3]), feature_min=1)
    assert dense(table.of(likes.items)) == [[0, 0], [2, 1], [1, 0]]
    assert dense(al.with_features(likes, items=table).item_features)[1] == [2, 1]
    for given, message in (
        ({"1": [["a"]]}, r"item '1', feature: a list of texts expected, found a list"),
        ({"1": float("inf")}, "'1', feature: a finite number expected, found inf"),
        ({"x": ["a"]}, "none of its 1 ids is among the 3 items here. It has ids such as 'x'"),
        ((["1"], matrix), "1 ids for its rows"),
        (7, "A path, a pandas, Polars or PyArrow table"),
    ):
        with pytest.raises(DataError, match=message):
            al.with_features(likes, items=given, feature_min=1)


def test_further_rows_are_read_as_those_before(folder: Path) -> None:
    asked = "kind:set,tags:set:pipe,price:bins:2,title:text,released:date"
    table, _ = al.read_features(folder / "items.csv", columns=asked, feature_min=1)
    again, report = al.encode_more(table.features, folder / "items.csv")
    assert again.features.fingerprint == table.features.fingerprint
    assert not any(block.unknown for block in report.blocks)
    (folder / "new.csv").write_text("tags,item\nb|z|c,77\n")
    new, report = al.encode_more(table.features, folder / "new.csv")
    assert list(new.ids) == ["77"]
    assert dense(new.features, 1) == [[0, 1, 1]]
    assert [block.unknown for block in report.blocks] == [0, 1, 0, 0, 0, 0]
    assert "item ids in the first" not in str(report)
    # Ids that occur again do not make a table of categories one of tags.
    (folder / "twice.csv").write_text("item,kind\n1,a\n2,b\n1,b\n")
    kinds, _ = al.read_features(folder / "twice.csv", columns="kind:set", feature_min=1)
    again, _ = al.encode_more(kinds.features, folder / "twice.csv")
    assert again.features.fingerprint == kinds.features.fingerprint
    tags, _ = al.read_features(folder / "tags.csv", feature_min=1)
    (folder / "more.csv").write_text("item,label\n77,rock\n77,new\n78,folk\n")
    long, report = al.encode_more(tags.features, folder / "more.csv")
    assert dense(long.features) == [[0, 0, 1], [1, 0, 0]]
    assert report.blocks[0].unknown == 1
    with pytest.raises(DataError, match="none of its columns is one of those that the features"):
        al.encode_more(table.features, folder / "more.csv")


def test_numbers_and_dates_are_written_as_columns_say(folder: Path) -> None:
    text = "item;preis;am\n1;3,99;31.01.2026\n2;1.234,50;01.02.2025\n3;n/a;\n"
    (folder / "de.csv").write_text(text)
    table, _ = al.read_features(folder / "de.csv", columns="preis:number:comma,am:date:%d.%m.%Y")
    assert table.features.blocks[0].encoding["mean"] == pytest.approx((3.99 + 1234.5) / 2)
    assert table.features.blocks[1].encoding["last"] == pytest.approx(1769817600)
    again, _ = al.encode_more(table.features, folder / "de.csv")
    assert again.features.fingerprint == table.features.fingerprint
    for columns, message in (
        ("preis", r"found '3,99'\. Fix it, or give preis:number:comma for 1\.234,5"),
        ("am:date", r"or give the form of dates, such as am:date:%d\.%m\.%Y"),
        ("preis:bins:point", r"a number with '\.' before decimals"),
    ):
        with pytest.raises(DataError, match=message):
            al.read_features(folder / "de.csv", columns=columns)
    with pytest.raises(SettingError, match="a date with a year expected"):
        al.read_features(folder / "de.csv", columns="am:date:%d.%m")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"item_feature": "pice"}, "no item_feature column 'pice'.*Did you mean 'price'"),
        ({"item_feature": "title:number"}, r"items.csv, line 2, column 'title': a finite number"
                                           " expected, found 'One red castle'"),
        ({"item_feature": "kind:date"}, "line 2, column 'kind': a time expected, found 'shoe'"),
        ({"item_feature": "kind:vector"}, "line 2, column 'kind': a list of finite numbers"),
        ({"item_id": "title", "item_feature": "kind"}, "none of its 4 ids is among the 3 items"
                                                      " here. It has ids such as 'Nine'"),
        ({"item_feature": "title:words", "feature_min": 4}, "No feature is left: title"),
    ],
)  # fmt: skip
def test_wrong_columns_say_where(folder: Path, how, message: str) -> None:
    with pytest.raises(DataError, match=message):
        al.read(folder / "likes.csv", user="user", item="item", items=folder / "items.csv",
                **{"feature_min": 1} | how)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("item,tag\n", "no rows after the header"),
        ("item\n1\n", "at least 2 columns expected.*tables of features have no such options"),
        ("item,tag,weight\n1,a,much\n", "line 2, column 'weight': a number expected, found 'much'"),
        ("item,tag,weight\n1,a,-1\n", "a value above 0|negative"),
        ("a,b,c,d\n1,2,3,4\n", "which of its 4 columns are the item ids and the features"),
        ("item,tag\n01,a\n02,b\n", "It has ids such as '01', those here are such as '1'"),
    ],
)
def test_wrong_tables_of_features_say_what(folder: Path, text: str, message: str) -> None:
    (folder / "wrong.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read(folder, item_features=folder / "wrong.csv")


def test_names_are_any_text_and_ids_of_both_types_meet(folder: Path) -> None:
    frame = pd.DataFrame({"item": [1, 2, 3, 3], "tag": ["<b>", "'; DROP", "\x1b[31m", "{{x}}"]})
    likes, _ = read(folder, item_features=frame)  # whole numbers beside ids that are text
    assert sorted(likes.item_features.blocks[0].names) == sorted(frame["tag"])
    assert likes.item_features.has.all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("price:nmber", "'nmber' is no kind of a column 'price'.*Did you mean number"),
        ("price,price:number", "column 'price' is given twice"),
        ("price:bins:1", "a number of bins from 2 to 1,000"),
        ("tags:set:ab", "what stands between words"),
        ("price:number:3", "nothing is expected after price:number"),
        ("", "names of columns expected"),
        ("*,price", "or '\\*' alone"),
        (3.5, "columns expected"),
    ],
)
def test_wrong_kinds_are_refused_before_anything_is_read(given, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        al.read("no.csv", user="user", item="item", items="no.csv", item_feature=given)


def test_people_who_gave_features_can_be_left_out(folder: Path) -> None:
    (folder / "given.csv").write_text(
        "user,item,tag\nann,1,rock\nann,1,rock\nbob,1,rock\ncat,2,folk\n,3,folk\nzoe,9,rock\n"
    )
    likes, report = read(folder, item_features=folder / "given.csv")
    features = likes.item_features
    assert isinstance(features, AttributedFeatures)
    assert dense(features) == [[0, 2], [1, 0], [1, 0]]  # by people, not by rows
    assert dense(features.without(["ann", "cat"])) == [[0, 1], [0, 0], [1, 0]]
    assert "given by the people in 'user'" in str(report)
    both, _ = read(folder, items=folder / "items.csv", item_feature="price",
                   item_features=f"{folder / 'given.csv'}:item,tag@user")  # fmt: skip
    assert dense(both.item_features.without(["ann", "bob"]), 1) == [[0, 0], [1, 0], [1, 0]]
    assert dense(both.item_features.without(["ann", "bob"])) == dense(both.item_features)
    plain, report = read(folder, item_features=f"{folder / 'given.csv'}:item,tag")
    assert not isinstance(plain.item_features, AttributedFeatures)
    assert "@user after the columns" in str(report)
    with pytest.raises(DataError, match=r"no user column 'usr'.*Did you mean 'user'"):
        read(folder, item_features=f"{folder / 'given.csv'}:item,tag@usr")
