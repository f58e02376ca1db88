"""`ALSModel`: a fitted ALS model, loaded and used without the compiler."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.features.features import Features
from alsolike.data.interactions import Interactions
from alsolike.data.validation import said
from alsolike.engines.base import Engine, pieces
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.normal_equations import UserEquations
from alsolike.models.base import Doubles, Floats, Indices, expect_same_ids
from alsolike.models.factor_model import FactorModel
from alsolike.models.liked_items import WithLikedItems
from alsolike.models.protocols import Contributions, expect_model
from alsolike.models.values import ages_of, changed_users, timed, with_ages


@dataclass(frozen=True, eq=False, repr=False)
class ALSModel(FactorModel):
    """A factorization fitted by alternating least squares, which folds in and explains.

    Parameters
    ----------
    users, items, user_factors, item_factors, item_counts, sweeps, catalogue, history
        As of every `FactorModel`. The item factors are in the basis of their own Gramian, unless
        they are non-negative: ``item_factors.T @ item_factors`` is ``diag(eigenvalues)`` up to
        rounding.
    settings : mapping of str to plain values
        As `alsolike.models.als.config.ALSConfig.to_settings` gives them.
    eigenvalues : float64, (factors,)
        Of the items' Gramian, descending.
    name : str
        One word for leaderboards.
    """

    eigenvalues: Doubles = field(kw_only=True)
    name: str = "als"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.eigenvalues.shape != (self.factors,):
            raise DataError(
                f"{self.factors} factors need as many eigenvalues, not {self.eigenvalues.shape}."
            )

    @functools.cached_property
    def config(self) -> ALSConfig:
        """The settings, needed to fold in; SettingError if the model has none."""
        if not self.settings:
            raise SettingError(
                "This model has no settings, which are needed to fold in: give it some, such as "
                "ALSConfig(alpha=10).to_settings()."
            )
        return ALSConfig.from_settings(self.settings)

    @property
    def is_nonnegative(self) -> bool:
        """Whether no factor is below 0; factors are then in no basis but their own."""
        return bool(self.settings.get("nonnegative", False))

    @functools.cached_property
    def _gramian(self) -> Doubles | None:
        """Gramian of non-negative item factors, (f, f); None: `eigenvalues` are its diagonal."""
        if not self.is_nonnegative:
            return None
        total = np.zeros((self.factors, self.factors))
        for piece in pieces(len(self.items)):
            block = self.item_factors[piece].astype(np.float64)
            total += block.T @ block
        return total

    @functools.cached_property
    def ages(self) -> Doubles | None:
        """Ages of the history's likes in days; None without a half-life or a history.

        See `alsolike.models.history_model.HistoryModel.ages`.
        """
        half_life = self.settings.get("half_life")
        return None if half_life is None or self.history is None else ages_of(self.history)

    def ages_until(self, likes: Interactions, end: Interactions | None) -> Doubles | None:
        """Return the ages of likes at the last moment of `end`, in days; None without a half-life.

        Raises
        ------
        SettingError
            There is no `end`: the model was saved without its history.
        """
        weights = self.config.loss_config.value_weights
        if weights.half_life is not None and end is None:
            raise SettingError(
                f"half_life={weights.half_life:g} weighs likes by their age at the end of the "
                "training data, and this model was saved without its history. Save it with its "
                "history, or give likes without times, which count as new."
            )
        return weights.ages(likes, until=end)

    def user_scores(
        self, likes: sp.csr_array, item_indices: slice, *, ages: Doubles | None = None
    ) -> Floats:
        """Score items for people after folding them in, float32, (n, n_chosen_items)."""
        block: Floats = self.folded_in(likes, ages=ages) @ self.item_factors[item_indices].T
        return block

    def folded_in(self, likes: sp.csr_array, *, ages: Doubles | None = None) -> Floats:
        """Solve for the factors of people with these likes, float32, (n, factors).

        Parameters
        ----------
        likes : scipy.sparse.csr_array, (n, n_items)
        ages : float64, (n_likes,), or None
            Of the stored values, in days; None: all are new.

        Raises
        ------
        FitError
            A row's equations have no unique solution.

        References
        ----------
        Hu, Koren, Volinsky 2008, eq. 4, solved in float64.
        """
        vectors = np.zeros((likes.shape[0], self.factors), dtype=np.float32)
        for row in range(likes.shape[0]):
            own = slice(likes.indptr[row], likes.indptr[row + 1])
            if own.stop > own.start:
                equations = self._equations(
                    likes.indices[own], likes.data[own], None if ages is None else ages[own]
                )
                vectors[row] = equations.factors
        return vectors

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history: users whose likes, or their ages, differ are folded in.

        Raises
        ------
        DataError
            The interactions have other users or items, or no times under a half-life.
        """
        from alsolike.models.als.fold_in import new_users  # noqa: PLC0415 - brings the compiler

        expect_same_ids(self, interactions)
        ages = self.config.loss_config.value_weights.ages(interactions)
        rows = changed_users(self.history, interactions, self.ages, ages)
        user_factors = self.user_factors.copy()
        own = interactions.user_items[rows]
        if ages is not None:
            ages = with_ages(interactions, ages)[rows].data
        features = None if self.user_features is None else self.user_features.take(rows)
        user_factors[rows] = new_users(
            self, own, engine or LocalEngine(), ages, self._prior("user", features)
        )
        user_factors.flags.writeable = False
        return replace(self, user_factors=user_factors, history=interactions, stored_evidence=None)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add items, or solve for known ones again, from their likes.

        Users keep their factors: train again after many new items.

        Raises
        ------
        DataError
            A user is not in the model.
        """
        from alsolike.models.als.fold_in import new_items  # noqa: PLC0415 - brings the compiler
        from alsolike.models.als.gramian_basis import eigenbasis, gramian, turned  # noqa: PLC0415

        engine = engine or LocalEngine()
        if self.ages is not None and self.history is not None:
            likers = timed(likers, self.history)
        known = WithLikedItems.of(self, likers)
        ages = self.ages_until(likers, known.history)
        aged = None if ages is None else known.by_item(ages).data
        features = known.joined.item_features
        features = None if features is None else features.take(known.new)
        added = new_items(self, known.by_item(), engine, aged, self._prior("item", features))
        fields = known.fields(added)
        factors = fields["item_factors"]
        values, basis = eigenbasis(gramian(factors, engine), engine)
        users_now, items_now = self.user_factors, factors
        if not self.is_nonnegative:
            users_now, items_now = (turned(one, basis, engine) for one in (users_now, items_now))
        turned_fields = {"user_factors": users_now, "item_factors": items_now}
        return replace(
            self, **(fields | turned_fields), eigenvalues=values, **self._in_basis(basis, engine)
        )

    def _prior(self, side: Literal["user", "item"], features: Features | None) -> Floats | None:
        """Return the factors that rows with these features are pulled to; None: 0."""
        return None

    def _in_basis(self, basis: Doubles, engine: Engine) -> dict[str, Any]:
        """Return further fields of the model, for rotated factors."""
        return {}

    def loss(self, *, engine: Engine | None = None) -> float:
        """Calculate the loss on the history, see `alsolike.loss`."""
        from alsolike.models.als.fold_in import loss_on  # noqa: PLC0415 - brings the compiler

        if self.history is None:
            raise SettingError("This model holds no training interactions: pass `train`.")
        return loss_on(self, self.history, engine or LocalEngine())

    def contributions(
        self, likes: Indices, values: Floats, items: Indices, *, ages: Doubles | None = None
    ) -> Contributions:
        """Split scores into contributions of likes (Hu, Koren, Volinsky 2008, section 5).

        With A the matrix of the user's normal equations, the score of item i is the sum over likes
        j of ``r_j * s_ij``, with ``s_ij = y_i' A^-1 y_j`` and the pull ``r_j = c_uj p_uj``.
        """
        equations = self._equations(likes, values, ages)
        if len(items) == 1:  # the library multiplies a vector in another way than a matrix
            near = equations.similarities(self.item_factors[items[0]])[None]
        else:
            near = equations.similarities(self.item_factors[items].T).T
        return Contributions(equations.pulls, near)

    def _equations(
        self, items: Indices, values: Floats, ages: Doubles | None = None
    ) -> UserEquations:
        return UserEquations.of(
            self.config.loss_config, self.item_factors, self.eigenvalues, self.item_counts,
            items, values, ages, gramian=self._gramian,
        )  # fmt: skip


def expect_als(model: Any, purpose: str) -> ALSModel:
    """Return `model`; raise SettingError unless it is an `ALSModel`."""
    if not isinstance(model, ALSModel):
        expect_model(model, purpose)
        raise SettingError(
            f"A model of alternating least squares is needed to {purpose}, as alsolike.fit returns "
            f"it, not {said(model)}."
        )
    return model
