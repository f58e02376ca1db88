r"""Defines dialects (delimiter, quote, escape, header), and lists those to try on a file.

Each candidate is tried on the whole file; the first one that reads every row with one number of
columns wins. Quotes are tried as ``"`` doubled, ``"`` with ``\``, ``\`` as quote and escape (the
founding article's), none, and ``'``. "None" needs evidence: a field such as ``"Weird Al" Yankovic``
shows that quotes are ordinary characters, while a quote that stays open is an error. So do ``\``
and ``'``: they must enclose fields that need it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from alsolike.data.reading.delimited.strict_parser import Grammar, records
from alsolike.data.reading.files.text_files import Survey
from alsolike.data.validation import check_whole
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
_NONE, _SINGLE, _SINGLE_ESCAPED = ("", ""), ("'", "'"), ("'", "\\")
_SAMPLE = 200


@dataclass(frozen=True)
class Dialect:
    r"""Delimiter, quote, escape and header of a delimited file.

    An empty quote or escape is none. For people, `reason` says why this dialect was chosen, and
    `first_line` what the first line was taken as, if that is a guess.

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
    first_line: str = ""

    def __str__(self) -> str:
        return f"{self.marks}, header {'yes' if self.header else 'no'}"

    @property
    def marks(self) -> str:
        """The delimiter, quote and escape in words."""
        return (
            f"delimiter {shown(self.delimiter)}, quote {shown(self.quote)}, "
            f"escape {shown(self.escape)}"
        )

    @property
    def names_guessed(self) -> bool:
        """Whether the first line was taken as column names by detection."""
        return self.header and bool(self.first_line)

    @property
    def grammar(self) -> Grammar:
        """The delimiter, quote and escape, for the strict parser."""
        return Grammar(self.delimiter, self.quote, self.escape)

    def because(self, reason: str) -> "Dialect":
        """Return the same dialect with another reason."""
        return replace(self, reason=reason)


@dataclass(frozen=True)
class FixedDialect:
    """Parts of the dialect fixed by the caller; None is detected.

    The first `skip_lines` lines are left out, and those that begin with `comment`, if it is not
    empty.
    """

    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header: bool | None = None
    prefix: str = ""
    skip_lines: int = 0
    comment: str = ""

    @classmethod
    def of(
        cls,
        delimiter: str | None,
        quote: str | None,
        escape: str | None,
        header: bool | None,
        prefix: str = "",
        *,
        skip_lines: int = 0,
        comment: str | None = None,
    ) -> "FixedDialect":
        """Check the options, and convert names such as ``tab`` and ``none`` to characters.

        `prefix` starts the names of the options: ``items_`` for the item table.
        """
        delimiter, quote, escape = (
            None if text is None else _NAMES.get(text.lower(), text)
            for text in (delimiter, quote, escape)
        )
        if delimiter is not None and (not delimiter or set(delimiter) & set("\r\n\0")):
            raise SettingError(
                f"{prefix}delimiter={delimiter!r}: one or more characters, no line ends."
            )
        for label, mark in (("quote", quote), ("escape", escape)):
            if mark and (len(mark) != 1 or mark in "\r\n\0"):
                raise SettingError(f"{prefix}{label}={mark!r}: one character, or '' for none.")
            if mark and delimiter and mark in delimiter:
                raise SettingError(
                    f"{prefix}{label}={mark!r} is part of the delimiter {delimiter!r}."
                )
        if escape and quote == "":
            raise SettingError(f"{prefix}escape={escape!r} needs a quote.")
        skip_lines = check_whole(f"{prefix}skip_lines", skip_lines, least=0)
        if comment is not None and not (
            isinstance(comment, str) and comment and not set(comment) & set("\r\n\0")
        ):
            raise SettingError(
                f"{prefix}comment={comment!r}: the text that begins lines of comments expected, "
                "such as '#', without line ends."
            )
        if comment and (comment[0] == quote or comment == delimiter):
            raise SettingError(
                f"{prefix}comment={comment!r} would begin a row, too: it is the quote or the "
                "delimiter."
            )
        return cls(delimiter, quote, escape, header, prefix, skip_lines, comment or "")

    def refuse_lines(self, what: str) -> None:
        """Raise SettingError if lines are to be skipped in a source that has none."""
        name = "skip_lines" if self.skip_lines else "comment" if self.comment else ""
        if name:
            raise SettingError(f"{self.prefix}{name}= is for text; {what} has no lines.")


def candidates(
    survey: Survey, fixed: FixedDialect, named: Sequence[str], least: int
) -> list[Dialect]:
    """Return the dialects to try on a file, in order; ``header`` is decided later.

    Delimiters that give the columns `named` in the first line, or `least` columns, come first.
    """
    lines = _sample_lines(survey)
    found: list[_Sampled] = []
    for delimiter in _DELIMITERS if fixed.delimiter is None else (fixed.delimiter,):
        sampled = [
            _sampled(Grammar(delimiter, *pair), lines, named, least)
            for pair in _quotes(survey, fixed, delimiter)
        ]
        if fixed.delimiter is None and max(one.width for one in sampled) < 2:
            continue
        hits, even = max(one.hits for one in sampled), max(one.even for one in sampled)
        clean = max(one.clean for one in sampled)
        # Drop quotes under which the names are not found, if they are under another. Keep those
        # that cannot read the first row: the error must name their problem.
        found += [
            one._replace(hits=hits, even=even, clean=clean)
            for one in sampled
            if one.hits == hits or not one.width
        ]
    best = max((one.hits for one in found), default=0)
    chosen = [one for one in found if one.hits == best]
    # Stable: delimiters stay in their order. One that cuts through quotes, such as the semicolon
    # in 1,"a;b", comes after those that do not.
    chosen.sort(key=lambda one: (-round(one.even, 1), -round(one.clean, 1)))
    return [Dialect(*one.grammar, header=False) for one in chosen]


class _Sampled(NamedTuple):
    """Result of a grammar on the first lines: names found, width, share of equal widths.

    `clean` is the share of rows of equal width without a stray ``"``.
    """

    grammar: Grammar
    hits: int
    width: int
    even: float
    clean: float


def _sampled(grammar: Grammar, lines: Sequence[str], named: Sequence[str], least: int) -> _Sampled:
    read = [row for row in records([f"{line}\n" for line in lines], grammar) if row.fields != []]
    first = (read[0].fields or []) if read else []
    # Blanks around names are no evidence against a delimiter; `place_of` suggests the names.
    hits = len(set(named) & {*first, *map(str.strip, first)}) + (len(first) >= least)
    good = [row for row in read if row.fields is not None]
    clean = sum('"' not in "".join(row.fields or ()) or '""' in row.raw for row in good)
    total = max(1, len(read))
    return _Sampled(grammar, hits, len(first), len(good) / total, clean / total)


def quotes_are_ordinary(lines: Iterable[str], delimiter: str) -> bool:
    r"""Return whether ``"`` is an ordinary character in `lines`.

    It is if more fields close the quote and then go on (``"Weird Al" Yankovic``) than are quoted as
    a whole.

    Examples
    --------
    >>> quotes_are_ordinary(['1|"Weird Al" Yankovic'], "|"), quotes_are_ordinary(['1|"a'], "|")
    (True, False)
    """
    between = re.escape(delimiter)
    quoted = re.compile(rf'"(?:[^"]++|"")*+"(?P<whole>[ \t]*(?={between}|[\r\n]|$))?')
    opened = wholes = going_on = 0
    for line in lines:
        position = 0
        while position >= 0:
            if line.startswith('"', position):
                opened += 1
                found = quoted.match(line, position)
                if found is None:  # it stays open to the end of the line
                    break
                is_whole = found["whole"] is not None
                wholes += is_whole
                going_on += not is_whole
                position = found.end() if is_whole else position + 1
            position = line.find(delimiter, position)
            position = position + len(delimiter) if position >= 0 else position
    return not opened or going_on > wholes


def describe(chosen: Dialect, failures: Sequence[tuple[Dialect, int, str]]) -> str:
    """Return why `chosen` was used after the `failures` (dialect, line, problem), in words."""
    told = {
        (dialect.quote, line): f"quote {shown(dialect.quote)} fails at line {line} ({problem})"
        for dialect, line, problem in failures
        if dialect.delimiter == chosen.delimiter
    }
    return "; ".join(["reads every row", *told.values()])


def _quotes(survey: Survey, fixed: FixedDialect, delimiter: str) -> list[tuple[str, str]]:
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
    if single and back:
        tried.append(_SINGLE_ESCAPED)
    if fixed.quote is not None:
        own = fixed.quote
        tried = [(own, own), (own, "\\")] if own == '"' and back else [(own, own)]
    if fixed.escape is not None:
        tried = [(quote, fixed.escape) for quote, _ in tried if quote] or [_NONE]
    return [pair for pair in dict.fromkeys(tried) if not pair[0] or pair[0] not in delimiter]


def _sample_lines(survey: Survey) -> list[str]:
    lines = [line for line in re.split(r"\r\n|\n|\r", survey.head) if line.strip()]
    is_whole = len(survey.head.encode()) + 3 * survey.bom >= survey.size
    # The last line of the head may be cut: it counts only if it is the only one.
    return lines[: max(1, min(_SAMPLE, len(lines) - (not is_whole)))]


def is_number(text: str) -> bool:
    """Return whether `text` is a number as Python writes it, finite or not."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(mark: str) -> str:
    """Return a delimiter, quote or escape for people."""
    if not mark:
        return "none"
    return "tab" if mark == "\t" else f"'{mark}'"
