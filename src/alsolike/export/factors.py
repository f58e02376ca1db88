"""Exports user and item factors as Parquet files with ids, for a vector database.

::

    factors/
      alsolike-export.json    list of these files, with what the factors are
      readme.md               how scores are made of them, and which items to leave out
      item_factors.parquet    id, name (if the model has names), factors
      user_factors.parquet    id, factors
"""

import functools
import hashlib
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alsolike._version import __version__
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError
from alsolike.export.incremental_writer import FileCounts, mirrored
from alsolike.models.base import FittedModel, Floats
from alsolike.models.bundle import io as bundle
from alsolike.models.bundle.manifest import models_of_run
from alsolike.models.protocols import HasFactors, factor_model_of, item_directions
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import described
from alsolike.recommending.shared import directed_rows
from alsolike.storage.atomic import refuse_overlap, write_table
from alsolike.tables import Table
from alsolike.text import counted
from alsolike.usage_hints import with_example

USERS, ITEMS, README = "user_factors.parquet", "item_factors.parquet", "readme.md"
_QUERY = """\
```sql
SELECT item.id, list_inner_product(me.factors, item.factors) AS score
FROM 'user_factors.parquet' AS me, 'item_factors.parquet' AS item
WHERE me.id = 'the id of a user'
ORDER BY score DESC, item.id LIMIT 10
```
"""


@dataclass(frozen=True)
class FactorExport:
    """The result of an export of factors.

    Parameters
    ----------
    folder : Path
    users, items, factors : int
        Rows of the two files, and numbers in each row.
    files : FileCounts
    notes : tuple of str
        Whose factors they are, if not those of the whole model.
    """

    folder: Path
    users: int
    items: int
    factors: int
    files: FileCounts
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = (
            f"{counted(self.factors, 'factor')} of {counted(self.users, 'user')} and "
            f"{counted(self.items, 'item')} in {self.folder}: {self.files}"
        )
        return "\n".join([head, *self.notes])


@with_example('al.export_factors(model, "factors")')
def export_factors(
    model: FittedModel | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    observer: Observer = SILENT,
) -> FactorExport:
    """Write the user and item factors of a model as Parquet files with their ids.

    The score of a pair is the dot product of its two rows. The folder's ``readme.md`` says so, and
    which items to leave out of lists. Equal models give equal bytes; only changed files are written
    again.

    Parameters
    ----------
    model : FittedModel or path
        A model with factors; a blend gives those of its first member that has some. Or a bundle, as
        `alsolike.save` makes it, or the folder of a run, whose ``model`` is taken.
    folder : path
        The output folder: new, empty, or of an earlier export.
    observer : Observer
        Receives a step for each file.

    Returns
    -------
    FactorExport

    Raises
    ------
    Unable
        The model has no factors.
    BundleError
        The model is damaged, or was replaced meanwhile.
    FitError
        Some factors are not finite.
    WritingError
        The folder has other files, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import duckdb
    >>> from alsolike.testing import tiny_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export_factors(tiny_model(), folder)
    ...     query = f"SELECT id, len(factors) FROM '{folder}/item_factors.parquet' ORDER BY id"
    ...     rows = duckdb.execute(query).fetchall()
    ...     print(rows[0], done.users, done.items)
    ('a0', 2) 4 5
    """
    loaded, version = _loaded(model, folder)
    found = factor_model_of(loaded, "export factors")
    for rows, ids in ((found.user_factors, found.users), (found.item_factors, found.items)):
        squares = np.einsum("rf,rf->r", rows, rows, dtype=np.float64)
        directed_rows(np.sqrt(squares).astype(np.float32), ids)  # refuses those not finite
    notes = _notes(loaded, found)
    about = {
        "kind": "factors", **({"model": version} if version else {}), "name": loaded.name,
        "factors_of": found.name, "factors": found.factors, "users": len(found.users),
        "items": len(found.items), "score": "dot product of user_factors and item_factors",
        "made_with": f"alsolike {__version__}",
    }  # fmt: skip
    builders: dict[str, Callable[[Path], None]] = {
        USERS: functools.partial(_write, ids=found.users, factors=found.user_factors),
        ITEMS: functools.partial(
            _write, ids=found.items, factors=found.item_factors, names=_names(loaded)
        ),
    }
    readme = _readme(loaded, found, notes).encode("utf-8")
    planned = [*builders, README]
    observer.start("Writing files", len(planned))
    with mirrored(folder, planned, about=about, engine=LocalEngine(1), observer=observer) as mirror:
        for name, build in builders.items():
            mirror.build(name, build)
        mirror.put({README: lambda: readme})
    observer.finish()
    return FactorExport(
        Path(folder), len(found.users), len(found.items), found.factors, mirror.counts, tuple(notes)
    )


def _loaded(
    model: FittedModel | str | os.PathLike[str], folder: str | os.PathLike[str]
) -> tuple[FittedModel, str]:
    """Return a model and its version; a model that is not from disk has none."""
    if not isinstance(model, (str, os.PathLike)):
        return model, ""
    path, _ = models_of_run(Path(model))
    refuse_overlap([path], [folder])
    return bundle_with_version(path)


def bundle_with_version(path: str | os.PathLike[str]) -> tuple[FittedModel, str]:
    """Return a model and its version, from the same state of the bundle."""
    manifest = bundle.describe(path)
    model = bundle.load(path)
    if bundle.describe(path) != manifest:
        raise BundleError(f"{path}: replaced while it was being read. Run the command again.")
    return model, hashlib.sha256(manifest.to_bytes()).hexdigest()


def _names(model: FittedModel) -> Any:
    return None if model.catalogue is None else model.catalogue.names


def _write(path: Path, *, ids: Vocabulary, factors: Floats, names: Any = None) -> None:
    columns = {"id": ids.ids.to_array()}
    if names is not None:
        columns["name"] = names.to_array()
    write_table(path, Table(columns), vectors={"factors": factors})


def _notes(model: FittedModel, found: HasFactors) -> list[str]:
    """Say that factors are those of a part of a model, or partly biases; or nothing."""
    if isinstance(model, HasFactors):
        beside = found.factors - item_directions(model).shape[1]
        last = "last column is" if beside == 1 else f"last {beside} columns are"
        return [
            f"The {last} for biases, part of the score and of nothing else: compare items, and "
            "users, by the other columns alone."
        ] * bool(beside)
    return [
        f"The factors are those of the member {found.name!r} of {model.name!r}: their products are "
        "the scores of that member alone, not those that recommend ranks by."
    ]


def _readme(model: FittedModel, found: HasFactors, notes: list[str]) -> str:
    """Return what somebody needs to know who has the files and not alsolike."""
    n, own = found.factors, described(model)
    named = "" if _names(model) is None else ", `name`"
    paragraphs = [
        f"`{USERS}` has a row for each of {len(found.users):,} users: `id`, `factors`. `{ITEMS}` "
        f"has a row for each of {len(found.items):,} items: `id`{named}, `factors`. `factors` is a "
        f"list of {n} float32.",
        *notes,
        "## Recommendations",
        "The score of an item for a user is the dot product of their factors, the sum of "
        "user[f] x item[f]. Let a vector database search by the inner product, not by the cosine "
        "or a distance: the length of an item's factors counts. Leave out of a user's list the "
        "items that the user has in the training data, likes and dislikes, as `alsolike recommend` "
        "does. A user whose factors are all zero has no recommendations: show popular items.",
        "## Similar items",
        "The cosine of the factors of two items is the score of `alsolike similar --affinity "
        "cosine --popularity-bias 0`. Leave out the item itself, items whose factors are all zero, "
        "and items with fewer than two likes."
        + (f" The model's own comparison of items is another one: {own}." if own else ""),
        "## With DuckDB",
    ]
    wrapped = [text if text[0] == "#" else textwrap.fill(text, 100) for text in paragraphs]
    return "\n\n".join(["# User and item factors", *wrapped, _QUERY])
