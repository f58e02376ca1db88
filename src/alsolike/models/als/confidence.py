"""Confidence c_ui: the weight of a cell by its value d_ui, see also `alsolike.models.values`.

An observed cell weighs `w` more than an unobserved one and pulls the score with strength `r`:
the row's normal equations are (Hu, Koren, Volinsky 2008, eq. 4, in the general form)::

    (unobserved_weight * G + lambda I + sum_i w_i y_i y_i') x = sum_i r_i y_i,    G = Y'Y

Names of the forms:

========== ============================= ==========================================
name       confidence of a value d       source
========== ============================= ==========================================
linear     1 + alpha * d                 Hu et al. 2008, section 4
scaled     alpha * d                     the fork of implicit used by the article
log        1 + alpha * log(1 + d / eps)  Hu et al. 2008, section 6
additive   alpha * d on top of the       Rendle et al. 2022 (iALS++), eq. 2-4
           unobserved weight, target 1
           only for that part
========== ============================= ==========================================
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.models.als.config import LossConfig
from alsolike.models.values import likes_by_row

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Weighing:
    """Coefficients of weights and pulls, which cover every form of confidence.

    A cell of amount a, negative for a dislike, has ``w = slope * abs(a) + base``, and
    ``r = w + pull`` where a is above 0, else 0.
    """

    slope: float
    base: float
    pull: float

    @classmethod
    def of(cls, loss_config: LossConfig) -> "Weighing":
        """Return the coefficients of a form, see the table above and `ALSConfig`."""
        form, unobserved = loss_config.confidence, loss_config.unobserved_weight
        base = -unobserved if form == "scaled" else 0.0
        return cls(loss_config.alpha, base, 0.0 if form == "additive" else unobserved)

    def weights_and_pulls(self, amounts: npt.NDArray[Any]) -> tuple[Doubles, Doubles]:
        """Return `w` and `r` of each amount, float64."""
        weights = self.slope * np.abs(amounts).astype(np.float64) + self.base
        return weights, np.where(amounts > 0, weights + self.pull, 0.0)


@dataclass(frozen=True, eq=False)
class LikeCounts:
    """Likes of each user and item, which some weights of values depend on.

    Parameters
    ----------
    users, items : int, (n_users,) and (n_items,)
    """

    users: npt.NDArray[Any]
    items: npt.NDArray[Any]

    @classmethod
    def of(cls, matrix: sp.csr_array, side: Literal["user", "item"]) -> "LikeCounts":
        """Count the likes of a whole table, given with a row for each user or item."""
        liked = matrix.indices[matrix.data > 0]
        by_column = np.bincount(liked, minlength=matrix.shape[1])
        both = (likes_by_row(matrix), by_column)
        return cls(*both) if side == "user" else cls(*both[::-1])


def amounts_of(
    matrix: sp.csr_array,
    loss_config: LossConfig,
    side: Literal["user", "item"],
    likes: LikeCounts | None,
    ages: Doubles | None = None,
) -> npt.NDArray[Any]:
    """Return the factors of alpha, with the sign of the value, (n,); float64 but for plain values.

    Parameters
    ----------
    matrix : CSR of float32
        d_ui before they are weighed; a value below zero is a dislike (preference 0).
    loss_config : LossConfig
    side : {"user", "item"}
        What the rows are.
    likes : LikeCounts or None
        Of the rows and the columns; None: those of the matrix.
    ages : float64, (n,), or None
        Of the values, in days; None: all are new.
    """
    weights = loss_config.value_weights
    if not weights.need_counts:
        return _logarithmic(weights.of(matrix.data, ages), loss_config)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    users, items = (rows, matrix.indices) if side == "user" else (matrix.indices, rows)
    counts = LikeCounts.of(matrix, side) if likes is None else likes
    return amounts_of_cells(matrix.data, loss_config, counts, users, items, ages)


def amounts_of_cells(
    values: npt.NDArray[Any],
    loss_config: LossConfig,
    likes: LikeCounts,
    users: npt.NDArray[Any],
    items: npt.NDArray[Any],
    ages: Doubles | None = None,
) -> npt.NDArray[Any]:
    """Return the same for cells of these users and items, (n,)."""
    amounts = loss_config.value_weights.of_cells(
        values,
        likes.users[users],
        likes.items[items],
        n_items=len(likes.items),
        mean_likes=float(likes.items.mean()),
        ages=ages,
    )
    return _logarithmic(amounts, loss_config)


def _logarithmic(values: npt.NDArray[Any], loss_config: LossConfig) -> npt.NDArray[Any]:
    """Take the logarithm of the form "log"."""
    if loss_config.confidence != "log":
        return values
    sizes = np.abs(values).astype(np.float64)
    amounts: Doubles = np.copysign(np.log1p(sizes / loss_config.epsilon), values)
    return amounts
