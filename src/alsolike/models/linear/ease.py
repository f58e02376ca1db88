"""EASE: item-item weights in closed form, for catalogues that fit into memory.

Training holds one float64 matrix, items x items: the Gramian of the likes, inverted in place into
the weights.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.engines.base import Engine, pieces
from alsolike.engines.hardware import available
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import Doubles, FittedModel, Floats, Indices, Rows
from alsolike.models.cold_items import WithColdItems
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.history_model import HistoryModel, weighted_likes, weights_of_likes
from alsolike.models.linear.config import LinearConfig
from alsolike.models.linear.training_rows import feature_weights_to_try, training_rows
from alsolike.models.protocols import Contributions
from alsolike.models.similarity.config import SimilarityScale
from alsolike.models.values import forms_to_try
from alsolike.progress import SILENT, Observer

Tile = tuple[slice, slice]

# Rows and columns of one tile; fixed, so that sums keep their order for any number of threads.
_TILE = 512
# Least lambda as a share of the Gramian's largest row sum, for enough precision in float64.
_LEAST = 1e-10
# Most items for which a search tries EASE by default: n x n x n operations take seconds.
_MOST_ITEMS = 10_000
# The same where the search is thorough: minutes.
_MOST_WHEN_THOROUGH = 20_000
# Rows of the Gramian made at once in each thread, sparse at first.
_ROWS = 32


@dataclass(frozen=True, kw_only=True)
class EASEConfig(LinearConfig):
    """The settings of `fit_ease`.

    Parameters
    ----------
    regularization : float
        lambda, above 0; 100 to 1000 is usual, more for tables with more likes.
    dropout : float
        p, at least 0 and below 1; above 0 the model is EDLAE.
    values, value_scale, value_length, half_life
        Weights of likes, as of every `LinearConfig`.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> EASEConfig(regularization=200).to_settings()["regularization"]
    200.0
    """

    family: ClassVar[str] = "ease"


@dataclass(frozen=True, eq=False, kw_only=True)
class EASEModel(HistoryModel):
    """Scores an item by the sum of the weights from the user's likes to it.

    Parameters
    ----------
    users, items, item_counts, catalogue, history, config
        As of every `HistoryModel`.
    weights : float64, (n_items, n_items), C order
        B of the paper: ``[i, j]`` is what a like of i adds to the score of j; 0 on the diagonal.
    """

    name: ClassVar[str] = "ease"

    weights: Doubles
    config: EASEConfig

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Sum weights, in float64 in the order of the items, (n, n_chosen_items)."""
        liked = weighted_likes(likes, self.item_counts, self.config.value_weights, ages)
        n_columns = len(range(*item_indices.indices(len(self.items))))
        scores = np.zeros((liked.shape[0], n_columns), dtype=np.float32)
        # In a fixed order, which a library's product does not promise for blocks.
        for row in range(liked.shape[0]):
            total = np.zeros(n_columns)
            for place in range(liked.indptr[row], liked.indptr[row + 1]):
                total += liked.data[place] * self.weights[liked.indices[place], item_indices]
            scores[row] = total
        return scores

    @property
    def similarity(self) -> SimilarityScale:
        """The weight from one item to another."""
        return SimilarityScale("the weight from this item")

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the weights from items to others, (n_chosen, n_others)."""
        added: Floats = self.weights[item_indices, other_indices].astype(np.float32)
        return added

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Return the weights of likes, and those from likes to items."""
        near = np.ascontiguousarray(self.weights[np.ix_(likes, items)].T)
        pulls = weights_of_likes(likes, values, self.item_counts, self.config.value_weights, ages)
        return Contributions(pulls, near)

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes, whose weights are 0."""
        weights = np.zeros((len(known.items), len(known.items)))
        weights[np.ix_(known.own, known.own)] = self.weights
        return replace(self, **known.fields(self), weights=weights)

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Solve for the weights of other likes."""
        found = fit_ease(train, self.config, engine=engine)
        return type(self).of(train, self.config, weights=found.weights)

    def __repr__(self) -> str:
        return (
            f"EASEModel({len(self.users):,} users, {len(self.items):,} items, "
            f"regularization {self.config.regularization:g})"
        )


def ease_bytes(n_items: int) -> int:
    """Return the peak memory of `fit_ease` in bytes, without the likes.

    One float64 matrix, items x items, and two panels, items x 512, while it is inverted; a few MiB
    more per thread.

    Examples
    --------
    >>> f"{ease_bytes(20_000) / 2**30:.2f} GiB"
    '3.13 GiB'
    """
    return 8 * n_items * (n_items + 2 * min(_TILE, n_items))


def fit_ease(
    train: Interactions,
    config: EASEConfig,
    *,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    tile: int = _TILE,
) -> EASEModel:
    """Solve for the item-item weights that best reproduce the likes, with a zero diagonal.

    Time grows with the cube of the number of items, memory with its square (`ease_bytes`).

    Parameters
    ----------
    train : Interactions
        Values above zero are likes, weighted as `config` says; the rest is left out.
    config : EASEConfig
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each tile of items.
    tile : int
        Items inverted at a time.

    Raises
    ------
    DataError
        The weights do not fit into the available memory.
    FitError
        The regularization is too small to invert the matrix.

    References
    ----------
    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", eq. 8 and algorithm 1.
    Steck 2020, "Autoencoders that don't overfit towards the Identity": EDLAE, by `dropout`.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> model = fit_ease(likes, EASEConfig(regularization=1.0))
    >>> model.weights.round(4)
    array([[0.    , 0.6667, 0.    ],
           [0.6667, 0.    , 0.    ],
           [0.    , 0.    , 0.    ]])
    """
    expect_interactions(train)
    refuse_too_large(train.n_items)
    engine = engine or LocalEngine()
    likes = training_rows(train, config)
    matrix = _gramian(likes, engine)
    _regularize(matrix, config)
    tiles = pieces(len(matrix), tile)
    _invert(matrix, tiles, engine, observer)
    _divide(matrix, tiles, engine)
    return EASEModel.of(train, config, weights=matrix)


def refuse_too_large(n_items: int) -> None:
    """Raise DataError if the weights do not fit into memory."""
    needed, free = ease_bytes(n_items), available()
    if free is not None and needed > free:
        fitting = math.isqrt(_TILE**2 + free // 8) - _TILE
        raise DataError(
            f"EASE over {n_items:,} items needs {_gib(needed)} of memory, and {_gib(free)} are "
            f"available. Up to {fitting:,} items fit: filter more strictly "
            "(min_per_item), or leave EASE out: the memory of item-knn does not grow with "
            "items x items."
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:,.2f} GiB"


def _gramian(likes: sp.csr_array, engine: Engine) -> Doubles:
    """Sum the products of the likes of two items, in the order of the users."""
    item_users = likes.T.tocsr()
    matrix = np.empty((likes.shape[1], likes.shape[1]))

    def fill(rows: slice) -> None:
        (item_users[rows] @ likes).toarray(out=matrix[rows])

    engine.each(fill, pieces(len(matrix), _ROWS))
    return matrix


def _regularize(matrix: Doubles, config: EASEConfig) -> None:
    """Add the ridges to the diagonal; FitError if the matrix stays nearly singular."""
    sums = [matrix[rows].sum(axis=1).max() for rows in pieces(len(matrix), _ROWS)]
    least = _LEAST * float(max(sums, default=0.0))
    if config.regularization < least:
        raise FitError(
            f"regularization={config.regularization!r} is too small for float64 over "
            f"{len(matrix):,} items; at least {least:.1g} is needed, 100 to 1000 is usual."
        )
    matrix[np.diag_indices_from(matrix)] += config.ridge(matrix.diagonal())


def _invert(matrix: Doubles, tiles: list[slice], engine: Engine, observer: Observer) -> None:
    """Replace a positive definite matrix's lower triangle by minus the inverse.

    By the symmetric sweep operator, tile by tile along the diagonal: as many operations as by
    Cholesky, in independent products of tiles.
    """
    observer.start("Inverting the item matrix", len(matrix))
    for step in tiles:
        _sweep(matrix, step, [tile for tile in tiles if tile != step], engine)
        observer.advance(step.stop - step.start)
    observer.finish()


def _sweep(matrix: Doubles, step: slice, others: list[slice], engine: Engine) -> None:
    """Sweep one tile of the diagonal; all swept tiles together hold minus their inverse."""
    panel = np.empty((len(matrix), step.stop - step.start))
    panel[: step.start] = matrix[step, : step.start].T
    panel[step.stop :] = matrix[step.stop :, step]
    (corner,) = engine.each(_inverse, [matrix[step, step]])
    solved = np.empty_like(panel)

    def solve(rows: slice) -> None:
        np.matmul(panel[rows], corner, out=solved[rows])

    def subtract(tile: Tile) -> None:
        rows, columns = tile
        matrix[rows, columns] -= solved[rows] @ panel[columns].T

    engine.each(solve, others)
    engine.each(subtract, _lower(others))
    matrix[step, : step.start] = solved[: step.start].T
    matrix[step.stop :, step] = solved[step.stop :]
    matrix[step, step] = -corner


def _inverse(tile: Doubles) -> Doubles:
    """Invert a small positive definite matrix, given by its lower triangle."""
    from scipy.linalg import cholesky, solve_triangular  # noqa: PLC0415 - not to load a model

    lower = cholesky(tile, lower=True, check_finite=False)
    root = solve_triangular(lower, np.eye(len(tile)), lower=True, check_finite=False)
    product: Doubles = root.T @ root
    return product


def _divide(matrix: Doubles, tiles: list[slice], engine: Engine) -> None:
    """Convert the lower triangle of minus the inverse, -P, to weights -P[i, j] / P[j, j]."""
    diagonal = -matrix.diagonal()

    def divide(tile: tuple[slice, slice]) -> None:
        rows, columns = tile
        below = matrix[rows, columns]
        if rows == columns:
            below = np.tril(below, -1)
            matrix[rows, columns] = (below + below.T) / diagonal[columns]
        else:
            matrix[columns, rows] = below.T / diagonal[rows]
            matrix[rows, columns] = below / diagonal[columns]

    engine.each(divide, _lower(tiles))


def _lower(tiles: list[slice]) -> list[Tile]:
    """List rows and columns of the tiles on the diagonal and below."""
    return [(rows, columns) for rows in tiles for columns in tiles if columns.start <= rows.start]


class EASEFamily(Family):
    """Item-item weights in closed form."""

    name: ClassVar[str] = "ease"
    config: ClassVar[type[Any]] = EASEConfig
    model: ClassVar[type[FittedModel]] = EASEModel
    uses_features: ClassVar[bool] = True

    def train(self, data: TrainingData, config: EASEConfig, **how: Any) -> EASEModel:
        """Return the model of `fit_ease`."""
        return fit_ease(data.interactions, config, **how)

    def pack(self, model: EASEModel) -> Arrays:
        """Return the weights."""
        return {"weights": model.weights}

    def unpack(self, arrays: BundleArrays, known: Known) -> EASEModel:
        """Return the model of the weights."""
        n_items = len(known.items)
        weights = arrays.finite("weights", np.float64, n_items, n_items)
        return EASEModel(**known.of_history(EASEConfig), weights=weights)

    def learns_from_features(self, config: LinearConfig) -> bool:
        """Return whether features have a weight."""
        return config.feature_weight > 0

    def cost(self, config: EASEConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of the weights."""
        return 8.0 * n_items * n_items

    def memory(self, data: TrainingData, config: EASEConfig, threads: int) -> int:
        """Return the peak of `fit_ease`."""
        return ease_bytes(data.interactions.n_items)

    def refuse(self, data: TrainingData, config: EASEConfig) -> None:
        """Raise DataError if the weights do not fit into memory."""
        refuse_too_large(data.interactions.n_items)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[EASEConfig]:
        """Return settings with dropout, less and more regularized."""
        usual = [EASEConfig(regularization=one, dropout=0.33) for one in (30.0, 100.0, 300.0)]
        weights = feature_weights_to_try(data.interactions)
        return [*usual, *(replace(usual[1], feature_weight=weight) for weight in weights)]

    def wide_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[EASEConfig]:
        """Return a grid of both settings, also on logarithms where values differ."""
        return [
            EASEConfig(
                regularization=regularization, dropout=dropout, values=form.values,
                value_scale=form.value_scale, feature_weight=weight,
            )
            for weight in (0.0, *feature_weights_to_try(data.interactions))
            for form in forms_to_try(data.interactions.user_items.data)
            for dropout in (0.0, 0.33, 0.5)
            for regularization in (10.0, 30.0, 100.0, 300.0, 1000.0)
        ]  # fmt: skip

    def is_tried(self, data: TrainingData) -> bool:
        """Return True up to 10,000 items."""
        return data.interactions.n_items <= _MOST_ITEMS

    def is_tried_when_thorough(self, data: TrainingData) -> bool:
        """Return True up to 20,000 items, if the weights fit into memory."""
        n_items, free = data.interactions.n_items, available()
        fits = free is None or 2 * ease_bytes(n_items) <= free
        return n_items <= _MOST_ITEMS or (n_items <= _MOST_WHEN_THOROUGH and fits)

    def why_tried(self, data: TrainingData) -> str:
        """Compare the items with the limit."""
        n_items = data.interactions.n_items
        limit = _MOST_ITEMS if n_items <= _MOST_ITEMS else _MOST_WHEN_THOROUGH
        return f"since {n_items:,} items are at most {limit:,}"

    @property
    def growth(self) -> float:
        """A little less than 3, on three public tables."""
        return 2.7
