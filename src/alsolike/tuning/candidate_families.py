"""Chooses the families of a search: searched ones, other candidates, and baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.family import Family, TrainingData
from alsolike.models.registry import family_named, family_of, names, trained
from alsolike.models.settings import Config
from alsolike.tables import wrapped
from alsolike.text import listed
from alsolike.tuning.strategies.search_space import distinct

# On every leaderboard.
_ALWAYS = "popularity"
# Families that a combined one is made of, at least.
_FEWEST = 2


@dataclass(frozen=True)
class Lineup:
    """The families and fixed settings of a search.

    Parameters
    ----------
    searched : tuple of str
        Families whose settings a strategy searches.
    candidates : tuple of Config
        Settings of other families that may be chosen.
    baselines : tuple of Config
        Settings that are only compared with.
    combined : tuple of str
        Families that build on the best of the others, after all other trainings.
    by_default : mapping of str to str
        Families that may be chosen and that nobody asked for, with the reason of each.
    """

    searched: tuple[str, ...] = ()
    candidates: tuple[Config, ...] = ()
    baselines: tuple[Config, ...] = ()
    combined: tuple[str, ...] = ()
    by_default: Mapping[str, str] = field(default_factory=dict)

    def with_half_lives(self, half_lives: Sequence[Any]) -> "Lineup":
        """Return the lineup with each configuration under each of these half-lives, if it can."""

        def aged(configs: Sequence[Config]) -> tuple[Config, ...]:
            found = (
                family_of(config).with_half_life(config, days)
                for config in configs
                for days in half_lives
            )
            return tuple(distinct(found))

        return replace(self, candidates=aged(self.candidates), baselines=aged(self.baselines))

    def brief(self, width: int) -> str:
        """Return the text in lines of at most `width` characters."""
        return wrapped(str(self), width, indent=2)

    def __str__(self) -> str:
        """Say which families are tried by default and why; empty if the caller chose them.

        Examples
        --------
        >>> print(Lineup(by_default={"als": "on every table", "ease": "since 2 items are few"}))
        Tried by default: als on every table; ease since 2 items are few.
        """
        reasons: dict[str, list[str]] = {}
        for name, why in self.by_default.items():
            reasons.setdefault(why, []).append(name)
        parts = [f"{listed(families)} {why}" for why, families in reasons.items()]
        return f"Tried by default: {'; '.join(parts)}." if parts else ""


def lineup_for(
    families: Sequence[str] | None,
    baselines: Sequence[str] | None,
    interactions: Interactions,
    *,
    seed: int = 0,
    thorough: bool = False,
    by_features: bool = False,
) -> Lineup:
    """Return the settings to try of each family.

    The defaults depend only on the numbers of users, items and likes:

    ============= ======================== ===================

    Parameters
    ----------
    families : sequence of str or None
        Families that may be chosen. None: those of the table, or only ALS if `baselines` are
        given.
    baselines : sequence of str or None
        Families to compare with. None: those of the table. Popularity is always among them. A
        family in both may be chosen.
    interactions : Interactions
        The training data.
    seed : int
        Of the random baseline.
    thorough : bool
        Try the settings of `Family.wide_space` of families that may be chosen, and larger tables.
    by_features : bool
        By default, try only families that use features by default, as for items without likes.

    Raises
    ------
    SettingError
        A family is unknown, or none may be chosen.
    DataError
        A family would need more memory than is available.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"])
    >>> lineup = lineup_for(["als", "ease"], None, likes)
    >>> lineup.searched, [config.regularization for config in lineup.candidates]
    (('als',), [30.0, 100.0, 300.0])
    >>> lineup.baselines
    (PopularityConfig(), RandomConfig(seed=0))
    >>> lineup_for(None, None, likes).combined
    ('blend',)
    """
    data = TrainingData(interactions)
    chosen = _named("families", families)
    compared = _named("baselines", baselines)
    if chosen is None:
        tried = [one for one in trained() if not one.is_baseline and _is_tried(one, data, thorough)]
        if by_features:
            tried = [one for one in tried if one.is_combined or _learns_by_default(one)]
        elif compared is not None:
            # Given baselines, only searched families are tried, as before others could be chosen.
            tried = [one for one in tried if _is_searched(one, data)]
        chosen = tried
    builders = [one for one in chosen if one.builds_on_others and not one.is_combined]
    combined = [one for one in chosen if one.is_combined]
    chosen = [one for one in chosen if not one.is_combined]
    if len(chosen) < _FEWEST:
        if combined and families is not None:
            raise SettingError(
                f"{combined[0].name} combines the best models of at least two other families. Name "
                "them too, such as als and item-knn."
            )
        combined = []
    by_default = [*chosen, *combined] if families is None else []
    if not chosen:
        raise SettingError(f"At least one family is needed; known are {', '.join(names())}.")
    if compared is None:
        compared = [one for one in trained() if one.is_baseline and one.is_tried(data)]
    compared = [family_named(_ALWAYS), *(one for one in compared if one.name != _ALWAYS)]
    return Lineup(
        tuple(one.name for one in chosen if _is_searched(one, data)),
        _settings([one for one in chosen if not _is_searched(one, data)], data, seed, thorough),
        _settings([one for one in compared if one not in chosen], data, seed),
        tuple(one.name for one in (*builders, *combined)),
        {one.name: one.why_tried(data) for one in by_default},
    )


def lineup_for_ratings(
    families: Sequence[str] | None,
    baselines: Sequence[str] | None,
    interactions: Interactions,
    *,
    seed: int = 0,
) -> Lineup:
    """Return the settings to try of families that predict ratings, and simpler predictions.

    Raises
    ------
    SettingError
        A family is unknown, or does not predict ratings; or baselines are named.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"], [5, 3, 4])
    >>> lineup = lineup_for_ratings(None, None, likes)
    >>> lineup.candidates[0].factors, [one.factors for one in lineup.baselines]
    (8, [0])
    """
    data = TrainingData(interactions)
    known = [one for one in trained() if one.predicts_ratings]
    chosen = _named("families", families)
    for one in chosen or ():
        if one not in known:
            raise SettingError(
                f"{one.name} does not predict ratings; of those that can be fitted, "
                f"{listed([each.name for each in known])} can. Name these, or choose by lists: "
                "objective='ranking'."
            )
    if baselines is not None:
        raise SettingError(
            "baselines are of lists. Predicted ratings are compared with biases alone and with the "
            "mean of all ratings. Leave baselines out."
        )
    tried = known if chosen is None else chosen
    if not tried:
        raise SettingError(f"At least one family is needed; known are {names(known)}.")
    return Lineup(
        candidates=_settings(tried, data, seed),
        baselines=tuple(one for each in tried for one in each.rating_baselines(seed=seed)),
        by_default={one.name: one.why_tried(data) for one in known} if chosen is None else {},
    )


def _is_tried(family: Family, data: TrainingData, thorough: bool) -> bool:
    return family.is_tried_when_thorough(data) if thorough else family.is_tried(data)


def _learns_by_default(family: Family) -> bool:
    return family.learns_from_features(family.config())


def _is_searched(family: Family, data: TrainingData) -> bool:
    return family.scored == "sweeps" and not family.search_space(data)


def _named(what: str, given: Sequence[str] | None) -> list[Family] | None:
    """Return the families of these names, in the order of the registry."""
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise SettingError(
            f"{what} is a list of names, such as ['als', 'item-knn'], not {said(given)}."
        )
    found = [family_named(name) for name in given]
    for family in found:
        if family.is_combined and what == "baselines":
            raise SettingError(
                f"{family.name!r} is made of the best of other families and cannot be a baseline. "
                "Name it among families."
            )
        if not family.is_trained:
            raise SettingError(
                f"Models of {family.name!r} are made by other programs and cannot be trained; "
                f"known are {', '.join(names())}."
            )
    return [family for family in trained() if family in found]


def _settings(
    families: Sequence[Family], data: TrainingData, seed: int, thorough: bool = False
) -> tuple[Config, ...]:
    """Return the settings to try of families; raise DataError if one does not fit into memory."""
    found: list[Config] = []
    for family in families:
        space = family.wide_space if thorough else family.search_space
        # ALS as a baseline has its default settings.
        for config in space(data, seed=seed) or [family.config()]:
            family.refuse(data, config)
            found.append(config)
    return tuple(found)
