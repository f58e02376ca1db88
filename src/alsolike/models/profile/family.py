"""The family item-profile."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from alsolike.models.arrays import BundleArrays, BundleFault
from alsolike.models.base import FittedModel
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.feature_vectors import weighable
from alsolike.models.profile.config import ItemProfileConfig
from alsolike.models.profile.model import (
    ItemProfileModel,
    expected_features,
    fit_item_profile,
)
from alsolike.models.values import forms_to_try

# Of a cell of the features: a number and an index, as vectors of items and turned, twice.
_BYTES_PER_CELL = 64
_CELLS_PER_ITEM = 20  # where no features are at hand to be counted
_EXPONENTS = (1.0, 1.5, 2.0)
# What a search multiplies the weight of one block by, if there are two to so many.
_FACTORS = (0.3, 3.0)


class ItemProfileFamily(Family):
    """Profiles of features: items like those that a user likes, by tags, texts and vectors."""

    name: ClassVar[str] = "item-profile"
    config: ClassVar[type[Any]] = ItemProfileConfig
    model: ClassVar[type[FittedModel]] = ItemProfileModel
    uses_features: ClassVar[bool] = True
    needs_features: ClassVar[bool] = True

    def train(self, data: TrainingData, config: ItemProfileConfig, **how: Any) -> ItemProfileModel:
        """Count how many items have each feature."""
        return fit_item_profile(data.interactions, config)

    def pack(self, model: ItemProfileModel) -> Arrays:
        """Return what each column of the features weighs."""
        return {"scales": model.scales}

    def unpack(self, arrays: BundleArrays, known: Known) -> ItemProfileModel:
        """Return the model of these weights."""
        features = known.item_features
        if features is None:
            raise BundleFault(arrays.file, "features of items expected, and missing")
        scales = arrays.finite("scales", np.float64, features.n_features)
        return ItemProfileModel(**known.of_history(ItemProfileConfig), scales=scales)

    def cost(self, config: ItemProfileConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of some twenty features of each item."""
        return 12.0 * _CELLS_PER_ITEM * n_items

    def memory(self, data: TrainingData, config: ItemProfileConfig, threads: int) -> int:
        """Return the bytes of the vectors of items, by items and by features."""
        features = data.interactions.item_features
        if features is None:
            return _BYTES_PER_CELL * _CELLS_PER_ITEM * data.interactions.n_items
        return int(_BYTES_PER_CELL * features.matrix.nnz)

    def refuse(self, data: TrainingData, config: ItemProfileConfig) -> None:
        """Raise DataError if the items have no features."""
        expected_features(data.interactions.item_features)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ItemProfileConfig]:
        """Return exponents of rarity, and weights of single blocks if there are few."""
        found = [ItemProfileConfig(rarity_exponent=exponent) for exponent in _EXPONENTS]
        features = data.interactions.item_features
        names = [] if features is None else weighable(features)
        found += [
            ItemProfileConfig(weights={name: factor}) for name in names for factor in _FACTORS
        ]
        return found

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ItemProfileConfig]:
        """Return the same for all exponents, also on logarithms where values differ."""
        forms = forms_to_try(data.interactions.user_items.data)
        usual = self.search_space(data, seed=seed)
        weights = dict.fromkeys(one.weights for one in usual)
        grid = [
            replace(usual[0], rarity_exponent=exponent, weights=weight, values=form.values,
                    value_scale=form.value_scale)
            for form in forms
            for weight in weights
            for exponent in (0.5, *_EXPONENTS)
        ]  # fmt: skip
        return [*usual, *(one for one in grid if one not in usual)]

    def is_tried(self, data: TrainingData) -> bool:
        """Return True where items have features."""
        return data.interactions.item_features is not None

    def why_tried(self, data: TrainingData) -> str:
        """Name the features."""
        return "since items have features"
