"""Galleries: an item and its neighbours as cards, for a notebook, a report, or a page."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from alsolike.errors import SettingError
from alsolike.models.base import FittedModel, ItemScorer, able
from alsolike.recommending.shared import checked_ids, checked_k
from alsolike.recommending.similarity import similar_indices
from alsolike.suggestions import with_example
from alsolike.views.images import Pictures, embedded
from alsolike.views.page import (
    asset,
    clean,
    document,
    escaped,
    is_blank,
    isolated,
    link,
    web_origin,
)

_MOST_OF_A_LINK = 60
_SMALL = 0.1  # scores below are shown with three digits that count


@dataclass(frozen=True)
class Card:
    """What is shown of one item. All texts may be hostile; they are made harmless when drawn.

    Parameters
    ----------
    id, name : str
        A name that shows nothing gives way to the id.
    image : str
        A data URL of an image, a web address, or empty.
    link : str
        The address of the item's page; clickable only where it is http or https.
    score : float or None
        How well it goes with the first card of its shelf; None for that card itself.
    note : str
        A few words below: how many like it.
    full : float
        The score at which the bar of a score is full.
    measure : str
        What the score is.
    """

    id: str
    name: str
    image: str
    link: str
    score: float | None
    note: str = ""
    full: float = 1.0
    measure: str = "the cosine"

    @property
    def shown_name(self) -> str:
        """The name, or the id where the name shows nothing."""
        for text in (self.name, self.id):
            if not is_blank(text):
                return clean(text)
        return "(no name)"


@dataclass(frozen=True)
class Shelf:
    """One item and what is most similar to it, best first."""

    card: Card
    neighbours: tuple[Card, ...]
    title: str = ""


@dataclass(frozen=True)
class Gallery:
    """Shelves of cards that show themselves.

    Parameters
    ----------
    shelves : tuple of Shelf
        In the order in which they are shown.
    remote_images : bool
        Load pictures from the web; otherwise they are a link under a drawn placeholder.
    """

    shelves: tuple[Shelf, ...]
    remote_images: bool = False

    @property
    def image_origins(self) -> frozenset[str]:
        """The hosts from which pictures would be loaded; empty unless `remote_images`."""
        if not self.remote_images:
            return frozenset()
        cards = (card for shelf in self.shelves for card in (shelf.card, *shelf.neighbours))
        return frozenset(filter(None, (web_origin(card.image) for card in cards)))

    def fragment(self, *, heading: int = 3) -> str:
        """Return the markup without its style sheet; shelf titles are headings of this level."""
        pictures = Pictures(remote=self.remote_images)
        shelves = "\n".join(_shelf(shelf, pictures, heading) for shelf in self.shelves)
        notes = "".join(f"<li>{escaped(note)}</li>" for note in pictures.notes())
        below = f'<ul class="als-notes">{notes}</ul>' if notes else ""
        return f'<div class="als-gallery">\n{shelves}\n{below}</div>'

    def to_html(self, *, title: str = "Similar items") -> str:
        """Return a whole page that stands alone."""
        return document(
            title,
            f"<main><h1>{escaped(title)}</h1>\n{self.fragment(heading=2)}</main>",
            styles=[asset("page.css") + asset("gallery.css")],
            image_origins=self.image_origins,
        )

    def _repr_html_(self) -> str:
        return f"<style>{asset('gallery.css')}</style>\n{self.fragment()}"


@with_example('al.gallery(model, ["i1", "i2"], k=5)')
def gallery(
    model: FittedModel,
    items: Sequence[str],
    *,
    k: int = 5,
    remote_images: bool = False,
    image_folder: Path | None = None,
) -> Gallery:
    """Lay out the `k` nearest items of each of `items` as a gallery.

    Parameters
    ----------
    model : FittedModel
        That compares items. With a catalogue for names, pictures and links; without one, ids are
        shown.
    items : sequence of str
        Ids or names.
    k : int
        Neighbours of each, at least 1.
    remote_images : bool
        Load pictures from the web when the gallery is looked at.
    image_folder : Path or None
        Where pictures that are given as file paths start; they are embedded. No file outside this
        folder is read, and none without it.

    Raises
    ------
    UnknownId
        One of `items` is neither an id nor one item's name.
    SettingError
        `k` is less than 1, or `items` is one string.
    """
    if isinstance(items, str):
        raise SettingError(f"items must be a list of ids or names, not the text {items!r}.")
    checked_k(k)
    comparing = able(model, ItemScorer, "lay out similar items")
    rows = np.array([model.item_index(one) for one in checked_ids(items, "item")], dtype=np.int64)
    if not len(rows):
        return Gallery((), remote_images)
    near = similar_indices(comparing, rows, k=k)
    scale, shown = model.similarity, near.scores[np.isfinite(near.scores)]
    full = float(shown.max(initial=0.0)) if scale.most is None else scale.most

    def neighbour(index: int, score: float) -> Card:
        card = _card(model, index, score, image_folder)
        return replace(card, full=full, measure=scale.words)

    return Gallery(
        tuple(
            Shelf(
                _card(model, int(row), None, image_folder),
                tuple(
                    neighbour(int(index), float(score))
                    for index, score in zip(indices, scores, strict=True)
                    if index >= 0
                ),
            )
            for row, indices, scores in zip(rows, near.indices, near.scores, strict=True)
        ),
        remote_images,
    )


def _card(model: FittedModel, index: int, score: float | None, folder: Path | None) -> Card:
    catalogue = model.catalogue
    image = catalogue.images[index] if catalogue and catalogue.images is not None else ""
    address = catalogue.links[index] if catalogue and catalogue.links is not None else ""
    count = int(model.item_counts[index])
    return Card(
        id=model.items.id_of(index),
        name=catalogue.name_of(index) if catalogue else "",
        image=embedded(image, folder),
        link=address,
        score=score,
        note=f"{count:,} {'like' if count == 1 else 'likes'}",
    )


def _shelf(shelf: Shelf, pictures: Pictures, heading: int) -> str:
    # The first card shows the name; a heading that only repeats it is for screen readers.
    hidden = "" if shelf.title else ' class="als-unseen"'
    title = isolated(shelf.title or f"Similar to {shelf.card.shown_name}", most=120)
    if shelf.neighbours:
        near = "".join(f"<li>{_card_markup(card, pictures)}</li>" for card in shelf.neighbours)
        beside = f'<ol class="als-near">{near}</ol>'
    else:
        beside = '<p class="als-none">Nothing is similar to this item.</p>'
    return (
        f'<section class="als-shelf"><h{heading}{hidden}>{title}</h{heading}>'
        f'<div class="als-row"><div class="als-asked">{_card_markup(shelf.card, pictures)}</div>'
        f"{beside}</div></section>"
    )


def _card_markup(card: Card, pictures: Pictures) -> str:
    name = link(card.link, isolated(card.shown_name, most=200), css_class="als-link")
    lines = [
        pictures.markup(card.id, card.shown_name, card.image),
        f'<p class="als-name">{name}</p>',
    ]
    if card.score is not None:
        lines.append(_score(card.score, card.full, card.measure))
    if card.note:
        lines.append(f'<p class="als-note">{isolated(card.note, most=80)}</p>')
    if card.link and web_origin(card.link) is None:
        shown = isolated(card.link, most=_MOST_OF_A_LINK)
        lines.append(f'<p class="als-note als-plain">{shown}</p>')
    return f'<article class="als-card">{"".join(lines)}</article>'


def _score(score: float, full: float, measure: str) -> str:
    """Return a similarity as a number and a bar; a score that is no number is shown as a dash."""
    if not math.isfinite(score):
        return '<p class="als-score">-</p>'
    length = 100 * min(max(score, 0.0), full) / full if full > 0 else 0.0
    text = f"{score:z.3f}" if full >= _SMALL or not score else f"{score:#.3g}"
    return (
        f'<p class="als-score"><span title="{escaped(measure)}: {score:z.6f}">{text}</span>'
        '<svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="als-rail" width="100" height="4"/>'
        f'<rect class="als-bar" width="{length:.1f}" height="4"/></svg></p>'
    )


def origins(galleries: Iterable[Gallery]) -> frozenset[str]:
    """Return the hosts from which any of these galleries would load pictures."""
    return frozenset().union(*(each.image_origins for each in galleries))
