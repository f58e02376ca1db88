"""Exports similar items and recommendations as files, for a shop, a program or a file host.

::

    shelves/
      alsolike-export.json       list of these files, with the model's version
      similar_items.parquet      one row per item and neighbour
      similar_items.jsonl        one line per item
      shelves.sqlite             items and similar_items, by item id
      json/index.json            the file of each item
      json/items/30/id-sku.json  one item and its neighbours
      html/index.html            start page
      html/items/30/id-sku.html  the page of one item

and the same for recommendations of all users, if wanted. File names follow from the ids, see
`alsolike.export.filenames`.
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
    ExportData,
    ItemLists,
    json_index,
    json_list,
    json_paths,
    write_json_lines,
    write_parquet,
    write_sqlite,
)
from alsolike.export.incremental_writer import FileCounts, Make, mirrored
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
from alsolike.usage_hints import did_you_mean
from alsolike.views.gallery import card_of
from alsolike.views.images import Pictures

FORMATS = ("parquet", "jsonl", "sqlite", "json", "html")

_LISTED = 500  # names on a page
_CHOSEN = 30  # items on the first page

Makers = dict[str, Make]
Builders = dict[str, Callable[[Path], None]]


@dataclass(frozen=True)
class Export:
    """The result of an export.

    Parameters
    ----------
    folder : Path
    model : str
        The model's version: the SHA-256 of its ``manifest.json``.
    lists : int
        Lists of similar items, and of recommendations if wanted.
    files : FileCounts
    notes : tuple of str
        Notes on users without recommendations of the model, and on images that are not shown.
    """

    folder: Path
    model: str
    lists: int
    files: FileCounts
    notes: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{self.lists:,} lists of model {self.model[:12]} in {self.folder}: {self.files}"
        return "\n".join([head, *self.notes])


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
    """Write the lists of a model as files; only changed ones are written again.

    Files of an earlier export that are no longer wanted are removed; files that no export made are
    never touched. After a kill, the same call resumes. Equal models give equal bytes.

    Parameters
    ----------
    model : path
        A bundle, as `alsolike.save` makes it.
    to : path
        The output folder: new, empty, or of an earlier export.
    k : int
        Items per list, or all if there are fewer.
    formats : collection of str
        Out of ``"parquet"``, ``"jsonl"``, ``"sqlite"``, ``"json"`` and ``"html"``.
    users : bool
        Also write recommendations for all users. Anyone who can read the files then learns what
        they are likely to like.
    min_count : int
        Interactions that a neighbour must have, see `alsolike.similar`.
    exclude_seen : bool
        Leave out items that a user has seen.
    without_likes : {"popular", "empty"}
        List for users about whom the model knows nothing, see `alsolike.recommend`.
    remote_images : bool
        Make the pages load images from the web; otherwise they show placeholders.
    engine : Engine or None
        None: all threads of this machine. The files do not depend on it.
    observer : Observer
        Receives a step for each file.

    Returns
    -------
    Export

    Raises
    ------
    BundleError
        The model is damaged, or was replaced meanwhile.
    SettingError
        A format is unknown, `k` is below 1, or the model has no history to leave out.
    WritingError
        The folder has other files, or cannot be written.

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
    tables = [ItemLists("item", "similar_item", "similar_items", loaded.items, similar)]
    notes: list[str] = []
    if users:
        everybody = np.arange(len(loaded.users), dtype=np.int32)
        best = shown_items(
            loaded, everybody, k=length, exclude_seen=exclude_seen, without_likes=without_likes,
            engine=engine, observer=observer,
        )  # fmt: skip
        ranked = Ranked(best.indices, best.scores)
        tables.append(
            ItemLists("user", "item", "recommendations", loaded.users, ranked, best.popular)
        )
        notes = fallback_notes(loaded, everybody, without_likes)
    about = {
        "model": version, "name": loaded.name, "k": length, "min_count": min_count,
        "made_with": f"alsolike {__version__}",
    }  # fmt: skip
    data = ExportData(loaded, about, tuple(tables))
    builders = _builders(data, wanted)
    makers: Makers = _json_files(data) if "json" in wanted else {}
    site = _Site(data, remote_images=remote_images) if "html" in wanted else None
    if site is not None:
        makers |= site.files()
    observer.start("Writing files", len(makers) + len(builders))
    planned = [*builders, *makers]
    with mirrored(to, planned, about=about, engine=engine, observer=observer) as mirror:
        for path, build in builders.items():
            mirror.build(path, build)
        mirror.put(makers)
    observer.finish()
    n_lists = sum(len(lists.owners) for lists in tables)
    notes += [] if site is None else site.notes()
    return Export(Path(to), version, n_lists, mirror.counts, tuple(notes))


def _checked_formats(formats: Collection[str]) -> list[str]:
    given = [formats] if isinstance(formats, str) else list(formats)
    unknown = [one for one in given if one not in FORMATS]
    if unknown or not given:
        found = repr(unknown[0]) if unknown else "none"
        hint = did_you_mean(unknown[0], FORMATS) if unknown else ""
        raise SettingError(f"formats out of {', '.join(FORMATS)} expected, {found} given.{hint}")
    return given


def _loaded(path: str | os.PathLike[str]) -> tuple[FittedModel, str]:
    """Return a model and its version, from the same state of the bundle."""
    manifest = bundle.describe(path)
    model = bundle.load(path)
    if bundle.describe(path) != manifest:
        raise BundleError(f"{path}: replaced while it was being read. Run the command again.")
    return model, hashlib.sha256(manifest.to_bytes()).hexdigest()


def _builders(data: ExportData, wanted: Collection[str]) -> Builders:
    """Return the makers of the large files."""
    builders: Builders = {}
    for lists in data.tables:
        for ending, write in (("parquet", write_parquet), ("jsonl", write_json_lines)):
            if ending in wanted:
                builders[f"{lists.title}.{ending}"] = functools.partial(
                    write, data=data, lists=lists
                )
    if "sqlite" in wanted:
        builders["shelves.sqlite"] = functools.partial(write_sqlite, data=data)
    return builders


def _json_files(data: ExportData) -> Makers:
    makers: Makers = {
        f"json/{path}": functools.partial(json_list, data, lists, row)
        for lists in data.tables
        for row, path in enumerate(json_paths(data, lists))
    }
    # The index comes last, when the files that it names exist.
    return {**makers, "json/index.json": functools.partial(json_index, data)}


class _Site:
    """Makes the pages of a model; paths are as in `ItemPages`."""

    def __init__(self, data: ExportData, *, remote_images: bool) -> None:
        self._data, self._remote = data, remote_images
        self._scale = data.model.similarity
        scores = data.tables[0].ranked.scores
        best = float(scores.max(initial=0.0)) if self._scale.most is None else self._scale.most
        self._card = functools.partial(card_of, data.model)
        self._pictures = Pictures(remote=remote_images, budget=ANY_NUMBER)
        self._pages = ItemPages(self._card, self._path, remote_images, full=best)
        self._rows = range(len(data.ids))

    def files(self) -> Makers:
        """Return the makers of all files, linked files before those that link to them."""
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
        items, *others = self._data.tables
        for row in self._rows:
            makers[f"html/{self._path(row)}"] = functools.partial(self._item, items, row)
        by_name = sorted(self._rows, key=lambda row: (_folded(names[row]), row))
        entries = [(names[row], self._path(row)) for row in by_name]
        lists = {"All items": list(_listings("items", entries))}
        for users in others:
            paths = [f"users/{place}.html" for place in self._data.stems_of(users)]
            for row, path in enumerate(paths):
                makers[f"html/{path}"] = functools.partial(self._user, users, row)
            entries = list(zip(users.owners, paths, strict=True))
            lists["All users"] = list(_listings("users", entries))
        for title, listings in lists.items():
            for one in listings:
                makers[f"html/{one.path}"] = functools.partial(self._pages.listing, title, one)
        return {**makers, "html/index.html": functools.partial(self._index, lists)}

    def notes(self) -> list[str]:
        """Return notes on images that are not shown, as counted by `files`."""
        return self._pictures.notes()

    def _item(self, lists: ItemLists, row: int) -> bytes:
        return self._pages.item(row, lists.items_of(row))

    def _user(self, lists: ItemLists, row: int) -> bytes:
        owner, near = lists.owners.id_of(row), lists.items_of(row)
        return self._pages.user(owner, near, n_by_model=lists.n_by_model(row))

    def _index(self, lists: dict[str, list[Listing]]) -> bytes:
        about = self._data.about
        words = (
            f"{len(self._rows):,} items, with up to {about['k']:,} similar ones each. "
            f"Model {about['name']}, version {self._data.version[:12]}."
        )
        if not isinstance(self._data.model, HasFactors):
            words += f" The score of a similar item: {self._scale.words}."
        chosen = np.argsort(-self._data.model.item_counts, kind="stable")[:_CHOSEN].tolist()
        return self._pages.index("Similar items", about=words, chosen=chosen, lists=lists)

    def _picture(self, row: int) -> bytes:
        found = picture_file(self._card(row).image)
        return b"" if found is None else found[1]

    def _path(self, row: int) -> str:
        return f"items/{self._data.stems[row]}.html"


def _listings(kind: str, entries: Sequence[tuple[str, str]]) -> Iterator[Listing]:
    for number, first in enumerate(range(0, len(entries), _LISTED), start=1):
        listed = tuple(entries[first : first + _LISTED])
        yield Listing(f"lists/{kind}-{number}.html", listed)


def _folded(name: str) -> str:
    """Return a sort key: the name without case and accents."""
    parts = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in parts if not unicodedata.combining(letter))
