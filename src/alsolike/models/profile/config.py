"""`ItemProfileConfig`: the settings of item-profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from alsolike.data.validation import said
from alsolike.errors import SettingError
from alsolike.models.settings import FamilyConfig, check_number
from alsolike.models.values import Values, ValueWeights

_MOST_EXPONENT = 10
_MARKS = (",", "=")  # that a text of weights has between its parts


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
    >>> config.weights, config.weight_of("tag"), config.weight_of("text")
    ('citation=0.5,tag=2', 2.0, 1.0)
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
        check_number("rarity_exponent", self.rarity_exponent)
        if self.rarity_exponent > _MOST_EXPONENT:
            raise SettingError(
                f"rarity_exponent must be at most {_MOST_EXPONENT}, not {self.rarity_exponent!r}."
            )
        pairs = sorted(_weights(self.weights).items())
        text = ",".join(f"{name}={weight:.12g}" for name, weight in pairs)
        object.__setattr__(self, "weights", text or None)
        object.__setattr__(self, "half_life", self.value_weights.half_life)  # and checks the others

    @property
    def value_weights(self) -> ValueWeights:
        """The weights of likes."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip

    @property
    def named_weights(self) -> dict[str, float]:
        """The weights of the blocks that were given any."""
        return _weights(self.weights)

    def weight_of(self, block: str) -> float:
        """Return the weight of a block of features."""
        return self.named_weights.get(block, 1.0)


def _weights(given: Any) -> dict[str, float]:
    """Return weights by the names of blocks; SettingError for what is none."""
    given = "" if given is None else given
    if isinstance(given, str):
        parts = [part.rpartition("=") for part in given.split(",") if part.strip()]
        pairs: Any = [(name.strip(), text) for name, _, text in parts]
    elif isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        raise SettingError(f"weights of blocks must be a text or a mapping, not {said(given)}.")
    found: dict[str, float] = {}
    for name, weight in pairs:
        if not isinstance(name, str) or not name or any(mark in name for mark in _MARKS):
            raise SettingError(
                "weights must be names of blocks with a number for each, such as "
                f"'tag=2,citation=0.5', not {given!r}; names cannot contain a comma or an equals "
                "sign here: rename such a column."
            )
        if name in found:
            raise SettingError(f"weights gives two of block {name!r}: {given!r}.")
        try:
            found[name] = float(weight)
        except (TypeError, ValueError):
            raise SettingError(f"weights of {name!r} must be a number, not {weight!r}.") from None
        check_number(f"weights of {name!r}", found[name])
    return found
