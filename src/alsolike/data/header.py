"""Whether the first row of a text file names the columns, where nobody says so."""

import re
from collections.abc import Sequence
from typing import NamedTuple

# With a letter in it: 1e-5, 2026-01-31T12:00:00Z.
_LETTERED = re.compile(r"[-+]?[0-9]*\.?[0-9]+e[-+]?[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}t.*", re.I)
_NO_VALUE = frozenset(("", "nan", "na", "n/a", "null", "none", "nil", "\\n", "-", "--", "?", "."))
_NAMES = frozenset(
    "user userid uid users item itemid iid items id ids customer customerid client clientid member "
    "memberid account accountid visitor visitorid person who session sessionid product productid "
    "movie movieid film track trackid artist artistid song songid book bookid isbn article "
    "articleid game gameid title name names what mid sku asin rating ratings score value weight "
    "count counts plays quantity amount price time timestamp date datetime created createdat "
    "category genre genres url image link tag tags label description text event type".split()
)


class Found(NamedTuple):
    """Whether the first row names the columns, and whether that is beyond doubt."""

    header: bool
    sure: bool


def first_row(rows: Sequence[Sequence[str]]) -> Found:
    """Tell a row of names from a row of data, by what stands below it.

    A name is a word over numbers, or over texts that all have a digit or a mark that it lacks; two
    words that tables often have for names are names as well. A number, a text that occurs below
    again, or one with the same digits and marks as those below is no name; where one cell is none,
    the row is data. An empty cell says nothing.

    Parameters
    ----------
    rows : sequence of rows of str
        The first rows of the file, all of one width.

    Examples
    --------
    >>> first_row([["customer", "article"], ["1", "7"], ["2", "8"]])
    Found(header=True, sure=False)
    >>> first_row([["2", "1", ""], ["16", "119", "2"], ["47", "125", "8"]])
    Found(header=False, sure=True)
    >>> first_row([["ann", "matrix"], ["bob", "alien"]])
    Found(header=False, sure=False)
    """
    names = words = data = 0
    for first, *below in zip(*rows, strict=True) if rows else ():
        later = [cell for cell in map(str.strip, below) if not _is_no_value(cell)]
        says = _verdict(first.strip(), later)
        names += says > 0
        data += says < 0
        words += _is_usual(first)
    named = names > 0 or words > 1
    return Found(named and not data, data > 0 and not named)


def are_names(row: Sequence[str]) -> bool:
    """Tell whether a row is full and holds words that tables often have for names, at least two."""
    return all(map(str.strip, row)) and sum(map(_is_usual, row)) > 1


def _is_usual(cell: str) -> bool:
    return re.sub(r"[\W_]", "", cell).casefold() in _NAMES


def _verdict(first: str, later: Sequence[str]) -> int:
    """Return 1 where `first` looks like the name of what is below, -1 where like one of those."""
    if _is_no_value(first):
        return 0
    if _is_number(first) or first in later:
        return -1
    if not later:
        return 0
    if all(map(_is_number, later)):
        return 1
    marks, first_marks = [_marks(cell) for cell in later], _marks(first)
    if len(later) > 1 and frozenset.intersection(*marks) - first_marks:
        return 1
    return -1 if first_marks and sum(one == first_marks for one in marks) * 2 > len(marks) else 0


def _marks(text: str) -> frozenset[str]:
    """Return what a text holds besides letters and blanks; all digits count as one."""
    return frozenset(
        "0" if letter.isdigit() else letter
        for letter in text
        if not (letter.isalpha() or letter.isspace())
    )


def _is_number(text: str) -> bool:
    """Tell whether `text` is a number, however written, or a date or time: digits, no letters."""
    if any(map(str.isalpha, text)):
        return _LETTERED.fullmatch(text) is not None
    return any(map(str.isdigit, text))


def _is_no_value(text: str) -> bool:
    return text.casefold() in _NO_VALUE
