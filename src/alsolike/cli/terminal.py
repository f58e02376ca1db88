"""Shows progress: bars on a terminal, plain lines in logs; prints findings and warnings."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from alsolike.cli.printing import as_shown, brief, say, warn
from alsolike.progress import Observer
from alsolike.storage.cleanup import closed_at_end
from alsolike.text import duration

# A long task prints a line whenever its time has grown by this part of it.
_LINES = 30

_SHORT = 9  # line ends at most in a finding without empty lines around it


@dataclass
class _Task:
    """A running task, for plain lines.

    The time left is estimated without the first steps: an earlier start may have done them, or
    they may wait for the compiler.
    """

    name: str
    total: int | None
    began: float
    spoke: float
    done: int = 0
    first: int = 0
    first_at: float = 0.0

    def line(self, now: float) -> str:
        """Return the steps done, the time taken and the estimated time left."""
        facts = [duration(int(now - self.began))]
        if self.total is not None and self.done > self.first:
            rest = (self.total - self.done) * (now - self.first_at) / (self.done - self.first)
            facts.append(
                f"about {duration(int(rest) if rest < 120 else 60 * round(rest / 60))} left"
            )
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.name}: {self.done:,}{of} ({', '.join(facts)})"


class Terminal(Observer):
    """Prints progress on standard error, and findings on standard output.

    On a terminal, bars are drawn and removed when their task ends. Elsewhere, a plain line is
    printed now and then.

    Parameters
    ----------
    quiet : bool
        Show neither progress nor findings.
    verbose : bool
        Show all of each finding, not only what fits a page and the width of the terminal.
    pause : float
        Minimum of seconds between plain lines; more in long tasks.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = True,
        pause: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        console = Console(stderr=True)
        self._quiet, self._verbose = quiet, verbose
        self._in_text = False  # whether the last printed line is not empty
        # Bars are only for terminals, even if the environment forces colours.
        self._draws = not quiet and sys.stderr.isatty() and not console.is_dumb_terminal
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not self._draws,
        )
        self._drawn: list[TaskID] = []
        self._running: list[_Task] = []
        self._pause, self._clock = pause, clock

    def __enter__(self) -> Self:
        closed_at_end(self)
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the bars and restore the cursor."""
        self._bars.stop()

    def start(self, task: str, total: int | None = None) -> None:
        """Show a new task."""
        now = self._clock()
        self._drawn.append(self._bars.add_task(task, total=total))
        self._running.append(_Task(task, total, began=now, spoke=now))

    def advance(self, steps: int = 1) -> None:
        """Show progress of the innermost task."""
        if not self._running:
            return
        self._bars.advance(self._drawn[-1], steps)
        task, now = self._running[-1], self._clock()
        if not task.done:
            task.first, task.first_at = steps, now
        task.done += steps
        if now - task.spoke >= max(self._pause, (now - task.began) / _LINES):
            task.spoke = now
            self._note(task.line(now))

    def finish(self) -> None:
        """Remove the innermost task."""
        if not self._running:
            return
        self._bars.remove_task(self._drawn.pop())
        task, now = self._running.pop(), self._clock()
        if now - task.began >= self._pause:
            self._note(f"{task.name}: done ({duration(int(now - task.began))})")

    def tell(self, finding: object) -> None:
        """Print a finding, with an empty line after it; if shortened, only around long ones."""
        from alsolike.data.reading.report import ReadReport

        if isinstance(finding, ReadReport):
            finding = as_shown(finding)
        if self._quiet or not (text := brief(finding, verbose=self._verbose)):
            return
        apart = self._verbose or text.count("\n") > _SHORT
        before = "\n" if apart and self._in_text else ""
        self._in_text = not apart
        # Not through rich: it would read square brackets as markup and wrap tables.
        self._bars.stop()
        say(f"{before}{text}\n" if apart else text)
        self._bars.start()

    def warn(self, danger: str) -> None:
        """Print a warning, even if quiet."""
        self._bars.stop()
        warn(danger)
        self._bars.start()

    def _note(self, line: str) -> None:
        if not self._quiet and not self._draws:
            say(line, err=True)
