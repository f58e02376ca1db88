"""Settings of similar items, which change without training: the affinity and the dial."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

from alsolike.errors import SettingError
from alsolike.models.settings import check_choice, check_number, is_finite, known_settings

Affinity = Literal["evidence", "audience", "cosine", "dot", "counts"]

# The marks of the dial that are evaluated, from specific to popular.
MARKS = tuple(mark / 10 for mark in range(11))
# Without validation users: a little less precision than at the best mark, for more of the
# catalogue (docs/decisions/0025-evidence.md).
USUAL_BIAS = 0.8
# For any model: one that was fitted to large values predicts shares of people less well, and its
# predictions should weigh little.
USUAL_PRIOR = 30.0

# Items with at most so many likes have similar items that are weakly founded: most of what is
# shown is what the model expects.
FEW_LIKES = 5


@dataclass(frozen=True)
class SimilarityScale:
    """Describes the scores of similar items to readers.

    Parameters
    ----------
    words : str
        Completes "the bar is ...": ``"the cosine"``.
    most : float or None
        The highest possible score, if there is one.
    """

    words: str
    most: float | None = None


@dataclass(frozen=True, kw_only=True)
class SimilarityConfig:
    """How a model compares items; see `alsolike.models.similarity.terms`.

    Parameters
    ----------
    affinity : {"evidence", "audience", "cosine", "dot", "counts"} or None
        None: the first that the model has.
    popularity_bias : float
        t, from 0 (specific items) to 1 (popular items).
    prior_strength : float
        kappa, of ``"evidence"``: the model's prediction weighs as much as so many likers; above 0.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> config = SimilarityConfig(popularity_bias=0.3)
    >>> SimilarityConfig.from_settings(config.to_settings()) == config
    True
    """

    affinity: Affinity | None = None
    popularity_bias: float = USUAL_BIAS
    prior_strength: float = USUAL_PRIOR

    def __post_init__(self) -> None:
        if self.affinity is not None:
            check_choice("affinity", self.affinity, get_args(Affinity))
        check_bias(self.popularity_bias)
        check_number("prior_strength", self.prior_strength, above_zero=True)

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self) | {
            "popularity_bias": float(self.popularity_bias),
            "prior_strength": float(self.prior_strength),
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        return cls(**known_settings(cls, settings))


def check_bias(given: Any, *, also: str = "") -> float:
    """Return a popularity bias; raise SettingError unless it is a number from 0 to 1.

    `also` are words for what else is possible.
    """
    if not is_finite(given) or not 0 <= given <= 1:
        raise SettingError(
            "popularity_bias must be a number from 0 (specific items) to 1 (popular items)"
            f"{also}, not {given!r}."
        )
    return float(given)


# Without any choice.
USUAL_SIMILARITY = SimilarityConfig()
