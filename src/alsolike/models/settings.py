"""Base class of families' settings: conversion to plain values, and checks."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from alsolike.errors import SettingError
from alsolike.usage_hints import did_you_mean

# Days in the units of a half-life.
_DAYS = {"": 1.0, "h": 1 / 24, "d": 1.0, "w": 7.0}


class Config(Protocol):
    """Settings of one family: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values; ``"model"`` names the family if it is not ALS."""


def seed_of(config: Config) -> int:
    """Return the seed of a configuration, 0 by default."""
    return int(getattr(config, "seed", 0))


def recorded_settings(config: Config) -> dict[str, Any]:
    """Convert to plain values as ledgers record them, without what earlier versions did anyway.

    So a search of an earlier version resumes, if it is given the settings of that version.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class BoxConfig(FamilyConfig):
    ...     family: ClassVar[str] = "box"
    ...     added: ClassVar[Mapping[str, Any]] = {"height": 1.0}
    ...     width: float = 1.0
    ...     height: float = 2.0
    >>> recorded_settings(BoxConfig(height=1.0))
    {'model': 'box', 'width': 1.0}
    >>> BoxConfig.from_settings({"model": "box", "width": 1.0})
    BoxConfig(width=1.0, height=1.0)
    """
    added = getattr(type(config), "added", {})
    settings = config.to_settings()
    return {
        name: value for name, value in settings.items() if name not in added or value != added[name]
    }


class FamilyConfig:
    """Base of a family's settings: a frozen dataclass with a default for each.

    Attributes
    ----------
    family : str
        The name of the family, ``"model"`` in plain settings.
    added : mapping of str to values
        Settings that earlier versions lacked, and what these did.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class BoxConfig(FamilyConfig):
    ...     family: ClassVar[str] = "box"
    ...     width: float = 1.0
    >>> BoxConfig(width=3).to_settings()
    {'model': 'box', 'width': 3.0}
    >>> BoxConfig.from_settings({"model": "box", "width": 3.0})
    BoxConfig(width=3.0)
    """

    family: ClassVar[str]
    added: ClassVar[Mapping[str, Any]] = {}
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values; ``"model"`` is the family's name."""
        own = {one.name: _plain(getattr(self, one.name), type(one.default)) for one in fields(self)}
        return {"model": self.family, **own}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        return cls(**known_settings(cls, {**cls.added, **settings}, model=cls.family))


def _plain(value: Any, kind: type[Any]) -> Any:
    """Convert a number to the type of the setting's default."""
    is_number = kind in (int, float) and isinstance(value, (int, float, np.number))
    return kind(value) if is_number else value


def check_number(name: str, value: Any, *, above_zero: bool = False) -> None:
    """Raise SettingError unless a setting is a finite number of at least, or above, zero."""
    if not is_finite(value) or value < 0 or (above_zero and value == 0):
        bound = "above 0" if above_zero else "of at least 0"
        raise SettingError(f"{name} must be a finite number {bound}, not {value!r}.")


def half_life_of(given: Any) -> float | None:
    """Return a half-life in days: of a number of days, or of a text with a unit; None stays None.

    Raises
    ------
    SettingError
        It is neither, or not above 0.

    Examples
    --------
    >>> half_life_of("90d"), half_life_of("12h"), half_life_of("2w"), half_life_of(30)
    (90.0, 0.5, 14.0, 30.0)
    """
    if given is None:
        return None
    days = given
    if isinstance(given, str):
        found = re.fullmatch(r"(\d+\.?\d*|\.\d+)([hdw]?)", given.strip().casefold(), re.ASCII)
        days = float(found[1]) * _DAYS[found[2]] if found else None
    if not is_finite(days) or days <= 0:
        raise SettingError(
            "half_life must be a number of days above 0, a time such as '90d', '12h' or '2w', or "
            f"None, not {given!r}."
        )
    return float(days)


def is_finite(value: Any) -> bool:
    """Tell whether this is a finite real number, not a bool."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    return number and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: Any, known: Collection[str]) -> None:
    """Raise SettingError unless a setting is one of those known."""
    if value not in known:
        raise SettingError(
            f"{name} must be one of {', '.join(known)}, not {value!r}.{did_you_mean(value, known)}"
        )


def known_settings(
    config: type[Any], settings: Mapping[str, Any], *, model: str | None = None
) -> dict[str, Any]:
    """Return settings as arguments of `config`; SettingError for an unknown or another `model`."""
    given = dict(settings)
    if model is not None and (found := given.pop("model", None)) != model:
        raise SettingError(f"Settings of the model {model!r} expected, not {found!r}.")
    known = {setting.name for setting in fields(config)}
    if unknown := sorted(set(given) - known):
        hint = did_you_mean(unknown[0], sorted(known), plain=True)
        raise SettingError(f"Unknown settings {unknown}; known are {sorted(known)}.{hint}")
    return given
