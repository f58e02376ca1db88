"""What the service bears: `similar` under load, fold-in, and swaps of models meanwhile.

Run as ``python benchmarks/serving.py [--data article] [--factors 40] [--seconds 5]
[--soak MINUTES]``. It starts ``alsolike serve`` as anybody would, with access log, content policy,
limits and metrics on and the rate limit raised, and asks from a process of its own over keep-alive
connections. All ids are asked in a random order: at first none of them twice, then all again.
Similar items are those of the default settings: by evidence, at the default mark of the dial. One
answer in 64 is held to `similar_to`. The client shares the machine's cores with the service.

While two workers are under load, models of several families are swapped, some of them broken: a
file cut short, one with a flipped bit, another version of the format, a file missing, a manifest
that is none. A refused swap must leave the old model in place, a good one must reach every worker,
and no request may fail. With ``--soak`` mixed load and swaps go on for so many minutes; printed is
the growth of memory from the second fifth of that time to the last.

Beside it stands implicit, behind the same framework and server, with one route and nothing else.
Gorse publishes the times of its training, not of answers, so there is no figure of it here.
"""

import argparse
import itertools
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from _asking import Pressed, Process, asked, for_seconds, free_port, press, request, running
from _side_by_side import Report, Row, arguments, hu2008, peer, store, stored, tables
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.bundle.io import save
from alsolike.models.fit import fit as fit_family
from alsolike.recommending.single import similar_to

K = 10
SWAP_TOKEN = "only-for-this-benchmark"  # noqa: S105 - of a service on the loopback, for minutes
LIKES = 50
MOST_OF_EASE = 5_000  # items; the weights of more take longer to copy than a swap under load may
SAMPLE = 400  # items whose answers are compared
GOALS = {"rate": {1: 2000.0, 2: 4000.0}, "p99": {1: 0.025, 2: 0.020}, "fold_in_p99": 0.010}
FOLLOWS_WITHIN = 5.0  # seconds for all workers to answer with a new version
MOST_GROWTH = 0.05
QUICK = {"data": "80x50x900", "factors": 8, "seconds": 0.5, "turns": 1, "swaps": 9, "calls": 5}


class Bench:
    """Models of one table, as bundles, and what is asked of services that serve them."""

    def __init__(self, asked_: argparse.Namespace, likes: Interactions, folder: Path) -> None:
        self.asked, self.folder, self.faults = asked_, folder, list[str]()
        config = hu2008(factors=asked_.factors, alpha=40.0, regularization=0.1, iterations=5)
        engine = LocalEngine(asked_.threads)
        self.models: dict[str, Any] = {"a": fit(likes, config, engine=engine)}
        self.models["b"] = fit(
            likes, ALSConfig(**config.to_settings() | {"seed": 1}), engine=engine
        )
        for family in ("item-knn", "ease") if likes.n_items <= MOST_OF_EASE else ("item-knn",):
            self.models[family] = fit_family(likes, family=family, engine=engine)
        for name, model in self.models.items():
            save(model, folder / "bundles" / name)
        self.broken = list(broken_from(folder / "bundles" / "a"))
        order = np.random.default_rng(0).permutation(likes.n_items)
        self.ids = [likes.items.id_of(int(row)) for row in order]
        self.similar = [
            request("GET", f"/api/v1/items/{urllib.parse.quote(one, safe='')}/similar?k={K}")
            for one in self.ids
        ]
        self.rng = np.random.default_rng(1)
        self._lists: dict[tuple[str, str], list[str]] = {}

    def service(self, workers: int, name: str) -> AbstractContextManager[Process]:
        """Return a service of model "a" with a state folder of its own."""
        port, state = free_port(), self.folder / f"state-{name}"
        command = [sys.executable, "-m", "alsolike", "serve", self.folder / "bundles" / "a"]
        command += ["--port", port, "--workers", workers, "--state", state]
        command += ["--rate", 1_000_000, "--burst", 1_000_000, "--bundles", self.folder / "bundles"]
        command += ["--log", self.folder / f"access-{name}.jsonl"]
        log = self.folder / f"said-{name}.txt"
        return running(command, port, log, path="/readyz", ALSOLIKE_SWAP_TOKEN=SWAP_TOKEN)

    def check(self, number: int, body: bytes) -> str | None:
        """Return what is wrong with the answer to a request of `similar`, of any of the models."""
        item = self.ids[number]
        told = json.loads(body)
        found = [place["item"] for place in told["similar"]]
        if any(found == self._expected(name, item) for name in self.models):
            return None
        return f"{item}: other items than similar_to: {body[:300]!r}"

    def fold_in_requests(self) -> list[bytes]:
        """Return requests of recommendations for likes of somebody unknown."""
        size = min(LIKES, len(self.ids) // 2)
        drawn = [self.rng.choice(len(self.ids), size, replace=False) for _ in range(64)]
        likes = [[{"item": self.ids[n], "value": 1} for n in one.tolist()] for one in drawn]
        return [request("POST", "/api/v1/recommendations", {"likes": one, "k": K}) for one in likes]

    def mixed_requests(self) -> list[bytes]:
        """Return requests of many kinds, most of them of `similar`."""
        fold_in, pages = itertools.cycle(self.fold_in_requests()), []
        for number, similar in enumerate(self.similar):
            item = urllib.parse.quote(self.ids[number], safe="")
            likes = {"likes": [{"item": self.ids[number], "value": 1}]}
            pages += [
                *itertools.repeat(similar, 6),
                next(fold_in),
                request("GET", f"/api/v1/items?q={item[:3]}"),
                request("POST", f"/api/v1/users/visitor-{number % 200}/likes", likes),
                request("GET", f"/items/{item}"),
            ]
        return pages

    def _expected(self, name: str, item: str) -> list[str]:
        key = (name, item)
        if key not in self._lists:
            if len(self._lists) > len(self.models) * SAMPLE:
                self._lists.clear()
            found = similar_to(self.models[name], item, k=K)
            self._lists[key] = found["similar_item"].tolist()
        return self._lists[key]


def broken_from(bundle: Path) -> Iterator[str]:
    """Make broken copies of a bundle beside it; yield their names."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(bundle, bundle.with_name(name)))

    arrays = "model.safetensors"
    cut = copy("cut-short") / arrays
    os.truncate(cut, cut.stat().st_size // 2)
    yield "cut-short"
    flipped = copy("flipped") / arrays
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    yield "flipped"
    manifest = copy("other-version") / "manifest.json"
    told = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(told | {"format_version": 999}), encoding="utf-8")
    yield "other-version"
    (copy("missing") / "ids.safetensors").unlink()
    yield "missing"
    (copy("no-manifest") / "manifest.json").write_text("[]", encoding="utf-8")
    yield "no-manifest"


def pressed_row(task: str, name: str, runs: Sequence[Pressed]) -> Row:
    """Return the row of some turns of load: all latencies, the median of the rates."""
    latencies = [one for run in runs for one in run.latencies]
    more = {
        "p99": float(np.quantile(latencies, 0.99)),
        "requests_per_s": round(statistics.median(run.rate for run in runs)),
        "failed": sum(len(run.failed) for run in runs),
    }
    return Row(task, name, latencies, more=more)


def similar_rows(bench: Bench, workers: int) -> list[Row]:
    """Return what `similar` takes with so many workers: asked for the first time, and again."""
    given = bench.asked
    with bench.service(workers, f"similar-{workers}") as service:

        def turn(seconds: float) -> Pressed:
            return press(
                service.port,
                bench.similar,
                connections=given.connections,
                goes_on=for_seconds(seconds),
                check=bench.check,
            )

        first = turn(given.seconds)
        turn(2 * given.seconds)  # most ids in most workers
        again = [turn(given.seconds) for _ in range(given.turns)]
    rows = [
        pressed_row(f"similar, {workers} workers, {kind}", "alsolike", runs)
        for kind, runs in (("first asked", [first]), ("again", again))
    ]
    for row, runs in zip(rows, ([first], again), strict=True):
        bench.faults += [fault for run in runs for fault in run.failed]
        goal, most = GOALS["rate"][workers], GOALS["p99"][workers]
        missed = row.more["requests_per_s"] < goal or row.more["p99"] > most
        if missed and not given.quick:
            bench.faults.append(f"{row.task}: goal {goal:,.0f} a second, p99 {1000 * most:.0f} ms")
    return rows


def fold_in_row(bench: Bench) -> Row:
    """Return what a fold-in takes when nothing else is asked."""
    requests = bench.fold_in_requests()
    calls = iter(range(bench.asked.calls))
    with bench.service(1, "fold-in") as service:
        given = {"connections": 1, "goes_on": lambda: next(calls, None) is not None}
        done = press(service.port, requests, **given)
    bench.faults += done.failed
    row = pressed_row(f"fold-in of {LIKES} likes, unloaded", "alsolike", [done])
    if row.more["p99"] > GOALS["fold_in_p99"] and not bench.asked.quick:
        bench.faults.append(f"{row.task}: goal p99 {1000 * GOALS['fold_in_p99']:.0f} ms")
    return row


class Swapping(threading.Thread):
    """Swap models one after the other, and note what came of it."""

    def __init__(self, bench: Bench, port: int, names: Sequence[str], pause: float) -> None:
        super().__init__()
        self.bench, self.port, self.names, self.pause = bench, port, names, pause
        self.seconds: list[float] = []
        self.refused = 0
        self.reached: list[tuple[float, bytes]] = []  # when a good one was answered, and with what

    def run(self) -> None:
        """Swap to each bundle in turn."""
        try:
            for name in self.names:
                self._swap(name)
                time.sleep(self.pause)
        except Exception as error:  # otherwise the thread's end would pass for success
            self.bench.faults.append(f"swapping: {error!r}")

    def _swap(self, name: str) -> None:
        start, body = time.perf_counter(), {"bundle": name}
        status, told = asked(
            self.port, "POST", "/api/v1/model/swap", body, Authorization=f"Bearer {SWAP_TOKEN}"
        )
        end = time.perf_counter()
        good = name not in self.bench.broken
        if good and status == 200:
            self.seconds.append(end - start)
            self.reached.append((end, told["version"].encode("ascii")))
        elif not good and 400 <= status < 500:
            self.refused += 1
        else:
            self.bench.faults.append(f"swap to {name}: {status} {told}")


def lag(versions: Sequence[tuple[float, bytes]], reached: Sequence[tuple[float, bytes]]) -> float:
    """Return the longest time after a swap at which another version still answered."""
    longest = 0.0
    for number, (start, version) in enumerate(reached):
        end = reached[number + 1][0] if number + 1 < len(reached) else float("inf")
        others = [moment for moment, told in versions if start < moment < end and told != version]
        # The next swap shows in answers a little before its own answer does.
        early = [moment for moment in others if moment < start + (end - start) / 2]
        longest = max(longest, max(early, default=start) - start)
    return longest


def swap_rows(bench: Bench) -> list[Row]:
    """Return what swaps take under load, and whether any request failed meanwhile."""
    given = bench.asked
    good = itertools.cycle([*(name for name in bench.models if name != "a"), "a"])
    every = max(given.swaps // len(bench.broken), 1)
    names = [
        bench.broken[n // every] if n % every == every - 1 and n // every < 5 else next(good)
        for n in range(given.swaps)
    ]
    with bench.service(2, "swaps") as service:
        swapping = Swapping(bench, service.port, names, pause=given.seconds / 5)
        swapping.start()
        done = press(
            service.port,
            bench.similar,
            connections=given.connections,
            goes_on=swapping.is_alive,
            check=bench.check,
            note_versions=True,
        )
    bench.faults += done.failed
    behind = lag(done.versions, swapping.reached)
    if behind > FOLLOWS_WITHIN:
        bench.faults.append(f"a worker followed a swap after {behind:.1f} s")
    more = {"swaps": len(names), "refused": swapping.refused, "behind_s": round(behind, 3)}
    return [
        Row("swap, 2 workers, under load", "alsolike", swapping.seconds, more=more),
        pressed_row("similar meanwhile", "alsolike", [done]),
    ]


def soak_rows(bench: Bench, minutes: float) -> tuple[list[Row], dict[str, Any]]:
    """Return mixed load for a long time, and how memory grew in it."""
    sizes: list[float] = []
    seconds = 60 * minutes
    with bench.service(2, "soak") as service:
        pause = max(seconds / 40, 0.5)
        names = list(itertools.islice(itertools.cycle(["b", "a"]), int(seconds / pause)))
        swapping = Swapping(bench, service.port, names, pause=pause)
        goes_on = for_seconds(seconds)
        due = time.perf_counter()

        def sampled() -> bool:
            nonlocal due
            if time.perf_counter() >= due:
                due += seconds / 200
                sizes.append(service.memory())
            return goes_on()

        swapping.start()
        done = press(
            service.port,
            bench.mixed_requests(),
            connections=bench.asked.connections,
            goes_on=sampled,
        )
        swapping.join()
    bench.faults += done.failed
    fifth = max(len(sizes) // 5, 1)
    before, after = statistics.median(sizes[fifth : 2 * fifth]), statistics.median(sizes[-fifth:])
    growth = after / before - 1
    if growth > MOST_GROWTH:
        bench.faults.append(f"memory grew by {growth:.1%} in {minutes:g} minutes")
    row = pressed_row("mixed, 2 workers, with swaps", "alsolike", [done])
    row.more = row.more | {"mib": round(after), "growth": f"{growth:+.1%}"}
    return [row], {"memory_mib": [round(size, 1) for size in sizes]}


@contextmanager
def implicit_service(bench: Bench) -> Iterator[Process]:
    """Run implicit behind FastAPI, with the same factors."""
    port, folder = free_port(), bench.folder / "implicit"
    folder.mkdir()
    store(folder, items=bench.models["a"].item_factors)
    command = [sys.executable, __file__, "--alone", "implicit", "--stored", folder, "--port", port]
    log = bench.folder / "said-implicit.txt"
    with running(
        command, port, log, path="/api/v1/items/0/similar", OPENBLAS_NUM_THREADS="1"
    ) as one:
        yield one


def serve_implicit(given: argparse.Namespace) -> None:
    """Be the server of implicit: one route, no log, no limits."""
    import uvicorn
    from fastapi import FastAPI
    from implicit.cpu.als import AlternatingLeastSquares

    items = stored(given.stored, "items")
    model = AlternatingLeastSquares(factors=items.shape[1], num_threads=1)
    model.item_factors = items
    app = FastAPI()

    @app.get("/api/v1/items/{item}/similar")
    def similar(item: int, k: int = K) -> dict[str, Any]:
        rows, scores = model.similar_items(item, N=k + 1)
        found = zip(rows.tolist(), scores.tolist(), strict=True)
        return {"similar": [{"item": row, "score": score} for row, score in found if row != item]}

    uvicorn.run(app, port=given.port, access_log=False, log_level="warning")


def peer_rows(bench: Bench) -> list[Row]:
    """Return what implicit takes for the same question, where it is installed."""
    if peer("implicit", bench.asked) is None:
        return []
    count = len(bench.ids)
    order = np.random.default_rng(0).permutation(count).tolist()
    requests = [request("GET", f"/api/v1/items/{row}/similar?k={K}") for row in order]
    given = bench.asked
    with implicit_service(bench) as service:
        runs = [
            press(
                service.port,
                requests,
                connections=given.connections,
                goes_on=for_seconds(given.seconds),
            )
            for _ in range(given.turns + 1)
        ][1:]
    bench.faults += [fault for run in runs for fault in run.failed]
    tasks = ("first asked", "again")
    return [
        pressed_row(f"similar, 1 workers, {kind}", "implicit, one route", runs) for kind in tasks
    ]


def measure(bench: Bench, report: Report, heading: str) -> None:
    """Print and keep all tables."""
    given = bench.asked
    settings = {
        "alsolike": "alsolike serve, similar items by evidence; access log to a file, content "
        f"policy, limits, metrics; {given.connections} keep-alive connections",
        "implicit, one route": "FastAPI, uvicorn, similar_items by cosine; one BLAS thread",
    }
    facts: dict[str, Any] = {"connections": given.connections, "goals": GOALS}
    rows = similar_rows(bench, 1) + peer_rows(bench) + similar_rows(bench, 2)
    report.section(f"{heading}; under load", rows, settings=settings, **facts)
    alone = {"alsolike": settings["alsolike"]}
    report.section("one at a time", [fold_in_row(bench)], settings=alone)
    report.section("swaps under load", swap_rows(bench), settings=alone)
    if given.soak:
        rows, sizes = soak_rows(bench, given.soak)
        report.section(f"{given.soak:g} minutes of mixed load", rows, settings=alone, **sizes)


def options() -> argparse.Namespace:
    """Return what is asked for."""
    parser = arguments(__doc__)
    parser.set_defaults(turns=3)
    parser.add_argument("--data", default="article")
    parser.add_argument("--factors", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each turn of load")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--calls", type=int, default=500, help="fold-ins, one after the other")
    parser.add_argument("--swaps", type=int, default=20, help="of which five are broken")
    parser.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--quick", action="store_true", help="tiny; says nothing of speed")
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name, value in QUICK.items() if given.quick else ():
        setattr(given, name, value)
    return given


def main() -> int:
    """Measure; fail where a request failed, an answer was wrong, or a goal was missed."""
    given = options()
    if given.alone:
        serve_implicit(given)
        return 0
    report, faults = Report("serving", given), list[str]()
    for data, likes, _ in tables(given.data):
        # A worker that ends may write its last lines while the folder is being removed.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            bench = Bench(given, likes, Path(folder))
            heading = f"{data}: {likes.n_users:,} x {likes.n_items:,}, {given.factors} factors"
            measure(bench, report, heading)
            faults += bench.faults
    for fault in faults[:20]:
        print(f"missed: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
