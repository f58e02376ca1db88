"""What `ALSConfig` is made of: what is minimized, how a row is solved, and how a training goes.

Each setting means what it means in `alsolike.models.als.config.ALSConfig`, which has the defaults.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, SettingError
from alsolike.models.settings import check_choice, check_number, check_whole, is_finite

Confidence = Literal["linear", "scaled", "log", "additive"]
RowCount = Literal["weighted", "observed"]
SolverName = Literal["exact", "cg"]
Start = Literal["small", "normal"]


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What is minimized: the loss and folding in depend on this, and on no other setting.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    regularization: float
    user_regularization: float | None
    item_regularization: float | None
    alpha: float
    confidence: Confidence
    epsilon: float
    unobserved_weight: float
    regularization_exponent: float
    regularization_count: RowCount

    def __post_init__(self) -> None:
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
        check_choice("confidence", self.confidence, get_args(Confidence))
        check_choice("regularization_count", self.regularization_count, get_args(RowCount))

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


@dataclass(frozen=True, kw_only=True)
class SolverConfig:
    """How one row is solved; without settings exactly, as everybody is who is folded in.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    solver: SolverName = "exact"
    cg_steps: int = 3

    def __post_init__(self) -> None:
        check_choice("solver", self.solver, get_args(SolverName))
        check_whole("cg_steps", self.cg_steps, least=1)

    @property
    def is_exact(self) -> bool:
        """Tell whether the solution is direct, which does not depend on where the row was."""
        return self.solver == "exact"


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How a training goes: from which start, how many sweeps, and with momentum or without.

    Raises
    ------
    SettingError
        A setting is out of its range.
    """

    iterations: int
    momentum: bool
    start: Start

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, least=1)
        if not isinstance(self.momentum, (bool, np.bool_)):
            raise SettingError(f"momentum must be True or False, not {self.momentum!r}.")
        check_choice("start", self.start, get_args(Start))
