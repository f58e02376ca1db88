"""`ExplicitALSModel`: predicts ratings by factors and biases; loaded and used without Numba."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, SettingError
from alsolike.models.base import Doubles, Floats, Indices, expect_same_ids
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.explicit_als.equations import RatingEquations, expected_of
from alsolike.models.factor_model import FactorModel
from alsolike.models.liked_items import WithLikedItems
from alsolike.models.protocols import Contributions
from alsolike.models.similarity.config import Affinity
from alsolike.models.values import changed_users


@dataclass(frozen=True, eq=False, repr=False)
class ExplicitALSModel(FactorModel):
    """A factorization of ratings: a score is a predicted rating, on the scale of the ratings.

    With biases the rows are ``[x_u, b_u, 1]`` and ``[y_i, 1, m + b_i]``, whose products are
    ``m + b_u + b_i + x_u'y_i``. Predictions are not clipped to the scale, so that they rank items;
    see `alsolike.predict_ratings`.

    Parameters
    ----------
    users, items, user_factors, item_factors, item_counts, settings, sweeps, catalogue, history
        As of every `FactorModel`.
    ratings : float64, (3,)
        Of the training data: the mean m (0 without biases), the least and the largest rating.
    name : str
        One word for leaderboards.
    """

    ratings: Doubles = field(kw_only=True)
    name: str = "explicit-als"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ratings.shape != (3,):
            raise DataError(f"Mean, least and largest rating expected, not {self.ratings.shape}.")
        if self.config.columns != self.factors:
            raise DataError(
                f"{self.config.factors} factors with biases={self.config.biases} have "
                f"{self.config.columns} columns, not {self.factors}."
            )

    @functools.cached_property
    def config(self) -> ExplicitALSConfig:
        """The settings, needed to fold in."""
        return ExplicitALSConfig.from_settings(self.settings)

    @property
    def mean(self) -> float:
        """The mean m of the training ratings, to which biases are added; 0 without biases."""
        return float(self.ratings[0])

    @property
    def rating_range(self) -> tuple[float, float]:
        """The least and the largest rating of the training data."""
        return float(self.ratings[1]), float(self.ratings[2])

    @functools.cached_property
    def item_directions(self) -> Floats:
        """The item factors without biases, float32, (n_items, factors)."""
        return np.ascontiguousarray(self.item_factors[:, : self.config.factors])

    @functools.cached_property
    def user_directions(self) -> Floats:
        """The user factors without biases, float32, (n_users, factors)."""
        return np.ascontiguousarray(self.user_factors[:, : self.config.factors])

    @property
    def affinities(self) -> tuple[Affinity, ...]:
        """The cosine and the product of factors, without biases.

        Evidence adds predictions to counts of people; a predicted rating is no share of people.
        """
        return ("cosine", "dot")

    def _why_not(self, affinity: Affinity) -> str:
        return " Its scores are ratings, not shares of people."

    def user_scores(self, likes: sp.csr_array, item_indices: slice) -> Floats:
        """Predict ratings for people after folding them in, float32, (n, n_chosen_items)."""
        block: Floats = self.folded_in(likes) @ self.item_factors[item_indices].T
        return block

    def folded_in(self, likes: sp.csr_array) -> Floats:
        """Solve for the rows of people with these ratings, float32, (n, columns).

        Somebody without ratings gets what is expected of the items for anybody.

        Parameters
        ----------
        likes : scipy.sparse.csr_array, (n, n_items)
            Ratings as of the training data.
        """
        vectors = np.zeros((likes.shape[0], self.factors), dtype=np.float32)
        if self.config.biases:
            vectors[:, -1] = 1
        for row in range(likes.shape[0]):
            own = slice(likes.indptr[row], likes.indptr[row + 1])
            if own.stop > own.start:
                vectors[row] = self._equations(likes.indices[own], likes.data[own]).factors
        return vectors

    def with_history(self, interactions: Interactions, *, engine: Engine | None = None) -> Self:
        """Replace the history: users whose ratings differ are folded in.

        Raises
        ------
        DataError
            The interactions have other users or items.
        """
        from alsolike.models.explicit_als.fold_in import new_users  # noqa: PLC0415 - the compiler

        expect_same_ids(self, interactions)
        rows = changed_users(self.history, interactions)
        user_factors = self.user_factors.copy()
        user_factors[rows] = new_users(self, interactions.user_items[rows], engine or LocalEngine())
        user_factors.flags.writeable = False
        return replace(self, user_factors=user_factors, history=interactions, stored_evidence=None)

    def with_items(self, likers: Interactions, *, engine: Engine | None = None) -> Self:
        """Add items, or solve for known ones again, from their ratings.

        Users keep their factors: train again after many new items.

        Raises
        ------
        DataError
            A user is not in the model.
        """
        from alsolike.models.explicit_als.fold_in import new_items  # noqa: PLC0415 - the compiler

        known = WithLikedItems.of(self, likers)
        added = new_items(self, known.by_item(), engine or LocalEngine())
        return replace(self, **known.fields(added))

    def loss(self, *, engine: Engine | None = None) -> float:
        """Calculate the loss on the history, see `ExplicitALSConfig`."""
        from alsolike.models.explicit_als.fold_in import loss_on  # noqa: PLC0415 - the compiler

        if self.history is None:
            raise SettingError("This model holds no training ratings, which its loss is of.")
        return loss_on(self, self.history, engine or LocalEngine())

    def contributions(self, likes: Indices, values: Floats, items: Indices) -> Contributions:
        """Split predicted ratings into contributions of ratings.

        With A the matrix of the user's normal equations and z_i the factors of item i with the
        constant of the user's bias, the prediction is what is expected of the item for anybody,
        plus the sum over rated items j of ``(r_j - m - b_j) * z_i' A^-1 z_j``.
        """
        equations = RatingEquations.of(self.config, self.item_factors, likes, values)
        targets = self.item_factors[items]
        near = equations.similarities(targets)
        return Contributions(equations.targets, near, base=expected_of(self.config, targets))

    def _equations(self, items: Indices, values: Any) -> RatingEquations:
        return RatingEquations.of(self.config, self.item_factors, items, values)

    def __repr__(self) -> str:
        kind = f"{self.config.factors} factors{' and biases' * self.config.biases}"
        return (
            f"ExplicitALSModel({len(self.users):,} users, {len(self.items):,} items, {kind}"
            f"{f', {self.sweeps} sweeps' if self.sweeps else ''})"
        )
