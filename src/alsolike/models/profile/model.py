"""`ItemProfileModel`: scores items by the features that they share with what a user likes."""

import functools
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine, pieces
from alsolike.errors import DataError
from alsolike.models.base import Doubles, Floats, Indices, Rows
from alsolike.models.cold_items import with_cold_items
from alsolike.models.feature_vectors import (
    column_scales,
    expect_blocks,
    unit_rows,
    vectors_of,
)
from alsolike.models.history_model import HistoryModel, weights_of_likes
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.models.protocols import Contributions
from alsolike.models.similarity.config import SimilarityScale

# The items whose features are suggested for an item, and how many of all must have a feature.
_NEAREST, _FEWEST = 50, 2
_CELLS = 1 << 22  # of dense profiles at once, 32 MiB


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemProfileModel(HistoryModel):
    """Scores an item by the dot product of its vector and the user's profile.

    A profile is the sum of the vectors of the items that a user likes, each times the weight of the
    like. Dislikes do not count. Items without likes are scored as all others are.

    Parameters
    ----------
    users, items, item_counts, catalogue, history, config, item_features, user_features
        As of every `HistoryModel`; `item_features` are never None.
    scales : float64, (n_features,)
        What each column of the features weighs, see `alsolike.models.feature_vectors`.
    """

    name: ClassVar[str] = "item-profile"
    score_of_nothing: ClassVar[float | None] = 0.0
    scores_whole_rows: ClassVar[bool] = True

    scales: Doubles
    config: ItemProfileConfig

    @functools.cached_property
    def item_vectors(self) -> sp.csr_array:
        """The weighed features of all items, CSR of float64, (n_items, n_features)."""
        known = self._features
        return vectors_of(known.matrix, known.blocks, self.scales)

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Multiply profiles and items, in float64."""
        return self._products(self._pulls(likes, ages) @ self.item_vectors, item_indices)

    @property
    def similarity(self) -> SimilarityScale:
        """The cosine of the items' features."""
        return SimilarityScale("the cosine of features", 1.0)

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the cosines of features; -inf where they are not above 0."""
        cosines = (self._directions[item_indices] @ self._turned_directions).toarray()
        return _above_zero(cosines[:, other_indices])

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Return the weights of likes, and the products of the vectors of items and likes."""
        near = (self.item_vectors[items] @ self.item_vectors[likes].T).toarray()
        pulls = weights_of_likes(likes, values, self.item_counts, self.config.value_weights, ages)
        return Contributions(pulls, near)

    def shared_features(self, likes: Indices, values: Floats, item: int) -> list[tuple[int, float]]:
        """Return the columns that the item shares with the profile, and what each adds."""
        pulls = weights_of_likes(likes, values, self.item_counts, self.config.value_weights)
        profile = sp.csr_array(pulls[None]) @ self.item_vectors[likes]
        shared = sp.coo_array(profile.multiply(self.item_vectors[[item]]))
        found = zip(shared.coords[1].tolist(), shared.data.tolist(), strict=True)
        return sorted(found, key=lambda one: (-one[1], one[0]))

    def item_scores_of_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for rows of features as for a user who likes one item with these."""
        wanted = vectors_of(sp.csr_array(features), self._features.blocks, self.scales)
        return self._products(wanted, item_indices)

    def feature_scores(self, item_indices: Rows) -> Floats:
        """Score features by the cosines of the nearest items that have them.

        Of the 50 nearest, whether they have likes or not; -inf for features of a single item.
        """
        near = self._directions[item_indices] @ self._turned_directions
        near = _without(
            sp.csr_array(near), np.arange(len(self.items), dtype=np.int32)[item_indices]
        )
        near = _largest(near, _NEAREST)
        scores: Floats = (near @ self._has_feature).toarray().astype(np.float32)
        counts = np.bincount(self._has_feature.indices, minlength=self._features.n_features)
        scores[:, counts < _FEWEST] = -np.inf
        return scores

    def with_cold_items(self, items: FeatureTable, catalogue: Catalogue | None = None) -> Self:
        """Add items by their features; those that have likes stay as they are."""
        known = with_cold_items(self, items, catalogue)
        return replace(self, **known.fields(self))

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Weigh the features anew, by the items of other likes."""
        return self.of(train, self.config, scales=_scales(train, self.config))

    def _products(self, profiles: sp.csr_array, item_indices: slice) -> Floats:
        """Return the products of a few profiles at a time, dense, with the vectors of items.

        Each is summed in the order of the item's features, however many profiles there are.
        """
        chosen = slice(*item_indices.indices(len(self.items))[:2])
        is_whole = chosen == slice(0, len(self.items))
        vectors = self.item_vectors if is_whole else self.item_vectors[chosen]
        scores = np.empty((profiles.shape[0], vectors.shape[0]), dtype=np.float32)
        for some in pieces(len(scores), max(_CELLS // max(vectors.shape[1], 1), 1)):
            dense = np.ascontiguousarray(profiles[some].toarray().T)
            scores[some] = (vectors @ dense).T
        return scores

    @property
    def _features(self) -> Features:
        return expected_features(self.item_features)

    @functools.cached_property
    def _directions(self) -> sp.csr_array:
        """The vectors of items, each of length 1."""
        return unit_rows(self.item_vectors)

    @functools.cached_property
    def _turned_directions(self) -> sp.csr_array:
        return self._directions.T.tocsr()

    @functools.cached_property
    def _has_feature(self) -> sp.csr_array:
        """Ones where an item has a word, CSR of float64, (n_items, n_features)."""
        known = self._features
        widths = [len(block.names) for block in known.blocks]
        is_word = np.repeat([block.is_of_words for block in known.blocks], widths)
        has = sp.csr_array(known.matrix, dtype=np.float64, copy=True)
        has.data = ((has.data > 0) & is_word[has.indices]).astype(np.float64)
        has.eliminate_zeros()
        return has

    def __repr__(self) -> str:
        return (
            f"ItemProfileModel({len(self.users):,} users, {len(self.items):,} items, "
            f"{self._features.n_features:,} features)"
        )


def fit_item_profile(train: Interactions, config: ItemProfileConfig) -> ItemProfileModel:
    """Weigh the features of items by how few of the items with likes have them.

    Parameters
    ----------
    train : Interactions
        With features of items.
    config : ItemProfileConfig

    Raises
    ------
    DataError
        There are no features of items.
    SettingError
        A weight is of no block.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "bob", "bob"], ["m1", "m2", "m3"])
    >>> tags = Features.of_words("tag", [["folk"], ["rock"], ["rock", "folk"]])
    >>> model = fit_item_profile(replace(likes, item_features=tags), ItemProfileConfig())
    >>> model.scores(slice(None), slice(None)).round(1)
    array([[1. , 0. , 0.7],
           [0.7, 1.7, 1.7]], dtype=float32)
    """
    return ItemProfileModel.of(train, config, scales=_scales(train, config))


def _scales(train: Interactions, config: ItemProfileConfig) -> Doubles:
    features = expected_features(train.item_features)
    expect_blocks(config.weights, [features])
    return column_scales(features, train.like_counts > 0, config.rarity_exponent, config.weights)


def expected_features(features: Features | None) -> Features:
    """Return features of items; raise DataError if there are none."""
    if features is None:
        raise DataError(
            "item-profile scores items by their features, and these interactions have none. Read "
            "them with features, or choose another family."
        )
    return features


def _above_zero(cosines: Doubles) -> Floats:
    """Return float32 scores, -inf where they are not above 0."""
    found: Floats = cosines.astype(np.float32)
    found[~(found > 0)] = -np.inf
    return found


def _without(near: sp.csr_array, own: Indices) -> sp.csr_array:
    """Leave out of each row the column of that number."""
    rows = np.repeat(own, np.diff(near.indptr))
    near.data[near.indices == rows] = 0.0
    near.eliminate_zeros()
    return near


def _largest(near: sp.csr_array, most: int) -> sp.csr_array:
    """Keep the largest values of each row; of equal ones, those of the first columns."""
    rows = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
    order = np.lexsort((near.indices, -near.data, rows))
    place = np.arange(near.nnz) - np.repeat(near.indptr[:-1], np.diff(near.indptr))
    kept = order[place < most]
    return sp.csr_array(
        sp.coo_array((near.data[kept], (rows[kept], near.indices[kept])), shape=near.shape)
    )
