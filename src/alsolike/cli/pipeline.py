"""Defines the verbs from a table of likes to a fitted model: run, read, split, search, fit."""

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.arguments import search_arguments, settings_with
from alsolike.cli.files import read_likes, write_likes
from alsolike.cli.options import (
    PATH,
    filtering_options,
    half_life_option,
    quiet_option,
    remote_images_option,
    searching_options,
    seed_option,
    set_option,
    similar_items_options,
    splitting_options,
    threads_option,
    to_option,
    verbose_option,
    without_history_option,
)
from alsolike.cli.printing import as_shown, brief, on_one_screen, say, warn
from alsolike.cli.reading_options import (
    Source,
    likes_argument,
    reading_options,
    taken_for_reading,
)
from alsolike.system_errors import BEFORE_DRAWING, expect_to_draw

if TYPE_CHECKING:
    from alsolike.models.base import FittedModel


@click.command()
@likes_argument()
@reading_options
@searching_options
@similar_items_options
@set_option
@half_life_option
@seed_option
@threads_option
@without_history_option
@remote_images_option
@verbose_option
@quiet_option
def run(
    likes: Source,
    verbose: bool,
    quiet: bool,
    without_history: bool,
    remote_images: bool,
    **options: Any,
) -> None:
    """Read, filter, split, search, score on test users, refit, and write the report."""
    # Before libraries are loaded: with too little memory, one of them would end the process.
    expect_to_draw(BEFORE_DRAWING)
    job = replace(
        _job(likes, options), with_history=not without_history, remote_images=remote_images
    )
    run_and_print(job, quiet=quiet, verbose=verbose)


def _job(likes: Source, options: dict[str, Any]) -> Any:
    from alsolike.pipeline.job import Job

    reading = taken_for_reading(options)
    searching = search_arguments(options)
    return Job(source=likes, reading=reading, command=_typed(), **searching, **options)


def run_and_print(
    job: Any, *, quiet: bool, verbose: bool, also: Callable[[], Path] | None = None
) -> None:
    """Run a job, print what it finds, and last what to open.

    `also` makes a further model after it, and returns its folder.
    """
    from alsolike.cli.terminal import Terminal
    from alsolike.pipeline.precompile import ahead
    from alsolike.pipeline.run import run_job

    families = job.search.families
    with Terminal(quiet=quiet, verbose=verbose) as terminal, ahead(families) as compiling:
        _say_if_compiling(terminal, compiling=compiling)
        outcome = run_job(job, observer=terminal)
    said = list(outcome.how_read.warnings)  # printed right after reading
    if not quiet and on_one_screen():
        said += [sentence for sentence, _ in outcome.verdicts()]  # at the head of the results
    for warning in filter(lambda one: one not in said, outcome.warnings()):
        warn(warning)
    others = [] if also is None else [also()]
    if not quiet:
        # A folder with a second model serves both.
        models = job.out / "model" if outcome.similar_model is None else job.out
        more = "".join(f" --model {one}" for one in others)
        say(f"To browse {'them' if others else 'it'}: {_program()} serve {models}{more}")
        say(f"Done. Open {job.out / 'report.html'}")


@click.command()
@likes_argument()
@reading_options
@to_option
@threads_option
def read(likes: Source, to: Path | None, **options: Any) -> None:
    """Read a table and report its dialect, dropped rows and size."""
    found, report = read_likes(likes, options, writes=[to])
    say(as_shown(report))
    if to is not None:
        write_likes(to, found)


@click.command("filter")
@likes_argument()
@reading_options
@filtering_options
@to_option
@threads_option
def filter_(
    likes: Source, to: Path | None, min_per_user: int, min_per_item: int, **options: Any
) -> None:
    """Drop users and items with too few likes, repeatedly, until no more are dropped."""
    from alsolike.data.filtering import filter_counts

    found, _ = read_likes(likes, options, writes=[to])
    kept, report = filter_counts(found, min_per_user=min_per_user, min_per_item=min_per_item)
    say(report)
    if to is not None:
        write_likes(to, kept)


@click.command()
@likes_argument()
@reading_options
@click.option("--to", required=True, type=PATH, help="Folder for train, validation and test.")
@splitting_options
@seed_option
@threads_option
def split(
    likes: Source,
    to: Path,
    by: str,
    held_out: int | None,
    share: float | None,
    folds: int | None,
    seed: int,
    **options: Any,
) -> None:
    """Split a table into training, validation and test (three Parquet files).

    With --folds, three files for each fold, in a folder of its own.
    """
    from alsolike.data.splitting.by_name import check_scheme, folds_by_time, split_by
    from alsolike.pipeline.job import refuse_share

    check_scheme(by, held_out=held_out, share=share, folds=folds)
    refuse_share(share)
    names = ("train", "validation", "test", "given")
    folders = [to] if folds is None else [to / f"fold-{at}" for at in range(1, folds + 1)]
    writes = [folder / f"{name}.parquet" for folder in folders for name in names]
    found, _ = read_likes(likes, options, writes=writes)
    splits = (
        [split_by(found, by, held_out=held_out, share=share, seed=seed)]
        if folds is None
        else folds_by_time(found, folds, share)
    )
    for folder, parts in zip(folders, splits, strict=True):
        say(parts)
        for name in names:
            part = getattr(parts, name)
            if part is not None:
                write_likes(folder / f"{name}.parquet", part)


@click.command()
@likes_argument()
@reading_options
@searching_options
@set_option
@half_life_option
@seed_option
@threads_option
@verbose_option
@quiet_option
def search(likes: Source, verbose: bool, quiet: bool, **options: Any) -> None:
    """Search for the best settings; write the ledger, the leaderboard and all curves."""
    from alsolike.cli.terminal import Terminal
    from alsolike.errors import DegenerateError
    from alsolike.pipeline.job import resolve
    from alsolike.pipeline.outputs import write_search
    from alsolike.pipeline.precompile import ahead
    from alsolike.pipeline.run import prepare, search_settings
    from alsolike.storage.atomic import alone_in

    job = _job(likes, options)
    resolved, families = resolve(job), job.search.families
    with alone_in(job.out):
        with Terminal(quiet=quiet, verbose=verbose) as terminal, ahead(families) as compiling:
            _say_if_compiling(terminal, compiling=compiling)
            prepared = prepare(resolved, observer=terminal)
            try:
                found = search_settings(resolved, prepared, observer=terminal)
            except DegenerateError as error:
                write_search(error.found, job.out)
                raise
            terminal.tell(found)
        write_search(found, job.out)
    if not quiet:
        curves = " and learning_curves" if len(found.curves) else ""
        say(f"Wrote leaderboard.csv{curves} to {job.out}")


@click.command()
@click.argument("folder", type=PATH)
@to_option
@verbose_option
def runs(folder: Path, to: Path | None, verbose: bool) -> None:
    """Show the status of a search, during or after it: states, time left, leaderboard."""
    from alsolike.storage.atomic import write_table
    from alsolike.tuning.status import status_of

    found = status_of(folder)
    if to is None:
        say(brief(found, verbose=verbose))
    else:
        write_table(to, found.leaderboard)


@click.command()
@likes_argument()
@reading_options
@click.option("--to", required=True, type=PATH, help="Folder for the model.")
@click.option(
    "--family",
    metavar="NAME",
    help="als, feature-als, explicit-als, item-knn, ease, sparse-linear, item-profile, lmf, bpr, "
    "warp, blend, popularity or random [default: als, or the family of --from].",
)
@click.option("--from", "begin", type=PATH, help="Model to continue from.")
@click.option("--add", is_flag=True, help="LIKES are new; add them to the likes in --from.")
@set_option
@half_life_option
@threads_option
@without_history_option
@verbose_option
@quiet_option
def fit(
    likes: Source,
    to: Path,
    family: str | None,
    begin: Path | None,
    add: bool,
    settings: tuple[str, ...],
    half_life: str | None,
    without_history: bool,
    verbose: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Fit a model to a table as it is, or continue training one with newer likes."""
    from alsolike.cli.terminal import Terminal
    from alsolike.data.merge import joined
    from alsolike.engines.local import LocalEngine
    from alsolike.errors import SettingError
    from alsolike.models.bundle import io as bundle
    from alsolike.models.fit import fit as train
    from alsolike.models.protocols import HasLoss
    from alsolike.models.registry import family_of
    from alsolike.pipeline.precompile import ahead

    engine = LocalEngine(options["threads"])
    start = None if begin is None else bundle.load(begin)
    config = _config(start, family, settings_with(settings, half_life))
    bundle.refuse_other_folder(to)
    if add and (start is None or start.history is None):
        raise SettingError("--add needs --from with a model that was saved with its likes.")
    from_another = [] if begin is None or begin == to else [begin]
    found, report = read_likes(likes, options, reads=from_another, writes=[to])
    kind = family_of(config)
    with Terminal(quiet=quiet, verbose=verbose) as terminal, contextlib.ExitStack() as meanwhile:
        terminal.tell(report)
        if add and start is not None and start.history is not None:
            found = joined(start.history, found, observer=terminal)
        if start is not None and not kind.goes_on:
            terminal.tell(
                f"{kind.name} is trained again from scratch, with the settings of {begin}."
            )
            start = None
        if kind.code(config, found) is not None:
            _say_if_compiling(terminal, compiling=meanwhile.enter_context(ahead()))
        model = train(found, config, start=start, engine=engine, observer=terminal)
        loss = f", loss {model.loss(engine=engine):.6g}" if isinstance(model, HasLoss) else ""
        terminal.tell(f"{model!r}{loss}")
    bundle.save(model, to, with_history=not without_history)
    if not quiet:
        say(f"Saved in {to}")


def _config(start: "FittedModel | None", family: str | None, changes: dict[str, Any]) -> Any:
    """Return the configuration of `start`, or else of a family, with `changes`."""
    from alsolike.errors import SettingError
    from alsolike.models.fit import config_for
    from alsolike.models.registry import family_of_model

    if start is None:
        return config_for(None, changes, family=family)
    known = family_of_model(start, "go on from it")
    if not known.is_trained:
        raise SettingError(
            f"--from: {start!r} was made by another program; its training cannot be continued."
        )
    return config_for(known.config.from_settings(start.settings), changes, family=family)


@click.command("compile")
def compile_() -> None:
    """Compile the kernels of a run for this processor.

    Useful when building a container image. Other commands do this automatically, once.
    """
    from alsolike.kernels.compiler.cache import keeps
    from alsolike.pipeline.precompile import compile_all, is_compiled

    was_compiled = is_compiled()
    compile_all()
    if not keeps():
        say("Compiled, but not cached: see the warning above.", err=True)
    else:
        say("Everything was compiled already." if was_compiled else "Compiled and cached.")


def _say_if_compiling(terminal: Any, *, compiling: bool) -> None:
    if compiling:
        terminal.tell("Compiling for this processor in the background; this happens once.")


def _program() -> str:
    """Return the command to call this program with: its path if it is not on PATH."""
    path = Path(sys.argv[0])
    if path.name != "alsolike" or shutil.which("alsolike"):
        return "alsolike"
    return shlex.quote(os.path.relpath(path))


def _typed() -> str:
    return shlex.join(["alsolike", *sys.argv[1:]])
