"""Limits the time of a search: callers set a `Budget`, trainings check a `Deadline`."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.settings import Config, is_finite
from alsolike.tuning.budget.speed_estimate import SpeedEstimate


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits the time of a search.

    Parameters
    ----------
    seconds : float or None
        From the call on; trainings that would not end by then are skipped, and the result says so.
        Lists are tried in random order, so that a search that is cut short still covers the grid.
        None: no limit.
    afterwards : callable
        Returns the seconds to reserve after the search, given the configurations that may be
        chosen, each with the seconds of its fit on as many threads as a training has.
    forecast : bool
        Report to the observer first how long the search will take and in how much memory.

    Raises
    ------
    SettingError
        `seconds` is not a number.
    """

    seconds: float | None = None
    afterwards: Callable[[Sequence[tuple[Config, float]]], float] = lambda _: 0.0
    forecast: bool = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not is_finite(self.seconds):
            raise SettingError(f"A budget is a number of seconds, not {said(self.seconds)}.")


def budget_of(given: Budget | float | None) -> Budget:
    """Return a budget, also from seconds; None: no limit."""
    return given if isinstance(given, Budget) else Budget(seconds=given)


@dataclass(frozen=True)
class Deadline:
    """Tells trainings how much time is left.

    Parameters
    ----------
    at : float or None
        In seconds of `clock`; None: no limit.
    speed : SpeedEstimate
    clock : callable
        Returns seconds, the same in all processes of a machine and never set back.
    """

    at: float | None = None
    speed: SpeedEstimate = field(default_factory=SpeedEstimate)
    clock: Callable[[], float] = time.monotonic

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return not self.allows(0.0)

    @property
    def left(self) -> float:
        """Seconds left, at least 0; infinite without a limit."""
        return math.inf if self.at is None else max(self.at - self.clock(), 0.0)

    def allows(self, seconds: float) -> bool:
        """Return whether a task of so many seconds would end in time."""
        return self.at is None or self.clock() + seconds < self.at

    def later(self, seconds: float) -> "Deadline":
        """Return the same deadline so many seconds later."""
        return self if self.at is None else replace(self, at=self.at + seconds)
