"""How many seconds trainings take here and now, as measured before a search, and what fits."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.candidates import is_scored_at_sweeps

Measured = tuple[float, float, float]  # seconds of setting up, of a sweep, of a scored point


@dataclass(frozen=True)
class Pace:
    """What was measured of some numbers of factors, and of trainings of one go.

    Parameters
    ----------
    measured : mapping of str to mappings of int to (float, float, float)
        By family and factors, the seconds of setting up, of a sweep and of a scored point.
    lines : mapping of str to float
        By family, the seconds of a training that is scored at its end alone.

    Examples
    --------
    >>> from alsolike.models.als.config import ALSConfig
    >>> pace = Pace({"als": {10: (0.5, 1.0, 2.0), 40: (2.0, 4.0, 2.0)}})
    >>> round(pace.until(ALSConfig(factors=20), sweep=8, points=2), 6)
    21.0
    """

    measured: Mapping[str, Mapping[int, Measured]] = field(default_factory=dict)
    lines: Mapping[str, float] = field(default_factory=dict)

    def knows(self, config: Config) -> bool:
        """Tell whether anything was measured of its family."""
        name = family_of(config).name
        return bool(self.measured.get(name)) or name in self.lines

    def until(self, config: Config, *, sweep: int, points: int) -> float:
        """Return the seconds of a training until a sweep is done and so many points are scored."""
        if not is_scored_at_sweeps(config):
            return self.lines.get(family_of(config).name, 0.0)
        setting_up, one_sweep, point = self._of(config)
        return setting_up + sweep * one_sweep + points * point

    def whole(self, config: Config, sweeps: Sequence[int]) -> float:
        """Return the seconds of a training that is scored at these sweeps, the last its end."""
        return self.until(config, sweep=max(sweeps, default=0), points=len(sweeps))

    def between(self, config: Config, sweeps: int) -> float:
        """Return the seconds of so many sweeps and a point."""
        if not is_scored_at_sweeps(config):
            return 0.0
        _, one_sweep, point = self._of(config)
        return sweeps * one_sweep + point

    def _of(self, config: Config) -> Measured:
        """Return what a number of factors takes, by the straight line through logarithms."""
        family = family_of(config)
        measured = self.measured.get(family.name)
        if not measured:
            return 0.0, 0.0, 0.0
        factors = sorted(measured)
        logs = np.log(np.array([measured[one] for one in factors]) + 1e-9)
        at = np.log(max(family.factors(config), 1))  # 0 of a family that has none
        setting_up, sweep, point = (
            math.exp(np.interp(at, np.log(np.maximum(factors, 1)), logs[:, column]))
            for column in range(3)
        )
        return setting_up, sweep, point


@dataclass(frozen=True)
class Deadline:
    """Until when trainings may go on; none of them begins what would take longer.

    Parameters
    ----------
    at : float or None
        In seconds of `clock`; None: there is no end.
    pace : Pace
        What tells how long a training will take.
    clock : callable
        Seconds since whenever, the same in all processes of a machine. That of the wall may be set
        while trainings go on.
    """

    at: float | None = None
    pace: Pace = field(default_factory=Pace)
    clock: Callable[[], float] = time.monotonic

    @property
    def is_over(self) -> bool:
        """Whether there is no time at all."""
        return not self.allows(0.0)

    @property
    def left(self) -> float:
        """Seconds until then, at least 0; infinite where there is no end."""
        return math.inf if self.at is None else max(self.at - self.clock(), 0.0)

    def allows(self, seconds: float) -> bool:
        """Return whether what takes so long would be done by then."""
        return self.at is None or self.clock() + seconds < self.at
