"""`LMFModel`: factors and biases of logistic matrix factorization, used without the compiler."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError
from alsolike.models.base import Doubles, Floats, expect_same_ids
from alsolike.models.cold_items import WithColdItems
from alsolike.models.factor_model import FactorModel
from alsolike.models.liked_items import WithLikedItems
from alsolike.models.lmf.config import LMFConfig
from alsolike.models.lmf.logistic_rows import OtherSide, solve_rows
from alsolike.models.similarity.config import Affinity
from alsolike.models.values import changed_users


@dataclass(frozen=True, eq=False, repr=False)
class LMFModel(FactorModel):
    """A factorization whose scores are log-odds: ``sigmoid(score)`` is the probability of a like.

    Parameters
    ----------
    users, items, item_counts, settings, sweeps, catalogue, history
        As of every `FactorModel`.
    user_factors : float32, (n_users, factors + 2)
        Factors, the bias of the user, and 1.
    item_factors : float32, (n_items, factors + 2)
        Factors, 1, and the bias of the item.
    item_weights : float64, (n_items,)
        Sums of the weights of each item's values, which new users are solved with.
    name : str
        One word for leaderboards.
    """

    item_weights: Doubles = field(kw_only=True)
    name: str = "lmf"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.item_weights.shape != (len(self.items),):
            raise DataError(
                f"{len(self.items):,} items need as many weights, not {self.item_weights.shape}."
            )

    @functools.cached_property
    def config(self) -> LMFConfig:
        """The settings, needed to fold in."""
        return LMFConfig.from_settings(self.settings)

    @functools.cached_property
    def item_directions(self) -> Floats:
        """Factors of items without biases, by which they are compared, (n_items, factors)."""
        return np.ascontiguousarray(self.item_factors[:, :-2])

    @functools.cached_property
    def user_directions(self) -> Floats:
        """Factors of users without biases, by which they are compared, (n_users, factors)."""
        return np.ascontiguousarray(self.user_factors[:, :-2])

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """Those of the factors without biases."""
        return ("cosine", "dot")

    def _why_not(self, affinity: Affinity) -> str:
        if affinity in ("evidence", "audience"):
            return " Its scores are log-odds, not shares of people."
        return ""

    @functools.cached_property
    def _fixed_items(self) -> OtherSide:
        return OtherSide.of(
            self.item_factors, self.item_weights, is_items=True, engine=LocalEngine(1)
        )

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for people after folding them in, float32, (n, n_chosen_items)."""
        block: Floats = self.folded_in(likes) @ self.item_factors[item_indices].T
        return block

    def folded_in(self, likes: sp.csr_array) -> Floats:
        """Solve for the factors of people with these likes, float32, (n, factors + 2).

        Each is the minimum of a convex loss over all items, to `logistic_rows.SOLVED`.
        """
        rows = weighted_rows(likes, self.config)
        return solve_rows(
            rows, self._fixed_items, _start(rows.shape[0], self.factors, -1), self.config,
            LocalEngine(1),
        )  # fmt: skip

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history: users whose likes differ are folded in.

        Raises
        ------
        DataError
            The interactions have other users or items.
        """
        expect_same_ids(self, interactions)
        rows = changed_users(self.history, interactions)
        user_factors = self.user_factors.copy()
        if len(rows):
            user_factors[rows] = solve_rows(
                weighted_rows(interactions.user_items[rows], self.config), self._fixed_items,
                _start(len(rows), self.factors, -1), self.config, engine or LocalEngine(),
            )  # fmt: skip
        user_factors.flags.writeable = False
        return replace(self, user_factors=user_factors, history=interactions, stored_evidence=None)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add items, or solve for known ones again, from their likes; users keep their factors.

        Raises
        ------
        DataError
            A user is not in the model.
        """
        known = WithLikedItems.of(self, likers)
        rows = weighted_rows(known.by_item(), self.config)
        added = self._new_items(rows, engine or LocalEngine())
        weights = known.placed(self.item_weights, row_weights(rows))
        return replace(self, **known.fields(added), item_weights=weights)

    def with_items_unscored(self, known: WithColdItems) -> Self:
        """Add items without likes: as unlikely as the users' factors make an item without any."""
        nothing = sp.csr_array((1, len(self.users)), dtype=np.float32)
        factors = np.repeat(self._new_items(nothing, LocalEngine()), len(known.items), axis=0)
        factors[known.own] = self.item_factors
        weights = np.zeros(len(known.items))
        weights[known.own] = self.item_weights
        return replace(self, **known.fields(self), item_factors=factors, item_weights=weights)

    def _new_items(self, rows: sp.csr_array, engine: Engine) -> Floats:
        """Solve for items by the weights of their users, (n, factors + 2)."""
        user_weights = np.zeros(len(self.users))
        if self.history is not None:
            user_weights = row_weights(weighted_rows(self.history.user_items, self.config))
        fixed = OtherSide.of(self.user_factors, user_weights, is_items=False, engine=engine)
        return solve_rows(rows, fixed, _start(rows.shape[0], self.factors, -2), self.config, engine)

    def __repr__(self) -> str:
        return (
            f"LMFModel({len(self.users):,} users, {len(self.items):,} items, "
            f"{self.factors - 2} factors, {self.sweeps} sweeps)"
        )


def weighted_rows(rows: sp.csr_array, config: LMFConfig) -> sp.csr_array:
    """Return the weights of values, CSR of float32; DataError if one is not finite in float32."""
    with np.errstate(over="ignore"):
        weights: npt.NDArray[Any] = config.value_weights.of(rows.data)
        found = (config.alpha * weights).astype(np.float32)
    if not np.isfinite(found).all():
        raise DataError(
            f"Values must be finite and, times alpha={config.alpha:g}, within float32; one of them "
            "is not. Use values='log', or a smaller alpha."
        )
    return sp.csr_array((found, rows.indices, rows.indptr), shape=rows.shape)


def row_weights(rows: sp.csr_array) -> Doubles:
    """Return the sums of the sizes of the weights of each row, float64."""
    sums: Doubles = np.zeros(rows.shape[0])
    np.add.at(
        sums, np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)),
        np.abs(rows.data).astype(np.float64),
    )  # fmt: skip
    return sums


def _start(count: int, width: int, ones: int) -> Floats:
    """Return rows of zeros with a column of ones."""
    found = np.zeros((count, width), dtype=np.float32)
    found[:, ones] = 1
    return found
