"""Pseudonyms: ids are hashed under the key, and nothing else changes, in any format."""

import csv
import gzip
import hashlib
import hmac
import io
import json
import random
import stat
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import alsolike as al
from alsolike.errors import DataError, SettingError, WritingError
from command import fine, refused

KEY = bytes(range(40, 80))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


def of(one: str, side: str = "user") -> str:
    """Return the hash by its definition."""
    return hmac.new(KEY, f"{side}\0{one}".encode(), hashlib.sha256).hexdigest()[:32]


def packed(path: Path) -> bytes:
    raw = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(raw)
    if path.suffix == ".zst":
        from alsolike.data.reading.files.unpacking import zstd

        return zstd.decompress(raw)
    return raw


@pytest.mark.parametrize("ending", [".psv", ".csv.gz", ".tsv.zst"])
def test_text_keeps_its_header_its_rows_and_all_other_cells(
    ending: str, key: Path, tmp_path: Path
) -> None:
    rows = [
        ["user", "Item", "item", "", 'a "note"'],
        ["ann", "m1", "1", "x", "two\nlines"],
        ["", "m2", "2", "", ""],
        ["bob", "m,1", "a|b", "c\td", 'q"q'],
        ["  ", " m ", "0042", "é", "\\"],
        ["ann", "m1", "1", "x", "#"],
    ]
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    (tmp_path / "in.csv").write_text(table.getvalue(), encoding="utf-8", newline="")
    out = tmp_path / f"out{ending}"
    done = al.anonymize(tmp_path / "in.csv", out, key_file=key)
    mark = {".csv": ",", ".tsv": "\t", ".psv": "|"}[out.suffixes[0]]
    text = packed(out).decode("utf-8")
    expected = [
        rows[0],
        *([of(row[0]) if row[0].strip() else row[0], *row[1:]] for row in rows[1:]),
    ]
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)) == expected
    assert done.columns == (al.data.anonymizing.anonymize.HashedColumn("user", 2, 2),)
    assert (done.rows, done.kept) == (5, ("Item", "item", "4", 'a "note"'))


def test_random_text_comes_back_as_it_was(key: Path, tmp_path: Path) -> None:
    draw = random.Random(7)
    alphabet = "ab ,;|\t\"'\\#\n\r0é"
    rows = [
        [f"u{draw.randrange(30)}", *("".join(draw.choices(alphabet, k=4)) for _ in range(3))]
        for _ in range(400)
    ]
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerows([["user", "b", "c", "d"], *rows])
    (tmp_path / "in.csv").write_text(table.getvalue(), encoding="utf-8", newline="")
    al.anonymize(tmp_path / "in.csv", tmp_path / "out.csv", key_file=key, delimiter=",", quote='"')
    text = (tmp_path / "out.csv").read_bytes().decode("utf-8")
    _, *found = csv.reader(io.StringIO(text, newline=""))
    assert found == [[of(user), *others] for user, *others in rows]


def test_columns_without_names_are_given_by_number(key: Path, tmp_path: Path) -> None:
    (tmp_path / "in.tsv").write_text("1\t10\n2\t20\n")
    out = tmp_path / "out.csv"
    done = al.anonymize(tmp_path / "in.tsv", out, key_file=key, user=1, header=False)
    assert out.read_text() == f"{of('1')},10\n{of('2')},20\n"
    assert (done.columns[0].name, done.kept) == ("1", ("2",))
    with pytest.raises(DataError, match=r"column 1 has no name, which .*out.parquet needs"):
        al.anonymize(
            tmp_path / "in.tsv", tmp_path / "out.parquet", key_file=key, user=1, header=False
        )


def test_people_are_the_same_in_all_columns_and_items_are_not_people(
    key: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("user,friend,item\n1,2,1\n2,1,2\n")
    out = tmp_path / "out.csv"
    al.anonymize(tmp_path / "in.csv", out, key_file=key, user=["user", "friend"], item="item")
    one, two = of("1"), of("2")
    assert out.read_text().splitlines()[1:] == [
        f"{one},{two},{of('1', 'item')}",
        f"{two},{one},{of('2', 'item')}",
    ]


LINES = [
    '{"at": 1.50, "user": "ann", "big": 123456789012345678901, "deep": {"user": "ann"}}',
    "",
    '{ "user" : "42" , "x":[1, 2.0 ,{"a":"}"}]}',
    '{"user": null, "note": "\\u00e9\\n"}',
    '{"note":"user","user":""}',
    "{}",
]


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson.gz"])
def test_json_lines_change_in_nothing_but_the_ids(ending: str, key: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    out = tmp_path / f"out{ending}"
    done = al.anonymize(tmp_path / "in.jsonl", out, key_file=key)
    expected = "\n".join(LINES) + "\n"
    expected = expected.replace('"user": "ann", "big"', f'"user": "{of("ann")}", "big"')
    expected = expected.replace('"user" : "42" ', f'"user" : "{of("42")}" ')
    assert packed(out).decode("utf-8") == expected
    assert (done.rows, done.columns[0].ids, done.columns[0].missing) == (5, 2, 3)


def test_malformed_lines_are_set_aside(key: Path, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"user": "ann"}\n{"user": "bob"\n{"user": "ann"}\n')
    with pytest.raises(DataError, match="line 2"):
        al.anonymize(tmp_path / "in.jsonl", tmp_path / "out.jsonl", key_file=key)
    rejects = tmp_path / "rejects.csv"
    done = al.anonymize(
        tmp_path / "in.jsonl", tmp_path / "out.jsonl", key_file=key, on_error="reject",
        rejects=rejects,
    )  # fmt: skip
    assert (tmp_path / "out.jsonl").read_text() == f'{{"user": "{of("ann")}"}}\n' * 2
    assert (done.rows, done.rejected) == (2, 1)
    assert "malformed lines  1 left out" in str(done)
    assert '"{""user"": ""bob"""' in rejects.read_text()


def parquet(path: Path) -> Path:
    duckdb.sql(
        "SELECT CASE WHEN range % 5 = 0 THEN NULL ELSE range % 7 END AS user, range AS row, "
        "TIMESTAMP '2020-01-01' + INTERVAL 1 DAY * range AS at, [range, 1] AS tags, "
        "range / 3 AS share FROM range(50)"
    ).write_parquet(str(path))
    return path


def test_parquet_keeps_the_types_of_other_columns(key: Path, tmp_path: Path) -> None:
    source, out = parquet(tmp_path / "in.parquet"), tmp_path / "out.parquet"
    done = al.anonymize(source, out, key_file=key)
    before, after = (duckdb.execute(f"FROM '{path}'").fetchall() for path in (source, out))
    assert after == [(None if user is None else of(str(user)), *others) for user, *others in before]
    types = [
        [kind for _, kind, *_ in duckdb.execute(f"DESCRIBE FROM '{path}'").fetchall()][1:]
        for path in (source, out)
    ]
    assert types[0] == types[1]
    assert (done.rows, done.columns[0].missing) == (50, 10)
    al.anonymize(source, tmp_path / "out.jsonl", key_file=key)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["tags"] for line in lines] == [row[3] for row in before]
    with pytest.raises(DataError, match=r"column 'tags': values of type BIGINT\[\] cannot be"):
        al.anonymize(source, tmp_path / "out.csv", key_file=key)


def test_a_number_that_json_lacks_is_refused(key: Path, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    duckdb.sql("SELECT 'a' AS user, 'nan'::DOUBLE AS x").write_parquet(str(path))
    with pytest.raises(DataError, match=r"row 1, column 'x': nan is no number of JSON"):
        al.anonymize(path, tmp_path / "out.jsonl", key_file=key)


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet"])
def test_bytes_do_not_depend_on_the_number_of_threads(
    ending: str, key: Path, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(
        "user,item\n" + "".join(f"u{row % 97},{row}\n" for row in range(3_000))
    )
    for threads in (1, 4):
        out = tmp_path / f"{threads}{ending}"
        al.anonymize(tmp_path / "in.csv", out, key_file=key, threads=threads)
    assert (tmp_path / f"1{ending}").read_bytes() == (tmp_path / f"4{ending}").read_bytes()


USERS = ["ann", None, "bob", "ann"]
FRAMES: dict[str, Any] = {
    "pandas": pd.DataFrame({"user": USERS, "x": [[1], {}, None, 2.5]}, index=[5, 5, 7, 8]),
    "polars": pl.DataFrame({"user": USERS, "x": [1, 2, 3, 4]}),
    "lazy": pl.LazyFrame({"user": USERS, "x": [1, 2, 3, 4]}),
    "category": pd.DataFrame({"user": pd.Series(USERS, dtype="category"), "x": [1, 2, 3, 4]}),
    "pyarrow": pa.table({"user": USERS, "x": [[1], [], None, [2]]}),
    "batch": pa.RecordBatch.from_pydict({"user": USERS, "x": [1, 2, 3, 4]}),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_give_frames(kind: str, key: Path) -> None:
    source = FRAMES[kind]
    done = al.anonymize(source, key_file=key)
    frame = done.frame
    found = frame["user"].to_pylist() if isinstance(frame, pa.Table) else list(frame["user"])
    assert [None if pd.isna(one) else one for one in found] == [
        None if one is None else of(one) for one in USERS
    ]
    if isinstance(frame, pd.DataFrame):
        assert list(frame["x"]) == list(source["x"])
        assert frame.index.equals(source.index)
        assert list(source["user"].dropna()) == ["ann", "bob", "ann"]  # left as it was
    assert (done.rows, done.kept, done.to) == (4, ("x",), None)


def test_whole_numbers_of_frames_are_their_digits(key: Path) -> None:
    frame = pd.DataFrame({"user": [7.0, None, 12.0]})  # as pandas makes them of gaps
    done = al.anonymize(frame, key_file=key)
    assert list(done.frame["user"])[::2] == [of("7"), of("12")]
    with pytest.raises(DataError, match="user ids are text or whole numbers"):
        al.anonymize(pd.DataFrame({"user": [0.5]}), key_file=key)


def test_a_new_key_is_secret_and_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("user,item\nann,m1\n")
    key = tmp_path / "key"
    words = (tmp_path / "in.csv", tmp_path / "out.csv", "--key-file", key)
    assert "no such file" in refused("anonymize", *words)
    done = fine("anonymize", *words, "--new-key")
    assert "keep it secret" in done.output
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    content = key.read_bytes()
    assert len(content) == 32
    first = (tmp_path / "out.csv").read_bytes()
    assert "a key is never written over" in refused("anonymize", *words, "--new-key")
    fine("anonymize", *words)
    assert (tmp_path / "out.csv").read_bytes() == first
    assert key.read_bytes() == content


def test_no_key_is_made_for_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("user,item\nann,m1\n")
    with pytest.raises(DataError, match="no user column 'who'"):
        al.anonymize(
            tmp_path / "in.csv", tmp_path / "out.csv", key_file=tmp_path / "key", new_key=True,
            user="who",
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(("size", "found"), [(31, "31"), (0, "0"), (5000, "more than 4,096")])
def test_a_file_that_is_no_key_is_refused(size: int, found: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"x" * size)
    with pytest.raises(DataError, match=f"a key of 32 to 4,096 bytes expected, {found} found"):
        al.anonymize(FRAMES["polars"], key_file=tmp_path / "key")


def test_a_key_that_others_may_read_and_ids_like_nothing_are_warned_of(key: Path) -> None:
    key.chmod(0o640)
    done = al.anonymize(pl.DataFrame({"user": ["NULL", "a", "NULL"]}), key_file=key)
    nothing, others = done.warnings
    assert nothing.startswith("column 'user': 'NULL' in 2 rows was hashed as any other id")
    assert f"chmod 600 {key}" in others


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"to": None}, SettingError, "to= is needed"),
        ({"to": "out.xlsx"}, WritingError, r"ends in \.csv"),
        ({"user": []}, SettingError, "user= is needed"),
        ({"item": "user"}, SettingError, "Column 'user' is named twice, as user and item"),
        ({"on_error": "reject"}, SettingError, "go together"),
        ({"to": "in.csv"}, WritingError, "would write over it"),
        ({"to": "key"}, WritingError, r"ends in \.csv"),
    ],
)
def test_wrong_calls_say_what_is_right(
    changes: dict[str, Any], kind: type[Exception], said: str, key: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("in.csv").write_text("user,item\nann,m1\n")
    with pytest.raises(kind, match=said):
        al.anonymize("in.csv", **({"to": "out.csv", "key_file": key} | changes))
    assert not Path("out.csv").exists()


def test_frames_take_no_file_and_matrices_no_key(key: Path) -> None:
    with pytest.raises(SettingError, match="A frame gives a frame"):
        al.anonymize(FRAMES["pandas"], "out.csv", key_file=key)
    with pytest.raises(DataError, match="expected, not"):
        al.anonymize(al.Interactions.from_columns(["a"], ["b"]).user_items, key_file=key)


def test_the_command_line_takes_several_columns(key: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a;b;c\n\n1;2;3\n")
    words = (tmp_path / "in.csv", tmp_path / "out.csv", "--key-file", key, "--columns", "a,b")
    said = fine("anonymize", *words).output
    assert "blank lines  1 left out" in said
    assert "column b     1 id hashed" in said
    assert (tmp_path / "out.csv").read_text() == f"a,b,c\n{of('1')},{of('2')},3\n"
    assert "--columns for all" in refused("anonymize", *words, "--user", "a", status=2)
