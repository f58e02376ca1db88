"""`HistoryModel`: base of models that score items directly from likes."""

import functools
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions, masked
from alsolike.data.merge import with_items_of
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.base import Doubles, FittedModel, Floats, Indices, Rows, expect_same_ids
from alsolike.models.similarity.config import USUAL_SIMILARITY, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.values import ValueWeights, ages_of, timed, weighted, with_ages


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class HistoryModel(FittedModel):
    """A model that scores items for any row of likes.

    Parameters
    ----------
    users, items, item_counts, catalogue, item_features, user_features
        As of every `FittedModel`.
    history : Interactions or None
        The likes of known users.
    config : Config
        The settings of the training.
    similarity_config : SimilarityConfig
        Of models that compare items by affinities.
    stored_evidence : ItemEvidence or None
        From a bundle without history.
    """

    users: Vocabulary
    items: Vocabulary
    item_counts: npt.NDArray[np.int64]
    catalogue: Catalogue | None = None
    history: Interactions | None = None
    config: Any
    similarity_config: SimilarityConfig = USUAL_SIMILARITY
    stored_evidence: ItemEvidence | None = None
    item_features: Features | None = None
    user_features: Features | None = None
    sweeps: ClassVar[int] = 0

    @classmethod
    def of(cls, train: Interactions, config: Any, **arrays: Any) -> Self:
        """Build a model of training data and the arrays calculated from them."""
        return cls(
            users=train.users,
            items=train.items,
            item_counts=train.like_counts,
            catalogue=train.catalogue,
            item_features=train.item_features,
            user_features=train.user_features,
            history=train,
            config=config,
            **arrays,
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the training, as plain values."""
        settings: Mapping[str, Any] = self.config.to_settings()
        return settings

    @property
    def half_life(self) -> float | None:
        """Days in which the weight of a like halves; None: weights do not decay."""
        found: float | None = getattr(self.config, "half_life", None)
        return found

    @functools.cached_property
    def ages(self) -> Doubles | None:
        """Ages of the history's likes, by which they are weighed, float64, (n_interactions,).

        In days, at least 0, back from the last moment of the history; None without a half-life or a
        history. A model with ages takes those of any likes: ``user_scores(..., ages=...)``, and so
        do `folded_in` and `contributions`; without them, all likes are new.
        """
        return None if self.half_life is None or self.history is None else ages_of(self.history)

    @abstractmethod
    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for rows of likes, float32, (n, n_chosen_items), each row by itself.

        A model with a half-life also takes ``ages``, float64 (n_likes,), of the stored values.
        """

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Fit a model to other likes with the same settings; override if it has arrays."""
        return type(self).of(train, self.config)

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Score items for users, float32, (n_chosen_users, n_chosen_items)."""
        likes = self._likes[user_indices]
        if self._ages is None:
            return self.user_scores(likes, item_indices)
        aged: Any = self.user_scores
        scores: Floats = aged(likes, item_indices, ages=self._ages[user_indices].data)
        return scores

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Score known users by other likes over the same ids.

        Raises
        ------
        DataError
            The interactions have other users or items, or no times under a half-life.
        """
        expect_same_ids(self, interactions)
        if self.half_life is not None:
            ages_of(interactions)  # refuses likes without times
        return replace(self, history=interactions, stored_evidence=None)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Fit the model again with further likes of new or known items.

        Raises
        ------
        SettingError
            The model was saved without its history.
        DataError
            A user is not in the model.
        """
        history = self._known("take in items")
        if self.half_life is not None:
            likers = timed(likers, history)
        return self.refitted(with_items_of(history, likers), engine=engine)

    def _pulls(self, likes: sp.csr_array, ages: Doubles | None) -> sp.csr_array:
        """Return what likes count, items ascending, float64, (n, n_items)."""
        if not likes.has_sorted_indices:
            if ages is not None:
                same = sp.csr_array((ages, likes.indices, likes.indptr), shape=likes.shape)
                ages = same.sorted_indices().data
            likes = likes.sorted_indices()
        return weighted_likes(likes, self.item_counts, self.config.value_weights, ages)

    def _known(self, purpose: str) -> Interactions:
        if self.history is None:
            raise SettingError(
                f"This model was saved without its history, which {self.name} needs to {purpose}. "
                "Save it with its history, or give likes: alsolike.recommend_for_likes."
            )
        return self.history

    @functools.cached_property
    def _likes(self) -> sp.csr_array:
        return self._known("score the users that it was fitted to").user_items

    @functools.cached_property
    def _ages(self) -> sp.csr_array | None:
        """The ages in the places of the likes."""
        if self.ages is None:
            return None
        return with_ages(self._known("score the users that it was fitted to"), self.ages)


def ones_of(likes: sp.csr_array) -> sp.csr_array:
    """Replace values above zero by ones, in float64, and drop all others."""
    liked = masked(likes, likes.data > 0)
    liked.data = np.ones(liked.nnz)
    return liked


def likes_of(interactions: Interactions) -> sp.csr_array:
    """Return users x items in float64 with a one for each like."""
    return ones_of(interactions.user_items)


def training_likes(train: Interactions, weights: ValueWeights) -> sp.csr_array:
    """Return the weights of the likes of a training, as `weighted_likes`.

    Raises
    ------
    DataError
        There is a half-life, and there are no times.
    """
    ages = weights.ages(train)
    return weighted_likes(train.user_items, train.like_counts, weights, ages)


def weighted_likes(
    user_items: sp.csr_array,
    item_counts: npt.NDArray[np.int64],
    weights: ValueWeights,
    ages: Doubles | None = None,
) -> sp.csr_array:
    """Return the weights of values above zero, users x items in float64, without all others.

    Parameters
    ----------
    user_items : scipy.sparse.csr_array, (n, n_items)
        Rows of users, perhaps new ones.
    item_counts : int64, (n_items,)
        Likes of each item in the training data.
    weights : ValueWeights
    ages : float64, (n_cells,), or None
        Of the stored values, in days; None: all are new.

    Examples
    --------
    >>> rows = sp.csr_array([[2.0, -1.0, 0.0], [1.0, 0.0, 5.0]])
    >>> weighted_likes(rows, np.array([2, 0, 1]), ValueWeights(values="given")).toarray()
    array([[2., 0., 0.],
           [1., 0., 5.]])
    """
    if weights.are_ones:
        return ones_of(user_items)
    above = user_items.data > 0
    own = None if ages is None else ages[above]
    return weighted(masked(user_items, above), item_counts, weights, own)


def weights_of_likes(
    likes: Indices,
    values: npt.NDArray[Any],
    item_counts: npt.NDArray[np.int64],
    weights: ValueWeights,
    ages: Doubles | None = None,
) -> Doubles:
    """Return the weights of a user's values, float64 (n_likes,), 0 for those not above zero.

    `likes` are the rows of the items, with `values` of each, and `ages` in days (None: 0).
    """
    above = values > 0
    row = sp.csr_array(
        (values[above], likes[above], np.array([0, np.count_nonzero(above)])),
        shape=(1, len(item_counts)),
    )
    found = np.zeros(len(values))
    own = None if ages is None else ages[above]
    found[above] = weighted_likes(row, item_counts, weights, own).data
    return found
