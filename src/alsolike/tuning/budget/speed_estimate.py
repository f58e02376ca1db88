"""Measures how fast this machine trains, to estimate how long trainings take."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine, Shape
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.learning_curve import Panel, with_given
from alsolike.models.family import Family
from alsolike.models.fit import fit, iterate
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.plan import Plan, ending_at, is_scored_at_sweeps, iterations_of

# Numbers of factors that are measured; others are interpolated.
_MEASURED = 3
# Seconds for which each measured training is repeated, against noise, and the most repetitions.
_REPEATED_S, _MOST = 0.5, 16
# Seconds of recording a point in a ledger on disk.
_RECORDING = 0.005
# Trainings scored at their end are measured on one item in so many, but at least on so many; and
# the power by which seconds of scoring grow with the number of items, on three public tables.
_ONE_IN, _FEWEST, _SCORING = 2, 200, 1.5

Clock = Callable[[], float]
Measured = tuple[float, float, float]  # seconds of setting up, of a sweep, of a scored point


@dataclass(frozen=True)
class SpeedEstimate:
    """Estimates how many seconds a training takes, from measurements.

    Parameters
    ----------
    measured : mapping of str to mappings of int to (float, float, float)
        By family and factors, the seconds of setting up, of a sweep and of a scored point.
    at_end : mapping of str to float
        By family, the seconds of a training that is scored only at its end.

    Examples
    --------
    >>> from alsolike.models.als.config import ALSConfig
    >>> speed = SpeedEstimate({"als": {10: (0.5, 1.0, 2.0), 40: (2.0, 4.0, 2.0)}})
    >>> round(speed.until(ALSConfig(factors=20), sweep=8, points=2), 6)
    21.0
    """

    measured: Mapping[str, Mapping[int, Measured]] = field(default_factory=dict)
    at_end: Mapping[str, float] = field(default_factory=dict)

    def until(self, config: Config, *, sweep: int, points: int) -> float:
        """Return the seconds until a sweep is done and so many points are scored; 0 if unknown.

        Between measured numbers of factors, the logarithms of seconds are interpolated linearly.
        A model made of models takes as long as these, each with a scored point.
        """
        family = family_of(config)
        if members := family.members(config):
            return sum(self.until(one, sweep=iterations_of(one), points=1) for one in members)
        if not is_scored_at_sweeps(config):
            return self.at_end.get(family.name, 0.0)
        if not (measured := self.measured.get(family.name)):
            return 0.0
        factors = sorted(measured)
        logs = np.log(np.array([measured[one] for one in factors]) + 1e-9)
        at = np.log(max(family.factors(config), 1))  # 0 of a family that has none
        setting_up, one_sweep, point = (
            math.exp(np.interp(at, np.log(np.maximum(factors, 1)), column)) for column in logs.T
        )
        return setting_up + sweep * one_sweep + points * point

    def whole(self, config: Config, sweeps: Sequence[int]) -> float:
        """Return the seconds of a training that is scored at these sweeps."""
        return self.until(config, sweep=max(sweeps, default=0), points=len(sweeps))


def measure_speed(
    plan: Plan, configs: Sequence[Config], shape: Shape, clock: Clock = time.perf_counter
) -> SpeedEstimate:
    """Measure two sweeps and a point of some trainings, as many at once as the search will run.

    All code must be compiled before, see `alsolike.tuning.budget.warm_up.compile_for`.
    """
    engine = LocalEngine(shape.threads)
    at_end = _timed_on_a_part(plan, configs, engine, clock)
    chosen = _spread([one for one in configs if is_scored_at_sweeps(one)])
    began = clock()
    panel = Panel(plan.split, plan.objectives, plan.seed, engine)
    ready = clock()

    def one_of(task: tuple[int, Config]) -> Measured | None:
        place, config = task
        if place >= len(chosen) and clock() - ready > _REPEATED_S:
            return None
        return _timed(plan, panel, config, engine, clock)

    tasks = list(enumerate(chosen * _MOST))
    found: dict[tuple[str, int], list[Measured]] = {}
    for (_, config), one in zip(tasks, LocalEngine(shape.beside).each(one_of, tasks), strict=True):
        if one is not None:
            family = family_of(config)
            found.setdefault((family.name, family.factors(config)), []).append(one)
    measured: dict[str, dict[int, Measured]] = {}
    for (name, factors), own in found.items():
        setting_up, sweep, point = map(float, np.mean(own, axis=0))
        means = ready - began + setting_up, sweep, point + _RECORDING
        measured.setdefault(name, {})[factors] = means
    return SpeedEstimate(measured, at_end)


def _spread(configs: Sequence[Config]) -> list[Config]:
    """Return some with few and many factors, little and much effort, the slowest first."""
    of_family: dict[Family, dict[int, list[Config]]] = {}
    for config in configs:
        own = of_family.setdefault(family_of(config), {})
        own.setdefault(family_of(config).factors(config), []).append(config)
    chosen: list[Config] = []
    for family, by_factors in of_family.items():
        factors = sorted(by_factors, reverse=True)
        places = np.linspace(0, len(factors) - 1, min(_MEASURED, len(factors))).round()
        for place in places.astype(int):
            alike = sorted(by_factors[factors[place]], key=family.effort)
            chosen += [alike[-1], alike[0]] if len(alike) > 1 else alike
    return chosen


def _timed(
    plan: Plan, panel: Panel, config: Config, engine: Engine, clock: Clock
) -> Measured | None:
    """Return the seconds of setting up, of a sweep and of a point; None if it fails."""
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
    first, sweep, point = map(float, np.diff([*marks, clock()]))
    return max(first - sweep, 0.0), sweep, point


def _timed_on_a_part(
    plan: Plan, configs: Sequence[Config], engine: Engine, clock: Clock
) -> dict[str, float]:
    """Return about how many seconds a training scored at its end takes, by family.

    The last configuration of each family is trained on a part of the items.
    """
    part = _part_of(plan.split)
    share = part.train.n_items / plan.split.train.n_items
    panel = Panel(part, plan.objectives, plan.seed, engine)
    found: dict[str, float] = {}
    at_their_end = [one for one in configs if not is_scored_at_sweeps(one)]
    for family, config in {family_of(one): one for one in at_their_end}.items():
        marks = [clock()]
        model = fit(part.train, config, engine=engine)
        marks.append(clock())
        panel.point(1, with_given(model, part, engine))
        fitted, scored = map(float, np.diff([*marks, clock()]))
        found[family.name] = fitted / share**family.growth + scored / share**_SCORING
    return found


def _part_of(split: Split) -> Split:
    """Return the split of all users and some of the items, spread evenly."""
    n_items = split.train.n_items
    step = max(min(_ONE_IN, n_items // _FEWEST), 1)
    if step == 1:
        return split
    users, items = np.arange(split.train.n_users), np.arange(0, n_items, step)
    train, validation, test = (
        part.subset(users, items) for part in (split.train, split.validation, split.test)
    )
    given = None if split.given is None else split.given.subset(users, items)
    return Split(train, validation, test, split.method, given)
