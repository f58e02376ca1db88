"""Settings as text: the same text for equal settings."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np


def canonical_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as JSON, the same text for equal settings in whatever order they come.

    Examples
    --------
    >>> canonical_settings({"factors": 8, "alpha": 10.0, "regularization": 1e-5})
    '{"alpha": 10, "factors": 8, "regularization": 1e-05}'
    """
    return to_json({name: plain_value(value) for name, value in settings.items()})


def plain_value(value: Any) -> Any:
    """Return NumPy's scalars as Python's, and a whole float as an int: 10.0 and 10 are equal."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def to_json(value: Any) -> str:
    """Return a value as JSON that does not depend on the order of its keys."""
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)
