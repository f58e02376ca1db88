"""Linear models of items: EASE, EDLAE and sparse, their lists, seconds and memory.

Run as ``python benchmarks/linear.py [--tasks public,gowalla,large]``. The tables are those of
docs/data/, from the folder that ALSOLIKE_DATA names.

``public``: Last.fm, Steam and Online Retail, filtered to five likes, five items held out of each of
some users. For each seed the settings of a contender are chosen by precision@10 on validation
users, among its search space or, for ``wide``, a grid around it; quoted are test users. Differences
are paired over users, whose values are means over the seeds, with 95 % intervals. irspack's
DenseSLIM (EASE) and SLIM (an elastic net for each item) are fitted to the same likes with the
settings of --slim, and EASE's regularizations, for the first seed alone.

``gowalla``: the split of LightGCN's authors. Settings are chosen by nDCG@20 on the
last tenth of each user's training items, the test set is looked at once.

``large``: fits of made-up tables, one process for each; EASE where it fits.
"""

import argparse
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

import alsolike as al
from _public_tables import citeulike, lastfm, online_retail, steam
from _side_by_side import (
    RESULTS,
    arguments,
    held,
    listed,
    own_peak,
    peer,
    save,
    seconds_of,
    table,
)
from alsolike.data.datasets.public import gowalla
from alsolike.data.datasets.synthetic import synthetic
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.statistics.intervals import paired_difference
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.family import TrainingData
from alsolike.models.history_model import likes_of
from alsolike.models.linear.ease import EASEConfig, ease_bytes, fit_ease
from alsolike.models.linear.sparse import SparseLinearConfig, fit_sparse_linear
from alsolike.models.registry import family_named
from gowalla import inner_split

K, K_GOWALLA = 10, 20
MEASURE = f"precision@{K}"
SHAPES = {  # users, items, likes; neighbours
    "92,000 items": ((50_000, 92_000, 2_400_000), 100),
    "1,000,000 items": ((2_000_000, 1_000_000, 30_000_000), 50),
}
METRICS_GOWALLA = (f"recall@{K_GOWALLA}", f"ndcg@{K_GOWALLA}")
Config = Any
Values = dict[str, float]


TABLES: dict[str, Callable[[Path], Interactions]] = {
    "lastfm": lastfm,
    "steam": steam,
    "online-retail": online_retail,
    "citeulike-a": citeulike,
}


def wide(regularizations: Sequence[float]) -> dict[str, list[Config]]:
    """Return grids around the search spaces."""
    dropouts = (0.0, 0.1, 0.2, 0.33, 0.5)
    dense = [
        EASEConfig(regularization=one, dropout=dropout)
        for one in regularizations
        for dropout in dropouts
    ]
    sparse = [
        SparseLinearConfig(regularization=one, dropout=dropout, neighbours=neighbours)
        for one in regularizations
        for dropout in (0.0, 0.33)
        for neighbours in (25, 50, 100, 200, 400)
    ]
    return {"EDLAE, wide": dense, "sparse, wide": sparse}


def spaces(train: Interactions, asked: argparse.Namespace) -> dict[str, list[Config]]:
    """Return the settings to try of each contender."""
    data = TrainingData(train)
    found: dict[str, list[Config]] = {
        "EASE": [EASEConfig(regularization=one) for one in (30.0, 100.0, 300.0)],
        "EDLAE": list(family_named("ease").search_space(data)),
        "sparse": list(family_named("sparse-linear").search_space(data)),
    }
    if asked.wide:
        found |= wide([10.0, 30.0, 100.0, 300.0])
    return found


@dataclass
class Line:
    """What was measured of one contender over the seeds."""

    name: str
    validation: list[float] = field(default_factory=list)
    users: list[Values] = field(default_factory=list)
    ndcg: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)

    def add(self, split: al.Split, model: Any, value: float, seconds: float, chosen: str) -> None:
        """Evaluate the chosen model on test users."""
        found = al.evaluate(
            model, split.test, exclude=split.train, k=K, metrics=["precision", "ndcg"]
        )
        columns = found.per_user
        pairs = zip(columns["user"].tolist(), columns[MEASURE].tolist(), strict=True)
        self.users.append(dict(pairs))
        self.ndcg.append(float(np.mean(columns[f"ndcg@{K}"])))
        self.validation.append(value)
        self.seconds.append(seconds)
        self.chosen.append(chosen)

    def row(self) -> dict[str, Any]:
        """Return the means over the seeds."""
        return {
            "line": self.name,
            "validation": round(float(np.mean(self.validation)), 4),
            MEASURE: round(float(np.mean([np.mean(list(one.values())) for one in self.users])), 4),
            f"ndcg@{K}": round(float(np.mean(self.ndcg)), 4),
            "seeds": len(self.users),
            "fit s": round(float(np.median(self.seconds)), 2),
            "chosen": max(set(self.chosen), key=self.chosen.count),
        }


class Weights:
    """A peer's item-item weights, scored as lists here are."""

    name = "irspack"

    def __init__(self, train: Interactions, weights: npt.NDArray[np.float64]) -> None:
        self.users, self.items = train.users, train.items
        self._likes, self._weights = likes_of(train), weights

    def scores(self, user_indices: Any, item_indices: slice) -> npt.NDArray[np.float32]:
        """Return likes times weights."""
        found = self._likes[user_indices] @ self._weights[:, item_indices]
        return np.ascontiguousarray(found, dtype=np.float32)


def peers(
    train: Interactions, irspack: ModuleType, asked: argparse.Namespace
) -> dict[str, list[tuple[str, Callable[[], Any]]]]:
    """Return irspack's linear models, each setting with its fit."""
    likes = likes_of(train)
    recommenders = importlib.import_module(f"{irspack.__name__}.recommenders")

    def fit(kind: str, **settings: float) -> Any:
        with held(asked.threads):
            made = getattr(recommenders, kind)(likes, **settings).learn()
        weights = made.W
        return Weights(train, weights.toarray() if hasattr(weights, "toarray") else weights)

    dense = [
        (f"reg {reg:g}", lambda reg=reg: fit("DenseSLIMRecommender", reg=reg))
        for reg in (30.0, 100.0, 300.0)
    ]
    slim = []
    for one in asked.slim.split(";"):
        alpha, share = map(float, listed(one))
        settings = {"alpha": alpha, "l1_ratio": share, "n_threads": asked.threads}
        slim.append((one, lambda settings=settings: fit("SLIMRecommender", **settings)))
    return {"irspack DenseSLIM": dense, "irspack SLIM": slim}


def best_of(
    split: al.Split, tried: Sequence[tuple[str, Callable[[], Any]]]
) -> tuple[Any, float, float, str]:
    """Return the model with the highest validation precision, with that, seconds, and settings."""
    best: tuple[Any, float, float, str] | None = None
    for label, fit in tried:
        start = time.perf_counter()
        model = fit()
        seconds = time.perf_counter() - start
        found = al.evaluate(
            model, split.validation, exclude=split.train, k=K, metrics=["precision"]
        )
        value = float(np.mean(found.per_user[MEASURE]))
        if best is None or value > best[1]:
            best = model, value, seconds, label
    if best is None:
        raise SystemExit("no settings to try")
    return best


def label(config: Config) -> str:
    """Name the settings that matter here."""
    parts = [f"{config.regularization:g}", f"p {config.dropout:g}"]
    if hasattr(config, "neighbours"):
        parts.insert(0, f"m {config.neighbours}")
    return ", ".join(parts)


def gain(ours: Line, theirs: Line) -> str:
    """Return the paired difference over users, whose values are means over the seeds."""
    values: dict[str, tuple[list[float], list[float]]] = {}
    for one, other in zip(ours.users, theirs.users, strict=True):
        for user, value in one.items():
            pair = values.setdefault(user, ([], []))
            pair[0].append(value)
            pair[1].append(other[user])
    means = np.array([[np.mean(a), np.mean(b)] for a, b in values.values()])
    found = paired_difference(means[:, 0], means[:, 1], np.random.default_rng(0))
    return f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"


def public(folder: Path, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Compare on each public table."""
    irspack = peer("irspack", asked)
    engine = LocalEngine(asked.threads)
    for name in listed(asked.data):
        kept, _ = filter_counts(TABLES[name](folder), min_per_user=5, min_per_item=5)
        print(f"\n{name}: {kept!r}", flush=True)
        lines: dict[str, Line] = {}
        for seed in map(int, listed(asked.seeds)):
            split = al.hold_out(kept, k=5, seed=seed)
            tried: dict[str, list[tuple[str, Callable[[], Any]]]] = {
                "popularity": [("", lambda train=split.train: fit_popularity(train))]
            }
            for contender, configs in spaces(split.train, asked).items():
                tried[contender] = [
                    (label(one), lambda one=one, train=split.train: al.fit(
                        train, one, engine=engine))
                    for one in configs
                ]  # fmt: skip
            if irspack is not None and seed == int(listed(asked.seeds)[0]):
                tried |= peers(split.train, irspack, asked)
            for contender, fits in tried.items():
                line = lines.setdefault(contender, Line(contender))
                line.add(split, *best_of(split, fits))
            print(
                f"  seed {seed}: {', '.join(f'{n} {one.chosen[-1]}' for n, one in lines.items())}"
            )
        rows = [one.row() for one in lines.values()]
        print(table(rows), flush=True)
        gains = {
            f"{one} - EASE": gain(lines[one], lines["EASE"])
            for one in lines
            if one != "EASE" and len(lines[one].users) == len(lines["EASE"].users)
        }
        for text, estimate in gains.items():
            print(f"  {text}: {estimate}", flush=True)
        yield {"data": name, "rows": rows, "gains": gains}


def on_gowalla(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Choose on training items alone, and look at the test set once."""
    train, test = gowalla(folder / "lightgcn-gowalla")
    parts = inner_split(train, train.n_users)
    inner = parts.train
    how: dict[str, Any] = {"k": K_GOWALLA, "metrics": ["recall", "ndcg"]}
    best: tuple[float, Config] | None = None
    rows = []
    for neighbours, regularization, dropout in (
        tuple(map(float, listed(one))) for one in asked.configs.split(";")
    ):
        config = SparseLinearConfig(
            neighbours=int(neighbours), regularization=regularization, dropout=dropout
        )
        start = time.perf_counter()
        model = al.fit(inner, config, engine=LocalEngine(asked.threads))
        seconds = time.perf_counter() - start
        found = al.evaluate(model, parts.validation, exclude=inner, **how)
        row = {"settings": label(config), "fit s": round(seconds, 1)}
        row |= {f"validation {name}": round(found.mean(name), 4) for name in METRICS_GOWALLA}
        rows.append(row)
        print(table([row]), flush=True)
        if best is None or found.mean(f"ndcg@{K_GOWALLA}") > best[0]:
            best = found.mean(f"ndcg@{K_GOWALLA}"), config
    if best is None:
        raise SystemExit("no settings to try")
    start = time.perf_counter()
    model = al.fit(train, best[1], engine=LocalEngine(asked.threads))
    seconds = time.perf_counter() - start
    measured = al.evaluate(model, test, exclude=train, **how)
    print(f"\nChosen: {label(best[1])}; fit {seconds:.0f} s")
    summary = list(measured.summary().rows())
    print(table(summary), flush=True)
    return {"data": "gowalla", "rows": rows, "chosen": label(best[1]), "test": summary}


def large(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Fit made-up tables, each contender in a process of its own."""
    for name, (shape, neighbours) in SHAPES.items():
        if asked.shapes and name.partition(" ")[0].replace(",", "") not in listed(asked.shapes):
            continue
        rows = []
        for contender in ("sparse", "EASE"):
            if contender == "EASE" and ease_bytes(shape[1]) > 8 * 2**30:
                gib = ease_bytes(shape[1]) / 2**30
                rows.append({"contender": f"EASE: needs {gib:,.0f} GiB"})
                continue
            given = ["--alone", f"{contender}:{name}", "--threads", str(asked.threads)]
            command = [sys.executable, sys.argv[0], *given]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds, peak = map(float, done.stdout.split())
            rows.append(
                {
                    "contender": contender,
                    "neighbours": neighbours if contender == "sparse" else None,
                    "fit s": round(seconds, 1),
                    "peak MiB": round(peak),
                }
            )
        print(f"\n{name}, {shape[0]:,} users, {shape[2]:,} likes")
        print(table(rows), flush=True)
        yield {"data": name, "rows": rows}


def alone(asked: argparse.Namespace) -> int:
    """Fit one contender, and print its seconds and the peak memory of this process."""
    contender, _, name = asked.alone.partition(":")
    shape, neighbours = SHAPES[name]
    likes, engine = synthetic(*shape), LocalEngine(asked.threads)
    small = synthetic(300, 200, 3_000)
    config = SparseLinearConfig(neighbours=neighbours, regularization=30.0)
    if contender == "sparse":
        fit_sparse_linear(small, config)  # compiles
        seconds = seconds_of(lambda: fit_sparse_linear(likes, config, engine=engine))
    else:
        seconds = seconds_of(lambda: fit_ease(likes, EASEConfig(), engine=engine))
    print(seconds, own_peak())
    return 0


def main() -> int:
    """Run the tasks asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--tasks", default="public,gowalla,large")
    parser.add_argument("--data", default="lastfm,steam,online-retail", help="of public")
    parser.add_argument("--seeds", default="0,1,2,3,4", help="of public")
    parser.add_argument("--wide", action="store_true", help="search wide grids, too")
    parser.add_argument("--slim", default="0.001,0.1;0.0001,0.1", help="alpha,l1_ratio; by ';'")
    parser.add_argument(
        "--configs",
        default="100,30,0;200,50,0.5;200,50,0.7",
        help="of gowalla: neighbours,regularization,dropout; several by ';'",
    )
    parser.add_argument("--shapes", help="of large: 92000 or 1000000, by default both")
    asked = parser.parse_args()
    if asked.alone:
        return alone(asked)
    sections = []
    folder = os.environ.get("ALSOLIKE_DATA")
    tasks = listed(asked.tasks)
    if folder is None and {"public", "gowalla"} & set(tasks):
        print("public tables are left out: ALSOLIKE_DATA does not name their folder")
    if folder is not None and "public" in tasks:
        sections += list(public(Path(folder), asked))
    if folder is not None and "gowalla" in tasks:
        sections.append(on_gowalla(Path(folder), asked))
    if "large" in tasks:
        sections += list(large(asked))
    save(asked.json or RESULTS / "linear.json", {"benchmark": "linear", "sections": sections})
    return 0


if __name__ == "__main__":
    sys.exit(main())
