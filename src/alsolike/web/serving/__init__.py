"""Loads, deploys and queries the models that a service serves.

``alsolike.web.serving:application`` is the former name of ``alsolike.web.server:application``.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """Import `application` on first use, since `alsolike.web.server` imports this package."""
    if name == "application":
        return importlib.import_module("alsolike.web.server").application
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
