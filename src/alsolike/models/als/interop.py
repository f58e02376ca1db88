"""Conversion of settings to and from other ALS libraries.

========= ==================================== =============================================
library   its loss, in our terms               source
========= ==================================== =============================================
implicit  confidence "scaled": c = alpha * d   implicit 0.7, ``cpu/als.py``: its matrix holds
                                               the confidences, and an unobserved cell is 1
irspack   confidence "additive" (IALSPP loss)  irspack 0.4+, ``IALSRecommender``: alpha0, reg,
          or "linear" (ORIGINAL loss)          nu as in Rendle et al. 2022
Spark     confidence "linear", lambda times    ``ml.recommendation.ALS`` with implicitPrefs:
          each row's count                     c = 1 + alpha * d
========= ==================================== =============================================

``to_`` functions return the library's keyword arguments, and raise SettingError if the library has
no equivalent setting; ``from_`` functions take them.
"""

from typing import Any, Literal

from alsolike.errors import SettingError
from alsolike.models.als.config import ALSConfig

Peer = Literal["implicit", "irspack", "spark"]


def to_peer(config: ALSConfig, peer: Peer) -> dict[str, Any]:
    """Return the keyword arguments that make `peer` minimize the loss of `config`.

    Parameters
    ----------
    config : ALSConfig
    peer : {"implicit", "irspack", "spark"}

    Returns
    -------
    dict
        For implicit's ``AlternatingLeastSquares``, to be fitted to `peer_values`; for irspack's
        ``IALSRecommender``; for Spark's ``ALS``.

    Raises
    ------
    SettingError
        The peer cannot minimize this loss.

    Examples
    --------
    >>> config = ALSConfig(confidence="linear", alpha=50.0, regularization_exponent=0)
    >>> to_peer(config, "implicit")["regularization"]
    0.01
    """
    _refuse_half_life(config, peer)
    if config.user_regularization is not None or config.item_regularization is not None:
        raise SettingError(f"{peer} has one regularization for both sides.")
    if config.nonnegative and peer != "spark":
        raise SettingError(f"{peer} has no nonnegative=True: its factors may be below 0.")
    return {"implicit": _to_implicit, "irspack": _to_irspack, "spark": _to_spark}[peer](config)


def from_peer(peer: Peer, **settings: Any) -> ALSConfig:
    """Return the settings with which alsolike minimizes the same loss as `peer`.

    For implicit, the matrix holds d, and ``alpha * d`` is the confidence, as there.

    Examples
    --------
    >>> from_peer("spark", rank=10, regParam=0.1, alpha=40.0).regularization_exponent
    1.0
    """
    converters = {"implicit": _from_implicit, "irspack": _from_irspack, "spark": _from_spark}
    return converters[peer](dict(settings))


def peer_values(config: ALSConfig, values: Any) -> Any:
    """Return the confidences that implicit's matrix must hold instead of `values`.

    Parameters
    ----------
    values : float array, (n,)
        d_ui, above zero.
    """
    weights = config.loss_config.value_weights
    _refuse_half_life(config, "implicit")
    if weights.need_counts:
        raise SettingError(f"implicit has no equivalent of values={weights.values!r}.")
    values = weights.of(values)
    if config.confidence == "linear":
        return config.loss_config.unobserved_weight + config.alpha * values
    if config.confidence == "scaled":
        return config.alpha * values
    raise SettingError(
        f"implicit's matrix is made for confidence linear or scaled, not {config.confidence}."
    )


def _refuse_half_life(config: ALSConfig, peer: str) -> None:
    if config.half_life is not None:
        raise SettingError(f"{peer} has no half-life: its weights do not depend on times.")


def _to_implicit(config: ALSConfig) -> dict[str, Any]:
    _refuse(config, "implicit", unobserved_weight=1.0, regularization_exponent=0.0)
    if config.confidence not in ("linear", "scaled"):
        raise SettingError(f"implicit has no confidence {config.confidence!r}.")
    return {
        "factors": config.factors,
        "regularization": config.regularization,
        "alpha": 1.0,
        "iterations": config.iterations,
        "use_cg": config.solver == "cg",
    }


def _from_implicit(settings: dict[str, Any]) -> ALSConfig:
    config = ALSConfig(
        factors=settings.pop("factors", 100),
        regularization=settings.pop("regularization", 0.01),
        alpha=settings.pop("alpha", 1.0),
        iterations=settings.pop("iterations", 15),
        solver="cg" if settings.pop("use_cg", True) else "exact",
        confidence="scaled",
        regularization_exponent=0.0,
    )
    return _all_used(config, "implicit", settings)


def _to_irspack(config: ALSConfig) -> dict[str, Any]:
    """Divide the whole loss by alpha: irspack's observed part has weight d, or its log."""
    if config.confidence == "scaled":
        raise SettingError("irspack has no confidence 'scaled': its values add to alpha0.")
    if not config.alpha > 0:
        raise SettingError("irspack minimizes this only with alpha above 0.")
    _refuse(config, "irspack", values="given")
    if config.regularization_exponent != 0:
        # Rows are counted with alpha0, which the division would change.
        _refuse(config, "irspack", regularization_count="weighted", alpha=1.0)
    return {
        "n_components": config.factors,
        "alpha0": config.loss_config.unobserved_weight / config.alpha,
        "reg": config.regularization / config.alpha,
        "nu": config.regularization_exponent,
        "confidence_scaling": "log" if config.confidence == "log" else "none",
        "epsilon": config.epsilon,
        "loss_type": "IALSPP" if config.confidence == "additive" else "ORIGINAL",
        "solver_type": "CG" if config.solver == "cg" else "CHOLESKY",
        "max_cg_steps": config.cg_steps,
        "train_epochs": config.iterations,
        "random_seed": config.seed,
    }


def _from_irspack(settings: dict[str, Any]) -> ALSConfig:
    original = settings.pop("loss_type", "IALSPP") == "ORIGINAL"
    log = settings.pop("confidence_scaling", "none") == "log"
    if log and not original:
        raise SettingError("No counterpart for irspack's log scaling under the IALSPP loss.")
    config = ALSConfig(
        factors=settings.pop("n_components", 20),
        unobserved_weight=settings.pop("alpha0", 0.0),
        regularization=settings.pop("reg", 1e-3),
        regularization_exponent=settings.pop("nu", 1.0),
        epsilon=settings.pop("epsilon", 1.0),
        solver="exact" if settings.pop("solver_type", "CG") == "CHOLESKY" else "cg",
        cg_steps=settings.pop("max_cg_steps", 3),
        iterations=settings.pop("train_epochs", 16),
        seed=settings.pop("random_seed", 42),
        alpha=1.0,
        values="given",
        confidence="log" if log else "linear" if original else "additive",
    )
    return _all_used(config, "irspack", settings)


def _to_spark(config: ALSConfig) -> dict[str, Any]:
    _refuse(
        config,
        "Spark",
        confidence="linear",
        values="given",
        unobserved_weight=1.0,
        regularization_exponent=1.0,
        regularization_count="observed",
    )
    return {
        "rank": config.factors,
        "regParam": config.regularization,
        "alpha": config.alpha,
        "maxIter": config.iterations,
        "implicitPrefs": True,
        "nonnegative": config.nonnegative,
        "seed": config.seed,
    }


def _from_spark(settings: dict[str, Any]) -> ALSConfig:
    if not settings.pop("implicitPrefs", True):
        raise SettingError("Spark's explicit ALS fits the values themselves; alsolike does not.")
    config = ALSConfig(
        factors=settings.pop("rank", 10),
        regularization=settings.pop("regParam", 0.1),
        alpha=settings.pop("alpha", 1.0),
        iterations=settings.pop("maxIter", 10),
        seed=settings.pop("seed", 0),
        nonnegative=settings.pop("nonnegative", False),
        confidence="linear",
        regularization_exponent=1.0,
        regularization_count="observed",
    )
    return _all_used(config, "Spark", settings)


def _refuse(config: ALSConfig, peer: str, **needed: Any) -> None:
    """Raise SettingError if a setting is not what the peer can do."""
    for name, value in needed.items():
        own = getattr(config.loss_config, name)
        if own != value:
            raise SettingError(f"{peer} minimizes this only with {name}={value!r}, not {own!r}.")


def _all_used(config: ALSConfig, peer: str, left: dict[str, Any]) -> ALSConfig:
    if left:
        raise SettingError(f"No counterpart for {peer}'s settings {sorted(left)}.")
    return config
