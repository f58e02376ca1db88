"""The families bpr and warp; only training loads the compiler."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.pairwise.config import BPRConfig, PairwiseConfig, WARPConfig
from alsolike.models.pairwise.model import BPRModel, PairwiseModel, WARPModel
from alsolike.models.pairwise.squares import Squares


class PairwiseFamily(Family):
    """Factors learned from pairs of a like and another item."""

    model: ClassVar[type[Any]]
    scored: ClassVar[Literal["sweeps", "end"]] = "sweeps"
    goes_on: ClassVar[bool] = True
    advice: ClassVar[str] = "Try more iterations, and another learning_rate."

    def iterate(self, data: TrainingData, config: Any, **how: Any) -> Iterator[FittedModel]:
        """Yield a model after each epoch, see `alsolike.models.pairwise.train.iterate`."""
        from alsolike.models.pairwise import train  # noqa: PLC0415 - brings the compiler

        return train.iterate(data.interactions, config, self.model, **how)

    def fit(self, data: TrainingData, config: Any, **how: Any) -> FittedModel:
        """Return the last model, without one of each epoch in memory."""
        from alsolike.models.pairwise import train  # noqa: PLC0415 - brings the compiler

        model: FittedModel = train.fit(data.interactions, config, self.model, **how)
        return model

    def pack(self, model: PairwiseModel) -> Arrays:
        """Return both matrices of factors, and the squares that training continues with."""
        return {
            "user_factors": model.user_factors,
            "item_factors": model.item_factors,
            "user_squares": model.squares.users,
            "item_squares": model.squares.items,
            "bias_squares": model.squares.biases,
        }

    def unpack(self, arrays: BundleArrays, known: Known) -> PairwiseModel:
        """Build the model and check its settings, which fold in."""
        self.config.from_settings(known.settings)
        n_users, n_items = len(known.users), len(known.items)
        users = arrays.finite("user_factors", np.float32, n_users, known.factors)
        items = arrays.finite("item_factors", np.float32, n_items, users.shape[1])
        squares = Squares(
            *(
                arrays.finite(f"{name}_squares", np.float32, n)
                for name, n in (("user", n_users), ("item", n_items), ("bias", n_items))
            )
        )
        model: PairwiseModel = self.model(
            **known.of_factors(), user_factors=users, item_factors=items, squares=squares
        )
        return model

    def cost(self, config: PairwiseConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of factors, biases and squares."""
        return 4.0 * (config.factors + 2) * (n_users + n_items)

    def memory(self, data: TrainingData, config: PairwiseConfig, threads: int) -> int:
        """Add the factors that a model copies, likes as dealt, and what an epoch draws."""
        train = data.interactions
        return int(2 * self.cost(config, train.n_users, train.n_items)) + self.held(data, config)

    def held(self, data: TrainingData, config: PairwiseConfig) -> int:
        """Return the bytes of likes twice, perhaps with weights, and of numbers for each row."""
        train, weighs = data.interactions, not config.value_weights.are_ones
        return (16 if weighs else 8) * train.n_interactions + 64 * (train.n_users + train.n_items)

    def factors(self, config: PairwiseConfig) -> int:
        """Return the number of factors, without the column of the biases."""
        return config.factors

    def code(self, config: PairwiseConfig, train: Interactions) -> tuple[Any, ...]:
        """Return the only key: the kernels are the same for all settings of both families."""
        return ("pairwise",)

    def kernels(self, config: PairwiseConfig) -> Sequence[Any]:
        """Return the kernels that deal likes, and learn from them."""
        from alsolike.kernels.pairwise.blocks import deal_likes  # noqa: PLC0415 - the compiler
        from alsolike.kernels.pairwise.steps import learn_block  # noqa: PLC0415

        return deal_likes, learn_block

    def small(self, code: tuple[Any, ...]) -> PairwiseConfig:
        """Return settings of a short training."""
        config: PairwiseConfig = self.config(factors=8, iterations=1)
        return config


class BPRFamily(PairwiseFamily):
    """Bayesian personalized ranking: likes above other items."""

    name: ClassVar[str] = "bpr"
    config: ClassVar[type[Any]] = BPRConfig
    model: ClassVar[type[Any]] = BPRModel

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[BPRConfig]:
        """Return some configurations; docs/decisions/0037-pairwise.md has what they reach."""
        return [
            BPRConfig(learning_rate=rate, user_regularization=ridge, item_regularization=3 * ridge,
                      candidates=candidates, seed=seed)
            for rate in (0.05, 0.1)
            for ridge in (0.002, 0.007)
            for candidates in (4, 16)
        ]  # fmt: skip


class WARPFamily(PairwiseFamily):
    """Weighted approximate-rank pairwise loss: likes at the top of lists."""

    name: ClassVar[str] = "warp"
    config: ClassVar[type[Any]] = WARPConfig
    model: ClassVar[type[Any]] = WARPModel

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[WARPConfig]:
        """Return some configurations; docs/decisions/0037-pairwise.md has what they reach."""
        return [
            WARPConfig(learning_rate=rate, user_regularization=ridge,
                       item_regularization=3 * ridge, max_sampled=most, seed=seed)
            for rate in (0.02, 0.04)
            for ridge in (0.002, 0.007)
            for most in (30, 100)
        ]  # fmt: skip
