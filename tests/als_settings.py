"""Settings of ALS by Hu et al. 2008, for tests whose numbers depend on the loss."""

from typing import Any

from alsolike.models.als.config import ALSConfig

CLASSIC: dict[str, Any] = {
    "factors": 64,
    "regularization": 0.1,
    "alpha": 10.0,
    "confidence": "linear",
    "values": "given",
    "unobserved_weight": 1.0,
    "regularization_exponent": 0.0,
    "iterations": 15,
}
"""Hu et al. 2008: c_ui = 1 + alpha d_ui, and the same lambda for all rows."""
LOSS = {name: CLASSIC[name] for name in CLASSIC if name not in ("factors", "alpha", "iterations")}
"""The part of it that a run has to be given, so that its grid is what a test says."""


def set_loss(**changes: Any) -> tuple[str, ...]:
    """Return options that give a run the loss of Hu et al. 2008, with changes; None: not given."""
    given = {name: value for name, value in (LOSS | changes).items() if value is not None}
    return tuple(word for name in given for word in ("--set", f"{name}={given[name]}"))


def classic(**changes: Any) -> ALSConfig:
    """Return the settings of Hu et al. 2008 with changes."""
    return ALSConfig(**(CLASSIC | changes))
