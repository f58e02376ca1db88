"""Names workers so that anybody can check whether their process is still alive."""

import functools
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path


class Silences:
    """Detects workers that have fallen silent, by the clock of the one that waits for them.

    Clocks of two machines may differ, and any clock may be set. So a heartbeat is a number that
    changes, and silence is counted from the moment when its value was first seen.

    Parameters
    ----------
    patience : float
        Seconds of silence.
    clock : callable
        Returns seconds.

    Examples
    --------
    >>> times = iter([5.0, 64.0, 66.0])
    >>> silences = Silences(60.0, clock=lambda: next(times))
    >>> [silences.has_lost("a worker of another machine", -9e9) for _ in range(3)]
    [False, False, True]
    """

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._seen: dict[str, tuple[float, float]] = {}

    def has_lost(self, worker: str, heartbeat: float) -> bool:
        """Return whether a worker has lost its training: its process is gone, or silent."""
        now, seen = self._clock(), self._seen.get(worker)
        if seen is None or seen[0] != heartbeat:
            seen = self._seen[worker] = (heartbeat, now)
        return now - seen[1] > self._patience or is_gone(worker)


def name_of(thread: int | None = None) -> str:
    """Return a name for this thread: machine, process, when that began, thread."""
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
    """Return whether a worker's process runs on this machine, for certain.

    Examples
    --------
    >>> is_here(name_of()), is_here("a worker of another machine")
    (True, False)
    """
    return _lives_here(worker) is True


def _lives_here(worker: str) -> bool | None:
    """Return whether a process of this machine lives; None for one of another machine."""
    machine, *rest = worker.rsplit(" ", 3)
    if machine != _machine() or len(rest) != 3 or not rest[0].isdecimal():
        return None
    process, began = int(rest[0]), rest[1]
    # Numbers of processes come again; two that began at one moment do not.
    return _began(process) == began


@functools.cache
def _machine() -> str:
    """Return a name of this machine since its start, as its processes see it."""
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        booted, space = "", ""
    return f"{socket.gethostname()} {booted} {space}".strip()


def _began(process: int) -> str:
    """Return when a process began, as the system counts; empty if it has ended."""
    try:
        status = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _is_there(process)
    return "" if status[0] == "Z" else status[19]


def _is_there(process: int) -> str:
    """Return the same on systems that tell only whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass  # it exists, and belongs to another user
    return "?"
