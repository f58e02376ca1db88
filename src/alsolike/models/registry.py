"""`FAMILIES`: the list of model families, and look-ups in it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.als.family import ALSFamily, FactorsFamily
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.baselines.popularity import PopularityFamily
from alsolike.models.baselines.random import RandomFamily
from alsolike.models.explicit_als.family import ExplicitALSFamily
from alsolike.models.family import Family, Known
from alsolike.models.feature_als.family import FeatureALSFamily
from alsolike.models.linear.ease import EASEFamily
from alsolike.models.linear.sparse import SparseLinearFamily
from alsolike.models.lmf.family import LMFFamily
from alsolike.models.neighbours.family import ItemKNNFamily
from alsolike.models.pairwise.family import BPRFamily, WARPFamily
from alsolike.models.profile.family import ItemProfileFamily
from alsolike.models.protocols import expect_model
from alsolike.models.settings import FamilyConfig
from alsolike.models.similarity.config import USUAL_SIMILARITY
from alsolike.usage_hints import did_you_mean

FAMILIES: list[Family] = [
    ALSFamily(),
    ItemKNNFamily(),
    EASEFamily(),
    SparseLinearFamily(),
    FeatureALSFamily(),
    ExplicitALSFamily(),
    ItemProfileFamily(),
    LMFFamily(),
    BPRFamily(),
    WARPFamily(),
    PopularityFamily(),
    RandomFamily(),
    FactorsFamily(),
]  # and blends, which `alsolike.models` adds: they look their members up here

_GROUP = "alsolike.families"
_SWEEPS = "known.sweeps"  # next to the arrays of a model inside another
USUAL = "als"  # the default


def trained() -> list[Family]:
    """Return the families that can be fitted."""
    return [family for family in FAMILIES if family.is_trained]


def names(families: Iterable[Family] | None = None) -> list[str]:
    """Return the names of families, by default of all that can be fitted."""
    return [family.name for family in (trained() if families is None else families)]


def family_named(name: str) -> Family:
    """Find a family by its name, also in installed packages.

    Raises
    ------
    SettingError
        There is no family of that name.

    Examples
    --------
    >>> family_named("item-knn").scored
    'end'
    """
    for family in FAMILIES:
        if family.name == name:
            return family
    for point in entry_points(group=_GROUP, name=name) if isinstance(name, str) else ():
        added = _loaded(point)
        FAMILIES.append(added)
        return added
    known = sorted({*names(), *entry_points(group=_GROUP).names}, key=_place)
    raise SettingError(
        f"Unknown model {name!r}; known are {', '.join(known)}.{did_you_mean(name, known)}"
    )


def _place(name: str) -> tuple[int, str]:
    """Return the sorting key of a name: the order of `FAMILIES`, then the alphabet."""
    first = names()
    return (first.index(name) if name in first else len(first), name)


def _loaded(point: EntryPoint) -> Family:
    """Load the family of an installed package; SettingError if it is not one of that name."""
    made = point.load()()
    if not isinstance(made, Family) or made.name != point.name:
        raise SettingError(
            f"The entry point {point.name} = {point.value} of {_GROUP} must be a Family class "
            f"with the name {point.name!r}, not {said(made)}. Tell the package's authors."
        )
    return made


def family_of_settings(settings: Mapping[str, Any]) -> Family:
    """Find the family of plain settings; SettingError if it is unknown."""
    return family_named(settings.get("model", USUAL))


def family_of(config: object) -> Family:
    """Find the family of a configuration; SettingError if there is none."""
    found = _family_by(config)
    if found is not None:
        return found
    raise SettingError(f"Settings expected, not {said(config)}. {_way_to_settings(config)}")


def _way_to_settings(given: object) -> str:
    if isinstance(given, Mapping):
        return "Make settings of it: alsolike.ALSConfig(**settings)."
    if isinstance(given, str) and given in names():
        return f"Give the name of a family as family={given!r}."
    if any(given is family.config for family in trained()):
        return "Make settings of the class: call it."
    if isinstance(given, FamilyConfig):
        return (
            f"Its family {given.family!r} is unknown: add it to alsolike.models.registry.FAMILIES."
        )
    return "Give settings such as alsolike.ALSConfig(factors=64, alpha=10)."


def is_config(given: object) -> bool:
    """Tell whether this is the configuration of a family that can be trained."""
    return _family_by(given) is not None


def _family_by(config: object) -> Family | None:
    """Find the family of a configuration, also in installed packages."""
    for known in trained():
        if type(config) is known.config:
            return known
    name = config.family if isinstance(config, FamilyConfig) else None
    if name is None or name in names() or not entry_points(group=_GROUP, name=name):
        return None
    added = family_named(name)
    return added if type(config) is added.config else None


def family_of_model(model: Any, purpose: str = "save it") -> Family:
    """Find the family of a fitted model, by its class or the nearest base class."""
    for kind in type(model).__mro__:
        for family in FAMILIES:
            if family.model is kind:
                return family
    expect_model(model, purpose)
    raise SettingError(
        f"A model of a known family is needed to {purpose}, not {said(model)}. Add its family to "
        "alsolike.models.registry.FAMILIES."
    )


def uses_features(config: Any) -> bool:
    """Tell whether a model of this configuration, or a member of it, uses features.

    Examples
    --------
    >>> from alsolike.models.linear.ease import EASEConfig
    >>> uses_features(EASEConfig())
    False
    """
    family = family_of(config)
    return family.learns_from_features(config) or any(map(uses_features, family.members(config)))


def needs_features(config: Any) -> bool:
    """Tell whether a model of this configuration, or a member of it, needs features."""
    family = family_of(config)
    return family.needs_features or any(map(needs_features, family.members(config)))


def config_of(settings: Mapping[str, Any]) -> Any:
    """Build a configuration from plain settings; SettingError for an unknown family.

    Examples
    --------
    >>> config_of({"model": "ease", "regularization": 100.0}).regularization
    100.0
    """
    return family_of_settings(settings).config.from_settings(settings)


def pack_inside(label: str, model: FittedModel) -> dict[str, npt.NDArray[Any]]:
    """Pack the arrays of a model inside another, under names that begin with ``label.``."""
    arrays = {**family_of_model(model).pack(model), _SWEEPS: np.array([model.sweeps])}
    return {f"{label}.{name}": array for name, array in arrays.items()}


def unpack_inside(
    label: str,
    arrays: BundleArrays,
    known: Known,
    settings: Mapping[str, Any],
    *,
    compares: bool = False,
) -> FittedModel:
    """Build the model that `pack_inside` packed, with these settings.

    `compares`: what `known` has of similar items is that of this model.
    """
    family, inner = family_of_settings(settings), arrays.inside(label)
    sweeps = int(inner.within(_SWEEPS, np.int64, 1)[0])
    own = replace(known, settings=settings, factors=None, sweeps=sweeps, name=family.name)
    if not compares:
        own = replace(own, similarity_config=USUAL_SIMILARITY, stored_evidence=None)
    return family.unpack(inner, own)
