"""Precomputes similar items of the most liked items, in one mapped file for all workers.

One product for many items takes a third of the time of one product for each.
"""

import hashlib
import itertools
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from alsolike.engines.hardware import processors
from alsolike.errors import BundleError, WritingError
from alsolike.models.base import FittedModel, Floats, HasFactors, compares_items
from alsolike.models.bundle.io import load
from alsolike.recommending.ranking.nearest import Neighbours, expect_item_scorer
from alsolike.recommending.shared import MIN_COUNT, Indices, Mask
from alsolike.storage.atomic import replacing
from alsolike.storage.safetensors import map_file, pack_tensors, read_tensors

LENGTH = 20  # similar items per item

# Multiplications per model: some seconds of one core.
_MOST_WORK = 4e10
_AS_FACTORS = 64  # the scores of all items cost as much as this many factors
_MOST_SECONDS = 20.0  # per model; later blocks are left out
_THREADS = 2
_PART = 512  # items that a thread takes at a time

_log = logging.getLogger(__name__)


class NeighbourCache:
    """Finds similar items of one model, precomputed ones in `path` once `build` has written it.

    Raises
    ------
    FitError
        An item's factors are not finite.
    """

    def __init__(self, path: Path, model: FittedModel) -> None:
        self._path, self._model = path, model
        self._neighbours = neighbours_of(model)
        self._places: Indices = np.full(len(model.items), -1, dtype=np.int32)
        self._items: Indices = np.empty((0, LENGTH), dtype=np.int32)
        self._cosines: Floats = np.empty((0, LENGTH), dtype=np.float32)
        self.is_ready = False
        self.look()

    @property
    def is_able(self) -> bool:
        """Whether the model compares items."""
        return self._neighbours is not None

    def look(self) -> None:
        """Map the file if it exists now; remove it if it is damaged."""
        if self.is_ready or not self._path.exists():
            return
        try:
            tensors = read_tensors(self._path, map_file(self._path))
            rows, items, cosines = (tensors[name] for name in ("rows", "items", "cosines"))
            sound = tensors["digest"].tobytes() == _digest((rows, items, cosines))
        except (BundleError, KeyError):
            sound = False
        if not sound or len(rows) > len(self._places):
            self._path.unlink(missing_ok=True)
            return
        places = np.full(len(self._places), -1, dtype=np.int32)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        # Set last: other threads read it first.
        self._items, self._cosines = items, cosines
        self._places, self.is_ready = places, True

    def similar(
        self, row: int, k: int, *, min_count: int = MIN_COUNT, may_appear: Mask | None = None
    ) -> tuple[Indices, Floats]:
        """Return similar items as `Neighbours.similar`; raise Unable if the model has none."""
        neighbours = self._neighbours or Neighbours(
            expect_item_scorer(self._model, "compare items")
        )
        place = self._places[row]
        if place < 0 or k > LENGTH or min_count != MIN_COUNT or may_appear is not None:
            return neighbours.similar(row, k, min_count=min_count, may_appear=may_appear)
        items = self._items[place, :k]
        found = int(np.count_nonzero(items >= 0))
        return items[:found], self._cosines[place, :found]


def build_in_background(folder: Path, path: Path) -> None:
    """Build the file of the bundle `folder` in another process, without waiting for it."""
    command = [
        sys.executable,
        "-m",
        "alsolike.web.serving.neighbour_cache",
        os.fspath(folder),
        os.fspath(path),
    ]

    def watch() -> None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            _log.warning("Similar items could not be precomputed: %s", done.stderr[-2000:])

    threading.Thread(target=watch, name="neighbour-cache", daemon=True).start()


def neighbours_of(model: FittedModel) -> Neighbours | None:
    """Return the search for similar items; None if the model compares no items."""
    return Neighbours(model) if compares_items(model) else None


def build(
    path: Path,
    model: FittedModel,
    *,
    most_work: float = _MOST_WORK,
    most_seconds: float = _MOST_SECONDS,
    block_rows: int = _PART,
) -> None:
    """Find similar items of the most liked items, and write them to one file.

    Nothing is written if the model compares no items. Only the first block of rows may begin after
    `most_seconds`.

    Raises
    ------
    WritingError
        It cannot be written.
    """
    neighbours, end = neighbours_of(model), time.monotonic() + most_seconds
    if neighbours is None:
        return
    width = model.factors if isinstance(model, HasFactors) else _AS_FACTORS
    each = max(1, len(model.items) * width)
    rows = model.items_by_likes[: int(most_work // each)]
    items = np.empty((len(rows), LENGTH), dtype=np.int32)
    cosines = np.empty((len(rows), LENGTH), dtype=np.float32)

    def find(start: int) -> int:
        """Fill one block; return its number of rows, 0 after the deadline."""
        part = slice(start, start + block_rows)
        if start and time.monotonic() > end:
            return 0
        items[part], cosines[part] = neighbours.similar_to_many(rows[part], LENGTH)
        return len(rows[part])

    threads = min(_THREADS, processors())
    with (
        ThreadpoolController().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
    ):
        found = list(pool.map(find, range(0, len(rows), block_rows)))
    # All blocks before the first late one.
    n_found = sum(itertools.takewhile(bool, found))
    rows, items, cosines = rows[:n_found], items[:n_found], cosines[:n_found]
    digest = np.frombuffer(_digest((rows, items, cosines)), dtype=np.uint8)
    content = pack_tensors({"rows": rows, "items": items, "cosines": cosines, "digest": digest})
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise WritingError(f"{path}: cannot be written ({error.strerror}).") from error


def _digest(arrays: Iterable[Indices | Floats]) -> bytes:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


if __name__ == "__main__":
    build(Path(sys.argv[2]), load(Path(sys.argv[1])))
