"""Parts of `alsolike.models.als.config.ALSConfig`, which describes each: loss, solver, schedule.

Each part raises SettingError where a setting is out of its range.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.validation import check_whole
from alsolike.errors import FitError, SettingError
from alsolike.models.settings import check_choice, check_number, is_finite

Confidence = Literal["linear", "scaled", "log", "additive"]
RowCount = Literal["weighted", "observed"]
SolverName = Literal["exact", "cg"]
Start = Literal["small", "normal"]


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Settings of the loss, on which folding in depends, too."""

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
        """Return lambda of each row of one side, by its interactions and the other side's rows.

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
    """Settings of the solver of one row, exact by default, as for folding in."""

    solver: SolverName = "exact"
    cg_steps: int = 3

    def __post_init__(self) -> None:
        check_choice("solver", self.solver, get_args(SolverName))
        check_whole("cg_steps", self.cg_steps, least=1)

    @property
    def is_exact(self) -> bool:
        """Tell whether the solution is direct, independent of the row's last one."""
        return self.solver == "exact"


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Settings of the start, sweeps and momentum of a training."""

    iterations: int
    momentum: bool
    start: Start

    def __post_init__(self) -> None:
        check_whole("iterations", self.iterations, least=1)
        if not isinstance(self.momentum, (bool, np.bool_)):
            raise SettingError(f"momentum must be True or False, not {self.momentum!r}.")
        check_choice("start", self.start, get_args(Start))
