"""Brings the columns of several sources over common ids, and encodes them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from alsolike.data.features.columns import Column
from alsolike.data.features.encode import Encoded, encode
from alsolike.data.features.features import FeatureTable
from alsolike.data.features.givers import with_givers
from alsolike.data.features.report import FeatureReport
from alsolike.data.reading.features.tables import Found
from alsolike.data.validation import check_whole, expect_seconds
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError

MINIMUM = 3  # rows of a word, by default
_SIDES = ("item", "user")


def combined(
    found: Sequence[Found],
    ids: Vocabulary | None,
    side: str,
    *,
    feature_min: int,
    last: float | None,
) -> tuple[FeatureTable, FeatureReport]:
    """Encode the columns of all sources over common ids, those given or all."""
    known = every_id(found, side) if ids is None else ids
    columns, unknown = over(found, known, side)
    made = encode(columns, len(known), minimum=feature_min, last=last)
    report = reported(found, made, known, side, unknown)
    features = with_givers(made.features, columns)
    return FeatureTable(known, features), replace(report, minimum=feature_min)


def every_id(found: Sequence[Found], side: str) -> Vocabulary:
    """Return the ids of all sources: text if those of one are."""
    ids = found[0].ids
    for one in found[1:]:
        ids = ids.union(one.ids) if ids.are_whole or not one.ids.are_whole else _texts(one.ids, ids)
    return Vocabulary(ids.ids, kind=side, id_type=ids.id_type)


def _texts(whole: Vocabulary, texts: Vocabulary) -> Vocabulary:
    return texts.union(Vocabulary(whole.ids, kind=whole.kind))


def over(found: Sequence[Found], ids: Vocabulary, side: str) -> tuple[list[Column], int]:
    """Return all columns over common ids, under different names, and the number of unknown ids."""
    columns, unknown = [], 0
    names = [column.name for one in found for column in one.columns]
    for one in found:
        places = ids.places_of(one.ids)
        expect_common(places, one.ids, ids, one.source)
        unknown += int(np.count_nonzero(places < 0))
        for column in one.columns:
            moved = column.moved(places)
            if names.count(column.name) > 1 and len(found) > 1:
                stem = Path(one.source.partition("::")[0]).name.partition(".")[0]
                moved = replace(moved, name=f"{stem} {column.name}")
            columns.append(moved)
    return columns, unknown


def expect_common(places: Any, own: Vocabulary, ids: Vocabulary, source: str) -> None:
    """Raise DataError if no id of a source is known, with an id of each side."""
    if len(places) and len(ids) and not (places >= 0).any():
        raise DataError(
            f"{source}: none of its {len(own):,} ids is among the {len(ids):,} {ids.kind}s here. "
            f"It has ids such as {own.id_of(0)!r}, those here are such as {ids.id_of(0)!r}. If "
            "another column holds them, name it."
        )


def reported(
    found: Sequence[Found], made: Encoded, ids: Vocabulary, side: str, unknown: int
) -> FeatureReport:
    """Report what was read and encoded."""
    return FeatureReport(
        side=side,
        sources=tuple(dict.fromkeys(one.source for one in found)),
        rows=len(ids),
        with_features=int(np.count_nonzero(made.features.has)),
        blocks=made.blocks,
        unknown_ids=unknown,
        repeated=sum(one.repeated for one in found),
        without_id=sum(one.without_id for one in found),
        zeros=sum(one.zeros for one in found),
        left_out=made.left_out,
        notes=tuple(note for one in found for note in one.notes),
        warnings=tuple(warning for one in found for warning in one.warnings),
    )


def check_arguments(side: str, feature_min: int, last: float | None) -> None:
    """Raise SettingError for arguments that are no sides, counts or moments."""
    if side not in _SIDES:
        raise SettingError(f"The side must be 'item' or 'user', not {side!r}.")
    check_whole("feature_min", feature_min, least=1)
    expect_seconds("last", last)
