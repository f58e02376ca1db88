"""Defines the verbs that query a fitted model: evaluate, similar, recommend, explain and others."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.files import held_out_likes, load_model, write_rows
from alsolike.cli.options import (
    PATH,
    k_option,
    keep_seen_option,
    min_count_option,
    reading_options,
    remote_images_option,
    threads_option,
    to_option,
    verbose_option,
    without_likes_option,
)
from alsolike.cli.printing import say, say_answer, say_table, warn
from alsolike.errors import UnknownId
from alsolike.usage_hints import ASKS, did_you_mean_id

if TYPE_CHECKING:
    from alsolike.data.interactions import Interactions
    from alsolike.models.base import FittedModel
    from alsolike.recommending.fallback import WithoutLikes
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
        click.argument("held_out", type=click.Path()),
        click.argument("model", type=PATH),
    ):
        verb = option(verb)
    return click.command()(verb)


@_evaluation_command
def evaluate(verbose: bool, **options: Any) -> None:
    """Score a model on held-out likes, each mean with its 95 % interval."""
    from alsolike.evaluation.metrics.evaluate import evaluate as measure
    from alsolike.evaluation.metrics.result import describe_degenerate

    loaded, known, how = _evaluation_inputs(**options)
    evaluation = measure(loaded, known, **how)
    summary = evaluation.summary()
    say_table(summary, least=("high", "low"), same=("users",), whole="--verbose", verbose=verbose)
    if evaluation.is_degenerate:
        warn(describe_degenerate(evaluation.degenerate_share))


@_evaluation_command
def metric_definitions(verbose: bool, **options: Any) -> None:
    """Score the same lists under the metric definitions of several libraries.

    These are implicit, irspack, LightFM, RecBole and Spark.
    """
    from alsolike.evaluation.metrics.metric_definitions import metric_definitions as compare

    loaded, known, how = _evaluation_inputs(**options)
    say_answer(compare(loaded, known, **how), verbose=verbose)


def _evaluation_inputs(
    model: Path, held_out: str, k: int, keep_seen: bool, **options: Any
) -> tuple["FittedModel", "Interactions", dict[str, Any]]:
    """Return a model, held-out likes and further arguments of an evaluation."""
    from alsolike.engines.local import LocalEngine

    loaded = load_model(model)
    engine = LocalEngine(options["threads"])
    known, exclude = held_out_likes(loaded, model, held_out, options, keep_seen=keep_seen)
    return loaded, known, {"exclude": exclude, "k": k, "engine": engine}


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all items.")
@k_option
@min_count_option
@to_option
@verbose_option
@threads_option
def similar(
    model: Path,
    items: tuple[str, ...],
    every: bool,
    k: int,
    min_count: int,
    to: Path | None,
    verbose: bool,
    threads: int | None,
) -> None:
    """List the items most similar to ITEMS, given by id or name."""
    from alsolike.recommending.single import similar_to

    typed = _some_or_all(items, every=every, what="item")
    loaded = load_model(model, to)
    ids = None if typed is None else _item_ids(loaded, typed)
    if ids is None or to is not None:
        from alsolike.engines.local import LocalEngine
        from alsolike.recommending.batch import similar as similar_items

        engine = LocalEngine(threads)
        table = similar_items(loaded, ids, k=k, min_count=min_count, engine=engine)
        _print_items_without_neighbours(loaded, ids, table, min_count)
        _show(table, to, verbose=verbose)
        return
    for item in ids:
        if len(ids) > 1:
            name = loaded.catalogue.name_of(loaded.item_index(item)) if loaded.catalogue else ""
            say(f"Similar to {name} ({item})" if name else f"Similar to {item}")
        table = similar_to(loaded, item, k=k, min_count=min_count)
        _print_items_without_neighbours(loaded, [item], table, min_count)
        _show(table, None, verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("users", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all users.")
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
@without_likes_option
@to_option
@verbose_option
@threads_option
def recommend(
    model: Path,
    users: tuple[str, ...],
    every: bool,
    k: int,
    keep_seen: bool,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    without_likes: "WithoutLikes",
    to: Path | None,
    verbose: bool,
    threads: int | None,
) -> None:
    """Recommend items for USERS."""
    from alsolike.engines.local import LocalEngine
    from alsolike.recommending import batch
    from alsolike.recommending.fallback import fallback_notes
    from alsolike.recommending.shared import history_of

    typed = _some_or_all(users, every=every, what="user")
    loaded = load_model(model, to)
    if not keep_seen:
        history_of(loaded, "leave out what was seen", way_out=", or give --keep-seen")
    ids = list(loaded.users) if typed is None else _user_ids(loaded, typed)
    table = batch.recommend(
        loaded,
        ids,
        k=k,
        exclude_seen=not keep_seen,
        allow=_item_ids(loaded, allow) if allow else None,
        deny=_item_ids(loaded, deny) if deny else None,
        without_likes=without_likes,
        engine=LocalEngine(threads),
    )
    fallbacks = fallback_notes(loaded, loaded.users.indices_of(ids), without_likes)
    for sentence in fallbacks:
        say(sentence, err=True)
    none = "No items left to recommend; try --keep-seen, or other --allow and --deny lists."
    none = "" if fallbacks and without_likes == "empty" else none
    _show(table, to, none=none, verbose=verbose)


@click.command("similar-users")
@click.argument("model", type=PATH)
@click.argument("users", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all users.")
@k_option
@to_option
@verbose_option
@threads_option
def similar_users(
    model: Path,
    users: tuple[str, ...],
    every: bool,
    k: int,
    to: Path | None,
    verbose: bool,
    threads: int | None,
) -> None:
    """List the users most similar to USERS, given by id; for models with factors."""
    from alsolike.engines.local import LocalEngine
    from alsolike.models.base import HasFactors, able
    from alsolike.recommending.similarity import similar_users as find

    typed = _some_or_all(users, every=every, what="user")
    loaded = able(load_model(model, to), HasFactors, "compare users")
    ids = None if typed is None else _user_ids(loaded, typed)
    table = find(loaded, ids, k=k, engine=LocalEngine(threads))
    without = dict.fromkeys(loaded.users if ids is None else ids)
    for user in table["user"].tolist():
        without.pop(user, None)
    if without:
        first, others = next(iter(without)), len(without) - 1
        more = f" and {others:,} others" if others else ""
        say(f"No similar users for {first!r}{more}: no likes in the training data.", err=True)
    _show(table, to, verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("user")
@click.argument("items", nargs=-1, required=True)
@to_option
@verbose_option
def scores(model: Path, user: str, items: tuple[str, ...], to: Path | None, verbose: bool) -> None:
    """Score ITEMS, given by id or name, for a USER."""
    from alsolike.recommending.pair_scores import scores as of_pairs

    loaded = load_model(model, to)
    ids = _item_ids(loaded, items)
    _show(of_pairs(loaded, _user_ids(loaded, [user]) * len(ids), ids), to, verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("user")
@click.argument("item")
@verbose_option
def explain(model: Path, user: str, item: str, verbose: bool) -> None:
    """Show how much each of a user's likes contributes to an item's score."""
    from alsolike.recommending import explain as explaining

    loaded = load_model(model)
    [user], [item] = _user_ids(loaded, [user]), _item_ids(loaded, [item])
    say_answer(explaining.explain(loaded, user, item), verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1, required=True)
@click.option(
    "--k", type=click.IntRange(min=1), default=5, show_default=True, help="Neighbours per item."
)
@click.option("--to", required=True, type=PATH, help="Output page (.html).")
@remote_images_option
def gallery(model: Path, items: tuple[str, ...], k: int, to: Path, remote_images: bool) -> None:
    """Write a page of cards with ITEMS and their most similar items."""
    from alsolike.storage.atomic import write_text
    from alsolike.views.gallery import gallery as lay_out

    loaded = load_model(model, to)
    shelves = lay_out(loaded, _item_ids(loaded, items), k=k, remote_images=remote_images)
    write_text(to, shelves.to_html())
    say(f"Open {to}")


@click.command()
@click.argument("model", type=PATH)
def describe(model: Path) -> None:
    """Describe a model: settings, data, metrics, files."""
    from alsolike.models.bundle import io as bundle

    say(bundle.describe(model))


def _print_items_without_neighbours(
    model: Any, ids: list[str] | None, table: "Table", min_count: int
) -> None:
    """Print to standard error which items have no neighbours, and why."""
    from alsolike.recommending.shared import why_no_neighbours

    have = set(table["item"].tolist())
    without = [one for one in (model.items if ids is None else ids) if one not in have]
    if not without:
        return
    every = len(without) == len(model.items)
    reason = why_no_neighbours(
        model, None if every else model.items.index_of(without[0]), min_count
    )
    way_out = " Try --min-count 1." if reason.endswith("likes.") and min_count > 1 else ""
    more = f" and {len(without) - 1:,} others" if len(without) > 1 else ""
    say(f"No neighbours for {without[0]!r}{more}. {reason}{way_out}", err=True)


def _show(table: "Table", to: Path | None, *, none: str = "", verbose: bool) -> None:
    """Print or write a table; if it has no rows, print `none` to standard error."""
    if none and not len(table):
        say(none, err=True)
    if to is None:
        say_table(
            table,
            least=("rank", "score", "name"),
            same=("item" if "similar_item" in table else "user",),
            whole="--verbose or --to FILE",
            verbose=verbose,
        )
    else:
        write_rows(to, table)


def _item_ids(model: "FittedModel", typed: Sequence[str]) -> list[str]:
    """Return the ids of items given by id or name."""
    found = []
    for text in map(_as_utf8, typed):
        try:
            found.append(model.items.id_of(model.item_index(text)))
        except UnknownId as error:
            raise UnknownId(_with_way_out(str(error), "similar", "items")) from None
    return found


def _user_ids(model: "FittedModel", typed: Sequence[str]) -> list[str]:
    """Return the ids of users; UnknownId if the model lacks one."""
    texts = [_as_utf8(text) for text in typed]
    for text in texts:
        if text not in model.users:
            hint = did_you_mean_id(text, model.users, model.users.__contains__)
            said = (
                f"user {text!r} is not among the {len(model.users):,} users of this model; those "
                f"with too few likes were filtered out, if there was a filter.{hint}"
            )
            raise UnknownId(_with_way_out(said, "recommend", "users"))
    return texts


def _some_or_all(typed: Sequence[str], *, every: bool, what: str) -> Sequence[str] | None:
    """Return what was typed, or None for --all; exactly one of them must be given."""
    if every == bool(typed):
        raise click.UsageError(f"Give the ids of {what}s, or --all.")
    return None if every else typed


def _as_utf8(text: str) -> str:
    """Return what was typed as UTF-8, even if Python assumes another encoding of the terminal."""
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError:
        return text


def _with_way_out(message: str, verb: str, kind: str) -> str:
    """Append the command that lists all ids to a message without a suggestion."""
    if ASKS in message:
        return message
    return f"{message} To see all ids: alsolike {verb} MODEL --all --to {kind}.csv"
