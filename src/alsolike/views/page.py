"""Cleans hostile text, checks web addresses, and rounds numbers, for pages."""

import functools
import importlib.resources
import math
import re
import unicodedata
from typing import Any

MOST_CHARACTERS = 300

# Tabs and line ends become spaces. Other control characters, lone surrogates and changes of the
# direction of text could alter the text around a name.
_SPACES = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_WEB_ADDRESS = re.compile(
    r"(?P<origin>https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?)"
    r"(?:[/?#][^\s<>\"'`\\\x00-\x20\x7f]*)?",
    re.IGNORECASE,
)


def clean(text: str, *, most: int = MOST_CHARACTERS) -> str:
    r"""Return `text` without control characters, cut to `most` characters with an ellipsis.

    Examples
    --------
    >>> clean("left\u202eright\x00\nend"), clean("x" * 1000, most=4)
    ('leftright\ufffd end', 'xxx…')
    """
    shown = text
    if not text.isprintable():
        shown = _FORBIDDEN.sub("\ufffd", _DIRECTIONS.sub("", _SPACES.sub(" ", text)))
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def is_blank(text: str) -> bool:
    """Return whether `text` is empty, spaces, or invisible characters."""
    return all(unicodedata.category(character)[0] in "ZC" for character in clean(text))


def shown_name(name: str, item_id: str, *, most: int = MOST_CHARACTERS) -> str:
    """Return the name of an item, cleaned, or its id if the name is blank."""
    known = (clean(text, most=most) for text in (name, item_id) if not is_blank(text))
    return next(known, "(no name)")


def web_origin(address: str) -> str | None:
    """Return scheme and host of an http or https address; None for anything else.

    Examples
    --------
    >>> web_origin("https://Example.org/a?b"), web_origin("javascript:alert(1)")
    ('https://example.org', None)
    >>> web_origin("https://example.org; script-src *") is None
    True
    """
    match = _WEB_ADDRESS.fullmatch(address.strip())
    return match["origin"].lower() if match else None


def finite(value: Any) -> float | None:
    """Return `value` as a number; None if it is None, NaN or infinite."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else None


def rounded(value: Any) -> str:
    """Return a number with four decimals, or with four digits if very small or large.

    Examples
    --------
    >>> rounded(0.0476096922), rounded(0.0012345), rounded(None)
    ('0.0476', '0.001234', '-')
    """
    number = finite(value)
    if number is None:
        return "-"
    return f"{number:z.4f}" if number == 0 or 1e-2 <= abs(number) < 1e4 else f"{number:.4g}"


@functools.cache
def asset(name: str) -> str:
    """Return the text of a style sheet or script of this package."""
    return (importlib.resources.files(__package__) / name).read_text(encoding="utf-8")
