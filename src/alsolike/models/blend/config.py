"""The settings of a blend: those of its members, and a weight for each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.family import Family
from alsolike.models.protocols import HasAffinities, ItemScorer
from alsolike.models.registry import config_of, family_named, family_of, family_of_settings
from alsolike.models.settings import Config, FamilyConfig, check_number, known_settings

_FEWEST, _MOST = 2, 3
_DECIMALS = 12


def _usual_members() -> tuple[Config, ...]:
    return tuple(family_named(name).config() for name in ("als", "item-knn"))


@dataclass(frozen=True, kw_only=True)
class BlendConfig(FamilyConfig):
    """The settings of a model whose scores are weighted sums of those of its members.

    Parameters
    ----------
    members : sequence of Config or of mappings
        The settings of two or three models, no two equal; mappings are plain settings.
    weights : sequence of float
        A weight for each member, above 0; they are scaled to a sum of 1.

    Raises
    ------
    SettingError
        A setting of a member is unknown or out of its range; a member is a baseline, a blend, or
        occurs twice; there are not two or three, or not as many weights; a weight is not above 0.

    Examples
    --------
    >>> config = BlendConfig(members=[{"factors": 16}, {"model": "ease"}], weights=[3, 1])
    >>> config.weights, config.names
    ((0.75, 0.25), ('als', 'ease'))
    >>> BlendConfig.from_settings(config.to_settings()) == config
    True
    >>> print(config)
    als 16 factors 0.75 + ease 0.25
    """

    family: ClassVar[str] = "blend"
    members: tuple[Config, ...] = field(default_factory=_usual_members)
    weights: tuple[float, ...] = (0.5, 0.5)

    def __post_init__(self) -> None:
        given, weights = self.members, self.weights
        for name, values in (("members", given), ("weights", weights)):
            if isinstance(values, (str, Mapping)) or not isinstance(values, Sequence):
                raise SettingError(f"{name} of a blend must be a list, not {said(values)}.")
        if not _FEWEST <= len(given) <= _MOST:
            raise SettingError(f"A blend has two or three members, not {len(given)}.")
        if len(weights) != len(given):
            raise SettingError(
                f"A weight for each of the {len(given)} members expected, not {len(weights)}. Give "
                "members and weights together."
            )
        for weight in weights:
            check_number("Each weight of a blend", weight, above_zero=True)
        members = tuple(map(_member, given))
        for place, one in enumerate(members):
            if one in members[:place]:
                raise SettingError(
                    f"Two members of a blend are the same: {one.to_settings()}. Leave one out."
                )
        object.__setattr__(self, "members", members)
        object.__setattr__(self, "weights", _scaled(weights))

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values; each member to plain settings."""
        members = [one.to_settings() for one in self.members]
        return {"model": self.family, "members": members, "weights": list(self.weights)}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        given = settings.get("members")
        if not isinstance(given, (list, tuple)):
            return super().from_settings(settings)
        members = [config_of(one) if isinstance(one, Mapping) else one for one in given]
        return super().from_settings({**settings, "members": members})

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of the members."""
        return tuple(family_of(one) for one in self.members)

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each member: its family, numbered if there are several of it."""
        names = [family.name for family in self.families]
        return tuple(
            f"{name} {names[: place + 1].count(name)}" if names.count(name) > 1 else name
            for place, name in enumerate(names)
        )

    @property
    def comparing(self) -> int | None:
        """The member that similar items come from: the first that has a dial, or else has any."""
        for method in (HasAffinities.affinity_terms.__name__, ItemScorer.item_scores.__name__):
            for place, family in enumerate(self.families):
                if hasattr(family.model, method):
                    return place
        return None

    def __str__(self) -> str:
        return " + ".join(
            f"{words} {weight:g}" for words, weight in zip(self._words(), self.weights, strict=True)
        )

    def _words(self) -> Iterator[str]:
        for name, family, config in zip(self.names, self.families, self.members, strict=True):
            factors, kind = family.factors(config), family.kind(config)
            yield " ".join(
                [name, *([f"{factors} factors"] if factors else []), *filter(None, [kind])]
            )


def _member(given: Any) -> Any:
    """Return the configuration of a member; SettingError if it cannot be one."""
    config = _typed(given) if isinstance(given, Mapping) else given
    family = family_of(config)
    if family.is_baseline or family.is_combined:
        kind = "a baseline" if family.is_baseline else "made of models itself"
        raise SettingError(f"{family.name!r} cannot be a member of a blend: it is {kind}.")
    return config


def _typed(given: Mapping[str, Any]) -> Any:
    """Return the configuration of settings that somebody typed: others are the defaults."""
    config = family_of_settings(given).config
    own = {name: value for name, value in given.items() if name != "model"}
    return config(**known_settings(config, own))


def _scaled(weights: Sequence[float]) -> tuple[float, ...]:
    """Scale weights to a sum of 1; weights that have it remain as they are."""
    total = float(sum(weights))
    if abs(total - 1) <= 10.0 ** (1 - _DECIMALS):
        return tuple(map(float, weights))
    return tuple(round(float(weight) / total, _DECIMALS) for weight in weights)
