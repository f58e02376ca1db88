"""Adds items by their features while the service runs, and carries them over to other models.

The model with the new items is a copy of its own, with a version of its own; all workers follow to
it as after a swap. What was sent is stored in the same step as that version, so both outlive a
kill, and the next model that lacks the items gets them, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.encode import column_name
from alsolike.data.features.features import Features
from alsolike.data.features.further import encode_rows
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import AlsolikeError, DataError, SettingError
from alsolike.models.base import FittedModel
from alsolike.models.bundle.io import load
from alsolike.models.protocols import AddsItems, able
from alsolike.recommending.features.names import item_features_of
from alsolike.recommending.features.new_items import PURPOSE, AddedItems, add_items
from alsolike.text import counted
from alsolike.usage_hints import did_you_mean
from alsolike.web.serving.bundle_store import (
    add_bundle,
    bundle_path,
    locked,
    neighbours_path,
    remove_unused,
)
from alsolike.web.serving.neighbour_cache import build_in_background
from alsolike.web.serving.registry import load_model
from alsolike.web.serving.state_store import Store
from alsolike.web.settings import Settings

MOST = 10_000  # items at once
_ROLES = ("name", "image", "link")


class NewItem(msgspec.Struct, frozen=True):
    """What was sent of an item: features by block, and texts of the item table by column."""

    features: dict[str, Any]
    columns: dict[str, str]


@dataclass(frozen=True)
class Carried:
    """New items that another model took over, or not.

    Parameters
    ----------
    items : int
        Those that it took.
    left : tuple of str
        Ids of those that it could not take; they stay stored.
    why : str
        Why the first of them could not be taken.
    """

    items: int = 0
    left: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        taken = f"; {counted(self.items, 'new item')} carried over" if self.items else ""
        if not self.left:
            return taken
        return f"{taken}; {counted(len(self.left), 'new item')} not carried over: {self.why}"


@dataclass(frozen=True)
class AddResult:
    """What became of items that were sent to a slot.

    `why_not_similar`: why the slot's second model, which similar items are of, did not take them.
    """

    version: str
    similar: str | None
    items: AddedItems
    why_not_similar: str = ""


def add(
    settings: Settings,
    state: Store,
    slot: str,
    items: Mapping[Id, NewItem],
    *,
    renew: bool = False,
) -> AddResult:
    """Add items to the models of a slot; when it returns, they are on disk.

    Raises
    ------
    DataError
        An item has likes in the model, and `renew` is not given; or a feature or column is unknown
        or has a wrong value. Nothing is stored then.
    Unable
        The model knows items by their likes alone.
    WritingError
        The state folder is full or cannot be written.
    """
    name = settings.slot(slot).name
    contents = {str(one): msgspec.json.encode(item).decode() for one, item in items.items()}
    with locked(settings.state):
        (current,) = (one for one in state.served() if one.name == name)
        model = _model_of(settings, current.version)
        changed, report = _with_items(model, items, renew=renew)
        version = _stored(settings, model, changed, current.version)
        similar, why = current.similar, ""
        if similar is not None:
            similar, why = _companion(settings, similar, items, renew=renew)
        load_model(settings, name, version, similar)  # writes the search index, too
        state.serve(name, version, similar=similar, new_items=contents)
        remove_unused(settings.state, state.versions_in_use(with_former=True))
        asked = similar or version
        if not neighbours_path(settings.state, asked).exists():
            build_in_background(
                bundle_path(settings.state, asked), neighbours_path(settings.state, asked)
            )
    return AddResult(version, similar, report, why)


def carry_over(
    settings: Settings, state: Store, slot: str, version: str, similar: str | None
) -> tuple[str, str | None, Carried]:
    """Add the items that were sent to a slot to other models; return what to serve, and a report.

    Items that the model has likes of are left as they are. The caller has locked the copies.
    """
    sent = {one: msgspec.json.decode(text, type=NewItem)
            for one, text in state.new_items(slot).items()}  # fmt: skip
    model = _model_of(settings, version) if sent else None
    if model is None:
        return version, similar, Carried()
    places = model.items.places_of(sent)
    lacking = [
        one
        for one, place in zip(sent, places.tolist(), strict=True)
        if place < 0 or not model.item_counts[place]
    ]
    fitting, left = _fitting(model, {one: sent[one] for one in lacking})
    if not fitting:
        return version, similar, Carried(0, tuple(left), next(iter(left.values()), ""))
    changed, report = _with_items(model, fitting, renew=False)
    left |= {str(one): f"item {one!r} has none of its features" for one in report.without_features}
    carried = Carried(
        len(report.added) + len(report.renewed), tuple(left), next(iter(left.values()), "")
    )
    version = _stored(settings, model, changed, version)
    if similar is not None:
        similar, _ = _companion(settings, similar, fitting, renew=False)
    load_model(settings, slot, version, similar)
    return version, similar, carried


def _model_of(settings: Settings, version: str) -> FittedModel:
    return load(bundle_path(settings.state, version), check=False)


def _stored(settings: Settings, before: FittedModel, changed: FittedModel, version: str) -> str:
    return version if changed is before else add_bundle(settings.state, changed, version)


def _companion(
    settings: Settings, version: str, items: Mapping[Id, NewItem], *, renew: bool
) -> tuple[str, str]:
    """Add items to the model for similar items; return its version, and why it does not take them.

    It may know other features, or none: then its lists stay as they are.
    """
    model = _model_of(settings, version)
    fitting, left = _fitting(model, items)
    why = next(iter(left.values()), "")
    if not fitting:
        return version, why
    try:
        changed, _ = _with_items(model, fitting, renew=renew)
    except (DataError, SettingError) as error:
        return version, str(error)
    return _stored(settings, model, changed, version), why


def _fitting(
    model: FittedModel, items: Mapping[Any, NewItem]
) -> tuple[dict[Id, NewItem], dict[str, str]]:
    """Return what of the items a model can take, and why it cannot take the others, by id."""
    try:
        able(model, AddsItems, PURPOSE)
        known = item_features_of(model, PURPOSE)
    except SettingError as error:
        return {}, {str(one): str(error) for one in items}
    fitting: dict[Id, NewItem] = {}
    left: dict[str, str] = {}
    blocks = {column_name(block) for block in known.blocks}
    texts = set(_columns_of(model))
    for one, item in items.items():
        if misfit := model.items.misfit(one):
            left[str(one)] = misfit
            continue
        features = {name: value for name, value in item.features.items() if name in blocks}
        columns = {name: text for name, text in item.columns.items() if name in texts}
        fitting[model.items.id_from(one)] = NewItem(features, columns)
    if _fault(known, fitting):  # of one at least: it takes longer to find which
        for one in list(fitting):
            if fault := _fault(known, {one: fitting[one]}):
                left[str(one)] = fault
                del fitting[one]
    return fitting, left


def _fault(known: Features, items: Mapping[Id, NewItem]) -> str:
    """Return why the features of items cannot be encoded, or an empty text."""
    try:
        encode_rows(known, {one: item.features for one, item in items.items()})
    except AlsolikeError as error:
        return str(error)
    return ""


def _with_items(
    model: FittedModel, items: Mapping[Id, NewItem], *, renew: bool
) -> tuple[FittedModel, AddedItems]:
    able(model, AddsItems, PURPOSE)
    item_features_of(model, PURPOSE)
    features = {one: item.features for one, item in items.items()}
    return add_items(model, features, _catalogue(model, items), renew=renew)


def _catalogue(model: FittedModel, items: Mapping[Id, NewItem]) -> Catalogue | None:
    """Return the item table of new items, with the columns of the model's, in the order of ids."""
    known = _columns_of(model)
    for one, item in items.items():
        if odd := next((name for name in item.columns if name not in known), None):
            raise DataError(
                f"item {one!r}: no column {odd!r} in the item table of this model; known are "
                f"{', '.join(known)}.{did_you_mean(odd, known)}"
            )
    used = known if model.catalogue is not None else [
        name for name in known if any(name in item.columns for item in items.values())
    ]  # fmt: skip
    if not used:
        return None
    ids = Vocabulary.of(items, kind="item")
    rows: Sequence[NewItem] = [items[one] for one in ids]
    columns = {
        name: StringArray.pack([item.columns.get(name, "") for item in rows]) for name in used
    }
    return Catalogue.from_columns(columns, n_items=len(ids))


def _columns_of(model: FittedModel) -> list[str]:
    """Return the columns of texts that new items may have."""
    return list(_ROLES) if model.catalogue is None else list(model.catalogue.columns())
