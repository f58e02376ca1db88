"""Protocols of fitted models, and the base class of ours.

Callers ask for the protocol that they need, with `able`, and never for the family of a model.
"""

import functools
import html
import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions, said
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError, Unable, UnknownId
from alsolike.models.similarity.config import Affinity, SimilarityConfig, SimilarityScale
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.usage_hints import ASKS, did_you_mean_id, suggestion

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer[Any]] | slice
Basis = Literal["model", "popularity"]


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


@dataclass(frozen=True, eq=False)
class Contributions:
    """Contributions of likes to scores: the pull of a like times its similarity to the item.

    Parameters
    ----------
    pulls : float64, (n_likes,)
    similarities : float64, (n_items, n_likes)
    members : mapping of str to float64, (n_items, n_likes)
        Of a model made of models, what each adds by its name; they add up to `parts`.
    """

    pulls: Doubles
    similarities: Doubles
    members: Mapping[str, Doubles] = field(default_factory=dict)

    @property
    def parts(self) -> Doubles:
        """Contributions, (n_items, n_likes); a score is the sum of its row."""
        return self.pulls * self.similarities


@runtime_checkable
class Explains(Protocol):
    """Splits scores into contributions of likes."""

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Split the scores of items (rows) into contributions of likes (rows and values)."""


@runtime_checkable
class HasLoss(Protocol):
    """Calculates the loss that its training minimizes."""

    def loss(self, *, engine: Engine | None = None) -> float:
        """Return the loss on the training data."""


class FittedModel(ABC):
    """Base of all our models: ids, counts, settings and a history.

    Attributes
    ----------
    users, items : Vocabulary
    item_counts : int64, (n_items,)
        Likes of each item in the training data: users with a value above zero.
    settings : mapping of str to plain values
        The settings of the training; ``"model"`` names the family if it is not ALS.
    sweeps : int
        Sweeps of its training; 0 if it has none.
    catalogue : Catalogue or None
        Names, images and links of the items.
    history : Interactions or None
        The training data; None if the model was saved without.
    name : str
        One word for leaderboards.
    basis : {"model", "popularity"}
        Basis of its lists, see `alsolike.recommending.unknown.fallback`.
    similarity : SimilarityScale
        Describes the scores of `ItemScorer`.
    score_of_nothing : float or None
        The score of items without any evidence; None if no score means that.
    scores_whole_rows : bool
        Whether some columns of a block of scores take as long as all of them. Its rows must not
        depend on each other then.
    """

    basis: ClassVar[Basis] = "model"
    score_of_nothing: ClassVar[float | None] = None
    scores_whole_rows: ClassVar[bool] = False

    users: Vocabulary
    items: Vocabulary
    item_counts: npt.NDArray[np.int64]
    catalogue: Catalogue | None
    history: Interactions | None

    if TYPE_CHECKING:  # fields of some classes, class variables of others

        @property
        def name(self) -> str:
            """One word for leaderboards."""

        @property
        def settings(self) -> Mapping[str, Any]:
            """The settings of the training."""

        @property
        def sweeps(self) -> int:
            """Sweeps of its training."""

    @property
    def similarity(self) -> SimilarityScale:
        """Describes the scores of `ItemScorer`."""
        return SimilarityScale("the model's own score")

    @abstractmethod
    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Score items for users, float32, (n_chosen_users, n_chosen_items); higher is better."""

    @functools.cached_property
    def items_by_likes(self) -> Indices:
        """Rows of all items, most liked first, ties by row."""
        return np.argsort(-self.item_counts, kind="stable").astype(np.int32)

    def item_index(self, item: Id) -> int:
        """Find the row of an item by its id, or a text by its name, exact or without case.

        Raises
        ------
        UnknownId
            It is neither an id nor the name of exactly one item; lists the ids of several.
        """
        if not isinstance(item, str) or item in self.items:
            return self.items.index_of(item)
        rows = self._rows_by_name.get(item) or self._rows_by_folded_name.get(item.casefold(), [])
        if len(rows) == 1:
            return rows[0]
        if rows:
            ids = ", ".join(repr(self.items.id_of(row)) for row in rows[:5])
            raise UnknownId(
                f"{len(rows)} items have the name {item!r}. Give one of their ids: {ids}."
            )
        what = self.items.misfit(item) or (
            f"item {self.items.id_from(item)!r} is neither an id nor a name among the "
            f"{len(self.items):,} items of this model."
        )
        raise UnknownId(what if ASKS in what else what + self._meant(item))

    def _meant(self, item: str) -> str:
        """Suggest names or ids, as a sentence."""
        names = self._rows_by_folded_name
        known = itertools.chain(self._rows_by_name, self.items.ids)
        return did_you_mean_id(
            item, known, lambda text: text in self.items or text in self._rows_by_name
        ) or suggestion([item.strip()] if item.strip().casefold() in names else [])

    @functools.cached_property
    def _rows_by_name(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        names = self.catalogue.names if self.catalogue is not None else None
        for row, name in enumerate(names or ()):
            if name:
                rows.setdefault(name, []).append(row)
        return rows

    @functools.cached_property
    def _rows_by_folded_name(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for name, found in self._rows_by_name.items():
            rows.setdefault(name.casefold(), []).extend(found)
        return rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self.users):,} users, {len(self.items):,} items)"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


def expect_model(model: Any, purpose: str) -> None:
    """Raise SettingError if `model` lacks users, items or scores."""
    is_model = callable(getattr(model, "scores", None)) and not isinstance(model, type)
    if not is_model or not (hasattr(model, "users") and hasattr(model, "items")):
        raise SettingError(
            f"A model is needed to {purpose}, as alsolike.fit or alsolike.load returns it, not "
            f"{said(model)}."
        )


def expect_same_ids(known: FittedModel, given: Interactions) -> None:
    """Raise DataError if interactions have other users or items than a model."""
    expect_interactions(given)
    for kind, own, other in (
        ("users", known.users, given.users),
        ("items", known.items, given.items),
    ):
        if own != other:
            raise DataError(
                f"Interactions with the model's {len(own):,} {kind} expected; these have "
                f"{len(other):,}, or different ones. Align them first: alsolike.data.merge.aligned."
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
}
