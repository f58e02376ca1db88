"""Parses delimited text strictly; the reference for the fast reader.

A field that begins with the quote runs to the closing quote, over line ends if need be; anywhere
else a quote is an ordinary character. A line ends with LF, CRLF or CR. Nothing is trimmed, padded
or guessed; a violation is returned as a problem with its line.
"""

import collections
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_LINE_ENDS = ("", "\n", "\r\n", "\r")
_LONGEST_QUOTED = 1 << 26  # characters; a quote left open must not take the whole file into memory


class Grammar(NamedTuple):
    """Delimiter, quote (or empty) and escape (or empty)."""

    delimiter: str
    quote: str
    escape: str


class Record(NamedTuple):
    """A record, or the problem of a line.

    `fields` is None if there is a `problem`, and empty for a blank line. `line`, from 1, is where
    the record begins; `column` is the field of the problem, or 0. `breaks` counts the further lines
    of the record. A comment has no fields, as a blank line.
    """

    line: int
    fields: list[str] | None
    raw: str
    problem: str = ""
    column: int = 0
    breaks: int = 0
    is_comment: bool = False


def records(
    lines: Iterable[str],
    grammar: Grammar,
    *,
    width: int = 0,
    check_bytes: bool = False,
    first: int = 1,
    comment: str = "",
) -> Iterator[Record]:
    r"""Yield the records of `lines`, malformed and blank ones included.

    After a quote that is not closed properly, parsing resumes at the next line. A well-quoted
    record with another problem is one record, its further lines included. Lines need their line
    ends. `width` 0 takes the width of the first record. `check_bytes` reports bytes that are not
    UTF-8, given as surrogates. Lines are counted from `first`. A record that begins with `comment`,
    if it is not empty, is a comment of one line.

    Examples
    --------
    >>> for record in records(['a|"b|c"\n', "d\n"], Grammar("|", '"', '"')):
    ...     print(record.line, record.fields, record.problem)
    1 ['a', 'b|c']
    2 None 2 columns expected, 1 found
    """
    feed = _Pushback(lines, first)
    for line in feed:
        number = feed.number
        if comment and line.startswith(comment):
            yield Record(number, [], line, is_comment=True)
            continue
        parts = [line]
        if grammar.quote and grammar.quote in line:
            fields, problem, column = _split(parts, feed, grammar)
        else:
            fields, problem, column = _without_end(line).split(grammar.delimiter), "", 0
        if fields is None:
            feed.give_back(parts[1:])
            yield Record(number, None, line, problem, column)
            continue
        raw, breaks = "".join(parts), len(parts) - 1
        if len(fields) != width and not raw.strip():
            yield Record(number, [], line)
        elif check_bytes and not _is_unicode(raw):
            yield Record(number, None, raw, "bytes that are not UTF-8", breaks=breaks)
        elif len(fields) != (width or len(fields)):
            problem = f"{width} columns expected, {len(fields)} found"
            yield Record(number, None, raw, problem, breaks=breaks)
        else:
            width = width or len(fields)
            yield Record(number, fields, raw, breaks=breaks)


class _Pushback:
    """An iterator of numbered lines that takes lines back."""

    def __init__(self, lines: Iterable[str], first: int) -> None:
        self._lines = iter(lines)
        self._returned: collections.deque[str] = collections.deque()
        self.number = first - 1

    def __iter__(self) -> "_Pushback":
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.number += 1
        return line

    def give_back(self, lines: list[str]) -> None:
        self._returned.extendleft(reversed(lines))
        self.number -= len(lines)


def _split(
    parts: list[str], feed: _Pushback, grammar: Grammar
) -> tuple[list[str] | None, str, int]:
    """Split the line in `parts`, appending further lines while a quote is open."""
    fields: list[str] = []
    text, position = parts[0], 0
    while True:
        if not text.startswith(grammar.quote, position):
            end = text.find(grammar.delimiter, position)
            if end < 0:
                fields.append(_without_end(text[position:]))
                return fields, "", 0
            fields.append(text[position:end])
            position = end + len(grammar.delimiter)
            continue
        column = len(fields) + 1
        value, text, position = _quoted(parts, text, position + 1, feed, grammar)
        if value is None:
            return None, f"a quote opens in column {column} and is never closed", column
        fields.append(value)
        if text.startswith(grammar.delimiter, position):
            position += len(grammar.delimiter)
        elif text[position:] in _LINE_ENDS:
            return fields, "", 0
        else:
            found = f"text follows the closing quote of column {column}"
            if len(parts) > 1:
                found = f"a quote opens in column {column} and is not closed properly"
            return None, found, column


def _quoted(
    parts: list[str], text: str, position: int, feed: _Pushback, grammar: Grammar
) -> tuple[str | None, str, int]:
    """Read a quoted field from `position`; return its value, and the text and index of its end."""
    quote, escape = grammar.quote, grammar.escape
    pieces: list[str] = []
    size = 0
    while True:
        end = text.find(quote, position)
        mark = text.find(escape, position) if escape and escape != quote else -1
        if mark >= 0 and (end < 0 or mark < end) and mark + 1 < len(text):
            pieces.append(text[position:mark] + text[mark + 1])
            position = mark + 2
        elif end < 0:
            pieces.append(text[position:])
            size += len(text) - position
            following = next(feed, None) if size <= _LONGEST_QUOTED else None
            if following is None:
                return None, text, position
            parts.append(following)
            text, position = following, 0
        elif escape == quote and text.startswith(quote, end + 1):
            pieces.append(text[position : end + 1])
            position = end + 2
        else:
            pieces.append(text[position:end])
            return "".join(pieces), text, end + 1


def _without_end(line: str) -> str:
    if line.endswith("\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith(("\n", "\r")) else line


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
