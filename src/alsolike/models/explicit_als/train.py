"""Training of explicit ALS: alternating least squares over observed ratings."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions, said
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.explicit_als.fold_in import new_users
from alsolike.models.explicit_als.half_sweep import side_of, solve_ratings
from alsolike.models.explicit_als.model import ExplicitALSModel
from alsolike.models.sweeps import models_of
from alsolike.progress import SILENT, Observer

Floats = npt.NDArray[np.float32]


def iterate(
    train: Interactions,
    config: ExplicitALSConfig,
    *,
    start: ExplicitALSModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[ExplicitALSModel]:
    """Yield a usable model after each sweep, ``config.iterations`` times.

    One sweep solves all items against the users, then all users against the items, so that
    folding in a training user gives the stored row.

    Parameters
    ----------
    train : Interactions
        Their values are the ratings: any finite numbers but 0.
    config : ExplicitALSConfig
    start : ExplicitALSModel or None
        Continue from its users; those that it lacks are folded in first.
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each sweep.

    Raises
    ------
    FitError
        A row has no finite solution.
    SettingError
        `start` has other factors, or biases where there are none here.
    DataError
        There is nothing to train on, or all ratings are equal and there are biases.

    References
    ----------
    Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan 2008, "Large-Scale Parallel Collaborative Filtering
    for the Netflix Prize", section 3; Y. Koren, R. Bell, C. Volinsky 2009, "Matrix Factorization
    Techniques for Recommender Systems", eq. 2 and 5.

    Examples
    --------
    >>> ratings = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"], [5, 2, 4])
    >>> losses = [m.loss() for m in iterate(ratings, ExplicitALSConfig(factors=2, iterations=3))]
    >>> losses[0] >= losses[1] >= losses[2]
    True
    """
    training = Training(train, config, start, engine or LocalEngine())
    yield from models_of(training, config.iterations, observer)


class Training:
    """Current rows of both sides, and the sweep that replaces them."""

    def __init__(
        self,
        train: Interactions,
        config: ExplicitALSConfig,
        start: ExplicitALSModel | None,
        engine: Engine,
    ) -> None:
        expect_interactions(train)
        if not train.n_interactions:
            raise DataError("There are no ratings to train on.")
        if config.biases and train.n_interactions > 1 and are_all_equal(train):
            raise DataError(
                f"Ratings of several values expected; all {train.n_interactions:,} are "
                f"{train.user_items.data[0]:g}, and their mean predicts each. Read them with the "
                "column of ratings (value=), or fit a model of likes: family='als'."
            )
        self._train, self._config, self._engine = train, config, engine
        self._mean = float(train.user_items.data.mean(dtype=np.float64)) if config.biases else 0.0
        self._user_side = side_of(train.user_items, config, "user", train.users)
        self._item_side = side_of(train.item_users, config, "item", train.items)
        if start is None:
            self._users = _drawn(train.n_users, config)
        else:
            self._users = _carried_over(train, config, start, engine)
        self._items = np.zeros((train.n_items, config.columns), dtype=np.float32)
        self._sweeps = 0 if start is None else start.sweeps

    def sweep(self) -> None:
        """Solve all items against the users, then all users against the items."""
        shared = self._mean, self._config, self._engine
        self._items = solve_ratings(self._item_side, self._users, *shared)
        self._users = solve_ratings(self._user_side, self._items, *shared)
        self._sweeps += 1

    def model(self) -> ExplicitALSModel:
        """Return the current model; its arrays are never written to again."""
        self._users.flags.writeable = self._items.flags.writeable = False
        ratings = self._train.user_items.data
        return ExplicitALSModel(
            users=self._train.users,
            items=self._train.items,
            user_factors=self._users,
            item_factors=self._items,
            ratings=np.array([self._mean, ratings.min(), ratings.max()], dtype=np.float64),
            item_counts=self._train.like_counts,
            settings=self._config.to_settings(),
            sweeps=self._sweeps,
            catalogue=self._train.catalogue,
            item_features=self._train.item_features,
            user_features=self._train.user_features,
            history=self._train,
        )


def are_all_equal(ratings: Interactions) -> bool:
    """Return whether there is only one value."""
    values = ratings.user_items.data
    return bool(values.min(initial=np.inf) >= values.max(initial=-np.inf))


def _drawn(n_users: int, config: ExplicitALSConfig) -> Floats:
    """Return random users without biases, against which the first items are solved."""
    users = np.zeros((n_users, config.columns), dtype=np.float32)
    if config.biases:
        users[:, -1] = 1
    drawn = np.random.default_rng(config.seed).standard_normal((n_users, config.factors))
    users[:, : config.factors] = drawn / math.sqrt(max(config.factors, 1))
    return users


def _carried_over(
    train: Interactions, config: ExplicitALSConfig, start: ExplicitALSModel, engine: Engine
) -> Floats:
    """Return the rows of known users, and of new ones folded in by known items."""
    if not isinstance(start, ExplicitALSModel):
        raise SettingError(
            "A model of explicit ALS is needed to go on from it, as alsolike.fit(ratings, "
            f"family='explicit-als') returns it, not {said(start)}."
        )
    own = start.config
    if (own.factors, own.biases) != (config.factors, config.biases):
        raise SettingError(
            f"The model to continue from has factors={own.factors} and biases={own.biases}, the "
            f"settings factors={config.factors} and biases={config.biases}. Give the same."
        )
    places, columns = start.users.places_of(train.users), start.items.places_of(train.items)
    users = np.zeros((train.n_users, config.columns), dtype=np.float32)
    users[places >= 0] = start.user_factors[places[places >= 0]]
    if not (new := np.flatnonzero(places < 0)).size:
        return users
    cells = train.user_items[new].tocoo()
    kept = columns[cells.col] >= 0
    at = cells.row[kept], columns[cells.col[kept]]
    ratings = sp.csr_array((cells.data[kept], at), shape=(len(new), len(start.items)))
    users[new] = new_users(start, ratings, engine)
    return users
