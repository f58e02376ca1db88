"""The base class of our fitted models."""

import functools
import html
import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.data.vocabulary import Id, Vocabulary
from alsolike.errors import DataError, UnknownId
from alsolike.models.similarity.config import SimilarityScale
from alsolike.usage_hints import ASKS, did_you_mean_id, suggestion

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int32]
Rows = npt.NDArray[np.integer[Any]] | slice
Basis = Literal["model", "popularity"]


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
    item_features, user_features : Features or None
        What is known of items and users besides, a row for each.
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
    item_features: Features | None = None
    user_features: Features | None = None
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
