"""Finds items that are nearly the same by their vectors, such as one picture in two sizes."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.reading.features.item_vectors import ItemVectors, key_of_items
from alsolike.data.reading.features.tables import Form, load_table
from alsolike.data.reading.sources import Ref, id_text, place_of, workspace
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.storage.atomic import write_text

LEAST = 0.97  # cosine of vectors less their mean
COLUMN = "look_alike"  # of a table of items

_ROWS = 512  # compared with all others at a time
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Groups of items that are nearly the same.

    Parameters
    ----------
    ids : Vocabulary
    group : int64, (n_items,)
        The first item (row) of each item's group; its own row for an item that is like no other.
    least : float
        The cosine from which two items are taken as nearly the same.

    Examples
    --------
    >>> ids = Vocabulary.of(["a", "b", "c"], kind="item")
    >>> NearDuplicates(ids, np.array([0, 0, 2]), 0.95).groups()
    [['a', 'b']]
    """

    ids: Vocabulary
    group: npt.NDArray[np.int64]
    least: float

    def groups(self) -> list[list[Id]]:
        """Return the ids of each group of two items or more, the largest groups first."""
        order = np.argsort(self.group, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(self.group[order])) + 1)
        found = [[self.ids.id_of(int(row)) for row in part] for part in parts if len(part) > 1]
        return sorted(found, key=lambda one: -len(one))

    def column(self) -> dict[str, str]:
        """Return the id of the first item of its group, by the id of each item of a group."""
        sizes = np.bincount(self.group, minlength=len(self.group))[self.group]
        return {
            self.ids.text_of(int(row)): self.ids.text_of(int(self.group[row]))
            for row in np.flatnonzero(sizes > 1)
        }

    def __str__(self) -> str:
        groups = self.groups()
        if not groups:
            return f"near-duplicates  none, by a cosine of {self.least:g}"
        shown = "; ".join(
            " = ".join(map(str, one[:_SHOWN])) + (", ..." if len(one) > _SHOWN else "")
            for one in groups[:_SHOWN]
        )
        n_items = sum(map(len, groups))
        return (
            f"near-duplicates  {len(groups):,} groups of {n_items:,} items, by a cosine of "
            f"{self.least:g} ({shown}{'; ...' if len(groups) > _SHOWN else ''})"
        )


def near_duplicates(
    found: ItemVectors, *, least: float = LEAST, threads: int | None = None
) -> NearDuplicates:
    """Find items whose vectors, less their mean, have a cosine of `least` or more.

    Items are in a group if a chain of such pairs leads from one to the other. All pairs are
    compared.

    Parameters
    ----------
    found : ItemVectors
        Of pictures or texts.
    least : float
        Above 0, at most 1.
    threads : int, optional
        Groups do not depend on it.

    Raises
    ------
    SettingError
        `least` is out of its range.
    """
    if isinstance(least, bool) or not isinstance(least, (int, float)) or not 0 < least <= 1:
        raise SettingError(f"least: a cosine above 0 and at most 1 expected, not {least!r}.")
    apart = found.vectors - found.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", apart, apart, dtype=np.float64))
    units = (apart / np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]).astype(np.float32)

    def pairs(start: int) -> npt.NDArray[np.int64]:
        near = units[start : start + _ROWS] @ units[start:].T
        # Two equal vectors have a cosine of 1 but for rounding.
        rows, others = np.nonzero(near >= min(least, 1 - 1e-5))
        kept = others > rows
        return np.stack([rows[kept], others[kept]], axis=1) + start

    starts = list(range(0, len(units), _ROWS))
    first = np.arange(len(units))
    for part in LocalEngine(threads).each(pairs, starts):
        for one, other in part.tolist():
            low, high = sorted((_first(first, one), _first(first, other)))
            first[high] = low
    group = np.array([_first(first, row) for row in range(len(units))], dtype=np.int64)
    return NearDuplicates(found.ids, group, float(least))


def _first(first: npt.NDArray[np.int64], row: int) -> int:
    """Return the first item of the group of a row, shortening the way for the next time."""
    while first[row] != row:
        first[row] = first[first[row]]
        row = int(first[row])
    return row


def write_with_groups(
    path: str | os.PathLike[str],
    items: Any,
    found: NearDuplicates,
    *,
    id_column: Ref | None = None,
    form: Form | None = None,
) -> None:
    """Write a table of items as CSV with a further column, ``look_alike``.

    It has the id of the first item of the group for those that are nearly the same as others, and
    is empty for all others, so that ``one_of="look_alike"`` of `alsolike.Rules` shows each once.

    Parameters
    ----------
    path : path
    items : path or frame
        With a row for each item.
    found : NearDuplicates
    id_column : str or int, optional
    form : Form, optional

    Raises
    ------
    DataError, WritingError
        The table cannot be read, or not be written.
    """
    groups = found.column()
    with workspace(1) as (connection, scratch):
        asked: Sequence[Ref] = [] if id_column is None else [id_column]
        loaded = load_table(connection, scratch, "item_rows", items, asked, form=form)
        key = place_of(loaded, key_of_items(loaded, id_column), "item_id")
        cells = ", ".join(
            f"coalesce(CAST(c{at} AS VARCHAR), '')" for at in range(len(loaded.types))
        )
        text = id_text(connection, loaded, key, "item")
        rows = connection.execute(
            f"SELECT {text}, {cells} FROM {loaded.table} WHERE rowid >= {loaded.skip} "  # noqa: S608 - own names
            "ORDER BY rowid"
        ).fetchall()
        names = [name or f"column{at + 1}" for at, name in enumerate(loaded.names)]
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow([*names, COLUMN])
    writer.writerows([*row[1:], groups.get(row[0] or "", "")] for row in rows)
    write_text(Path(path), made.getvalue())
