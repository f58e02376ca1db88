"""Reads features from tables: with a row for each id, and with a row for each id and feature."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from alsolike.data.features.columns import Column, Givers
from alsolike.data.interactions import Interactions
from alsolike.data.reading.assemble import of_rows
from alsolike.data.reading.cleaning.rows import Roles, Rules, refuse_no_rows
from alsolike.data.reading.delimited.dialect import FixedDialect
from alsolike.data.reading.features.asked import EVERY, AskedColumn, AskedTable
from alsolike.data.reading.features.cells import IdRows
from alsolike.data.reading.files.encodings import checked_encoding
from alsolike.data.reading.item_table import ItemTexts
from alsolike.data.reading.layouts.arrange import arrange
from alsolike.data.reading.source_table import SourceTable, label_of
from alsolike.data.reading.sources import Ref, id_text, load, place_of
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError

_IDS = ("id", "key")
_FEATURES = ("feature", "tag", "keyword", "genre", "category", "label", "topic")
_VALUES = ("value", "weight", "count", "score", "relevance", "n")
_VECTORS = ("vector", "embedding", "features")
# Names of columns that do not say what their features are; the file's name does.
_PLAIN = ("feature", "features", "name", "value", "id")
# Columns of which the first is taken for the ids, if none is named so.
_MOST_GUESSED = 3
_ASIDE = ", or set such rows aside with on_error='reject', rejects='file'."
_OPTION = re.compile(r"\b(?:delimiter|quote|escape|header|encoding|on_error|skip_lines|comment)=")
_OF_LIKES = re.compile(r"\b(?:duplicates|missing_id)=")
_WAY_OUT = re.compile(r" If [^.]*, pass (?:encoding|delimiter|quote|escape|header)=[^.]*\.")
_HEADER = "If it is a row, pass header=False."


@dataclass(frozen=True)
class Form:
    """How text files are written; what is not given is found."""

    fixed: FixedDialect
    encoding: str | None

    @classmethod
    def of(cls, delimiter: str | None, header: bool | None, encoding: str | None) -> "Form":
        """Check these; raise SettingError if one is not understood."""
        return cls(FixedDialect.of(delimiter, None, None, header), checked_encoding(encoding))


@dataclass
class Found:
    """Columns of one source, whose rows are those of `ids`.

    The counts are as in `FeatureReport`.
    """

    source: str
    ids: Vocabulary
    columns: list[Column]
    repeated: int = 0
    without_id: int = 0
    zeros: int = 0
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load_table(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    table: str,
    source: Any,
    ids: Sequence[Ref],
    scalars: Sequence[Ref] = (),
    form: Form | None = None,
) -> SourceTable:
    """Load a table of features; see `alsolike.data.reading.sources.load`.

    Raises
    ------
    DataError
        It cannot be read.
    """
    fixed, encoding = (FixedDialect(), None) if form is None else (form.fixed, form.encoding)
    try:
        return load(connection, scratch, table, source, fixed, ids=ids, scalars=scalars,
                    encoding=encoding)  # fmt: skip
    except DataError as error:
        if _OPTION.search(str(error)) is None:
            raise
        raise DataError(
            f"{error} On the command line, tables of features have no such options: write them "
            "with commas, as UTF-8, under a line of names."
        ) from error


def of_loaded(
    connection: duckdb.DuckDBPyConnection,
    loaded: SourceTable,
    id_ref: Ref,
    asked: Sequence[AskedColumn],
    side: str,
) -> Found:
    """Read columns of a table with a row for each id, which is loaded already."""
    refuse_no_rows(loaded)
    before = len(loaded.warnings)
    rows = IdRows.of(connection, loaded, id_ref, side)
    notes = []
    if [one.ref for one in asked] == [EVERY]:
        others = [place for place in range(len(loaded.types)) if place != rows.key]
        addresses = [place for place in others if rows.holds_addresses(place)]
        asked = [AskedColumn(_ref(loaded, place)) for place in others if place not in addresses]
        notes = [f"left out column {label_of(loaded, place)}, of addresses" for place in addresses]
    columns = [rows.read(one, side) for one in asked]
    return Found(
        loaded.name,
        rows.ids,
        columns,
        repeated=rows.repeated,
        without_id=rows.without_id,
        notes=notes,
        warnings=_warnings(loaded.warnings[before:]),
    )


def wide(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    source: Any,
    id_ref: Ref,
    asked: Sequence[AskedColumn],
    side: str,
    form: Form | None = None,
) -> Found:
    """Read columns of a table with a row for each id."""
    loaded = load_table(connection, scratch, "feature_table", source, [id_ref], form=form)
    found = of_loaded(connection, loaded, id_ref, asked, side)
    found.warnings = _warnings(loaded.warnings)
    connection.execute("DROP TABLE feature_table")
    return found


def long(
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    asked: AskedTable,
    likely: Sequence[Ref],
    side: str,
    form: Form | None = None,
    *,
    people: Ref | None = None,
) -> Found:
    """Read a table with a row for each id and feature, such as a tag, perhaps with a value.

    `likely` are names that the column of ids may have, the first ones first; `people` is the one of
    users in the likes: if this table has it too, it names who gave each feature.
    """
    refs: tuple[Ref, ...] = asked.columns
    loaded = load_table(
        connection, scratch, "feature_pairs", asked.source, refs[:2], scalars=refs[2:], form=form
    )
    refuse_no_rows(loaded)
    notes: list[str] = []
    if not refs:
        refs, notes = _guessed(loaded, likely, side, people)
    item, feature, *value = refs
    for ref, role in zip(refs, (f"{side}_id", "feature", "value"), strict=False):
        if not set(str(ref)) & {"[", "."}:  # a path is resolved later
            place_of(loaded, ref, role)
    user = asked.user
    if user is None and people in loaded.names and people not in refs and side == "item":
        is_used = not asked.columns
        user = people if is_used else None
        notes.append(_note_of_people(loaded.name, str(people), is_used=is_used))
    elif user is not None:
        place_of(loaded, user, "user")
    roles = Roles(user=item, item=feature, value=value[0] if value else None)
    repeats = "sum" if value else "count"
    rules = Rules(duplicates="keep", repeats=repeats, missing_id="drop")
    try:
        arranged = arrange(connection, loaded, roles, {})
        given = None if user is None else _triples(connection, arranged[0], (*refs[:2], user))
        pairs, report = of_rows(connection, arranged, roles, rules, ItemTexts(), None, None)
    except DataError as error:  # which names the columns of likes
        raise DataError(
            f"{str(error).replace(_ASIDE, '.')} This is a table of features: in this message, a "
            f"user is the {side}, and an item the feature."
        ) from None
    ids = Vocabulary(pairs.users.ids, kind=side, id_type=pairs.users.id_type)
    column = _of_pairs(block_name(loaded, feature), pairs, given, counts=not value)
    return Found(
        loaded.name,
        ids,
        [column],
        without_id=report.missing,
        zeros=report.zeros,
        notes=notes,
        warnings=_warnings(report.warnings),
    )


def block_name(loaded: SourceTable, feature: Ref) -> str:
    """Return the name of the features of a long table: that of the column, or of the file."""
    text = str(feature)
    is_number = text.isdecimal() and 1 <= int(text) <= len(loaded.names)
    path = loaded.names[int(text) - 1] if is_number and text not in loaded.names else text
    for part in reversed(re.sub(r"\[[^\]]*\]", "", path).split(".")):
        if _plain(part) not in ("", *_PLAIN) and not part.isdecimal():
            return part.strip()
    stem = Path(loaded.name.partition("::")[0]).name.partition(".")[0]
    return stem if loaded.unit == "line" or loaded.parts else "feature"


def _note_of_people(name: str, people: str, *, is_used: bool) -> str:
    if is_used:
        return (
            f"{name}: given by the people in {people!r}; training leaves out what those gave on "
            "whom it is tested"
        )
    return (
        f"{name}: {people!r} names people, perhaps those who gave the features. @{people} after "
        "the columns leaves out, in training, what those gave on whom it is tested"
    )


def _triples(
    connection: duckdb.DuckDBPyConnection, loaded: SourceTable, refs: Sequence[Ref]
) -> dict[str, Any]:
    """Return the ids, features and people of all rows that have them, as texts."""
    if loaded.base is not None:
        raise DataError(
            f"{loaded.name}: who gave a feature is read of a table with a row for each id, feature "
            f"and person alone, not of arrays. Leave out @{refs[2]}."
        )
    roles = ("item", "feature", "user")
    texts = [
        id_text(connection, loaded, place_of(loaded, ref, role), role)
        for ref, role in zip(refs, roles, strict=True)
    ]
    chosen = ", ".join(f"{text} AS {role}" for text, role in zip(texts, roles, strict=True))
    return connection.execute(  # type: ignore[no-any-return]
        f"SELECT DISTINCT * FROM (SELECT {chosen} FROM {loaded.table} "  # noqa: S608 - own names
        f"WHERE rowid >= {loaded.skip}) WHERE item IS NOT NULL AND feature IS NOT NULL AND "
        "trim(coalesce(user, '')) <> '' ORDER BY ALL"
    ).fetchnumpy()


def _of_pairs(
    name: str, pairs: Interactions, given: dict[str, Any] | None, *, counts: bool
) -> Column:
    """Return the column of a long table; where it `counts`, a cell counts the people, if any."""
    cells = pairs.user_items.tocoo()
    weights, givers = cells.data.astype(np.float64), None
    if given is not None:
        people = Vocabulary.of(map(str, given["user"].tolist()), kind="user")
        rows, words, by = (
            ids.places_of(given[role].tolist())
            for role, ids in (("item", Vocabulary(pairs.users.ids, kind="item")),
                              ("feature", Vocabulary(pairs.items.ids, kind="feature")),
                              ("user", people))
        )  # fmt: skip
        known = (rows >= 0) & (words >= 0)
        givers = Givers(people, rows[known], words[known], by[known])
        if counts:
            keys = cells.row.astype(np.int64) * pairs.n_items + cells.col
            of_givers = givers.rows * pairs.n_items + givers.words
            people_of = np.bincount(np.searchsorted(keys, of_givers), minlength=len(keys))
            weights = np.where(people_of > 0, people_of, weights).astype(np.float64)
    return Column(
        name,
        "set",
        cells.row.astype(np.int64),
        cells.col.astype(np.int64),
        weights=weights,
        words=pairs.items.ids.to_list(),
        givers=givers,
    )


def _guessed(
    loaded: SourceTable, likely: Sequence[Ref], side: str, people: Ref | None
) -> tuple[tuple[Ref, ...], list[str]]:
    """Return the columns of ids, features and perhaps values by their names, and the guess."""
    width = len(loaded.types)
    if width < 2:
        raise DataError(
            f"{loaded.name}: a column of {side} ids and one of features expected, found a single "
            "column. If several features share a cell, it is a column of an item table."
        )
    left = [place for place, name in enumerate(loaded.names) if not name or name != people]
    chosen = []
    names = [_plain(name) for name in loaded.names]
    wanted = [*(_plain(str(one)) for one in likely), side, f"{side}id", *_IDS]
    for words, is_needed in ((wanted, True), (_FEATURES, True), (_VALUES, False)):
        known = [*words, *(f"{word}s" for word in words), *(f"{word}id" for word in words)]
        at = next((p for word in known for p in left if word and names[p] == word), None)
        if at is None and is_needed:
            if width > _MOST_GUESSED:
                raise DataError(
                    f"{loaded.name}: which of its {width:,} columns are the {side} ids and the "
                    f"features? Name them: FILE:{side.upper()},FEATURE or, with values, "
                    f"FILE:{side.upper()},FEATURE,VALUE. They are {_listed(loaded)}."
                )
            at = left[0]
        if at is not None:
            chosen.append(at)
            left.remove(at)
    labels = [label_of(loaded, place) for place in chosen]
    roles = (f"{side}s", "features", "values")
    said = ", ".join(f"{role} in {label}" for role, label in zip(roles, labels, strict=False))
    unused = f"; not used: {', '.join(label_of(loaded, p) for p in left)}" if left else ""
    note = (
        f"{loaded.name}: {said}{unused} (a guess; FILE:{side.upper()},FEATURE,VALUE names columns)"
    )
    is_named = width == 2 or names[chosen[1]] in _FEATURES
    is_sure = not left and is_named and names[chosen[0]] in wanted
    return tuple(_ref(loaded, place) for place in chosen), [] if is_sure else [note]


def _ref(loaded: SourceTable, place: int) -> Ref:
    """Return a reference to a column that `place_of` takes for it."""
    name = loaded.names[place]
    is_number = name.isdecimal()
    if name and loaded.names.count(name) == 1 and not (is_number and loaded.dialect is not None):
        return name
    return place + 1


def _warnings(given: Sequence[str]) -> list[str]:
    """Return warnings without ways out that are those of likes alone."""
    said = [
        one.replace(_HEADER, "If it is a row, write a line of names above it.")
        for one in given
        if not _OF_LIKES.search(one)
    ]
    return [_WAY_OUT.sub("", one) for one in said]


def _listed(loaded: SourceTable) -> str:
    return ", ".join(label_of(loaded, place) for place in range(min(len(loaded.types), 30)))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
