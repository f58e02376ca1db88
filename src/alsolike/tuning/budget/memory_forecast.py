"""How much memory a run or a search will need at its peak, said before it starts.

Once a table is read, filtered and split, all large arrays of what follows are known by size. The
forecast adds them up for each stage of the run, and takes the largest. Each term below says what it
counts; bytes of code and of libraries are measured, since nothing else tells them. What is freed
again in between is taken to be free.
"""

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.engines.base import Shape
from alsolike.engines.machine import taken
from alsolike.kernels.compiler.cache import is_kept, is_loaded
from alsolike.kernels.ranking.panels import scan_panels
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_of
from alsolike.recommending.ranking.scan import QUERIES_PER_BLOCK

MIB = 1 << 20

# The compiler's library and the kernels, read in with the first of these; and what the compiler
# takes where it has to make any of them, which then serves for the next.
_KERNELS = 60 * MIB
# A process that has loaded the libraries alone.
_USUAL = 120 * MIB
_COMPILER = 80 * MIB
# The library that draws the figures, with fonts, and what it holds on to for each scored point.
_DRAWING = 110 * MIB
_POINT = 15_000

_PAIR = 8  # a pair in CSR: an int32 and a float32
_TEXT = 58  # a string of Python's, and its letters besides
_POINTER = 8
# Scores that AUC holds at once in each thread (evaluation/metrics/evaluate.py).
_AUC_SCORES = 16 * MIB


@dataclass(frozen=True)
class Forecast:
    """What a run is expected to take at its peak.

    Parameters
    ----------
    present : int
        Bytes that the process takes now.
    so_far : int
        The most that it has taken so far.
    stages : mapping of str to int
        What each stage of the run adds to the present.
    workers : int
        Processes that train beside this one.
    each : int
        Bytes that each of them takes.
    what : str
        What it is the memory of.
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
        """Bytes at the peak above those of now, without those of the workers."""
        return max(self.stages.values())

    def danger(self, free: int | None) -> str | None:
        """Return a warning where the machine has less than that to give; None: nobody knows."""
        needed = self.more + self.workers * self.each
        if free is None or needed <= free:
            return None
        return (
            f"This run may need {_said(needed)} more memory, but only {_said(free)} is free: the "
            "system may kill it. Use fewer factors or families, or a stricter filter "
            "(min_per_user, min_per_item)."
        )

    def __str__(self) -> str:
        text = f"{self.what}: peak of about {_said(self.peak)}"
        if not self.workers:
            return text
        return f"{text}, and about {_said(self.each)} in each of {self.workers:,} workers"


def forecast(
    kept: Interactions,
    configs: Sequence[Any],
    *,
    points: int,
    test_users: int,
    shelf: int,
    threads: int,
    baselines: int = 0,
    workers: int = 1,
) -> Forecast:
    """Forecast the memory of a run from what is known before it trains.

    Parameters
    ----------
    kept : Interactions
        What the filter kept. It and the parts of the split are in memory already.
    configs : sequence of Config
        All that may be chosen, of any family.
    points : int
        Scored points of all learning curves.
    test_users : int
        Users on whom the chosen settings are judged.
    shelf : int
        Length of the lists of similar items and of recommendations.
    threads : int
    baselines : int
        Bytes that all trainings take at their peak that are scored at their end only, such as the
        baselines; see `at_once`.
    workers : int
        Processes that train; 1: this one does.
    """
    pairs, trainings = _PAIR * kept.n_interactions, _Trainings(kept, configs, threads)
    auc = min(threads, math.ceil(4 * test_users * kept.n_items / _AUC_SCORES)) * _AUC_SCORES
    similar, of_similar = _shelf(kept, kept.items.ids, shelf)
    recommended, of_recommended = _shelf(kept, kept.users.ids, shelf)
    tables, later_table = similar + recommended, similar + of_recommended
    shape = Shape(threads, threads) if workers == 1 else Shape(workers, threads, workers)
    swept = [one for one in configs if family_of(one).scored == "sweeps"]
    searching = search_memory(kept, swept, shape, baselines=baselines)
    # Each table that is trained on is there twice, by users and by items. The search's stays so.
    stages = {
        "test": 3 * pairs + trainings.most(lambda one: max(one.peak, one.judged + auc)),
        "shelves": 2 * pairs
        + trainings.most(
            lambda one: max(one.peak, one.model + max(one.shelves, of_similar, later_table))
        ),
        "writing": 2 * pairs
        + trainings.most(lambda one: one.model + _bundle(kept, one.model))
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
) -> Forecast:
    """Forecast the memory of a search alone; `shape` is that of its trainings.

    Parameters
    ----------
    train : Interactions
    configs : sequence of Config
        Of the families that are scored at sweeps.
    shape : Shape
    baselines : int
        As of `forecast`.
    """
    pairs, trainings = _PAIR * train.n_interactions, _Trainings(train, configs, shape.threads)
    one = trainings.most(lambda one: max(one.searched, one.held + one.judged))
    code, (present, so_far) = _code(configs), taken()
    here = 0 if shape.processes else min(shape.beside, len(configs))
    stages = {
        "baselines": code + pairs + (0 if shape.processes else baselines),
        "search": code + pairs + here * one,
    }
    # A worker has libraries, code, and its own copies of the split and of the other form of it.
    each = _USUAL + _KERNELS + 3 * pairs + max(one, baselines)
    what = "memory of the search"
    return Forecast(present, so_far, stages, shape.processes, shape.processes and each, what)


def at_once(interactions: Interactions, configs: Sequence[Any], threads: int) -> int:
    """Return what the dearest of these trainings take, as many at once as there are threads."""
    data = TrainingData(interactions)
    needed = (family_of(one).memory(data, one, threads=1) for one in configs)
    return sum(sorted(needed)[-threads:])


def largest(interactions: Interactions, configs: Sequence[Any]) -> int:
    """Return the bytes of the largest model of these."""
    return _Trainings(interactions, configs, 1).most(lambda one: one.model)


class _Trainings:
    """What trainings of these configurations take."""

    def __init__(self, train: Interactions, configs: Sequence[Any], threads: int) -> None:
        self._all = [_Training(TrainingData(train), config, threads) for config in configs]

    def most(self, bytes_of: Callable[["_Training"], int]) -> int:
        """Return the most that any of them takes."""
        return max(map(bytes_of, self._all), default=0)


class _Training:
    """What one training takes, in bytes besides the pairs.

    Attributes
    ----------
    model : int
        The model alone.
    peak, held : int
        See `alsolike.models.family.Family.memory` and `held`.
    searched : int
        The training where it is scored at sweeps: its last model is held while the next is done.
    judged : int
        The model, and what it takes to measure it on what it was trained on.
    shelves : int
        What it takes to list similar items, besides the model.
    """

    def __init__(self, data: TrainingData, config: Any, threads: int) -> None:
        family, train = family_of(config), data.interactions
        self.model = int(family.cost(config, train.n_users, train.n_items))
        self.peak, self.held = family.memory(data, config, threads), family.held(data, config)
        self.searched = self.peak + (self.model if family.scored == "sweeps" else 0)
        f = family.factors(config)
        blocks = 0 if f else threads * 4 * QUERIES_PER_BLOCK * train.n_items
        self.judged = self.model + (_judging(train, f) if f else blocks)
        self.shelves = 4 * f * train.n_items + _ranking(train, f) + blocks


def _judging(kept: Interactions, f: int) -> int:
    """Return what it takes to measure factors on what they were trained on, besides the model.

    Either the pairs as float64 with places, twice, beside the items as float64; or the pairs once,
    beside a ranking.
    """
    squared = 2 * (8 + 4) * kept.n_interactions + 8 * f * kept.n_items
    return max(squared, (8 + 4) * kept.n_interactions + _ranking(kept, f))


def _ranking(kept: Interactions, f: int) -> int:
    """Return what a ranking takes: the items twice, laid out anew, and their squares as float64."""
    return (4 + 4 + 8) * f * kept.n_items


def _shelf(kept: Interactions, asked: StringArray, k: int) -> tuple[int, int]:
    """Return what a table of `k` items for each of those `asked` holds, and takes to be made."""
    names = kept.catalogue.names if kept.catalogue is not None else None
    queries = len(asked) * (_TEXT + _letters(asked))
    done = _POINTER + 4 + 4.0  # of each row: the query, the rank, the score
    most = 0.0
    for texts in (kept.items.ids, names):
        if texts is not None:
            length = _letters(texts)
            # First picked by the place of each byte, then cut up by places, all as Python's own.
            picked, cut = 17 * length + 24, 3 * length + _TEXT + 56
            most = max(most, done + max(picked, cut))
            done += _POINTER + _TEXT + length
    # The rank's and item's places in the lists are there meanwhile, and the lists.
    rows, meanwhile = k * len(asked), 8 + 8 + 4 + 8
    return math.ceil(queries + rows * done), math.ceil(queries + rows * (most + meanwhile))


def _letters(texts: StringArray) -> float:
    return len(texts.blob) / max(len(texts), 1)


def _bundle(kept: Interactions, model: int) -> int:
    """Return what saving takes: the largest file, twice."""
    ids = [8 * len(texts) + len(texts.blob) for texts in (kept.users.ids, kept.items.ids)]
    columns = kept.catalogue.columns().values() if kept.catalogue is not None else ()
    known = [8 * len(texts) + len(texts.blob) for texts in columns]
    files = [model, sum(ids), sum(known), _PAIR * kept.n_interactions]
    checked = (_TEXT + _POINTER) * max(kept.n_users, kept.n_items) + max(ids)
    return max(checked, 2 * max(files))


def _code(configs: Sequence[Any]) -> int:
    """Return what compiled code is still to take in this process."""
    wanted: set[Any] = {scan_panels}
    for config in configs:
        wanted |= set(family_of(config).kernels(config))
    if all(map(is_loaded, wanted)):
        return 0
    return _KERNELS + (0 if all(map(is_kept, wanted)) else _COMPILER)


def _drawing(points: int) -> int:
    """Return what the figures of so many scored points are still to take in this process."""
    return _POINT * points + (0 if "vl_convert" in sys.modules else _DRAWING)


def _said(size: int) -> str:
    return f"{max(round(size / MIB, -1), 10):,.0f} MiB"
