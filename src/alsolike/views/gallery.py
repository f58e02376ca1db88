"""Shows items and their most similar items as cards: in a notebook, a report, or a page."""

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError
from alsolike.models.base import FittedModel
from alsolike.models.protocols import HasAffinities, ItemScorer, able
from alsolike.models.similarity.config import Affinity, SimilarityScale, check_bias
from alsolike.recommending.affinities import note_on_few_likes, with_similarity
from alsolike.recommending.co_likes import Likers, pair_evidence
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import checked_ids, checked_k
from alsolike.recommending.similarity import similar_at_marks, similar_indices
from alsolike.text import counted
from alsolike.usage_hints import with_example
from alsolike.views.images import Pictures, embedded
from alsolike.views.page import shown_name, web_origin
from alsolike.views.templating import fragment, macro, standalone

_SMALL = 0.1  # scores below are shown with three significant digits
MOST_MARKS = 5  # as in gallery.css


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
    shared : str
        How many of those who like the first card's item like this one, in a few words.
    why : str
        The same in a sentence, and what was expected.
    """

    id: str
    name: str
    image: str
    link: str
    score: float | None
    note: str = ""
    full: float = 1.0
    measure: str = "the cosine"
    shared: str = ""
    why: str = ""

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


DrawnCards = list[tuple[Card, Markup]]
DrawnShelf = tuple[str, tuple[Card, Markup], list[DrawnCards]]  # title, asked item, lists


@dataclass(frozen=True)
class Shelf:
    """One item and its most similar items, best first.

    Parameters
    ----------
    card : Card
    neighbours : tuple of Card
    title : str
    at_marks : tuple of tuple of Card
        The most similar items at each of the marks of the `Gallery`; `neighbours` are one of them.
    """

    card: Card
    neighbours: tuple[Card, ...]
    title: str = ""
    at_marks: tuple[tuple[Card, ...], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Shelves of cards, shown in notebooks.

    Parameters
    ----------
    shelves : tuple of Shelf
    remote_images : bool
        Load images from the web; otherwise show placeholders with links.
    marks : tuple of str
        Marks of the dial, from specific to popular, of which one is shown at a time, by choice and
        without a script; at most `MOST_MARKS`.
    chosen : int
        The mark that is shown first.
    remark : str
        A sentence below the shelves.
    """

    shelves: tuple[Shelf, ...]
    remote_images: bool = False
    marks: tuple[str, ...] = ()
    chosen: int = 0
    remark: str = ""

    @property
    def image_origins(self) -> frozenset[str]:
        """The hosts of remote images; empty unless `remote_images`."""
        if not self.remote_images:
            return frozenset()
        cards = itertools.chain.from_iterable(
            (shelf.card, *shelf.neighbours, *itertools.chain(*shelf.at_marks))
            for shelf in self.shelves
        )
        return frozenset(filter(None, (web_origin(card.image) for card in cards)))

    def fragment(self, *, heading: int = 3) -> Markup:
        """Return the markup without its style sheet; `heading` is the level of shelf titles."""
        return macro("gallery.html", "fragment")(self, *self._drawn(), heading)

    @property
    def key(self) -> str:
        """A name for the choice of a mark that other galleries on a page do not have."""
        ids = [[card.id for cards in shelf.at_marks for card in cards] for shelf in self.shelves]
        return hashlib.sha256(
            repr((self.marks, ids)).encode("utf-8", "backslashreplace")
        ).hexdigest()[:12]

    def _drawn(self) -> tuple[list[DrawnShelf], list[str]]:
        """Return the shelves with their pictures, and notes.

        The pictures of the lists that are shown first have the first say in the budget.
        """
        pictures = Pictures(remote=self.remote_images)

        def drawn(cards: Iterable[Card]) -> DrawnCards:
            return [(card, pictures.markup(card.id, card.shown_name, card.image)) for card in cards]

        first = [(drawn([shelf.card])[0], drawn(shelf.neighbours)) for shelf in self.shelves]
        shelves = []
        for shelf, (asked, own) in zip(self.shelves, first, strict=True):
            lists = [
                own if place == self.chosen else drawn(cards)
                for place, cards in enumerate(shelf.at_marks)
            ]
            shelves.append((shelf.title, asked, lists or [own]))
        return shelves, [*filter(None, [self.remark]), *pictures.notes()]

    def to_html(self, *, title: str = "Similar items") -> str:
        """Return a whole page without further files."""
        body = macro("gallery.html", "whole")(title, self, *self._drawn())
        styles = ("page.css", "gallery.css")
        return standalone(title, body, styles=styles, image_origins=self.image_origins)

    def _repr_html_(self) -> str:
        return fragment(self.fragment(), "gallery.css")


@with_example('al.gallery(model, ["i1", "i2"], k=5)')
def gallery(
    model: FittedModel,
    items: Sequence[Id],
    *,
    k: int = 5,
    affinity: Affinity | None = None,
    popularity_bias: float | None = None,
    prior_strength: float | None = None,
    marks: Sequence[float | None] = (),
    remote_images: bool = False,
    image_folder: Path | None = None,
) -> Gallery:
    """Return a gallery of `items`, each with its `k` most similar items.

    A model with its history also says how many of those who like the one like the other.

    Parameters
    ----------
    model : FittedModel
        That compares items. Its catalogue, if any, has names, images and links.
    items : sequence of str or int
        Ids or names.
    k : int
        Neighbours of each, at least 1.
    affinity, popularity_bias, prior_strength
        How items are compared, see `alsolike.similar`; None: as the model has it.
    marks : sequence of float or None
        Marks of the dial to choose from in the page, such as ``(0.0, None, 1.0)``: popularity
        biases, and None for the one above, which is always among them. A model without a dial
        shows one list, and says so.
    remote_images : bool
        Load images from the web when the gallery is shown.
    image_folder : Path or None
        The folder of images given as file paths, which are embedded; no other file is read.

    Raises
    ------
    UnknownId
        One of `items` is neither an id nor one item's name.
    SettingError
        `k` is less than 1, `items` is one string, there are too many marks, or a setting is wrong,
        see `alsolike.similar`.
    """
    if isinstance(items, str):
        raise SettingError(f"items must be a list of ids or names, not the text {items!r}.")
    checked_k(k)
    comparing = able(model, ItemScorer, "lay out similar items")
    own = with_similarity(
        comparing,
        affinity=affinity,
        popularity_bias=popularity_bias,
        prior_strength=prior_strength,
    )
    rows = np.array([own.item_index(one) for one in checked_ids(items, own.items)], dtype=np.int64)
    biases, chosen = _checked_marks(own, marks)
    remark = f"{own.name!r} has no dial: there is one list for each item." if marks else ""
    made = Gallery((), remote_images, remark="" if biases else remark)
    if not len(rows):
        return made
    if biases:
        lists = similar_at_marks(own, rows, k=k, marks=biases)
        scales = [with_similarity(own, popularity_bias=bias).similarity for bias in biases]
    else:
        lists, scales = [similar_indices(own, rows, k=k)], [own.similarity]
    draw = _Drawing(own, image_folder)
    columns = [draw.lists(rows, near, scale) for near, scale in zip(lists, scales, strict=True)]
    shelves = []
    for row, *cards in zip(rows.tolist(), *columns, strict=True):
        at_marks = tuple(cards) if biases else ()
        shelves.append(Shelf(draw.asked(row), cards[chosen], at_marks=at_marks))
    labels = tuple(_label(bias, place == chosen) for place, bias in enumerate(biases))
    return replace(made, shelves=tuple(shelves), marks=labels, chosen=chosen)


def _checked_marks(model: FittedModel, marks: Sequence[float | None]) -> tuple[list[float], int]:
    """Return the marks in order, and the place of the model's own; none if there is no choice."""
    given = {check_bias(mark) for mark in marks if mark is not None}
    if not isinstance(model, HasAffinities) or not given:
        return [], 0
    own = model.similarity_config.popularity_bias
    biases = sorted(given | {own})
    if len(biases) > MOST_MARKS:
        raise SettingError(
            f"At most {MOST_MARKS} marks expected, the model's own included; {len(biases)} given."
        )
    return (biases, biases.index(own)) if len(biases) > 1 else ([], 0)


def _label(bias: float, is_chosen: bool) -> str:
    named = {0.0: "Specific", 1.0: "Popular"}.get(bias, "Chosen" if is_chosen else "")
    words = f"{named} ({bias:g})" if named else f"{bias:g}"
    return f"{words}, chosen" if is_chosen and not words.startswith("Chosen") else words


class _Drawing:
    """Makes the cards of a model."""

    def __init__(self, model: FittedModel, image_folder: Path | None) -> None:
        self._model, self._folder = model, image_folder
        self._likers = None if model.history is None else Likers(model)

    def asked(self, row: int) -> Card:
        """Return the card of an item that has a list."""
        found = self._card(row)
        return replace(found, note=note_on_few_likes(self._model, row) or found.note)

    def lists(
        self, rows: npt.NDArray[np.int64], near: Ranked, scale: SimilarityScale
    ) -> list[tuple[Card, ...]]:
        """Return the cards of the lists of some items."""
        shown = near.scores[np.isfinite(near.scores)]
        full = float(shown.max(initial=0.0)) if scale.most is None else scale.most
        made = []
        for row, indices, scores in zip(rows.tolist(), near.indices, near.scores, strict=True):
            pairs = zip(indices.tolist(), scores.tolist(), strict=True)
            made.append(
                tuple(
                    replace(
                        self._card(other), score=score, full=full, measure=scale.words,
                        **self._reasons(row, other),
                    )
                    for other, score in pairs
                    if other >= 0
                )
            )  # fmt: skip
        return made

    def _card(self, row: int) -> Card:
        found = card_of(self._model, row)
        return replace(found, image=embedded(found.image, self._folder))

    def _reasons(self, row: int, other: int) -> dict[str, str]:
        if self._likers is None:
            return {}
        found = pair_evidence(self._model, row, other, self._likers)
        names = (card_of(self._model, one).shown_name for one in (row, other))
        return {"shared": found.brief(), "why": found.sentence(*names)}


def card_of(model: FittedModel, row: int) -> Card:
    """Return the card of the item at `row` of a model."""
    catalogue = model.catalogue
    return Card(
        id=model.items.text_of(row),
        name=catalogue.name_of(row) if catalogue else "",
        image=catalogue.images[row] if catalogue and catalogue.images is not None else "",
        link=catalogue.links[row] if catalogue and catalogue.links is not None else "",
        score=None,
        note=counted(int(model.item_counts[row]), "like"),
    )


def origins(galleries: Iterable[Gallery]) -> frozenset[str]:
    """Return the hosts from which these galleries load images."""
    return frozenset().union(*(each.image_origins for each in galleries))
