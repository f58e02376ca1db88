"""The threads of this machine: a pool that pulls pieces, with BLAS held to one thread each."""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from alsolike.engines.machine import processors
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
        self._threads = threads or processors()

    @property
    def threads(self) -> int:
        """How many pieces may run at once."""
        return self._threads

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``[work(task) for task in tasks]``; the first error of a piece is raised."""
        with _loaded_blas().limit(limits=1, user_api="blas"):
            helpers = min(self._threads, len(tasks)) - 1
            if helpers < 1:
                return [work(task) for task in tasks]
            return _pulled(work, tasks, helpers)


def _pulled(work: Callable[[Task], Result], tasks: Sequence[Task], helpers: int) -> list[Result]:
    """Do all pieces on this thread and on `helpers` others, each taking the next that is left.

    A pool of futures takes milliseconds for what is microseconds here, and a half-sweep of few
    factors is done in ten.
    """
    results: list[Any] = [None] * len(tasks)
    failures: dict[int, BaseException] = {}
    left, lock = iter(range(len(tasks))), threading.Lock()

    def pull() -> None:
        while not failures:
            with lock:
                place = next(left, None)
            if place is None:
                return
            try:
                results[place] = work(tasks[place])
            except BaseException as failure:  # raised below, an interrupt included
                failures[place] = failure

    threads = [threading.Thread(target=pull, name="alsolike") for _ in range(helpers)]
    for thread in threads:
        thread.start()
    pull()
    try:
        for thread in threads:
            thread.join()
    except BaseException as failure:  # an interrupt: nobody begins another piece
        failures[-1] = failure
    if failures:
        raise failures[min(failures)]
    return results


@functools.cache
def _loaded_blas() -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, more than a small half-sweep; by
    # the first piece of work all that use BLAS are loaded.
    return ThreadpoolController()
