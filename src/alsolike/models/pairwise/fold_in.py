"""Expected steps of BPR and WARP for new users, whose items keep their factors. No Numba.

Notation
--------
x : factors of the user, zeros at the start
i, j : a like, and an item of a fixed sample without the user's likes
s_i : ``x . y_i + b_i``
w_i : weight of a like
p_ij : the probability that a step for i is taken against j, times its g, see
    `alsolike.kernels.pairwise.steps`

An epoch adds, for each like, the mean of the steps that training may take::

    x += rate * sum_i w_i sum_j p_ij (y_i - y_j) - rate * lambda * n x

so that no random numbers are needed, and x is a sum of one vector for each like.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.models.pairwise.config import PairwiseConfig, WARPConfig

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.integer[Any]]

# Items to be ranked below likes; docs/decisions/0037-pairwise.md has what more of them gain.
_SAMPLE = 256
_MOST = 10.0  # as in the kernel


def sample_of(item_counts: npt.NDArray[np.int64], config: PairwiseConfig) -> Indices:
    """Return the items that new users' likes are compared with, ascending, (n_others,)."""
    n_items = len(item_counts)
    if n_items <= _SAMPLE:
        return np.arange(n_items)
    weights = np.maximum(item_counts, 1).astype(np.float64) ** config.negatives_exponent
    # One in each stretch of equal weight, so that the sample has every part of the catalogue.
    order = np.argsort(-item_counts, kind="stable")
    sums = np.cumsum(weights[order])
    places = (np.arange(_SAMPLE) + 0.5) / _SAMPLE * sums[-1]
    return np.unique(order[np.searchsorted(sums, places)])


@dataclass(frozen=True, eq=False)
class Steps:
    """What the likes of a user have added to the factors.

    Parameters
    ----------
    vectors : float64, (n_likes, factors)
        They add up to x.
    pulls : float64, (n_likes,)
        Sums of the steps' lengths.
    """

    vectors: Doubles
    pulls: Doubles

    @property
    def factors(self) -> Doubles:
        """x, (factors,)."""
        x: Doubles = self.vectors.sum(axis=0)
        return x


def steps_of(
    item_factors: Floats,
    biases: Floats,
    others: Indices,
    likes: Indices,
    weights: Doubles,
    config: PairwiseConfig,
    epochs: int,
) -> Steps:
    """Take the expected steps of some epochs for one user.

    Parameters
    ----------
    item_factors, biases : float32, (n_items, factors) and (n_items,)
    others : (n_others,)
        As `sample_of` returns them.
    likes, weights : (n_likes,)
        Items and w.
    config : BPRConfig or WARPConfig
    epochs : int
    """
    f, n = item_factors.shape[1], len(likes)
    vectors, pulls = np.zeros((n, f)), np.zeros(n)
    others = others[~np.isin(others, likes)]
    if not n or not len(others):
        return Steps(vectors, pulls)
    liked, rest = (item_factors[rows].astype(np.float64) for rows in (likes, others))
    b_liked, b_rest = (biases[rows].astype(np.float64) for rows in (likes, others))
    # Not by BLAS, whose threads would change the last bits.
    products = np.einsum("lf,of->lo", liked, rest)
    apart = (liked**2).sum(axis=1)[:, None] + (rest**2).sum(axis=1) - 2 * products
    # What has been added of each like's factors, and taken of each other's, for that like.
    taken, squares, rate = np.zeros((n, len(others))), 1.0, config.learning_rate
    for _ in range(epochs):
        x = np.einsum("l,lf->f", taken.sum(axis=1), liked)
        x -= np.einsum("o,of->f", taken.sum(axis=0), rest)
        s = np.einsum("lf,f->l", liked, x) + b_liked
        t = np.einsum("of,f->o", rest, x) + b_rest
        chances, lengths = (
            _warp(s, t, config, len(item_factors))
            if isinstance(config, WARPConfig)
            else _bpr(s, t, config)
        )
        lengths = weights[:, None] * lengths
        if config.optimizer == "adagrad":
            squares += float((lengths**2 * chances * apart).sum()) / f
        step = rate / np.sqrt(squares)
        kept = max(1.0 - step * config.user_regularization, 0.0) ** n
        taken = kept * taken + step * chances * lengths
    pulls = taken.sum(axis=1)
    vectors = pulls[:, None] * liked - np.einsum("lo,of->lf", taken, rest)
    return Steps(vectors, pulls)


def _bpr(s: Doubles, t: Doubles, config: Any) -> tuple[Doubles, Doubles]:
    """Return the chance of each other item to be chosen, and g, (n_likes, n_others)."""
    n = len(t)
    ranks = np.empty(n)
    ranks[np.argsort(-t, kind="stable")] = np.arange(n)
    above, among = (n - ranks - 1) / n, (n - ranks) / n
    chances = among**config.candidates - above**config.candidates
    apart = np.clip(s[:, None] - t[None], -500, 500)
    return np.broadcast_to(chances, apart.shape), 1.0 / (1.0 + np.exp(apart))


def _warp(s: Doubles, t: Doubles, config: Any, n_items: int) -> tuple[Doubles, Doubles]:
    """Return the chance of each other item to be chosen, and g, (n_likes, n_others).

    g is the mean over the draws that it takes to find an item that is not ranked below by 1.
    """
    is_above = t[None] > s[:, None] - 1.0
    n_above = is_above.sum(axis=1)
    share = n_above / len(t)
    draws = np.arange(1, config.max_sampled + 1)
    ranks = np.minimum(np.log(np.maximum((n_items - 1) // draws, 1)), _MOST)
    at_draw = share[:, None] * (1 - share[:, None]) ** (draws - 1)
    found = at_draw.sum(axis=1)
    length = np.divide(at_draw @ ranks, found, out=np.zeros(len(s)), where=found > 0)
    chances = is_above * np.divide(found, n_above, out=np.zeros(len(s)), where=n_above > 0)[:, None]
    return chances, np.broadcast_to(length[:, None], chances.shape)
