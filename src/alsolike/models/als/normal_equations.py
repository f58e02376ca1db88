"""Normal equations of one user in float64, to fold in and to explain."""

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, SettingError
from alsolike.models.als.confidence import LikeCounts, Weighing, amounts_of_cells
from alsolike.models.als.config import LossConfig
from alsolike.models.als.nonnegative import nonnegative_support
from alsolike.models.base import Doubles, Floats, Indices


@dataclass(frozen=True, eq=False)
class UserEquations:
    """The normal equations of one user: ``matrix @ factors = others' @ pulls``.

    Parameters
    ----------
    matrix : float64, (f, f)
        A of Hu, Koren, Volinsky 2008, section 5.
    others : float64, (n, f)
        Factors of the user's items.
    pulls : float64, (n,)
        Confidence times preference of each; 0 for a dislike.
    is_nonnegative : bool
        Solve for factors that are not below 0. The equations then hold for those above 0 alone.
    """

    matrix: Doubles
    others: Doubles
    pulls: Doubles
    is_nonnegative: bool = False

    @classmethod
    def of(
        cls,
        loss_config: LossConfig,
        item_factors: Floats,
        eigenvalues: Doubles,
        item_likes: npt.NDArray[np.int64],
        items: Indices,
        values: npt.ArrayLike,
        ages: Doubles | None = None,
        *,
        gramian: Doubles | None = None,
    ) -> "UserEquations":
        """Set up the equations of a user with these items (rows) and values, (n,).

        Parameters
        ----------
        item_factors : float32, (n_items, f)
            In the basis of their Gramian, whose eigenvalues are `eigenvalues`, float64, (f,).
        item_likes : int64, (n_items,)
            Likes of each item in the training data.
        ages : float64, (n,), or None
            Of the values, in days; None: all are new.
        gramian : float64, (f, f), or None
            Of item factors that are non-negative; None: they are in the basis of their own.

        Raises
        ------
        SettingError
            A value is zero or not finite.
        FitError
            The equations have no unique solution.
        """
        given = checked_values(values, len(items))
        likes = LikeCounts(np.array([np.count_nonzero(given > 0)]), item_likes)
        of_one = np.zeros(len(items), dtype=np.int64)
        amounts = amounts_of_cells(given, loss_config, likes, of_one, items, ages)
        weights, pulls = Weighing.of(loss_config).weights_and_pulls(amounts)
        others = item_factors[items].astype(np.float64)
        n_items = len(item_factors)
        regularization = loss_config.row_regularization("user", len(items), n_items)
        if gramian is not None:
            dense = loss_config.unobserved_weight * gramian
            dense[np.diag_indices_from(dense)] += regularization
            matrix = dense + (others.T * weights) @ others
            return cls(matrix, others, pulls.astype(np.float64), is_nonnegative=True)
        diagonal = loss_config.unobserved_weight * eigenvalues + regularization
        # As in training: below this, an eigenvalue is rounding.
        if not diagonal.min() > len(diagonal) * np.finfo(np.float64).eps * diagonal.max():
            raise FitError(
                f"A row of {len(items):,} items gave a singular system (factors={len(diagonal)}, "
                f"{n_items:,} items in the model). Fit with more regularization or "
                "fewer factors."
            )
        matrix = np.diag(diagonal) + (others.T * weights) @ others
        return cls(matrix, others, pulls.astype(np.float64))

    @property
    def factors(self) -> Doubles:
        """The user's factors, float64, (f,)."""
        if self.is_nonnegative:
            return self._support[0]
        return self._solved(self.others.T @ self.pulls)

    def similarities(self, target: Floats) -> Doubles:
        """Return ``target' matrix^-1 other`` for each of the others, (n,).

        For several targets, (f, n_targets): (n, n_targets).
        """
        if self.is_nonnegative:
            above = self._support[1]
            solved = _solved(self.matrix[np.ix_(above, above)], target[above], len(self.pulls))
            within: Doubles = self.others[:, above] @ solved
            return within
        similarities: Doubles = self.others @ self._solved(target.astype(np.float64))
        return similarities

    @functools.cached_property
    def _support(self) -> tuple[Doubles, npt.NDArray[np.bool_]]:
        return nonnegative_support(self.matrix, self.others.T @ self.pulls)

    def _solved(self, right: Doubles) -> Doubles:
        return _solved(self.matrix, right, len(self.pulls))


def _solved(matrix: Doubles, right: npt.NDArray[Any], n_items: int) -> Doubles:
    """Solve equations; FitError if they are too ill-conditioned."""
    if not len(matrix):
        return np.zeros(right.shape)
    spread = np.linalg.eigvalsh(matrix) if np.isfinite(matrix).all() else np.array([np.nan])
    # Below this the smallest eigenvalue, and so the solution, is rounding.
    if not spread[0] > len(matrix) * np.finfo(np.float64).eps * spread[-1]:
        raise FitError(
            f"The equations for a row of {n_items:,} items are too ill-conditioned to "
            "solve. Fit with more regularization, or a smaller alpha."
        )
    return np.linalg.solve(matrix, right.astype(np.float64)).astype(np.float64)


def checked_values(values: npt.ArrayLike, count: int) -> Floats:
    """Return `values` as float32, (count,); SettingError if one is zero or not finite."""
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise SettingError(f"The values of items are numbers, not {values!r}.") from None
    beyond = np.flatnonzero(np.abs(given) > np.finfo(np.float32).max)
    if beyond.size and np.isfinite(given).all():
        raise SettingError(
            f"The value at position {beyond[0]} is {given[beyond[0]]:g}, too large for a model. "
            "Give values of the size of those in the training data."
        )
    amounts = given.astype(np.float32)
    if amounts.shape != (count,):
        raise SettingError(f"{count:,} items need as many values, not {amounts.shape}.")
    bad = np.flatnonzero(~np.isfinite(amounts) | (amounts == 0))
    if len(bad):
        raise SettingError(
            f"The value at position {bad[0]} is {amounts[bad[0]]}: values must be finite and not "
            "zero. Leave such items out."
        )
    return amounts
