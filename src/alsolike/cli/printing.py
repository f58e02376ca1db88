"""Prints findings, warnings and tables, with control characters escaped."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from alsolike.cli.syntax import as_typed_now
from alsolike.progress import Observer

if TYPE_CHECKING:
    from alsolike.data.anonymizing.anonymize import Anonymized
    from alsolike.data.reading.report import ReadReport
    from alsolike.tables import Table

Report = TypeVar("Report", "ReadReport", "Anonymized")

_WIDTH = 100  # columns, if neither COLUMNS nor a terminal gives a width


def say(finding: object, *, err: bool = False) -> None:
    """Print a finding, with control characters escaped."""
    from alsolike.tables import harmless

    click.echo(harmless(str(finding), keep="\n"), err=err)


def warn(danger: object) -> None:
    """Print a warning, with parameters rewritten as options of the verb."""
    say(f"warning: {as_typed_now(str(danger))}", err=True)


class Warnings(Observer):
    """Prints the warnings of long work, and nothing else."""

    def warn(self, danger: str) -> None:
        """Print a warning."""
        warn(danger)


def on_one_screen() -> bool:
    """Return whether findings and warnings appear on the same terminal: print them once."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def as_shown(report: Report) -> Report:
    """Return a report with warnings in the words of the verb; without them if already printed."""
    warnings = () if on_one_screen() else tuple(map(as_typed_now, report.warnings))
    shown: dict[str, Any] = {"warnings": warnings}
    if hasattr(report, "notes"):
        shown["notes"] = tuple(map(as_typed_now, report.notes))
    return replace(report, **shown)


def columns() -> int:
    """Return the width of a line: of COLUMNS or the terminal, or else 100."""
    return max(shutil.get_terminal_size((_WIDTH, 24)).columns, 1)


def brief(finding: object, *, verbose: bool) -> str:
    """Return the text of a finding: shortened to a page, or all of it with `verbose`."""
    from alsolike.progress import HasBrief
    from alsolike.tables import wrapped

    if not verbose and isinstance(finding, HasBrief):
        return finding.brief(columns())
    if verbose or not sys.stdout.isatty():
        return str(finding)
    return "\n".join(wrapped(line, columns(), indent=2) for line in str(finding).split("\n"))


def say_table(
    table: "Table",
    *,
    least: Sequence[str],
    same: Sequence[str] = (),
    whole: str,
    verbose: bool,
) -> None:
    """Print a table; on a terminal that is too narrow, without the columns in `least`.

    Pipes and files get the whole table. Arguments as in `alsolike.tables.Table.fitted`.
    """
    text, width = str(table), columns()
    if not verbose and sys.stdout.isatty() and text.index("\n") > width:
        text = table.fitted(width, least=least, same=same, whole=whole, in_blocks=least)
    say(text)


def say_answer(answer: object, *, verbose: bool) -> None:
    """Print an answer: shortened on a terminal, whole into a pipe or a file."""
    say(brief(answer, verbose=verbose or not sys.stdout.isatty()))
