"""Reads a table of likes from a file, frame or matrix: the entry point `read`.

DuckDB holds the rows; pairs are merged in NumPy in the order of the file, so that results do not
depend on the number of threads.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.data.reading import item_table
from alsolike.data.reading.assemble import of_rows, with_catalogue
from alsolike.data.reading.cleaning.events import weights_of
from alsolike.data.reading.cleaning.number_form import NumberForm
from alsolike.data.reading.cleaning.ratings import checked_mark
from alsolike.data.reading.cleaning.rows import Roles, Rules
from alsolike.data.reading.cleaning.time_form import TimeForm
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.features.attach import FeatureOptions
from alsolike.data.reading.files.encodings import checked_encoding
from alsolike.data.reading.formats.files import TEXT_LAYOUTS
from alsolike.data.reading.layouts.arrange import arrange, checked_layout
from alsolike.data.reading.matrices import read_matrix
from alsolike.data.reading.report import ReadReport, counted
from alsolike.data.reading.source_table import refuse_overwriting, write_rejects
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
    event: Ref | None = None,
    weights: Mapping[str, float] | str | None = None,
    at_least: float | None = None,
    below: str | None = None,
    items_separator: str | None = None,
    layout: str | None = None,
    items: Any = None,
    item_id: Ref | None = None,
    item_name: Ref | None = None,
    item_image: Ref | None = None,
    item_link: Ref | None = None,
    item_columns: Sequence[Ref] | None = None,
    item_feature: Any = None,
    item_features: Any = None,
    item_vectors: Any = None,
    user_table: Any = None,
    user_id: Ref | None = None,
    user_feature: Any = None,
    user_features: Any = None,
    user_vectors: Any = None,
    feature_min: int = 3,
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

    Ids keep their type. Text, as in delimited files, stays as it is, byte for byte: "42" and "0042"
    differ, blanks around an id are part of it. Whole numbers of frames, Parquet files and JSON
    lines, and the row numbers of matrices, come back as whole numbers; floats are taken as such
    only if they are certainly whole: below 2^53, of float32 below 2^24, of float16 below 2^11.

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
        such as ``+02:00``). Paths lead into objects: ``"item.product_id"``; into arrays, with a row
        for each element: ``"products[].product_id"``; to the element with a key:
        ``"params[key=page].value"``. ``user="line"`` makes a user of each row with several items.
    event : str or int, optional
        The column of events: a row counts the weight of its event, times its `value` if given.
    weights : mapping or str, optional
        The weight of each event: ``{"view": 1, "cart": 3}`` or ``"view=1,cart=3"``. ``other`` is
        that of all events not listed, which are errors without it. 0 drops rows, counted.
    at_least : float, optional
        The least `value` that is a like: from it on, a row counts 1.
    below : {"drop", "dislike"}, optional
        Rows below `at_least`: dropped (the default), or counted -1.
    items_separator : str, optional
        What stands between several items of a cell, such as ``","``: a row is made for each.
    layout : {"table", "lines", "netflix"}, optional
        Of a text file: a table; a line per user with a varying number of fields, the user and then
        items; or Netflix's blocks, found by their form if this is None.
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
    item_feature : str, sequence or mapping, optional
        Columns of `items`, or else of the likes, that models learn from, with their kinds:
        ``"category,tags:set,price:number,description:text,released:date"``; see `columns` of
        `alsolike.read_features`.
    item_features, item_vectors : path, list of paths, frame, mapping or matrix, optional
        Further sources of features, each a block: tables with a row for each item and feature, as
        ``"tags.csv"`` or ``"tags.csv:item,tag,weight"``; vectors, as ``"vectors.npz"``. See
        `source` and `vectors` of `alsolike.read_features`.
    user_table, user_id, user_feature, user_features, user_vectors : optional
        The same of users: a table of users, its id column (default: the one named like `user`),
        its columns to learn from, and further sources.
    feature_min : int
        Words of features of fewer items or users are left out, and counted.
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
        Rows of one (user, item) pair; default "sum" with `value` or `event`, else "count".
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
    user, item, value, timestamp, event, item_id, item_name, item_image, item_link = (
        column_of(name, given)
        for name, given in {
            "user": user,
            "item": item,
            "value": value,
            "timestamp": timestamp,
            "event": event,
            "item_id": item_id,
            "item_name": item_name,
            "item_image": item_image,
            "item_link": item_link,
        }.items()
    )
    is_matrix = hasattr(source, "tocoo")
    rules = Rules(
        duplicates=duplicates,
        repeats=repeats or ("count" if value is event is None and not is_matrix else "sum"),
        missing_id=missing_id,
        negative=negative,
        on_error=on_error,
        weights=weights_of(event, weights),
        at_least=checked_mark(at_least, has_value=value is not None or is_matrix),
        below=below,
    )
    separator = checked_layout(layout, items_separator)
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
    features = FeatureOptions.of(
        (item_features, item_feature, item_vectors), (user_features, user_feature, user_vectors),
        user_table, user_id, feature_min, has_items=items is not None,
    )  # fmt: skip
    encodings = checked_encoding(encoding), checked_encoding(items_encoding, "items_")
    _refuse_without_items(items, items_fixed, items_encoding)
    has_dialect = encoding is not None or fixed != FixedDialect()
    source = source_or_query(source, sql, items, has_dialect=has_dialect)
    _check_rejects(rejects, on_error, source, items)
    if is_matrix:
        _refuse_columns(user, item, value, timestamp, event, separator, layout, encoding)
    user, item = (user or "user", item or "item") if layout in TEXT_LAYOUTS else (user, item)
    wanted = item_table.ItemTexts(item_name, item_image, item_link, item_columns).also(
        features.of_likes(has_items=items is not None)
    )
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
                encoding=encodings[1],
            )
        if is_matrix:
            if wanted.refs and table is None:
                raise SettingError(
                    "A matrix has no columns for names and the like: pass items=, or '{id}' texts."
                )
            fixed.refuse_lines("a matrix")
            interactions, loaded, counts, pairs, dropped = read_matrix(source, rules)
            fields = counted(loaded, counts, rules, pairs, dropped)
            result = with_catalogue(connection, interactions, fields, wanted, None, table, item_id)
        else:
            roles = _roles(user, item, value, timestamp, event)
            loaded = load(
                connection,
                scratch,
                "likes",
                source,
                fixed,
                ids=[roles.user, roles.item],
                scalars=[value, timestamp, event, *(() if table else wanted.refs)],
                reject=on_error == "reject",
                encoding=encodings[0],
                layout=layout,
                keep=roles.columns([*wanted.of_likes(table).values()]),
            )
            loaded.numbers, loaded.times = forms
            arranged = arrange(
                connection,
                loaded,
                roles,
                wanted.of_likes(table),
                separator=separator,
                reject=on_error == "reject",
            )
            result = of_rows(connection, arranged, roles, rules, wanted, table, item_id)
            if rejects is not None:
                write_rejects(rejects, loaded, table)
        result = features.attach(connection, scratch, result, table, (item_id, user, item))
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


def _refuse_without_items(items: Any, fixed: FixedDialect, encoding: str | None) -> None:
    if items is None and (fixed != FixedDialect(prefix="items_") or encoding):
        raise SettingError("Options that begin with items_ need items=.")


def _check_rejects(
    rejects: str | os.PathLike[str] | None, on_error: str, source: object, items: object
) -> None:
    if (rejects is None) is (on_error == "reject"):
        raise SettingError("on_error='reject' and rejects='file' go together.")
    if rejects is not None:
        refuse_overwriting(rejects, source, items)


def _refuse_columns(*given: object) -> None:
    if any(one is not None for one in given):
        raise SettingError(
            "A matrix has no columns: user=, item=, value=, timestamp=, event=, items_separator=, "
            "layout= and encoding= do not apply."
        )


def _roles(user: Ref | None, item: Ref | None, *others: Ref | None) -> Roles:
    if user is None or item is None:
        raise SettingError(
            "user= and item= are needed: the columns that hold the ids, such as "
            'read(source, user="user", item="item").'
        )
    value, timestamp, event = others
    return Roles(user=user, item=item, value=value, timestamp=timestamp, event=event)
