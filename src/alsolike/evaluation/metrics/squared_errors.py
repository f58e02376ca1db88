"""Squared errors of the scores over all cells, observed or not, by Gramians."""

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError
from alsolike.evaluation.metrics.ground_truth import as_lists, check_matching_ids, checked_rows
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.solver.dense import observed_loss
from alsolike.models.history_model import likes_of
from alsolike.models.protocols import HasFactors, able

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# Rows of factors that are turned to float64 at once.
_ITEMS_SUMMED = 4096
_ROWS_PER_BLOCK = 1 << 12


def mean_squared_error(
    model: HasFactors,
    interactions: Interactions,
    *,
    user_indices: npt.ArrayLike | None = None,
    engine: Engine | None = None,
) -> float:
    """Return the mean squared error of the scores over every cell, observed or not.

    The target is the preference: 1 where the value is above 0, else 0. The squares of all scores
    sum to the product of the Gramians, ``<X'X, Y'Y>``, so that only observed cells are visited; all
    in float64.

    Parameters
    ----------
    model : HasFactors
    interactions : Interactions
        Over the model's users and items.
    user_indices : int, (n,), or None
        Rows of users, each once: the error over their rows, the article's (``mse_users``). None:
        over all cells (``mse_all``).
    engine : Engine or None
        None: all threads of this machine.

    Raises
    ------
    SettingError
        The model has no factors, or a row of users is unknown or given twice.
    DataError
        Model and interactions differ in users or items, or there is no cell.
    FitError
        A factor is not a finite number.

    Examples
    --------
    >>> from alsolike.models.factor_model import FactorModel
    >>> likes = Interactions.from_columns(["u1", "u2"], ["a", "b"])
    >>> model = FactorModel(
    ...     likes.users, likes.items, np.float32([[1], [0]]), np.float32([[1], [0.5]]),
    ...     likes.item_counts,
    ... )
    >>> mean_squared_error(model, likes), mean_squared_error(model, likes, user_indices=[0])
    (0.3125, 0.125)
    """
    able(model, HasFactors, "measure squared errors")
    check_matching_ids(model, "measure squared errors", interactions=interactions)
    rows = (
        np.arange(interactions.n_users)
        if user_indices is None
        else checked_rows(user_indices, interactions.n_users)
    )
    cells = len(rows) * interactions.n_items
    if not cells:
        raise DataError("There is no cell to measure: no users or no items.")
    if not (np.isfinite(model.user_factors).all() and np.isfinite(model.item_factors).all()):
        raise FitError(
            "A factor is not a finite number. The model is broken; fit it again, with a larger "
            "regularization."
        )
    return SquaredErrors(interactions, rows).mean(model, engine or LocalEngine())


def item_gramian(model: HasFactors, engine: Engine) -> Values:
    """Return ``item_factors.T @ item_factors`` in float64, (f, f)."""

    def summed(_: int) -> Values:
        total = np.zeros((model.factors, model.factors))
        for first in range(0, len(model.items), _ITEMS_SUMMED):
            block = model.item_factors[first : first + _ITEMS_SUMMED].astype(np.float64)
            total += block.T @ block
        return total

    # On the engine, which holds BLAS to one thread: the sums do not depend on how many it has.
    (gramian,) = engine.each(summed, [0])
    return gramian


class SquaredErrors:
    """Squared errors over the rows of some users, for one model after another.

    Parameters
    ----------
    interactions : Interactions
    rows : int64, (n,)
        Rows of users, each once.
    """

    def __init__(self, interactions: Interactions, rows: Indices) -> None:
        self._rows, self._preferred = rows, likes_of(interactions)[rows]
        # Of the loss's cells, those of weight 0 that pull with 1 add 1 - 2 s.
        self._weights, self._pulls = np.zeros(self._preferred.nnz), np.ones(self._preferred.nnz)

    def mean(
        self,
        model: HasFactors,
        engine: Engine,
        gramian: Values | None = None,
        *,
        block_rows: int = _ROWS_PER_BLOCK,
    ) -> float:
        """Return the mean squared error of `model`; `gramian` is its `item_gramian`, if known."""
        of_items = item_gramian(model, engine) if gramian is None else gramian
        items = plain(model.item_factors)
        starts, columns = as_lists(self._preferred)
        users = plain(model.user_factors[self._rows])

        def missed(first: int) -> float:
            """Return the squares of a block of rows, less twice the scores at its cells."""
            last = min(first + block_rows, len(users))
            block = users[first:last].astype(np.float64)
            own = slice(starts[first], starts[last])
            at_preferred = observed_loss(
                starts, columns, self._weights[own], self._pulls[own], first, last, users, items
            )
            return float(((block.T @ block) * of_items).sum() + at_preferred)

        total = sum(engine.each(missed, range(0, len(users), block_rows)))
        # A perfect fit may come out below 0 by rounding.
        return float(max(total / (len(users) * len(items)), 0.0))
