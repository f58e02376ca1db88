"""Maps ids to row numbers and back."""

import bisect
import functools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from alsolike.data.string_array import StringArray
from alsolike.errors import DataError, UnknownId
from alsolike.usage_hints import did_you_mean_id

Indices = npt.NDArray[np.int32]

_BETWEEN = 32  # ids from one landmark to the next
# Finding one id takes as long as adding so many to a dictionary; and a dictionary of all ids needs
# more memory than all else that a worker of a service holds for itself.
_EACH = 16
# Blanks of all kinds, the zero-width space, the byte order mark.
BLANKS = " \t\n\r\v\f\x85\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009"
BLANKS += "\u200a\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"


class Vocabulary:
    """The distinct ids of users or items, sorted by their UTF-8 bytes.

    Sorted, so that rows do not depend on the order of the likes, and so that an id is found in a
    memory-mapped model without a dictionary.

    Parameters
    ----------
    ids : StringArray
        Strictly ascending by UTF-8 bytes.
    kind : str
        What the ids identify, for messages: ``"user"`` or ``"item"``.

    Examples
    --------
    >>> users = Vocabulary.of(["u9", "u10", "u9"], kind="user")
    >>> list(users), users.index_of("u9")
    (['u10', 'u9'], 1)
    >>> users.index_of("U9")
    Traceback (most recent call last):
        ...
    alsolike.errors.UnknownId: user 'U9' is not among the 2 users here. Did you mean 'u9'?
    """

    def __init__(self, ids: StringArray, *, kind: str) -> None:
        self.ids = ids
        self.kind = kind

    @classmethod
    def of(cls, ids: Iterable[str], *, kind: str) -> "Vocabulary":
        """Collect the distinct ids of `ids`; raise DataError for an invalid one."""
        distinct = set(check_ids(list(ids), kind))
        # The order of code points is the order of UTF-8 bytes, so Python's own sort will do.
        return cls(StringArray.pack(sorted(distinct)), kind=kind)

    def checked(self) -> "Vocabulary":
        """Return self, or raise DataError if ids repeat or are out of order."""
        previous = None
        for position, string in enumerate(self.ids):
            if previous is not None and string <= previous:
                raise DataError(
                    f"{self.kind} ids must be distinct and sorted: id {string!r} at position "
                    f"{position} follows {previous!r}."
                )
            previous = string
        return self

    def find(self, outside: str) -> int | None:
        """Return the row of id `outside`, or None if it is unknown."""
        wanted = outside.encode("utf-8", "surrogatepass")
        after = bisect.bisect_right(self._landmarks, wanted)
        start = max(after - 1, 0) * _BETWEEN
        row = self.ids.place_of(wanted, start, min(start + _BETWEEN, len(self.ids)))
        return row if row < len(self.ids) and self.ids.raw(row) == wanted else None

    def index_of(self, outside: str) -> int:
        """Return the row of id `outside`; raise UnknownId if it is unknown."""
        index = self.find(outside)
        if index is None:
            raise UnknownId(
                f"{self.kind} {outside!r} is not among the {len(self):,} {self.kind}s here."
                f"{did_you_mean_id(outside, self, self.__contains__)}"
            )
        return index

    def indices_of(self, outside: Iterable[str]) -> Indices:
        """Return the rows of many ids, int32, in order; raise UnknownId for the first unknown."""
        wanted = list(outside)
        places = self.places_of(wanted)
        unknown = np.flatnonzero(places < 0)
        if len(unknown):
            self.index_of(wanted[unknown[0]])
        return places.astype(np.int32)

    def places_of(self, outside: Iterable[str]) -> npt.NDArray[np.int64]:
        """Return the rows of many ids, int64, in order; -1 for unknown ids."""
        wanted = list(outside)
        if "_rows" not in self.__dict__ and _EACH * len(wanted) < len(self):
            found = (self.find(string) for string in wanted)
            return np.array([-1 if row is None else row for row in found], dtype=np.int64)
        rows = self._rows
        return np.array([rows.get(string, -1) for string in wanted], dtype=np.int64)

    def id_of(self, index: int) -> str:
        """Return the id of row `index`."""
        return self.ids[index]

    def ids_of(self, indices: npt.ArrayLike) -> npt.NDArray[np.object_]:
        """Return the ids of many rows, as an object array."""
        return self.ids.cells(indices)

    def subset(self, indices: npt.ArrayLike) -> "Vocabulary":
        """Keep the rows `indices`, which must ascend."""
        return Vocabulary(self.ids.take(indices), kind=self.kind)

    def union(self, other: "Vocabulary") -> "Vocabulary":
        """Return the vocabulary of all ids of both."""
        return Vocabulary.of([*self.ids, *other.ids], kind=self.kind)

    @functools.cached_property
    def _landmarks(self) -> list[bytes]:
        # A list is searched without a step of Python; one of all ids would take too much memory.
        return [self.ids.raw(row) for row in range(0, len(self.ids), _BETWEEN)]

    @functools.cached_property
    def _rows(self) -> dict[str, int]:
        return {string: row for row, string in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, outside: object) -> bool:
        return isinstance(outside, str) and self.find(outside) is not None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids == other.ids

    __hash__ = None  # type: ignore[assignment]  # equal by content, and content may be large

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.kind}s)"


def check_ids(ids: Sequence[object], kind: str) -> list[str]:
    """Return the ids as plain texts; raise DataError if one is not valid Unicode text."""
    types = set(map(type, ids)) - {str}
    for row, one in enumerate(ids if types else ()):
        if not isinstance(one, str):
            way_out = f"Pass {str(int(one))!r}" if type(one) is int else "Turn it into text"
            raise DataError(
                f"{kind} ids are text; {one!r} is of type {type(one).__name__} (row {row + 1}). "
                f"{'Leave such rows out' if one is None else way_out}."
            )
    texts = [plain_text(one) for one in ids if isinstance(one, str)]
    for one in set(texts):
        if not one.isascii() and any("\ud800" <= letter <= "\udfff" for letter in one):
            raise DataError(
                f"{kind} id {one!r} holds half a character, which UTF-8 cannot write. "
                "Was it read with the wrong encoding?"
            )
    return texts


def plain_text(one: str) -> str:
    """Return the text of a subclass of str, such as a member of an Enum, as plain str.

    Examples
    --------
    >>> import enum
    >>> class Kind(str, enum.Enum):
    ...     SONG = "song"
    >>> str(Kind.SONG), plain_text(Kind.SONG)
    ('Kind.SONG', 'song')
    """
    return one if type(one) is str else str.__str__(one)


def refuse_blank_ids(ids: Sequence[str], kind: str) -> None:
    """Raise DataError for the first id that is blank or contains a NUL."""
    odd = {one for one in set(ids) if is_blank(one) or "\0" in one}
    if odd:
        row, one = next((row, one) for row, one in enumerate(ids) if one in odd)
        fault, way_out = (
            ("is empty or blank", "Leave such rows out")
            if is_blank(one)
            else ("holds a NUL character", "Remove it")
        )
        raise DataError(f"{kind} id {one!r} (row {row + 1}) {fault}. {way_out}.")


def is_blank(text: str) -> bool:
    """Return whether a text is empty or blank."""
    return not text.strip(BLANKS)
