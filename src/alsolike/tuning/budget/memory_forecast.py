"""Forecasts the peak memory of a run or a search before it starts.

Once a table is read, filtered and split, the sizes of all later large arrays are known. The
forecast adds them up for each stage of the run, and takes the largest sum. Bytes of code and of
libraries are measured. Freed memory counts as free.
"""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.engines.base import Shape
from alsolike.engines.hardware import taken
from alsolike.kernels.compiler.cache import is_kept, is_loaded
from alsolike.kernels.ranking.panels import scan_panels
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_of
from alsolike.recommending.ranking.scan import QUERIES_PER_BLOCK

MIB = 1 << 20

_KERNELS = 60 * MIB  # the compiler's library and the kernels, loaded with the first kernel
_COMPILER = 80 * MIB  # compiling, if any kernel has to be
_LIBRARIES = 120 * MIB  # a process that has only loaded the libraries
# The library that draws the figures, with fonts, and what it keeps for each scored point.
_DRAWING = 110 * MIB
_POINT = 15_000

_PAIR = 8  # a pair in CSR: an int32 and a float32
_TEXT = 58  # a Python string, without its characters
_POINTER = 8
_AT_MARKS = 1_000  # lists of similar items of an item at all marks
# Scores that AUC holds at once in each thread (evaluation/metrics/evaluate.py).
_AUC_SCORES = 16 * MIB


@dataclass(frozen=True)
class MemoryForecast:
    """The forecast peak memory of a run.

    Parameters
    ----------
    present, so_far : int
        Bytes of the process now, and at its peak until now.
    stages : mapping of str to int
        Bytes that each stage of the run adds to `present`.
    workers, each : int
        Worker processes, and the bytes of each.
    what : str
        Beginning of the text.
    """

    present: int
    so_far: int
    stages: Mapping[str, int]
    workers: int = 0
    each: int = 0
    what: str = "memory"

    @property
    def peak(self) -> int:
        """Bytes at the peak."""
        return max(self.so_far, self.present + self.more)

    @property
    def more(self) -> int:
        """Bytes at the peak above the present ones, without those of the workers."""
        return max(self.stages.values())

    def danger(self, free: int | None) -> str | None:
        """Return a warning if more than the `free` bytes are needed; None: unknown."""
        needed = self.more + self.workers * self.each
        if free is None or needed <= free:
            return None
        return (
            f"This run may need {_mib(needed)} more memory, but only {_mib(free)} is free: the "
            "system may kill it. Use fewer factors or families, or a stricter filter "
            "(min_per_user, min_per_item)."
        )

    def __str__(self) -> str:
        text = f"{self.what}: peak of about {_mib(self.peak)}"
        if not self.workers:
            return text
        return f"{text}, and about {_mib(self.each)} in each of {self.workers:,} workers"


def forecast(
    kept: Interactions,
    configs: Sequence[Any],
    *,
    points: int,
    test_users: int,
    folds: int,
    shelf: int,
    threads: int,
    baselines: int = 0,
    workers: int = 1,
    part: int | None = None,
) -> MemoryForecast:
    """Forecast the memory of a run before it trains.

    Parameters
    ----------
    kept : Interactions
        The filtered interactions. They and the parts of the split are in memory already.
    configs : sequence of Config
        All that may be chosen, of any family.
    points : int
        Scored points of all learning curves.
    test_users : int
    folds : int
        Splits on which the similar items of finalists are measured, one after the other.
    shelf : int
        Length of the lists of similar items and of recommendations.
    threads : int
    baselines : int
        Peak bytes of all trainings that are scored only at their end; see `at_once`.
    workers : int
        Processes that train; 1: this one does.
    part : int or None
        Users whose recommendations are made and written together; None: all of them.
    """
    pairs, trainings = _PAIR * kept.n_interactions, _trainings(kept, configs, threads)
    auc = min(threads, math.ceil(4 * test_users * kept.n_items / _AUC_SCORES)) * _AUC_SCORES
    similar, of_similar = _shelf(kept, kept.items.ids, shelf)
    listed = kept.n_users if part is None else min(part, kept.n_users)
    recommended, of_recommended = _shelf(kept, kept.users.ids, shelf, n_owners=listed)
    tables, later_table = similar + recommended, similar + of_recommended
    shape = Shape(threads, threads) if workers == 1 else Shape(workers, threads, workers)
    swept = [one for one in configs if family_of(one).scored == "sweeps"]
    searching = search_memory(kept, swept, shape, baselines=baselines)
    # Each training table is in memory twice, by users and by items; that of the search remains.
    stages = {
        "test": 3 * pairs + _most(max(one.peak, one.scored + auc) for one in trainings),
        "finalists": (3 + 2 * folds) * pairs
        + _most(max(one.peak, one.model + one.similar) for one in trainings)
        + _AT_MARKS * kept.n_items,
        "shelves": 2 * pairs
        + _most(
            max(one.peak, one.model + max(one.similar, of_similar, later_table))
            for one in trainings
        ),
        "writing": 2 * pairs
        + _most(one.model + _bundle(kept) for one in trainings)
        + tables
        + _drawing(points),
    }
    code = _code(configs)
    later = {name: code + size for name, size in stages.items()}
    return replace(searching, stages={**searching.stages, **later}, what="memory")


def search_memory(
    train: Interactions,
    configs: Sequence[Any],
    shape: Shape,
    *,
    baselines: int = 0,
) -> MemoryForecast:
    """Forecast the memory of only a search; `shape` is that of its trainings.

    Parameters
    ----------
    train : Interactions
    configs : sequence of Config
        Of the families that are scored at sweeps.
    shape : Shape
    baselines : int
        As of `forecast`.
    """
    pairs = _PAIR * train.n_interactions
    trainings = _trainings(train, configs, shape.threads)
    one = _most(max(each.searched, each.held + each.scored) for each in trainings)
    code, (present, so_far) = _code(configs), taken()
    here = 0 if shape.processes else min(shape.beside, len(configs))
    stages = {
        "baselines": code + pairs + (0 if shape.processes else baselines),
        "search": code + pairs + here * one,
    }
    # A worker has libraries, code, and its own copies of the split in both forms.
    each = _LIBRARIES + _KERNELS + 3 * pairs + max(one, baselines)
    what = "memory of the search"
    return MemoryForecast(present, so_far, stages, shape.processes, shape.processes and each, what)


def at_once(interactions: Interactions, configs: Sequence[Any], threads: int) -> int:
    """Return the bytes of the largest of these trainings, as many at once as there are threads."""
    data = TrainingData(interactions)
    needed = (family_of(one).memory(data, one, threads=1) for one in configs)
    return sum(sorted(needed)[-threads:])


def largest(interactions: Interactions, configs: Sequence[Any]) -> int:
    """Return the bytes of the largest model of these."""
    return _most(one.model for one in _trainings(interactions, configs, 1))


def _trainings(
    train: Interactions, configs: Sequence[Any], threads: int
) -> list["_TrainingMemory"]:
    return [_TrainingMemory(TrainingData(train), config, threads) for config in configs]


def _most(sizes: Iterable[int]) -> int:
    return max(sizes, default=0)


class _TrainingMemory:
    """The bytes of one training, without those of the pairs.

    Attributes
    ----------
    model : int
        Only the model.
    peak, held : int
        See `alsolike.models.family.Family.memory` and `held`.
    searched : int
        The training within a search: if scored at sweeps, its last model is kept during the next.
    scored : int
        The model, and scoring it on its training data.
    similar : int
        Listing similar items, without the model.
    """

    def __init__(self, data: TrainingData, config: Any, threads: int) -> None:
        family, train = family_of(config), data.interactions
        self.model = int(family.cost(config, train.n_users, train.n_items))
        self.peak, self.held = family.memory(data, config, threads), family.held(data, config)
        self.searched = self.peak + (self.model if family.scored == "sweeps" else 0)
        f = family.factors(config)
        blocks = 0 if f else threads * 4 * QUERIES_PER_BLOCK * train.n_items
        self.scored = self.model + (_scoring(train, f) if f else blocks)
        self.similar = 4 * f * train.n_items + _ranking(train, f) + blocks


def _scoring(kept: Interactions, f: int) -> int:
    """Return the bytes of scoring factors on their training data, without the model.

    Either the pairs as float64 with indices, twice, and the items as float64; or the pairs once,
    and a ranking.
    """
    squared = 2 * (8 + 4) * kept.n_interactions + 8 * f * kept.n_items
    return max(squared, (8 + 4) * kept.n_interactions + _ranking(kept, f))


def _ranking(kept: Interactions, f: int) -> int:
    """Return the bytes of a ranking: the items scaled, and rearranged."""
    return (4 + 4) * f * kept.n_items


def _shelf(
    kept: Interactions, owners: StringArray, k: int, *, n_owners: int | None = None
) -> tuple[int, int]:
    """Return the bytes of a table of `k` items for `n_owners` of `owners`, and of making it."""
    n_owners = len(owners) if n_owners is None else n_owners
    names = kept.catalogue.names if kept.catalogue is not None else None
    queries = n_owners * (_TEXT + _letters(owners))
    done = _POINTER + 4 + 4.0  # per row: the query, the rank, the score
    most = 0.0
    for texts in (kept.items.ids, names):
        if texts is not None:
            length = _letters(texts)
            # First the bytes are gathered, then cut into Python strings.
            picked, cut = 17 * length + 24, 3 * length + _TEXT + 56
            most = max(most, done + max(picked, cut))
            done += _POINTER + _TEXT + length
    # Meanwhile there are the indices of ranks and items in the lists, and the lists.
    rows, meanwhile = k * n_owners, 8 + 8 + 4 + 8
    return math.ceil(queries + rows * done), math.ceil(queries + rows * (most + meanwhile))


def _letters(texts: StringArray) -> float:
    return len(texts.blob) / max(len(texts), 1)


def _bundle(kept: Interactions) -> int:
    """Return the bytes of saving: ids as strings, to be checked; files are written in pieces."""
    ids = [8 * len(texts) + len(texts.blob) for texts in (kept.users.ids, kept.items.ids)]
    return (_TEXT + _POINTER) * max(kept.n_users, kept.n_items) + max(ids)


def _code(configs: Sequence[Any]) -> int:
    """Return the bytes of compiled code that this process has not loaded yet."""
    wanted: set[Any] = {scan_panels}
    for config in configs:
        wanted |= set(family_of(config).kernels(config))
    if all(map(is_loaded, wanted)):
        return 0
    return _KERNELS + (0 if all(map(is_kept, wanted)) else _COMPILER)


def _drawing(points: int) -> int:
    """Return the bytes of drawing figures of so many scored points."""
    return _POINT * points + (0 if "vl_convert" in sys.modules else _DRAWING)


def _mib(size: int) -> str:
    return f"{max(round(size / MIB, -1), 10):,.0f} MiB"
