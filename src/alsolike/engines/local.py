"""Runs pieces of work on threads of this machine, with BLAS on one thread each."""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from alsolike.engines.hardware import processors
from alsolike.errors import SettingError

Task = TypeVar("Task")
Result = TypeVar("Result")


class LocalEngine:
    """Runs pieces of array work on threads of this process.

    Kernels and BLAS release the GIL. BLAS is limited to one thread meanwhile: its own threads would
    compete with ours, and sums would depend on their number.

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
        """Maximum number of pieces in parallel."""
        return self._threads

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``[work(task) for task in tasks]``; the first error of a piece is raised."""
        with _loaded_blas().limit(limits=1, user_api="blas"):
            helpers = min(self._threads, len(tasks)) - 1
            if helpers < 1:
                return [work(task) for task in tasks]
            return _pulled(work, tasks, helpers)


def _pulled(work: Callable[[Task], Result], tasks: Sequence[Task], helpers: int) -> list[Result]:
    """Run all pieces on this thread and `helpers` others, each taking the next one.

    A pool of futures needs milliseconds, too long for half-sweeps of ten.
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
    except BaseException as failure:  # an interrupt: no further piece begins
        failures[-1] = failure
    if failures:
        raise failures[min(failures)]
    return results


@functools.cache
def _loaded_blas() -> ThreadpoolController:
    # Looking through the loaded libraries takes milliseconds, more than a small half-sweep; by
    # the first piece of work all that use BLAS are loaded.
    return ThreadpoolController()
