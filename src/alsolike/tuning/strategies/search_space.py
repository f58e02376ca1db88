"""Defines search spaces of lists and ranges, and makes grids and random configurations of them."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.fit import config_for
from alsolike.models.registry import family_of
from alsolike.models.settings import Config, seed_of
from alsolike.tuning.storage.canonical import canonical_settings
from alsolike.usage_hints import did_you_mean, with_example, with_hints

_OF_A_RANGE = ("low", "high", "log", "integer")
# Repeated draws in a row after which a space counts as exhausted.
_DRAWS_IN_VAIN = 200


@with_hints
@dataclass(frozen=True, kw_only=True)
class Range:
    """A range of numbers from `low` to `high`, both included.

    Parameters
    ----------
    low, high : float
    log : bool
        Draw logarithms uniformly; both ends are above 0.
    integer : bool
        Draw only whole numbers.

    Raises
    ------
    SettingError
        The range is empty, or its logarithm is.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        for end in (self.low, self.high):
            if isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end):
                raise SettingError(f"The ends of a range are finite numbers, not {end!r}.")
            if self.integer and end != int(end):
                raise SettingError(f"The ends of a range of integers are integers, not {end!r}.")
        for name in ("log", "integer"):
            if not isinstance(getattr(self, name), bool):
                raise SettingError(f"{name} is true or false, not {getattr(self, name)!r}.")
        if not self.low < self.high:
            raise SettingError(f"low must be below high: {self.low!r} and {self.high!r}.")
        if self.log and self.low <= 0:
            raise SettingError(f"A range with log begins above 0, not at {self.low!r}.")

    def draw(self, rng: np.random.Generator) -> float | int:
        """Return one number; whole numbers all have the same share."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.integer else (self.low, self.high)
        if self.log:
            number = math.exp(rng.uniform(math.log(max(low, 0.5 * self.low)), math.log(high)))
        else:
            number = rng.uniform(low, high)
        if self.integer:
            return int(min(max(round(number), self.low), self.high))
        # Six digits are enough, and readable.
        return min(max(float(f"{number:.6g}"), self.low), self.high)


Space = Mapping[str, Sequence[Any] | Range]


@with_example('al.expand({"factors": [16, 64]}, al.ALSConfig())')
def expand(space: Space, base: Any) -> list[Any]:
    """Return every combination of the listed settings, the last setting varying fastest.

    Parameters
    ----------
    space : mapping of str to sequence
        Values to try of each setting.
    base : Config
        All other settings; of any family, such as ``ALSConfig()`` or ``ItemKNNConfig()``.

    Returns
    -------
    list of Config
        In the order of ``itertools.product``, without repeats.

    Raises
    ------
    SettingError
        A setting is unknown, or has no list of values.

    Examples
    --------
    >>> from alsolike.models.als.config import ALSConfig
    >>> grid = expand({"factors": [8, 16], "alpha": [1, 10, 10.0]}, ALSConfig())
    >>> [(config.factors, config.alpha) for config in grid]
    [(8, 1), (8, 10), (16, 1), (16, 10)]
    >>> expand({"lambda": [0.1]}, ALSConfig())
    Traceback (most recent call last):
        ...
    alsolike.errors.SettingError: Unknown setting 'lambda'. Known are: factors, ...
    """
    family_of(base)
    for name, values in checked_space(space, base).items():
        if isinstance(values, Range):
            raise SettingError(
                f"A grid needs lists of values; {name} is a range. Give a list, or use --search "
                "random."
            )
    lists = [listed(name, values, base) for name, values in space.items()]
    return distinct(
        replace(base, **dict(zip(space, values, strict=True)))
        for values in itertools.product(*lists)
    )


def draw(space: Space, base: Config, rng: np.random.Generator) -> Any:
    """Return one configuration drawn at random."""
    drawn: dict[str, Any] = {}
    for name, values in checked_space(space, base).items():
        if isinstance(values, Range):
            drawn[name] = values.draw(rng)
        else:
            choices = listed(name, values, base)
            drawn[name] = choices[int(rng.integers(len(choices)))]
    return replace(base, **drawn)


def drawn(space: Space, base: Config, trials: int, *, start: Sequence[Config] = ()) -> list[Any]:
    """Return `start` and random configurations, `trials` in all, by the seed of `base`.

    A space of lists may hold fewer; then fewer are returned.
    """
    if trials < 1:
        raise SettingError(f"trials must be at least 1, not {trials!r}.")
    rng = np.random.default_rng(seed_of(base))
    found, in_vain = distinct(start)[:trials], 0
    while len(found) < trials and in_vain < _DRAWS_IN_VAIN:
        more = distinct([*found, draw(space, base, rng)])
        in_vain = 0 if len(more) > len(found) else in_vain + 1
        found = more
    return found


def space_of(
    texts: Mapping[str, Any], base: Config | None = None
) -> dict[str, Sequence[Any] | Range]:
    """Return a space from plain values: lists, and mappings with low and high.

    Examples
    --------
    >>> space_of({"factors": [8, 16], "alpha": {"low": 1, "high": 100, "log": True}})["alpha"]
    Range(low=1, high=100, log=True, integer=False)
    >>> space_of({"alpha": {"low": 1, "hihg": 100}})
    Traceback (most recent call last):
        ...
    alsolike.errors.SettingError: alpha: a range has low, high, log and integer, not 'hihg'. ...
    """
    found: dict[str, Sequence[Any] | Range] = {}
    for name, given in checked_space(texts, base).items():
        if not isinstance(given, Mapping):
            found[name] = given if isinstance(given, Range) else listed(name, given, base)
            continue
        for key in given:
            if key not in _OF_A_RANGE:
                hint = did_you_mean(key, _OF_A_RANGE)
                raise SettingError(
                    f"{name}: a range has low, high, log and integer, not {key!r}.{hint}"
                )
        for end in ("low", "high"):
            if end not in given:
                raise SettingError(f"{name}: a range needs {end}.")
        found[name] = Range(**given)
    return found


def distinct(configs: Iterable[Any]) -> list[Any]:
    """Return configurations without repeats, in their order."""
    found: dict[str, Any] = {}
    for config in configs:
        found.setdefault(canonical_settings(config.to_settings()), config)
    return list(found.values())


def checked_space(space: Any, base: Config | None = None) -> Any:
    """Return the space; raise SettingError if it has a setting that `base` lacks.

    `base` None: the configuration that is fitted by default.
    """
    if not isinstance(space, Mapping):
        raise SettingError(
            "A list of values for each setting expected, such as {'factors': [8, 16]}, not "
            f"{said(space)}."
        )
    known = [setting.name for setting in fields(config_for(base))]
    for name in space:
        if name not in known:
            raise SettingError(
                f"Unknown setting {name!r}.{did_you_mean(name, known, plain=True)} Known are: "
                f"{', '.join(known)}."
            )
    return space


def listed(name: str, values: Any, base: Config | None = None) -> list[Any]:
    """Return a list of plain Python values to try."""
    found = [] if isinstance(values, str) or not isinstance(values, Iterable) else list(values)
    if not found:
        is_empty = isinstance(values, Iterable) and not values
        such = getattr(config_for(base), name) if is_empty else values
        raise SettingError(
            f"The setting {name!r} needs a list of values to try, such as [{such!r}]; it is "
            f"{values!r}."
        )
    return [value.item() if isinstance(value, np.generic) else value for value in found]
