"""Protocols of fitted models, and the base class of ours.

A page or a command asks for the protocol that it needs, once, and says so in a sentence where a
model lacks it. Nothing outside this package asks which family a model is of.
"""

import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions, said
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.errors import DataError, SettingError, Unable, UnknownId
from alsolike.suggestions import did_you_mean_id, suggestion

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer[Any]] | slice
Basis = Literal["model", "popularity"]


class Recommender(Protocol):
    """Scores items for the users that it was trained on: all that evaluation needs."""

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
    """Scores by dot products of rows of factors, which ranking finds by a pruned exact scan.

    Derive from `alsolike.models.factor_model.FactorModel`.
    """

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


@dataclass(frozen=True)
class SimilarityScale:
    """Describes the scores of an `ItemScorer` to readers.

    Parameters
    ----------
    words : str
        As in "the bar is the cosine".
    most : float or None
        The highest possible score, if there is one.
    """

    words: str
    most: float | None = None


@runtime_checkable
class ItemScorer(Protocol):
    """Scores items beside items: similar items."""

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards."""

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return a block of scores, float32, (n_chosen_items, n_chosen_others); higher is better.

        Items with -inf are not shown. An item's score with itself is ignored.
        """


def compares_items(model: Any) -> bool:
    """Tell whether a model has similar items, by the cosine of its factors or its own scores."""
    return isinstance(model, (HasFactors, ItemScorer))


@runtime_checkable
class FoldsIn(Protocol):
    """Scores items for new people, by their likes."""

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Return a block of scores, float32, (n, n_chosen_items).

        Parameters
        ----------
        likes : scipy.sparse.csr_array of float32, (n, n_items)
            A row of values for each of them.
        item_indices : slice
        """

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history, by interactions over the same users and items."""


@runtime_checkable
class FoldsInFactors(HasFactors, Protocol):
    """Solves for the factors of new people."""

    def folded_in(self, likes: sp.csr_array) -> Floats:
        """Return float32, (n, factors), for the rows of `likes`, as `FoldsIn` takes them."""


@runtime_checkable
class FoldsInItems(Protocol):
    """Takes in new items, by who likes them."""

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add the items of `likers`, who are users of the model; known ones are calculated anew."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each like adds to scores: its pull times its similarity to the item.

    Parameters
    ----------
    pulls : float64, (n_likes,)
    similarities : float64, (n_items, n_likes)
    """

    pulls: Doubles
    similarities: Doubles

    @property
    def parts(self) -> Doubles:
        """What each like adds, (n_items, n_likes); a score is the sum of its row."""
        return self.pulls * self.similarities


@runtime_checkable
class Explains(Protocol):
    """Splits scores into what each like adds."""

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Split the scores of items (rows) into what likes (rows) of these values add."""


@runtime_checkable
class HasLoss(Protocol):
    """Was fitted by minimizing a loss, and calculates it."""

    def loss(self, *, engine: Engine | None = None) -> float:
        """Return the loss on the data that it was fitted to."""


class FittedModel(ABC):
    """Base of all our models: ids, counts, settings and a history.

    Attributes
    ----------
    users, items : Vocabulary
    item_counts : int64, (n_items,)
        Likes of each item in the training data: users with a value above zero.
    settings : mapping of str to plain values
        The settings of the training; ``"model"`` names the family where it is not ALS.
    sweeps : int
        Sweeps of its training; 0 where there are none.
    catalogue : Catalogue or None
        Names, images and links of the items.
    history : Interactions or None
        The training data; None where the model was saved without.
    name : str
        One word for leaderboards.
    basis : {"model", "popularity"}
        How it finds items, see `alsolike.recommending.fallback`.
    similarity : SimilarityScale
        Describes the scores of `ItemScorer`, where it has them.
    score_of_nothing : float or None
        The lowest score, of items that nothing speaks for; None where no score means that.
    """

    basis: ClassVar[Basis] = "model"
    score_of_nothing: ClassVar[float | None] = None

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
            """What it was fitted with."""

        @property
        def sweeps(self) -> int:
            """Sweeps behind it."""

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

    def item_index(self, item: str) -> int:
        """Find the row of an item by its id, or else by its name, exact or without case.

        Raises
        ------
        UnknownId
            It is neither an id nor the name of exactly one item; lists the ids of several.
        """
        found = self.items.find(item)
        if found is not None:
            return found
        rows = self._rows_by_name.get(item) or self._rows_by_folded_name.get(item.casefold(), [])
        if len(rows) == 1:
            return rows[0]
        if rows:
            ids = ", ".join(repr(self.items.id_of(row)) for row in rows[:5])
            raise UnknownId(f"{len(rows)} items are called {item!r}. Give one of their ids: {ids}.")
        raise UnknownId(
            f"item {item!r} is neither an id nor a name among the {len(self.items):,} items of "
            f"this model.{self._meant(item)}"
        )

    def _meant(self, item: str) -> str:
        """Suggest names or ids, as a sentence."""
        names = self._rows_by_folded_name
        known = itertools.chain(self._rows_by_name, self.items)
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
        return f"<p>{self!r}</p>"


def expect_model(model: Any, purpose: str) -> None:
    """Raise SettingError where `model` lacks users, items or scores."""
    is_model = callable(getattr(model, "scores", None)) and not isinstance(model, type)
    if not is_model or not (hasattr(model, "users") and hasattr(model, "items")):
        raise SettingError(
            f"A model is needed to {purpose}, as alsolike.fit or alsolike.load gives it, not "
            f"{said(model)}."
        )


def expect_same_ids(known: FittedModel, given: Interactions) -> None:
    """Raise DataError where interactions have other users or items than a model."""
    expect_interactions(given)
    for kind, own, other in (
        ("users", known.users, given.users),
        ("items", known.items, given.items),
    ):
        if own != other:
            raise DataError(
                f"Interactions over the {len(own):,} {kind} of the model expected; these have "
                f"{len(other):,}, or others. Lay them over the model's ids first: "
                "alsolike.data.merge.aligned."
            )


def able(model: Any, protocol: Any, purpose: str) -> Any:
    """Return `model`, or raise Unable where it lacks a protocol.

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


_ABLE: dict[type, tuple[str, str]] = {
    HasFactors: ("with factors", "has none"),
    ItemScorer: ("that compares items", "scores items for users alone"),
    FoldsIn: ("that takes in new people", "knows only whom it was trained on"),
    FoldsInFactors: ("that solves for factors", "has no such equations"),
    FoldsInItems: ("that takes in new items", "knows only what it was trained on"),
    Explains: ("that scores by single likes", "does not"),
    HasLoss: ("with a loss", "has none"),
}
