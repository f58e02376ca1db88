"""`ALSConfig`: the settings of weighted regularized matrix factorization, checked once."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from alsolike.data.arguments import said
from alsolike.errors import FitError, SettingError
from alsolike.hints import with_hints
from alsolike.models.confidence import CONFIDENCES, Confidence
from alsolike.models.settings import (
    check_choice,
    check_number,
    check_whole,
    is_finite,
    known_settings,
)


@with_hints
@dataclass(frozen=True, kw_only=True)
class ALSConfig:
    """The learner's settings; a grid is ``dataclasses.replace`` over one of them.

    Parameters
    ----------
    factors : int
        Columns of both factor matrices.
    regularization : float
        lambda of both sides, at least 0.
    user_regularization, item_regularization : float or None
        lambda of one side, where it differs.
    alpha : float
        Scale of the confidence, at least 0; what it means is said by `confidence`.
    confidence : {"linear", "scaled", "log", "additive"}
        The form of c_ui, see `alsolike.models.confidence`.
    epsilon : float
        Scale of the values in the form ``"log"``, above 0.
    unobserved_weight : float
        Weight of an unobserved cell, above 0 (Rendle et al. 2022: alpha_0).
    regularization_exponent : float
        nu: a row is regularized by ``lambda * count ** nu``; 0 leaves lambda as it is.
    regularization_count : {"weighted", "observed"}
        The count in that: of a row with n interactions, ``n + unobserved_weight * rows of the
        other side`` (Rendle et al. 2022, eq. 5), or n alone (Spark).
    iterations : int
        Sweeps; one sweep solves all items, then all users.
    solver : {"exact", "cg"}
        Direct solution of each row, or `cg_steps` steps of conjugate gradients from where the
        row was.
    cg_steps : int
        Steps of the solver ``"cg"``.
    momentum : bool
        Start each sweep beyond where the last one ended, `alsolike.models.momentum`: about half
        the sweeps to the same loss. False: the alternating least squares of the papers, sweep by
        sweep.
    start : {"small", "normal"}
        First user factors: N(0, 1) times ``0.1 / sqrt(factors)`` (Rendle et al. 2022), or
        N(0, 1) as in the article.
    seed : int
        Seed of the first factors.

    Raises
    ------
    SettingError
        A setting is out of its range.

    Examples
    --------
    >>> from dataclasses import replace
    >>> base = ALSConfig(factors=40, alpha=50.0)
    >>> [replace(base, regularization=value).regularization for value in (0.1, 10.0)]
    [0.1, 10.0]
    """

    factors: int = 64
    regularization: float = 0.1
    user_regularization: float | None = None
    item_regularization: float | None = None
    alpha: float = 10.0
    confidence: Confidence = "linear"
    epsilon: float = 1.0
    unobserved_weight: float = 1.0
    regularization_exponent: float = 0.0
    regularization_count: Literal["weighted", "observed"] = "weighted"
    iterations: int = 15
    solver: Literal["exact", "cg"] = "exact"
    cg_steps: int = 3
    momentum: bool = False
    start: Literal["small", "normal"] = "small"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("factors", 1), ("iterations", 1), ("cg_steps", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least=least)
        for name in ("regularization", "alpha"):
            check_number(name, getattr(self, name))
        for name in ("user_regularization", "item_regularization"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name))
        for name in ("epsilon", "unobserved_weight"):
            check_number(name, getattr(self, name), above_zero=True)
        if not is_finite(self.regularization_exponent):
            raise SettingError(
                "regularization_exponent must be a finite number, not "
                f"{self.regularization_exponent!r}."
            )
        check_choice("confidence", self.confidence, CONFIDENCES)
        check_choice("solver", self.solver, ("exact", "cg"))
        if not isinstance(self.momentum, (bool, np.bool_)):
            raise SettingError(f"momentum must be True or False, not {self.momentum!r}.")
        check_choice("start", self.start, ("small", "normal"))
        check_choice("regularization_count", self.regularization_count, ("weighted", "observed"))

    def regularization_of(self, side: Literal["user", "item"]) -> float:
        """Return lambda of one side, before it is scaled by counts."""
        own = self.user_regularization if side == "user" else self.item_regularization
        return self.regularization if own is None else own

    def row_regularization(
        self, side: Literal["user", "item"], counts: npt.ArrayLike, n_columns: int
    ) -> npt.NDArray[np.float64]:
        """Return lambda of each row of one side.

        Parameters
        ----------
        counts : (n_rows,)
            Interactions of each row.
        n_columns : int
            Rows of the other side.

        Raises
        ------
        FitError
            lambda of a row is too large for a number.
        """
        base, n = float(self.regularization_of(side)), np.asarray(counts, dtype=np.float64)
        if self.regularization_exponent == 0:
            return np.full(n.shape, base)
        weighted = self.regularization_count == "weighted"
        count = n + self.unobserved_weight * n_columns if weighted else np.maximum(n, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled: npt.NDArray[np.float64] = base * count**self.regularization_exponent
        if not np.isfinite(scaled).all():
            raise FitError(
                f"regularization_exponent={self.regularization_exponent!r} makes the "
                f"regularization of some of the {side}s, of up to {n.max(initial=0):,.0f} "
                "interactions each, too large for a number. Lower it: 0 to 1 is usual."
            )
        return scaled

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` gave; an unknown name is a SettingError."""
        return cls(**known_settings(cls, settings))


def expect_config(given: object) -> None:
    """Raise SettingError, with the way there, where `given` is no `ALSConfig`."""
    if isinstance(given, ALSConfig):
        return
    way_out = "Give settings such as alsolike.ALSConfig(factors=64, alpha=10)."
    if isinstance(given, Mapping):
        way_out = "Make settings of it: alsolike.ALSConfig(**settings)."
    raise SettingError(f"Settings expected, not {said(given)}. {way_out}")
