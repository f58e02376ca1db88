"""A source as it stands in DuckDB, and the lines of it that were set aside."""

import csv
import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from alsolike.data.dialect import Dialect
from alsolike.writing import write_text


@dataclass(frozen=True)
class Reject:
    """A line that was set aside: where it stands (0: no line), why, and what it says."""

    line: int
    reason: str
    text: str


@dataclass
class Loaded:
    """A source that stands in a DuckDB table with columns c0, c1, ...

    Rows below `skip` are not data (a header). `locate` turns ascending row numbers into
    (line, text) pairs; `unit` is what such a number counts, "line" or "row".
    """

    name: str
    format: str
    table: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    locate: Callable[[Sequence[int]], list[tuple[int, str]]]
    dialect: Dialect | None = None
    skip: int = 0
    rows: int = 0
    blank: int = 0
    rejected: list[Reject] = field(default_factory=list)
    unit: str = "line"


def write_rejects(path: str | os.PathLike[str], rejected: Sequence[Reject]) -> None:
    """Write line, reason and text as CSV, bytes that are not UTF-8 as escapes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["line", "reason", "text"])
    for reject in sorted(rejected, key=lambda entry: entry.line):
        text = reject.text.rstrip("\r\n").encode("utf-8", "surrogateescape")
        writer.writerow([reject.line, reject.reason, text.decode("utf-8", "backslashreplace")])
    write_text(path, out.getvalue())
