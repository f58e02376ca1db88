"""A model for tests of figures: its scores are a table that the test writes down."""

from dataclasses import dataclass

import numpy as np

from alsolike.data.vocabulary import Vocabulary


@dataclass
class Fixed:
    """A model that is a dense table of scores."""

    users: Vocabulary
    items: Vocabulary
    table: np.ndarray
    name: str = "fixed"

    def scores(self, user_indices, item_indices):
        return self.table[user_indices][:, item_indices]
