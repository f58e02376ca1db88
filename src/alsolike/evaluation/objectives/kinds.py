"""`KINDS`: the list of objectives, and look-ups in it by settings or by the name of a measure."""

from collections.abc import Mapping, Sequence
from typing import Any

from alsolike.data.splitting.split import Split
from alsolike.errors import SettingError
from alsolike.evaluation.item_to_item.evaluate import PREFIX
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.item_to_item import ItemToItemObjective
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.objectives.ratings import RatingsObjective
from alsolike.usage_hints import did_you_mean

KINDS: Mapping[str, type[Objective]] = {
    objective.kind: objective
    for objective in (RankingObjective, ItemToItemObjective, RatingsObjective)
}
# Names in ledgers, and in settings of earlier versions.
_STORED = {"lists": RankingObjective.kind, "shelves": ItemToItemObjective.kind}


def objective_of(settings: Mapping[str, Any]) -> Objective:
    """Build an objective from what `Objective.to_settings` returned.

    Raises
    ------
    SettingError
        The kind is unknown, or a setting is out of its range.

    Examples
    --------
    >>> objective_of({"kind": "item-to-item", "k": 5}) == ItemToItemObjective(k=5)
    True
    """
    own = dict(settings)
    named = own.pop("kind", RankingObjective.kind)
    kind = _STORED.get(named, named) if isinstance(named, str) else named
    if kind not in KINDS:
        raise SettingError(
            f"The objective must be {' or '.join(KINDS)}, not {kind!r}.{did_you_mean(kind, KINDS)}"
        )
    if named == "shelves":
        own.pop("exclude_seen", None)  # the measure of earlier versions left seen items out
    return KINDS[kind](**own)


def objective_named(measure: str, **settings: Any) -> Objective:
    """Build an objective from the name of its measure, with further settings.

    Raises
    ------
    SettingError
        There is no such measure.

    Examples
    --------
    >>> objective_named("ndcg@20") == RankingObjective(metric="ndcg", k=20)
    True
    >>> objective_named("shelf_hit_rate") == ItemToItemObjective(metric="hit_rate")
    True
    >>> print(objective_named("rmse"))
    rmse of ratings on validation (lower is better)
    """
    name, at, k = measure.partition("@")
    if at and not k.isdecimal():
        raise SettingError(f"A measure such as 'ndcg@10' expected, not {measure!r}.")
    kind: type[Objective] = ItemToItemObjective if name.startswith(PREFIX) else RankingObjective
    if name in RatingsObjective.metrics:
        if at:
            raise SettingError(f"{name} is of ratings, not of lists: {name!r} expected, without @.")
        kind = RatingsObjective
    if at:
        settings |= {"k": int(k)}
    return kind(metric=name.removeprefix(PREFIX), **settings)


def chosen_objective(objective: Objective | None, **settings: Any) -> Objective:
    """Return the given objective, or a ranking objective with `settings` (None: its defaults).

    Raises
    ------
    SettingError
        Both are given.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if objective is None:
        return RankingObjective(**given)
    if given:
        raise SettingError(
            f"{', '.join(given)} and an objective are both given. Set them in the objective only."
        )
    return objective


def checked_objectives(
    split: Split, first: Objective, beside: Sequence[Objective]
) -> dict[str, Objective]:
    """Return the objectives by the prefix of their figures; "" for the first."""
    names = [objective.name for objective in (first, *beside)]
    if len(set(names)) < len(names):
        raise SettingError(f"Objectives of a search need different names; these are {names}.")
    objectives = {"": first, **{f"{objective.name}: ": objective for objective in beside}}
    for objective in objectives.values():
        objective.left_out(split)
    return objectives
