"""A model made of two models, of any families: a weighted sum of their scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel, Floats, Indices, Rows
from alsolike.models.family import Arrays, Family, Known, TrainingData, refuse_start
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.protocols import Contributions
from alsolike.models.registry import config_of, family_of, pack_inside, unpack_inside
from alsolike.models.settings import FamilyConfig
from alsolike.progress import SILENT, Observer


@dataclass(frozen=True, kw_only=True)
class PairConfig(FamilyConfig):
    family: ClassVar[str] = "pair"
    first: Any = field(default_factory=lambda: ALSConfig(factors=4, iterations=3))
    second: Any = field(default_factory=lambda: ItemKNNConfig(neighbours=20))
    weight: float = 0.5

    def __post_init__(self) -> None:
        family_of(self.first), family_of(self.second)
        if not 0 < self.weight < 1:
            raise SettingError(f"weight must be above 0 and below 1, not {self.weight!r}.")

    def to_settings(self) -> dict[str, Any]:
        inner = {"first": self.first.to_settings(), "second": self.second.to_settings()}
        return {**super().to_settings(), **inner}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        given = [name for name in ("first", "second") if name in settings]
        inner = {name: config_of(settings[name]) for name in given}
        return super().from_settings({**settings, **inner})


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class PairModel(FittedModel):
    name: ClassVar[str] = "pair"
    sweeps: ClassVar[int] = 0
    first: Any
    second: Any
    config: PairConfig

    @property
    def users(self):
        return self.first.users

    @property
    def items(self):
        return self.first.items

    @property
    def item_counts(self):
        return self.first.item_counts

    @property
    def catalogue(self):
        return self.first.catalogue

    @property
    def history(self):
        return self.first.history

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.config.to_settings()

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        return self._sum("scores", user_indices, item_indices)

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        return self._sum("user_scores", likes, item_indices)

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        return self._sum("item_scores", item_indices, other_indices)

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        return self._each("with_history", interactions, engine=engine)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        return self._each("with_items", likers, engine=engine)

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        first, second = (
            weight * part.contributions(likes, values, items).parts for weight, part in self._parts
        )
        return Contributions(np.ones(len(likes)), first + second)

    @property
    def _parts(self) -> list[tuple[float, Any]]:
        return [(self.config.weight, self.first), (1 - self.config.weight, self.second)]

    def _sum(self, scores: str, rows: Any, columns: slice) -> Floats:
        first, second = (
            np.float32(weight) * getattr(part, scores)(rows, columns)
            for weight, part in self._parts
        )
        return first + second

    def _each(self, method: str, given: Interactions, **named: Any) -> Self:
        first, second = (getattr(part, method)(given, **named) for _, part in self._parts)
        return replace(self, first=first, second=second)


class PairFamily(Family):
    name: ClassVar[str] = "pair"
    config: ClassVar[type[Any]] = PairConfig
    model: ClassVar[type[FittedModel]] = PairModel

    def iterate(
        self,
        data: TrainingData,
        config: PairConfig,
        *,
        start: FittedModel | None = None,
        engine: Engine | None = None,
        observer: Observer = SILENT,
    ) -> Iterator[FittedModel]:
        refuse_start(self, start)
        first, second = (
            family_of(part).fit(data, part, engine=engine, observer=observer)
            for part in (config.first, config.second)
        )
        # What a setting leaves to the table is known by now.
        known = {"first": config_of(first.settings), "second": config_of(second.settings)}
        yield PairModel(first=first, second=second, config=replace(config, **known))

    def pack(self, model: PairModel) -> Arrays:
        return {**pack_inside("first", model.first), **pack_inside("second", model.second)}

    def unpack(self, arrays: BundleArrays, known: Known) -> PairModel:
        config = PairConfig.from_settings(known.settings)
        first, second = (
            unpack_inside(label, arrays, known, part.to_settings())
            for label, part in (("first", config.first), ("second", config.second))
        )
        return PairModel(first=first, second=second, config=config)

    def cost(self, config: PairConfig, n_users: int, n_items: int) -> float:
        parts = (config.first, config.second)
        return sum(family_of(part).cost(part, n_users, n_items) for part in parts)

    def memory(self, data: TrainingData, config: PairConfig, threads: int) -> int:
        parts = (config.first, config.second)
        return sum(family_of(part).memory(data, part, threads) for part in parts)

    def refuse(self, data: TrainingData, config: PairConfig) -> None:
        for part in (config.first, config.second):
            family_of(part).refuse(data, part)

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[PairConfig]:
        return [PairConfig(weight=weight) for weight in (0.25, 0.75)]
