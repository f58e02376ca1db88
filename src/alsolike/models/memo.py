"""`Memo`: keeps what several trainings on the same data need, so that it is made once."""

import functools
import threading
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.engines.hardware import available

# Models of the last trainings that are kept: of three members, also with another history.
_MOST_MODELS = 8
# Bytes of arrays, and of the best models, that are kept: at most these, and at most this share of
# the memory that is free.
MOST_BYTES = 4 << 30
_SHARE = 0.25

Made = Callable[[], Any]


@dataclass(frozen=True, eq=False)
class _Offer:
    key: Hashable
    model: Any
    score: float
    size: int


class Memo:
    """Keeps the results of some work by keys; safe for threads.

    What is kept changes no result. A copy in another process starts empty.

    Parameters
    ----------
    most_bytes : int or None
        Bytes of arrays to keep, and of the best models; None: 4 GiB each, or a quarter of the
        available memory if that is less.
    keeps_best : bool
        Whether models that are offered are kept.

    Examples
    --------
    >>> memo = Memo()
    >>> memo.models({"a": lambda: 1, "b": lambda: 2}), memo.models({"b": lambda: 3})
    ([1, 2], [2])
    """

    def __init__(self, most_bytes: int | None = None, *, keeps_best: bool = False) -> None:
        free = available()
        usual = MOST_BYTES if free is None else min(MOST_BYTES, int(_SHARE * free))
        self._left = self._most = usual if most_bytes is None else most_bytes
        self._models: dict[Hashable, Any] = {}
        self._arrays: dict[Hashable, npt.NDArray[Any]] = {}
        self._best: dict[str, _Offer] = {}
        self._keeps_best = keeps_best
        self._making: set[Hashable] = set()
        self._changed = threading.Condition()

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(Memo, self._most, keeps_best=self._keeps_best), ()

    def offer(self, family: str, key: Hashable, model: Any, score: float, size: int) -> None:
        """Keep the model of a training if it is the best of its family so far, and there is room.

        Of equal scores the first is kept. `size` is in bytes.
        """
        if not self._keeps_best:
            return
        with self._changed:
            known = self._best.get(family)
            others = sum(one.size for name, one in self._best.items() if name != family)
            if known is None or score > known.score:
                self._best.pop(family, None)  # it is not the best any longer
                if others + size <= self._most:
                    self._best[family] = _Offer(key, model, score, size)

    def models(self, wanted: Mapping[Any, Made]) -> list[Any]:
        """Return what is made for each key; each is made by one thread while others wait.

        The last few are kept.
        """
        found: dict[Hashable, Any] = {}
        while len(found) < len(wanted):
            with self._changed:
                known = self._models | {one.key: one.model for one in self._best.values()}
                found |= {key: known[key] for key in wanted if key in known}
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
            self._best.clear()
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
