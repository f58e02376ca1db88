"""Defines the verbs that score given items: scores, and predict, of ratings."""

from pathlib import Path

import click

from alsolike.cli.arguments import ratings_of
from alsolike.cli.files import load_model, show_rows
from alsolike.cli.ids import item_ids, user_ids
from alsolike.cli.options import PATH, to_option, verbose_option


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
    ids = item_ids(loaded, items)
    show_rows(of_pairs(loaded, user_ids(loaded, [user]) * len(ids), ids), to, verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1, required=True)
@click.option("--user", help="Predict for this user of the model.")
@click.option(
    "--rated",
    multiple=True,
    metavar="ITEM=RATING",
    help="Predict for somebody who gave this item, by id or name, this rating; repeatable.",
)
@click.option("--clip", is_flag=True, help="Clip predictions to the range of the training ratings.")
@to_option
@verbose_option
def predict(
    model: Path,
    items: tuple[str, ...],
    user: str | None,
    rated: tuple[str, ...],
    clip: bool,
    to: Path | None,
    verbose: bool,
) -> None:
    """Predict the ratings of ITEMS, given by id or name, by a model of ratings.

    For a user of the model, for somebody new by some ratings, or, with neither, for anybody.
    """
    from alsolike.recommending.ratings import predict_ratings, predict_ratings_for

    if user is not None and rated:
        raise click.UsageError("Give --user or --rated, not both.")
    loaded = load_model(model, to)
    ids = item_ids(loaded, items)
    if user is not None:
        found = predict_ratings(loaded, user_ids(loaded, [user]) * len(ids), ids, clip=clip)
    else:
        given = dict(ratings_of(rated))
        known = dict(zip(item_ids(loaded, tuple(given)), given.values(), strict=True))
        found = predict_ratings_for(loaded, known, ids, clip=clip)
    show_rows(found, to, verbose=verbose)
