"""Holds a source in a DuckDB table with its rejected lines, and writes these."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alsolike.data.reading.files.listing import files_of
from alsolike.errors import SettingError
from alsolike.storage.atomic import write_text

if TYPE_CHECKING:
    from alsolike.data.reading.cleaning.number_form import NumberForm
    from alsolike.data.reading.cleaning.time_form import TimeForm
    from alsolike.data.reading.delimited.dialect import Dialect


@dataclass(frozen=True)
class Reject:
    """A rejected line: its number (0: none), reason and text, and its file among several."""

    line: int
    reason: str
    text: str
    file: str = ""


class OddCell(NamedTuple):
    """A cell: its row from 0, its text, and its type. Of ids, perhaps one that cannot be an id."""

    row: int
    shown: str
    kind: str


@dataclass
class SourceTable:
    """A source in a DuckDB table with columns c0, c1, ...

    Rows below `skip` are not data (a header). `locate` turns ascending row numbers into (line,
    text) pairs, numbered by `unit`, "line" or "row". `odd` holds columns with cells that cannot be
    ids; `narrow` the columns that were "float16" or "float32". `warnings` name guesses and the way
    out. `prefix` starts the names of its options. `encoding` names that of a text, if not UTF-8.

    Of several parts, `parts` has their names, and `origin` turns a row into the name and unit of
    its part. `ignored` counts the files that were left out. `skipped` counts lines before the
    table, `comments` those of comments. `numbers` and `times` say how these are written in text,
    where the caller says so; `time_words` how the times were read, for people.

    If the rows were made from those of another table, as one for each item of a basket, that is
    the `base`, and the column ``origin`` holds its row numbers. Equal rows of a table that is
    `apart` are no duplicates: each is a user of its own.

    Columns that are not in use may be missing in the DuckDB table; `identity` then names those that
    are equal in two rows if these are equal in every column of the source.

    `firsts` holds, per column that is text here, the first cell of each type that it had, "text" or
    "whole number"; without, all were text.
    """

    name: str
    format: str
    table: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    locate: Callable[[Sequence[int]], list[tuple[int, str]]]
    dialect: "Dialect | None" = None
    skip: int = 0
    rows: int = 0
    blank: int = 0
    rejected: list[Reject] = field(default_factory=list)
    unit: str = "line"
    odd: dict[int, OddCell] = field(default_factory=dict)
    narrow: dict[int, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    prefix: str = ""
    encoding: str = ""
    parts: tuple[str, ...] = ()
    origin: Callable[[int], tuple[str, str]] | None = None
    ignored: int = 0
    skipped: int = 0
    comments: int = 0
    numbers: "NumberForm | None" = None
    times: "TimeForm | None" = None
    time_words: str = ""
    firsts: dict[int, dict[str, OddCell]] = field(default_factory=dict)
    identity: tuple[str, ...] = ()
    base: "SourceTable | None" = None
    apart: bool = False

    @property
    def source(self) -> "SourceTable":
        """The table as it was read: the base, or this one."""
        return self if self.base is None else self.base

    @property
    def whole_row(self) -> str:
        """The SQL of the columns that are equal in two rows if these are equal in every column."""
        every = (f"c{place}" for place in range(len(self.types)))
        return ", ".join(self.identity or every)


def where(loaded: SourceTable, row: int) -> str:
    """Return the place of a row in its source, in words: the file and the line."""
    name, unit = _origin(loaded, row)
    return f"{name}, {unit} {_line(loaded, row)}"


def line_of(loaded: SourceTable, row: int, *, beside: int) -> str:
    """Return the place of a row for a sentence about the row `beside`: without a file they share.

    For example "line 3", or "parts/b.csv, line 3".
    """
    name, unit = _origin(loaded, row)
    line = f"{unit} {_line(loaded, row)}"
    return line if name == _origin(loaded, beside)[0] else f"{name}, {line}"


def rejects_of(
    loaded: SourceTable, rows: Sequence[int], reasons: Sequence[str], shown: Sequence[object]
) -> list[Reject]:
    """Return rejects for ascending rows; `shown` are the cells of those without a text."""
    return [
        Reject(line, reason, text or str(cell), _origin(loaded, row)[0] if loaded.parts else "")
        for row, (line, text), reason, cell in zip(
            rows, loaded.locate(rows), reasons, shown, strict=True
        )
    ]


def _origin(loaded: SourceTable, row: int) -> tuple[str, str]:
    return (loaded.name, loaded.unit) if loaded.origin is None else loaded.origin(row)


def _line(loaded: SourceTable, row: int) -> int:
    ((line, _),) = loaded.locate([row])
    return line


def shortened(text: str) -> str:
    """Return a line for a message: cut, without its end, bytes that are not UTF-8 escaped."""
    shown = text.rstrip("\r\n").encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= 80 else shown[:77] + "..."


def label_of(loaded: SourceTable, place: int) -> str:
    """Return the name of a column, or its number if it has none."""
    return repr(loaded.names[place]) if loaded.names[place] else str(place + 1)


def refuse_overwriting(rejects: str | os.PathLike[str], *sources: object) -> None:
    """Raise SettingError if `rejects` would overwrite a source, or be a part of one."""
    for source in sources:
        for path in files_of(source):
            if _is_same(Path(rejects), path):
                raise SettingError(
                    f"rejects={os.fspath(rejects)!r} is the file that is read, and would be "
                    "overwritten. Give the rejected lines a file of their own."
                )
            if path.is_dir() and path.resolve() in Path(rejects).resolve().parents:
                raise SettingError(
                    f"rejects={os.fspath(rejects)!r} is in the folder that is read, and would be "
                    "read as a part of it. Give the rejected lines a place of their own."
                )


def write_rejects(
    path: str | os.PathLike[str], likes: SourceTable, items: SourceTable | None = None
) -> None:
    """Write line, reason and text as CSV, with bytes that are not UTF-8 escaped.

    With an item table or several parts, a first column names the file.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    tables = [likes] if items is None else [likes, items]
    is_one = len(tables) == 1 and not likes.parts
    writer.writerow([*([] if is_one else ["file"]), "line", "reason", "text"])
    for table in tables:
        order = {name: number for number, name in enumerate(table.parts)}
        for reject in sorted(table.rejected, key=lambda one: (order.get(one.file, 0), one.line)):
            text = reject.text.rstrip("\r\n").encode("utf-8", "surrogateescape")
            shown = text.decode("utf-8", "backslashreplace")
            file = [] if is_one else [reject.file or table.name]
            writer.writerow([*file, reject.line, reject.reason, shown])
    write_text(path, out.getvalue())


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or no path at all
        return False
