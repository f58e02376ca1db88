"""`FAMILIES`: the one list of families of models, and what is looked up in it."""

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from alsolike.data.arguments import said
from alsolike.errors import SettingError
from alsolike.hints import did_you_mean
from alsolike.models.als_family import ALSFamily, FactorsFamily
from alsolike.models.base import FittedModel, expect_model
from alsolike.models.chance import RandomFamily
from alsolike.models.ease import EASEFamily
from alsolike.models.family import Family
from alsolike.models.neighbours import ItemKNNFamily
from alsolike.models.popularity import PopularityFamily

FAMILIES: list[Family] = [
    ALSFamily(),
    ItemKNNFamily(),
    EASEFamily(),
    PopularityFamily(),
    RandomFamily(),
    FactorsFamily(),
]

_GROUP = "alsolike.families"
_USUAL = "als"  # settings that name no family


def trained() -> list[Family]:
    """Return the families that can be fitted."""
    return [family for family in FAMILIES if family.is_trained]


def names(families: Iterable[Family] | None = None) -> list[str]:
    """Return the names of families; None: of all that can be fitted."""
    return [family.name for family in (trained() if families is None else families)]


def family_named(name: str) -> Family:
    """Return a family by its name; one that an installed package brings is looked up last.

    Raises
    ------
    SettingError
        There is none of that name.

    Examples
    --------
    >>> family_named("item-knn").scored
    'end'
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    for point in entry_points(group=_GROUP, name=name) if isinstance(name, str) else ():
        brought: Family = point.load()()
        FAMILIES.append(brought)
        return brought
    known = names()
    raise SettingError(
        f"There is no model {name!r}; known are {', '.join(known)}.{did_you_mean(name, known)}"
    )


def family_of_settings(settings: Mapping[str, Any]) -> Family:
    """Return the family that settings are of; SettingError where none is known by that name."""
    return family_named(settings.get("model", _USUAL))


def family_of(config: object) -> Family:
    """Return the family of a configuration; SettingError where it is none's."""
    for family in trained():
        if type(config) is family.config:
            return family
    way_out = "Give settings such as alsolike.ALSConfig(factors=64, alpha=10)."
    if isinstance(config, Mapping):
        way_out = "Make settings of it: alsolike.ALSConfig(**settings)."
    raise SettingError(f"Settings expected, not {said(config)}. {way_out}")


def is_config(given: object) -> bool:
    """Tell whether this is a configuration of a family that can be trained."""
    return any(type(given) is family.config for family in trained())


def family_of_model(model: Any, purpose: str = "save it") -> Family:
    """Return the family of a fitted model: the one of its own class, or of the nearest above."""
    for kind in type(model).__mro__:
        for family in FAMILIES:
            if family.model is kind:
                return family
    expect_model(model, purpose)
    raise SettingError(
        f"A model of a known family is needed to {purpose}: {said(model)} is of none. Put its "
        "family into alsolike.models.registry.FAMILIES."
    )


def config_of(settings: Mapping[str, Any]) -> Any:
    """Return settings as the configuration that they were; SettingError for an unknown family.

    Examples
    --------
    >>> config_of({"model": "ease", "regularization": 100.0})
    EASEConfig(regularization=100.0)
    """
    return family_of_settings(settings).config.from_settings(settings)


def is_fitted_model(model: object) -> bool:
    """Tell whether a model has all that pages, files and commands ask for."""
    return isinstance(model, FittedModel)
