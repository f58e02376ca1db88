"""The last stage of a search: models made of the best of other families.

What is tried follows from validation scores alone, so it is the same after a kill.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from alsolike.data.splitting.split import Split
from alsolike.models.family import Family, TrainingData
from alsolike.models.memo import MOST_BYTES
from alsolike.models.registry import family_named, family_of
from alsolike.models.settings import Config
from alsolike.tuning.budget.speed_estimate import SpeedEstimate
from alsolike.tuning.leaderboard.runs import Role, rank_key
from alsolike.tuning.plan import Plan, ending_at, iterations_of
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.tuning.storage.ledger import Ledger

Scored = tuple[Config, float]

# How much longer than the trainings of its members the stage takes, about.
_WITH_SCORING = 2.0


def best_of_families(
    plan: Plan, ledger: Ledger, configs: Mapping[int, Config], roles: Mapping[int, Role]
) -> list[Scored]:
    """Return the best configuration of each family that may be chosen, ending at its best sweep.

    The best first; of equal scores the earlier sweep, then the earlier training.

    Parameters
    ----------
    plan, ledger
    configs, roles : mapping of int to Config and to Role
        By the numbers of trainings in the ledger.
    """
    best: dict[str, tuple[float, Config]] = {}
    for entry, config in sorted(configs.items()):
        family = family_of(config)
        if roles[entry] == "baseline" or family.is_combined or ledger.error(entry) is not None:
            continue
        for sweep, score in _alive(plan, ledger, entry):
            if family.name not in best or score > best[family.name][0]:
                best[family.name] = score, ending_at(config, sweep)
    in_order = sorted(best.values(), key=lambda one: -one[0])
    return [(config, score) for score, config in in_order]


def scored(
    plan: Plan, ledger: Ledger, configs: Mapping[int, Config], entries: Sequence[int]
) -> list[Scored]:
    """Return the trainings that have a score, with it."""
    return [
        (configs[entry], max(score for _, score in points))
        for entry in entries
        if ledger.error(entry) is None and (points := list(_alive(plan, ledger, entry)))
    ]


def _alive(plan: Plan, ledger: Ledger, entry: int) -> Iterator[tuple[int, float]]:
    """Yield the sweeps and scores of the points that may be chosen, ascending by sweep."""
    for sweep, figures in ledger.points(entry).items():
        is_alive, score = rank_key(figures, plan.score)
        if is_alive:
            yield sweep, score


def expected_combinations(
    names: Sequence[str],
    configs: Sequence[Any],
    data: TrainingData,
    weight: Callable[[Any], float],
) -> list[Any]:
    """Return about what will be tried first of combined families, after these trainings.

    Made of one training of each family, that of the largest `weight`, such as its seconds.
    """
    largest: dict[str, tuple[float, Any]] = {}
    for config in configs:
        name, own = family_of(config).name, weight(config)
        if name not in largest or own > largest[name][0]:
            largest[name] = own, config
    best = [(config, 0.0) for _, config in sorted(largest.values(), key=lambda one: -one[0])]
    return [one for name in names for one in family_named(name).combinations(data, best, ())]


def seconds_of_stage(configs: Sequence[Any], speed: SpeedEstimate) -> float:
    """Return about how long it takes to try these: each member is trained once."""
    members = {
        canonical_settings(one.to_settings()): one
        for config in configs
        for one in family_of(config).members(config) or [config]
    }
    trained = (speed.until(one, sweep=iterations_of(one), points=1) for one in members.values())
    return _WITH_SCORING * sum(trained)


def memory_of_stage(configs: Sequence[Any], split: Split, threads: int) -> int:
    """Return the most bytes of trying one of these: trainings, and scores of members that are kept.

    `configs` are combinations, `threads` those of a training.
    """
    cells, data = len(split.validation_users) * split.train.n_items, TrainingData(split.train)
    needed = []
    for config in configs:
        family = family_of(config)
        kept = min(MOST_BYTES, 4 * cells * len(family.members(config)))
        needed.append(family.memory(data, config, threads) + kept)
    return max(needed, default=0)


def name_of_stage(family: Family) -> str:
    """Name the trainings of a family that builds on the best of others."""
    what = "s of the best models" if family.is_combined else " from the best settings"
    return family.name + what
