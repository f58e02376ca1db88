"""Runs blocks of likes in a fixed order wherever two have a user or an item in common."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from alsolike.engines.base import Engine


@dataclass
class Schedule:
    """Turns of chains: in turn t, chain c works on the users of part c and the items of c + t.

    A turn of a chain begins after its own last turn, and after that of the next chain, which had
    the same items. Other turns may run at once; so the results do not depend on the threads, and no
    thread waits for the slowest of a whole turn.

    Parameters
    ----------
    n_parts : int
        Chains, and turns of each.
    work : callable
        Called with the numbers of a chain and a turn.

    Examples
    --------
    >>> from alsolike.engines.local import LocalEngine
    >>> Schedule(2, lambda chain, turn: print(chain, turn)).run(LocalEngine(1))
    0 0
    1 0
    0 1
    1 1
    """

    n_parts: int
    work: Callable[[int, int], None]
    _done: list[int] = field(init=False)
    _left: Iterator[tuple[int, int]] = field(init=False)
    _is_over: bool = field(init=False, default=False)
    _changed: threading.Condition = field(init=False, default_factory=threading.Condition)

    def __post_init__(self) -> None:
        parts = range(self.n_parts)
        self._done = [0 for _ in parts]
        self._left = iter([(chain, turn) for turn in parts for chain in parts])

    def run(self, engine: Engine) -> None:
        """Run all turns; the first error is raised."""
        engine.each(self._pull, range(min(engine.threads, self.n_parts)))

    def _pull(self, _: int) -> None:
        """Take one turn after the other; one that is waited for was taken before."""
        while (taken := self._next()) is not None:
            chain, turn = taken
            try:
                self.work(chain, turn)
            except BaseException:
                with self._changed:
                    self._is_over = True
                    self._changed.notify_all()
                raise
            with self._changed:
                self._done[chain] = turn + 1
                self._changed.notify_all()

    def _next(self) -> tuple[int, int] | None:
        """Return the next turn once it may begin; None: there is none."""
        with self._changed:
            taken = None if self._is_over else next(self._left, None)
            if taken is not None:
                chain, turn = taken
                beside = (chain + 1) % self.n_parts
                self._changed.wait_for(
                    lambda: self._is_over or min(self._done[chain], self._done[beside]) >= turn
                )
            return None if self._is_over else taken
