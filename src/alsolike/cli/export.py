"""Defines the verbs `export` (similar items as files) and `diff` (changes between two models)."""

import math
from pathlib import Path
from typing import Any

import click

from alsolike.cli.options import (
    PATH,
    k_option,
    keep_seen_option,
    min_count_option,
    quiet_option,
    remote_images_option,
    threads_option,
    to_option,
    verbose_option,
    without_likes_option,
)
from alsolike.cli.printing import say, say_answer

# As in `alsolike.export.export`, whose import would make --help slow.
_FORMATS = ["parquet", "jsonl", "sqlite", "json", "html"]


class _Share(click.FloatRange):
    """A number from 0 to 1, not NaN: no change would exceed that."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number, or refuse NaN."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"a number from 0 to 1 expected, {value!r} given.", param, ctx)
        return number


@click.command()
@click.argument("model", type=PATH)
@click.option("--to", required=True, type=PATH, help="Output folder: new, or of an earlier export.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(_FORMATS),
    help="Format to write; repeatable [default: all].",
)
@k_option
@click.option("--users", is_flag=True, help="Also write recommendations for all users.")
@keep_seen_option
@without_likes_option
@min_count_option
@remote_images_option
@threads_option
@quiet_option
def export(
    model: Path,
    to: Path,
    formats: tuple[str, ...],
    keep_seen: bool,
    threads: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Write the similar items of every item of MODEL as files; rewrites only what changed."""
    from alsolike.cli.terminal import Terminal
    from alsolike.engines.local import LocalEngine
    from alsolike.export.export import export as write_files

    with Terminal(quiet=quiet) as terminal:
        done = write_files(
            model,
            to,
            formats=formats or _FORMATS,
            exclude_seen=not keep_seen,
            engine=LocalEngine(threads),
            observer=terminal,
            **options,
        )
    if not quiet:
        say(done)


@click.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@k_option
@min_count_option
@click.option(
    "--fail-over",
    type=_Share(min=0, max=1),
    metavar="SHARE",
    help="Exit with status 1 if the mean change exceeds this share (0 to 1).",
)
@to_option
@verbose_option
@threads_option
def diff(
    old: Path,
    new: Path,
    k: int,
    min_count: int,
    fail_over: float | None,
    to: Path | None,
    verbose: bool,
    threads: int | None,
) -> None:
    """Show which lists of similar items changed from OLD to NEW, and by how much."""
    from alsolike.cli.files import write_rows
    from alsolike.engines.local import LocalEngine
    from alsolike.models.bundle import io as bundle
    from alsolike.recommending.model_diff import diff as compare
    from alsolike.storage.atomic import refuse_overlap

    refuse_overlap([old, new], filter(None, [to]))
    found = compare(
        bundle.load(old), bundle.load(new), k=k, min_count=min_count, engine=LocalEngine(threads)
    )
    say_answer(found, verbose=verbose)
    if to is not None:
        write_rows(to, found.items)
    if fail_over is None:
        return
    if found.mean_change > fail_over:
        say(
            f"error: {new}: mean change {found.mean_change:.4f} exceeds the limit of "
            f"{fail_over:g}.",
            err=True,
        )
        click.get_current_context().exit(1)
    say(f"Mean change {found.mean_change:.4f}, within the limit of {fail_over:g}.")
