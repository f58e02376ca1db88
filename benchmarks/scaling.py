"""How the seconds of a sweep and the peak memory grow with the data, and what two threads gain.

Run as ``python benchmarks/scaling.py [--millions 1,3,10,30] [--users 200000] [--items 50000]
[--factors 64]``. Each table is made and stored by a process of its own, so that making it is not in
the peak of those that train on it, each another process of its own. In one of them a training goes
on while its sweeps take turns with one thread and with two: the results do not depend on them.

Printed are the exponent (least squares on logarithms of seconds and interactions) with either
number of threads; what two threads gain, beside what this machine's own float32 matrix product
gains; and the peak memory beside its bound: both forms of the table in CSR, both factor matrices,
64 MiB, and a process with the same libraries that does a tiny fit. The peak is that of a process
that only fits, three sweeps with two threads; it stands in one row of the two, as does what cache
misses cost: the share of a sweep that it is shorter where all interactions are with a few columns.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from _side_by_side import (
    MIB,
    Report,
    Row,
    arguments,
    clock,
    held,
    hu2008,
    listed,
    own_peak,
    product_rate,
    seconds_of,
    store,
    stored_table,
    take_turns,
)
from alsolike.data.datasets.synthetic import synthetic
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.half_sweep import Side, solve_side
from alsolike.models.als.train import fit, iterate
from alsolike.models.factor_model import FactorModel

CONFIG = hu2008()
THREADS = (1, 2)
ALLOWED_MIB = 64  # beside what must be held
OPEN_END = 1_000_000  # sweeps of a training that is stopped from outside
NEAR = 512  # columns whose factors stay in the second-level cache
FITTED = 3  # sweeps of the fit whose memory is measured
MAKE, TRAIN, FIT, BARE = "make", "train", "fit", "bare"


class TakingTurns:
    """An engine with a number of threads that can be changed between sweeps."""

    def __init__(self) -> None:
        self.engine = LocalEngine(1)

    @property
    def threads(self) -> int:
        """How many pieces may run at once just now."""
        return self.engine.threads

    def each(self, work: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """Return ``[work(task) for task in tasks]``."""
        return self.engine.each(work, tasks)


def trained(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of sweeps by threads, for a stored table."""
    likes, engine = stored_table(asked.stored, "likes"), TakingTurns()
    config = replace(CONFIG, factors=asked.factors, iterations=OPEN_END, solver=asked.solver)
    models = iterate(likes, config, engine=engine)

    def sweep(threads: int) -> float:
        engine.engine = LocalEngine(threads)
        with held(threads):
            return seconds_of(lambda: next(models))

    clocks = {str(threads): lambda threads=threads: sweep(threads) for threads in THREADS}
    seconds = take_turns(clocks, asked.turns)
    return {"seconds": seconds, "misses": misses(likes, config, next(models), asked.turns)}


def misses(likes: Interactions, config: ALSConfig, model: FactorModel, turns: int) -> float:
    """Return the share of a sweep that waits for factors which no cache holds.

    That is what it takes longer than the same rows whose interactions are all with a few columns.
    """
    engine = LocalEngine(max(THREADS))
    objective, solver = config.loss_config, config.solver_config

    def halves(*, near: bool) -> Callable[[], float]:
        sides = [
            (Side.of(folded(matrix) if near else matrix, objective, kind, None), other, own)
            for matrix, kind, other, own in (
                (likes.item_users, "item", model.user_factors, model.item_factors),
                (likes.user_items, "user", model.item_factors, model.user_factors),
            )
        ]

        def solve() -> None:
            for side, other, own in sides:
                values = np.square(other, dtype=np.float64).sum(axis=0)
                solve_side(side, other, values, np.zeros_like(own), objective, solver, engine)

        return clock(solve, 1)

    taken = take_turns({"far": halves(near=False), "near": halves(near=True)}, turns)
    return 1 - statistics.median(taken["near"]) / statistics.median(taken["far"])


def folded(matrix: sp.csr_array) -> sp.csr_array:
    """Return the matrix with as many interactions in each row, all with the first columns."""
    return sp.csr_array((matrix.data, matrix.indices % NEAR, matrix.indptr), matrix.shape)


def fitted(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the peak memory of a fit to a stored table, and what must be held."""
    likes = stored_table(asked.stored, "likes")
    config = replace(CONFIG, factors=asked.factors, iterations=FITTED, solver=asked.solver)
    fit(likes, config, engine=LocalEngine(max(THREADS)))
    return {"peak": own_peak(), "held": must_hold(likes, asked.factors) / MIB}


def must_hold(likes: Interactions, factors: int) -> int:
    """Return the bytes of both forms of the table and of both factor matrices."""
    csr = sum(
        part.nbytes
        for matrix in (likes.user_items, likes.item_users)
        for part in (matrix.data, matrix.indices, matrix.indptr)
    )
    return csr + 4 * factors * (likes.n_users + likes.n_items)


def bare(asked: argparse.Namespace) -> dict[str, Any]:
    """Return the peak memory of a process that does a tiny fit alone."""
    config = replace(CONFIG, factors=asked.factors, iterations=2, solver=asked.solver)
    fit(synthetic(100, 50, 1_000, minimum=2), config, engine=LocalEngine(max(THREADS)))
    return {"peak": own_peak()}


def made(asked: argparse.Namespace) -> dict[str, Any]:
    """Make a table and store it."""
    likes = synthetic(asked.users, asked.items, asked.interactions)
    store(asked.stored, likes=likes.user_items)
    return {"shown": repr(likes)}


def told_by(step: str, asked: argparse.Namespace, *more: object) -> dict[str, Any]:
    """Return what a process of its own tells of one step."""
    names = ("users", "items", "factors", "turns", "solver")
    given = [part for name in names for part in (f"--{name}", getattr(asked, name))]
    command = [sys.executable, sys.argv[0], "--alone", step, *map(str, (*given, *more))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def rows_of(
    millions: float, asked: argparse.Namespace, bare_mib: float
) -> tuple[list[Row], dict[int, float]]:
    """Return the rows of one size, and the median seconds by threads."""
    with tempfile.TemporaryDirectory() as folder:
        where = ("--stored", folder)
        told_by(MAKE, asked, *where, "--interactions", round(millions * 1e6))
        found = told_by(TRAIN, asked, *where) | told_by(FIT, asked, *where)
    bound = round(found["held"] + ALLOWED_MIB + bare_mib)
    rows, medians = [], {}
    for threads in THREADS:
        seconds = found["seconds"][str(threads)]
        medians[threads] = statistics.median(seconds)
        more = {"bound_mib": bound, "gain": medians[THREADS[0]] / medians[threads]}
        if threads == max(THREADS):
            more["misses"] = found["misses"]
        measured = threads == max(THREADS) and not asked.no_memory
        name = f"alsolike {asked.solver}, threads {threads}"
        peak = found["peak"] if measured else None
        rows.append(Row(f"sweep, {millions:g} million", name, seconds, peak_mib=peak, more=more))
    return rows, medians


def exponent(millions: Sequence[float], seconds: Sequence[float]) -> float | None:
    """Return the slope of log seconds over log interactions; None for a single size."""
    if len(millions) < 2:
        return None
    return float(np.polyfit(np.log(millions), np.log(seconds), 1)[0])


def main() -> int:
    """Print and keep one table of all sizes, the exponents and the gains."""
    parser = arguments(__doc__)
    parser.add_argument("--millions", default="1,3,10,30", help="interactions, in millions")
    parser.add_argument("--users", type=int, default=200_000)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--solver", default="exact")
    parser.add_argument("--interactions", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        print(json.dumps({MAKE: made, TRAIN: trained, FIT: fitted, BARE: bare}[asked.alone](asked)))
        return 0
    rates = {threads: product_rate(threads) for threads in THREADS}
    told_by(BARE, asked)  # which compiles kernels that no process has left in the cache
    bare_mib = told_by(BARE, asked)["peak"]
    sizes = [float(size) for size in listed(asked.millions)]
    rows: list[Row] = []
    medians: list[dict[int, float]] = []
    for millions in sizes:
        of_size, seconds = rows_of(millions, asked, bare_mib)
        rows, medians = rows + of_size, [*medians, seconds]
    slopes = {n: exponent(sizes, [each[n] for each in medians]) for n in THREADS}
    gain = rates[2] / rates[1]
    Report("scaling", asked).section(
        f"{asked.users:,} users x {asked.items:,} items, {asked.factors} factors",
        rows,
        settings={"alsolike": f"{replace(CONFIG, factors=asked.factors).to_settings()}"},
        exponents=slopes,
        product_gain=gain,
        product_gflops_by_threads=rates,
        bare_mib=bare_mib,
    )
    shown = ", ".join(f"{slope:.3f} with threads {n}" for n, slope in slopes.items() if slope)
    print(f"exponent of seconds over interactions: {shown or 'needs two sizes'}")
    print(f"two threads gain {gain:.2f} in a matrix product; a sweep: column gain")
    print(f"a process with a tiny fit alone: {bare_mib:.0f} MiB, which is in the bound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
