"""A mirror writes what changed, removes what is gone, and touches nothing that it did not make."""

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from alsolike.engines.local import LocalEngine
from alsolike.errors import WritingError
from alsolike.export.incremental_writer import LIST, FileCounts, mirrored
from alsolike.storage.atomic import alone_in, write_bytes

ENGINE = LocalEngine(2)


def fill(folder: Path, files: Mapping[str, bytes], version: str = "v1") -> FileCounts:
    with mirrored(folder, files, about={"model": version}, engine=ENGINE) as mirror:
        mirror.put({path: functools.partial(bytes, text) for path, text in files.items()})
    return mirror.counts


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != LIST
    }


def dates(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    files = {"a/1.json": b"one", "a/2.json": b"two", "b/3.json": b"", "index.json": b"x"}
    assert fill(tmp_path / "m", files) == FileCounts(written=4)
    before = dates(tmp_path / "m")
    assert fill(tmp_path / "m", files) == FileCounts(unchanged=4)
    assert dates(tmp_path / "m") == before
    after = {"a/1.json": b"one", "a/2.json": b"TWO", "c/4.json": b"four"}
    assert fill(tmp_path / "m", after) == FileCounts(written=2, unchanged=1, removed=2)
    assert content(tmp_path / "m") == after
    assert (
        dates(tmp_path / "m")[str(tmp_path / "m/a/1.json")] == before[str(tmp_path / "m/a/1.json")]
    )
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["a", LIST, "c"]


def test_the_list_says_what_is_there_and_of_what(tmp_path: Path) -> None:
    fill(tmp_path, {"b.json": b"", "a.json": b""})
    assert json.loads((tmp_path / LIST).read_text()) == {
        "format": "alsolike export", "format_version": 1, "complete": True, "model": "v1",
        "files": ["a.json", "b.json"],
    }  # fmt: skip


def test_large_files_are_compared_too(tmp_path: Path) -> None:
    for text, counts in ((b"1", FileCounts(1)), (b"1", FileCounts(0, 1)), (b"2", FileCounts(1))):
        with mirrored(tmp_path, ["t.bin"], about={}, engine=ENGINE) as mirror:
            mirror.build("t.bin", lambda place, text=text: write_bytes(place, text))  # type: ignore[misc]
        assert mirror.counts == counts
        assert content(tmp_path) == {"t.bin": text}


def test_a_broken_file_is_mended(tmp_path: Path) -> None:
    fill(tmp_path, {"a.json": b"whole", "b.json": b"b"})
    (tmp_path / "a.json").write_bytes(b"who")
    (tmp_path / "b.json").unlink()
    assert fill(tmp_path, {"a.json": b"whole", "b.json": b"b"}) == FileCounts(written=2)


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(WritingError, match=r"other files found \(thesis\.tex\)"):
        fill(tmp_path, {"a.json": b""})
    assert content(tmp_path) == {"thesis.tex": b"precious"}


def test_foreign_files_beside_ours_stay(tmp_path: Path) -> None:
    fill(tmp_path, {"a/1.json": b"1", "a/2.json": b"2"})
    (tmp_path / "CNAME").write_text("example.org")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    assert fill(tmp_path, {"b/1.json": b"1"}) == FileCounts(written=1, removed=2)
    assert content(tmp_path) == {
        "CNAME": b"example.org", "a/notes.txt": b"mine", "b/1.json": b"1",
    }  # fmt: skip
    with pytest.raises(WritingError, match=r"notes.txt: this file was not written by an export"):
        fill(tmp_path, {"b/1.json": b"2", "a/notes.txt": b"ours"})
    assert content(tmp_path)["b/1.json"] == b"1"


class KilledError(Exception):
    pass


def test_a_stopped_export_goes_on(tmp_path: Path) -> None:
    files = {f"{number}.json": b"%d" % number for number in range(7)}
    fill(tmp_path, {"old.json": b"", "0.json": b"old"}, "v0")

    def stop() -> bytes:
        raise KilledError

    makers = {path: functools.partial(bytes, text) for path, text in files.items()}
    with (
        pytest.raises(KilledError),
        mirrored(tmp_path, files, about={"model": "v1"}, engine=ENGINE, batch=2) as mirror,
    ):
        mirror.put({**makers, "5.json": stop})
    stated = json.loads((tmp_path / LIST).read_text())
    assert not stated["complete"]
    assert stated["files"] == sorted([*files, "old.json"])
    assert sorted(content(tmp_path)) == [*sorted(files)[:4], "old.json"]
    (tmp_path / ".alsolike-staged").mkdir()  # a kill cannot tidy up
    (tmp_path / ".alsolike-staged" / "half").write_text("x")
    assert fill(tmp_path, files) == FileCounts(written=3, unchanged=4, removed=1)
    assert content(tmp_path) == files
    assert not list(tmp_path.glob(".alsolike*"))


def test_a_first_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(KilledError),
        mirrored(tmp_path / "m", ["a.json"], about={}, engine=ENGINE),
    ):
        raise KilledError
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}", '{"format": "alsolike export"}', "[" * 100_000,
        '{"format": "alsolike export", "format_version": 1, "files": ["../precious"]}',
        '{"format": "alsolike export", "format_version": 1, "files": ["/etc/passwd"]}',
        '{"format": "alsolike export", "format_version": 1, "files": ["a/../../b"]}',
        '{"format": "alsolike export", "format_version": 1, "files": [1]}',
        '{"format": "alsolike export", "format_version": 1, "files": 1}',
        '{"format": "alsolike export", "format_version": 2, "files": []}',
    ],
    ids=range(12),
)  # fmt: skip
def test_a_list_of_somebody_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "precious").write_text("p")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / LIST).write_text(text)
    with pytest.raises(WritingError, match="choose another"):
        fill(tmp_path / "m", {"a.json": b""})
    assert content(tmp_path) == {"precious": b"p"}


def test_links_lead_nowhere(tmp_path: Path) -> None:
    fill(tmp_path / "m", {"a/1.json": b"1"})
    (tmp_path / "m" / "a" / "1.json").unlink()
    (tmp_path / "m" / "a").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.json").write_text("not ours")
    (tmp_path / "m" / "a").symlink_to(tmp_path / "elsewhere")
    for files in ({"a/1.json": b"2"}, {"b.json": b""}):
        with pytest.raises(WritingError, match="a link found"):
            fill(tmp_path / "m", files)
    assert content(tmp_path / "elsewhere") == {"1.json": b"not ours"}


def test_one_export_at_a_time(tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(WritingError, match="another alsolike"):
        fill(tmp_path, {"a.json": b""})


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WritingError, match="file"):
        fill(tmp_path / "file", {"a.json": b""})
    fill(tmp_path / "m", {"a.json": b""})
    (tmp_path / "m" / "a.json").unlink()
    (tmp_path / "m" / "a.json").mkdir()
    with pytest.raises(WritingError, match=r"a\.json: cannot be written"):
        fill(tmp_path / "m", {"a.json": b""})
