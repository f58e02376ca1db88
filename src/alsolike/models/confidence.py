"""The only home of c_ui: from a value d_ui to how much its cell counts.

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
           for that part alone
========== ============================= ==========================================
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Confidence = Literal["linear", "scaled", "log", "additive"]
CONFIDENCES: tuple[Confidence, ...] = get_args(Confidence)

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def weights_and_pulls(
    values: Floats,
    *,
    form: Confidence,
    alpha: float,
    epsilon: float,
    unobserved_weight: float,
) -> tuple[Doubles, Doubles]:
    """Return `w` and `r` of each value.

    Parameters
    ----------
    values : float32, (n,)
        d_ui; a value below zero is a dislike (preference 0) of weight ``abs(d_ui)``.
    form, alpha, epsilon, unobserved_weight
        As in `ALSConfig`.

    Returns
    -------
    weights : float64, (n,)
        What the cell weighs above an unobserved one; below zero where it weighs less.
    pulls : float64, (n,)
        Confidence times preference; 0 for a dislike.
    """
    amounts = np.abs(values).astype(np.float64)
    above = alpha * (np.log1p(amounts / epsilon) if form == "log" else amounts)
    if form == "scaled":
        above -= unobserved_weight
    pulls = above if form == "additive" else above + unobserved_weight
    return above, np.where(values > 0, pulls, 0.0)
