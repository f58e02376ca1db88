"""Similar items of the most liked ones, found before anybody asks: one mapped file for all workers.

What is asked for most is found by one product for many items at once, in a third of the time that
the items take one by one, and only once however many workers there are.
"""

import hashlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from alsolike.errors import BundleError, WritingError
from alsolike.machine import processors
from alsolike.models.base import Floats
from alsolike.models.bundle import load
from alsolike.models.factor_model import FactorModel
from alsolike.models.tensors import map_file, pack_tensors, read_tensors
from alsolike.recommending.answers import MIN_COUNT, Indices, Mask
from alsolike.recommending.nearest import Neighbours
from alsolike.writing import replacing

LENGTH = 20  # similar items of each that are kept

# Multiplications that one model may take: some seconds of a core, whatever its size.
_MOST_WORK = 4e10
_THREADS = 2
_PART = 512  # items that a thread takes at a time

_log = logging.getLogger(__name__)


class Stock:
    """Similar items of one model; those of the most liked are ready once their file is there.

    Parameters
    ----------
    path : Path
        Where `build` writes, or will have written.
    model : FactorModel

    Raises
    ------
    FitError
        An item's factors are not finite.
    """

    def __init__(self, path: Path, model: FactorModel) -> None:
        self._path, self._neighbours = path, Neighbours(model)
        self._places: Indices = np.full(len(model.items), -1, dtype=np.int32)
        self._items: Indices = np.empty((0, LENGTH), dtype=np.int32)
        self._cosines: Floats = np.empty((0, LENGTH), dtype=np.float32)
        self.is_ready = False
        self.look()

    def look(self) -> None:
        """Map the file if it has come meanwhile; a damaged one is none."""
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
        # Last of all what leads to the others: another thread may be asking.
        self._items, self._cosines = items, cosines
        self._places, self.is_ready = places, True

    def similar(
        self, row: int, k: int, *, min_count: int = MIN_COUNT, may_appear: Mask | None = None
    ) -> tuple[Indices, Floats]:
        """Return what `Neighbours.similar` returns."""
        place = self._places[row]
        if place < 0 or k > LENGTH or min_count != MIN_COUNT or may_appear is not None:
            return self._neighbours.similar(row, k, min_count=min_count, may_appear=may_appear)
        items = self._items[place, :k]
        found = int(np.count_nonzero(items >= 0))
        return items[:found], self._cosines[place, :found]


def build_beside(folder: Path, path: Path) -> None:
    """Have another process build the file of the bundle `folder`; nobody waits for it.

    Among busy threads of this one, every step of it would have to wait for its turn.
    """
    command = [sys.executable, "-m", "alsolike.web.stock", os.fspath(folder), os.fspath(path)]

    def watch() -> None:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            _log.warning("Similar items could not be found ahead: %s", done.stderr[-2000:])

    threading.Thread(target=watch, name="stock", daemon=True).start()


def build(path: Path, model: FactorModel) -> None:
    """Find similar items of the most liked ones, and write them as one file.

    Raises
    ------
    WritingError
        It cannot be written.
    """
    neighbours, counts = Neighbours(model), model.item_counts
    each = max(1, model.item_factors.size)
    order = np.lexsort((np.arange(len(counts)), -counts))
    rows: Indices = order[: int(_MOST_WORK // each)].astype(np.int32)
    items = np.empty((len(rows), LENGTH), dtype=np.int32)
    cosines = np.empty((len(rows), LENGTH), dtype=np.float32)

    def find(start: int) -> None:
        part = slice(start, start + _PART)
        items[part], cosines[part] = neighbours.similar_to_many(rows[part], LENGTH)

    threads = min(_THREADS, processors())
    with (
        ThreadpoolController().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
    ):
        for _ in pool.map(find, range(0, len(rows), _PART)):
            pass
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
