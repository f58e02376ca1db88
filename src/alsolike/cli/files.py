"""Tables in and out of the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsolike.cli.options import taken_for_reading
from alsolike.cli.printing import say, warn

if TYPE_CHECKING:
    from alsolike.data.interactions import Interactions
    from alsolike.data.reading.report import ReadReport
    from alsolike.tables import Table


def read_likes(
    likes: str,
    options: dict[str, Any],
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path | None] = (),
) -> tuple["Interactions", "ReadReport"]:
    """Read a table as the options of a verb say, which also `reads` and `writes` these."""
    from alsolike.data.reading.read import read
    from alsolike.storage.atomic import refuse_overlap

    threads, reading = options.pop("threads"), taken_for_reading(options)
    refuse_overlap(
        [likes, *filter(None, [reading["items"]]), *reads],
        filter(None, [*writes, reading["rejects"]]),
    )
    found, report = read(likes, threads=threads, **reading)
    for warning in report.warnings:
        warn(warning)
    return found, report


def write_rows(to: Path, table: "Table") -> None:
    """Write a table and say so."""
    from alsolike.storage.atomic import write_table

    write_table(to, table)
    say(f"Wrote {len(table):,} rows to {to}")


def write_likes(to: Path, likes: "Interactions") -> None:
    """Write one row per interaction: user, item, value."""
    from alsolike.data.merge import to_table

    write_rows(to, to_table(likes))
