"""Reads a table of likes from a file, frame or matrix: the entry point `read`.

DuckDB holds the rows; pairs are merged in NumPy in the order of the file, so that results do not
depend on the number of threads.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.reading import item_table
from alsolike.data.reading.cleaning.aggregate import Pairs, assembled, merge
from alsolike.data.reading.cleaning.rows import DroppedRows, Roles, Rules, clean
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.matrices import read_matrix
from alsolike.data.reading.report import ReadReport
from alsolike.data.reading.source_table import SourceTable, refuse_overwriting, where, write_rejects
from alsolike.data.reading.sources import Ref, load, place_of, vocabulary_of, workspace
from alsolike.data.validation import column_of
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError
from alsolike.progress import SILENT, Observer
from alsolike.usage_hints import with_example

__all__ = ["ReadReport", "read"]


@with_example('likes, report = al.read("likes.csv", user="user", item="item")')
def read(
    source: Any,
    *,
    user: Ref | None = None,
    item: Ref | None = None,
    value: Ref | None = None,
    timestamp: Ref | None = None,
    items: Any = None,
    item_id: Ref | None = None,
    item_name: Ref | None = None,
    item_image: Ref | None = None,
    item_link: Ref | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    header: bool | None = None,
    items_delimiter: str | None = None,
    items_quote: str | None = None,
    items_escape: str | None = None,
    items_header: bool | None = None,
    duplicates: str = "drop",
    repeats: str | None = None,
    missing_id: str = "error",
    negative: str = "error",
    on_error: str = "error",
    rejects: str | os.PathLike[str] | None = None,
    threads: int | None = None,
    observer: Observer = SILENT,
) -> tuple[Interactions, ReadReport]:
    r"""Read likes into `Interactions`, and report what was found, dropped and merged.

    Ids keep their type. Text, as in delimited files, stays as it is, byte for byte: "42" and "0042"
    differ, blanks around an id are part of it. Whole numbers of frames, Parquet files and JSON
    lines, and the row numbers of matrices, come back as whole numbers; floats are taken as such
    only if they are certainly whole: below 2^53, of float32 below 2^24, of float16 below 2^11.

    Parameters
    ----------
    source : path, frame or sparse matrix
        A file of delimited text (plain, ``.gz`` or ``.zst``), Parquet or JSON lines; a pandas,
        Polars or PyArrow table; or a SciPy matrix, users x items, without `user` and the like,
        whose row and column numbers become the ids.
    user, item, value, timestamp : str or int
        Columns by name, or by number from 1; in text files a number is never a name. Without
        `value` each row counts 1. Times are seconds since 1970 or ISO dates (UTC, or with an offset
        such as ``+02:00``).
    items : path or frame, optional
        A table of the items; options that begin with ``items_`` are for its dialect.
    item_id : str or int, optional
        Its id column; default: the one named like `item`.
    item_name, item_image, item_link : str or int, optional
        Columns of `items`, or else of the likes. Image and link may also be a text in which
        the percent-encoded id replaces ``{id}``.
    delimiter, quote, escape : str, optional
        Override detection, for `source`; ``"tab"`` and ``"none"`` are understood.
    header : bool, optional
        Whether the first line names the columns. By default it does if a column is given by
        name; else the rows below it decide, and the report says so.
    duplicates : {"drop", "keep", "error"}
        A row equal to an earlier one in every column of the file.
    repeats : {"sum", "count", "once", "max", "error"}, optional
        Rows of one (user, item) pair; default "sum" with `value`, else "count".
    missing_id : {"error", "drop"}
        A row whose user or item is empty or blank.
    negative : {"error", "net", "dislike"}
        Values below 0: "net" drops pairs whose sum is not positive, "dislike" keeps them. Rows
        with the value 0 are dropped and counted.
    on_error : {"error", "reject"}
        Malformed lines, also of `items`, and values that are not finite numbers: raise for the
        first, or write them all to `rejects`.
    rejects : path, optional
        For ``on_error="reject"``: a CSV file of line, reason and text (with `items`: and file).
    threads : int, optional
    observer : Observer
        Receives the start and end of reading, and the warnings of the report.

    Returns
    -------
    interactions : Interactions
        Users and items with at least one, sorted by id; of a matrix, all.
    report : ReadReport
        The counts, and warnings of guesses.

    Raises
    ------
    DataError
        The source cannot be read so; the message names file, line, column and value.
    SettingError
        Options are unknown or contradict each other.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> likes = pathlib.Path(folder.name, "likes.psv")
    >>> _ = likes.write_text("who|what|plays\nann|m1|2\nbob|m1|1\nann|m1|2\nann|m1|3\n")
    >>> interactions, report = read(likes, user="who", item="what", value="plays")
    >>> interactions
    Interactions(2 users, 1 items, 2 interactions, 100 % filled)
    >>> print(report)
    source          ...likes.psv (text)
    dialect         delimiter '|', quote '"', escape '"', header yes (reads every row)
    rows            4
    duplicate rows  1 dropped (equal in every column)
    repeated pairs  1 (1 further rows; rule: sum)
    users           2
    items           1
    interactions    2 (100.000 % filled)
    >>> folder.cleanup()
    """
    user, item, value, timestamp, item_id, item_name, item_image, item_link = (
        column_of(name, given)
        for name, given in {
            "user": user,
            "item": item,
            "value": value,
            "timestamp": timestamp,
            "item_id": item_id,
            "item_name": item_name,
            "item_image": item_image,
            "item_link": item_link,
        }.items()
    )
    is_matrix = hasattr(source, "tocoo")
    with_values = value is not None or is_matrix
    rules = Rules(
        duplicates=duplicates,
        repeats=repeats or ("sum" if with_values else "count"),
        missing_id=missing_id,
        negative=negative,
        on_error=on_error,
    )
    fixed = FixedDialect.of(delimiter, quote, escape, header)
    items_fixed = FixedDialect.of(
        items_delimiter, items_quote, items_escape, items_header, "items_"
    )
    if items is None and items_fixed != FixedDialect(prefix="items_"):
        raise SettingError("Options that begin with items_ need items=.")
    if (rejects is None) is (on_error == "reject"):
        raise SettingError("on_error='reject' and rejects='file' go together.")
    if rejects is not None:
        refuse_overwriting(rejects, source, items)
    if is_matrix and not (user is item is value is timestamp is None):
        raise SettingError(
            "A matrix has no columns: user=, item=, value= and timestamp= do not apply."
        )
    wanted = item_table.ItemTexts(item_name, item_image, item_link)
    with _reported(observer), workspace(threads) as (connection, scratch):
        table = None
        if items is not None:
            item_id = _key(item_id, item)
            table = load(
                connection,
                scratch,
                "catalogue_rows",
                items,
                items_fixed,
                ids=[item_id],
                scalars=list(wanted.columns().values()),
                reject=on_error == "reject",
            )
        if is_matrix:
            if wanted.columns() and table is None:
                raise SettingError(
                    "A matrix has no columns for names: pass items=, or '{id}' texts."
                )
            interactions, loaded, counts, pairs, dropped = read_matrix(source, rules)
            fields = _report(loaded, counts, rules, pairs, dropped)
            result = _with_catalogue(connection, interactions, fields, wanted, None, table, item_id)
        else:
            if user is None or item is None:
                raise SettingError(
                    "user= and item= are needed: the columns that hold the ids, such as "
                    'read(source, user="user", item="item").'
                )
            roles = Roles(user=user, item=item, value=value, timestamp=timestamp)
            loaded = load(
                connection,
                scratch,
                "likes",
                source,
                fixed,
                ids=[user, item],
                scalars=[value, timestamp, *(() if table else wanted.columns().values())],
                reject=on_error == "reject",
            )
            result = _from_rows(connection, loaded, roles, rules, wanted, table, item_id)
            if rejects is not None:
                write_rejects(rejects, loaded, table)
    for warning in result[1].warnings:
        observer.warn(warning)
    return result


@contextlib.contextmanager
def _reported(observer: Observer) -> Iterator[None]:
    observer.start("Reading")
    try:
        yield
    finally:
        observer.finish()


def _key(item_id: Ref | None, item: Ref | None) -> Ref:
    key = item_id if item_id is not None else item
    if key is None:
        raise SettingError("item_id= is needed: the id column of the item table.")
    return key


def _from_rows(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    roles: Roles,
    rules: Rules,
    wanted: item_table.ItemTexts,
    table: SourceTable | None,
    item_id: Ref | None,
) -> tuple[Interactions, ReadReport]:
    if table is None:
        for role, ref in wanted.columns().items():
            place_of(loaded, ref, f"item_{role}")
    counts = clean(connection, loaded, roles, rules)
    users = vocabulary_of(connection, loaded, roles.user, "user")
    items = vocabulary_of(connection, loaded, roles.item, "item")
    facts = connection.execute(
        "SELECT row, users.code AS user, items.code AS item, value, time FROM facts "
        "JOIN users ON users.id = facts.user JOIN items ON items.id = facts.item ORDER BY row"
    ).fetchnumpy()
    times = None if roles.timestamp is None else facts["time"].astype(np.float64)
    pairs = merge(
        facts["user"].astype(np.int64),
        facts["item"].astype(np.int64),
        facts["value"].astype(np.float64),
        times,
        n_items=len(items),
        rule=rules.repeats,
    )
    if rules.repeats == "error" and pairs.merged:
        raise _repeated(loaded, facts, pairs, users, items)
    interactions, dropped = assembled(pairs, users, items, rules.negative, loaded.name)
    interactions, kept = _without_empty(interactions, loaded, counts)
    codes = np.full(len(items), -1, dtype=np.int64)
    codes[kept] = np.arange(len(kept))
    seen = item_table.ItemRows(facts["row"].astype(np.int64), codes[facts["item"]])
    return _with_catalogue(
        connection,
        interactions,
        _report(loaded, counts, rules, pairs, dropped),
        wanted,
        (loaded, seen),
        table,
        item_id,
    )


def _repeated(
    loaded: SourceTable, facts: Any, pairs: Pairs, users: Vocabulary, items: Vocabulary
) -> DataError:
    is_first = np.zeros(len(facts["row"]), dtype=bool)
    is_first[pairs.first] = True
    again = int(np.flatnonzero(~is_first)[0])
    user, item = users.id_of(int(facts["user"][again])), items.id_of(int(facts["item"][again]))
    return DataError(
        f"{where(loaded, int(facts['row'][again]))}: user {user!r} and item {item!r} occur "
        f"together before; {pairs.repeated:,} pairs are repeated. Pass repeats='sum', 'count', "
        "'once' or 'max'."
    )


def _without_empty(
    interactions: Interactions, loaded: SourceTable, counts: DroppedRows
) -> tuple[Interactions, Any]:
    """Drop users and items without pairs left; also return the items kept."""
    if not interactions.n_interactions:
        raise DataError(
            f"{loaded.name}: none of the {loaded.rows:,} rows is an interaction "
            f"({counts.missing:,} lack an id, {counts.zeros:,} have the value 0, the sums of the "
            "others are not positive)."
        )
    users = np.flatnonzero(interactions.user_counts)
    items = np.flatnonzero(interactions.item_counts)
    if len(users) < interactions.n_users or len(items) < interactions.n_items:
        interactions = interactions.subset(users, items)
    return interactions, items


def _report(
    loaded: SourceTable, counts: DroppedRows, rules: Rules, pairs: Pairs, dropped: int
) -> dict[str, Any]:
    """Return the fields of the report that do not depend on the catalogue."""
    return {
        "source": loaded.name,
        "format": loaded.format,
        "dialect": loaded.dialect,
        "rows": loaded.rows,
        "blank": loaded.blank,
        "rejected": len(loaded.rejected),
        "duplicates": counts.duplicates,
        "duplicates_rule": rules.duplicates,
        "missing": counts.missing,
        "zeros": counts.zeros,
        "negatives": counts.negatives,
        "negative_rule": rules.negative,
        "netted": dropped,
        "repeated": pairs.repeated,
        "merged": pairs.merged,
        "repeats_rule": rules.repeats,
    }


def _with_catalogue(
    connection: duckdb.DuckDBPyConnection,
    interactions: Interactions,
    fields: dict[str, Any],
    wanted: item_table.ItemTexts,
    likes: tuple[SourceTable, item_table.ItemRows] | None,
    table: SourceTable | None,
    item_id: Ref | None,
) -> tuple[Interactions, ReadReport]:
    catalogue, found = item_table.build(
        connection, interactions.items, wanted, likes, table, item_id
    )
    complete = Interactions(
        interactions.user_items,
        interactions.users,
        interactions.items,
        interactions.timestamps,
        catalogue,
    )
    if table is not None:
        fields |= {
            "items_dialect": table.dialect,
            "items_blank": table.blank,
            "items_rejected": len(table.rejected),
        }
    times, sources = interactions.timestamps, (None if likes is None else likes[0], table)
    report = ReadReport(
        **fields,
        dislikes=int(np.count_nonzero(interactions.user_items.data < 0)),
        items_without_row=found.without_row,
        conflicting=found.conflicting,
        items_rows_without_id=found.rows_without_id,
        items_rows_repeated=found.rows_repeated,
        users=interactions.n_users,
        items=interactions.n_items,
        interactions=interactions.n_interactions,
        first_time=None if times is None else float(times.min()),
        last_time=None if times is None else float(times.max()),
        warnings=tuple(warning for one in sources if one for warning in one.warnings),
    )
    return complete, report
