"""The rate limit: one count over all workers, however they are scheduled or die."""

import fcntl
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from alsolike.errors import WritingError
from alsolike.web.edge import rate_limit
from alsolike.web.edge.rate_limit import Limiter, counted_as


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limiter(folder: Path, clock: Clock, rate: float = 2.0, burst: int = 5) -> Limiter:
    return Limiter(folder / "limits.bin", rate, burst, clock=clock)


def test_a_burst_then_the_rate(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    assert [counting.take("c") for _ in range(5)] == [0.0] * 5
    assert counting.take("c") == pytest.approx(0.5)
    clock.now += 0.5
    assert counting.take("c") == 0.0
    assert counting.take("c") == pytest.approx(0.5)
    clock.now += 1000
    assert [counting.take("c") for _ in range(6)][-1] > 0


def test_over_a_long_time_it_is_the_rate(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock, rate=10.0, burst=20)
    let_through = 0
    for _ in range(10_000):
        clock.now += 0.01
        let_through += counting.take("c") == 0.0
    assert 1000 <= let_through <= 1000 + 20


def test_what_is_refused_costs_nothing_and_more_costs_more(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    assert counting.take("c", 4.0) == 0.0
    assert [counting.take("c", 4.0) > 0 for _ in range(9)] == [True] * 9
    assert counting.take("c") == 0.0
    assert counting.take("c", 100.0) > 0  # more than could ever be had


def test_clients_do_not_count_for_each_other(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    assert all(counting.take(f"192.0.2.{n}") == 0.0 for n in range(250) for _ in range(5))
    assert counting.take("192.0.2.77") > 0


def test_addresses_within_a_network_of_ipv6_are_one_client(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    let_through = [counting.take(f"2001:db8:0:1::{n:x}") == 0.0 for n in range(50)]
    assert sum(let_through) == 5
    assert counting.take("2001:db8:0:2::1") == 0.0
    assert counted_as("not an address") == "not an address"
    assert counted_as("fe80::1%eth0") == counted_as("fe80::2")
    counting.take("\ud800")  # whatever a proxy says, no failure


def test_many_clients_push_out_the_idlest(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    for _ in range(5):
        counting.take("busy")
    for n in range(20_000):
        counting.take(f"10.0.{n >> 8}.{n & 255}")
    assert counting.take("busy") > 0


def test_two_workers_count_together(tmp_path: Path, clock: Clock) -> None:
    one, other = limiter(tmp_path, clock), limiter(tmp_path, clock)
    let_through = [each.take("c") == 0.0 for _ in range(10) for each in (one, other)]
    assert sum(let_through) == 5
    assert (tmp_path / "limits.bin").stat().st_mode & 0o077 == 0


def spend(path: Path, queue: "multiprocessing.Queue[int]", asked: int) -> None:
    counting = Limiter(path, 1e-6, 1500)
    queue.put(sum(counting.take("c") == 0.0 for _ in range(asked)))


def test_processes_lose_no_count(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[int] = context.Queue()
    path = tmp_path / "limits.bin"
    workers = [context.Process(target=spend, args=(path, queue, 1500)) for _ in range(3)]
    for worker in workers:
        worker.start()
    let_through = [queue.get(timeout=30) for _ in workers]
    for worker in workers:
        worker.join()
    assert sum(let_through) == 1500


def hold(path: Path, ready: "multiprocessing.Queue[int]") -> None:
    file = os.open(path, os.O_RDWR)
    fcntl.lockf(file, fcntl.LOCK_EX)
    ready.put(1)
    time.sleep(60)


def test_a_worker_that_hangs_or_dies_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    context = multiprocessing.get_context("fork")
    counting = limiter(tmp_path, clock)
    ready: multiprocessing.Queue[int] = context.Queue()
    worker = context.Process(target=hold, args=(tmp_path / "limits.bin", ready))
    worker.start()
    ready.get(timeout=30)
    start = time.monotonic()
    assert counting.take("c") == 0.0
    assert time.monotonic() - start < 1
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    assert [counting.take("c") for _ in range(5)][-1] > 0  # what was counted meanwhile counts


def test_after_a_reboot_nobody_waits_for_the_old_clock(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    for _ in range(9):
        counting.take("c")
    clock.now = 1.0
    assert counting.take("c") == 0.0


def test_a_table_of_another_kind_is_made_anew(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "limits.bin"
    path.write_bytes(b"something else" * 10)
    counting = limiter(tmp_path, clock)
    assert [counting.take("c") > 0 for _ in range(6)] == [False] * 5 + [True]


def test_places_that_are_remembered_are_bounded(tmp_path: Path, clock: Clock) -> None:
    counting = limiter(tmp_path, clock)
    for n in range(rate_limit._KNOWN + 10):
        counting.take(f"client {n}")
    assert len(counting._places) <= rate_limit._KNOWN
    counting.close()


def test_a_table_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WritingError, match="cannot be written"):
        Limiter(tmp_path / "file" / "limits.bin", 1.0, 1)
