"""Weighted regularized matrix factorization by alternating least squares (WRMF, iALS)."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.models.base import FactorModel
from alsolike.models.confidence import CONFIDENCES, Confidence
from alsolike.observing import SILENT, Observer


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
        nu: a row with n interactions is regularized by
        ``lambda * (n + unobserved_weight * rows of the other side) ** nu``; 0 leaves lambda as
        it is (Rendle et al. 2022, eq. 5).
    iterations : int
        Sweeps; one sweep solves all items, then all users.
    solver : {"exact", "cg"}
        Direct solution of each row, or `cg_steps` steps of conjugate gradients from where the
        row was.
    cg_steps : int
        Steps of the solver ``"cg"``.
    start : {"small", "normal"}
        First user factors: N(0, 1) / factors, or N(0, 1) as in the article.
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
    iterations: int = 15
    solver: Literal["exact", "cg"] = "exact"
    cg_steps: int = 3
    start: Literal["small", "normal"] = "small"
    seed: int = 0

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values."""
        return asdict(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "ALSConfig":
        """Build from what `to_settings` gave; an unknown name is a SettingError."""
        known = {setting.name for setting in fields(cls)}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise SettingError(f"Unknown settings {unknown}; known are {sorted(known)}.")
        return cls(**settings)


def iterate(
    train: Interactions,
    config: ALSConfig,
    *,
    start: FactorModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[FactorModel]:
    """Yield a usable model after each sweep, ``config.iterations`` times."""
    raise NotImplementedError


def fit(
    train: Interactions,
    config: ALSConfig,
    *,
    start: FactorModel | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> FactorModel:
    """Return the last model of `iterate`."""
    raise NotImplementedError
