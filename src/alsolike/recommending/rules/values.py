"""Indexes the values of a text column of the items, such as their categories."""

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from alsolike.recommending.shared import Counts, Indices, Mask

SEPARATOR = "|"


@dataclass(frozen=True, eq=False)
class ItemValues:
    """The values of each item in one column.

    Parameters
    ----------
    values : tuple of str
        The distinct values, ascending.
    of_items : scipy.sparse.csr_array, (n_items, n_values)
        Which values each item has.

    Examples
    --------
    >>> kinds = ItemValues.of(["shoes|sale", "", "boots", "shoes"])
    >>> kinds.values, kinds.counts.tolist(), kinds.having(["shoes", "boots"]).tolist()
    (('boots', 'sale', 'shoes'), [1, 1, 2], [True, False, True, True])
    """

    values: tuple[str, ...]
    of_items: sp.csr_array

    @classmethod
    def of(cls, texts: Iterable[str], separator: str | None = SEPARATOR) -> "ItemValues":
        """Split the text of each item at the separator; None: a text is one value.

        Blanks around a value do not count, and an empty text is no value.
        """
        places: dict[str, int] = {}
        of_text: dict[str, list[int]] = {}
        codes: list[int] = []
        starts = [0]
        for text in texts:
            if text not in of_text:
                parts = [text] if separator is None else text.split(separator)
                distinct = dict.fromkeys(one for part in parts if (one := part.strip()))
                of_text[text] = [places.setdefault(one, len(places)) for one in distinct]
            codes += of_text[text]
            starts.append(len(codes))
        values = sorted(places)
        order = np.empty(len(values), dtype=np.int32)
        order[[places[value] for value in values]] = np.arange(len(values), dtype=np.int32)
        columns = order[np.array(codes, dtype=np.int32)]
        shape = len(starts) - 1, len(values)
        pattern = sp.csr_array(
            (np.ones(len(columns), dtype=bool), columns, np.array(starts, dtype=np.int64)), shape
        )
        return cls(tuple(values), pattern)

    @functools.cached_property
    def places(self) -> Mapping[str, int]:
        """The number of each value."""
        return {value: place for place, value in enumerate(self.values)}

    @functools.cached_property
    def by_value(self) -> sp.csc_array:
        """`of_items` by columns."""
        return self.of_items.tocsc()

    @functools.cached_property
    def counts(self) -> Counts:
        """Items of each value, int64, (n_values,)."""
        found: Counts = np.diff(self.by_value.indptr).astype(np.int64)
        return found

    def values_of(self, item: int) -> Indices:
        """Return the numbers of an item's values."""
        bounds = self.of_items.indptr
        found: Indices = self.of_items.indices[bounds[item] : bounds[item + 1]]
        return found

    def items_of(self, value: int) -> Indices:
        """Return the items of a value, by its number."""
        bounds = self.by_value.indptr
        found: Indices = self.by_value.indices[bounds[value] : bounds[value + 1]]
        return found

    def having(self, values: Iterable[str]) -> Mask:
        """Return which items have one of some values, bool, (n_items,)."""
        found = np.zeros(self.of_items.shape[0], dtype=bool)
        for value in values:
            found[self.items_of(self.places[value])] = True
        return found
