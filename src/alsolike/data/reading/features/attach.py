"""Adds features to likes that were read, as the options of `alsolike.read` ask."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb

from alsolike.data.features.features import Features
from alsolike.data.features.report import FeatureReport
from alsolike.data.interactions import Interactions
from alsolike.data.reading.features.asked import (
    EVERY,
    AskedColumn,
    AskedTable,
    asked_columns,
    several,
)
from alsolike.data.reading.features.combine import check_arguments, combined
from alsolike.data.reading.features.read_features import read_table
from alsolike.data.reading.features.tables import Found, load_table, of_loaded
from alsolike.data.reading.features.vectors import AskedVectors, read_vectors
from alsolike.data.reading.files.listing import files_of
from alsolike.data.reading.files.selection import Selection
from alsolike.data.reading.formats.typed import load_frame
from alsolike.data.reading.frames import frame_of
from alsolike.data.reading.report import ReadReport
from alsolike.data.reading.source_table import SourceTable
from alsolike.data.reading.sources import Ref
from alsolike.data.validation import column_of
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError

# Options of `read` that name files, by which outputs are kept from overwriting these.
_FILES = ("item_features", "item_vectors", "user_table", "user_features", "user_vectors")


@dataclass(frozen=True)
class _Side:
    """What is asked of one side."""

    side: str
    tables: tuple[AskedTable, ...]
    columns: tuple[AskedColumn, ...]
    vectors: tuple[AskedVectors, ...]

    @classmethod
    def of(cls, side: str, features: Any, columns: Any, vectors: Any) -> "_Side":
        return cls(
            side,
            tuple(AskedTable.of(f"{side}_features", one, 3) for one in several(features)),
            () if columns is None else asked_columns(f"{side}_feature", columns),
            tuple(AskedVectors.of(f"{side}_vectors", one) for one in several(vectors)),
        )

    @property
    def is_asked(self) -> bool:
        return bool(self.tables or self.columns or self.vectors)


@dataclass(frozen=True)
class FeatureOptions:
    """The options of reading features, checked before anything is read.

    Parameters are as in `alsolike.data.reading.read.read`.
    """

    items: _Side
    people: _Side
    user_table: Any
    user_id: Ref | None
    feature_min: int

    @classmethod
    def of(
        cls,
        item: tuple[Any, Any, Any],
        user: tuple[Any, Any, Any],
        user_table: Any,
        user_id: Any,
        feature_min: int,
        *,
        has_items: bool,
    ) -> "FeatureOptions":
        """Check the options: features, columns and vectors of each side.

        Raises
        ------
        SettingError
            They contradict each other.
        """
        check_arguments("item", feature_min, None)
        made = cls(_Side.of("item", *item), _Side.of("user", *user), user_table,
                   column_of("user_id", user_id), feature_min)  # fmt: skip
        if (user_table is None) is bool(made.people.columns):
            raise SettingError(
                "user_table= and user_feature= go together: a table of users, and those of its "
                "columns that are features, such as user_feature='country,age:number', or '*'."
            )
        if user_id is not None and user_table is None:
            raise SettingError("user_id= is a column of user_table=. Give that table, too.")
        if not has_items and any(one.ref == EVERY for one in made.items.columns):
            raise SettingError("item_feature='*' is all columns of an item table: pass items=.")
        return made

    @property
    def is_asked(self) -> bool:
        """Whether features are asked for."""
        return self.items.is_asked or self.people.is_asked

    def of_likes(self, *, has_items: bool) -> list[Ref]:
        """Return the columns of the likes that are features of items."""
        return [] if has_items else [one.ref for one in self.items.columns]

    def attach(
        self,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        result: tuple[Interactions, ReadReport],
        table: SourceTable | None,
        keys: tuple[Ref | None, Ref | None, Ref | None],
    ) -> tuple[Interactions, ReadReport]:
        """Return likes and report with the features that are asked for.

        `table` is the item table, if any; `keys` are the columns of its ids, and of users and items
        in the likes.
        """
        likes, report = result
        if not self.is_asked:
            return result
        item_id, user, item = keys
        last = None if likes.timestamps is None else float(likes.timestamps.max())
        likely = [one for one in (item, item_id) if isinstance(one, str)]
        of_items = of_users = None
        if self.items.is_asked:
            found = []
            if self.items.columns and table is not None and item_id is not None:
                found.append(of_loaded(connection, table, item_id, self.items.columns, "item"))
            elif self.items.columns:
                texts, asked = _of_catalogue(connection, likes, report.source, self.items.columns)
                found.append(of_loaded(connection, texts, 1, asked, "item"))
            found += _own_sources(connection, scratch, self.items, likely, user)
            of_items = self._read(found, likes.items, last)
        if self.people.is_asked:
            found = []
            if self.user_table is not None:
                key = self.user_id if self.user_id is not None else user
                loaded = load_table(connection, scratch, "people", self.user_table, [key or "user"])
                found.append(
                    of_loaded(connection, loaded, key or "user", self.people.columns, "user")
                )
                found[0].warnings = list(loaded.warnings)
            likely = [one for one in (user, self.user_id) if isinstance(one, str)]
            found += _own_sources(connection, scratch, self.people, likely)
            of_users = self._read(found, likes.users, last)
        both = [one[1] for one in (of_items, of_users) if one is not None]
        return (
            replace(
                likes,
                item_features=None if of_items is None else of_items[0],
                user_features=None if of_users is None else of_users[0],
            ),
            replace(
                report,
                features=tuple(both),
                warnings=report.warnings + tuple(text for one in both for text in one.warnings),
            ),
        )

    def _read(
        self, found: list[Found], ids: Vocabulary, last: float | None
    ) -> tuple[Features, FeatureReport]:
        table, report = combined(found, ids, ids.kind, feature_min=self.feature_min, last=last)
        return table.features, report


def feature_files(reading: Mapping[str, Any]) -> list[Path]:
    """Return the files that options of `read` name for features."""
    found: list[Any] = []
    for name in _FILES:
        for one in several(reading.get(name)):
            if name.endswith("vectors"):
                found += AskedVectors.of(name, one).files
            else:
                found.append(AskedTable.of(name, one, 3).source)
    return [path for source in found for path in files_of(source)]


def _own_sources(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    asked: _Side,
    likely: list[str],
    people: Ref | None = None,
) -> list[Found]:
    """Read the sources that are features alone."""
    keys = [*likely, asked.side]
    found = [
        one
        for table in asked.tables
        for one in read_table(connection, scratch, table, keys, asked.side, people=people)
    ]
    return found + [
        read_vectors(connection, scratch, one, keys, asked.side) for one in asked.vectors
    ]


def _of_catalogue(
    connection: duckdb.DuckDBPyConnection,
    likes: Interactions,
    source: str,
    asked: tuple[AskedColumn, ...],
) -> tuple[SourceTable, tuple[AskedColumn, ...]]:
    """Return the texts that the likes have of each item as a table, and its columns."""
    columns = {} if likes.catalogue is None else likes.catalogue.columns()
    chosen = []
    for one in asked:
        labels = (str(one.ref), f"{one.ref} (column)", f"column {one.ref}")
        label = next((label for label in labels if label in columns), None)
        if label is None:
            raise SettingError(f"item_feature: give column {one.ref!r} of the likes by its name.")
        chosen.append(columns[label])
    names = ["item", *(str(one.ref) for one in asked)]
    cells: list[list[Any]] = [likes.items.ids_of(range(likes.n_items)).tolist()]
    cells += [[text or None for text in column] for column in chosen]
    frame = frame_of("text", f"the items of {source}", names, cells)
    loaded = load_frame(connection, "item_texts", frame, Selection())
    return loaded, tuple(replace(one, ref=2 + at) for at, one in enumerate(asked))
