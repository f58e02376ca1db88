"""What a blend gains over its best member, and how long it takes, everything chosen on validation.

Run as ``python benchmarks/blends.py [--data lastfm,steam,online-retail] [--seeds 0,1,2,3,4]``, with
ALSOLIKE_DATA naming the folder of public data; Gowalla is in gowalla.py. Of each table and seed, a
search tries ALS of 64, 128 and 512 factors, the other families with what they are tried with by
default, and blends of the best. The best of each family on validation users, and the best of at
most 128 factors, is fitted to training and validation, and scored on test users; printed are the
means over all seeds, and paired intervals of the best blend minus each of the others.

``--data speed`` prints how long the scores of a member take, of made-up factors.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

import alsolike as al
from _side_by_side import listed, table
from alsolike.cli.terminal import Terminal
from alsolike.evaluation.statistics.intervals import paired_difference
from alsolike.models.blend.standardized import Standardized
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named
from alsolike.models.settings import Config
from alsolike.testing import tiny_model
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.search import search
from similar import TABLES

K, SWEEPS = 10, (2, 3, 5, 8)
BASE = al.ALSConfig(
    values="binary", confidence="additive", alpha=1.0, regularization_exponent=1.0, iterations=8
)
SPACE = {
    "factors": [64, 128, 512],
    "unobserved_weight": [0.03, 0.1, 0.3],
    "regularization": [0.003, 0.01, 0.03],
}
FEW = 128  # factors
MEASURE = f"precision@{K}"
SMALL = ("lastfm", "steam", "online-retail")

Values = npt.NDArray[np.float64]


def chosen(
    split: al.Split, configs: Sequence[Config], names: Sequence[str], sweeps: Sequence[int],
    objective: str,
) -> SearchResult:  # fmt: skip
    """Search these configurations of ALS, the other families that are tried, and blends."""
    lineup = lineup_for(names, [], split.train)
    return search(
        split, configs, sweeps=sweeps, objective=objective, candidates=lineup.candidates,
        baselines=lineup.baselines, combined=lineup.combined, observer=Terminal(quiet=True),
    )  # fmt: skip


def best_of_each(found: SearchResult) -> dict[str, Config]:
    """Return the best configuration of each family, and of few factors, by validation."""
    best: dict[str, Config] = {}
    for row in found.rows:
        best.setdefault(row.family, row.config)
        if 0 < family_named(row.family).factors(row.config) <= FEW:
            best.setdefault(f"{row.family} of at most {FEW} factors", row.config)
    return best


def small_table(name: str, folder: Path, seeds: Sequence[int]) -> None:
    """Print the test scores of the best of each family, and what the blend gains."""
    likes, _ = al.filter_counts(TABLES[name](folder), min_per_user=5, min_per_item=3)
    per_user: dict[str, list[Values]] = {}
    for seed in seeds:
        split = al.hold_out(likes, k=K, seed=seed)
        families = ["als", "item-knn", "blend"]
        if family_named("ease").is_tried(TrainingData(split.train)):
            families.append("ease")
        began = time.perf_counter()
        found = chosen(split, al.expand(SPACE, BASE), families, SWEEPS, MEASURE)
        seconds = time.perf_counter() - began
        shown = al.joined(split.train, split.validation)
        best = best_of_each(found)
        for family, config in best.items():
            model = al.fit(shown, config)
            scored = al.evaluate(model, split.test, exclude=shown, k=K, metrics=["precision"])
            per_user.setdefault(family, []).append(scored.per_user[MEASURE])
        print(f"{name}, seed {seed}: {seconds:.0f} s; {best['blend']}")
    blend = np.concatenate(per_user["blend"])
    rows = []
    for family, values in per_user.items():
        own = np.concatenate(values)
        row = {"family": family, MEASURE: f"{own.mean():.4f}", "blend minus it": ""}
        if family != "blend":
            row["blend minus it"] = f"{paired_difference(blend, own, np.random.default_rng(0))}"
        rows.append(row)
    print(table(rows))


def speed(factors: int, n_items: int = 40_981) -> None:
    """Print the processor seconds of one thread for the scores of 240 users, of made-up factors."""
    rng = np.random.default_rng(0)
    model = tiny_model(240, n_items, 1)
    both = {
        "user_factors": rng.standard_normal((240, factors), dtype=np.float32),
        "item_factors": rng.standard_normal((n_items, factors), dtype=np.float32),
    }
    model = replace(model, **both, eigenvalues=np.ones(factors))
    member, rows = Standardized(model), np.arange(240, dtype=np.int32)
    ways = {
        "float32 product, 240 users": lambda: model.scores(rows, slice(None)),
        "in deviations, 240 users": lambda: member.of_users(rows),
        "in deviations, 1 user": lambda: member.of_users(rows[:1]),
    }
    found = []
    with threadpool_limits(1):
        for name, work in ways.items():
            work()
            began = time.thread_time()
            for _ in range(3):
                work()
            found.append({"scores": name, "CPU s": f"{(time.thread_time() - began) / 3:.3f}"})
    print(f"{n_items:,} items, {factors:,} factors")
    print(table(found))


def main() -> int:
    """Run the tables that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default=",".join(SMALL))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--factors", type=int, default=1024, help="of --data speed")
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    folder = Path(os.environ["ALSOLIKE_DATA"])
    for name in listed(asked.data):
        if name == "speed":
            speed(asked.factors)
        else:
            small_table(name, folder, [int(seed) for seed in listed(asked.seeds)])
    return 0


if __name__ == "__main__":
    sys.exit(main())
