"""How long a user waits before anything happens: importing, the help, and compiling, once.

Budgets: 300 ms for ``import alsolike``, 200 ms for ``alsolike --help``, 6 s for compiling all
kernels of a run for the first time, 0.5 s for loading them from then on. The first two are medians
of nine fresh processes, less what a bare interpreter takes for the import; the help is timed as a
user feels it, interpreter included. The other two are medians of three, from the first call of a
process that has imported what it needs: with an empty folder of compiled code, and again.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS, COMPILATIONS = 9, 3
BUDGETS_MS = {
    "import alsolike": 300.0,
    "alsolike --help": 200.0,
    "first compilation": 6000.0,
    "from the cache": 500.0,
}
# Loaded one after the other, as a run comes to them, after the helpers have compiled them.
COMPILING = """
import time
from alsolike.pipeline.precompile import compile_all
start = time.perf_counter()
compile_all()
print(time.perf_counter() - start)
"""


def seconds(command: list[str]) -> float:
    """Return how long `command` takes, the median of several."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def compiling() -> tuple[float, float]:
    """Return seconds of compiling all kernels and of loading them, medians of several."""
    firsts, agains = [], []
    for _ in range(COMPILATIONS):
        with tempfile.TemporaryDirectory() as folder:
            for taken in (firsts, agains):
                done = subprocess.run(
                    [sys.executable, "-c", COMPILING],
                    check=True,
                    capture_output=True,
                    env=os.environ | {"NUMBA_CACHE_DIR": folder},
                )
                taken.append(float(done.stdout))
    return statistics.median(firsts), statistics.median(agains)


def measure() -> dict[str, float]:
    """Return milliseconds by name."""
    bare = seconds([sys.executable, "-c", "pass"])
    whole = seconds([sys.executable, "-c", "import alsolike"])
    told = seconds([str(Path(sys.executable).parent / "alsolike"), "--help"])
    first, again = compiling()
    taken = (max(whole - bare, 0), told, first, again)
    return {name: 1000 * one for name, one in zip(BUDGETS_MS, taken, strict=True)}


def main() -> int:
    """Print both figures beside their budgets; fail where one is over."""
    over = 0
    for name, taken in measure().items():
        budget = BUDGETS_MS[name]
        over += taken > budget
        print(f"{name:17} {taken:6.0f} ms, budget {budget:.0f} ms")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
