"""Half-sweep of explicit ALS: solves all rows of one side by their ratings, on an engine.

The kernels are those of implicit ALS. Their rows have a dense part, which is 0 here, and an
interaction pulls with ``r - w z'p``, where p is a prior; so a target t is a prior with a score of
-t, under a weight of 1 and a pull of 0 of its own.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine, pieces
from alsolike.errors import DataError, FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.compiler.vectors import LANES
from alsolike.kernels.solver.batch import SMALL, solve_small
from alsolike.kernels.solver.dense import observed_loss
from alsolike.kernels.solver.float64_rows import solve_hard
from alsolike.kernels.solver.single import solve_single
from alsolike.models.als.config import SolverConfig
from alsolike.models.als.half_sweep import FLOAT32_GAIN, REFINED_GAIN, Side
from alsolike.models.explicit_als.config import ExplicitALSConfig, SideName

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Slope, base and pull of `alsolike.models.als.confidence.Weighing`: each rating weighs 1.
_WEIGHING = np.array([0.0, 1.0, -1.0])
_TARGETS = 1 << 17  # computed at a time
# Rows of more gain are refined with float64 residuals, by whether there are biases. Without,
# targets are ratings as they are, of which float32 alone loses 1e-6 (tests/models/explicit_als).
_EASY_GAIN = {True: FLOAT32_GAIN, False: 8.0}


def side_of(
    matrix: sp.csr_array, config: ExplicitALSConfig, kind: SideName, ids: Vocabulary | None
) -> Side:
    """Prepare the rows of a matrix of ratings; DataError if one is not finite."""
    if not np.isfinite(matrix.data).all():
        raise DataError("Ratings must be finite numbers; one of them is not.")
    counts = np.diff(matrix.indptr)
    return Side(matrix, matrix.data, config.row_regularization(kind, counts), kind, ids)


def solve_ratings(
    side: Side, other: Floats, mean: float, config: ExplicitALSConfig, engine: Engine
) -> Floats:
    """Return the rows of one side as they are stored, float32, (n_rows, columns).

    Parameters
    ----------
    side : Side
        Of `side_of`.
    other : float32, (n_columns, columns)
        The other side, as it is stored: factors, then ``b_u, 1`` of users or ``1, m + b_i`` of
        items.
    mean : float
        m.

    Raises
    ------
    FitError
        A row has no unique finite solution.
    """
    f, kind = config.factors, side.kind
    width = f + config.biases
    known = np.zeros((len(other), width + -width % LANES), dtype=np.float32)
    known[:, :f] = other[:, :f]
    if config.biases:
        known[:, f] = config.bias_scale(kind)
    solution = np.empty((side.n_rows, width), dtype=np.float32)
    scores = _negative_targets(side, other, mean, config, engine)
    _solve(side, plain(known), scores, _EASY_GAIN[config.biases], solution, engine)
    if not config.biases:
        return solution
    stored = np.empty((side.n_rows, f + 2), dtype=np.float32)
    stored[:, :f] = solution[:, :f]
    own = solution[:, f].astype(np.float64) * config.bias_scale(kind)
    if kind == "user":
        stored[:, f], stored[:, f + 1] = own, 1
    else:
        stored[:, f], stored[:, f + 1] = 1, mean + own
    return stored


def _negative_targets(
    side: Side, other: Floats, mean: float, config: ExplicitALSConfig, engine: Engine
) -> Floats:
    """Return what is expected by the other side alone, less the rating, float32, (ratings,)."""
    ratings, columns = side.matrix.data, side.matrix.indices
    if not config.biases:
        return plain(-ratings)
    f = config.factors
    expected = other[:, f + 1].astype(np.float64)
    if side.kind == "item":
        expected = mean + other[:, f].astype(np.float64)
    found = np.empty(len(ratings), dtype=np.float32)

    def part(piece: slice) -> None:
        found[piece] = expected[columns[piece]] - ratings[piece]

    engine.each(part, pieces(len(ratings), _TARGETS))
    return plain(found)


def _solve(
    side: Side, known: Floats, scores: Floats, easy: float, out: Floats, engine: Engine
) -> None:
    """Solve all rows against `known`, (n_columns, f), f a multiple of 8, into `out`."""
    dense = plain(np.zeros(out.shape[1]))
    rows = (
        plain(side.matrix.indptr), plain(side.matrix.indices), plain(side.matrix.data), _WEIGHING,
        scores, known,
    )  # fmt: skip
    ways = (dense, side.regularization)

    def part(chunk: npt.NDArray[np.int64]) -> int:
        if min(side.longest(chunk), known.shape[1]) <= SMALL:
            left = np.empty(len(chunk), dtype=np.int64)
            count = solve_small(chunk, *rows, *ways, easy, out, left)
            chunk = plain(left[:count])
        if not len(chunk):
            return -1
        left = np.empty(len(chunk), dtype=np.int64)
        count = solve_single(chunk, *rows, *ways, easy, REFINED_GAIN, out, left)
        return solve_hard(plain(np.sort(left[:count])), *rows, *ways, out) if count else -1

    out[np.diff(side.matrix.indptr) == 0] = 0
    failures = [
        row for row in engine.each(part, side.chunks(len(dense), SolverConfig())) if row >= 0
    ]
    if failures:
        row = min(failures)
        raise FitError(
            f"{side.row_name(row)} has no finite solution (regularization="
            f"{side.regularization[row]:g}, {out.shape[1]} columns). Raise regularization, or "
            "check its ratings."
        )


def rating_loss(
    sides: tuple[Side, Side],
    user_factors: Floats,
    item_factors: Floats,
    mean: float,
    config: ExplicitALSConfig,
    engine: Engine,
) -> float:
    """Return the loss of `ExplicitALSConfig`, float64, of stored rows; `sides` are users, items."""
    matrix = sides[0].matrix
    rows = plain(matrix.indptr), plain(matrix.indices)
    users, items = plain(user_factors), plain(item_factors)

    def part(piece: slice) -> float:
        first, last = piece.start, piece.stop
        own = matrix.data[matrix.indptr[first] : matrix.indptr[last]].astype(np.float64)
        # The kernel's sum of (r - s)^2 lacks r^2 - r of each rating.
        missed = observed_loss(*rows, np.ones(len(own)), own, first, last, users, items)
        return float(missed + np.vdot(own, own) - own.sum())

    errors = sum(engine.each(part, pieces(sides[0].n_rows)))
    return float(errors + sum(
        _penalty(side, factors, mean, config)
        for side, factors in zip(sides, (user_factors, item_factors), strict=True)
    ))  # fmt: skip


def _penalty(side: Side, stored: Floats, mean: float, config: ExplicitALSConfig) -> float:
    """Return the regularization of one side; rows without ratings are 0."""
    f = config.factors
    squares: Any = np.einsum("rf,rf->r", stored[:, :f], stored[:, :f], dtype=np.float64)
    if config.biases:
        own = stored[:, f] if side.kind == "user" else stored[:, f + 1] - np.float64(mean)
        squares += (own.astype(np.float64) / config.bias_scale(side.kind)) ** 2
    return float(side.regularization @ np.where(np.diff(side.matrix.indptr) > 0, squares, 0.0))
