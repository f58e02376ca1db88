"""The family of explicit ALS; only training loads the compiler."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.explicit_als.model import ExplicitALSModel
from alsolike.models.family import Arrays, Family, Known, TrainingData


class ExplicitALSFamily(Family):
    """Factors and biases that predict ratings, by alternating least squares."""

    name: ClassVar[str] = "explicit-als"
    config: ClassVar[type[Any]] = ExplicitALSConfig
    model: ClassVar[type[FittedModel]] = ExplicitALSModel
    scored: ClassVar[Literal["sweeps", "end"]] = "sweeps"
    goes_on: ClassVar[bool] = True
    predicts_ratings: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Its scores are predicted ratings: values that are all alike teach it nothing."
    )

    def iterate(
        self, data: TrainingData, config: ExplicitALSConfig, **how: Any
    ) -> Iterator[FittedModel]:
        """Yield a model after each sweep, see `alsolike.models.explicit_als.train.iterate`."""
        from alsolike.models.explicit_als import train  # noqa: PLC0415 - brings the compiler

        return train.iterate(data.interactions, config, **how)

    def pack(self, model: ExplicitALSModel) -> Arrays:
        """Return both matrices of factors, and the mean and range of the ratings."""
        return {
            "user_factors": model.user_factors,
            "item_factors": model.item_factors,
            "ratings": model.ratings,
        }

    def unpack(self, arrays: BundleArrays, known: Known) -> ExplicitALSModel:
        """Build the model and check its settings, which fold in and explain."""
        columns = ExplicitALSConfig.from_settings(known.settings).columns
        return ExplicitALSModel(
            **known.of_factors(),
            user_factors=arrays.finite("user_factors", np.float32, len(known.users), columns),
            item_factors=arrays.finite("item_factors", np.float32, len(known.items), columns),
            ratings=arrays.finite("ratings", np.float64, 3),
        )

    def cost(self, config: ExplicitALSConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of both matrices of factors."""
        return 4.0 * config.columns * (n_users + n_items)

    def memory(self, data: TrainingData, config: ExplicitALSConfig, threads: int) -> int:
        """Estimate the bytes of rows (those of one side three times), targets and threads."""
        train, f = data.interactions, config.columns + 8
        rows = 4 * f * (train.n_users + train.n_items + 2 * max(train.n_users, train.n_items))
        held = self.held(data, config)
        return (
            held + rows + 4 * train.n_interactions + threads * (16 * f * f + 2048 * f + (1 << 19))
        )

    def held(self, data: TrainingData, config: ExplicitALSConfig) -> int:
        """Return the bytes held between sweeps: three numbers a row."""
        return 3 * 8 * (data.interactions.n_users + data.interactions.n_items)

    def factors(self, config: ExplicitALSConfig) -> int:
        """Return the number of factors without biases."""
        return config.factors

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ExplicitALSConfig]:
        """Return settings with more and with less regularization, and biases alone."""
        return [
            ExplicitALSConfig(factors=factors, regularization=regularization, seed=seed)
            for factors in (8, 32, 64)
            for regularization in (0.05, 0.08, 0.12, 0.2)
        ]

    def rating_baselines(self, *, seed: int = 0) -> Sequence[ExplicitALSConfig]:
        """Return biases alone."""
        return [ExplicitALSConfig(factors=0, seed=seed)]

    def why_tried(self, data: TrainingData) -> str:
        """Say when it is tried."""
        return "where ratings are predicted"

    def code(self, config: ExplicitALSConfig, train: Interactions) -> tuple[Any, ...] | None:
        """Return whether there are more than small systems, and some that need float64."""
        from alsolike.kernels.solver.batch import SMALL  # noqa: PLC0415 - the compiler

        return (config.factors + config.biases > SMALL,)

    def kernels(self, config: ExplicitALSConfig) -> Sequence[Any]:
        """Return the kernels of the solver."""
        from alsolike.kernels.solver.batch import SMALL, solve_small  # noqa: PLC0415 - the compiler
        from alsolike.kernels.solver.single import solve_single  # noqa: PLC0415

        many = config.factors + config.biases > SMALL
        return (solve_small, solve_single) if many else (solve_small,)

    def small(self, code: tuple[Any, ...]) -> ExplicitALSConfig:
        """Return settings whose training needs that code."""
        from alsolike.kernels.solver.batch import SMALL  # noqa: PLC0415 - the compiler

        (many,) = code
        return ExplicitALSConfig(factors=SMALL + 8 if many else 8, iterations=1)
