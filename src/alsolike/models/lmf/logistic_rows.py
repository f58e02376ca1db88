"""Solves logistic regressions of many rows against one other side, over all of their cells.

Every row is a convex problem of its own, given the other side's factors and biases. It takes steps
of conjugate gradients, with exact gradients: blocks of rows are multiplied with the whole other
side. No compiler is needed.

The preconditioner takes ``sigmoid'(s_ui)`` for ``a_u c_i``, with the weights of the row's and of
the column's likes as its margins. So one weighted Gramian of the other side serves all rows, in its
own eigenbasis. The length of a step is that of Newton's method along it, shortened so that no score
moves so far that the loss could rise.

References
----------
F. Bach 2010, "Self-concordant analysis for logistic regression", proposition 1: along a direction
that changes scores by at most t, ``phi'' (e^(t h) - 1) / t`` bounds what the slope gains on a step
of length h. A step of ``log(1 + t d) / t``, with d that of Newton, stops before the minimum.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine, pieces
from alsolike.errors import FitError
from alsolike.models.lmf.config import LMFConfig

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# Cells of one block of rows; fixed, so that sums keep their order for any number of threads.
_CELLS = 1 << 20
# A row is solved once a step changes none of its scores, in log-odds, by more than this.
SOLVED = 1e-5
_STEPS_IN_FLOAT32, _MOST_STEPS = 24, 200
# Of a step this short, that of Newton cannot be told from the shortened one.
_NEAR, _TINY = 1e-3, 1e-30
# Rows of a weighted Gramian that are summed at once.
_SUMMED = 8192
# exp(-score) stays finite in float32.
_LOWEST = np.float32(-87.0)


@dataclass(frozen=True, eq=False)
class OtherSide:
    """The side that is held fixed, prepared for solving rows against it.

    Parameters
    ----------
    factors : float32, (m, f + 2)
        Factors, and two columns of which one is the bias and the other 1.
    free : int, (f + 1,)
        Its columns that multiply what is free in a row: factors, and then the bias of the row,
        which meets the column of ones. The bias of this side itself is fixed.
    features : float32, (m, f + 1)
        These columns.
    basis : float32, (f + 1, f + 1)
        Eigenvectors of the Gramian of `features`, weighted by likes.
    eigenvalues : float32, (f + 1,)
    """

    factors: Floats
    free: npt.NDArray[np.intp]
    features: Floats
    basis: Floats
    eigenvalues: Floats

    @classmethod
    def of(
        cls, factors: Floats, weights: Doubles, *, is_items: bool, engine: Engine
    ) -> "OtherSide":
        """Prepare items (or users) with the sums of the weights of their likes, (m,)."""
        f = factors.shape[1] - 2
        free = np.append(np.arange(f), f if is_items else f + 1)
        features = np.ascontiguousarray(factors[:, free])
        shares = (weights + 0.5) / float((weights + 0.5).sum())

        def part(piece: slice) -> Doubles:
            block = features[piece].astype(np.float64)
            product: Doubles = (block.T * shares[piece]) @ block
            return product

        total = np.zeros((f + 1, f + 1))
        for product in engine.each(part, pieces(len(factors), _SUMMED)):
            total += product
        (found,) = engine.each(np.linalg.eigh, [total])
        values, basis = found
        return cls(
            factors, free, features,
            np.ascontiguousarray(basis, dtype=np.float32),
            np.maximum(values, 0).astype(np.float32),
        )  # fmt: skip


def solve_rows(
    likes: sp.csr_array,
    other: OtherSide,
    start: Floats,
    config: LMFConfig,
    engine: Engine,
    *,
    steps: int | None = None,
) -> Floats:
    """Return the factors of rows after some steps from `start`, or solved.

    Parameters
    ----------
    likes : CSR of float32, (n, m)
        Weights of values, below zero for a dislike.
    other : OtherSide
    start : float32, (n, f + 2)
        Factors, and the two columns of `OtherSide`, swapped.
    config : LMFConfig
    steps : int or None
        None: until a step changes no score by more than `SOLVED`.

    Raises
    ------
    FitError
        A row is not solved after many steps, or not finite.
    """
    out = start.copy()
    penalty = np.full(len(other.free), config.regularization, dtype=np.float32)
    penalty[-1] = config.bias_regularization

    def part(piece: slice) -> bool:
        rows = _Rows(likes[piece], other, out[piece], penalty)
        with np.errstate(under="ignore"):
            if steps is None and not rows.solve():
                return False
            if steps is not None:
                rows.take_steps(steps)
        return bool(np.isfinite(out[piece]).all())

    size = max(8, _CELLS // max(len(other.factors), 1))
    if not all(engine.each(part, pieces(len(out), size))):
        raise FitError(
            "The logistic regression of a row was not solved. Raise regularization and "
            "bias_regularization, or lower alpha."
        )
    return out


class _Rows:
    """A block of rows, its scores, and the steps that it takes."""

    _left: npt.NDArray[np.intp]
    _features: npt.NDArray[Any]
    _x: npt.NDArray[Any]
    _state: "_State"

    def __init__(self, likes: sp.csr_array, other: OtherSide, own: Floats, penalty: Floats) -> None:
        self._likes, self._other, self._own, self._penalty = likes, other, own, penalty
        sums = np.asarray(abs(likes).sum(axis=1), dtype=np.float64) + 0.5
        self._scales = sums.astype(np.float32)[:, None]

    def take_steps(self, count: int) -> None:
        """Take so many steps."""
        self._begin(np.arange(len(self._own)), self._other.factors, self._other.features)
        for _ in range(count):
            self._step()
        self._keep()

    def solve(self) -> bool:
        """Take steps until all rows are solved; return False if one is not.

        Sums over many cells in float32 may be too rough for some rows: these go on in float64.
        """
        factors, features = self._other.factors, self._other.features
        self._begin(np.arange(len(self._own)), factors, features)
        if self._solved(_STEPS_IN_FLOAT32):
            return True
        self._begin(self._left, factors.astype(np.float64), features.astype(np.float64))
        return self._solved(_MOST_STEPS)

    def _solved(self, most: int) -> bool:
        for _ in range(most):
            left = np.flatnonzero(self._step() > SOLVED)
            if len(left) <= 0.75 * len(self._left):  # the others cost more than a copy
                self._keep()
                self._left, self._x = self._left[left], self._x[left]
                self._state = self._state.take(left, self._likes[self._left])
            if not len(left):
                return True
        self._keep()
        return False

    def _begin(
        self, rows: npt.NDArray[np.intp], factors: npt.NDArray[Any], features: npt.NDArray[Any]
    ) -> None:
        own = self._own[rows].astype(factors.dtype)
        self._left, self._features = rows, features
        self._x = np.ascontiguousarray(own[:, self._other.free])
        self._state = _State.of(self._likes[rows], own @ factors.T)

    def _keep(self) -> None:
        self._own[np.ix_(self._left, self._other.free)] = self._x

    def _step(self) -> Doubles:
        """Take a step; return how far it moved the scores of each row at most, (n,)."""
        state, features, penalty = self._state, self._features, self._penalty
        chances, at = state.chances(), state.at
        liked = chances[at]
        chances[at] = liked + state.weights * liked - state.pulls
        gradient = chances @ features
        gradient += penalty * self._x
        turned = gradient @ self._other.basis
        turned /= self._scales[self._left] * self._other.eigenvalues + penalty[0]
        direction = state.conjugate(gradient, -(turned @ self._other.basis.T))
        change = direction @ features.T
        chances[at] = liked
        chances *= 1 - chances
        chances[at] *= 1 + state.weights
        slope = -_dots(gradient, direction)
        bend = np.einsum("ij,ij,ij->i", chances, change, change).astype(np.float64)
        bend += _dots(direction * penalty, direction)
        newton = np.divide(slope, bend, out=np.zeros_like(slope), where=bend > 0)
        furthest = np.maximum(change.max(axis=1, initial=0), -change.min(axis=1, initial=0))
        furthest = furthest.astype(np.float64)
        far = furthest * newton
        length = np.where(far > _NEAR, np.log1p(far) / np.maximum(furthest, _TINY), newton)
        lengths = length[:, None].astype(change.dtype)
        self._x += lengths * direction
        change *= lengths
        state.scores += change
        moved: Doubles = furthest * length
        return moved


@dataclass(eq=False)
class _State:
    """The scores of some rows, their cells with values, and their last directions."""

    scores: npt.NDArray[Any]
    at: tuple[npt.NDArray[np.intp], npt.NDArray[np.int32]]
    weights: Floats
    pulls: Floats
    last: tuple[npt.NDArray[Any], npt.NDArray[Any], Doubles] | None = None

    @classmethod
    def of(cls, likes: sp.csr_array, scores: npt.NDArray[Any]) -> "_State":
        rows = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
        values = likes.data.astype(np.float32)
        return cls(scores, (rows, likes.indices), np.abs(values), np.maximum(values, 0))

    def take(self, rows: npt.NDArray[np.intp], likes: sp.csr_array) -> "_State":
        """Return the state of some of the rows, with their likes."""
        taken = _State.of(likes, self.scores[rows])
        if self.last is not None:
            gradient, direction, square = self.last
            taken.last = gradient[rows], direction[rows], square[rows]
        return taken

    def chances(self) -> npt.NDArray[Any]:
        """Return ``sigmoid(scores)``, precise where it is tiny."""
        chances: npt.NDArray[Any] = np.maximum(self.scores, _LOWEST)
        np.negative(chances, out=chances)
        np.exp(chances, out=chances)
        chances += 1
        np.reciprocal(chances, out=chances)
        return chances

    def conjugate(
        self, gradient: npt.NDArray[Any], direction: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Return the next conjugate direction from a preconditioned one (Polak, Ribiere 1969)."""
        square = -_dots(gradient, direction)
        if self.last is not None:
            before, last, size = self.last
            ratio = -_dots(gradient - before, direction) / np.maximum(size, _TINY)
            turned = direction + np.maximum(ratio, 0).astype(last.dtype)[:, None] * last
            falls = _dots(gradient, turned) < 0
            direction = np.where(falls[:, None], turned, direction)
        self.last = gradient, direction, square
        return direction


def _dots(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> Doubles:
    found: Doubles = np.einsum("ij,ij->i", left, right, dtype=np.float64)
    return found
