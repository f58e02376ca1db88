"""Protocols of fitted models: what one can do besides scoring.

Callers ask for the protocol that they need, with `able`, and never for the family of a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import SettingError, Unable
from alsolike.models.cold_items import WithColdItems
from alsolike.models.similarity.config import Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer[Any]] | slice


class Recommender(Protocol):
    """Scores items for its training users: all that evaluation needs."""

    @property
    def users(self) -> Vocabulary:
        """The users that it knows."""

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards: ``"als"``, ``"popularity"``."""

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return a block of scores, (n_chosen_users, n_chosen_items); higher is better."""


@runtime_checkable
class HasFactors(Recommender, Protocol):
    """Scores by dot products of factors, ranked by a pruned exact scan; see `FactorModel`."""

    @property
    def factors(self) -> int:
        """Columns of both factor matrices."""

    @property
    def item_counts(self) -> npt.NDArray[np.int64]:
        """Likes of each item in the training data, (n_items,)."""

    @property
    def item_norms(self) -> Floats:
        """Euclidean length of each item's factors, (n_items,)."""

    @property
    def user_factors(self) -> Floats:
        """(n_users, factors)."""

    @property
    def item_factors(self) -> Floats:
        """(n_items, factors)."""


@runtime_checkable
class HoldsFactors(Protocol):
    """Is made of models of which one has factors, to compare users and to draw a map by."""

    @property
    def factor_model(self) -> HasFactors:
        """The first of them that has factors."""


@runtime_checkable
class HasItemWeights(Recommender, Protocol):
    """Scores by sums of rows of sparse weights, one for each like, ranked by a sparse scan.

    The scores are float32 of sums in float64, item after item that the user likes.
    """

    @property
    def item_weights(self) -> sp.csr_array:
        """Float64, (n_items, n_items): what a like of item i adds to the score of item j."""

    def user_pulls(self, user_indices: Rows) -> sp.csr_array:
        """Return what a user's likes count, float64, (n_chosen_users, n_items), items ascending."""


@runtime_checkable
class ItemScorer(Protocol):
    """Scores similar items."""

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards."""

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return a block of scores, float32, (n_chosen_items, n_chosen_others); higher is better.

        Items with -inf are not listed. An item's score with itself is ignored.
        """


@runtime_checkable
class HasAffinities(ItemScorer, Protocol):
    """Compares items by affinities, with a dial from specific to popular items.

    See `alsolike.models.similarity.comparing.ComparesByAffinity`.
    """

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """The affinities that the model has, the default first."""

    @property
    def similarity_config(self) -> SimilarityConfig:
        """The affinity and the dial."""

    def with_similarity(self, config: SimilarityConfig) -> Self:
        """Return the same model that compares items by another configuration."""

    def affinity_terms(self, config: SimilarityConfig | None = None) -> AffinityTerms:
        """Return the terms of the scores of items, by a configuration (None: the model's own)."""

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return what a bundle without history keeps, if anything."""


def compares_items(model: Any) -> bool:
    """Tell whether a model has similar items, by cosine or its own scores."""
    return isinstance(model, (HasFactors, ItemScorer))


@runtime_checkable
class FoldsIn(Protocol):
    """Scores items for new users, by their likes."""

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Return a block of scores, float32, (n, n_chosen_items).

        `likes` are a csr_array of float32, (n, n_items): a row of values for each user.
        """

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history, by interactions over the same users and items."""


@runtime_checkable
class FoldsInFactors(HasFactors, Protocol):
    """Solves for the factors of new users."""

    def folded_in(self, likes: sp.csr_array) -> Floats:
        """Return float32, (n, factors), for rows of `likes` as in `FoldsIn`."""


@runtime_checkable
class FoldsInItems(Protocol):
    """Adds new items, by their likes."""

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add the items of `likers`, who are users of the model; update known items."""


@runtime_checkable
class ComparesFeatures(Recommender, Protocol):
    """Compares features of items, such as tags, with items.

    `features` below are rows over the columns of `item_features`, as their matrix has them: 1 for
    each tag that is asked for.
    """

    @property
    def item_features(self) -> Features | None:
        """What it knows of its items, a row for each; None: nothing."""

    def item_scores_of_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for rows of features, float32, (n, n_chosen_items); higher is better."""

    def feature_scores(self, item_indices: Rows) -> Floats:
        """Score all features for items, float32, (n_chosen_items, n_features).

        Those with -inf are not suggested, such as features of too few items.
        """


@runtime_checkable
class AddsItems(Recommender, Protocol):
    """Takes in items of which only features are known: cold items."""

    @property
    def item_features(self) -> Features | None:
        """What it knows of its items, a row for each; None: nothing."""

    def with_cold_items(self, items: FeatureTable, catalogue: Catalogue | None = None) -> Self:
        """Add items by their features; those that it has with likes stay as they are.

        `items` have the blocks of `item_features`, and `catalogue` a row for each of them.
        """


@runtime_checkable
class KeepsItemsUnscored(Recommender, Protocol):
    """Holds further items without scoring them, beside another model that does."""

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes, whose scores are 0."""


@runtime_checkable
class ScoresColdUsers(Recommender, Protocol):
    """Scores items for people of whom only features are known."""

    @property
    def user_features(self) -> Features | None:
        """What it knows of its users, a row for each; None: nothing."""

    def scores_of_user_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for rows over the columns of `user_features`, float32, (n, n_items)."""


@runtime_checkable
class ExplainsByFeatures(Protocol):
    """Explains a score by features that the item shares with what a user likes."""

    def shared_features(self, likes: Indices, values: Floats, item: int) -> list[tuple[int, float]]:
        """Return columns of `item_features` with what each adds to the score, the most first.

        `likes` are rows of items, with their `values`.
        """


@dataclass(frozen=True, eq=False)
class Contributions:
    """Contributions of likes to scores: the pull of a like times its similarity to the item.

    Parameters
    ----------
    pulls : float64, (n_likes,)
    similarities : float64, (n_items, n_likes)
    members : mapping of str to float64, (n_items, n_likes)
        Of a model made of models, what each adds by its name; they add up to `parts`.
    base : float64, (n_items,), or None
        What is expected of the items for anybody, besides the likes; None: 0.
    """

    pulls: Doubles
    similarities: Doubles
    members: Mapping[str, Doubles] = field(default_factory=dict)
    base: Doubles | None = None

    @property
    def parts(self) -> Doubles:
        """Contributions, (n_items, n_likes); a score is the sum of its row, and of its base."""
        return self.pulls * self.similarities

    @property
    def scores(self) -> Doubles:
        """The scores, float64, (n_items,)."""
        sums: Doubles = self.parts.sum(axis=1)
        return sums if self.base is None else sums + self.base


@runtime_checkable
class Explains(Protocol):
    """Splits scores into contributions of likes."""

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Split the scores of items (rows) into contributions of likes (rows and values)."""


@runtime_checkable
class PredictsRatings(Recommender, Protocol):
    """Scores on the scale of the training values: a score is a predicted rating."""

    @property
    def rating_range(self) -> tuple[float, float]:
        """The least and the largest value of the training data."""


@runtime_checkable
class HasLoss(Protocol):
    """Calculates the loss that its training minimizes."""

    def loss(self, *, engine: Engine | None = None) -> float:
        """Return the loss on the training data."""


def expect_model(model: Any, purpose: str) -> None:
    """Raise SettingError if `model` lacks users, items or scores."""
    is_model = callable(getattr(model, "scores", None)) and not isinstance(model, type)
    if not is_model or not (hasattr(model, "users") and hasattr(model, "items")):
        raise SettingError(
            f"A model is needed to {purpose}, as alsolike.fit or alsolike.load returns it, not "
            f"{said(model)}."
        )


def able(model: Any, protocol: Any, purpose: str) -> Any:
    """Return `model`; raise Unable if it lacks a protocol.

    Examples
    --------
    >>> from alsolike.testing import tiny_likes
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> able(fit_popularity(tiny_likes()), HasFactors, "compare users")
    Traceback (most recent call last):
    alsolike.errors.Unable: A model with factors is needed to compare users; 'popularity' has none.
    """
    if not isinstance(model, protocol):
        expect_model(model, purpose)
        what, lack = _ABLE[protocol]
        raise Unable(f"A model {what} is needed to {purpose}; {model.name!r} {lack}.")
    return model


def item_directions(model: HasFactors) -> Floats:
    """Return the factors by which items are compared: the model's, but for item biases."""
    own: Floats = getattr(model, "item_directions", model.item_factors)
    return own


def user_directions(model: HasFactors) -> Floats:
    """Return the factors by which users are compared, see `item_directions`."""
    own: Floats = getattr(model, "user_directions", model.user_factors)
    return own


def factor_model_of(model: Any, purpose: str) -> HasFactors:
    """Return the model, or that within it which has factors; raise Unable if there is none."""
    inside = isinstance(model, HoldsFactors)
    return model.factor_model if inside else able(model, HasFactors, purpose)  # type: ignore[no-any-return]


_ABLE: dict[type, tuple[str, str]] = {
    HasFactors: ("with factors", "has none"),
    ItemScorer: ("that compares items", "only scores items for users"),
    HasAffinities: ("with a dial from specific to popular items", "has none"),
    FoldsIn: ("that folds in users", "only knows its training users"),
    FoldsInFactors: ("that solves for factors", "has no factors to solve for"),
    FoldsInItems: ("that folds in items", "only knows its training items"),
    Explains: ("that scores by single likes", "does not"),
    HasLoss: ("with a loss", "has none"),
    PredictsRatings: (
        "that predicts ratings, such as one of family='explicit-als',",
        "ranks items by scores of another scale",
    ),
    ComparesFeatures: ("that compares features with items", "does not"),
    AddsItems: ("that takes in items by their features", "knows items by their likes alone"),
    ScoresColdUsers: ("that scores by features of users", "knows users by their likes alone"),
    ExplainsByFeatures: ("that scores by features of items", "does not"),
}
