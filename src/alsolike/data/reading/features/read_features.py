"""Reads features of items or users from files, frames and objects: the entry `read_features`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import (
    Encoded,
    column_kind,
    column_name,
    encode,
    encode_known,
)
from alsolike.data.features.features import Block, Features, FeatureTable
from alsolike.data.features.further import encode_rows
from alsolike.data.features.report import FeatureReport
from alsolike.data.interactions import Interactions
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.features.asked import AskedColumn, AskedTable, asked_columns, several
from alsolike.data.reading.features.objects import is_object, of_object
from alsolike.data.reading.features.tables import Found, long, of_loaded, wide
from alsolike.data.reading.features.vectors import AskedVectors, read_vectors
from alsolike.data.reading.sources import Ref, load, workspace
from alsolike.data.validation import check_whole, expect_interactions, expect_seconds
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.usage_hints import with_example

MINIMUM = 3
_SIDES = ("item", "user")


@with_example('table, report = al.read_features("tags.csv", id_column="item", feature="tag")')
def read_features(
    source: Any = None,
    *,
    id_column: Ref | None = None,
    feature: Ref | None = None,
    value: Ref | None = None,
    columns: Any = None,
    vectors: Any = None,
    side: str = "item",
    feature_min: int = MINIMUM,
    last: float | None = None,
    ids: Vocabulary | None = None,
    threads: int | None = None,
) -> tuple[FeatureTable, FeatureReport]:
    """Read what is known of items or users.

    Parameters
    ----------
    source : path, list of paths, frame, mapping or matrix, optional
        Without `columns`, a table with a row for each id and feature, such as a tag; several make
        a block each. Or a dict with a list of texts, a number or a vector for each id, or such a
        dict for each name; or a SciPy matrix of items x features, with ids as ``(ids, matrix)``,
        else its row numbers are the ids. With `columns`, a table with a row for each id.
    id_column, feature, value : str or int, optional
        Columns by name, or by number from 1. Without them, they are guessed by their names, and
        the report says so.
    columns : str, sequence or mapping, optional
        Columns with kinds: ``"category,tags:set,price:number,description:text,released:date"``.
        The kinds are ``set``, ``category`` (a set of one), ``number``, ``bins`` (numbers cut at
        quantiles), ``date``, ``text``, ``words`` (a text without parts of words) and ``vector``;
        without one it is guessed, and the report says so. ``"*"`` is all columns.
    vectors : path or pair, optional
        ``"vectors.npz"`` with the arrays ``ids`` and ``vectors``, ``"vectors.npy:ids.txt"``, a
        table with a column of lists; or ``(ids, array)``.
    side : {"item", "user"}
    feature_min : int
        Words of fewer rows are left out, and counted.
    last : float, optional
        Moment from which the age of dates counts, seconds since 1970; default: the latest date.
    ids : Vocabulary, optional
        Only these, in their order; others are counted. Default: all ids of the sources.
    threads : int, optional

    Returns
    -------
    table : FeatureTable
    report : FeatureReport

    Raises
    ------
    DataError
        A source cannot be read so; the message names file, line, column and value.
    SettingError
        Arguments are unknown or contradict each other.

    Examples
    --------
    >>> tags = {"m1": ["rock", "folk"], "m2": ["rock"], "m3": []}
    >>> table, report = read_features(tags, feature_min=1)
    >>> table.features
    Features(3 rows, 2 features: feature)
    >>> print(report)
    features of items     2, of 2 items (1 without); from a dict of 3 items
    item feature feature  set, 2 words; each of 1 to 2 items (half of them of at most 1, nine in ten
    of at most 1); most: rock 2, folk 1; 1 items without
    """
    _check(side, feature_min, last)
    vector_files = [AskedVectors.of("vectors", one) for one in several(vectors)]
    if source is None and not vector_files:
        raise SettingError("A source of features expected: a file, a frame, a dict or a matrix.")
    named = tuple(one for one in (id_column, feature, value) if one is not None)
    if columns is None and named and (id_column is None or feature is None):
        raise SettingError("id_column= and feature= go together, or columns= with kinds.")
    with workspace(threads) as (connection, scratch):
        found: list[Found] = []
        if columns is not None:
            if feature is not None or value is not None or source is None:
                raise SettingError(
                    "columns= are those of a table with a row for each id, feature= and value= of "
                    "one with a row for each feature. Give one of them, with its source."
                )
            asked = asked_columns("columns", columns)
            found.append(wide(connection, scratch, source, id_column or side, asked, side))
        else:
            tables = several(source)
            likely = [side]
            for one in tables:
                table = AskedTable.of("source", one, 3)
                table = replace(table, columns=named or table.columns)
                found += read_table(connection, scratch, table, likely, side)
        keys = [side] if id_column is None else [id_column, side]
        found += [read_vectors(connection, scratch, one, keys, side) for one in vector_files]
    return combined(found, ids, side, feature_min=feature_min, last=last)


def read_table(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    asked: AskedTable,
    likely: Sequence[Ref],
    side: str,
) -> list[Found]:
    """Read a long table, or take a Python object."""
    if is_object(asked.source):
        return of_object(asked.source, side)
    return [long(connection, scratch, asked, likely, side)]


def combined(
    found: Sequence[Found],
    ids: Vocabulary | None,
    side: str,
    *,
    feature_min: int,
    last: float | None,
) -> tuple[FeatureTable, FeatureReport]:
    """Encode the columns of all sources over common ids, those given or all."""
    known = _every(found, side) if ids is None else ids
    columns, unknown = _over(found, known, side)
    made = encode(columns, len(known), minimum=feature_min, last=last)
    report = _reported(found, made, known, side, unknown)
    return FeatureTable(known, made.features), replace(report, minimum=feature_min)


@with_example("likes = al.with_features(likes, items={'m1': ['rock'], 'm2': ['folk']})")
def with_features(
    likes: Interactions, *, items: Any = None, users: Any = None, feature_min: int = MINIMUM
) -> Interactions:
    """Return the same likes with features of items, of users, or both.

    Parameters
    ----------
    likes : Interactions
    items, users : FeatureTable, Features, or a source
        A table as `read_features` returns it, of which the ids of `likes` are taken; features with
        a row for each; or a source that `read_features` takes.
    feature_min : int
        Of a source: words of fewer items or users are left out.

    Raises
    ------
    DataError
        No id of a source is among those of `likes`, or it cannot be read.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "bob"], ["m1", "m2"])
    >>> tagged = with_features(likes, items={"m2": ["folk"], "m9": ["rock"]}, feature_min=1)
    >>> tagged.item_features
    Features(2 rows, 1 features: feature)
    """
    expect_interactions(likes, "likes")
    of_items, of_users = (
        _given(given, ids, likes, feature_min)
        for given, ids in ((items, likes.items), (users, likes.users))
    )
    return replace(
        likes,
        item_features=likes.item_features if of_items is None else of_items,
        user_features=likes.user_features if of_users is None else of_users,
    )


def _given(given: Any, ids: Vocabulary, likes: Interactions, feature_min: int) -> Features | None:
    if given is None or isinstance(given, Features):
        return given
    if isinstance(given, FeatureTable):
        _expect_common(ids.places_of(given.ids), given.ids, ids, "the table of features")
        return given.of(ids)
    last = None if likes.timestamps is None else float(likes.timestamps.max())
    table, _ = read_features(given, side=ids.kind, ids=ids, feature_min=feature_min, last=last)
    return table.features


@with_example('table, report = al.encode_more(model.item_features, "new.csv")')
def encode_more(
    known: Features,
    source: Any = None,
    *,
    id_column: Ref | None = None,
    vectors: Any = None,
    side: str = "item",
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
    _check(side, MINIMUM, None)
    tables = several(source)
    asked = [AskedVectors.of("vectors", one) for one in several(vectors)]
    if not tables and not asked:
        raise SettingError("A source of features expected: a file, a frame or a dict.")
    if len(tables) == 1 and not asked and _is_of_rows(tables[0]):
        return encode_rows(known, tables[0], side=side)
    with workspace(threads) as (connection, scratch):
        found = [
            one
            for table in tables
            for one in _further(connection, scratch, known, table, id_column, side)
        ]
        keys = [side] if id_column is None else [id_column, side]
        for one in asked:
            further = read_vectors(connection, scratch, one, keys, side)
            further.columns = [_named(known, further.columns[0], ("vector",), further.source)]
            found.append(further)
    ids = _every(found, side)
    columns, _ = _over(found, ids, side)
    made = encode_known(known, {column.name: column for column in columns}, len(ids))
    return FeatureTable(ids, made.features), _reported(found, made, ids, side, 0)


def _is_of_rows(source: Any) -> bool:
    return isinstance(source, Mapping) and all(isinstance(one, Mapping) for one in source.values())


def _further(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    known: Features,
    source: Any,
    id_column: Ref | None,
    side: str,
) -> list[Found]:
    """Read the columns of the known blocks from a table, wide or long."""
    table = AskedTable.of("source", source, 3)
    if is_object(source) or table.columns:
        found = read_table(connection, scratch, table, [side], side)
        for one in found:
            one.columns = [_named(known, one.columns[0], ("set", "vector"), one.source)]
        return found
    fixed = [] if id_column is None else [id_column]
    loaded = load(connection, scratch, "further_rows", source, FixedDialect(), ids=fixed)
    blocks = {column_name(block): block for block in known.blocks}
    wanted = [_asked(block) for name, block in blocks.items() if name in loaded.names]
    likely = [name for name in (side, f"{side}_id", "id") if name in loaded.names]
    key = id_column or (likely[0] if likely else 1)
    rows, distinct = connection.execute(
        f"SELECT count(*), count(DISTINCT c0) FROM {loaded.table}"  # noqa: S608 - own name
    ).fetchall()[0]
    is_long = len(wanted) == 1 and len(loaded.types) <= 3 and distinct < rows
    if wanted and not (is_long and wanted[0].kind == "set"):
        return [of_loaded(connection, loaded, key, wanted, side)]
    connection.execute(f"DROP TABLE {loaded.table}")
    likely_keys: list[Ref] = [side] if id_column is None else [id_column, side]
    further = long(connection, scratch, table, likely_keys, side)
    further.columns = [_named(known, further.columns[0], ("set",), further.source)]
    return [further]


def _asked(block: Block) -> AskedColumn:
    separator = block.encoding.get("separator", "")
    return AskedColumn(column_name(block), column_kind(block), separator)


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


def _every(found: Sequence[Found], side: str) -> Vocabulary:
    ids = found[0].ids
    for one in found[1:]:
        ids = ids.union(one.ids) if ids.are_whole or not one.ids.are_whole else _texts(one.ids, ids)
    return Vocabulary(ids.ids, kind=side, id_type=ids.id_type)


def _texts(whole: Vocabulary, texts: Vocabulary) -> Vocabulary:
    return texts.union(Vocabulary(whole.ids, kind=whole.kind))


def _over(found: Sequence[Found], ids: Vocabulary, side: str) -> tuple[list[Column], int]:
    """Return all columns over common ids, under different names, and the number of unknown ids."""
    columns, unknown = [], 0
    names = [column.name for one in found for column in one.columns]
    for one in found:
        places = ids.places_of(one.ids)
        _expect_common(places, one.ids, ids, one.source)
        unknown += int(np.count_nonzero(places < 0))
        for column in one.columns:
            moved = column.moved(places)
            if names.count(column.name) > 1 and len(found) > 1:
                stem = Path(one.source.partition("::")[0]).name.partition(".")[0]
                moved = replace(moved, name=f"{stem} {column.name}")
            columns.append(moved)
    return columns, unknown


def _expect_common(places: Any, own: Vocabulary, ids: Vocabulary, source: str) -> None:
    """Raise DataError if no id of a source is known, with an id of each side."""
    if len(places) and len(ids) and not (places >= 0).any():
        raise DataError(
            f"{source}: none of its {len(own):,} ids is among the {len(ids):,} {ids.kind}s here. "
            f"It has ids such as {own.id_of(0)!r}, those here are such as {ids.id_of(0)!r}. If "
            "another column holds them, name it."
        )


def _reported(
    found: Sequence[Found], made: Encoded, ids: Vocabulary, side: str, unknown: int
) -> FeatureReport:
    return FeatureReport(
        side=side,
        sources=tuple(dict.fromkeys(one.source for one in found)),
        rows=len(ids),
        with_features=int(np.count_nonzero(made.features.has)),
        blocks=made.blocks,
        unknown_ids=unknown,
        repeated=sum(one.repeated for one in found),
        without_id=sum(one.without_id for one in found),
        zeros=sum(one.zeros for one in found),
        left_out=made.left_out,
        notes=tuple(note for one in found for note in one.notes),
        warnings=tuple(warning for one in found for warning in one.warnings),
    )


def _check(side: str, feature_min: int, last: float | None) -> None:
    if side not in _SIDES:
        raise SettingError(f"side={side!r}: 'item' or 'user' expected.")
    check_whole("feature_min", feature_min, least=1)
    expect_seconds("last", last)
