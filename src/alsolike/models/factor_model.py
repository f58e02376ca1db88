"""`FactorModel`: a factorization, from any source, that scores by dot products."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.base import FittedModel, Floats, Rows
from alsolike.models.cold_items import WithColdItems
from alsolike.models.similarity.comparing import ComparesByAffinity, likes_at_least_one
from alsolike.models.similarity.config import USUAL_SIMILARITY, Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import (
    AffinityTerms,
    audience_terms,
    cosine_terms,
    dot_terms,
    evidence_terms,
)


@dataclass(frozen=True, eq=False)
class FactorModel(ComparesByAffinity, FittedModel):
    """A factorization: the score of a pair is the dot product of its two rows.

    Parameters
    ----------
    users, items, item_counts, settings, sweeps, catalogue, history, name, item_features,
    user_features
        As of every `FittedModel`.
    user_factors : float32, (n_users, factors), C order
    item_factors : float32, (n_items, factors), C order
    similarity_config : SimilarityConfig
    stored_evidence : ItemEvidence or None
        Evidence from a bundle; None: computed from the history, if there is one.
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
    similarity_config: SimilarityConfig = field(default=USUAL_SIMILARITY, kw_only=True)
    stored_evidence: ItemEvidence | None = field(default=None, kw_only=True)
    item_features: Features | None = field(default=None, kw_only=True)
    user_features: Features | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        for factors, ids in ((self.user_factors, self.users), (self.item_factors, self.items)):
            if factors.shape != (len(ids), self.factors):
                raise DataError(
                    f"{ids.kind} factors are {factors.shape}; {len(ids):,} {ids.kind}s with "
                    f"{self.factors} factors need {(len(ids), self.factors)}."
                )
        stored = self.stored_evidence
        if stored is not None and stored.audiences.shape != self.item_factors.shape:
            raise DataError(
                f"The audiences of similar items are {stored.audiences.shape}; "
                f"{self.item_factors.shape} expected, as the item factors."
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

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return the evidence with the counts of the strongest neighbours; None without likes."""
        if "evidence" not in self.affinities:
            return None
        return self.evidence.without_likes(likes_at_least_one(self.item_counts), LocalEngine())

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes, with factors of zeros."""
        factors = np.zeros((len(known.items), self.factors), dtype=np.float32)
        factors[known.own] = self.item_factors
        return replace(self, **known.fields(self), item_factors=factors)

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return ``user_factors @ item_factors.T`` for these users and items, float32."""
        block: Floats = self.user_factors[user_indices] @ self.item_factors[item_indices].T
        return block

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """Evidence first; without likes only what the items' factors give."""
        by_likes: tuple[Affinity, ...] = ("evidence", "audience")
        has_likes = self.history is not None or self.stored_evidence is not None
        return (*(by_likes if has_likes else ()), "cosine", "dot")

    def _why_not(self, affinity: Affinity) -> str:
        if affinity in ("evidence", "audience"):
            return " It was saved without its likes."
        return ""

    def terms_of(self, affinity: Affinity, config: SimilarityConfig) -> AffinityTerms:
        """Return the terms of an affinity of the factors."""
        likes, bias = likes_at_least_one(self.item_counts), config.popularity_bias
        if affinity == "cosine":
            own = self.item_directions
            return cosine_terms(own, row_norms(own), likes, bias)
        if affinity == "dot":
            return dot_terms(self.item_directions, likes, bias)
        if affinity == "audience":
            return audience_terms(self.evidence, self.item_factors, likes, bias)
        strength = config.prior_strength
        return evidence_terms(self.evidence, self.item_factors, likes, bias, strength)

    @property
    def item_directions(self) -> Floats:
        """Factors by which items are compared: all of them, unless some are item biases."""
        return self.item_factors

    @property
    def user_directions(self) -> Floats:
        """Factors by which users are compared."""
        return self.user_factors

    @functools.cached_property
    def evidence(self) -> ItemEvidence:
        """The audiences and the counts of the items; computed once, from the history."""
        if self.stored_evidence is not None:
            return self.stored_evidence
        if self.history is None:
            raise SettingError(
                "This model was saved without its history, which evidence needs. Compare items "
                "by the cosine, or save the model with its history."
            )
        return ItemEvidence.of(self.user_factors, self.item_factors, self.history, LocalEngine())

    @functools.cached_property
    def item_norms(self) -> Floats:
        """Euclidean length of each item's factors, (n_items,); 0 for an item without any."""
        return row_norms(self.item_factors)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.users):,} users, {len(self.items):,} items, "
            f"{self.factors} factors{f', {self.sweeps} sweeps' if self.sweeps else ''})"
        )


def row_norms(factors: Floats) -> Floats:
    """Return the Euclidean length of each row, float32, (n_rows,)."""
    squares = np.einsum("if,if->i", factors, factors, dtype=np.float64)
    norms: Floats = np.sqrt(squares).astype(np.float32)
    return norms
