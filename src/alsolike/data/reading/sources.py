"""Loads files and frames into DuckDB, and checks columns of ids and numbers."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.files.listing import refuse_to_read_twice
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.files.text_files import SEALED
from alsolike.data.reading.formats.files import TEXT_LAYOUTS, Asked, load_files
from alsolike.data.reading.formats.query import Query, load_query
from alsolike.data.reading.formats.typed import load_frame
from alsolike.data.reading.frames import CERTAIN_BELOW, columns_of
from alsolike.data.reading.source_table import OddCell, SourceTable, label_of, where
from alsolike.engines.hardware import processors
from alsolike.errors import DataError, SettingError
from alsolike.storage.cleanup import no_room, scratch_folder
from alsolike.system_errors import (
    expect_address_space,
    expect_open_files,
    is_interrupt,
    of_duckdb,
    out_of_memory,
)
from alsolike.usage_hints import did_you_mean

Ref = str | int

_TEXT_TYPES = ("VARCHAR", "UUID", "ENUM")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_WHOLE_TYPES = (*_WHOLE, *(f"U{name}" for name in _WHOLE))
_FLOAT_TYPES = ("FLOAT", "DOUBLE", "DECIMAL")
# Bytes kept free for closing: with little memory DuckDB crashes without them.
_RESERVE = 64 << 20
# Addresses that DuckDB reserves when it starts, as measured; with fewer it may crash, too.
_LEAST = 64 << 20
_DATABASE, _EACH_THREAD = (580 << 20) + _RESERVE + _LEAST, 88 << 20
_FILES = 4  # that DuckDB opens; it crashes where it may not
_WAYS = {
    "bytes": "Turn the bytes into text first, by decoding them",
    "BLOB": "Turn the bytes into text first, by decoding them",
    "Enum": "Turn the column into the values of its members first",
}
_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_ARTICLES = {"text": "text", "whole number": "a whole number"}


@contextlib.contextmanager
def workspace(threads: int | None) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """Open an isolated in-memory DuckDB and a scratch folder, removed at the end.

    Errors of DuckDB are raised as those of alsolike, interruptions as KeyboardInterrupt.
    """
    if threads is not None and threads < 1:
        raise SettingError(f"threads={threads}: at least 1.")
    with scratch_folder() as scratch:
        try:
            expect_open_files(_FILES)
        except OSError as error:
            raise no_room(scratch, error) from error
        settings = dict(SEALED) | {"temp_directory": str(scratch)}
        if threads is not None:
            settings["threads"] = threads
        needed = _DATABASE + _EACH_THREAD * (threads or processors())
        by_one = None if threads == 1 else _DATABASE + _EACH_THREAD
        if (left := expect_address_space(needed, by_one=by_one)) is not None:
            settings["memory_limit"] = f"{left - needed + _LEAST >> 20}MiB"
        reserve = bytearray(_RESERVE)
        try:
            with duckdb.connect(":memory:", config=settings) as connection:
                try:
                    connection.execute("SET TimeZone = 'UTC'")
                    connection.execute("SET enable_progress_bar = false")
                    yield connection, scratch
                finally:
                    del reserve
        except duckdb.Error as error:
            raise of_duckdb(error) from error
        except RuntimeError as error:
            if is_interrupt(error):
                raise KeyboardInterrupt from error
            raise
        except SystemError as error:  # raised by DuckDB's arrays for too little memory
            if isinstance(error.__cause__, MemoryError):
                raise out_of_memory(str(error.__cause__) or "an array") from error
            raise


def load(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    table: str,
    source: Any,
    fixed: FixedDialect,
    *,
    ids: Sequence[Ref | None],
    scalars: Sequence[Ref | None] = (),
    reject: bool = False,
    encoding: str | None = None,
    layout: str | None = None,
    keep: Sequence[Ref] | None = None,
) -> SourceTable:
    """Load all rows of `source` into the DuckDB table `table`.

    `source` is a path, a pattern, a folder, a list of these, or a pandas, Polars or PyArrow table;
    `fixed` holds fixed parts of the dialect, `encoding` that of texts. `ids` and `scalars` are the
    columns in use. `reject` collects malformed lines; else they raise DataError. `layout` is that
    of a text file: "lines" for a user a line, "netflix" for blocks of items, "table" for neither;
    None finds blocks by their form. Columns are kept that are among the `ids` and `keep`; without
    `keep`, all are.
    """
    asked_ids = [ref for ref in ids if ref is not None]
    selection = Selection(None if keep is None else (*asked_ids, *keep))
    if isinstance(source, Query):
        return load_query(connection, table, source.text, selection)
    if not isinstance(source, (str, os.PathLike)) and not _are_paths(source):
        if encoding is not None:
            raise SettingError(f"{fixed.prefix}encoding= is for text files. Leave it out.")
        fixed.refuse_lines("a frame")
        if layout in TEXT_LAYOUTS:
            raise SettingError(f"layout={layout!r} is that of a text file, and a frame is none.")
        return load_frame(connection, table, columns_of(connection, source), selection)
    asked = Asked(
        fixed,
        asked_ids,
        [ref for ref in scalars if ref is not None],
        reject=reject,
        encoding=encoding,
        layout=layout,
        selection=selection,
    )
    return load_files(connection, scratch, table, source, asked, id_text)


def source_or_query(source: Any, sql: str | None, items: Any, *, has_dialect: bool) -> Any:
    """Return what is read: the source, or the query in its place; SettingError for both."""
    refuse_to_read_twice(source, items)
    if sql is None:
        return source
    if source is not None or has_dialect:
        raise SettingError("sql= is a source of its own: leave out the other, and its dialect.")
    return Query(sql)


def _are_paths(source: Any) -> bool:
    return (
        isinstance(source, (list, tuple))
        and len(source) > 0
        and all(isinstance(one, (str, os.PathLike)) for one in source)
    )


def place_of(loaded: SourceTable, ref: Ref, role: str) -> int:
    """Return the index of a column: an exact name wins over a number that counts from 1.

    In text files, a number is always a number: the first row may be data. Raises DataError if there
    is no such column, or several.
    """
    width, hint = len(loaded.types), ""
    is_number = _NUMBER.fullmatch(str(ref)) is not None or isinstance(ref, int)
    hits = [place for place, name in enumerate(loaded.names) if name == str(ref)]
    if is_number and loaded.dialect is not None:
        hint = f" Column {hits[0] + 1} is named {str(ref)!r}: pass its number." if hits else ""
        hits = []
    if len(hits) == 1:
        return hits[0]
    if hits:
        numbers = " and ".join(str(place + 1) for place in hits)
        raise DataError(
            f"{loaded.name}: {role} column {ref!r} occurs {len(hits)} times (columns {numbers}). "
            "Pass its number instead of its name."
        )
    if isinstance(ref, int) or _NUMBER.fullmatch(ref):
        if 1 <= int(ref) <= width:
            return int(ref) - 1
        raise DataError(
            f"{loaded.name}: {role} column {ref} is out of range; there are {width} columns, "
            f"counted from 1.{hint}"
        )
    names = [name for name in loaded.names if name]
    if not names:
        raise DataError(
            f"{loaded.name}: {role} column {ref!r} asked for, but no line names the columns. "
            f"Pass a number from 1 to {width}, or {loaded.prefix}header=True."
        )
    hint = did_you_mean(ref, names, cutoff=0.5)
    above, is_folder, _ = f"/{loaded.name}".partition(f"/{ref}=")
    if is_folder:
        hint = f" It is in the name of a folder: read {above[1:] or '.'!r}, which has that column."
    if not hint and loaded.dialect is not None:
        hint = " If the first line is a row, give all columns by number."
    listed = ", ".join(map(repr, names[:30])) + (", ..." if len(names) > 30 else "")
    raise DataError(f"{loaded.name}: no {role} column {ref!r}; the columns are {listed}.{hint}")


def id_text(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int, role: str
) -> str:
    """Return the SQL expression of an id column as text.

    Whole numbers that came as floats (as in pandas, if ids are missing) become their digits. Raises
    DataError for other cells (fractions, truth values, bytes, lists), and for text and whole
    numbers in one column.
    """
    _refuse_mixed(loaded, place, role)
    column, kind = f"c{place}", loaded.types[place]
    text = f"CAST({column} AS VARCHAR)"
    odd = loaded.odd.get(place)
    if odd is None and (kind.startswith(_TEXT_TYPES) or kind in _WHOLE_TYPES):
        return text
    is_odd = f"{column} IS NOT NULL"
    if kind.startswith(_FLOAT_TYPES):
        kind = kind if kind.startswith("DECIMAL") else float_kind(loaded, place)
        number = f"CAST({column} AS DOUBLE)"
        limit = CERTAIN_BELOW.get(kind)
        exact = "" if limit is None else f"OR abs({column}) >= {limit}"
        is_odd = f"NOT isnan({number}) AND ({number} <> trunc({number}) {exact})"
        text = (
            f"CASE WHEN isnan({number}) THEN NULL "
            f"ELSE CAST(CAST({column} AS HUGEINT) AS VARCHAR) END"
        )
    if odd is None:
        found = connection.execute(
            f"SELECT rowid, CAST({column} AS VARCHAR) FROM {loaded.table} WHERE {is_odd} "  # noqa: S608 - own names
            f"AND rowid >= {loaded.skip} ORDER BY rowid LIMIT 1"
        ).fetchone()
        odd = None if found is None else OddCell(found[0], found[1], kind)
    if odd is not None:
        raise DataError(
            f"{where(loaded, odd.row)}, column {label_of(loaded, place)}: {role} ids are text or "
            f"whole numbers{_misfit(loaded, place, odd)}"
        )
    return text


def are_whole_numbers(loaded: SourceTable, place: int) -> bool:
    """Return whether a column of ids, as `id_text` takes it, holds whole numbers."""
    if not loaded.types[place].startswith(_TEXT_TYPES):
        return True
    return "whole number" in loaded.firsts.get(place, {})


def _refuse_mixed(loaded: SourceTable, place: int, role: str) -> None:
    found = loaded.firsts.get(place, {})
    if len(found) > 1 and place not in loaded.odd:
        one, other = sorted(found.values())
        raise DataError(
            f"{where(loaded, other.row)}, column {label_of(loaded, place)}: {role} ids are text or "
            f"whole numbers, not both; {other.shown[:80]} is {_ARTICLES[other.kind]}, after "
            f"{one.shown[:80]}, {_ARTICLES[one.kind]}, in {where(loaded, one.row)}. Turn the "
            "column into one of them."
        )


def float_kind(loaded: SourceTable, place: int) -> str:
    """Return the original width of a column of floats: "float16", "float32" or "float64"."""
    default = "float32" if loaded.types[place] == "FLOAT" else "float64"
    return loaded.narrow.get(place, default)


def _misfit(loaded: SourceTable, place: int, odd: OddCell) -> str:
    """Return why a cell is not an id, and the way out."""
    limit = CERTAIN_BELOW.get("float64" if odd.kind == "float" else odd.kind)
    if limit is None or not float(odd.shown).is_integer():
        way_out = _WAYS.get(odd.kind, "Turn the column into text first")
        name = label_of(loaded, place).strip("'")
        if odd.kind in ("list", "tuple", "ndarray") or odd.kind.endswith("]"):
            way_out = f"Each of its elements is '{name}[]', or a field of it '{name}[].NAME'"
        elif odd.kind == "dict" or odd.kind.startswith("STRUCT"):
            way_out = f"A field of it is '{name}.NAME'"
        return f", found {odd.shown[:80]} of type {odd.kind[:80]}. {way_out}."
    return (
        f"; those of {odd.kind} are certain below 2^{limit.bit_length() - 1} = {limit:,} only, "
        f"found {float(odd.shown):.0f}, which may have lost digits. Turn the column into text or "
        "integers where it was first read, before it became floats."
    )


def number_of(loaded: SourceTable, place: int) -> str:
    """Return the SQL expression of a value column as DOUBLE; NULL if it is not a number."""
    column, kind = f"c{place}", loaded.types[place]
    if loaded.numbers is not None and kind.startswith(("VARCHAR", "ENUM")):
        return loaded.numbers.sql(f"CAST({column} AS VARCHAR)")
    if kind == "VARCHAR":
        return f"CASE WHEN contains({column}, '_') THEN NULL ELSE TRY_CAST({column} AS DOUBLE) END"
    return f"TRY_CAST({column} AS DOUBLE)"
