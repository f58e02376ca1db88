"""`ItemKNNConfig`: the settings of item-kNN.

Notation
--------
n_i : users who like item i; n_ij : users who like both
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from alsolike.data.validation import check_whole
from alsolike.errors import SettingError
from alsolike.models.settings import FamilyConfig, check_choice, check_number

Weighting = Literal["cosine", "bm25"]


@dataclass(frozen=True, kw_only=True)
class ItemKNNConfig(FamilyConfig):
    """The settings of `fit_item_knn`.

    Parameters
    ----------
    weighting : {"cosine", "bm25"}
        ``"cosine"``: of two items liked by n_i and n_j users, n_ij of them in common,
        ``n_ij / sqrt(n_i * n_j)``.
        ``"bm25"``: the dot product of their rows under Okapi BM25, where an item is a document
        and its users are the terms, each occurring once; users with many likes weigh less.
    neighbours : int
        Neighbours that each item keeps, at least 1.
    shrinkage : float
        s, at least 0: similarities are multiplied by ``n_ij / (n_ij + s)`` to discount little
        evidence.
    k1, b : float
        Of ``"bm25"``: at least 0, and from 0 to 1. An item's row is scaled by
        ``(k1 + 1) / (1 + k1 * (1 - b + b * n_i / mean n))``. A high b favours items with few
        likes; text retrieval's 0.75 is too high for most tables of likes.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> config = ItemKNNConfig(weighting="cosine", neighbours=20, shrinkage=10)
    >>> ItemKNNConfig.from_settings(config.to_settings()) == config
    True
    """

    family: ClassVar[str] = "item-knn"
    weighting: Weighting = "cosine"
    neighbours: int = 100
    shrinkage: float = 0.0
    k1: float = 1.2
    b: float = 0.2

    def __post_init__(self) -> None:
        check_choice("weighting", self.weighting, get_args(Weighting))
        check_whole("neighbours", self.neighbours, least=1)
        for name in ("shrinkage", "k1", "b"):
            check_number(name, getattr(self, name))
        if self.b > 1:
            raise SettingError(f"b must be at most 1, not {self.b!r}.")
