"""Turns images of items into safe markup: embedded, linked to, or a drawn placeholder."""

import base64
import binascii
import colorsys
import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from markupsafe import Markup

from alsolike.views.page import clean, is_blank, web_origin
from alsolike.views.templating import macro

_CARD = "item_card.html"

MOST_BYTES = 200_000
LONGEST = 4 * MOST_BYTES // 3 + 100  # characters of a data URL
MOST_CHARACTERS_OF_A_GALLERY = 1_200_000

_DATA_ADDRESS = re.compile(
    r"data:image/(?:png|jpeg|gif|webp|svg\+xml)(?:;charset=[a-z0-9-]+)?(?:;base64)?,"
    r"[a-z0-9+/=%!$'()*,.:;@_~?&#<> \"\[\]{}|^\\-]*",
    re.IGNORECASE,
)
_PICTURE = re.compile(
    r"data:(?P<type>image/(?:png|jpeg|gif|webp|svg\+xml))(?:;charset=[a-z0-9-]+)?"
    r"(?P<base64>;base64)?,(?P<content>.*)",
    re.IGNORECASE | re.DOTALL,
)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
_SVG_START = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<svg[\s>]", re.DOTALL
)


def embedded(image: str, folder: Path | None) -> str:
    """Return a data URL for the path of a local image; any other `image` unchanged.

    Parameters
    ----------
    image : str
        From the item table: an address, a data URL, or a path.
    folder : Path or None
        The folder that paths are relative to and may not leave, since the table comes from a
        stranger and the page is passed on. None: read no file.
    """
    if folder is None or not image or web_origin(image) or image[:5].lower() == "data:":
        return image
    try:
        path = (folder / image).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_file()
        if not inside or path.stat().st_size > MOST_BYTES:
            return image
        content = path.read_bytes()
    except (OSError, ValueError):  # such as a name that no file system allows
        return image
    kind = _kind(content)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}" if kind else image


def content_of(image: str) -> tuple[str, bytes] | None:
    """Return media type and content of an image that is a data URL; None for any other."""
    found = _PICTURE.fullmatch(image.strip())
    if found is None:
        return None
    content = unquote_to_bytes(found["content"])
    if found["base64"]:
        try:
            content = base64.b64decode(content, validate=True)
        except binascii.Error:
            return None
    return found["type"].lower(), content


def _kind(content: bytes) -> str | None:
    """Return the image type by the first bytes, or None."""
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return "svg+xml" if _SVG_START.match(content[:2000]) else None


@dataclass
class Pictures:
    """Turns the images of an item table into markup, within a budget, and counts those left out.

    Parameters
    ----------
    remote : bool
        Load images from the web; otherwise show a placeholder with a link.
    budget : int
        Characters of data URLs that the page may still contain.
    """

    remote: bool
    budget: int = MOST_CHARACTERS_OF_A_GALLERY
    linked: int = 0
    too_large: int = 0
    unreadable: int = 0

    def markup(self, item_id: str, name: str, image: str) -> Markup:
        """Return the image of one item: ``<img>``, or a placeholder, perhaps with a link."""
        if self.count(image):
            return picture(image, name, lazy=web_origin(image) is not None)
        drawing = placeholder(item_id, name)
        if web_origin(image) is None:
            return drawing
        return macro(_CARD, "linked_image")(drawing, image, name)

    def count(self, image: str) -> bool:
        """Return whether the page shows an image; count it if not."""
        if not image:
            return False
        if web_origin(image) is not None:
            self.linked += not self.remote
            return self.remote
        if not _DATA_ADDRESS.fullmatch(image.strip()):
            self.unreadable += 1
            return False
        if len(image) > min(self.budget, LONGEST):
            self.too_large += 1
            return False
        self.budget -= len(image)
        return True

    def notes(self) -> list[str]:
        """Return notes on the images that are not shown."""
        notes = {
            f"Images on the web: {self.linked:,}, not loaded. Use --remote-images "
            "(remote_images=True in Python) to load them.": self.linked,
            f"Images too large to embed: {self.too_large:,}, left out.": self.too_large,
            f"Unsupported images: {self.unreadable:,}. Expected: web addresses, or PNG, JPEG, GIF, "
            "WebP or SVG as data URLs or files in the image folder.": self.unreadable,
        }
        return [note for note, count in notes.items() if count]


def picture(address: str, name: str = "", *, lazy: bool = False) -> Markup:
    """Return an ``<img>``; without a `name` if the name is shown next to it."""
    return macro(_CARD, "image")(address, name, lazy)


def placeholder(item_id: str, name: str) -> Markup:
    """Return a drawing coloured by the id, with the name's initials; screen readers skip it."""
    digest = hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).digest()
    place = 20 + digest[1] % 61, 20 + digest[2] % 61, 26 + digest[3] % 22
    return macro(_CARD, "drawing")(*_colours(digest[0]), *place, clean(_initials(name)))


@functools.cache
def _colours(hue: int) -> list[str]:
    """Return the colours of background, shape and letters for a hue from 0 to 255."""
    tones = ((0.9, 0.3), (0.82, 0.38), (0.26, 0.4))
    parts = (colorsys.hls_to_rgb(hue / 256, light, strength) for light, strength in tones)
    return ["#" + "".join(f"{round(255 * part):02x}" for part in one) for one in parts]


def _initials(name: str) -> str:
    """Return up to two initials."""
    words = [word for word in re.split(r"[\W_]+", clean(name)) if not is_blank(word)]
    return "".join(word[0] for word in words[:2]).upper()[:2]
