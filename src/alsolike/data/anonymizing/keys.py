"""Makes keyed hashes of ids, and reads and creates files of keys.

A hash is the first 128 bits of HMAC-SHA256 (RFC 2104) under the key, in hexadecimal. What is hashed
is ``user``, a zero byte and the id in UTF-8; of items ``item`` in place of ``user``, so that user
42 and item 42 have different hashes.
"""

import hmac
import os
import secrets
from pathlib import Path
from typing import Literal

from alsolike.data.vocabulary import is_blank
from alsolike.errors import DataError, SettingError
from alsolike.storage.atomic import create_private

Side = Literal["user", "item"]

_LEAST, _MOST = 32, 4096  # bytes of a key; a larger file is no key but the wrong file
_BYTES = 16


def hashed(key: bytes, side: Side, one: str) -> str:
    """Return the keyed hash of an id; a blank id, which means a missing one, stays as it is.

    Examples
    --------
    >>> key = bytes(range(32))
    >>> hashed(key, "user", "ann"), hashed(key, "user", " ")
    ('c5339e04520cd64ef2019e1014ca10c3', ' ')
    """
    if is_blank(one):
        return one
    message = f"{side}\0{one}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, message, "sha256")[:_BYTES].hex()


def expect_no_file(path: str | os.PathLike[str]) -> None:
    """Raise SettingError if a key would be written over."""
    if os.path.lexists(path):
        raise SettingError(
            f"{path}: there is a file of this name, and a key is never written over. To use that "
            "key, leave new_key=True out."
        )


def make_key(path: str | os.PathLike[str]) -> bytes:
    """Create a file with a key of 32 random bytes that only its owner may read; return the key."""
    key = secrets.token_bytes(_LEAST)
    create_private(path, key)
    return key


def read_key(path: str | os.PathLike[str]) -> tuple[bytes, list[str]]:
    """Return the bytes of a file as a key, and warnings.

    Raises
    ------
    DataError
        There is no such file, it cannot be read, or it has not 32 to 4,096 bytes.
    """
    try:
        with Path(path).open("rb") as file:
            key = file.read(_MOST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file. Name the file of the key, or make one with new_key=True."
        ) from None
    except OSError as error:
        raise DataError(f"{path}: the key cannot be read ({error.strerror}).") from error
    if not _LEAST <= len(key) <= _MOST:
        found = f"{len(key):,}" if len(key) <= _MOST else f"more than {_MOST:,}"
        raise DataError(
            f"{path}: a key of {_LEAST} to {_MOST:,} bytes expected, {found} found. Make one with "
            "new_key=True, under another name."
        )
    if mode & 0o077:
        return key, [
            f"{path}: others on this machine may read the key, and whoever has it can find out who "
            f"is who. Close it: chmod 600 {path}"
        ]
    return key, []
