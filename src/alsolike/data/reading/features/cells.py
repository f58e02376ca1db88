"""Reads columns of a table with a row for each id: numbers, dates, words, texts, vectors."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import numpy as np

from alsolike.data.features.columns import Column, ColumnKind
from alsolike.data.reading.cleaning.ids import typed_ids
from alsolike.data.reading.cleaning.numbers import misfit
from alsolike.data.reading.cleaning.timestamps import refuse_odd_times, seconds_of
from alsolike.data.reading.delimited.header import is_no_value
from alsolike.data.reading.features.asked import AskedColumn
from alsolike.data.reading.features.guess import guessed, list_of, separator_of, written_with_comma
from alsolike.data.reading.source_table import SourceTable, label_of, where
from alsolike.data.reading.sources import Ref, id_text, number_of, place_of
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import BLANKS, Vocabulary, is_blank
from alsolike.errors import DataError

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
            "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")  # fmt: skip
_ADDRESSES = ("http://", "https://", "data:")
_TIMES = ("TIMESTAMP", "DATE")
_WANTED = {"number": "a finite number", "bins": "a finite number", "date": "a time"}


@dataclass
class IdRows:
    """The first row of each id of a table, in the DuckDB table ``feature_rows``.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    loaded : SourceTable
    key : int
        Place of the column of ids.
    ids : Vocabulary
    repeated, without_id : int
        Rows beyond the first of an id, and rows without one.
    """

    connection: duckdb.DuckDBPyConnection
    loaded: SourceTable
    key: int
    ids: Vocabulary
    repeated: int = 0
    without_id: int = 0
    rows: list[int] = field(default_factory=list)

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, loaded: SourceTable, ref: Ref, side: str
    ) -> "IdRows":
        """Find the rows; raise DataError if there is no such column, or no id in it."""
        key = place_of(loaded, ref, f"{side}_id")
        text = id_text(connection, loaded, key, side)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE feature_rows AS SELECT id, min(row) AS row, "  # noqa: S608 - own names
            f"count(*) AS n FROM (SELECT {text} AS id, rowid AS row FROM {loaded.table} "
            f"WHERE rowid >= {loaded.skip}) WHERE trim(coalesce(id, ''), ?) <> '' GROUP BY id",
            [BLANKS],
        )
        found = connection.execute("SELECT id, row, n FROM feature_rows ORDER BY id").fetchall()
        if not found:
            raise DataError(
                f"{loaded.name}: no row has an id in column {label_of(loaded, key)}. Name the "
                "column of ids."
            )
        if odd := next((id_ for id_, _, _ in found if "\0" in id_), None):
            raise DataError(f"{loaded.name}: id {odd!r} holds a NUL character. Remove it.")
        ids = typed_ids(loaded, StringArray.pack(id_ for id_, _, _ in found), key, side)
        total = sum(n for _, _, n in found)
        rows = [row for _, row, _ in found]
        return cls(connection, loaded, key, ids, total - len(rows), loaded.rows - total, rows)

    def holds_addresses(self, place: int) -> bool:
        """Tell whether most cells of a column are addresses of pages or pictures."""
        told = _Cells(self, place).told
        return 2 * sum(cell.startswith(_ADDRESSES) for cell in told) > len(told)

    def read(self, asked: AskedColumn, side: str) -> Column:
        """Read a column; raise DataError for a cell of another kind, with its row and value."""
        place = place_of(self.loaded, asked.ref, f"{side}_feature")
        name = name_of(self.loaded, place)
        cells = _Cells(self, place)
        kind, separator, note = asked.kind, asked.separator, ""
        if kind is None:
            kind, separator, why = cells.guess()
            note = f"taken as {kind}: {why} (a guess; {name}:KIND says otherwise)"
        elif kind == "set" and separator is None:
            separator = separator_of(cells.told)
            if separator:
                note = f"{separator!r} between words (a guess)"
        whole = replace(asked, kind=kind, separator=separator or "")
        return replace(cells.column(name, kind, whole), note=note)


def name_of(loaded: SourceTable, place: int) -> str:
    """Return the name of a column; with its number if it has none or is one of several."""
    name = loaded.names[place]
    return name if name and loaded.names.count(name) == 1 else f"{name or 'column'} {place + 1}"


@dataclass
class _Cells:
    """The cells of a column in the order of the ids."""

    of: IdRows
    place: int

    def fetch(self, expression: str) -> Any:
        """Return the values of an SQL expression, as a masked or plain array."""
        return self.of.connection.execute(
            f"SELECT {expression} AS cell FROM feature_rows JOIN {self.of.loaded.table} AS source "  # noqa: S608 - own names
            "ON source.rowid = feature_rows.row ORDER BY id"
        ).fetchnumpy()["cell"]

    @property
    def kind(self) -> str:
        """The type of the column in DuckDB."""
        return self.of.loaded.types[self.place]

    @functools.cached_property
    def texts(self) -> list[str]:
        """All cells as texts, lists as JSON; missing ones are empty."""
        cell = f"c{self.place}"
        if self.kind.endswith("]"):
            cell = f"to_json({cell})"
        return self.fetch(f"coalesce(CAST({cell} AS VARCHAR), '')").tolist()  # type: ignore[no-any-return]

    @functools.cached_property
    def told(self) -> list[str]:
        """The cells that are not empty."""
        return [text for text in self.texts if not is_blank(text)]

    def guess(self) -> tuple[ColumnKind, str, str]:
        """Return kind, separator and reason."""
        if self.kind.startswith(_TIMES) and not self.kind.endswith("]"):
            return "date", "", f"of type {self.kind}"
        if self.kind.startswith(_NUMBERS) and not self.kind.endswith("]"):
            return "number", "", f"of type {self.kind}"
        return guessed(self.told)

    def column(self, name: str, kind: ColumnKind, asked: AskedColumn) -> Column:
        """Return the cells as a column of this kind, which `asked` has too."""
        make: dict[str, Callable[[], tuple[Any, Any]]] = {
            "set": lambda: self._words(asked.separator or ""),
            "text": self._texts,
            "words": self._texts,
            "vector": self._vectors,
        }
        rows, cells = make.get(kind, lambda: self._numbers(kind, asked))()
        return Column(name, kind, np.array(rows, dtype=np.int64), cells,
                      separator=asked.separator, n_bins=asked.n_bins, form=asked.form)  # fmt: skip

    def _texts(self) -> tuple[list[int], list[str]]:
        rows = [row for row, text in enumerate(self.texts) if not is_blank(text)]
        return rows, [self.texts[row] for row in rows]

    def _words(self, separator: str) -> tuple[list[int], list[str]]:
        rows: list[int] = []
        words: list[str] = []
        for row, text in enumerate(self.texts):
            if is_blank(text):
                continue
            listed = list_of(text)
            if listed is None:
                found = text.split(separator) if separator else [text]
            else:
                found = [self._word(row, one) for one in listed if one is not None]
            kept = dict.fromkeys(one for word in found if (one := word.strip(BLANKS)))
            rows += [row] * len(kept)
            words += kept
        return rows, words

    def _word(self, row: int, one: object) -> str:
        if isinstance(one, (dict, list)):
            raise self._odd(row, "a list of texts")
        return str(one).lower() if isinstance(one, bool) else str(one)

    def _numbers(self, kind: str, asked: AskedColumn) -> tuple[Any, Any]:
        of = self.of
        loaded = replace(of.loaded, numbers=asked.numbers, times=asked.times)
        sql = (seconds_of if kind == "date" else number_of)(loaded, self.place)
        found: Any = np.ma.asarray(self.fetch(f"CAST({sql} AS DOUBLE)"))
        values = found.astype(np.float64).filled(np.nan)
        missing = np.array([is_no_value(text.strip()) for text in self.texts])
        if len(odd := np.flatnonzero(~np.isfinite(values) & ~missing)):
            form = asked.times or asked.numbers
            raise self._odd(int(odd[0]), _WANTED[kind] if form is None else form.expected)
        if kind == "date" and not missing.all():
            of.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE dropped AS SELECT rowid AS row FROM {loaded.table} "  # noqa: S608 - own names
                f"WHERE ({sql}) IS NULL OR rowid NOT IN (SELECT row FROM feature_rows)"
            )
            refuse_odd_times(of.connection, loaded, self.place)
        rows = np.flatnonzero(np.isfinite(values))
        return rows, values[rows]

    def _vectors(self) -> tuple[list[int], Any]:
        rows: list[int] = []
        vectors: list[Any] = []
        for row, text in enumerate(self.texts):
            if is_blank(text):
                continue
            vector = _vector(text)
            if vector is None or (vectors and len(vector) != len(vectors[0])):
                size = f"{len(vectors[0]):,}" if vectors else "finite"
                raise self._odd(row, f"a list of {size} numbers")
            rows.append(row)
            vectors.append(vector)
        width = len(vectors[0]) if vectors else 0
        return rows, np.array(vectors, dtype=np.float32).reshape(len(rows), width)

    def _odd(self, row: int, wanted: str) -> DataError:
        loaded = self.of.loaded
        name, way = label_of(loaded, self.place).strip("'"), ""
        if wanted == _WANTED["number"] and written_with_comma([self.texts[row]]):
            way = f", or give {name}:number:comma for 1.234,5 or {name}:number:point for 1,234.5"
        elif wanted == _WANTED["date"]:
            way = f", or give the form of dates, such as {name}:date:%d.%m.%Y"
        return DataError(
            f"{where(loaded, self.of.rows[row])}, column {label_of(loaded, self.place)}: "
            f"{misfit(self.texts[row], wanted)}. Fix it{way}, or take the column as words: "
            f"{name}:set."
        )


def _vector(text: str) -> Any:
    """Return a list of finite numbers as float32, (n,); None if it is something else."""
    listed: list[Any] | None = list_of(text)
    try:  # JSON lines hold numbers as their digits
        vector = np.array([float(one) for one in listed or ()], dtype=np.float64)
    except (TypeError, ValueError):
        return None
    with np.errstate(over="ignore"):
        vector = vector.astype(np.float32)
    return vector if len(vector) and np.isfinite(vector).all() else None
