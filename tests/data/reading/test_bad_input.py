"""Malformed and odd files: each has one defined outcome, and nothing is written on an error."""

import gzip
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alsolike.data.reading.read import read
from alsolike.errors import DataError, SettingError

H = b"user,item,value\n"
J = b'{"user":1,"item":"x","value":2}\n'
AX1 = [("a", "x", 1.0)]
AX1_BY2 = [("a", "x", 1.0), ("b", "y", 2.0)]


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


def wide(content: bytes) -> bytes:
    """Return a frame that states the widest window, without packing: RFC 8878, section 3.1.1."""
    block = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + bytes([0, 21 << 3]) + block + content


def parquet(**columns) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def triples(interactions):
    cells = interactions.user_items.tocoo()
    return [
        (interactions.users.id_of(int(u)), interactions.items.id_of(int(i)), float(v))
        for u, i, v in zip(cells.row, cells.col, cells.data, strict=True)
    ]


GOOD = parquet(user=[1, 2], item=["x", "y"], value=[1.0, 2.0])
GZ = gzip.compress(H + b"a,x,1\n" * 1000)
SKIPPED = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # a frame that readers skip

# name: (file name, content, options, outcome); the outcome is the triples, or what the message
# must hold besides the file's name.
CASES = {
    # rows of the wrong length
    "short row": ("l.csv", H + b"a,x,1\nb,y\n", {}, ["line 3", "3 columns expected, 2 found"]),
    "long row": ("l.csv", H + b"a,x,1\nb,y,2,3\n", {}, ["line 3", "4 found", "on_error='reject'"]),
    "spare delimiter": ("l.csv", H + b"a,x,1,\n", {}, ["line 2", "3 columns", "4 found"]),
    "ragged lists": ("l.txt", b"0 1 2\n1 4\n", {"user": 1, "item": 2, "value": None}, ["line 2"]),
    "one column": ("l.csv", b"user\na\n", {"value": None}, ["line 1", "delimiter"]),
    # encodings
    "bad UTF-8": (
        "l.csv",
        H + b"a,x,1\nb,caf\xe9,1\n" + "c,café,1\n".encode(),
        {},
        ["line 3", "0xe9", "encoding='latin-1'", "on_error='reject'"],
    ),
    "Latin-1": ("l.csv", H + b"a,x,1\nb,caf\xe9,2\n", {}, [("a", "x", 1.0), ("b", "café", 2.0)]),
    "asked for UTF-8": ("l.csv", H + b"b,caf\xe9,1\n", {"encoding": "utf-8"}, ["line 2", "0xe9"]),
    "not of the encoding": (
        "l.csv",
        H + b"a,x,1\nb,caf\x81,1\n",
        {"encoding": "cp1252"},
        ["line 3", "byte 0x81", "'cp1252'", "another encoding="],
    ),
    "cut UTF-8": ("l.csv", H + b"a,x,1\nb,caf\xc3", {}, ["line 3", "0xc3"]),
    "UTF-16": ("l.csv", (H + b"a,x,1\n").decode().encode("utf-16"), {}, AX1),
    "UTF-16 bare": ("l.csv", (H + b"a,x,1\n").decode().encode("utf-16-le"), {}, AX1),
    "UTF-8 BOM": ("l.csv", b"\xef\xbb\xbf" + H + b"a,x,1\n", {}, AX1),
    "NUL": ("l.csv", H + b"a,x\0,1\n", {}, ["line 2", "NUL", "remove"]),
    # quotes
    "open quote": ("l.csv", H + b'a,"x,1\nb,y,1\n', {}, ["line 2", "column 2", "never closed"]),
    "open quote last": ("l.csv", H + b'a,x,1\nb,"y,1', {}, ["line 3", "never closed", "quote=''"]),
    "open among quoted": ("l.csv", H + b'a,"x,y",1\nb,"y,1\nc,"z,q",1\n', {}, ["line 3", "quote"]),
    "text after quote": ("l.csv", H + b'a,"x"y,1\n"b","z",1\n', {}, ["line 2", "closing quote"]),
    "blank after quote": ("l.csv", H + b'a,x,1\nb,"y" ,2\n', {}, ["line 3", "closing quote"]),
    "plain quotes": ("l.csv", H + b'a,"Al" Y,1\n', {}, [("a", '"Al" Y', 1.0)]),
    "quotes switched off": ("l.csv", H + b'a,"x,1\n', {"quote": ""}, [("a", '"x', 1.0)]),
    "line end in quotes": ("l.csv", H + b'a,"x\ny",1\n', {}, [("a", "x\ny", 1.0)]),
    # columns
    "missing column": ("l.csv", b"usr,item,value\na,x,1\n", {}, ["'user'", "Did you mean 'usr'"]),
    "other case": ("l.csv", b"User,item,value\na,x,1\n", {}, ["Did you mean 'User'"]),
    "blank in name": ("l.csv", b"user, item,value\na,x,1\n", {}, ["Did you mean ' item'"]),
    "blanks at commas": ("l.csv", b"user , item , value\na , x , 1\n", {}, ["mean 'user '"]),
    "column twice": ("l.csv", b"user,item,user,value\na,x,b,1\n", {}, ["2 times", "1 and 3"]),
    "columns swapped": ("l.csv", b"value,item,user\n1,x,a\n", {}, AX1),
    "out of range": ("l.csv", H + b"a,x,1\n", {"user": 9}, ["9 is out of range", "3 columns"]),
    "same column": ("l.csv", H + b"a,x,1\n", {"item": "user"}, ["as user and as item"]),
    "names, no header": ("l.csv", b"a,x,1\n", {"header": False}, ["Pass a number from 1 to 3"]),
    "numbers": ("l.csv", b"a,x,1\nb,y,2\n", {"user": "1", "item": 2, "value": "3"}, AX1_BY2),
    "header taken as row": (
        "l.csv",
        H + b"a,x,1\n",
        {"user": 1, "item": 2, "value": 3, "header": False},
        ["line 1", "column 3", "'value'", "header=True"],
    ),
    # nothing there
    "empty": ("l.csv", b"", {}, ["empty"]),
    "header only": ("l.csv", H, {}, ["no rows after the header"]),
    "blank lines only": ("l.csv", b"\n\n\n", {}, ["line 1"]),
    # values
    "text as value": ("l.csv", H + b"a,x,1\nb,y,lots\n", {}, ["line 3", "'value'", "'lots'"]),
    "decimal comma": ("l.csv", b"user;item;value\na;x;1,5\n", {}, ["line 2", "'1,5'", "point"]),
    "underscore": ("l.csv", H + b"a,x,1_000\n", {}, ["line 2", "'1_000'"]),
    "no value": ("l.csv", H + b"a,x,\n", {}, ["line 2", "'value'", "empty"]),
    "NaN": ("l.csv", H + b"a,x,NaN\n", {}, ["line 2", "'NaN'", "not finite"]),
    "inf": ("l.csv", H + b"a,x,-inf\n", {}, ["line 2", "'-inf'", "not finite"]),
    "1e400": ("l.csv", H + b"a,x,1e400\n", {}, ["line 2", "'1e400'", "not finite"]),
    "1e39": ("l.csv", H + b"a,x,1e39\n", {}, ["1e+39", "'a'", "'x'", "Rescale"]),
    "1e-50": ("l.csv", H + b"a,x,1e-50\n", {}, ["1e-50", "Rescale"]),
    "overflow of a sum": ("l.csv", H + b"a,x,3e38\na,x,3.1e38\n", {}, ["6.1e+38", "Rescale"]),
    "zero": ("l.csv", H + b"a,x,1\nb,y,0\n", {}, AX1),
    "negative zero": ("l.csv", H + b"a,x,1\nb,y,-0.0\n", {}, AX1),
    "only zeros": ("l.csv", H + b"a,x,0\n", {}, ["none of the 1 rows", "1 have the value 0"]),
    "negative": ("l.csv", H + b"a,x,1\nb,y,-2\n", {}, ["line 3", "-2", "negative='net'"]),
    "all netted": ("l.csv", H + b"a,x,1\na,x,-1\n", {"negative": "net"}, ["is an interaction"]),
    # lines
    "mixed line ends": ("l.csv", b"user,item,value\r\na,x,1\nb,y,2\r", {}, AX1_BY2),
    "CR only": ("l.csv", b"user,item,value\ra,x,1\rb,y,2\r", {}, AX1_BY2),
    "blank lines": ("l.csv", b"\n" + H + b"\na,x,1\n\n\nb,y,2\n\n", {}, AX1_BY2),
    "lines of blanks": ("l.csv", H + b"a,x,1\n   \nb,y,2\n", {}, AX1_BY2),
    "no last line end": ("l.csv", H + b"a,x,1\nb,y,2", {}, AX1_BY2),
    # ids
    "ids beyond 2^63": (
        "l.csv",
        H + b"9223372036854775808,99999999999999999999999999,1\n",
        {},
        [("9223372036854775808", "99999999999999999999999999", 1.0)],
    ),
    "leading zeros": ("l.csv", H + b"42,x,1\n0042,x,1\n", {}, [("0042", "x", 1), ("42", "x", 1)]),
    "blanks in ids": ("l.csv", H + b" a,x,1\na,x,1\n", {}, [(" a", "x", 1.0), ("a", "x", 1.0)]),
    "empty id": ("l.csv", H + b"a,x,1\n,y,1\n", {}, ["line 3", "'user'", "missing_id='drop'"]),
    "blank id": ("l.csv", H + b"a,x,1\nb,  ,1\n", {}, ["line 3", "'item'", "blank"]),
    "invisible id": ("l.csv", H + "a,x,1\nb,\u00a0\u200b,1\n".encode(), {}, ["line 3", "'item'"]),
    "empty id dropped": ("l.csv", H + b"a,x,1\n,y,1\n", {"missing_id": "drop"}, AX1),
    "unicode ids": ("l.csv", H + "ß,日本,1\n".encode(), {}, [("ß", "日本", 1.0)]),
    # gzip and Zstandard
    "gzip by content": ("l.csv", gzip.compress(H + b"a,x,1\n"), {}, AX1),
    "cut gzip": ("l.csv.gz", GZ[:-10], {}, ["truncated"]),
    "wrong checksum": ("l.csv.gz", GZ[:-8] + b"\1" * 8, {}, ["damaged"]),
    "no gzip": ("l.csv.gz", b"garbage", {}, ["ends in .gz"]),
    "empty gzip": ("l.csv.gz", gzip.compress(b""), {}, ["empty"]),
    "Zstandard": ("l.csv.zst", zstd(H + b"a,x,1\nb,y,2\n"), {}, AX1_BY2),
    "Zstandard, CRLF": ("l.csv.zst", zstd(b"user,item,value\r\na,x,1\r\n"), {}, AX1),
    "cut Zstandard": ("l.csv.zst", zstd(H + b"a,x,1\nb,y,2\n")[:-3], {}, ["truncated"]),
    "damaged Zstandard": (
        "l.csv.zst",
        b"\x28\xb5\x2f\xfd" + b"\x00" * 9,
        {},
        ["Download it again"],
    ),
    "mixed ends in Zstandard": ("l.csv.zst", zstd(H[:-1] + b"\r\na,x,1\nb,y,2\n"), {}, AX1_BY2),
    "Zstandard frames": ("l.csv.zst", zstd(H + b"a,") + SKIPPED + zstd(b"x,1\nb,y,2"), {}, AX1_BY2),
    "Zstandard and junk": ("l.csv.zst", zstd(H + b"a,x,1\n") + b"junk", {}, ["damaged"]),
    "a wide window": ("l.csv.zst", wide(H + b"a,x,1\n"), {}, AX1),
    "no such block": ("l.csv.zst", wide(b"").replace(b"\1", b"\7") + H, {}, ["damaged"]),
    "bad UTF-8 in Zstandard": (
        "l.csv.zst",
        zstd(H + b"a,\xff,1\n"),
        {"encoding": "utf-8"},
        ["line 2", "UTF-8"],
    ),
    "NUL in Zstandard": ("l.csv.zst", zstd(H + b"a,\0,1\n"), {}, ["line 2", "NUL"]),
    "a ZIP archive": ("l.csv", b"PK\x03\x04" + b"x" * 30, {}, ["ZIP"]),
    # Parquet
    "Parquet": ("l.parquet", GOOD, {}, [(1, "x", 1.0), (2, "y", 2.0)]),
    "cut Parquet": ("l.parquet", GOOD[:-9], {}, ["truncated"]),
    "no Parquet": ("l.parquet", H, {}, ["says Parquet"]),
    "fractions as ids": (
        "l.parquet",
        parquet(user=[1.5, 2], item=["x", "y"], value=[1.0, 2.0]),
        {},
        ["row 1", "'user'", "1.5", "text"],
    ),
    "whole floats as ids": (
        "l.parquet",
        parquet(user=[17850.0, None], item=["x", "y"], value=[1.0, 2.0]),
        {"missing_id": "drop"},
        [(17850, "x", 1.0)],
    ),
    "lists as ids": ("l.parquet", parquet(user=[[1]], item=["x"], value=[1]), {}, ["BIGINT[]"]),
    "missing value": (
        "l.parquet",
        parquet(user=[1], item=["x"], value=pa.array([None], "f8")),
        {},
        ["row 1", "empty"],
    ),
    # JSON lines
    "JSON": (
        "l.jsonl",
        b'{"user":1,"item":-0,"value":2}\n'
        b'\n{"user":2,"item":9223372036854775808123,"value":1.5,"z":[1]}\n',
        {},
        [(1, "0", 2.0), (2, "9223372036854775808123", 1.5)],
    ),
    "JSON by number": ("l.jsonl", J, {"user": 1, "item": 2, "value": "3"}, [(1, "x", 2.0)]),
    "text and numbers in JSON": (
        "l.jsonl",
        J + b'{"user":" ","item":"x","value":1}\n{"user":"2","item":"x","value":1}\n',
        {"missing_id": "drop"},
        ["line 3", "column 'user'", "'2' is text, after 1, a whole number", "line 1"],
    ),
    "key missing": ("l.jsonl", J + b'{"user":3,"value":1}\n', {}, ["line 2", "'item'", "empty"]),
    "key nowhere": ("l.jsonl", b'{"usr":3,"item":1}\n', {}, ["'user'", "'usr'"]),
    "nested value": (
        "l.jsonl",
        J + b'{"user":3,"item":"y","value":[1]}\n',
        {},
        ["line 2", "holds an array"],
    ),
    "nested id": ("l.jsonl", b'{"user":{"a":1},"item":"y","value":1}\n', {}, ["line 1", "an id"]),
    "broken line": ("l.jsonl", J + b'{"user":3,"item":\n', {}, ["line 2", "not JSON"]),
    "no object": ("l.jsonl", J + b"[1]\n", {}, ["line 2", "object expected"]),
    "one array": ("l.json", b"[" + J + b"]", {}, ["array", "jq"]),
    "fraction as id": ("l.jsonl", b'{"user":3.0,"item":"y","value":1}\n', {}, ["line 1", "'user'"]),
    "key twice": ("l.jsonl", b'{"user":3,"user":4,"item":1}\n', {}, ["line 1", "twice"]),
    "NaN in JSON": ("l.jsonl", b'{"user":3,"item":1,"value":NaN}\n', {}, ["line 1", "finite"]),
    "half a surrogate": ("l.jsonl", b'{"user":"\\ud800","item":1}\n', {}, ["line 1", "surrogate"]),
    "events as values": ("l.csv", H + b"a,x,view\nb,x,buy\n", {}, ["line 2", "event='value'"]),
    "event not listed": (
        "l.csv",
        H + b"a,x,view\nb,x,buy\nc,x,buy\n",
        {"value": None, "event": "value", "weights": "view=1"},
        ["line 3", "'buy'", "'view' (1)", "'buy' (2)", "other=0"],
    ),
    "no array": (
        "l.jsonl",
        b'{"user":1,"a":{"id":2}}\n',
        {"item": "a[].id", "value": None},
        ["line 1", "an array expected", "an object"],
    ),
    "array without []": (
        "l.jsonl",
        b'{"user":1,"a":[{"id":2}]}\n',
        {"item": "a.id", "value": None},
        ["line 1", "add '[]'"],
    ),
    "no such field": (
        "l.jsonl",
        b'{"user":1,"a":[{"id":2}]}\n',
        {"item": "a[].idd", "value": None},
        ["'a[].idd'", "Did you mean 'id'?"],
    ),
    "fraction in an array": (
        "l.jsonl",
        b'{"user":1,"a":[2,3]}\n{"user":1,"a":[2.5]}\n',
        {"item": "a[]", "value": None},
        ["line 2", "'a[]'", "whole number"],
    ),
    "no JSON in a cell": (
        "l.csv",
        b"user;item\na;[1\n",
        {"item": "item[]", "value": None},
        ["line 2", "'item'", "not JSON"],
    ),
    "no items at all": (
        "l.jsonl",
        b'{"user":1,"a":[]}\n',
        {"item": "a[]", "value": None},
        ["'a[]'"],
    ),
    "baskets as a table": (
        "l.txt",
        b"a,b,c\nd,e\nf\n",
        {"user": 1, "item": 2, "value": None},
        ["line 2", "layout='lines'", "user='line'"],
    ),
    "open quote in a line": (
        "l.txt",
        b'a,b\nc,"d\n',
        {"layout": "lines", "value": None},
        ["line 2", "never closed"],
    ),
    "blocks without an item": (
        "l.txt",
        b"5,1\n1:\n5,1\n",
        {"layout": "netflix", "value": None},
        ["line 1", "before the rows"],
    ),
    "short line in a block": (
        "l.txt",
        b"1:\n5,1,2005-01-01\n6,1\n",
        {"value": "rating"},
        ["line 3", "user,rating,date", "layout='table'"],
    ),
    "bad value in a block": (
        "l.txt",
        b"1:\n5,1,2005-01-01\n\n2:\n6,x,2005-01-01\n",
        {"value": "rating"},
        ["line 5", "'rating'", "'x'"],
    ),
    "escaped NUL": ("l.jsonl", b'{"user":"a\\u0000","item":1}\n', {}, ["line 1", "NUL"]),
}


@pytest.mark.parametrize("name", CASES)
def test_defined_outcome(name, tmp_path):
    file, content, options, outcome = CASES[name]
    path = tmp_path / file
    path.write_bytes(content)
    chosen = {"user": "user", "item": "item", "value": "value"} | options
    if not isinstance(outcome[0], str):
        interactions, report = read(path, **chosen)
        assert triples(interactions) == outcome
        assert report.interactions == len(outcome)
    else:
        with pytest.raises(DataError) as caught:
            read(path, **chosen)
        message = str(caught.value)
        assert all(part in message for part in outcome), message
        assert str(path) in message
        assert "\n" not in message
    assert [found.name for found in tmp_path.iterdir()] == [file]


def test_there_are_at_least_forty():
    assert len(CASES) >= 40


def test_rejected_lines_are_counted_and_written(tmp_path):
    path, rejects = tmp_path / "l.csv", tmp_path / "rejects.csv"
    path.write_bytes(H + b'a,x,1\nb,y\n\nc,z,lots\nd,"q,1\ne,w,5\nf,\xff,1\n')
    interactions, report = read(
        path,
        user="user",
        item="item",
        value="value",
        encoding="utf-8",
        on_error="reject",
        rejects=rejects,
    )
    assert triples(interactions) == [("a", "x", 1.0), ("e", "w", 5.0)]
    assert (report.rows, report.rejected, report.blank, report.lines) == (2, 4, 1, 7)
    assert rejects.read_text() == (
        "line,reason,text\n"
        '3,"3 columns expected, 2 found","b,y"\n'
        "5,\"column 'value': a number expected, found 'lots'\",\"c,z,lots\"\n"
        '6,a quote opens in column 2 and is never closed,"d,""q,1"\n'
        '8,bytes that are not UTF-8,"f,\\xff,1"\n'
    )


ITEMS = b'item,name\nx,Good\ny,Bad, extra\n\nz,"open\nw,caf\xe9\nv,Last\n'


def test_rejected_lines_of_the_item_table_are_counted_and_written(tmp_path):
    path, items, rejects = (tmp_path / name for name in ("l.csv", "i.csv", "r.csv"))
    path.write_bytes(H + b"a,x,1\nb,v,2\nb,y\n")
    items.write_bytes(ITEMS)
    options = {"user": "user", "item": "item", "items": items, "item_name": "name"}
    found, report = read(
        path, **options, items_encoding="utf-8", on_error="reject", rejects=rejects
    )
    assert list(found.catalogue.names) == ["Last", "Good"]
    assert (report.rejected, report.items_rejected, report.items_blank) == (1, 3, 1)
    assert dict(report.facts())["malformed lines of the item table"] == "3 rejected"
    assert rejects.read_text() == (
        "file,line,reason,text\n"
        f'{path},4,"3 columns expected, 2 found","b,y"\n'
        f'{items},3,"2 columns expected, 3 found","y,Bad, extra"\n'
        f'{items},5,a quote opens in column 2 and is never closed,"z,""open"\n'
        f'{items},6,bytes that are not UTF-8,"w,caf\\xe9"\n'
    )


def test_the_ways_out_of_a_malformed_item_table_work(tmp_path):
    path, items = tmp_path / "l.csv", tmp_path / "i.dat"
    path.write_bytes(H + b"a,x,1\nb,y,2\n")
    options = {"user": "user", "item": "item", "items": items, "item_id": 1, "item_name": 2}
    items.write_bytes(b'x|"A b\ny|"C\n')
    with pytest.raises(DataError, match=r"i\.dat, line 1: .*items_quote=''.*on_error='reject'"):
        read(path, **options)
    found, _ = read(path, **options, items_delimiter="|", items_quote="", items_header=False)
    assert list(found.catalogue.names) == ['"A b', '"C']
    items.write_bytes(b"x::Caf\xe9 (1995)::Drama\ny::B (1996)::Comedy\n")
    with pytest.raises(DataError, match=r"line 1: byte 0xe9 .*items_encoding='latin-1'"):
        read(path, **options, items_encoding="utf-8")
    items.write_bytes(b"x:it\\'s:\"\ny:'b:c':d\n")
    found, _ = read(
        path, **options, items_delimiter=":", items_quote="'", items_escape="\\", items_header=False
    )
    assert list(found.catalogue.names) == ["it\\'s", "b:c"]
    items.write_bytes(b"id\ny,z\n")
    with pytest.raises(DataError, match=r"Pass items_delimiter="):
        read(path, **(options | {"item_id": "id"}))
    with pytest.raises(SettingError, match=r"items_quote='ab'"):
        read(path, **options, items_quote="ab")
    with pytest.raises(SettingError, match=r"begin with items_ need items="):
        read(path, user="user", item="item", items_header=True)


def test_rejecting_json_lines(tmp_path):
    path, rejects = tmp_path / "l.jsonl", tmp_path / "rejects.csv"
    path.write_bytes(J + b'nonsense\n\n{"user":2,"item":"y","value":"z"}\n')
    interactions, report = read(
        path, user="user", item="item", value="value", on_error="reject", rejects=rejects
    )
    assert triples(interactions) == [(1, "x", 2.0)]
    assert (report.rows, report.rejected, report.blank) == (1, 2, 1)
    assert [line[:1] for line in rejects.read_text().splitlines()[1:]] == ["2", "4"]


@pytest.mark.parametrize("rejects", ["l.csv", "../{folder}/l.csv", "link.csv", "items.csv"])
def test_rejects_never_overwrite_what_is_read(rejects, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("l.csv", "items.csv"):
        Path(name).write_bytes(H + b"a,x,1\n")
    Path("link.csv").hardlink_to("l.csv")
    with pytest.raises(SettingError, match="would be overwritten"):
        read(
            "l.csv",
            user="user",
            item="item",
            items="items.csv",
            on_error="reject",
            rejects=rejects.format(folder=tmp_path.name),
        )
    assert Path("l.csv").read_bytes() == Path("items.csv").read_bytes() == H + b"a,x,1\n"


def test_no_faults_leave_a_file_of_the_heading_alone(tmp_path):
    (tmp_path / "l.csv").write_bytes(H + b"a,x,1\n")
    read(tmp_path / "l.csv", user="user", item="item", on_error="reject", rejects=tmp_path / "r")
    assert (tmp_path / "r").read_text() == "line,reason,text\n"


def test_all_rejected_is_one_error_and_writes_nothing(tmp_path):
    (tmp_path / "l.csv").write_bytes(H + b"a,x,q\n")
    with pytest.raises(DataError, match=r"line 2.*so are all"):
        read(
            tmp_path / "l.csv",
            user="user",
            item="item",
            value="value",
            on_error="reject",
            rejects=tmp_path / "r",
        )
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("lkies.csv", "no such file.*Did you mean 'likes.csv'"),
        ("likes.csv/x", "no such file"),
        ("a\0b", "cannot be opened"),
        ("x" * 5000, "cannot be opened"),
        ("/dev/null", "ordinary file"),
        ("https://example.org/likes.csv", "Download it first, and name the file: curl -LO https"),
        ("", "A file name expected"),
    ],
)
def test_places_that_are_no_files(place, expected, tmp_path):
    (tmp_path / "likes.csv").write_bytes(H + b"a,x,1\n")
    with pytest.raises(DataError, match=expected):
        read(place if "://" in place or not place else tmp_path / place, user="user", item="item")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "likes.csv"
    path.write_bytes(H + b"a,x,1\n")
    opened = Path.open

    def refuse(self, *arguments, **keywords):
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **keywords)

    # The tests may run as root, whom no permission stops.
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"likes\.csv: cannot be opened \(Permission denied\)"):
        read(path, user="user", item="item")


@pytest.mark.parametrize(
    "options",
    [
        {"duplicates": "x"},
        {"repeats": "x"},
        {"missing_id": "x"},
        {"negative": "x"},
        {"on_error": "x"},
        {"on_error": "reject"},
        {"rejects": "r"},
        {"negative": "net", "repeats": "max"},
        {"negative": "dislike", "repeats": "once"},
        {"threads": 0},
        {"user": None},
    ],
)
def test_settings_that_cannot_be(options, tmp_path):
    (tmp_path / "l.csv").write_bytes(H + b"a,x,1\n")
    with pytest.raises(SettingError):
        read(tmp_path / "l.csv", **({"user": "user", "item": "item", "value": "value"} | options))
    assert [found.name for found in tmp_path.iterdir()] == ["l.csv"]


@pytest.mark.parametrize("source", [None, 3, [], [3], {"user": [1]}])
def test_things_that_are_no_tables(source):
    with pytest.raises(DataError, match="A path, a pandas, Polars or PyArrow table"):
        read(source, user="user", item="item")
