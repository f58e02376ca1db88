"""Defines the verbs and options of similar items: similar, why, gallery, configure and others."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from alsolike.cli.features import show_similar_by
from alsolike.cli.files import load_model, say_rules, show_rows
from alsolike.cli.ids import item_ids, rules_of, some_or_all, user_ids
from alsolike.cli.options import (
    PATH,
    k_option,
    min_count_option,
    remote_images_option,
    rules_options,
    threads_option,
    to_option,
    verbose_option,
)
from alsolike.cli.printing import say
from alsolike.usage_hints import did_you_mean

if TYPE_CHECKING:
    from alsolike.data.vocabulary import Id
    from alsolike.models.base import FittedModel
    from alsolike.models.similarity.config import SimilarityConfig
    from alsolike.recommending.rules.rules import Rules
    from alsolike.tables import Table

Verb = TypeVar("Verb", bound=Callable[..., Any])

# As in `alsolike.models.similarity.config`, whose import would make --help slow.
_AFFINITIES = ["evidence", "audience", "cosine", "dot", "counts"]


class Share(click.FloatRange):
    """A number from 0 to 1, not NaN."""

    def __init__(self) -> None:
        super().__init__(min=0, max=1)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the number, or refuse anything else."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            self.fail(f"a number from 0 to 1 expected, {value!r} given.", param, ctx)
        return super().convert(number, param, ctx)


class _Affinity(click.Choice[str]):
    """An affinity; suggests one for a misspelt name."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the name of an affinity."""
        if value not in _AFFINITIES:
            known = f"one of {', '.join(_AFFINITIES)} expected, {value!r} given."
            self.fail(known + did_you_mean(value, _AFFINITIES), param, ctx)
        return super().convert(value, param, ctx)


class _Marks(click.ParamType[tuple[float, ...]]):
    """Numbers from 0 to 1 with commas, or ``none``."""

    name = "marks"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the numbers."""
        if not isinstance(value, str):
            return value
        texts = [] if value.strip().casefold() == "none" else value.split(",")
        return tuple(Share().convert(text, param, ctx) for text in texts)


_DIAL = (
    click.option(
        "--popularity-bias",
        type=Share(),
        metavar="SHARE",
        help="From 0 (specific items) to 1 (popular items) [default: the model's own].",
    ),
    click.option(
        "--affinity",
        type=_Affinity(_AFFINITIES),
        help="What items are compared by [default: the model's own].",
    ),
    click.option(
        "--prior-strength",
        type=float,
        metavar="LIKERS",
        help="Of evidence: the model's prediction weighs as much as so many likers "
        "[default: the model's own].",
    ),
)


_DIAL_NAMES = ("affinity", "popularity_bias", "prior_strength")


def dial_options(verb: Verb) -> Verb:
    """Give a verb the options of how items are compared, as in `alsolike.similar`."""
    for option in reversed(_DIAL):
        verb = option(verb)
    return verb


def marks_option(default: str, text: str) -> Callable[[Verb], Verb]:
    """Return the option of further marks of the dial."""
    return click.option(
        "--marks", type=_Marks(), default=default, show_default=True, metavar="N,N", help=text
    )


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1)
@click.option("--all", "every", is_flag=True, help="For all items.")
@click.option("--together", is_flag=True, help="One list for all of ITEMS, such as a basket.")
@k_option
@dial_options
@min_count_option
@rules_options
@click.option(
    "--by",
    default="likes",
    show_default=True,
    metavar="NAME,NAME",
    help="Compare items by likes, as the model does, by features, by both, or by blocks of "
    "features, such as tags, images or likes,images.",
)
@click.option(
    "--feature-weight",
    type=Share(),
    default=0.5,
    show_default=True,
    metavar="SHARE",
    help="Of features, where items are compared by likes, too.",
)
@to_option
@verbose_option
@threads_option
def similar(
    model: Path,
    items: tuple[str, ...],
    every: bool,
    together: bool,
    k: int,
    min_count: int,
    by: str,
    feature_weight: float,
    to: Path | None,
    verbose: bool,
    threads: int | None,
    **options: Any,
) -> None:
    """List the items most similar to ITEMS, given by id or name."""
    from alsolike.recommending.single import similar_to

    if together and every:
        raise click.UsageError("Give the ids of items for --together, not --all.")
    if together and by != "likes":
        raise click.UsageError(f"--together compares by likes; leave out --by {by}.")
    typed = some_or_all(items, every=every, what="item")
    rules = rules_of(options)
    loaded = load_model(model, to, for_similar=True)
    ids = None if typed is None else item_ids(loaded, typed)
    if by != "likes":
        how = {"k": k, "rules": rules, **options}
        show_similar_by(loaded, ids, by, feature_weight, to, verbose=verbose, **how)
        return
    how = {"k": k, "min_count": min_count, "rules": rules, **options}
    if ids is not None and together:
        _show_together(loaded, ids, to, verbose=verbose, **how)
    elif ids is None or to is not None:
        from alsolike.engines.local import LocalEngine
        from alsolike.recommending.batch import similar as similar_items

        table = similar_items(loaded, ids, engine=LocalEngine(threads), **how)
        _print_notes(loaded, ids, table, **how)
        show_rows(table, to, verbose=verbose)
    else:
        for item in ids:
            if len(ids) > 1:
                say(f"Similar to {_named(loaded, item)}")
            table = similar_to(loaded, item, **how)
            _print_notes(loaded, [item], table, **how)
            show_rows(table, None, verbose=verbose)


def _show_together(
    loaded: "FittedModel", ids: "Sequence[Id]", to: Path | None, *, verbose: bool, **how: Any
) -> None:
    """Print or write the list of a set of items."""
    from alsolike.recommending.affinities import note_on_counts, similarity_with
    from alsolike.recommending.baskets import similar_to_set

    table = similar_to_set(loaded, ids, **how)
    dial = {name: how[name] for name in _DIAL_NAMES}
    if note := note_on_counts(loaded, similarity_with(loaded, **dial)):
        say(note, err=True)
    say(f"Similar to {', '.join(_named(loaded, item) for item in ids)}", err=to is not None)
    if how["rules"] is not None:
        say_rules(loaded, how["rules"], how["k"], table, [", ".join(map(str, ids))], "set")
    show_rows(table, to, none="No items similar to this set.", verbose=verbose)


def _named(loaded: "FittedModel", item: "Id") -> str:
    """Return the name of an item with its id, or the id."""
    name = loaded.catalogue.name_of(loaded.item_index(item)) if loaded.catalogue else ""
    return f"{name} ({item})" if name else str(item)


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
    from alsolike.models.protocols import factor_model_of
    from alsolike.recommending.similarity import similar_users as find

    typed = some_or_all(users, every=every, what="user")
    loaded: Any = load_model(model, to)
    factor_model_of(loaded, "compare users")  # asks before the ids are looked up
    ids = None if typed is None else user_ids(loaded, typed)
    table = find(loaded, ids, k=k, engine=LocalEngine(threads))
    without = dict.fromkeys(loaded.users if ids is None else ids)
    for user in table["user"].tolist():
        without.pop(user, None)
    if without:
        first, others = next(iter(without)), len(without) - 1
        more = f" and {others:,} others" if others else ""
        say(f"No similar users for {first!r}{more}: no likes in the training data.", err=True)
    show_rows(table, to, verbose=verbose)


@click.command()
@click.argument("model", type=PATH)
@click.argument("item")
@click.argument("other")
def why(model: Path, item: str, other: str) -> None:
    """Tell in numbers why OTHER is similar to ITEM, both given by id or name."""
    from alsolike.recommending.co_likes import why_similar

    loaded = load_model(model, for_similar=True)
    say(why_similar(loaded, *item_ids(loaded, [item, other])))


@click.command()
@click.argument("model", type=PATH)
@click.argument("items", nargs=-1, required=True)
@click.option(
    "--k", type=click.IntRange(min=1), default=5, show_default=True, help="Neighbours per item."
)
@dial_options
@marks_option("none", "Also show the items at these marks of the dial, such as 0,1.")
@click.option("--to", required=True, type=PATH, help="Output page (.html).")
@remote_images_option
def gallery(model: Path, items: tuple[str, ...], to: Path, **options: Any) -> None:
    """Write a page of cards with ITEMS and their most similar items."""
    from alsolike.storage.atomic import write_text
    from alsolike.views.gallery import gallery as lay_out

    loaded = load_model(model, to, for_similar=True)
    marks = options.pop("marks")
    shelves = lay_out(loaded, item_ids(loaded, items), marks=(None, *marks), **options)
    write_text(to, shelves.to_html())
    say(f"Open {to}")


@click.command()
@click.argument("model", type=PATH)
@dial_options
def configure(model: Path, **dial: Any) -> None:
    """Change how a saved model compares items; nothing is trained."""
    from alsolike.models.bundle.configure import set_similarity
    from alsolike.models.bundle.manifest import models_of_run
    from alsolike.recommending.affinities import described, note_on_counts

    _, path = models_of_run(model)
    before, after = set_similarity(path, **dial)
    loaded = load_model(path)
    say(f"was: {described(loaded, before)}")
    say(f"is:  {described(loaded, after)}")
    if note := note_on_counts(loaded):
        say(note, err=True)


def _print_notes(
    model: Any,
    ids: "list[Id] | None",
    table: "Table",
    *,
    k: int,
    min_count: int,
    rules: "Rules | None",
    **dial: Any,
) -> None:
    """Print to standard error which items have no neighbours, and whose are weakly founded."""
    from alsolike.recommending.affinities import (
        note_on_counts,
        note_on_few_likes,
        similarity_with,
    )

    config = similarity_with(model, **dial)
    if note := note_on_counts(model, config):
        say(note, err=True)
    have = dict.fromkeys(table["item"].tolist())
    if rules is None:
        _print_items_without_neighbours(model, ids, have, min_count, config)
    else:
        say_rules(model, rules, k, table, list(model.items) if ids is None else ids, "item")
    noted = {item: note_on_few_likes(model, model.items.index_of(item)) for item in have}
    few = [item for item, note in noted.items() if note]
    if few:
        more = f" and {len(few) - 1:,} others with few likes" if len(few) > 1 else ""
        say(f"Similar to {few[0]!r} ({noted[few[0]]}){more}.", err=True)


def _print_items_without_neighbours(
    model: Any,
    ids: "list[Id] | None",
    have: "dict[Id, None]",
    min_count: int,
    config: "SimilarityConfig | None",
) -> None:
    """Print to standard error which items have no neighbours, and why."""
    from alsolike.recommending.shared import why_no_neighbours

    without = [one for one in (model.items if ids is None else ids) if one not in have]
    if not without:
        return
    every = len(without) == len(model.items)
    reason = why_no_neighbours(
        model, None if every else model.items.index_of(without[0]), min_count, config
    )
    way_out = " Try --min-count 1." if reason.endswith("likes.") and min_count > 1 else ""
    more = f" and {len(without) - 1:,} others" if len(without) > 1 else ""
    say(f"No neighbours for {without[0]!r}{more}. {reason}{way_out}", err=True)
