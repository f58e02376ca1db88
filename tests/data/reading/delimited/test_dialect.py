"""Dialects are found on whole files, and read as Python's csv module reads them."""

import csv
import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.delimited.load import load_delimited
from alsolike.data.reading.delimited.strict_parser import Grammar, records
from alsolike.data.reading.delimited.table_file import table_file
from alsolike.data.reading.files.text_files import open_text
from alsolike.data.reading.sources import workspace
from alsolike.errors import DataError, SettingError


def real(*parts: str) -> Path:
    if "ALSOLIKE_DATA" not in os.environ:
        pytest.skip("ALSOLIKE_DATA is not set")
    return Path(os.environ["ALSOLIKE_DATA"], *parts)


def table_of(path, *names, reject=False, **options):
    """The rows that stand in DuckDB, the loaded description, and whether DuckDB's own sufficed."""
    fixed = FixedDialect.of(
        *(options.get(key) for key in ("delimiter", "quote", "escape", "header"))
    )
    with workspace(2) as (connection, scratch):
        file, fixed = table_file(open_text(Path(path), scratch), fixed)
        loaded = load_delimited(connection, "t", file, fixed, names, reject=reject)
        rows = connection.execute(
            "SELECT * FROM t WHERE rowid >= ? ORDER BY rowid", [loaded.skip]
        ).fetchall()
    return [[cell or "" for cell in row] for row in rows], loaded


def write(path: Path, rows, **dialect) -> Path:
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    path.write_bytes(out.getvalue().encode())
    return path


def test_the_articles_dialect_is_found_and_equals_the_csv_module():
    path = real("sketchfab-catalogue-only", "model_urls.psv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        oracle = list(csv.reader(text, delimiter="|", quotechar="\\", doublequote=True))
    rows, loaded = table_of(path, "name", "mid")
    assert str(loaded.dialect) == "delimiter '|', quote '\\', escape '\\', header yes"
    assert "fails at line 107" in loaded.dialect.reason
    assert rows == oracle[1:]
    assert len(rows) == loaded.rows == 28_824
    assert len({mid for _, mid in rows}) == 28_806
    assert sum("\n" in name for name, _ in rows) == 1


def test_names_without_any_quoting_are_found():
    rows, loaded = table_of(real("lastfm-2k", "artists.dat.gz"), "id", "name")
    assert str(loaded.dialect) == "delimiter tab, quote none, escape none, header yes"
    assert len(rows) == 17_632
    assert '"Weird Al" Yankovic' in {row[1] for row in rows}


@pytest.mark.parametrize(
    ("place", "names", "rows", "dialect"),
    [
        (("lastfm-2k", "user_artists.dat.gz"), ("userID", "weight"), 92_834, "delimiter tab"),
        (("steam-200k", "item_info.dat.gz"), ("Game_ID", "Game Name"), 5_155, "delimiter tab"),
        (("lightgcn-gowalla", "item_list.txt.gz"), ("org_id", "remap_id"), 40_981, "delimiter ' '"),
        (
            ("online-retail-2010-2011", "online_retail_2010_2011.csv.gz"),
            ("CustomerID", "Description"),
            541_909,
            "delimiter ',', quote '\"', escape '\"', header yes",
        ),
    ],
)
def test_real_files(place, names, rows, dialect):
    found, loaded = table_of(real(*place), *names)
    assert len(found) == loaded.rows == rows
    assert str(loaded.dialect).startswith(dialect)


CELL = st.text(st.sampled_from("ab\"\\' ,|\n\t;é"), max_size=6)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=5),
    delimiter=st.sampled_from([",", "|", "\t", ";"]),
    quote=st.sampled_from(['"', "\\"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@example(rows=[("a", "x\ny", "b"), ("", "", "")], delimiter=",", quote='"', end="\r\n")
def test_what_the_csv_module_writes_is_read_back(tmp_path, rows, delimiter, quote, end):
    dialect = {"delimiter": delimiter, "quotechar": quote, "lineterminator": end}
    path = write(tmp_path / "t.csv", [("u", "i", "n"), *rows], **dialect)
    found, loaded = table_of(path, delimiter=delimiter, quote=quote, escape=quote, header=True)
    assert found == [list(row) for row in rows]
    assert loaded.rows == len(rows)
    assert loaded.blank == 0


@settings(max_examples=80, deadline=None)
@given(text=st.text(st.sampled_from('a"| \n\\'), max_size=20), escape=st.sampled_from('"\\'))
def test_the_records_of_any_text_agree_with_a_strict_csv_reader(text, escape):
    lines = text.splitlines(keepends=True)
    ours = list(records(lines, Grammar("|", '"', escape)))
    if any(record.fields is None for record in ours):
        return
    doubled = escape == '"'
    theirs = csv.reader(
        lines,
        delimiter="|",
        quotechar='"',
        doublequote=doubled,
        escapechar=None if doubled else "\\",
        strict=True,
    )
    if not doubled and "\\" in text:
        return  # outside quotes the csv module unescapes, a delimited file does not
    assert [r.fields for r in ours if r.fields and "".join(r.fields).strip()] == [
        row for row in theirs if "".join(row).strip()
    ]


def test_a_quote_left_open_costs_one_line():
    text = 'u|"i\na|"b|c"\nd|e\n'.splitlines(keepends=True)
    found = list(records(text, Grammar("|", '"', '"'), width=2))
    assert [(r.line, r.fields) for r in found] == [(1, None), (2, ["a", "b|c"]), (3, ["d", "e"])]


@pytest.mark.parametrize(
    "content",
    [
        'u,i\na, "x"\nb,y\n',  # DuckDB would trim around the quotes
        "u,i\r\na,x\nb,y\r\n",  # and lose lines where line ends are mixed
        'u,i\n"a\rb",x\n',
        "u,i\na,x\n \nb,y\n",
    ],
)
def test_what_duckdb_would_bend_is_read_exactly(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    oracle = [row for row in csv.reader(io.StringIO(content, newline="")) if "".join(row).strip()]
    rows, _ = table_of(path, "u", "i")
    assert rows == oracle[1:]


def test_a_spare_delimiter_is_never_swallowed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("u,i\na,x,\nb,y\n")
    with pytest.raises(DataError, match=r"t\.csv, line 2: 2 columns expected, 3 found"):
        table_of(path, "u", "i")


def test_a_field_longer_than_two_megabytes(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f'u,i,n\na,x,"{"long " * 600_000}"\nb,y,short\n')
    rows, _ = table_of(path, "u", "i")
    assert len(rows[0][2]) == 3_000_000
    assert rows[1] == ["b", "y", "short"]


def test_options_override_what_would_be_found(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text('u\ti\na\t"x"\n')
    assert table_of(path, "u")[0] == [["a", "x"]]
    assert table_of(path, "u", quote="none", delimiter="tab")[0] == [["a", '"x"']]
    with pytest.raises(DataError, match="at least 2 columns expected, 1 found"):
        table_of(path, "u", delimiter="|")


def test_multi_character_delimiter_and_no_header(tmp_path):
    path = tmp_path / "ratings.dat"
    path.write_text("1::1193::5::978300760\n1::661::3::978302109\n")
    rows, loaded = table_of(path, "1", 2, 3)
    assert loaded.dialect.delimiter == "::"
    assert not loaded.dialect.header
    assert len(rows) == 2


def test_a_header_is_found_by_number_over_words(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("user,item\n1,2\n3,4\n")
    rows, loaded = table_of(path, 1, 2)
    assert loaded.dialect.header
    assert rows == [["1", "2"], ["3", "4"]]


def test_wildcards_in_names_are_plain_characters(tmp_path):
    for name in ("a*.csv", "a[bc].csv", "q'\"?.csv", "k=v.csv"):
        (tmp_path / name).write_text("u,i\n1,2\n")
    assert table_of(tmp_path / "a*.csv", "u")[0] == [["1", "2"]]
    assert table_of(tmp_path / "a[bc].csv", "u")[0] == [["1", "2"]]
    assert table_of(tmp_path / "q'\"?.csv", "u")[0] == [["1", "2"]]


@pytest.mark.parametrize(
    "options", [{"delimiter": ""}, {"delimiter": "\n"}, {"quote": "ab"}, {"escape": "xx"}]
)
def test_impossible_options(options):
    fixed = {"delimiter": None, "quote": None, "escape": None, "header": None} | options
    with pytest.raises(SettingError):
        FixedDialect.of(**fixed)
