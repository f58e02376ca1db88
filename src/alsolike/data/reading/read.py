"""Reads a table of likes from a file, frame or matrix: the entry point `read`.

DuckDB holds the rows; pairs are merged in NumPy in the order of the file, so that results do not
depend on the number of threads.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.reading import item_table
from alsolike.data.reading.cleaning.aggregate import (
    Pairs,
    assembled,
    merge,
    repeated,
    without_empty,
)
from alsolike.data.reading.cleaning.number_form import NumberForm
from alsolike.data.reading.cleaning.rows import DroppedRows, Roles, Rules, clean, vocabulary_of
from alsolike.data.reading.cleaning.time_form import TimeForm
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.files.encodings import checked_encoding
from alsolike.data.reading.matrices import read_matrix
from alsolike.data.reading.report import ReadReport
from alsolike.data.reading.source_table import SourceTable, refuse_overwriting, write_rejects
from alsolike.data.reading.sources import Ref, load, source_or_query, workspace
from alsolike.data.validation import column_of
from alsolike.errors import SettingError
from alsolike.progress import SILENT, Observer
from alsolike.usage_hints import with_example

__all__ = ["ReadReport", "read"]


@with_example('likes, report = al.read("likes.csv", user="user", item="item")')
def read(
    source: Any = None,
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
    item_columns: Sequence[Ref] | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    header: bool | None = None,
    skip_lines: int = 0,
    comment: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    time_unit: str | None = None,
    time_format: str | None = None,
    items_delimiter: str | None = None,
    items_quote: str | None = None,
    items_escape: str | None = None,
    items_header: bool | None = None,
    encoding: str | None = None,
    items_encoding: str | None = None,
    sql: str | None = None,
    items_skip_lines: int = 0,
    items_comment: str | None = None,
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

    Ids are text and stay as they are, byte for byte: "42" and "0042" differ, blanks around an id
    are part of it. Whole numbers of Parquet files and frames become their digits; floats only if
    they are certainly whole: below 2^53, of float32 below 2^24, of float16 below 2^11.

    Parameters
    ----------
    source : path, list of paths, frame or sparse matrix
        A file of delimited text, Parquet or JSON lines, plain or packed (``.gz``, ``.zst``,
        ``.bz2``, ``.xz``, ``.zip``); an Excel workbook or SQLite database (``file.xlsx::Sheet``,
        ``file.db::table``); the folder of a Delta or Iceberg table; ``-`` for standard input. A
        pattern such as ``parts/*.csv``, a folder, or a list are parts of one table, joined by
        column names; folders such as ``date=2024-01-01`` give columns. Or a pandas, Polars or
        PyArrow table; or a SciPy matrix, users x items, without `user` and the like, whose row
        and column numbers become the ids.
    user, item, value, timestamp : str or int
        Columns by name, or by number from 1; in text files a number is never a name. Without
        `value` each row counts 1. Times are seconds since 1970 or ISO dates (UTC, or with an offset
        such as ``+02:00``).
    items : path, list of paths or frame, optional
        A table of the items; options that begin with ``items_`` are for its dialect.
    item_id : str or int, optional
        Its id column; default: the one named like `item`.
    item_name, item_image, item_link : str or int, optional
        Columns of `items`, or else of the likes. Image and link may also be a text in which
        the percent-encoded id replaces ``{id}``.
    item_columns : sequence of str or int, optional
        Further columns of `items`, or else of the likes, to keep as texts, for rules on lists;
        default: all others of `items`.
    delimiter, quote, escape : str, optional
        Override detection, for `source`; ``"tab"`` and ``"none"`` are understood.
    header : bool, optional
        Whether the first line names the columns. By default it does if a column is given by
        name; else the rows below it decide, and the report says so.
    encoding, items_encoding : str, optional
        Of text files, such as "latin-1" or "utf-16". By default UTF-8, and where a file is not,
        what its bytes look like, with a warning.
    sql : str, optional
        Instead of `source`: one SELECT of DuckDB over local files, such as ``SELECT user, item,
        count(*) AS n FROM 'parts/*.parquet' GROUP BY ALL``. It has no network and writes nothing.
    skip_lines : int
        Lines before the table, such as a title. Excel's ``sep=`` is understood and needs none.
    comment : str, optional
        Lines that begin with this text are skipped.
    decimal, thousands : str, optional
        The marks in numbers such as ``1.234,5``, of text only. If one is given, a number written
        otherwise is an error. A blank stands for any kind of blank.
    time_unit : {"s", "ms", "us", "ns", "days", "excel"}, optional
        The unit of numbers since 1970, or Excel's days. By default seconds, or ISO dates.
    time_format : str, optional
        The form of dates, as ``strptime`` has it: ``"%d.%m.%Y %H:%M"``, for the whole cell; UTC, or
        with the offset ``%z``.
    duplicates : {"drop", "keep", "error"}
        A row equal to an earlier one in every column of the source.
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
        For ``on_error="reject"``: a CSV file of line, reason and text (with `items` or parts: and
        file).
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
    fixed = FixedDialect.of(
        delimiter, quote, escape, header, skip_lines=skip_lines, comment=comment
    )
    items_fixed = FixedDialect.of(
        items_delimiter,
        items_quote,
        items_escape,
        items_header,
        "items_",
        skip_lines=items_skip_lines,
        comment=items_comment,
    )
    forms = (
        NumberForm.of(decimal, thousands, in_use=value is not None or timestamp is not None),
        TimeForm.of(time_unit, time_format, in_use=timestamp is not None),
    )
    if items is None and (items_fixed != FixedDialect(prefix="items_") or items_encoding):
        raise SettingError("Options that begin with items_ need items=.")
    encoding = checked_encoding(encoding)
    items_encoding = checked_encoding(items_encoding, "items_")
    has_dialect = encoding is not None or fixed != FixedDialect()
    source = source_or_query(source, sql, items, has_dialect=has_dialect)
    if (rejects is None) is (on_error == "reject"):
        raise SettingError("on_error='reject' and rejects='file' go together.")
    if rejects is not None:
        refuse_overwriting(rejects, source, items)
    if is_matrix and not (user is item is value is timestamp is encoding is None):
        raise SettingError(
            "A matrix has no columns: user=, item=, value=, timestamp= and encoding= do not apply."
        )
    wanted = item_table.ItemTexts(item_name, item_image, item_link, item_columns)
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
                scalars=wanted.refs,
                reject=on_error == "reject",
                encoding=items_encoding,
            )
        if is_matrix:
            if wanted.refs and table is None:
                raise SettingError(
                    "A matrix has no columns for names and the like: pass items=, or '{id}' texts."
                )
            fixed.refuse_lines("a matrix")
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
                scalars=[value, timestamp, *(() if table else wanted.refs)],
                reject=on_error == "reject",
                encoding=encoding,
            )
            loaded.numbers, loaded.times = forms
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
        item_table.check_columns(loaded, wanted)
    counts = clean(connection, loaded, roles, rules)
    users = vocabulary_of(connection, "user")
    items = vocabulary_of(connection, "item")
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
        raise repeated(loaded, facts, pairs, users, items)
    interactions, dropped = assembled(pairs, users, items, rules.negative, loaded.name)
    interactions, kept = without_empty(interactions, loaded, counts)
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


def _report(
    loaded: SourceTable, counts: DroppedRows, rules: Rules, pairs: Pairs, dropped: int
) -> dict[str, Any]:
    """Return the fields of the report that do not depend on the catalogue."""
    return {
        "source": loaded.name,
        "format": loaded.format,
        "dialect": loaded.dialect,
        "encoding": loaded.encoding,
        "parts": len(loaded.parts) or 1,
        "ignored": loaded.ignored,
        "skipped": loaded.skipped,
        "comments": loaded.comments,
        "number_form": str(loaded.numbers or ""),
        "time_form": loaded.time_words,
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
            "items_encoding": table.encoding,
            "items_parts": len(table.parts) or 1,
            "items_ignored": table.ignored,
            "items_skipped": table.skipped,
            "items_comments": table.comments,
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
