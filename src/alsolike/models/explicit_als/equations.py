"""Normal equations of one user in float64, to fold in and to explain. No Numba."""

from dataclasses import dataclass

import numpy as np

from alsolike.errors import FitError
from alsolike.models.als.normal_equations import checked_values
from alsolike.models.base import Doubles, Floats, Indices
from alsolike.models.explicit_als.config import ExplicitALSConfig


@dataclass(frozen=True, eq=False)
class RatingEquations:
    """The normal equations of one user: ``matrix @ solution = others' @ targets``.

    Parameters
    ----------
    config : ExplicitALSConfig
    matrix : float64, (w, w)
        ``Z'Z`` over the rated items, plus lambda; w is the number of factors, and one more for the
        bias.
    others : float64, (n, w)
        Z: factors of the rated items, and the constant of the bias.
    targets : float64, (n,)
        Ratings, less what is expected of the items for anybody.
    """

    config: ExplicitALSConfig
    matrix: Doubles
    others: Doubles
    targets: Doubles

    @classmethod
    def of(
        cls, config: ExplicitALSConfig, item_factors: Floats, items: Indices, values: Floats
    ) -> "RatingEquations":
        """Set up the equations of a user with these items (rows) and ratings, (n,).

        Parameters
        ----------
        item_factors : float32, (n_items, columns)
            As `alsolike.models.explicit_als.model.ExplicitALSModel` stores them.

        Raises
        ------
        SettingError
            A rating is zero or not finite.
        """
        ratings = checked_values(values, len(items)).astype(np.float64)
        others = constants_beside(config, item_factors[items])
        (lam,) = config.row_regularization("user", [len(items)])
        matrix = others.T @ others + lam * np.eye(others.shape[1])
        return cls(config, matrix, others, ratings - expected_of(config, item_factors[items]))

    @property
    def factors(self) -> Doubles:
        """The user's row as it is stored, float64, (columns,): with the bias and a 1."""
        solution = self._solved(self.others.T @ self.targets)
        if not self.config.biases:
            return solution
        bias = solution[-1] * self.config.bias_scale("user")
        row: Doubles = np.concatenate((solution[:-1], [bias, 1.0]))
        return row

    def similarities(self, targets: Floats) -> Doubles:
        """Return ``z_target' matrix^-1 z_other``, (n_targets, n), for rows of item factors."""
        near: Doubles = constants_beside(self.config, targets) @ self._solved(self.others.T)
        return near

    def _solved(self, right: Doubles) -> Doubles:
        found: Doubles = np.linalg.solve(self.matrix, right).astype(np.float64)
        if not np.isfinite(found).all():
            raise FitError(
                f"The equations for a row of {len(self.targets):,} ratings have no finite "
                "solution. Fit with more regularization."
            )
        return found


def constants_beside(config: ExplicitALSConfig, item_factors: Floats) -> Doubles:
    """Return the factors of items with the constant of a user's bias, float64, (n, w)."""
    factors = item_factors[:, : config.factors].astype(np.float64)
    if not config.biases:
        return factors
    # float32, as in training.
    constant = np.float64(np.float32(config.bias_scale("user")))
    return np.hstack([factors, np.full((len(factors), 1), constant)])


def expected_of(config: ExplicitALSConfig, item_factors: Floats) -> Doubles:
    """Return what is expected of items for anybody, ``m + b_i`` or 0, float64, (n,)."""
    if not config.biases:
        return np.zeros(len(item_factors))
    return item_factors[:, -1].astype(np.float64)
