"""What callers hand in: is it `Interactions`, is it a whole number, is it one column."""

import operator
from typing import Any

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError


def expect_interactions(given: object) -> None:
    """Raise DataError, with the way there, where `given` is something else."""
    if not isinstance(given, Interactions):
        raise DataError(
            f"Interactions expected, not {type(given).__name__}. Make them of a SciPy matrix with "
            "Interactions.from_matrix(matrix), of a file or a frame with read(...)."
        )


def expect_whole(name: str, given: Any, *, least: int) -> None:
    """Raise SettingError where `given` is no whole number of at least `least`."""
    try:
        number = operator.index(given)
    except TypeError:
        raise SettingError(f"{name} must be a whole number, not {given!r}.") from None
    if number < least:
        raise SettingError(f"{name} must be at least {least}, not {given}.")


def expect_seconds(name: str, given: Any) -> None:
    """Raise SettingError where `given` is neither a number of seconds nor None."""
    if not (given is None or isinstance(given, (int, float, np.integer, np.floating))):
        raise SettingError(
            f"{name} must be a number, seconds since 1970, not {given!r}. A date's: "
            "datetime(2026, 1, 31, tzinfo=timezone.utc).timestamp()."
        )


def column_of(name: str, given: Any) -> str | int | None:
    """Return the name or the number of one column; raise SettingError for anything else."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return int(given)
    raise SettingError(f"{name}={given!r}: one column expected, by its name or its number.")
