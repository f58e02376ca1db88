"""Adds items without likes to what a model knows: ids, features, catalogue, history."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.merge import joined_catalogue, joined_features
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError
from alsolike.models.base import FittedModel

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WithColdItems:
    """What a model knows of its items and further ones.

    Parameters
    ----------
    items : Vocabulary
    own : int64, (items of the model,)
        The places of the model's items.
    cold : int64, (n,)
        The places of the items that were added, or whose features are new; none has likes.
    features : Features
    catalogue : Catalogue or None
    history : Interactions or None
    """

    items: Vocabulary
    own: Places
    cold: Places
    features: Features
    catalogue: Catalogue | None
    history: Interactions | None

    def fields(self, model: FittedModel) -> dict[str, Any]:
        """Return the fields of a model that are alike in all families."""
        counts = np.zeros(len(self.items), dtype=np.int64)
        counts[self.own] = model.item_counts
        evidence = getattr(model, "stored_evidence", None)
        return {
            "items": self.items,
            "item_counts": counts,
            "item_features": self.features,
            "catalogue": self.catalogue,
            "history": self.history,
            "stored_evidence": None if evidence is None else evidence.placed(self.own, counts.size),
        }

    def placed(self, weights: Any) -> sp.csc_array:
        """Return weights of items x items, CSC, with those of further items, which are none."""
        cells, shape = sp.coo_array(weights), (len(self.items), len(self.items))
        rows, columns = self.own[cells.coords[0]], self.own[cells.coords[1]]
        found = sp.csc_array(sp.coo_array((cells.data, (rows, columns)), shape=shape))
        found.sort_indices()
        width = weights.indices.dtype
        parts = found.data, found.indices.astype(width), found.indptr.astype(width)
        return sp.csc_array(parts, shape=shape)


def with_cold_items(
    model: FittedModel, added: FeatureTable, catalogue: Catalogue | None = None
) -> WithColdItems:
    """Return what a model knows with further items; those with likes stay as they are.

    Parameters
    ----------
    model : FittedModel
    added : FeatureTable
        With the blocks of the model's features.
    catalogue : Catalogue or None
        Names and more of the added items, a row for each.

    Raises
    ------
    DataError
        The model has no features of items, or others than those given.
    """
    known = model.item_features
    if known is None:
        raise DataError(
            f"The model {model.name!r} was trained without features of items, so it cannot take in "
            "items by their features. Train it with item_features."
        )
    if not known.same_columns(added.features):
        raise DataError(
            f"The new items have other features than the model: {added.features!r} instead of "
            f"{known!r}. Encode them as the model's: alsolike.data.features."
        )
    places = model.items.places_of(added.ids)
    new = np.flatnonzero((places < 0) | (model.item_counts[np.maximum(places, 0)] == 0))
    ids = added.ids.subset(new)
    items = model.items.union(ids)
    features = joined_features(model.items, known, ids, added.features.take(new), items)
    if features is None:  # of two tables with features
        raise DataError("No features are left.")
    more = None if catalogue is None else catalogue.subset(new)
    columns = joined_catalogue(((model.items, model.catalogue), (ids, more)), items)
    own = items.places_of(model.items)
    history = model.history
    if history is not None:
        history = _widened(history, items, own, features, columns)
    return WithColdItems(items, own, items.places_of(ids), features, columns, history)


def _widened(
    history: Interactions,
    items: Vocabulary,
    own: Places,
    features: Features,
    catalogue: Catalogue | None,
) -> Interactions:
    """Return the same likes over more items; the order of the likes stays, since ids are sorted."""
    matrix = history.user_items
    parts = matrix.data, own[matrix.indices], matrix.indptr
    wide = canonical(sp.csr_array(parts, shape=(history.n_users, len(items))))
    return replace(
        history, user_items=wide, items=items, item_features=features, catalogue=catalogue
    )
