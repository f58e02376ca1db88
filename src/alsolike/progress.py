"""Reports the progress of long work to an optional observer.

The command line draws it; Python users may pass an observer of their own.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class HasBrief(Protocol):
    """A finding with a short text besides ``str(finding)``."""

    def brief(self, width: int) -> str:
        """Return lines of at most `width` columns; an empty text to print nothing."""


class Observer:
    """Receives progress of long work and ignores it; subclass it for the parts you want.

    Examples
    --------
    >>> class Loud(Observer):
    ...     def tell(self, finding: object) -> None:
    ...         print(finding)
    >>> Loud().tell("12 duplicate rows dropped")
    12 duplicate rows dropped
    """

    def start(self, task: str, total: int | None = None) -> None:
        """Receive the start of a task of `total` steps (None: unknown)."""

    def advance(self, steps: int = 1) -> None:
        """Receive `steps` of progress of the running task."""

    def finish(self) -> None:
        """Receive the end of the running task."""

    def tell(self, finding: object) -> None:
        """Receive a finding; ``str(finding)`` is its text, `HasBrief` a shorter one."""

    def warn(self, danger: str) -> None:
        """Receive a warning."""


SILENT = Observer()
