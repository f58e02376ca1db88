"""`FactorModel`: a factorization, from any source, that scores by dot products."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError
from alsolike.models.base import FittedModel, Floats, Rows, SimilarityScale


@dataclass(frozen=True, eq=False)
class FactorModel(FittedModel):
    """A factorization: the score of a pair is the dot product of its two rows.

    Parameters
    ----------
    users, items, item_counts, settings, sweeps, catalogue, history, name
        As of every `FittedModel`.
    user_factors : float32, (n_users, factors), C order
    item_factors : float32, (n_items, factors), C order
    """

    users: Vocabulary
    items: Vocabulary
    user_factors: Floats
    item_factors: Floats
    item_counts: npt.NDArray[np.int64]
    settings: Mapping[str, Any] = field(default_factory=dict)
    sweeps: int = 0
    catalogue: Catalogue | None = None
    history: Interactions | None = None
    name: str = "factors"

    def __post_init__(self) -> None:
        for factors, ids in ((self.user_factors, self.users), (self.item_factors, self.items)):
            if factors.shape != (len(ids), self.factors):
                raise DataError(
                    f"{ids.kind} factors are {factors.shape}; {len(ids):,} {ids.kind}s with "
                    f"{self.factors} factors need {(len(ids), self.factors)}."
                )
        if self.item_counts.shape != (len(self.items),):
            raise DataError(
                f"{len(self.items):,} items need as many counts of likes, not "
                f"{self.item_counts.shape}."
            )

    @property
    def factors(self) -> int:
        """Columns of both factor matrices."""
        return int(self.item_factors.shape[1])

    @property
    def similarity(self) -> SimilarityScale:
        """The cosine of two items' factors."""
        return SimilarityScale("the cosine", most=1.0)

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return ``user_factors @ item_factors.T`` for these users and items, float32."""
        block: Floats = self.user_factors[user_indices] @ self.item_factors[item_indices].T
        return block

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the cosines of items with others, (n_chosen, n_chosen_others).

        -inf if either has no direction. Lists use the bit-exact cosines of
        `alsolike.recommending.similarity.similar_indices`.
        """
        tiny = np.finfo(np.float32).tiny
        rows, others = self.item_factors[item_indices], self.item_factors[other_indices]
        lengths = self.item_norms[item_indices][:, None] * self.item_norms[other_indices]
        cosines = np.full(lengths.shape, -np.inf, dtype=np.float32)
        np.divide(rows @ others.T, lengths, out=cosines, where=lengths >= tiny)
        return cosines

    @functools.cached_property
    def item_norms(self) -> Floats:
        """Euclidean length of each item's factors, (n_items,); 0 for an item without any."""
        squares = np.einsum("if,if->i", self.item_factors, self.item_factors, dtype=np.float64)
        norms: Floats = np.sqrt(squares).astype(np.float32)
        return norms

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.users):,} users, {len(self.items):,} items, "
            f"{self.factors} factors{f', {self.sweeps} sweeps' if self.sweeps else ''})"
        )
