"""Adds items of which only features are known to a model: cold items."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.features.further import encode_rows
from alsolike.data.interactions import Interactions
from alsolike.data.merge import joined_features
from alsolike.data.vocabulary import Id
from alsolike.errors import DataError, UnknownId
from alsolike.models.base import FittedModel
from alsolike.models.protocols import AddsItems, able
from alsolike.recommending.features.names import item_features_of
from alsolike.text import counted
from alsolike.usage_hints import with_example

Model = TypeVar("Model", bound=FittedModel)

PURPOSE = "add items by their features"
_NAMED = 5


@dataclass(frozen=True)
class AddedItems:
    """What became of the items that were to be added.

    Parameters
    ----------
    added : tuple of ids
        Items that the model did not have.
    renewed : tuple of ids
        Items that it had, whose features are now the new ones.
    without_features : tuple of ids
        Items of which no feature is known to the model; they were left out.
    unknown_features : mapping of str to int
        How many words of each block the model does not know, and so left out.
    """

    added: tuple[Id, ...] = ()
    renewed: tuple[Id, ...] = ()
    without_features: tuple[Id, ...] = ()
    unknown_features: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"Added {counted(len(self.added), 'item')}."]
        if self.renewed:
            lines.append(f"Renewed the features of {counted(len(self.renewed), 'item')}.")
        if self.without_features:
            lines.append(
                f"Left out {counted(len(self.without_features), 'item')} of which the model knows "
                f"no feature: {_some(self.without_features)}."
            )
        for block, count in self.unknown_features.items():
            if count:
                lines.append(
                    f"Left out {counted(count, 'word')} of {block!r} that the model does not know."
                )
        return "\n".join(lines)


@with_example('al.add_items(model, {"new": {"tag": ["castle", "medieval"]}})')
def add_items(
    model: Model,
    features: FeatureTable | Mapping[Id, Mapping[str, Any]],
    catalogue: Catalogue | None = None,
    *,
    renew: bool = False,
) -> tuple[Model, AddedItems]:
    """Add items without likes to a model, by their features.

    They are recommended at once, and listed by features. A later training that has likes of them
    takes their place.

    Parameters
    ----------
    model : AddsItems
        One that learned from features of items.
    features : FeatureTable, or mapping of id to mapping of str to values
        What is known of each item, by the names of the blocks of the model's features:
        ``{"new": {"tag": ["castle"], "price": 12.5}}``; a table has the model's own columns.
    catalogue : Catalogue or None
        Names and so on: a row for each item, in the order of the ids of the table (those of a
        mapping: sorted).
    renew : bool
        Take new features of items that the model has with likes, too. What it learned of them stays
        until the next training.

    Returns
    -------
    model : FittedModel
    report : AddedItems

    Raises
    ------
    DataError
        An item has likes, and `renew` is not given; features, ids or rows of the catalogue do not
        fit the model.
    Unable
        The model knows items by their likes alone, or was trained without features of items.
    """
    able(model, AddsItems, PURPOSE)
    known, unknown = item_features_of(model, PURPOSE), {}
    if isinstance(features, FeatureTable):
        table = features
    else:
        table, report = encode_rows(known, features)
        unknown = {block.name: block.unknown for block in report.blocks if block.unknown}
    _expect_fitting(model, known, table, catalogue)
    is_known = table.features.has
    without = tuple(table.ids.id_of(int(row)) for row in np.flatnonzero(~is_known))
    places = model.items.places_of(table.ids)
    liked = (places >= 0) & (model.item_counts[np.maximum(places, 0)] > 0)
    if liked.any() and not renew:
        having = [table.ids.id_of(int(row)) for row in np.flatnonzero(liked)]
        raise DataError(
            f"{counted(len(having), 'item')} of these {'have' if len(having) > 1 else 'has'} likes "
            f"in the model already: {_some(having)}. Leave them out, or renew their features: "
            "renew=True."
        )
    found = AddedItems(
        added=tuple(table.ids.id_of(int(row)) for row in np.flatnonzero(is_known & (places < 0))),
        renewed=tuple(
            table.ids.id_of(int(row)) for row in np.flatnonzero(is_known & (places >= 0))
        ),
        without_features=without,
        unknown_features=unknown,
    )
    cold = np.flatnonzero(is_known & ~liked)
    renewed = model
    if len(cold):
        adds: Any = model
        part = FeatureTable(table.ids.subset(cold), table.features.take(cold))
        renewed = adds.with_cold_items(part, None if catalogue is None else catalogue.subset(cold))
    again = np.flatnonzero(is_known & liked)
    if len(again):
        part = FeatureTable(table.ids.subset(again), table.features.take(again))
        renewed = _with_features(renewed, part)
    return renewed, found


def _expect_fitting(
    model: FittedModel, known: Features, table: FeatureTable, catalogue: Catalogue | None
) -> None:
    """Raise DataError or UnknownId unless new items fit a model."""
    if not len(table.ids):
        raise DataError("No item is given to add.")
    if not known.same_columns(table.features):
        raise DataError(
            f"New items need the {known.n_features:,} features of the model, encoded alike; these "
            f"are {table.features.n_features:,} others. Encode them by the model's own: "
            "give a mapping, or a table of alsolike.data.features.further."
        )
    if model.items.are_whole != table.ids.are_whole:
        raise UnknownId(model.items.misfit(table.ids.id_of(0)) or "ids of items are text here.")
    if catalogue is not None and catalogue.n_items != len(table.ids):
        raise DataError(
            f"The catalogue has {catalogue.n_items:,} rows for {len(table.ids):,} new items."
        )


def _with_features(model: Model, table: FeatureTable) -> Model:
    """Return a model with other features of some of its items, and in its history."""
    replaced: Any = model
    features = joined_features(
        model.items, model.item_features, table.ids, table.features, model.items
    )
    changes: dict[str, Any] = {"item_features": features}
    if isinstance(model.history, Interactions):
        changes["history"] = dataclasses.replace(model.history, item_features=features)
    renewed: Model = dataclasses.replace(replaced, **changes)
    return renewed


def _some(ids: Collection[Id]) -> str:
    shown = ", ".join(repr(one) for one in list(ids)[:_NAMED])
    return f"{shown} and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else shown
