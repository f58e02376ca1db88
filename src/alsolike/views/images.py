"""Pictures of items: embedded, linked to, or drawn; never fetched, never able to run anything."""

import base64
import colorsys
import hashlib
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

from alsolike.views.page import clean, escaped, is_blank, link, web_origin

MOST_BYTES = 200_000
MOST_CHARACTERS_OF_A_GALLERY = 1_200_000

_DATA_ADDRESS = re.compile(
    r"data:image/(?:png|jpeg|gif|webp|svg\+xml)(?:;charset=[a-z0-9-]+)?(?:;base64)?,"
    r"[a-z0-9+/=%!$'()*,.:;@_~?&#<> \"\[\]{}|^\\-]*",
    re.IGNORECASE,
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
    """Return a local picture's path turned into a data URL; any other `image` as it is.

    Parameters
    ----------
    image : str
        What the item table says: an address, a data URL, or a path.
    folder : Path or None
        Where paths start, and what they may not leave: the table comes from a stranger, and must
        not be able to put the caller's other files into a page that is then passed on. None reads
        no file at all.
    """
    if folder is None or not image or web_origin(image) or image[:5].lower() == "data:":
        return image
    try:
        path = (folder / image).resolve()
        inside = path.is_relative_to(folder.resolve()) and path.is_file()
        if not inside or path.stat().st_size > MOST_BYTES:
            return image
        content = path.read_bytes()
    except (OSError, ValueError):  # a name that no file system allows is no picture either
        return image
    kind = _kind(content)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}" if kind else image


def _kind(content: bytes) -> str | None:
    """Return the image type that the first bytes tell, or None: file names prove nothing."""
    for signature, kind in _SIGNATURES:
        if content.startswith(signature):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return "svg+xml" if _SVG_START.match(content[:2000]) else None


@dataclass
class Pictures:
    """Turn what a table says of pictures into markup, within a budget, counting what is left out.

    Parameters
    ----------
    remote : bool
        Load pictures from the web; otherwise they become a link under a drawn placeholder.
    budget : int
        Characters of data URLs that the page can still take.
    """

    remote: bool
    budget: int = MOST_CHARACTERS_OF_A_GALLERY
    linked: int = 0
    too_large: int = 0
    unreadable: int = 0
    origins: set[str] = field(default_factory=set)

    def markup(self, item_id: str, name: str, image: str) -> str:
        """Return the picture of one item: ``<img>``, or a placeholder, perhaps with a link."""
        origin = web_origin(image)
        if origin and self.remote:
            self.origins.add(origin)
            return _img(image, name, 'loading="lazy" referrerpolicy="no-referrer" ')
        if origin:
            self.linked += 1
            of_what = f'<span class="als-unseen"> of {escaped(name, most=120)}</span>'
            away = link(image, f"picture{of_what} ↗", css_class="als-away")
            return placeholder(item_id, name) + away
        if image and self._fits(image):
            self.budget -= len(image)
            return _img(image, name)
        return placeholder(item_id, name)

    def _fits(self, image: str) -> bool:
        if not _DATA_ADDRESS.fullmatch(image.strip()):
            self.unreadable += 1
            return False
        if len(image) > min(self.budget, 4 * MOST_BYTES // 3 + 100):
            self.too_large += 1
            return False
        return True

    def notes(self) -> list[str]:
        """Return what a reader should know about the pictures that are not shown."""
        told = (
            (
                "Pictures on the web",
                self.linked,
                "They were not loaded; the links lead there. To load them: --remote-images, or "
                "remote_images=True in Python.",
            ),
            ("Pictures too large to embed", self.too_large, "They were left out."),
            (
                "Pictures that cannot be embedded",
                self.unreadable,
                "They are neither web addresses nor PNG, JPEG, GIF, WebP or SVG, as data URLs or "
                "as files within the picture folder.",
            ),
        )
        return [f"{what}: {count:,}. {words}" for what, count, words in told if count]


def _img(address: str, name: str, attributes: str = "") -> str:
    source, words = html.escape(address.strip(), quote=True), escaped(name, most=120)
    # The size is for viewers that drop style sheets, as some do with notebooks of others.
    sized = 'width="120" height="120"'
    return f'<img class="als-picture" {sized} {attributes}src="{source}" alt="{words}">'


def placeholder(item_id: str, name: str) -> str:
    """Return a little drawing whose colours follow from the id, with the name's initials.

    It is decoration: the name stands beside it, so screen readers pass over it.
    """
    digest = hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).digest()
    hue = digest[0] / 256
    ground, shape, ink = (
        _colour(hue, light, strength) for light, strength in ((0.9, 0.3), (0.82, 0.38), (0.26, 0.4))
    )
    across, down, radius = 20 + digest[1] % 61, 20 + digest[2] % 61, 26 + digest[3] % 22
    letters = escaped(_initials(name))
    return (
        '<svg class="als-picture" width="120" height="120" viewBox="0 0 100 100" '
        'aria-hidden="true" focusable="false">'
        f'<rect width="100" height="100" fill="{ground}"/>'
        f'<circle cx="{across}" cy="{down}" r="{radius}" fill="{shape}"/>'
        f'<text x="50" y="60" text-anchor="middle" font-size="30" fill="{ink}">{letters}</text>'
        "</svg>"
    )


def _colour(hue: float, lightness: float, saturation: float) -> str:
    parts = colorsys.hls_to_rgb(hue, lightness, saturation)
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


def _initials(name: str) -> str:
    """Return up to two initials; names of other scripts and of signs only give what they have."""
    words = [word for word in re.split(r"[\W_]+", clean(name)) if not is_blank(word)]
    return "".join(word[0] for word in words[:2]).upper()[:2]
