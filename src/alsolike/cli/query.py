"""Defines the verbs that query a fitted model: evaluate, recommend, explain and others."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.arguments import names_of, settings_with
from alsolike.cli.files import held_out_likes, load_model, read_likes, say_rules, show_rows
from alsolike.cli.ids import expect_one_group, item_ids, rules_of, user_ids, user_ids_or_new
from alsolike.cli.options import (
    PATH,
    fallback_option,
    half_life_option,
    k_option,
    keep_seen_option,
    rules_options,
    set_option,
    threads_option,
    to_option,
    verbose_option,
    without_likes_option,
)
from alsolike.cli.printing import Warnings, say, say_answer, say_table, warn
from alsolike.cli.reading_options import (
    Source,
    likes_argument,
    reading_options,
    refuse_reading_options,
)
from alsolike.text import counted

if TYPE_CHECKING:
    from alsolike.data.interactions import Interactions
    from alsolike.data.vocabulary import Id
    from alsolike.models.base import FittedModel
    from alsolike.recommending.unknown.fallback import Fallback, WithoutLikes
    from alsolike.tables import Table


def _evaluation_command(verb: Callable[..., None]) -> click.Command:
    """Make a command of a function that scores a model on held-out likes."""
    for option in (
        verbose_option,
        threads_option,
        click.option(
            "--keep-seen",
            is_flag=True,
            help="Keep training items in the lists, as in the article.",
        ),
        k_option,
        reading_options,
        likes_argument("held_out"),
        click.argument("model", type=PATH),
    ):
        verb = option(verb)
    return click.command()(verb)


@_evaluation_command
@click.option(
    "--metrics",
    metavar="NAME,NAME",
    help="Metrics to measure [default: those of accuracy, and coverage]; also percentile_rank, "
    "pooled_percentile_rank, novelty, diversity and, with --agree, feature_diversity.",
)
@click.option(
    "--agree",
    metavar="COLUMN",
    help="Features for feature_diversity: a column of the item table, or FILE:ITEM,COLUMN.",
)
@click.option(
    "--new-items",
    is_flag=True,
    help="Score held-out likes of items that the model has no likes of: in lists of these alone "
    "and of all items, and how often they are listed.",
)
def evaluate(
    verbose: bool, metrics: str | None, agree: str | None, new_items: bool, **options: Any
) -> None:
    """Score a model on held-out likes, each mean with its 95 % interval.

    Of a model that predicts ratings, the errors of these come first: RMSE and MAE.
    """
    from alsolike.evaluation.cold_items.evaluate import evaluate_new_items
    from alsolike.evaluation.metrics.evaluate import ACCURACY, USUAL
    from alsolike.evaluation.metrics.evaluate import evaluate as measure
    from alsolike.evaluation.metrics.ratings import evaluate_ratings
    from alsolike.evaluation.metrics.result import describe_degenerate
    from alsolike.models.protocols import PredictsRatings
    from alsolike.pipeline.similar_items.compare import FeatureSource

    loaded, known, how = _evaluation_inputs(**options)
    if new_items:
        if agree is not None:
            raise click.UsageError("--agree is for lists of all items; leave out --new-items.")
        of_new = ACCURACY if metrics is None else names_of(metrics) or ()
        say_answer(evaluate_new_items(loaded, known, metrics=of_new, **how), verbose=verbose)
        return
    names = USUAL if metrics is None else names_of(metrics) or ()
    features = None if agree is None else FeatureSource.of(agree).read(loaded)
    if isinstance(loaded, PredictsRatings):
        say_answer(evaluate_ratings(loaded, known, engine=how["engine"]), verbose=verbose)
    evaluation = measure(loaded, known, metrics=names, features=features, **how)
    summary = evaluation.table()
    say_table(summary, least=("high", "low"), same=("users",), whole="--verbose", verbose=verbose)
    if evaluation.is_degenerate:
        warn(describe_degenerate(evaluation.degenerate_share))


@click.command("evaluate-folds")
@likes_argument()
@reading_options
@click.option("--family", metavar="NAME", help="Family to train [default: als].")
@set_option
@half_life_option
@click.option("--folds", type=click.IntRange(min=1), default=3, show_default=True,
              help="Windows of time to test on.")  # fmt: skip
@click.option("--share", type=float, help="Share of all likes in each window [default: 0.1].")
@click.option("--metrics", metavar="NAME,NAME", help="As in evaluate.")
@k_option
@threads_option
@verbose_option
def evaluate_folds(
    likes: Source,
    family: str | None,
    settings: tuple[str, ...],
    half_life: str | None,
    folds: int,
    share: float | None,
    metrics: str | None,
    k: int,
    verbose: bool,
    **options: Any,
) -> None:
    """Train settings before each of some windows of time, and score them on the window.

    All windows together are scored by user, with a 95 % interval.
    """
    from alsolike.data.splitting.by_name import folds_by_time
    from alsolike.engines.local import LocalEngine
    from alsolike.evaluation.folds import evaluate_folds as measure
    from alsolike.evaluation.metrics.evaluate import USUAL, checked_metrics
    from alsolike.models.fit import config_for

    config = config_for(None, settings_with(settings, half_life), family=family)
    names = checked_metrics(USUAL if metrics is None else names_of(metrics) or ())
    engine = LocalEngine(options["threads"])
    found, _ = read_likes(likes, options)
    splits = folds_by_time(found, folds, share)
    evaluated = measure(config, splits, k=k, metrics=names, engine=engine)
    for table in (evaluated.folds(), evaluated.table()):
        say_table(table, least=("test from", "high", "low"), whole="--verbose", verbose=verbose)


@_evaluation_command
def metric_definitions(verbose: bool, **options: Any) -> None:
    """Score the same lists under the metric definitions of several libraries.

    These are implicit, irspack, LightFM, RecBole and Spark.
    """
    from alsolike.evaluation.metrics.metric_definitions import metric_definitions as compare

    loaded, known, how = _evaluation_inputs(**options)
    say_answer(compare(loaded, known, **how), verbose=verbose)


def _evaluation_inputs(
    model: Path, held_out: Source, k: int, keep_seen: bool, **options: Any
) -> tuple["FittedModel", "Interactions", dict[str, Any]]:
    """Return a model, held-out likes and further arguments of an evaluation."""
    from alsolike.engines.local import LocalEngine

    loaded = load_model(model)
    engine = LocalEngine(options["threads"])
    known, exclude = held_out_likes(loaded, model, held_out, options, keep_seen=keep_seen)
    return loaded, known, {"exclude": exclude, "k": k, "engine": engine}


@click.command()
@click.argument("model", type=PATH)
@click.argument("users", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all users.")
@click.option(
    "--likes",
    type=click.Path(),
    metavar="FILE",
    help="For all users of this table of likes, in the model or not, by these likes alone.",
)
@click.option(
    "--like",
    "liked",
    multiple=True,
    metavar="ITEM",
    help="For somebody who likes this item, by id or name; repeatable.",
)
@reading_options
@k_option
@keep_seen_option
@click.option(
    "--allow",
    multiple=True,
    metavar="ITEM",
    help="Recommend only this item, by id or name; repeatable.",
)
@click.option(
    "--deny",
    multiple=True,
    metavar="ITEM",
    help="Never recommend this item, by id or name; repeatable.",
)
@rules_options
@without_likes_option
@fallback_option
@to_option
@verbose_option
@threads_option
def recommend(
    model: Path,
    users: tuple[str, ...],
    every: bool,
    likes: str | None,
    liked: tuple[str, ...],
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    fallback: "Fallback",
    to: Path | None,
    verbose: bool,
    **options: Any,
) -> None:
    """Recommend items for USERS, for the users of a table of likes, or for liked items.

    The options of reading are for --likes.
    """
    expect_one_group(users, every=every, likes=likes, liked=liked)
    if fallback != "error" and not users:
        raise click.UsageError("--fallback is for USERS who are not in the model.")
    if likes is None:
        refuse_reading_options("--likes")
    rules = rules_of(options)
    loaded = load_model(model, to)
    how = {
        "k": options.pop("k"),
        "rules": rules,
        "allow": item_ids(loaded, allow) if allow else None,
        "deny": item_ids(loaded, deny) if deny else None,
        "without_likes": options.pop("without_likes"),
    }
    keep_seen = options.pop("keep_seen")
    none = "No items left to recommend; try --keep-seen, or other --allow and --deny lists."
    if likes is not None:
        table = _for_table(loaded, model, likes, options, exclude_seen=not keep_seen, **how)
    elif liked:
        table = _for_liked(loaded, liked, keep_seen=keep_seen, **how)
    else:
        typed = None if every else users
        table, noted = _for_users(
            loaded, typed, fallback, options["threads"], keep_seen=keep_seen, **how
        )
        none = "" if noted or rules is not None else none
    show_rows(table, to, none=none, verbose=verbose)


def _for_users(
    loaded: "FittedModel",
    typed: Sequence[str] | None,
    fallback: "Fallback",
    threads: int | None,
    *,
    keep_seen: bool,
    without_likes: "WithoutLikes",
    **how: Any,
) -> "tuple[Table, bool]":
    """Return lists of users of a model, and whether it was said why some may have none."""
    from alsolike.engines.local import LocalEngine
    from alsolike.recommending import batch
    from alsolike.recommending.shared import history_of
    from alsolike.recommending.unknown.fallback import fallback_notes

    if not keep_seen:
        history_of(loaded, "leave out what was seen", way_out=", or give --keep-seen")
    new: dict[Id, None] = {}
    if typed is None:
        ids = list(loaded.users)
    elif fallback == "error":
        ids = user_ids(loaded, typed)
    else:
        ids, new = user_ids_or_new(loaded, typed)
    table = batch.recommend(
        loaded,
        ids,
        exclude_seen=not keep_seen,
        without_likes=without_likes,
        fallback=fallback,
        engine=LocalEngine(threads),
        **how,
    )
    known = loaded.users.indices_of(one for one in ids if one not in new)
    notes = fallback_notes(loaded, known, without_likes)
    if new:
        more = f" and {len(new) - 1:,} more" if len(new) > 1 else ""
        gets = "no list" if fallback == "none" else "the most liked items (fallback popular)"
        notes.append(f"Not in the model: {next(iter(new))!r}{more}; {gets}.")
    for sentence in notes:
        say(sentence, err=True)
    is_empty = bool(notes) and (without_likes == "empty" or fallback == "none")
    if (rules := how["rules"]) is not None:
        say_rules(loaded, rules, how["k"], table, () if is_empty else ids, "user")
    return table, is_empty


def _for_table(
    loaded: "FittedModel", model: Path, likes: str, options: dict[str, Any], **how: Any
) -> "Table":
    """Return lists of the users of a table of likes, by these alone."""
    from alsolike.engines.local import LocalEngine
    from alsolike.recommending.new_users import recommend_to_new

    engine = LocalEngine(options["threads"])
    found, _ = read_likes(likes, options, reads=[model])
    if known := int((loaded.users.places_of(found.users) >= 0).sum()):
        say(
            f"In the model, too: {counted(known, 'user')} of {likes}; the lists rest on this table "
            "alone.",
            err=True,
        )
    return recommend_to_new(loaded, found, engine=engine, observer=Warnings(), **how)


def _for_liked(
    loaded: "FittedModel", liked: Sequence[str], *, keep_seen: bool, **how: Any
) -> "Table":
    """Return the list of somebody who likes some items."""
    from alsolike.recommending.single import recommend_for_likes

    if keep_seen:
        raise click.UsageError("--keep-seen is not for --like: these items are never listed.")
    return recommend_for_likes(loaded, dict.fromkeys(item_ids(loaded, liked), 1.0), **how)


@click.command()
@click.argument("model", type=PATH)
@click.argument("user")
@click.argument("item")
@verbose_option
def explain(model: Path, user: str, item: str, verbose: bool) -> None:
    """Show how much each of a user's likes contributes to an item's score."""
    from alsolike.recommending import explain as explaining

    loaded = load_model(model)
    [user_id], [item_id] = user_ids(loaded, [user]), item_ids(loaded, [item])
    say_answer(explaining.explain(loaded, user_id, item_id), verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
def describe(model: Path) -> None:
    """Describe a model: settings, data, metrics, files."""
    from alsolike.models.bundle import io as bundle

    say(bundle.describe(model))
