"""Gramians, their eigenbases, and rotation of factors into them.

In the basis of the other side's Gramian the dense part of every row's system is diagonal, for every
lambda (docs/decisions, "the Gramian's basis"). Scores do not change if both sides are rotated by
the same orthogonal matrix.
"""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.linalg

from alsolike.engines.base import Engine, pieces
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.compiler.vectors import LANES
from alsolike.kernels.solver.dense import GRAMIAN_ROWS, STRIP, add_gramian, turn

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Piece = slice
Scalar = TypeVar("Scalar", bound=np.generic)

# Rows in one piece of a Gramian: fixed, so that sums keep their order for any number of threads.
_SUMMED = 8192


def gramian(factors: Floats, engine: Engine, *, in_float32: bool = False) -> Doubles:
    """Return ``factors.T @ factors``, float64, (f, f), summed in one order for any engine.

    `in_float32` sums some hundred rows in float32 before they are added in float64, twice as fast.
    """
    kind: npt.DTypeLike = np.float32 if in_float32 else np.float64

    def part(piece: Piece) -> Doubles:
        block = plain(filled_up(factors[piece]))
        width = block.shape[1]
        product = np.zeros((width, width + -width % STRIP))
        add_gramian(block, np.empty(GRAMIAN_ROWS * width, dtype=kind), product)
        return product

    f = factors.shape[1]
    total = np.zeros((f, f))
    for product in engine.each(part, pieces(len(factors), _SUMMED)):
        total += product[:f, :f]
    return np.triu(total) + np.triu(total, 1).T


def squared_length(factors: Floats, engine: Engine) -> float:
    """Return the sum of all squared factors: the trace of their Gramian, not above infinity."""

    def part(piece: Piece) -> float:
        return float(np.vdot(factors[piece], factors[piece]))

    return sum(engine.each(part, pieces(len(factors))))


def eigenbasis(matrix: Doubles, engine: Engine) -> tuple[Doubles, Doubles]:
    """Return eigenvalues, descending and not negative, (f,), and eigenvectors in columns, (f, f).

    Each vector's largest part is positive, so that equal Gramians give equal bytes.
    """
    # On the engine, which holds BLAS to one thread: faster, and independent of their number.
    (found,) = engine.each(lambda whole: scipy.linalg.eigh(whole, driver="evd"), [matrix])
    values, vectors = found[0][::-1], found[1][:, ::-1]
    largest = np.abs(vectors).argmax(axis=0)
    signs = np.where(vectors[largest, np.arange(len(values))] < 0, -1.0, 1.0)
    return np.maximum(values, 0.0), np.ascontiguousarray(vectors * signs)


def one_after_the_other(first: Doubles, second: Doubles, engine: Engine) -> Doubles:
    """Return the basis of rotating by `first`, then by `second`, (f, f)."""
    # On the engine, too: threads of BLAS stay awake after a product and keep ours waiting.
    (product,) = engine.each(lambda bases: bases[0] @ bases[1], [(first, second)])
    return product


def turned(
    factors: Floats,
    basis: Doubles,
    engine: Engine,
    *,
    in_float32: bool = False,
    out: Floats | None = None,
) -> Floats:
    """Return ``factors @ basis``, multiplied in float64 and rounded once.

    `in_float32` multiplies in float32, twice as fast. `out` receives the result, and may be
    `factors`.
    """
    result = np.empty(factors.shape, dtype=np.float32) if out is None else out
    strips = plain(_in_strips(basis, np.float32 if in_float32 else np.float64))

    def part(piece: Piece) -> None:
        turn(plain(filled_up(factors[piece])), strips, result[piece])

    engine.each(part, pieces(len(factors)))
    return result


def _in_strips(basis: Doubles, kind: npt.DTypeLike) -> npt.NDArray[np.floating[Any]]:
    """Return the columns of a basis in the order that `turn` reads them, (f * f,), filled up."""
    f = len(basis)
    by = np.zeros((f + -f % LANES, f + -f % LANES), dtype=kind)
    by[:f, :f] = basis
    return np.concatenate([by[:, first : first + STRIP].ravel() for first in range(0, f, STRIP)])


def filled_up(factors: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Pad the factors with columns of zeros to a multiple of the eight vector lanes."""
    missing = -factors.shape[1] % LANES
    return np.pad(factors, ((0, 0), (0, missing))) if missing else factors
