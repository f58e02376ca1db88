"""The verbs that ask a fitted model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.asked import item_ids, some_or_all, user_ids
from alsolike.cli.files import read_likes, write_rows
from alsolike.cli.options import PATH, k_option, reading_options, threads_option, to_option
from alsolike.cli.printing import say

if TYPE_CHECKING:
    from alsolike.tables import Table


_LEAVE_OUT, _KEEP = "leave out what was seen", ", or give --keep-seen"


@click.command()
@click.argument("model", type=PATH)
@click.argument("held_out", type=click.Path())
@reading_options
@k_option
@click.option("--keep-seen", is_flag=True, help="Do not leave out training items (the article).")
@threads_option
def evaluate(model: Path, held_out: str, k: int, keep_seen: bool, **options: Any) -> None:
    """Score a model on a table of held-out likes, with the interval of each mean."""
    from alsolike.data.joining import aligned
    from alsolike.engines.local import LocalEngine
    from alsolike.errors import SettingError
    from alsolike.evaluation.measures import evaluate as measure
    from alsolike.evaluation.results import said_of_degenerate
    from alsolike.models import bundle
    from alsolike.recommending.answers import history_of

    loaded = bundle.load(model)
    engine = LocalEngine(options["threads"])
    found, _ = read_likes(held_out, options, reads=[model])
    known, unknown = aligned(found, loaded.users, loaded.items)
    if unknown:
        say(f"{unknown:,} likes of users or items that the model does not know left out.")
    exclude = None if keep_seen else history_of(loaded, _LEAVE_OUT, way_out=_KEEP)
    if exclude is not None and (both := (exclude.user_items != 0).multiply(known.user_items).nnz):
        raise SettingError(
            f"{both:,} of these likes are among those that the model was trained on, and could "
            "never be found where seen items are left out. Give likes that were held out, or "
            "--keep-seen."
        )
    evaluation = measure(loaded, known, exclude=exclude, k=k, engine=engine)
    say(evaluation.summary())
    if evaluation.is_degenerate:
        say(f"warning: {said_of_degenerate(evaluation.degenerate_share)}", err=True)


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All items.")
@k_option
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Likes that a neighbour must have.",
)
@to_option
@threads_option
def similar(
    model: Path,
    items: tuple[str, ...],
    every: bool,
    k: int,
    min_count: int,
    to: Path | None,
    threads: int | None,
) -> None:
    """List the most similar items of ITEMS, by id or name."""
    from alsolike.models import bundle
    from alsolike.recommending.one import similar_to
    from alsolike.writing import refuse_overlap

    asked = some_or_all(items, every=every, what="item")
    refuse_overlap([model], filter(None, [to]))
    loaded = bundle.load(model)
    ids = None if asked is None else item_ids(loaded, asked)
    if ids is None or to is not None:
        from alsolike.engines.local import LocalEngine
        from alsolike.recommending.many import similar as similar_items

        engine = LocalEngine(threads)
        table = similar_items(loaded, ids, k=k, min_count=min_count, engine=engine)
        _show(table, to, none=_no_neighbour(min_count))
        return
    for item in ids:
        if len(ids) > 1:
            name = loaded.catalogue.name_of(loaded.item_index(item)) if loaded.catalogue else ""
            say(f"Similar to {name} ({item})" if name else f"Similar to {item}")
        table = similar_to(loaded, item, k=k, min_count=min_count)
        _show(table, None, none=_no_neighbour(min_count))


@click.command()
@click.argument("model", type=PATH)
@click.argument("users", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All users.")
@k_option
@click.option("--keep-seen", is_flag=True, help="Do not leave out what the user has seen.")
@click.option("--allow", multiple=True, metavar="ITEM", help="Only these items, by id or name.")
@click.option("--deny", multiple=True, metavar="ITEM", help="None of these items, by id or name.")
@to_option
@threads_option
def recommend(
    model: Path,
    users: tuple[str, ...],
    every: bool,
    k: int,
    keep_seen: bool,
    allow: tuple[str, ...],
    deny: tuple[str, ...],
    to: Path | None,
    threads: int | None,
) -> None:
    """List the best items for USERS."""
    from alsolike.engines.local import LocalEngine
    from alsolike.models import bundle
    from alsolike.recommending import many
    from alsolike.recommending.answers import history_of
    from alsolike.writing import refuse_overlap

    asked = some_or_all(users, every=every, what="user")
    refuse_overlap([model], filter(None, [to]))
    loaded = bundle.load(model)
    if not keep_seen:
        history_of(loaded, _LEAVE_OUT, way_out=_KEEP)
    table = many.recommend(
        loaded,
        None if asked is None else user_ids(loaded, asked),
        k=k,
        exclude_seen=not keep_seen,
        allow=item_ids(loaded, allow) if allow else None,
        deny=item_ids(loaded, deny) if deny else None,
        engine=LocalEngine(threads),
    )
    _show(table, to, none="No item is left to recommend; try --keep-seen, or other lists.")


@click.command()
@click.argument("model", type=PATH)
@click.argument("user")
@click.argument("item")
def explain(model: Path, user: str, item: str) -> None:
    """Say which of a user's likes carry how much of the score of an item."""
    from alsolike.models import bundle
    from alsolike.recommending import one

    loaded = bundle.load(model)
    [user], [item] = user_ids(loaded, [user]), item_ids(loaded, [item])
    say(one.explain(loaded, user, item))


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1, required=True)
@click.option(
    "--k", type=click.IntRange(min=1), default=5, show_default=True, help="Neighbours of each."
)
@click.option("--to", required=True, type=PATH, help="The page to write.")
@click.option("--remote-images", is_flag=True, help="Let the page load pictures from the web.")
def gallery(model: Path, items: tuple[str, ...], k: int, to: Path, remote_images: bool) -> None:
    """Lay out ITEMS and their most similar items as a page of cards."""
    from alsolike.models import bundle
    from alsolike.views.gallery import gallery as lay_out
    from alsolike.writing import refuse_overlap, write_text

    refuse_overlap([model], [to])
    loaded = bundle.load(model)
    shelves = lay_out(loaded, item_ids(loaded, items), k=k, remote_images=remote_images)
    write_text(to, shelves.to_html())
    say(f"Open {to}")


@click.command()
@click.argument("model", type=PATH)
def describe(model: Path) -> None:
    """Say what a model is: its settings, its data, its figures, its files."""
    from alsolike.models import bundle

    say(bundle.describe(model))


def _no_neighbour(min_count: int) -> str:
    if min_count == 1:
        return "No neighbour: no other item has factors, or this one has none."
    return f"No neighbour has at least {min_count:,} likes; try --min-count 1."


def _show(table: "Table", to: Path | None, *, none: str) -> None:
    """Show or write a table; where it has no rows, say on standard error why."""
    if not len(table):
        say(none, err=True)
    if to is None:
        say(table)
    else:
        write_rows(to, table)
