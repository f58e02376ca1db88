"""`HistoricalModel`: what models that score straight from a table of likes have in common."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.arguments import expect_interactions
from alsolike.data.catalogue import Catalogue
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.errors import DataError
from alsolike.models.base import Floats, Rows


@dataclass(frozen=True, eq=False)
class HistoricalModel(ABC):
    """A model whose users and items are those of the likes that it scores from.

    Parameters
    ----------
    history : Interactions
        The likes that are scored from: the training data, or what `shown` was given.

    Attributes
    ----------
    score_of_nothing : float or None
        The lowest score, which an item gets where nothing speaks for it; None where a score says
        no such thing.
    """

    name: ClassVar[str]
    score_of_nothing: ClassVar[float | None] = None

    history: Interactions

    @property
    def users(self) -> Vocabulary:
        """The users that it knows."""
        return self.history.users

    @property
    def items(self) -> Vocabulary:
        """The items that it knows."""
        return self.history.items

    @property
    def catalogue(self) -> Catalogue | None:
        """Names, images and links of the items."""
        return self.history.catalogue

    @abstractmethod
    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Return a block of scores, (n_chosen_users, n_chosen_items); higher is better."""

    def shown(self, interactions: Interactions) -> Self:
        """Return the same model, scoring from other likes over the same ids.

        Parameters
        ----------
        interactions : Interactions
            Such as ``Split.given``, where whole users were held out.

        Raises
        ------
        DataError
            The users or the items are others.
        """
        _check_same_ids(self.history, interactions)
        return replace(self, history=interactions)


def likes_of(interactions: Interactions) -> sp.csr_array:
    """Return users x items in float64 with a one for each value above zero, and nothing else."""
    kept = interactions.keep(interactions.user_items.data > 0).user_items
    return sp.csr_array((np.ones(kept.nnz), kept.indices, kept.indptr), kept.shape)


def _check_same_ids(known: Interactions, given: Interactions) -> None:
    expect_interactions(given)
    for kind, own, other in (
        ("users", known.users, given.users),
        ("items", known.items, given.items),
    ):
        if own != other:
            raise DataError(
                f"Interactions over the {len(own):,} {kind} of the model expected; these have "
                f"{len(other):,}, or others. Lay them over the model's ids first: "
                "alsolike.data.joining.aligned."
            )
