"""`ItemKNNModel`: scores items by the neighbours of what a user likes; dislikes do not count."""

import functools
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.cold_items import WithColdItems
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.item_weights import ItemWeightsModel
from alsolike.models.similarity.co_counts import CoCounts, KeptCounts
from alsolike.models.similarity.comparing import ComparesByAffinity, likes_at_least_one
from alsolike.models.similarity.config import Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms, count_terms


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemKNNModel(ComparesByAffinity, ItemWeightsModel):
    """Scores an item by its similarities to those of the user's likes that it is a neighbour of.

    Parameters
    ----------
    users, items, item_counts, catalogue, history, config
        As of every `HistoryModel`.
    similarity_config, stored_evidence
        Similar items are those with the most likes in common, see `affinity_terms`.
    similarities : scipy.sparse.csc_array of float64, (n_items, n_items)
        ``[i, j]``: similarity of i to j, stored if i is among the neighbours of j; rows ascend
        within a column.
    """

    name: ClassVar[str] = "item-knn"
    score_of_nothing: ClassVar[float | None] = 0.0

    similarities: sp.csc_array
    config: ItemKNNConfig

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes, which are neighbours of none."""
        similarities = known.placed(self.similarities)
        return replace(self, **known.fields(self), similarities=similarities)

    @property
    def item_weights(self) -> sp.csr_array:
        """The similarities with a row of neighbours for each item; not a copy."""
        return self._neighbours

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """Counts of common likes; their dial includes the cosine of likes, at 0."""
        return ("counts",)

    def terms_of(self, affinity: Affinity, config: SimilarityConfig) -> AffinityTerms:
        """Return the terms of the counts: users weigh as in the model's weighting."""
        likes = likes_at_least_one(self.item_counts)
        return count_terms(self.co_counts, likes, config.popularity_bias)

    @functools.cached_property
    def co_counts(self) -> CoCounts | KeptCounts:
        """The counts of pairs of items, from the history or stored."""
        if self.stored_evidence is not None:
            return self.stored_evidence.counts
        likes = self._known("compare items")
        return CoCounts.from_likes(likes, equal=self.config.weighting == "cosine")

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return the counts of the strongest neighbours; None without likes."""
        if self.stored_evidence is not None or self.history is None:
            return self.stored_evidence
        n_items, counts = len(self.items), self.co_counts
        nothing = np.empty((n_items, 0), dtype=np.float32)
        evidence = ItemEvidence(nothing, np.zeros(n_items), counts)
        return evidence.without_likes(likes_at_least_one(self.item_counts), LocalEngine())

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Find the neighbours by other likes."""
        from alsolike.models.neighbours.similarities import (  # noqa: PLC0415 - the compiler
            nearest_items,
        )

        arrays = {"similarities": nearest_items(train, self.config, engine or LocalEngine())}
        return type(self).of(train, self.config, similarity_config=self.similarity_config, **arrays)

    @functools.cached_property
    def _neighbours(self) -> sp.csr_array:
        """The similarities with a row of neighbours for each item; not a copy."""
        return self.similarities.T.tocsr()

    def __repr__(self) -> str:
        kept = self.config.neighbours
        return (
            f"ItemKNNModel({self.config.weighting}: {len(self.users):,} users, "
            f"{len(self.items):,} items, {'all' if kept is None else f'{kept:,}'} neighbours)"
        )
