"""`BPRConfig` and `WARPConfig`: the settings of models that learn to rank pairs of items."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal, get_args

from alsolike.data.validation import check_whole
from alsolike.errors import SettingError
from alsolike.models.settings import FamilyConfig, check_choice, check_number, half_life_of
from alsolike.models.values import Values, ValueWeights
from alsolike.usage_hints import with_hints

Optimizer = Literal["adagrad", "sgd"]

_LARGEST_EXPONENT = 2.0


@dataclass(frozen=True, kw_only=True)
class PairwiseConfig(FamilyConfig):
    """Settings that BPR and WARP share; see `BPRConfig`."""

    added: ClassVar[Mapping[str, Any]] = {}

    factors: int = 64
    iterations: int = 40
    learning_rate: float = 0.1
    user_regularization: float = 0.005
    item_regularization: float = 0.015
    bias_regularization: float = 0.0
    negatives_exponent: float = 0.0
    optimizer: Optimizer = "adagrad"
    values: Values = "binary"
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("factors", 1), ("iterations", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least=least)
        check_number("learning_rate", self.learning_rate, above_zero=True)
        for name in ("user_regularization", "item_regularization", "bias_regularization"):
            check_number(name, getattr(self, name))
        check_number("negatives_exponent", self.negatives_exponent)
        if self.negatives_exponent > _LARGEST_EXPONENT:
            raise SettingError(
                f"negatives_exponent must be from 0 (all items alike) to {_LARGEST_EXPONENT:g}, "
                f"not {self.negatives_exponent!r}; 1 draws items by their likes."
            )
        check_choice("optimizer", self.optimizer, get_args(Optimizer))
        object.__setattr__(self, "half_life", half_life_of(self.half_life))
        _ = self.value_weights  # checks its settings

    @cached_property
    def value_weights(self) -> ValueWeights:
        """The weights of likes."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip


@with_hints
@dataclass(frozen=True, kw_only=True)
class BPRConfig(PairwiseConfig):
    """Settings of BPR, which maximizes the probability that a like ranks above another item.

    An epoch takes a step for each like i of a user u, against an item j that u does not like::

        minimize  -w_ui ln sigmoid(s_ui - s_uj),  s_ui = x_u . y_i + b_i

    Parameters
    ----------
    factors : int
        Columns of x and y.
    iterations : int
        Epochs.
    learning_rate : float
        Above 0.
    user_regularization, item_regularization, bias_regularization : float
        lambda of x, y and b in each step, at least 0.
    negatives_exponent : float
        From 0 to 2: j is drawn by its number of likes to this power. 0: all alike; 1: by likes.
    candidates : int
        j is the item with the highest score of so many drawn ones: 1 is BPR as published, more
        are negatives that adapt to the model.
    optimizer : {"adagrad", "sgd"}
        Steps that shrink as a row's gradients add up, or steps of one length.
    values : {"given", "binary", "log", "capped", "tf-idf", "bm25"}
        How the value of a like becomes w, see `alsolike.models.values`; divided by their mean.
    value_scale, value_length : float
        Of those forms.
    half_life : float or None
        Days in which w halves; see `alsolike.models.als.config.ALSConfig`.
    seed : int
        Of the first factors and of all draws.

    Raises
    ------
    SettingError
        A setting is out of its range.

    References
    ----------
    Rendle et al. 2009, "BPR: Bayesian Personalized Ranking from Implicit Feedback". Candidates:
    Zhang et al. 2013, "Optimizing Top-N Collaborative Filtering via Dynamic Negative Item
    Sampling".

    Examples
    --------
    >>> BPRConfig(factors=32, candidates=4).to_settings()["model"]
    'bpr'
    """

    family: ClassVar[str] = "bpr"
    candidates: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("candidates", self.candidates, least=1)


@with_hints
@dataclass(frozen=True, kw_only=True)
class WARPConfig(PairwiseConfig):
    """Settings of WARP, which puts likes at the top of lists: those of `BPRConfig`, and these.

    Items j are drawn until one scores above the like i less 1. If that takes t draws, i ranks near
    ``(m - 1) / t`` of m items, and the step is longer the worse that is::

        minimize  w_ui ln((m - 1) / t) max(0, 1 - s_ui + s_uj)

    Parameters
    ----------
    max_sampled : int
        Draws at most; after so many without success, no step is taken.
    kos_draws, kos_order : int
        k-OS WARP: instead of each like once, the one with the `kos_order`-th score of `kos_draws`
        drawn ones, so that lists also serve a user's lesser interests. 0 and 0: WARP.

    Raises
    ------
    SettingError
        A setting is out of its range.

    References
    ----------
    Weston, Bengio, Usunier 2011, "WSABIE: Scaling Up To Large Vocabulary Image Annotation";
    Weston, Yee, Weiss 2013, "Learning to Rank Recommendations with the k-Order Statistic Loss".

    Examples
    --------
    >>> WARPConfig(factors=32, kos_draws=10, kos_order=5).kos_order
    5
    """

    family: ClassVar[str] = "warp"
    learning_rate: float = 0.03
    max_sampled: int = 100
    kos_draws: int = 0
    kos_order: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("max_sampled", self.max_sampled, least=1)
        for name in ("kos_draws", "kos_order"):
            check_whole(name, getattr(self, name), least=0)
        if self.kos_order > self.kos_draws or (self.kos_draws and not self.kos_order):
            raise SettingError(
                "kos_order must be from 1 to kos_draws, or both 0 for WARP without k-OS, not "
                f"{self.kos_order!r} of {self.kos_draws!r}."
            )
