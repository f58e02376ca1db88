"""Defines the verbs `export` (lists and factors as files), `diff` (two models) and `anonymize`."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from alsolike.cli.ids import rules_of
from alsolike.cli.options import (
    PATH,
    k_option,
    keep_seen_option,
    min_count_option,
    quiet_option,
    remote_images_option,
    rules_options,
    threads_option,
    to_option,
    verbose_option,
    without_likes_option,
)
from alsolike.cli.printing import as_shown, say, say_answer, warn
from alsolike.cli.reading_options import (
    dialect_options,
)
from alsolike.cli.similar import Share, dial_options, marks_option

# As in `alsolike.export.export`, whose import would make --help slow.
_FORMATS = ["parquet", "jsonl", "sqlite", "json", "html"]
_OF_FACTORS = {"model", "factors", "threads", "quiet"}


@click.command()
@click.argument("model", type=PATH)
@click.option("--to", type=PATH, help="Output folder: new, or of an earlier export.")
@click.option(
    "--factors",
    type=PATH,
    help="Folder for user and item factors, for a vector database; with or without --to.",
)
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
@dial_options
@marks_option("0,1", "Marks of the dial that pages of items show besides; none: no others.")
@min_count_option
@rules_options
@remote_images_option
@threads_option
@quiet_option
def export(
    model: Path,
    to: Path | None,
    factors: Path | None,
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
    from alsolike.export.factors import export_factors
    from alsolike.storage.atomic import refuse_overlap

    _check_outputs(to, factors)
    rules = rules_of(options)
    refuse_overlap([], filter(None, [to, factors]))
    with Terminal(quiet=quiet) as terminal:
        done: list[object] = []
        if to is not None:
            done.append(
                write_files(
                    model,
                    to,
                    formats=formats or _FORMATS,
                    exclude_seen=not keep_seen,
                    rules=rules,
                    engine=LocalEngine(threads),
                    observer=terminal,
                    **options,
                )
            )
        if factors is not None:
            done.append(export_factors(model, factors, observer=terminal))
    for one in () if quiet else done:
        say(one)


def _check_outputs(to: Path | None, factors: Path | None) -> None:
    """Refuse an export of nothing, and options of lists without a folder for them."""
    if to is not None:
        return
    if factors is None:
        raise click.UsageError("Give --to FOLDER for lists, --factors FOLDER, or both.")
    for option in click.get_current_context().command.params:
        name = option.name or ""
        if _is_typed(name) and name not in _OF_FACTORS:
            raise click.UsageError(f"{option.opts[0]} is for lists, which need --to FOLDER.")


def _is_typed(option: str) -> bool:
    source = click.get_current_context().get_parameter_source(option)
    return source is ParameterSource.COMMANDLINE


@click.command()
@click.argument("old", type=PATH)
@click.argument("new", type=PATH)
@k_option
@dial_options
@click.option(
    "--popularity-bias-old",
    type=Share(),
    metavar="SHARE",
    help="The same for OLD alone.",
)
@click.option(
    "--popularity-bias-new",
    type=Share(),
    metavar="SHARE",
    help="The same for NEW alone.",
)
@min_count_option
@click.option(
    "--fail-over",
    type=Share(),
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
    popularity_bias: float | None,
    popularity_bias_old: float | None,
    popularity_bias_new: float | None,
    **dial: Any,
) -> None:
    """Show which lists of similar items changed from OLD to NEW, and by how much.

    Each model is compared by its own settings, unless others are given.
    """
    from alsolike.cli.files import load_model, write_rows
    from alsolike.engines.local import LocalEngine
    from alsolike.recommending.affinities import with_similarity
    from alsolike.recommending.model_diff import diff as compare

    biases = (popularity_bias_old, popularity_bias_new)
    if popularity_bias is not None and biases != (None, None):
        raise click.UsageError(
            "Give --popularity-bias for both models, or one each by --popularity-bias-old and "
            "--popularity-bias-new."
        )
    models = [
        with_similarity(
            load_model(path, to, for_similar=True),
            popularity_bias=popularity_bias if bias is None else bias,
            **dial,
        )
        for path, bias in zip((old, new), biases, strict=True)
    ]
    found = compare(*models, k=k, min_count=min_count, engine=LocalEngine(threads))
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


@click.command()
@click.argument("table", metavar="IN", type=click.Path())
@click.argument("to", metavar="OUT", type=PATH)
@click.option("--key-file", required=True, type=PATH, help="File of the key: 32 bytes or more.")
@click.option("--new-key", is_flag=True, help="Make that file; never over another one.")
@click.option("--user", default="user", show_default=True, help="Column of ids of people.")
@click.option("--columns", metavar="NAME,NAME", help="Several columns of ids of people.")
@click.option("--item", help="Column of ids of items, if they are to be hashed, too.")
@dialect_options
@threads_option
def anonymize(
    table: str, to: Path, key_file: Path, user: str, columns: str | None, **options: Any
) -> None:
    """Replace ids of people in table IN by keyed hashes, and write table OUT.

    Everything else stays. The ending of OUT is its format: .csv, .tsv, .psv, .jsonl or .ndjson
    (each perhaps with .gz or .zst), or .parquet.
    """
    from alsolike.cli.arguments import names_of
    from alsolike.data.anonymizing.anonymize import anonymize as replace_ids

    if columns is not None and _is_typed("user"):
        raise click.UsageError("Give --user for one column, or --columns for all of them.")
    done = replace_ids(table, to, key_file=key_file, user=names_of(columns) or user, **options)
    for warning in done.warnings:
        warn(warning)
    say(as_shown(done))
