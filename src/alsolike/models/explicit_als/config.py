"""`ExplicitALSConfig`: the settings of explicit ALS."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from alsolike.data.validation import check_whole
from alsolike.errors import FitError, SettingError
from alsolike.models.settings import FamilyConfig, check_number, is_finite
from alsolike.usage_hints import with_hints

SideName = Literal["user", "item"]


@with_hints
@dataclass(frozen=True, kw_only=True)
class ExplicitALSConfig(FamilyConfig):
    """Settings of explicit ALS, which predicts ratings as they are.

    It minimizes, over observed cells alone::

        sum_ui (r_ui - m - b_u - b_i - x_u'y_i)^2
          + sum_u n_u^nu (lambda_u |x_u|^2 + lambda_b b_u^2) + the same for items

    with m the mean of all ratings and n the number of ratings of a row. Without biases, and with
    nu = 0, it is the explicit loss of the usual texts; with nu = 1, ALS-WR (Zhou et al. 2008).

    Parameters
    ----------
    factors : int
        Columns of both factor matrices; 0: biases alone.
    regularization : float
        lambda of both sides, above 0.
    user_regularization, item_regularization : float or None
        lambda of one side, if different.
    bias_regularization : float or None
        lambda_b of both sides, above 0. None: as the factors of the side.
    regularization_exponent : float
        nu: 1 scales lambda by the ratings of a row, 0 leaves it as it is.
    biases : bool
        Whether there are a mean and biases. False: a rating is the product of factors alone.
    iterations : int
        Sweeps; one sweep solves all items, then all users.
    seed : int
        Seed of the first factors.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> ExplicitALSConfig(factors=8).regularization_of("user")
    0.1
    """

    family: ClassVar[str] = "explicit-als"

    factors: int = 32
    regularization: float = 0.1
    user_regularization: float | None = None
    item_regularization: float | None = None
    bias_regularization: float | None = None
    regularization_exponent: float = 1.0
    biases: bool = True
    iterations: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("factors", self.factors, least=0)
        check_whole("iterations", self.iterations, least=1)
        check_whole("seed", self.seed, least=0)
        _check_above_zero("regularization", self.regularization)
        for name in ("user_regularization", "item_regularization", "bias_regularization"):
            if getattr(self, name) is not None:
                _check_above_zero(name, getattr(self, name))
        if not is_finite(self.regularization_exponent):
            raise SettingError(
                "regularization_exponent must be a finite number, not "
                f"{self.regularization_exponent!r}."
            )
        if not isinstance(self.biases, (bool, np.bool_)):
            raise SettingError(f"biases must be True or False, not {self.biases!r}.")
        if not self.factors and not self.biases:
            raise SettingError(
                "factors=0 leaves biases alone, but biases=False: nothing would be learnt. Give "
                "factors, or biases=True."
            )

    @property
    def columns(self) -> int:
        """Columns of both stored matrices: the factors, and two for biases."""
        return self.factors + 2 * self.biases

    def regularization_of(self, side: SideName) -> float:
        """Return lambda of the factors of one side, before it is scaled by counts."""
        own = self.user_regularization if side == "user" else self.item_regularization
        return float(self.regularization if own is None else own)

    def bias_scale(self, side: SideName) -> float:
        """Return the constant whose factor is a bias, regularized like other factors.

        A bias ``b = c * t``, of which t is regularized by lambda, is itself by lambda / c^2.
        """
        if self.bias_regularization is None:
            return 1.0
        return float(np.sqrt(self.regularization_of(side) / self.bias_regularization))

    def row_regularization(self, side: SideName, counts: npt.ArrayLike) -> npt.NDArray[Any]:
        """Return lambda of each row by its ratings, float64; FitError if one is not finite."""
        n = np.maximum(np.asarray(counts, dtype=np.float64), 1)
        with np.errstate(over="ignore", under="ignore"):
            scaled = self.regularization_of(side) * n**self.regularization_exponent
        if not (np.isfinite(scaled).all() and (scaled > 0).all()):
            raise FitError(
                f"regularization_exponent={self.regularization_exponent!r} makes the "
                f"regularization of some of the {side}s, of up to {n.max(initial=0):,.0f} ratings "
                "each, too large or too small for a number. 0 to 1 is usual."
            )
        return scaled


def _check_above_zero(name: str, value: Any) -> None:
    """Raise SettingError unless a regularization is above zero, with the reason."""
    try:
        check_number(name, value, above_zero=True)
    except SettingError as error:
        raise SettingError(
            f"{error} A row with fewer ratings than factors has no unique solution without; give "
            "a small one, such as 0.001."
        ) from None
