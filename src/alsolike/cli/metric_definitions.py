"""The verbs that set judgements of a model beside each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from alsolike.cli.files import read_likes
from alsolike.cli.options import (
    PATH,
    k_option,
    reading_options,
    threads_option,
    verbose_option,
)
from alsolike.cli.printing import say, say_answer

if TYPE_CHECKING:
    from alsolike.data.interactions import Interactions
    from alsolike.models.base import FittedModel


@click.command()
@click.argument("model", type=PATH)
@click.argument("held_out", type=click.Path())
@reading_options
@k_option
@click.option("--keep-seen", is_flag=True, help="Do not leave out training items (the article).")
@threads_option
@verbose_option
def passport(
    model: Path, held_out: str, k: int, keep_seen: bool, verbose: bool, **options: Any
) -> None:
    """Score the same lists as implicit, irspack, LightFM, RecBole and Spark define it."""
    from alsolike.engines.local import LocalEngine
    from alsolike.evaluation.metrics.metric_definitions import passport as issue
    from alsolike.models.bundle import io as bundle

    loaded = bundle.load(model)
    engine = LocalEngine(options["threads"])
    known, exclude = held_out_likes(loaded, model, held_out, options, keep_seen=keep_seen)
    found = issue(loaded, known, exclude=exclude, k=k, engine=engine)
    say_answer(found, verbose=verbose)


def held_out_likes(
    loaded: "FittedModel", model: Path, table: str, options: dict[str, Any], *, keep_seen: bool
) -> "tuple[Interactions, Interactions | None]":
    """Return a table's likes over a model's ids, and what its lists leave out."""
    from alsolike.data.merge import aligned
    from alsolike.errors import SettingError
    from alsolike.recommending.shared import history_of

    found, _ = read_likes(table, options, reads=[model])
    known, unknown = aligned(found, loaded.users, loaded.items)
    if unknown:
        say(f"{unknown:,} likes of users or items that the model does not know left out.")
    if keep_seen:
        return known, None
    seen = history_of(loaded, "leave out what was seen", way_out=", or give --keep-seen")
    if both := (seen.user_items != 0).multiply(known.user_items).nnz:
        raise SettingError(
            f"{both:,} of these likes are among those that the model was trained on, and could "
            "never be found where seen items are left out. Give likes that were held out, or "
            "--keep-seen."
        )
    return known, seen
