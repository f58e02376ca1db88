"""Runs trainings in threads of this process or in worker processes."""

import contextlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, Self

from alsolike.engines.base import Engine, Shape
from alsolike.engines.local import LocalEngine
from alsolike.errors import LedgerError, SettingError
from alsolike.models.family import Family
from alsolike.models.registry import FAMILIES
from alsolike.storage.cleanup import interrupts_held
from alsolike.tuning.budget.budget import Deadline
from alsolike.tuning.budget.warm_up import Code, compile_for
from alsolike.tuning.execution.worker import Worker
from alsolike.tuning.plan import Plan
from alsolike.tuning.storage.ledger import ENDED, Ledger
from alsolike.tuning.storage.worker_names import name_of

_POLL = 0.1  # seconds between two checks of the workers
_RAISED = 1  # the exit code of a Python process that raised an error

OnProgress = Callable[[int], None]


class Executor(Protocol):
    """Runs trainings."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(self, *_: object) -> None:
        """Stop all workers."""

    @property
    def shape(self) -> Shape:
        """Trainings at once, threads of each, and processes."""

    def make_ready(self, codes: Collection[Code]) -> None:
        """Start all workers, and compile or load this code."""

    def work(self, entries: Sequence[int], deadline: Deadline, on_progress: OnProgress) -> None:
        """Run these trainings to their end, or until the deadline."""


@dataclass(frozen=True)
class Threads:
    """Runs trainings in threads, one thread each."""

    plan: Plan
    ledger: Ledger
    engine: Engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @property
    def shape(self) -> Shape:
        """One training per thread of the engine."""
        return Shape(self.engine.threads, 1)

    def make_ready(self, codes: Collection[Code]) -> None:
        """Compile or load the code."""
        compile_for(self.plan.objectives, codes)

    def work(self, entries: Sequence[int], deadline: Deadline, on_progress: OnProgress) -> None:
        """Train on all threads of the engine, then wait for trainings of other processes."""
        alone = LocalEngine(1)

        def one_thread(number: int) -> None:
            name = name_of(number)
            Worker(name, self.plan, self.ledger, alone, deadline, on_progress).work(entries)

        while True:
            self.engine.each(one_thread, range(min(self.engine.threads, len(entries))))
            if _have_ended(self.ledger, entries, on_progress) or deadline.is_over:
                return
            time.sleep(_POLL)


class Processes:
    """Runs trainings in worker processes that share the ledger's file, and replaces those that die.

    Workers end when this process does, since their pipes break.
    """

    def __init__(self, plan: Plan, ledger: Ledger, engine: Engine, count: int) -> None:
        if not Path(ledger.place).exists():
            raise SettingError(
                "Several workers need a ledger on disk; this one is in memory. Give a file, or use "
                "one worker."
            )
        self._plan, self._ledger = plan, ledger
        self.shape = Shape(count, max(engine.threads // count, 1), processes=count)
        self._codes: Collection[Code] = ()
        self._workers: list[tuple[BaseProcess, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process, pipe in self._workers:
            pipe.close()
            process.terminate()
        for process, _ in self._workers:
            process.join()

    def make_ready(self, codes: Collection[Code]) -> None:
        """Compile the code once, start all workers, and wait until each has loaded it."""
        compile_for(self._plan.objectives, codes)
        self._codes = codes
        self._workers = [self._started() for _ in range(self.shape.beside)]
        for process, pipe in self._workers:
            while process.is_alive() and not pipe.poll(_POLL):
                pass
            if process.exitcode == _RAISED:  # not killed: a new one would raise the same
                raise SettingError(
                    "A worker could not start; see its message above. Families of your own must be "
                    "in a module that a new process can import. Or search with one worker."
                )

    def work(self, entries: Sequence[int], deadline: Deadline, on_progress: OnProgress) -> None:
        """Keep the workers running until all trainings have ended."""
        for _, pipe in self._workers:
            _send(pipe, deadline)
        while not _have_ended(self._ledger, entries, on_progress) and not deadline.is_over:
            self._workers = [one for one in self._workers if one[0].is_alive()]
            while len(self._workers) < self.shape.beside:
                self._workers.append(self._started())
                _send(self._workers[-1][1], deadline)
            time.sleep(_POLL)

    def _started(self) -> tuple[BaseProcess, Any]:
        # Not a fork: that does not keep threads, locks and an open ledger intact.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(
                self._ledger.place,
                self._plan,
                self.shape.threads,
                self._codes,
                tuple(FAMILIES),
                theirs,
            ),
            name="alsolike worker",
            daemon=True,
        )
        with interrupts_held(), _without_warnings():
            process.start()
        theirs.close()
        return process, ours


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Start processes without warnings, which this one has shown already."""
    sys.warnoptions.append("ignore")
    try:
        yield
    finally:
        sys.warnoptions.remove("ignore")


def _send(pipe: Any, deadline: Deadline) -> None:
    with contextlib.suppress(BrokenPipeError):  # that worker has ended, and will be replaced
        pipe.send(deadline)


def _serve(
    place: str,
    plan: Plan,
    threads: int,
    codes: Collection[Code],
    families: Sequence[Family],
    pipe: Any,
) -> None:
    """Train from a ledger, with the families of the parent process, until that ends."""
    FAMILIES[:] = families
    orders: list[Deadline] = []
    threading.Thread(target=_receive, args=(pipe, orders), daemon=True).start()
    compile_for(plan.objectives, codes)
    pipe.send("ready")
    with Ledger(place) as ledger:
        while True:
            if orders:
                engine = LocalEngine(threads)
                Worker(name_of(), plan, ledger, engine, orders[-1]).work()
            time.sleep(_POLL)


def _receive(pipe: Any, orders: list[Deadline]) -> None:
    """Receive deadlines; end this process when the pipe breaks."""
    try:
        while True:
            orders.append(pipe.recv())
    except (EOFError, OSError):
        os._exit(0)


def _have_ended(ledger: Ledger, entries: Sequence[int], on_progress: OnProgress) -> bool:
    for entry in entries:
        on_progress(entry)
    states = ledger.states()
    missing = [entry for entry in entries if entry not in states]
    if missing:
        raise LedgerError(f"{ledger.place}: there is no configuration {missing[0]}.")
    return all(states[entry] in ENDED for entry in entries)
