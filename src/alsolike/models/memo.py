"""`Memo`: keeps what several trainings on the same data need, so that it is made once."""

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.engines.hardware import available

# Models of the last trainings that are kept.
_MOST_MODELS = 4
# Bytes of arrays that are kept: at most these, and at most this share of the memory that is free.
_MOST_BYTES = 1 << 30
_SHARE = 0.25

Made = Callable[[], Any]


class Memo:
    """Keeps the results of some work by keys; safe for threads.

    What is kept changes no result. A copy in another process starts empty.

    Parameters
    ----------
    most_bytes : int or None
        Bytes of arrays to keep; None: 1 GiB, or a quarter of the available memory if that is less.

    Examples
    --------
    >>> memo = Memo()
    >>> memo.models({"a": lambda: 1, "b": lambda: 2}), memo.models({"b": lambda: 3})
    ([1, 2], [2])
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        free = available()
        usual = _MOST_BYTES if free is None else min(_MOST_BYTES, int(_SHARE * free))
        self._left = self._most = usual if most_bytes is None else most_bytes
        self._models: dict[Hashable, Any] = {}
        self._arrays: dict[Hashable, npt.NDArray[Any]] = {}
        self._making: set[Hashable] = set()
        self._changed = threading.Condition()

    def __reduce__(self) -> tuple[type["Memo"], tuple[int]]:
        return Memo, (self._most,)

    def models(self, wanted: Mapping[Any, Made]) -> list[Any]:
        """Return what is made for each key; each is made by one thread while others wait.

        The last few are kept.
        """
        found: dict[Hashable, Any] = {}
        while len(found) < len(wanted):
            with self._changed:
                found |= {key: self._models[key] for key in wanted if key in self._models}
                missing = [key for key in wanted if key not in found]
                free = [key for key in missing if key not in self._making]
                if not free:
                    if missing:
                        self._changed.wait()
                    continue
                self._making.add(free[0])
            found[free[0]] = self._made(free[0], wanted[free[0]])
        return [found[key] for key in wanted]

    def array(self, key: Hashable, make: Made) -> npt.NDArray[Any]:
        """Return an array that is made once, and kept while there is room."""
        with self._changed:
            while key in self._making:
                self._changed.wait()
            if key in self._arrays:
                return self._arrays[key]
            self._making.add(key)
        found: npt.NDArray[Any] | None = None
        try:
            found = np.asarray(make())
        finally:
            with self._changed:
                self._making.discard(key)
                if found is not None and found.nbytes <= self._left:
                    self._left -= found.nbytes
                    self._arrays[key] = found
                self._changed.notify_all()
        return found

    def clear(self) -> None:
        """Forget everything."""
        with self._changed:
            self._models.clear()
            self._arrays.clear()
            self._left = self._most

    def _made(self, key: Hashable, make: Made) -> Any:
        found, is_made = None, False
        try:
            found, is_made = make(), True
        finally:
            with self._changed:
                self._making.discard(key)
                if is_made:
                    self._models[key] = found
                    while len(self._models) > _MOST_MODELS:
                        del self._models[next(iter(self._models))]
                self._changed.notify_all()
        return found
