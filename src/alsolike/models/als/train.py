"""Training of weighted matrix factorization by alternating least squares (WRMF, iALS)."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine, pieces
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.als.config import ALSConfig, ScheduleConfig, expect_config
from alsolike.models.als.fold_in import loss_on, new_items, new_users
from alsolike.models.als.gramian_basis import eigenbasis, gramian, one_after_the_other, turned
from alsolike.models.als.half_sweep import (
    Side,
    float32_basis,
    solve_nonnegative_side,
    solve_side,
)
from alsolike.models.als.model import ALSModel, expect_als
from alsolike.models.als.momentum import Momentum
from alsolike.models.base import expect_same_ids
from alsolike.models.sweeps import last_model_of, models_of
from alsolike.progress import SILENT, Observer
from alsolike.usage_hints import with_example

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@with_example("for model in al.iterate(likes, al.ALSConfig(factors=64)): ...")
def iterate(
    train: Interactions,
    config: ALSConfig,
    *,
    start: ALSModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[ALSModel]:
    """Yield a usable model after each sweep, ``config.iterations`` times.

    One sweep solves all items against the users, then all users against the items, so that
    folding in a training user gives the stored factors.

    Parameters
    ----------
    train : Interactions
    config : ALSConfig
    start : ALSModel or None
        Continue from its factors; ids that it lacks are folded in first, ids that `train` lacks are
        dropped.
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each sweep.

    Raises
    ------
    FitError
        A row has no unique finite solution (with regularization 0).
    SettingError
        `start` has another number of factors.
    DataError
        There is nothing to train on.

    References
    ----------
    Hu, Koren, Volinsky 2008, "Collaborative Filtering for Implicit Feedback Datasets".

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> losses = [loss(m) for m in iterate(likes, ALSConfig(factors=2, iterations=3))]
    >>> losses[0] >= losses[1] >= losses[2]
    True
    """
    training = _training(train, config, start, engine or LocalEngine())
    yield from models_of(training, config.iterations, observer)


@with_example("model = al.fit(likes, al.ALSConfig(factors=64))")
def fit(
    train: Interactions,
    config: ALSConfig,
    *,
    start: ALSModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> ALSModel:
    """Return the last model of `iterate`; parameters and errors are the same.

    Both factor matrices are in memory once, since earlier sweeps make no model.

    Examples
    --------
    >>> likes = Interactions.from_columns(["ann", "ann", "bob"], ["m1", "m2", "m1"])
    >>> fit(likes, ALSConfig(factors=2, iterations=3))
    ALSModel(2 users, 2 items, 2 factors, 3 sweeps)
    """
    training = _training(train, config, start, engine or LocalEngine())
    return last_model_of(training, config.iterations, observer)


@with_example("al.fold_in(model, likes)")
def fold_in(model: ALSModel, user_items: Any, *, engine: Engine | None = None) -> Floats:
    """Solve for the exact factors of users who are not in the model.

    Parameters
    ----------
    model : ALSModel
    user_items : Interactions over the model's items, or a SciPy matrix, (n, n_items)
        Their values, columns in the model's order.

    Returns
    -------
    float32, (n, factors)
        For a user of the training data of an exact fit: the stored factors, byte for byte.
    """
    return new_users(expect_als(model, "fold in users"), user_items, engine or LocalEngine())


@with_example("al.fold_in_items(model, item_users)")
def fold_in_items(model: ALSModel, item_users: Any, *, engine: Engine | None = None) -> Floats:
    """Solve for the exact factors of items that are not in the model.

    Parameters
    ----------
    model : ALSModel
    item_users : SciPy matrix, (n, n_users)
        Their values, columns in the model's order of users.

    Returns
    -------
    float32, (n, factors)
        In the basis of the stored item factors.
    """
    return new_items(expect_als(model, "fold in items"), item_users, engine or LocalEngine())


@with_example("al.loss(model)")
def loss(
    model: ALSModel, train: Interactions | None = None, *, engine: Engine | None = None
) -> float:
    """Return the exact loss of `model` on `train` (default: its training data).

    It is the weighted squared error of all cells plus both regularization terms (Hu et al. 2008,
    eq. 3). Gramians give the sum over unobserved cells, in O((users + items) f^2 + interactions f).
    """
    expect_als(model, "take its loss")
    data = model.history if train is None else train
    if data is None:
        raise SettingError("This model holds no training interactions: pass `train`.")
    expect_same_ids(model, data)
    return loss_on(model, data, engine or LocalEngine())


class Training:
    """Current factors of both sides, and the sweep that updates them.

    Factors are updated in place unless a model or the momentum holds them: there is one matrix of
    each side, and one more that a model holds.
    """

    def __init__(
        self, train: Interactions, config: ALSConfig, start: ALSModel | None, engine: Engine
    ) -> None:
        _refuse_empty(train)
        expect_config(config)
        config = config.for_table(train)
        if start is not None:
            expect_als(start, "go on from it")
        self._train, self._config, self._engine = train, config, engine
        self._user_side, self._item_side = Side.both_of(train, config.loss_config)
        for side in (self._item_side, self._user_side):
            # Cutting takes memory: before there are factors.
            side.chunks(config.factors, config.solver_config)
        if start is None:
            self._users = _drawn(train.n_users, config.factors, config.schedule_config, config.seed)
        else:
            self._users = _carried_over(train, config.factors, start, engine)
        self._items = np.zeros((train.n_items, config.factors), dtype=np.float32)
        self._values = np.zeros(config.factors)
        self._sweeps = 0 if start is None else start.sweeps
        self._momentum = Momentum() if config.schedule_config.momentum else None
        # The users, extrapolated with momentum, that the next items are solved against.
        self._ahead = self._users
        self._ahead_is_held = self._items_are_held = self._users_are_held = False

    def sweep(self) -> None:
        """Solve all items against the users, then all users against the items."""
        loss_config, solver, engine = (
            self._config.loss_config,
            self._config.solver_config,
            self._engine,
        )
        roughly = not solver.is_exact
        single = float32_basis(self._item_side, self._ahead, loss_config, engine)
        values, first = eigenbasis(gramian(self._ahead, engine, in_float32=single), engine)
        into = None if self._ahead_is_held else self._ahead
        users = turned(self._ahead, first, engine, in_float32=single or roughly, out=into)
        self._users = self._ahead = users  # frees the last ones
        items = np.empty_like(self._items) if self._items_are_held else self._items
        if roughly:  # steps start from the old solution
            turned(self._items, first, engine, in_float32=True, out=items)
        self._items = items
        self._basis_changed(first)
        solve_side(
            self._item_side, users, values, items, loss_config, solver, engine,
            prior=self._prior_of("item"),
        )  # fmt: skip
        self._solved("item", items)
        single = float32_basis(self._user_side, items, loss_config, engine)
        self._values, second = eigenbasis(gramian(items, engine, in_float32=single), engine)
        turned(items, second, engine, in_float32=single or roughly, out=items)
        if roughly:
            turned(users, second, engine, in_float32=True, out=users)
        self._basis_changed(second)
        solve_side(
            self._user_side, items, self._values, users, loss_config, solver, engine,
            prior=self._prior_of("user"),
        )  # fmt: skip
        self._solved("user", users)
        if self._momentum is not None:
            turn = one_after_the_other(first, second, engine)
            self._ahead = self._momentum.beyond(
                users, turn, engine, last_are_held=self._users_are_held
            )
        self._items_are_held = self._users_are_held = False
        # The momentum keeps the users.
        self._ahead_is_held = self._momentum is not None and self._ahead is users
        self._sweeps += 1

    def _basis_changed(self, basis: Doubles) -> None:
        """Follow a rotation of the factors of both sides; nothing to do without priors."""

    def _prior_of(self, side: Literal["user", "item"]) -> Floats | None:
        """Return the factors that rows are pulled to, (n_rows, factors); None: 0."""
        return None

    def _solved(self, side: Literal["user", "item"], factors: Floats) -> None:
        """Learn from the factors of a side what its rows are pulled to; nothing by default."""

    def model(self) -> ALSModel:
        """Return the current model; its arrays are never written to again."""
        self._items_are_held = self._users_are_held = True
        self._ahead_is_held |= self._ahead is self._users
        return ALSModel(
            users=self._train.users,
            items=self._train.items,
            user_factors=_frozen(self._users),
            item_factors=_frozen(self._items),
            eigenvalues=self._values,
            item_counts=self._train.like_counts,
            settings=self._config.to_settings(),
            sweeps=self._sweeps,
            catalogue=self._train.catalogue,
            item_features=self._train.item_features,
            user_features=self._train.user_features,
            history=self._train,
        )


class NonNegativeTraining(Training):
    """The training whose rows are solved for factors that are not below 0."""

    def __init__(
        self, train: Interactions, config: ALSConfig, start: ALSModel | None, engine: Engine
    ) -> None:
        if start is not None and not expect_als(start, "go on from it").is_nonnegative:
            raise SettingError(
                "The model to continue from may have factors below 0, and the settings have "
                "nonnegative=True. Leave start out, or begin with a non-negative model."
            )
        super().__init__(train, config, start, engine)
        if start is None:
            np.abs(self._users, out=self._users)

    def sweep(self) -> None:
        """Solve all items against the users, then all users against the items."""
        loss_config, engine = self._config.loss_config, self._engine
        items = np.empty_like(self._items) if self._items_are_held else self._items
        solve_nonnegative_side(self._item_side, self._users, items, loss_config, engine)
        users = np.empty_like(self._users) if self._users_are_held else self._users
        solve_nonnegative_side(self._user_side, items, users, loss_config, engine)
        self._values, _ = eigenbasis(gramian(items, engine), engine)
        self._items, self._users, self._ahead = items, users, users
        self._items_are_held = self._users_are_held = self._ahead_is_held = False
        self._sweeps += 1


def _training(
    train: Interactions, config: ALSConfig, start: ALSModel | None, engine: Engine
) -> Training:
    expect_config(config)
    kind = NonNegativeTraining if config.nonnegative else Training
    return kind(train, config, start, engine)


def _drawn(n_users: int, factors: int, schedule: ScheduleConfig, seed: int) -> Floats:
    """Return random user factors, against which the first items are solved."""
    generator = np.random.default_rng(seed)
    scale = 1.0 if schedule.start == "normal" else 0.1 / math.sqrt(factors)
    users = np.empty((n_users, factors), dtype=np.float32)
    # Piece by piece, since numbers are drawn in float64: the same numbers in less memory.
    for piece in pieces(n_users):
        users[piece] = scale * generator.standard_normal(users[piece].shape)
    return users


def _carried_over(train: Interactions, factors: int, start: ALSModel, engine: Engine) -> Floats:
    """Return the factors of known users, and of new ones folded in by known items."""
    if start.factors != factors:
        raise SettingError(
            f"The model to continue from has {start.factors} factors, the settings have "
            f"{factors}. Give the same number."
        )
    places = start.users.places_of(train.users)
    rows, columns = places < 0, start.items.places_of(train.items)
    users = np.zeros((train.n_users, factors), dtype=np.float32)
    users[~rows] = start.user_factors[places[~rows]]
    if rows.any():
        users[rows] = _folded_in(train, rows, columns, start, engine)
    return users


def _folded_in(
    train: Interactions, rows: Mask, columns: Indices, start: ALSModel, engine: Engine
) -> Floats:
    """Fold in some rows of users; `columns` are the items' places in `start`, -1 without any."""
    new = train.user_items[np.flatnonzero(rows)].tocoo()
    kept = columns[new.col] >= 0
    places, shape = (new.row[kept], columns[new.col[kept]]), (int(rows.sum()), len(start.items))
    likes = sp.csr_array((new.data[kept], places), shape=shape)
    ages = None
    if train.timestamps is not None:  # else all are new
        ages = start.config.loss_config.value_weights.ages(train)
    if ages is not None:
        own = ages[np.repeat(rows, train.user_counts)][kept]
        ages = sp.csr_array((own, places), shape=shape).data  # in the order of the likes
    return new_users(start, likes, engine, ages)


def _refuse_empty(train: Any) -> None:
    expect_interactions(train)
    if not train.n_interactions:
        raise DataError("There are no interactions to train on.")


def _frozen(factors: Floats) -> Floats:
    factors.flags.writeable = False
    return factors
