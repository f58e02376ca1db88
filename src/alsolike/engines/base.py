"""Defines the protocol of engines, which run many independent pieces of array work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# Rows in one piece of work that sums nothing.
_PIECE = 2048


class Engine(Protocol):
    """Runs independent pieces of work, in any order, perhaps in parallel.

    Results may depend on the pieces only, never on the number of threads.
    """

    @property
    def threads(self) -> int:
        """Maximum number of pieces in parallel."""

    def each(self, work: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Return ``[work(task) for task in tasks]``; pass the largest tasks first."""


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
