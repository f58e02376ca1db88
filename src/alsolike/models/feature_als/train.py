"""Training of feature-aware ALS: each side is solved, then regressed on its features."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.als.gramian_basis import turned
from alsolike.models.als.half_sweep import Side
from alsolike.models.als.train import Training
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.feature_als.model import FeatureALSModel, FeatureFactors
from alsolike.models.feature_als.ridge import Ridge
from alsolike.models.feature_vectors import column_scales, expect_blocks, vectors_of
from alsolike.models.sweeps import last_model_of, models_of
from alsolike.progress import SILENT, Observer

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def iterate(
    train: Interactions,
    config: FeatureALSConfig,
    *,
    start: FeatureALSModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[FeatureALSModel]:
    """Yield a usable model after each sweep; parameters and errors are those of ALS.

    References
    ----------
    The rows are those of `alsolike.models.als.train.iterate` with a prior, see
    `alsolike.models.als.prior`; the regression alternates with them.
    """
    training = FeatureTraining(train, config, start, engine or LocalEngine())
    yield from models_of(training, config.iterations, observer)


def fit(
    train: Interactions,
    config: FeatureALSConfig,
    *,
    start: FeatureALSModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> FeatureALSModel:
    """Return the last model of `iterate`, without one of each sweep in memory."""
    training = FeatureTraining(train, config, start, engine or LocalEngine())
    return last_model_of(training, config.iterations, observer)


class FeatureTraining(Training):
    """The training of ALS whose rows are pulled to what their features predict."""

    def __init__(
        self,
        train: Interactions,
        config: FeatureALSConfig,
        start: FeatureALSModel | None,
        engine: Engine,
    ) -> None:
        super().__init__(train, config, start, engine)
        expect_blocks(config.weights, (train.item_features, train.user_features))
        self._regressions: dict[Literal["user", "item"], _Regression] = {}
        for side, features in (
            (self._item_side, train.item_features),
            (self._user_side, train.user_features),
        ):
            if features is not None and features.matrix.nnz:
                known = None if start is None else start.factors_of(side.kind)
                self._regressions[side.kind] = _Regression(side, features, config, known, engine)

    def _basis_changed(self, basis: Doubles) -> None:
        for one in self._regressions.values():
            one.coefficients = turned(one.coefficients, basis, self._engine)

    def _prior_of(self, side: Literal["user", "item"]) -> Floats | None:
        own = self._regressions.get(side)
        return None if own is None else own.predictions()

    def _solved(self, side: Literal["user", "item"], factors: Floats) -> None:
        if side in self._regressions:
            self._regressions[side].learn(factors)

    def model(self) -> FeatureALSModel:
        """Return the current model, with factors of rows without likes from their features."""
        plain = super().model()
        item, user = self._regressions.get("item"), self._regressions.get("user")
        own = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
        if item is not None:
            own["item_factors"] = item.with_cold_rows(plain.item_factors)
        if user is not None:
            own["user_factors"] = user.with_cold_rows(plain.user_factors)
        return FeatureALSModel(
            **{**own, "name": FeatureALSModel.name},
            of_item_features=None if item is None else item.factors,
            of_user_features=None if user is None else user.factors,
        )


class _Regression:
    """The regression of one side, and its current coefficients."""

    def __init__(
        self,
        side: Side,
        features: Features,
        config: FeatureALSConfig,
        known: FeatureFactors | None,
        engine: Engine,
    ) -> None:
        self._occupied = np.diff(side.matrix.indptr) > 0
        self._features = features
        self._scales = column_scales(
            features, self._occupied, config.rarity_exponent, config.weights
        )
        vectors = vectors_of(features.matrix, features.blocks, self._scales).astype(np.float32)
        weights = np.where(self._occupied, side.regularization, 0.0)
        mean = float(side.regularization[self._occupied].mean()) if self._occupied.any() else 1.0
        penalty = mean * config.feature_regularization(side.kind)
        self._ridge = Ridge(vectors, weights, penalty, engine)
        self.coefficients = np.zeros((features.n_features, config.factors), dtype=np.float32)
        if known is not None and known.coefficients.shape == self.coefficients.shape:
            self.coefficients = known.coefficients

    @property
    def factors(self) -> FeatureFactors:
        """What a model keeps of it."""
        return FeatureFactors(self.coefficients, self._scales)

    def predictions(self) -> Floats:
        """Return what the features predict for each row, float32, (n_rows, factors)."""
        return self._ridge.predict(self.coefficients)

    def learn(self, factors: Floats) -> None:
        """Fit the coefficients to the factors of the rows with likes."""
        self.coefficients = self._ridge.fit(factors, self.coefficients)

    def with_cold_rows(self, factors: Floats) -> Floats:
        """Return factors with those of rows without likes, from their features."""
        cold = ~self._occupied
        if not cold.any():
            return factors
        filled = factors.copy()
        # As `with_cold_items` does, to the byte.
        filled[cold] = self.factors.predict(self._features.take(np.flatnonzero(cold)))
        filled.flags.writeable = False
        return filled
