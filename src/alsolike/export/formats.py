"""The shelves of a model, and the forms in which programs take them: tables, lines, a database."""

import contextlib
import functools
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Vocabulary
from alsolike.export.filenames import place_of
from alsolike.models.base import Basis, FittedModel
from alsolike.recommending.fallback import Lists
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import Mask, lists_table
from alsolike.storage.atomic import replacing, write_table
from alsolike.tables import Table

Near = list[tuple[int, float]]

# A shelf moves its last digits with each new like; so many tell neighbours apart.
_DIGITS = 4
_ALL_DIGITS = 9  # so many give a float32 back


@dataclass(frozen=True, eq=False)
class Shelves:
    """One shelf for each id of one kind.

    Parameters
    ----------
    owner, answer : str
        What has a shelf, and what its column of items is called: ``"item"``, ``"similar_item"``.
    title : str
        Of the table of all: ``"similar_items"``.
    owners : Vocabulary
    ranked : Ranked, of as many rows
    popular : bool, of the shape of `ranked`, or None
        Of recommendations: which items are listed by popularity, see
        `alsolike.recommending.fallback`: none, all, or the last ones. The score is then how many
        like the item.
    """

    owner: str
    answer: str
    title: str
    owners: Vocabulary
    ranked: Ranked
    popular: Mask | None = None

    def n_by_model(self, row: int) -> int:
        """Return how many items of a list come before those that are listed by popularity."""
        listed = self.ranked.indices[row] >= 0
        return int(
            np.count_nonzero(listed if self.popular is None else listed & ~self.popular[row])
        )

    def basis(self, row: int) -> Basis | None:
        """Return how the first item of a list was found; None of similar items."""
        if self.popular is None:
            return None
        return "popularity" if self.popular[row, :1].any() else "model"

    def bases(self, row: int) -> list[Basis | None]:
        """Return how each item of a list was found; None of similar items."""
        n_by_model, n_listed = self.n_by_model(row), len(self.near(row))
        first: Basis | None = None if self.popular is None else "model"
        return [first] * n_by_model + ["popularity"] * (n_listed - n_by_model)

    def near(self, row: int) -> Near:
        """Return the items of a shelf, as rows with their scores, best first."""
        indices, scores = self.ranked.indices[row].tolist(), self.ranked.scores[row].tolist()
        return [(index, score) for index, score in zip(indices, scores, strict=True) if index >= 0]


@dataclass(frozen=True, eq=False)
class Stock:
    """All shelves of a model.

    Parameters
    ----------
    model : FittedModel
    about : mapping of str to plain values
        Version of the model, and how the shelves were made.
    kinds : tuple of Shelves
        Similar items; perhaps recommendations.
    """

    model: FittedModel
    about: dict[str, Any]
    kinds: tuple[Shelves, ...]

    @property
    def version(self) -> str:
        """The model's version."""
        return str(self.about["model"])

    @functools.cached_property
    def ids(self) -> list[str]:
        """The ids of all items."""
        return self.model.items.ids.to_list()

    @functools.cached_property
    def names(self) -> list[str] | None:
        """The names of all items, None where the model knows none."""
        catalogue = self.model.catalogue
        known = None if catalogue is None else catalogue.names
        return None if known is None else known.to_list()

    @functools.cached_property
    def places(self) -> list[str]:
        """Folder and name of the files of all items, without an ending."""
        return [place_of(one) for one in self.ids]

    def places_of(self, shelves: Shelves) -> list[str]:
        """Return the same of all shelves of a kind."""
        return self.places if shelves.owner == "item" else list(map(place_of, shelves.owners))

    @functools.cached_property
    def labels(self) -> list[str]:
        """Id of each item, and name where names are known: members of a JSON object."""
        named = [{"item": one} for one in self.ids]
        if self.names is not None:
            named = [{**one, "name": name} for one, name in zip(named, self.names, strict=True)]
        return [_json(one)[1:-1] for one in named]


def write_parquet(place: Path, stock: Stock, shelves: Shelves) -> None:
    """Write one row per place on a shelf, with the model's version on each."""
    ranked = shelves.ranked
    owners = shelves.owners.ids.to_array()
    popular = shelves.popular
    bases = None if popular is None else Lists(ranked.indices, ranked.scores, popular).bases
    rows = lists_table(
        stock.model,
        (shelves.owner, owners),
        shelves.answer,
        ranked.indices,
        ranked.scores,
        bases,
    )
    write_table(place, Table({**rows.to_dict(), "model": [stock.version] * len(rows)}))


def write_json_lines(place: Path, stock: Stock, shelves: Shelves) -> None:
    """Write one line per shelf, with the model's version on each; empty shelves, too."""
    with replacing(place) as part, part.open("wb") as handle:
        for row in range(len(shelves.owners)):
            near = (
                f'{{{stock.labels[index]},"score":{score:.{_ALL_DIGITS}g}{basis}}}'
                for (index, score), basis in zip(
                    shelves.near(row), _other_bases(shelves, row), strict=True
                )
            )
            line = (
                f"{{{_owner(stock, shelves, row)}{_basis(shelves, row)},"
                f'"{shelves.title}":[{",".join(near)}],"model":{_json(stock.version)}}}\n'
            )
            handle.write(line.encode("utf-8"))


def write_sqlite(place: Path, stock: Stock) -> None:
    """Write a database: what it is (about), the items, and each kind of shelves by its owner."""
    with replacing(place) as part, contextlib.closing(sqlite3.connect(part)) as database:
        # Nobody sees it before it is whole, so it needs no journal.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        with database:
            database.execute("CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
            database.executemany("INSERT INTO about VALUES (?, ?)", stock.about.items())
            database.execute(
                "CREATE TABLE items (item TEXT PRIMARY KEY, name TEXT, likes INTEGER NOT NULL) "
                "WITHOUT ROWID"
            )
            likes = stock.model.item_counts.tolist()
            database.executemany(
                "INSERT INTO items VALUES (?, ?, ?)",
                (
                    (one, None if stock.names is None else stock.names[row], likes[row])
                    for row, one in enumerate(stock.ids)
                ),
            )
            for shelves in stock.kinds:
                _insert(database, stock, shelves)


def _insert(database: sqlite3.Connection, stock: Stock, shelves: Shelves) -> None:
    with_basis = shelves.popular is not None
    database.execute(
        f"CREATE TABLE {shelves.title} ({shelves.owner} TEXT, rank INTEGER, {shelves.answer} TEXT, "
        f"score REAL, {'basis TEXT, ' if with_basis else ''}PRIMARY KEY ({shelves.owner}, rank)) "
        "WITHOUT ROWID"
    )
    places = "?, ?, ?, ?, ?" if with_basis else "?, ?, ?, ?"
    database.executemany(
        f"INSERT INTO {shelves.title} VALUES ({places})",  # noqa: S608 - our own names
        (
            (owner, rank, stock.ids[index], score, *([basis] if with_basis else ()))
            for row, owner in enumerate(shelves.owners)
            for rank, ((index, score), basis) in enumerate(
                zip(shelves.near(row), shelves.bases(row), strict=True), start=1
            )
        ),
    )


def json_paths(stock: Stock, shelves: Shelves) -> list[str]:
    """Return the path of the file of each shelf, within the folder of all."""
    return [f"{shelves.owner}s/{place}.json" for place in stock.places_of(shelves)]


def json_shelf(stock: Stock, shelves: Shelves, row: int) -> bytes:
    """Return one shelf, with the file of each item on it.

    It does not name the model, and scores have four digits: a new model of much the same data
    then leaves most files as they are.
    """
    count = f',"likes":{stock.model.item_counts[row]}' if shelves.owner == "item" else ""
    near = (
        f'{{{stock.labels[index]},"score":{score:.{_DIGITS}g}{basis},'
        f'"file":"items/{stock.places[index]}.json"}}'
        for (index, score), basis in zip(shelves.near(row), _other_bases(shelves, row), strict=True)
    )
    shelf = f'"{shelves.title}":[{",".join(near)}]'
    return f"{{{_owner(stock, shelves, row)}{count}{_basis(shelves, row)},{shelf}}}\n".encode()


def json_index(stock: Stock) -> bytes:
    """Return what the folder of shelves holds: of which model, and which id is in which file."""
    files = {
        f"{shelves.owner}s": dict(zip(shelves.owners, json_paths(stock, shelves), strict=True))
        for shelves in stock.kinds
    }
    return f"{_json({**stock.about, **files})}\n".encode()


def _owner(stock: Stock, shelves: Shelves, row: int) -> str:
    """Return whose shelf it is, as members of a JSON object."""
    if shelves.owner == "item":
        return stock.labels[row]
    return _json({shelves.owner: shelves.owners.id_of(row)})[1:-1]


def _basis(shelves: Shelves, row: int) -> str:
    """Return how a list was found, as a further member of a JSON object; nothing of a shelf."""
    basis = shelves.basis(row)
    return "" if basis is None else f',"basis":{_json(basis)}'


def _other_bases(shelves: Shelves, row: int) -> list[str]:
    """Return the same of each item that was found in another way than its list's first."""
    of_list = shelves.basis(row)
    return ["" if one == of_list else f',"basis":{_json(one)}' for one in shelves.bases(row)]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
