"""A family that learns from features alone: sums of liked items' tags; takes in cold items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions, canonical
from alsolike.data.merge import joined_features
from alsolike.data.string_array import StringArray
from alsolike.engines.base import Engine
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel, Floats, Indices, Rows
from alsolike.models.family import Arrays, Family, Known, TrainingData
from alsolike.models.fit import fit
from alsolike.models.history_model import HistoryModel, ones_of
from alsolike.models.settings import FamilyConfig
from alsolike.testing import tiny_likes


@dataclass(frozen=True, kw_only=True)
class TagSumsConfig(FamilyConfig):
    """No settings."""

    family: ClassVar[str] = "tag-sums"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class TagSumsModel(HistoryModel):
    """Scores an item by how many of its tags the liked items have."""

    name: ClassVar[str] = "tag-sums"
    config: TagSumsConfig

    @property
    def _tags(self) -> sp.csr_array:
        assert self.item_features is not None
        return sp.csr_array(self.item_features.matrix, dtype=np.float64)

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        sums = ones_of(likes) @ self._tags @ self._tags[item_indices].T
        return sums.toarray().astype(np.float32)

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        scores = (self._tags[item_indices] @ self._tags[other_indices].T).toarray()
        return np.where(scores > 0, scores, -np.inf).astype(np.float32)

    def item_scores_of_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        return (features @ self._tags[item_indices].T).toarray().astype(np.float32)

    def feature_scores(self, item_indices: Rows) -> Floats:
        return self._tags[item_indices].toarray().astype(np.float32)

    def scores_of_user_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        assert self.user_features is not None
        assert self.history is not None
        alike = features @ sp.csr_array(self.user_features.matrix.T)
        return self.user_scores(sp.csr_array(alike @ self.history.user_items), item_indices)

    def shared_features(self, likes: Indices, values: Floats, item: int) -> list[tuple[int, float]]:
        sums = np.asarray(self._tags[likes].sum(axis=0)) * self._tags[[item]].toarray()[0]
        return [(int(one), float(sums[one])) for one in np.argsort(-sums, kind="stable")
                if sums[one] > 0]  # fmt: skip

    def with_cold_items(
        self, items: FeatureTable, catalogue: Catalogue | None = None
    ) -> "TagSumsModel":
        ids, before = self.items.union(items.ids), self.history
        features = joined_features(self.items, self.item_features, items.ids, items.features, ids)
        counts = np.zeros(len(ids), dtype=np.int64)
        counts[ids.places_of(self.items)] = self.item_counts
        shown = None
        if self.catalogue is not None or catalogue is not None:
            names = dict.fromkeys(ids, "")
            for some, known in ((self.items, self.catalogue), (items.ids, catalogue)):
                for row, one in enumerate(some if known is not None else ()):
                    names[one] = known.name_of(row)
            shown = Catalogue(len(ids), StringArray.pack(list(names.values())))
        history = None
        if before is not None:
            cells = before.user_items.tocoo()
            places = ids.places_of(self.items)[cells.col]
            matrix = sp.csr_array(
                (cells.data, (cells.row, places)), shape=(before.n_users, len(ids))
            )
            history = Interactions(
                canonical(matrix), self.users, ids, None, shown, features, self.user_features
            )
        return replace(
            self, items=ids, item_counts=counts, item_features=features, catalogue=shown,
            history=history,
        )  # fmt: skip

    def refitted(self, train: Interactions, *, engine: Engine | None = None) -> "TagSumsModel":
        return TagSumsModel.of(train, self.config)


class TagSumsFamily(Family):
    """Sums of liked items' tags."""

    name: ClassVar[str] = "tag-sums"
    config: ClassVar[type[Any]] = TagSumsConfig
    model: ClassVar[type[FittedModel]] = TagSumsModel

    def train(self, data: TrainingData, config: TagSumsConfig, **how: Any) -> TagSumsModel:
        return TagSumsModel.of(data.interactions, config)

    def pack(self, model: TagSumsModel) -> Arrays:
        return {}

    def unpack(self, arrays: BundleArrays, known: Known) -> TagSumsModel:
        return TagSumsModel(**known.of_history(TagSumsConfig))

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[TagSumsConfig]:
        return [TagSumsConfig()]


TAGS = ("castle", "medieval", "Sea", "sand", "<b>hill</b>")


def tagged_likes(n_users: int = 30, n_items: int = 40) -> Interactions:
    """Return likes of items with tags by their parity, and of users with a group."""
    likes = tiny_likes(n_users, n_items)
    words = [
        [TAGS[2 * (row % 2)], TAGS[2 * (row % 2) + 1]] + [TAGS[4]] * (row % 5 == 0)
        for row in range(n_items)
    ]
    words[2] = [TAGS[0]]
    words[3] = []
    groups = Features.of_words("group", [["even", "odd"][row % 2 :][:1] for row in range(n_users)])
    tags = Features.of_words("tag", words)
    separated = replace(tags.blocks[0], encoding={"separator": "|"})
    return replace(likes, item_features=Features(tags.matrix, (separated,)), user_features=groups)


def tagged_model(family: str = "item-knn", **settings: Any) -> Any:
    """Fit a model of a family to these likes; "tag-sums" needs no family of that name."""
    if family == "tag-sums":
        return TagSumsModel.of(tagged_likes(), TagSumsConfig())
    return fit(tagged_likes(), family=family, **settings)
