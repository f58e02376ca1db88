"""What the benchmarks share: data, turns, the machine's own rate, peak memory, table and JSON.

All contenders of a table do the same work on the same data with the same number of threads in one
process, in turns: A B C A B C ..., the first turn not counted. Shown are the median, the lowest and
the highest of the others, the ratio of each median to that of alsolike, and, where a flop model is
stated, the rate beside this machine's own rate of a float32 matrix product with as many threads.
Peak memory is that of a process of its own that does the work once: interpreter, libraries and
data included.
"""

import argparse
import functools
import importlib
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from threadpoolctl import ThreadpoolController

from alsolike.data.datasets.public import gowalla
from alsolike.data.datasets.synthetic import article_shape, synthetic
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.data.vocabulary import Vocabulary
from alsolike.models.als.config import ALSConfig

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("alsolike", "numpy", "scipy", "numba", "duckdb")
PEERS = ("implicit", "irspack", "cmfrec", "scikit-surprise", "pandas", "polars")
BLOCK = 1536  # rows of the square matrices whose product is the machine's own rate
MIB = 2**20
HEADINGS = {
    "median": "median s",
    "low": "lowest",
    "high": "highest",
    "gflops": "GFLOP/s",
    "peak_mib": "peak MiB",
    "bound_mib": "bound MiB",
}

Floats = npt.NDArray[np.float32]
Clock = Callable[[], float]  # does the work once and returns its seconds


@dataclass
class Row:
    """What was measured of one contender at one task.

    Parameters
    ----------
    task, name : str
        What was done by whom; names of our own begin with "alsolike".
    seconds : sequence of float
        One for each turn that counts; none where the contender did not get there.
    flops : float or None
        Floating-point operations of the stated model.
    peak_mib : float or None
        Of a process that does this alone.
    more : mapping of str to number or text
        Further columns.
    """

    task: str
    name: str
    seconds: Sequence[float]
    flops: float | None = None
    peak_mib: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


class Report:
    """The tables of one benchmark, printed as they come, and its JSON file, as often remade."""

    def __init__(self, name: str, asked: argparse.Namespace) -> None:
        self.path = asked.json or RESULTS / f"{name}.json"
        self.told: set[str] = set()
        self.content: dict[str, Any] = {
            "benchmark": name,
            "threads": asked.threads,
            "turns": asked.turns,
            "versions": versions(),
            "sections": [],
        }

    def section(
        self,
        heading: str,
        rows: Sequence[Row],
        *,
        rate: float | None = None,
        settings: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        """Print a heading, settings not shown before and a table; put all of it into the file.

        Parameters
        ----------
        rate : float or None
            The machine's own, GFLOP/s.
        settings : mapping of str to str
            How each contender was called, by name.
        facts
            What else the file says of this section.
        """
        product = "" if rate is None else f"; matrix product {rate:.1f} GFLOP/s"
        print(f"\n{heading}{product}")
        for name, text in (settings or {}).items():
            if name not in self.told:
                print(f"  {name}: {text}")
        self.told.update(settings or {})
        figures = [_figures(row, rows, rate) for row in rows]
        print(table(figures), flush=True)
        section = {"heading": heading, **facts, "product_gflops": rate}
        section |= {"settings": dict(settings or {}), "rows": figures}
        self.content["sections"].append(section)
        save(self.path, self.content)


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that all benchmarks have."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=formatter)
    parser.add_argument("--turns", type=int, default=5, help="turns that count")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="file of the results; default: under results/")
    parser.add_argument("--no-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--peers", help="only these, separated by commas; 'none' for none")
    # What a process that measures the memory of one contender is told by the one that asks.
    parser.add_argument("--alone", help=argparse.SUPPRESS)
    parser.add_argument("--stored", type=Path, help=argparse.SUPPRESS)
    return parser


def listed(text: str) -> list[str]:
    """Return the parts of an option's text between its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def peer(name: str, asked: argparse.Namespace) -> ModuleType | None:
    """Return a peer's module, or None where it is not wanted or cannot be imported."""
    if asked.peers is not None and name not in listed(asked.peers):
        return None
    return _imported(name)


@functools.cache
def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: left out")
        return None


def versions() -> dict[str, str]:
    """Return the versions of what may take part, as far as it is installed."""
    found = {"python": platform.python_version()}
    for name in (*PACKAGES, *PEERS):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def tables(names: str) -> Iterator[tuple[str, Interactions, Interactions | None]]:
    """Yield name, interactions and, where the data have them, the held-out ones.

    Names are "article", "gowalla", "synthetic" (100,000 x 50,000 with 10 million interactions) and
    made-up sizes: "300x200x6000" has 300 users, 200 items and 6,000 interactions.
    """
    for name in listed(names):
        if name == "article":
            yield name, article_shape(), None
        elif name == "synthetic":
            yield name, synthetic(100_000, 50_000, 10_000_000), None
        elif re.fullmatch(r"\d+x\d+x\d+", name):
            yield name, synthetic(*map(int, name.split("x")), minimum=5), None
        elif name != "gowalla":
            sys.exit(f"There are no data {name!r}: article, gowalla, synthetic, or 300x200x6000.")
        elif "ALSOLIKE_DATA" not in os.environ:
            print("gowalla is left out: ALSOLIKE_DATA does not name the folder of public data")
        else:
            yield name, *gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")


def hu2008(**changes: Any) -> ALSConfig:
    """Return settings of ALS that the peers have, too: confidence 1 + alpha d, lambda as it is."""
    usual = {
        "alpha": 10.0,
        "regularization": 1.0,
        "confidence": "linear",
        "regularization_exponent": 0.0,
        "unobserved_weight": 1.0,
        "values": "given",
        "iterations": 15,
    }
    return ALSConfig(**usual | changes)


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long `call` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def held(threads: int) -> AbstractContextManager[Any]:
    """Hold BLAS to so many threads meanwhile."""
    # Looking through the loaded libraries takes milliseconds: never inside of what is timed.
    return ThreadpoolController().limit(limits=threads, user_api="blas")


def clock(call: Callable[[], object], blas_threads: int) -> Clock:
    """Return what times `call` with BLAS held to so many threads."""

    def seconds() -> float:
        with held(blas_threads):
            return seconds_of(call)

    return seconds


def take_turns(clocks: Mapping[str, Clock], turns: int) -> dict[str, list[float]]:
    """Return the seconds of each contender, turn by turn, without those of the first turn."""
    taken: dict[str, list[float]] = {name: [] for name in clocks}
    for turn in range(turns + 1):
        for name, seconds in clocks.items():
            value = seconds()
            if turn:  # kernels are compiled and memory is first touched in the turn before
                taken[name].append(value)
    return taken


def product_rate(threads: int, kind: type[np.floating[Any]] = np.float32) -> float:
    """Return this machine's own rate of a matrix product, in GFLOP/s."""
    a = np.random.default_rng(0).standard_normal((BLOCK, BLOCK)).astype(kind)
    result = np.empty_like(a)
    with held(threads):
        best = min(seconds_of(lambda: np.matmul(a, a, out=result)) for _ in range(5))
    return 2 * BLOCK**3 / best / 1e9


def own_peak() -> float:
    """Return the most memory that this process has held at once, in MiB."""
    # Not getrusage: what it tells of a process began with the memory of the one that started it.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


def peak_alone(*given: object) -> float | None:
    """Return the peak memory in MiB of this benchmark, started again with these arguments.

    It prints `own_peak` last. None where it fails, with the reason on the screen.
    """
    command = [sys.executable, sys.argv[0], *map(str, given)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        print(f"memory not measured ({' '.join(map(str, given))}): {reason}")
        return None
    return float(done.stdout.split()[-1])


def store(folder: Path, **parts: sp.csr_array | npt.NDArray[Any]) -> None:
    """Write arrays and matrices to `folder`, so that a process of its own need not make them."""
    for name, part in parts.items():
        arrays = {name: part}
        if sp.issparse(part):
            shape = np.array(part.shape)
            arrays = {f"{name}.{key}": getattr(part, key) for key in ("data", "indices", "indptr")}
            arrays[f"{name}.shape"] = shape
        for key, array in arrays.items():
            np.save(folder / f"{key}.npy", array)


def stored(folder: Path, name: str) -> npt.NDArray[Any]:
    """Return an array that was stored."""
    array: npt.NDArray[Any] = np.load(folder / f"{name}.npy")
    return array


def stored_table(folder: Path, name: str) -> Interactions:
    """Return a stored matrix as interactions; ids are numbers."""
    data, indices, indptr, shape = (
        stored(folder, f"{name}.{key}") for key in ("data", "indices", "indptr", "shape")
    )
    matrix = sp.csr_array((data, indices, indptr), shape=tuple(map(int, shape)))
    users, items = (
        Vocabulary(StringArray.pack(f"{n:09d}" for n in range(count)), kind=kind)
        for count, kind in zip(matrix.shape, ("user", "item"), strict=True)
    )
    return Interactions(matrix, users, items)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as text: a column for each figure that some row has, texts to the left."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) is not None for row in rows)]
    headings = [HEADINGS.get(name, name.replace("_", " ")) for name in names]
    cells = [headings, *([_shown(row.get(name)) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_text = [any(isinstance(row.get(name), str) for row in rows) for name in names]
    return "\n".join(_line(line, widths, is_text) for line in cells)


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON to a temporary name and give it its own; a reader finds all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def _figures(row: Row, rows: Iterable[Row], rate: float | None) -> dict[str, Any]:
    """Return the columns of one row."""
    told: dict[str, Any] = {"task": row.task, "contender": row.name}
    told |= dict.fromkeys(("median", "low", "high", "ratio", "gflops", "share"))
    ours = [one for one in rows if one.task == row.task and one.name.startswith("alsolike")]
    if row.seconds:
        median = statistics.median(row.seconds)
        told |= {"median": median, "low": min(row.seconds), "high": max(row.seconds)}
        if ours and ours[0].seconds:
            told["ratio"] = round(median / statistics.median(ours[0].seconds), 3)
        if row.flops is not None:
            speed = row.flops / median / 1e9
            told["gflops"] = round(speed, 2)
            told["share"] = None if rate is None else round(speed / rate, 3)
    peak = None if row.peak_mib is None else round(row.peak_mib)
    return told | {"peak_mib": peak, **row.more}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(cells: Sequence[str], widths: Sequence[int], is_text: Sequence[bool]) -> str:
    aligned = (
        cell.ljust(width) if left else cell.rjust(width)
        for cell, width, left in zip(cells, widths, is_text, strict=True)
    )
    return "  ".join(aligned).rstrip()
