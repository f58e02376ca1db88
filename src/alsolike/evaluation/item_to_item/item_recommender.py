"""ItemRecommender of similar items, from each kind of model.

A model with factors shows the items nearest by their cosine. Another one shows, best first, what it
scores highest with that item: item-kNN the item's nearest neighbours and nothing after them, EASE
the row of its weights, popularity the same for every item, the random one whatever it draws.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.base import Floats, HasFactors, ItemScorer, Recommender, able
from alsolike.progress import SILENT, Observer
from alsolike.recommending.batch import top_items
from alsolike.recommending.ranking.scan import QUERIES_PER_BLOCK, Ranked, blocks_of
from alsolike.recommending.shared import MIN_COUNT, with_direction
from alsolike.recommending.similarity import ItemsAsUsers, OfModel, cosines_of, similar_indices

Counts = npt.NDArray[np.int64]
Items = npt.NDArray[np.int32]


class ItemRecommender(Protocol):
    """Ranks the items to show beside an item.

    ItemRecommender evaluate_queries by an item-to-item model of your own need these three, and nothing else.
    """

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards."""

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` best beside each item, best first, the item itself not among them.

        A longer list must begin with the shorter one, but for the order of equal scores. Where
        scores are equal, figures are means over all orders of them; where all are -inf, there are
        no scores, and the order given is the only one.
        """


@dataclass(frozen=True, eq=False)
class CosineRecommender(OfModel):
    """Ranks by the cosine of factors, as `alsolike.recommending.batch.similar`.

    Parameters
    ----------
    model : HasFactors
    min_count : int
        Neighbours have at least so many interactions, as of `similar`.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer
    """

    model: HasFactors
    min_count: int = MIN_COUNT
    engine: Engine | None = None
    observer: Observer = SILENT

    def __post_init__(self) -> None:
        able(self.model, HasFactors, "compare items by cosines")

    @property
    def n_shown(self) -> int:
        """The number of items that may be shown."""
        is_shown = with_direction(self.model) & (self.model.item_counts >= self.min_count)
        return int(np.count_nonzero(is_shown))

    def lines(self, item_indices: Items) -> Floats:
        """Return the cosines that lists are ranked by, (n_given, n_items); -inf: not shown."""
        return _cosines(self.model, item_indices, min_count=self.min_count, engine=self.engine)

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` nearest of each item."""
        return similar_indices(
            self.model,
            item_indices,
            k=k,
            min_count=self.min_count,
            engine=self.engine,
            observer=self.observer,
        )


@dataclass(frozen=True, eq=False)
class ScoreRecommender(OfModel):
    """Ranks by a model's own scores of items, ties in the order of the items.

    Parameters
    ----------
    model : ItemScorer
        Such as `ItemKNNModel`, `EASEModel` or `RandomModel`.
    counts : int64, (n_items,)
        Interactions of each item in the training data.
    min_count : int
        Shown are items with at least so many.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer
    """

    model: ItemScorer
    counts: Counts
    min_count: int = MIN_COUNT
    engine: Engine | None = None
    observer: Observer = SILENT

    @property
    def n_shown(self) -> int:
        """The number of items that may be shown."""
        return int(np.count_nonzero(self.counts >= self.min_count))

    def lines(self, item_indices: Items) -> Floats:
        """Return the scores that lists are ranked by, (n_given, n_items); -inf: not shown."""
        block = self.model.item_scores(item_indices, slice(0, len(self.items)))
        lines = np.array(block, dtype=np.float32)
        lines[:, self.counts < self.min_count] = -np.inf
        lines[np.arange(len(item_indices)), item_indices] = -np.inf
        return lines

    def ranked(self, item_indices: Items, k: int) -> Ranked:
        """Return the `k` items that score highest beside each item."""
        return top_items(
            ItemsAsUsers(self.model),
            item_indices,
            k=k,
            exclude=sp.csr_array(sp.eye_array(len(self.items), format="csr")),
            allow=np.flatnonzero(self.counts >= self.min_count),
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
    """Return the shelves of any model that can stand on a leaderboard.

    Parameters
    ----------
    model : Recommender
        One with factors, or an `alsolike.models.base.ItemScorer`.
    train : Interactions
        What it was fitted to.
    min_count : int
        Shown are items with at least so many interactions in `train`.
    engine, observer
        As of the shelves.

    Raises
    ------
    SettingError
        The model scores users alone.

    Examples
    --------
    >>> from alsolike.models.ease import EASEConfig, fit_ease
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> shelves = item_recommender_of(fit_ease(likes, EASEConfig()), likes, min_count=1)
    >>> shelves.ranked(np.int32([0]), 2).indices
    array([[1, 2]], dtype=int32)
    """
    if isinstance(model, HasFactors):
        return CosineRecommender(model, min_count, engine, observer)
    if not isinstance(model, ItemScorer):
        raise SettingError(
            f"The model {model.name!r} scores items for users, and has nothing to show beside an "
            "item: a method item_scores(item_indices, other_indices) is needed for that."
        )
    return ScoreRecommender(model, train.like_counts, min_count, engine, observer)


def _cosines(
    model: HasFactors,
    item_indices: Items,
    *,
    min_count: int = MIN_COUNT,
    engine: Engine | None = None,
) -> Floats:
    """Return the cosines that `similar_indices` ranks by, float32, (n_rows, n_items).

    -inf stands for the item itself and for what is no neighbour of any.
    """
    candidates = with_direction(model)
    is_shown = candidates & (model.item_counts >= min_count)
    source = cosines_of(model, item_indices, candidates)
    found = np.full((len(item_indices), len(model.items)), -np.inf, dtype=np.float32)

    def work(queries: slice) -> None:
        for items, scores in source.scored(queries, np.arange(queries.stop - queries.start)):
            found[queries, items] = np.where(is_shown[items], scores, np.float32(-np.inf))

    (engine or LocalEngine()).each(work, blocks_of(len(item_indices), QUERIES_PER_BLOCK))
    found[~candidates[item_indices]] = -np.inf
    found[np.arange(len(item_indices)), item_indices] = -np.inf
    return found
