"""Ranking of similar items, in the form that item-to-item evaluation takes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.base import Floats
from alsolike.models.protocols import HasFactors, ItemScorer, Recommender, able
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.affinity import AffinitySource
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT, Counts, Mask, likes_of_items
from alsolike.recommending.similarity import OfModel, similar_at_marks, similar_indices

Items = npt.NDArray[np.int32]


class ItemRecommender(Protocol):
    """Ranks the items similar to an item: all that an item-to-item model of your own needs."""

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards."""

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` best for each item, best first, without the item itself.

        A longer list must begin with the shorter one, but for the order of equal scores. Metrics
        are means over all orders of equal scores; if all scores are -inf, there are none, and the
        order given is the only one.
        """


@dataclass(frozen=True, eq=False)
class ModelItemRecommender(OfModel):
    """Ranks by a model's affinity, the cosine of its factors, or its own scores of items.

    Parameters
    ----------
    model : HasAffinities, HasFactors or ItemScorer
    min_count : int
        Recommend items with at least this many likes.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer
    counts : int64, (n_items,), or None
        Likes of each item; None: the model's own counts.
    similarity : SimilarityConfig or None
        The affinity and the dial; None: the model's own.
    """

    model: Any
    min_count: int = MIN_COUNT
    engine: Engine | None = None
    observer: Observer = SILENT
    counts: Counts | None = None
    similarity: SimilarityConfig | None = None

    @functools.cached_property
    def _may_appear(self) -> Mask:
        counts = likes_of_items(self.model) if self.counts is None else self.counts
        may_appear: Mask = counts >= self.min_count
        return may_appear

    @property
    def n_shown(self) -> int:
        """The number of items that may be recommended."""
        return int(np.count_nonzero(self._may_appear))

    def score_rows(self, item_indices: Items) -> Floats:
        """Return the scores that lists are ranked by, float32, (n_given, n_items); -inf: none."""
        if self._terms is not None:
            source = AffinitySource(item_indices, self._terms)
            everything = slice(0, len(item_indices)), np.arange(len(item_indices))
            ((_, found),) = source.scored(*everything)
        else:
            scorer: ItemScorer = able(self.model, ItemScorer, "compare items")
            block = scorer.item_scores(item_indices, slice(0, len(self.items)))
            found = np.array(block, dtype=np.float32)
        found[:, ~self._may_appear] = -np.inf
        found[np.arange(len(item_indices)), item_indices] = -np.inf
        return found

    @functools.cached_property
    def _terms(self) -> AffinityTerms | None:
        return affinity_terms_of(self.model, self.similarity)

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` best for each item."""
        return similar_indices(
            self.model,
            item_indices,
            k=k,
            similarity=self.similarity,
            min_count=self.min_count,
            counts=self.counts,
            engine=self.engine,
            observer=self.observer,
        )

    def at(self, popularity_bias: float) -> "ModelItemRecommender":
        """Return the same at another mark of the dial; the model has one."""
        config = self.similarity or self.model.similarity_config
        return replace(self, similarity=replace(config, popularity_bias=popularity_bias))

    def ranked_at_marks(self, item_indices: Items, k: int, marks: Sequence[float]) -> list[Ranked]:
        """Return what `ranked` does at each mark, in one pass over the scores."""
        return similar_at_marks(
            self.model,
            item_indices,
            k=k,
            marks=marks,
            similarity=self.similarity,
            min_count=self.min_count,
            counts=self.counts,
            engine=self.engine,
            observer=self.observer,
        )


def item_recommender_of(
    model: Recommender | ItemScorer,
    train: Interactions,
    *,
    min_count: int = MIN_COUNT,
    similarity: SimilarityConfig | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> ItemRecommender:
    """Return the item recommender of a model.

    Parameters
    ----------
    model : Recommender
        One with factors, or an `alsolike.models.base.ItemScorer`.
    train : Interactions
        The training data.
    min_count : int
        Recommend items with at least this many interactions in `train`.
    similarity, engine, observer
        As in `ModelItemRecommender`.

    Raises
    ------
    SettingError
        The model only scores items for users.

    Examples
    --------
    >>> from alsolike.models.linear.ease import EASEConfig, fit_ease
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> recommender = item_recommender_of(fit_ease(likes, EASEConfig()), likes, min_count=1)
    >>> recommender.ranked(np.int32([0]), 2).indices
    array([[1, 2]], dtype=int32)
    """
    if not isinstance(model, (HasFactors, ItemScorer)):
        raise SettingError(
            f"The model {model.name!r} has no similar items: it needs a method "
            "item_scores(item_indices, other_indices)."
        )
    counts = None if isinstance(model, HasFactors) else train.like_counts
    return ModelItemRecommender(model, min_count, engine, observer, counts, similarity)
