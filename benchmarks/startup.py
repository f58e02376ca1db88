"""How long a user waits before anything happens: `import alsolike` and `alsolike --help`.

Budgets: 300 ms and 200 ms. Each figure is the median of nine fresh processes, less what a bare
interpreter takes for the import; the help is timed as a user feels it, interpreter included.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 9
BUDGETS_MS = {"import alsolike": 300.0, "alsolike --help": 200.0}


def seconds(command: list[str]) -> float:
    """Return how long `command` takes, the median of several."""
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure() -> dict[str, float]:
    """Return milliseconds by name."""
    bare = seconds([sys.executable, "-c", "pass"])
    whole = seconds([sys.executable, "-c", "import alsolike"])
    told = seconds([str(Path(sys.executable).parent / "alsolike"), "--help"])
    return {"import alsolike": 1000 * max(whole - bare, 0), "alsolike --help": 1000 * told}


def main() -> int:
    """Print both figures beside their budgets; fail where one is over."""
    over = 0
    for name, taken in measure().items():
        budget = BUDGETS_MS[name]
        over += taken > budget
        print(f"{name:16} {taken:6.0f} ms, budget {budget:.0f} ms")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
