"""Builds the catalogue of items from a table of their own or from columns of the likes."""

import os
import urllib.parse
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import duckdb
import numpy as np

from alsolike.data.catalogue import Catalogue
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.source_table import SourceTable, label_of
from alsolike.data.reading.sources import Ref, id_text, load, place_of, workspace
from alsolike.data.string_array import StringArray
from alsolike.data.validation import column_of
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError

_ROLES = ("name", "image", "link")
_SLOT = "{id}"


@dataclass(frozen=True)
class ItemTexts:
    """Sources of the texts of an item.

    Parameters
    ----------
    name, image, link : str, int or None
        Columns, or texts with ``{id}``.
    further : sequence of str and int, str, or None
        Columns to keep besides; None: all others of the item table, none of the likes.
    """

    name: Ref | None = None
    image: Ref | None = None
    link: Ref | None = None
    further: Sequence[Ref] | None = None

    def __post_init__(self) -> None:
        if self.further is None:
            return
        single = isinstance(self.further, (str, int))
        given: list[Any] = [self.further] if single else list(self.further)
        columns = [column_of("item_columns", one) for one in given]
        if None in columns:
            raise SettingError("item_columns: names or numbers of columns expected, None given.")
        object.__setattr__(self, "further", tuple(dict.fromkeys(columns)))

    def also(self, refs: Sequence[Ref]) -> "ItemTexts":
        """Return the same with further columns to keep; those of `further` are kept as before."""
        return replace(self, further=[*(self.further or ()), *refs]) if refs else self

    def columns(self) -> dict[str, Ref]:
        """Return the columns by role."""
        return {
            role: ref
            for role in _ROLES
            if (ref := getattr(self, role)) is not None and not _is_template(role, ref)
        }

    @property
    def refs(self) -> list[Ref]:
        """All columns that are asked for."""
        return [*self.columns().values(), *(self.further or ())]

    def of_likes(self, table: SourceTable | None) -> dict[str, Ref]:
        """Return the columns that the likes may have, by role; `table` is the item table."""
        named = self.columns() | {f"columns {ref}": ref for ref in self.further or ()}
        known = () if table is None else table.names
        return {role: ref for role, ref in named.items() if str(ref) not in known}

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
    further, left = wanted.further, wanted.columns()
    if table is not None and item_id is not None:
        _number(connection, items)
        names = likes[0].names if likes is not None else ()
        left = _join_table(connection, table, item_id, wanted, names, found, len(items))
        further = ()
    if likes is not None:
        places = {role: place_of(likes[0], ref, _asked_as(role)) for role, ref in left.items()}
        places |= _labelled(likes[0], further or (), places)
        _gather(connection, *likes, places, found, len(items))
    for role, template in wanted.templates().items():
        found.columns[role] = StringArray.pack(
            template.replace(_SLOT, urllib.parse.quote(item, safe="")) for item in items.ids
        )
    if not found.columns:
        return None, found
    ordered = {role: found.columns.pop(role) for role in _ROLES if role in found.columns}
    return Catalogue.from_columns({**ordered, **found.columns}, n_items=len(items)), found


def read_ids(source: str | os.PathLike[str], column: Ref) -> list[str]:
    """Return the distinct ids in a column of a table, sorted, without empty ones.

    Raises
    ------
    DataError
        The table cannot be read, or has no such column.
    """
    with workspace(None) as (connection, scratch):
        table = load(connection, scratch, "ids", source, FixedDialect(), ids=[column], keep=[])
        text = id_text(connection, table, place_of(table, column, "item"), "item")
        found = connection.execute(
            f"SELECT DISTINCT {text} AS id FROM {table.table} WHERE rowid >= {table.skip}"  # noqa: S608 - own names
        ).fetchall()
    return sorted(one for (one,) in found if one)


def read_texts(
    source: str | os.PathLike[str],
    items: Vocabulary,
    labels: Collection[str],
    *,
    item_id: Ref | None = None,
    roles: Mapping[str, Ref | None] = MappingProxyType({}),
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
) -> Catalogue | None:
    """Read the texts of items, such as names, from a table with a row for each.

    Parameters
    ----------
    source : path
    items : Vocabulary
    labels : collection of str
        The columns of the catalogue; empty texts where the table lacks one.
    item_id : str or int, or None
        Column of ids; None: the one named item, item_id or id, else the first.
    roles : mapping of {"name", "image", "link"} to str, int or None
        Columns of these, where they have other names.
    delimiter, header, encoding
        Of a text file, as in `alsolike.read`.

    Returns
    -------
    Catalogue or None
        None without labels.
    """
    if not labels:
        return None
    fixed = FixedDialect.of(delimiter, None, None, header)
    with workspace(None) as (connection, scratch):
        table = load(connection, scratch, "texts", source, fixed, ids=[item_id], encoding=encoding)
        likely = [name for name in ("item", "item_id", "id") if name in table.names]
        asked = {role: roles.get(role) for role in _ROLES if role in labels}
        named = {
            role: ref if ref is not None else role
            for role, ref in asked.items()
            if ref is not None or role in table.names
        }
        further = [one for one in labels if one not in _ROLES and one in table.names]
        wanted = ItemTexts(**named, further=further)
        key = item_id or (likely[0] if likely else 1)
        found, _ = build(connection, items, wanted, None, table, key)
    known = {} if found is None else found.columns()
    nothing = StringArray.pack([""] * len(items))
    columns = {label: known.get(label, nothing) for label in labels}
    return Catalogue.from_columns(columns, n_items=len(items))


def check_columns(likes: SourceTable, wanted: ItemTexts) -> None:
    """Raise DataError for a column that the likes do not have."""
    for role, ref in wanted.columns().items():
        place_of(likes, ref, _asked_as(role))
    _labelled(likes, wanted.further or ())


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
    wanted: ItemTexts,
    likes_names: Sequence[str],
    found: CatalogueColumns,
    n_items: int,
) -> dict[str, Ref]:
    """Join the item table by id; return the roles and columns left to the likes."""
    key = place_of(table, item_id, "item_id")
    expression = id_text(connection, table, key, "item")
    places: dict[str, int] = {}
    left: dict[str, Ref] = {}
    for role, ref in wanted.columns().items():
        if str(ref) not in table.names and str(ref) in likes_names:
            left[role] = ref
        else:
            places[role] = place_of(table, ref, f"item_{role}")
    here, there = _divided(table, wanted.further, likes_names)
    used = {key, *places.values()} if wanted.further is None else set()
    for place in here:
        if place not in used:
            places[_further(table, place, places)] = place
    left |= {_unused(str(ref), {*places, *left}): ref for ref in there}
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
    if n_items and found.without_row == n_items:
        _warn_of_other_ids(connection, table, key)
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


def _warn_of_other_ids(connection: duckdb.DuckDBPyConnection, table: SourceTable, key: int) -> None:
    """Warn that no item of the likes is in the item table, with an id of each."""
    [(there, here)] = connection.execute(
        "SELECT (SELECT arg_min(id, row) FILTER (coalesce(id, '') <> '') FROM item_rows), "
        "(SELECT arg_min(id, code) FROM known_items)"
    ).fetchall()
    table.warnings.append(
        f"{table.name}: no item of the likes is in column {label_of(table, key)}, which holds ids "
        f"such as {there!r}; those of the likes are such as {here!r}. If another column holds "
        "them, pass item_id=."
    )


def _gather(
    connection: duckdb.DuckDBPyConnection,
    likes: SourceTable,
    seen: ItemRows,
    places: dict[str, int],
    found: CatalogueColumns,
    n_items: int,
) -> None:
    """Take the first non-empty text of each column from the rows of the likes."""
    odd = np.zeros(n_items, dtype=bool)
    for role, place in places.items():
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


def _divided(
    table: SourceTable, further: Sequence[Ref] | None, likes_names: Sequence[str]
) -> tuple[Sequence[int], list[Ref]]:
    """Return the places of further columns in the item table, and the columns of the likes."""
    if further is None:
        return range(len(table.types)), []
    there = [ref for ref in further if str(ref) not in table.names and str(ref) in likes_names]
    here = (place_of(table, ref, "item_columns") for ref in further if ref not in there)
    return list(dict.fromkeys(here)), there


def _labelled(
    likes: SourceTable, further: Sequence[Ref], taken: Collection[str] = ()
) -> dict[str, int]:
    """Return the places of further columns of the likes by their labels."""
    labels: dict[str, int] = {}
    for place in dict.fromkeys(place_of(likes, ref, "item_columns") for ref in further):
        labels[_further(likes, place, {*taken, *labels})] = place
    return labels


def _asked_as(role: str) -> str:
    return f"item_{role}" if role in _ROLES else "item_columns"


def _further(table: SourceTable, place: int, taken: Collection[str]) -> str:
    """Return an unused label for a further column."""
    return _unused(table.names[place] or f"column {place + 1}", taken)


def _unused(name: str, taken: Collection[str]) -> str:
    label = f"{name} (column)" if name in _ROLES else name
    while label in taken:
        label += " (again)"
    return label


def _is_template(role: str, ref: Ref) -> bool:
    return role != "name" and isinstance(ref, str) and _SLOT in ref
