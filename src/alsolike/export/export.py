"""Export of similar items and recommendations as files, for a shop, a program or a file host.

::

    shelves/
      alsolike-export.json       which files are ours, and of which model
      similar_items.parquet      one row per item and neighbour
      similar_items.jsonl        one line per item
      shelves.sqlite             items and similar_items, by item id
      json/index.json            which item is in which file
      json/items/30/id-sku.json  one item and its neighbours
      html/index.html            where to begin
      html/items/30/id-sku.html  the page of one item

and the recommendations of all users likewise, where they are asked for. The names of files follow
from the ids, see `alsolike.export.filenames`.
"""

import functools
import hashlib
import os
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alsolike._version import __version__
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError, SettingError
from alsolike.export.formats import (
    Shelves,
    Stock,
    json_index,
    json_paths,
    json_shelf,
    write_json_lines,
    write_parquet,
    write_sqlite,
)
from alsolike.export.incremental_writer import Counts, Make, mirrored
from alsolike.export.static_site import (
    ANY_NUMBER,
    STYLE,
    ItemPages,
    Listing,
    picture_file,
    style,
)
from alsolike.models.base import FittedModel, HasFactors
from alsolike.models.bundle import io as bundle
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import shown_items
from alsolike.recommending.fallback import WithoutLikes, check_without_likes, fallback_notes
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT, checked_k
from alsolike.recommending.similarity import similar_indices
from alsolike.storage.atomic import refuse_overlap
from alsolike.suggestions import did_you_mean
from alsolike.views.gallery import card_of
from alsolike.views.images import Pictures

FORMATS = ("parquet", "jsonl", "sqlite", "json", "html")

_LISTED = 500  # names on a page
_CHOSEN = 30  # items on the first page

Makers = dict[str, Make]
Builders = dict[str, Callable[[Path], None]]


@dataclass(frozen=True)
class Export:
    """Counts of an export.

    Parameters
    ----------
    folder : Path
    model : str
        The model's version: the SHA-256 of its ``manifest.json``.
    shelves : int
        Of items, and of users where they were asked for.
    files : Counts
        How many were written, as they were, and removed.
    notes : tuple of str
        How many users get no recommendations of the model; what a reader of the pages will miss.
    """

    folder: Path
    model: str
    shelves: int
    files: Counts
    notes: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.shelves:,} shelves of model {self.model[:12]} in {self.folder}: "
                f"{self.files}",
                *self.notes,
            ]
        )


def export(
    model: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    k: int = 10,
    formats: Collection[str] = FORMATS,
    users: bool = False,
    min_count: int = MIN_COUNT,
    exclude_seen: bool = True,
    without_likes: WithoutLikes = "popular",
    remote_images: bool = False,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Export:
    """Write the shelves of a model as files; only changed ones are written again.

    The folder then holds what was asked for and nothing older: files of items that are gone, and
    of formats that are not asked for any more, are removed. Files that no export made are never
    touched. After a kill, the same call goes on. Equal models give equal bytes.

    Parameters
    ----------
    model : path
        A bundle, as `alsolike.save` makes it.
    to : path
        The folder to fill: new, empty, or of an earlier export.
    k : int
        Items on a shelf: so many, or all that there are where they are fewer.
    formats : collection of str
        Out of ``"parquet"``, ``"jsonl"``, ``"sqlite"``, ``"json"`` and ``"html"``.
    users : bool
        Whether to write the recommendations of all users, too. Whoever can read the files then
        learns what they are likely to like.
    min_count : int
        Interactions that a neighbour must have, see `alsolike.similar`.
    exclude_seen : bool
        Leave out what a user has seen.
    without_likes : {"popular", "empty"}
        What a user gets of whom the model knows nothing, see `alsolike.recommend`.
    remote_images : bool
        Let the pages load pictures from the web; drawings stand for them otherwise.
    engine : Engine or None
        None: all threads of this machine. The files do not depend on it.
    observer : Observer
        Hears of each file done.

    Returns
    -------
    Export

    Raises
    ------
    BundleError
        The model is damaged, or was replaced meanwhile.
    SettingError
        A format is not known, `k` is below 1, or the model has no history to leave out.
    WritingError
        The folder holds other things, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from alsolike.models.bundle.io import save
    >>> from alsolike.testing import tiny_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(tiny_model(), f"{folder}/model")
    ...     first = export(f"{folder}/model", f"{folder}/shelves", formats=["json", "sqlite"])
    ...     again = export(f"{folder}/model", f"{folder}/shelves", formats=["json", "sqlite"])
    >>> print(first.files)
    7 files written, 0 unchanged, 0 removed
    >>> print(again.files)
    0 files written, 7 unchanged, 0 removed
    """
    wanted = _checked_formats(formats)
    check_without_likes(without_likes)
    length = checked_k(k)
    refuse_overlap([model], [to])
    loaded, version = _loaded(model)
    engine = engine or LocalEngine()
    similar = similar_indices(
        expect_item_scorer(loaded, "compare items"), np.arange(len(loaded.items)),
        k=min(length, max(len(loaded.items), 1)), min_count=min_count, engine=engine,
        observer=observer,
    )  # fmt: skip
    kinds = [Shelves("item", "similar_item", "similar_items", loaded.items, similar)]
    notes: list[str] = []
    if users:
        everybody = np.arange(len(loaded.users), dtype=np.int32)
        best = shown_items(
            loaded, everybody, k=length, exclude_seen=exclude_seen, without_likes=without_likes,
            engine=engine, observer=observer,
        )  # fmt: skip
        ranked = Ranked(best.indices, best.scores)
        kinds.append(Shelves("user", "item", "recommendations", loaded.users, ranked, best.popular))
        notes = fallback_notes(loaded, everybody, without_likes)
    about = {
        "model": version, "name": loaded.name, "k": length, "min_count": min_count,
        "made_with": f"alsolike {__version__}",
    }  # fmt: skip
    stock = Stock(loaded, about, tuple(kinds))
    builders = _builders(stock, wanted)
    makers: Makers = _json_files(stock) if "json" in wanted else {}
    site = _Site(stock, remote_images=remote_images) if "html" in wanted else None
    if site is not None:
        makers |= site.files()
    observer.start("Writing files", len(makers) + len(builders))
    planned = [*builders, *makers]
    with mirrored(to, planned, about=about, engine=engine, observer=observer) as mirror:
        for path, build in builders.items():
            mirror.build(path, build)
        mirror.put(makers)
    observer.finish()
    n_shelves = sum(len(shelves.owners) for shelves in kinds)
    notes += [] if site is None else site.notes()
    return Export(Path(to), version, n_shelves, mirror.counts, tuple(notes))


def _checked_formats(formats: Collection[str]) -> list[str]:
    given = [formats] if isinstance(formats, str) else list(formats)
    unknown = [one for one in given if one not in FORMATS]
    if unknown or not given:
        found = repr(unknown[0]) if unknown else "none"
        hint = did_you_mean(unknown[0], FORMATS) if unknown else ""
        raise SettingError(f"formats out of {', '.join(FORMATS)} expected, {found} given.{hint}")
    return given


def _loaded(path: str | os.PathLike[str]) -> tuple[FittedModel, str]:
    """Return a model and its version, both of one bundle."""
    manifest = bundle.describe(path)
    model = bundle.load(path)
    if bundle.describe(path) != manifest:
        raise BundleError(f"{path}: replaced while it was read. Give the command again.")
    return model, hashlib.sha256(manifest.to_bytes()).hexdigest()


def _builders(stock: Stock, wanted: Collection[str]) -> Builders:
    """Return the large files, one for all shelves of a kind or for all."""
    builders: Builders = {}
    for shelves in stock.kinds:
        if "parquet" in wanted:
            builders[f"{shelves.title}.parquet"] = functools.partial(
                write_parquet, stock=stock, shelves=shelves
            )
        if "jsonl" in wanted:
            builders[f"{shelves.title}.jsonl"] = functools.partial(
                write_json_lines, stock=stock, shelves=shelves
            )
    if "sqlite" in wanted:
        builders["shelves.sqlite"] = functools.partial(write_sqlite, stock=stock)
    return builders


def _json_files(stock: Stock) -> Makers:
    makers: Makers = {
        f"json/{path}": functools.partial(json_shelf, stock, shelves, row)
        for shelves in stock.kinds
        for row, path in enumerate(json_paths(stock, shelves))
    }
    # The index comes last: what it names is there.
    return {**makers, "json/index.json": functools.partial(json_index, stock)}


class _Site:
    """The pages of a model; what is said of paths in `ItemPages` holds here."""

    def __init__(self, stock: Stock, *, remote_images: bool) -> None:
        self._stock, self._remote = stock, remote_images
        self._scale = stock.model.similarity
        scores = stock.kinds[0].ranked.scores
        best = float(scores.max(initial=0.0)) if self._scale.most is None else self._scale.most
        self._card = functools.partial(card_of, stock.model)
        self._pictures = Pictures(remote=remote_images, budget=ANY_NUMBER)
        self._pages = ItemPages(self._card, self._path, remote_images, full=best)
        self._rows = range(len(stock.ids))

    def files(self) -> Makers:
        """Return all files, those first that others lead to."""
        makers: Makers = {f"html/{STYLE}": style}
        names = []
        for row in self._rows:
            card = self._card(row)
            names.append(card.shown_name)
            found = picture_file(card.image)
            if found is not None:
                makers[f"html/{found[0]}"] = functools.partial(self._picture, row)
            else:
                self._pictures.count(card.image)
        items, *others = self._stock.kinds
        for row in self._rows:
            makers[f"html/{self._path(row)}"] = functools.partial(self._item, items, row)
        by_name = sorted(self._rows, key=lambda row: (_folded(names[row]), row))
        entries = [(names[row], self._path(row)) for row in by_name]
        lists = {"All items": list(_listings("items", entries))}
        for users in others:
            paths = [f"users/{place}.html" for place in self._stock.places_of(users)]
            for row, path in enumerate(paths):
                makers[f"html/{path}"] = functools.partial(self._user, users, row)
            entries = list(zip(users.owners, paths, strict=True))
            lists["All users"] = list(_listings("users", entries))
        for title, listings in lists.items():
            for one in listings:
                makers[f"html/{one.path}"] = functools.partial(self._pages.listing, title, one)
        return {**makers, "html/index.html": functools.partial(self._index, lists)}

    def notes(self) -> list[str]:
        """Return what a reader of the pages will miss; `files` counts it."""
        return self._pictures.notes()

    def _item(self, shelves: Shelves, row: int) -> bytes:
        return self._pages.item(row, shelves.near(row))

    def _user(self, shelves: Shelves, row: int) -> bytes:
        owner, near = shelves.owners.id_of(row), shelves.near(row)
        return self._pages.user(owner, near, n_by_model=shelves.n_by_model(row))

    def _index(self, lists: dict[str, list[Listing]]) -> bytes:
        about = self._stock.about
        words = (
            f"{len(self._rows):,} items, with up to {about['k']:,} similar ones each. "
            f"Model {about['name']}, version {self._stock.version[:12]}."
        )
        if not isinstance(self._stock.model, HasFactors):
            words += f" The score of a similar item: {self._scale.words}."
        chosen = np.argsort(-self._stock.model.item_counts, kind="stable")[:_CHOSEN].tolist()
        return self._pages.index("Similar items", about=words, chosen=chosen, lists=lists)

    def _picture(self, row: int) -> bytes:
        found = picture_file(self._card(row).image)
        return b"" if found is None else found[1]

    def _path(self, row: int) -> str:
        return f"items/{self._stock.places[row]}.html"


def _listings(kind: str, entries: Sequence[tuple[str, str]]) -> Iterator[Listing]:
    for number, first in enumerate(range(0, len(entries), _LISTED), start=1):
        listed = tuple(entries[first : first + _LISTED])
        yield Listing(f"lists/{kind}-{number}.html", listed)


def _folded(name: str) -> str:
    """Return a name to sort by: without case and accents."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))
