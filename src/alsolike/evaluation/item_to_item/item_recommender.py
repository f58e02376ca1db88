"""Ranking of similar items, in the form that item-to-item evaluation takes."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.base import (
    Floats,
    HasFactors,
    ItemScorer,
    Recommender,
    able,
)
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.affinity import AffinitySource
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.shared import MIN_COUNT, Counts, Mask, likes_of_items
from alsolike.recommending.similarity import OfModel, similar_indices

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
    """Ranks by the cosine of factors, or else by a model's own scores of items.

    Parameters
    ----------
    model : HasFactors or ItemScorer
    min_count : int
        Recommend items with at least this many likes.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer
    counts : int64, (n_items,), or None
        Likes of each item; None: the model's own counts.
    """

    model: HasFactors | ItemScorer
    min_count: int = MIN_COUNT
    engine: Engine | None = None
    observer: Observer = SILENT
    counts: Counts | None = None

    @property
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
        terms = affinity_terms_of(self.model)
        if terms is not None:
            source = AffinitySource(item_indices, terms)
            everything = slice(0, len(item_indices)), np.arange(len(item_indices))
            ((_, found),) = source.scored(*everything)
        else:
            scorer: ItemScorer = able(self.model, ItemScorer, "compare items")
            block = scorer.item_scores(item_indices, slice(0, len(self.items)))
            found = np.array(block, dtype=np.float32)
        found[:, ~self._may_appear] = -np.inf
        found[np.arange(len(item_indices)), item_indices] = -np.inf
        return found

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` best for each item."""
        return similar_indices(
            self.model,
            item_indices,
            k=k,
            min_count=self.min_count,
            counts=self.counts,
            engine=self.engine,
            observer=self.observer,
        )


def item_recommender_of(
    model: Recommender,
    train: Interactions,
    *,
    min_count: int = MIN_COUNT,
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
    engine, observer
        As in `ModelItemRecommender`.

    Raises
    ------
    SettingError
        The model only scores items for users.

    Examples
    --------
    >>> from alsolike.models.ease import EASEConfig, fit_ease
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
    return ModelItemRecommender(model, min_count, engine, observer, counts)
