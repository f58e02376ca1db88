"""`ComparesByAffinity`: base of models that compare items by affinities with a dial."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import SettingError
from alsolike.models.similarity.config import Affinity, SimilarityConfig, SimilarityScale
from alsolike.models.similarity.exact import exact_products
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.usage_hints import did_you_mean

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.integer[Any]] | slice


class ComparesByAffinity:
    """Base of models that compare items by affinities with a dial.

    Attributes
    ----------
    similarity_config : SimilarityConfig
        A setting of the fitted model: no training depends on it.
    """

    items: Vocabulary
    item_counts: npt.NDArray[np.int64]
    similarity_config: SimilarityConfig

    @property
    @abstractmethod
    def affinities(self) -> tuple[Affinity, ...]:
        """The affinities that the model has, the default first."""

    @abstractmethod
    def terms_of(self, affinity: Affinity, config: SimilarityConfig) -> AffinityTerms:
        """Return the terms of one of `affinities`."""

    def affinity(self, config: SimilarityConfig | None = None) -> Affinity:
        """Return the affinity of a configuration (None: the model's own).

        Raises
        ------
        SettingError
            The model does not have it.
        """
        wanted = (config or self.similarity_config).affinity
        if wanted is None:
            return self.affinities[0]
        if wanted not in self.affinities:
            raise SettingError(
                f"{getattr(self, 'name', 'This model')!r} has the affinities "
                f"{', '.join(self.affinities)}, not {wanted!r}.{self._why_not(wanted)}"
                f"{did_you_mean(wanted, self.affinities)}"
            )
        return wanted

    def _why_not(self, affinity: Affinity) -> str:
        return ""

    def with_similarity(self, config: SimilarityConfig) -> Self:
        """Return the same model that compares items by another configuration.

        Raises
        ------
        SettingError
            The model does not have the affinity.

        Examples
        --------
        >>> from alsolike.testing import tiny_model
        >>> tiny_model().with_similarity(SimilarityConfig(affinity="cosine")).affinity()
        'cosine'
        """
        self.affinity(config)
        changed: Self = replace(self, similarity_config=config)  # type: ignore[type-var]
        return changed

    def affinity_terms(self, config: SimilarityConfig | None = None) -> AffinityTerms:
        """Return the terms of the scores of items, by a configuration (None: the model's own)."""
        config = config or self.similarity_config
        return self.terms_of(self.affinity(config), config)

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the scores of items with others, (n_chosen, n_chosen_others); -inf: not listed.

        The same numbers as in lists, which find the best faster.
        """
        rows = np.arange(len(self.items))[item_indices]
        others = np.arange(len(self.items))[other_indices]
        terms = self.affinity_terms()
        found = np.full((len(rows), len(others)), -np.inf, dtype=np.float32)
        for place, row in enumerate(rows.tolist()):
            total = np.zeros(len(self.items))
            if terms.counts is not None:
                near, counts = terms.counts.of(row)
                total[near] = counts
            total = total[others]
            if terms.right is not None:
                products = exact_products(terms.targets(others), terms.queries(np.array([row]))[0])
                total += np.clip(products, 0.0, terms.ceiling)
            scores = (total * terms.weights[others] / terms.sizes[row]).astype(np.float32)
            found[place] = np.where(scores > 0, scores, np.float32(-np.inf))
        return found

    @property
    def similarity(self) -> SimilarityScale:
        """Describes the scores of similar items."""
        bias, affinity = self.similarity_config.popularity_bias, self.affinity()
        words, most = _WORDS[affinity]
        if affinity == "cosine":
            return SimilarityScale(words if not bias else f"{words} times a power of its likes",
                                   most=None if bias else most)  # fmt: skip
        return SimilarityScale(words if bias == 1 else f"{words}, over a power of its likes",
                               most=most if bias == 1 else None)  # fmt: skip


_SHARE = "the share of this item's likers who like it"
_WORDS: dict[str, tuple[str, float | None]] = {
    "evidence": (_SHARE, 1.0),
    "audience": ("the expected share of this item's likers who like it", 1.0),
    "cosine": ("the cosine", 1.0),
    "dot": ("the dot product of their factors", None),
    "counts": (_SHARE, 1.0),
}


def likes_at_least_one(item_counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the likes of items as float64, 1 where there are none."""
    return np.maximum(item_counts, 1).astype(np.float64)
