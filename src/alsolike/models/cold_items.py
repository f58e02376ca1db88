"""Adds items of which only features are known to the parts that every model has."""

from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import FeatureTable
from alsolike.data.interactions import Interactions
from alsolike.data.merge import joined_catalogue, joined_features
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError
from alsolike.models.base import FittedModel


def with_cold(
    model: FittedModel, items: FeatureTable, catalogue: Catalogue | None = None
) -> dict[str, Any]:
    """Return the vocabulary, counts, features, catalogue and history of a model with cold items.

    Items with likes stay as they are; known items without likes get the features that came.

    Parameters
    ----------
    model : FittedModel
    items : FeatureTable
        With the columns of the model's features of items.
    catalogue : Catalogue or None
        A row for each of these items.

    Raises
    ------
    DataError
        The columns are others, or the catalogue has another number of rows.
    """
    if catalogue is not None and catalogue.n_items != len(items.ids):
        raise DataError(
            f"{catalogue.n_items:,} rows of the catalogue for {len(items.ids):,} items."
        )
    own = model.items
    places = own.places_of(items.ids)
    has_likes = (places >= 0) & (model.item_counts[np.maximum(places, 0)] > 0)
    taken = np.flatnonzero(~has_likes)
    newer = items.ids.subset(taken)
    shown = None if catalogue is None else catalogue.subset(taken)
    ids = own.union(newer)
    features = joined_features(own, model.item_features, newer, items.features.take(taken), ids)
    moved = ids.places_of(own)
    counts = np.zeros(len(ids), dtype=np.int64)
    counts[moved] = model.item_counts
    both = joined_catalogue(own, model.catalogue, newer, shown, ids)
    history = model.history
    if history is not None:
        history = replace(_moved(history, moved, ids), catalogue=both, item_features=features)
    return {"items": ids, "item_counts": counts, "item_features": features, "catalogue": both,
            "history": history}  # fmt: skip


def _moved(history: Interactions, moved: Any, ids: Vocabulary) -> Interactions:
    """Return likes over more items, whose order is the same: so is that of the likes."""
    matrix = history.user_items
    columns = moved[matrix.indices].astype(matrix.indices.dtype)
    wider = sp.csr_array((matrix.data, columns, matrix.indptr), shape=(matrix.shape[0], len(ids)))
    return replace(history, user_items=wider, items=ids, catalogue=None, item_features=None)
