"""`FeatureALSModel`: factors of features beside those of users and items, used without Numba."""

import functools
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.catalogue import Catalogue
from alsolike.data.features.features import Features, FeatureTable
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError
from alsolike.models.als.model import ALSModel
from alsolike.models.base import Doubles, Floats, Indices, Rows
from alsolike.models.cold_items import with_cold_items
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.feature_vectors import vectors_of


@dataclass(frozen=True, eq=False)
class FeatureFactors:
    """Factors of the features of one side.

    Parameters
    ----------
    coefficients : float32, (n_features, factors)
        B: the factors of each feature, in the basis of the items' factors.
    scales : float64, (n_features,)
        What each column of the features weighs, see `alsolike.models.feature_vectors`.
    """

    coefficients: Floats
    scales: Doubles

    def vectors(self, features: Features) -> sp.csr_array:
        """Return the weighed features, CSR of float32, (n_rows, n_features)."""
        return vectors_of(features.matrix, features.blocks, self.scales).astype(np.float32)

    def predict(self, features: Features) -> Floats:
        """Return the factors that features predict, float32, (n_rows, factors)."""
        predicted: Floats = self.vectors(features) @ self.coefficients
        return np.ascontiguousarray(predicted, dtype=np.float32)


@dataclass(frozen=True, eq=False, repr=False)
class FeatureALSModel(ALSModel):
    """A factorization whose rows are pulled to what their features predict.

    Items and users without likes have the factors that their features predict. The eigenvalues are
    those of the Gramian of the items with likes: training and folding in know no others.

    Parameters
    ----------
    of_item_features, of_user_features : FeatureFactors or None
        None: that side has no features.
    """

    of_item_features: FeatureFactors | None = field(default=None, kw_only=True)
    of_user_features: FeatureFactors | None = field(default=None, kw_only=True)
    name: str = "feature-als"

    def __post_init__(self) -> None:
        super().__post_init__()
        for kind, features in (("item", self.item_features), ("user", self.user_features)):
            own = self.factors_of(kind)  # type: ignore[arg-type]
            width = 0 if features is None else features.n_features
            if own is not None and own.coefficients.shape != (width, self.factors):
                raise DataError(
                    f"{width:,} features of {kind}s with {self.factors} factors expected, not "
                    f"{own.coefficients.shape}."
                )

    @functools.cached_property
    def config(self) -> FeatureALSConfig:
        """The settings."""
        return FeatureALSConfig.from_settings(self.settings)

    def factors_of(self, side: Literal["user", "item"]) -> FeatureFactors | None:
        """Return the factors of the features of a side; None if it has none."""
        return self.of_item_features if side == "item" else self.of_user_features

    @property
    def is_cold(self) -> npt.NDArray[np.bool_]:
        """Which items have features but no likes, (n_items,)."""
        cold: npt.NDArray[np.bool_] = self.item_counts == 0
        return cold if self.item_features is None else cold & self.item_features.has

    def item_scores_of_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Return the cosine of rows of features with items, float32, (n, n_chosen_items)."""
        chosen = self.item_factors[item_indices]
        if self.of_item_features is None or self.item_features is None:
            return np.zeros((int(features.shape[0]), len(chosen)), dtype=np.float32)
        asked = self.of_item_features.predict(Features(features, self.item_features.blocks))
        return _unit(asked) @ _unit(chosen).T

    def feature_scores(self, item_indices: Rows) -> Floats:
        """Return the cosine of items with the factors of features, float32, (n, n_features).

        -inf for features of no item with likes.
        """
        if self.of_item_features is None:
            return np.zeros((len(self.item_factors[item_indices]), 0), dtype=np.float32)
        lengths = np.linalg.norm(self.of_item_features.coefficients, axis=1)
        scores = (
            _unit(self.item_factors[item_indices]) @ _unit(self.of_item_features.coefficients).T
        )
        scores[:, lengths == 0] = -np.inf
        return scores

    def scores_of_user_features(self, features: sp.csr_array, item_indices: slice) -> Floats:
        """Score items for people known by features alone, float32, (n, n_chosen_items)."""
        chosen = self.item_factors[item_indices]
        if self.of_user_features is None or self.user_features is None:
            return np.zeros((int(features.shape[0]), len(chosen)), dtype=np.float32)
        own = self.of_user_features.predict(Features(features, self.user_features.blocks))
        return own @ chosen.T

    def shared_features(self, likes: Indices, values: Floats, item: int) -> list[tuple[int, float]]:
        """Return what each feature of an item adds to its score for a user, the most first."""
        if self.of_item_features is None or self.item_features is None:
            return []
        row = sp.csr_array((values, likes, np.array([0, len(likes)])), shape=(1, len(self.items)))
        user = self.folded_in(row)[0].astype(np.float64)
        own = self.of_item_features.vectors(self.item_features.take([item]))
        parts = own.data * (self.of_item_features.coefficients[own.indices] @ user)
        order = np.argsort(-parts, kind="stable")
        return [(int(own.indices[at]), float(parts[at])) for at in order]

    def with_cold_items(self, items: FeatureTable, catalogue: Catalogue | None = None) -> Self:
        """Add items by their features; those with likes stay as they are.

        Raises
        ------
        DataError
            The model has no features of items, or others.
        """
        joined = with_cold_items(self, items, catalogue)
        factors = np.zeros((len(joined.items), self.factors), dtype=np.float32)
        factors[joined.own] = self.item_factors
        if self.of_item_features is not None:
            factors[joined.cold] = self.of_item_features.predict(joined.features.take(joined.cold))
        factors.flags.writeable = False
        return replace(self, **joined.fields(self), item_factors=factors)

    def loss(self, *, engine: Engine | None = None) -> float:
        """Calculate the loss on the history, see `FeatureALSConfig`."""
        from alsolike.models.feature_als.loss import loss  # noqa: PLC0415 - brings the compiler

        return loss(self, engine or LocalEngine())

    def _prior(self, side: Literal["user", "item"], features: Features | None) -> Floats | None:
        """Return what features predict for rows of a side."""
        own = self.factors_of(side)
        return None if own is None or features is None else own.predict(features)

    def _in_basis(self, basis: Doubles, engine: Engine) -> dict[str, Any]:
        """Return the factors of features in another basis, as fields."""
        from alsolike.models.als.gramian_basis import turned  # noqa: PLC0415 - the compiler

        found = {}
        for name in ("of_item_features", "of_user_features"):
            own = getattr(self, name)
            if own is not None:
                found[name] = replace(own, coefficients=turned(own.coefficients, basis, engine))
        return found


def _unit(rows: Floats) -> Floats:
    """Return rows of length 1; rows of zeros stay."""
    lengths: Floats = np.sqrt(np.einsum("rf,rf->r", rows, rows)).astype(np.float32)
    unit: Floats = rows / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]
    return unit
