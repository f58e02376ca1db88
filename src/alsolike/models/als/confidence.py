"""Confidence c_ui: the weight of a cell by its value d_ui.

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
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.models.als.config import LossConfig

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


def amounts_of(values: Floats, loss_config: LossConfig) -> npt.NDArray[Any]:
    """Return the factors of alpha, with the sign of the value, (n,); float64 for "log".

    Parameters
    ----------
    values : float32, (n,)
        d_ui; a value below zero is a dislike (preference 0) of weight ``abs(d_ui)``.
    loss_config : LossConfig
    """
    if loss_config.values == "binary":
        values = np.sign(values)
    if loss_config.confidence != "log":
        return values
    return np.copysign(np.log1p(np.abs(values).astype(np.float64) / loss_config.epsilon), values)


def weights_and_pulls(values: Floats, loss_config: LossConfig) -> tuple[Doubles, Doubles]:
    """Return `w` and `r` of each value.

    Parameters
    ----------
    values : float32, (n,)
        As in `amounts_of`.
    loss_config : LossConfig

    Returns
    -------
    weights : float64, (n,)
        Weight of the cell minus that of an unobserved one; may be below zero.
    pulls : float64, (n,)
        Confidence times preference; 0 for a dislike.
    """
    return Weighing.of(loss_config).weights_and_pulls(amounts_of(values, loss_config))
