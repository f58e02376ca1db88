"""Writing: all of a file or none of it, the same bytes for the same table, no folder lost."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alsolike.errors import WritingError
from alsolike.storage.atomic import (
    alone_in,
    refuse_overlap,
    remove_folder,
    replacing,
    write_bytes,
    write_table,
    write_text,
)
from alsolike.tables import Table


def names_in(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_whole_and_its_folders_with_it(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "line\nü\r\n")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "line\nü\r\n".encode()
    assert names_in(tmp_path / "a") == ["b.txt"]


def _break_off(target: Path, kind: type[BaseException]) -> None:
    with replacing(target) as part:
        part.mkdir()
        (part / "half").touch()
        raise kind


def test_what_goes_wrong_leaves_the_old_content_and_nothing_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "f"
    write_bytes(target, b"old")
    for kind in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(kind):
            _break_off(target, kind)
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["f"]


def test_nothing_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WritingError, match="nothing was written"), replacing(tmp_path / "f"):
        pass


def test_a_folder_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    for content in ("one", "two"):
        with replacing(tmp_path / "model") as part:
            part.mkdir()
            (part / content).touch()
    assert names_in(tmp_path) == ["model"]
    assert names_in(tmp_path / "model") == ["two"]


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter").write_text("years of work")
    with pytest.raises(WritingError, match="a folder found"):
        write_text(tmp_path / "thesis", "a gallery")
    assert (tmp_path / "thesis" / "chapter").read_text() == "years of work"
    assert names_in(tmp_path) == ["thesis"]


@pytest.mark.parametrize("path", [".", "/", ""])
def test_a_path_without_a_name_is_an_error(path: str) -> None:
    with pytest.raises(WritingError, match="name of a file"):
        write_text(path, "x")


def test_what_a_kill_leaves_is_swept_away_and_what_lives_is_not(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for leftover in (f".model.{gone.pid}-0.part", f".model.{gone.pid}-7.old"):
        (tmp_path / leftover).mkdir()
        (tmp_path / leftover / "half").touch()
    others = [f".model.{os.getppid()}-0.part", f".models.{gone.pid}-0.part", ".model.notes.part"]
    for other in others:
        (tmp_path / other).touch()
    with replacing(tmp_path / "model") as part:
        part.mkdir()
    assert names_in(tmp_path) == sorted(["model", *others])


def test_of_several_writers_of_one_folder_one_wins_whole(tmp_path: Path) -> None:
    def write(number: int) -> None:
        with replacing(tmp_path / "model") as part:
            part.mkdir()
            for name in ("a", "b"):
                (part / name).write_text(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert names_in(tmp_path) == ["model"]
    assert len({(tmp_path / "model" / name).read_text() for name in ("a", "b")}) == 1


def test_a_link_stays_and_what_it_points_at_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    for name in ("there", "still to be made"):
        link = tmp_path / f"{name}.link"
        link.symlink_to(tmp_path / "real" / name)
        write_text(tmp_path / "real" / "there", "old")
        write_text(link, "new")
        assert link.is_symlink()
        assert (tmp_path / "real" / name).read_text() == "new"
    assert names_in(tmp_path / "real") == ["still to be made", "there"]


def test_a_pipe_is_refused_and_left_alone_also_through_a_link(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(WritingError, match="a device, pipe or socket found"):
            write_text(tmp_path / name, "x")
    assert (tmp_path / "pipe").is_fifo()
    assert names_in(tmp_path) == ["link", "pipe"]


def test_links_in_a_ring_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(WritingError, match="cannot be written"):
        write_text(tmp_path / "a", "x")


@pytest.mark.parametrize(
    ("reads", "writes", "message"),
    [
        (["likes"], ["likes"], "would write over it"),
        (["likes"], ["sub/../likes"], "would write over it"),
        (["likes"], ["link"], "would write over it"),
        (["likes"], ["twin"], "would write over it"),
        (["sub"], ["sub/page.html"], "would write over it"),
        (["sub/likes"], ["sub"], "would write over it"),
        ([], ["new", "new"], "cannot have one place"),
        ([], ["new", "new/rejects"], "cannot have one place"),
    ],
)
def test_outputs_that_would_replace_something_of_the_command_are_refused(
    tmp_path: Path, reads: list[str], writes: list[str], message: str
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "likes").touch()
    (tmp_path / "link").symlink_to("likes")
    (tmp_path / "twin").hardlink_to(tmp_path / "likes")
    with pytest.raises(WritingError, match=message):
        refuse_overlap([tmp_path / one for one in reads], [tmp_path / one for one in writes])


def test_outputs_beside_the_inputs_are_fine(tmp_path: Path) -> None:
    (tmp_path / "likes").touch()
    refuse_overlap([tmp_path / "likes"], [tmp_path / "to", tmp_path / "rejects", tmp_path / "m/a"])


def test_a_folder_is_kept_to_one_process_until_it_ends(tmp_path: Path) -> None:
    keep = (
        f"from alsolike.storage.atomic import alone_in\nwith alone_in({str(tmp_path)!r}):\n"
        " print('kept', flush=True)\n input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", keep], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"kept\n"
        with pytest.raises(WritingError, match="another alsolike is running"), alone_in(tmp_path):
            pass
        other.kill()
    with alone_in(tmp_path):
        assert names_in(tmp_path) == []


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WritingError, match="cannot be written"):
        write_text(tmp_path / "file" / "below.txt", "x")
    with pytest.raises(WritingError, match="cannot be written"):
        write_text(tmp_path / ("x" * 300), "x")
    if os.geteuid() == 0:
        return  # root may write anywhere
    tmp_path.chmod(0o500)
    with pytest.raises(WritingError, match="cannot be written"):
        write_text(tmp_path / "f", "x")


def read_back(path: Path) -> tuple[list[str], list[tuple[object, ...]]]:
    """Return the types of the columns, and the rows."""
    with duckdb.connect() as connection:
        found = connection.read_parquet(str(path))
        return [str(kind) for kind in found.types], found.fetchall()


def test_parquet_keeps_types_gaps_and_hostile_texts(tmp_path: Path) -> None:
    names = ["a,b", 'say "x"', "two\nlines", "", "\x00\x1b", "العربية", "NULL", None]
    table = Table(
        {
            "i'd\"": [str(number) for number in range(8)],
            "name": names,
            "rank": np.arange(8, dtype=np.int32),
            "score": np.linspace(0, 1, 8, dtype=np.float32),
            "low": [None] * 7 + [0.1],
            "none": [None] * 8,
            "tie": [True, False] * 4,
            "run": [None] * 7 + [3],
        }
    )
    write_table(tmp_path / "t.parquet", table)
    kinds, rows = read_back(tmp_path / "t.parquet")
    assert kinds == [
        "VARCHAR",
        "VARCHAR",
        "BIGINT",
        "FLOAT",
        "DOUBLE",
        "DOUBLE",
        "BOOLEAN",
        "BIGINT",
    ]
    assert rows == [tuple(row.values()) for row in table.rows()]
    first = (tmp_path / "t.parquet").read_bytes()
    write_table(tmp_path / "t.parquet", table)
    assert (tmp_path / "t.parquet").read_bytes() == first


def test_a_table_without_rows_keeps_texts_texts(tmp_path: Path) -> None:
    write_table(tmp_path / "t.parquet", Table({"item": np.empty(0, dtype=object), "score": []}))
    assert read_back(tmp_path / "t.parquet")[0] == ["VARCHAR", "DOUBLE"]


def test_a_text_far_down_a_column_of_gaps_is_still_a_text(tmp_path: Path) -> None:
    cells = [None] * 5000 + ["12"]
    write_table(tmp_path / "t.parquet", Table({"name": cells}))
    assert read_back(tmp_path / "t.parquet")[1][-2:] == [(None,), ("12",)]


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_come_back_from_csv_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    write_table(path, Table({"x": numbers}))
    assert list(map(float, path.read_text().splitlines()[1:])) == numbers


def test_other_endings_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(WritingError, match=r"\.csv or \.parquet"):
        write_table(tmp_path / "t.txt", Table({"x": [1]}))
    assert names_in(tmp_path) == []


def test_a_name_with_quotes_is_a_name(tmp_path: Path) -> None:
    write_table(tmp_path / 'it\'s "a" name.csv', Table({"x": [1]}))
    assert names_in(tmp_path) == ['it\'s "a" name.csv']


def test_a_folder_is_removed_whole_and_a_missing_one_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "old" / "inner").mkdir(parents=True)
    (tmp_path / "old" / "inner" / "file").touch()
    remove_folder(tmp_path / "old")
    remove_folder(tmp_path / "old")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    remove_folder(tmp_path / "file")  # not a folder: left as it is
    assert (tmp_path / "file").exists()
