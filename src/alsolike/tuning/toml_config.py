"""Reads a search from a TOML file.

::

    search = "random"            # grid, random, tpe, halving or doubling
    trials = 40
    sweeps = [2, 4, 8, 16]
    patience = 3
    prune = true
    workers = 2
    budget = "30m"
    families = ["als", "item-knn"]
    baselines = ["random"]
    choose = "cheapest"
    judge = "shelves"

    [space]
    factors = [32, 64, 128]
    regularization = { low = 0.1, high = 100, log = true }

    [settings]                   # the same for all
    confidence = "linear"

    [[start]]                    # tried first
    factors = 64
    regularization = 30
"""

import tomllib
from pathlib import Path
from typing import Any

from alsolike.errors import DataError, SettingError
from alsolike.suggestions import did_you_mean
from alsolike.tuning.strategies.search_space import checked_space, space_of

# Each key, and what it is in Python; the last three have tables of their own.
_KINDS: dict[str, type | tuple[type, ...]] = {
    "search": str,
    "trials": int,
    "sweeps": list,
    "patience": int,
    "prune": bool,
    "workers": int,
    "budget": (str, int, float),
    "families": list,
    "baselines": list,
    "choose": str,
    "judge": str,
    "space": dict,
    "settings": dict,
    "start": list,
}


def read_recipe(path: Path) -> dict[str, Any]:
    """Return what a file asks for, by the keys above; only those that are there.

    Raises
    ------
    DataError
        The file cannot be read, or is no TOML; says where.
    SettingError
        A key is unknown, or of another kind.
    """
    try:
        asked = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: no TOML file ({error}).") from error
    try:
        return _checked(asked)
    except SettingError as error:
        raise SettingError(f"{path}: {error}") from None


def _checked(asked: dict[str, Any]) -> dict[str, Any]:
    for key, value in asked.items():
        if key not in _KINDS:
            raise SettingError(
                f"unknown key {key!r}.{did_you_mean(key, _KINDS)} Known are: {', '.join(_KINDS)}."
            )
        wrong = isinstance(value, bool) and _KINDS[key] is not bool
        if wrong or not isinstance(value, _KINDS[key]):
            raise SettingError(f"{key} cannot be {value!r}.")
    if "space" in asked:
        asked["space"] = space_of(asked["space"])
    checked_space(asked.get("settings", {}))
    for one in asked.get("start", ()):
        checked_space(one)
    return asked
