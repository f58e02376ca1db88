"""The ledger: each thing exactly once, through kills, other processes and damage."""

import itertools
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from alsolike.errors import LeaseLost, LedgerError, WritingError
from alsolike.tuning.storage import ledger as ledger_room
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.storage.ledger import LEASE, Ledger
from alsolike.tuning.storage.worker_names import SilenceDetector, name_of

FACTS = {"data": "0f3a", "sweeps": [2, 4]}

# Trains nothing: figures follow from configuration and sweep, so that kills can be many. It is run
# by one process that forks, since starting Python takes longer than the work.
HOST = """
import os, random, signal, sys, time
import numpy as np
from alsolike.tuning.storage import ledger as room
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.storage.worker_names import name_of

def work(path, pause):
    with Ledger(path) as ledger:
        ledger.bind({"data": "0f3a"})
        settings = [{"factors": f, "alpha": a, "seed": 7} for f in (8, 16) for a in (1.0, 0.1, 0)]
        numbers, me = ledger.enlist(settings, sweeps=8), name_of()
        ledger.take_up(numbers)
        while not all(ledger.state(number) in room.ENDED for number in numbers):
            number = ledger.claim(me)
            if number is None:
                time.sleep(0.01)
                continue
            there = ledger.points(number)
            for sweep in sorted(set(range(1, 9)) - set(there)):
                figures = {"score": number / (sweep + 0.1), "mse": 1 / 3}
                time.sleep(pause)
                ledger.record(number, sweep, figures, worker=me, seconds=0.1,
                              bests={"": np.arange(3.0) + number} if sweep == 1 else None)
            if number == 5:
                ledger.fail(number, "singular", worker=me, seconds=0.1)
            else:
                ledger.finish(number, worker=me, seconds=0.1)

def forked(path, pause=0.0):
    child = os.fork()
    if child == 0:
        try:
            work(path, pause)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child

def outcome(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

undisturbed, killed, shared, unleased = sys.argv[1:]
began = time.perf_counter()
# A pause makes most of the time, so that a slow moment of the machine changes little of it.
assert outcome(forked(undisturbed, 0.005)) == 0
takes = time.perf_counter() - began
chance, kills, code = random.Random(20261123), 0, None
while code != 0:
    child = forked(killed, 0.005)
    # The longer it has taken, the longer a child may live: it ends on a slow machine as well.
    time.sleep(chance.random() * takes * (kills + 2) / 12)
    os.kill(child, signal.SIGKILL)
    code = outcome(child)
    assert code in (0, -signal.SIGKILL), code
    kills += code != 0
both = [forked(shared), forked(shared)]
assert [outcome(child) for child in both] == [0, 0]
room.SilenceDetector.has_lost = lambda *_: True
sys.stderr = open(os.devnull, "w")
both = [forked(unleased, 0.005), forked(unleased, 0.005)]
assert 1 in [outcome(child) for child in both], "without leases work is done twice"
print(kills)
"""


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path, int]:
    """Ledgers of one work: undisturbed, killed again and again, by two at once; and the kills."""
    folder = tmp_path_factory.mktemp("ledgers")
    names = ("undisturbed", "killed", "shared", "unleased")
    paths = [folder / f"{name}.sqlite" for name in names]
    run = subprocess.run(
        [sys.executable, "-c", HOST, *map(str, paths)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    return paths[0], paths[1], paths[2], int(run.stdout)


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, but for times and who worked."""
    with Ledger(path):
        pass
    connection = sqlite3.connect(path)
    columns = {
        "facts": "*",
        "configurations": "id, settings, sweeps, bars, state, seed, attempts, error",
        "points": "configuration, sweep, figures",
        "bests": "*",
    }
    tables = {
        name: connection.execute(f"SELECT {what} FROM {name} ORDER BY 1, 2").fetchall()  # noqa: S608
        for name, what in columns.items()
    }
    connection.close()
    return tables


def test_kills_lose_and_double_nothing(worked: tuple[Path, Path, Path, int]) -> None:
    undisturbed, killed, _, kills = worked
    expected = content(undisturbed)
    assert kills >= 2
    assert content(killed) == expected
    assert len(expected["configurations"]) == 6
    assert len(expected["points"]) == 48


def test_two_processes_on_one_ledger_double_nothing(
    worked: tuple[Path, Path, Path, int],
) -> None:
    undisturbed, _, shared, _ = worked
    assert content(shared) == content(undisturbed)


def begun(ledger: Ledger, worker: str = "me") -> int:
    [number] = ledger.enlist([{"factors": 8}], sweeps=4)
    assert ledger.claim(worker) == number
    return number


def test_a_point_done_twice_is_an_error() -> None:
    with Ledger(None) as ledger:
        number = begun(ledger)
        ledger.record(number, 2, {"score": 0.1, "mse": 1 / 3}, worker="me")
        with pytest.raises(LedgerError, match="sweep 2 was already scored by worker me; worker"):
            ledger.record(number, 2, {"score": 0.1, "mse": 1 / 3}, worker="me")
        assert ledger.points(number) == {2: {"score": 0.1, "mse": 1 / 3}}


def test_another_score_for_a_point_is_an_error() -> None:
    with Ledger(None) as ledger:
        number = begun(ledger)
        ledger.record(number, 2, {"score": 0.1}, worker="me")
        ledger.compare(number, 2, {"score": 0.1})
        with pytest.raises(LedgerError, match=r"sweep 2 .* score was 0.1 and is now 0.1000000000"):
            ledger.compare(number, 2, {"score": float(np.nextafter(0.1, 1))})


def test_work_is_one_workers_until_it_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(
        ledger_room,
        "SilenceDetector",
        lambda seconds: SilenceDetector(seconds, clock=lambda: clock[0]),
    )
    # The clock on the wall says nothing of it: that of another machine, or one that was set.
    on_the_wall = itertools.cycle([1e9, 5.0, 4e9, 5.0])
    monkeypatch.setattr(ledger_room, "time", SimpleNamespace(time=lambda: next(on_the_wall)))
    with Ledger(None) as ledger:
        number = begun(ledger, "one")
        assert ledger.claim("two") is None
        clock[0] += LEASE - 1
        ledger.beat("one")
        clock[0] += LEASE - 1
        assert ledger.claim("two") is None
        clock[0] += LEASE + 1
        assert ledger.claim("two") == number
        for late in (
            lambda: ledger.record(number, 2, {"score": 0.1}, worker="one"),
            lambda: ledger.finish(number, worker="one"),
            lambda: ledger.fail(number, "singular", worker="one"),
        ):
            with pytest.raises(LeaseLost, match="not leased by worker one"):
                late()
        ledger.record(number, 2, {"score": 0.1}, worker="two")
        ledger.give_back("two")
        assert ledger.state(number) == "waiting"


def test_what_a_dead_process_had_is_free_at_once() -> None:
    code = "from alsolike.tuning.storage.worker_names import name_of; print(name_of())"
    dead = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
    )
    with Ledger(None) as ledger:
        number = begun(ledger, dead.stdout.strip())
        assert ledger.claim(name_of()) == number
        assert ledger.claim("another") is None


def test_what_ends_its_workers_fails_at_last() -> None:
    with Ledger(None) as ledger:
        code = "from alsolike.tuning.storage.worker_names import name_of; print(name_of())"
        dead = subprocess.run(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()
        number = begun(ledger, dead)
        for _ in range(4):
            assert ledger.claim(dead) == number
        assert ledger.claim("me") is None
        assert ledger.state(number) == "failed"
        assert "5 workers died while training it" in str(ledger.error(number))


def test_a_training_can_be_taken_further() -> None:
    with Ledger(None) as ledger:
        number = begun(ledger)
        ledger.record(number, 4, {"score": 0.1}, worker="me", bests={"": np.array([0.5, 1 / 3])})
        ledger.finish(number, worker="me", seconds=1.5)
        assert ledger.enlist([{"factors": 8}], sweeps=4) == [number]
        assert ledger.claim("me") is None
        ledger.enlist([{"factors": 8}], sweeps=8, thresholds={6: 0.2})
        assert ledger.claim("you") == number
        assert ledger.task(number) == ({"factors": 8}, 8, {6: 0.2})
        sweep, answers = ledger.best(number, "") or (0, np.empty(0))
        assert (sweep, answers.tolist()) == (4, [0.5, 1 / 3])
        assert ledger.best(number, "other") is None
        ledger.skip([number])
        assert ledger.state(number) == "skipped"
        ledger.take_up([number])
        assert ledger.state(number) == "waiting"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_not_finite_is_refused(value: float) -> None:
    with Ledger(None) as ledger:
        number = begun(ledger)
        with pytest.raises(LedgerError, match="must be finite"):
            ledger.record(number, 2, {"score": value}, worker="me")
        assert ledger.points(number) == {}


def test_other_data_or_settings_are_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.bind(FACTS)
        ledger.bind(FACTS)
    with Ledger(path) as ledger, pytest.raises(LedgerError) as caught:
        ledger.bind({"data": "0f3a", "sweeps": [2, 4, 6], "judge": {"k": 5}})
    message = str(caught.value)
    assert "sweeps was [2, 4] and is now [2, 4, 6]" in message
    assert 'judge was not there and is now {"k": 5}' in message
    assert message.count(" was ") == 2
    assert "data was" not in message
    assert "delete this file" in message


def test_of_a_long_setting_only_what_differs_is_told_and_the_data_last() -> None:
    objective = {"name": "honest", "metric": "precision", "k": 10, "exclude_seen": True}
    before = {"data of train": "a" * 64, "judge honest": objective, "split": "random (seed 0)"}
    now = {
        "data of train": "b" * 64,
        "judge honest": objective | {"k": 7},
        "split": "random (seed 5)",
    }
    with Ledger(None) as ledger:
        ledger.bind(before)
        with pytest.raises(LedgerError, match="another run") as caught:
            ledger.bind(now)
    assert (
        "k of judge honest was 10 and is now 7; "
        'split was "random (seed 0)" and is now "random (seed 5)"; the data differ (train). '
    ) in str(caught.value)


def test_equal_settings_are_one_configuration() -> None:
    with Ledger(None) as ledger:
        first = ledger.enlist([{"factors": 8, "alpha": 10.0}, {"factors": 16, "alpha": 10}])
        again = ledger.enlist(
            [{"alpha": np.float32(10), "factors": np.int64(16)}, {"alpha": 10, "factors": 8}]
        )
        assert first == [1, 2]
        assert again == [2, 1]


def test_canonical_settings_tell_apart_what_differs() -> None:
    settings = [0, None, False, 1e-300, 0.1, "0", 1e300, 2**53]
    assert len({canonical_settings({"setting": value}) for value in settings}) == len(settings)


def test_a_configuration_moves_forward_only() -> None:
    with Ledger(None) as ledger:
        [number] = ledger.enlist([{"factors": 8}])
        with pytest.raises(LeaseLost, match="is waiting and not leased"):
            ledger.finish(number, worker="me")
        assert ledger.claim("me") == number
        ledger.fail(number, "singular system", worker="me", seconds=1.5)
        assert (ledger.state(number), ledger.error(number)) == ("failed", "singular system")
        assert ledger.claim("me") is None
        with pytest.raises(LedgerError, match="no configuration 9"):
            ledger.state(9)


def test_to_table_can_be_read_by_people() -> None:
    with Ledger(None) as ledger:
        ledger.enlist([{"factors": 8}, {"factors": 16}])
        assert ledger.claim("me", [2]) == 2
        ledger.record(2, 4, {"score": 0.5}, worker="me")
        table = ledger.to_table()
    assert table["state"].tolist() == ["waiting", "running"]
    assert table["points"].tolist() == [0, 1]


@pytest.mark.parametrize("text", [b"not a database at all, but long enough" * 40, b"x"])
def test_a_file_that_is_no_ledger_is_left_alone(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(text)
    with pytest.raises(LedgerError, match=r"notes\.txt is another kind of file"):
        Ledger(path)
    assert path.read_bytes() == text


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (name TEXT)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="not a ledger of alsolike"):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LedgerError, match="format 99; this version of alsolike knows format 2"):
        Ledger(path)


def test_damage_is_found_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.enlist([{"factors": factors, "note": "x" * 50} for factors in range(2000)])
    damaged = bytearray(path.read_bytes())
    damaged[5 * 4096 : 6 * 4096] = b"\xa5" * 4096
    path.write_bytes(damaged)
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(path)


def test_places_that_cannot_hold_a_ledger(tmp_path: Path) -> None:
    with pytest.raises(WritingError, match="a folder is where"):
        Ledger(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(WritingError, match="cannot be made or read"):
        Ledger(tmp_path / "file" / "ledger.sqlite")


def test_its_folder_is_made_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "lastfm" / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.bind(FACTS)
    assert [file.name for file in path.parent.iterdir()] == ["ledger.sqlite"]


def test_a_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    # SQLite itself does not wait where a file is switched to a write-ahead log.
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    assert other.execute("PRAGMA journal_mode = DELETE").fetchall() == [("delete",)]
    other.execute("BEGIN IMMEDIATE")
    letting_go = threading.Timer(0.3, other.close)
    letting_go.start()
    with Ledger(path) as ledger:
        ledger.bind(FACTS)
    letting_go.join()
