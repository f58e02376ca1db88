"""Defines the verbs of features such as tags: items-for, suggest-features, add-items."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.files import load_model, say_rules, show_rows, write_rows
from alsolike.cli.ids import as_utf8, item_ids, rules_of, some_or_all
from alsolike.cli.options import (
    PATH,
    NamedPath,
    k_option,
    rules_options,
    to_option,
    verbose_option,
)
from alsolike.cli.printing import say, say_table, warn

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


@click.command("add-items")
@click.argument("model", type=PATH)
@click.argument("file", type=NamedPath())
@click.option("--out", type=PATH, help="Where to save the model [default: in place of MODEL].")
@click.option("--renew", is_flag=True, help="Take new features of items that have likes, too.")
@click.option("--item", "item_id", metavar="COLUMN",
              help="Column of ids [default: item, item_id or id, else the first].")  # fmt: skip
@click.option("--item-name", metavar="COLUMN", help="Column of names [default: name].")
@click.option("--item-image", metavar="COLUMN", help="Column of images [default: image].")
@click.option("--item-link", metavar="COLUMN", help="Column of links [default: link].")
@click.option("--delimiter", help="Of a text file [default: found].")
@click.option("--header/--no-header", default=None, help="Whether the first row names columns.")
@click.option("--encoding", metavar="NAME", help="Of a text file [default: found].")
def add_items(
    model: Path,
    file: str,
    out: Path | None,
    renew: bool,
    item_id: str | None,
    item_name: str | None,
    item_image: str | None,
    item_link: str | None,
    **dialect: Any,
) -> None:
    """Add items without likes to a model, by their features in FILE.

    FILE has a row for each item, with the columns that the model's features were made of, or a row
    for each item and feature.
    """
    from alsolike.data.reading.features.further import encode_more
    from alsolike.data.reading.item_table import read_texts
    from alsolike.errors import DataError
    from alsolike.models.bundle import io as bundle
    from alsolike.models.bundle.manifest import models_of_run
    from alsolike.models.protocols import AddsItems, able
    from alsolike.recommending.features import new_items
    from alsolike.recommending.features.names import item_features_of
    from alsolike.storage.atomic import refuse_overlap

    path, _ = models_of_run(model)
    target = path if out is None else out
    refuse_overlap([file], [target])
    loaded = bundle.load(path)
    able(loaded, AddsItems, new_items.PURPOSE)
    known = item_features_of(loaded, new_items.PURPOSE)
    table, report = encode_more(known, file, id_column=item_id, **dialect)
    for warning in report.warnings:
        warn(warning)
    labels = () if loaded.catalogue is None else tuple(loaded.catalogue.columns())
    roles = {"name": item_name, "image": item_image, "link": item_link}
    texts = read_texts(file, table.ids, labels, item_id=item_id, roles=roles, **dialect)
    changed, found = new_items.add_items(loaded, table, texts, renew=renew)
    unknown = {block.name: block.unknown for block in report.blocks if block.unknown}
    found = replace(found, unknown_features=unknown)
    if not found.added and not found.renewed:
        raise DataError(f"{file}: no item has a feature that the model knows. {found}")
    say(str(found))
    about = bundle.describe(path)
    bundle.save(
        changed,
        target,
        metrics=about.metrics,
        notes=about.notes,
        with_history=about.has_history,
    )
    say(f"Saved {target}")


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
