"""Ids of any text as names of files that every file system and every file host takes, and back.

A name has lower-case letters, digits, ``-`` and ``_`` only. So no id leaves its folder, two ids
that differ in case alone are two files where file systems cannot tell them apart, no name is one
that Windows keeps for itself, and none begins with a sign that hosts leave out.
"""

import hashlib
import re
import zlib

from alsolike.errors import SettingError

# Beyond that, the paths of some systems end; such ids go by their digest.
MOST_CHARACTERS = 120

_LITERAL = b"abcdefghijklmnopqrstuvwxyz0123456789-"
_SPELLED = [chr(byte) if byte in _LITERAL else f"_{byte:02x}" for byte in range(256)]
_NAME = re.compile(r"id-(?:[a-z0-9-]|_[0-9a-f]{2})*")
_ESCAPE = re.compile(r"_([0-9a-f]{2})")


def name_of(one: str) -> str:
    """Return the name, without an ending, of the file of an id; another id has another name.

    Each byte of its UTF-8 that is no ``a`` to ``z``, ``0`` to ``9`` or ``-`` becomes ``_`` and two
    hexadecimal digits, after ``id-``. Where that is longer than `MOST_CHARACTERS`, the name is
    ``sha256-`` and the digest of the bytes.

    Parameters
    ----------
    one : str
        Anything that UTF-8 can write, the empty text included.

    Examples
    --------
    >>> name_of("sku-17"), name_of("../CON"), name_of("ß")
    ('id-sku-17', 'id-_2e_2e_2f_43_4f_4e', 'id-_c3_9f')
    """
    raw = one.encode("utf-8")
    name = "id-" + "".join(map(_SPELLED.__getitem__, raw))
    return name if len(name) <= MOST_CHARACTERS else f"sha256-{hashlib.sha256(raw).hexdigest()}"


def id_of(name: str) -> str | None:
    """Return the id whose file has this name; None for a digest, which does not tell.

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
    raise SettingError(f"The name that some id has expected, such as 'id-u17', not {name!r}.")


def place_of(one: str) -> str:
    """Return folder and name of the file of an id; the folder is one of 256.

    It is the last byte of the CRC-32 of the id's UTF-8, in hexadecimal, which any language can
    reckon.

    Examples
    --------
    >>> place_of("sku-17")
    '30/id-sku-17'
    """
    return f"{zlib.crc32(one.encode('utf-8')) & 0xFF:02x}/{name_of(one)}"
