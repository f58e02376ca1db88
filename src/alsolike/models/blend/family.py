"""The family of blends: models made of two or three models of other families."""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from alsolike.data.interactions import Interactions
from alsolike.models.arrays import BundleArrays
from alsolike.models.base import FittedModel
from alsolike.models.blend.config import BlendConfig
from alsolike.models.blend.model import BlendModel, blend_of
from alsolike.models.family import Arrays, Family, Known, TrainingData, training_key
from alsolike.models.memo import Memo
from alsolike.models.registry import (
    config_of,
    family_named,
    family_of,
    pack_inside,
    unpack_inside,
)

# Weights of the first of two members; shares of a third one, and changes of the first one then.
_WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_THIRD, _CHANGES = (0.1, 0.2, 0.3), (-0.1, 0.0, 0.1)
_FAMILIES = 3  # the best, which are blended
_DIGITS = 6


class BlendFamily(Family):
    """Weighted sums of the scores of other families, each in standard deviations."""

    name: ClassVar[str] = "blend"
    config: ClassVar[type[Any]] = BlendConfig
    model: ClassVar[type[FittedModel]] = BlendModel
    is_combined: ClassVar[bool] = True
    builds_on_others: ClassVar[bool] = True

    def train(self, data: TrainingData, config: BlendConfig, **how: Any) -> BlendModel:
        """Fit the members one after the other, or take those that other trainings have fitted."""

        def fitted(member: Any) -> FittedModel:
            return family_of(member).fit(data, member, **how)

        if data.memo is None:
            return _blend_of_fitted(config, [fitted(one) for one in config.members])
        wanted = {training_key(one): functools.partial(fitted, one) for one in config.members}
        return _blend_of_fitted(config, data.memo.models(wanted), data.memo)

    def pack(self, model: BlendModel) -> Arrays:
        """Return the arrays of all members."""
        packed = (pack_inside(_label(at), one) for at, one in enumerate(model.members))
        return {name: array for arrays in packed for name, array in arrays.items()}

    def unpack(self, arrays: BundleArrays, known: Known) -> BlendModel:
        """Build the members; the settings of similar items are those of the one that has any."""
        config = BlendConfig.from_settings(known.settings)
        members = [
            unpack_inside(
                _label(at), arrays, known, one.to_settings(), compares=at == config.comparing
            )
            for at, one in enumerate(config.members)
        ]
        return blend_of(config, members)

    def members(self, config: BlendConfig) -> Sequence[Any]:
        """Return the configurations of the members."""
        return config.members

    def half_life(self, config: BlendConfig) -> float | None:
        """Return the half-life of the first member that has any."""
        found = (
            family.half_life(one)
            for family, one in zip(config.families, config.members, strict=True)
        )
        return next((days for days in found if days is not None), None)

    def with_half_life(self, config: BlendConfig, half_life: Any) -> BlendConfig:
        """Return the blend with a half-life of all members."""
        members = (
            family.with_half_life(one, half_life)
            for family, one in zip(config.families, config.members, strict=True)
        )
        return replace(config, members=tuple(members))

    def cost(self, config: BlendConfig, n_users: int, n_items: int) -> float:
        """Return the bytes of all members."""
        return sum(
            family.cost(one, n_users, n_items)
            for family, one in zip(config.families, config.members, strict=True)
        )

    def memory(self, data: TrainingData, config: BlendConfig, threads: int) -> int:
        """Return the largest sum of a training and of the members that are fitted before it."""
        train, before, most = data.interactions, 0.0, 0.0
        for family, one in zip(config.families, config.members, strict=True):
            most = max(most, before + family.memory(data, one, threads))
            before += family.cost(one, train.n_users, train.n_items)
        return int(most)

    def refuse(self, data: TrainingData, config: BlendConfig) -> None:
        """Raise DataError if a member would not fit into memory."""
        for family, one in zip(config.families, config.members, strict=True):
            family.refuse(data, one)

    def combinations(
        self,
        data: TrainingData,
        best: Sequence[tuple[Any, float]],
        tried: Sequence[tuple[Any, float]],
    ) -> Sequence[BlendConfig]:
        """Return pairs of the three best families, then triples around the best pair."""
        known = [config for config, _ in best[:_FAMILIES]]
        if not tried:
            return [
                BlendConfig(members=pair, weights=(weight, round(1 - weight, _DIGITS)))
                for weight in _WEIGHTS
                for pair in itertools.combinations(known, 2)
            ]
        pair, _ = max(tried, key=lambda one: one[1])  # of equals, the first
        third = [one for one in known if one not in pair.members]
        if len(third) != 1 or any(len(config.members) > len(pair.members) for config, _ in tried):
            return []
        found = []
        for share, change in itertools.product(_THIRD, _CHANGES):
            first = min(max(pair.weights[0] + change, 0.1), 0.9)
            weights = [round(one * (1 - share), _DIGITS) for one in (first, 1 - first)]
            found.append(BlendConfig(members=(*pair.members, *third), weights=(*weights, share)))
        return list(dict.fromkeys(found))

    def search_space(self, data: TrainingData, *, seed: int = 0) -> Sequence[BlendConfig]:
        """Return nothing: what is tried depends on the best of other families."""
        return []

    def is_tried(self, data: TrainingData) -> bool:
        """Return True; a search leaves it out where fewer than two other families are tried."""
        return True

    def why_tried(self, data: TrainingData) -> str:
        """Say what it needs."""
        return "where two others are tried"

    def labels(self, config: BlendConfig) -> Mapping[str, Any]:
        """Return members and weights as one text."""
        return {"of": str(config)}

    def beside_items(self, config: BlendConfig) -> Any:
        """Return the settings of the member that compares items."""
        return config if config.comparing is None else config.members[config.comparing]

    def compared_by(self, config: BlendConfig) -> str:
        """Return the way of the member that compares items."""
        one = self.beside_items(config)
        return "" if one is config else family_of(one).compared_by(one)

    def code(self, config: BlendConfig, train: Interactions) -> tuple[Any, ...] | None:
        """Return the keys of the code of all members, each with the name of its family."""
        keys = (
            (family.name, family.code(one, train))
            for family, one in zip(config.families, config.members, strict=True)
        )
        return tuple(dict.fromkeys(key for key in keys if key[1] is not None)) or None

    def kernels(self, config: BlendConfig) -> Sequence[Any]:
        """Return the kernels of all members."""
        return list(_each_kernel(config))

    def small(self, code: tuple[Any, ...]) -> Any:
        """Return a small configuration of the members that need code."""
        small = list(dict.fromkeys(family_named(name).small(key) for name, key in code))
        if len(small) == 1:
            return small[0]
        return BlendConfig(members=tuple(small), weights=(1.0,) * len(small))

    @property
    def growth(self) -> float:
        """As of most families."""
        return 1.0


def _blend_of_fitted(
    config: BlendConfig, members: Sequence[FittedModel], memo: Memo | None = None
) -> BlendModel:
    """Return the blend, with what the settings of its members leave to the table."""
    known = tuple(config_of(one.settings) for one in members)
    return blend_of(replace(config, members=known), members, memo)


def _each_kernel(config: BlendConfig) -> Iterator[Any]:
    for family, one in zip(config.families, config.members, strict=True):
        yield from family.kernels(one)


def _label(place: int) -> str:
    return f"member{place + 1}"
