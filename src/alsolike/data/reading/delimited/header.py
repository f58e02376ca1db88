"""Decides whether the first row of a text file names the columns."""

import re
from collections.abc import Sequence
from typing import NamedTuple

# With a letter in it: 1e-5, 2026-01-31T12:00:00Z.
_LETTERED = re.compile(r"[-+]?[0-9]*\.?[0-9]+e[-+]?[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}t.*", re.I)
_NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none", "nil", "\\n", "-", "--", "?", "."))
# Words that tables often have for names, without blanks and marks between them.
_USUAL = re.compile(
    "(?:user|customer|client|member|account|visitor|person|reader|listener|session|item|product|"
    "movie|film|track|artist|song|album|book|article|game|title|name|tag|genre|category|event|"
    "session|order)(?:s|ids?|names?|no|nr|key|code)?|[uimp]?ids?|who|what|isbn|sku|asin|"
    "ratings?|scores?|values?|weights?|counts?|plays|quantity|amount|price|times?|timestamp|"
    "dates?|datetime|created(?:at)?|urls?|images?|links?|labels?|description|texts?|type",
    re.IGNORECASE,
)


class HeaderGuess(NamedTuple):
    """Whether the first row names the columns, and whether that is certain."""

    header: bool
    sure: bool


def first_row(rows: Sequence[Sequence[str]]) -> HeaderGuess:
    """Decide whether the first of `rows`, all of one width, holds names or data.

    A name is a word over numbers, or over texts that all have a digit or a mark that it lacks; two
    usual column names are names as well. A number, a text that occurs below again, or one with the
    same digits and marks as those below is not a name; one such cell makes the row data. Empty
    cells are ignored.

    Examples
    --------
    >>> first_row([["customer", "article"], ["1", "7"], ["2", "8"]])
    HeaderGuess(header=True, sure=False)
    >>> first_row([["2", "1", ""], ["16", "119", "2"], ["47", "125", "8"]])
    HeaderGuess(header=False, sure=True)
    >>> first_row([["ann", "matrix"], ["bob", "alien"]])
    HeaderGuess(header=False, sure=False)
    """
    verdicts = []
    named = sum(map(_is_usual, rows[0] if rows else ()))
    for first, *below in zip(*rows, strict=True) if rows else ():
        later = [cell for cell in map(str.strip, below) if not is_no_value(cell)]
        verdicts.append(_verdict(first.strip(), later))
    names = max([0, *verdicts]) > 0 or named > 1
    data = min([0, *verdicts])
    doubt = names or named or _counts_columns(rows)
    return HeaderGuess(names and not data, data < -1 and not doubt)


def _counts_columns(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row counts the columns from 0, as pandas writes it.

    Two numbers alone are enough only if neither of them occurs again.
    """
    first = list(rows[0]) if rows else []
    numbers = first[1:] if first[:1] == [""] else first
    if numbers != list(map(str, range(len(numbers)))):
        return False
    return len(first) > 2 or not any({*numbers} & {*row} for row in rows[1:])


def are_names(row: Sequence[str], *, all_usual: bool = False) -> bool:
    """Return whether a row is full, and two of its cells, or all, are usual column names."""
    usual = sum(map(_is_usual, row))
    return all(map(str.strip, row)) and usual > 1 and (usual == len(row) or not all_usual)


def _is_usual(cell: str) -> bool:
    return _USUAL.fullmatch(re.sub(r"[\W_]", "", cell)) is not None


def _verdict(first: str, later: Sequence[str]) -> int:
    """Return 1 if `first` looks like a name of the cells below, -2 if like one of them.

    -1: it is a number, but those below are not.
    """
    if is_no_value(first):
        return 0
    are_numbers = all(map(_is_number, later))
    if first in later or (_is_number(first) and are_numbers):
        return -2
    if _is_number(first):
        return -1
    if later and are_numbers:
        return 1
    return _by_marks(first, later)


def _by_marks(first: str, later: Sequence[str]) -> int:
    """Compare the digits and marks of texts: 1 if `first` lacks some that all others have."""
    own, marks = _marks(first), [_marks(cell) for cell in later]
    if len(later) > 1 and frozenset.intersection(*marks) - own:
        return 1
    return -2 if own and sum(one == own for one in marks) * 2 > len(marks) else 0


def _marks(text: str) -> frozenset[str]:
    """Return the characters besides letters and blanks; all digits count as one."""
    return frozenset(
        "0" if letter.isdigit() else letter
        for letter in text
        if not (letter.isalpha() or letter.isspace())
    )


def _is_number(text: str) -> bool:
    """Return whether `text` is a number, date or time: digits, no letters."""
    if any(map(str.isalpha, text)):
        return _LETTERED.fullmatch(text) is not None
    return any(map(str.isdigit, text))


def is_no_value(text: str) -> bool:
    """Return whether a text stands for a missing value."""
    return text.casefold() in _NO_VALUE
