"""Replaces ids of people by keyed hashes, in a file or a frame: the entry point `anonymize`."""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from alsolike.data.anonymizing.formats import Target, write_table_with
from alsolike.data.anonymizing.frames import collected, names_of, only, with_texts
from alsolike.data.anonymizing.json_lines import write_lines
from alsolike.data.anonymizing.keys import Side, expect_no_file, hashed, make_key, read_key
from alsolike.data.reading.cleaning.warnings import is_like_nothing
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.files.listing import listing_of
from alsolike.data.reading.files.text_files import open_text
from alsolike.data.reading.source_table import SourceTable, label_of, write_rejects
from alsolike.data.reading.sources import Ref, id_text, load, place_of, workspace
from alsolike.data.validation import column_of
from alsolike.data.vocabulary import is_blank
from alsolike.errors import SettingError
from alsolike.storage.atomic import refuse_overlap
from alsolike.text import counted, in_two_columns
from alsolike.usage_hints import with_example

_MOST_NAMED = 3


@dataclass(frozen=True)
class HashedColumn:
    """A column whose ids were replaced: its name, distinct ids, and rows without an id."""

    name: str
    ids: int
    missing: int


@dataclass(frozen=True, eq=False)
class Anonymized:
    """The result of `anonymize`.

    Parameters
    ----------
    source : str
        The file, or the kind of frame.
    rows : int
        Rows, all of which are in the result.
    columns : tuple of HashedColumn
    kept : tuple of str
        Names, or numbers, of the columns that are as they were.
    rejected : int
        Malformed lines, which are left out.
    blank : int
        Blank lines, which are left out.
    to : Path or None
        The file that was written.
    frame : frame or None
        The frame with the columns replaced, of a frame.
    new_key : Path or None
        The file of the key, if it was made.
    warnings : tuple of str
        Guesses, ids that may be missing values, and a key that others may read.
    """

    source: str
    rows: int
    columns: tuple[HashedColumn, ...]
    kept: tuple[str, ...]
    rejected: int = 0
    blank: int = 0
    to: Path | None = None
    frame: Any = field(default=None, repr=False)
    new_key: Path | None = None
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        facts = [("source", self.source), ("rows", f"{self.rows:,}")]
        if self.rejected:
            facts.append(("malformed lines", f"{self.rejected:,} left out"))
        if self.blank:
            facts.append(("blank lines", f"{self.blank:,} left out"))
        for one in self.columns:
            lacking = f", {counted(one.missing, 'row')} without one" if one.missing else ""
            facts.append((f"column {one.name}", f"{counted(one.ids, 'id')} hashed{lacking}"))
        facts.append(("unchanged", ", ".join(self.kept) or "no column"))
        if self.to is not None:
            facts.append(("written to", str(self.to)))
        if self.new_key is not None:
            kept_apart = "keep it secret, and apart from the table"
            facts.append(("new key", f"{self.new_key}: {kept_apart}"))
        facts += [("warning", warning) for warning in self.warnings]
        return in_two_columns(facts)


@with_example('al.anonymize("likes.csv", "shared.csv", key_file="key.bin", user="user")')
def anonymize(
    source: Any,
    to: str | os.PathLike[str] | None = None,
    *,
    key_file: str | os.PathLike[str],
    new_key: bool = False,
    user: Ref | Sequence[Ref] = "user",
    item: Ref | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    escape: str | None = None,
    header: bool | None = None,
    on_error: str = "error",
    rejects: str | os.PathLike[str] | None = None,
    threads: int | None = None,
) -> Anonymized:
    r"""Replace ids of people by keyed hashes; everything else stays, and so does the order of rows.

    The same id has the same hash under the same key, so that tables can still be joined. Missing
    ids stay missing. This is pseudonymisation, not anonymity: who has the key can hash all ids
    and compare, and the items and times of a person may tell who it is without any key.

    A hash is 32 hexadecimal digits, the first 128 bits of HMAC-SHA256, see
    `alsolike.data.anonymizing.keys`.

    Parameters
    ----------
    source : path or frame
        A file of delimited text (plain, ``.gz`` or ``.zst``), Parquet or JSON lines; or a pandas,
        Polars or PyArrow table.
    to : path, optional
        For a file: where to write. Its ending is the format: ``.csv``, ``.tsv``, ``.psv``,
        ``.jsonl`` or ``.ndjson``, each perhaps followed by ``.gz`` or ``.zst``, or ``.parquet``.
    key_file : path
        A file of 32 to 4,096 bytes, which are the key.
    new_key : bool
        Make the file, of 32 random bytes, for its owner's eyes only; never over another one.
    user : str or int, or sequence of them
        The columns of ids of people, by name, or by number from 1.
    item : str or int, optional
        A column of ids of items that are to be hashed, too.
    delimiter, quote, escape, header
        Override detection, as in `alsolike.read`.
    on_error : {"error", "reject"}
        Malformed lines: raise for the first, or leave them out and write them to `rejects`.
    rejects : path, optional
        For ``on_error="reject"``; its lines are as they were, with the ids of people.
    threads : int, optional
        The result does not depend on it.

    Returns
    -------
    Anonymized
        The counts; of a frame, also the new one.

    Raises
    ------
    DataError
        The source, or a column of it, cannot be read or written so, or the key is none.
    SettingError
        Options contradict each other, or the key would be written over.
    WritingError
        The file cannot be written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> likes, out, key = (pathlib.Path(folder.name, name) for name in ("a.csv", "b.csv", "key"))
    >>> _ = likes.write_text("user,item\nann,m1\nbob,m1\nann,m2\n")
    >>> _ = key.write_bytes(bytes(range(32)))
    >>> key.chmod(0o600)
    >>> print(anonymize(likes, out, key_file=key))
    source       ...a.csv (text)
    rows         3
    column user  2 ids hashed
    unchanged    item
    written to   ...b.csv
    >>> print(out.read_text().splitlines()[1])
    c5339e04520cd64ef2019e1014ca10c3,m1
    >>> folder.cleanup()
    """
    sides = _sides(user, item)
    fixed = FixedDialect.of(delimiter, quote, escape, header)
    is_file = isinstance(source, (str, os.PathLike))
    target = _target(to, is_file=is_file)
    source = source if is_file else collected(source)
    if (rejects is None) is (on_error == "reject"):
        raise SettingError("on_error='reject' and rejects='file' go together.")
    refuse_overlap(
        [*([source] if is_file else []), key_file],
        [*([target.path] if target else []), *([rejects] if rejects else [])],
    )
    if new_key:
        expect_no_file(key_file)
    key, warnings = (b"", []) if new_key else read_key(key_file)
    with workspace(threads) as (connection, scratch):
        names, places, loaded = _loaded(
            connection, scratch, source, sides, fixed, reject=on_error == "reject"
        )
        columns = [
            _ids_of(connection, loaded, place if is_file else number, side, names[place])
            for number, (place, side) in enumerate(places.items())
        ]
        # All has been read and found good: no key is made for nothing.
        if new_key:
            key = make_key(key_file)
        frame, keeps_blank = None, False
        if target is None:
            frame = _frame(connection, loaded, source, list(places), columns, key)
        elif target.kind == "json" and loaded.format == "JSON lines" and not loaded.parts:
            hashes = {loaded.names[one.place]: one.hash_with(key) for one in columns}
            expected = loaded.rows * len(columns) - sum(one.missing for one in columns)
            rejected = {one.line for one in loaded.rejected}
            (part,) = listing_of(source).parts
            file = open_text(part.path, scratch)
            keeps_blank = True
            write_lines(file, target, hashes, rejected=rejected, expected=expected)
        else:
            _write_table(connection, loaded, target, columns, key)
        if rejects is not None:
            write_rejects(rejects, loaded)
    return Anonymized(
        source=f"{loaded.name} ({loaded.format})",
        rows=loaded.rows,
        columns=tuple(HashedColumn(one.label, len(one.ids), one.missing) for one in columns),
        kept=tuple(name for place, name in enumerate(names) if place not in places),
        rejected=len(loaded.rejected),
        blank=0 if keeps_blank else loaded.blank,
        to=None if target is None else target.path,
        frame=frame,
        new_key=Path(key_file) if new_key else None,
        warnings=(*loaded.warnings, *(said for one in columns for said in one.warnings), *warnings),
    )


@dataclass(frozen=True)
class _Column:
    """The ids of a column: where it is, whose they are, its SQL as text, and what is in it."""

    place: int
    side: Side
    label: str
    text: str
    ids: list[str]
    blank: list[str]
    missing: int
    warnings: list[str]

    def hash_with(self, key: bytes) -> Callable[[str], str]:
        """Return what hashes an id of this column, with a memory of all that it hashed."""
        return functools.cache(functools.partial(hashed, key, self.side))


def _sides(user: Ref | Sequence[Ref], item: Ref | None) -> list[tuple[Ref, Side]]:
    """Return the columns to hash and whose ids they hold."""
    given = [user] if isinstance(user, (str, int)) else list(user)
    people = [column_of("user", one) for one in given]
    sides: list[tuple[Ref, Side]] = [(one, "user") for one in people if one is not None]
    if not sides:
        raise SettingError("user= is needed: a column of ids of people, or several.")
    if (items := column_of("item", item)) is not None:
        sides.append((items, "item"))
    return sides


def _target(to: str | os.PathLike[str] | None, *, is_file: bool) -> Target | None:
    """Return the file to write: of a file one, of a frame none."""
    if is_file and to is None:
        raise SettingError("to= is needed: the name of the file to write.")
    if not is_file and to is not None:
        raise SettingError(
            "A frame gives a frame, in .frame of the result: write that with its own library, and "
            "leave to= out."
        )
    return None if to is None else Target.of(to)


def _loaded(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    source: Any,
    sides: Sequence[tuple[Ref, Side]],
    fixed: FixedDialect,
    *,
    reject: bool,
) -> tuple[list[str], dict[int, Side], SourceTable]:
    """Load a source; return names of all columns, the places to hash, and the table.

    Of a frame, the table has the columns to hash alone: the others are not looked at.
    """
    ids = [ref for ref, _ in sides]
    if isinstance(source, (str, os.PathLike)):
        loaded = load(connection, scratch, "people", source, fixed, ids=ids, reject=reject)
        names = [name or str(place + 1) for place, name in enumerate(loaded.names)]
        return names, _places(loaded, sides), loaded
    source = collected(source)
    names = names_of(source)
    whole = SourceTable("the frame", "frame", "", tuple(names), ("",) * len(names), lambda _: [])
    places = _places(whole, sides)
    return (
        names,
        places,
        load(connection, scratch, "people", only(source, list(places)), fixed, ids=[]),
    )


def _places(loaded: SourceTable, sides: Sequence[tuple[Ref, Side]]) -> dict[int, Side]:
    places: dict[int, Side] = {}
    for ref, side in sides:
        place = place_of(loaded, ref, side)
        if place in places:
            raise SettingError(
                f"Column {label_of(loaded, place)} is named twice, as {places[place]} and {side}."
            )
        places[place] = side
    return places


def _ids_of(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, place: int, side: Side, label: str
) -> _Column:
    """Collect the distinct ids of a column, and count the rows without one."""
    text = id_text(connection, loaded, place, side)
    found = connection.execute(
        f"SELECT {text} AS id, count(*) AS rows FROM {loaded.table} "  # noqa: S608 - own names
        f"WHERE rowid >= {loaded.skip} AND {text} IS NOT NULL GROUP BY id ORDER BY id"
    ).fetchnumpy()
    rows = dict(zip(found["id"].tolist(), found["rows"].tolist(), strict=True))
    ids = [one for one in rows if not is_blank(one)]
    odd = [one for one in ids if is_like_nothing(one)]
    named = ", ".join(f"{one!r} in {counted(rows[one], 'row')}" for one in odd[:_MOST_NAMED])
    more = f", and {len(odd) - _MOST_NAMED:,} more" if len(odd) > _MOST_NAMED else ""
    warning = (
        f"column {label!r}: {named}{more} was hashed as any other id. If that means a missing id, "
        "empty the cells first."
    )
    return _Column(
        place=place,
        side=side,
        label=label,
        text=text,
        ids=ids,
        blank=[one for one in rows if is_blank(one)],
        missing=loaded.rows - sum(rows[one] for one in ids),
        warnings=[warning] if odd else [],
    )


def _write_table(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    target: Target,
    columns: Sequence[_Column],
    key: bytes,
) -> None:
    """Write a table with hashes in place of ids; what has no hash is missing, never an id."""
    texts = "".join(f", {one.text} AS id{one.place}" for one in columns)
    joins = ""
    for one in columns:
        known = [*one.ids, *one.blank]
        cells = {"id": _texts(known), "hash": _texts([*map(one.hash_with(key), known)])}
        connection.register("hashed", cells)
        connection.execute(
            f"CREATE TEMP TABLE hashes{one.place} AS SELECT CAST(id AS VARCHAR) AS id, "  # noqa: S608 - own names
            f"CAST(hash AS VARCHAR) AS hash{one.place} FROM hashed"
        )
        connection.unregister("hashed")
        joins += f" LEFT JOIN hashes{one.place} ON hashes{one.place}.id = p.id{one.place}"
    hashes = "".join(f", hash{one.place}" for one in columns)
    source = (
        f"SELECT p.*{hashes} FROM (SELECT rowid AS row, *{texts} FROM {loaded.table}) AS p{joins}"  # noqa: S608 - own names
    )
    replaced = {one.place: f"hash{one.place}" for one in columns}
    write_table_with(connection, loaded, target, replaced, source)


def _texts(ids: Sequence[str]) -> Any:
    cells = np.empty(len(ids), dtype=object)
    cells[:] = ids
    return cells


def _frame(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    source: Any,
    places: Sequence[int],
    columns: Sequence[_Column],
    key: bytes,
) -> Any:
    """Return a frame like `source` with hashes in place of ids."""
    hashes = {}
    for place, one in zip(places, columns, strict=True):
        cells = connection.execute(f"SELECT {one.text} FROM {loaded.table} ORDER BY rowid")  # noqa: S608 - own names
        of_column = one.hash_with(key)
        hashes[place] = [None if text is None else of_column(text) for (text,) in cells.fetchall()]
    return with_texts(source, hashes)
