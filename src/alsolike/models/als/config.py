"""`ALSConfig`: the settings of ALS, in three parts: loss, solver and schedule."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole, said
from alsolike.errors import FitError, SettingError
from alsolike.models.settings import (
    check_choice,
    check_number,
    half_life_of,
    is_finite,
    known_settings,
)
from alsolike.models.values import Values, ValueWeights
from alsolike.usage_hints import with_hints

Confidence = Literal["linear", "scaled", "log", "additive"]
RowCount = Literal["weighted", "observed"]
SolverName = Literal["exact", "cg"]
Start = Literal["small", "normal"]


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Settings of the loss, also used to fold in."""

    regularization: float
    user_regularization: float | None
    item_regularization: float | None
    alpha: float
    confidence: Confidence
    values: Values
    value_scale: float
    value_length: float
    half_life: float | None
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
        _ = self.value_weights  # checks its settings
        check_choice("regularization_count", self.regularization_count, get_args(RowCount))

    @cached_property
    def value_weights(self) -> ValueWeights:
        """The weights of values."""
        return ValueWeights(
            values=self.values, value_scale=self.value_scale, value_length=self.value_length,
            half_life=self.half_life,
        )  # fmt: skip

    def regularization_of(self, side: Literal["user", "item"]) -> float:
        """Return lambda of one side, before it is scaled by counts."""
        own = self.user_regularization if side == "user" else self.item_regularization
        return self.regularization if own is None else own

    def row_regularization(
        self, side: Literal["user", "item"], counts: npt.ArrayLike, n_columns: int
    ) -> npt.NDArray[np.float64]:
        """Return lambda of each row by its interactions; FitError if one is not finite."""
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
    """Settings of the solver of one row; folding in uses the defaults."""

    solver: SolverName = "exact"
    cg_steps: int = 3
    nonnegative: bool = False

    def __post_init__(self) -> None:
        check_choice("solver", self.solver, get_args(SolverName))
        check_whole("cg_steps", self.cg_steps, least=1)
        if not isinstance(self.nonnegative, (bool, np.bool_)):
            raise SettingError(f"nonnegative must be True or False, not {self.nonnegative!r}.")

    @property
    def is_exact(self) -> bool:
        """Whether the solution is direct, independent of the row's last one."""
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


_IN_FLOAT32 = ("given", "binary")  # forms of values that are no float64 numbers
# The weight of an empty cell in the forms of Hu et al. 2008.
_USUAL_WEIGHT = 1.0
# How much more than his likes an average user's empty cells weigh, all together.
_EMPTY_TO_FILLED = 5.0

Part = TypeVar("Part", LossConfig, SolverConfig, ScheduleConfig)


@with_hints
@dataclass(frozen=True, kw_only=True)
class ALSConfig:
    """Settings of alternating least squares; make a grid by ``dataclasses.replace``.

    Parameters
    ----------
    factors : int
        Columns of both factor matrices.
    regularization : float
        lambda of both sides, at least 0.
    user_regularization, item_regularization : float or None
        lambda of one side, if different.
    alpha : float
        Scale of the confidence, at least 0; see `confidence`.
    confidence : {"linear", "scaled", "log", "additive"}
        The form of c_ui, see `alsolike.models.als.confidence`.
    values : {"given", "binary", "log", "capped", "tf-idf", "bm25"} or None
        How a value becomes d_ui, see `alsolike.models.values`. Binary: 1 for each like and -1 for
        each dislike. None: binary for ``"additive"``, else as given.
    value_scale, value_length : float
        Of those forms: above 0, and from 0 to 1.
    half_life : float or None
        Days in which the weight of a value halves, above 0, or a text such as ``"90d"``; needs
        times. None: weights do not decay.
    epsilon : float
        Scale of the values in the form ``"log"``, above 0.
    unobserved_weight : float or None
        Weight of an unobserved cell, above 0 (Rendle et al. 2022: alpha_0). None: 1, but by the
        table for ``"additive"``, see `for_table`.
    regularization_exponent : float
        nu: a row is regularized by ``lambda * count ** nu``; 0 leaves lambda as it is.
    regularization_count : {"weighted", "observed"}
        The count in that: of a row with n interactions, ``n + unobserved_weight * rows of the
        other side`` (Rendle et al. 2022, eq. 5), or n alone (Spark).
    iterations : int
        Sweeps; one sweep solves all items, then all users.
    solver : {"exact", "cg"}
        Direct solution of each row, or `cg_steps` steps of conjugate gradients from its last one.
    cg_steps : int
    momentum : bool
        Extrapolate between sweeps, `alsolike.models.als.momentum`: about half the sweeps to the
        same loss. False: the alternating least squares of the papers.
    start : {"small", "normal"}
        First user factors: N(0, 1) times ``0.1 / sqrt(factors)`` (Rendle et al. 2022) or N(0, 1).
    nonnegative : bool
        Solve each row for its best factors that are not below 0, exactly: factors that can be read
        as how much of each theme there is. For the exact solver without momentum.
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

    added: ClassVar[Mapping[str, Any]] = {
        "values": "given",
        "value_scale": 1.0,
        "value_length": 0.0,
        "half_life": None,
        "nonnegative": False,
    }

    factors: int = 256
    regularization: float = 0.01
    user_regularization: float | None = None
    item_regularization: float | None = None
    alpha: float = 1.0
    confidence: Confidence = "additive"
    values: Values | None = None
    value_scale: float = 1.0
    value_length: float = 0.0
    half_life: float | None = None
    epsilon: float = 1.0
    unobserved_weight: float | None = None
    regularization_exponent: float = 1.0
    regularization_count: RowCount = "weighted"
    iterations: int = 8
    solver: SolverName = "exact"
    cg_steps: int = 3
    momentum: bool = False
    start: Start = "small"
    nonnegative: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("factors", self.factors, least=1)
        check_whole("seed", self.seed, least=0)
        object.__setattr__(self, "half_life", half_life_of(self.half_life))
        # Each part checks its settings.
        _ = self._loss_part, self.solver_config, self.schedule_config
        self._check_nonnegative()

    def _check_nonnegative(self) -> None:
        if self.nonnegative and (self.momentum or not self.solver_config.is_exact):
            raise SettingError(
                "nonnegative=True needs the exact solver and no momentum, which would leave the "
                f"non-negative numbers; solver={self.solver!r}, momentum={self.momentum!r} given. "
                "Leave both out."
            )

    def for_table(self, train: Interactions) -> Self:
        """Return the settings with `unobserved_weight` chosen, if it is left to the table.

        It is then such that all empty cells of an average user weigh five times as much as his
        likes, which was best, or close to it, on the tables of docs/decisions/0032-defaults.md.

        Examples
        --------
        >>> likes = Interactions.from_columns(["u", "u", "v"], ["a", "b", "c"])
        >>> ALSConfig().for_table(likes).unobserved_weight
        2.5
        """
        if not self._is_left_to_the_table:
            return self
        return replace(self, unobserved_weight=unobserved_weight_of(train, _EMPTY_TO_FILLED))

    @property
    def _is_left_to_the_table(self) -> bool:
        return self.unobserved_weight is None and self.confidence == "additive"

    @cached_property
    def loss_config(self) -> LossConfig:
        """The settings of the loss.

        Raises
        ------
        SettingError
            `unobserved_weight` is left to the table: see `for_table`.
        """
        if self._is_left_to_the_table:
            raise SettingError(
                "unobserved_weight is None: it is chosen by the table. Use "
                "config.for_table(interactions), or set it."
            )
        return self._loss_part

    @cached_property
    def solver_config(self) -> SolverConfig:
        """The settings of the solver."""
        return self._part(SolverConfig)

    @cached_property
    def schedule_config(self) -> ScheduleConfig:
        """The settings of the start and the sweeps."""
        return self._part(ScheduleConfig)

    @property
    def amounts_are_doubles(self) -> bool:
        """Whether weighed values are float64; else they are float32 like the values."""
        decays = self.half_life is not None
        return decays or self.confidence == "log" or self._loss_part.values not in _IN_FLOAT32

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name.

        Settings of earlier versions lack the newest ones: values were taken as they are.
        """
        return cls(**known_settings(cls, {**cls.added, **settings}))

    @cached_property
    def _loss_part(self) -> LossConfig:
        """The settings of the loss, with a usual weight if it is left to the table."""
        usual: dict[str, Any] = {
            "unobserved_weight": _USUAL_WEIGHT,
            "values": "binary" if self.confidence == "additive" else "given",
        }
        given = {name: value for name in usual if (value := getattr(self, name)) is not None}
        return self._part(LossConfig, **(usual | given))

    def _part(self, kind: type[Part], **instead: Any) -> Part:
        own = {one.name: getattr(self, one.name) for one in fields(kind)}
        return kind(**(own | instead))


def unobserved_weight_of(train: Interactions, empty_to_filled: float) -> float:
    """Return the weight of an unobserved cell by how many cells are filled, with two digits.

    Parameters
    ----------
    train : Interactions
    empty_to_filled : float
        What all empty cells of an average user weigh, in units of what his likes weigh.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u", "u", "v"], ["a", "b", "c"])
    >>> unobserved_weight_of(likes, 2.0)
    1.0
    """
    filled = train.n_interactions / max(train.n_users * train.n_items, 1)
    return float(f"{empty_to_filled * filled:.2g}") or _USUAL_WEIGHT


def sweep_operations(train: Interactions, factors: int) -> float:
    """Estimate the multiply-adds of an exact sweep: Gramians, changes of basis and all rows."""
    found = 0.0
    for counts in (train.user_counts, train.item_counts):
        size = np.minimum(counts, factors)
        rows = counts * size * (factors / 2) + size**3 / 6 + 2.0 * counts * factors
        found += float(rows.sum()) + 1.5 * len(counts) * factors**2 + 10.0 * factors**3
    return found


def expect_config(given: object) -> None:
    """Raise SettingError unless `given` is an `ALSConfig`."""
    if isinstance(given, ALSConfig):
        return
    way_out = "Give settings such as alsolike.ALSConfig(factors=64, alpha=10)."
    if isinstance(given, Mapping):
        way_out = "Make settings of it: alsolike.ALSConfig(**settings)."
    raise SettingError(f"Settings expected, not {said(given)}. {way_out}")
