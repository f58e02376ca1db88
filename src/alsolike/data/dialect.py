r"""How a delimited file is written: what may be asked for, what is tried, and in which order.

Each candidate is tried on the whole file, not on its first lines, and the first one that reads
every row with one number of columns wins. Quotes are tried as ``"`` doubled, ``"`` with ``\``,
``\`` as quote and escape (the founding article's), none, and ``'``. "None" needs evidence: a
field such as ``"Weird Al" Yankovic`` shows that quotes are ordinary characters, while a quote that
merely stays open is an error.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from alsolike.data.files import Survey
from alsolike.data.records import Grammar, records
from alsolike.errors import SettingError

_DELIMITERS = ("\t", "|", ";", ",", "::", " ")
_NAMES = {
    "tab": "\t",
    "\\t": "\t",
    "space": " ",
    "comma": ",",
    "pipe": "|",
    "semicolon": ";",
    "none": "",
}
_STANDARD, _ESCAPED, _ARTICLE = ('"', '"'), ('"', "\\"), ("\\", "\\")
_NONE, _SINGLE = ("", ""), ("'", "'")
_SAMPLE = 200


@dataclass(frozen=True)
class Dialect:
    r"""How a delimited file is written.

    Parameters
    ----------
    delimiter : str
        Between fields.
    quote, escape : str
        Around fields that hold the delimiter or a line end, and before a quote within them; empty
        for none.
    header : bool
        Whether the first line names the columns.
    reason : str
        Why this dialect and no other, for people.

    Examples
    --------
    >>> print(Dialect("|", "\\", "\\", header=True))
    delimiter '|', quote '\', escape '\', header yes
    """

    delimiter: str
    quote: str
    escape: str
    header: bool
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.marks}, header {'yes' if self.header else 'no'}"

    @property
    def marks(self) -> str:
        """The delimiter, quote and escape in words."""
        return (
            f"delimiter {_shown(self.delimiter)}, quote {_shown(self.quote)}, "
            f"escape {_shown(self.escape)}"
        )

    @property
    def grammar(self) -> Grammar:
        """What the record reader needs of it."""
        return Grammar(self.delimiter, self.quote, self.escape)

    def because(self, reason: str) -> "Dialect":
        """Return the same dialect with another reason."""
        return replace(self, reason=reason)


@dataclass(frozen=True)
class Asked:
    """What the caller fixed of the dialect; None leaves it to be found."""

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None

    @classmethod
    def of(
        cls, delimiter: str | None, quote: str | None, escape: str | None, header: bool | None
    ) -> "Asked":
        """Check the options and turn names such as ``tab`` and ``none`` into characters.

        Raises
        ------
        SettingError
            A delimiter, quote or escape that cannot be one.
        """
        delimiter, quote, escape = (
            None if text is None else _NAMES.get(text.lower(), text)
            for text in (delimiter, quote, escape)
        )
        if delimiter is not None and (not delimiter or set(delimiter) & set("\r\n\0")):
            raise SettingError(f"delimiter={delimiter!r}: one or more characters, no line ends.")
        for label, mark in (("quote", quote), ("escape", escape)):
            if mark and (len(mark) != 1 or mark in "\r\n\0"):
                raise SettingError(f"{label}={mark!r}: one character, or '' for none.")
            if mark and delimiter and mark in delimiter:
                raise SettingError(f"{label}={mark!r} is part of the delimiter {delimiter!r}.")
        if escape and quote == "":
            raise SettingError(f"escape={escape!r} says nothing without a quote.")
        return cls(delimiter, quote, escape, header)


def candidates(survey: Survey, asked: Asked, named: Sequence[str], least: int) -> list[Dialect]:
    """Return the dialects worth trying on a file, in order; ``header`` is not decided yet.

    Parameters
    ----------
    survey : Survey
        Of the file.
    asked : Asked
        What the caller fixed.
    named : sequence of str
        Column names asked for: a delimiter under which the first line holds them goes first.
    least : int
        The highest column number asked for: a delimiter that gives as many goes first.
    """
    found: list[tuple[int, float, int, str, list[Grammar]]] = []
    lines = _sample_lines(survey.head)
    delimiters = _DELIMITERS if asked.delimiter is None else (asked.delimiter,)
    for place, delimiter in enumerate(delimiters):
        if not lines or (asked.delimiter is None and delimiter not in lines[0]):
            continue
        grammars = [Grammar(delimiter, *pair) for pair in _quotes(survey, asked, delimiter)]
        columns = [_first_row(lines, grammar) for grammar in grammars]
        width = max(map(len, columns), default=0)
        if asked.delimiter is None and width < 2:
            continue
        # Blanks around names say nothing against a delimiter; `place_of` hints at the true names.
        hits = max((len(set(named) & {*row, *map(str.strip, row)}) for row in columns), default=0)
        expected = lines[0].count(delimiter)
        even = sum(line.count(delimiter) == expected for line in lines) / len(lines)
        hits += width >= least
        found.append((-hits, -round(even, 1), place, delimiter, grammars))
    found.sort(key=lambda entry: entry[:3])
    best = found[0][0] if found else 0
    return [
        Dialect(*grammar, header=False)
        for hits, _, _, _, grammars in found
        for grammar in grammars
        if hits == best
    ]


def quotes_are_ordinary(lines: Iterable[str], delimiter: str) -> bool:
    r"""Tell whether ``"`` is an ordinary character in `lines`, where some field begins with it.

    It is where more fields close the quote and then go on (``"Weird Al" Yankovic``) than are
    quoted as a whole. Without any field that begins with a quote there is nothing to doubt.
    """
    between = re.escape(delimiter)
    start = rf'(?:^|(?<={between}))"'
    opened = re.compile(start)
    whole = re.compile(rf'{start}(?:[^"\r\n]|"")*"[ \t]*(?={between}|[\r\n]|$)')
    goes_on = re.compile(rf'{start}[^"\r\n]*"(?!"|[ \t]*(?:{between}|[\r\n]|$))')
    opening = wholes = going_on = 0
    for line in lines:
        opening += len(opened.findall(line))
        wholes += len(whole.findall(line))
        going_on += len(goes_on.findall(line))
    return not opening or going_on > wholes


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first row holds a word where all later ones hold numbers."""
    if len(rows) < 2:
        return False
    first, later = rows[0], rows[1:]
    return any(
        not _is_number(name) and all(_is_number(row[place]) for row in later)
        for place, name in enumerate(first)
    )


def describe(chosen: Dialect, failures: Sequence[tuple[Dialect, int, str]]) -> str:
    """Say in words why `chosen` was taken after the `failures` (dialect, line, problem)."""
    told = {
        (dialect.quote, line): f"quote {_shown(dialect.quote)} fails at line {line} ({problem})"
        for dialect, line, problem in failures
        if dialect.delimiter == chosen.delimiter
    }
    return "; ".join(["reads every row", *told.values()])


def _quotes(survey: Survey, asked: Asked, delimiter: str) -> list[tuple[str, str]]:
    double, back, single = (survey.marks[mark] > 0 for mark in ('"', "\\", "'"))
    tried = [_STANDARD]
    if double and back:
        tried.append(_ESCAPED)
    if back:
        tried.append(_ARTICLE)
    if double or back or single:
        tried.append(_NONE)
    if single:
        tried.append(_SINGLE)
    if asked.quote is not None:
        own = asked.quote
        tried = [(own, own), (own, "\\")] if own == '"' and back else [(own, own)]
    if asked.escape is not None:
        tried = [(quote, asked.escape) for quote, _ in tried if quote] or [_NONE]
    return [pair for pair in dict.fromkeys(tried) if not pair[0] or pair[0] not in delimiter]


def _sample_lines(head: str) -> list[str]:
    # The last line of the head may be cut, so it counts only where it is the only one.
    lines = [line for line in re.split(r"\r\n|\n|\r", head) if line.strip()]
    return lines[: max(1, min(_SAMPLE, len(lines) - 1))]


def _first_row(lines: Sequence[str], grammar: Grammar) -> list[str]:
    record = next(records([f"{line}\n" for line in lines], grammar), None)
    return record.fields if record and record.fields else []


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(mark: str) -> str:
    if not mark:
        return "none"
    return "tab" if mark == "\t" else f"'{mark}'"
