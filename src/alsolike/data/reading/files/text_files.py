"""Opens text files: checks kind, completeness and encoding, in one pass over UTF-8."""

import contextlib
import errno
import gzip
import io
import shlex
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from alsolike.data.reading.files.encodings import (
    UTF_8,
    Encoding,
    Utf8Watch,
    decoded,
    named,
    single_bytes,
)
from alsolike.data.reading.files.listing import is_lake, pattern_of
from alsolike.data.reading.files.signatures import (
    encoding_of,
    is_binary,
    refuse_foreign,
    table_file,
)
from alsolike.data.reading.files.unpacking import ENDINGS, GZIP, packed_by, unpack
from alsolike.errors import AlsolikeError, DataError
from alsolike.system_errors import way_out_of

_CHUNK = 1 << 18  # pieces that fit the processor's cache: 4 times faster than of 1 MiB
_START = 1 << 12
_PARQUET = b"PAR1"
_JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
QUOTES = ('"', "\\", "'")


@dataclass
class Survey:
    """Result of one pass over the bytes of a text file."""

    size: int = 0
    bom: bool = False
    line_feeds: int = 0
    returns: int = 0
    lone_returns: int = 0
    ends_open: bool = False
    marks: dict[str, int] = field(default_factory=lambda: dict.fromkeys(QUOTES, 0))
    not_utf8: str = ""
    not_utf8_line: int = 0
    head: str = ""


@dataclass
class TextFile:
    """A surveyed text file, plain or gzip, in UTF-8.

    `path` is read; `name` is used in messages. `printed` is the command that prints the content as
    plain UTF-8, or "" if the file holds that. `encoding` names what it was decoded from.
    """

    path: Path
    name: str
    compression: str
    survey: Survey
    printed: str = ""
    encoding: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def pattern(self) -> str:
        """The path for DuckDB, with wildcards escaped."""
        return pattern_of(self.path)

    @property
    def new_name(self) -> str:
        """A name for the corrected file: ``new`` with the ending of its content."""
        endings = [one for one in Path(self.name).suffixes if one.lower() not in ENDINGS]
        return f"new{endings[-1] if endings else '.txt'}"

    def count(self, mark: str) -> int:
        """Count an ASCII character in the whole file."""
        if mark in self.survey.marks:
            return self.survey.marks[mark]
        with _opened(self.path, self.compression) as raw:
            return sum(chunk.count(mark.encode()) for chunk in iter(lambda: raw.read(_CHUNK), b""))

    def lines(self) -> Iterator[str]:
        """Yield the lines with their ends; bytes that are not UTF-8 become surrogates."""
        with (
            _opened(self.path, self.compression) as raw,
            io.TextIOWrapper(
                raw, encoding="utf-8-sig", errors="surrogateescape", newline=""
            ) as text,
        ):
            yield from text


def kind_of(path: Path, name: str) -> str:
    """Return the kind of a file, by its first bytes and its name.

    It is "parquet", "json", "text", "zip", "excel" or "sqlite"; of a folder "delta" or "iceberg".
    """
    if path.is_dir():
        return is_lake(path)
    start = _first_bytes(path)
    # A text may begin with the same letters, but not with the byte that follows them.
    if start.startswith(_PARQUET) and not b" " <= start[4:5] <= b"~":
        return "parquet"
    packed = packed_by(start)
    if found := table_file(path, start, name):
        return found
    if not packed:
        _refuse_other_content(start, name, "")
    endings = [ending.lower() for ending in Path(name).suffixes]
    if endings and endings[-1] in (".parquet", ".pq"):
        content = f"is packed with {packed}" if packed else "is something else"
        way_out = f" Unpack it: {packed} -dc {shlex.quote(name)} > new" if packed else ""
        raise DataError(f"{name}: the name says Parquet, but its content {content}.{way_out}")
    if endings and endings[-1] in ENDINGS:
        ending = endings.pop()
        if packed != ENDINGS[ending]:
            raise DataError(
                f"{name}: the name ends in {ending}, but the content is something else. "
                "If it is plain text, rename it."
            )
    return "json" if endings and endings[-1] in _JSON_ENDINGS else "text"


def open_text(
    path: Path, scratch: Path, *, name: str = "", encoding: str | None = None, prefix: str = ""
) -> TextFile:
    """Survey the text file at `path`; what is neither plain nor gzip is first unpacked.

    Messages call it `name`, or else by its path. Text of another `encoding` than UTF-8 is read
    from a decoded copy; None finds it. `prefix` starts the name of that option. Raises DataError
    if the file cannot be opened, is damaged, or is not text in the encoding.
    """
    name = name or str(path)
    file = TextFile(path, name, "none", Survey())
    try:
        packed = packed_by(_first_bytes(path))
        if packed == GZIP:
            file.compression = GZIP
        elif packed:
            file.path = unpack(path, name, packed, scratch)
        file.printed = f"{packed} -dc {shlex.quote(name)}" if packed else ""
        with _opened(file.path, file.compression) as raw:
            head = raw.read(_CHUNK)
        _refuse_other_content(head, name, packed)
        found = _encoding_of(file, head, encoding, prefix)
        if found is None:
            file.survey = _surveyed(file)
            if encoding is None and file.survey.not_utf8:
                found = _single_bytes(file, prefix)
        if found is not None:
            _decode(file, found, scratch, asked=encoding is not None, prefix=prefix)
    except EOFError:
        raise DataError(
            f"{name}: the gzip data end too early: the file is truncated. Download it again."
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{name}: the gzip data are damaged ({error}). Download it again."
        ) from error
    except OSError as error:
        if isinstance(error, AlsolikeError):
            raise
        hint = way_out_of(error) if error.errno == errno.EMFILE else ""
        raise DataError(f"{name}: cannot be read ({_why(error)}). {hint}".rstrip()) from error
    if file.survey.size == 0:
        raise DataError(f"{name}: the file is empty after decompression.")
    return file


def _encoding_of(file: TextFile, head: bytes, encoding: str | None, prefix: str) -> Encoding | None:
    """Return the encoding asked for, or that of wide characters; None for UTF-8, as it seems."""
    if encoding is not None:
        return None if encoding == UTF_8 else Encoding(named(encoding), encoding, encoding.upper())
    name = encoding_of(head)
    if not name:
        return None
    if name[-1] in "0123456789":  # with a mark at its start
        return Encoding(name, name, name)
    file.warnings.append(
        f"{file.name}: read as {name}, as its zero bytes suggest. If that is wrong, pass "
        f"{prefix}encoding=."
    )
    return Encoding(name, name, name)


def _single_bytes(file: TextFile, prefix: str) -> Encoding | None:
    with _opened(file.path, file.compression) as raw:
        found = single_bytes(raw)
    if found is not None:
        file.warnings.append(
            f"{file.name}: not UTF-8 from line {file.survey.not_utf8_line} on; read as "
            f"{found.name}: {found.sample!r}. If that is wrong, pass {prefix}encoding=."
        )
    return found


def _decode(file: TextFile, found: Encoding, scratch: Path, *, asked: bool, prefix: str) -> None:
    """Read a decoded copy of the file instead."""
    with _opened(file.path, file.compression) as raw:
        watch = Utf8Watch(found.codec if asked else "")
        blocks = watch.passed(iter(lambda: raw.read(_CHUNK), b""))
        plain = decoded(blocks, file.name, found.codec, scratch, asked=asked, prefix=prefix)
    if watch.sample:
        file.warnings.append(
            f"{file.name}: read as {found.name}, such as {watch.sample!r}, but all of it is UTF-8, "
            f"too. If that looks wrong, leave out {prefix}encoding=."
        )
    change = f"iconv -f {found.iconv} -t UTF-8"
    name = shlex.quote(file.name)
    file.printed = f"{file.printed} | {change}" if file.printed else f"{change} {name}"
    file.path, file.compression, file.encoding = plain, "none", found.name
    file.survey = _surveyed(file)


def _surveyed(file: TextFile) -> Survey:
    with _opened(file.path, file.compression) as raw:
        return _survey(raw, file.name)


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as raw:
            return raw.read(_START)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be opened ({_why(error)}). Check who may read it."
        ) from error


@contextlib.contextmanager
def _opened(path: Path, compression: str) -> Iterator[BinaryIO]:
    with path.open("rb") as raw:
        if compression == "gzip":
            with gzip.GzipFile(fileobj=raw) as unpacked:
                yield unpacked  # type: ignore[misc]  # reads like any binary file
        else:
            yield raw


def _survey(raw: BinaryIO, name: str) -> Survey:
    survey = Survey()
    last = tail = b""
    while chunk := raw.read(_CHUNK):
        if survey.size == 0:
            survey.bom = chunk.startswith(b"\xef\xbb\xbf")
            survey.head = chunk.decode("utf-8-sig", "replace")
        if b"\0" in chunk:
            line = survey.line_feeds + chunk.count(b"\n", 0, chunk.index(b"\0")) + 1
            raise DataError(
                f"{name}, line {line}: a NUL character, which text cannot contain. If the file is "
                "not damaged, remove them (tr -d '\\000')."
            )
        if not survey.not_utf8:
            tail = _check_utf8(survey, tail + chunk)
        cells = np.frombuffer(chunk, dtype=np.uint8)
        crossing = last.endswith(b"\r") and chunk.startswith(b"\n")
        if b"\r" in chunk or crossing:
            ends = cells == ord("\r")
            pairs = np.count_nonzero(ends[:-1] & (cells[1:] == ord("\n"))) + crossing
            returns = int(np.count_nonzero(ends))
            survey.returns += returns
            survey.lone_returns += returns - int(pairs)
        survey.line_feeds += int(np.count_nonzero(cells == ord("\n")))
        for mark in QUOTES:
            survey.marks[mark] += int(np.count_nonzero(cells == ord(mark)))
        survey.size += len(chunk)
        last = chunk
    if tail and not survey.not_utf8:
        _note_not_utf8(survey, tail, 0)
    survey.ends_open = not last.endswith((b"\n", b"\r"))
    return survey


def _check_utf8(survey: Survey, block: bytes) -> bytes:
    """Check `block`; return a character cut off at its end."""
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end == len(block):
            return block[error.start :]
        _note_not_utf8(survey, block, error.start)
    return b""


def _note_not_utf8(survey: Survey, block: bytes, start: int) -> None:
    # A character cut between two blocks holds no line feed, so the count so far is right.
    survey.not_utf8_line = survey.line_feeds + block.count(b"\n", 0, start) + 1
    survey.not_utf8 = f"byte 0x{block[start]:02x} is not UTF-8"


def _refuse_other_content(chunk: bytes, name: str, packed: str) -> None:
    """Raise DataError if the decompressed content is not text."""
    refuse_foreign(chunk, name, packed)
    if not encoding_of(chunk) and is_binary(chunk):
        raise DataError(
            f"{name}: text, Parquet or JSON lines expected, these are bytes of another kind of "
            "file. Export the table as CSV or Parquet."
        )


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


# No extension is fetched, no Python variable is taken for a table.
SEALED: dict[str, Any] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
