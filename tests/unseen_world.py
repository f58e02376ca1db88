"""Small folds of unseen users, and item recommenders that are written down."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

import oracles_metrics as oracle
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.recommending.ranking.scan import Ranked


@dataclass
class Written:
    """ItemRecommender that somebody wrote down: for each item a list of items."""

    items: Vocabulary
    lists: list[list[int]]
    name: str = "written"
    asked: list[tuple[int, int]] = field(default_factory=list)

    def ranked(self, item_indices: Any, k: int) -> Ranked:
        self.asked.append((len(item_indices), k))
        found = Ranked.empty(len(item_indices), k)
        for row, item in enumerate(item_indices):
            best = self.lists[item][:k]
            found.indices[row, : len(best)] = best
        return found


@dataclass
class Scored:
    """ItemRecommender that is a dense table of scores of items with items."""

    items: Vocabulary
    table: Any
    name: str = "scored"

    def ranked(self, item_indices: Any, k: int) -> Ranked:
        found = Ranked.empty(len(item_indices), k)
        for row, item in enumerate(item_indices):
            closed = {int(item), *np.flatnonzero(self.table[item] == -np.inf).tolist()}
            best = oracle.ranking(self.table[item].tolist(), closed)[:k]
            found.indices[row, : len(best)] = best
            found.scores[row, : len(best)] = self.table[item][best]
        return found


def ids(kind: str, count: int) -> list[str]:
    return [f"{kind}{number:04}" for number in range(count)]


def over(matrix: Any) -> Interactions:
    """Interactions of a dense matrix."""
    cells = sp.csr_array(np.asarray(matrix, dtype=np.float32))
    return Interactions.from_matrix(
        cells, users=ids("u", cells.shape[0]), items=ids("i", cells.shape[1])
    )


def parts(seed: int, n_users: int = 16, n_items: int = 14) -> tuple[Interactions, Interactions]:
    """Training data, and all interactions of other users, dislikes among them."""
    rng = np.random.default_rng(seed)
    values = rng.choice([0.0, -1.0, 1.0, 2.0], (n_users, n_items), p=[0.5, 0.1, 0.3, 0.1])
    is_held_out = np.arange(n_users) % 3 == 0
    values[0, :3], values[1, :3] = (1, 1, 2), (1, 1, 1)
    values[2, :3] = 1
    return over(values * ~is_held_out[:, None]), over(values * is_held_out[:, None])
