"""The verbs that ask a fitted model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.files import read_likes, write_rows
from alsolike.cli.options import PATH, k_option, reading_options, threads_option, to_option

if TYPE_CHECKING:
    from alsolike.tables import Table


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
    from alsolike.evaluation.measures import evaluate as measure
    from alsolike.models import bundle
    from alsolike.recommending.answers import history_of

    loaded = bundle.load(model)
    engine = LocalEngine(options["threads"])
    found, _ = read_likes(held_out, options)
    known, unknown = aligned(found, loaded.users, loaded.items)
    if unknown:
        click.echo(f"{unknown:,} likes of users or items that the model does not know left out.")
    exclude = None if keep_seen else history_of(loaded, "leave out what was seen")
    result = measure(loaded, known, exclude=exclude, k=k, engine=engine)
    click.echo(str(result.summary()))


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
    from alsolike.engines.local import LocalEngine
    from alsolike.models import bundle
    from alsolike.recommending import many

    table = many.similar(
        bundle.load(model),
        _asked(items, every=every, what="item"),
        k=k,
        min_count=min_count,
        engine=LocalEngine(threads),
    )
    _show(table, to)


@click.command()
@click.argument("model", type=PATH)
@click.argument("users", nargs=-1)
@click.option("--all", "every", is_flag=True, help="All users.")
@k_option
@click.option("--keep-seen", is_flag=True, help="Do not leave out what the user has seen.")
@click.option("--allow", multiple=True, metavar="ITEM", help="Only these items.")
@click.option("--deny", multiple=True, metavar="ITEM", help="None of these items.")
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

    table = many.recommend(
        bundle.load(model),
        _asked(users, every=every, what="user"),
        k=k,
        exclude_seen=not keep_seen,
        allow=allow or None,
        deny=deny or None,
        engine=LocalEngine(threads),
    )
    _show(table, to)


@click.command()
@click.argument("model", type=PATH)
@click.argument("user")
@click.argument("item")
def explain(model: Path, user: str, item: str) -> None:
    """Say which of a user's likes carry how much of the score of an item."""
    from alsolike.models import bundle
    from alsolike.recommending import one

    click.echo(str(one.explain(bundle.load(model), user, item)))


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1, required=True)
@click.option("--k", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--to", required=True, type=PATH, help="The page to write.")
@click.option("--remote-images", is_flag=True, help="Let the page load pictures from the web.")
def gallery(model: Path, items: tuple[str, ...], k: int, to: Path, remote_images: bool) -> None:
    """Lay out ITEMS and their most similar items as a page of cards."""
    from alsolike.models import bundle
    from alsolike.views.gallery import gallery as lay_out
    from alsolike.writing import write_text

    shelves = lay_out(bundle.load(model), items, k=k, remote_images=remote_images)
    write_text(to, shelves.to_html())
    click.echo(f"Open {to}")


@click.command()
@click.argument("model", type=PATH)
def describe(model: Path) -> None:
    """Say what a model is: its settings, its data, its figures, its files."""
    from alsolike.models import bundle

    click.echo(str(bundle.describe(model)))


def _asked(ids: tuple[str, ...], *, every: bool, what: str) -> list[str] | None:
    if every == bool(ids):
        raise click.UsageError(f"Give the ids of {what}s, or --all.")
    return None if every else list(ids)


def _show(table: "Table", to: Path | None) -> None:
    if to is None:
        click.echo(str(table))
    else:
        write_rows(to, table)
