"""Archives, standard input, workbooks, databases, lakes and queries."""

import bz2
import datetime
import io
import lzma
import shutil
import sqlite3
import sys
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

NAMES = {"user": "user", "item": "item"}
CSV = b"user,item\nann,x\nbob,y\n"
TABLE = pa.table({"user": [1, 2, 3], "item": ["x", "y", "x"]})


def users(source, **options):
    return list(read(source, **(NAMES | options))[0].users)


def refusal(source, **options) -> str:
    with pytest.raises((DataError, SettingError)) as caught:
        read(source, **(NAMES | options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def archive(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/").replace("_csv", ".csv"), content)
    return path


# Packed files and standard input.


@pytest.mark.parametrize(("pack", "name"), [(bz2.compress, "bzip2"), (lzma.compress, "xz")])
def test_packed_files_are_read_by_their_content(pack, name, tmp_path):
    path = tmp_path / "l.csv"
    path.write_bytes(pack(CSV))
    assert users(path) == ["ann", "bob"]
    path.write_bytes(pack(b"user,item\nann\n"))
    assert f"{path}, line 2: 2 columns expected" in refusal(path)
    path.write_bytes(pack(CSV)[:-9])
    assert "truncated" in refusal(path)
    damaged = bytearray(pack(CSV * 9))
    damaged[30] ^= 255
    path.write_bytes(damaged)
    assert "damaged" in refusal(path)
    (tmp_path / "l.bz2").write_bytes(CSV)
    assert "the name ends in .bz2" in refusal(tmp_path / "l.bz2")


def test_an_archive_is_its_file_or_its_parts(tmp_path):
    path = archive(tmp_path / "l.zip", a__likes_csv=CSV, __MACOSX___x="q", empty_csv="")
    found, report = read(path, **NAMES)
    assert list(found.users) == ["ann", "bob"]
    assert (report.source, report.ignored) == (f"{path}::a/likes.csv", 2)
    archive(path, a_csv=CSV, b_csv="item,user\nx,cid\n", c_csv=bz2.compress(b"user,item\nd,x\n"))
    assert users(path) == ["ann", "bob", "cid", "d"]
    archive(path, ratings_csv=CSV, movies_csv="item,name\nx,Heat\ny,Ran\n", README="Words.\n")
    said = refusal(path)
    assert f"name it: {path}::movies.csv, {path}::ratings.csv." in said
    found, _ = read(f"{path}::ratings.csv", **NAMES, items=f"{path}::movies.csv", item_name="name")
    assert list(found.catalogue.names) == ["Heat", "Ran"]
    assert f"no file 'x' in the archive. Name one of {path}::README" in refusal(f"{path}::x")


def test_archives_that_cannot_be_read(tmp_path):
    path = archive(tmp_path / "l.zip", l_csv=CSV)
    content = bytearray(path.read_bytes())
    content[content.index(b"l.csv") + 8] ^= 255
    path.write_bytes(content)
    assert "the ZIP archive is damaged" in refusal(path)
    path.write_bytes(path.read_bytes()[:40])
    assert "damaged or truncated" in refusal(path)
    archive(path, inner=archive(tmp_path / "inner.zip", l_csv=CSV).read_bytes())
    assert "an archive in an archive" in refusal(path)
    (tmp_path / "l.csv").write_bytes(CSV)
    assert "this is one table. Leave it out." in refusal(f"{tmp_path / 'l.csv'}::x")


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(TABLE, out)
    return out.getvalue()


@pytest.mark.parametrize(
    "content", [CSV, bz2.compress(CSV), b'{"user": "ann", "item": "x"}\n', parquet()]
)
def test_standard_input_may_be_anything(content, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    found, report = read("-", **NAMES)
    assert report.source == "standard input"
    assert found.users.id_of(0) in ("ann", 1)


def test_standard_input_that_cannot_be_read(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(CSV)
    assert users("./-") == ["ann", "bob"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "standard input is empty" in refusal("-")
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in refusal("-")
    assert "is named twice" in refusal("-", items="-")


# Workbooks.


@pytest.fixture
def book(tmp_path):
    pytest.importorskip("python_calamine")
    openpyxl = pytest.importorskip("openpyxl")
    made = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Likes"
    for row in (
        ["user", "item", "n", "at"],
        [1, "x", 1.5, datetime.datetime(2024, 1, 2, 12)],
        [],
        [10**15, "y", 2, datetime.date(2024, 1, 3)],
    ):
        sheet.append(row)
    made.create_sheet("Other").append(["a", "b"])
    made.save(tmp_path / "l.xlsx")
    return tmp_path / "l.xlsx"


def test_a_sheet_is_read_with_its_rows_numbers_and_dates(book):
    found, report = read(book, **NAMES, value="n", timestamp="at")
    assert list(found.users) == [1, 1000000000000000]
    assert found.user_items.data.tolist() == [1.5, 2.0]
    assert report.last_time - report.first_time == 43_200
    assert (report.source, report.blank) == (f"{book}::Likes", 1)
    assert "the first of 2 sheets was read, 'Likes'" in report.warnings[0]
    named = f"{book}::Likes"
    assert not read(named, **NAMES)[1].warnings
    assert f"{named}, row 2, column 'n': user ids are" in refusal(named, user="n")
    assert "column names" in read(named, user=1, item=2)[1].warnings[0]
    assert "no sheet 'likes'; the sheets are 'Likes', 'Other'. Did" in refusal(f"{book}::likes")
    assert "no rows after the names" in refusal(f"{book}::Other")


def test_workbooks_that_cannot_be_read(book, monkeypatch):
    book.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "the workbook cannot be read" in refusal(book)
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    assert "pip install 'alsolike[excel]'" in refusal(book)


# Databases.


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "l.db"
    made = sqlite3.connect(path)
    made.execute("CREATE TABLE likes (user, item, n)")
    rows = [(2**60, "x", 1), (7, "y", 2.5), (7, None, 3)]
    made.executemany("INSERT INTO likes VALUES (?, ?, ?)", rows)
    made.commit()
    yield path, made
    made.close()


def test_the_only_table_of_a_database_is_read(database):
    path, made = database
    found, report = read(path, **NAMES, value="n", missing_id="drop")
    assert list(found.users) == [2**60, 7]
    assert report.source == f"{path}::likes"
    assert f"{path}::likes, row 3, column 'item'" in refusal(path)
    assert "row 2, column 'n': user ids are text or whole" in refusal(path, user="n")
    made.execute('CREATE VIEW "odd ""name" AS SELECT user, \'v\' AS item FROM likes')
    made.execute("INSERT INTO likes VALUES (X'00ff', 'z', 1)")
    made.commit()
    said = refusal(path)
    assert f"the tables are 'likes', 'odd \"name'. Name one, such as {path}::likes" in said
    assert f'{path}::odd "name, row 4' in refusal(f'{path}::odd "name')
    assert "no table 'like'. Did you mean 'likes'?" in refusal(f"{path}::like")
    assert "row 4, column 'user'" in refusal(f"{path}::likes", missing_id="drop")


def test_a_database_is_read_as_it_is_and_left_so(database):
    path, made = database
    made.execute("PRAGMA journal_mode = WAL")
    made.execute("DELETE FROM likes WHERE item IS NULL")
    made.execute("INSERT INTO likes VALUES ('zed', 'x', 1)")
    made.commit()
    before = sorted((one.name, one.read_bytes()) for one in path.parent.iterdir())
    assert users(path) == [str(2**60), "7", "zed"]  # still in the log next to it
    assert sorted((one.name, one.read_bytes()) for one in path.parent.iterdir()) == before
    (path.parent / "bad.db").write_bytes(path.read_bytes()[:3000])
    assert "damaged" in refusal(path.parent / "bad.db")


# Lakes.


def test_a_delta_table_is_its_newest_version(tmp_path, monkeypatch):
    deltalake = pytest.importorskip("deltalake")
    deltalake.write_deltalake(str(tmp_path / "t"), TABLE)
    deltalake.DeltaTable(str(tmp_path / "t")).delete("item = 'y'")
    assert users(tmp_path / "t") == [1, 3]
    (tmp_path / "a.csv").write_bytes(CSV)  # a lake may be a part: only its newest files count
    assert users(tmp_path) == users(f"{tmp_path}/**") == ["1", "3", "ann", "bob"]
    monkeypatch.setitem(sys.modules, "deltalake", None)
    assert "pip install 'alsolike[delta]'" in refusal(tmp_path / "t")


@pytest.mark.filterwarnings("ignore")  # of the library that writes the table
def test_an_iceberg_table_is_its_newest_version_also_copied(tmp_path, monkeypatch):
    sql = pytest.importorskip("pyiceberg.catalog.sql")
    catalog = sql.SqlCatalog("c", uri="sqlite:///:memory:", warehouse=f"file://{tmp_path}/w")
    catalog.create_namespace("n")
    made = catalog.create_table("n.t", schema=TABLE.schema)
    made.append(TABLE)
    made.delete("item = 'y'")
    assert users(tmp_path / "w" / "n" / "t") == [1, 3]
    shutil.move(tmp_path / "w" / "n" / "t", tmp_path / "copy")
    assert users(tmp_path / "copy") == [1, 3]
    [newest] = sorted((tmp_path / "copy" / "metadata").glob("00002*.json"))
    newest.write_text(newest.read_text().replace(f"file://{tmp_path}/w/n", "s3://shop"))
    newest.write_text(newest.read_text().replace('"location":"s3://shop/t"', '"location":"x"'))
    assert "only local files are read" in refusal(tmp_path / "copy")
    for name in [one for one in sys.modules if one.startswith("pyiceberg")]:
        monkeypatch.setitem(sys.modules, name, None)
    assert "pip install 'alsolike[iceberg]'" in refusal(tmp_path / "copy")


# Queries.


def test_a_query_reads_local_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(CSV + b"ann,x\n")
    pq.write_table(TABLE, "t.parquet")
    query = 'SELECT user, item, count(*) AS n FROM "*.csv" GROUP BY ALL -- so many'
    found, report = read(sql=query, **NAMES, value="n")
    assert found.user_items.data.tolist() == [2.0, 1.0]
    assert report.source == "the query"
    assert "DuckDB guesses the types of '*.csv'" in report.warnings[0]
    (tmp_path / "j.jsonl").write_text('{"user": "0042", "item": "x"}\n')
    both = "FROM 'a.csv' SEMI JOIN 'a.csv' AS b USING (user) UNION ALL FROM 'j.jsonl'"
    found, report = read(sql=both, **NAMES)
    assert "0042" in list(found.users)
    assert [one.split("guesses the types of ")[1].split(",")[0] for one in report.warnings] == [
        "'a.csv'", "'j.jsonl'"
    ]  # fmt: skip
    for plain in ("FROM 't.parquet';", "FROM read_csv('a.csv', all_varchar = true)"):
        assert not read(sql=plain, **NAMES)[1].warnings
    assert read(sql="WITH t AS (FROM 't.parquet') SELECT * FROM t", **NAMES)[1].rows == 3
    assert "row 1, column 'user'" in refusal(None, sql="SELECT 0.5 AS user, 1 AS item")
    assert "sql= is a source of its own" in refusal("a.csv", sql=query)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FORM x", "the query: Parser Error: syntax error"),
        ("SELECT 1 AS item,\n  x AS user", "LINE 2: x AS user"),
        ("FROM 'nowhere.csv'", "the query: "),
        ("SELECT 1; SELECT 2", "one SELECT expected, found SELECT, SELECT"),
        ("", "one SELECT expected, found none"),
        ("COPY (SELECT 1) TO 'x.csv'", "found COPY"),
        ("ATTACH 'x.db'", "found ATTACH"),
        ("INSTALL httpfs", "found LOAD"),
        ("SET threads = 2", "found SET"),
        ("CREATE TABLE t AS SELECT 1", "found CREATE"),
        ("FROM enable_logging(storage = 'file')", "enable_logging is not allowed"),
        ("FROM query('SELECT 1')", "query is not allowed"),
        ("SELECT (SELECT count(*) FROM checkpoint())", "checkpoint is not allowed"),
        ("FROM 'https://example.org/l.csv'", "curl -LO https://example.org/l.csv"),
        ("FROM read_parquet(['s3://shop/l.parquet'])", "aws s3 cp s3://shop/l.parquet ."),
        ("DESCRIBE SELECT 1", "one SELECT expected"),
        ("SELECT 1 AS user, 2 AS item WHERE false", "gives no rows"),
    ],
)
def test_a_query_does_nothing_else(query, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refusal(None, sql=query)
    assert not list(tmp_path.iterdir())
