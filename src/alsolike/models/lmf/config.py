"""`LMFConfig`: the settings of logistic matrix factorization."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from alsolike.data.validation import check_whole
from alsolike.models.settings import FamilyConfig, check_choice, check_number
from alsolike.models.values import ValueWeights
from alsolike.usage_hints import with_hints

LogisticValues = Literal["given", "binary", "log", "capped"]


@with_hints
@dataclass(frozen=True, kw_only=True)
class LMFConfig(FamilyConfig):
    """Settings of logistic matrix factorization (LMF).

    The probability of a like is ``sigmoid(s)`` with ``s = x_u'y_i + b_u + b_i``. With w the weight
    of a value, times alpha, and 0 where there is none, a training minimizes, over *all* cells::

        sum (1 + w_ui) log(1 + exp(s_ui)) - sum over likes w_ui s_ui
            + lambda / 2 (|X|^2 + |Y|^2) + lambda_b / 2 (|b_users|^2 + |b_items|^2)

    which is the negative log posterior of Johnson 2014, eq. 5, with a prior on biases as well.

    Parameters
    ----------
    factors : int
        Columns of both factor matrices, without the biases.
    regularization : float
        lambda, above 0.
    bias_regularization : float
        lambda_b, above 0: without it, the bias of an item without likes would have no minimum.
    alpha : float
        Scale of the weights of likes, above 0.
    values : {"given", "binary", "log", "capped"}
        How a value becomes a weight, see `alsolike.models.values`.
    value_scale : float
        Of these weights, above 0.
    iterations : int
        Sweeps; one sweep takes `steps` steps for all items, then solves for all users.
    steps : int
        Steps of conjugate gradients for each item in a sweep.
    seed : int
        Seed of the first factors.

    Raises
    ------
    SettingError
        A setting is out of its range.

    References
    ----------
    C. Johnson 2014, "Logistic Matrix Factorization for Implicit Feedback Data".

    Examples
    --------
    >>> LMFConfig(factors=32).to_settings()["model"]
    'lmf'
    """

    family: ClassVar[str] = "lmf"
    factors: int = 64
    regularization: float = 6.0
    bias_regularization: float = 0.1
    alpha: float = 1.0
    values: LogisticValues = "binary"
    value_scale: float = 1.0
    iterations: int = 10
    steps: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("factors", 1), ("iterations", 1), ("steps", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least=least)
        for name in ("regularization", "bias_regularization", "alpha"):
            check_number(name, getattr(self, name), above_zero=True)
        check_choice("values", self.values, get_args(LogisticValues))
        _ = self.value_weights  # checks its scale

    @property
    def value_weights(self) -> ValueWeights:
        """The weights of values."""
        return ValueWeights(values=self.values, value_scale=self.value_scale)
