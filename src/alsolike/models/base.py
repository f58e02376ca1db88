"""What a fitted model is: small protocols, and the base class that ours share.

A page or a verb asks for the protocol that it needs, once, and says in a sentence where a model
does not have it. Nothing outside of this package asks which family a model is of.
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
    """Anything that scores items for users it was trained on: what evaluation needs."""

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
    """Scores are dot products of rows of factors: ranking takes its pruned exact scan.

    `alsolike.models.factor_model.FactorModel` is the class to derive from.
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
class Scale:
    """What the scores of `ItemScorer` are, for whoever reads one.

    Parameters
    ----------
    words : str
        As in "the bar is the cosine".
    most : float or None
        No score is above; None: there is no such number.
    """

    words: str
    most: float | None = None


@runtime_checkable
class ItemScorer(Protocol):
    """Tells how well one item goes with another: similar items."""

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""

    @property
    def name(self) -> str:
        """One word for leaderboards."""

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return a block of scores, float32, (n_chosen_items, n_chosen_others).

        Higher is better, and -inf: not to be shown there. An item's score with itself is not looked
        at.
        """


def compares_items(model: Any) -> bool:
    """Tell whether a model has similar items: by the cosine of its factors, or by its own scores.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> compares_items(tiny_model())
    True
    """
    return isinstance(model, (HasFactors, ItemScorer))


@runtime_checkable
class FoldsIn(Protocol):
    """Scores items for people whom it was not trained on, by their likes."""

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Return a block of scores, float32, (n, n_chosen_items).

        Parameters
        ----------
        likes : scipy.sparse.csr_array of float32, (n, n_items)
            A row of values for each of them.
        item_indices : slice
        """

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Return the model scoring from other interactions over the same users and items."""


@runtime_checkable
class FoldsInFactors(HasFactors, Protocol):
    """Solves for the factors of people whom it was not trained on."""

    def folded_in(self, likes: sp.csr_array) -> Floats:
        """Return float32, (n, factors), for the rows of `likes`, as `FoldsIn` takes them."""


@runtime_checkable
class FoldsInItems(Protocol):
    """Takes in items that it was not trained on, by who likes them."""

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Return the model with the items of `likers`; those that it has are calculated anew.

        Parameters
        ----------
        likers : Interactions
            Of users of the model.
        engine : Engine or None
        """


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each like adds to scores: ``pulls * similarities``.

    Parameters
    ----------
    pulls : float64, (n_likes,)
        How strong a like pulls, whichever item is scored.
    similarities : float64, (n_items, n_likes)
        How near each item is to each like.
    """

    pulls: Doubles
    similarities: Doubles

    @property
    def parts(self) -> Doubles:
        """What each like adds, (n_items, n_likes); a score is the sum of its row."""
        return self.pulls * self.similarities


@runtime_checkable
class Explains(Protocol):
    """Says which likes carry how much of a score."""

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Return what likes (rows of items) of these values add to the scores of items (rows)."""


@runtime_checkable
class HasLoss(Protocol):
    """Was fitted by minimizing an objective, and says how small it is."""

    def loss(self, *, engine: Engine | None = None) -> float:
        """Return the objective on the data that it was fitted to."""


class FittedModel(ABC):
    """What all our models have: ids, likes of the items, and what is known of them.

    Attributes
    ----------
    users, items : Vocabulary
    item_counts : int64, (n_items,)
        Likes of each item in the training data: users with a value above zero.
    settings : mapping of str to plain values
        What it was fitted with; ``"model"`` names the family where it is not ALS.
    sweeps : int
        Sweeps behind it; 0 of a model that has none.
    catalogue : Catalogue or None
        Names, images and links of the items.
    history : Interactions or None
        The training data; None where it was saved without.
    name : str
        One word for leaderboards.
    basis : {"model", "popularity"}
        How its items are found, see `alsolike.recommending.fallback`.
    similarity : Scale
        What the scores of `ItemScorer` are, where it has them.
    score_of_nothing : float or None
        The lowest score, which an item gets where nothing speaks for it; None where a score says
        no such thing.
    """

    basis: ClassVar[Basis] = "model"
    score_of_nothing: ClassVar[float | None] = None

    users: Vocabulary
    items: Vocabulary
    item_counts: npt.NDArray[np.int64]
    catalogue: Catalogue | None
    history: Interactions | None

    if TYPE_CHECKING:  # fields of some classes, and the same in all models of others

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
    def similarity(self) -> Scale:
        """What the scores of `ItemScorer` are, where it has them."""
        return Scale("the model's own score")

    @abstractmethod
    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return a block of scores, (n_chosen_users, n_chosen_items); higher is better."""

    @functools.cached_property
    def items_by_likes(self) -> Indices:
        """Rows of all items, the most liked first; of equals the lower row."""
        return np.argsort(-self.item_counts, kind="stable").astype(np.int32)

    def item_index(self, item: str) -> int:
        """Return the row of an item given by its id, or else by its name.

        A name is compared as it is, then without regard to case; several items of one name are an
        error that lists their ids.

        Raises
        ------
        UnknownId
            Neither an id nor exactly one item's name.
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
        """Return which names or ids may be meant, as a sentence."""
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
    """Raise SettingError where `model` is no model: nothing with users, items and scores."""
    is_model = callable(getattr(model, "scores", None)) and not isinstance(model, type)
    if not is_model or not (hasattr(model, "users") and hasattr(model, "items")):
        raise SettingError(
            f"A model is needed to {purpose}, as alsolike.fit or alsolike.load gives it, not "
            f"{said(model)}."
        )


def expect_same_ids(known: FittedModel, given: Interactions) -> None:
    """Raise DataError where interactions are not over the users and items of a model."""
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
    """Return `model`, or raise Unable where it does not keep to a protocol.

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
