"""Sparse linear models of items: each item is regressed on its neighbourhood, of any catalogue."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.engines.base import Engine
from alsolike.engines.hardware import available
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.cold_items import WithColdItems
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.linear.config import LinearConfig
from alsolike.models.linear.training_rows import feature_weights_to_try, training_rows
from alsolike.models.neighbours.item_weights import ItemWeightsModel
from alsolike.models.similarity.config import SimilarityScale
from alsolike.progress import SILENT, Observer

_TURNING = threading.Lock()
# The most liked items, all pairs of which a training holds in float32.
_HEAD = 16_384
# Of a like: its weight and an index, by users, by items, and once more while they are sorted.
_BYTES_PER_LIKE = 60
# Of a weight: itself and an index, in pieces, joined, and turned.
_BYTES_PER_WEIGHT = 40
# Most items for which a search tries them by default: a training takes minutes.
_MOST_ITEMS = 100_000
# Up to so many, EASE is tried, which regresses each item on all others.
_FEWEST_ITEMS = 10_000
# Neighbours in a search of at most so many items, and of more.
_NEIGHBOURS = ((50_000, 200), (200_000, 100))
_FEWEST = 48
# Items in one piece of work, of which each thread holds the weights.
_PIECE = 256


@dataclass(frozen=True, kw_only=True)
class SparseLinearConfig(LinearConfig):
    """The settings of `fit_sparse_linear`.

    Parameters
    ----------
    neighbours : int
        m, items that an item is regressed on at most; memory grows with it, time with its cube.
    regularization : float
        lambda, above 0; 10 to 300 is usual, more for tables with more likes.
    dropout, values, value_scale, value_length, half_life
        As of every `LinearConfig`.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> config = SparseLinearConfig(neighbours=100, dropout=0.2)
    >>> SparseLinearConfig.from_settings(config.to_settings()) == config
    True
    """

    family: ClassVar[str] = "sparse-linear"
    regularization: float = 100.0
    neighbours: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("neighbours", self.neighbours, least=1)


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseLinearModel(ItemWeightsModel):
    """Scores an item by the sum of the weights to it from those likes that are its neighbours.

    Parameters
    ----------
    users, items, item_counts, catalogue, history, config
        As of every `HistoryModel`.
    weights : scipy.sparse.csc_array of float64, (n_items, n_items)
        B: ``[i, j]`` is what a like of i adds to the score of j, stored if i is in the
        neighbourhood of j; rows ascend within a column.
    """

    name: ClassVar[str] = "sparse-linear"
    score_of_nothing: ClassVar[float | None] = 0.0

    weights: sp.csc_array
    config: SparseLinearConfig

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes, which are neighbours of none."""
        return replace(self, **known.fields(self), weights=known.placed(self.weights))

    @property
    def item_weights(self) -> sp.csr_array:
        """What a like of an item adds to others, a row for each item, made on first use."""
        with _TURNING:  # once, not in each thread
            return self._turned

    @property
    def similarity(self) -> SimilarityScale:
        """The weight from one item to another."""
        return SimilarityScale("the weight from this item")

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the weights from items to others, (n_chosen, n_others); -inf if not above 0."""
        sums = self.item_weights[item_indices][:, other_indices].toarray().astype(np.float32)
        sums[sums <= 0] = -np.inf
        scores: Floats = sums
        return scores

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Solve for the weights of other likes."""
        found = fit_sparse_linear(train, self.config, engine=engine)
        return type(self).of(train, self.config, weights=found.weights)

    @functools.cached_property
    def _turned(self) -> sp.csr_array:
        return self.weights.tocsr()

    def __repr__(self) -> str:
        return (
            f"SparseLinearModel({len(self.users):,} users, {len(self.items):,} items, "
            f"{self.config.neighbours:,} neighbours, "
            f"regularization {self.config.regularization:g})"
        )


def training_bytes(n_items: int, n_likes: int, neighbours: int, threads: int) -> int:
    """Return the peak memory of `fit_sparse_linear` in bytes, with copies of the likes.

    Examples
    --------
    >>> f"{training_bytes(1_000_000, 30_000_000, 50, 2) / 2**30:.1f} GiB"
    '4.1 GiB'
    """
    m, head = min(neighbours, n_items), min(_HEAD, n_items)
    of_thread = 20 * n_items + 8 * (m + 8) * (m + 16) + 12 * _PIECE * m
    held = _BYTES_PER_LIKE * n_likes + 2 * head * (head + 1) + _BYTES_PER_WEIGHT * n_items * m
    return held + threads * of_thread


def fit_sparse_linear(
    train: Interactions,
    config: SparseLinearConfig,
    *,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    head_items: int = _HEAD,
) -> SparseLinearModel:
    """Regress each item on its neighbourhood: EASE, or EDLAE, within the neighbourhood.

    The neighbourhood of item j are the items i liked by the same users with the largest
    ``G_ij / (G_ii + r_i)``, the weight that i would have alone; of equal ones the most liked. No
    matrix of all pairs is held.

    Parameters
    ----------
    train : Interactions
        Values above zero are likes, weighted as `config` says; the rest is left out.
    config : SparseLinearConfig
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each piece of items, perhaps from another thread.
    head_items : int
        Of the most liked items so many are held in pairs, for speed.

    Raises
    ------
    DataError
        The training does not fit into the available memory.
    FitError
        The regularization is too small for the weights of likes.

    References
    ----------
    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8: the same for all items
    at once.
    Ning, Karypis 2011, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", section 4.3:
    regressions on neighbourhoods.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> model = fit_sparse_linear(likes, SparseLinearConfig(regularization=1.0))
    >>> model.weights.toarray().round(4)
    array([[0.    , 0.6667, 0.    ],
           [0.6667, 0.    , 0.    ],
           [0.    , 0.    , 0.    ]])
    """
    # Scoring needs no compiler.
    from alsolike.models.linear.neighbourhoods import neighbourhood_weights  # noqa: PLC0415

    expect_interactions(train)
    engine = engine or LocalEngine()
    _refuse_too_large(train, config, engine.threads)
    likes = training_rows(train, config)
    weights = neighbourhood_weights(
        likes, config, config.neighbours, engine, observer, head_items=head_items
    )
    return SparseLinearModel.of(train, config, weights=weights)


def _refuse_too_large(train: Interactions, config: SparseLinearConfig, threads: int) -> None:
    """Raise DataError if a training does not fit into memory."""
    needed = training_bytes(train.n_items, train.n_interactions, config.neighbours, threads)
    free = available()
    if free is not None and needed > free:
        raise DataError(
            f"A sparse linear model of {train.n_items:,} items with {config.neighbours:,} "
            f"neighbours each needs {_gib(needed)} of memory, and {_gib(free)} are available. "
            "Give fewer neighbours, or filter more strictly (min_per_item)."
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB"


class SparseLinearFamily(Family):
    """Regressions of each item on its neighbourhood."""

    name: ClassVar[str] = "sparse-linear"
    config: ClassVar[type[Any]] = SparseLinearConfig
    model: ClassVar[type[FittedModel]] = SparseLinearModel
    uses_features: ClassVar[bool] = True

    def train(self, data: TrainingData, config: SparseLinearConfig, **how: Any) -> FittedModel:
        """Return the model of `fit_sparse_linear`."""
        return fit_sparse_linear(data.interactions, config, **how)

    def pack(self, model: SparseLinearModel) -> Arrays:
        """Return the weights, a row of neighbours for each item."""
        near = model.weights.T.tocsr()
        return {"indptr": near.indptr, "indices": near.indices, "weights": near.data}

    def unpack(self, arrays: BundleArrays, known: Known) -> SparseLinearModel:
        """Return the model of the weights."""
        near = arrays.matrix("weights", np.float64, len(known.items), len(known.items))
        return SparseLinearModel(**known.of_history(SparseLinearConfig), weights=near.T)

    def learns_from_features(self, config: LinearConfig) -> bool:
        """Return whether features have a weight."""
        return config.feature_weight > 0

    def cost(self, config: SparseLinearConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of a number and an index for each neighbour."""
        return 12.0 * n_items * min(config.neighbours, n_items)

    def memory(self, data: TrainingData, config: SparseLinearConfig, threads: int) -> int:
        """Return the peak of `fit_sparse_linear`."""
        train = data.interactions
        return training_bytes(train.n_items, train.n_interactions, config.neighbours, threads)

    def refuse(self, data: TrainingData, config: SparseLinearConfig) -> None:
        """Raise DataError if a training does not fit into memory."""
        _refuse_too_large(data.interactions, config, LocalEngine().threads)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[SparseLinearConfig]:
        """Return settings with fewer and more neighbours; fewer of large catalogues."""
        n_items = data.interactions.n_items
        most = next((m for limit, m in _NEIGHBOURS if n_items <= limit), _FEWEST)
        usual = [
            SparseLinearConfig(neighbours=most // 4, regularization=30.0, dropout=0.33),
            SparseLinearConfig(neighbours=most, regularization=30.0, dropout=0.33),
            SparseLinearConfig(neighbours=most, regularization=100.0, dropout=0.33),
        ]
        weights = feature_weights_to_try(data.interactions)
        return [*usual, *(replace(usual[-1], feature_weight=weight) for weight in weights)]

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[SparseLinearConfig]:
        """Return a grid of regularization and dropout with many neighbours, and fewer of them."""
        usual = self.search_space(data, seed=seed)
        grid = [
            replace(usual[-1], regularization=regularization, dropout=dropout, feature_weight=0.0)
            for dropout in (0.0, 0.33, 0.5)
            for regularization in (10.0, 30.0, 100.0, 300.0)
        ]
        return [*usual, *(one for one in grid if one not in usual)]

    def is_tried(self, data: TrainingData) -> bool:
        """Return True where there are too many items for EASE, up to 100,000."""
        return _FEWEST_ITEMS < data.interactions.n_items <= _MOST_ITEMS

    def is_tried_when_thorough(self, data: TrainingData) -> bool:
        """Return True up to 100,000 items, also beside EASE."""
        return data.interactions.n_items <= _MOST_ITEMS

    def why_tried(self, data: TrainingData) -> str:
        """Compare the items with the limits."""
        n_items = data.interactions.n_items
        if n_items <= _FEWEST_ITEMS:
            return f"since {n_items:,} items are at most {_MOST_ITEMS:,}"
        return f"since {n_items:,} items are more than {_FEWEST_ITEMS:,}, at most {_MOST_ITEMS:,}"

    def code(self, config: SparseLinearConfig, train: Interactions) -> tuple[Any, ...]:
        """Return one key: all settings need the same code."""
        return (self.name,)

    def kernels(self, config: SparseLinearConfig) -> Sequence[Any]:
        """Return the kernels of sums and of regressions, and that of ranking."""
        from alsolike.kernels.neighbours.sums import rank_sums  # noqa: PLC0415 - the compiler
        from alsolike.models.linear.neighbourhoods import KERNELS  # noqa: PLC0415

        return *KERNELS, rank_sums

    @property
    def growth(self) -> float:
        """About 1: each item has a system of its own."""
        return 1.0
