"""How long work reports its progress: to an optional observer, never to the screen.

The command line draws what an observer hears; Python users may pass one of their own.
"""

from typing import Protocol, runtime_checkable


@runtime_checkable
class HasBrief(Protocol):
    """A finding that has a short text, for a page, besides ``str(finding)``, which is all of it."""

    def brief(self, width: int) -> str:
        """Return lines of at most `width` columns; an empty text where a page needs none."""


class Observer:
    """Hear what long work does. This one keeps silent; subclass it for the parts you want.

    Examples
    --------
    >>> class Loud(Observer):
    ...     def tell(self, finding: object) -> None:
    ...         print(finding)
    >>> Loud().tell("12 duplicate rows dropped")
    12 duplicate rows dropped
    """

    def start(self, task: str, total: int | None = None) -> None:
        """Hear that a task of `total` steps begins (None: of unknown length)."""

    def advance(self, steps: int = 1) -> None:
        """Hear that the running task is `steps` further."""

    def finish(self) -> None:
        """Hear that the running task is done."""

    def tell(self, finding: object) -> None:
        """Hear a finding; ``str(finding)`` is the text for people, and `HasBrief` a shorter one."""

    def warn(self, danger: str) -> None:
        """Hear of something that may yet go wrong, while there is time to do something about it."""


SILENT = Observer()
