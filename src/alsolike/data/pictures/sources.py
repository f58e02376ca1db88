"""Gets the bytes of pictures: from files, data URLs and texts of SVG. Nothing is fetched."""

import base64
import binascii
import gzip
import io
import os
import re
import stat
import urllib.parse
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

MOST_BYTES = 64 * 2**20  # of a file or a data URL

# Why a picture has no vector, in words for people, in the order of a report.
Fault = Literal[
    "no picture",
    "missing files",
    "addresses on the web, which are not fetched",
    "too large",
    "cut off",
    "damaged, or no picture",
    "drawings that cannot be drawn",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

_WEB = re.compile(r"(?:https?|ftp):|//", re.IGNORECASE)
_DATA = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_SVG = re.compile(r"\s*(?:<\?xml|<!--|<!DOCTYPE svg|<svg)", re.IGNORECASE)


class Unreadable(Exception):
    """A picture without a vector; `fault` says why. It never ends a job."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


@dataclass(frozen=True)
class Source:
    """A cell that names a picture.

    Parameters
    ----------
    cell : str
        A path, a data URL or the text of an SVG.
    folder : Path
        That paths start at.
    """

    cell: str
    folder: Path

    def signature(self) -> bytes:
        """Return what changes if the picture does: the text, or path, size and time of a file.

        Raises
        ------
        Unreadable
            There is no file.
        """
        if not self.is_of_file:
            return self.cell.encode("utf-8", "surrogatepass")
        path = self._path()
        about = _about(path)
        return f"{path.resolve()}\0{about.st_size}\0{about.st_mtime_ns}".encode(
            "utf-8", "surrogateescape"
        )

    @property
    def is_of_file(self) -> bool:
        """Whether the cell is the path of a file."""
        return not _DATA.match(self.cell) and not _SVG.match(self.cell)

    def content(self) -> bytes:
        """Return the bytes of the picture; raise Unreadable if there are none, or too many."""
        if _SVG.match(self.cell):
            found = self.cell.encode("utf-8", "surrogatepass")
        elif match := _DATA.match(self.cell):
            found = _decoded(self.cell[match.end() :], match[2].lower().endswith(";base64"))
        else:
            found = _read(self._path())
        if not found:
            raise Unreadable("damaged, or no picture")
        return _unpacked(found)

    def _path(self) -> Path:
        if not self.cell.strip():
            raise Unreadable("no picture")
        if _WEB.match(self.cell):
            raise Unreadable("addresses on the web, which are not fetched")
        text = self.cell
        if text[:7].lower() == "file://":
            text = urllib.parse.unquote(text[7:])
        return self.folder / text


def is_drawing(content: bytes) -> bool:
    """Tell whether bytes are the text of an SVG.

    Examples
    --------
    >>> is_drawing(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), is_drawing(b"GIF89a")
    (True, False)
    """
    start = content[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        start = start.replace(b"\0", b"")[2:]
    return start[:4] == b"<svg" or (start[:2] in (b"<?", b"<!") and b"<svg" in content[:20_000])


def _about(path: Path) -> os.stat_result:
    try:
        about = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise Unreadable("missing files") from error
    if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for
        raise Unreadable("missing files")
    return about


def _read(path: Path) -> bytes:
    if _about(path).st_size > MOST_BYTES:
        raise Unreadable("too large")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable("missing files") from error


def _decoded(text: str, is_base64: bool) -> bytes:
    if len(text) > 2 * MOST_BYTES:
        raise Unreadable("too large")
    plain = urllib.parse.unquote_to_bytes(text)
    if not is_base64:
        return plain
    compact = b"".join(plain.split())
    try:
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("damaged, or no picture") from error


def _unpacked(content: bytes) -> bytes:
    """Return the text of an ``.svgz``, and other content as it is."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            found = packed.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable("cut off") from error
    if len(found) > MOST_BYTES:
        raise Unreadable("too large")
    return found
