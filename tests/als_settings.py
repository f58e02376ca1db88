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


def classic(**changes: Any) -> ALSConfig:
    """Return the settings of Hu et al. 2008 with changes."""
    return ALSConfig(**(CLASSIC | changes))
