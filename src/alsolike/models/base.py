"""What every model is to the rooms above it, and the fitted thing that factorization gives."""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alsolike.data.arguments import said
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError, SettingError, UnknownId
from alsolike.hints import did_you_mean_id

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.integer[Any]] | slice

_ROWS_SUMMED = 4096


class Recommender(Protocol):
    """Anything that scores items for users it was trained on."""

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


@dataclass(frozen=True, eq=False)
class FactorModel:
    """A fitted factorization; the score of a pair is the dot product of its two rows.

    Parameters
    ----------
    users, items : Vocabulary
        The ids of the rows of both factor matrices.
    user_factors : float32, (n_users, factors), C order
    item_factors : float32, (n_items, factors), C order
        In the basis of their own Gramian: ``item_factors.T @ item_factors`` is
        ``diag(eigenvalues)`` up to rounding.
    eigenvalues : float64, (factors,)
        Of the items' Gramian, descending.
    settings : mapping of str to plain values
        What it was fitted with, as text-friendly values.
    item_counts : int64, (n_items,)
        Likes of each item in the training data: users with a value above zero.
    sweeps : int
        Sweeps behind these factors.
    catalogue : Catalogue or None
        Names, images and links of the items.
    history : Interactions or None
        The training data: needed to leave out what a user has seen, to explain, to go on training.
    name : str
        One word for leaderboards.
    """

    users: Vocabulary
    items: Vocabulary
    user_factors: Floats
    item_factors: Floats
    eigenvalues: npt.NDArray[np.float64]
    item_counts: npt.NDArray[np.int64]
    settings: Mapping[str, Any] = field(default_factory=dict)
    sweeps: int = 0
    catalogue: Catalogue | None = None
    history: Interactions | None = None
    name: str = "als"

    def __post_init__(self) -> None:
        for factors, ids in ((self.user_factors, self.users), (self.item_factors, self.items)):
            if factors.shape != (len(ids), len(self.eigenvalues)):
                raise DataError(
                    f"{ids.kind} factors are {factors.shape}; {len(ids):,} {ids.kind}s with "
                    f"{len(self.eigenvalues)} factors need {(len(ids), len(self.eigenvalues))}."
                )

    @property
    def factors(self) -> int:
        """Columns of both factor matrices."""
        return len(self.eigenvalues)

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return ``user_factors @ item_factors.T`` for these users and items, float32."""
        block: Floats = self.user_factors[user_indices] @ self.item_factors[item_indices].T
        return block

    @functools.cached_property
    def item_norms(self) -> Floats:
        """Euclidean length of each item's factors, (n_items,); 0 for an item without any."""
        squares = np.einsum("if,if->i", self.item_factors, self.item_factors, dtype=np.float64)
        norms: Floats = np.sqrt(squares).astype(np.float32)
        return norms

    @functools.cached_property
    def item_gramian(self) -> npt.NDArray[np.float64]:
        """Return ``item_factors.T @ item_factors`` in float64, (f, f)."""
        total = np.zeros((self.factors, self.factors))
        for first in range(0, len(self.items), _ROWS_SUMMED):
            block = self.item_factors[first : first + _ROWS_SUMMED].astype(np.float64)
            total += block.T @ block
        return total

    @functools.cached_property
    def items_by_likes(self) -> npt.NDArray[np.int32]:
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
        ) or (f" Did you mean {item.strip()!r}?" if item.strip().casefold() in names else "")

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
        return (
            f"FactorModel({self.name}: {len(self.users):,} users, {len(self.items):,} items, "
            f"{self.factors} factors, {self.sweeps} sweeps)"
        )

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


def with_factors(model: Any, purpose: str) -> FactorModel:
    """Return `model`, or raise SettingError where it is no `FactorModel`."""
    if not isinstance(model, FactorModel):
        expect_model(model, purpose)
        raise SettingError(
            f"A FactorModel is needed to {purpose}, as alsolike.fit or alsolike.load gives it: "
            f"{said(model)} has no factors and cannot."
        )
    return model
