"""Keeps what single answers need of a model, as long as the model lives."""

import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from alsolike.models.base import FittedModel

Made = TypeVar("Made")

_MOST = 16  # for each model: more than there are marks of the dial
_kept: "weakref.WeakKeyDictionary[FittedModel, dict[Hashable, Any]]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def prepared(model: Any, key: Hashable, make: Callable[[], Made]) -> Made:
    """Return what `make` returned for this model and key, calling it if need be.

    Of each model the last ones are kept. Models of other classes than ours, or compared by their
    content, may change, so nothing is kept of them.

    Parameters
    ----------
    model : object
    key : hashable
    make : callable
        What it returns must not refer to the model, which would live forever then.
    """
    is_ours = isinstance(model, FittedModel) and type(model).__hash__ is object.__hash__
    if not is_ours:
        return make()
    with _lock:
        of_model = _kept.setdefault(model, {})
        if key in of_model:
            of_model[key] = found = of_model.pop(key)  # the last one again
            kept: Made = found
            return kept
    made = make()  # outside the lock: two threads may prepare the same, which is only slower
    with _lock:
        of_model[key] = made
        while len(of_model) > _MOST:
            del of_model[next(iter(of_model))]
    return made
