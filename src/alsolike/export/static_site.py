"""Draws the pages of a static site: one per item, with links to similar items.

The pages run no script and load nothing from other hosts, unless images from the web are allowed.
The style sheet and the images are files next to the pages.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from markupsafe import Markup

from alsolike.views.gallery import Card
from alsolike.views.images import Pictures, content_of, picture, placeholder
from alsolike.views.page import asset, clean, web_origin
from alsolike.views.templating import macro

STYLE = "style.css"

# Characters of images on a page: each image has a limit of its own, and a page shows few.
ANY_NUMBER = 1 << 62

_CARDS_KEPT = 1 << 17
_BARS_KEPT = 1 << 12
_MOST_OF_A_NAME = 120
_SMALL = 0.1  # scores below are shown with three significant digits
_UP = "../../"  # from the page of an item or a user

Near = Sequence[tuple[int, float]]
Sections = Sequence[tuple[str, str, Sequence[tuple[Markup, Markup | str]]]]  # heading, about, tiles


@dataclass(frozen=True)
class Listing:
    """A page that links to others: its path, and (name, path) of each."""

    path: str
    entries: tuple[tuple[str, str], ...]


class _DrawnCard(NamedTuple):
    """The arguments of the macro ``item_card``, and the tile that it makes of them.

    Parameters
    ----------
    card : Card
    name, note, address : str
        Cleaned; the address of the item's page.
    picture, tile : Markup
    origin : str or None
        The host that the image is loaded from.
    """

    card: Card
    name: str
    note: str
    address: str
    picture: Markup
    origin: str | None
    tile: Markup


@dataclass
class ItemPages:
    """Draws the pages of one catalogue; paths are relative to the folder of all pages.

    Parameters
    ----------
    card_of : callable
        From an item's row to its `Card`.
    path_of : callable
        From an item's row to the path of its page, two folders down.
    remote_images : bool
        Load images from the web; otherwise show placeholders.
    most : float or None
        The highest possible score of a similar item, at which its bar is full; None: the best
        item's bar is full.
    """

    card_of: Callable[[int], Card]
    path_of: Callable[[int], str]
    remote_images: bool = False
    most: float | None = 1.0

    def __post_init__(self) -> None:
        self._pictures = Pictures(remote=self.remote_images, budget=ANY_NUMBER)
        self._card = functools.lru_cache(_CARDS_KEPT)(self._draw)

    def item(self, row: int, near: Near, marks: Mapping[str, Near], *, remark: str = "") -> bytes:
        """Return the page of an item and its neighbours, given as rows and scores.

        `marks` are its neighbours at other marks of the dial, by heading: only their names are
        shown, behind a click, since cards would make the page three times as large.
        """
        drawn = self._card(row)
        name, item_id = drawn.card.shown_name, drawn.card.id
        tiles = self._tiles(near, bars=True)
        return self._page(
            f"{name}: similar items",
            [("", remark if tiles else "No similar items.", tiles)],
            origins={drawn.origin, *self._origins(near)},
            card=drawn,
            id=clean(item_id, most=_MOST_OF_A_NAME) if item_id != name else "",
            ways=list(self._ways_out(drawn.card)),
            marks={
                heading: [(self._card(other).name, self._card(other).address) for other, _ in list_]
                for heading, list_ in marks.items()
            },
        )

    def user(self, user_id: str, near: Near, *, n_by_model: int) -> bytes:
        """Return the page of a user's recommendations, given as rows and scores.

        The first `n_by_model` are of the model, the others are listed by popularity.
        """
        by_model, popular = self._tiles(near[:n_by_model]), self._tiles(near[n_by_model:])
        heading, most_liked = "Recommended for", "the most liked items, with their number of likes."
        sections = [("", "" if near else "No items left to recommend.", by_model)]
        if by_model and popular:
            about = "The model has no further recommendations. These are"
            sections.append(("", f"{about} {most_liked}", popular))
        elif popular:
            heading = "Most liked, for"
            about = "The model knows no likes of this user. These are"
            sections = [("", f"{about} {most_liked}", popular)]
        user = clean(user_id, most=_MOST_OF_A_NAME)
        origins = self._origins(near)
        return self._page(
            f"{heading} {user_id}", sections, origins=origins, heading=heading, user=user
        )

    def listing(self, title: str, listed: Listing) -> bytes:
        """Return a page of links."""
        entries = [((clean(name, most=_MOST_OF_A_NAME),), path) for name, path in listed.entries]
        return self._page(title, up="../", heading=title, listed=_span(listed), lists={"": entries})

    def index(
        self, title: str, *, about: str, chosen: Sequence[int], lists: dict[str, list[Listing]]
    ) -> bytes:
        """Return the start page.

        Parameters
        ----------
        title, about : str
        chosen : sequence of int
            Rows of the items to show.
        lists : mapping of str to list of Listing
            The pages that list all items, or all users, by heading.
        """
        cards = [self._draw(row, up="") for row in chosen]
        links = {
            heading: [(_span(one), one.path) for one in pages] for heading, pages in lists.items()
        }
        return self._page(
            title,
            [("Most liked", "", [(card.tile, "") for card in cards])],
            up="",
            origins={card.origin for card in cards},
            heading=title,
            about=clean(about),
            lists=links,
        )

    def _tiles(self, near: Near, *, bars: bool = False) -> list[tuple[Markup, Markup | str]]:
        best = max((score for _, score in near), default=0.0) if self.most is None else self.most
        full = best if bars else None
        return [(self._card(row).tile, _score(score, full)) for row, score in near]

    def _origins(self, near: Near) -> set[str | None]:
        return {self._card(row).origin for row, _ in near} if self.remote_images else set()

    def _draw(self, row: int, up: str = _UP) -> _DrawnCard:
        card = self.card_of(row)
        picture, origin = self._picture(card, up)
        name = clean(card.shown_name, most=_MOST_OF_A_NAME)
        way = f"{up}{self.path_of(row)}"
        drawn = _DrawnCard(card, name, clean(card.note), way, picture, origin, Markup())
        return drawn._replace(tile=macro("item_card.html", "item_card")(drawn))

    def _picture(self, card: Card, up: str) -> tuple[Markup, str | None]:
        file = picture_file(card.image)
        if file is not None:
            # The name is shown next to it, so it needs no text of its own.
            return picture(f"{up}{file[0]}"), None
        origin = web_origin(card.image)
        if origin is not None and not self.remote_images:
            return placeholder(card.id, card.shown_name), None
        return self._pictures.markup(card.id, card.shown_name, card.image), origin

    def _ways_out(self, card: Card) -> Iterator[tuple[str, str]]:
        """Yield links to the item's own page and to an image that is not loaded."""
        host = web_origin(card.link)
        if host is not None:
            yield card.link.strip(), clean(host.partition("://")[2], most=60)
        elif card.link:
            yield "", clean(card.link, most=60)
        if web_origin(card.image) is not None and not self.remote_images:
            yield card.image.strip(), "image"

    def _page(
        self,
        title: str,
        sections: Sections = (),
        *,
        up: str = _UP,
        origins: Iterable[str | None] = (),
        **context: Any,
    ) -> bytes:
        body = macro("item_page.html", "item_page")(up, sections, **context)
        hosts = sorted(set(filter(None, origins)))
        page = macro("page.html", "page")(title, body, image_origins=hosts, stylesheet=up + STYLE)
        return page.encode("utf-8")


def style() -> bytes:
    """Return the style sheet of all pages."""
    return (asset("page.css") + asset("item_pages.css")).encode("utf-8")


def picture_file(image: str) -> tuple[str, bytes] | None:
    r"""Return path and content of an image that is a data URL; None for any other.

    An image on many pages is one file then. SVG stays in the pages, within ``<img>``: opened as a
    file of its own it could run scripts.

    Examples
    --------
    >>> picture_file("data:image/png;base64,iVBORw0KGgo=")
    ('pictures/4c/4c4b6a3be1314ab86138bef4314dde02.png', b'\x89PNG\r\n\x1a\n')
    """
    kind, content = content_of(image) or ("", b"")
    if not content or kind == "image/svg+xml":
        return None
    digest = hashlib.sha256(content).hexdigest()[:32]
    return f"pictures/{digest[:2]}/{digest}.{kind.removeprefix('image/')}", content


def _span(listed: Listing) -> tuple[str, str]:
    first, last = listed.entries[0][0], listed.entries[-1][0]
    return clean(first, most=24), clean(last, most=24)


def _score(score: float, full: float | None) -> Markup:
    """Return a score as a number, with a bar if `full` is known."""
    if full is None:
        return _bar(f"{score:#.3g}")
    length = round(100 * min(max(score, 0.0), full) / full) if full > 0 else 0
    text = f"{score:z.2f}" if full >= _SMALL else f"{score:.3g}"
    if full > 1 and float(score).is_integer():  # how many like it
        text = f"{score:,.0f}"
    return _bar(text, length)


@functools.lru_cache(_BARS_KEPT)
def _bar(text: str, length: int | None = None) -> Markup:
    return macro("item_card.html", "score_bar")(text, length)
