"""Forecasts how long a search will take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from alsolike.engines.base import Shape
from alsolike.models.settings import Config
from alsolike.tuning.budget.speed_estimate import Clock, SpeedEstimate, measured_pace
from alsolike.tuning.candidates import Plan
from alsolike.tuning.strategies.base import Trial


@dataclass(frozen=True)
class TimeForecast:
    """How long a search will take.

    Parameters
    ----------
    seconds : float
        Of the whole search.
    trainings : int
        Of the strategy.
    lines : float
        Seconds of the other trainings among them: baselines, and candidates of other families.
    pace : Pace
        What was measured.
    """

    seconds: float
    trainings: int
    lines: float
    pace: SpeedEstimate

    def __str__(self) -> str:
        told = f"The search will take {about(self.seconds)}"
        if not self.trainings:
            return f"{told}."
        lines = f", with {in_words(self.lines)} for other models" if self.lines else ""
        return f"{told}: {self.trainings:,} trainings{lines}."


def forecast_time(
    plan: Plan,
    trials: Sequence[Trial],
    others: Sequence[Config],
    shape: Shape,
    clock: Clock = time.perf_counter,
) -> TimeForecast:
    """Forecast how long a search will take on this machine as it is now.

    Parameters
    ----------
    plan : Plan
    trials : sequence of Trial
    others : sequence of Config
        Baselines, and candidates of other families than the trials'.
    shape : Shape
        How many trainings the search does at once, on how many threads each.
    clock : callable
        Returns seconds.
    """
    pace = measured_pace(plan, [*others, *(one.config for one in trials)], shape, clock)
    of_lines = _together([pace.whole(one, plan.sweeps) for one in others], shape)
    of_trials = _together(
        [pace.whole(one.config, [s for s in plan.sweeps if s <= one.sweeps]) for one in trials],
        shape,
    )
    return TimeForecast(of_lines + of_trials, len(trials), of_lines, pace)


def _together(seconds: Sequence[float], shape: Shape) -> float:
    """Return the seconds of trainings that run as many at once as `shape` says."""
    return max(sum(seconds) / shape.beside, max(seconds, default=0.0))


def about(seconds: float) -> str:
    """Return an estimated length of time in words.

    Examples
    --------
    >>> about(0.3), about(50)
    ('less than a second', 'about 50 seconds')
    """
    return in_words(seconds) if seconds < 1 else f"about {in_words(seconds)}"


def in_words(seconds: float) -> str:
    """Return a length of time in words.

    Examples
    --------
    >>> in_words(0.3), in_words(50), in_words(200), in_words(9000)
    ('less than a second', '50 seconds', '3.3 minutes', '2.5 hours')
    """
    if seconds < 1:
        return "less than a second"
    for size, unit in ((5400, "hours"), (90, "minutes")):
        if seconds >= size:
            return f"{seconds / (3600 if unit == 'hours' else 60):.1f} {unit}"
    return f"{seconds:.0f} second{'s' * (round(seconds) != 1)}"
