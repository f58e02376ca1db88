"""Item-kNN: nearest neighbours of items, those liked by the same users; dislikes do not count."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, expect_interactions
from alsolike.engines.base import Engine, pieces
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import (
    Contributions,
    Doubles,
    FittedModel,
    Floats,
    Indices,
)
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.history_model import HistoryModel, likes_of, ones_of
from alsolike.models.settings import FamilyConfig, check_choice, check_number
from alsolike.models.similarity.co_counts import CoCounts, KeptCounts
from alsolike.models.similarity.comparing import ComparesByAffinity, likes_at_least_one
from alsolike.models.similarity.config import Affinity, SimilarityConfig
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms, count_terms
from alsolike.progress import SILENT, Observer

Weighting = Literal["cosine", "bm25"]

# Items compared at once in each thread.
_ITEMS = 128
# A number and an index, several times over while lists are joined and transposed.
_BYTES_PER_NEIGHBOUR = 80

_FEW = 8  # users scored through the neighbours of their likes
_TURNING = threading.Lock()


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


@dataclass(frozen=True, eq=False, kw_only=True)
class ItemKNNModel(ComparesByAffinity, HistoryModel):
    """Scores an item by its similarities to those of the user's likes that it is a neighbour of.

    Parameters
    ----------
    users, items, item_counts, catalogue, history, config
        As of every `HistoryModel`.
    similarity_config, stored_evidence
        Similar items are those with the most likes in common, see `affinity_terms`.
    similarities : scipy.sparse.csc_array of float64, (n_items, n_items)
        ``[i, j]``: similarity of i to j, stored if i is among the neighbours of j; rows ascend
        within a column.
    """

    name: ClassVar[str] = "item-knn"
    score_of_nothing: ClassVar[float | None] = 0.0

    similarities: sp.csc_array
    config: ItemKNNConfig

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Sum similarities, in float64 in the order of the items, (n, n_chosen_items)."""
        liked = ones_of(likes)
        if liked.shape[0] <= _FEW:  # as for a server: only the neighbours of likes
            liked.sort_indices()
            sums = (liked @ self._neighbours)[:, item_indices].toarray()
        else:
            sums = (self._rows[item_indices] @ liked.T.tocsr()).toarray().T
        scores: Floats = sums.astype(np.float32, order="C")
        return scores

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """Counts of common likes; their dial includes the cosine of likes, at 0."""
        return ("counts",)

    def terms_of(self, affinity: Affinity, config: SimilarityConfig) -> AffinityTerms:
        """Return the terms of the counts: users weigh as in the model's weighting."""
        likes = likes_at_least_one(self.item_counts)
        return count_terms(self.co_counts, likes, config.popularity_bias)

    @functools.cached_property
    def co_counts(self) -> CoCounts | KeptCounts:
        """The counts of pairs of items, from the history or stored."""
        if self.stored_evidence is not None:
            return self.stored_evidence.counts
        likes = self._known("compare items")
        return CoCounts.from_likes(likes, equal=self.config.weighting == "cosine")

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return the counts of the strongest neighbours; None without likes."""
        if self.stored_evidence is not None or self.history is None:
            return self.stored_evidence
        n_items, counts = len(self.items), self.co_counts
        nothing = np.empty((n_items, 0), dtype=np.float32)
        evidence = ItemEvidence(nothing, np.zeros(n_items), counts)
        return evidence.without_likes(likes_at_least_one(self.item_counts), LocalEngine())

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Return the similarities of items to likes that they are neighbours of."""
        near = np.ascontiguousarray(self._neighbours[likes][:, items].toarray().T)
        return Contributions((values > 0).astype(np.float64), near)

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> Self:
        """Find the neighbours by other likes."""
        found = fit_item_knn(train, self.config, engine=engine)
        arrays = {"similarities": found.similarities}
        return type(self).of(train, self.config, similarity_config=self.similarity_config, **arrays)

    @functools.cached_property
    def _neighbours(self) -> sp.csr_array:
        """The similarities with a row of neighbours for each item; not a copy."""
        return self.similarities.T.tocsr()

    @property
    def _rows(self) -> sp.csr_array:
        """The similarities with a row for each neighbour, made on first use."""
        with _TURNING:  # once, not in each thread
            return self._turned

    @functools.cached_property
    def _turned(self) -> sp.csr_array:
        return self.similarities.tocsr()

    def __repr__(self) -> str:
        return (
            f"ItemKNNModel({self.config.weighting}: {len(self.users):,} users, "
            f"{len(self.items):,} items, {self.config.neighbours:,} neighbours)"
        )


def fit_item_knn(
    train: Interactions,
    config: ItemKNNConfig,
    *,
    engine: Engine | None = None,
    observer: Observer = SILENT,
    block_items: int = _ITEMS,
) -> ItemKNNModel:
    """Find the nearest neighbours of each item by its users.

    Neighbours have a user in common; of equally similar items the first are kept. Memory grows with
    items x neighbours, not items x items.

    Parameters
    ----------
    train : Interactions
        Values above zero are likes, each counted once; the rest is left out.
    config : ItemKNNConfig
    engine : Engine or None
        Where to compute; None: the threads of this machine. The results do not depend on it.
    observer : Observer
        Notified of each block of items, perhaps from another thread.
    block_items : int
        Items compared at once; no result depends on it.

    References
    ----------
    Deshpande, Karypis 2004, "Item-Based Top-N Recommendation Algorithms": neighbours are kept for
    each item that a user likes.
    Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond".
    Koren 2008, "Factorization Meets the Neighborhood", eq. 2: shrinkage.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u2", "u3"], ["a", "b", "a", "b", "c"])
    >>> model = fit_item_knn(likes, ItemKNNConfig(neighbours=1))
    >>> model.similarities.toarray()
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 0., 0.]])
    >>> model.scores([0], slice(None))
    array([[1., 1., 0.]], dtype=float32)
    """
    expect_interactions(train)
    engine = engine or LocalEngine()
    similarity, lock = _Similarity.of(likes_of(train), config), threading.Lock()

    def nearest(rows: slice) -> list[tuple[npt.NDArray[Any], Doubles]]:
        found = [
            _largest(columns, values, config.neighbours) for columns, values in similarity.to(rows)
        ]
        with lock:
            observer.advance(rows.stop - rows.start)
        return found

    observer.start("Computing item similarities", train.n_items)
    blocks = engine.each(nearest, pieces(train.n_items, block_items))
    observer.finish()
    return ItemKNNModel.of(train, config, similarities=_joined(blocks, train.n_items))


@dataclass(frozen=True, eq=False)
class _Similarity:
    """Similarities of items: scaled sums over common users.

    Parameters
    ----------
    item_users : scipy.sparse.csr_array of float64, (n_items, n_users)
        Ones.
    user_items : scipy.sparse.csr_array of float64, (n_users, n_items)
        What each user adds to the sum, equal within a row.
    sizes : float64, (n_items,)
        Sums are divided by the product of two sizes, for the cosine by its root.
    config : ItemKNNConfig
    counted : scipy.sparse.csr_array of float64, (n_users, n_items), or None
        Ones, if common users must also be counted.
    """

    item_users: sp.csr_array
    user_items: sp.csr_array
    sizes: Doubles
    config: ItemKNNConfig
    counted: sp.csr_array | None = None

    @classmethod
    def of(cls, likes: sp.csr_array, config: ItemKNNConfig) -> "_Similarity":
        item_users = likes.T.tocsr()
        n_users_of = np.diff(item_users.indptr).astype(np.float64)
        if config.weighting == "cosine":
            return cls(item_users, likes, n_users_of, config)
        n_items, n_items_of = likes.shape[1], np.diff(likes.indptr)
        # Robertson-Sparck Jones weight, plus 1 inside the logarithm: never below zero.
        rarity = np.log1p((n_items - n_items_of + 0.5) / (n_items_of + 0.5))
        adds = np.repeat(np.square(rarity), n_items_of)
        weighted = sp.csr_array((adds, likes.indices, likes.indptr), likes.shape)
        relative = n_users_of / max(n_users_of.sum() / max(n_items, 1), 1e-9)
        # (1 + k1 * length) / (k1 + 1), without overflow for large k1.
        share = config.k1 / (config.k1 + 1)
        sizes = 1 / (config.k1 + 1) + share * (1 - config.b + config.b * relative)
        return cls(item_users, weighted, sizes, config, likes if config.shrinkage else None)

    def to(self, rows: slice) -> list[tuple[npt.NDArray[Any], Doubles]]:
        """Return, for each of these items, the others with common users, and similarities."""
        sums = self.item_users[rows] @ self.user_items
        together = sums
        if self.counted is not None:
            together = self.item_users[rows] @ self.counted
            together.sort_indices()
            sums.sort_indices()
        items = np.repeat(np.arange(rows.start, rows.stop), np.diff(sums.indptr))
        sizes = self.sizes[items] * self.sizes[sums.indices]
        # The root of a quotient of whole numbers: equal cosines are equal floats.
        cosine = self.config.weighting == "cosine"
        values = np.sqrt(np.square(sums.data) / sizes) if cosine else sums.data / sizes
        if self.config.shrinkage:
            values *= together.data / (together.data + self.config.shrinkage)
        others = sums.indices != items
        bounds = np.concatenate(([0], np.cumsum(others)))[sums.indptr[1:-1]]
        parts = (np.split(part[others], bounds) for part in (sums.indices, values))
        return list(zip(*parts, strict=True))


def _largest(
    columns: npt.NDArray[Any], values: Doubles, count: int
) -> tuple[npt.NDArray[Any], Doubles]:
    """Return the `count` largest values and their columns; of equal ones the first columns."""
    if len(values) <= count:
        return columns, values
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)
    first = equal[np.argsort(columns[equal])][: count - len(above)]
    chosen = np.concatenate((above, first))
    return columns[chosen], values[chosen]


def _joined(blocks: list[list[tuple[npt.NDArray[Any], Doubles]]], n_items: int) -> sp.csc_array:
    """Join the neighbours of all items into one matrix with a column for each."""
    lists = [one for block in blocks for one in block]
    starts = np.concatenate(
        ([0], np.cumsum([len(columns) for columns, _ in lists], dtype=np.int64))
    )
    width = np.int64 if starts[-1] > np.iinfo(np.int32).max else np.int32
    columns = np.concatenate([np.empty(0, width), *(one[0] for one in lists)])
    values = np.concatenate([np.empty(0), *(one[1] for one in lists)])
    by_item = sp.csr_array(
        (values, columns.astype(width, copy=False), starts.astype(width)), (n_items, n_items)
    )
    by_item.sort_indices()
    return by_item.T


class ItemKNNFamily(Family):
    """Nearest neighbours of items, by the cosine of their likes or by BM25."""

    name: ClassVar[str] = "item-knn"
    config: ClassVar[type[Any]] = ItemKNNConfig
    model: ClassVar[type[FittedModel]] = ItemKNNModel

    def train(self, data: TrainingData, config: ItemKNNConfig, **how: Any) -> ItemKNNModel:
        """Fit the model."""
        return fit_item_knn(data.interactions, config, **how)

    def pack(self, model: ItemKNNModel) -> Arrays:
        """Return the similarities, a row of neighbours for each item."""
        near = model.similarities.T.tocsr()
        return {"indptr": near.indptr, "indices": near.indices, "similarities": near.data}

    def unpack(self, arrays: BundleArrays, known: Known) -> ItemKNNModel:
        """Return the model of the similarities."""
        near = arrays.matrix("similarities", np.float64, len(known.items), len(known.items))
        return ItemKNNModel(**known.of_history(ItemKNNConfig), similarities=near.T)

    def cost(self, config: ItemKNNConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of a number and an index for each neighbour."""
        return 12.0 * n_items * min(config.neighbours, n_items)

    def memory(self, data: TrainingData, config: ItemKNNConfig, threads: int) -> int:
        """Return the bytes of lists of neighbours while they are joined and transposed."""
        n_items = data.interactions.n_items
        return _BYTES_PER_NEIGHBOUR * n_items * min(config.neighbours, n_items)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[ItemKNNConfig]:
        """Return some configurations of both weightings; for BM25, b matters most."""
        cosine = [ItemKNNConfig(neighbours=neighbours) for neighbours in (100, 400)]
        bm25 = [ItemKNNConfig(weighting="bm25", neighbours=400, b=b) for b in (0.05, 0.2)]
        return [*cosine, *bm25]

    def fit_beside_items(
        self, data: TrainingData, config: Any, *, engine: Engine | None = None
    ) -> ItemKNNModel:
        """Return a model without neighbours: similar items need counts of common likes alone."""
        nothing = sp.csc_array(2 * (data.interactions.n_items,), dtype=np.float64)
        return ItemKNNModel.of(data.interactions, config, similarities=nothing)

    def compared_by(self, config: ItemKNNConfig) -> str:
        """Name the weighting: counts of common likes do not depend on the other settings."""
        return config.weighting

    def similar_space(self, data: TrainingData) -> Sequence[ItemKNNConfig]:
        """Return both weightings of users, with the few neighbours that similar items need."""
        return [
            ItemKNNConfig(weighting=weighting, neighbours=10) for weighting in ("cosine", "bm25")
        ]

    def is_tried(self, data: TrainingData) -> bool:
        """Return True."""
        return True

    @property
    def growth(self) -> float:
        """A little less than 2, on three public tables."""
        return 1.7
