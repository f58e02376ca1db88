"""Training of BPR and WARP: epochs of steps in blocks without common users and items."""

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.compiler.vectors import LANES
from alsolike.kernels.pairwise.blocks import deal_likes
from alsolike.kernels.pairwise.steps import learn_block
from alsolike.models.history_model import training_likes
from alsolike.models.pairwise.config import PairwiseConfig, WARPConfig
from alsolike.models.pairwise.schedule import Schedule
from alsolike.models.pairwise.squares import Squares
from alsolike.models.sweeps import last_model_of, models_of
from alsolike.progress import SILENT, Observer

if TYPE_CHECKING:  # which trains on
    from alsolike.models.pairwise.model import PairwiseModel

Own = TypeVar("Own", bound="PairwiseModel")
Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

# Parts of users and items: so many blocks at most are learned at once. Not by the threads, since
# the results depend on it.
_PARTS = 16
_LEAST_ITEMS, _LEAST_USERS, _LEAST_LIKES = 64, 8, 8192  # of a part
# Of an item of average weight, the times that it is among those to draw.
_TIMES = 8


def iterate(
    train: Interactions,
    config: PairwiseConfig,
    kind: type[Own],
    *,
    start: "PairwiseModel | None" = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[Own]:
    """Yield a usable model after each epoch, ``config.iterations`` times.

    Parameters
    ----------
    train : Interactions
    config : PairwiseConfig
    kind : type
        The class of the models.
    start : PairwiseModel or None
        Continue from it, as if its training had not ended. Ids that it lacks start anew, ids that
        `train` lacks are dropped.
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each epoch.

    Raises
    ------
    DataError
        There is nothing to train on.
    FitError
        The factors are no longer finite.
    SettingError
        `start` has another number of factors.
    """
    training = Training(train, config, kind, start, engine or LocalEngine())
    yield from models_of(training, config.iterations, observer)


def fit(
    train: Interactions,
    config: PairwiseConfig,
    kind: type[Own],
    *,
    start: "PairwiseModel | None" = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Own:
    """Return the last model of `iterate`, without one of each epoch in memory."""
    training = Training(train, config, kind, start, engine or LocalEngine())
    return last_model_of(training, config.iterations, observer)


@dataclass(frozen=True, eq=False)
class _Likes:
    """The likes that are learned from, as the kernels take them."""

    starts: npt.NDArray[np.int64]
    items: Indices
    weights: Floats
    most: int

    @classmethod
    def of(cls, train: Interactions, config: PairwiseConfig) -> "_Likes":
        likes = training_likes(train, config.value_weights)
        if not likes.nnz:
            raise DataError(
                "There are no likes to train on: no value is above 0. Ranking pairs needs some."
            )
        weights = np.empty(0, dtype=np.float32)
        if not config.value_weights.are_ones:
            weights = (likes.data / likes.data.mean()).astype(np.float32)
        starts = likes.indptr.astype(np.int64)
        return cls(
            plain(starts), plain(likes.indices.astype(np.int32, copy=False)), plain(weights),
            int(np.diff(starts).max()),
        )  # fmt: skip


class Training(Generic[Own]):
    """Current factors of both sides, and the epoch that updates them."""

    def __init__(
        self,
        train: Interactions,
        config: PairwiseConfig,
        kind: type[Own],
        start: "PairwiseModel | None",
        engine: Engine,
    ) -> None:
        expect_interactions(train)
        self._likes = _Likes.of(train, config)
        self._train, self._config, self._kind, self._engine = train, config, kind, engine
        self._epochs = 0 if start is None else start.sweeps
        n_parts = min(
            train.n_items // _LEAST_ITEMS, train.n_users // _LEAST_USERS,
            len(self._likes.items) // _LEAST_LIKES,
        )  # fmt: skip
        self._parts = min(max(n_parts, 1), _PARTS)
        self._draw(train, config, start)
        self._pool = _pool(train, config)
        self._next = np.zeros(train.n_users, dtype=np.int64)
        self._dealt = np.empty_like(self._likes.items)
        self._dealt_weights = np.empty_like(self._likes.weights)
        self._marks = np.zeros(train.n_items, dtype=np.uint8)

    def _draw(
        self, train: Interactions, config: PairwiseConfig, start: "PairwiseModel | None"
    ) -> None:
        rng, f = np.random.default_rng(config.seed), config.factors
        self._users, self._items = (
            np.zeros((n, -(-f // LANES) * LANES), dtype=np.float32)
            for n in (train.n_users, train.n_items)
        )
        for factors in (self._users, self._items):
            drawn = rng.random((len(factors), f), dtype=np.float32)
            factors[:, :f] = (drawn - np.float32(0.5)) / np.float32(f)
        self._biases = np.zeros(train.n_items, dtype=np.float32)
        self._squares = Squares.ones(train.n_users, train.n_items)
        if start is not None:
            self._go_on(start)

    def _go_on(self, start: "PairwiseModel") -> None:
        """Take over the rows that a model has."""
        if start.item_factors.shape[1] != self._config.factors + 1:
            raise SettingError(
                f"The model to continue from has {start.item_factors.shape[1] - 1} factors, the "
                f"settings have {self._config.factors}. Give the same number."
            )
        f = self._config.factors
        own = start.users.places_of(self._train.users)
        known = own >= 0
        self._users[known, :f] = start.user_factors[own[known], :-1]
        self._squares.users[known] = start.squares.users[own[known]]
        own = start.items.places_of(self._train.items)
        known = own >= 0
        self._items[known, :f] = start.item_factors[own[known], :-1]
        self._biases[known] = start.item_factors[own[known], -1]
        self._squares.items[known] = start.squares.items[own[known]]
        self._squares.biases[known] = start.squares.biases[own[known]]

    def sweep(self) -> None:
        """Take a step for each like."""
        rng = np.random.default_rng([self._config.seed, self._epochs])
        users, items = (
            np.array_split(rng.permutation(n).astype(np.int32), self._parts)
            for n in (self._train.n_users, self._train.n_items)
        )
        part_of = np.empty(self._train.n_items, dtype=np.int32)
        for number, own in enumerate(items):
            part_of[own] = number
        # As a uint64 and not a Python int, which the compiler would take for another type.
        key = rng.integers(0, 2**64, dtype=np.uint64)
        pool = self._pool[np.argsort(part_of[self._pool], kind="stable")]
        bounds = np.searchsorted(part_of[pool], np.arange(self._parts + 1))
        Schedule(self._parts, self._block_of(users, plain(part_of), pool, bounds, key)).run(
            self._engine
        )
        self._epochs += 1
        self._expect_finite()

    def _block_of(
        self, users: list[Indices], part_of: Indices, pool: Indices, bounds: Any, key: Any
    ) -> Callable[[int, int], None]:
        """Return what a chain does in a turn, see `Schedule`."""
        config, likes, squares, n_parts = self._config, self._likes, self._squares, self._parts
        own = [plain(part) for part in users]
        others = [plain(pool[first:last]) for first, last in itertools.pairwise(bounds)]
        dealt, dealt_weights = plain(self._dealt), plain(self._dealt_weights)
        how = (
            self._train.n_items - 1, *_draws(config), config.factors, plain(_rates(config)),
            config.optimizer == "adagrad",
        )  # fmt: skip
        factors = (
            self._marks, self._users, squares.users, self._items, squares.items, self._biases,
            squares.biases,
        )  # fmt: skip

        def work(chain: int, turn: int) -> None:
            if not turn:
                counts = np.empty(n_parts + 1, dtype=np.int64)
                shuffled = np.empty(likes.most, dtype=np.int64)
                deal_likes(
                    own[chain], likes.starts, likes.items, likes.weights, part_of, chain, n_parts,
                    key, counts, shuffled, self._dealt, self._dealt_weights, self._next,
                )  # fmt: skip
            number = (chain + turn) % n_parts
            learn_block(
                own[chain], likes.starts, dealt, dealt_weights, self._next, part_of, number,
                others[number], *how, key + np.uint64(1 + number), *factors,
            )  # fmt: skip

        return work

    def _expect_finite(self) -> None:
        for factors in (self._users, self._items, self._biases):
            # A sum in float64 of float32 numbers is finite if and only if all of them are.
            with np.errstate(invalid="ignore"):  # inf - inf
                total = float(factors.sum(dtype=np.float64))
            if not math.isfinite(total):
                raise FitError(
                    f"Factors are no longer finite in epoch {self._epochs}: steps are too "
                    f"long. Lower learning_rate={self._config.learning_rate:g}, or raise the "
                    "regularization."
                )

    def model(self) -> Own:
        """Return the current model, of copies."""
        has = (np.diff(self._likes.starts) > 0)[:, None]
        train, f = self._train, self._config.factors
        users = np.hstack([self._users[:, :f], np.ones((train.n_users, 1), np.float32)]) * has
        items = np.hstack([self._items[:, :f], self._biases[:, None]])
        for factors in (users, items):
            factors.flags.writeable = False
        return self._kind(
            users=train.users,
            items=train.items,
            user_factors=users,
            item_factors=items,
            item_counts=train.like_counts,
            settings=self._config.to_settings(),
            sweeps=self._epochs,
            catalogue=train.catalogue,
            item_features=train.item_features,
            user_features=train.user_features,
            history=train,
            squares=self._squares.copy(),
        )


def _draws(config: PairwiseConfig) -> tuple[bool, int, int, int]:
    """Return whether it is WARP, the draws of other items, and those of likes and their order."""
    if isinstance(config, WARPConfig):
        return True, config.max_sampled, config.kos_draws, config.kos_order
    return False, getattr(config, "candidates", 1), 0, 0


def _rates(config: PairwiseConfig) -> Floats:
    """Return the learning rate, and lambda of users, items and biases."""
    numbers = (
        config.learning_rate, config.user_regularization, config.item_regularization,
        config.bias_regularization,
    )  # fmt: skip
    return np.array(numbers, dtype=np.float32)


def _pool(train: Interactions, config: PairwiseConfig) -> Indices:
    """Return the items to draw others from, each once, or as often as its likes demand."""
    items = np.arange(train.n_items, dtype=np.int32)
    if config.negatives_exponent == 0:
        return items
    weights = np.maximum(train.like_counts, 1).astype(np.float64) ** config.negatives_exponent
    times = np.maximum(np.rint(_TIMES * weights / weights.mean()), 1).astype(np.int64)
    return np.repeat(items, times)
