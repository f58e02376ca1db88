"""Errors of the system and of DuckDB: one of ours in Python, one line that names the cause."""

import errno
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import click.testing
import duckdb
import numpy as np
import pytest

from alsolike.cli.group import main
from alsolike.data.reading.delimited.load import load_delimited
from alsolike.data.reading.read import read
from alsolike.data.reading.sources import workspace
from alsolike.errors import AlsolikeError, DataError, OutOfMemory, WritingError
from alsolike.storage.atomic import replacing, write_table
from alsolike.system_errors import explained, of_sqlite, raise_of_system
from alsolike.tables import Table

MANY = "CREATE TABLE t AS SELECT range, hash(range)::VARCHAR || 'abcdefghijklmnop' FROM range({})"


def alsolike(
    *words: object, limits: dict[int, int] | None = None, **more: object
) -> subprocess.CompletedProcess[str]:
    """Run the command line within limits; no test sees a traceback."""

    def set_limits() -> None:
        for which, limit in (limits or {}).items():
            resource.setrlimit(which, (limit, limit))

    done = subprocess.run(
        [sys.executable, "-m", "alsolike", *map(str, words)],
        capture_output=True, text=True, check=False, preexec_fn=set_limits, **more,
    )  # type: ignore[call-overload]  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done  # type: ignore[no-any-return]


def refused(*words: object, **more: object) -> str:
    """Return the one line that a command ends with."""
    done = alsolike(*words, **more)  # type: ignore[arg-type]
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.fixture(scope="module")
def likes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("likes") / "likes.csv"
    rng = np.random.default_rng(0)
    users, items = rng.integers(0, 9e6, 60_000), rng.integers(0, 500, 60_000)
    lines = (f"user{user},item{item}" for user, item in zip(users, items, strict=True))
    path.write_text("user,item\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def packed(likes: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    path = likes.with_suffix(".csv.zst")
    with pyarrow.output_stream(str(path), compression="zstd") as out:
        out.write(likes.read_bytes())
    return path


def test_too_little_memory_for_duckdb_is_an_error_of_ours() -> None:
    def ask() -> None:
        with workspace(1) as (connection, _):
            connection.execute("SET memory_limit = '3MB'")
            connection.execute("SET max_temp_directory_size = '0KB'")
            connection.execute("SET temp_directory = ''")
            connection.execute(MANY.format(2_000_000))

    with pytest.raises(OutOfMemory, match=r"not enough memory to read the table .*threads=1"):
        ask()


def test_what_spills_into_a_folder_that_is_full_names_the_folder(tmp_path: Path) -> None:
    def ask() -> None:
        with workspace(1) as (connection, _):
            connection.execute("SET memory_limit = '8MB'")
            connection.execute("SET max_temp_directory_size = '1MB'")
            connection.execute(MANY.format(2_000_000))

    with pytest.raises(WritingError, match=r"does not fit into the folder .* are free.*TMPDIR"):
        ask()


def test_an_interruption_of_duckdb_is_one_of_pythons() -> None:
    def ask() -> None:
        with workspace(1) as (connection, _):
            threading.Timer(0.2, connection.interrupt).start()
            connection.execute("SELECT sum(hash(a.range)) FROM range(10000000) a, range(1000) b")

    with pytest.raises(KeyboardInterrupt):
        ask()


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (RuntimeError("Query interrupted"), KeyboardInterrupt, ""),
        (duckdb.InterruptException("INTERRUPT Error: Interrupted!"), KeyboardInterrupt, ""),
        (duckdb.IOException('IO Error: Could not write file "x": No space left on device'),
         WritingError, r'write file "x": No space left on device: .* are free in .*TMPDIR'),
        (duckdb.IOException('IO Error: Cannot open file "x": Too many open files'),
         WritingError, "at most .*ulimit -n"),
        (duckdb.IOException('IO Error: Cannot open file "x": Permission denied'),
         WritingError, r"Permission denied\.$"),
    ],
    ids=["signal", "interrupt", "full", "files", "permission"],
)  # fmt: skip
def test_faults_of_the_system_are_no_faults_of_the_data(
    error: Exception, kind: type[BaseException], words: str
) -> None:
    with pytest.raises(kind, match=words or None):
        raise_of_system(error)
    raise_of_system(duckdb.InvalidInputException("Invalid Input Error: a line of 3 columns"))


def test_a_fault_while_a_dialect_is_tried_is_not_taken_for_another_dialect(
    likes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = load_delimited, []

    def failing(connection: object, *words: object, **more: object) -> object:
        class Full:
            def execute(self, *_: object) -> None:
                asked.append(1)
                raise duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate")

        return real(Full(), *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("alsolike.data.reading.formats.files.load_delimited", failing)
    with pytest.raises(OutOfMemory, match="Failed to allocate"):
        read(likes, user="user", item="item")
    assert len(asked) == 1


def test_any_other_error_of_duckdb_is_an_error_of_ours() -> None:
    def ask() -> None:
        with workspace(1) as (connection, _):
            connection.execute("SELECT 1 / 'x'::INTEGER")

    with pytest.raises(DataError, match=r"DuckDB.* cannot read this one \(Conversion Error"):
        ask()


def test_an_array_that_duckdb_finds_no_memory_for() -> None:
    def ask() -> None:
        with workspace(1):
            raise SystemError("resize returned a result with an exception set") from MemoryError()

    with pytest.raises(OutOfMemory):
        ask()
    for other in (SystemError("else"), RuntimeError("else")):
        with pytest.raises(type(other), match="else"), workspace(1):
            raise other


def test_a_limit_on_memory_is_one_line(likes: Path) -> None:
    line = refused("read", likes, limits={resource.RLIMIT_AS: 700 << 20})
    assert "not enough memory" in line
    assert "ulimit -v" in line


def test_a_full_temporary_folder_is_named_with_its_size(packed: Path, tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:  # not the user who may: a limit on the size of files does as well
        line = refused("read", packed, limits={resource.RLIMIT_FSIZE: 256 << 10})
        assert "File too large: at most 256.0 KiB" in line
        return
    try:
        line = refused("read", packed, env={**os.environ, "TMPDIR": str(place)})
        assert f"temporary folder {place} cannot be used" in line
        assert f"No space left on device: 0 bytes of 256.0 KiB are free in {place}" in line
        assert "TMPDIR" in line
        assert list(place.iterdir()) == []
        out = place / "likes.csv"
        line = refused("read", packed, "--to", out)
        assert f"{out}: cannot be written" in line or "No space left on device" in line
        assert "standard output" not in line
        assert list(place.iterdir()) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_limit_on_the_size_of_files_is_one_line(packed: Path, tmp_path: Path) -> None:
    line = refused("read", packed, limits={resource.RLIMIT_FSIZE: 64 << 10})
    assert "File too large: at most 64.0 KiB" in line
    assert "ulimit -f" in line


def test_a_temporary_folder_that_is_missing_is_not_replaced_in_silence(likes: Path) -> None:
    line = refused("read", likes, env={**os.environ, "TMPDIR": "/nowhere/at/all"})
    assert "temporary folder /nowhere/at/all cannot be used (No such file or directory)" in line


def test_a_current_folder_that_is_gone_is_said(likes: Path, tmp_path: Path) -> None:
    command = (
        f"mkdir '{tmp_path}/g' && cd '{tmp_path}/g' && rmdir ../g && '{sys.executable}' -m alsolike"
    )
    for words, status in (
        (f"read '{likes}'", 0),
        (f"read '{likes}' --to x.csv", 1),
        ("read likes.csv", 1),
        (f"run '{likes}' --out x", 1),
    ):
        done = subprocess.run(
            ["bash", "-c", f"{command} {words}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == status, done.stderr
        if status:
            [line] = done.stderr.splitlines()
            assert "current folder no longer exists" in line
            assert "standard output" not in line


def test_only_errors_of_standard_output_are_said_to_be_its_own(
    likes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "alsolike", "read", str(likes)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.stderr == "error: standard output: No space left on device.\n"
    for code, words in (
        (errno.EMFILE, "at most"),
        (errno.EIO, "Input/output error"),
        (errno.ENOSPC, "TMPDIR"),
    ):

        def failing(*_: object, code: int = code, **__: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("alsolike.data.reading.read.read", failing)
        result = click.testing.CliRunner().invoke(main, ["read", str(likes)])
        assert result.exit_code == 1
        assert "standard output" not in result.stderr
        assert words in result.stderr


def test_too_many_open_files_name_the_limit(likes: Path, tmp_path: Path) -> None:
    found = explained(OSError(errno.EMFILE, "Too many open files"), tmp_path)
    assert (
        found == f"Too many open files: at most {resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,}"
    )
    done = alsolike("read", likes, limits={resource.RLIMIT_NOFILE: 8})
    assert done.returncode in (0, 1)
    assert len(done.stderr.splitlines()) <= 1


def test_an_output_that_does_not_fit_says_what_is_full(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WritingError, match=r"x: cannot be written \(No space left .* are free in"):
        write()


def test_an_interruption_while_a_table_is_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted:
        def __init__(self, error: Exception) -> None:
            self._error = error

        def __enter__(self) -> "Interrupted":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def register(self, *_: object) -> None:
            pass

        def execute(self, *_: object) -> None:
            raise self._error

    for error, kind in (
        (RuntimeError("Query interrupted"), KeyboardInterrupt),
        (duckdb.IOException("IO Error: else"), WritingError),
        (RuntimeError("else"), RuntimeError),
    ):
        monkeypatch.setattr(duckdb, "connect", lambda error=error, **_: Interrupted(error))
        with pytest.raises(kind):
            write_table(tmp_path / "x.csv", Table({"a": np.arange(3)}))
    assert list(tmp_path.iterdir()) == []


def test_a_kill_between_two_renames_does_not_lose_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").touch()

    def replace() -> None:
        with replacing(target) as part:
            part.mkdir()
            target.rename(str(part).replace(".part", ".old"))  # as far as it had come
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace()
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "old"]


def test_errors_of_memory_are_of_ours_and_of_python() -> None:
    assert issubclass(OutOfMemory, AlsolikeError)
    assert issubclass(OutOfMemory, MemoryError)


@pytest.mark.parametrize("megabytes", [300, 600, 900, 1200, 2500, 20_000])
def test_too_little_memory_for_a_run_is_said_before_it_begins(
    tmp_path: Path, likes: Path, megabytes: int
) -> None:
    limits = {resource.RLIMIT_AS: megabytes << 20}
    line = refused("run", likes, "--out", tmp_path / "out", "--quiet", limits=limits)
    assert "not enough memory" in line
    assert "ulimit -v" in line
    assert "other programs" not in line, "they have no part in this limit"
    assert len(line) < 400


def test_a_way_out_of_too_little_memory_is_one(likes: Path) -> None:
    """The limit that is named is enough to begin, and one thread is named where that is enough."""
    words = ("read", likes, "--threads", "2")
    found = refused(*words, limits={resource.RLIMIT_AS: 600 << 20})
    assert "--threads" not in found
    named = int(found.partition("(ulimit -v ")[2].partition(")")[0])
    assert alsolike(*words, limits={resource.RLIMIT_AS: named << 10}).returncode == 0
    found = refused(*words, limits={resource.RLIMIT_AS: (named << 10) - (40 << 20)})
    assert found.endswith("or pass --threads 1.")


def test_zstandard_is_read_with_little_memory(packed: Path) -> None:
    limits = {resource.RLIMIT_AS: 2000 << 20}  # DuckDB's own buffer would be 2 GiB
    assert alsolike("read", packed, "--threads", "1", limits=limits).returncode == 0


@pytest.mark.parametrize("files", [6, 7, 12, 16])
def test_too_few_open_files_are_one_line(tmp_path: Path, likes: Path, files: int) -> None:
    limits = {resource.RLIMIT_NOFILE: files}
    words = ("read",) if files < 8 else ("run", "--out", tmp_path / "out", "--quiet")
    done = alsolike(words[0], likes, *words[1:], limits=limits)
    if done.returncode:
        assert "ulimit -n" in done.stderr
        assert done.stderr.count("\n") == 1
    assert done.returncode in (0, 1)


def test_files_that_may_not_be_large_are_named_by_sqlite_too(tmp_path: Path, likes: Path) -> None:
    code = (
        "import resource; from alsolike.tuning.storage.ledger import Ledger\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 10, 9 << 10))\n"
        f"try: Ledger({str(tmp_path / 'ledger.sqlite')!r})\n"
        "except OSError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "at most 9.0 KiB). Raise the limit on the size of files" in done.stdout, done
    limits = {resource.RLIMIT_FSIZE: 100 << 10}
    line = refused("read", likes, "--to", tmp_path / "out.csv", limits=limits)
    assert line.startswith(f"error: {tmp_path / 'out.csv'}: cannot be written (File too large")


def test_a_full_place_is_named_by_its_file_and_not_as_temporary(tmp_path: Path) -> None:
    """As DuckDB says it, and as SQLite does."""
    full = duckdb.IOException("IO Error: Async write failed: No space left on device")
    with pytest.raises(OSError, match="No space left"):
        raise_of_system(full, tmp_path)
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    said = str(of_sqlite(error, "x/ledger.sqlite", tmp_path))
    assert said.startswith("x/ledger.sqlite cannot be used (database or disk is full: ")
    assert said.endswith(f"are free in {tmp_path}). Make room there, or name another place.")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    assert "Another process is holding it" in str(of_sqlite(error, "x", tmp_path))
