"""Replaces values in the text of JSON lines; every other character stays as it is."""

import contextlib
import gzip
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from alsolike.data.anonymizing.formats import Target
from alsolike.data.reading.files.text_files import TextFile
from alsolike.data.reading.files.unpacking import create_zstandard
from alsolike.errors import DataError
from alsolike.storage.atomic import replacing

_SPACE = re.compile(r"[ \t\n\r]*")
# Numbers stay text: "007" and large ones would lose digits.
_VALUES = json.JSONDecoder(parse_int=str, parse_float=str)


def rewritten(line: str, hashes: Mapping[str, Callable[[str], str]]) -> tuple[str, int]:
    r"""Return a line with the values of some keys replaced, and how many values were ids.

    Parameters
    ----------
    line : str
        One JSON object.
    hashes : mapping of str to callable
        What replaces the id of a key; an id that is returned unchanged was a blank one.

    Examples
    --------
    >>> rewritten('{"user": 7,  "at": 1.50}\n', {"user": lambda one: f"<{one}>"})
    ('{"user": "<7>",  "at": 1.50}\n', 1)
    """
    pieces, end, count = [], 0, 0
    for key, value, start, stop in _members(line):
        if key in hashes and value is not None:
            found = hashes[key](value)
            if found != value:
                pieces += [line[end:start], json.dumps(found)]
                end = stop
                count += 1
    return "".join([*pieces, line[end:]]), count


def write_lines(
    file: TextFile,
    target: Target,
    hashes: Mapping[str, Callable[[str], str]],
    *,
    rejected: Collection[int],
    expected: int,
) -> None:
    """Write the lines of `file` with ids replaced, without the lines that are `rejected`.

    Raises
    ------
    DataError
        Other than `expected` ids were found; nothing is written then.
    WritingError
        The target cannot be written.
    """
    total = 0
    with replacing(target.path) as part:
        with _opened(part, target.packing) as out:
            for number, line in enumerate(file.lines(), start=1):
                if number in rejected:
                    continue
                text, count = rewritten(line, hashes) if line.strip() else (line, 0)
                out.write(text.encode("utf-8"))
                total += count
        if total != expected:  # an id that is left must never get out
            raise DataError(
                f"{file.name}: {expected:,} ids were read, {total:,} were found again to be "
                "replaced. Nothing was written; write .csv or .parquet."
            )


@contextlib.contextmanager
def _opened(part: Path, packing: str) -> Iterator[BinaryIO]:
    """Open a file to write bytes to, which are packed with gzip, zstd or not at all."""
    with part.open("wb") as raw:
        if packing == "gzip":
            # Neither a name nor a time within: equal tables give equal bytes.
            with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                yield packed  # type: ignore[misc]  # writes like any binary file
        elif packing == "zstd":
            with create_zstandard(raw) as packed:
                yield packed
        else:
            yield raw


def _members(line: str) -> Iterator[tuple[str, str | None, int, int]]:
    """Yield key, value and the place of the value, of each member of an object."""
    at = _after_space(line, _after_space(line, 0) + 1)
    while line[at] != "}":
        key, at = _VALUES.raw_decode(line, at)
        start = _after_space(line, _after_space(line, at) + 1)
        value, at = _VALUES.raw_decode(line, start)
        yield key, value, start, at
        at = _after_space(line, at)
        if line[at] == ",":
            at = _after_space(line, at + 1)


def _after_space(line: str, at: int) -> int:
    found = _SPACE.match(line, at)
    return at if found is None else found.end()
