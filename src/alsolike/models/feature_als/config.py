"""`FeatureALSConfig`: the settings of ALS, and those of the regressions on features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.feature_vectors import check_rarity_exponent, weights_as_text
from alsolike.models.settings import check_number, known_settings
from alsolike.usage_hints import with_hints


@with_hints
@dataclass(frozen=True, kw_only=True)
class FeatureALSConfig(ALSConfig):
    """Settings of feature-aware ALS: those of `ALSConfig`, and those of two regressions.

    It minimizes, with Y the factors of one side, F its features and lambda_i as in ALS::

        |R - X Y'|_w + sum_i lambda_i |y_i - B'f_i|^2 + mu |B|^2

    and the same for the other side, where it has features. B_t, a row of B, are the factors of a
    feature, such as a tag. Without features it is ALS, to the byte.

    Parameters
    ----------
    item_feature_regularization, user_feature_regularization : float
        rho, at least 0: mu of a side is rho times the mean of lambda_i. The larger it is, the less
        the features count.
    rarity_exponent : float
        r, from 0 to 10: a word of df of the N rows with likes weighs ``log(N / df) ** r``, see
        `alsolike.models.feature_vectors`.
    weights : str, mapping of str to float, or None
        How much blocks of features weigh, by name, such as ``"tag=2,citation=0.5"``; at least 0,
        and 1 for others. Twice the weight is a quarter of the block's mu.

    Examples
    --------
    >>> config = FeatureALSConfig(factors=16, weights={"tag": 0.3})
    >>> config.to_settings()["model"], config.weights
    ('feature-als', 'tag=0.3')
    """

    family: ClassVar[str] = "feature-als"
    item_feature_regularization: float = 1.0
    user_feature_regularization: float = 1.0
    rarity_exponent: float = 1.0
    weights: str | Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("item_feature_regularization", "user_feature_regularization"):
            check_number(name, getattr(self, name))
        if self.nonnegative:
            raise SettingError(
                "nonnegative=True is for the family als alone: factors of features may be below 0. "
                "Leave it out, or fit with family='als'."
            )
        check_rarity_exponent(self.rarity_exponent)
        object.__setattr__(self, "weights", weights_as_text(self.weights))

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {"model": self.family, **super().to_settings()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        return cls(**known_settings(cls, {**cls.added, **settings}, model=cls.family))

    def feature_regularization(self, side: Literal["user", "item"]) -> float:
        """Return rho of a side."""
        return (
            self.item_feature_regularization if side == "item" else self.user_feature_regularization
        )
