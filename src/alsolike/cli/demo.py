"""Defines the verb demo: a run on built-in data, and a model with items that nobody likes yet."""

import contextlib
import functools
import io
import shlex
from pathlib import Path

import click

from alsolike.cli.features import add_items
from alsolike.cli.options import PATH, quiet_option, threads_option, verbose_option
from alsolike.cli.pipeline import fit, run_and_print
from alsolike.cli.printing import say
from alsolike.system_errors import BEFORE_DRAWING, expect_to_draw


@click.command()
@click.option("--data", default="demo", type=PATH, show_default=True, help="Folder for the data.")
@click.option("--out", default="runs/demo", type=PATH, show_default=True, help="Output folder.")
@threads_option
@verbose_option
@quiet_option
def demo(data: Path, out: Path, threads: int | None, verbose: bool, quiet: bool) -> None:
    """Run on built-in data: a made-up catalogue whose images show which items belong together.

    Then add new items, without likes, to a model that learned from the tags of the others.
    """
    expect_to_draw(BEFORE_DRAWING)
    from alsolike.data.datasets.demo import write_demo
    from alsolike.pipeline.job import Job

    files = write_demo(data)
    reading = {
        "user": "uid",
        "item": "mid",
        "items": str(files.items),
        "item_name": "name",
        "item_image": "image",
        "item_feature": "tags:set:pipe,description:words",
    }
    options = (word for name, value in reading.items() for word in (_option(name), value))
    table = [str(files.likes), *options]
    command = shlex.join(["alsolike", "run", *table, "--out", str(out)])
    if not quiet:
        say(f"$ {command}\n")
    job = Job(source=str(files.likes), out=out, reading=reading, threads=threads, command=command)
    also = functools.partial(_add_new_items, out, table, files.new_items, quiet=quiet)
    run_and_print(job, quiet=quiet, verbose=verbose, also=also)


def _add_new_items(out: Path, table: list[str], new_items: Path, *, quiet: bool) -> Path:
    """Fit a model that learns from features, add items that have no likes, and return it."""
    folder = out / "with-new-items"
    settings = ["--family", "feature-als", "--set", "factors=64"]
    _do(fit, [*table, *settings, "--to", str(folder), "--quiet"], quiet=quiet)
    _do(add_items, [str(folder), str(new_items)], quiet=quiet)
    return folder


def _do(verb: click.Command, words: list[str], *, quiet: bool) -> None:
    if not quiet:
        say(f"\n$ {shlex.join(['alsolike', verb.name or '', *words])}")
    with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        above = click.get_current_context().parent
        verb.main(words, prog_name=verb.name, standalone_mode=False, parent=above)


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"
