"""Solves new users and items against the factors of a model, and its loss."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.validation import said
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.models.als.confidence import LikeCounts
from alsolike.models.als.config import SolverConfig
from alsolike.models.als.gramian_basis import eigenbasis, gramian, turned
from alsolike.models.als.half_sweep import (
    Side,
    float32_basis,
    solve_nonnegative_side,
    solve_side,
    total_loss,
)
from alsolike.models.values import likes_by_row

if TYPE_CHECKING:
    from alsolike.models.als.model import ALSModel

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def new_users(
    model: "ALSModel",
    user_items: Any,
    engine: Engine,
    ages: Doubles | None = None,
    prior: Floats | None = None,
) -> Floats:
    """Return the exact factors of users, see `alsolike.fold_in`.

    `ages` are those of the values of a matrix, in days; None: all are new. `prior` are the factors
    that the users are pulled to, (n, factors).
    """
    side = _side_of(model, user_items, "user", ages)
    factors = np.zeros((side.n_rows, model.factors), dtype=np.float32)
    if model.is_nonnegative:
        solve_nonnegative_side(side, model.item_factors, factors, model.config.loss_config, engine)
        return factors
    items, values = model.item_factors, model.eigenvalues
    solve_side(
        side, items, values, factors, model.config.loss_config, SolverConfig(), engine, prior=prior
    )
    return factors


def new_items(
    model: "ALSModel",
    item_users: Any,
    engine: Engine,
    ages: Doubles | None = None,
    prior: Floats | None = None,
) -> Floats:
    """Return the exact factors of items, see `alsolike.fold_in_items`.

    `ages` and `prior` are as in `new_users`.
    """
    side = _side_of(model, item_users, "item", ages)
    if model.is_nonnegative:
        found = np.zeros((side.n_rows, model.factors), dtype=np.float32)
        solve_nonnegative_side(side, model.user_factors, found, model.config.loss_config, engine)
        return found
    single = float32_basis(side, model.user_factors, model.config.loss_config, engine)
    values, basis = eigenbasis(gramian(model.user_factors, engine, in_float32=single), engine)
    factors = np.zeros((side.n_rows, model.factors), dtype=np.float32)
    users = turned(model.user_factors, basis, engine, in_float32=single)
    pulled = None if prior is None else turned(prior, basis, engine)
    solve_side(
        side, users, values, factors, model.config.loss_config, SolverConfig(), engine, prior=pulled
    )
    return turned(factors, basis.T, engine)


def loss_on(model: "ALSModel", data: Interactions, engine: Engine) -> float:
    """Return the loss of `model` on interactions over its ids, see `alsolike.loss`."""
    loss_config = model.config.loss_config
    user_side, item_side = Side.both_of(data, loss_config)
    users, items = model.user_factors, model.item_factors
    return total_loss(user_side, item_side, users, items, loss_config, engine)


def _side_of(
    model: "ALSModel", matrix: Any, side: Literal["user", "item"], ages: Doubles | None
) -> Side:
    loss_config = model.config.loss_config
    columns = model.items if side == "user" else model.users
    if isinstance(matrix, Interactions):
        if side == "item":
            raise DataError(
                "A SciPy matrix of items x users expected, not Interactions. Give their item_users."
            )
        if matrix.items != model.items:
            raise DataError("The interactions must have the items of the model.")
        likes = _likes(model, matrix.user_items, side)
        ages = _ages(model, matrix)
        return Side.of(matrix.user_items, loss_config, side, matrix.users, likes, ages=ages)
    if not (sp.issparse(matrix) or isinstance(matrix, np.ndarray)) or matrix.ndim != 2:
        raise DataError(f"A SciPy matrix of rows x {columns.kind}s expected, not {said(matrix)}.")
    if matrix.shape[1] != len(columns):
        raise DataError(
            f"The matrix has {matrix.shape[1]:,} columns; the model has {len(columns):,} "
            f"{columns.kind}s. Is it the wrong way round?"
        )
    rows = canonical(matrix)
    return Side.of(rows, loss_config, side, None, _likes(model, rows, side), ages=ages)


def _ages(model: "ALSModel", likes: Interactions) -> Doubles | None:
    """Return how old likes are at the end of the model's history; without times, they are new."""
    return None if likes.timestamps is None else model.ages_until(likes, model.history)


def _likes(
    model: "ALSModel", matrix: sp.csr_array, side: Literal["user", "item"]
) -> LikeCounts | None:
    """Return the likes of new rows and of the model's own columns, if values are weighed by them.

    Raises
    ------
    SettingError
        Those of users are needed, and the model was saved without its history.
    """
    if not model.config.loss_config.value_weights.need_counts:
        return None
    if side == "user":
        return LikeCounts(likes_by_row(matrix), model.item_counts)
    if model.history is None:
        raise SettingError(
            f"values={model.config.values!r} weighs an item's values by how much its users like, "
            "and this model was saved without its history. Save it with its history."
        )
    return LikeCounts(likes_by_row(model.history.user_items), likes_by_row(matrix))
