"""Defines what an engine is: a way to do many independent pieces of array work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# Rows in one piece of work that sums nothing.
_PIECE = 2048


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


def pieces(n_rows: int, size: int = _PIECE) -> list[slice]:
    """Cut rows into pieces of `size`, whatever the number of threads."""
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]
