"""The families of ALS and of given factors; only training loads the compiler."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.model import ALSModel
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.factor_model import FactorModel
from alsolike.models.family import Arrays, Family, Known, TrainingData

_NONNEGATIVE = "nonnegative"  # in place of a solver


class ALSFamily(Family):
    """Weighted regularized matrix factorization by alternating least squares."""

    name: ClassVar[str] = "als"
    config: ClassVar[type[Any]] = ALSConfig
    model: ClassVar[type[FittedModel]] = ALSModel
    scored: ClassVar[Literal["sweeps", "end"]] = "sweeps"
    goes_on: ClassVar[bool] = True
    advice: ClassVar[str] = (
        "Try a smaller regularization or a larger alpha, and more than a few factors."
    )

    def iterate(self, data: TrainingData, config: ALSConfig, **how: Any) -> Iterator[FittedModel]:
        """Yield a model after each sweep, see `alsolike.models.als.train.iterate`."""
        from alsolike.models.als import train as als  # noqa: PLC0415 - brings the compiler

        return als.iterate(data.interactions, config, **how)

    def fit(self, data: TrainingData, config: ALSConfig, **how: Any) -> FittedModel:
        """Return the last model, without one of each sweep in memory."""
        from alsolike.models.als import train as als  # noqa: PLC0415 - brings the compiler

        return als.fit(data.interactions, config, **how)

    def pack(self, model: ALSModel) -> Arrays:
        """Return both matrices of factors, and the eigenvalues of the items' Gramian."""
        return {
            "user_factors": model.user_factors,
            "item_factors": model.item_factors,
            "eigenvalues": model.eigenvalues,
        }

    def unpack(self, arrays: BundleArrays, known: Known) -> ALSModel:
        """Build the model and check its settings, which fold in and explain."""
        ALSConfig.from_settings(known.settings)
        return ALSModel(**known.of_factors(), **factors_of_als(arrays, known))

    def cost(self, config: ALSConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of both matrices of factors."""
        return 4.0 * config.factors * (n_users + n_items)

    def memory(self, data: TrainingData, config: ALSConfig, threads: int) -> int:
        """Estimate the bytes of factors (of users three times with momentum) and of threads.

        Each thread needs a system and the factors of a row's interactions, both perhaps in float64,
        eight small ones of these, and 8,192 rows of factors as float64.
        """
        train, f = data.interactions, config.factors
        users, items = 4 * f * train.n_users, 4 * f * train.n_items
        factors = 3 * users + items if config.momentum else users + items
        rows = min(threads * 8192, max(train.n_users, train.n_items))
        return (
            self.held(data, config)
            + factors
            + threads * (16 * f * f + 2048 * f + (1 << 19))
            + 8 * f * rows
        )

    def held(self, data: TrainingData, config: ALSConfig) -> int:
        """Return the bytes held between sweeps: amounts, ages, and three numbers a row."""
        train = data.interactions
        each = 8 if config.amounts_are_doubles else 4 * (config.values == "binary")
        ages = 0 if config.half_life is None else 8
        per_row = 3 * 8 * (train.n_users + train.n_items)
        weighed = 16 if config.nonnegative else 0  # weights and pulls of one side in float64
        return (2 * each + ages + weighed) * train.n_interactions + per_row

    def factors(self, config: ALSConfig) -> int:
        """Return the columns of both factor matrices."""
        return config.factors

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ALSConfig]:
        """Return nothing: `alsolike.tuning.presets` has a grid."""
        return []

    def similar_space(self, data: TrainingData) -> Sequence[ALSConfig]:
        """Return settings whose predictions are shares of people, whatever the values are.

        Evidence adds predictions to counts of people: a like counts as one, however large its
        value. On the tables of docs/decisions/0025-evidence.md one of these was the best of many,
        or close to it.
        """
        usual = ALSConfig(values="binary", confidence="additive", alpha=1.0, iterations=5)
        tried = (
            (64, 0.01, 0.01), (64, 0.03, 0.01), (64, 0.1, 0.01), (64, 0.03, 0.03),
            (256, 0.01, 0.01), (256, 0.03, 0.01),
        )  # fmt: skip
        return [
            replace(usual, factors=factors, unobserved_weight=weight, regularization=regularization)
            for factors, weight, regularization in tried
        ]

    def is_tried(self, data: TrainingData) -> bool:
        """Return True."""
        return True

    def effort(self, config: ALSConfig) -> float:
        """Return alpha: the larger it is, the more rows are solved in float64."""
        return config.alpha

    def code(self, config: ALSConfig, train: Interactions) -> tuple[Any, ...] | None:
        """Return the solver, what is in float64, and whether bases may be in float32."""
        from alsolike.models.als.half_sweep import MANY, may_need_float64  # noqa: PLC0415

        if config.nonnegative:  # in float64, whatever the table
            return _NONNEGATIVE, False, False, False
        loss_config = config.for_table(train).loss_config
        doubled = config.solver_config.is_exact and may_need_float64(
            train, loss_config, config.factors
        )
        return config.solver, config.amounts_are_doubles, doubled, config.factors >= MANY

    def kernels(self, config: ALSConfig) -> Sequence[Any]:
        """Return the kernels of the solver; some small systems also need that of single rows."""
        from alsolike.kernels.solver.batch import SMALL, solve_small  # noqa: PLC0415 - the compiler
        from alsolike.kernels.solver.conjugate_gradient import solve_cg  # noqa: PLC0415
        from alsolike.kernels.solver.nonnegative import solve_nonnegative  # noqa: PLC0415
        from alsolike.kernels.solver.single import solve_single  # noqa: PLC0415

        if config.nonnegative:
            return (solve_nonnegative,)
        if not config.solver_config.is_exact:
            return (solve_cg,)
        return (solve_small, solve_single) if config.factors > SMALL else (solve_small,)

    def small(self, code: tuple[Any, ...]) -> ALSConfig:
        """Return settings whose training needs that code, with more than small systems."""
        from alsolike.kernels.solver.batch import SMALL  # noqa: PLC0415 - the compiler
        from alsolike.models.als.half_sweep import MANY  # noqa: PLC0415

        solver, are_doubles, in_float64, many = code
        return ALSConfig(
            factors=MANY if many else SMALL + 8,
            iterations=1,
            unobserved_weight=1.0,
            regularization_exponent=0.0,
            alpha=1e8 if in_float64 else 1.0,
            # So little that the first basis of many factors is in float32, and the second is not.
            regularization=1e-3 if in_float64 or many else 1.0,
            solver="cg" if solver == "cg" else "exact",
            confidence="log" if are_doubles else "linear",
            nonnegative=solver == _NONNEGATIVE,
        )


class FactorsFamily(Family):
    """Factors made by other programs: ranked, compared, saved and served, but not trained."""

    name: ClassVar[str] = "factors"
    config: ClassVar[type[Any]] = dict
    model: ClassVar[type[FittedModel]] = FactorModel
    is_trained: ClassVar[bool] = False

    def pack(self, model: FactorModel) -> Arrays:
        """Return both matrices of factors."""
        return {"user_factors": model.user_factors, "item_factors": model.item_factors}

    def unpack(self, arrays: BundleArrays, known: Known) -> FactorModel:
        """Return the model."""
        both = _factors(arrays, known)
        if "eigenvalues" in arrays:  # format 1 had some of any factors
            arrays.finite("eigenvalues", np.float64, both["user_factors"].shape[1])
        return FactorModel(**known.of_factors(), **both)


def factors_of_als(arrays: BundleArrays, known: Known) -> dict[str, Any]:
    """Take both matrices of factors and the eigenvalues from the arrays."""
    both = _factors(arrays, known)
    values = arrays.finite("eigenvalues", np.float64, both["user_factors"].shape[1])
    return {**both, "eigenvalues": values}


def _factors(arrays: BundleArrays, known: Known) -> dict[str, Any]:
    """Take both matrices of factors from the arrays."""
    users = arrays.finite("user_factors", np.float32, len(known.users), known.factors)
    items = arrays.finite("item_factors", np.float32, len(known.items), users.shape[1])
    return {"user_factors": users, "item_factors": items}
