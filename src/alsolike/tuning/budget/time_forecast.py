"""Forecasts how long a search will take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alsolike.engines.base import Shape
from alsolike.models.settings import Config
from alsolike.text import duration
from alsolike.tuning.budget.speed_estimate import Clock, SpeedEstimate, measure_speed
from alsolike.tuning.plan import Plan
from alsolike.tuning.strategies.base import Trial


@dataclass(frozen=True)
class TimeForecast:
    """The forecast duration of a search.

    Parameters
    ----------
    seconds : float
        Of the whole search.
    trainings : int
        Of the strategy.
    others : float
        Seconds of the other trainings: baselines, and candidates of other families.
    speed : SpeedEstimate
    combined : float
        Seconds of models made of the best of other families, after all these.
    """

    seconds: float
    trainings: int
    others: float
    speed: SpeedEstimate
    combined: float = 0.0

    def with_combined(self, seconds: float) -> "TimeForecast":
        """Return the same with so many seconds more, for models made of the best of others."""
        return replace(self, seconds=self.seconds + seconds, combined=seconds)

    def __str__(self) -> str:
        text = f"The search will take about {duration(self.seconds)}"
        if not self.trainings:
            return f"{text}."
        more = self.others + self.combined
        others = f", including {duration(more)} for other models" if more else ""
        return f"{text}: {self.trainings:,} trainings{others}."


def forecast_time(
    plan: Plan,
    trials: Sequence[Trial],
    others: Sequence[Config],
    shape: Shape,
    clock: Clock = time.perf_counter,
) -> TimeForecast:
    """Forecast how long a search will take on this machine.

    Parameters
    ----------
    plan : Plan
    trials : sequence of Trial
    others : sequence of Config
        Baselines, and candidates of other families than the trials'.
    shape : Shape
        Trainings at once, and threads of each.
    """
    speed = measure_speed(plan, [*others, *(one.config for one in trials)], shape, clock)
    of_others = _together([speed.whole(one, plan.sweeps) for one in others], shape)
    of_trials = _together(
        [speed.whole(one.config, [s for s in plan.sweeps if s <= one.sweeps]) for one in trials],
        shape,
    )
    return TimeForecast(of_others + of_trials, len(trials), of_others, speed)


def _together(seconds: Sequence[float], shape: Shape) -> float:
    """Return the seconds of trainings that run as many at once as `shape` says."""
    return max(sum(seconds) / shape.beside, max(seconds, default=0.0))
