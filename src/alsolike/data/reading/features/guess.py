"""Guesses what a column holds: numbers, dates, words with a mark between them, or texts."""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from alsolike.data.features.columns import ColumnKind
from alsolike.data.reading.delimited.header import is_no_value

MARKS = ("|", ";", ",")
_NUMBER = re.compile(r"[ \t]*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[ \t]*")
_WITH_COMMA = re.compile(r"[ \t]*[-+]?(?:\d{1,3}(?:\.\d{3})*|\d+)(?:,\d+)?[ \t]*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d.*)?")
# A category occurs so often on average, and a word of a set.
_OFTEN = 3
# Of cells with a mark between words: at least this share, and words of so few blanks on average.
_SHARE, _BLANKS = 0.05, 2.0


class Guess(NamedTuple):
    """A kind with what stands between words, and why, for the report."""

    kind: ColumnKind
    separator: str
    reason: str


def guessed(cells: Sequence[str]) -> Guess:
    """Guess the kind of a column by its cells, as texts, without empty ones.

    Examples
    --------
    >>> guessed(["1.5", "2", "n/a"]).kind, guessed(["2026-01-31", "2025-12-24"]).kind
    ('number', 'date')
    >>> guessed(["rock|folk", "rock", "folk|jazz|rock", "jazz|folk"] * 2)[:2]
    ('set', '|')
    >>> guessed(["red", "blue"] * 5)[:2], guessed(["A red castle, built of stone", "A boat"])[:2]
    (('set', ''), ('text', ''))
    """
    told = [cell for cell in cells if not is_no_value(cell.strip())]
    certain = _certain(told)
    if certain is not None:
        return certain
    if separator := separator_of(told):
        return Guess("set", separator, f"words with {separator!r} between them")
    distinct = len(set(told))
    of_words = sum(" " in cell.strip() for cell in told) * 4 >= len(told)
    if distinct * _OFTEN <= len(told) or (distinct < len(told) and not of_words):
        return Guess("set", "", f"only {distinct:,} different texts")
    return Guess("text", "", f"{distinct:,} different texts")


def _certain(cells: Sequence[str]) -> Guess | None:
    """Return the kind that all cells have the form of, if any."""
    if not cells:
        return Guess("set", "", "no cells")
    if all(map(_NUMBER.fullmatch, cells)):
        return Guess("number", "", "all are numbers")
    if written_with_comma(cells):
        return Guess("number", "", "all are numbers, some with a comma")
    if all(map(_DATE.fullmatch, cells)):
        return Guess("date", "", "all are dates")
    return _kind_of_lists(cells)


def written_with_comma(cells: Sequence[str]) -> bool:
    """Tell whether all cells are numbers, of which some have a comma: one in each at most.

    Examples
    --------
    >>> written_with_comma(["3,99", "12", "1.234,5"]), written_with_comma(["3,99,7", "3,9"])
    (True, False)
    """
    return any("," in cell for cell in cells) and all(map(_WITH_COMMA.fullmatch, cells))


def separator_of(cells: Sequence[str]) -> str:
    """Return the mark between short words that recur, or an empty text."""
    for mark in MARKS:
        split = [cell.split(mark) for cell in cells]
        if sum(len(words) > 1 for words in split) < max(_SHARE * len(cells), 1):
            continue
        words = [word.strip() for some in split for word in some if word.strip()]
        blanks = sum(word.count(" ") for word in words) / max(len(words), 1)
        if words and blanks <= _BLANKS and 2 * len(set(words)) <= len(words):
            return mark
    return ""


def list_of(cell: str) -> list[object] | None:
    """Return the elements of a cell that is a list as JSON writes it, else None."""
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _kind_of_lists(cells: Sequence[str]) -> Guess | None:
    lists = [list_of(cell) for cell in cells]
    if any(one is None for one in lists):
        return None
    found = [one for one in lists if one]
    if found and all(len(one) == len(found[0]) for one in found):
        # JSON lines hold numbers as their digits.
        parts = [part if isinstance(part, str) else str(part) for one in found for part in one]
        if all(map(_NUMBER.fullmatch, parts)) and any({*part} & {*".eE"} for part in parts):
            return Guess("vector", "", f"lists of {len(found[0]):,} numbers")
    return Guess("set", "", "lists")
