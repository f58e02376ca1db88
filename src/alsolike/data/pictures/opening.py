"""Opens pictures of all common formats as squares of pixels, with Pillow."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.pictures.drawings import Drawer
from alsolike.data.pictures.sources import Source, Unreadable, is_drawing
from alsolike.errors import DataError
from alsolike.usage_hints import way_to_install

MOST_PIXELS = 100_000_000  # of one picture, as Pillow warns from 89 million

# Those that Pillow opens by itself; others, such as EPS, start other programs.
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "ICO", "ICNS",
            "JPEG2000", "PPM", "TGA", "PCX", "SGI", "DDS", "QOI", "PSD", "XBM", "XPM")  # fmt: skip
_TRUNCATED = ("truncated", "broken data stream", "incomplete", "unexpected end", "premature end",
              "not enough image data", "buffer is not large enough", "is not large")  # fmt: skip


def pillow() -> Any:
    """Return Pillow's module of pictures; raise DataError with the way to install it."""
    try:
        from PIL import Image  # noqa: PLC0415 - optional
    except ImportError as error:
        raise DataError(
            f"Pictures are opened with Pillow, which is not installed: "
            f"{way_to_install('alsolike[images]')}."
        ) from error
    Image.init()  # all formats are known then; only those of _FORMATS are opened
    return Image


def open_pixels(source: Source, side: int, drawer: Drawer) -> tuple[npt.NDArray[np.uint8], bool]:
    """Open a picture as a square: the whole of it, whatever its shape.

    Parts that one can see through are white. Of several frames or pages, the first is taken.

    Parameters
    ----------
    source : Source
    side : int
        Pixels of the square's side.
    drawer : Drawer
        For SVG.

    Returns
    -------
    pixels : uint8, (side, side, 3)
        Red, green and blue.
    is_animated : bool
        Whether there are further frames.

    Raises
    ------
    Unreadable
        There is no picture, or it cannot be read.
    """
    content = source.content()
    if is_drawing(content):
        content = drawer.png(content)
    image = pillow()
    try:
        known = [one for one in _FORMATS if one in image.OPEN]
        with image.open(io.BytesIO(content), formats=known) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise Unreadable("too large")
            is_animated = bool(getattr(opened, "is_animated", False)) and (
                opened.format not in ("MPO", "ICNS", "ICO")
            )
            opened.draft("RGB", (2 * side, 2 * side))
            opened.load()
            return _square(image, opened, side), is_animated
    except (image.DecompressionBombError, image.DecompressionBombWarning, MemoryError) as error:
        raise Unreadable("too large") from error
    except Unreadable:
        raise
    except Exception as error:  # a decoder may raise anything for bytes that are no picture
        text = str(error).lower()
        is_cut = any(words in text for words in _TRUNCATED)
        raise Unreadable("cut off" if is_cut else "damaged, or no picture") from error


def _square(image: Any, opened: Any, side: int) -> npt.NDArray[np.uint8]:
    """Return the pixels of a loaded picture, upright and on white."""
    from PIL import ImageOps  # noqa: PLC0415 - optional

    upright = ImageOps.exif_transpose(opened)
    if upright.mode[:1] in ("I", "F"):
        is_of_16_bits = upright.mode.startswith("I;16")
        values = np.asarray(upright, dtype=np.float64)
        upright = image.fromarray(_bytes_of(values, 65_535.0 if is_of_16_bits else None))
    if upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        paper = image.new("RGBA", layer.size, (255, 255, 255, 255))
        upright = image.alpha_composite(paper, layer)
    resized = upright.convert("RGB").resize(
        (side, side), image.Resampling.BICUBIC, reducing_gap=3.0
    )
    pixels: npt.NDArray[np.uint8] = np.array(resized, dtype=np.uint8)
    return pixels


def _bytes_of(values: npt.NDArray[np.float64], top: float | None) -> npt.NDArray[np.uint8]:
    """Return the values of a picture of more than 8 bits, or of fractions, as bytes.

    `top` is what white is; None: the least of 1, 255 and 65,535 that no value is above.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    most = float(values.max(initial=0.0))
    if top is None:
        top = next((limit for limit in (1.0, 255.0, 65_535.0) if most <= limit), most)
    found: npt.NDArray[np.uint8] = np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)
    return found
