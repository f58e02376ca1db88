"""Finds the encoding of texts that are not UTF-8, and decodes them into UTF-8."""

import codecs
import re
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from pathlib import Path
from typing import NamedTuple

from alsolike.data.reading.files.signatures import CONTROL
from alsolike.data.reading.files.unpacking import spooled
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import did_you_mean

UTF_8 = "utf-8"
# The bytes from 0x80 to 0x9f that Windows-1252 does not define.
_UNDEFINED = frozenset(b"\x81\x8d\x8f\x90\x9d")
_WORD = re.compile(r"[^,;|\t\"\r\n]*[^\x00-\x7f][^,;|\t\"\r\n]*")
_SHOWN = 40
_SINGLE_BYTE = ("iso8859", "cp125", "latin")


class Encoding(NamedTuple):
    """An encoding: for people, for Python, and for iconv; and a text that shows it."""

    name: str
    codec: str
    iconv: str
    sample: str = ""


def checked_encoding(given: str | None, prefix: str = "") -> str | None:
    """Return Python's name of a text encoding; SettingError if there is none.

    Examples
    --------
    >>> checked_encoding("Latin-1"), checked_encoding("UTF8"), checked_encoding(None)
    ('iso8859-1', 'utf-8', None)
    """
    if given is None:
        return None
    try:
        found = codecs.lookup(given)
    except (LookupError, ValueError, UnicodeError):
        found = None
    if found is None or not found._is_text_encoding or found.name == "undefined":
        known = {*aliases, *aliases.values(), "latin-1", "cp1252"}
        raise SettingError(
            f"{prefix}encoding={given!r}: the name of a text encoding expected, such as utf-8, "
            f"latin-1, cp1252 or utf-16.{did_you_mean(given, sorted(known))}"
        )
    return UTF_8 if found.name == "utf-8-sig" else found.name


def named(codec: str) -> str:
    """Return the name of an encoding for people: as where it is found, else Python's.

    Examples
    --------
    >>> named("iso8859-1"), named("cp1252"), named("koi8-r")
    ('Latin-1', 'Windows-1252', 'koi8-r')
    """
    return {"iso8859-1": "Latin-1", "cp1252": "Windows-1252"}.get(codec, codec)


def single_bytes(lines: Iterable[bytes]) -> Encoding | None:
    r"""Find the encoding of a text whose bytes are not UTF-8: Windows-1252, Latin-1, or None.

    It is none of both, but UTF-8 with broken lines, if at least half of the lines with bytes
    beyond ASCII are UTF-8, or if only its last character is cut off.

    Examples
    --------
    >>> single_bytes([b"caf\xe9,1\n"])
    Encoding(name='Latin-1', codec='latin-1', iconv='LATIN1', sample='café')
    >>> single_bytes([b"\x93caf\xe9\x94\n"]).name
    'Windows-1252'
    >>> single_bytes([b"caf\xe9\n", b"caf\xc3\xa9\n"]), single_bytes([b"caf\xc3"])
    (None, None)
    """
    good = bad = 0
    used: set[int] = set()
    first = last = b""
    for line in lines:
        last = line
        if line.isascii():
            continue
        used.update(line)
        try:
            line.decode(UTF_8)
            good += 1
        except UnicodeDecodeError:
            bad += 1
            first = first or line
    if good >= bad or not CONTROL.isdisjoint(used) or (bad == 1 and _is_cut(last)):
        return None
    controls = {byte for byte in used if 0x80 <= byte < 0xA0}
    is_windows = bool(controls) and _UNDEFINED.isdisjoint(controls)
    found = (
        Encoding("Windows-1252", "cp1252", "CP1252")
        if is_windows
        else Encoding("Latin-1", "latin-1", "LATIN1")
    )
    return found._replace(sample=_sample_of(first.decode(found.codec)))


def _sample_of(line: str) -> str:
    """Return a text of a line that shows how characters beyond ASCII were read."""
    word = _WORD.search(line)
    sample = "" if word is None else word[0].strip()
    return sample if len(sample) <= _SHOWN else f"{sample[:_SHOWN]}..."


class Utf8Watch:
    r"""Passes blocks of bytes on, and notes whether those beyond ASCII are UTF-8 throughout.

    Examples
    --------
    >>> watch = Utf8Watch("latin-1")
    >>> _ = list(watch.passed([b"1,caf\xc3\xa9\n"]))
    >>> print(watch.sample)
    cafÃ©
    """

    def __init__(self, codec: str) -> None:
        self.sample = ""  # as the other encoding reads it; empty if that may be right
        self._codec = codec

    def passed(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks; `sample` holds once all are read."""
        decoder, sample = codecs.getincrementaldecoder(UTF_8)(), ""
        is_utf_8 = self._codec.startswith(_SINGLE_BYTE)
        for block in blocks:
            yield block
            if not is_utf_8:
                continue
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf_8 = False
            if not sample and not block.isascii():
                line = next(one for one in block.splitlines() if not one.isascii())
                sample = _sample_of(line.decode(self._codec, "replace"))
        if is_utf_8 and not decoder.getstate()[0]:
            self.sample = sample


def decoded(
    blocks: Iterable[bytes], name: str, codec: str, scratch: Path, *, asked: bool, prefix: str = ""
) -> Path:
    """Write a text as UTF-8 into `scratch`; lines and line ends stay as they are.

    Raises DataError for bytes that are not of the encoding.
    """
    texts = _texts(blocks, name, codec, asked=asked, prefix=prefix)
    return spooled(_encoded(texts, name, codec, prefix), scratch)


def _encoded(texts: Iterable[str], name: str, codec: str, prefix: str) -> Iterator[bytes]:
    for text in texts:
        try:
            yield text.encode(UTF_8)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{name}: half a surrogate pair, which no text contains. Read with "
                f"{prefix}encoding={codec!r}; pass another."
            ) from error


def _texts(
    blocks: Iterable[bytes], name: str, codec: str, *, asked: bool, prefix: str
) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)()
    line = 1
    try:
        for block in blocks:
            text = decoder.decode(block)
            line += text.count("\n")
            yield text
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        way_out = f"Pass another {prefix}encoding=" if asked else f"Pass {prefix}encoding="
        if not isinstance(error, UnicodeDecodeError):  # of texts that need a mark at their start
            raise DataError(
                f"{name}: not of the encoding {codec!r} ({error}). {way_out}, such as {codec}-le."
            ) from error
        line += _line_feeds(error, codec)
        byte = error.object[error.start : error.start + 1]
        found = f"byte 0x{byte.hex()} " if byte else "the last character "
        raise DataError(
            f"{name}, line {line}: {found}is not of the encoding {codec!r} ({error.reason}). "
            f"{way_out}, or mend the line."
        ) from error


def _line_feeds(error: UnicodeDecodeError, codec: str) -> int:
    """Count the line ends of a block before the fault."""
    return (
        codecs.getincrementaldecoder(codec)("replace")
        .decode(error.object[: error.start])
        .count("\n")
    )


def _is_cut(last: bytes) -> bool:
    """Return whether a line is UTF-8 except that its last character is not complete."""
    try:
        last.decode(UTF_8)
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.end == len(last)
    return False
