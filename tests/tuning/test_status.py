"""A search seen from outside: nothing is written, and clocks that differ change nothing."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from alsolike.errors import DataError, LedgerError, WritingError
from alsolike.tuning import options, status
from alsolike.tuning import search as search_room
from alsolike.tuning.options import Searching
from alsolike.tuning.storage import ledger as ledger_room
from alsolike.tuning.storage.ledger import LEASE, Ledger
from alsolike.tuning.storage.worker_names import is_gone, is_here, name_of

# Loads all that it needs while it may, then becomes a user who may only read.
AS_ANOTHER = """
import os, sys
from click.testing import CliRunner
from alsolike.cli.group import main
CliRunner().invoke(main, ["runs", sys.argv[1]])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
done = CliRunner().invoke(main, ["runs", sys.argv[1]])
print(done.output, end="")
sys.exit(done.exit_code)
"""

# Ends as a kill would: what was recorded last is in the log beside the file.
KILLED = """
import os, sys
from alsolike.tuning.storage.ledger import Ledger
ledger = Ledger(sys.argv[1])
ledger.enlist([{"factors": 8}, {"factors": 16}], sweeps=2)
os._exit(0)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder with a ledger, at a place that others may look into."""
    with tempfile.TemporaryDirectory() as outer:
        Path(outer).chmod(0o755)
        place = Path(outer) / "run"
        with Ledger(place / "ledger.sqlite") as ledger:
            ledger.enlist([{"factors": 4}], sweeps=2)
        yield place


def seen_by_another(folder: Path) -> str:
    """Return what `alsolike runs` shows a user who cannot write; the folder stays as it is."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    folder.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, str(folder)], capture_output=True, text=True, check=False
    )
    folder.chmod(0o755)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    return done.stdout


def test_a_user_who_may_only_read_sees_a_search(folder: Path) -> None:
    assert "1 waiting" in seen_by_another(folder)


@pytest.mark.parametrize("index", [True, False], ids=["with an index", "without"])
def test_what_a_kill_left_in_the_log_is_seen_too(folder: Path, index: bool) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(folder / "ledger.sqlite")], check=True)
    names = {path.name for path in folder.iterdir()}
    assert names == {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"}
    if not index:
        (folder / "ledger.sqlite-shm").unlink()
    assert "3 waiting" in seen_by_another(folder)


def test_a_search_that_is_under_way_is_seen(folder: Path) -> None:
    with Ledger(folder / "ledger.sqlite") as ledger:
        ledger.enlist([{"factors": 8}], sweeps=2)
        assert "2 waiting" in seen_by_another(folder)
        ledger.enlist([{"factors": 16}], sweeps=2)
        assert "3 waiting" in str(status.status_of(folder))


def test_a_mount_that_is_read_only_shows_a_search(folder: Path) -> None:
    bound = subprocess.run(
        ["mount", "--bind", str(folder), str(folder)], capture_output=True, check=False
    )
    if bound.returncode:  # not the user who may: the folder alone has to do
        assert "1 waiting" in seen_by_another(folder)
        return
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (folder / "x").touch()
        assert "1 waiting" in str(status.status_of(folder))
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_looking_leaves_nothing_beside_the_file(folder: Path) -> None:
    assert "1 waiting" in str(status.status_of(folder))
    assert [path.name for path in folder.iterdir()] == ["ledger.sqlite"]


def test_an_empty_file_is_no_ledger_and_none_is_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").touch()
    with pytest.raises(LedgerError, match="is empty"):
        status.status_of(tmp_path)
    assert (tmp_path / "ledger.sqlite").read_bytes() == b""
    with pytest.raises(WritingError, match="read and written"):
        Ledger(tmp_path / "ledger.sqlite" / "x", only_read=True)
    with pytest.raises(DataError, match="no ledger"):
        status.status_of(tmp_path / "nowhere")


@pytest.mark.parametrize("ahead", [-86_400.0, 0.0, 86_400.0, 4e9])
def test_workers_of_this_machine_live_whatever_the_clock_says(
    folder: Path, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(folder / "ledger.sqlite") as ledger:
        assert ledger.claim(name_of()) is not None
    now = time.time()
    monkeypatch.setattr(status, "time", SimpleNamespace(time=lambda: now + ahead))
    assert "Active workers: 1." in str(status.status_of(folder))


@pytest.mark.parametrize(("behind", "alive"), [(-3600.0, 1), (10.0, 1), (3600.0, 0)])
def test_a_heartbeat_from_the_future_is_one_of_just_now(
    folder: Path, behind: float, alive: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Ledger(folder / "ledger.sqlite") as ledger:
        assert ledger.claim("elsewhere 1 2 3") is not None
    now = time.time()
    monkeypatch.setattr(status, "time", SimpleNamespace(time=lambda: now + behind))
    assert f"Active workers: {alive}." in str(status.status_of(folder))


def test_a_worker_is_here_gone_or_unknown() -> None:
    assert is_here(name_of())
    process = subprocess.run(
        [sys.executable, "-c",
         "from alsolike.tuning.storage.worker_names import name_of; print(name_of())"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    dead = process.stdout.strip()
    assert (is_here(dead), is_gone(dead)) == (False, True)
    assert (is_here("elsewhere 1 2 3"), is_gone("elsewhere 1 2 3")) == (False, False)


def test_every_heartbeat_differs_from_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1000.0, 2000.0, 5.0, 5.0, 3000.0])
    monkeypatch.setattr(ledger_room, "time", SimpleNamespace(time=lambda: next(clock)))
    with Ledger(None) as ledger:
        ledger.enlist([{"factors": 4}], sweeps=2)
        ledger.claim("one")
        beats = [ledger.workers()[0][1]]
        for _ in range(4):
            ledger.beat("one")
            beats.append(ledger.workers()[0][1])
    assert beats == sorted(set(beats))
    assert beats[-1] == 3000.0


def test_a_worker_whose_clock_is_behind_keeps_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(None) as ledger:
        [number] = ledger.enlist([{"factors": 4}], sweeps=2)
        monkeypatch.setattr(ledger_room, "time", SimpleNamespace(time=lambda: 1000.0))
        assert ledger.claim("elsewhere 1 2 3") == number
        monkeypatch.undo()
        assert time.time() - ledger.workers()[0][1] > LEASE
        assert ledger.claim(name_of()) is None


def test_a_clock_that_is_set_does_not_change_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    how = Searching(budget=100.0)
    for jump in (-1e6, 1e6):
        real = time.time
        monkeypatch.setattr(time, "time", lambda jump=jump, real=real: real() + jump)
        assert 90.0 < (how.left() or 0.0) <= 100.0
        monkeypatch.undo()
    assert Searching().left() is None
    assert options.time is search_room.time
    assert os.name == "posix"
