"""Restricts a model to some of its items, so that lists and metrics are over these alone."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary
from alsolike.models.base import Floats, Rows
from alsolike.models.protocols import HasFactors, Recommender

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ScoresAmong:
    """Scores some items of a model as the model does.

    Parameters
    ----------
    model : Recommender
    rows : int64, (n,)
        Its items, ascending.
    items : Vocabulary
        Their ids.
    """

    # Some columns of the model take as long as all that lie between them.
    scores_whole_rows: ClassVar[bool] = True

    model: Any
    rows: Indices
    items: Vocabulary

    @property
    def users(self) -> Vocabulary:
        """The users of the model."""
        users: Vocabulary = self.model.users
        return users

    @property
    def name(self) -> str:
        """The name of the model."""
        name: str = self.model.name
        return name

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return the model's scores of these items."""
        found: Floats = self.model.scores(user_indices, slice(0, len(self.model.items)))
        return np.ascontiguousarray(found[:, self.rows[item_indices]])


@dataclass(frozen=True, eq=False)
class FactorsAmong(ScoresAmong):
    """The same of a model with factors, ranked by them."""

    scores_whole_rows: ClassVar[bool] = False

    @property
    def factors(self) -> int:
        """Columns of both factor matrices."""
        factors: int = self.model.factors
        return factors

    @property
    def item_counts(self) -> Indices:
        """Likes of each of the items."""
        counts: Indices = self.model.item_counts[self.rows]
        return counts

    @property
    def item_norms(self) -> Floats:
        """Euclidean length of each item's factors."""
        norms: Floats = self.model.item_norms[self.rows]
        return norms

    @property
    def user_factors(self) -> Floats:
        """Those of the model."""
        factors: Floats = self.model.user_factors
        return factors

    @property
    def item_factors(self) -> Floats:
        """Those of the items, (n, factors)."""
        factors: Floats = self.model.item_factors[self.rows]
        return factors

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return dot products of factors."""
        products: Floats = self.user_factors[user_indices] @ self.item_factors[item_indices].T
        return products


def among_items(model: Recommender, rows: npt.ArrayLike) -> Recommender:
    """Return a model of some items, given by ascending rows, that scores them as before.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> likes = Interactions.from_columns(["u1", "u1", "u2"], ["a", "b", "b"])
    >>> fewer = among_items(fit_popularity(likes), [1])
    >>> list(fewer.items), fewer.scores(np.array([0]), slice(None))
    (['b'], array([[2.]], dtype=float32))
    """
    chosen = np.asarray(rows, dtype=np.int64)
    kind = FactorsAmong if isinstance(model, HasFactors) else ScoresAmong
    return kind(model, chosen, model.items.subset(chosen))
