"""Names workers, and checks whether the process of a named worker is alive."""

import functools
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path


class SilenceDetector:
    """Detects workers without a heartbeat, by the clock of the process that waits for them.

    Clocks of two machines may differ, and any clock may be set. So a heartbeat is a number that
    changes, and silence is counted from when its value was first seen.

    Parameters
    ----------
    patience : float
        Seconds of silence.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> times = iter([5.0, 64.0, 66.0])
    >>> detector = SilenceDetector(60.0, clock=lambda: next(times))
    >>> [detector.has_lost("a worker of another machine", -9e9) for _ in range(3)]
    [False, False, True]
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._seen: dict[str, tuple[float, float]] = {}

    def has_lost(self, worker: str, heartbeat: float) -> bool:
        """Return whether the process of a worker has ended, or was silent for too long."""
        now, seen = self._clock(), self._seen.get(worker)
        if seen is None or seen[0] != heartbeat:
            seen = self._seen[worker] = (heartbeat, now)
        return now - seen[1] > self._patience or is_gone(worker)


def name_of(thread: int | None = None) -> str:
    """Return a name for this thread: machine, process, start time, thread."""
    place = threading.get_ident() if thread is None else thread
    return f"{_machine()} {os.getpid()} {_began(os.getpid())} {place}"


def is_gone(worker: str) -> bool:
    """Return whether a worker's process has ended; False for one of another machine.

    Examples
    --------
    >>> is_gone(name_of()), is_gone("a worker of another machine")
    (False, False)
    """
    return _lives_here(worker) is False


def is_here(worker: str) -> bool:
    """Return whether a worker's process runs on this machine."""
    return _lives_here(worker) is True


def _lives_here(worker: str) -> bool | None:
    """Return whether a process of this machine lives; None for one of another machine."""
    machine, *rest = worker.rsplit(" ", 3)
    if machine != _machine() or len(rest) != 3 or not rest[0].isdecimal():
        return None
    process, began = int(rest[0]), rest[1]
    # Process ids are reused, but not with the same start time.
    return _began(process) == began


@functools.cache
def _machine() -> str:
    """Return the name of this machine, since its boot, and of its namespace of processes."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        booted, space = "", ""
    return f"{socket.gethostname()} {booted} {space}".strip()


def _began(process: int) -> str:
    """Return the start time of a process in ticks; empty if it has ended."""
    try:
        status = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _is_there(process)
    return "" if status[0] == "Z" else status[19]


def _is_there(process: int) -> str:
    """Return a text if there is such a process, on systems without start times."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass  # it exists, and belongs to another user
    return "?"
