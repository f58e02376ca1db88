"""Maps ids to row numbers and back."""

import bisect
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.string_array import StringArray
from alsolike.data.whole_numbers import IdType, is_whole, near_number, numbers_of, type_of_digits
from alsolike.errors import DataError, UnknownId
from alsolike.usage_hints import did_you_mean_id

Indices = npt.NDArray[np.int32]
Id = str | int

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
    memory-mapped model without a dictionary. Whole numbers are held, sorted and hashed as their
    digits; they go in and come out as numbers.

    Parameters
    ----------
    ids : StringArray
        Strictly ascending by UTF-8 bytes.
    kind : str
        What the ids identify, for messages: ``"user"`` or ``"item"``.
    id_type : {"text", "int64", "uint64"}
        Type of the ids outside. Of whole numbers, `ids` holds the digits, and all fit the type.

    Examples
    --------
    >>> users = Vocabulary.of(["u9", "u10", "u9"], kind="user")
    >>> list(users), users.index_of("u9")
    (['u10', 'u9'], 1)
    >>> users.index_of("U9")
    Traceback (most recent call last):
        ...
    alsolike.errors.UnknownId: user 'U9' is not among the 2 users here. Did you mean 'u9'?
    >>> items = Vocabulary.of([9, 154], kind="item")
    >>> list(items), items.index_of(154), items.index_of("154"), items.ids_of([1, 0])
    ([154, 9], 0, 0, array([  9, 154]))
    >>> items.index_of("154x")
    Traceback (most recent call last):
        ...
    alsolike.errors.UnknownId: ids of items are whole numbers; '154x' is not one.
    """

    def __init__(self, ids: StringArray, *, kind: str, id_type: IdType = "text") -> None:
        self.ids = ids
        self.kind = kind
        self.id_type = id_type

    @classmethod
    def of(cls, ids: Iterable[Id], *, kind: str) -> "Vocabulary":
        """Collect the distinct ids of `ids`; raise DataError for an invalid one."""
        texts, are_whole = check_ids(list(ids), kind)
        # The order of code points is the order of UTF-8 bytes, so Python's own sort will do.
        packed = StringArray.pack(sorted(set(texts)))
        return cls.of_digits(packed, kind=kind) if are_whole else cls(packed, kind=kind)

    @classmethod
    def of_digits(cls, ids: StringArray, *, kind: str) -> "Vocabulary":
        """Make a vocabulary of whole numbers, sorted by their digits.

        Raises
        ------
        DataError
            No type of 64 bits holds them all.
        """
        id_type = type_of_digits(ids)
        if id_type == "text":
            numbers = [int(one) for one in ids]
            raise DataError(
                f"ids of {kind}s are whole numbers from {min(numbers)} to {max(numbers)}, which no "
                "type of 64 bits holds. Turn them into text."
            )
        return cls(ids, kind=kind, id_type=id_type)

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

    @property
    def are_whole(self) -> bool:
        """Whether the ids are whole numbers."""
        return self.id_type != "text"

    def find(self, outside: Id) -> int | None:
        """Return the row of id `outside`, or None if it is unknown."""
        text = self._text(outside)
        if text is None:
            return None
        wanted = text.encode("utf-8", "surrogatepass")
        after = bisect.bisect_right(self._landmarks, wanted)
        start = max(after - 1, 0) * _BETWEEN
        row = self.ids.place_of(wanted, start, min(start + _BETWEEN, len(self.ids)))
        return row if row < len(self.ids) and self.ids.raw(row) == wanted else None

    def index_of(self, outside: Id) -> int:
        """Return the row of id `outside`; raise UnknownId if it is unknown."""
        index = self.find(outside)
        if index is None:
            given = self.id_from(outside)
            raise UnknownId(
                self.misfit(given)
                or f"{self.kind} {given!r} is not among the {len(self):,} {self.kind}s here."
                f"{did_you_mean_id(str(given), self.ids, self.__contains__, plain=self.are_whole)}"
            )
        return index

    def indices_of(self, outside: Iterable[Id]) -> Indices:
        """Return the rows of many ids, int32, in order; raise UnknownId for the first unknown."""
        wanted = outside.ids if isinstance(outside, Vocabulary) else list(outside)
        places = self.places_of(outside if isinstance(outside, Vocabulary) else wanted)
        unknown = np.flatnonzero(places < 0)
        if len(unknown):
            self.index_of(wanted[int(unknown[0])])
        return places.astype(np.int32)

    def places_of(self, outside: Iterable[Id]) -> npt.NDArray[np.int64]:
        """Return the rows of many ids, int64, in order; -1 for unknown ids.

        Those of another vocabulary are compared as text.
        """
        if isinstance(outside, Vocabulary):
            wanted: list[Any] = outside.ids.to_list()
        else:
            wanted = [self._text(one) for one in outside]
        if "_rows" not in self.__dict__ and _EACH * len(wanted) < len(self):
            found = (None if text is None else self.find(text) for text in wanted)
            return np.array([-1 if row is None else row for row in found], dtype=np.int64)
        rows = self._rows
        return np.array([rows.get(string, -1) for string in wanted], dtype=np.int64)

    def id_of(self, index: int) -> Id:
        """Return the id of row `index`."""
        return int(self.ids[index]) if self.are_whole else self.ids[index]

    def text_of(self, index: int) -> str:
        """Return the id of row `index` as text, for an address or a page."""
        return self.ids[index]

    def ids_of(self, indices: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return the ids of many rows: an object array of texts, or an array of whole numbers."""
        if self.are_whole:
            return numbers_of(self.ids.take(indices)).astype(self.id_type, copy=False)
        return self.ids.cells(indices)

    def id_from(self, outside: Id) -> Id:
        """Return an id, known or not, in the type of these; one that cannot be, as it is.

        Examples
        --------
        >>> items = Vocabulary.of([9, 154], kind="item")
        >>> items.id_from("7"), items.id_from("07")
        (7, '07')
        """
        if isinstance(outside, str):
            return int(outside) if self.are_whole and is_whole(outside) else plain_text(outside)
        return outside.item() if isinstance(outside, np.generic) else outside

    def column_of(self, outside: Sequence[Id]) -> npt.NDArray[Any]:
        """Return ids, known or not, as a column of the type of these.

        Raises
        ------
        UnknownId
            One can never be an id of this type.
        """
        odd = next((one for one in outside if self.misfit(one)), None)
        if odd is not None:
            raise UnknownId(self.misfit(odd))
        column = np.empty(len(outside), dtype=object)
        column[:] = [self.id_from(one) for one in outside]
        if not self.are_whole or not all(is_whole(str(one), self.id_type) for one in outside):
            return column
        return column.astype(self.id_type)

    def misfit(self, outside: Id) -> str:
        """Return why `outside`, known or not, cannot be an id here, or an empty text."""
        if self.are_whole and (isinstance(outside, (bool, np.bool_)) or not is_whole(str(outside))):
            hint = near_number(outside) if isinstance(outside, str) else ""
            return f"ids of {self.kind}s are whole numbers; {outside!r} is not one.{hint}"
        if not self.are_whole and not isinstance(outside, str):
            return f"ids of {self.kind}s are text here, not numbers. Pass {str(outside)!r}."
        return ""

    def retyped(self, id_type: IdType) -> "Vocabulary":
        """Return the same ids, held as digits, in another type.

        Raises
        ------
        DataError
            An id is not a whole number of that type.
        """
        if id_type != "text":
            odd = next((one for one in self.ids if not is_whole(one, id_type)), None)
            if odd is not None:
                raise DataError(
                    f"ids of {self.kind}s are whole numbers ({id_type}); {odd!r} is not"
                )
        return Vocabulary(self.ids, kind=self.kind, id_type=id_type)

    def subset(self, indices: npt.ArrayLike) -> "Vocabulary":
        """Keep the rows `indices`, which must ascend."""
        return Vocabulary(self.ids.take(indices), kind=self.kind, id_type=self.id_type)

    def union(self, other: "Vocabulary") -> "Vocabulary":
        """Return the vocabulary of all ids of both, of the type of this one.

        Raises
        ------
        DataError
            These are whole numbers, and an id of `other` is not, or they fit no type together.
        """
        if self.are_whole and not other.are_whole:
            odd = next((one for one in other.ids if not is_whole(one)), None)
            if odd is not None:
                raise DataError(f"{self.misfit(odd)} Leave it out, or train again with text ids.")
        texts = StringArray.pack(sorted({*self.ids, *other.ids}))
        if self.are_whole:
            return Vocabulary.of_digits(texts, kind=self.kind)
        return Vocabulary(texts, kind=self.kind)

    def _text(self, outside: Id) -> str | None:
        """Return an id as `ids` holds it; None for a number among texts."""
        if isinstance(outside, str):
            return outside
        is_number = type(outside) is int or isinstance(outside, np.integer)
        return str(int(outside)) if is_number and self.are_whole else None

    @functools.cached_property
    def _landmarks(self) -> list[bytes]:
        # A list is searched without a step of Python; one of all ids would take too much memory.
        return [self.ids.raw(row) for row in range(0, len(self.ids), _BETWEEN)]

    @functools.cached_property
    def _rows(self) -> dict[str, int]:
        return {string: row for row, string in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Id]:
        return map(int, self.ids) if self.are_whole else iter(self.ids)

    def __contains__(self, outside: object) -> bool:
        return isinstance(outside, (str, int, np.integer)) and self.find(outside) is not None  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids == other.ids

    __hash__ = None  # type: ignore[assignment]  # equal by content, and content may be large

    def __repr__(self) -> str:
        return f"Vocabulary({len(self):,} {self.kind}s)"


def check_ids(ids: Sequence[object], kind: str) -> tuple[list[str], bool]:
    """Return ids as texts, whole numbers as their digits, and whether they are whole numbers.

    Raises
    ------
    DataError
        One is neither text nor a whole number, or not valid Unicode, or there are both.
    """
    firsts: dict[bool, int] = {}
    types = set(map(type, ids)) - {str}
    for row, one in enumerate(ids if types else ()):
        is_whole = isinstance(one, (int, np.integer)) and not isinstance(one, bool)
        if not isinstance(one, str) and not is_whole:
            raise DataError(
                f"{kind} ids are text or whole numbers; {one!r} is of type {type(one).__name__} "
                f"(row {row + 1}). {_way_out(one)}."
            )
        firsts.setdefault(is_whole and not isinstance(one, str), row)
    if len(firsts) > 1:
        text, number = firsts[False], firsts[True]
        raise DataError(
            f"{kind} ids are text or whole numbers, not both: {ids[text]!r} (row {text + 1}) is "
            f"text, {ids[number]!r} (row {number + 1}) a number. Turn all of them into one type."
        )
    if True in firsts:
        return [str(int(one)) for one in ids], True  # type: ignore[call-overload]
    texts = [plain_text(one) for one in ids if isinstance(one, str)]
    for one in set(texts):
        if not one.isascii() and any("\ud800" <= letter <= "\udfff" for letter in one):
            raise DataError(
                f"{kind} id {one!r} holds half a character, which UTF-8 cannot write. "
                "Was it read with the wrong encoding?"
            )
    return texts, False


def _way_out(one: object) -> str:
    if one is None:
        return "Leave such rows out"
    if isinstance(one, (float, np.floating)) and float(one).is_integer():
        return f"Pass {int(one)}"
    return "Turn it into text"


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
