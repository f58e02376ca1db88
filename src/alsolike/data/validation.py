"""Checks arguments: interactions, whole numbers, columns, seconds."""

import os
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.errors import DataError, SettingError

_MOST_OF_A_TEXT = 60


def said(given: object) -> str:
    """Return what a value is, in words.

    Examples
    --------
    >>> said({}), said(np.zeros((2, 3))), said(None), said("likes.csv")
    ('a dict', 'a dense array of shape (2, 3)', 'None', "the text 'likes.csv'")
    """
    if isinstance(given, (str, bytes, os.PathLike)):
        shown = repr(str(given) if isinstance(given, os.PathLike) else given)
        return f"the text {shown[:_MOST_OF_A_TEXT]}"
    if isinstance(given, np.ndarray):
        return f"a dense array of shape {given.shape}"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    kind: type[Any] = type(given)
    if given is None or isinstance(given, (bool, int, float, np.generic)):
        return repr(given)
    return _article(kind.__name__, kind.__module__.partition(".")[0])


def _article(kind: str, library: str) -> str:
    """Return the class name of an object with its article, and its library if useful."""
    if kind == "Interactions":
        return kind
    known = {"pandas": "pandas", "polars": "Polars", "pyarrow": "PyArrow", "scipy": "SciPy"}
    name = f"{known[library]} {kind}" if library in known else kind
    return f"{'an' if name[0] in 'AEIOUaeio' else 'a'} {name}"


def expect_interactions(given: object, name: str = "") -> None:
    """Raise DataError, with the way out, if the argument `name` is not `Interactions`."""
    if not isinstance(given, Interactions):
        of_what = f"{name}: " if name else ""
        raise DataError(
            f"{of_what}Interactions expected, not {said(given)}. {_way_to_interactions(given)}"
        )


def _way_to_interactions(given: object) -> str:
    first = next(iter(given), None) if isinstance(given, tuple) else None
    if isinstance(first, Interactions):
        return "alsolike.read gives two things: likes, report = alsolike.read(...)."
    if sp.issparse(given):
        return (
            "Read it first: likes, report = alsolike.read(matrix), or take "
            "Interactions.from_matrix(matrix)."
        )
    if isinstance(given, np.ndarray):
        return (
            "Of an array with a row for each user: likes, report = "
            "alsolike.read(scipy.sparse.csr_array(array))."
        )
    if hasattr(given, "columns") or isinstance(given, (str, os.PathLike)):
        what = "it" if hasattr(given, "columns") else "the file"
        return (
            f"Read {what} first: likes, report = alsolike.read(..., user='a column', item='a "
            "column')."
        )
    if hasattr(given, "train") and hasattr(given, "validation"):
        return "Give one of its parts, such as split.train."
    return (
        "Make them of columns with Interactions.from_columns(users, items), of a SciPy matrix with "
        "Interactions.from_matrix(matrix), of a file or a frame with alsolike.read(...)."
    )


def check_whole(name: str, value: Any, *, least: int) -> int:
    """Return a whole number of at least `least` as an int; raise SettingError otherwise.

    Examples
    --------
    >>> check_whole("k", np.int32(5), least=1)
    5
    >>> check_whole("k", True, least=1)
    Traceback (most recent call last):
    alsolike.errors.SettingError: k must be a whole number of at least 1, not True.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise SettingError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


def expect_seconds(name: str, given: Any) -> None:
    """Raise SettingError if `given` is neither a number of seconds nor None."""
    if not (given is None or isinstance(given, (int, float, np.integer, np.floating))):
        raise SettingError(
            f"{name} must be a number, seconds since 1970, not {given!r}. A date's: "
            "datetime(2026, 1, 31, tzinfo=timezone.utc).timestamp()."
        )


def column_of(name: str, given: Any) -> str | int | None:
    """Return the name or number of one column; raise SettingError otherwise."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        return int(given)
    raise SettingError(f"{name}={given!r}: one column expected, by its name or its number.")
