"""Who does the trainings of a round: threads of this process, or processes of their own."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol, Self

from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import LedgerError, SettingError
from alsolike.tuning.ledger import ENDED, Ledger
from alsolike.tuning.plan import Plan
from alsolike.tuning.training import Worker
from alsolike.tuning.workers import name_of

_GLANCE = 0.1  # seconds between two looks at what others do

Heard = Callable[[int], None]


class Crew(Protocol):
    """Whoever trains."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End, whatever is still at work."""

    def work(self, entries: Sequence[int], deadline: float | None, heard: Heard) -> None:
        """Have all of these ended, or all that can be until the deadline."""


@dataclass(frozen=True)
class Threads:
    """Trainings beside each other, each on one thread: none waits for the last row of another."""

    plan: Plan
    ledger: Ledger
    engine: Engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def work(self, entries: Sequence[int], deadline: float | None, heard: Heard) -> None:
        """Work on all threads of the engine, then wait for what other processes have begun."""
        alone = LocalEngine(1)

        def one_thread(number: int) -> None:
            name = name_of(number)
            Worker(name, self.plan, self.ledger, alone, deadline, heard).work(entries)

        while True:
            self.engine.each(one_thread, range(min(self.engine.threads, len(entries))))
            if _have_ended(self.ledger, entries, heard) or _is_late(deadline):
                return
            time.sleep(_GLANCE)


class Processes:
    """Worker processes on the ledger's file. One that ends before its time is replaced.

    Each ends by itself when this process does, since its line to it breaks then.
    """

    def __init__(self, plan: Plan, ledger: Ledger, engine: Engine, count: int) -> None:
        if not Path(ledger.place).exists():
            raise SettingError(
                "Several workers share the ledger's file: give a ledger on disk, or one worker."
            )
        self._plan, self._ledger, self._count = plan, ledger, count
        self._threads = max(engine.threads // count, 1)
        self._workers: list[tuple[BaseProcess, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process, line in self._workers:
            line.close()
            process.terminate()
        for process, _ in self._workers:
            process.join()

    def work(self, entries: Sequence[int], deadline: float | None, heard: Heard) -> None:
        """Keep the workers at it until all has ended."""
        while not _have_ended(self._ledger, entries, heard) and not _is_late(deadline):
            self._workers = [one for one in self._workers if one[0].is_alive()]
            while len(self._workers) < self._count:
                self._workers.append(self._begun(deadline))
            time.sleep(_GLANCE)

    def _begun(self, deadline: float | None) -> tuple[BaseProcess, Any]:
        # Not a fork: threads, locks and an open ledger do not survive one.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_serve,
            args=(self._ledger.place, self._plan, self._threads, deadline, theirs),
            name="alsolike worker",
            daemon=True,
        )
        process.start()
        theirs.close()
        return process, ours


def _serve(place: str, plan: Plan, threads: int, deadline: float | None, line: Any) -> None:
    """Work on a ledger until the one who asked for it has ended."""
    # An interrupt reaches all processes of a terminal; the one who asked decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    with Ledger(place) as ledger:
        worker = Worker(name_of(), plan, ledger, LocalEngine(threads), deadline)
        while True:
            worker.work()
            time.sleep(_GLANCE)


def _end_with(line: Any) -> None:
    """End this process when the line breaks; the ledger takes that as it takes any kill."""
    line.poll(None)
    os._exit(0)


def _have_ended(ledger: Ledger, entries: Sequence[int], heard: Heard) -> bool:
    for entry in entries:
        heard(entry)
    states = ledger.states()
    missing = [entry for entry in entries if entry not in states]
    if missing:
        raise LedgerError(f"{ledger.place}: there is no configuration {missing[0]}.")
    return all(states[entry] in ENDED for entry in entries)


def _is_late(deadline: float | None) -> bool:
    return deadline is not None and time.time() >= deadline
