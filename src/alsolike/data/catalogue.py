"""Holds what is known of each item: name, image, link and further text columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.string_array import StringArray
from alsolike.errors import DataError


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Text columns aligned with an item vocabulary; an empty text means "unknown".

    Parameters
    ----------
    n_items : int
        Rows in each column.
    names, images, links : StringArray, (n_items,), or None
        What to call an item, an address or data URL of its picture, the address of its page.
    more : mapping of str to StringArray, each (n_items,)
        Any further columns, under their own names.
    """

    n_items: int
    names: StringArray | None = None
    images: StringArray | None = None
    links: StringArray | None = None
    more: Mapping[str, StringArray] = field(default_factory=dict)
    made: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """What was made of columns, such as an index of their values, for the next use."""

    def __post_init__(self) -> None:
        for label, column in self.columns().items():
            if len(column) != self.n_items:
                raise DataError(
                    f"The item column {label!r} has {len(column):,} rows for "
                    f"{self.n_items:,} items."
                )

    def columns(self) -> dict[str, StringArray]:
        """Return the columns that exist; the first three under name, image and link."""
        roles = {"name": self.names, "image": self.images, "link": self.links}
        known = {role: column for role, column in roles.items() if column is not None}
        return {**known, **self.more}

    def subset(self, indices: npt.ArrayLike) -> "Catalogue":
        """Keep the items `indices`, in that order."""
        kept = {label: column.take(indices) for label, column in self.columns().items()}
        return Catalogue.from_columns(kept, n_items=np.size(indices))

    @classmethod
    def from_columns(cls, columns: Mapping[str, StringArray], *, n_items: int) -> "Catalogue":
        """Build a catalogue from the result of `columns`."""
        more = dict(columns)
        return cls(
            n_items=n_items,
            names=more.pop("name", None),
            images=more.pop("image", None),
            links=more.pop("link", None),
            more=more,
        )

    def name_of(self, index: int) -> str:
        """Return the name of item `index`, or an empty text."""
        return self.names[index] if self.names is not None else ""
