"""Pulls rows of factors to a prior instead of 0, with the solvers of rows pulled to 0."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine, pieces
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.solver.prior import score_pairs

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

NO_PRIOR: Floats = np.empty(0, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class PulledToPrior:
    """Turns systems of rows that are pulled to a prior into systems of rows pulled to 0.

    A row's system with a prior p, in the basis where the dense part D is diagonal, is::

        (D + sum_i w_i z_i z_i') x = sum_i r_i z_i + lambda p,    D = unobserved_weight * G + lambda

    With ``x = x0 + y`` and ``x0 = lambda p / D``, the row without interactions::

        (D + sum_i w_i z_i z_i') y = sum_i (r_i - w_i z_i'x0) z_i

    Parameters
    ----------
    alone : float32, (n_rows, f)
        x0; 0 for rows without interactions, which stay 0.
    scores : float32, (interactions,)
        z_i'x0 of each interaction.
    """

    alone: Floats
    scores: Floats

    @classmethod
    def of(
        cls,
        matrix: sp.csr_array,
        regularization: Doubles,
        prior: Floats,
        dense: Doubles,
        factors: Floats,
        engine: Engine,
    ) -> "PulledToPrior":
        """Calculate both, piece by piece; the arguments are those of `solve_side`."""
        indptr, indices = plain(matrix.indptr), plain(matrix.indices)
        alone = np.empty_like(prior)
        scores = np.empty(matrix.nnz, dtype=np.float32)

        def part(piece: slice) -> None:
            own = regularization[piece, None]
            share = own / (dense + own)
            share[np.diff(indptr[piece.start : piece.stop + 1]) == 0] = 0
            alone[piece] = share * prior[piece]
            score_pairs(
                indptr, indices, piece.start, piece.stop, plain(alone[piece]), factors, scores
            )

        engine.each(part, pieces(len(prior)))
        return cls(alone, scores)

    def take_from(self, out: Floats) -> None:
        """Subtract x0 from factors, from which conjugate gradients start."""
        out -= self.alone

    def add_to(self, out: Floats) -> None:
        """Add x0 to solutions."""
        out += self.alone
