"""`ItemProfileConfig`: the settings of item-profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from alsolike.models.feature_vectors import (
    block_weights,
    check_rarity_exponent,
    weights_as_text,
)
from alsolike.models.settings import FamilyConfig
from alsolike.models.values import Values, ValueWeights


@dataclass(frozen=True, kw_only=True)
class ItemProfileConfig(FamilyConfig):
    """The settings of `fit_item_profile`.

    Parameters
    ----------
    rarity_exponent : float
        r, from 0 to 10: a word of df of the N items with likes weighs ``log(N / df) ** r``. Above
        1, rare words weigh more than in plain tf-idf.
    weights : str, mapping of str to float, or None
        How much blocks of features weigh, by name, such as ``"tag=2,citation=0.5"``; at least 0.
        Others weigh 1, and so do all for None. A mapping is converted to such a text.
    values : {"binary", "given", "log", "capped", "tf-idf", "bm25"}
        Weights of likes, see `alsolike.models.values`.
    value_scale, value_length : float
        Of these weights.
    half_life : float or None
        Days in which these weights halve, above 0, or a text such as ``"90d"``; needs times. None:
        they do not decay.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> config = ItemProfileConfig(weights={"tag": 2, "citation": 0.5})
    >>> config.weights, config.block_weights
    ('citation=0.5,tag=2', {'citation': 0.5, 'tag': 2.0})
    >>> ItemProfileConfig.from_settings(config.to_settings()) == config
    True
    """

    family: ClassVar[str] = "item-profile"
    rarity_exponent: float = 1.5
    weights: str | Mapping[str, float] | None = None
    values: Values = "binary"
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None

    def __post_init__(self) -> None:
        check_rarity_exponent(self.rarity_exponent)
        object.__setattr__(self, "weights", weights_as_text(self.weights))
        object.__setattr__(self, "half_life", self.value_weights.half_life)  # and checks the others

    @property
    def value_weights(self) -> ValueWeights:
        """The weights of likes."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip

    @property
    def block_weights(self) -> dict[str, float]:
        """The weights of the blocks that were given any."""
        return block_weights(self.weights)
