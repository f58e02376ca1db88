"""Several files as one table: what is listed, in which order, and how columns meet."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

NAMES = {"user": "user", "item": "item"}


def triples(interactions):
    cells = interactions.user_items.tocoo()
    return [
        (interactions.users.id_of(int(u)), interactions.items.id_of(int(i)), float(v))
        for u, i, v in zip(cells.row, cells.col, cells.data, strict=True)
    ]


def written(folder: Path, **files: str | bytes) -> Path:
    """Write files; two underscores in a name stand for a point."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        raw = content.encode() if isinstance(content, str) else content
        (folder / name.replace("__", ".")).write_bytes(raw)
    return folder


def refusal(source, **options) -> str:
    with pytest.raises((DataError, SettingError)) as caught:
        read(source, **(NAMES | options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def parts(tmp_path):
    return written(
        tmp_path / "my parts [1]",
        b__csv="item;user\ny;bob\nx;bob\n",
        a__csv=gzip.compress(b"user,item\nann,x\nann,x\n"),
        c__jsonl='{"user": "cid", "item": "x"}\n',
        _SUCCESS="",
        __hidden="not a table",
        d__csv="",
    )


ALL = [("ann", "x", 1.0), ("bob", "x", 1.0), ("bob", "y", 1.0), ("cid", "x", 1.0)]


def test_a_folder_is_one_table_whose_files_are_counted(parts):
    found, report = read(parts, **NAMES)
    assert triples(found) == ALL
    assert (report.rows, report.duplicates, report.parts, report.ignored) == (5, 1, 3, 3)
    facts = dict(report.facts())
    assert facts["source"] == f"{parts} (text and JSON lines, 3 parts)"
    assert facts["files left out"] == "3 (empty, or with a name that begins with _ or .)"


def test_patterns_and_lists_are_the_same_table(parts, tmp_path, monkeypatch):
    assert triples(read(sorted(parts.glob("?.*")), **NAMES)[0]) == ALL
    monkeypatch.chdir(tmp_path)
    assert triples(read("my*/*", **NAMES)[0]) == ALL
    assert triples(read("**/*.csv", **NAMES)[0]) == ALL[:3]
    assert triples(read("my*", **NAMES)[0]) == ALL
    several, report = read(["my parts [1]/c.jsonl", "my parts [1]/a.csv"], **NAMES)
    assert triples(several) == [ALL[0], ALL[3]]
    assert report.source == "my parts [1]/c.jsonl and 1 more"
    assert "no such file; none matches this pattern" in refusal("my*/*.tsv")
    (tmp_path / "none").mkdir()
    assert "No file of data is in it." in refusal("none")


def test_no_file_is_counted_twice(parts):
    assert "b.csv: this file is named twice" in refusal([parts / "b.csv", parts])
    (parts / "link.csv").symlink_to(parts / "b.csv")
    assert f"named twice, as {parts / 'b.csv'}" in refusal(parts)
    (parts / "link.csv").unlink()
    (parts / "loop").symlink_to(parts)
    assert read(parts, **NAMES)[1].rows == 5


def test_columns_in_use_are_in_all_parts(tmp_path):
    texts = {"a__csv": "user,item,n\nann,x,1\n", "b__csv": "item,m,user\nx,q,bob\n"}
    folder = written(tmp_path / "p", **texts)
    found, report = read(folder, **NAMES)
    assert triples(found) == [("ann", "x", 1.0), ("bob", "x", 1.0)]
    assert "1 part has other columns than the parts before" in report.warnings[0]
    said = refusal(folder, value="n")
    assert said.startswith(f"{folder / 'b.csv'}: no column 'n', which {folder / 'a.csv'} has")
    said = refusal(folder, timestamp="m")
    assert said.startswith(f"{folder / 'a.csv'}: no column 'm', which {folder / 'b.csv'} has")
    assert "no user column 'who'" in refusal(folder, user="who")


def test_parts_without_names_have_one_width(tmp_path):
    folder = written(tmp_path / "p", a="1,7\n2,8\n", b="3,9\n4,7\n")
    numbers = {"user": 1, "item": 2}
    assert read(folder, **numbers)[0].n_users == 4
    written(folder, c="5,9,1\n6,7,1\n")
    assert "c: 3 columns, but" in refusal(folder, **numbers)
    written(folder, c="user,item\n5,9\n")
    said = refusal(folder, **numbers)
    assert "its first line was taken as a row, but that of" in said
    assert "header=True or False" in said


def test_errors_and_rejects_name_the_part_and_its_line(tmp_path):
    folder = written(
        tmp_path / "p",
        a__csv="user,item,n\nann,x,1\n",
        b__csv="user,item,n\nbob,y,2\nbob,y,lots\n",
        c__csv="user,item,n\ncid,z\nann,x,1\n",
    )
    b, c = folder / "b.csv", folder / "c.csv"
    assert f"{c}, line 2: 3 columns expected" in refusal(folder, value="n")
    c.write_text("user,item,n\nann,x,1\n")
    assert f"{b}, line 3, column 'n': a number expected" in refusal(folder, value="n")
    b.write_text("user,item,n\nbob,y,2\n")
    said = refusal(folder, value="n", duplicates="error")
    assert f"{c}, line 2: equal in every column to {folder / 'a.csv'}, line 2" in said
    b.write_text("user,item,n\nbob,y,lots\n")
    c.write_text("user,item,n\ncid,z\nann,x,1\n")
    rejects = tmp_path / "r.csv"
    _, report = read(folder, **NAMES, value="n", on_error="reject", rejects=rejects)
    assert (report.rejected, report.duplicates) == (2, 1)
    assert rejects.read_text() == (
        "file,line,reason,text\n"
        f"{b},2,\"column 'n': a number expected, found 'lots'\",\"bob,y,lots\"\n"
        f'{c},2,"3 columns expected, 2 found","cid,z"\n'
    )
    for place in (folder / "r.csv", b):
        assert "rejects=" in refusal(folder, on_error="reject", rejects=place)


def test_a_guess_is_said_once(tmp_path):
    texts = {f"{at}__csv": f"customer,article\n{at},7\n" for at in range(3)}
    folder = written(tmp_path / "p", **texts)
    _, report = read(folder, user=1, item=2)
    [warning] = report.warnings
    assert "0.csv: first line taken as column names" in warning
    assert warning.endswith("So it is in 2 more of the 3 parts.")


def test_types_that_differ_meet_in_text(tmp_path):
    folder = written(tmp_path / "p", z__csv="user,item,n,t\n0007,x,1.5,2024-01-02\n")
    day = pa.array([1_704_067_200], pa.timestamp("s"))
    for name, user in (("a", [7.0]), ("b", pa.array([2**60]))):
        table = pa.table({"user": user, "item": ["x"], "n": [2], "t": day})
        pq.write_table(table, folder / f"{name}.parquet")
    found, report = read(folder, **NAMES, value="n", timestamp="t")
    assert triples(found) == [("0007", "x", 1.5), (str(2**60), "x", 2.0), ("7", "x", 2.0)]
    assert report.last_time - report.first_time == 86_400
    pq.write_table(pa.table({"user": [1.5], "item": ["x"]}), folder / "c.parquet")
    assert f"{folder / 'c.parquet'}, row 1, column 'user'" in refusal(folder)


def test_folders_named_by_keys_are_columns(tmp_path):
    for at, (day, land) in enumerate([("2024-01-01", "DE"), ("2024-02-01", "a%2Fb")]):
        place = tmp_path / "hive" / f"date={day}" / f"country={land}"
        place.mkdir(parents=True)
        pq.write_table(pa.table({"user": [at], "item": ["x"]}), place / "part-0.parquet")
    found, report = read(tmp_path / "hive", **NAMES, timestamp="date", items=None)
    assert triples(found) == [(0, "x", 1.0), (1, "x", 1.0)]
    assert report.last_time - report.first_time == 31 * 86_400
    one = str(tmp_path / "hive" / "date=2024-02*" / "*" / "*")
    assert list(read(one, user="country", item="item")[0].users) == ["a/b"]
    pq.write_table(
        pa.table({"user": [1, 2], "item": ["x", "y"], "country": ["DE", "FR"]}),
        tmp_path / "hive" / "date=2024-01-01" / "country=DE" / "part-1.parquet",
    )
    said = refusal(tmp_path / "hive")
    assert "part-1.parquet, row 2: column 'country' is 'FR', but the name" in said
    part = tmp_path / "hive" / "date=2024-01-01" / "country=DE" / "part-1.parquet"
    assert f"read '{tmp_path}/hive', which has" in refusal(part, timestamp="date")


def test_the_item_table_may_be_parts_too(tmp_path):
    likes = written(tmp_path, likes__csv="user,item\nann,x\nann,y\n") / "likes.csv"
    folder = written(tmp_path / "p", a__csv="item,name\nx,X\n", b__csv="name,item\nY,y\n", _no="")
    found, report = read(likes, **NAMES, items=folder, item_name="name")
    assert list(found.catalogue.names) == ["X", "Y"]
    assert (report.items_parts, report.items_ignored) == (2, 1)
    assert dict(report.facts())["parts of the item table"] == "2"


@pytest.mark.parametrize(
    ("address", "command"),
    [
        ("https://example.org/l.csv?a=1&b", "curl -LO 'https://example.org/l.csv?a=1&b'"),
        ("s3://shop/parts/*.csv", "--exclude '*' --include '*.csv'"),
        ("gs://shop/parts/", "gcloud storage cp --recursive gs://shop/parts/ ."),
        ("az://box/l.csv", "az storage blob download"),
        ("abfss://box@shop.dfs.core.windows.net/l.csv", "azcopy copy https://shop.blob."),
        ("file:///tmp/a%20b.csv", "Name the file: '/tmp/a b.csv'"),
    ],
)
def test_addresses_say_the_command_that_fetches_them(address, command):
    said = refusal(address)
    assert f"{address}: addresses are not read. " in said
    assert command in said
