r"""Hold the reader of delimited files against Python's ``csv`` on files made at random.

Each file is written by ``csv`` in some dialect, and read in it again: that is what it says. What
``alsolike`` makes of the same bytes is one of four: the same rows; other rows, with a warning that
says what was guessed; an error; or other rows without a word, which must never be. Many files are
made to be misread: texts that hold other delimiters, quotes, backslashes, and line ends between
which each line is as wide as a row. Some begin with lines to skip or with Excel's ``sep=``, some
hold comments between their records. Some are packed, in another encoding, or read twice as the two
parts of one table.

    python scripts/fuzz_reading.py --files 100000 --seed 0
"""

import argparse
import bz2
import csv
import gzip
import io
import lzma
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.delimited.load import load_delimited
from alsolike.data.reading.delimited.table_file import table_file
from alsolike.data.reading.files.text_files import open_text
from alsolike.data.reading.formats.files import Asked, load_files
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import id_text, workspace
from alsolike.errors import DataError

OUTCOMES = ("same", "stated guess", "error", "silently other")
_DELIMITERS = (*",,,,,,;;;;\t\t\t\t||||  ", "::", "^", "~", ":")
_STANDS_FOR = "\x01"  # a delimiter of two characters, which csv does not know
_WORDS = ("a", "Map Pack", "Vol. 2", "7", "12", "3.5", "ü", "nan", "x y", "O'Neil", "2026-01-31")
# How a file is stored, and its share of a hundred.
_FORMS = {"plain": 70, "gzip": 8, "bzip2": 4, "xz": 4, "utf-16": 4, "latin-1": 4, "parts": 6}
_MARKS = ('"', "'", "\\", ",", ";", "\t", "|", " ", "\n", "\r\n", "\r", '5" disk', "\\N", "\\\\")


@dataclass(frozen=True)
class Case:
    """One file: its bytes, what ``csv`` reads, and what is asked of the reader."""

    content: bytes
    rows: list[list[str]]
    wanted: tuple[str | int, ...]
    asked: FixedDialect
    form: str
    dialect: dict[str, object] = field(default_factory=dict)


def cases(seed: int, files: int) -> Iterator[Case]:
    """Yield `files` cases; the same for the same seed."""
    rng = random.Random(seed)  # noqa: S311 - no secrets are made of it
    made = 0
    while made < files:
        case = _case(rng)
        if case is not None:
            made += 1
            yield case


def outcome_of(connection: object, scratch: Path, case: Case) -> tuple[str, str]:
    """Read a case; return one of `OUTCOMES` and what was said or found."""
    try:
        loaded = _loaded(connection, scratch, case)
    except DataError as error:
        return "error", str(error)
    found = connection.execute("SELECT * FROM fuzzed ORDER BY rowid").fetchall()
    rows = [[cell or "" for cell in row] for row in found]
    expected = case.rows
    if case.form == "parts" and loaded.dialect is not None:
        expected = 2 * case.rows[int(loaded.dialect.header) :]
    if rows == expected:
        return "same", ""
    if loaded.warnings:
        return "stated guess", loaded.warnings[0]
    return "silently other", f"{loaded.dialect}: {rows}"


def _loaded(connection: object, scratch: Path, case: Case) -> SourceTable:
    path, other = scratch / "case.csv", scratch / "other.csv"
    path.write_bytes(_stored(case))
    if case.form != "parts":
        file, asked = table_file(open_text(path, scratch), case.asked)
        return load_delimited(connection, "fuzzed", file, asked, case.wanted, reject=False)
    other.write_bytes(case.content)
    of_both = Asked(case.asked, case.wanted, ())
    return load_files(connection, scratch, "fuzzed", [path, other], of_both, id_text)


def _stored(case: Case) -> bytes:
    """Return the bytes of the file in the form of a case."""
    if case.form in ("utf-16", "latin-1"):
        return case.content.decode("utf-8-sig").encode(case.form)
    pack = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}.get(case.form)
    return case.content if pack is None else pack(case.content)


def _case(rng: random.Random) -> Case | None:
    delimiter = rng.choice(_DELIMITERS)
    escaped = rng.random() < 0.2
    dialect: dict[str, object] = {
        "delimiter": delimiter if len(delimiter) == 1 else _STANDS_FOR,
        "quotechar": rng.choices("\"'\\", (8, 1, 1))[0],
        "quoting": rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC)),
        "doublequote": not escaped,
        "escapechar": "\\" if escaped else None,
        "lineterminator": rng.choices(("\n", "\r\n", "\r"), (6, 3, 1))[0],
    }
    if escaped and dialect["quotechar"] == "\\":
        return None
    width = rng.choice((2, 2, 3, 3, 4, 5))
    names = [f"{name}{rng.choice(('', '', '', ' ', delimiter[:1], chr(10)))}" for name in "uinmk"]
    body = [
        [_cell(rng, delimiter, width) for _ in range(width)]
        for _ in range(rng.choice((1, 2, 3, 5, 8, 20)))
    ]
    by_name = rng.random() < 0.6
    rows = [names[:width], *body] if by_name or rng.random() < 0.5 else body
    out = io.StringIO()
    try:
        csv.writer(out, **dialect).writerows(rows)  # type: ignore[arg-type]
        text = out.getvalue()
        read = list(csv.reader(io.StringIO(text, newline=""), strict=True, **dialect))  # type: ignore[arg-type]
    except csv.Error:
        return None
    read = [row for row in read if len(row) == width or "".join(row).strip()]
    if any(len(row) != width for row in read):  # such as an escaped line end, which csv bends
        return None
    if len(delimiter) > 1:
        if any(":" in cell for row in rows for cell in row):
            return None
        text = text.replace(_STANDS_FOR, delimiter)
    text, asked = _with_other_lines(rng, text, dialect, delimiter)
    if rng.random() < 0.1:
        text = text.removesuffix(str(dialect["lineterminator"]))
    content = (b"\xef\xbb\xbf" if rng.random() < 0.1 else b"") + text.encode()
    wanted: tuple[str | int, ...] = tuple(names[:2]) if by_name else (1, 2)
    fixed = delimiter if delimiter in "^~:" or rng.random() < 0.2 else None
    fixed_dialect = FixedDialect.of(fixed, None, None, None, **asked)  # type: ignore[arg-type]
    [form] = rng.choices([*_FORMS], [*_FORMS.values()])
    return Case(content, read, wanted, fixed_dialect, form, dialect)


def _with_other_lines(
    rng: random.Random, text: str, dialect: dict[str, object], delimiter: str
) -> tuple[str, dict[str, object]]:
    """Add lines that are not of the table to some files; also return the options for them.

    Comments are added only where each line is a record, and none begins with their mark.
    """
    end, kind = str(dialect["lineterminator"]), rng.random()
    if kind > 0.3 or not text.endswith(end):
        return text, {}
    if kind < 0.05 and len(delimiter) == 1:
        return f"sep={delimiter}{end}{text}", {}
    mark = rng.choice(("#", "//", "% "))
    lines = text.split(end)[:-1]
    plain = str(dialect["quotechar"]) not in text and not any(
        other in line for line in lines for other in "\r\n"
    )
    asked: dict[str, object] = {}
    if plain and not any(line.startswith(mark) for line in lines):
        odd = ("", " of", delimiter * 2, '"', " it's")
        for _ in range(rng.randrange(1, 4)):
            lines.insert(rng.randrange(len(lines) + 1), mark + rng.choice(odd))
        text, asked = end.join([*lines, ""]), {"comment": mark}
    before = [
        rng.choice(("Title", "", 'a "b', f"x{delimiter}y", "it's")) for _ in range(rng.randrange(3))
    ]
    return end.join([*before, text]), asked | {"skip_lines": len(before)}


def _cell(rng: random.Random, delimiter: str, width: int) -> str:
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(_WORDS)
    if kind < 0.65:
        return ""
    if kind < 0.75:  # lines that are as wide as a row
        between = delimiter * (width - 1)
        lines = [f"{rng.choice(_WORDS)}{between}{rng.choice(_WORDS)}" for _ in range(2)]
        return "\n".join([rng.choice(_WORDS), *lines[: rng.choice((1, 2))]])
    if kind < 0.8:  # a line end, and after it as many delimiters as the row still lacks
        return f"{rng.choice(_WORDS)}\n{rng.choice(_WORDS)}{delimiter * rng.randrange(width)}"
    return "".join(rng.choice((*_MARKS, "a", "7", "x")) for _ in range(rng.randrange(1, 6)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the files; print the seed and the counts; return 1 where a row was silently other."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=3, help="how many of each to print")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    with workspace(1) as (connection, _), tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases(options.seed, options.files), start=1):
            outcome, told = outcome_of(connection, Path(folder), case)
            counts[outcome] += 1
            if outcome == OUTCOMES[-1] and counts[outcome] <= options.show:
                print(f"{outcome}: {case.content!r} as {case.dialect}")
                print(f"  csv: {case.rows}\n  {told}")
            if number % 10_000 == 0 or number == options.files:
                listed = ", ".join(f"{name} {counts[name]:,}" for name in OUTCOMES)
                print(f"seed {options.seed}, {number:,} files: {listed}", flush=True)
    return int(counts[OUTCOMES[-1]] > 0)


if __name__ == "__main__":
    sys.exit(main())
