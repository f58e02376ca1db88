"""Shows items and their most similar items as cards: in a notebook, a report, or a page."""

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
from alsolike.text import counted
from alsolike.usage_hints import with_example
from alsolike.views.images import Pictures, embedded
from alsolike.views.page import shown_name, web_origin
from alsolike.views.templating import fragment, macro, standalone

_SMALL = 0.1  # scores below are shown with three significant digits


@dataclass(frozen=True)
class Card:
    """One item as it is shown. All texts may be hostile; they are escaped when drawn.

    Parameters
    ----------
    id, name : str
    image : str
        A data URL of an image, a web address, or empty.
    link : str
        The address of the item's page; clickable only if it is http or https.
    score : float or None
        The similarity to the first card of the shelf; None for that card.
    note : str
        The number of likes.
    full : float
        The score at which the bar is full.
    measure : str
        The name of the score.
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
        """The name, or the id if the name is blank; cleaned."""
        return shown_name(self.name, self.id)

    @property
    def bar(self) -> str | None:
        """The length of the bar, up to 100; None without a finite score."""
        if self.score is None or not math.isfinite(self.score):
            return None
        full = self.full
        return f"{100 * min(max(self.score, 0.0), full) / full if full > 0 else 0.0:.1f}"

    @property
    def score_text(self) -> str:
        """The score with three digits; a dash without a finite score."""
        score = self.score
        if score is None or not math.isfinite(score):
            return "-"
        return f"{score:z.3f}" if self.full >= _SMALL or not score else f"{score:#.3g}"

    @property
    def score_title(self) -> str:
        """The name of the score, and six decimals."""
        return "" if self.bar is None else f"{self.measure}: {self.score:z.6f}"


@dataclass(frozen=True)
class Shelf:
    """One item and its most similar items, best first."""

    card: Card
    neighbours: tuple[Card, ...]
    title: str = ""


@dataclass(frozen=True)
class Gallery:
    """Shelves of cards, shown in notebooks.

    Parameters
    ----------
    shelves : tuple of Shelf
    remote_images : bool
        Load images from the web; otherwise show placeholders with links.
    """

    shelves: tuple[Shelf, ...]
    remote_images: bool = False

    @property
    def image_origins(self) -> frozenset[str]:
        """The hosts of remote images; empty unless `remote_images`."""
        if not self.remote_images:
            return frozenset()
        cards = (card for shelf in self.shelves for card in (shelf.card, *shelf.neighbours))
        return frozenset(filter(None, (web_origin(card.image) for card in cards)))

    def fragment(self, *, heading: int = 3) -> Markup:
        """Return the markup without its style sheet; `heading` is the level of shelf titles."""
        return macro("gallery.html", "fragment")(self.shelves, self._pictures(), heading)

    def to_html(self, *, title: str = "Similar items") -> str:
        """Return a whole page without further files."""
        body = macro("gallery.html", "whole")(title, self.shelves, self._pictures())
        styles = ("page.css", "gallery.css")
        return standalone(title, body, styles=styles, image_origins=self.image_origins)

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
    """Return a gallery of `items`, each with its `k` most similar items.

    Parameters
    ----------
    model : FittedModel
        That compares items. Its catalogue, if any, has names, images and links.
    items : sequence of str
        Ids or names.
    k : int
        Neighbours of each, at least 1.
    remote_images : bool
        Load images from the web when the gallery is shown.
    image_folder : Path or None
        The folder of images given as file paths, which are embedded; no other file is read.

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

    shelves = []
    for row, indices, scores in zip(rows, near.indices, near.scores, strict=True):
        pairs = zip(indices.tolist(), scores.tolist(), strict=True)
        neighbours = tuple(card(index, score) for index, score in pairs if index >= 0)
        shelves.append(Shelf(card(int(row)), neighbours))
    return Gallery(tuple(shelves), remote_images)


def card_of(model: FittedModel, row: int) -> Card:
    """Return the card of the item at `row` of a model."""
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
    """Return the hosts from which these galleries load images."""
    return frozenset().union(*(each.image_origins for each in galleries))
