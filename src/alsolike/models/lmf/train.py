"""Training of logistic matrix factorization: items and users in turn, and at last all users."""

import math

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine, pieces
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError
from alsolike.models.lmf.config import LMFConfig
from alsolike.models.lmf.logistic_rows import OtherSide, solve_rows
from alsolike.models.lmf.model import LMFModel, row_weights, weighted_rows
from alsolike.progress import SILENT, Observer
from alsolike.usage_hints import with_example

Floats = npt.NDArray[np.float32]


@with_example('model = al.fit(likes, family="lmf", factors=64)')
def fit_lmf(
    train: Interactions,
    config: LMFConfig,
    *,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> LMFModel:
    """Fit factors and biases whose sigmoids are the probabilities of likes.

    A sweep takes some steps for all items against the users, then for all users against the items.
    After the last one, each user is solved, so that folding in his likes gives his factors up to
    the tolerance. Gradients are exact: the time of a step grows with users x items x factors.

    Parameters
    ----------
    train : Interactions
        Values above zero are likes; those below are dislikes: negative cells of more weight.
    config : LMFConfig
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each sweep.

    Raises
    ------
    DataError
        There is nothing to train on.
    FitError
        A row has no finite solution.

    References
    ----------
    C. Johnson 2014, "Logistic Matrix Factorization for Implicit Feedback Data": the loss. The paper
    takes Adagrad steps, and samples negatives for large tables; see docs/decisions/0038.

    Examples
    --------
    >>> from alsolike.testing import tiny_likes
    >>> fit_lmf(tiny_likes(), LMFConfig(factors=4, regularization=1.0, iterations=3))
    LMFModel(30 users, 40 items, 4 factors, 3 sweeps)
    """
    expect_interactions(train)
    if not train.n_interactions:
        raise DataError("There are no interactions to train on.")
    engine = engine or LocalEngine()
    likes = weighted_rows(train.user_items, config)
    by_item = sp.csr_array(likes.T)
    user_weights, item_weights = row_weights(likes), row_weights(by_item)
    users, items = _drawn(train.n_users, config, 0), _drawn(train.n_items, config, 1)
    users[:, -2], items[:, -1] = _biases(user_weights), _biases(item_weights)
    users[:, -1] = items[:, -2] = 1
    observer.start("sweeps", config.iterations)
    for _ in range(config.iterations):
        fixed = OtherSide.of(users, user_weights, is_items=False, engine=engine)
        items = solve_rows(by_item, fixed, items, config, engine, steps=config.steps)
        fixed = OtherSide.of(items, item_weights, is_items=True, engine=engine)
        users = solve_rows(likes, fixed, users, config, engine, steps=config.steps)
        observer.advance()
    users = solve_rows(likes, fixed, users, config, engine)
    observer.finish()
    for factors in (users, items):
        factors.flags.writeable = False
    return LMFModel(
        users=train.users, items=train.items, user_factors=users, item_factors=items,
        item_weights=item_weights, item_counts=train.like_counts, settings=config.to_settings(),
        sweeps=config.iterations, catalogue=train.catalogue, history=train,
        item_features=train.item_features, user_features=train.user_features,
    )  # fmt: skip


def _drawn(count: int, config: LMFConfig, stream: int) -> Floats:
    """Return small random factors, and two columns of zeros."""
    generator = np.random.default_rng([config.seed, stream])
    found = np.zeros((count, config.factors + 2), dtype=np.float32)
    scale = 0.1 / math.sqrt(config.factors)
    for piece in pieces(count):
        block = found[piece, : config.factors]
        block[:] = scale * generator.standard_normal(block.shape)
    return found


def _biases(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return biases whose sums are the log-odds of independent users and items, about."""
    found: npt.NDArray[np.float64] = np.log((weights + 0.5) / math.sqrt(weights.sum() + 0.5))
    return found
