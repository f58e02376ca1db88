"""Solves new users and items of explicit ALS against the factors of a model, and its loss."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, canonical
from alsolike.engines.base import Engine
from alsolike.models.explicit_als.half_sweep import rating_loss, side_of, solve_ratings

if TYPE_CHECKING:
    from alsolike.models.explicit_als.model import ExplicitALSModel

Floats = npt.NDArray[np.float32]


def new_users(model: "ExplicitALSModel", ratings: sp.csr_array, engine: Engine) -> Floats:
    """Return the exact rows of users with these ratings, (n, n_items), as they are stored.

    For a user of the training data: the stored row, byte for byte.
    """
    side = side_of(canonical(ratings), model.config, "user", None)
    return solve_ratings(side, model.item_factors, model.mean, model.config, engine)


def new_items(model: "ExplicitALSModel", ratings: sp.csr_array, engine: Engine) -> Floats:
    """Return the exact rows of items with these ratings, (n, n_users), as they are stored."""
    side = side_of(canonical(ratings), model.config, "item", None)
    return solve_ratings(side, model.user_factors, model.mean, model.config, engine)


def loss_on(model: "ExplicitALSModel", data: Interactions, engine: Engine) -> float:
    """Return the loss of a model on ratings over its ids."""
    config = model.config
    sides = (
        side_of(data.user_items, config, "user", data.users),
        side_of(data.item_users, config, "item", data.items),
    )
    return rating_loss(sides, model.user_factors, model.item_factors, model.mean, config, engine)
