"""Packs many strings as UTF-8 bytes with offsets, for memory-mapping."""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

_FEW = 16  # strings, which are faster decoded one by one


@dataclass(frozen=True, eq=False)
class StringArray(Sequence[str]):
    """An immutable sequence of strings.

    Parameters
    ----------
    blob : uint8, (n_bytes,)
        All strings, UTF-8, one after the other.
    offsets : int64, (n + 1,)
        String i is ``blob[offsets[i]:offsets[i + 1]]``.

    Examples
    --------
    >>> names = StringArray.pack(["Björk", "", "U2"])
    >>> names[0], names[-1], len(names), list(names.take([2, 0]))
    ('Björk', 'U2', 3, ['U2', 'Björk'])
    >>> names.cells([2, 0])
    array(['U2', 'Björk'], dtype=object)
    """

    blob: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]

    @classmethod
    def pack(cls, strings: Iterable[str]) -> "StringArray":
        """Pack strings; raise UnicodeEncodeError for a lone surrogate."""
        encoded = [string.encode("utf-8") for string in strings]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(piece) for piece in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def raw(self, index: int) -> bytes:
        """Return the UTF-8 bytes of string `index` (not negative)."""
        return self.blob[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def place_of(self, wanted: bytes, start: int, stop: int) -> int:
        """Return the insertion index of `wanted` among ascending strings from `start` to `stop`."""
        # Views of Python's own: an element of an array takes three times as long.
        blob, offsets = self.blob.data, self.offsets.data
        return bisect.bisect_left(
            range(stop),
            wanted,
            start,
            key=lambda i: blob[offsets[i] : offsets[i + 1]].tobytes(),
        )

    def take(self, indices: npt.ArrayLike) -> "StringArray":
        """Return the strings at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        starts = self.offsets[:-1][chosen]
        lengths = self.offsets[1:][chosen] - starts
        offsets = np.zeros(len(chosen) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        # The source position of each byte: its string's start plus its place within the string.
        shift = np.repeat(starts - offsets[:-1], lengths)
        return StringArray(self.blob[np.arange(offsets[-1]) + shift], offsets)

    def cells(self, indices: npt.ArrayLike) -> npt.NDArray[np.object_]:
        """Return the strings at `indices`, in that order, as an object array, (n,)."""
        chosen = np.asarray(indices, dtype=np.int64)
        if len(chosen) > _FEW:
            return self.take(chosen).to_array()
        cells = np.empty(len(chosen), dtype=object)
        cells[:] = [self[index] for index in chosen.tolist()]
        return cells

    def to_list(self) -> list[str]:
        """Return all strings as a list."""
        whole = self.blob.tobytes()
        ends = self.offsets.tolist()
        return [whole[start:end].decode("utf-8") for start, end in itertools.pairwise(ends)]

    def to_array(self) -> npt.NDArray[np.object_]:
        """Return all strings as an object array, (n,)."""
        cells = np.empty(len(self), dtype=object)
        cells[:] = self.to_list()
        return cells

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(index)
        return self.raw(position).decode("utf-8")

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_list())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StringArray):
            return NotImplemented
        return np.array_equal(self.offsets, other.offsets) and np.array_equal(self.blob, other.blob)

    __hash__ = None  # type: ignore[assignment]  # equal by content, and content may be large
