"""Settings that all linear models of items have: the ridge, and the weights of likes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from alsolike.errors import SettingError
from alsolike.models.base import Doubles
from alsolike.models.settings import FamilyConfig, check_number
from alsolike.models.values import Values, ValueWeights


@dataclass(frozen=True, kw_only=True)
class LinearConfig(FamilyConfig):
    """Settings of a model that scores by likes times item-item weights B.

    B minimizes ``|X - X B|^2 + sum_i r_i |B_i|^2`` with a zero diagonal: X are the weighted likes,
    users x items, and G = X'X. The ridge of item i is ``r_i = lambda + p / (1 - p) G_ii``: its
    second term is what the dropout of likes with probability p amounts to on average.

    Parameters
    ----------
    regularization : float
        lambda, above 0.
    dropout : float
        p, at least 0 and below 1.
    values : str
        Weights of likes: binary, log, ..., see `alsolike.models.values`.
    value_scale, value_length : float
        Of these weights.
    half_life : float or None
        Days in which these weights halve, above 0, or a text such as ``"90d"``; needs times. None:
        they do not decay.
    feature_weight : float
        w, at least 0: how much sets of features, such as tags, weigh beside likes, see
        `alsolike.models.linear.training_rows`. Without features of items it changes nothing.

    Raises
    ------
    SettingError
        A setting is out of its range.

    References
    ----------
    Steck 2020, "Autoencoders that don't overfit towards the Identity".
    """

    added: ClassVar[Mapping[str, Any]] = {"half_life": None, "feature_weight": 0.0}
    regularization: float = 500.0
    dropout: float = 0.0
    values: Values = "binary"
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None
    feature_weight: float = 0.0

    def __post_init__(self) -> None:
        check_number("regularization", self.regularization, above_zero=True)
        check_number("dropout", self.dropout)
        check_number("feature_weight", self.feature_weight)
        if self.dropout >= 1:
            raise SettingError(f"dropout must be below 1, not {self.dropout!r}.")
        object.__setattr__(self, "half_life", self.value_weights.half_life)  # and checks the others

    @property
    def value_weights(self) -> ValueWeights:
        """The weights of likes."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip

    def ridge(self, diagonal: Doubles) -> Doubles:
        """Return the ridge of items with these G_ii, float64 (n_items,)."""
        return self.regularization + self.dropout / (1 - self.dropout) * diagonal
