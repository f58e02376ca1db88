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
    objective = "item-to-item"   # ranking, item-to-item or ratings
    popularity_bias = 0.3        # of similar items, or "auto"
    one_model = true             # for lists and for similar items
    agree = "tags.csv:item,tag"  # features of items, or a column of the item table

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
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from alsolike.errors import DataError, SettingError
from alsolike.storage.strict_json import checked_as
from alsolike.tuning.strategies.search_space import checked_space, space_of

Number = Annotated[int, Meta(description="a whole number")]
Text = Annotated[str, Meta(description="a text")]
Names = Annotated[list[str], Meta(description="a list of names")]
Values = Annotated[dict[str, Any], Meta(description="a table")]


class Recipe(TypedDict, total=False):
    """The keys of the file and their types."""

    search: Text
    trials: Number
    sweeps: Annotated[list[int], Meta(description="a list of whole numbers")]
    patience: Number
    prune: Annotated[bool, Meta(description="true or false")]
    workers: Number
    budget: Annotated[str | int | float, Meta(description="a time such as 10m, or seconds")]
    families: Names
    baselines: Names
    choose: Text
    objective: Text
    popularity_bias: Annotated[str | int | float, Meta(description="auto or a number")]
    one_model: Annotated[bool, Meta(description="true or false")]
    agree: Text
    space: Values
    settings: Values
    start: Annotated[list[dict[str, Any]], Meta(description="tables of settings")]


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the settings of a search in a TOML file, by the keys above.

    Raises
    ------
    DataError
        The file cannot be read, or is not TOML; says where.
    SettingError
        A key is unknown, or its value has another type.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a TOML file ({error}).") from error
    if "judge" in given:  # the old name of the key
        if "objective" in given:
            raise SettingError(f"{path}: judge is the old name of objective. Give only objective.")
        given["objective"] = given.pop("judge")
    try:
        found: dict[str, Any] = {**checked_as(Recipe, given)}
        if "space" in found:
            found["space"] = space_of(found["space"])
        for settings in (found.get("settings", {}), *found.get("start", ())):
            checked_space(settings)
    except ValueError as error:
        raise SettingError(f"{path}: {str(error).rstrip('.')}.") from error
    return found
