"""What this machine can multiply, and how much of it BLAS and our own tiles do.

Run as ``python benchmarks/limits.py [--threads 1,2]``. NumPy's product of two square matrices, and
tiles that add one product after another, from the first-level cache: of eight numbers a vector, as
on every processor, and of as many as this one's registers hold (alsolike.kernels.compiler.vectors).
The latter is as near to the processor's own limit as code comes. GFLOP/s, the best of several.
"""

import argparse
import sys
from typing import Any

import numpy as np
from numba import njit

from _side_by_side import listed, product_rate, seconds_of
from alsolike.engines.local import LocalEngine
from alsolike.kernels.solver.tiles import add_product

COUNT, WIDTHS = 64, (8, 32)  # rows of a panel, and columns of a tile
LONGEST = 8 + max(WIDTHS)
STEPS, TURNS = 200_000, 7


@njit(nogil=True)
def add_up(panel: Any, sums: Any, width: int, steps: int, one: Any) -> None:
    """Add the product of a panel's first eight and its next columns to a tile, again and again."""
    for _ in range(steps):
        add_product(
            panel, 0, panel.shape[1], panel, 8, panel.shape[1], panel.shape[0], sums, 0, width,
            width, one, one,
        )  # fmt: skip


def of_tiles(kind: type[np.floating[Any]], width: int, threads: int) -> float:
    """Return the rate of tiles of 8 x `width`, on so many threads at once."""

    def work(steps: int) -> None:
        panel = np.full((COUNT, LONGEST), 1e-3, dtype=kind)
        add_up(panel, np.zeros((8, width), dtype=kind), width, steps, kind(1))

    work(1)
    engine = LocalEngine(threads)
    best = min(seconds_of(lambda: engine.each(work, [STEPS] * threads)) for _ in range(TURNS))
    return 2 * 8 * width * COUNT * STEPS * threads / best / 1e9


def main() -> int:
    """Print one line for each type and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2", help="several, separated by commas")
    asked = parser.parse_args()
    print(f"{'type':8} {'threads':>7} {'NumPy':>8}", *(f"{f'8 x {w}':>8}" for w in WIDTHS))
    for kind in (np.float32, np.float64):
        for threads in map(int, listed(asked.threads)):
            tiles = (of_tiles(kind, width, threads) for width in WIDTHS)
            rates = (f"{rate:8.1f}" for rate in (product_rate(threads, kind), *tiles))
            print(f"{kind.__name__:8} {threads:7}", *rates)
    return 0


if __name__ == "__main__":
    sys.exit(main())
