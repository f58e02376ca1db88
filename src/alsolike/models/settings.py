"""What every class of settings checks, said in one way: numbers, choices, unknown names."""

import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Protocol

import numpy as np

from alsolike.errors import SettingError
from alsolike.hints import did_you_mean


class Config(Protocol):
    """Settings of one family: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_settings(self) -> dict[str, Any]:
        """Return them as plain values; ``"model"`` names the family where it is not ALS."""


def seed_of(config: Config) -> int:
    """Return the seed of settings; 0 where they have none."""
    return int(getattr(config, "seed", 0))


def check_whole(name: str, value: Any, *, least: int) -> None:
    """Raise SettingError where a setting is no whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SettingError(f"{name} must be a whole number of at least {least}, not {value!r}.")


def check_number(name: str, value: Any, *, above_zero: bool = False) -> None:
    """Raise SettingError where a setting is no finite number of at least, or above, zero."""
    if not is_finite(value) or value < 0 or (above_zero and value == 0):
        bound = "above 0" if above_zero else "of at least 0"
        raise SettingError(f"{name} must be a finite number {bound}, not {value!r}.")


def is_finite(value: Any) -> bool:
    """Tell whether this is a finite real number; True and False are none."""
    number = isinstance(value, (int, float, np.integer, np.floating))
    return number and not isinstance(value, bool) and math.isfinite(value)


def check_choice(name: str, value: Any, known: Collection[str]) -> None:
    """Raise SettingError where a setting is none of those known."""
    if value not in known:
        raise SettingError(
            f"{name} must be one of {', '.join(known)}, not {value!r}.{did_you_mean(value, known)}"
        )


def known_settings(
    config: type[Any], settings: Mapping[str, Any], *, model: str | None = None
) -> dict[str, Any]:
    """Return settings as the arguments of `config`; raise SettingError where one is unknown.

    Where `model` is given, the settings say that they are of that model.
    """
    given = dict(settings)
    if model is not None and (found := given.pop("model", None)) != model:
        raise SettingError(f"Settings of the model {model!r} expected, not {found!r}.")
    known = {setting.name for setting in fields(config)}
    if unknown := sorted(set(given) - known):
        hint = did_you_mean(unknown[0], sorted(known), plain=True)
        raise SettingError(f"Unknown settings {unknown}; known are {sorted(known)}.{hint}")
    return given
