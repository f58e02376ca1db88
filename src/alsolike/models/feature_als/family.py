"""The family of feature-aware ALS; only training loads the compiler."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np

from alsolike.data.features.features import Features
from alsolike.models.als.config import ALSConfig, unobserved_weight_of
from alsolike.models.als.family import ALSFamily, factors_of_als
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.family import Arrays, Known, TrainingData
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.feature_als.model import FeatureALSModel, FeatureFactors
from alsolike.models.feature_vectors import block_weights, weighable

_SIDES = ("item", "user")


class FeatureALSFamily(ALSFamily):
    """Alternating least squares with a prior from features of items and users."""

    name: ClassVar[str] = "feature-als"
    config: ClassVar[type[Any]] = FeatureALSConfig
    model: ClassVar[type[FittedModel]] = FeatureALSModel
    builds_on_others: ClassVar[bool] = True
    uses_features: ClassVar[bool] = True

    def iterate(self, data: TrainingData, config: Any, **how: Any) -> Iterator[FittedModel]:
        """Yield a model after each sweep, see `alsolike.models.feature_als.train.iterate`."""
        from alsolike.models.feature_als import train  # noqa: PLC0415 - brings the compiler

        return train.iterate(data.interactions, config, **how)

    def fit(self, data: TrainingData, config: Any, **how: Any) -> FittedModel:
        """Return the last model, without one of each sweep in memory."""
        from alsolike.models.feature_als import train  # noqa: PLC0415 - brings the compiler

        return train.fit(data.interactions, config, **how)

    def pack(self, model: FeatureALSModel) -> Arrays:  # type: ignore[override]
        """Return the arrays of ALS, and of either side the factors and weights of features."""
        arrays = dict(super().pack(model))
        for side in _SIDES:
            own = model.factors_of(side)  # type: ignore[arg-type]
            if own is not None:
                arrays[f"{side}_features.factors"] = own.coefficients
                arrays[f"{side}_features.weights"] = own.scales
        return arrays

    def unpack(self, arrays: BundleArrays, known: Known) -> FeatureALSModel:
        """Build the model and check its settings, which fold in and explain."""
        FeatureALSConfig.from_settings(known.settings)
        own = factors_of_als(arrays, known)
        width = own["user_factors"].shape[1]
        for side, features in (("item", known.item_features), ("user", known.user_features)):
            if features is not None and f"{side}_features.factors" in arrays:
                own[f"of_{side}_features"] = _factors(arrays, side, features, width)
        return FeatureALSModel(**known.of_factors(), **own)

    def memory(self, data: TrainingData, config: ALSConfig, threads: int) -> int:
        """Add the factors of features five times, and predictions for all rows three times."""
        total = super().memory(data, config, threads)
        train = data.interactions
        for features in (train.item_features, train.user_features):
            if features is not None:
                rows = 5 * features.n_features + 3 * features.n_rows
                total += 4 * config.factors * rows + 40 * features.matrix.nnz
                total += 4 * train.n_interactions
        return total

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[FeatureALSConfig]:
        """Return settings by how many cells are filled, with features that count more and less.

        They also serve where most of what is asked for has no likes, so that the best settings of
        ALS say nothing.
        """
        if not self.is_tried(data):
            return [FeatureALSConfig(seed=seed)]
        return _space(data, _REGULARIZATIONS, factors=_FACTORS, seed=seed)

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[FeatureALSConfig]:
        """Return the same with more regularizations and twice the factors."""
        if not self.is_tried(data):
            return [FeatureALSConfig(seed=seed)]
        return [
            *_space(data, _REGULARIZATIONS, factors=_FACTORS, seed=seed),
            *_space(data, (0.001, *_REGULARIZATIONS, 0.03), factors=2 * _FACTORS, seed=seed),
        ]

    def combinations(
        self,
        data: TrainingData,
        best: Sequence[tuple[Any, float]],
        tried: Sequence[tuple[Any, float]],
    ) -> Sequence[FeatureALSConfig]:
        """Return the best settings of ALS with features that count more and less.

        The prior takes over a part of what the regularization does, so that more of it is tried
        too. Then, or if features are better from the start, those with more factors, and with each
        of several blocks or sides counting more and less.
        """
        if not self.is_tried(data) or any(_is_refined(config) for config, _ in tried):
            return []
        own = [config for config, _ in best if type(config) in (ALSConfig, FeatureALSConfig)]
        if not own:
            return []
        if tried:
            return _refined(max(tried, key=lambda one: one[1])[0], data)  # of equals, the first
        if isinstance(own[0], FeatureALSConfig):
            return _refined(own[0], data)
        plain = {one.name: getattr(own[0], one.name) for one in fields(own[0])}
        return [
            FeatureALSConfig(
                **{**plain, "regularization": times * own[0].regularization},
                item_feature_regularization=strength,
                user_feature_regularization=strength,
            )
            for times, strength in _BESIDE_ALS
        ]

    def similar_space(self, data: TrainingData) -> Sequence[ALSConfig]:
        """Return nothing: that of ALS is tried already."""
        return []

    def is_tried(self, data: TrainingData) -> bool:
        """Return whether items or users have features."""
        train = data.interactions
        return train.item_features is not None or train.user_features is not None

    def why_tried(self, data: TrainingData) -> str:
        """Say what it needs."""
        return "where items or users have features"

    def small(self, code: tuple[Any, ...]) -> FeatureALSConfig:
        """Return settings whose training needs that code."""
        small = super().small(code)
        return FeatureALSConfig(**{one.name: getattr(small, one.name) for one in fields(small)})


# Empty cells of an average user weigh so many times what his likes weigh.
_EMPTY_TO_FILLED = (5.0, 15.0)
_REGULARIZATIONS = (0.003, 0.01)
_FACTORS, _MOST_FACTORS = 128, 512
# Times the mean of lambda_i: the larger, the less features count.
_STRENGTHS = (0.1, 1.0)
# Lambda, in units of that of ALS, and the same strengths.
_BESIDE_ALS = ((1.0, 100.0), (1.0, 10.0), (2.0, 10.0), (2.0, 1.0))
_CHANGES, _WEIGHTS = (0.1, 10.0), (0.3, 3.0)


def _space(
    data: TrainingData, regularizations: Sequence[float], *, factors: int, seed: int
) -> list[FeatureALSConfig]:
    train = data.interactions
    return [
        FeatureALSConfig(
            factors=factors, unobserved_weight=unobserved_weight_of(train, ratio),
            regularization=regularization, seed=seed,
            item_feature_regularization=strength, user_feature_regularization=strength,
        )
        for ratio in _EMPTY_TO_FILLED
        for regularization in regularizations
        for strength in _STRENGTHS
    ]  # fmt: skip


def _is_refined(config: FeatureALSConfig) -> bool:
    """Tell whether settings are of the last step of `combinations`."""
    sides = config.item_feature_regularization, config.user_feature_regularization
    return bool(config.weights) or sides[0] != sides[1] or config.factors >= 2 * _FACTORS


def _refined(found: FeatureALSConfig, data: TrainingData) -> list[FeatureALSConfig]:
    """Return the settings with twice the factors, and with parts of the features changed."""
    may_grow = found.factors <= _MOST_FACTORS // 2
    larger = [replace(found, factors=2 * found.factors)] if may_grow else []
    return [*larger, *_by_block(found, data), *_by_side(found, data)]


def _by_block(found: FeatureALSConfig, data: TrainingData) -> Iterator[FeatureALSConfig]:
    """Yield the settings with each of several blocks counting more and less."""
    for features in (data.interactions.item_features, data.interactions.user_features):
        for name in () if features is None else weighable(features):
            for change in _WEIGHTS:
                yield replace(found, weights={**block_weights(found.weights), name: change})


def _by_side(found: FeatureALSConfig, data: TrainingData) -> Iterator[FeatureALSConfig]:
    """Yield the settings with the features of one side counting more and less."""
    train = data.interactions
    if train.item_features is None or train.user_features is None:
        return
    for change in _CHANGES:
        yield replace(found, item_feature_regularization=found.item_feature_regularization * change)
        yield replace(found, user_feature_regularization=found.user_feature_regularization * change)


def _factors(arrays: BundleArrays, side: str, features: Features, width: int) -> FeatureFactors:
    """Take the factors and weights of the features of a side."""
    factors = arrays.finite(f"{side}_features.factors", np.float32, features.n_features, width)
    scales = arrays.finite(f"{side}_features.weights", np.float64, features.n_features)
    return FeatureFactors(factors, scales)
