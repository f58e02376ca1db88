"""Parses JSON strictly, and builds checked objects from plain values."""

import json
import math
import reprlib
from typing import Any, TypeVar, get_type_hints

from alsolike.usage_hints import did_you_mean

Kind = TypeVar("Kind")
_MOST_OF_A_TEXT = 60  # characters that are repeated in an error


def read_json(raw: bytes) -> Any:
    """Parse JSON; ValueError for bad syntax, deep nesting, repeated keys, non-finite numbers."""

    def finite(text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(f"{text} is not finite")
        return number

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the key {key[:_MOST_OF_A_TEXT]!r} is there twice")
            found[key] = value
        return found

    try:
        return json.loads(
            raw, parse_float=finite, parse_constant=finite, object_pairs_hook=distinct
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def checked_as(kind: type[Kind], stated: dict[str, Any]) -> Kind:
    """Build a dataclass or a TypedDict from plain values of JSON or TOML.

    Parameters
    ----------
    kind : type
        Each field is ``Annotated`` with a ``msgspec.Meta``: its ``description`` says in words what
        is expected, and ``extra={"holds": function}`` checks what no type can say.
    stated : dict

    Raises
    ------
    ValueError
        A key is missing or unknown, or its value is not what is expected; says which.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from typing import Annotated
    >>> from msgspec import Meta
    >>> @dataclass
    ... class Box:
    ...     width: Annotated[int, Meta(ge=1, description="a number from 1")]
    >>> checked_as(Box, {"width": 3})
    Box(width=3)
    >>> checked_as(Box, {"width": 0})
    Traceback (most recent call last):
    ValueError: "width": a number from 1 expected, 0 found
    """
    from msgspec import Meta, ValidationError, convert  # noqa: PLC0415 - 30 ms that few need

    fields, found = get_type_hints(kind, include_extras=True), {}
    if missing := sorted(getattr(kind, "__required_keys__", fields.keys()) - stated.keys()):
        raise ValueError(f"keys missing: {missing}")
    for key, value in stated.items():
        if key not in fields:
            hint = did_you_mean(key, fields)
            raise ValueError(f"unknown key {key[:200]!r}.{hint} Known are: {', '.join(fields)}")
        meta = [one for one in fields[key].__metadata__ if isinstance(one, Meta)][-1]
        try:
            found[key] = convert(value, fields[key])
            holds = meta.extra is None or meta.extra["holds"](value)
        except ValidationError:
            holds = False
        if not holds:
            raise ValueError(f'"{key}": {meta.description} expected, {reprlib.repr(value)} found')
    return kind(**found)
