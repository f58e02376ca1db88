"""`BPRModel` and `WARPModel`: factors and item biases, used without the compiler."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.merge import with_items_of
from alsolike.engines.base import Engine, pieces
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.base import Doubles, Floats, Indices, expect_same_ids
from alsolike.models.factor_model import FactorModel
from alsolike.models.history_model import weighted_likes
from alsolike.models.pairwise.config import BPRConfig, PairwiseConfig, WARPConfig
from alsolike.models.pairwise.fold_in import Steps, sample_of, steps_of
from alsolike.models.pairwise.squares import Squares
from alsolike.models.protocols import Contributions
from alsolike.models.similarity.config import Affinity
from alsolike.models.values import ages_of, changed_users, timed, with_ages

_USERS = 64  # that are folded in together


@dataclass(frozen=True, eq=False, repr=False)
class PairwiseModel(FactorModel):
    """Factors that rank likes above other items, with a bias of each item.

    The last column of the item factors are the biases, and that of the user factors is 1, or 0 for
    users without likes: the score of a pair is one dot product, as of every `FactorModel`. Items
    and users are compared without this column.

    Parameters
    ----------
    squares : Squares
        Training continues with them.
    """

    config_type: ClassVar[type[PairwiseConfig]]
    squares: Squares = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        n_users, n_items = len(self.users), len(self.items)
        own = self.squares
        found = tuple(len(one) for one in (own.users, own.items, own.biases))
        if found != (n_users, n_items, n_items):
            raise DataError(
                f"Squares of {n_users:,} users, and twice of {n_items:,} items expected, not "
                f"{found}."
            )

    @functools.cached_property
    def config(self) -> PairwiseConfig:
        """The settings."""
        return self.config_type.from_settings(self.settings)

    @functools.cached_property
    def item_directions(self) -> Floats:
        """The item factors without biases, float32, (n_items, factors - 1)."""
        return np.ascontiguousarray(self.item_factors[:, :-1])

    @functools.cached_property
    def user_directions(self) -> Floats:
        """The user factors without the column of the biases, float32, (n_users, factors - 1)."""
        return np.ascontiguousarray(self.user_factors[:, :-1])

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """The cosine, and the dot product: scores by pairs are no shares of people."""
        return ("cosine", "dot")

    @functools.cached_property
    def ages(self) -> Doubles | None:
        """Ages of the history's likes in days; None without a half-life or a history.

        See `alsolike.models.history_model.HistoryModel.ages`.
        """
        decays = self.settings.get("half_life") is not None
        return ages_of(self.history) if decays and self.history is not None else None

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Score items for people after folding them in, float32, (n, n_chosen_items)."""
        block: Floats = self.folded_in(likes, ages=ages) @ self.item_factors[item_indices].T
        return block

    def folded_in(self, likes: sp.csr_array, *, ages: Doubles | None = None) -> Floats:
        """Approximate the factors of people with these likes, float32, (n, factors).

        By the mean of the steps that training may take, while items keep their factors; see
        `alsolike.models.pairwise.fold_in`. A known user's factors differ, since they were learned
        together with the items'.

        Parameters
        ----------
        likes : scipy.sparse.csr_array, (n, n_items)
        ages : float64, (n_likes,), or None
            Of the stored values, in days; None: all are new.
        """
        vectors = np.zeros((likes.shape[0], self.factors), dtype=np.float32)
        weighted = self._weighted(likes, ages)
        for row in range(len(vectors)):
            own = slice(weighted.indptr[row], weighted.indptr[row + 1])
            if own.stop > own.start:
                steps = self._steps(weighted.indices[own], weighted.data[own])
                vectors[row, :-1], vectors[row, -1] = steps.factors, 1.0
        return vectors

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history: users whose likes, or their ages, differ are folded in.

        Raises
        ------
        DataError
            The interactions have other users or items, or no times under a half-life.
        """
        expect_same_ids(self, interactions)
        ages = self.config.value_weights.ages(interactions)
        rows = changed_users(self.history, interactions, self.ages, ages)
        own, user_factors = interactions.user_items[rows], self.user_factors.copy()
        aged_rows = None if ages is None else with_ages(interactions, ages)[rows]

        def fold(part: slice) -> None:
            of_part = None if aged_rows is None else aged_rows[part].data
            user_factors[rows[part]] = self.folded_in(own[part], ages=of_part)

        (engine or LocalEngine()).each(fold, pieces(len(rows), _USERS))
        user_factors.flags.writeable = False
        return replace(self, user_factors=user_factors, history=interactions, stored_evidence=None)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add items, or replace the likes of known ones, and train on for as many epochs.

        Raises
        ------
        SettingError
            The model was saved without its history.
        DataError
            A user is not in the model.
        """
        from alsolike.models.pairwise.train import fit  # noqa: PLC0415 - brings the compiler

        if self.history is None:
            raise SettingError(
                f"This model was saved without its history, which {self.name} needs to take in "
                "items: it trains on. Save it with its history."
            )
        if self.ages is not None:
            likers = timed(likers, self.history)
        joined = with_items_of(self.history, likers)
        larger = fit(joined, self.config, type(self), start=self, engine=engine)
        return replace(larger, similarity_config=self.similarity_config)

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Split scores into contributions of likes.

        The factors of a person are a sum of one vector for each like, see `folded_in`: its product
        with an item is what the like adds. The item's bias is split by the pulls, which are the
        lengths of all steps for a like.
        """
        order = np.argsort(likes, kind="stable")
        starts = np.array([0, len(likes)])
        row = sp.csr_array((values[order], likes[order], starts), shape=(1, len(self.items)))
        weighted = self._weighted(row, None if ages is None else ages[order])
        steps = self._steps(weighted.indices, weighted.data)
        places = order[np.searchsorted(likes[order], weighted.indices)]
        factors = self.item_factors[items].astype(np.float64)
        pulls, near = np.zeros(len(likes)), np.zeros((len(items), len(likes)))
        total, own = steps.pulls.sum(), steps.pulls > 0
        pulls[places] = steps.pulls
        if total > 0:
            parts = np.einsum("if,lf->il", factors[:, :-1], steps.vectors[own])
            near[:, places[own]] = parts / steps.pulls[own] + factors[:, -1:] / total
        return Contributions(pulls, near)

    def _weighted(self, likes: sp.csr_array, ages: Doubles | None) -> sp.csr_array:
        """Return the weights of likes, items ascending, without all else, float64."""
        if not likes.has_sorted_indices:
            if ages is not None:
                same = sp.csr_array((ages, likes.indices, likes.indptr), shape=likes.shape)
                ages = same.sorted_indices().data
            likes = likes.sorted_indices()
        return weighted_likes(likes, self.item_counts, self.config.value_weights, ages)

    def _steps(self, items: Indices, weights: Doubles) -> Steps:
        """Take the expected steps of a person; one whose weights are all tiny counts as any."""
        return steps_of(
            self.item_directions, self.item_factors[:, -1], self._others, items, weights,
            self.config, max(self.sweeps, 1),
        )  # fmt: skip

    @functools.cached_property
    def _others(self) -> npt.NDArray[np.integer[Any]]:
        return sample_of(self.item_counts, self.config)


@dataclass(frozen=True, eq=False, repr=False)
class BPRModel(PairwiseModel):
    """Factors fitted by BPR, see `alsolike.models.pairwise.config.BPRConfig`."""

    config_type: ClassVar[type[PairwiseConfig]] = BPRConfig
    name: str = "bpr"


@dataclass(frozen=True, eq=False, repr=False)
class WARPModel(PairwiseModel):
    """Factors fitted by WARP, see `alsolike.models.pairwise.config.WARPConfig`."""

    config_type: ClassVar[type[PairwiseConfig]] = WARPConfig
    name: str = "warp"
