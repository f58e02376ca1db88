"""Writes lists of items in formats for programs: Parquet, JSON Lines, SQLite, JSON files."""

import contextlib
import functools
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.export.filenames import place_of
from alsolike.models.base import Basis, FittedModel
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import Mask, lists_table
from alsolike.recommending.unknown.fallback import Lists
from alsolike.storage.atomic import replacing, write_table
from alsolike.tables import Table

Near = list[tuple[int, float]]

# Each new like changes the last digits of scores; these many distinguish neighbours.
_DIGITS = 4
_ALL_DIGITS = 9  # enough to restore a float32


@dataclass(frozen=True, eq=False)
class ItemLists:
    """A list of items for each item, or for each user.

    Parameters
    ----------
    owner, answer : str
        Columns of the ids that have lists and of the listed items: ``"item"``, ``"similar_item"``.
    title : str
        Name of the table: ``"similar_items"``.
    owners : Vocabulary
    ranked : Ranked, a row per owner
    version : str
        Version of the model whose lists these are.
    popular : bool, of the shape of `ranked`, or None
        For recommendations: which items are listed by popularity, see
        `alsolike.recommending.unknown.fallback`: none, all, or the last ones. Their score is the
        number of likes.
    """

    owner: str
    answer: str
    title: str
    owners: Vocabulary
    ranked: Ranked
    version: str
    popular: Mask | None = None

    def n_by_model(self, row: int) -> int:
        """Return the number of items of a list before those listed by popularity."""
        listed = self.ranked.indices[row] >= 0
        return int(
            np.count_nonzero(listed if self.popular is None else listed & ~self.popular[row])
        )

    def basis(self, row: int) -> Basis | None:
        """Return how the first item of a list was found; None for similar items."""
        if self.popular is None:
            return None
        return "popularity" if self.popular[row, :1].any() else "model"

    def bases(self, row: int) -> list[Basis | None]:
        """Return how each item of a list was found; None for similar items."""
        n_by_model, n_listed = self.n_by_model(row), len(self.items_of(row))
        first: Basis | None = None if self.popular is None else "model"
        return [first] * n_by_model + ["popularity"] * (n_listed - n_by_model)

    def items_of(self, row: int) -> Near:
        """Return the rows and scores of a list, best first."""
        indices, scores = self.ranked.indices[row].tolist(), self.ranked.scores[row].tolist()
        return [(index, score) for index, score in zip(indices, scores, strict=True) if index >= 0]


@dataclass(frozen=True, eq=False)
class ExportData:
    """All that an export writes.

    Parameters
    ----------
    model : FittedModel
        The model of the similar items.
    about : mapping of str to plain values
        Versions of the models, and settings of the lists.
    tables : tuple of ItemLists
        Similar items; perhaps recommendations.
    """

    model: FittedModel
    about: dict[str, Any]
    tables: tuple[ItemLists, ...]

    @property
    def version(self) -> str:
        """The version of the model of the similar items."""
        return str(self.about["model"])

    @functools.cached_property
    def ids(self) -> list[Id]:
        """The ids of all items."""
        return list(self.model.items)

    @functools.cached_property
    def names(self) -> list[str] | None:
        """The names of all items; None if the model has none."""
        catalogue = self.model.catalogue
        known = None if catalogue is None else catalogue.names
        return None if known is None else known.to_list()

    @functools.cached_property
    def stems(self) -> list[str]:
        """Folder and name of the file of each item, without an extension."""
        return [place_of(one) for one in self.model.items.ids]

    def stems_of(self, lists: ItemLists) -> list[str]:
        """Return folder and name of the file of each list, without an extension."""
        return self.stems if lists.owner == "item" else list(map(place_of, lists.owners.ids))

    @functools.cached_property
    def labels(self) -> list[str]:
        """Id and, if known, name of each item: members of a JSON object."""
        named = [{"item": one} for one in self.ids]
        if self.names is not None:
            named = [{**one, "name": name} for one, name in zip(named, self.names, strict=True)]
        return [_json(one)[1:-1] for one in named]


def write_parquet(path: Path, data: ExportData, lists: ItemLists) -> None:
    """Write one row per listed item, each with the model's version."""
    indices, scores = lists.ranked.indices, lists.ranked.scores
    popular = lists.popular
    bases = None if popular is None else Lists(indices, scores, popular).bases
    owners = lists.owner, lists.owners.ids_of(np.arange(len(lists.owners)))
    rows = lists_table(data.model, owners, lists.answer, indices, scores, bases)
    write_table(path, Table({**rows.to_dict(), "model": [lists.version] * len(rows)}))


def write_json_lines(path: Path, data: ExportData, lists: ItemLists) -> None:
    """Write one line per list, each with the model's version; empty lists, too."""
    with replacing(path) as part, part.open("wb") as handle:
        for row in range(len(lists.owners)):
            near = (
                f'{{{data.labels[index]},"score":{score:.{_ALL_DIGITS}g}{basis}}}'
                for (index, score), basis in zip(
                    lists.items_of(row), _other_bases(lists, row), strict=True
                )
            )
            line = (
                f"{{{_owner(data, lists, row)}{_basis(lists, row)},"
                f'"{lists.title}":[{",".join(near)}],"model":{_json(lists.version)}}}\n'
            )
            handle.write(line.encode("utf-8"))


def write_sqlite(path: Path, data: ExportData) -> None:
    """Write a database: table `about`, the items, and a table for each kind of lists."""
    with replacing(path) as part, contextlib.closing(sqlite3.connect(part)) as database:
        # It gets its name only when complete, so it needs no journal.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        with database:
            database.execute("CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
            database.executemany("INSERT INTO about VALUES (?, ?)", data.about.items())
            database.execute(
                f"CREATE TABLE items (item {_sql_type(data.model.items)} PRIMARY KEY, name TEXT, "
                "likes INTEGER NOT NULL) WITHOUT ROWID"
            )
            likes = data.model.item_counts.tolist()
            database.executemany(
                "INSERT INTO items VALUES (?, ?, ?)",
                (
                    (one, None if data.names is None else data.names[row], likes[row])
                    for row, one in enumerate(_sql_ids(data.model.items))
                ),
            )
            for lists in data.tables:
                _insert(database, data, lists)


def _insert(database: sqlite3.Connection, data: ExportData, lists: ItemLists) -> None:
    with_basis = lists.popular is not None
    database.execute(
        f"CREATE TABLE {lists.title} ({lists.owner} {_sql_type(lists.owners)}, rank INTEGER, "
        f"{lists.answer} {_sql_type(data.model.items)}, score REAL, "
        f"{'basis TEXT, ' if with_basis else ''}PRIMARY KEY ({lists.owner}, rank)) WITHOUT ROWID"
    )
    places, items = "?, ?, ?, ?, ?" if with_basis else "?, ?, ?, ?", _sql_ids(data.model.items)
    database.executemany(
        f"INSERT INTO {lists.title} VALUES ({places})",  # noqa: S608 - our own names
        (
            (owner, rank, items[index], score, *([basis] if with_basis else ()))
            for row, owner in enumerate(_sql_ids(lists.owners))
            for rank, ((index, score), basis) in enumerate(
                zip(lists.items_of(row), lists.bases(row), strict=True), start=1
            )
        ),
    )


def _sql_type(ids: Vocabulary) -> str:
    # SQLite has no unsigned numbers of 64 bits.
    return "INTEGER" if ids.id_type == "int64" else "TEXT"


def _sql_ids(ids: Vocabulary) -> list[Any]:
    return list(ids if ids.id_type == "int64" else ids.ids)


def json_paths(data: ExportData, lists: ItemLists) -> list[str]:
    """Return the path of the JSON file of each list."""
    return [f"{lists.owner}s/{place}.json" for place in data.stems_of(lists)]


def json_list(data: ExportData, lists: ItemLists, row: int) -> bytes:
    """Return one list, with the file of each listed item.

    It does not name the model, and scores have four digits: a new model of similar data then
    leaves most files unchanged.
    """
    count = f',"likes":{data.model.item_counts[row]}' if lists.owner == "item" else ""
    near = (
        f'{{{data.labels[index]},"score":{score:.{_DIGITS}g}{basis},'
        f'"file":"items/{data.stems[index]}.json"}}'
        for (index, score), basis in zip(lists.items_of(row), _other_bases(lists, row), strict=True)
    )
    shelf = f'"{lists.title}":[{",".join(near)}]'
    return f"{{{_owner(data, lists, row)}{count}{_basis(lists, row)},{shelf}}}\n".encode()


def json_index(data: ExportData) -> bytes:
    """Return the index of the folder: the model, and the file of each id."""
    files = {
        f"{lists.owner}s": dict(zip(lists.owners.ids, json_paths(data, lists), strict=True))
        for lists in data.tables
    }
    return f"{_json({**data.about, **files})}\n".encode()


def _owner(data: ExportData, lists: ItemLists, row: int) -> str:
    """Return the owner of a list, as members of a JSON object."""
    if lists.owner == "item":
        return data.labels[row]
    return _json({lists.owner: lists.owners.id_of(row)})[1:-1]


def _basis(lists: ItemLists, row: int) -> str:
    """Return how a list was found, as a member of a JSON object; empty for similar items."""
    basis = lists.basis(row)
    return "" if basis is None else f',"basis":{_json(basis)}'


def _other_bases(lists: ItemLists, row: int) -> list[str]:
    """Return the same for each item that was found in another way than the first one."""
    of_list = lists.basis(row)
    return ["" if one == of_list else f',"basis":{_json(one)}' for one in lists.bases(row)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
