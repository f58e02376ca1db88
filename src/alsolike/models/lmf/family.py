"""The family of logistic matrix factorization; nothing of it needs the compiler."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.lmf.config import LMFConfig
from alsolike.models.lmf.model import LMFModel

# Bytes of the blocks of one thread: a million cells, six times, at most twice as many in float64.
_BLOCKS = 12 * 4 * (1 << 20)


class LMFFamily(Family):
    """Logistic matrix factorization, with exact gradients."""

    name: ClassVar[str] = "lmf"
    config: ClassVar[type[Any]] = LMFConfig
    model: ClassVar[type[FittedModel]] = LMFModel
    advice: ClassVar[str] = "Try another regularization, or a larger alpha."

    def train(self, data: TrainingData, config: LMFConfig, **how: Any) -> LMFModel:
        """Return the model of `alsolike.models.lmf.train.fit_lmf`."""
        from alsolike.models.lmf.train import fit_lmf  # noqa: PLC0415 - not to load a model

        return fit_lmf(data.interactions, config, **how)

    def pack(self, model: LMFModel) -> Arrays:
        """Return both matrices of factors and biases, and the weights of items."""
        return {
            "user_factors": model.user_factors,
            "item_factors": model.item_factors,
            "item_weights": model.item_weights,
        }

    def unpack(self, arrays: BundleArrays, known: Known) -> LMFModel:
        """Build the model and check its settings, which fold in."""
        config = LMFConfig.from_settings(known.settings)
        width = config.factors + 2
        users = arrays.finite("user_factors", np.float32, len(known.users), width)
        items = arrays.finite("item_factors", np.float32, len(known.items), width)
        weights = arrays.finite("item_weights", np.float64, len(known.items))
        arrays.expect(bool((weights >= 0).all()), "item_weights", "weights of at least 0")
        return LMFModel(
            **known.of_factors(), user_factors=users, item_factors=items, item_weights=weights
        )

    def cost(self, config: LMFConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of both matrices of factors."""
        return 4.0 * (config.factors + 2) * (n_users + n_items)

    def memory(self, data: TrainingData, config: LMFConfig, threads: int) -> int:
        """Estimate the bytes of factors three times, of likes by item, and of blocks."""
        train = data.interactions
        factors = int(3 * self.cost(config, train.n_users, train.n_items))
        widest = 8 * 12 * max(train.n_users, train.n_items)
        return factors + 24 * train.n_interactions + threads * max(_BLOCKS, widest)

    def factors(self, config: LMFConfig) -> int:
        """Return the columns of both factor matrices, without biases."""
        return config.factors

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[LMFConfig]:
        """Return settings less and more regularized, with likes that weigh little and much."""
        return [
            LMFConfig(regularization=regularization, alpha=alpha, seed=seed)
            for alpha in (1.0, 4.0)
            for regularization in (3.0, 6.0, 12.0)
        ]

    @property
    def growth(self) -> float:
        """Two, with as many more users: the time grows with users x items."""
        return 2.0
