"""Finds lines before the table (a title, comments, Excel's ``sep=``), and how to remove them."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from alsolike.data.reading.delimited.dialect import FixedDialect, candidates
from alsolike.data.reading.delimited.header import are_names
from alsolike.data.reading.delimited.strict_parser import Grammar, records
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.source_table import shortened

_MOST_LINES = 40
_SAMPLE = 100
_EXCEL = re.compile(r'"?sep=.?"?[\s;,|]*', re.IGNORECASE)
_COMMENT = ("#", "//", "--", "%", "*")


class Before(NamedTuple):
    """Lines before the table: a message, and whether it is certain."""

    text: str
    sure: bool


def lines_before(
    file: TextFile,
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
    lines = list(islice(file.lines(), _SAMPLE))
    is_whole = len(lines) < _SAMPLE
    for count in range(1, min(_MOST_LINES, len(lines) - 1) + 1):
        found = _table(file, lines[count:], fixed, named, least, is_whole=is_whole)
        if found is None:
            continue
        grammar, table = found
        before = lines[:count]
        cells = [row.fields or [row.raw.strip()] for row in records(before, grammar)]
        if named:
            hits = set(named) & {*table[0], *map(str.strip, table[0])}
            if hits and not any(hits.intersection(map(str.strip, row)) for row in cells):
                return Before(_told(file, before, f"the names are in line {count + 1}"), sure=True)
            continue
        titles = are_names(table[0], all_usual=all(map(all, cells)))
        sure = titles or _EXCEL.fullmatch(before[0].strip()) is not None
        comments = all(_is_comment(line) or not line.strip() for line in before)
        comments &= not any(_is_comment(row[0]) for row in table)
        # A line with as many delimiters as a row may well be one, whatever its quotes say.
        plain = [len(line.split(grammar.delimiter)) for line in before]
        odd = len(table) > 1 and all(len(row) != len(table[0]) for row in cells)
        odd &= len(table[0]) not in plain
        if sure or comments or (odd and rows is None):
            is_sure = sure or (comments and rows is None)
            return Before(
                _told(file, before, f"the table begins in line {count + 1}"), sure=is_sure
            )
    return None


def _stand_out(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows may begin with lines that are not rows."""
    if are_names(rows[0]):
        return False
    full = sum(map(bool, rows[0]))
    return full < 2 or _is_comment(rows[0][0]) or any(map(are_names, rows))


def _is_comment(line: str) -> bool:
    return line.lstrip('\ufeff"').startswith(_COMMENT)


def _table(
    file: TextFile,
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


def _told(file: TextFile, before: Sequence[str], where: str) -> str:
    count = len(before)
    shown = next((line for line in before if line.strip()), before[0])
    subject = "line 1" if count == 1 else f"lines 1 to {count}"
    verb, them = ("comes", "it") if count == 1 else ("come", "them")
    return (
        f"{subject} ({shortened(shown.lstrip(chr(0xFEFF)))!r}{', ...' if count > 1 else ''}) "
        f"{verb} before the table; {where}. Remove {them}: {_command(file, before)}"
    )


def _command(file: TextFile, before: Sequence[str]) -> str:
    """Return the shell command that writes the file without these lines."""
    name = shlex.quote(f"./{file.name}" if file.name.startswith("-") else file.name)
    packed = file.printed
    steps = [packed] if packed else []
    if any(line.endswith("\r") for line in before):
        steps.append("tr '\\r' '\\n'" if packed else f"tr '\\r' '\\n' < {name}")
    steps.append(f"tail -n +{len(before) + 1}" + ("" if steps else f" {name}"))
    return f"{' | '.join(steps)} > {shlex.quote(file.new_name)}"
