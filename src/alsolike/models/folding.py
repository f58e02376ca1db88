"""Solves for users and items that a model was not trained on, and takes the loss on any data.

`alsolike.models.als.train` checks what callers give; the model's own methods come here directly.
"""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.data.validation import expect_interactions, said
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError
from alsolike.models.als.config_parts import Objective, Solver
from alsolike.models.als.gramian_basis import eigenbasis, gramian, turned
from alsolike.models.als.half_sweep import Side, solve_side, total_loss

if TYPE_CHECKING:
    from alsolike.models.als.model import ALSModel

Floats = npt.NDArray[np.float32]


def users(model: "ALSModel", user_items: Any, engine: Engine) -> Floats:
    """Return the exact factors of users, see `alsolike.models.als.train.fold_in`."""
    objective = model.config.objective
    side = _new_side(user_items, objective, "user", model)
    factors = np.zeros((side.n_rows, model.factors), dtype=np.float32)
    solve_side(side, model.item_factors, model.eigenvalues, factors, objective, Solver(), engine)
    return factors


def items(model: "ALSModel", item_users: Any, engine: Engine) -> Floats:
    """Return the exact factors of items, see `alsolike.models.als.train.fold_in_items`."""
    objective = model.config.objective
    side = _new_side(item_users, objective, "item", model)
    values, basis = eigenbasis(gramian(model.user_factors, engine), engine)
    factors = np.zeros((side.n_rows, model.factors), dtype=np.float32)
    turned_users = turned(model.user_factors, basis, engine)
    solve_side(side, turned_users, values, factors, objective, Solver(), engine)
    return turned(factors, basis.T, engine)


def loss(model: "ALSModel", train: Interactions | None, engine: Engine) -> float:
    """Return the exact objective, see `alsolike.models.als.train.loss`."""
    data = model.history if train is None else train
    if data is None:
        raise SettingError("This model holds no training interactions: pass `train`.")
    expect_interactions(data, "train")
    if data.users != model.users or data.items != model.items:
        raise DataError("The interactions and the model must have the same users and items.")
    objective = model.config.objective
    user_side = Side.of(data.user_items, objective, "user", data.users)
    item_side = Side.of(data.item_users, objective, "item", data.items)
    return total_loss(
        user_side, item_side, model.user_factors, model.item_factors, objective, engine
    )


def _new_side(
    matrix: Any, objective: Objective, side: Literal["user", "item"], model: "ALSModel"
) -> Side:
    columns = model.items if side == "user" else model.users
    if isinstance(matrix, Interactions):
        if side == "item":
            raise DataError(
                "A SciPy matrix of items x users expected, not Interactions. Give their item_users."
            )
        if matrix.items != model.items:
            raise DataError("The interactions must have the items of the model.")
        return Side.of(matrix.user_items, objective, side, matrix.users)
    if not (sp.issparse(matrix) or isinstance(matrix, np.ndarray)) or matrix.ndim != 2:
        raise DataError(f"A SciPy matrix of rows x {columns.kind}s expected, not {said(matrix)}.")
    if matrix.shape[1] != len(columns):
        raise DataError(
            f"The matrix has {matrix.shape[1]:,} columns; the model has {len(columns):,} "
            f"{columns.kind}s. Is it the wrong way round?"
        )
    return Side.of(canonical(matrix), objective, side, None)
