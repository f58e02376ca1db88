"""Makes the files of the static site of a model: the pages of items and users, and the lists."""

import functools
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from alsolike.export.formats import ExportData, ItemLists
from alsolike.export.incremental_writer import Make
from alsolike.export.static_site import (
    ANY_NUMBER,
    STYLE,
    ItemPages,
    Listing,
    picture_file,
    style,
)
from alsolike.recommending.affinities import described, note_on_few_likes
from alsolike.recommending.ranking.scan import Ranked
from alsolike.views.gallery import card_of
from alsolike.views.images import Pictures

_LISTED = 500  # names on a page
_CHOSEN = 30  # items on the first page


class Site:
    """Makes the pages of a model; paths are as in `ItemPages`.

    Parameters
    ----------
    data : ExportData
    at_marks : mapping of str to Ranked
        Similar items at other marks of the dial, by heading.
    remote_images : bool
        Load images from the web.
    """

    def __init__(
        self, data: ExportData, at_marks: Mapping[str, Ranked], *, remote_images: bool
    ) -> None:
        self._data, self._remote = data, remote_images
        items = data.tables[0]
        self._at_marks = {
            heading: replace(items, ranked=ranked) for heading, ranked in at_marks.items()
        }
        self._scale = data.model.similarity
        self._card = functools.partial(card_of, data.model)
        self._pictures = Pictures(remote=remote_images, budget=ANY_NUMBER)
        self._pages = ItemPages(self._card, self._path, remote_images, self._scale.most)
        self._rows = range(len(data.ids))

    def files(self) -> dict[str, Make]:
        """Return the makers of all files, linked files before those that link to them."""
        makers: dict[str, Make] = {f"html/{STYLE}": style}
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
            entries = list(zip(users.owners.ids, paths, strict=True))
            lists["All users"] = list(_listings("users", entries))
        for title, listings in lists.items():
            for one in listings:
                makers[f"html/{one.path}"] = functools.partial(self._pages.listing, title, one)
        return {**makers, "html/index.html": functools.partial(self._index, lists)}

    def notes(self) -> list[str]:
        """Return notes on images that are not shown, as counted by `files`."""
        return self._pictures.notes()

    def _item(self, lists: ItemLists, row: int) -> bytes:
        marks = {heading: one.items_of(row) for heading, one in self._at_marks.items()}
        few = note_on_few_likes(self._data.model, row)
        return self._pages.item(row, lists.items_of(row), marks, remark=f"{few}." if few else "")

    def _user(self, lists: ItemLists, row: int) -> bytes:
        owner, near = lists.owners.text_of(row), lists.items_of(row)
        return self._pages.user(owner, near, n_by_model=lists.n_by_model(row))

    def _index(self, lists: dict[str, list[Listing]]) -> bytes:
        about = self._data.about
        words = (
            f"{len(self._rows):,} items, with up to {about['k']:,} similar ones each. "
            f"Model {about['name']}, version {self._data.version[:12]}."
        )
        words += f" The score of a similar item: {self._scale.words}."
        if compared := described(self._data.model):
            words += f" Compared by {compared}."
        if "rules" in about:
            words += f" Rules on lists: {about['rules']}."
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
