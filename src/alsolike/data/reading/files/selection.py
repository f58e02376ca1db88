"""Chooses the columns of a source that are kept, and what stands for the rest of a row.

Columns that are not in use are read and not kept. Whether two rows are equal in every column is
then told by two hashes of 64 bits of the whole row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

HASHES = ("h0", "h1")
# Types whose hashes of 64 bits differ whenever two cells differ, or nearly so.
_NUMBERS = (
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DATE", "TIME", "TIMESTAMP", "INTERVAL", "ENUM",
)  # fmt: skip


@dataclass(frozen=True)
class Selected:
    """The columns of one table that are kept: their places, the SQL of all that is selected.

    `identity` names the columns that are equal in two rows if these are equal in every column of
    the source; empty if all columns are kept.
    """

    places: tuple[int, ...] = ()
    sql: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """The columns of a source to keep: all that one of `refs` may mean; None: every column."""

    refs: tuple[str | int, ...] | None = None

    def also(self, names: Sequence[str | int]) -> "Selection":
        """Return the selection with further columns."""
        return self if self.refs is None else replace(self, refs=(*self.refs, *names))

    def of(self, names: Sequence[str], types: Sequence[str] | None = None) -> Selected:
        """Select among columns c0, c1, ... of these names and DuckDB types; by default, texts.

        Examples
        --------
        >>> chosen = Selection(("who", 3)).of(["who", "note", "what"])
        >>> chosen.places, chosen.identity, chosen.sql[:3]
        ((0, 2), ('h0', 'h1'), ('c0', 'c2', 'hash(c0, c1, c2) AS h0'))
        >>> chosen.sql[3]
        'hash(concat(c0, c1, c2)) AS h1'
        >>> Selection().of(["who", "what"])
        Selected(places=(0, 1), sql=('c0', 'c1'), identity=())
        """
        every = tuple(f"c{place}" for place in range(len(names)))
        places = tuple(
            place
            for place, name in enumerate(names)
            if self.refs is None or any(_may_mean(ref, place, name) for ref in self.refs)
        )
        kept = tuple(every[place] for place in places)
        if kept == every:
            return Selected(places, every)
        # The second hash takes texts together and numbers in the other order: cells of text that
        # have one hash by chance do not have the other.
        kinds = types or ("VARCHAR",) * len(names)
        numbers = [c for c, kind in zip(every, kinds, strict=True) if kind.startswith(_NUMBERS)
                   and not kind.endswith("]")]  # fmt: skip
        texts = [
            c if kind == "VARCHAR" else f"CAST({c} AS VARCHAR)"
            for c, kind in zip(every, kinds, strict=True)
            if c not in numbers
        ]
        second = [*([f"concat({', '.join(texts)})"] if texts else ["'second'"]), *numbers[::-1]]
        return Selected(
            places,
            (
                *kept,
                f"hash({', '.join(every)}) AS {HASHES[0]}",
                f"hash({', '.join(second)}) AS {HASHES[1]}",
            ),
            HASHES,
        )


def _may_mean(ref: str | int, place: int, name: str) -> bool:
    """Return whether a reference is the name or number of a column, or a path that begins there."""
    text = str(ref)
    if text == name or (text.isdecimal() and int(text) == place + 1):
        return True
    return bool(name) and text.startswith(name) and text[len(name)] in ".["
