"""Finds similar items; those of the most liked items are precomputed in one file for all workers.

The file holds the lists by the model's own settings. Other marks of the dial are computed when
they are asked for.
"""

import contextlib
import hashlib
import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from threadpoolctl import ThreadpoolController

from alsolike.engines.hardware import processors
from alsolike.engines.local import LocalEngine
from alsolike.errors import BundleError, CompilerError, WritingError
from alsolike.models.base import FittedModel, Floats
from alsolike.models.bundle.io import load
from alsolike.models.protocols import HasAffinities, HasFactors, compares_items
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.recommending.affinities import affinity_terms_of
from alsolike.recommending.ranking.nearest import Neighbours, expect_item_scorer
from alsolike.recommending.rules.limits import Limits
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
_NICENESS = 10  # of the process that precomputes
_MANY_ITEMS = 5_000  # with fewer, loading the compiler takes longer than the lists
_COMPILED_PARTS = 8  # times as many with compiled kernels, which prepare all items for each
# Bytes per worker and model for what other settings than the model's own need, and for an item.
_MOST_PREPARED, _PREPARED_PER_ITEM = 64 << 20, 32
_FEWEST_PREPARED, _MOST_SETTINGS = 2, 16

_log = logging.getLogger(__name__)


class NeighbourCache:
    """Finds similar items of one model, precomputed ones in `path` once `build` has written it.

    Nothing is prepared before the first call, or `prepare`.
    """

    def __init__(self, path: Path, model: FittedModel) -> None:
        self._path, self._model = path, model
        # By settings, those used last at the end; None: the model's own.
        self._prepared: OrderedDict[SimilarityConfig | None, Neighbours] = OrderedDict()
        self._lock = threading.Lock()
        room = _MOST_PREPARED // (_PREPARED_PER_ITEM * max(len(model.items), 1))
        self._most_prepared = min(max(room, _FEWEST_PREPARED), _MOST_SETTINGS)
        self._places: Indices = np.full(len(model.items), -1, dtype=np.int32)
        self._items: Indices = np.empty((0, LENGTH), dtype=np.int32)
        self._scores: Floats = np.empty((0, LENGTH), dtype=np.float32)
        self.is_ready = False
        self.look()

    @property
    def is_able(self) -> bool:
        """Whether the model compares items."""
        return compares_items(self._model)

    def prepare(self) -> None:
        """Prepare answers by the model's own settings, if it compares items.

        Raises
        ------
        FitError
            An item's factors are not finite.
        """
        if self.is_able:
            self._neighbours(None)

    def look(self) -> None:
        """Map the file if it exists now; remove it if it is damaged."""
        if self.is_ready or not self._path.exists():
            return
        try:
            tensors = read_tensors(self._path, map_file(self._path))
            rows, items, scores = (tensors[name] for name in ("rows", "items", "scores"))
            digest = _digest(self._model, (rows, items, scores))
            sound = tensors["digest"].tobytes() == digest
        except (BundleError, KeyError):
            sound = False
        if not sound or len(rows) > len(self._places):
            self._path.unlink(missing_ok=True)
            return
        places = np.full(len(self._places), -1, dtype=np.int32)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        # Set last: other threads read it first.
        self._items, self._scores = items, scores
        self._places, self.is_ready = places, True

    def is_precomputed(self, row: int, k: int, similarity: SimilarityConfig | None = None) -> bool:
        """Whether the list of an item is in the file."""
        return bool(self._places[row] >= 0) and k <= LENGTH and similarity is None

    def similar(
        self,
        row: int,
        k: int,
        *,
        similarity: SimilarityConfig | None = None,
        min_count: int = MIN_COUNT,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return similar items as `Neighbours.similar`, by these settings or the model's own.

        Raises
        ------
        Unable
            The model compares no items, or settings are given and it has no dial.
        """
        is_plain = min_count == MIN_COUNT and may_appear is None and limits is None
        if not is_plain or not self.is_precomputed(row, k, similarity):
            return self._neighbours(similarity).similar(
                row, k, min_count=min_count, may_appear=may_appear, limits=limits
            )
        place = self._places[row]
        items = self._items[place, :k]
        found = int(np.count_nonzero(items >= 0))
        return items[:found], self._scores[place, :found]

    def similar_to_set(
        self,
        rows: Indices,
        k: int,
        *,
        similarity: SimilarityConfig | None = None,
        min_count: int = MIN_COUNT,
        may_appear: Mask | None = None,
        limits: Limits | None = None,
    ) -> tuple[Indices, Floats]:
        """Return items similar to a set of distinct items, as `Neighbours.similar_to_set`.

        Raises
        ------
        Unable
            The model has no affinities.
        """
        return self._neighbours(similarity).similar_to_set(
            rows, k, min_count=min_count, may_appear=may_appear, limits=limits
        )

    def _neighbours(self, similarity: SimilarityConfig | None) -> Neighbours:
        """Return what compares by these settings; the model's own stay prepared."""
        with self._lock:
            found = self._prepared.get(similarity)
            if found is not None:
                self._prepared.move_to_end(similarity)
                return found
        made = Neighbours(expect_item_scorer(self._model, "compare items"), similarity)
        with self._lock:
            self._prepared[similarity] = made
            others = [one for one in self._prepared if one is not None]
            for one in others[: max(len(others) - self._most_prepared, 0)]:
                del self._prepared[one]
        return made


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


def build(
    path: Path,
    model: FittedModel,
    *,
    most_work: float = _MOST_WORK,
    most_seconds: float = _MOST_SECONDS,
    block_rows: int = _PART,
    compiled: bool = False,
) -> None:
    """Find similar items of the most liked items, and write them to one file.

    Nothing is written if the model compares no items. Only the first block of rows may begin after
    `most_seconds`. With `compiled`, lists by affinities are made by the compiled kernels, which
    give the same bytes sooner; not in the process of a server.

    Raises
    ------
    WritingError
        It cannot be written.
    """
    if not compares_items(model):
        return
    lists, end = _lists_of(model, compiled=compiled), time.monotonic() + most_seconds
    block_rows *= _COMPILED_PARTS if compiled else 1
    width = model.factors if isinstance(model, HasFactors) else _AS_FACTORS
    each = max(1, len(model.items) * width)
    rows = model.items_by_likes[: int(most_work // each)]
    items = np.empty((len(rows), LENGTH), dtype=np.int32)
    scores = np.empty((len(rows), LENGTH), dtype=np.float32)

    def find(start: int) -> int:
        """Fill one block; return its number of rows, 0 after the deadline."""
        part = slice(start, start + block_rows)
        if start and time.monotonic() > end:
            return 0
        items[part], scores[part] = lists(rows[part])
        return len(rows[part])

    threads = min(_THREADS, processors())
    with (
        ThreadpoolController().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(threads) as pool,
    ):
        found = list(pool.map(find, range(0, len(rows), block_rows)))
    # All blocks before the first late one.
    n_found = sum(itertools.takewhile(bool, found))
    rows, items, scores = rows[:n_found], items[:n_found], scores[:n_found]
    digest = np.frombuffer(_digest(model, (rows, items, scores)), dtype=np.uint8)
    content = pack_tensors({"rows": rows, "items": items, "scores": scores, "digest": digest})
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError as error:
        raise WritingError(f"{path}: cannot be written ({error.strerror}).") from error


def _lists_of(model: FittedModel, *, compiled: bool) -> Callable[[Indices], tuple[Indices, Floats]]:
    """Return what lists the similar items of many items; -1 and NaN where there are fewer."""
    if compiled and affinity_terms_of(model) is not None:
        with contextlib.suppress(CompilerError):  # the same lists, only later
            from alsolike.recommending.similarity import similar_indices  # noqa: PLC0415

            scorer = expect_item_scorer(model, "compare items")

            def ranked(rows: Indices) -> tuple[Indices, Floats]:
                found = similar_indices(scorer, rows, k=LENGTH, engine=LocalEngine(1))
                scores = np.where(found.indices >= 0, found.scores, np.float32(np.nan))
                return found.indices, scores

            return ranked
    neighbours = Neighbours(model)
    return lambda rows: neighbours.similar_to_many(rows, LENGTH)


def _digest(model: FittedModel, arrays: Iterable[Indices | Floats]) -> bytes:
    """Return the digest of lists by a model's own settings, which belong to them."""
    settings = {}
    if isinstance(model, HasAffinities):
        own = model.similarity_config
        settings = {**own.to_settings(), "affinity": own.affinity or model.affinities[0]}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode("ascii"))
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


if __name__ == "__main__":
    # Answers come first where they ask for the same processors. Windows has no such call.
    with contextlib.suppress(AttributeError, OSError):
        os.nice(_NICENESS)
    served = load(Path(sys.argv[1]))
    build(Path(sys.argv[2]), served, compiled=len(served.items) >= _MANY_ITEMS)
