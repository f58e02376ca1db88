"""What can stand on a leaderboard: settings of any family, and how each is trained and scored."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from alsolike.engines.base import Engine
from alsolike.evaluation.learning_curve import CurvePoint, learning_curve
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.trial_plan import Plan

# What a training of one go is said to have as sweeps.
ONE_GO = 1


def is_scored_at_sweeps(config: Config) -> bool:
    """Tell whether a training is scored while it goes on, and not at its end alone."""
    return family_of(config).scored == "sweeps"


def ending_at(config: Any, sweep: int) -> Any:
    """Return settings with these iterations, where a training has any."""
    return replace(config, iterations=sweep) if is_scored_at_sweeps(config) else config


def sweeps_of(config: Config, sweeps: Sequence[int]) -> tuple[int, ...]:
    """Return at which of these sweeps a configuration is scored."""
    return tuple(sweeps) if is_scored_at_sweeps(config) else (ONE_GO,)


def points_of(
    plan: Plan, config: Config, sweeps: Sequence[int], engine: Engine
) -> Iterator[CurvePoint]:
    """Train a configuration and yield its points."""
    if not sweeps:
        return
    judges = plan.judges
    yield from learning_curve(
        plan.split,
        config,
        sweeps=sweeps,
        judge=judges[""],
        beside=[judge for prefix, judge in judges.items() if prefix],
        engine=engine,
    )
