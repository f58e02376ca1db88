"""Seconds per sweep (both sides) beside the peers, on the same data, factors and threads.

Run as ``python benchmarks/training.py [--data article|gowalla] [--factors 40,128]``. All take turns
(A B C A B C ...), each from the factors that its own last sweep left; the first turn, in which
kernels are compiled, is not counted. The objective is the same for all: confidence 1 + alpha * d,
one lambda, unscaled (alsolike.models.conversion). Peers run as they advise: their own threads, BLAS
held to one. Gowalla is read from the folder that ALSOLIKE_DATA names.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from alsolike.data.datasets import article_shape, gowalla
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als import iterate
from alsolike.models.config import ALSConfig
from alsolike.models.conversion import peer_values, to_peer

TURNS = 5
BASE = ALSConfig(alpha=10.0, regularization=1.0, iterations=1_000)

Sweep = Callable[[], object]


def likes_of(name: str) -> Interactions:
    """Return the data of that name."""
    if name == "article":
        return article_shape()
    if "ALSOLIKE_DATA" not in os.environ:
        sys.exit("Gowalla is read from the folder that ALSOLIKE_DATA names; it is not set.")
    return gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")[0]


def flops(likes: Interactions, factors: int) -> float:
    """Return the least floating-point operations of an exact sweep, by the dual where n < f.

    Per row: n f m for the system of size m = min(n, f) (half of it, by symmetry), m^3 / 3 to solve
    it, 4 n f for both sides of it. Per side: f^2 for each row of the Gramian.
    """
    total = 0.0
    for counts in (likes.user_counts, likes.item_counts):
        n = counts.astype(np.float64)
        m = np.minimum(n, factors)
        total += (n * factors * m + m**3 / 3 + 4 * n * factors + factors**2).sum()
    return total


def product_rate() -> float:
    """Return this machine's own rate of a float32 matrix product, in GFLOP/s."""
    a = np.random.default_rng(0).standard_normal((2048, 2048)).astype(np.float32)
    best = min(timed(lambda: a @ a) for _ in range(5))
    return 2 * 2048**3 / best / 1e9


def timed(sweep: Sweep) -> float:
    start = time.perf_counter()
    sweep()
    return time.perf_counter() - start


def contenders(likes: Interactions, factors: int, threads: int) -> Iterator[tuple[str, Sweep]]:
    """Yield a name and what does one more sweep of it."""
    for solver in ("exact", "cg"):
        config = replace(BASE, factors=factors, solver=solver)
        models = iterate(likes, config, engine=LocalEngine(threads))
        yield f"alsolike {solver}", lambda models=models: next(models)
    yield from of_implicit(likes, factors, threads)
    yield from of_irspack(likes, factors, threads)


def of_implicit(likes: Interactions, factors: int, threads: int) -> Iterator[tuple[str, Sweep]]:
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError:
        print("implicit is not installed: left out")
        return
    matrix = sp.csr_matrix(likes.user_items)
    matrix.data = peer_values(replace(BASE, factors=factors), matrix.data)
    for solver, label in (("exact", "cholesky"), ("cg", "cg")):
        arguments = to_peer(replace(BASE, factors=factors, solver=solver), "implicit")
        with threadpool_limits(1, "blas"):
            peer = AlternatingLeastSquares(**arguments | {"iterations": 1}, num_threads=threads)

        def sweep(peer: AlternatingLeastSquares = peer) -> None:
            with threadpool_limits(1, "blas"):
                peer.fit(matrix, show_progress=False)

        yield f"implicit {label}", sweep


def of_irspack(likes: Interactions, factors: int, threads: int) -> Iterator[tuple[str, Sweep]]:
    try:
        import irspack
    except ImportError:
        print("irspack is not installed: left out")
        return
    for solver, label in (("CHOLESKY", "cholesky"), ("CG", "cg"), ("IALSPP", "ialspp")):
        arguments = to_peer(replace(BASE, factors=factors), "irspack") | {"solver_type": solver}
        peer = irspack.IALSRecommender(likes.user_items, **arguments, n_threads=threads)
        trainer = peer._create_trainer()
        yield f"irspack {label}", trainer.run_epoch


def compare(likes: Interactions, factors: int, threads: int, rate: float) -> None:
    """Print one table of medians, ratios to alsolike's exact sweep, and rates."""
    entrants = list(contenders(likes, factors, threads))
    taken: dict[str, list[float]] = {name: [] for name, _ in entrants}
    for turn in range(TURNS + 1):
        for name, sweep in entrants:
            seconds = timed(sweep)
            if turn:
                taken[name].append(seconds)
    medians = {name: statistics.median(each) for name, each in taken.items()}
    ours = medians["alsolike exact"]
    work = flops(likes, factors) / 1e9
    print(f"sweep, {factors} factors: {work:.1f} GFLOP at least for an exact one")
    print(
        f"{'':20}{'median s':>10}{'lowest':>9}{'highest':>9}{'ratio':>8}{'GFLOP/s':>9}{'share':>8}"
    )
    for name, median in medians.items():
        speed = work / median
        exact = name.endswith(("exact", "cholesky"))
        told = f"{speed:9.1f}{speed / rate:8.2f}" if exact else f"{'-':>9}{'-':>8}"
        low, high = min(taken[name]), max(taken[name])
        print(f"{name:20}{median:10.3f}{low:9.3f}{high:9.3f}{median / ours:8.2f}{told}")


def main() -> int:
    """Compare for each number of factors asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=["article", "gowalla"], default="article")
    parser.add_argument("--factors", default="40,128")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    asked = parser.parse_args()
    likes = likes_of(asked.data)
    rate = product_rate()
    print(f"{asked.data}: {likes!r}; {asked.threads} threads; matrix product {rate:.0f} GFLOP/s")
    for factors in map(int, asked.factors.split(",")):
        compare(likes, factors, asked.threads, rate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
