"""Reads and writes tables for the command line."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alsolike.cli.printing import say, say_table, warn
from alsolike.cli.reading_options import (
    Source,
    taken_for_reading,
)
from alsolike.text import counted

if TYPE_CHECKING:
    from alsolike.data.interactions import Interactions
    from alsolike.data.reading.report import ReadReport
    from alsolike.models.base import FittedModel
    from alsolike.recommending.rules.rules import Rules
    from alsolike.tables import Table


def read_likes(
    likes: Source,
    options: dict[str, Any],
    *,
    reads: Sequence[Path] = (),
    writes: Sequence[Path | None] = (),
) -> tuple["Interactions", "ReadReport"]:
    """Read a table by the options of a verb that also `reads` and `writes` these files."""
    from alsolike.data.reading.features.attach import feature_files
    from alsolike.data.reading.files.listing import files_of
    from alsolike.data.reading.read import read
    from alsolike.storage.atomic import refuse_overlap

    threads, reading = options.pop("threads"), taken_for_reading(options)
    refuse_overlap(
        [*files_of(likes), *files_of(reading["items"]), *feature_files(reading), *reads],
        filter(None, [*writes, reading["rejects"]]),
    )
    found, report = read(likes, threads=threads, **reading)
    for warning in report.warnings:
        warn(warning)
    return found, report


def load_model(model: Path, to: Path | None = None, *, for_similar: bool = False) -> "FittedModel":
    """Load a model; refuse an output `to` that would overwrite it.

    Of a run's folder, load the model of users' lists, or of similar items.
    """
    from alsolike.models.bundle import io as bundle
    from alsolike.models.bundle.manifest import models_of_run
    from alsolike.storage.atomic import refuse_overlap

    path = models_of_run(model)[for_similar]
    refuse_overlap([path], filter(None, [to]))
    return bundle.load(path)


def held_out_likes(
    loaded: "FittedModel", model: Path, table: Source, options: dict[str, Any], *, keep_seen: bool
) -> "tuple[Interactions, Interactions | None]":
    """Return a table's likes over a model's ids, and the seen items that its lists leave out."""
    from alsolike.data.merge import aligned
    from alsolike.errors import SettingError
    from alsolike.recommending.shared import history_of

    found, _ = read_likes(table, options, reads=[model])
    known, unknown = aligned(found, loaded.users, loaded.items)
    if unknown:
        say(f"Left out {counted(unknown, 'like')} of users or items that the model does not know.")
    if keep_seen:
        return known, None
    seen = history_of(loaded, "leave out what was seen", way_out=", or give --keep-seen")
    if both := (seen.user_items != 0).multiply(known.user_items).nnz:
        raise SettingError(
            f"{both:,} of these likes are in the model's training data, so they can never be found "
            "while seen items are left out. Give held-out likes, or --keep-seen."
        )
    return known, seen


def write_rows(to: Path, table: "Table") -> None:
    """Write a table and print its size and path."""
    from alsolike.storage.atomic import write_table

    write_table(to, table)
    say(f"Wrote {len(table):,} rows to {to}")


def write_likes(to: Path, likes: "Interactions") -> None:
    """Write one row per interaction: user, item, value."""
    from alsolike.data.merge import to_table

    write_rows(to, to_table(likes))


def say_rules(
    model: "FittedModel",
    rules: "Rules",
    k: int,
    table: "Table",
    owners: Sequence[Any],
    kind: str,
) -> None:
    """Print to standard error which lists the rules make shorter than `k`."""
    lengths = dict.fromkeys(owners, 0)
    listed = table[kind].tolist() if kind in table else [owners[0]] * len(table)
    for owner in listed:
        lengths[owner] = lengths.get(owner, 0) + 1
    for note in rules.of(model).notes(k, lengths, kind):
        say(note, err=True)


def show_rows(table: "Table", to: Path | None, *, none: str = "", verbose: bool) -> None:
    """Print or write a table; if it has no rows, print `none` to standard error."""
    if none and not len(table):
        say(none, err=True)
    owner = "item" if "similar_item" in table else "user"
    if to is None:
        say_table(
            table,
            least=("rank", "score", "name"),
            same=tuple(one for one in (owner,) if one in table),
            whole="--verbose or --to FILE",
            verbose=verbose,
        )
    else:
        write_rows(to, table)
