"""Leaves out lines that are not of the table: those before it, comments, Excel's ``sep=``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import islice

from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.files.text_files import QUOTES, Survey, TextFile
from alsolike.errors import DataError

_HEAD = 1 << 18
_EXCEL = re.compile(r'"?sep=(.)"?[\s;,|]*', re.IGNORECASE)
_MARKS = ("#", "//", "--", "%", "*")
_NOT_UTF8 = re.compile("[\udc80-\udcff]")


@dataclass
class TableFile(TextFile):
    """A text file from the first line that may be of the table.

    The survey is of the lines from `first` on, counted from 1. Of those before it, `skipped` are
    no part of the table, `leading_comments` are comments and `leading_blanks` blank. Further lines
    that begin with `comment` are for `records` to leave out, since a quoted field may hold such a
    line. `separator` is the first line of the file if it is Excel's ``sep=``. `selection` are the
    columns to keep.
    """

    first: int = 1
    skipped: int = 0
    comment: str = ""
    leading_comments: int = 0
    leading_blanks: int = 0
    separator: str = ""
    selection: Selection = field(default_factory=Selection)

    def count(self, mark: str) -> int:
        """Count an ASCII character from the first line of the table on."""
        if mark in self.survey.marks:
            return self.survey.marks[mark]
        return super().count(mark) - sum(line.count(mark) for line in self._before())

    def every_line(self) -> Iterator[str]:
        """Yield the lines from `first` on, comments included."""
        return islice(super().lines(), self.first - 1, None)

    def lines(self) -> Iterator[str]:
        """Yield the lines from `first` on that are no comments."""
        return (line for line in self.every_line() if not self.is_comment(line))

    def is_comment(self, line: str) -> bool:
        """Return whether a line that begins a record is a comment."""
        return bool(self.comment) and line.startswith(self.comment)

    def _before(self) -> Iterator[str]:
        return islice(super().lines(), self.first - 1)


def table_file(file: TextFile, fixed: FixedDialect) -> tuple[TableFile, FixedDialect]:
    """Find the first line of the table; the delimiter of Excel's ``sep=`` becomes a fixed one.

    Raises DataError if fewer lines than are to be skipped are there.
    """
    start = next(file.lines(), "")
    excel = _EXCEL.fullmatch(start.rstrip("\r\n"))
    skipped = max(fixed.skip_lines, int(excel is not None))
    table = TableFile(
        **{one.name: getattr(file, one.name) for one in fields(TextFile)},
        first=skipped + 1,
        skipped=skipped,
        comment=fixed.comment,
        separator="" if excel is None else start.strip(),
    )
    if excel is not None and fixed.delimiter is None:
        fixed = replace(fixed, delimiter=excel[1])
    if fixed.comment:
        _leave_out_comments(table)
    if table.first > 1:
        before = list(islice(file.lines(), table.first - 1))
        if fixed.skip_lines and not next(table.every_line(), ""):
            raise DataError(
                f"{file.name}: {fixed.prefix}skip_lines={fixed.skip_lines} leaves nothing; the "
                f"file has {len(before):,} lines."
            )
        table.survey = _survey_after(table, before)
    if fixed.comment:
        table.survey.head = _head(table)
    return table, fixed


def mark_of_comment(line: str) -> str:
    """Return the mark that begins comments in many files, if `line` begins with it; else ""."""
    text = line.lstrip('\ufeff"')
    return next((mark for mark in _MARKS if text.startswith(mark)), "")


def _leave_out_comments(table: TableFile) -> None:
    """Begin after the comments at the head of the file, and after blank lines between them."""
    comments = blanks = 0
    for number, line in enumerate(table.every_line(), start=1):
        if table.is_comment(line):
            comments = table.leading_comments = comments + 1
            table.leading_blanks = blanks
            table.first = table.skipped + number + 1
        elif line.strip():
            return
        else:
            blanks += 1


def _survey_after(table: TableFile, before: list[str]) -> Survey:
    """Return the survey of a file without the lines `before`."""
    survey, text = table.survey, "".join(before)
    lone = text.count("\r") - text.count("\r\n")
    rest = replace(
        survey,
        size=survey.size - len(text.encode("utf-8", "surrogateescape")) - 3 * survey.bom,
        bom=False,
        line_feeds=survey.line_feeds - text.count("\n"),
        returns=survey.returns - text.count("\r"),
        lone_returns=survey.lone_returns - lone,
        marks={mark: survey.marks[mark] - text.count(mark) for mark in QUOTES},
        head=_head(table),
    )
    if survey.not_utf8 and _NOT_UTF8.search(text):  # there may be more of them
        rest.not_utf8, rest.not_utf8_line = _not_utf8(table)
    return rest


def _head(table: TableFile) -> str:
    pieces: list[str] = []
    size = 0
    for line in table.lines():
        pieces.append(line)
        size += len(line)
        if size >= _HEAD:
            break
    return "".join(pieces).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _not_utf8(table: TableFile) -> tuple[str, int]:
    """Return the first byte that is not UTF-8, in words, and its line."""
    for number, line in enumerate(table.every_line(), start=table.first):
        if found := _NOT_UTF8.search(line):
            return f"byte 0x{ord(found[0]) - 0xDC00:02x} is not UTF-8", number
    return "", 0
