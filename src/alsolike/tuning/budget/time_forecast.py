"""How long a search will take: a few sweeps are measured, the rest is arithmetic."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alsolike.engines.base import Engine, Shape
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.learning_curve import Panel, with_given
from alsolike.models.family import Family
from alsolike.models.fit import iterate
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tables import wrapped
from alsolike.tuning.budget.speed_estimate import Measured, Pace
from alsolike.tuning.budget.warm_up import seconds_of_lines
from alsolike.tuning.candidates import ending_at, is_scored_at_sweeps
from alsolike.tuning.strategies.base import Trial
from alsolike.tuning.trial_plan import Plan

# Numbers of factors that are measured; others are found on the line through their logarithms.
_MEASURED = 3
# From so many trainings on, two of each are measured: the weakest and the strongest confidence.
_MANY = 40
# They are measured again, which evens out what else a machine does, while that takes no more than
# this share of what is forecast, or for short searches than this share and a second, and not more
# often than this.
_SHARE, _SHORT_SHARE = 0.06, 0.12
_TURNS = 8
# Seconds after which no training is begun beside others for their sake alone.
_LONG = 5.0
# Seconds of recording a point in a ledger on disk.
_RECORDING = 0.005

Clock = Callable[[], float]


@dataclass(frozen=True)
class TimeForecast:
    """What `forecast_time` found.

    Parameters
    ----------
    seconds : float
        Of the whole search, the lines to beat among it.
    trainings : int
    lines : float
        Seconds of what stands beside the strategy's trainings: the lines to beat, and candidates of
        other families.
    measured : float
        Seconds that measuring took.
    pace : Pace
        What was measured.
    dearest_fit : float
        Seconds of the sweeps of the dearest training that may be chosen, on one thread or as many
        as it has.
    what : str
        What `lines` are called.
    """

    seconds: float
    trainings: int
    lines: float
    measured: float
    pace: Pace
    dearest_fit: float = 0.0
    what: str = "the lines to beat"

    def brief(self, width: int) -> str:
        """Return how long it will take, in one line where `width` has room for it."""
        if not self.trainings:  # of a strategy
            return wrapped(f"The search will take {about(self.seconds)}.", width, indent=2)
        told = f"The search will take {about(self.seconds)}: {self.trainings:,} trainings"
        lines = f", with {in_words(self.lines)} for {self.what}" if self.lines else ""
        return wrapped(f"{told}{lines}.", width, indent=2)

    def __str__(self) -> str:
        if not self.trainings:
            trial = f"by trainings on a part, measured in {in_words(self.measured)}"
            return f"The search will take {about(self.seconds)}, {trial}."
        beside = f", {in_words(self.lines)} of it for {self.what}" if self.lines else ""
        return (
            f"The search will take {about(self.seconds)}{beside}: {self.trainings:,} "
            f"trainings, by sweeps measured in {in_words(self.measured)}."
        )


def forecast_time(
    plan: Plan,
    trials: Sequence[Trial],
    lines: Sequence[Config],
    shape: Shape,
    *,
    candidates: Sequence[Config] = (),
    clock: Clock = time.perf_counter,
) -> TimeForecast:
    """Forecast how long trainings beside each other will take on this machine as it is now.

    Of the fewest, the most and a middle number of factors, trainings with the weakest and the
    strongest confidence are begun, as many at once as the search would have. Two sweeps and a point
    of each are timed; nothing of that is recorded. All code is to be compiled before, see
    `alsolike.tuning.budget.warm_up.compile_for`.

    Parameters
    ----------
    plan : Plan
    trials : sequence of Trial
    lines : sequence of Config
        The lines to beat.
    shape : Shape
        How many trainings the search does at once, on how many threads each.
    candidates : sequence of Config
        Of other families than the trials'.
    clock : callable
        Seconds since whenever.
    """
    began, beside = clock(), shape.beside
    others = [*lines, *candidates]
    ended = [one for one in (*others, *_configs(trials)) if not is_scored_at_sweeps(one)]
    pace = Pace({}, seconds_of_lines(plan, ended, LocalEngine(shape.threads)))
    whole = [*trials, *(Trial(one, plan.sweeps[-1]) for one in others)]
    if swept := [trial for trial in whole if is_scored_at_sweeps(trial.config)]:
        pace = _measured(plan, swept, pace, shape, clock)
    of_lines = _at_once(_seconds(plan, whole[len(trials) :], pace), len(others), beside)
    of_trials = _at_once(_seconds(plan, trials, pace), len(trials), beside)
    may_win = [*trials, *(Trial(one, plan.sweeps[-1]) for one in candidates)]
    fits = (pace.until(one.config, sweep=one.sweeps, points=0) for one in may_win)
    return TimeForecast(
        of_lines + of_trials,
        len(trials),
        of_lines,
        clock() - began,
        pace,
        max(fits, default=0.0),
        "other models" if candidates else "the lines to beat",
    )


def without(found: TimeForecast, may_win: Sequence[Trial], seconds: float) -> TimeForecast:
    """Return a forecast without candidates of so many seconds; `may_win` are left."""
    fits = (found.pace.until(one.config, sweep=one.sweeps, points=0) for one in may_win)
    return replace(
        found,
        seconds=max(found.seconds - seconds, 0.0),
        lines=max(found.lines - seconds, 0.0),
        dearest_fit=max(fits, default=0.0),
    )


def _configs(trials: Sequence[Trial]) -> list[Config]:
    return [trial.config for trial in trials]


def _measured(plan: Plan, trials: Sequence[Trial], pace: Pace, shape: Shape, clock: Clock) -> Pace:
    """Return the pace with what some of the trainings take, as many beside each other as ever."""
    began, beside, engine = clock(), shape.beside, LocalEngine(shape.threads)
    panel = Panel(plan.split, plan.judges, plan.seed, engine)
    judges_ready = clock() - began
    chosen = _spread(_configs(trials))
    # So many that none works alone for long: trainings beside each other slow each other down.
    # Where one takes many seconds, it does not matter.
    enough = math.ceil(2 * beside / len(chosen)) * len(chosen)
    tasks = [(place, chosen[place % len(chosen)]) for place in range(enough)]

    def one_of(task: tuple[int, Config]) -> Measured | None:
        place, config = task
        if place >= len(chosen) and clock() - began > _LONG:
            return None
        return _timed(plan, panel, config, engine, clock)

    found: dict[tuple[str, int], list[Measured]] = {}
    for turn in range(1, _TURNS + 1):
        timed = LocalEngine(beside).each(one_of, tasks)
        for (_, config), one in zip(tasks, timed, strict=True):
            if one is not None:
                family = family_of(config)
                found.setdefault((family.name, family.factors(config)), []).append(one)
        measured: dict[str, dict[int, Measured]] = {}
        for (name, factors), own in found.items():
            setting_up, sweep, point = map(float, np.mean(own, axis=0))
            means = judges_ready + setting_up, sweep, point + _RECORDING
            measured.setdefault(name, {})[factors] = means
        pace = Pace(measured, pace.lines)
        expected = _seconds(plan, trials, pace) / beside
        allowed = max(_SHARE * expected, min(_SHORT_SHARE * expected, 1.0))
        if (clock() - began) * (turn + 1) / turn > allowed:
            break
    return pace


def _seconds(plan: Plan, trials: Sequence[Trial], pace: Pace) -> float:
    """Return the seconds of all of these, one after the other."""
    asked = ((one, [sweep for sweep in plan.sweeps if sweep <= one.sweeps]) for one in trials)
    return sum(pace.whole(one.config, sweeps) for one, sweeps in asked)


def _at_once(seconds: float, count: int, beside: int) -> float:
    return seconds / max(min(beside, count), 1)


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


def _spread(configs: Sequence[Config]) -> list[Config]:
    """Return those to be measured, the dearest first, so that the end is not one of them alone."""
    families = list(dict.fromkeys(map(family_of, configs)))
    return [one for family in families for one in _spread_of(family, configs)]


def _spread_of(family: Family, configs: Sequence[Config]) -> list[Config]:
    by_factors: dict[int, list[Config]] = {}
    for config in configs:
        if family_of(config) is family:
            by_factors.setdefault(family.factors(config), []).append(config)
    factors = sorted(by_factors)
    places = np.linspace(0, len(factors) - 1, min(_MEASURED, len(factors))).round().astype(int)
    chosen: list[Config] = []
    for place in reversed(places.tolist()):
        own = sorted(by_factors[factors[place]], key=family.effort)
        chosen += [own[-1], own[0]] if len(configs) >= _MANY else [own[len(own) // 2]]
    return chosen


def _timed(
    plan: Plan, panel: Panel, config: Config, engine: Engine, clock: Clock
) -> Measured | None:
    """Return the seconds of setting up, of a sweep and of a scored point; None for no answer."""
    training = iterate(plan.split.train, ending_at(config, 2), engine=engine)
    marks = [clock()]
    try:
        next(training)
        marks.append(clock())
        model = next(training)
        marks.append(clock())
        panel.point(2, with_given(model, plan.split, engine))
    except FitError:
        return None
    marks.append(clock())
    first, sweep, point = map(float, np.diff(marks))
    return max(first - sweep, 0.0), sweep, point
