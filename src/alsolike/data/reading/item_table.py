"""Builds the catalogue of items from a table of their own or from columns of the likes."""

import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np

from alsolike.data.catalogue import Catalogue
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref, id_text, place_of
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary

_ROLES = ("name", "image", "link")
_SLOT = "{id}"


@dataclass(frozen=True)
class ItemTexts:
    """Sources of the name, image and link of an item: columns, or texts with ``{id}``."""

    name: Ref | None = None
    image: Ref | None = None
    link: Ref | None = None

    def columns(self) -> dict[str, Ref]:
        """Return the columns by role."""
        return {
            role: ref
            for role in _ROLES
            if (ref := getattr(self, role)) is not None and not _is_template(role, ref)
        }

    def templates(self) -> dict[str, str]:
        """Return the texts with ``{id}`` by role."""
        return {
            role: str(ref)
            for role in _ROLES
            if (ref := getattr(self, role)) is not None and _is_template(role, ref)
        }


@dataclass(frozen=True)
class ItemRows:
    """The item of each row of the likes: int64, both (n_rows,), rows ascending.

    -1 for an item that is not in the vocabulary.
    """

    rows: Any
    items: Any


@dataclass
class CatalogueColumns:
    """Columns of the catalogue, and the numbers of items with a problem."""

    columns: dict[str, StringArray] = field(default_factory=dict)
    without_row: int = 0
    conflicting: int = 0
    rows_without_id: int = 0
    rows_repeated: int = 0


def build(
    connection: duckdb.DuckDBPyConnection,
    items: Vocabulary,
    wanted: ItemTexts,
    likes: tuple[SourceTable, ItemRows] | None,
    table: SourceTable | None,
    item_id: Ref | None,
) -> tuple[Catalogue | None, CatalogueColumns]:
    """Build the catalogue of `items`.

    The column of a role is looked up in the item table, if any, and else in the likes. The first
    non-empty text of an item is kept; items with different texts are counted as conflicting.
    """
    found = CatalogueColumns()
    roles = dict(wanted.columns())
    from_likes = roles
    if table is not None and item_id is not None:
        _number(connection, items)
        names = likes[0].names if likes is not None else ()
        from_likes = _join_table(connection, table, item_id, roles, names, found, len(items))
    if likes is not None and from_likes:
        _gather(connection, *likes, from_likes, found, len(items))
    for role, template in wanted.templates().items():
        found.columns[role] = StringArray.pack(
            template.replace(_SLOT, urllib.parse.quote(item, safe="")) for item in items.ids
        )
    if not found.columns:
        return None, found
    ordered = {role: found.columns.pop(role) for role in _ROLES if role in found.columns}
    return Catalogue.from_columns({**ordered, **found.columns}, n_items=len(items)), found


def _number(connection: duckdb.DuckDBPyConnection, items: Vocabulary) -> None:
    ids = np.empty(len(items), dtype=object)
    ids[:] = items.ids.to_list()
    connection.register("known", {"code": np.arange(len(items)), "id": ids})
    connection.execute("CREATE OR REPLACE TEMP TABLE known_items AS SELECT * FROM known")
    connection.unregister("known")


def _join_table(
    connection: duckdb.DuckDBPyConnection,
    table: SourceTable,
    item_id: Ref,
    roles: dict[str, Ref],
    likes_names: Sequence[str],
    found: CatalogueColumns,
    n_items: int,
) -> dict[str, Ref]:
    """Join the item table by id; return the roles left to the likes."""
    key = place_of(table, item_id, "item_id")
    expression = id_text(connection, table, key, "item")
    places: dict[str, int] = {}
    left: dict[str, Ref] = {}
    for role, ref in roles.items():
        if str(ref) not in table.names and str(ref) in likes_names:
            left[role] = ref
        else:
            places[role] = place_of(table, ref, f"item_{role}")
    used = {key, *places.values()}
    for place in range(len(table.types)):
        if place not in used:
            places[_further(table.names[place] or f"column {place + 1}", places)] = place
    every = ", ".join(f"c{place}" for place in range(len(table.types)))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE item_rows AS SELECT {expression} AS id, rowid AS row, "  # noqa: S608 - own names
        f"hash({every}) AS content, {every} FROM {table.table} WHERE rowid >= {table.skip}"
    )
    counts = connection.execute(
        "SELECT (SELECT count(*) FROM item_rows WHERE coalesce(id, '') = ''), "
        "(SELECT count(*) FROM (SELECT id FROM item_rows WHERE coalesce(id, '') <> '' "
        "GROUP BY id HAVING min(content) <> max(content))), "
        "(SELECT count(*) FROM known_items WHERE id NOT IN "
        "(SELECT id FROM item_rows WHERE id IS NOT NULL)), "
        "(SELECT count(*) - count(DISTINCT id) FROM item_rows WHERE coalesce(id, '') <> '')"
    ).fetchone()
    if counts is not None:
        found.rows_without_id, found.conflicting, found.without_row, found.rows_repeated = map(
            int, counts
        )
    chosen = ", ".join(
        f"coalesce(CAST(c{place} AS VARCHAR), '') AS t{slot}"
        for slot, place in enumerate(places.values())
    )
    if chosen:
        columns = connection.execute(
            f"SELECT {chosen} FROM known_items LEFT JOIN (SELECT * FROM item_rows WHERE row IN "  # noqa: S608 - own names
            "(SELECT min(row) FROM item_rows GROUP BY id)) USING (id) ORDER BY code"
        ).fetchnumpy()
        _keep(found, list(places), columns, n_items)
    return left


def _gather(
    connection: duckdb.DuckDBPyConnection,
    likes: SourceTable,
    seen: ItemRows,
    roles: dict[str, Ref],
    found: CatalogueColumns,
    n_items: int,
) -> None:
    """Take the first non-empty text of each role from the rows of the likes."""
    odd = np.zeros(n_items, dtype=bool)
    for role, ref in roles.items():
        place = place_of(likes, ref, f"item_{role}")
        text = f"nullif(CAST(c{place} AS VARCHAR), '')"
        # Hashes tell whether texts differ; only the first text of each item becomes a string.
        hashes = connection.execute(
            f"SELECT CASE WHEN {text} IS NULL THEN 0 ELSE hash({text}) END AS hash "  # noqa: S608 - own names
            f"FROM {likes.table}"
        ).fetchnumpy()["hash"][seen.rows]
        told = np.flatnonzero((hashes != 0) & (seen.items >= 0))
        first = np.full(n_items, -1, dtype=np.int64)
        first[seen.items[told][::-1]] = told[::-1]
        differs = told[hashes[told] != hashes[first[seen.items[told]]]]
        odd[seen.items[differs]] = True
        known = np.flatnonzero(first >= 0)
        connection.register("firsts", {"row": seen.rows[first[known]], "code": known})
        texts = connection.execute(
            f"SELECT code, {text} AS text FROM {likes.table} JOIN firsts "  # noqa: S608 - own names
            f"ON {likes.table}.rowid = firsts.row"
        ).fetchnumpy()
        connection.unregister("firsts")
        cells = np.full(n_items, "", dtype=object)
        cells[texts["code"]] = texts["text"]
        found.columns[role] = StringArray.pack(cells.tolist())
    found.conflicting += int(np.count_nonzero(odd))


def _keep(
    found: CatalogueColumns, labels: Sequence[str], columns: dict[str, Any], n_items: int
) -> None:
    for label, column in zip(labels, columns.values(), strict=True):
        found.columns[label] = StringArray.pack(column.tolist() if n_items else [])


def _further(name: str, taken: dict[str, int]) -> str:
    """Return an unused label for a further column."""
    label = f"{name} (column)" if name in _ROLES else name
    while label in taken:
        label += " (again)"
    return label


def _is_template(role: str, ref: Ref) -> bool:
    return role != "name" and isinstance(ref, str) and _SLOT in ref
