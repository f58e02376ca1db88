"""Similar items of the most liked ones, found before anybody asks: one mapped file for all workers.

What is asked for most is found by one product for many items at once, in a third of the time that
the items take one by one, and only once however many workers there are.
"""

import hashlib
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from alsolike.errors import BundleError, WritingError
from alsolike.models.base import FactorModel, Floats
from alsolike.models.tensors import Tensors, map_file, pack_tensors, read_tensors
from alsolike.recommending.answers import MIN_COUNT, Indices, Mask
from alsolike.recommending.nearest import Neighbours
from alsolike.writing import replacing

LENGTH = 20  # similar items of each that are kept

# Multiplications that one model may take: some seconds of a core, whatever its size.
_MOST_WORK = 4e10
_THREADS = 2
_PART = 512  # items that a thread takes at a time


class Stock:
    """Similar items of one model; those of the most liked are ready.

    Parameters
    ----------
    neighbours : Neighbours
        Finds what is not ready.
    tensors : mapping of str to array
        As `build` has written them.

    Raises
    ------
    BundleError
        They are not of this model.
    """

    def __init__(self, neighbours: Neighbours, tensors: Tensors, n_items: int) -> None:
        self._neighbours = neighbours
        try:
            rows, self._items = tensors["rows"], tensors["items"]
            self._cosines, digest = tensors["cosines"], tensors["digest"].tobytes()
        except KeyError as error:
            raise BundleError(f"No tensor {error} in the ready-made similar items.") from None
        if digest != _digest((rows, self._items, self._cosines)) or len(rows) > n_items:
            raise BundleError("The ready-made similar items are damaged.")
        self._places = np.full(n_items, -1, dtype=np.int32)
        self._places[rows] = np.arange(len(rows), dtype=np.int32)

    @classmethod
    def open(cls, path: Path, neighbours: Neighbours, model: FactorModel) -> "Stock":
        """Map a file that `build` has written for this model.

        Raises
        ------
        BundleError
            There is none, or it is damaged: build it anew.
        """
        return cls(neighbours, read_tensors(path, map_file(path)), len(model.items))

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


def build(path: Path, neighbours: Neighbours, model: FactorModel) -> None:
    """Find similar items of the most liked ones, and write them as one file.

    Raises
    ------
    WritingError
        It cannot be written.
    """
    counts = model.item_counts
    each = max(1, model.item_factors.size)
    order = np.lexsort((np.arange(len(counts)), -counts))
    rows: Indices = order[: int(_MOST_WORK // each)].astype(np.int32)
    items = np.empty((len(rows), LENGTH), dtype=np.int32)
    cosines = np.empty((len(rows), LENGTH), dtype=np.float32)

    def find(start: int) -> None:
        part = slice(start, start + _PART)
        items[part], cosines[part] = neighbours.similar_to_many(rows[part], LENGTH)

    threads = min(_THREADS, os.cpu_count() or 1)
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
