"""The threads of this machine: a pool that pulls pieces, with BLAS held to one thread each."""

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from alsolike.errors import SettingError

Task = TypeVar("Task")
Result = TypeVar("Result")


class LocalEngine:
    """Run pieces of array work on threads of this process.

    Kernels and BLAS release the interpreter's lock, so threads are enough. BLAS is held to one
    thread meanwhile: its own threads beside ours would only get in each other's way, and sums
    would depend on their number.

    Parameters
    ----------
    threads : int or None
        None: as many as this process may use. Results do not depend on it.
    """

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise SettingError(f"threads must be at least 1, not {threads}.")
        self._threads = threads or len(os.sched_getaffinity(0))

    @property
    def threads(self) -> int:
        """How many pieces may run at once."""
        return self._threads

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``[work(task) for task in tasks]``; the first error of a piece is raised."""
        with _loaded_blas().limit(limits=1, user_api="blas"):
            if self._threads == 1 or len(tasks) < 2:
                return [work(task) for task in tasks]
            with ThreadPoolExecutor(self._threads) as pool:
                return list(pool.map(work, tasks))


@functools.cache
def _loaded_blas() -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, more than a small half-sweep; by
    # the first piece of work all that use BLAS are loaded.
    return ThreadpoolController()
