"""Likes from files, frames and matrices: the same triples, every dropped row counted."""

import datetime
import decimal
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.data.reading.cleaning.aggregate import merge
from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

ROWS = "user,item,value,when\nann,m1,2,2020-01-01\nbob,m1,1,2020-01-02\nann,m2,3,2020-01-03\n"
EXPECTED = [("ann", "m1", 2.0), ("ann", "m2", 3.0), ("bob", "m1", 1.0)]


def real(*parts: str) -> Path:
    if "ALSOLIKE_DATA" not in os.environ:
        pytest.skip("ALSOLIKE_DATA is not set")
    return Path(os.environ["ALSOLIKE_DATA"], *parts)


def triples(interactions):
    cells = interactions.user_items.tocoo()
    return [
        (interactions.users.id_of(int(u)), interactions.items.id_of(int(i)), float(v))
        for u, i, v in zip(cells.row, cells.col, cells.data, strict=True)
    ]


def table(path, text):
    path.write_text(text, newline="")
    return path


def likes(tmp_path, *rows, columns="user,item,value"):
    return table(tmp_path / "likes.csv", "\n".join([columns, *rows]) + "\n")


COLUMNS = {
    "user": ["ann", "bob", "ann"],
    "item": ["m1", "m1", "m2"],
    "value": [2, 1, 3],
    "when": ["2020-01-01", "2020-01-02", "2020-01-03"],
}


@pytest.mark.parametrize(
    "form", ["csv", "tsv", "gz", "parquet", "jsonl", "pandas", "polars", "arrow"]
)
def test_every_form_gives_the_same(form, tmp_path):
    source = {
        "csv": lambda: table(tmp_path / "l.csv", ROWS),
        "tsv": lambda: table(tmp_path / "l.tsv", ROWS.replace(",", "\t")),
        "gz": lambda: _written(tmp_path / "l.csv.gz", gzip.compress(ROWS.encode())),
        "parquet": lambda: _parquet(tmp_path / "l.parquet"),
        "jsonl": lambda: table(
            tmp_path / "l.jsonl", pd.DataFrame(COLUMNS).to_json(orient="records", lines=True)
        ),
        "pandas": lambda: pd.DataFrame(COLUMNS),
        "polars": lambda: pl.DataFrame(COLUMNS),
        "arrow": lambda: pa.table(COLUMNS),
    }[form]()
    interactions, report = read(source, user="user", item="item", value="value", timestamp="when")
    assert triples(interactions) == EXPECTED
    days = interactions.timestamps / 86400
    assert days.tolist() == [18262.0, 18264.0, 18263.0]
    assert (report.rows, report.users, report.items) == (3, 2, 2)


def _written(path, content):
    path.write_bytes(content)
    return path


def _parquet(path):
    pl.DataFrame(COLUMNS).write_parquet(path)
    return path


def test_ids_of_frames_keep_their_digits():
    frame = pd.DataFrame({"user": [17850.0, np.nan, 42.0], "item": [2**62, 1, 2]})
    interactions, report = read(frame, user="user", item="item", missing_id="drop")
    assert triples(interactions) == [(17850, 2**62, 1.0), (42, 2, 1.0)]
    assert report.missing == 1
    mixed = pd.DataFrame({"user": [1, "0042", None], "item": pd.array([1, 2, None], "Int64")})
    with pytest.raises(DataError, match=r"row 2, column 'user': .* '0042' is text, after 1"):
        read(mixed, user="user", item="item", missing_id="drop")
    frame = pl.DataFrame({"user": [1, None, 3], "item": ["a", "b", "c"]})
    assert len(read(frame, user="user", item="item", missing_id="drop")[0].users) == 2
    with pytest.raises(DataError, match=r"row 1, column 'user'.* 1\.5"):
        read(pl.DataFrame({"user": [1.5], "item": ["a"]}), user="user", item="item")
    with pytest.raises(DataError, match="row 2: an id contains a NUL"):
        read(pd.DataFrame({"user": ["a", "b\0"], "item": ["x", "y"]}), user="user", item="item")
    broken = pd.Series(["\ud800"], dtype=object)
    with pytest.raises(DataError, match="not valid Unicode"):
        read(pd.DataFrame({"user": broken, "item": ["x"]}), user="user", item="item")


def test_columns_with_hostile_names(tmp_path):
    name = 'a"; DROP TABLE likes; --'
    pl.DataFrame({name: ["u"], "i'\"": ["x"]}).write_parquet(tmp_path / "l.parquet")
    for source in (tmp_path / "l.parquet", pd.DataFrame({name: ["u"], "i'\"": ["x"]})):
        assert triples(read(source, user=name, item="i'\"")[0]) == [("u", "x", 1.0)]


def test_a_matrix_keeps_its_rows_and_columns():
    matrix = sp.coo_array(([1.0, 2.0, 0.0, 4.0], ([0, 0, 1, 11], [2, 2, 0, 1])), shape=(12, 3))
    interactions, report = read(matrix)
    assert triples(interactions) == [(0, 2, 3.0), (11, 1, 4.0)]
    assert interactions.user_items.shape == (12, 3)
    assert (report.zeros, report.merged, report.repeats_rule) == (1, 1, "sum")
    with pytest.raises(DataError, match="row 0, column 1: a finite value"):
        read(sp.csr_array(np.array([[0, np.nan]])))
    with pytest.raises(DataError, match="row 0, column 1: a value above 0"):
        read(sp.csr_array(np.array([[0, -1.0]])))
    assert read(sp.csr_array(np.array([[1, -1.0]])), negative="dislike")[1].dislikes == 1
    with pytest.raises(SettingError, match="no columns for names"):
        read(matrix, item_name="title")


# Duplicates and repeats.


def test_a_duplicate_is_equal_in_every_column(tmp_path):
    path = likes(
        tmp_path, "a,x,1,p", "a,x,1,q", "a,x,1,p", "a,x,1,p", columns="user,item,value,note"
    )
    chosen = {"user": "user", "item": "item", "value": "value"}
    interactions, report = read(path, **chosen)
    assert triples(interactions) == [("a", "x", 2.0)]
    assert (report.duplicates, report.repeated, report.merged) == (2, 1, 1)
    interactions, report = read(path, **chosen, duplicates="keep")
    assert triples(interactions) == [("a", "x", 4.0)]
    assert (report.duplicates, report.merged) == (2, 3)
    with pytest.raises(DataError, match="line 4: equal in every column to line 2; 2 rows"):
        read(path, **chosen, duplicates="error")


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        (None, "value", 3.5),
        (None, None, 3.0),
        ("sum", "value", 3.5),
        ("count", "value", 3.0),
        ("once", "value", 1.0),
        ("max", "value", 2.0),
    ],
)
def test_rules_for_repeats(tmp_path, rule, value, expected):
    path = likes(tmp_path, "a,x,1", "a,x,2", "b,x,1", "a,x,0.5")
    interactions, report = read(path, user="user", item="item", value=value, repeats=rule)
    assert triples(interactions) == [("a", "x", expected), ("b", "x", 1.0)]
    assert (report.repeated, report.merged) == (1, 2)
    assert report.repeats_rule == (rule or ("sum" if value else "count"))


def test_repeats_may_be_an_error(tmp_path):
    path = likes(tmp_path, "a,x,1", "b,x,1", "a,x,2")
    with pytest.raises(DataError, match="line 4: user 'a' and item 'x' occur together before"):
        read(path, user="user", item="item", value="value", repeats="error")


def test_the_latest_time_of_a_pair_stays(tmp_path):
    path = likes(tmp_path, "a,x,50", "a,x,70.5", "a,x,60", columns="user,item,when")
    interactions, _ = read(path, user="user", item="item", timestamp="when")
    assert interactions.timestamps.tolist() == [70.5]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1291191960", 1291191960),
        ("2010-12-01 08:26:00", 1291191960),
        ("2010-12-01T08:26:00Z", 1291191960),
        ("2010-12-01T10:26:00+02:00", 1291191960),
        ("2010-12-01", 1291161600),
    ],
)
def test_times(tmp_path, text, seconds):
    path = likes(tmp_path, f"a,x,{text}", columns="user,item,when")
    interactions, _ = read(path, user="user", item="item", timestamp="when")
    assert interactions.timestamps.tolist() == [seconds]


@pytest.mark.parametrize("text", ["12/01/2010", "2010-13-01", "2010-12-01 08:26 Europe/Berlin", ""])
def test_what_is_no_time(tmp_path, text):
    path = likes(tmp_path, f"a,x,{text}", columns="user,item,when")
    with pytest.raises(DataError, match="line 2, column 'when': a time expected"):
        read(path, user="user", item="item", timestamp="when")


def test_returns_are_netted_and_dislikes_kept(tmp_path):
    path = likes(tmp_path, "a,x,5", "a,x,-2", "b,x,1", "b,x,-1", "c,y,-3", "d,x,4")
    chosen = {"user": "user", "item": "item", "value": "value"}
    interactions, report = read(path, **chosen, negative="net")
    assert triples(interactions) == [("a", "x", 3.0), ("d", "x", 4.0)]
    assert (report.negatives, report.netted, report.users, report.items) == (3, 2, 2, 1)
    interactions, report = read(path, **chosen, negative="dislike")
    assert triples(interactions) == [("a", "x", 3.0), ("c", "y", -3.0), ("d", "x", 4.0)]
    assert (report.netted, report.dislikes) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(-1e6, 1e6)), max_size=30
    ),
    rule=st.sampled_from(["sum", "count", "once", "max"]),
)
def test_merging_equals_a_dictionary(rows, rule):
    users, items, values = (
        np.array([row[place] for row in rows], dtype=kind)
        for place, kind in enumerate((np.int64, np.int64, np.float64))
    )
    pairs = merge(users, items, values, values, n_items=4, rule=rule)
    expected = {}
    for user, item, value in rows:
        expected.setdefault((user, item), []).append(value)
    folded = {"sum": sum, "count": len, "once": lambda _: 1, "max": max}[rule]
    assert list(zip(pairs.users.tolist(), pairs.items.tolist(), strict=True)) == sorted(expected)
    assert pairs.values.tolist() == [float(folded(expected[key])) for key in sorted(expected)]
    assert pairs.timestamps.tolist() == [max(expected[key]) for key in sorted(expected)]
    assert pairs.merged == len(rows) - len(expected)


# The catalogue.


def test_an_item_table_joins_by_id(tmp_path):
    path = likes(tmp_path, "a,1,1", "b,2,1", "b,03,1")
    items = table(
        tmp_path / "items.psv",
        "item|title|genre|name\n1|One|pop|n1\n2|\n2|Two|rock|n2\n1|Uno|pop|n3\n|none|x|y\n".replace(
            "2|\n", ""
        ),
    )
    interactions, report = read(
        path, user="user", item="item", items=items, item_name="title", item_link="http://x/?q={id}"
    )
    catalogue = interactions.catalogue
    assert list(interactions.items) == ["03", "1", "2"]
    assert list(catalogue.names) == ["", "One", "Two"]
    assert list(catalogue.links) == ["http://x/?q=03", "http://x/?q=1", "http://x/?q=2"]
    assert {key: list(column) for key, column in catalogue.more.items()} == {
        "genre": ["", "pop", "rock"],
        "name (column)": ["", "n1", "n2"],
    }
    assert report.items_without_row == 1
    assert report.conflicting == 1
    assert report.items_rows_without_id == 1
    assert "items missing from the item table" in str(report)


def test_an_item_table_with_other_ids_is_said(tmp_path):
    path = likes(tmp_path, "a,S1,1", "b,S2,1")
    items = table(tmp_path / "items.csv", "track,song\nT1,S1\nT2,S2\n")
    named = {"user": "user", "item": "item", "items": items, "item_name": "song"}
    [warning] = read(path, **named, item_id="track")[1].warnings
    assert "no item of the likes is in column 'track', which holds ids such as 'T1'" in warning
    assert "such as 'S1'" in warning
    assert not read(path, **named, item_id="song")[1].warnings


def test_a_column_without_any_id(tmp_path):
    path = table(tmp_path / "r.dat", "1::7::5\n2::8::4\n")
    with pytest.raises(DataError, match=r"all 2 rows lack .*Choose another item.* delimiter='::'"):
        read(path, user=1, item=2, delimiter=":")


def test_names_from_the_likes(tmp_path):
    path = likes(tmp_path, "a,1,", "b,1,One", "c,1,Uno", "c,2,Two/é", columns="user,item,title")
    interactions, report = read(
        path, user="user", item="item", item_name="title", item_link="http://x/{id}"
    )
    assert list(interactions.catalogue.names) == ["One", "Two/é"]
    assert report.conflicting == 1
    with pytest.raises(DataError, match=r"no item_name column 'titel'.*Did you mean 'title'"):
        read(path, user="user", item="item", item_name="titel")


def test_ids_are_percent_encoded_in_links():
    frame = pd.DataFrame({"u": ["a"], "i": ['x/../é?&"<']})
    interactions, _ = read(frame, user="u", item="i", item_link="http://h/{id}#{id}")
    coded = "x%2F..%2F%C3%A9%3F%26%22%3C"
    assert list(interactions.catalogue.links) == [f"http://h/{coded}#{coded}"]


def test_names_follow_the_items_that_are_left(tmp_path):
    path = likes(tmp_path, "a,1,-1,One", "a,2,1,Two", columns="user,item,value,title")
    interactions, _ = read(
        path, user="user", item="item", value="value", negative="net", item_name="title"
    )
    assert list(interactions.items) == ["2"]
    assert list(interactions.catalogue.names) == ["Two"]


def test_an_item_table_without_the_id_column(tmp_path):
    path = likes(tmp_path, "a,1,1")
    items = table(tmp_path / "items.csv", "id,title\n1,One\n")
    with pytest.raises(DataError, match=r"items\.csv: no item_id column 'item'.*'id', 'title'"):
        read(path, user="user", item="item", items=items)


# The whole.


def test_the_same_bytes_for_any_number_of_threads(tmp_path):
    generator = np.random.default_rng(0)
    rows = [
        f"u{u},i{i},{v!r},n{i}"
        for u, i, v in zip(
            generator.integers(0, 500, 60_000).tolist(),
            generator.integers(0, 300, 60_000).tolist(),
            (generator.random(60_000) * 10.0 ** generator.integers(-6, 6, 60_000)).tolist(),
            strict=True,
        )
    ]
    path = likes(tmp_path, *rows, columns="user,item,value,name")
    seen = set()
    for threads in (1, 2, 4):
        interactions, report = read(
            path, user="user", item="item", value="value", item_name="name", threads=threads
        )
        seen.add((interactions.fingerprint, tuple(interactions.catalogue.names), report))
    assert len(seen) == 1


def test_the_report_in_words(tmp_path):
    path = likes(tmp_path, "a,x,1", "a,x,1", "", ",x,1", "a,y,0", "a,z,2", "a,z,-1")
    _, report = read(
        path, user="user", item="item", value="value", missing_id="drop", negative="net"
    )
    assert dict(report.facts()) == {
        "source": f"{path} (text)",
        "dialect": "delimiter ',', quote '\"', escape '\"', header yes (reads every row)",
        "rows": "6",
        "blank lines": "1 skipped",
        "duplicate rows": "1 dropped (equal in every column)",
        "rows without a user or an item": "1 dropped",
        "rows with the value 0": "1 dropped",
        "rows with a negative value": "1 netted per pair",
        "repeated pairs": "1 (1 further rows; rule: sum)",
        "users": "1",
        "items": "2",
        "interactions": "2 (100.000 % filled)",
    }
    assert report.lines == 7


def test_lastfm():
    interactions, report = read(
        real("lastfm-2k", "user_artists.dat.gz"),
        user="userID",
        item="artistID",
        value="weight",
        items=real("lastfm-2k", "artists.dat.gz"),
        item_id="id",
        item_name="name",
        item_image="pictureURL",
    )
    assert (report.users, report.items, report.interactions) == (1_892, 17_632, 92_834)
    assert (report.items_without_row, report.conflicting) == (0, 0)
    assert float(interactions.user_items.data.sum(dtype=np.float64)) == 69_183_975
    catalogue = interactions.catalogue
    assert catalogue.name_of(interactions.items.index_of("154")) == "Radiohead"
    assert '"Weird Al" Yankovic' in set(catalogue.names)


def test_steam():
    _, report = read(
        real("steam-200k", "game_play.dat.gz"),
        user="User_ID",
        item="Game_ID",
        value="Hours",
        items=real("steam-200k", "item_info.dat.gz"),
        item_name="Game Name",
    )
    assert (report.rows, report.duplicates, report.repeated) == (70_489, 0, 12)
    assert (report.users, report.items, report.interactions) == (11_350, 3_600, 70_477)


def test_retail():
    path = real("online-retail-2010-2011", "online_retail_2010_2011.csv.gz")
    _, report = read(
        path,
        user="CustomerID",
        item="Description",
        value="Quantity",
        missing_id="drop",
        negative="net",
    )
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    once = frame.drop_duplicates()
    named = once[(once.CustomerID != "") & (once.Description.str.strip() != "")]
    sums = named.astype({"Quantity": int}).groupby(["CustomerID", "Description"]).Quantity.sum()
    assert report.rows == len(frame) == 541_909
    assert report.duplicates == len(frame) - len(once)
    assert report.missing == len(once) - len(named)
    assert report.negatives == int((named.Quantity.astype(int) < 0).sum())
    assert report.netted == int((sums <= 0).sum())
    assert report.interactions == int((sums > 0).sum())


def test_json_lines_beside_a_frame(tmp_path):
    rows = [{"user": f"ü{n % 3}", "item": n % 5, "value": n + 1} for n in range(20)]
    path = table(tmp_path / "l.ndjson", "".join(json.dumps(row) + "\r\n" for row in rows))
    chosen = {"user": "user", "item": "item", "value": "value"}
    assert triples(read(path, **chosen)[0]) == triples(read(pd.DataFrame(rows), **chosen)[0])


def test_repeated_rows_of_the_item_table_are_counted(tmp_path):
    path = likes(tmp_path, "a,x,1", "a,y,1", columns="user,item,value")
    items = tmp_path / "items.csv"
    items.write_text("item,name\nx,one\nx,one\nx,other\ny,two\n")
    found, report = read(path, user="user", item="item", items=items, item_name="name")
    assert list(found.catalogue.names) == ["one", "two"]
    assert (report.items_rows_repeated, report.conflicting) == (2, 1)


# Frames and matrices that are odd: one defined outcome each.


@pytest.mark.parametrize(
    ("labels", "user", "item"),
    [
        ([0, 1, 2], 0, 1),
        ([9, 0, 1], np.int64(9), "0"),
        ([2, 1, 0], 2, 1),
        (["1", "2", "x"], 1, 2),
        (["u", "i", "x"], 1, 2),
    ],
)
def test_a_label_wins_over_a_number(labels, user, item):
    frame = pd.DataFrame([[10, 20, 1], [11, 21, 2]], columns=labels)
    assert triples(read(frame, user=user, item=item)[0]) == [(10, 20, 1.0), (11, 21, 1.0)]
    with pytest.raises(DataError, match="2 times"):
        read(frame.set_axis([1, "1", 2], axis=1), user=1, item=2)


@pytest.mark.parametrize(
    "cell",
    [
        b"a",
        [1],
        {"a": 1},
        True,
        1.5,
        float("inf"),
        decimal.Decimal("1.5"),
        datetime.date(2020, 1, 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", ["pandas", "polars", "arrow"])
def test_what_can_be_no_id_is_one_error(form, cell):
    columns = {"user": [None, cell], "item": ["x", "y"]}
    frame = {
        "pandas": lambda: pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()}),
        "polars": lambda: pl.DataFrame(columns),
        "arrow": lambda: pa.table(columns),
    }[form]()
    with pytest.raises(
        DataError, match=r"row 2, column 'user': user ids are text or whole.*(?:Turn|'user)"
    ):
        read(frame, user="user", item="item")


def test_odd_cells_among_good_ones_are_no_ids():
    for cell in (decimal.Decimal("NaN"), float("inf"), 2.0**60, 0.5, True):
        users = pd.Series(["a", cell], dtype=object)
        with pytest.raises(DataError, match="row 2, column 'user': user ids are text or whole"):
            read(pd.DataFrame({"user": users, "item": ["x", "y"]}), user="user", item="item")
    users = pd.Series([decimal.Decimal("1.00"), 1.0, np.int8(1)], dtype=object)
    interactions, _ = read(pd.DataFrame({"user": users, "item": list("xyz")}), user=1, item=2)
    assert list(interactions.users) == [1]


HELD = {
    "boolean": lambda: pd.DataFrame({"v": pd.array([True], dtype="boolean")}),
    "long double": lambda: pd.DataFrame({"v": np.array([1], np.longdouble)}),
    "big-endian": lambda: pd.DataFrame({"v": np.array([1], ">i4")}),
    "Int128": lambda: pl.DataFrame({"v": pl.Series([1], dtype=pl.Int128)}),
    "Polars Boolean": lambda: pl.DataFrame({"v": [True]}),
    "float16": lambda: pa.table({"v": pa.array(np.array([1], np.float16))}),
    "decimal256": lambda: pa.table({"v": pa.array([decimal.Decimal(1)], pa.decimal256(50, 2))}),
}


@pytest.mark.parametrize("name", HELD)
@pytest.mark.parametrize("value", ["v", None])
def test_numbers_that_the_database_does_not_know_are_read(name, value):
    frame, cells = HELD[name](), {"u": ["a"], "i": ["x"]}
    if isinstance(frame, pd.DataFrame):
        frame = frame.assign(**cells)
    elif isinstance(frame, pl.DataFrame):
        frame = frame.with_columns(u=pl.lit("a"), i=pl.lit("x"))
    else:
        frame = frame.append_column("u", [cells["u"]]).append_column("i", [cells["i"]])
    assert triples(read(frame, user="u", item="i", value=value)[0]) == [("a", "x", 1.0)]


NO_ROWS = pa.table({"u": pa.array([], "string"), "i": pa.array([], "string")})


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (sp.coo_array(np.ones((2, 2, 2))), {}, DataError, "this is 3-dimensional"),
        (sp.coo_array(np.ones(2)), {}, DataError, "this is 1-dimensional"),
        (sp.coo_array(np.ones((2, 2)) * 1j), {}, DataError, "real numbers expected"),
        (sp.csr_array((0, 0)), {}, DataError, "0 x 0 matrix is empty"),
        (sp.csr_array((3, 2)), {}, DataError, "none of its 0 stored cells is an interaction"),
        (sp.csr_array(np.eye(2)), {"user": "u"}, SettingError, "a matrix has no columns"),
        (sp.csr_array(np.eye(2)), {"timestamp": 3}, SettingError, "a matrix has no columns"),
        (pd.DataFrame(COLUMNS), {"user": ("u", "x"), "item": 2}, SettingError, "one column"),
        (pd.DataFrame(COLUMNS), {"user": 1.5, "item": 2}, SettingError, "user=1.5: one column"),
        (pd.DataFrame(COLUMNS), {"user": 1, "item": ["u"]}, SettingError, "one column"),
        (pd.DataFrame(COLUMNS), {"user": True, "item": 2}, SettingError, "one column"),
        (pa.table({}), {"user": 1, "item": 2}, DataError, "pyarrow table has no rows"),
        (NO_ROWS, {"user": 1, "item": 2}, DataError, r"has no rows\.$"),
        (
            pl.LazyFrame(COLUMNS).select(pl.col("zz")),
            {"user": 1, "item": 2},
            DataError,
            "lazy frame cannot be collected",
        ),
        (
            pl.DataFrame(COLUMNS).with_columns(value=pl.duration(days=1, hours=1)),
            {"user": 1, "item": 2, "value": 3},
            DataError,
            r"row 1, .* a number expected, found '1 day, 1:00:00'\. Fix",
        ),
    ],
)
def test_sources_that_cannot_be_read_say_why(source, options, error, message):
    with pytest.raises(error, match=f"(?i){message}"):
        read(source, **options)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            [1, 1580000000000],
            "row 2, column 'when'.*milliseconds since 1970. Pass time_unit='ms'",
        ),
        ([1580000000000000000] * 2, "row 1.*nanoseconds"),
        (["2020-01-01", "5"], "row 2, column 'when': a number, but row 1 holds a date"),
        ([20200131, 20200201], "row 1.*look like days"),
        (["20200131", "20200201"], "row 1.*look like days"),
        ([20200131, 20209931], None),
        (["2020-01-31", "9999-12-31"], None),
    ],
)
def test_numbers_that_are_no_seconds_are_refused(times, message):
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "when": times})
    if message is None:
        assert read(frame, user="user", item="item", timestamp="when")[1].rows == 2
        return
    with pytest.raises(DataError, match=message):
        read(frame, user="user", item="item", timestamp="when")
