"""`FeatureALSConfig`: the settings of ALS, and those of the regressions on features."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from alsolike.data.features.features import Features
from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig
from alsolike.models.base import Doubles
from alsolike.models.settings import check_choice, check_number, known_settings
from alsolike.usage_hints import did_you_mean, with_hints

FeatureWeighting = Literal["tf-idf", "given"]


@with_hints
@dataclass(frozen=True, kw_only=True)
class FeatureALSConfig(ALSConfig):
    """Settings of feature-aware ALS: those of `ALSConfig`, and those of two regressions.

    It minimizes, with Y the factors of one side, F its features and lambda_i as in ALS::

        |R - X Y'|_w + sum_i lambda_i |y_i - B'f_i|^2 + sum_t mu_t |B_t|^2

    and the same for the other side, where it has features. B_t, a row of B, are the factors of a
    feature, such as a tag. Without features it is ALS, to the byte.

    Parameters
    ----------
    item_feature_regularization, user_feature_regularization : float
        rho, at least 0: mu of all features of a side is rho times the mean of lambda_i. The larger
        it is, the less the features count.
    block_regularization : mapping of str to float
        Factors of rho for blocks of features, such as ``{"tag": 0.3}``; 1 for all others.
    feature_weights : {"tf-idf", "given"}
        How words of sets and texts are weighed, see `alsolike.models.feature_als.vectors`.

    Examples
    --------
    >>> FeatureALSConfig(factors=16, block_regularization={"tag": 0.3}).to_settings()["model"]
    'feature-als'
    """

    family: ClassVar[str] = "feature-als"
    item_feature_regularization: float = 1.0
    user_feature_regularization: float = 1.0
    block_regularization: Mapping[str, float] = field(default_factory=dict)
    feature_weights: FeatureWeighting = "tf-idf"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("item_feature_regularization", "user_feature_regularization"):
            check_number(name, getattr(self, name))
        check_choice("feature_weights", self.feature_weights, get_args(FeatureWeighting))
        if not isinstance(self.block_regularization, Mapping):
            raise SettingError(
                "block_regularization is a mapping of names of blocks to numbers, such as "
                f"{{'tag': 0.3}}, not {self.block_regularization!r}."
            )
        for name, value in self.block_regularization.items():
            check_number(f"block_regularization of {name!r}", value)

    def __hash__(self) -> int:
        return hash(repr(self))

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values."""
        return {"model": self.family, **super().to_settings()}

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        return cls(**known_settings(cls, {**cls.added, **settings}, model=cls.family))

    def expect_blocks(self, features: Features | None, others: Features | None) -> None:
        """Raise SettingError for a block that neither items nor users have."""
        known = [
            block.name for one in (features, others) if one is not None for block in one.blocks
        ]
        for name in self.block_regularization:
            if name not in known:
                raise SettingError(
                    f"There are no features {name!r}; known are {', '.join(known) or 'none'}."
                    f"{did_you_mean(name, known)}"
                )

    def penalties(self, side: Literal["user", "item"], features: Features) -> Doubles:
        """Return mu_t over the mean of lambda_i, of each feature of a side, (n_features,)."""
        items = side == "item"
        base = self.item_feature_regularization if items else self.user_feature_regularization
        of_block = [base * self.block_regularization.get(one.name, 1.0) for one in features.blocks]
        return np.repeat(of_block, np.diff(features.starts))
