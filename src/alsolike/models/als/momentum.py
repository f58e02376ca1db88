"""Momentum: each sweep starts beyond where the last one ended, to save sweeps.

Alternating least squares moves the users a little in about the same direction, sweep after sweep.
Solving the next items against users extrapolated along the last movement saves about half of the
sweeps. Each model is still an exact solution of its users for its items.

References
----------
Y. Nesterov 1983, "A method for solving the convex programming problem with convergence rate
O(1/k^2)": the weights. W. Su, S. Boyd, E. Candes 2014, "A Differential Equation for Modeling
Nesterov's Accelerated Gradient Method", section 5: the restart where the movement slows down.
A. M. S. Ang, N. Gillis 2019, "Accelerating Nonnegative Matrix Factorization Algorithms Using
Extrapolation": the same idea for another factorization.
"""

import math

import numpy as np

from alsolike.engines.base import Engine, pieces
from alsolike.models.als.gramian_basis import Doubles, Floats, turned


class Momentum:
    """Keeps the users of the last sweep, and how far they had moved."""

    def __init__(self) -> None:
        self._before: Floats | None = None
        self._moved, self._steps = math.inf, 0

    def beyond(
        self, users: Floats, turn: Doubles, engine: Engine, *, last_are_held: bool
    ) -> Floats:
        """Return the extrapolated users that the next items are solved against.

        Parameters
        ----------
        users : float32, (n_users, f)
            As solved by the last sweep.
        turn : float64, (f, f)
            From the basis of the previous users to that of these.
        last_are_held : bool
            Whether the previous array is still in use; if not, it receives the result.
        """
        before, self._before = self._before, users
        if before is None:
            return users
        before = turned(
            before, turn, engine, in_float32=True, out=None if last_are_held else before
        )
        step = np.subtract(users, before, out=before)
        moved = math.fsum(engine.each(lambda piece: _square(step[piece]), pieces(len(step))))
        self._steps = self._steps + 1 if moved <= self._moved else 0
        self._moved = moved
        step *= np.float32(self._steps / (self._steps + 3))
        step += users
        return step


def _square(block: Floats) -> float:
    return float(np.einsum("rf,rf->", block, block, dtype=np.float64))
