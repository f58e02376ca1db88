"""What a text file may mean in two ways is said, and lines that are no table are named."""

import csv
import gzip
import importlib.util
import io
import random
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from alsolike.data.interactions import Interactions
from alsolike.data.merge import to_table
from alsolike.data.reading.read import read
from alsolike.data.reading.sources import workspace
from alsolike.errors import DataError
from alsolike.storage.atomic import write_table

ROOT = Path(__file__).resolve().parents[3]
# No line of it holds a delimiter too many or too few, although the text of two runs over a line.
EVEN = [["u1", "Song"], ["u2", "Song\nlive, long"], ["u1", "Song\nlive, long"], ["u2", "B"]]


def written(rows, **dialect) -> str:
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


def likes(tmp_path: Path, text: str | bytes, name: str = "l.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def pairs(interactions) -> set[tuple[str, str]]:
    cells = interactions.user_items.tocoo()
    users, items = interactions.users, interactions.items
    return {
        (users.id_of(int(u)), items.id_of(int(i)))
        for u, i in zip(cells.row, cells.col, strict=True)
    }


def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "scripts" / "fuzz_reading.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module  # dataclasses look there for the types of fields
    spec.loader.exec_module(module)
    return module


# Quoted line ends.


@pytest.mark.parametrize("seed", range(2))
def test_no_file_is_read_otherwise_than_by_csv_without_a_word(seed, tmp_path):
    module, counts = fuzz(), {}
    with workspace(1) as (connection, _):
        for case in module.cases(1000 + seed, 500):
            outcome, told = module.outcome_of(connection, tmp_path, case)
            assert outcome != "silently other", (case, told)
            counts[outcome] = counts.get(outcome, 0) + 1
    assert counts["same"] > 450


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_quoted_line_end_is_part_of_its_field(tmp_path, delimiter, end, quoting):
    even = [[cell.replace(", ", delimiter) for cell in row] for row in EVEN]
    text = written(
        [["user", "item"], *even], delimiter=delimiter, lineterminator=end, quoting=quoting
    )
    found, report = read(likes(tmp_path, text), user="user", item="item")
    assert pairs(found) == set(map(tuple, even))
    if quoting == csv.QUOTE_MINIMAL:
        assert any("encloses" in said and "quote=''" in said for said in report.warnings)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_within_quotes_stay_as_they_are_in_packed_files(tmp_path, packed, end, mark):
    rows = [["user", "item"], ["u1", f"a{end}b, c"], ["u2", f"{end}d, e"], ["u3", "f"]]
    content = (mark + written(rows, lineterminator=end)).encode()
    if packed:
        content = (
            gzip.compress(content)
            if packed == ".gz"
            else pa.compress(content, codec="zstd", asbytes=True)
        )
    found, _ = read(likes(tmp_path, content, f"l.csv{packed}"), user="user", item="item")
    assert pairs(found) == set(map(tuple, rows[1:]))


def test_line_ends_within_quotes_stay_where_the_size_is_not_stated(tmp_path):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(b'user,item\r\na,"x\r\ny"\r\nb,z\r\n')
    path = likes(tmp_path, sink.getvalue().to_pybytes(), "l.csv.zst")
    found, report = read(path, user="user", item="item")
    assert pairs(found) == {("a", "x\r\ny"), ("b", "z")}
    assert not any("read as LF" in warning for warning in report.warnings)


def test_a_quoted_line_end_of_an_item_table(tmp_path):
    items = likes(
        tmp_path, written([["item", "name"], *([i, n] for i, (_, n) in enumerate(EVEN))]), "i.csv"
    )
    path = likes(tmp_path, "user,item\na,0\nb,1\na,2\nb,3\n")
    found, report = read(path, user="user", item="item", items=items, item_name="name")
    assert list(found.catalogue.names) == [name for _, name in EVEN]
    assert any("items_quote=''" in said for said in report.warnings)


def test_a_quoted_name_decides(tmp_path):
    path = likes(tmp_path, written([["user", "item"], *EVEN], quoting=csv.QUOTE_ALL))
    assert read(path, user="user", item="item")[1].warnings == ()


@pytest.mark.parametrize(
    "rows",
    [
        # Numbers in the first column of each line; a quote that nobody closes before the next.
        ['1\t"Heroes', "2\tAbba", '3\tLow"', "4\tCan"],
        # Quotes within fields that have none around them.
        ['a\t5" disk', 'b\t12" record', 'c\t"Heroes', 'd\tLow"'],
        ['a\t5" disk', 'b\t12" record'],
        ['a\t"Weird Al" Yankovic', "b\tDon't"],
    ],
)
def test_stray_quotes_in_plain_fields_are_read_plainly(tmp_path, rows):
    path = likes(tmp_path, "\n".join(["user\titem", *rows, ""]))
    found, report = read(path, user="user", item="item")
    assert pairs(found) == {tuple(row.split("\t")) for row in rows}
    swallows = any(row.endswith(('Low"',)) for row in rows)
    assert bool(report.warnings) == swallows
    again, _ = read(path, user="user", item="item", quote="")
    assert pairs(again) == pairs(found)


def test_the_way_out_of_a_plain_reading_gives_the_quoted_one(tmp_path):
    path = likes(tmp_path, 'user\titem\n1\t"Heroes\n2\tAbba\n3\tLow"\n4\tCan\n')
    found, _ = read(path, user="user", item="item", quote='"')
    assert pairs(found) == {("1", "Heroes\n2\tAbba\n3\tLow"), ("4", "Can")}


def test_an_apostrophe_makes_no_quoted_file_plain(tmp_path):
    path = likes(tmp_path, "user,item,value\na,\"x,1\nb,O'Neil,1\nc,\\d,1\n")
    with pytest.raises(DataError, match=r"line 2: a quote opens in column 2 and is never closed"):
        read(path, user="user", item="item", value="value")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('user,item\na,"Heroes"\nb,Low\n', True),
        ('user,item\na,"Heroes"\n', True),
        ('user,item\na,""\nb,x\n', True),
        ('user,item\na,"Heroes"\nb,"Low, live"\nc,Low\n', False),
        ('user,item\na,"The ""A"""\nb,Low\n', False),
        ('user,item\na,"Heroes"\nb,"Low"\nc,"Lodger"\n', False),
        ('"user","item"\n"a","Heroes"\n', False),
        ('user,item\na,"#Heroes"\nb,Low\n', False),
    ],
)
def test_quotes_that_need_not_be_are_said(tmp_path, text, told):
    path = likes(tmp_path, text)
    found, report = read(path, user="user", item="item", missing_id="drop")
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert pairs(found) == {(user, item) for user, item in rows if item}
    assert any("do not need it" in said for said in report.warnings) == told


def test_quotes_of_other_kinds_are_said(tmp_path):
    path = likes(tmp_path, "user,item\na,'x'\nb,'y'\n")
    found, report = read(path, user="user", item="item")
    assert pairs(found) == {("a", "'x'"), ("b", "'y'")}
    assert 'pass quote="\'"' in report.warnings[0]
    assert pairs(read(path, user="user", item="item", quote="'")[0]) == {("a", "x"), ("b", "y")}


def test_escapes_that_may_be_none_are_said(tmp_path):
    path = likes(tmp_path, 'user,item\na,"x\\\\y, z"\nb,y\n')
    found, report = read(path, user="user", item="item")
    assert ("a", "x\\\\y, z") in pairs(found)
    assert "escape='\\\\'" in report.warnings[0]
    assert ("a", "x\\y, z") in pairs(read(path, user="user", item="item", escape="\\")[0])
    # A backslash before a letter is no escape.
    path = likes(tmp_path, 'user,item\na,"C:\\temp, \\\\x"\nb,y\n')
    assert read(path, user="user", item="item")[1].warnings == ()


def test_another_delimiter_that_fits_is_said(tmp_path):
    path = likes(tmp_path, "a;x;1,5\nb;y;2,5\na;y;3,5\n")
    found, report = read(path, user=1, item=2, header=False)
    assert pairs(found) == {("a", "x"), ("b", "y"), ("a", "y")}
    assert "delimiter ',' would give 2 columns" in report.warnings[0]
    assert "delimiter ',' would give 2 columns" in report.dialect.reason
    assert not read(path, user=1, item=2, header=False, delimiter=";")[1].warnings


def test_a_likelier_delimiter_that_fails_late_is_said(tmp_path):
    path = likes(tmp_path, "".join(f"u{n}|i,{n % 7}\n" for n in range(300)) + "u|i|i,3\n")
    _, report = read(path, user=1, item=2, header=False)
    assert "delimiter '|' is more likely, but fails at line 301" in report.warnings[0]
    with pytest.raises(DataError, match=r"line 301: 2 columns expected, 3 found"):
        read(path, user=1, item=2, header=False, delimiter="|")


def test_further_lines_of_a_rejected_record_are_no_rows(tmp_path):
    text = 'user,item,n\na,x,1\nb,"y\nghost,row,2\nz"\nc,w,3\n'
    rejects = tmp_path / "r.csv"
    found, report = read(
        likes(tmp_path, text), user="user", item="item", on_error="reject", rejects=rejects
    )
    assert pairs(found) == {("a", "x"), ("c", "w")}
    assert report.rejected == 1
    assert list(csv.reader(io.StringIO(rejects.read_text(), newline="")))[1] == [
        "3",
        "3 columns expected, 2 found",
        'b,"y\nghost,row,2\nz"',
    ]


def test_what_is_written_is_read_back(tmp_path):
    odd = [
        *('a"b', '"a"', "a,b", "a\nb", "a\r\nb", "a\rb", " a", "a ", '""', "nan", "NULL", "\\N"),
        *("ü", '"', "'x'", "\\", 'a\\"b', "a\t", "#x", "x;y", "0042", "-", "x\u0085y", '"\n"'),
    ]
    rng, path = random.Random(0), tmp_path / "x.csv"
    for _ in range(60):
        users, items = ([rng.choice(odd) for _ in range(6)] for _ in range(2))
        before = Interactions.from_columns(users, items, [rng.random() * 9 for _ in users])
        write_table(path, to_table(before))
        after, _ = read(path, user="user", item="item", value="value")
        assert (list(after.users), list(after.items)) == (list(before.users), list(before.items))
        assert (after.user_items != before.user_items).nnz == 0


# The first line.


@pytest.mark.parametrize(
    ("first", "told"),
    [("2,1,", False), ("2,1,n/a", False), ("2,1,x", True), ("2,1,\\N", False), ("7,9,1", False)],
)
def test_numbers_are_numbers_and_a_row_of_them_is_a_row(tmp_path, first, told):
    path = likes(tmp_path, f"{first}\n16,119,2\n47,125,8\n10,105,2\n")
    found, report = read(path, user=1, item=2)
    user, item, _ = first.split(",")
    assert pairs(found) == {(user, item), ("16", "119"), ("47", "125"), ("10", "105")}
    assert report.rows == 4
    assert bool(report.warnings) == told
    if told:
        assert "first line taken as a row: '2', '1', 'x'" in report.warnings[0]
        assert "header=True" in report.warnings[0]


@pytest.mark.parametrize("header", [None, True])
def test_a_cell_of_the_first_row_never_beats_a_number(tmp_path, header):
    path = likes(tmp_path, "2,1,user\n16,119,2\n47,125,8\n")
    found, _ = read(path, user="1", item="2", header=header)
    assert ("16", "119") in pairs(found)
    with pytest.raises(DataError, match=r"9 is out of range"):
        read(path, user=9, item=2, header=True)
    path = likes(tmp_path, "2020,1,user\n16,119,2\n")
    with pytest.raises(DataError, match=r"out of range.*Column 1 is named '2020': pass its number"):
        read(path, user=2020, item=2, header=True)


@pytest.mark.parametrize(
    "names", ["customer_id,article_id", "who,what", "User ID,Item", "user,item", "kunde,ware"]
)
def test_a_guessed_header_is_said_and_counted_as_none(tmp_path, names):
    below = "1,7\n2,8\n1,8\n" if names == "kunde,ware" else "c1,x\nc2,y\nc2,x\n"
    path = likes(tmp_path, f"{names}\n{below}")
    found, report = read(path, user=1, item=2)
    assert found.n_users == 2
    assert "first line taken as column names: " in report.warnings[0]
    assert "header=False" in report.warnings[0]
    assert dict(report.facts())["rows"] == "3 after the first line"
    assert "first line taken as column names" in str(report)
    assert not read(path, user=1, item=2, header=True)[1].warnings
    as_row, report = read(path, user=1, item=2, header=False)
    assert as_row.n_users == 3
    assert (report.rows, report.warnings) == (4, ())


def test_a_header_that_may_be_a_row_is_said(tmp_path):
    path = likes(tmp_path, "anna,matrix\nbob,alien\ncleo,alien\n")
    found, report = read(path, user=1, item=2)
    assert ("anna", "matrix") in pairs(found)
    told = "first line taken as a row: 'anna', 'matrix'. If it names the columns, pass header=True."
    assert report.warnings == (f"{path}: {told}",)
    # What occurs again below is no name.
    path = likes(tmp_path, "anna,matrix\nbob,matrix\nanna,alien\n")
    assert read(path, user=1, item=2)[1].warnings == ()


def test_the_first_line_of_an_item_table_is_said(tmp_path):
    items = likes(tmp_path, "x,Good\ny,Bad\n", "i.csv")
    path = likes(tmp_path, "a,x\nb,y\na,y\n")
    found, report = read(path, user=1, item=2, header=False, items=items, item_id=1, item_name=2)
    assert list(found.catalogue.names) == ["Good", "Bad"]
    assert "items_header=True" in report.warnings[0]
    _, report = read(
        path, user=1, item=2, header=False, items=items, item_id=1, item_name=2, items_header=False
    )
    assert report.warnings == ()


# Lines before the table.

TABLE = "user,item\na,x\nb,y\n"


@pytest.mark.parametrize("by", [("user", "item"), (1, 2)], ids=["names", "numbers"])
@pytest.mark.parametrize(
    ("before", "table", "count"),
    [
        ("# made today\n# by a tool\n", TABLE, 2),
        ("// made today\n\n", TABLE, 2),
        ("Report\n", TABLE, 1),
        ("Report, 2026\n", TABLE, 1),
        ("Report\n\n", TABLE, 2),
        ("Report,,\n,,\n", "user,item,n\na,x,1\nb,y,1\n", 2),
        ('"Report, all of it"\n', '"user","item"\n"a","x"\n"b","y"\n', 1),
        ("Sales, EU, 2026\nfrom,to,x\n", TABLE, 2),
        ("Report\r", TABLE.replace("\n", "\r"), 1),
    ],
)
def test_lines_before_the_table_are_named_with_the_option(tmp_path, before, table, count, by):
    path = likes(tmp_path, before + table)
    options = {"user": by[0], "item": by[1]}
    with pytest.raises(DataError) as caught:
        read(path, **options)
    message = str(caught.value)
    place = "line 1 (" if count == 1 else f"lines 1 to {count} ("
    assert f"{place}" in message
    assert message.lower().endswith(f"pass skip_lines={count}.")
    found, report = read(path, **options, skip_lines=count)
    assert pairs(found) == {("a", "x"), ("b", "y")}
    assert (report.skipped, report.rows, report.blank) == (count, 2, 0)


def test_a_comment_that_may_be_a_row_is_a_warning(tmp_path):
    _, report = read(likes(tmp_path, "#a,b\nc1,x\nc2,y\nc1,y\n"), user=1, item=2)
    assert any("perhaps line 1 ('#a,b') comes before the table" in one for one in report.warnings)


@pytest.mark.parametrize(
    "text", ["user,item\na,x\nb,y,z\n", "1 2 3\n1 4\n", "a,x\nb\nc,y\n", "user,itm\na,x\nb,y\n"]
)
def test_other_faults_are_not_blamed_on_the_first_line(tmp_path, text):
    options = {"user": "user", "item": "item"} if "user" in text else {"user": 1, "item": 2}
    with pytest.raises(DataError) as caught:
        read(likes(tmp_path, text), **options)
    assert "before the table" not in str(caught.value)
