"""Galleries: an item and its neighbours as cards, for a notebook, a report, or a page."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from markupsafe import Markup

from alsolike.errors import SettingError
from alsolike.models.base import FittedModel, ItemScorer, able
from alsolike.recommending.shared import checked_ids, checked_k
from alsolike.recommending.similarity import similar_indices
from alsolike.suggestions import with_example
from alsolike.text import counted
from alsolike.views.images import Pictures, embedded
from alsolike.views.page import shown_name, web_origin
from alsolike.views.templating import fragment, macro, standalone

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
        """The name, or the id where the name shows nothing; cleaned."""
        return shown_name(self.name, self.id)

    @property
    def bar(self) -> str | None:
        """How long the bar of the score is, up to 100; None where the score is no number."""
        if self.score is None or not math.isfinite(self.score):
            return None
        full = self.full
        return f"{100 * min(max(self.score, 0.0), full) / full if full > 0 else 0.0:.1f}"

    @property
    def score_text(self) -> str:
        """The score with as many digits as say something; a dash where it is no number."""
        score = self.score
        if score is None or not math.isfinite(score):
            return "-"
        return f"{score:z.3f}" if self.full >= _SMALL or not score else f"{score:#.3g}"

    @property
    def score_title(self) -> str:
        """What the score is, and all of its digits."""
        return "" if self.bar is None else f"{self.measure}: {self.score:z.6f}"


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

    def fragment(self, *, heading: int = 3) -> Markup:
        """Return the markup without its style sheet; shelf titles are headings of this level."""
        return macro("gallery.html", "fragment")(self.shelves, self._pictures(), heading)

    def to_html(self, *, title: str = "Similar items") -> str:
        """Return a whole page that stands alone."""
        body = macro("gallery.html", "whole")(title, self.shelves, self._pictures())
        return standalone(
            title,
            body,
            styles=("page.css", "gallery.css"),
            image_origins=self.image_origins,
        )

    def _pictures(self) -> Pictures:
        return Pictures(remote=self.remote_images)

    def _repr_html_(self) -> str:
        return fragment(self.fragment(), "gallery.css")


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

    def card(row: int, score: float | None = None) -> Card:
        found = card_of(model, row)
        image = embedded(found.image, image_folder)
        return replace(found, image=image, score=score, full=full, measure=scale.words)

    return Gallery(
        tuple(
            Shelf(
                card(int(row)),
                tuple(
                    card(int(index), float(score))
                    for index, score in zip(indices, scores, strict=True)
                    if index >= 0
                ),
            )
            for row, indices, scores in zip(rows, near.indices, near.scores, strict=True)
        ),
        remote_images,
    )


def card_of(model: FittedModel, row: int) -> Card:
    """Return what galleries and exports show of the item at `row` of a model."""
    catalogue = model.catalogue
    return Card(
        id=model.items.id_of(row),
        name=catalogue.name_of(row) if catalogue else "",
        image=catalogue.images[row] if catalogue and catalogue.images is not None else "",
        link=catalogue.links[row] if catalogue and catalogue.links is not None else "",
        score=None,
        note=counted(int(model.item_counts[row]), "like"),
    )


def origins(galleries: Iterable[Gallery]) -> frozenset[str]:
    """Return the hosts from which any of these galleries would load pictures."""
    return frozenset().union(*(each.image_origins for each in galleries))
