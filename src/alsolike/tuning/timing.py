"""How long a search will take: a few sweeps are measured, the rest is arithmetic."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.curves import Panel, with_given
from alsolike.models.als import iterate
from alsolike.models.config import ALSConfig
from alsolike.tuning.plan import Plan
from alsolike.tuning.strategies import Trial

# Numbers of factors that are measured; others are found on the line through their logarithms.
_MEASURED = 3
# From so many trainings on, two of each are measured: the weakest and the strongest confidence.
_MANY = 40

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TimeForecast:
    """What `forecast_time` found.

    Parameters
    ----------
    seconds : float
        Of the whole search.
    trainings : int
    measured : float
        Seconds that measuring took.
    """

    seconds: float
    trainings: int
    measured: float

    def __str__(self) -> str:
        return (
            f"The search will take about {in_words(self.seconds)}: {self.trainings:,} trainings, "
            f"by sweeps measured in {in_words(self.measured)}."
        )


def forecast_time(plan: Plan, trials: Sequence[Trial], engine: Engine) -> TimeForecast:
    """Forecast how long trainings beside each other will take on this machine as it is now.

    Of the fewest, the most and a middle number of factors, trainings with the weakest and the
    strongest confidence are begun, as many at once as the search would have. Two sweeps and a point
    of each are timed; nothing of that is recorded.

    Parameters
    ----------
    plan : Plan
    trials : sequence of Trial
        At least one.
    engine : Engine
    """
    began = time.perf_counter()
    chosen = _spread([trial.config for trial in trials])
    alone = LocalEngine(1)
    panel = Panel(plan.split, plan.judges, plan.seed, alone)
    judges_ready = time.perf_counter() - began
    # Compiled code and a warm cache are part of no sweep. The last is the quickest.
    _timed(plan, panel, chosen[-1], alone)
    timed = engine.each(lambda config: _timed(plan, panel, config, alone), chosen)
    rates: dict[int, list[tuple[float, float, float]]] = {}
    for config, found in zip(chosen, timed, strict=True):
        if found is not None:
            rates.setdefault(config.factors, []).append(found)
    if not rates:
        return TimeForecast(0.0, len(trials), time.perf_counter() - began)
    factors = sorted(rates)
    means = np.array([np.mean(rates[one], axis=0) for one in factors])
    means[:, 0] += judges_ready
    seconds = sum(_seconds(plan, trial, factors, means) for trial in trials)
    beside = max(min(engine.threads, len(trials)), 1)
    return TimeForecast(seconds / beside, len(trials), time.perf_counter() - began)


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


def _spread(configs: Sequence[ALSConfig]) -> list[ALSConfig]:
    """Return those to be measured, the dearest first, so that the end is not one of them alone."""
    factors = sorted({config.factors for config in configs})
    places = np.linspace(0, len(factors) - 1, min(_MEASURED, len(factors))).round().astype(int)
    chosen = []
    for place in reversed(places.tolist()):
        own = sorted(
            (config for config in configs if config.factors == factors[place]),
            key=lambda config: config.alpha,
        )
        chosen += [own[-1], own[0]] if len(configs) >= _MANY else [own[len(own) // 2]]
    return chosen


def _timed(
    plan: Plan, panel: Panel, config: ALSConfig, engine: Engine
) -> tuple[float, float, float] | None:
    """Return the seconds of setting up, of a sweep and of a scored point; None for no answer."""
    training = iterate(plan.split.train, replace(config, iterations=2), engine=engine)
    marks = [time.perf_counter()]
    try:
        next(training)
        marks.append(time.perf_counter())
        model = next(training)
        marks.append(time.perf_counter())
        panel.point(2, with_given(model, plan.split, engine))
    except FitError:
        return None
    marks.append(time.perf_counter())
    first, sweep, point = map(float, np.diff(marks))
    return max(first - sweep, 0.0), sweep, point


def _seconds(plan: Plan, trial: Trial, factors: Sequence[int], means: Values) -> float:
    """Return the seconds of one training, by the straight line through logarithms."""
    at, logs = math.log(trial.config.factors), np.log(means + 1e-9)
    setting_up, sweep, point = (
        math.exp(np.interp(at, np.log(factors), logs[:, column])) for column in range(3)
    )
    points = sum(one <= trial.sweeps for one in plan.sweeps)
    return float(setting_up + trial.sweeps * sweep + points * point)
