"""Holds a source in a DuckDB table with its rejected lines, and writes these."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from alsolike.errors import SettingError
from alsolike.storage.atomic import write_text

if TYPE_CHECKING:
    from alsolike.data.reading.delimited.dialect import Dialect


@dataclass(frozen=True)
class Reject:
    """A rejected line: its number (0: none), reason and text."""

    line: int
    reason: str
    text: str


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
    out. `prefix` starts the names of its options. `firsts` holds, per column that is text here, the
    first cell of each type that it had, "text" or "whole number"; without, all were text.
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
    firsts: dict[int, dict[str, OddCell]] = field(default_factory=dict)


def where(loaded: SourceTable, row: int) -> str:
    """Return the place of a row in its source, in words."""
    ((line, _),) = loaded.locate([row])
    return f"{loaded.name}, {loaded.unit} {line}"


def shortened(text: str) -> str:
    """Return a line for a message: cut, without its end, bytes that are not UTF-8 escaped."""
    shown = text.rstrip("\r\n").encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= 80 else shown[:77] + "..."


def label_of(loaded: SourceTable, place: int) -> str:
    """Return the name of a column, or its number if it has none."""
    return repr(loaded.names[place]) if loaded.names[place] else str(place + 1)


def refuse_overwriting(rejects: str | os.PathLike[str], *sources: object) -> None:
    """Raise SettingError if `rejects` would overwrite a source."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and _is_same(Path(rejects), Path(source)):
            raise SettingError(
                f"rejects={os.fspath(rejects)!r} is the file that is read, and would be "
                "overwritten. Give the rejected lines a file of their own."
            )


def write_rejects(
    path: str | os.PathLike[str], likes: SourceTable, items: SourceTable | None = None
) -> None:
    """Write line, reason and text as CSV, with bytes that are not UTF-8 escaped.

    With an item table, the lines of both are written, with a first column for the file.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    tables = [likes] if items is None else [likes, items]
    writer.writerow(["file"] * (len(tables) - 1) + ["line", "reason", "text"])
    for table in tables:
        file = [table.name] * (len(tables) - 1)
        for reject in sorted(table.rejected, key=lambda entry: entry.line):
            text = reject.text.rstrip("\r\n").encode("utf-8", "surrogateescape")
            shown = text.decode("utf-8", "backslashreplace")
            writer.writerow([*file, reject.line, reject.reason, shown])
    write_text(path, out.getvalue())


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve() or one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or no path at all
        return False
