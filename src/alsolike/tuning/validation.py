"""Validates the arguments of `search`."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.evaluation.learning_curve import checked_sweeps
from alsolike.evaluation.objectives.base import HONEST, Objective
from alsolike.evaluation.objectives.kinds import objective_named
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.models.registry import family_named, family_of, is_config
from alsolike.models.settings import Config
from alsolike.models.values import ages_of
from alsolike.tuning.plan import ONE_GO, ending_at, is_scored_at_sweeps
from alsolike.tuning.strategies.base import FixedList, Strategy
from alsolike.tuning.strategies.search_space import distinct
from alsolike.tuning.strategies.successive_halving import FactorDoubling, Halving

# Trainings per round if earlier rounds decide what is pruned.
_BETWEEN_PRUNINGS = 8


def objectives_of(
    objective: Objective | str | Sequence[Objective | str] | None,
) -> tuple[Objective, ...]:
    """Return the objectives; the first ranks, and further metrics are named after themselves.

    Raises
    ------
    SettingError
        It is neither an objective, nor the name of a metric, nor a list of these.
    """
    if objective is None or (isinstance(objective, Sequence) and not objective):
        return (RankingObjective(),)
    is_one = isinstance(objective, str) or not isinstance(objective, Sequence)
    several: Any = [objective] if is_one else objective
    objectives = tuple(
        objective_named(one, **({"name": one} if place else {})) if isinstance(one, str) else one
        for place, one in enumerate(several)
    )
    for one in objectives:
        if not isinstance(one, Objective):
            raise SettingError(
                "An objective is a metric such as 'ndcg@10', an object such as "
                f"RankingObjective(k=10), or a list of these, not {said(one)}."
            )
    return objectives


def expect_times(train: Interactions, configs: Iterable[Any]) -> None:
    """Raise DataError if a configuration has a half-life, and the training data no times."""
    if any(family_of(one).half_life(one) is not None for one in configs):
        ages_of(train)


def ranking_objective(objective: Objective) -> Objective:
    """Return the objective; raise SettingError if it would rank by test users or is misnamed."""
    if objective.choose != "validation":
        raise SettingError(
            "A search ranks by validation users, so that test users remain for the report; this "
            f"objective uses {objective.choose}. Pass it as an additional objective."
        )
    if objective.name != HONEST:
        raise SettingError(
            f"The ranking objective is named {HONEST!r}, not {objective.name!r}. Only additional "
            "objectives have other names."
        )
    return objective


def combined_families(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names; raise SettingError for a family that is not made of other families."""
    if isinstance(names, str):
        raise SettingError(f"combined is a list of names, such as ['blend'], not {said(names)}.")
    for name in names:
        if not family_named(name).builds_on_others:
            raise SettingError(
                f"{name!r} does not build on models of other families. Give its settings as "
                "candidates."
            )
    return tuple(dict.fromkeys(names))


def strategy_for(
    configs: Sequence[Any] | Strategy, last: int, *, candidates: Sequence[Config] = ()
) -> Strategy:
    """Return the strategy, without configurations that differ only in iterations.

    A list may be empty if there are `candidates`.
    """
    _check_configs(configs)
    strategy: Strategy = FixedList(configs) if isinstance(configs, Sequence) else configs
    if not isinstance(strategy, FixedList | Halving | FactorDoubling):
        return strategy
    if not (strategy.configs or candidates):
        raise SettingError("A search needs at least one configuration; none was given.")
    strategy = replace(strategy, configs=distinct_configs(strategy.configs, "configs", last))
    if strategy.prune and isinstance(strategy, FixedList) and strategy.at_once is None:
        return replace(strategy, at_once=_BETWEEN_PRUNINGS)
    return strategy


def distinct_configs(configs: Sequence[Any], what: str, last: int) -> list[Any]:
    """Return configurations without those that differ only in iterations."""
    _check_list(configs, what)
    for config in configs:
        family_of(config)  # raises for anything else
    return distinct(ending_at(config, last) for config in configs)


def _check_list(configs: Any, what: str) -> None:
    if is_config(configs) or not isinstance(configs, Sequence) or isinstance(configs, str | bytes):
        raise SettingError(f"{what} is a list of configurations, not {said(configs)}.")


def sweeps_for(
    configs: Sequence[Any] | Strategy,
    sweeps: Sequence[int] | None,
    candidates: Sequence[Config] = (),
) -> tuple[int, ...]:
    """Return the sweeps to score at: `sweeps`, or the iterations of the configurations."""
    _check_list(candidates, "candidates")
    if sweeps is not None:
        return checked_sweeps(sweeps)
    if is_config(configs):
        return (ONE_GO,)  # refused later
    _check_configs(configs)
    listed = getattr(configs, "configs", configs)
    if not isinstance(listed, Sequence):
        raise SettingError("This search needs sweeps: the sweeps after which to score.")
    found = [
        one.iterations
        for one in (*listed, *candidates)
        if is_config(one) and is_scored_at_sweeps(one)
    ]
    return checked_sweeps(found) if found else (ONE_GO,)


def _check_configs(configs: object) -> None:
    """Raise SettingError for anything but a list of configurations or a strategy."""
    if is_config(configs):
        raise SettingError("A search takes a list of configurations, not one. Put it in a list.")
    is_list = isinstance(configs, Sequence) and not isinstance(configs, str | bytes)
    if not is_list and not hasattr(configs, "propose"):
        raise SettingError(
            "A search takes a list of configurations, as alsolike.expand gives it, or a strategy, "
            f"not {said(configs)}."
        )
