"""Chooses the families of a search: those searched, other candidates, and baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.family import Family, TrainingData
from alsolike.models.registry import family_named, names, trained
from alsolike.models.settings import Config

# On every leaderboard, whatever else is asked for.
_ALWAYS = "popularity"


@dataclass(frozen=True)
class Lineup:
    """Everything that a search tries of each family.

    Parameters
    ----------
    searched : tuple of str
        Families whose settings are searched by a grid or another strategy.
    candidates : tuple of Config
        Settings of other families that may be chosen and published.
    baselines : tuple of Config
        Settings that are compared with, and never chosen.
    """

    searched: tuple[str, ...] = ()
    candidates: tuple[Config, ...] = ()
    baselines: tuple[Config, ...] = ()


def lineup_for(
    families: Sequence[str] | None,
    baselines: Sequence[str] | None,
    interactions: Interactions,
    *,
    seed: int = 0,
) -> Lineup:
    """Return what is tried of the families that are asked for.

    What is tried by default follows from the counts of users, items and likes alone:

    ========== ======================== ==========================
    family     tried by default         with
    ========== ======================== ==========================
    als        always                   the grid of a preset
    item-knn   always                   two cosines, two of BM25
    ease       up to 10,000 items       two regularizations
    popularity always, as a baseline
    random     always, as a baseline    the seed that is asked for
    ========== ======================== ==========================

    Parameters
    ----------
    families : sequence of str or None
        Families that may be chosen. None: those of the table, or ALS alone where `baselines` says
        what it is to be compared with.
    baselines : sequence of str or None
        Families to be compared with. None: those of the table. Popularity is always among them. A
        family in both is one that may be chosen.
    interactions : Interactions
        What all will be fitted to.
    seed : int
        Of the random one.

    Raises
    ------
    SettingError
        There is no family of a name, or none that may be chosen.
    DataError
        One would need more memory than is available.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"])
    >>> lineup = lineup_for(["als", "ease"], None, likes)
    >>> lineup.searched, lineup.candidates
    (('als',), (EASEConfig(regularization=100.0), EASEConfig(regularization=500.0)))
    >>> lineup.baselines
    (PopularityConfig(), RandomConfig(seed=0))
    """
    data = TrainingData(interactions)
    chosen = _named("families", families)
    compared = _named("baselines", baselines)
    if chosen is None:
        tried = [one for one in trained() if not one.is_baseline and one.is_tried(data)]
        # As people have asked for a search of ALS beside a few others since before all could win.
        chosen = tried if compared is None else [one for one in tried if _is_searched(one, data)]
    if not chosen:
        raise SettingError(f"At least one family is needed; known are {', '.join(names())}.")
    if compared is None:
        compared = [one for one in trained() if one.is_baseline and one.is_tried(data)]
    compared = [family_named(_ALWAYS), *(one for one in compared if one.name != _ALWAYS)]
    return Lineup(
        tuple(one.name for one in chosen if _is_searched(one, data)),
        _settings([one for one in chosen if not _is_searched(one, data)], data, seed),
        _settings([one for one in compared if one not in chosen], data, seed),
    )


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
        if not family.is_trained:
            raise SettingError(
                f"Models of {family.name!r} are made by other programs and cannot be trained; "
                f"known are {', '.join(names())}."
            )
    return [family for family in trained() if family in found]


def _settings(families: Sequence[Family], data: TrainingData, seed: int) -> tuple[Config, ...]:
    """Return what is tried of families; raise DataError if one does not fit into memory."""
    found: list[Config] = []
    for family in families:
        # ALS among those to be compared with has no settings but the default ones.
        for config in family.search_space(data, seed=seed) or [family.config()]:
            family.refuse(data, config)
            found.append(config)
    return tuple(found)
