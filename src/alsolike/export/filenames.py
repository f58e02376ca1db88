"""Converts ids to file names that are valid on every file system and file host, and back.

A name has only lower-case letters, digits, ``-`` and ``_``. So no id leaves its folder, ids that
differ only in case are two files on every file system, no name is reserved on Windows, and none
begins with a character that hosts leave out.
"""

import hashlib
import re
import zlib

from alsolike.errors import SettingError

# Longer paths are not allowed on some systems; such ids are named by their digest.
MOST_CHARACTERS = 120

_LITERAL = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_SPELLED = [chr(byte) if byte in _LITERAL else f"_{byte:02x}" for byte in range(256)]
_NAME = re.compile(r"id-(?:[a-z0-9-]|_[0-9a-f]{2})*")
_ESCAPE = re.compile(r"_([0-9a-f]{2})")


def name_of(one: str) -> str:
    """Return the unique file name of an id, without an extension.

    It is ``id-`` and the bytes of the id's UTF-8, each byte other than ``a`` to ``z``, ``0`` to
    ``9`` and ``-`` as ``_`` and two hexadecimal digits. If that is longer than `MOST_CHARACTERS`,
    the name is ``sha256-`` and the digest of the bytes.

    Parameters
    ----------
    one : str
        Any text that UTF-8 can encode, also the empty one.

    Examples
    --------
    >>> name_of("sku-17"), name_of("../CON"), name_of("ß")
    ('id-sku-17', 'id-_2e_2e_2f_43_4f_4e', 'id-_c3_9f')
    """
    raw = one.encode("utf-8")
    name = "id-" + "".join(map(_SPELLED.__getitem__, raw))
    return name if len(name) <= MOST_CHARACTERS else f"sha256-{hashlib.sha256(raw).hexdigest()}"


def id_of(name: str) -> str | None:
    """Return the id whose file has this name; None for a digest.

    Raises
    ------
    SettingError
        No id has a file of that name.

    Examples
    --------
    >>> id_of("id-_2e_2e_2f_43_4f_4e"), id_of("sha256-" + 64 * "0")
    ('../CON', None)
    """
    if re.fullmatch(r"sha256-[0-9a-f]{64}", name):
        return None
    if _NAME.fullmatch(name):
        bytewise = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), name.removeprefix("id-"))
        try:
            one = bytewise.encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            one = None
        if one is not None and name_of(one) == name:
            return one
    raise SettingError(f"The file name of an id expected, such as 'id-u17', not {name!r}.")


def place_of(one: str) -> str:
    """Return folder and name of the file of an id.

    The folder is the last byte of the CRC-32 of the id's UTF-8, in hexadecimal.

    Examples
    --------
    >>> place_of("sku-17")
    '30/id-sku-17'
    """
    return f"{zlib.crc32(one.encode('utf-8')) & 0xFF:02x}/{name_of(one)}"
