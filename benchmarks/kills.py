"""A run that is killed again and again, beside the same run undisturbed: the same files?

Run as ``python benchmarks/kills.py [--kills 20] [--workers 2] [--preset article]``. Both are
``alsolike run`` on made-up likes in the article's format, in processes of their own. The first is
left alone. The second gets SIGKILL at random moments: one worker, the process that the user
started, or all at once; whenever the latter is gone, the same command is given again.

Printed are the seconds of both, who was killed, and every file of the two folders that differs,
byte by byte. The ledger, the report and the figure of time and score may: they tell times. This
fails where anything else differs, or where the points of the curves in the two ledgers do.
"""

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from alsolike.data.datasets.synthetic import write_article_file

MAY_DIFFER = frozenset(
    {"ledger.sqlite", "report.html"} | {f"time_and_score.{kind}" for kind in ("html", "png", "svg")}
)
KINDS = ("one worker", "the run", "all at once")
SAME = (
    "SELECT settings, sweeps, state FROM configurations ORDER BY id",
    "SELECT configuration, sweep, figures FROM points ORDER BY 1, 2",
)


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    """Return the run, which says nothing here."""
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def children_of(process: int) -> list[int]:
    """Return the processes that a process has begun; only Linux says so."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in found.split()]


def kill(processes: list[int]) -> None:
    """Kill without a last word."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def disturbed(command: list[str], kills: int, seconds: float, seed: int) -> Counter[str]:
    """Run to the end through kills; return who was killed how often."""
    chance, done = random.Random(seed), Counter()
    process = begun(command)
    while process.poll() is None and done.total() < kills:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 2 * seconds / kills))
            break
        kind, workers = chance.choice(KINDS), children_of(process.pid)
        kill(
            {
                KINDS[0]: chance.sample(workers, min(1, len(workers))),
                KINDS[1]: [process.pid],
                KINDS[2]: [process.pid, *workers],
            }[kind]
        )
        done[kind] += 1
        print(f"  kill {done.total()}: {kind}", flush=True)
        if kind != KINDS[0]:
            process.communicate()
            process = begun(command)
    finish(process)
    return done


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end; raise where it is not a good one."""
    _, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"The run ended with {process.returncode}:\n{said.decode()}")


def differing(one: Path, other: Path) -> list[str]:
    """Return the files that are not the same in both folders."""
    names = {
        str(path.relative_to(folder))
        for folder in (one, other)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    return sorted(name for name in names if content(one / name) != content(other / name))


def content(path: Path) -> bytes | None:
    """Return the bytes of a file, None where there is none."""
    return path.read_bytes() if path.is_file() else None


def points_of(folder: Path) -> list[list[tuple[object, ...]]]:
    """Return all that the ledger holds but times and workers."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite")) as connection:
        return [connection.execute(statement).fetchall() for statement in SAME]


def parsed() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=60_000, help="632840 is the article's")
    parser.add_argument("--users", type=int, default=6_000, help="62583 is the article's")
    parser.add_argument("--items", type=int, default=2_800, help="28806 is the article's")
    parser.add_argument("--preset", default="quick", help="or article: 180 trainings")
    parser.add_argument("--grid", action="append", default=[], help="as of alsolike run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--folder", type=Path, help="where to leave both runs")
    return parser.parse_args()


def main() -> int:
    """Run twice and compare; fail where anything but times differs."""
    asked = parsed()
    with contextlib.ExitStack() as stack:
        folder = asked.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        likes = write_article_file(
            folder / "likes.psv", rows=asked.rows, users=asked.users, items=asked.items
        )
        undisturbed, killed = folder / "undisturbed", folder / "killed"
        grid = [text for one in asked.grid for text in ("--grid", one)]

        def command(out: Path) -> list[str]:
            verb = [sys.executable, "-m", "alsolike", "run", str(likes), "--out", str(out)]
            columns = ["--user", "uid", "--item", "mid", "--item-name", "modelName"]
            settings = ["--preset", asked.preset, *grid, "--workers", str(asked.workers)]
            return [*verb, *columns, *settings]

        print("$", " ".join(command(undisturbed)), flush=True)
        start = time.perf_counter()
        finish(begun(command(undisturbed)))
        alone = time.perf_counter() - start
        print(f"undisturbed: {alone:,.0f} s", flush=True)
        start = time.perf_counter()
        done = disturbed(command(killed), asked.kills, alone, asked.seed)
        took = time.perf_counter() - start
        told = ", ".join(f"{kind} {done[kind]} times" for kind in KINDS)
        print(f"killed {done.total()} times ({told}): {took:,.0f} s")
        found, same = differing(undisturbed, killed), points_of(undisturbed) == points_of(killed)
        files = sum(path.is_file() for path in undisturbed.rglob("*"))
        print(f"{files} files, differing: {', '.join(found) or 'none'}")
        points = len(points_of(undisturbed)[1])
        print(f"{points:,} points of curves: {'the same' if same else 'NOT the same'}")
    return 0 if same and MAY_DIFFER.issuperset(found) else 1


if __name__ == "__main__":
    sys.exit(main())
