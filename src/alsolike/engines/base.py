"""What an engine is: a way to do many independent pieces of array work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Engine(Protocol):
    """Does independent pieces of work, in any order and perhaps at once.

    The results may depend on the pieces only, never on how many run at once.
    """

    @property
    def threads(self) -> int:
        """How many pieces may run at once."""

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``[work(task) for task in tasks]``; give the largest tasks first."""


@dataclass(frozen=True)
class Shape:
    """How several jobs are done at once.

    Parameters
    ----------
    beside : int
        How many at once.
    threads : int
        Of each of them.
    processes : int
        In so many processes of their own; 0: in this one.
    """

    beside: int
    threads: int
    processes: int = 0
