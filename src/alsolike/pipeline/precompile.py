"""Compiles the kernels of a run in other processes, for the cache on disk.

Numba compiles one kernel at a time in each process. So the kernels are divided into shares of about
equal work, each with a process of its own. A process that needs a kernel meanwhile waits for it
instead of compiling it, too (`alsolike.kernels.compiler.cache.expect`).
"""

import contextlib
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.metrics.evaluate import measured
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.list_contents import GroupContents, ItemContents
from alsolike.evaluation.metrics.squared_errors import mean_squared_error
from alsolike.evaluation.metrics.ties import Members
from alsolike.kernels.compiler.cache import expect, is_kept, keeps
from alsolike.kernels.ranking.affinity_marks import rank_marks
from alsolike.kernels.ranking.metrics import measure_lists
from alsolike.kernels.ranking.panels import scan_panels
from alsolike.kernels.ranking.topk import scan_block
from alsolike.kernels.solver.batch import SMALL, solve_small
from alsolike.kernels.solver.single import solve_single
from alsolike.models.als.config import ALSConfig, SolverConfig
from alsolike.models.als.gramian_basis import gramian, turned
from alsolike.models.als.half_sweep import Side, solve_side
from alsolike.models.als.model import ALSModel
from alsolike.models.als.train import fit
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named, trained
from alsolike.recommending.batch import source_of, top_items
from alsolike.recommending.ranking.affinity import AffinitySource
from alsolike.recommending.ranking.exclusion import with_excluded
from alsolike.recommending.ranking.scan import Ranked
from alsolike.recommending.similarity import similar_at_marks, similar_indices
from alsolike.storage.cleanup import undone_at_end

# One at a time: the work of a share is compiling, and that is serial.
_ENGINE = LocalEngine(1)
_SOLVER = frozenset((solve_small, solve_single))
# Its equations are easy: all rows are solved in float32.
_EASY = ALSConfig(
    confidence="linear", unobserved_weight=1.0, regularization=10.0, regularization_exponent=0.0,
    iterations=1,
)  # fmt: skip


def is_compiled(families: Sequence[str] | None = None) -> bool:
    """Return whether the kernels of runs of these families (None: of any) are in the cache."""
    ranking = (
        (solve_small, solve_single, scan_panels, rank_marks)
        if _solves(families)
        else (scan_block, measure_lists, rank_marks)
    )
    return all(map(is_kept, {*ranking, *_kernels(families)}))


@contextlib.contextmanager
def ahead(families: Sequence[str] | None = None) -> Iterator[bool]:
    """Make other processes compile missing kernels within the context; yield whether they do.

    If compiled code cannot be cached, none is started, and each kernel is compiled when needed.

    Parameters
    ----------
    families : sequence of str or None
        Families to train; None: the usual ones.

    Examples
    --------
    >>> with ahead():
    ...     likes = _full(3)  # reading a table takes a while, too
    >>> _fitted(likes, factors=2)  # waits for kernels that are being compiled
    ALSModel(3 users, 3 items, 2 factors, 1 sweeps)
    """
    needed = keeps() and not is_compiled(families)
    with _helping(_shares(families) if needed else ()) as helpers:
        expect(helpers)
        yield needed


def compile_all() -> None:
    """Compile all kernels of a run that are not compiled yet, in this process and another."""
    first, *others = _shares(None)
    needed = keeps() and not is_compiled()
    with _helping(others if needed else ()) as helpers:
        _ALL[first]()
        for helper in helpers:
            helper.wait()
    for share in others:  # loads what the helpers cached, compiles the rest
        _ALL[share]()


def _shares(families: Sequence[str] | None) -> list[str]:
    """Return the shares that runs of these families need."""
    shares = list(SHARES if _solves(families) else MEASURES)
    return [*shares, *OTHERS] if _kernels(families) - _SOLVER else shares


def _solves(families: Sequence[str] | None) -> bool:
    """Return whether the training of any of these families solves rows of factors."""
    return not _SOLVER.isdisjoint(_kernels(families))


def _kernels(families: Sequence[str] | None) -> set[Any]:
    """Return the kernels of trainings of these families, None: of all."""
    chosen = trained() if families is None else map(family_named, families)
    return {kernel for family in chosen for kernel in family.kernels(family.config())}


@contextlib.contextmanager
def _helping(shares: Iterable[str]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start a process for each share; they end with the block, or with this process."""
    helpers: list[subprocess.Popen[bytes]] = []

    def end() -> None:
        for helper in helpers:
            helper.kill()
            helper.wait()
            if helper.stdin is not None:
                helper.stdin.close()

    with undone_at_end(end):
        try:
            for share in shares:
                helpers.append(_helper(share))
            yield helpers
        finally:
            end()


def _helper(share: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "alsolike.pipeline.precompile", share]
    nowhere = subprocess.DEVNULL
    # The pipe closes with this process, even one that is ended before it knows of the helper.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere)


def _end_with_parent() -> None:
    """End this process when the one that started it has ended, which closes standard input."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _short_rows_and_lists() -> None:
    """Use the kernels that solve short rows and that rank."""
    likes = _full(4)
    model = _fitted(likes, factors=4)
    lists = top_items(model, [0], k=1, exclude=likes.user_items, engine=_ENGINE)
    with_excluded(model, [0], lists, likes.user_items, k=1, engine=_ENGINE)
    first = np.zeros(1, dtype=np.int32)
    next(source_of(model, first).scored(slice(0, 1), np.zeros(1, dtype=np.int64)))


def _long_rows_and_measures() -> None:
    """Use the kernels that solve long rows and that measure lists."""
    _solve_users(_full(SMALL + 8), factors=SMALL + 8)
    items = np.eye(8, dtype=np.float32)
    turned(items, gramian(items, _ENGINE, in_float32=True), _ENGINE, in_float32=True)
    _measures()
    likes = _full(4)
    mean_squared_error(_untrained(likes), likes, engine=_ENGINE)


def _measures() -> None:
    """Use the kernels that rank and measure lists of models without factors."""
    likes = _full(4)
    truth = GroundTruth.of(likes, None, None)
    lists = Ranked.empty(len(truth.users), 2)
    names = ["precision", "auc", "novelty", "diversity"]
    contents = ItemContents.of(names, likes, None)
    measured(fit_popularity(likes), truth, lists, [1], names, _ENGINE, contents=contents)
    GroupContents(contents, lists, 1)(np.zeros(1, np.int64), Members.none(1, likes.n_items))
    top_items(fit_popularity(likes), [0], k=1, engine=_ENGINE)


def _other_families() -> None:
    """Use the kernels of families that solve nothing, and those that rank by their models."""
    likes = _full(4)
    for family in trained():
        config = family.config()
        code = family.code(config, likes)
        if code is None or not _SOLVER.isdisjoint(family.kernels(config)):
            continue
        model = family.fit(TrainingData(likes), family.small(code), engine=_ENGINE)
        first = np.zeros(1, dtype=np.int32)
        top_items(model, first, k=1, exclude=likes.user_items, engine=_ENGINE)
        next(source_of(model, first).scored(slice(0, 1), np.zeros(1, dtype=np.int64)))


def _similar_items() -> None:
    """Use the kernels that rank similar items, alone and at several marks of the dial."""
    likes = _full(4)
    rows, everything = np.zeros(1, dtype=np.int32), slice(0, 1)
    model = replace(_untrained(likes), history=likes)
    similar_indices(model, rows, k=1, engine=_ENGINE)
    similar_at_marks(model, rows, k=1, marks=(0.0,), engine=_ENGINE)
    next(AffinitySource(rows, model.affinity_terms()).scored(everything, np.zeros(1, np.int64)))


def _full(size: int) -> Interactions:
    """Return likes of all users for all items, so that all rows have one length."""
    names = [f"{number:03}" for number in range(size)]
    return Interactions.from_columns(np.repeat(names, size), names * size)


def _fitted(likes: Interactions, *, factors: int) -> ALSModel:
    config = replace(_EASY, factors=factors)
    return fit(likes, config, engine=_ENGINE)


def _solve_users(likes: Interactions, *, factors: int) -> None:
    """Run half a sweep, without kernels of the other share."""
    objective = _EASY.loss_config
    side = Side.of(likes.user_items, objective, "user", likes.users)
    items = np.eye(likes.n_items, factors, dtype=np.float32)
    users = np.zeros((likes.n_users, factors), dtype=np.float32)
    solve_side(side, items, np.ones(factors), users, objective, SolverConfig(), _ENGINE)


def _untrained(likes: Interactions) -> ALSModel:
    users, items = (np.ones((len(ids), 1), np.float32) for ids in (likes.users, likes.items))
    eigenvalues = np.ones(1)
    return ALSModel(
        likes.users, likes.items, users, items, likes.item_counts, eigenvalues=eigenvalues
    )


SHARES: dict[str, Callable[[], None]] = {
    "short-rows-and-lists": _short_rows_and_lists,
    "long-rows-and-measures": _long_rows_and_measures,
    "similar-items": _similar_items,
}
# For families without a solver: a part of the second share, and the last.
MEASURES: dict[str, Callable[[], None]] = {
    "measures": _measures,
    "similar-items": _similar_items,
}
# For families with kernels of their own.
OTHERS: dict[str, Callable[[], None]] = {"other-families": _other_families}
_ALL = SHARES | MEASURES | OTHERS

if __name__ == "__main__":
    _end_with_parent()
    # Garbage collection takes a tenth of the time, and this process ends soon.
    gc.disable()
    _ALL[sys.argv[1]]()
