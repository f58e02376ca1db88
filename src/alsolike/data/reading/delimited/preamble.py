"""Finds lines before the table, such as a title or comments, and how to skip them."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from alsolike.data.reading.delimited.dialect import FixedDialect, candidates
from alsolike.data.reading.delimited.header import are_names
from alsolike.data.reading.delimited.strict_parser import Grammar, records
from alsolike.data.reading.delimited.table_file import TableFile, mark_of_comment
from alsolike.data.reading.source_table import shortened

_MOST_LINES = 40
_SAMPLE = 100


class Before(NamedTuple):
    """Lines before the table: a message, and whether it is certain."""

    text: str
    sure: bool


def lines_before(
    file: TableFile,
    fixed: FixedDialect,
    named: Sequence[str],
    least: int,
    rows: Sequence[Sequence[str]] | None = None,
) -> Before | None:
    """Look for lines before the table of `file`; return None if there are none.

    They are found if the file without them is a table: with the column names in use in its first
    line; or, for columns by number, with rows of one width that the lines before do not have.
    `rows` are the first rows if all lines are rows of one width; such lines are then kept.
    """
    if rows is not None and not named and not _stand_out(rows[:_MOST_LINES]):
        return None
    lines = _sample(file)
    texts = [text for _, text in lines]
    is_whole = len(lines) < _SAMPLE
    for count in range(1, min(_MOST_LINES, len(lines) - 1) + 1):
        found = _table(file, texts[count:], fixed, named, least, is_whole=is_whole)
        if found is None:
            continue
        grammar, table = found
        before = texts[:count]
        cells = [row.fields or [row.raw.strip()] for row in records(before, grammar)]
        if named:
            hits = set(named) & {*table[0], *map(str.strip, table[0])}
            if hits and not any(hits.intersection(map(str.strip, row)) for row in cells):
                return _told(lines, count, "the names are in", fixed, sure=True)
            continue
        titles = are_names(table[0], all_usual=all(map(all, cells)))
        comments = all(mark_of_comment(line) or not line.strip() for line in before)
        comments &= not any(mark_of_comment(row[0]) for row in table)
        # A line with as many delimiters as a row may well be one, whatever its quotes say.
        plain = [len(line.split(grammar.delimiter)) for line in before]
        odd = len(table) > 1 and all(len(row) != len(table[0]) for row in cells)
        odd &= len(table[0]) not in plain
        if titles or comments or (odd and rows is None):
            # Where lines are skipped on request, their number may well be right.
            sure = (titles or (comments and rows is None)) and not fixed.skip_lines
            return _told(lines, count, "the table begins in", fixed, sure=sure)
    return None


def _sample(file: TableFile) -> list[tuple[int, str]]:
    """Return the first lines that are no comments, with their numbers in the file."""
    numbered = enumerate(file.every_line(), start=file.first)
    return list(islice((pair for pair in numbered if not file.is_comment(pair[1])), _SAMPLE))


def _stand_out(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows may begin with lines that are not rows."""
    if are_names(rows[0]):
        return False
    full = sum(map(bool, rows[0]))
    return full < 2 or bool(mark_of_comment(rows[0][0])) or any(map(are_names, rows))


def _table(
    file: TableFile,
    lines: Sequence[str],
    fixed: FixedDialect,
    named: Sequence[str],
    least: int,
    *,
    is_whole: bool,
) -> tuple[Grammar, list[list[str]]] | None:
    """Return the first grammar under which `lines` are rows of one width, and these rows."""
    raw = "".join(lines).encode("utf-8", "surrogateescape")
    head = raw.decode("utf-8", "replace")
    # Other bytes are longer once replaced, so the size is that of the head.
    survey = replace(file.survey, head=head, size=len(head.encode()) if is_whole else 1 << 62)
    for dialect in candidates(survey, fixed, named, least):
        read = list(records(lines, dialect.grammar))
        if not is_whole and read and read[-1].fields is None:
            read.pop()
        rows = [row.fields for row in read if row.fields != []]
        if rows and rows[0] and len(rows[0]) >= least and lines[0].strip():
            good = [row for row in rows if row is not None]
            if len(good) == len(rows):
                return dialect.grammar, good
    return None


def _told(
    lines: Sequence[tuple[int, str]], count: int, where: str, fixed: FixedDialect, *, sure: bool
) -> Before:
    """Say that the first `count` lines come before the table, and how to skip them."""
    (first, text), last = lines[0], lines[count][0] - 1
    shown = next((line for _, line in lines[:count] if line.strip()), text)
    subject = f"line {first}" if first == last else f"lines {first} to {last}"
    more, verb = ("", "comes") if first == last else (", ...", "come")
    return Before(
        f"{subject} ({shortened(shown.lstrip(chr(0xFEFF)))!r}{more}) {verb} before the table; "
        f"{where} line {last + 1}. {'Pass' if sure else 'If so, pass'} "
        f"{fixed.prefix}skip_lines={last}.",
        sure,
    )
