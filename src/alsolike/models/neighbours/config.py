"""`ItemKNNConfig`: the settings of item-kNN."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from alsolike.data.validation import check_whole
from alsolike.errors import SettingError
from alsolike.models.settings import FamilyConfig, check_choice, check_number
from alsolike.models.values import Values, ValueWeights

Weighting = Literal["cosine", "bm25", "normalized"]

_MOST_EXPONENT = 10  # powers of counts, and their products, stay finite and above zero


@dataclass(frozen=True, kw_only=True)
class ItemKNNConfig(FamilyConfig):
    """The settings of `fit_item_knn`.

    Similarities are of an item i that a user likes to an item j that is scored. n_i users like i,
    n_ij users like both, user u likes L_u items, and v_ui is the weight of a like, 1 by default.

    Parameters
    ----------
    weighting : {"cosine", "bm25", "normalized"}
        ``"cosine"``: of the two items' rows of weights; by default ``n_ij / sqrt(n_i * n_j)``.
        ``"bm25"``: the dot product of their rows under Okapi BM25, where an item is a document
        and its users are the terms; users with many likes weigh less.
        ``"normalized"``: the sum of ``v_ui * v_uj / L_u ** user_exponent`` over common users,
        divided by ``n_i ** source_exponent * n_j ** target_exponent``. Known models are corners of
        it: the cosine (0, 0.5, 0.5), P3alpha [1]_ (1, 1, 0; for another alpha: alpha, alpha, 0) and
        RP3beta [2]_ (alpha, alpha, beta).
    neighbours : int or None
        Neighbours that each item i keeps, at least 1; None: all items with a user in common.
    shrinkage : float
        s, at least 0: similarities are multiplied by ``n_ij / (n_ij + s)`` to discount little
        evidence.
    k1, b : float
        Of ``"bm25"``: at least 0, and from 0 to 1. An item's row is scaled by
        ``(k1 + 1) / (1 + k1 * (1 - b + b * n_i / mean n))``. A high b favours items with few
        likes; text retrieval's 0.75 is too high for most tables of likes.
    user_exponent, source_exponent, target_exponent : float
        Of ``"normalized"``, from 0 to 10: how much less users with many likes weigh, liked items
        with many likes add, and items with many likes score.
    values : {"binary", "given", "log", "capped", "tf-idf", "bm25"}
        Weights of likes, see `alsolike.models.values`; also of those of the user who is scored.
    value_scale, value_length : float
        Of these weights.
    half_life : float or None
        Days in which these weights halve, above 0, or a text such as ``"90d"``; needs times. None:
        they do not decay.

    Raises
    ------
    SettingError
        A setting is out of its range.

    References
    ----------
    .. [1] Cooper, Lee, Radinsky, Siantos 2014, "Random Walks in Recommender Systems: Exact
       Computation and Simulations".
    .. [2] Paudel, Christoffel, Newell, Bernstein 2016, "Updatable, Accurate, Diverse, and Scalable
       Recommendations for Interactive Applications".

    Examples
    --------
    >>> config = ItemKNNConfig(weighting="cosine", neighbours=20, shrinkage=10)
    >>> ItemKNNConfig.from_settings(config.to_settings()) == config
    True
    """

    family: ClassVar[str] = "item-knn"
    added: ClassVar[Mapping[str, Any]] = {"half_life": None}
    weighting: Weighting = "cosine"
    neighbours: int | None = 100
    shrinkage: float = 0.0
    k1: float = 1.2
    b: float = 0.2
    user_exponent: float = 1.0
    source_exponent: float = 0.5
    target_exponent: float = 0.3
    values: Values = "binary"
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None

    def __post_init__(self) -> None:
        check_choice("weighting", self.weighting, get_args(Weighting))
        if self.neighbours is not None:
            check_whole("neighbours", self.neighbours, least=1)
        for name in ("shrinkage", "k1", "b"):
            check_number(name, getattr(self, name))
        if self.b > 1:
            raise SettingError(f"b must be at most 1, not {self.b!r}.")
        for name in ("user_exponent", "source_exponent", "target_exponent"):
            check_number(name, getattr(self, name))
            if getattr(self, name) > _MOST_EXPONENT:
                raise SettingError(
                    f"{name} must be at most {_MOST_EXPONENT}, not {getattr(self, name)!r}."
                )
        object.__setattr__(self, "half_life", self.value_weights.half_life)  # and checks the others

    @property
    def value_weights(self) -> ValueWeights:
        """The weights of likes."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip
