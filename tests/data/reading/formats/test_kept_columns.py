"""Columns that are not in use are not kept, and all else is as if they were."""

from pathlib import Path

import pytest

import alsolike as al
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.sources import load, workspace
from alsolike.errors import DataError

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

HEAD = "user,note,item,more"
ROWS = [
    ("ann", "a,b", "m1", "x"),
    ("ann", "a", "m1", "x"),  # another note
    ("bob", "", "m2", '5" disk'),
    ("ann", "a,b", "m1", "x"),
    ("bob", "", "m2", '5" disk'),
    ("bob", "5", "m2", '" disk'),  # the same cells together
]


def cell(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if set(text) & set(',"\n') else text


def lines(rows: list[tuple[str, ...]], head: str = HEAD) -> str:
    return "\n".join([head, *(",".join(map(cell, row)) for row in rows)]) + "\n"


def columns_of(path: Path, *, keep: list[str] | None) -> tuple[list[str], int]:
    with workspace(1) as (connection, scratch):
        loaded = load(
            connection, scratch, "likes", path, FixedDialect(), ids=["user", "item"], keep=keep
        )
        described = connection.execute(f"DESCRIBE {loaded.table}").fetchall()
        return [row[0] for row in described], len(loaded.types)


def written(folder: Path, kind: str) -> Path:
    path = folder / f"likes.{kind}"
    if kind == "csv":
        path.write_text(lines(ROWS))
    elif kind == "parquet":
        names = HEAD.split(",")
        columns = zip(*ROWS, strict=True)
        parquet.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), path)
    else:
        path.write_text(lines(ROWS[:3]))
        path = folder
        (folder / "more.csv").write_text(lines(ROWS[3:]))
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "parts"])
def test_only_columns_in_use_are_kept(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, kind)
    assert columns_of(path, keep=[]) == (["c0", "c2", "h0", "h1"], 4)
    assert columns_of(path, keep=["more", "note"]) == (["c0", "c1", "c2", "c3"], 4)
    assert columns_of(path, keep=None) == (["c0", "c1", "c2", "c3"], 4)
    likes, report = al.read(path, user="user", item="item")
    assert (report.rows, report.duplicates, report.repeated) == (6, 2, 2)
    assert likes.user_items.toarray().tolist() == [[2, 0], [0, 2]]
    kept = al.read(path, user="user", item="item", duplicates="keep")[1]
    assert (kept.duplicates, kept.duplicates_rule) == (2, "keep")


def test_a_row_equal_to_the_header_is_found_by_its_hashes(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    near = HEAD.replace("more", "less").split(",")
    path.write_text(lines([*ROWS, tuple(near), tuple(HEAD.split(","))]))
    _, report = al.read(path, user="user", item="item")
    assert any("line 9 is equal to the header" in one for one in report.warnings)


def test_parts_that_are_unlike_are_compared_cell_by_cell(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(lines(ROWS[:3]))
    turned = [(item, user, more, note) for user, note, item, more in ROWS[3:]]
    (tmp_path / "b.csv").write_text(lines(turned, "item,user,more,note"))
    assert al.read(tmp_path, user="user", item="item")[1].duplicates == 2
    for year in (1, 2):
        folder = tmp_path / "years" / f"year={year}"
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(lines(ROWS[:3]))
    # The year is a column, too: rows of two years are no duplicates.
    assert al.read(tmp_path / "years", user="user", item="item")[1].duplicates == 0


def test_the_strict_parser_keeps_as_much(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text(lines(ROWS) + "broken\n")
    likes, report = al.read(
        path, user="user", item="item", on_error="reject", rejects=tmp_path / "out.csv"
    )
    assert (report.rows, report.duplicates, report.rejected) == (6, 2, 1)
    assert likes.n_interactions == 2


def test_marks_in_columns_that_are_not_kept_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "likes.csv"
    path.write_text("user,item,note\n" + "".join(f"u{n},m{n},'well'\n" for n in range(5)))
    _, report = al.read(path, user="user", item="item")
    assert any('5 fields begin with "\'"' in one for one in report.warnings)


def test_ids_are_numbered_by_their_bytes_and_blank_ones_are_missing() -> None:
    users = ["ü", "z", "Z", "😀", "\ufb01", "a\u3000", "\u3000 "]
    frame = pa.table({"user": users, "item": ["m"] * len(users)})
    with pytest.raises(DataError, match="row 7, column 'user': the id of a user expected"):
        al.read(frame, user="user", item="item")
    likes, report = al.read(frame, user="user", item="item", missing_id="drop")
    assert list(likes.users) == sorted(users[:-1], key=str.encode)
    assert report.missing == 1
