"""Numbers the trainings of a search, and names each by the settings that vary."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from alsolike.evaluation.objectives.base import DEGENERATE, as_gain
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tuning.plan import is_scored_at_sweeps
from alsolike.tuning.storage.canonical import canonical_settings, plain_value

# Trials come from the strategy; candidates may be chosen as well, baselines may not.
Role = Literal["trial", "candidate", "baseline"]

# The state of a run without a point that may be chosen.
DEAD = "degenerate"


@dataclass(frozen=True)
class Run:
    """One training of a search.

    Parameters
    ----------
    number : int or None
        From 1: trials in the order of their proposal, then candidates; baselines have none.
    entry : int
        Its number in the ledger.
    config : Config
    varying : mapping of str to plain values
        The settings that differ among the runs of the family.
    role : {"trial", "candidate", "baseline"}
    """

    number: int | None
    entry: int
    config: Config
    varying: Mapping[str, Any]
    role: Role = "trial"

    @property
    def family(self) -> str:
        """The name of its family."""
        return family_of(self.config).name

    @property
    def model(self) -> str:
        """The name of its model, with settings that have no columns of their own."""
        return model_name(self.family, {} if self.role == "trial" else self.varying)

    @property
    def settings(self) -> str:
        """Its varying settings as text."""
        return ", ".join(f"{name} {value}" for name, value in self.varying.items())

    @property
    def title(self) -> str:
        """Its number and varying settings as text; of a candidate, the model."""
        if self.role != "trial":
            return self.model
        return f"run {self.number}: {self.settings}" if self.varying else f"run {self.number}"

    @property
    def has_curve(self) -> bool:
        """Whether its points are shown as a curve."""
        is_swept = is_scored_at_sweeps(self.config)
        return self.role == "trial" or (self.role == "candidate" and is_swept)


def model_name(family: str, settings: Mapping[str, Any]) -> str:
    """Return a family's name, with settings that distinguish its runs.

    Examples
    --------
    >>> model_name("item-knn", {"weighting": "bm25", "neighbours": 400})
    'item-knn (bm25, 400)'
    """
    return f"{family} ({', '.join(map(str, settings.values()))})" if settings else family


def runs_of(configs: Mapping[int, Config], roles: Mapping[int, Role] | None = None) -> list[Run]:
    """Return configurations, by their entries in the ledger, as numbered runs.

    Parameters
    ----------
    configs : mapping of int to Config
    roles : mapping of int to Role, or None
        None: unknown, as in a ledger; then runs scored at sweeps count as trials.
    """
    given: dict[int, Role] = dict(roles or {})
    for entry, config in configs.items():
        given.setdefault(entry, "trial" if is_scored_at_sweeps(config) else "baseline")
    of_family: dict[str, list[dict[str, Any]]] = {}
    for config in configs.values():
        family = family_of(config)
        of_family.setdefault(family.name, []).append(dict(family.labels(config)))
    varying = {
        family: [
            name
            for name in settings[0]
            if len({canonical_settings({name: one[name]}) for one in settings}) > 1
        ]
        for family, settings in of_family.items()
    }
    count = itertools.count(1)
    in_turn = [e for role in ("trial", "candidate") for e in configs if given[e] == role]
    numbers = {entry: next(count) for entry in in_turn}
    runs: list[Run] = []
    for entry, config in configs.items():
        settings, names = family_of(config).labels(config), varying[family_of(config).name]
        own = {name: plain_value(settings[name]) for name in names}
        runs.append(Run(numbers.get(entry), entry, config, own, given[entry]))
    return runs


def rank_key(figures: Mapping[str, float], score: str, prefix: str = "") -> tuple[bool, float]:
    """Return the sort key of a point: a degenerate one is below all others; an error counts minus.

    Parameters
    ----------
    figures : mapping of str to float
        Of the point.
    score, prefix : str
        The figure that ranks, and the prefix of its objective.
    """
    return prefix + DEGENERATE not in figures, tied(as_gain(score, figures[prefix + score]))


def tied(score: float) -> float:
    """Return the score rounded, so that means of the same hits tie."""
    return round(score, 12)
