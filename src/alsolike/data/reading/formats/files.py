"""Loads files of any format into DuckDB: one file, or the parts of one table."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from alsolike.data.reading.delimited.blocks import is_blocks, load_blocks
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.delimited.load import load_delimited
from alsolike.data.reading.delimited.ragged import load_lines
from alsolike.data.reading.delimited.table_file import table_file
from alsolike.data.reading.files.listing import (
    INNER,
    Part,
    expanded,
    listing_of,
    way_to_members,
)
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.files.text_files import kind_of, open_text
from alsolike.data.reading.files.unpacking import spool, unpack_member
from alsolike.data.reading.formats.excel import load_sheet
from alsolike.data.reading.formats.folder_keys import add_keys
from alsolike.data.reading.formats.json_lines import is_json, load_json_lines
from alsolike.data.reading.formats.lakes import load_lake
from alsolike.data.reading.formats.parquet import load_parquet
from alsolike.data.reading.formats.sqlite import load_database
from alsolike.data.reading.formats.union import IdText, load_union
from alsolike.data.reading.source_table import SourceTable
from alsolike.errors import DataError, SettingError

# Layouts of text files alone.
TEXT_LAYOUTS = ("lines", "netflix")
_INNER_KINDS = ("excel", "sqlite")
_TYPED = {
    "parquet": "a Parquet file",
    "excel": "a workbook",
    "sqlite": "a database",
    "delta": "a Delta table",
    "iceberg": "an Iceberg table",
}


@dataclass(frozen=True)
class Asked:
    """What is asked of a source: its dialect, the columns in use, encoding and layout of texts.

    `selection` are the columns to keep.
    """

    fixed: FixedDialect
    ids: Sequence[str | int]
    scalars: Sequence[str | int]
    reject: bool = False
    encoding: str | None = None
    layout: str | None = None
    selection: Selection = field(default_factory=Selection)

    @property
    def wanted(self) -> list[str | int]:
        """The columns in use."""
        return [*self.ids, *self.scalars]


def load_files(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    table: str,
    source: object,
    asked: Asked,
    id_text: IdText,
) -> SourceTable:
    """Load the files that `source` names into the DuckDB table `table`.

    `id_text` gives the SQL of an id column as text. Raises DataError.
    """
    listing = listing_of(source)
    parts: list[Part] = []
    ignored, of_archive = listing.ignored, False
    spooled: dict[Part, Path] = {}
    for part in listing.parts:
        if part.piped:
            spooled[part] = _standard_input(scratch)
        elif kind_of(part.path, part.name) == "zip":
            members, left = expanded(part)
            parts += members
            ignored += left
            of_archive = of_archive or len(members) > 1
            continue
        parts.append(part)

    def load_part(into: str, part: Part, whole: bool = False) -> SourceTable:
        path, keys = spooled.get(part, part.path), [key for key, _ in part.keys]
        selection = Selection() if whole else asked.selection.also(keys)
        return _load_part(
            connection, scratch, into, part, path, replace(asked, selection=selection)
        )

    if len(parts) == 1:
        loaded = load_part(table, parts[0])
        add_keys(connection, loaded, parts[0])
    else:
        try:
            loaded = load_union(
                connection,
                table,
                listing.name,
                parts,
                load_part,
                id_text,
                ids=asked.ids,
                scalars=asked.scalars,
            )
        except DataError as error:
            if not of_archive or len(listing.parts) > 1:
                raise
            raise DataError(f"{error} {way_to_members(parts)}") from error
    loaded.ignored = ignored
    if asked.encoding is not None and not _has_text(loaded):
        raise DataError(
            f"{loaded.name}: {asked.fixed.prefix}encoding= is for text files, this is "
            f"{loaded.format}. Leave it out."
        )
    return loaded


def _load_part(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    table: str,
    part: Part,
    path: Path,
    asked: Asked,
) -> SourceTable:
    file = _file_of(part, path, scratch)
    if file.kind in _TYPED:
        asked.fixed.refuse_lines(_TYPED[file.kind])
        if asked.layout in TEXT_LAYOUTS:
            raise SettingError(
                f"{file.name}: layout={asked.layout!r} is that of text, not of {_TYPED[file.kind]}."
            )
        return _load_typed(connection, scratch, table, file, asked)
    text = open_text(
        file.path, scratch, name=file.name, encoding=asked.encoding, prefix=asked.fixed.prefix
    )
    lines, fixed = table_file(text, asked.fixed)
    lines.selection = asked.selection
    layout, head = asked.layout, lines.survey.head
    if layout == "lines":
        return load_lines(connection, table, lines, fixed, asked.wanted, reject=asked.reject)
    if layout == "netflix" or (layout is None and is_blocks(head)):
        return load_blocks(
            connection, table, lines, asked.ids, asked=layout is not None, reject=asked.reject
        )
    if file.kind == "json" or (fixed.delimiter is None and is_json(head)):
        return load_json_lines(
            connection, table, lines, asked.ids, asked.scalars, reject=asked.reject
        )
    return load_delimited(connection, table, lines, fixed, asked.wanted, reject=asked.reject)


@dataclass(frozen=True)
class _File:
    """A file to load: its kind, its path, its name in messages, the table in it."""

    kind: str
    path: Path
    name: str
    inner: str


def _file_of(part: Part, path: Path, scratch: Path) -> _File:
    """Return the file of a part; the member of an archive is unpacked."""
    kind, name, inner = kind_of(path, part.name), part.name, part.inner
    if kind == "zip":
        if not inner:  # of standard input
            members, _ = expanded(replace(part, path=path))
            if len(members) > 1:
                raise DataError(f"{name}: an archive of {len(members):,} files. Save it first.")
            inner = members[0].inner
            name = f"{name}{INNER}{inner}"
        path, inner = unpack_member(path, inner, scratch), ""
        if not path.stat().st_size:
            raise DataError(f"{name}: the file is empty (0 bytes).")
        kind = kind_of(path, name)
        if kind == "zip":
            raise DataError(f"{name}: an archive in an archive. Unpack the outer one first.")
    if inner and kind not in _INNER_KINDS:
        raise DataError(
            f"{part.path}: {INNER}{inner} names a sheet, a table or a file of an archive, but this "
            f"is one table. Leave it out."
        )
    return _File(kind, path, name, inner)


def _load_typed(
    connection: duckdb.DuckDBPyConnection, scratch: Path, table: str, file: _File, asked: Asked
) -> SourceTable:
    """Load a file of columns with types, or a sheet."""
    path, name, inner = file.path, file.name, file.inner
    match file.kind:
        case "parquet":
            return load_parquet(connection, table, path, name, asked.selection)
        case "excel":
            return load_sheet(connection, table, path, name, inner, asked.fixed, asked.wanted)
        case "sqlite":
            return load_database(connection, table, path, name, inner, scratch, asked.selection)
    return load_lake(connection, table, path, file.kind, asked.selection)


def _standard_input(scratch: Path) -> Path:
    """Copy standard input into `scratch`."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or stream.closed:
        raise DataError("standard input is closed. Send a file to it, or name one.")
    if stream.isatty():
        raise DataError("standard input is a terminal. Send a file to it: alsolike ... - < FILE")
    path = spool(stream, scratch)
    if not path.stat().st_size:
        raise DataError("standard input is empty (0 bytes).")
    return path


def _has_text(loaded: SourceTable) -> bool:
    return "text" in loaded.format or "JSON" in loaded.format
