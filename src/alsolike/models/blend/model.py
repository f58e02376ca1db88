"""`BlendModel`: a weighted sum of the scores of two or three models, each in deviations.

    score(u, j) = sum over members m of w_m s_m(u, j) / sd_m(u)

s_m are the scores of a member, sd_m(u) their standard deviation over all items: a weighted sum of
z-scores, but for a constant of each user, which changes no list. A deviation of 0 counts as none:
that member adds 0.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.data.interactions import Interactions
from alsolike.data.vocabulary import Vocabulary
from alsolike.engines.base import Engine
from alsolike.models.base import Doubles, FittedModel, Floats, Indices, Rows
from alsolike.models.blend.config import BlendConfig
from alsolike.models.blend.standardized import Standardized, rows_of
from alsolike.models.cold_items import with_cold_items
from alsolike.models.memo import Memo
from alsolike.models.protocols import (
    AddsItems,
    ComparesFeatures,
    Contributions,
    Explains,
    ExplainsByFeatures,
    FoldsIn,
    FoldsInItems,
    HasAffinities,
    HasFactors,
    ItemScorer,
    KeepsItemsUnscored,
)
from alsolike.models.similarity.config import Affinity, SimilarityConfig, SimilarityScale
from alsolike.models.similarity.evidence import ItemEvidence
from alsolike.models.similarity.terms import AffinityTerms
from alsolike.models.values import aged_by

_OF_THE_FIRST = (
    "users", "items", "item_counts", "catalogue", "history", "item_features", "user_features",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class BlendModel(FittedModel):
    """A model made of models over the same users and items; made by `blend_of`.

    What it can do besides scoring depends on its members: `blend_of` adds the methods.

    Parameters
    ----------
    config : BlendConfig
    members : tuple of FittedModel
    memo : Memo or None
        Keeps scores of members for other blends of them.
    """

    name: ClassVar[str] = "blend"
    sweeps: ClassVar[int] = 0
    scores_whole_rows: ClassVar[bool] = True

    config: BlendConfig
    members: tuple[FittedModel, ...]
    memo: Memo | None = None

    users: Vocabulary = field(init=False)
    items: Vocabulary = field(init=False)
    item_counts: npt.NDArray[np.int64] = field(init=False)
    catalogue: Catalogue | None = field(init=False)
    history: Interactions | None = field(init=False)
    item_features: Features | None = field(init=False)
    user_features: Features | None = field(init=False)

    def __post_init__(self) -> None:
        first = self.members[0]
        for name in _OF_THE_FIRST:
            object.__setattr__(self, name, getattr(first, name))

    def __reduce__(self) -> tuple[Any, ...]:
        return blend_of, (self.config, self.members)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the training, with those of the members."""
        return self.config.to_settings()

    @property
    def ages(self) -> Doubles | None:
        """Ages of the history's likes, which each member weighs by its own half-life.

        None if no member has any; see `alsolike.models.history_model.HistoryModel.ages`.
        """
        found = (getattr(one, "ages", None) for one in self.members)
        return next((ages for ages in found if ages is not None), None)

    def scores(self, user_indices: Rows, item_indices: slice) -> Floats:
        """Add up the members' scores in deviations, float32, (n_chosen_users, n_chosen_items)."""
        rows = rows_of(user_indices, len(self.users))
        return self._sum([one.of_users(rows) for one in self._standardized])[:, item_indices]

    @functools.cached_property
    def _standardized(self) -> tuple[Standardized, ...]:
        return tuple(Standardized(one, self.memo) for one in self.members)

    def _sum(self, parts: Sequence[Floats]) -> Floats:
        """Add up the members' scores, in float32 and in order."""
        weights = [np.float32(weight) for weight in self.config.weights]
        total: Floats = weights[0] * parts[0]
        for weight, part in zip(weights[1:], parts[1:], strict=True):
            total += weight * part
        return total

    def __repr__(self) -> str:
        return f"BlendModel({self.config}: {len(self.users):,} users, {len(self.items):,} items)"


class _FoldsIn(BlendModel):
    """Of members that all fold in users."""

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Score items for rows of likes, which each member folds in, float32."""
        parts = [one.of_likes(likes, ages)[0] for one in self._standardized]
        return self._sum(parts)[:, item_indices]

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history of each member.

        Raises
        ------
        DataError
            The interactions have other users or items.
        """

        def moved(member: Any) -> Any:
            return member.with_history(interactions, engine=engine)

        if self.memo is None:
            return replace(self, members=tuple(map(moved, self.members)))
        wanted = {
            ("history", id(one), interactions.fingerprint): functools.partial(moved, one)
            for one in self.members
        }
        return replace(self, members=tuple(self.memo.models(wanted)))


class _FoldsInItems(BlendModel):
    """Of members that all take in items."""

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add the items of `likers` to each member."""
        members: list[Any] = list(self.members)
        moved = tuple(one.with_items(likers, engine=engine) for one in members)
        return replace(self, members=moved)


class _AddsItems(BlendModel):
    """Of members of which some take in items by their features, and the others hold these."""

    def with_cold_items(self, items: FeatureTable, catalogue: Catalogue | None = None) -> Self:
        """Add items by their features: members that do not know features score them with 0."""
        known = with_cold_items(self, items, catalogue)

        def moved(member: Any) -> Any:
            if isinstance(member, AddsItems):
                return member.with_cold_items(items, catalogue)
            return member.with_items_unscored(known)

        return replace(self, members=tuple(map(moved, self.members)), memo=None)


class _ComparesFeatures(BlendModel):
    """Of members of which one compares features with items."""

    @property
    def _of_features(self) -> Any:
        return next(one for one in self.members if isinstance(one, ComparesFeatures))

    def item_scores_of_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for rows of features by that member, float32, (n, n_chosen_items)."""
        block: Floats = self._of_features.item_scores_of_features(features, item_indices)
        return block

    def feature_scores(self, item_indices: Rows) -> Floats:
        """Score all features for items by that member, float32, (n_chosen_items, n_features)."""
        block: Floats = self._of_features.feature_scores(item_indices)
        return block


class _ExplainsByFeatures(BlendModel):
    """Of members of which one explains scores by features."""

    def shared_features(self, likes: Indices, values: Floats, item: int) -> list[tuple[int, float]]:
        """Return what features add to the score of that member, the most first."""
        explaining = next(one for one in self.members if isinstance(one, ExplainsByFeatures))
        return explaining.shared_features(likes, values, item)


class _Explains(_FoldsIn):
    """Of members that all fold in users and score by single likes."""

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Add up what likes add to the scores of each member, in its deviations."""
        order = np.argsort(likes)  # as in a table of likes
        starts = np.array([0, len(likes)], dtype=np.int32)
        cells = (values[order], likes[order], starts)
        row = sp.csr_array(cells, shape=(1, len(self.items)))
        found, base = {}, None
        for name, weight, one in zip(
            self.config.names, self.config.weights, self._standardized, strict=True
        ):
            member: Any = one.model
            (deviation,) = one.of_likes(row, None if ages is None else ages[order])[1].tolist()
            split = member.contributions(likes, values, items, **aged_by(member, ages))
            scale = weight / deviation if deviation else 0.0
            found[name] = split.parts * scale
            if split.base is not None:
                base = split.base * scale + (0.0 if base is None else base)
        total = np.zeros((len(items), len(likes)))
        for added in found.values():
            total += added
        return Contributions(np.ones(len(likes)), total, found, base)


class _ScoresItems(BlendModel):
    """Of members of which one compares items; the similar items are those of that member."""

    @property
    def _comparing(self) -> Any:
        return self.members[self.config.comparing or 0]

    @property
    def similarity(self) -> SimilarityScale:
        """Describes the scores of similar items."""
        scale: SimilarityScale = self._comparing.similarity
        return scale

    def item_scores(self, item_indices: Rows, other_indices: slice) -> Floats:
        """Return the scores of items with others, (n_chosen, n_chosen_others)."""
        block: Floats = self._comparing.item_scores(item_indices, other_indices)
        return block


class _HasAffinities(_ScoresItems):
    """Of members of which one compares items by affinities, with a dial."""

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """The affinities of the member, the default first."""
        found: tuple[Affinity, ...] = self._comparing.affinities
        return found

    @property
    def similarity_config(self) -> SimilarityConfig:
        """The affinity and the dial."""
        config: SimilarityConfig = self._comparing.similarity_config
        return config

    def with_similarity(self, config: SimilarityConfig) -> Self:
        """Return the same model that compares items by another configuration."""
        members, place = list(self.members), self.config.comparing or 0
        members[place] = self._comparing.with_similarity(config)
        return replace(self, members=tuple(members))

    def affinity_terms(self, config: SimilarityConfig | None = None) -> AffinityTerms:
        """Return the terms of the scores of items, by a configuration (None: the model's own)."""
        terms: AffinityTerms = self._comparing.affinity_terms(config)
        return terms

    def evidence_to_store(self) -> ItemEvidence | None:
        """Return what a bundle without history keeps, if anything."""
        evidence: ItemEvidence | None = self._comparing.evidence_to_store()
        return evidence


class _HoldsFactors(BlendModel):
    """Of members of which one has factors."""

    @property
    def factor_model(self) -> HasFactors:
        """The first member that has factors."""
        return next(one for one in self.members if isinstance(one, HasFactors))


def blend_of(
    config: BlendConfig, members: Sequence[FittedModel], memo: Memo | None = None
) -> BlendModel:
    """Return the blend of fitted members, with the methods for which they have what is needed."""
    abilities: list[type[BlendModel]] = [
        kind
        for kind, protocols in (
            (_Explains, (FoldsIn, Explains)),
            (_FoldsIn, (FoldsIn,)),
            (_FoldsInItems, (FoldsInItems,)),
        )
        if all(isinstance(one, protocol) for one in members for protocol in protocols)
    ]
    if any(isinstance(one, HasFactors) for one in members):
        abilities.append(_HoldsFactors)
    abilities += [
        kind
        for kind, protocol in (
            (_ComparesFeatures, ComparesFeatures),
            (_ExplainsByFeatures, ExplainsByFeatures),
        )
        if any(isinstance(one, protocol) for one in members)
    ]
    if any(isinstance(one, AddsItems) for one in members) and all(
        isinstance(one, (AddsItems, KeepsItemsUnscored)) for one in members
    ):
        abilities.append(_AddsItems)
    if config.comparing is not None:
        comparing = members[config.comparing]
        abilities += [
            kind
            for kind, protocol in ((_HasAffinities, HasAffinities), (_ScoresItems, ItemScorer))
            if isinstance(comparing, protocol)
        ]
    founded = all(one.score_of_nothing == 0 for one in members)
    return _kind_of(tuple(abilities), is_founded=founded)(config, tuple(members), memo)


@functools.cache
def _kind_of(abilities: tuple[type[BlendModel], ...], *, is_founded: bool) -> type[BlendModel]:
    """Return the class with these methods; `is_founded`: a score of 0 has no evidence."""
    nothing = {"score_of_nothing": 0.0 if is_founded else None, "__module__": __name__}
    return type("BlendModel", (*abilities, BlendModel), nothing)
