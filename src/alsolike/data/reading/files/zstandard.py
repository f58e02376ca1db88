"""Unpacks and packs Zstandard files."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from alsolike.errors import DataError
from alsolike.storage.cleanup import no_room
from alsolike.system_errors import out_of_memory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_BLOCK = 1 << 20
# As wide as the format's own programs write (zstd --long=31); what a frame needs is allocated.
_WINDOWS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 31}


def unpack(path: Path, scratch: Path) -> Path:
    """Decompress a Zstandard file into the folder `scratch`; return the path of the plain file.

    Raises DataError, OutOfMemory (its frames may need much) or WritingError (no space).
    """
    plain = scratch / "unpacked.txt"
    try:
        with plain.open("wb") as out:
            out.writelines(_blocks(path))
    except OSError as error:
        raise no_room(scratch, error) from error
    return plain


def create(raw: BinaryIO) -> BinaryIO:
    """Return a file to write to, whose content goes into `raw` packed."""
    return zstd.ZstdFile(raw, "wb")  # type: ignore[return-value]  # writes like any binary file


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with zstd.ZstdFile(path, options=_WINDOWS) as packed:
            while block := packed.read(_BLOCK):
                yield block
    except EOFError:
        raise DataError(
            f"{path}: the Zstandard data end too early: the file is truncated. Download it again."
        ) from None
    except zstd.ZstdError as error:
        if "not enough memory" in str(error):
            raise out_of_memory("a large window of Zstandard") from error
        raise DataError(f"{path}: the Zstandard data are damaged. Download it again.") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
