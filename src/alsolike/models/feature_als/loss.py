"""The loss of feature-aware ALS on its training data."""

from typing import TYPE_CHECKING

import numpy as np

from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.als.half_sweep import Side, total_loss
from alsolike.models.base import Floats

if TYPE_CHECKING:
    from alsolike.models.feature_als.model import FeatureALSModel


def loss(model: "FeatureALSModel", engine: Engine) -> float:
    """Return the loss of `FeatureALSConfig`, float64; rows without likes are no part of it.

    Raises
    ------
    SettingError
        The model holds no training interactions.
    """
    history, config = model.history, model.config
    if history is None:
        raise SettingError("This model holds no training interactions: pass `train`.")
    sides = Side.both_of(history, config.loss_config)
    users, items = (
        _of_occupied(side, own)
        for side, own in zip(sides, (model.user_factors, model.item_factors), strict=True)
    )
    total = total_loss(*sides, users, items, config.loss_config, engine)
    for side, own, features in zip(
        sides, (users, items), (model.user_features, model.item_features), strict=True
    ):
        learned = model.factors_of(side.kind)
        if learned is None or features is None:
            continue
        predicted = _of_occupied(side, learned.predict(features))
        total += _penalty(side, own - predicted) - _penalty(side, own)
        occupied = np.diff(side.matrix.indptr) > 0
        mean = float(side.regularization[occupied].mean())
        squares = float(np.square(learned.coefficients, dtype=np.float64).sum())
        total += mean * config.feature_regularization(side.kind) * squares
    return total


def _of_occupied(side: Side, factors: Floats) -> Floats:
    return np.where((np.diff(side.matrix.indptr) > 0)[:, None], factors, np.float32(0))


def _penalty(side: Side, factors: Floats) -> float:
    squares = np.einsum("rf,rf->r", factors, factors, dtype=np.float64)
    return float(side.regularization @ squares)
