"""Builds the item cards of pages: name, address, image and likes."""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from markupsafe import Markup

from alsolike.data.catalogue import Catalogue
from alsolike.models.base import FittedModel
from alsolike.models.similarity.config import FEW_LIKES
from alsolike.text import counted
from alsolike.views.images import LONGEST, content_of, embedded, picture, placeholder
from alsolike.views.page import clean, shown_name, web_origin
from alsolike.web.serving.registry import ServedModel
from alsolike.web.templating import below

_MOST_OF_A_NAME = 120


@dataclass(frozen=True)
class ItemCard:
    """One item of one model on a page.

    Parameters
    ----------
    row : int
    id : str
        Neither cleaned nor escaped.
    name : str
        The name, or the id if the name shows nothing; cleaned, not escaped.
    address : str
        Address of the item's page.
    picture : Markup
        An ``<img>`` above a drawing, or only the drawing.
    likes : int
        Likes in the training data.
    is_new : bool
        Whether it is known by its features alone.
    """

    row: int
    id: str
    name: str
    address: str
    picture: Markup
    likes: int
    is_new: bool = False

    @property
    def few(self) -> bool:
        """Whether it has so few likes that its similar items are weakly founded."""
        return self.likes <= FEW_LIKES and not self.is_new

    @property
    def note(self) -> str:
        """Number of likes, in words."""
        return "New: no likes yet" if self.is_new else counted(self.likes, "like")

    @property
    def shown_id(self) -> str:
        """The cleaned id, or empty if the name shows it already."""
        shown = clean(self.id, most=_MOST_OF_A_NAME)
        return "" if shown == self.name else shown


def address(kind: str, outside_id: str) -> str:
    """Return the address of a page of `kind` "item" or "user"; ids may be any text.

    One that a path cannot carry goes into the query.

    Examples
    --------
    >>> address("item", "a/b?c"), address("item", "..")
    ('/items/a%2Fb%3Fc', '/item?id=..')
    """
    # Browsers resolve dots, even percent-encoded ones.
    if outside_id.strip(".") == "":
        return below(f"/{kind}?id={quote(outside_id, safe='')}")
    return below(f"/{kind}s/{quote(outside_id, safe='')}")


def with_parameter(address: str, name: str, value: str) -> str:
    """Return an address with one more parameter in its query."""
    return f"{address}{'&' if '?' in address else '?'}{urlencode({name: value})}"


def card_of(served: ServedModel, row: int) -> ItemCard:
    """Return the card of the item at `row`."""
    model = served.model
    item_id = model.items.text_of(row)
    name = name_of(model, row)
    return ItemCard(
        row=row,
        id=item_id,
        name=name,
        address=address("item", item_id),
        picture=_picture(served, row, placeholder(item_id, name)),
        likes=int(model.item_counts[row]),
        is_new=served.is_new(row),
    )


def name_of(model: FittedModel, row: int) -> str:
    """Return the cleaned name of an item, or its id if the name shows nothing."""
    catalogue = model.catalogue
    name = catalogue.name_of(row) if catalogue is not None else ""
    return shown_name(name, model.items.text_of(row), most=_MOST_OF_A_NAME)


def text_of(catalogue: Catalogue | None, column: str, row: int) -> str:
    """Return the text in the column ``"images"`` or ``"links"`` of the item table, or empty."""
    texts = getattr(catalogue, column, None)
    return "" if texts is None else str(texts[row])


def picture_content(served: ServedModel, row: int) -> tuple[str, bytes] | None:
    """Return media type and content of an image in the item table or in a file that it names."""
    image = embedded(text_of(served.model.catalogue, "images", row).strip(), served.pictures)
    return content_of(image) if len(image) <= LONGEST else None


def _picture(served: ServedModel, row: int, drawing: Markup) -> Markup:
    """Return the item's image above a drawing, which is seen if the image fails to load."""
    image = text_of(served.model.catalogue, "images", row).strip()
    origin = web_origin(image)
    is_file = bool(image) and origin is None and served.pictures is not None
    if image[:5].lower() == "data:" or is_file:
        source = below(f"/pictures/{served.name}/{served.version[:16]}/{row}")
    elif origin in served.image_origins:
        source = image
    else:
        source = ""
    # The name is next to it, so it needs no alternative text.
    shown = picture(source, lazy=True) if source else ""
    return Markup('<span class="picture">{}{}</span>').format(drawing, shown)
