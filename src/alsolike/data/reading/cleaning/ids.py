"""Numbers the ids of users and items, and the rows of the table ``facts`` by them.

The ids of a side are in a table of their own, ``users`` and ``items``, in the order of their UTF-8
bytes: the number of an id is that of its row. So each id is in memory once.
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from alsolike.data.reading.source_table import SourceTable, label_of, where
from alsolike.data.reading.sources import Ref, are_whole_numbers, place_of
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import BLANKS, Vocabulary
from alsolike.data.whole_numbers import type_of_digits
from alsolike.errors import DataError

_SIDES = ("user", "item")
_BLOCK = 1 << 16  # ids that are fetched at a time


def collect_ids(
    connection: duckdb.DuckDBPyConnection, table: str, ids: Mapping[str, str], kept: str
) -> None:
    """Fill the tables ``users`` and ``items`` with the distinct ids of rows that are `kept`.

    `ids` is the SQL of the ids of both sides; empty and blank ones are left out.
    """
    for side in _SIDES:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {side}s AS SELECT id FROM (SELECT DISTINCT "  # noqa: S608 - own names
            f"{ids[side]} AS id FROM {table} WHERE {kept}) WHERE id IS NOT NULL AND CASE WHEN "
            "contains(?, left(id, 1)) THEN trim(id, ?) <> '' ELSE true END ORDER BY id",
            [BLANKS, BLANKS],
        )


def join_ids(connection: duckdb.DuckDBPyConnection, rows: str) -> None:
    """Fill the table ``facts`` from a query of row, user_id, item_id, value and time.

    Ids are joined by their hashes, which takes a third of the memory of texts, if these differ.
    """
    sides, joins = [], []
    for side in _SIDES:
        [(count, distinct)] = connection.execute(
            f"SELECT count(*), count(DISTINCT hash(id)) FROM {side}s"  # noqa: S608 - own names
        ).fetchall()
        key = "hash({})" if count == distinct else "{}"
        sides.append(f"{key.format(f'{side}_id')} AS {side}_key")
        joins.append(
            f"LEFT JOIN (SELECT {key.format('id')} AS key, CAST(rowid AS INTEGER) AS {side} "  # noqa: S608
            f"FROM {side}s) AS {side}_codes ON {side}_codes.key = {side}_key"
        )
    # The rows stream past the ids: else the rows, of which too few are expected, are held instead.
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    try:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE facts AS SELECT row, user, item, value, time FROM "  # noqa: S608
            f"(SELECT row, {', '.join(sides)}, value, time FROM ({rows})) {' '.join(joins)}"
        )
    finally:
        connection.execute("SET disabled_optimizers = ''")


def refuse_missing(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, places: Mapping[str, int]
) -> int:
    """Return how many ``facts`` lack a user or an item; raise DataError for the first of them.

    With `places` of the columns of ids the error is raised, without they are dropped.
    """
    [(missing, row, is_user)] = connection.execute(
        "SELECT count(*), min(row), arg_min(user IS NULL, row) FROM facts "
        "WHERE user IS NULL OR item IS NULL"
    ).fetchall()
    if missing and places:
        lack = "1 row lacks" if missing == 1 else f"{missing:,} rows lack"
        side, whose = ("user", "a user") if is_user else ("item", "an item")
        ways = "Fix them, or pass missing_id='drop'."
        if missing == loaded.rows > 1:
            lack = f"all {loaded.rows:,} rows lack"
            ways = f"Choose another {side} column{_longer_delimiter(loaded, row)}."
        raise DataError(
            f"{where(loaded, row)}, column {label_of(loaded, places[side])}: the "
            f"id of {whose} expected, the cell is empty or blank; {lack} a user or an item. {ways}"
        )
    if missing:
        connection.execute("DELETE FROM facts WHERE user IS NULL OR item IS NULL")
    return int(missing)


def _longer_delimiter(loaded: SourceTable, row: int) -> str:
    """Return the way out if the delimiter is perhaps the mark twice, as in ``1::2::5``."""
    mark = loaded.dialect.delimiter if loaded.dialect is not None else ""
    [(_, line)] = loaded.locate([row])
    return f", or pass delimiter={2 * mark!r}" if mark and 2 * mark in line else ""


def refuse_nul(connection: duckdb.DuckDBPyConnection, loaded: SourceTable) -> None:
    """Refuse NUL in ids of frames and Parquet files; text files were searched before."""
    if loaded.unit == "line":
        return
    rows = []
    for side in _SIDES:
        [(row,)] = connection.execute(
            f"SELECT min(row) FROM facts WHERE {side} IN "  # noqa: S608 - own names
            f"(SELECT rowid FROM {side}s WHERE contains(id, chr(0)))"
        ).fetchall()
        rows += [] if row is None else [row]
    if rows:
        raise DataError(f"{where(loaded, min(rows))}: an id contains a NUL character. Remove it.")


def vocabulary_of(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, ref: Ref, side: str
) -> Vocabulary:
    """Return the ids in the table ``users`` or ``items``, in the type of the column `ref`."""
    return typed_ids(loaded, _packed(connection, side), place_of(loaded, ref, side), side)


def typed_ids(loaded: SourceTable, ids: StringArray, place: int, side: str) -> Vocabulary:
    """Return sorted ids in the type of their column, at `place`."""
    if not are_whole_numbers(loaded, place):
        return Vocabulary(ids, kind=side)
    if type_of_digits(ids) != "text":
        return Vocabulary.of_digits(ids, kind=side)
    loaded.warnings.append(
        f"the {side} ids are whole numbers that no type of 64 bits holds; they are taken as text, "
        "as their digits."
    )
    return Vocabulary(ids, kind=side)


def _packed(connection: duckdb.DuckDBPyConnection, side: str) -> StringArray:
    lengths = connection.execute(f"SELECT strlen(id) AS bytes FROM {side}s").fetchnumpy()["bytes"]  # noqa: S608
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    blob = np.empty(offsets[-1], dtype=np.uint8)
    # Joined in the database: a text of Python for each id takes several times its bytes.
    for first in range(0, len(lengths), _BLOCK):
        last = min(first + _BLOCK, len(lengths))
        [(text,)] = connection.execute(
            f"SELECT string_agg(id, '' ORDER BY rowid) FROM {side}s "  # noqa: S608 - own names
            "WHERE rowid >= ? AND rowid < ?",
            [first, last],
        ).fetchall()
        blob[offsets[first] : offsets[last]] = np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
    return StringArray(blob, offsets)


class Facts:
    """Fetches columns of the table ``facts`` as arrays, in the order of its rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._order: npt.NDArray[np.int64] | None = None
        rows = self["row"]
        if np.any(rows[1:] < rows[:-1]):  # joins do not keep the order
            self._order = np.argsort(rows, kind="stable")

    def __getitem__(self, column: str) -> Any:
        query = f"SELECT {column} FROM facts"  # noqa: S608 - own names
        found = self._connection.execute(query).fetchnumpy()[column]
        return found if self._order is None else found[self._order]
