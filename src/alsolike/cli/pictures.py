"""Defines the verb features: pictures and texts of items as vectors, for `--item-vectors`."""

from pathlib import Path
from typing import Any

import click

from alsolike.cli.options import PATH, NamedPath, quiet_option, threads_option
from alsolike.cli.printing import say

_OF_PICTURES = ("folder", "network", "size", "pixels")


@click.command("features")
@click.argument("kind", type=click.Choice(["images", "texts"]))
@click.argument("items", type=NamedPath())
@click.option("--to", required=True, type=PATH, help="File of the vectors, such as images.npz.")
@click.option(
    "--column", metavar="COLUMN", help="Of the pictures or texts [default: image, description]."
)
@click.option("--item", "item_id", metavar="COLUMN",
              help="Column of ids [default: item, item_id or id, else the first].")  # fmt: skip
@click.option(
    "--folder", type=PATH, help="That paths of pictures start at [default: that of ITEMS]."
)
@click.option("--network", type=PATH, metavar="FILE", help="ONNX network to use instead.")
@click.option("--size", type=click.IntRange(32, 1024), metavar="PIXELS",
              help="Resize pictures to squares of this side [default: 128].")  # fmt: skip
@click.option(
    "--pixels",
    type=click.Choice(["imagenet", "unit", "centred", "bytes"]),
    help="What --network takes [default: imagenet].",
)
@click.option("--components", type=click.IntRange(1), help="Of vectors of texts [default: 128].")
@click.option("--near-duplicates", type=PATH, metavar="FILE",
              help="Write ITEMS with a column look_alike, for --one-of look_alike.")  # fmt: skip
@click.option("--alike-from", type=float, default=0.97, show_default=True, metavar="COSINE",
              help="Cosine from which two items are near-duplicates.")  # fmt: skip
@click.option("--delimiter", help="Of a text file [default: found].")
@click.option("--header/--no-header", default=None, help="Whether the first row names columns.")
@click.option("--encoding", metavar="NAME", help="Of a text file [default: found].")
@threads_option
@quiet_option
def features(
    kind: str,
    items: str,
    to: Path,
    column: str | None,
    item_id: str | None,
    components: int | None,
    near_duplicates: Path | None,
    alike_from: float,
    quiet: bool,
    **options: Any,
) -> None:
    """Turn the pictures (images) or texts of ITEMS into vectors, for --item-vectors.

    ITEMS is a table with a row for each item. Pictures are files, data URLs or SVG; nothing is
    fetched. If it is interrupted, the same command goes on.
    """
    from alsolike.cli.terminal import Terminal
    from alsolike.data.reading.features import near_duplicates as duplicates
    from alsolike.data.reading.features.tables import Form
    from alsolike.storage.atomic import refuse_overlap

    refuse_overlap([items], [to, *([near_duplicates] if near_duplicates else [])])
    if to.suffix != ".npz":
        raise click.UsageError(f"--to is the name of a file that ends in .npz, not {to.name}.")
    given = {name: value for name, value in options.items() if value is not None}
    if kind == "texts":
        if wrong := next((one for one in _OF_PICTURES if one in given), None):
            raise click.UsageError(f"--{wrong} is for images; leave it out for texts.")
        from alsolike.data.reading.features.item_vectors import text_vectors

        if components is not None:
            given["components"] = components
        with Terminal(quiet=quiet) as observer:
            found = text_vectors(
                items, column=column, id_column=item_id, observer=observer, **given
            )
        found.save(to)
    else:
        if components is not None:
            raise click.UsageError("--components is for texts; leave it out for images.")
        from alsolike.data.pictures.vectors import picture_vectors

        with Terminal(quiet=quiet) as observer:
            resume = to.with_name(f"{to.name}.unfinished")
            found = picture_vectors(
                items, column=column, id_column=item_id, resume=resume, observer=observer, **given
            )
        found.save(to)
        resume.unlink(missing_ok=True)
    same = duplicates.near_duplicates(found, least=alike_from, threads=options["threads"])
    if near_duplicates is not None:
        dialect = (options[name] for name in ("delimiter", "header", "encoding"))
        form = Form.of(*dialect)
        duplicates.write_with_groups(near_duplicates, items, same, id_column=item_id, form=form)
    if not quiet:
        say(f"{found.report}\n{same}")
        say(f"Saved {to}; give it as --item-vectors {to}")
