"""Unpacks compressed files, members of ZIP archives and standard input into the scratch folder."""

import bz2
import lzma
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from alsolike.errors import DataError
from alsolike.storage.cleanup import no_room
from alsolike.system_errors import out_of_memory

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP = "gzip"
# First bytes of compressed files, and the program that unpacks them.
PACKED = {
    b"\x1f\x8b": GZIP,
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
}
ENDINGS = {".gz": GZIP, ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
_FORMATS = {"zstd": "Zstandard", "bzip2": "bzip2", "xz": "xz"}
_BLOCK = 1 << 20
# Digits after BZh and the mark of a block, or of the end of an empty file.
_BLOCKS_OF_BZIP2 = (b"1AY&SY", b"\x17rE8P\x90")
# As wide as the format's own programs write (zstd --long=31); what a frame needs is allocated.
_WINDOWS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 31}


def packed_by(start: bytes) -> str:
    """Return the program that unpacks a file with such a start, or "".

    Examples
    --------
    >>> packed_by(bz2.compress(b"user,item")), packed_by(b"BZh,item")
    ('bzip2', '')
    """
    for magic, name in PACKED.items():
        if start.startswith(magic):
            is_text = name == "bzip2" and start[4:10] not in _BLOCKS_OF_BZIP2
            return "" if is_text else name
    return ""


def unpack(path: Path, name: str, packed: str, scratch: Path) -> Path:
    """Unpack a file of zstd, bzip2 or xz into `scratch`; return the path of the plain file.

    Raises DataError, OutOfMemory (its frames may need much) or WritingError (no space).
    """
    return spooled(_blocks(path, name, packed), scratch)


def unpack_member(path: Path, member: str, scratch: Path) -> Path:
    """Unpack one file of a ZIP archive into `scratch`, with its checksum verified."""
    return spooled(_member_blocks(path, member), scratch)


def spool(stream: BinaryIO, scratch: Path) -> Path:
    """Copy a stream that can be read only once into `scratch`."""
    return spooled(iter(lambda: stream.read(_BLOCK), b""), scratch)


def create_zstandard(raw: BinaryIO) -> BinaryIO:
    """Return a file to write to, whose content goes into `raw` packed."""
    return zstd.ZstdFile(raw, "wb")  # type: ignore[return-value]  # writes like any binary file


def members_of(path: Path) -> dict[str, int]:
    """Return the sizes of the files in a ZIP archive by name, sorted."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {one.filename: one.file_size for one in archive.infolist() if not one.is_dir()}
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise _damaged_archive(path, error) from error
    return dict(sorted(sizes.items()))


def _new_file(scratch: Path) -> IO[bytes]:
    """Open a new file in `scratch` for writing."""
    try:
        # Closed by the caller, and removed with the folder.
        return tempfile.NamedTemporaryFile(dir=scratch, prefix="plain-", delete=False)
    except OSError as error:
        raise no_room(scratch, error) from error


def spooled(blocks: Iterable[bytes], scratch: Path) -> Path:
    """Write blocks to a new file in `scratch`; WritingError if there is no room."""
    with _new_file(scratch) as out:
        for block in blocks:
            try:
                out.write(block)
            except OSError as error:
                raise no_room(scratch, error) from error
        try:
            out.flush()
        except OSError as error:
            raise no_room(scratch, error) from error
    return Path(out.name)


def _blocks(path: Path, name: str, packed: str) -> Iterator[bytes]:
    kind = _FORMATS[packed]
    try:
        with _opened(path, packed) as unpacked:
            while block := unpacked.read(_BLOCK):
                yield block
    except EOFError:
        raise DataError(
            f"{name}: the {kind} data end too early: the file is truncated. Download it again."
        ) from None
    except zstd.ZstdError as error:
        if "not enough memory" in str(error):
            raise out_of_memory("a large window of Zstandard") from error
        raise DataError(f"{name}: the {kind} data are damaged. Download it again.") from error
    except (lzma.LZMAError, ValueError) as error:
        raise DataError(f"{name}: the {kind} data are damaged. Download it again.") from error
    except OSError as error:
        if error.errno is None:  # raised by bz2 for damaged data
            raise DataError(f"{name}: the {kind} data are damaged. Download it again.") from error
        raise DataError(f"{name}: cannot be read ({error.strerror}).") from error


def _opened(path: Path, packed: str) -> BinaryIO:
    if packed == "bzip2":
        return bz2.BZ2File(path)  # type: ignore[return-value]  # reads like any binary file
    if packed == "xz":
        return lzma.LZMAFile(path)  # type: ignore[return-value]
    return zstd.ZstdFile(path, options=_WINDOWS)  # type: ignore[return-value]


def _member_blocks(path: Path, member: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as unpacked:
            while block := unpacked.read(_BLOCK):
                yield block
    except RuntimeError as error:  # raised by zipfile for encryption
        if isinstance(error, NotImplementedError):
            raise DataError(
                f"{path}: {member!r} is packed in a way that is not read ({error}). Unpack the "
                "archive, and name the file."
            ) from error
        raise DataError(
            f"{path}: {member!r} is protected by a password. Unpack the archive, and name the file."
        ) from error
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        raise _damaged_archive(path, error) from error


def _damaged_archive(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path}: the ZIP archive is damaged or truncated ({error}). Download it again."
    )
