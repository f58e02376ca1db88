"""Defines the verbs of features such as tags: items-for, suggest-features, add-items."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from alsolike.cli.files import load_model, say_rules, show_rows, write_rows
from alsolike.cli.ids import as_utf8, item_ids, rules_of, some_or_all
from alsolike.cli.options import (
    PATH,
    k_option,
    rules_options,
    to_option,
    verbose_option,
)
from alsolike.cli.printing import say, say_table

if TYPE_CHECKING:
    from alsolike.data.vocabulary import Id
    from alsolike.models.base import FittedModel
    from alsolike.tables import Table


@click.command("items-for")
@click.argument("model", type=PATH)
@click.argument("features", nargs=-1, required=True, metavar="FEATURE...")
@k_option
@rules_options
@to_option
@verbose_option
def items_for(
    model: Path,
    features: tuple[str, ...],
    k: int,
    to: Path | None,
    verbose: bool,
    **options: str | None,
) -> None:
    """List the items that fit all of FEATURES, such as tags, by name or as "tag: castle"."""
    from alsolike.recommending.features.answers import items_for_features

    rules = rules_of(options)
    loaded = load_model(model, to)
    wanted = [as_utf8(one) for one in features]
    table = items_for_features(loaded, wanted, k=k, rules=rules)
    if rules is not None:
        say_rules(loaded, rules, k, table, [", ".join(wanted)], "set")
    show_rows(table, to, none="No item fits these features.", verbose=verbose)


@click.command("suggest-features")
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all items.")
@k_option
@click.option(
    "--min-support",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Least items that have a suggested feature.",
)
@click.option(
    "--block",
    "blocks",
    multiple=True,
    metavar="NAME",
    help="Suggest from this block of features, such as tag; repeatable [default: all sets].",
)
@to_option
@verbose_option
def suggest_features(
    model: Path,
    items: tuple[str, ...],
    every: bool,
    k: int,
    min_support: int,
    blocks: tuple[str, ...],
    to: Path | None,
    verbose: bool,
) -> None:
    """Suggest features, such as tags, that ITEMS lack, by the features of the nearest items."""
    from alsolike.recommending.features.answers import suggest_features as suggest

    typed = some_or_all(items, every=every, what="item")
    loaded = load_model(model, to, for_similar=True)
    ids = list(loaded.items) if typed is None else item_ids(loaded, typed)
    table = suggest(loaded, ids, k=k, min_support=min_support, blocks=list(blocks) or None)
    _say_without(ids, table)
    if to is not None:
        write_rows(to, table)
    else:
        whole = "--verbose or --to FILE"
        say_table(table, least=("rank", "score"), same=("item",), whole=whole, verbose=verbose)


def _say_without(ids: "list[Id]", table: "Table") -> None:
    """Print to standard error for which items nothing is suggested."""
    have = set(table["item"].tolist())
    if without := [one for one in ids if one not in have]:
        more = f" and {len(without) - 1:,} others" if len(without) > 1 else ""
        say(f"No features to suggest for {without[0]!r}{more}.", err=True)


def show_similar_by(
    loaded: "FittedModel",
    ids: "list[Id] | None",
    by: str,
    weight: float,
    to: Path | None,
    *,
    verbose: bool,
    k: int,
    rules: object,
    **settings: object,
) -> None:
    """Print or write the items similar by features, or by both, to each of some items."""
    from alsolike.recommending.batch import similar

    given = {name: value for name, value in settings.items() if value is not None}
    how = {"k": k, "rules": rules, "by": by, "weight": weight, **given}
    table = similar(loaded, ids, **how)  # type: ignore[arg-type]
    have = set(table["item"].tolist())
    asked = list(loaded.items) if ids is None else ids
    if without := [one for one in asked if one not in have]:
        more = f" and {len(without) - 1:,} others" if len(without) > 1 else ""
        say(f"No item shares features with {without[0]!r}{more}.", err=True)
    show_rows(table, to, verbose=verbose)
