"""Objects, arrays, baskets and blocks become one row per item, and errors name the original row."""

import json

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

SEGMENT = [
    {
        "userId": "u1",
        "event": "Order Completed",
        "timestamp": "2024-01-01T10:00:00Z",
        "properties": {
            "products": [
                {"product_id": 12, "quantity": 2, "name": "Tea"},
                {"product_id": 13, "quantity": 1, "name": "Cup"},
                {"product_id": 12, "quantity": 2, "name": "Tea"},
            ]
        },
    },
    {
        "userId": "u2",
        "event": "Product Viewed",
        "timestamp": "2024-01-02T10:00:00Z",
        "properties": {"product_id": 12},
    },
    {
        "userId": "u3",
        "event": "Order Completed",
        "timestamp": "2024-01-03T10:00:00Z",
        "properties": {"products": []},
    },
    {
        "userId": "u4",
        "event": "Product Added",
        "timestamp": "2024-01-04T10:00:00Z",
        "properties": {"products": [{"product_id": 13, "quantity": 1}]},
    },
]
PRODUCTS = "properties.products[]"


def triples(interactions):
    cells = interactions.user_items.tocoo()
    return [
        (str(interactions.users.id_of(int(u))), str(interactions.items.id_of(int(i))), float(v))
        for u, i, v in zip(cells.row, cells.col, cells.data, strict=True)
    ]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def text(tmp_path, content, name="l.txt"):
    path = tmp_path / name
    path.write_text(content, newline="")
    return path


def forms(tmp_path, rows):
    """Return the same rows in each form that has objects and arrays."""
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, tmp_path / "l.parquet")
    return {
        "JSON lines": lines(tmp_path / "l.jsonl", rows),
        "Parquet": tmp_path / "l.parquet",
        "Arrow": table,
        "Polars": pl.DataFrame(rows),
        "pandas": pd.DataFrame(rows),
        "pandas of Parquet": pd.read_parquet(tmp_path / "l.parquet"),
    }


def test_arrays_within_events(tmp_path):
    for form, source in forms(tmp_path, SEGMENT).items():
        found, report = read(
            source,
            user="userId",
            item=f"{PRODUCTS}.product_id",
            value=f"{PRODUCTS}.quantity",
            timestamp="timestamp",
            item_name=f"{PRODUCTS}.name",
            event="event",
            weights={"Order Completed": 10, "Product Added": 2},
        )
        # Equal elements of one event are two sales, not a duplicate row.
        assert triples(found) == [("u1", "12", 40.0), ("u1", "13", 10.0), ("u4", "13", 2.0)], form
        assert found.catalogue.names.to_list() == ["Tea", "Cup"], form
        assert (report.rows, report.elements, report.without_items) == (4, 4, 2), form
        assert (report.duplicates, report.merged) == (0, 1), form
        assert [(one.event, one.rows) for one in report.events] == [
            ("Order Completed", 3),
            ("Product Added", 1),
        ], form


def test_equal_rows_with_arrays_are_duplicates(tmp_path):
    source = lines(tmp_path / "l.jsonl", [*SEGMENT, SEGMENT[0]])
    item = f"{PRODUCTS}.product_id"
    found, report = read(source, user="userId", item=item)
    assert triples(found) == [("u1", "12", 2.0), ("u1", "13", 1.0), ("u4", "13", 1.0)]
    assert (report.rows, report.elements, report.duplicates) == (5, 7, 1)
    found, _ = read(source, user="userId", item=item, duplicates="keep")
    assert triples(found)[0] == ("u1", "12", 4.0)
    with pytest.raises(DataError, match="line 5: equal in every column to line 1"):
        read(source, user="userId", item=item, duplicates="error")
    # Each line is a user of its own, so equal lines are equal users.
    found, report = read(source, user="line", item=item)
    assert [str(one) for one in found.users] == ["1", "4", "5"]
    assert report.duplicates == 0


def test_paths_into_objects(tmp_path):
    rows = [
        {"context": {"traits": {"id": 7}}, "item.id": "flat", "item": {"id": "x", "a.b": "dot"}},
        {"context": {"traits": {"id": 8}}, "item.id": "flat", "item": {"id": "y", "a.b": "dot"}},
    ]
    for form, source in forms(tmp_path, rows).items():
        user = "context.traits.id"
        # A column of that name wins over a path.
        found, report = read(source, user=user, item="item.id")
        assert triples(found) == [("7", "flat", 1.0), ("8", "flat", 1.0)], form
        assert report.elements is None
        found, _ = read(source, user=user, item='item."a.b"')
        assert triples(found) == [("7", "dot", 1.0), ("8", "dot", 1.0)], form


def test_elements_by_key_and_arrays_within_arrays(tmp_path):
    rows = [
        {
            "user": 1,
            "params": [
                {"key": "n", "value": {"text": None}},
                {"key": "page", "value": {"text": "/a"}},
            ],
            "orders": [
                {"when": 100, "lines": [{"sku": "x"}, {"sku": "y"}]},
                {"when": 200, "lines": []},
                {"when": 300, "lines": [{"sku": "x"}]},
            ],
        }
    ]
    for form, source in forms(tmp_path, rows).items():
        found, _ = read(source, user="user", item="params[key=page].value.text")
        assert triples(found) == [("1", "/a", 1.0)], form
        sku, when = "orders[].lines[].sku", "orders[].when"
        found, report = read(source, user="user", item=sku, timestamp=when)
        assert triples(found) == [("1", "x", 2.0), ("1", "y", 1.0)], form
        assert found.timestamps.tolist() == [300.0, 100.0], form
        assert report.elements == 3, form


def test_structs_are_explained():
    table = pa.Table.from_pylist(SEGMENT)
    for item, said in {
        f"{PRODUCTS}.product_idd": "Did you mean 'product_id'",
        "properties.products.product_id": "Add '\\[\\]'",
        "properties.products": "leads to an array",
        PRODUCTS: "leads to an object.*'product_id'",
        "properties": "A field of it is 'properties.NAME'",
        "userId[]": "'userId': a JSON object or array expected",
        "properties[].x": "an array expected before '\\[\\]' number 1",
    }.items():
        with pytest.raises(DataError, match=said):
            read(table, user="event", item=item)
    with pytest.raises(DataError, match=r"Each of its elements is 'i\[\]'"):
        read(pd.DataFrame({"u": [1], "i": [["a"]]}), user="u", item="i")


def test_arrays_that_do_not_belong_together(tmp_path):
    source = lines(tmp_path / "l.jsonl", [{"u": 1, "a": [{"x": 1}], "b": [1]}])
    with pytest.raises(SettingError, match=r"'b\[\]' and 'a\[\].x' lead through two arrays|a\[\]"):
        read(source, user="u", item="a[].x", value="b[]")
    with pytest.raises(SettingError, match="no path after 'a'"):
        read(source, user="u", item="a[0].x")
    with pytest.raises(SettingError, match="then needs several items"):
        read(source, user="line", item="u")


def test_rows_set_aside_are_counted_and_written(tmp_path):
    rows = [{"u": 1, "a": [1, 2]}, {"u": 2, "a": [1.5, 3]}, {"u": 3, "a": 4}, {"u": 4, "a": [2]}]
    rejects = tmp_path / "rejects.csv"
    found, report = read(
        lines(tmp_path / "l.jsonl", rows),
        user="u",
        item="a[]",
        on_error="reject",
        rejects=rejects,
    )
    assert triples(found) == [("1", "1", 1.0), ("1", "2", 1.0), ("4", "2", 1.0)]
    assert (report.rows, report.rejected, report.elements) == (2, 2, 3)
    assert [line.split(",")[0] for line in rejects.read_text().splitlines()] == ["line", "2", "3"]


def test_json_in_cells_of_text(tmp_path):
    content = (
        'user,cart\na,"[{""id"": 1, ""n"": 2}, {""id"": 2, ""n"": 1}]"\nb,"[{\'id\': 1}]"\nc,\n'
    )
    source = text(tmp_path, content)
    found, report = read(source, user="user", item="cart[].id")
    assert triples(found) == [("a", "1", 1.0), ("a", "2", 1.0), ("b", "1", 1.0)]
    assert report.without_items == 1
    with pytest.raises(DataError, match=r"line 3, column 'cart\[\].n': a number expected"):
        read(source, user="user", item="cart[].id", value="cart[].n")


def test_several_items_in_a_cell(tmp_path):
    source = text(tmp_path, "user;items;n\na;milk, bread;1\nb;milk,,;2\nc;;3\na;milk, bread;1\n")
    found, report = read(source, user="user", item="items", value="n", items_separator=",")
    assert triples(found) == [("a", "bread", 1.0), ("a", "milk", 1.0), ("b", "milk", 2.0)]
    assert (report.elements, report.without_items) == (5, 1)
    assert (report.empty_items, report.trimmed_items, report.duplicates) == (2, 2, 1)
    assert "items with blanks around them  2 trimmed" in str(report)
    found, report = read(source, user="line", item="items", items_separator="comma")
    assert len(found.users) == 3
    assert report.duplicates == 0
    with pytest.raises(SettingError, match="one or more characters"):
        read(source, user="user", item="items", items_separator="")


@pytest.mark.parametrize(
    ("content", "options", "expected", "counts"),
    [
        ("0 1 2\n1 2\n\n2\n", {}, [("0", "1"), ("0", "2"), ("1", "2")], (3, 1, 1, 0)),
        ("0\t1  2\n", {"delimiter": "space"}, [("0", "1"), ("0", "2")], (1, 0, 0, 0)),
        ("a b, c\nd\n", {"user": "line"}, [("1", "a b"), ("1", "c"), ("2", "d")], (2, 0, 0, 0)),
        ('"x,y",z,,\n', {"user": "line"}, [("1", "x,y"), ("1", "z")], (1, 0, 0, 2)),
        ("items\na,b\n", {"user": "line", "header": True}, [("1", "a"), ("1", "b")], (1, 0, 0, 0)),
        ("a,b\r\na,b\r\n", {"user": 1, "item": 2}, [("a", "b")], (2, 0, 0, 0)),
    ],
)
def test_a_user_a_line(tmp_path, content, options, expected, counts):
    found, report = read(text(tmp_path, content), layout="lines", **options)
    assert [pair[:2] for pair in triples(found)] == expected
    assert (report.rows, report.blank, report.without_items, report.empty_items) == counts


def test_lines_have_no_other_columns(tmp_path):
    source = text(tmp_path, "0 1 2\n")
    for options in ({"user": "uid"}, {"value": "n"}, {"user": "line", "item": 3}):
        with pytest.raises(SettingError, match="only user, the first field"):
            read(source, layout="lines", **options)
    with pytest.raises(SettingError, match="pass delimiter="):
        read(source, layout="lines", items_separator=",")
    with pytest.raises(SettingError, match="Did you mean 'lines'"):
        read(source, layout="line")
    with pytest.raises(SettingError, match="a frame is none"):
        read(pd.DataFrame({"user": [1], "item": [1]}), layout="lines")


def test_blocks_of_items(tmp_path):
    content = "1:\n5,3,2005-09-06\n6,5,2005-05-13\n2:\n7,4,2005-10-19\n"
    source = text(tmp_path, content)
    columns = {"user": "user", "item": "item", "value": "rating", "timestamp": "date"}
    found, report = read(source, **columns)
    assert triples(found) == [("5", "1", 3.0), ("6", "1", 5.0), ("7", "2", 4.0)]
    assert report.rows == 3
    assert "layout='table'" in report.warnings[0]
    found, report = read(source, **columns, layout="netflix", at_least=4)
    assert [one[:2] for one in triples(found)] == [("6", "1"), ("7", "2")]
    assert not report.warnings
    for layout, item, way in ((None, 2, "layout='table'"), ("netflix", "date", "item='item'[.]")):
        with pytest.raises(DataError, match=rf"of blocks is the (rating|date), not an id.*{way}"):
            read(source, user=1, item=item, layout=layout)
    for content in ("1:\n5,2005-09-06\n", "1:\n5\n", "1:\n5,3\n"):
        found, _ = read(text(tmp_path, content), layout="netflix")
        assert triples(found) == [("5", "1", 1.0)]
    with pytest.raises(DataError, match="columns expected"):
        read(source, **columns, layout="table")
    with pytest.raises(DataError, match="pass layout='netflix'"):  # without dates: not found
        read(source, **columns)


def test_errors_after_arranging_name_the_line(tmp_path):
    rows = [{"u": "a", "p": {"id": 1}, "t": 1700000000000}, {"u": None, "p": {"id": 2}, "t": 1}]
    source = text(tmp_path, "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match="line 2, column 'u': the id of a user expected"):
        read(source, user="u", item="p.id")
    with pytest.raises(DataError, match=r"line 1, column 't': seconds .* time.unit='ms'"):
        read(source, user="u", item="p.id", timestamp="t", missing_id="drop")


IDS = st.integers(0, 5)
BASKETS = st.lists(st.tuples(IDS, st.lists(IDS, max_size=4)), min_size=1, max_size=8)


@settings(
    max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(baskets=BASKETS)
def test_all_forms_of_baskets_agree(tmp_path, baskets):
    expected = {}
    for user, items in baskets:
        for item in items:
            expected[f"u{user}", f"m{item}"] = expected.get((f"u{user}", f"m{item}"), 0) + 1
    rows = [
        {"user": f"u{user}", "items": [f"m{item}" for item in items]} for user, items in baskets
    ]
    joined = [",".join(row["items"]) for row in rows]
    arrow = pa.table({"user": [row["user"] for row in rows]}).append_column(
        "items", pa.array([row["items"] for row in rows], pa.list_(pa.string()))
    )
    table = "user;items\n" + "".join(
        f"{row['user']};{cell}\n" for row, cell in zip(rows, joined, strict=True)
    )
    ragged = "".join(" ".join([row["user"], *row["items"]]) + "\n" for row in rows)
    forms = [
        (lines(tmp_path / "b.jsonl", rows), {"user": "user", "item": "items[]"}),
        (arrow, {"user": "user", "item": "items[]"}),
        (
            text(tmp_path, table, "b.csv"),
            {"user": "user", "item": "items", "items_separator": ",", "delimiter": ";"},
        ),
        (text(tmp_path, ragged, "b.txt"), {"layout": "lines"}),
    ]
    for source, options in forms:
        if not expected:
            with pytest.raises(DataError):
                read(source, **options)
            continue
        found, report = read(source, duplicates="keep", **options)
        assert {(u, i): v for u, i, v in triples(found)} == expected
        assert (report.rows, report.elements) == (len(baskets), sum(expected.values()))
        assert report.without_items == sum(not items for _, items in baskets)
