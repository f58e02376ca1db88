"""What pages show of one item: name, address, picture, how many like it."""

import binascii
import re
from base64 import b64decode
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from markupsafe import Markup

from alsolike.data.catalogue import Catalogue
from alsolike.models.base import FittedModel
from alsolike.views.images import MOST_BYTES, embedded, placeholder
from alsolike.views.page import clean, is_blank, web_origin
from alsolike.web.serving.registry import ServedModel

# Below this many likes, whom an item shares its likers with is largely chance.
FEW = 20

_MOST_OF_A_NAME = 120
_LONGEST_IMAGE = 4 * MOST_BYTES // 3 + 100
_PICTURE = re.compile(
    r"data:(?P<type>image/(?:png|jpeg|gif|webp|svg\+xml))(?:;charset=[a-z0-9-]+)?"
    r"(?P<base64>;base64)?,(?P<content>.*)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class ItemCard:
    """What pages show of one item of one model.

    Parameters
    ----------
    row : int
        Of the model's items.
    id : str
        As it is; templates escape it.
    name : str
        The name, or the id where the name shows nothing; cleaned, not escaped.
    address : str
        Of the item's page.
    picture : Markup
        An ``<img>`` above a drawing, or the drawing alone.
    likes : int
        In the training data.
    """

    row: int
    id: str
    name: str
    address: str
    picture: Markup
    likes: int

    @property
    def few(self) -> bool:
        """Whether so few like it that its neighbours are weakly founded."""
        return self.likes < FEW

    @property
    def shown_id(self) -> str:
        """The id cleaned, or nothing where it is what the name shows already."""
        shown = clean(self.id, most=_MOST_OF_A_NAME)
        return "" if shown == self.name else shown


def address(kind: str, outside_id: str) -> str:
    """Return the address of the page of an item or a user.

    Parameters
    ----------
    kind : {"item", "user"}
    outside_id : str
        Any text. What a path cannot carry is put into the query.

    Examples
    --------
    >>> address("item", "a/b?c"), address("item", "..")
    ('/items/a%2Fb%3Fc', '/item?id=..')
    """
    # Browsers resolve dots however they are written.
    if outside_id.strip(".") == "":
        return f"/{kind}?id={quote(outside_id, safe='')}"
    return f"/{kind}s/{quote(outside_id, safe='')}"


def card_of(served: ServedModel, row: int) -> ItemCard:
    """Return what pages show of the item at `row`."""
    model = served.model
    item_id = model.items.id_of(row)
    name = shown_name(model, row)
    return ItemCard(
        row=row,
        id=item_id,
        name=name,
        address=address("item", item_id),
        picture=_picture(served, row, placeholder(item_id, name)),
        likes=int(model.item_counts[row]),
    )


def shown_name(model: FittedModel, row: int) -> str:
    """Return the name of an item, or its id where the name shows nothing, cleaned."""
    catalogue = model.catalogue
    for text in (catalogue.name_of(row) if catalogue is not None else "", model.items.id_of(row)):
        if not is_blank(text):
            return clean(text, most=_MOST_OF_A_NAME)
    return "(no name)"


def text_of(catalogue: Catalogue | None, column: str, row: int) -> str:
    """Return what the item table says in ``"images"`` or ``"links"``, or an empty text."""
    texts = getattr(catalogue, column, None)
    return "" if texts is None else str(texts[row])


def picture_content(served: ServedModel, row: int) -> tuple[str, bytes] | None:
    """Return media type and content of a picture in the item table or in a file it names.

    None where there is none, or where it is no picture.
    """
    image = embedded(text_of(served.model.catalogue, "images", row).strip(), served.pictures)
    found = _PICTURE.fullmatch(image) if len(image) <= _LONGEST_IMAGE else None
    if found is None:
        return None
    content = unquote_to_bytes(found["content"])
    if found["base64"]:
        try:
            content = b64decode(content, validate=True)
        except binascii.Error:
            return None
    return found["type"].lower(), content


def _picture(served: ServedModel, row: int, drawing: str) -> Markup:
    """Return the item's picture above a drawing, which shows where the picture is dead."""
    image = text_of(served.model.catalogue, "images", row).strip()
    origin = web_origin(image)
    is_file = bool(image) and origin is None and served.pictures is not None
    if image[:5].lower() == "data:" or is_file:
        source = f"/pictures/{served.name}/{served.version[:16]}/{row}"
    elif origin in served.image_origins:
        source = image
    else:
        source = ""
    # The name stands beside it, so it needs no words of its own.
    shown = Markup(
        '<img class="als-picture" width="120" height="120" loading="lazy" '
        'referrerpolicy="no-referrer" src="{}" alt="">'
    ).format(source)
    # The drawing is markup of our own, in which the views have escaped what comes from outside.
    return Markup('<span class="picture">{}{}</span>').format(
        Markup(drawing),  # noqa: S704
        shown if source else "",
    )
