"""Holds ids that are whole numbers as their digits: which type holds them, and their values."""

import re
from typing import Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.string_array import StringArray

IdType = Literal["text", "int64", "uint64"]

_DIGITS = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)  # the only way to write a whole number here
_SHORT = 19  # characters; fewer fit in 64 bits in any case
_LEAST, _MOST, _MOST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1
_LIMITS = {"int64": (_LEAST, _MOST), "uint64": (0, _MOST_UNSIGNED)}
_MINUS = ord("-")


def is_whole(text: str, id_type: IdType | None = None) -> bool:
    """Return whether a text is exactly the digits of a whole number of 64 bits, or of a type.

    Examples
    --------
    >>> [is_whole(text) for text in ("7", "-7", "0", "07", "7.0", "", str(2**64))]
    [True, True, True, False, False, False, False]
    >>> is_whole(str(2**63)), is_whole(str(2**63), "int64")
    (True, False)
    """
    if len(text) > _SHORT + 1 or _DIGITS.fullmatch(text) is None:
        return False
    least, most = _LIMITS.get(id_type or "", (_LEAST, _MOST_UNSIGNED))
    return least <= int(text) <= most


def near_number(text: str) -> str:
    """Return a sentence that suggests the number in a text with blanks or zeros around it.

    Examples
    --------
    >>> near_number(" 0154"), near_number("154x")
    (' Did you mean 154?', '')
    """
    bare = text.strip()
    digits = bare.lstrip("0") or "0"
    return f" Did you mean {digits}?" if bare and is_whole(digits) else ""


def type_of_digits(ids: StringArray) -> IdType:
    """Return the type of 64 bits that holds these whole numbers, given as digits, or "text".

    Examples
    --------
    >>> [type_of_digits(StringArray.pack(ids)) for ids in (["-1"], [str(2**63)], [str(2**64)])]
    ['int64', 'uint64', 'text']
    """
    lengths = np.diff(ids.offsets)
    if lengths.max(initial=0) < _SHORT:
        return "int64"
    long = [int(ids[row]) for row in np.flatnonzero(lengths >= _SHORT).tolist()]
    if min(long) >= _LEAST and max(long) <= _MOST:
        return "int64"
    is_signed = (ids.blob[ids.offsets[:-1]] == _MINUS).any()
    return "uint64" if not is_signed and max(long) <= _MOST_UNSIGNED else "text"


def numbers_of(ids: StringArray) -> npt.NDArray[np.uint64]:
    """Return whole numbers of 64 bits, given as digits, as uint64; below zero, modulo 2^64.

    Examples
    --------
    >>> numbers_of(StringArray.pack(["-7", "0", "9223372036854775807"])).astype("int64").tolist()
    [-7, 0, 9223372036854775807]
    """
    numbers = np.zeros(len(ids), dtype=np.uint64)
    if not len(ids):
        return numbers
    is_signed = ids.blob[ids.offsets[:-1]] == _MINUS
    places, ends = ids.offsets[:-1] + is_signed, ids.offsets[1:]
    for _ in range(int((ends - places).max())):
        left = places < ends
        digits = ids.blob[places[left]] - np.uint8(ord("0"))
        numbers[left] = numbers[left] * np.uint64(10) + digits
        places = places + left
    return np.where(is_signed, np.uint64(0) - numbers, numbers)
