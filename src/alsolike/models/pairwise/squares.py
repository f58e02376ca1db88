"""`Squares`: what Adagrad keeps of each row, so that a training can go on."""

from dataclasses import dataclass

import numpy as np

from alsolike.models.base import Floats


@dataclass(frozen=True, eq=False)
class Squares:
    """Sums of squared gradients, by which Adagrad shrinks the steps of each row.

    Parameters
    ----------
    users, items, biases : float32, (n_users,), (n_items,) and (n_items,)
    """

    users: Floats
    items: Floats
    biases: Floats

    @classmethod
    def ones(cls, n_users: int, n_items: int) -> "Squares":
        """Return those of the start."""
        return cls(*(np.ones(n, dtype=np.float32) for n in (n_users, n_items, n_items)))

    def copy(self) -> "Squares":
        """Return a copy."""
        return Squares(self.users.copy(), self.items.copy(), self.biases.copy())
