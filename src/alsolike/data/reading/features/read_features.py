"""Reads features of items or users from files, frames and objects: the entry `read_features`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.features.report import FeatureReport
from alsolike.data.interactions import Interactions
from alsolike.data.reading.features.asked import AskedTable, asked_columns, several
from alsolike.data.reading.features.combine import (
    MINIMUM,
    check_arguments,
    combined,
    expect_common,
)
from alsolike.data.reading.features.objects import is_object, of_object
from alsolike.data.reading.features.tables import Form, Found, long, wide
from alsolike.data.reading.features.vectors import AskedVectors, read_vectors
from alsolike.data.reading.sources import Ref, workspace
from alsolike.data.validation import expect_interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError
from alsolike.usage_hints import with_example


@with_example('table, report = al.read_features("tags.csv", id_column="item", feature="tag")')
def read_features(
    source: Any = None,
    *,
    id_column: Ref | None = None,
    feature: Ref | None = None,
    value: Ref | None = None,
    user: Ref | None = None,
    columns: Any = None,
    vectors: Any = None,
    side: str = "item",
    feature_min: int = MINIMUM,
    last: float | None = None,
    ids: Vocabulary | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
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
    user : str or int, optional
        Column of the people who gave each feature, such as a tag: splits then leave out of training
        what those gave on whom a model is tested.
    columns : str, sequence or mapping, optional
        Columns with kinds: ``"category,tags:set,price:number,description:text,released:date"``.
        The kinds are ``set``, ``category`` (a set of one), ``number``, ``bins`` (numbers cut at
        quantiles), ``date``, ``text``, ``words`` (a text without parts of words) and ``vector``;
        without one it is guessed, and the report says so. ``"*"`` is all columns. After some
        kinds, a form may follow: ``tags:set:pipe``, ``price:number:comma`` (``1.234,5``),
        ``price:bins:5``, ``released:date:%d.%m.%Y``.
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
    delimiter, header, encoding : optional
        Of text files, as in `alsolike.read`; found by default.
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
    item feature feature  set, 2 words; each of 1 to 2 items (median 1, 90 % at most 1); most: rock
    (2), folk (1); 1 item without
    """
    check_arguments(side, feature_min, last)
    vector_files = [AskedVectors.of("vectors", one) for one in several(vectors)]
    if source is None and not vector_files:
        raise SettingError("A source of features expected: a file, a frame, a dict or a matrix.")
    named = tuple(one for one in (id_column, feature, value) if one is not None)
    if columns is None and named and (id_column is None or feature is None):
        raise SettingError("Name the columns of ids and of features, or columns with kinds.")
    form = Form.of(delimiter, header, encoding)
    if columns is None and not vector_files and all(map(is_object, several(source))):
        objects = [one for table in several(source) for one in of_object(table, side)]
        return combined(objects, ids, side, feature_min=feature_min, last=last)
    with workspace(threads) as (connection, scratch):
        found: list[Found] = []
        if columns is not None:
            if feature is not None or value is not None or source is None:
                raise SettingError(
                    "Columns with kinds are those of a table with a row for each id, a feature and "
                    "a value those of one with a row for each feature. Give one of them."
                )
            asked = asked_columns("columns", columns)
            found.append(wide(connection, scratch, source, id_column or side, asked, side, form))
        else:
            tables = several(source)
            likely = [side]
            for one in tables:
                table = AskedTable.of("source", one, 3)
                table = replace(
                    table, columns=named or table.columns, user=table.user if user is None else user
                )
                found += read_table(connection, scratch, table, likely, side, form)
        keys = [side] if id_column is None else [id_column, side]
        found += [read_vectors(connection, scratch, one, keys, side) for one in vector_files]
    return combined(found, ids, side, feature_min=feature_min, last=last)


def read_table(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    asked: AskedTable,
    likely: Sequence[Ref],
    side: str,
    form: Form | None = None,
    *,
    people: Ref | None = None,
) -> list[Found]:
    """Read a long table, or take a Python object."""
    if is_object(asked.source):
        return of_object(asked.source, side)
    return [long(connection, scratch, asked, likely, side, form, people=people)]


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
        expect_common(ids.places_of(given.ids), given.ids, ids, "the table of features")
        return given.of(ids)
    last = None if likes.timestamps is None else float(likes.timestamps.max())
    table, _ = read_features(given, side=ids.kind, ids=ids, feature_min=feature_min, last=last)
    return table.features
