"""Ridge regression of factors on features, by a factorization or by conjugate gradients.

``B = (F'DF + mu I)^-1 F'D Y``, with D the weights of rows and mu the penalty of features. Up to
`MOST_DENSE` features, F'DF is factorized once, in float64; of more, it is never formed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse as sp

from alsolike.engines.base import Engine, pieces
from alsolike.errors import FitError
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.solver.ridge import apply_system, multiply_sparse, step, turn_direction

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

MOST_DENSE = 1_500
# Steps end once the residual of each column is this share of its right side.
RESIDUAL = 1e-4
_MOST_STEPS = 300
# Rows that one piece of work takes: fixed, so that sums keep their order for any number of threads.
_ROWS = 1024


class Ridge:
    """The regression of one side, prepared for all sweeps.

    Parameters
    ----------
    vectors : CSR of float32, (n, m)
        F, weighed.
    weights : float64, (n,)
        The diagonal of D; 0 for rows that do not count.
    penalty : float
        mu, at least 0.
    engine : Engine
        Where to compute; the results do not depend on it.
    """

    def __init__(
        self, vectors: sp.csr_array, weights: Doubles, penalty: float, engine: Engine
    ) -> None:
        self._vectors, self._engine, self._factor = vectors, engine, None
        self._roots = np.sqrt(weights)
        scaled = vectors.copy()
        scaled.data = (scaled.data * np.repeat(self._roots, np.diff(vectors.indptr))).astype(
            np.float32
        )
        self._scaled, self._by_feature = scaled, sp.csr_array(scaled.T)
        if vectors.shape[1] <= MOST_DENSE:
            system = (scaled.T @ scaled.astype(np.float64)).toarray()
            system[np.diag_indices_from(system)] += penalty
            (self._factor,) = engine.each(_factorized, [system])
            return
        self._penalty = penalty
        squares = np.bincount(scaled.indices, scaled.data.astype(np.float64) ** 2, vectors.shape[1])
        diagonal = squares + penalty
        # A feature of no row and without a penalty keeps what it has.
        self._inverse = np.where(diagonal > 0, 1 / np.where(diagonal > 0, diagonal, 1), 0).astype(
            np.float32
        )

    def predict(self, coefficients: Floats) -> Floats:
        """Return F B, float32, (n, f)."""
        return self._product(self._vectors, coefficients)

    def fit(self, targets: Floats, start: Floats) -> Floats:
        """Return B, float32, (m, f); conjugate gradients begin with `start`.

        Raises
        ------
        FitError
            There is no unique solution, or it is not found.
        """
        right = self._product(self._by_feature, (self._roots[:, None] * targets).astype(np.float32))
        if self._factor is None:
            return self._by_steps(right, start.copy())
        (found,) = self._engine.each(
            lambda one: scipy.linalg.cho_solve(self._factor, one), [right.astype(np.float64)]
        )
        return np.ascontiguousarray(found, dtype=np.float32)

    def _by_steps(self, right: Floats, found: Floats) -> Floats:
        """Take steps of conjugate gradients, preconditioned by the diagonal, in all columns."""
        n, f = right.shape
        parts = pieces(n, _ROWS)
        goal = RESIDUAL**2 * np.einsum("mf,mf->f", right, right, dtype=np.float64)
        applied, direction = np.empty_like(right), found.copy()
        self._apply(direction, applied, parts)
        rest, nothing = right - applied, np.zeros(f, dtype=np.float32)
        squares, left = self._step(nothing, direction, applied, found, rest, parts)
        ratios = nothing
        for _ in range(_MOST_STEPS):
            open_columns = squares > goal
            if not open_columns.any():
                return found
            self._turn(ratios, rest, direction, parts)
            curvature = self._apply(direction, applied, parts)
            may = open_columns & (curvature > 0)
            lengths = np.where(may, left / np.where(may, curvature, 1.0), 0.0).astype(np.float32)
            squares, now = self._step(lengths, direction, applied, found, rest, parts)
            ratios = (now / np.where(left > 0, left, 1.0)).astype(np.float32)
            left = now
        raise FitError(
            f"The regression on {n:,} features has not converged in {_MOST_STEPS} steps. Raise "
            "item_feature_regularization and user_feature_regularization."
        )

    def _apply(self, direction: Floats, applied: Floats, parts: list[slice]) -> Doubles:
        """Write (F'DF + mu I) d; return its products with d, (f,)."""
        predicted, by_feature = self._product(self._scaled, direction), self._by_feature
        arrays = plain(by_feature.indptr), plain(by_feature.indices), plain(by_feature.data)
        penalty: Any = np.float32(self._penalty)

        def part(piece: slice, sums: Doubles) -> None:
            apply_system(
                *arrays, piece.start, piece.stop, predicted, penalty, direction, applied, sums
            )

        return self._summed(part, parts, direction.shape[1])

    def _step(
        self,
        lengths: Floats,
        direction: Floats,
        applied: Floats,
        found: Floats,
        rest: Floats,
        parts: list[slice],
    ) -> tuple[Doubles, Doubles]:
        """Take a step; return the squares of the residual, and the same preconditioned, (f,)."""
        inverse = self._inverse

        def part(piece: slice, sums: Doubles) -> None:
            step(
                piece.start, piece.stop, lengths, direction, applied, inverse, found, rest,
                sums.reshape(2, -1),
            )  # fmt: skip

        both = self._summed(part, parts, 2 * rest.shape[1])
        return both[: rest.shape[1]], both[rest.shape[1] :]

    def _turn(self, ratios: Floats, rest: Floats, direction: Floats, parts: list[slice]) -> None:
        inverse = self._inverse

        def part(piece: slice) -> None:
            turn_direction(piece.start, piece.stop, ratios, rest, inverse, direction)

        self._engine.each(part, parts)

    def _summed(
        self, part: Callable[[slice, Doubles], None], parts: list[slice], width: int
    ) -> Doubles:
        """Do all parts; return the sums of what they add up, in their order."""
        sums = np.empty((len(parts), width))
        self._engine.each(lambda at: part(parts[at], sums[at]), range(len(parts)))
        total: Doubles = sums.sum(axis=0)
        return total

    def _product(self, sparse: sp.csr_array, dense: Floats) -> Floats:
        out = np.empty((sparse.shape[0], dense.shape[1]), dtype=np.float32)
        arrays = plain(sparse.indptr), plain(sparse.indices), plain(sparse.data)
        given = plain(np.ascontiguousarray(dense, dtype=np.float32))

        def part(piece: slice) -> None:
            multiply_sparse(*arrays, piece.start, piece.stop, given, out)

        self._engine.each(part, pieces(sparse.shape[0], _ROWS))
        return out


def _factorized(system: Doubles) -> Any:
    try:
        return scipy.linalg.cho_factor(system, lower=True)
    except np.linalg.LinAlgError:
        raise FitError(
            "The regression on features has no unique solution. Raise "
            "item_feature_regularization and user_feature_regularization."
        ) from None
