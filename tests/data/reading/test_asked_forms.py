"""Forms that the caller asks for: lines, comments, marks of numbers, units and formats of times."""

import io
import random
from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

from alsolike.cli.group import Verbs
from alsolike.cli.pipeline import read as read_verb
from alsolike.data.reading.cleaning.number_form import NumberForm
from alsolike.data.reading.cleaning.time_form import TimeForm
from alsolike.data.reading.delimited.attempts import try_dialect
from alsolike.data.reading.delimited.dialect import Dialect, FixedDialect
from alsolike.data.reading.delimited.strict_parser import records
from alsolike.data.reading.delimited.table_file import table_file
from alsolike.data.reading.files.text_files import open_text
from alsolike.data.reading.read import read
from alsolike.data.reading.sources import workspace
from alsolike.errors import DataError, SettingError

NAMED = {"user": "user", "item": "item"}
GERMAN = {"decimal": ",", "thousands": ".", "time_format": "%d.%m.%Y"}
JANUARY = datetime(2024, 1, 31, tzinfo=UTC).timestamp()


def file_of(tmp_path, text, name="l.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def cells(interactions):
    table = interactions.user_items.tocoo()
    users, items = interactions.users, interactions.items
    return {
        (users.id_of(int(u)), items.id_of(int(i))): float(v)
        for u, i, v in zip(table.row, table.col, table.data, strict=True)
    }


def message_of(source, **options):
    with pytest.raises(DataError) as caught:
        read(source, **options)
    return str(caught.value)


def seconds_in(connection, form, text):
    sql = TimeForm.of(None, form).sql("t", "NULL")
    return connection.execute(f"SELECT {sql} FROM (SELECT ? AS t)", [text]).fetchone()[0]  # noqa: S608


@pytest.fixture(scope="module")
def connection():
    with workspace(1) as (opened, _):
        yield opened


# The forms that people have: made up, of the exact form of the public files.

FORMS = {
    "MovieLens 100k, u.data": (
        "196\t242\t3\t881250949\n186\t302\t3\t891717742\n22\t242\t1\t878887116\n",
        {"user": 1, "item": 2, "value": 3, "timestamp": 4},
        {("196", "242"): 3, ("186", "302"): 3, ("22", "242"): 1},
        (878887116, 891717742),
    ),
    "MovieLens 1M, ratings.dat": (
        "1::1193::5::978300760\n1::661::3::978302109\n2::1193::4::978298413\n",
        {"user": 1, "item": 2, "value": 3, "timestamp": 4},
        {("1", "1193"): 5, ("1", "661"): 3, ("2", "1193"): 4},
        (978298413, 978302109),
    ),
    "Book-Crossing": (
        '"User-ID";"ISBN";"Book-Rating"\r\n"276725";"034545104X";"0"\r\n"276726";"0155061224";"5"'
        "\r\n",
        {"user": "User-ID", "item": "ISBN", "value": "Book-Rating"},
        {("276726", "0155061224"): 5},
        None,
    ),
    "retailrocket": (
        "timestamp,visitorid,event,itemid,transactionid\n1433221332117,257597,view,355908,\n"
        "1433224214164,992329,view,248676,\n",
        {"user": "visitorid", "item": "itemid", "timestamp": "timestamp", "time_unit": "ms"},
        {("257597", "355908"): 1, ("992329", "248676"): 1},
        (1433221332.117, 1433224214.164),
    ),
    "Excel in German": (
        "\ufeffsep=;\r\nKunde;Artikel;Menge;Datum\r\n1;A7;1.234,5;31.01.2024\r\n1;B2;0,5;1.2.2024\r\n",
        {"user": "Kunde", "item": "Artikel", "value": "Menge", "timestamp": "Datum"} | GERMAN,
        {("1", "A7"): 1234.5, ("1", "B2"): 0.5},
        (JANUARY, JANUARY + 86400),
    ),
    "a report in German": (
        "Bericht\r\nStand: 01.03.2024\r\n\r\nuser;item;n;at\r\n# Ort; eins\r\n"
        "a;x;1.234,5;31.01.2024\r\n"
        "#b;y;2;01.02.2024\r\nb;y;12;01.02.2024\r\n",
        NAMED | {"value": "n", "timestamp": "at", "skip_lines": 3, "comment": "#"} | GERMAN,
        {("a", "x"): 1234.5, ("b", "y"): 12},
        (JANUARY, JANUARY + 86400),
    ),
    "MySQL, tab-separated": (
        "user\titem\tat\tnote\n1\tA\t2024-01-31 00:00:00\t\\N\n2\tB\t2024-02-01 00:00:00\t\\N\n",
        NAMED | {"timestamp": "at"},
        {("1", "A"): 1, ("2", "B"): 1},
        (JANUARY, JANUARY + 86400),
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_these_forms_are_read(name, tmp_path):
    text, options, expected, span = FORMS[name]
    found, report = read(file_of(tmp_path, text, "table"), **options)
    assert cells(found) == expected
    assert (None if span is None else (report.first_time, report.last_time)) == span
    assert report.warnings == ()


# Lines before the table, comments, and Excel's first line.


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", ['Report "of\n', "a,b,c\n\n", "\ufeffsep=;\nTitle\n"])
def test_lines_are_skipped_and_counted_and_numbers_stay_those_of_the_file(tmp_path, before, end):
    count = before.count("\n")
    text = before + "#one\n\n#two\nuser;item;n\na;x;1\n#three\nb;y;2\n\n"
    options = NAMED | {"value": "n", "skip_lines": count, "comment": "#"}
    found, report = read(file_of(tmp_path, text.replace("\n", end)), **options)
    assert cells(found) == {("a", "x"): 1, ("b", "y"): 2}
    assert (report.skipped, report.comments, report.blank, report.rows) == (count, 3, 2, 2)
    facts = dict(report.facts())
    assert facts["lines before the table"] == f"{count} skipped"
    assert facts["comment lines"] == "3 skipped"
    bad = {"\n": "b;y", "\r\n": "b;y;z", "\r": "b;;2"}[end]
    wrong = file_of(tmp_path, text.replace("b;y;2", bad).replace("\n", end))
    assert f"line {count + 7}" in message_of(wrong, **options)


def test_a_quoted_field_may_hold_a_line_like_a_comment(tmp_path):
    path = file_of(tmp_path, '#"\nuser,item\na,"x\n#y"\n"#b",z\n#c,z\n')
    found, report = read(path, comment="#", **NAMED)
    assert cells(found) == {("a", "x\n#y"): 1, ("#b", "z"): 1}
    assert report.comments == 2
    assert "pass comment='#'" in message_of(file_of(tmp_path, "user,item\n# a\na,x\n"), **NAMED)


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;"])
def test_the_first_line_of_excel_names_the_delimiter(tmp_path, first):
    path = file_of(tmp_path, f"{first}\r\nuser;item;a,b\r\na;x;1,5\r\n")
    found, report = read(path, **NAMED)
    assert cells(found) == {("a", "x"): 1}
    assert f"line 1 is {first!r}" in dict(report.facts())["dialect"]
    assert report.skipped == 1
    rows = read(file_of(tmp_path, "sep=;\na,x\nb,y\n"), user=1, item=2, delimiter=",")[0]
    assert cells(rows) == {("a", "x"): 1, ("b", "y"): 1}


def test_lines_of_the_item_table_and_of_json(tmp_path):
    likes = file_of(tmp_path, '// made\n{"user": 1, "item": "x"}\n//\n', "l.jsonl")
    items = file_of(tmp_path, "Items\n%\nitem;name\nx;Good\n%end\n", "i.csv")
    options = NAMED | {"items": items, "item_name": "name", "comment": "//"}
    found, report = read(likes, **options, items_skip_lines=1, items_comment="%")
    assert list(found.catalogue.names) == ["Good"]
    assert (report.comments, report.items_skipped, report.items_comments) == (2, 1, 2)
    assert dict(report.facts())["lines before the item table"] == "1 skipped"
    assert "Pass items_skip_lines=2" in message_of(likes, **options, items_comment="%")
    assert "line 2: 'item'" in message_of(
        file_of(tmp_path, 'x\n{"user":1,"item":1.5}\n', "b.jsonl"), **NAMED, skip_lines=1
    )


# Numbers.


NUMBERS = [
    (",", None, {"1,5": 1.5, "-,5": -0.5, "12": 12, "1,": 1, "1,5e3": 1500, " 2,5 ": 2.5}),
    (",", ".", {"1.234,5": 1234.5, "1.234.567": 1234567, "1234,5": 1234.5}),
    (None, ",", {"1,234.5": 1234.5, "1,23,456": 123456, "+1,234": 1234}),
    (None, "space", {"1 234": 1234, "1\u00a0234": 1234, "1\u202f234.5": 1234.5}),
    ("comma", "'", {"1'234,5": 1234.5, "1\u2019234": 1234}),
    (",", None, dict.fromkeys(["1.5", "1.234,5", "nan", "inf", ",", "1,5\n", "", "1,5,5", "1 5"])),
    (",", ".", dict.fromkeys(["1.5", "1.23.456", "12.34", "1_000", "1.2345,5", ".234", "0x1"])),
    (None, ",", dict.fromkeys(["1,5", ",234", "1,234,", "1.234,5", "1,2345"])),
    (".", None, dict.fromkeys(["1,5", "1_0", "1 000.5"])),
]


@pytest.mark.parametrize(("decimal", "thousands", "texts"), NUMBERS)
def test_numbers_of_the_form_asked_for_and_no_others(connection, decimal, thousands, texts):
    form = NumberForm.of(decimal, thousands)
    found = [
        connection.execute(f"SELECT {form.sql('t')} FROM (SELECT ? AS t)", [text]).fetchone()[0]  # noqa: S608
        for text in texts
    ]
    assert found == list(texts.values())


def test_numbers_of_files_and_frames(tmp_path):
    asked = NAMED | {"value": "n", "decimal": ",", "thousands": "."}
    frame = pd.DataFrame({"user": "a", "item": ["x", "y"], "n": ["1.234", "0,5"]})
    for source in (frame, pl.from_pandas(frame), frame.astype({"n": "category"})):
        found, report = read(source, **asked)
        assert cells(found) == {("a", "x"): 1234, ("a", "y"): 0.5}
        assert report.warnings == ()
    path = file_of(tmp_path, "user;item;n\na;x;3\nb;y;1.5\n")
    assert (
        "line 3, column 'n': a number with ',' before decimals and '.' between thousands expected, "
        "found '1.5'. Fix it"
    ) in message_of(path, **asked)
    found, report = read(path, **asked, on_error="reject", rejects=tmp_path / "rejects.csv")
    assert (cells(found), report.rejected) == ({("a", "x"): 3}, 1)
    path = file_of(tmp_path, "user;item;n\na;x;1.234,5\n")
    assert "found '1.234,5' (if '.' is between thousands, pass thousands='.', too)" in message_of(
        path, **NAMED, value="n", decimal=","
    )


# Times.


DATES = [
    ("%d.%m.%Y", "31.1.2024", 0), ("%d/%m/%Y %H:%M", "31/01/2024 10:20", 37200),
    ("%m/%d/%y %I:%M %p", "1/31/24 1:05 pm", 47100), ("%Y%m%d%H%M%S", "20240131102030", 37230),
    ("%b %d, %Y", "Jan 31, 2024", 0), ("%A %d %B %Y", "Wednesday 31 January 2024", 0),
    ("%Y-%m-%dT%H:%M:%S.%fZ", "2024-01-31T00:00:01.25Z", 1.25), ("%Y-%m", "2024-01", -2592000),
    ("%d/%m/%Y %H:%M:%S %z", "31/01/2024 02:00:00 +0200", 0), ("%%%-d.%m.%Y", "%31.01.2024", 0),
    ("%d/%m/%Y %H:%M:%S %z", "31/01/2024 00:00:00 Z", 0), ("le %d/%m/%Y'", "le 31/01/2024'", 0),
    ("%d/%m/%Y", "13/13/2024", None), ("%d/%m/%Y", "30/02/2024", None),
    ("%d/%m/%Y", " 01/02/2024", None), ("%d/%m/%Y", "01/02/2024 ", None),
    ("%d/%m/%Y", "01/02/202", None), ("%d/%m/%Y", "01/02/0000", None), ("%d/%m/%Y", "", None),
    ("%d/%m/%Y", "infinity", None), ("%d/%m/%Y", "epoch", None), ("%d/%m/%Y", "1.2.2024", None),
    ("%d/%m/%Y", "01/02/2024 10:00", None), ("%Y%m%d", "2024013", None),
    ("%H:%M %d/%m/%Y", "24:00 01/02/2024", None), ("%d/%m/%Y %z", "01/02/2024 +25:00", None),
    ("%d %b %Y", "1 Mai 2024", None), ("%d.%m.%y", "1.2.5", None), ("%d/%m/%Y", "1706659200", None),
]  # fmt: skip


@pytest.mark.parametrize(("form", "text", "seconds"), DATES)
def test_dates_of_the_format_asked_for_and_no_others(connection, form, text, seconds):
    assert seconds_in(connection, form, text) == (None if seconds is None else JANUARY + seconds)


def test_dates_of_files_and_frames(tmp_path):
    form = "%d/%m/%Y"
    options = NAMED | {"timestamp": "at", "time_format": form}
    frame = pd.DataFrame({"user": ["a"], "item": ["x"], "at": ["31/01/2024"]})
    frame.to_parquet(tmp_path / "l.parquet")
    for source in (frame, tmp_path / "l.parquet"):
        found, report = read(source, **options)
        assert found.timestamps.tolist() == [JANUARY]
        assert report.time_form == f"time format {form!r}"
    path = file_of(tmp_path, "user;item;at\na;x;31/01/2024\nb;y;31.01.2024\n")
    said = f"line 3, column 'at': a time written as {form!r} expected, found '31.01.2024'. Fix"
    assert said in message_of(path, **options)


def test_what_python_formats_is_read_back(connection):
    rng = random.Random(0)
    forms = ["%d.%m.%Y %H:%M:%S", "%Y%m%d%H%M%S", "%I:%M:%S %p, %B %d %Y", "%H-%M-%S %a %b %d %Y"]
    for form in forms * 25:
        seconds = rng.randrange(-30_000_000_000, 250_000_000_000)  # the years 1019 to 9892
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        assert seconds_in(connection, form, moment.strftime(form)) == seconds


@pytest.mark.parametrize(
    ("unit", "number", "seconds"),
    [
        ("s", 1706659200.5, 0.5), ("ms", 1706659200117, 0.117), ("us", 1706659200000001, 1e-6),
        ("ns", 1706659200000000000, 0), ("days", 19753, 0), ("excel", 45322.25, 21600),
        ("days", 19753.5, 43200), ("s", 0, -JANUARY), ("s", 253402300799, 253402300799 - JANUARY),
    ],
)  # fmt: skip
def test_times_of_the_unit_asked_for(connection, unit, number, seconds):
    sql = TimeForm.of(unit, None).sql("NULL", "CAST(n AS DOUBLE)")
    found = connection.execute(f"SELECT {sql} FROM (SELECT ? AS n)", [number]).fetchone()  # noqa: S608
    assert found == (pytest.approx(JANUARY + seconds, abs=1e-7),)


def test_units_of_files_and_frames(tmp_path):
    frame = pd.DataFrame({"user": ["a"], "item": ["x"], "at": [1706659200117]})
    frame.to_json(tmp_path / "l.jsonl", orient="records", lines=True)
    for source in (frame, frame.astype(str), tmp_path / "l.jsonl"):
        found, report = read(source, timestamp="at", time_unit="ms", **NAMED)
        assert found.timestamps.tolist() == [1706659200.117]
        assert report.warnings == ()
        assert dict(report.facts())["times"].endswith("(UTC; time unit ms)")


def test_times_beyond_the_calendar_or_of_another_form_are_errors(tmp_path):
    for unit, text in (
        ("s", "1706659200117000"),
        ("ms", "2024-01-31"),
        ("days", ""),
        ("ns", "inf"),
    ):
        path = file_of(tmp_path, f"user,item,at\na,x,1\nb,y,{text}\n")
        message = message_of(path, timestamp="at", time_unit=unit, **NAMED)
        assert "line 3, column 'at': " in message
        assert "from the year 1 to 9999 expected" in message
    frame = pa.table({"user": ["a"], "item": ["x"], "at": [datetime(2024, 1, 31)]})
    assert "times of type TIMESTAMP" in message_of(frame, timestamp="at", time_unit="ms", **NAMED)
    path = file_of(tmp_path, "user;item;at\na;x;45322,25\n")
    found, _ = read(path, timestamp="at", time_unit="excel", decimal=",", **NAMED)
    assert found.timestamps.tolist() == [JANUARY + 21600]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"skip_lines": -1}, "skip_lines must be a whole number of at least 0"),
        ({"items_skip_lines": 1}, "begin with items_ need items="),
        ({"comment": ""}, "comment=''"), ({"comment": '"', "quote": '"'}, "would begin a row"),
        ({"decimal": ","}, "are for the column of value="),
        ({"value": 3, "decimal": "1"}, "decimal="),
        ({"value": 3, "decimal": ".", "thousands": "."}, "two marks are needed"),
        ({"value": 3, "thousands": "."}, "pass decimal=',', too"),
        ({"time_unit": "ms"}, "are for the column of timestamp="),
        ({"timestamp": 3, "time_unit": "min"}, "one of 's', 'ms', 'us', 'ns', 'days', 'excel'"),
        ({"timestamp": 3, "time_unit": "s", "time_format": "%Y"}, "not both"),
        ({"timestamp": 3, "time_format": "%d/%m"}, "a date with a year expected"),
        ({"timestamp": 3, "time_format": "%Y %Q"}, "%Q is not understood; known are %%, %a"),
        ({"timestamp": 3, "time_format": "%Y %"}, "% is not understood"),
        ({"timestamp": 3, "time_format": "%Y %I"}, "%I needs %p"),
        ({"timestamp": 3, "time_format": "%Y %Y"}, "%Y occurs twice"),
        ({"timestamp": 3, "time_format": "%Y %y"}, "contradict"),
    ],
)  # fmt: skip
def test_settings_that_contradict(options, said, tmp_path):
    path = file_of(tmp_path, "a,x,1\n")
    with pytest.raises(SettingError) as caught:
        read(path, user=1, item=2, **options)
    assert said in str(caught.value)


def test_sources_without_lines_have_none_to_skip(tmp_path):
    frame = pd.DataFrame({"user": ["a"], "item": ["x"]})
    frame.to_parquet(tmp_path / "l.parquet")
    for source in (frame, tmp_path / "l.parquet"):
        with pytest.raises(SettingError, match=r"skip_lines= is for text; a .* has no lines"):
            read(source, **NAMED, skip_lines=1)
    with pytest.raises(DataError, match=r"skip_lines=2 leaves nothing; the file has 2 lines"):
        read(file_of(tmp_path, "user,item\na,x\n"), **NAMED, skip_lines=2)


def test_the_options_are_typed_on_the_command_line(tmp_path):
    path = file_of(tmp_path, "Report\n#\nuser;item;n;at\na;x;1.234,5;31.01.2024\n")
    asked = ["read", str(path), "--value", "n", "--timestamp", "at"]
    typed = ["--skip-lines", "1", "--comment", "#", "--decimal", ",", "--thousands", "."]
    verbs = Verbs(commands={"read": read_verb})
    result = CliRunner().invoke(verbs, [*asked, *typed, "--time-format", "%d.%m.%Y"])
    assert result.exit_code == 0, result.output
    assert "numbers                 decimal ',', thousands '.'" in result.output
    assert "(UTC; time format '%d.%m.%Y')" in result.output


# Delimiters of several characters: DuckDB is kept only where it reads what the parser reads.

DELIMITERS = ["::", ":::", "||", "|~|", "aab", "abab", "aa", " | ", "é:", "é"]


def test_long_delimiters_are_read_as_the_parser_reads_them(connection, tmp_path):
    rng, counts = random.Random(0), {True: 0, False: 0}
    for _ in range(250):
        delimiter, end = rng.choice(DELIMITERS), rng.choice(["\n", "\r\n"])
        letters = [*delimiter, "x", rng.choice('x"')]
        rows = [
            delimiter.join("".join(rng.choices(letters, k=rng.randrange(5))) for _ in range(2))
            for _ in range(rng.randrange(1, 4))
        ]
        before = rng.choice(["", f"title{end}", f'ti"tle{end}{end}'])
        text = "".join(f"{row}{end}" for row in rows)
        path = file_of(tmp_path, before + text)
        fixed = FixedDialect(skip_lines=before.count("\n"))
        dialect = Dialect(delimiter, '"', '"', header=False)
        file, _ = table_file(open_text(path, tmp_path), fixed)
        attempt = try_dialect(connection, "t", file, dialect)
        expected = list(records(io.StringIO(text, newline=""), dialect.grammar))
        counts[attempt.problem is None] += 1
        if attempt.problem is not None:
            assert any(row.fields is None or len(row.fields) == 1 for row in expected)
            continue
        found = connection.execute("SELECT * FROM t ORDER BY rowid").fetchall()
        read_by_parser = [row.fields for row in expected if row.fields]
        assert [[one or "" for one in row] for row in found] == read_by_parser
    assert min(counts.values()) > 20
