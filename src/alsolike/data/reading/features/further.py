"""Encodes the rows of a table exactly as features known before: the entry `encode_more`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import FORM, column_kind, column_name, encode_known
from alsolike.data.features.features import Block, Features, FeatureTable
from alsolike.data.features.further import encode_rows
from alsolike.data.features.report import FeatureReport
from alsolike.data.reading.features.asked import AskedColumn, AskedTable, several
from alsolike.data.reading.features.cells import name_of
from alsolike.data.reading.features.combine import (
    MINIMUM,
    check_arguments,
    every_id,
    over,
    reported,
)
from alsolike.data.reading.features.objects import is_object
from alsolike.data.reading.features.read_features import read_table
from alsolike.data.reading.features.tables import Form, Found, load_table, long, of_loaded
from alsolike.data.reading.features.vectors import AskedVectors, read_vectors
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref, place_of, workspace
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import with_example

_WIDEST = 3  # columns of a table with a row for each id and feature


@with_example('table, report = al.encode_more(model.item_features, "new.csv")')
def encode_more(
    known: Features,
    source: Any = None,
    *,
    id_column: Ref | None = None,
    vectors: Any = None,
    side: str = "item",
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    threads: int | None = None,
) -> tuple[FeatureTable, FeatureReport]:
    """Encode further items or users exactly as the features of a model, such as new items.

    Parameters
    ----------
    known : Features
        Such as ``model.item_features``.
    source : path, list of paths, frame or mapping, optional
        A table with a row for each id and the columns that the blocks were made of, or with a row
        for each id and feature; or a dict with a dict of columns and values for each id.
    id_column : str or int, optional
        Default: the one named ``item`` or ``id``, else the first, which the report says.
    vectors : path or pair, optional
        As in `read_features`.
    side : {"item", "user"}
    delimiter, header, encoding : optional
        Of text files, as in `alsolike.read`; found by default.
    threads : int, optional

    Returns
    -------
    table : FeatureTable
        With all ids of the source.
    report : FeatureReport
        Words that training lacks are counted as unknown.

    Raises
    ------
    DataError
        The source cannot be read, or has no column of `known`.

    Examples
    --------
    >>> known = Features.of_words("tag", [["rock"], ["folk"]])
    >>> table, report = encode_more(known, {"m9": {"tag": ["rock", "polka"]}})
    >>> table.features.matrix.toarray().tolist(), report.blocks[0].unknown
    ([[0.0, 1.0]], 1)
    """
    check_arguments(side, MINIMUM, None)
    tables = several(source)
    asked = [AskedVectors.of("vectors", one) for one in several(vectors)]
    if not tables and not asked:
        raise SettingError("A source of features expected: a file, a frame or a dict.")
    if len(tables) == 1 and not asked and _is_of_rows(tables[0]):
        return encode_rows(known, tables[0], side=side)
    form = Form.of(delimiter, header, encoding)
    with workspace(threads) as (connection, scratch):
        found = [
            one
            for table in tables
            for one in _further(connection, scratch, known, table, id_column, side, form)
        ]
        keys = [side] if id_column is None else [id_column, side]
        for one in asked:
            further = read_vectors(connection, scratch, one, keys, side)
            further.columns = [_named(known, further.columns[0], ("vector",), further.source)]
            found.append(further)
    ids = every_id(found, side)
    columns, _ = over(found, ids, side)
    made = encode_known(known, {column.name: column for column in columns}, len(ids))
    return FeatureTable(ids, made.features), reported(found, made, ids, side, 0)


def _is_of_rows(source: Any) -> bool:
    return isinstance(source, Mapping) and all(isinstance(one, Mapping) for one in source.values())


def _further(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    known: Features,
    source: Any,
    id_column: Ref | None,
    side: str,
    form: Form,
) -> list[Found]:
    """Read the columns of the known blocks from a table, wide or long."""
    table = AskedTable.of("source", source, 3)
    if is_object(source) or table.columns:
        found = read_table(connection, scratch, table, [side], side, form)
        for one in found:
            one.columns = [_named(known, one.columns[0], ("set", "vector"), one.source)]
        return found
    fixed = [] if id_column is None else [id_column]
    blocks = {column_name(block): block for block in known.blocks}
    loaded = load_table(connection, scratch, "further_rows", source, fixed, form=form)
    if _begins_with_names(connection, loaded, blocks):
        connection.execute(f"DROP TABLE {loaded.table}")
        form = Form(replace(form.fixed, header=True), form.encoding)
        loaded = load_table(connection, scratch, "further_rows", source, fixed, form=form)
    names = [name_of(loaded, place) for place in range(len(loaded.types))]
    here = [block for name, block in blocks.items() if name in names]
    wanted = [_asked(block, names) for block in here]
    likely = [name for name in (side, f"{side}_id", "id") if name in loaded.names]
    key: Ref = id_column or (likely[0] if likely else 1)
    if wanted and not _is_long(connection, loaded, key, here):
        rows = of_loaded(connection, loaded, key, wanted, side)
        if id_column is None and not likely:
            rows.notes.append(f"{loaded.name}: {side} ids in the first column (a guess)")
        return [rows]
    connection.execute(f"DROP TABLE {loaded.table}")
    likely_keys: list[Ref] = [side] if id_column is None else [id_column, side]
    further = long(connection, scratch, table, likely_keys, side, form)
    further.columns = [_named(known, further.columns[0], ("set",), further.source)]
    return [further]


def _begins_with_names(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, names: Collection[str]
) -> bool:
    """Tell whether the first row of a text, taken as a row, has a known name of a column."""
    if loaded.dialect is None or loaded.dialect.header:
        return False
    rows = connection.execute(f"SELECT * FROM {loaded.table} WHERE rowid = 0").fetchall()  # noqa: S608 - own name
    return any(cell in names for row in rows for cell in row)


def _is_long(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, key: Ref, blocks: Sequence[Block]
) -> bool:
    """Tell whether a table has a row for each id and feature, and not one for each id.

    It has if its only known column is one of words that were not the words of a cell, and ids
    occur again.
    """
    [first, *others] = blocks
    if others or column_kind(first) != "set" or "separator" in first.encoding:
        return False
    if len(loaded.types) > _WIDEST:
        return False
    place = place_of(loaded, key, "id")
    [(rows, distinct)] = connection.execute(
        f"SELECT count(*), count(DISTINCT c{place}) FROM {loaded.table} "  # noqa: S608 - own names
        f"WHERE rowid >= {loaded.skip}"
    ).fetchall()
    return bool(distinct < rows)


def _asked(block: Block, names: Sequence[str]) -> AskedColumn:
    """Return the column of a block, by its number."""
    encoding = block.encoding
    separator, form = encoding.get("separator", ""), encoding.get(FORM, "")
    return AskedColumn(
        1 + names.index(column_name(block)), column_kind(block), separator, form=form
    )


def _named(known: Features, column: Column, kinds: Sequence[str], source: str) -> Column:
    """Return a column under the name of the block that it belongs to."""
    blocks = {column_name(block): block for block in known.blocks if column_kind(block) in kinds}
    if column.name in blocks:
        return column
    if len(blocks) == 1:
        return replace(column, name=next(iter(blocks)))
    every = ", ".join(dict.fromkeys(column_name(block) for block in known.blocks))
    raise DataError(
        f"{source}: none of its columns is one of those that the features were made of: {every}."
    )
