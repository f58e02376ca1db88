"""Pages for any file host: one for each item, with links to the pages of its neighbours.

Each page is a file of its own that runs no script and asks no other host for anything, unless
pictures from the web are allowed. The style sheet and the pictures lie beside the pages.
"""

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from alsolike.views.gallery import Card
from alsolike.views.images import Pictures, placeholder
from alsolike.views.page import asset, escaped, isolated, link, web_origin

STYLE = "style.css"

# A budget of characters: each picture has a limit of its own, and a page shows few.
ANY_NUMBER = 1 << 62

_RASTER = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([a-z0-9+/=]+)", re.IGNORECASE)
_FACES_KEPT = 1 << 17
_MOST_OF_A_NAME = 120

_SMALL = 0.1  # similar items that all score below are shown with three digits that count

_UP = "../../"  # from the page of an item or a user

Near = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Listing:
    """A page that lists others by name.

    Parameters
    ----------
    path, first, last : str
        Where it lies, and the first and last name on it.
    entries : tuple of (str, str)
        Name and path of each.
    """

    path: str
    first: str
    last: str
    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Face:
    """What pages show of one item.

    Parameters
    ----------
    card : Card
    name, picture, tile : str
        Markup; the last is a card that leads to the item's page.
    origin : str or None
        The host that the picture is loaded from.
    """

    card: Card
    name: str
    picture: str
    origin: str | None
    tile: str


@dataclass
class ItemPages:
    """Draws the pages of one catalogue; paths are within the folder of all pages.

    Parameters
    ----------
    card_of : callable
        From an item's row to its `Card`.
    path_of : callable
        From an item's row to the path of its page, two folders down.
    remote_images : bool
        Load pictures from the web; otherwise a drawing stands for them.
    full : float
        The score of a similar item at which its bar is full.
    """

    card_of: Callable[[int], Card]
    path_of: Callable[[int], str]
    remote_images: bool = False
    full: float = 1.0

    def __post_init__(self) -> None:
        self._pictures = Pictures(remote=self.remote_images, budget=ANY_NUMBER)
        self._face = functools.lru_cache(_FACES_KEPT)(self._draw)

    def item(self, row: int, near: Near) -> str:
        """Return the page of an item and its neighbours, given as rows and scores."""
        face = self._face(row)
        card = face.card
        facts = [f"<p>{escaped(card.note)}</p>"] if card.note else []
        if card.id != card.shown_name:
            facts.append(f'<p class="id">{isolated(card.id, most=_MOST_OF_A_NAME)}</p>')
        facts += [f"<p>{away}</p>" for away in self._ways_out(card)]
        shelf = self._shelf(near, bars=True) or "<p>Nothing is similar to this item.</p>"
        return self._page(
            f"{card.shown_name}: similar items",
            f'<main><div class="asked">{face.picture}<div><h1>{face.name}</h1>{"".join(facts)}'
            f"</div></div><h2>Similar items</h2>\n{shelf}</main>",
            origins={face.origin, *self._origins(near)},
            up=_UP,
        )

    def user(self, user_id: str, near: Near, *, n_by_model: int) -> str:
        """Return the page of a user's recommendations, given as rows and scores.

        Where some are listed by popularity, after so many of the model, the page says so.
        """
        name = isolated(user_id, most=_MOST_OF_A_NAME)
        shelf = self._shelf(near[: n_by_model or None], bars=False)
        shelf = shelf or "<p>No item is left to recommend.</p>"
        title, about = "Recommended for", ""
        if n_by_model and n_by_model < len(near):
            shelf += (
                "\n<p>For more the model has no reason. These are the items that most others "
                f"like, and how many do.</p>\n{self._shelf(near[n_by_model:], bars=False)}"
            )
        elif n_by_model < len(near):
            title = "Most liked, for"
            about = (
                "<p>The model knows no likes of this user to recommend by. These are the items "
                "that most others like, and how many do.</p>\n"
            )
        return self._page(
            f"{title} {user_id}",
            f"<main><h1>{title} {name}</h1>\n{about}{shelf}</main>",
            origins=self._origins(near),
            up=_UP,
        )

    def listing(self, title: str, listed: Listing) -> str:
        """Return a page of links."""
        links = "\n".join(
            f'<li><a href="../{path}">{isolated(name, most=_MOST_OF_A_NAME)}</a></li>'
            for name, path in listed.entries
        )
        return self._page(
            title,
            f"<main><h1>{escaped(title)}</h1><p>{_span(listed)}</p>\n"
            f'<ul class="names">\n{links}\n</ul></main>',
            up="../",
        )

    def index(
        self, title: str, *, about: str, chosen: Sequence[int], lists: dict[str, list[Listing]]
    ) -> str:
        """Return the page to begin with.

        Parameters
        ----------
        title, about : str
            A heading, and a few words on what this is and of which model.
        chosen : sequence of int
            Rows of the items to show.
        lists : mapping of str to list of Listing
            A heading, and the pages that list all of a kind.
        """
        faces = [self._draw(row, up="") for row in chosen]
        shown = "\n".join(f"<li>{face.tile}</li>" for face in faces)
        parts = [f"<h1>{escaped(title)}</h1><p>{escaped(about)}</p>"]
        parts.append(f'<h2>Most liked</h2>\n<ol class="near">\n{shown}\n</ol>')
        for heading, pages in lists.items():
            links = "\n".join(f'<li><a href="{one.path}">{_span(one)}</a></li>' for one in pages)
            parts.append(f'<h2>{escaped(heading)}</h2>\n<ul class="names">\n{links}\n</ul>')
        origins = {face.origin for face in faces}
        return self._page(title, f"<main>{''.join(parts)}</main>", origins=origins, up="")

    def _shelf(self, near: Near, *, bars: bool) -> str:
        tiles = "\n".join(
            f"<li>{self._face(row).tile}{_score(score, self.full if bars else None)}</li>"
            for row, score in near
        )
        return f'<ol class="near">\n{tiles}\n</ol>' if tiles else ""

    def _origins(self, near: Near) -> set[str | None]:
        return {self._face(row).origin for row, _ in near} if self.remote_images else set()

    def _draw(self, row: int, up: str = _UP) -> _Face:
        card = self.card_of(row)
        picture, origin = self._picture(card, up)
        name = isolated(card.shown_name, most=_MOST_OF_A_NAME)
        note = f'<p class="note">{escaped(card.note)}</p>' if card.note else ""
        way = f"{up}{self.path_of(row)}"
        tile = f'<a href="{way}">{picture}<span>{name}</span></a>{note}'
        return _Face(card, name, picture, origin, tile)

    def _picture(self, card: Card, up: str) -> tuple[str, str | None]:
        file = picture_file(card.image)
        if file is not None:
            # The name stands beside it, so it needs no words of its own.
            return f'<img class="als-picture" src="{up}{file[0]}" alt="">', None
        origin = web_origin(card.image)
        if origin is not None and not self.remote_images:
            return placeholder(card.id, card.shown_name), None
        return self._pictures.markup(card.id, card.shown_name, card.image), origin

    def _ways_out(self, card: Card) -> Iterable[str]:
        """Yield links to the item's own page and to a picture that is not loaded."""
        host = web_origin(card.link)
        if host is not None:
            yield link(card.link, f"{escaped(host.partition('://')[2], most=60)} ↗")
        elif card.link:
            yield isolated(card.link, most=60)
        if web_origin(card.image) is not None and not self.remote_images:
            yield link(card.image, "picture ↗")

    def _page(self, title: str, body: str, *, up: str, origins: Iterable[str | None] = ()) -> str:
        hosts = "".join(f" {origin}" for origin in sorted(filter(None, origins)))
        way = "" if not up else f'<header><a href="{up}index.html">Start page</a></header>\n'
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            f"style-src 'self'; img-src 'self' data:{hosts}; base-uri 'none'; "
            "form-action 'none'\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n'
            '<meta name="color-scheme" content="light dark">\n'
            f'<title>{escaped(title)}</title>\n<link rel="icon" href="data:,">\n'
            f'<link rel="stylesheet" href="{up}{STYLE}">\n'
            f"</head>\n<body>\n{way}{body}\n</body>\n</html>\n"
        )


def style() -> bytes:
    """Return the style sheet of all pages."""
    return (asset("page.css") + asset("itempages.css")).encode("utf-8")


def picture_file(image: str) -> tuple[str, bytes] | None:
    r"""Return path and content of a picture that comes as a data URL, None for any other.

    A picture that many pages show is one file then. Drawings (SVG) stay in the pages, within
    ``<img>``: as files of their own they could be opened, and would then run what is in them.

    Examples
    --------
    >>> picture_file("data:image/png;base64,iVBORw0KGgo=")
    ('pictures/4c/4c4b6a3be1314ab86138bef4314dde02.png', b'\x89PNG\r\n\x1a\n')
    """
    found = _RASTER.fullmatch(image.strip())
    if found is None:
        return None
    try:
        content = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return None
    digest = hashlib.sha256(content).hexdigest()[:32]
    return f"pictures/{digest[:2]}/{digest}.{found[1].lower()}", content


def _span(listed: Listing) -> str:
    first, last = (isolated(name, most=24) for name in (listed.first, listed.last))
    return f"{first} … {last}"


def _score(score: float, full: float | None) -> str:
    """Return a score as a number, and a bar where it is known at which score that is full."""
    if full is None:
        return f'<p class="score">{score:#.3g}</p>'
    length = round(100 * min(max(score, 0.0), full) / full) if full > 0 else 0
    text = f"{score:z.2f}" if full >= _SMALL else f"{score:.3g}"
    if full > 1 and float(score).is_integer():  # how many like it
        text = f"{score:,.0f}"
    return (
        f'<p class="score">{text}<svg viewBox="0 0 100 1" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect width="{length}" height="1"/></svg></p>'
    )
