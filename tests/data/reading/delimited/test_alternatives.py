"""Doubts about text files that hold quotes, numbers for names, JSON, or bytes that are no UTF-8."""

import collections
import shlex
import subprocess
import sys
from pathlib import Path

import click.testing
import pandas
import pytest

from alsolike.cli.group import main
from alsolike.data.reading.read import read
from alsolike.errors import DataError


def likes(tmp_path: Path, text: str | bytes, name: str = "l.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("inner", ["\t", ";", "|"])
@pytest.mark.parametrize("line", ['"{0}","a{1}b"', '{0},"a{1}b"', '"{0}","a{1}b","x{1}y"'])
def test_a_delimiter_within_quotes_is_none(tmp_path, inner, line):
    text = "".join(line.format(f"u{n}", inner) + "\n" for n in range(3))
    found, _ = read(likes(tmp_path, text), user=1, item=2, header=False)
    assert list(found.users) == ["u0", "u1", "u2"]
    assert list(found.items) == [f"a{inner}b"]


def test_items_of_another_encoding_are_decoded_or_set_aside(tmp_path):
    items = likes(tmp_path, "1::Heat::Crime\n2::Am\xe9lie::Love\n".encode("latin-1"), "m.dat")
    path = likes(tmp_path, "7::1::5\n7::2::3\n8::1::4\n")
    rejects = tmp_path / "r.csv"
    options = {"user": 1, "item": 2, "items": items, "item_id": 1, "item_name": 2}
    found, report = read(path, **options)
    assert list(found.catalogue.names) == ["Heat", "Am\xe9lie"]
    assert report.items_encoding == "Latin-1"
    assert any("read as Latin-1: '2::Am\xe9lie::Love'" in one for one in report.warnings)
    found, _ = read(path, **options, items_encoding="utf-8", on_error="reject", rejects=rejects)
    assert list(found.catalogue.names) == ["Heat", ""]
    assert f"{items},2,bytes that are not UTF-8" in rejects.read_text()


def test_a_row_with_a_stray_quote_is_not_called_a_line_before_the_table(tmp_path):
    path = likes(tmp_path, '"\t15\tx\n7\t49\ty\n8\t30\tz\n')
    with pytest.raises(DataError, match="never closed") as caught:
        read(path, user=1, item=2)
    assert "before the table" not in str(caught.value)


@pytest.mark.parametrize("text", ["0,1,2\n5,7,1\n8,9,1\n", ",0,1\n0,7,1\n1,9,1\n", "0,1\n5,6\n"])
def test_numbers_in_place_of_names_are_said(tmp_path, text):
    _, report = read(likes(tmp_path, text), user=1, item=2, missing_id="drop")
    assert "first line taken as a row" in report.warnings[0]


def test_pairs_that_begin_with_0_and_1_are_no_doubt(tmp_path):
    assert not read(likes(tmp_path, "0,1\n0,2\n1,2\n"), user=1, item=2)[1].warnings


def test_a_name_beside_a_number_over_numbers_is_said(tmp_path):
    _, report = read(likes(tmp_path, "id,2024\nann,5\nbob,6\n"), user=1, item=2)
    assert "first line taken as a row: 'id', '2024'" in report.warnings[0]


def test_the_line_of_names_occurs_again(tmp_path):
    path = likes(tmp_path, 'user,item,\nann,x,\n"user",item,\nbob,y,\nuser,item,\n')
    _, report = read(path, user="user", item="item")
    told = "2 rows, from line 3 on, are equal to the header"
    assert any(told in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("cell", "way"), [('a\\"b', "doubled"), ('"a\\\\b"', "pass escape='\\\\'")]
)
def test_the_way_out_of_escapes_works(tmp_path, cell, way):
    path = likes(tmp_path, f"user,item\nann,{cell}\nbob,c\n")
    _, report = read(path, user="user", item="item")
    assert way in " ".join(report.warnings)
    if "escape=" in way:
        found, _ = read(path, user="user", item="item", escape="\\")
        assert list(found.items) == ["a\\b", "c"]


def test_json_lines_are_known_by_their_content(tmp_path):
    text = '{"user": "ann", "item": "m1"}\n{"user": "bob", "item": "m1"}\n'
    found, report = read(likes(tmp_path, text), user="user", item="item")
    assert report.format == "JSON lines"
    assert list(found.users) == ["ann", "bob"]


@pytest.mark.parametrize("name", ["one.json", "one.csv"])
def test_one_json_document_is_named_with_its_file(tmp_path, name):
    path = likes(tmp_path, '[\n{"user": "ann", "item": "m1"}]', name)
    with pytest.raises(DataError, match="this is one array") as caught:
        read(path, user="user", item="item")
    assert f"jq -c '.[]' {path} > new.jsonl" in str(caught.value)
    path = likes(tmp_path, '{\n  "rows": [{"user": "ann"}]\n}', name)
    with pytest.raises(DataError, match="takes several lines") as caught:
        read(path, user="user", item="item")
    assert f"jq -c '.rows[]' {path} > new.jsonl" in str(caught.value)


def test_braces_and_brackets_alone_are_no_json(tmp_path):
    for first in ('{"a": 1},x', "{ann},x", "[1],x"):
        found, _ = read(likes(tmp_path, f"{first}\nbob,y\n"), user=1, item=2, header=False)
        assert found.n_users == 2


def test_matrix_market_becomes_a_table_as_said(tmp_path):
    head = "%%MatrixMarket matrix coordinate real general\n"
    path = likes(tmp_path, f"{head}% made\n2 3 2\n1 1 5\n2 3 4\n", "x.mtx")
    with pytest.raises(DataError, match="Matrix Market") as caught:
        read(path, user=1, item=2)
    words = shlex.split(str(caught.value).partition("users x items: ")[2])
    subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, check=True)
    found, _ = read(tmp_path / "new.csv", user="user", item="item", value="value")
    assert (list(found.items), found.user_items.data.tolist()) == (["0", "2"], [5, 4])


def test_arff_becomes_a_table_as_said(tmp_path):
    text = "% made\n\n@RELATION x\n@ATTRIBUTE user string\n@DATA\nann,m1\nbob,m2\n"
    with pytest.raises(DataError, match="an ARFF file") as caught:
        read(likes(tmp_path, text, "x.arff"), user="user", item="item")
    command = str(caught.value).partition("@data: ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert read(tmp_path / "new.csv", user=1, item=2)[0].n_interactions == 2


@pytest.mark.parametrize(
    ("text", "options", "way"),
    [
        ("a;x;1,5\nb;y;2,5\n", ["--no-header"], ["--delimiter", ","]),
        ('a,"x\ty"\nb,"y\tz"\n', ["--no-header"], ["--delimiter", "tab"]),
        ('user,item\na,"x\\\\y"\nb,z\n', [], ["--escape", "\\"]),
        ("user,item\na,'x'\nb,z\n", [], ["--quote", "'"]),
        ('user,item\na,"x\ny,z"\nb,z\n', [], ["--quote", "none"]),
        ("user,item\nann,x\nbob,y\n", [], ["--no-header"]),
    ],
)
def test_warnings_name_options_as_they_are_typed(tmp_path, text, options, way):
    path = likes(tmp_path, text)
    typed = ["read", str(path), "--user", "1", "--item", "2", *options]
    result = click.testing.CliRunner().invoke(main, typed)
    told = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    [hint] = [line for line in told if way[0] in line]
    words = shlex.split(hint[hint.index(f"{way[0]}") :].removesuffix(".").partition(", or ")[0])
    assert words[: len(way)] == way
    again = click.testing.CliRunner().invoke(main, [*typed, *words])
    assert again.exit_code == 0
    assert hint not in again.stderr


@pytest.mark.parametrize("mark", ['"', "'", "\\"])
@pytest.mark.parametrize("names", ["user,item", "{0}user,item{0}"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_are_quoted_as_a_whole_are_mended_as_said(tmp_path, mark, names, end):
    lines = [names.format(mark), f"{mark}ann,x{mark}", f"{mark}bob,y{mark}", ""]
    path = likes(tmp_path, end.join(lines))
    with pytest.raises(DataError, match="each line is quoted as a whole") as caught:
        read(path, user=1, item=2)
    command = str(caught.value).partition("quotes away: ")[2]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    found, _ = read(tmp_path / "new.csv", user="user", item="item")
    assert (list(found.users), list(found.items)) == (["ann", "bob"], ["x", "y"])


@pytest.mark.parametrize(
    ("rows", "is_said"),
    [
        (['a\t"Heroes"', "b\tFame"], True),
        (['a\t"Heroes"', 'b\t5" disk'], True),
        (['a\t"Heroes"', 'b\t"Fame"', 'c\t"Low"'], False),
        (['a\t"Heroes"', "b\t0", 'c\t"Low"', 'd\t"Fame"'], False),
        (['a\t"Heroes"', 'b\t"A ""B"""', "c\tFame"], False),
        (['a\t"Heroes"', 'b\t"A\tB"', "c\tFame"], False),
        (['a\t"Hello, you"', 'b\t"Fame"', 'c\t"Low"'], False),
    ],
)
def test_quotes_that_nothing_needs_are_said(tmp_path, rows, is_said):
    path = likes(tmp_path, "\n".join(["user\titem", *rows, ""]))
    _, report = read(path, user="user", item="item")
    assert any("need" in one and "quote=''" in one for one in report.warnings) is is_said
    found, report = read(path, user="user", item="item", quote="") if is_said else (None, report)
    assert found is None or '"Heroes"' in list(found.items)


def test_dicts_of_python_become_json_as_said(tmp_path):
    text = "{'user': 'ann', u'item': 'm1', 'x': None}\n{'user': 'bob', 'item': \"m'2\"}\n"
    for name in ("l.json", "l.csv"):
        with pytest.raises(DataError, match="dicts as Python prints them") as caught:
            read(likes(tmp_path, text, name), user="user", item="item")
        command = str(caught.value).partition("into JSON: ")[2]
        command = command.replace("python", shlex.quote(sys.executable), 1)
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert list(read(tmp_path / "new.jsonl", user="user", item="item")[0].items) == [
            "m'2",
            "m1",
        ]


@pytest.mark.parametrize("text", ["\n\n\n", "\ufeff", "\ufeff\r\n"])
def test_blank_lines_alone_are_named(tmp_path, text):
    with pytest.raises(DataError, match="only blank lines"):
        read(likes(tmp_path, text), user="user", item="item")


@pytest.mark.parametrize(
    ("source", "what", "rows"),
    [
        (
            collections.Counter([("ann", "x"), ("ann", "x")]),
            "a Counter of pairs",
            [("ann", "x", 2)],
        ),
        ({("ann", "x"): 0.5}, "a dict of pairs", [("ann", "x", 0.5)]),
        ({"ann": {"x"}, "bob": {"y"}}, "a dict of sets", [("ann", "x"), ("bob", "y")]),
        ({"ann": ["x"], "bob": ["y"]}, "lists of one length", [("ann", "x"), ("bob", "y")]),
        ({"ann": "x", "bob": "y"}, "a dict", [("ann", "x"), ("bob", "y")]),
        ({"user": ["ann"], "item": ["x"]}, "a dict of columns", [("ann", "x")]),
    ],
)
def test_mappings_become_frames_as_said(source, what, rows):
    with pytest.raises(DataError) as caught:
        read(source, user="user", item="item")
    message = str(caught.value)
    assert what in message
    code = message[message.rindex("pandas.DataFrame(") :].removesuffix(".")
    made = eval(code, {"pandas": pandas, "source": source})  # noqa: S307 - the hint itself
    assert list(made.itertuples(index=False, name=None)) == rows
    assert list(made.columns[:2]) == ["user", "item"]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (("201401", "201412"), "months (yyyymm; write 201404 as 2014-04-01)"),
        (("140407", "991231"), "days (yymmdd; write 140407 as 2014-04-07)"),
        (("090407", "000131"), "days (yymmdd"),
    ],
)
def test_months_and_short_days_are_named(tmp_path, times, told):
    text = "user,item,t\n" + "".join(f"u{n},x,{time}\n" for n, time in enumerate(times))
    _, report = read(likes(tmp_path, text), user="user", item="item", timestamp="t")
    assert any(told in warning for warning in report.warnings)
