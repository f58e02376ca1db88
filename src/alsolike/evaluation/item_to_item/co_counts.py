"""Plain co-counts: the baseline of similar items, how many users like both."""

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.similarity.co_counts import CoCounts
from alsolike.models.similarity.comparing import ComparesByAffinity, likes_at_least_one
from alsolike.models.similarity.config import Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms, count_terms

# All users weigh the same, and so do popular items.
PLAIN = SimilarityConfig(affinity="counts", popularity_bias=1.0)


@dataclass(frozen=True, eq=False)
class CoCountModel(ComparesByAffinity):
    """Compares items by how many users like both, of the likers of the first; no training.

    Parameters
    ----------
    history : Interactions
        The training data.
    similarity_config : SimilarityConfig
        By default without a say of the items' popularity; it has the dial of all counts.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u", "u", "v", "v", "v"], list("abbca"))
    >>> CoCountModel(likes).item_scores(np.array([0]), slice(None))
    array([[-inf,  1. ,  0.5]], dtype=float32)
    """

    name: ClassVar[str] = "co-counts"

    history: Interactions
    similarity_config: SimilarityConfig = PLAIN

    @property
    def items(self) -> Vocabulary:  # type: ignore[override]
        """The items of the training data."""
        return self.history.items

    @property
    def item_counts(self) -> npt.NDArray[np.int64]:  # type: ignore[override]
        """The likes of each item."""
        return self.history.like_counts

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """Counts alone."""
        return ("counts",)

    def terms_of(self, affinity: Affinity, config: SimilarityConfig) -> AffinityTerms:
        """Return the terms of the counts."""
        return count_terms(
            self._counts, likes_at_least_one(self.item_counts), config.popularity_bias
        )

    @functools.cached_property
    def _counts(self) -> CoCounts:
        return CoCounts.from_likes(self.history, equal=True)

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return None: it is not saved."""
        return None
