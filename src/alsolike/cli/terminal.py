"""What a terminal shows: progress bars for people, plain lines for logs, errors in one line."""

import sys
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

from alsolike.observing import Observer


class Terminal(Observer):
    """Draw progress on standard error, and findings on standard output.

    On a terminal there are bars that vanish when their task ends. Elsewhere each task that takes
    long enough to wonder about is one plain line when it ends.

    Parameters
    ----------
    quiet : bool
        Show neither progress nor findings.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._running: list[TaskID] = []

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, task: str, total: int | None = None) -> None:
        """Show a bar for the task."""
        self._running.append(self._bars.add_task(task, total=total))

    def advance(self, steps: int = 1) -> None:
        """Move the innermost bar."""
        if self._running:
            self._bars.advance(self._running[-1], steps)

    def finish(self) -> None:
        """Take the innermost bar away."""
        if self._running:
            self._bars.remove_task(self._running.pop())

    def tell(self, finding: object) -> None:
        """Print a finding, and an empty line after it."""
        if not self._quiet:
            # Not through rich: a name in square brackets is no markup, and a table has its width.
            self._bars.stop()
            sys.stdout.write(f"{finding}\n\n")
            sys.stdout.flush()
            self._bars.start()
