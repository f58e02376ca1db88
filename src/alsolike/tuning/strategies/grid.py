"""Grid search: every configuration of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alsolike.tuning.strategies.base import Ending, Rounds, Trial


@dataclass(frozen=True)
class FixedList(Ending):
    """Tries all of a list: a grid, or points drawn beforehand.

    Parameters
    ----------
    configs : sequence of Config
    name : str
    at_once : int or None
        Trials per round; None: all of them.
    patience, prune
        As of `Ending`.
    """

    configs: Sequence[Any]
    name: str = "grid"
    at_once: int | None = None

    def propose(self, rounds: Rounds, sweeps: Sequence[int]) -> list[Trial]:
        """Return the next of the list."""
        done = sum(map(len, rounds))
        size = self.at_once or len(self.configs)
        return [Trial(config, sweeps[-1]) for config in self.configs[done : done + size]]

    def expected(self, sweeps: Sequence[int]) -> list[Trial]:
        """Return all."""
        return [Trial(config, sweeps[-1]) for config in self.configs]
