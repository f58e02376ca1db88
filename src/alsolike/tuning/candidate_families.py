"""Chooses the families of a search: searched ones, other candidates, and baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.family import Family, TrainingData
from alsolike.models.registry import family_named, names, trained
from alsolike.models.settings import Config
from alsolike.text import listed

# On every leaderboard.
_ALWAYS = "popularity"


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
    by_default : mapping of str to str
        Families that may be chosen and that nobody asked for, with the reason of each.
    """

    searched: tuple[str, ...] = ()
    candidates: tuple[Config, ...] = ()
    baselines: tuple[Config, ...] = ()
    by_default: Mapping[str, str] = field(default_factory=dict)

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
) -> Lineup:
    """Return the settings to try of each family.

    The defaults depend only on the numbers of users, items and likes:

    ========== ======================== ==========================
    family     tried by default         with
    ========== ======================== ==========================
    als        always                   the grid of a preset
    item-knn   always                   two cosines, two of BM25
    ease       up to 10,000 items       two regularizations
    popularity always, as a baseline
    random     always, as a baseline    `seed`
    ========== ======================== ==========================

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
        # Given baselines, only searched families are tried, as before others could be chosen.
        chosen = tried if compared is None else [one for one in tried if _is_searched(one, data)]
    by_default = chosen if families is None else []
    if not chosen:
        raise SettingError(f"At least one family is needed; known are {', '.join(names())}.")
    if compared is None:
        compared = [one for one in trained() if one.is_baseline and one.is_tried(data)]
    compared = [family_named(_ALWAYS), *(one for one in compared if one.name != _ALWAYS)]
    return Lineup(
        tuple(one.name for one in chosen if _is_searched(one, data)),
        _settings([one for one in chosen if not _is_searched(one, data)], data, seed),
        _settings([one for one in compared if one not in chosen], data, seed),
        {one.name: one.why_tried(data) for one in by_default},
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
    """Return the settings to try of families; raise DataError if one does not fit into memory."""
    found: list[Config] = []
    for family in families:
        # ALS as a baseline has its default settings.
        for config in family.search_space(data, seed=seed) or [family.config()]:
            family.refuse(data, config)
            found.append(config)
    return tuple(found)
