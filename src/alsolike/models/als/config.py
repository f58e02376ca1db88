"""`ALSConfig`: the settings of weighted regularized matrix factorization."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Self, TypeVar

from alsolike.data.validation import check_whole, said
from alsolike.errors import SettingError
from alsolike.models.als.config_parts import (
    Confidence,
    LossConfig,
    RowCount,
    ScheduleConfig,
    SolverConfig,
    SolverName,
    Start,
)
from alsolike.models.settings import known_settings
from alsolike.suggestions import with_hints

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
        lambda of one side, where it differs.
    alpha : float
        SimilarityScale of the confidence, at least 0; see `confidence`.
    confidence : {"linear", "scaled", "log", "additive"}
        The form of c_ui, see `alsolike.models.als.confidence`.
    epsilon : float
        SimilarityScale of the values in the form ``"log"``, above 0.
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
        Direct solution of each row, or `cg_steps` steps of conjugate gradients from its last one.
    cg_steps : int
        Steps of the solver ``"cg"``.
    momentum : bool
        Extrapolate between sweeps, `alsolike.models.als.momentum`: about half the sweeps to the
        same loss. False: the alternating least squares of the papers.
    start : {"small", "normal"}
        First user factors: N(0, 1) times ``0.1 / sqrt(factors)`` (Rendle et al. 2022) or N(0, 1).
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
    regularization_count: RowCount = "weighted"
    iterations: int = 15
    solver: SolverName = "exact"
    cg_steps: int = 3
    momentum: bool = False
    start: Start = "small"
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole("factors", self.factors, least=1)
        check_whole("seed", self.seed, least=0)
        # Each of them checks its own settings when it is made.
        _ = self.loss_config, self.solver_config, self.schedule_config

    @cached_property
    def loss_config(self) -> LossConfig:
        """The loss, which folding in depends on, too."""
        return self._part(LossConfig)

    @cached_property
    def solver_config(self) -> SolverConfig:
        """The solver of one row."""
        return self._part(SolverConfig)

    @cached_property
    def schedule_config(self) -> ScheduleConfig:
        """The start and the sweeps of a training."""
        return self._part(ScheduleConfig)

    def to_settings(self) -> dict[str, Any]:
        """Convert to plain values."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what `to_settings` returned; SettingError for an unknown name."""
        return cls(**known_settings(cls, settings))

    def _part(self, kind: type[Part]) -> Part:
        return kind(**{one.name: getattr(self, one.name) for one in fields(kind)})


def expect_config(given: object) -> None:
    """Raise SettingError unless `given` is an `ALSConfig`."""
    if isinstance(given, ALSConfig):
        return
    way_out = "Give settings such as alsolike.ALSConfig(factors=64, alpha=10)."
    if isinstance(given, Mapping):
        way_out = "Make settings of it: alsolike.ALSConfig(**settings)."
    raise SettingError(f"Settings expected, not {said(given)}. {way_out}")
