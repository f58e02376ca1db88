"""Adds items with likes to what a model knows, whose factors are then solved for."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.merge import with_items_of
from alsolike.models.base import Floats
from alsolike.models.factor_model import FactorModel

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WithLikedItems:
    """What a model with factors knows of its items and of those that were added by their likes.

    Parameters
    ----------
    model : FactorModel
    likers : Interactions
        The likes of the added items.
    joined : Interactions
        The history with the likes of the added items in place of those that it had of them; of a
        model without history, these likes alone.
    own : int64, (items of the model,)
        The places of the model's items.
    new : int64, (n,)
        The places of the added items, some of which the model may have had.
    """

    model: FactorModel
    likers: Interactions
    joined: Interactions
    own: Places
    new: Places

    @classmethod
    def of(cls, model: FactorModel, likers: Interactions) -> Self:
        """Join the items of `likers`; DataError for a user who is not in the model."""
        nothing = Interactions(
            sp.csr_array((len(model.users), len(model.items)), dtype=np.float32),
            model.users, model.items, None,
            model.catalogue, model.item_features, model.user_features,
        )  # fmt: skip
        joined = with_items_of(model.history or nothing, likers)
        own, new = (joined.items.places_of(ids) for ids in (model.items, likers.items))
        return cls(model, likers, joined, own, new)

    @property
    def history(self) -> Interactions | None:
        """The history with the added items; None for a model without."""
        return None if self.model.history is None else self.joined

    def by_item(self, values: npt.NDArray[Any] | None = None) -> sp.csr_array:
        """Return the values of the likes, a row for each added item, CSR, (n, n_users).

        `values` are others of the same likes, such as their ages.
        """
        cells = self.likers.user_items.tocoo()
        users = self.model.users.places_of(self.likers.users)[cells.row]
        data = cells.data if values is None else values
        return sp.csr_array(
            (data, (cells.col, users)), shape=(len(self.new), len(self.model.users))
        )

    def placed(self, rows: npt.NDArray[Any], added: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return rows of the model's items with those of the added ones, in their new places."""
        found = np.zeros((self.joined.n_items, *rows.shape[1:]), dtype=rows.dtype)
        found[self.own] = rows
        found[self.new] = added
        return found

    def fields(self, added: Floats) -> dict[str, Any]:
        """Return the fields of the new model, with the factors of the added items."""
        return {
            "items": self.joined.items,
            "item_factors": self.placed(self.model.item_factors, added),
            "item_counts": self.placed(self.model.item_counts, self.likers.like_counts),
            "catalogue": self.joined.catalogue,
            "item_features": self.joined.item_features,
            "history": self.history,
            "stored_evidence": None,
        }
