"""How far the families go on Gowalla: one search, one fit of each, one look at the test set.

Run as ``python benchmarks/gowalla.py [--out runs/gowalla] [--preset quick|thorough] [--families
als,item-knn,...]``, with ALSOLIKE_DATA naming the folder of public data. The data are split as the
authors of NGCF and LightGCN did: the last fifth of each user's line is the test set. So settings
are chosen on the last tenth of each line of the training part, for 4,000 users (--users) drawn by
seed; a random tenth would choose others, which lose (docs/data/gowalla.md). The search is that of a
run: factors that double, candidates of all families, blends of the best. The ledger lies in the
folder of ``--out``: killed, the same command goes on.

Printed is the leaderboard, then recall@20 and nDCG@20 of the best settings of each family, fitted
to the whole training part, on the test set, with 95 % intervals over its users, beside what papers
report for others on the same split.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import alsolike as al
from _side_by_side import listed, table
from alsolike.cli.terminal import Terminal
from alsolike.data.datasets.public import gowalla
from alsolike.models.registry import family_of
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.options import Searching
from alsolike.tuning.presets import PRESETS, preset_for
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger

K = 20
# Recall@20 and nDCG@20 that have been published for the same split, without intervals.
PUBLISHED = [
    {"published": name, "recall@20": recall, "ndcg@20": ndcg}
    for name, recall, ndcg in (
        ("MF-BPR", 0.1627, 0.1378),
        ("EASE", 0.1765, 0.1467),
        ("LightGCN", 0.1830, 0.1554),
        ("GF-CF", 0.1849, 0.1518),
        ("UltraGCN", 0.1862, 0.1580),
        ("SimpleX", 0.1872, 0.1557),
        ("BSPM", 0.1920, 0.1597),
        ("NESCL", 0.1917, 0.1617),
    )
]


def inner_split(train: al.Interactions, n_users: int) -> al.Split:
    """Hold out the last tenth of every line, to choose settings on what so many users have there.

    There is no test part: the test set is elsewhere.
    """
    parts = al.hold_out_by_time(train, fraction=0.1)
    eligible = np.flatnonzero(parts.test.user_counts)
    drawn = np.random.default_rng(0).permutation(eligible)[:n_users]
    is_drawn = np.isin(np.arange(train.n_users), drawn)
    validation = parts.test.keep(np.repeat(is_drawn, parts.test.user_counts))
    nothing = train.keep(train.user_items.data < 0)
    words = f"the last tenth of each line, that of {n_users:,} users to choose on"
    return al.Split(al.joined(parts.train, parts.validation), validation, nothing, words)


def chosen(split: al.Split, asked: argparse.Namespace) -> SearchResult:
    """Search, or go on with a search, in the folder asked for."""
    asked.out.mkdir(parents=True, exist_ok=True)
    preset = preset_for(asked.preset, split.train)
    families = None if asked.families is None else listed(asked.families)
    lineup = lineup_for(families, None, split.train, thorough=preset.thorough)
    with Ledger(asked.out / "ledger.sqlite") as ledger:
        return search(
            split,
            Searching().strategy(preset) if lineup.searched else (),
            sweeps=preset.sweeps,
            candidates=lineup.candidates,
            baselines=lineup.baselines,
            combined=lineup.combined,
            ledger=ledger,
            objective=f"ndcg@{K}",
            budget=Budget(forecast=True),
            observer=Terminal(),
        )


def best_of_families(found: SearchResult) -> dict[str, Any]:
    """Return the best settings of each family that may be chosen, the best first."""
    best: dict[str, Any] = {}
    for row in found.rows:
        if row.is_candidate:
            best.setdefault(family_of(row.config).name, row.config)
    return best


def main() -> int:
    """Search, fit, and measure once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gowalla"), help="of the ledger")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="quick")
    parser.add_argument("--families")
    parser.add_argument("--users", type=int, default=4_000)
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("gowalla is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    train, test = gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")
    split = inner_split(train, asked.users)
    print(split)
    start = time.perf_counter()
    found = chosen(split, asked)
    print(found)
    print(f"\nsearch {time.perf_counter() - start:.0f} s\n", flush=True)
    rows = []
    for family, config in best_of_families(found).items():
        began = time.perf_counter()
        model = al.fit(train, config)
        fitted = time.perf_counter()
        measured = al.evaluate(model, test, exclude=train, k=K, metrics=["recall", "ndcg"])
        print(f"{family}: {config}", flush=True)
        means = {row["metric"]: row for row in measured.summary().rows()}
        row: dict[str, Any] = {"family": family}
        for metric in (f"recall@{K}", f"ndcg@{K}"):
            one = means[metric]
            row |= {
                metric: one["mean"],
                f"{metric} interval": f"{one['low']:.4f} to {one['high']:.4f}",
            }
        rows.append(row | {"fit s": fitted - began, "lists s": time.perf_counter() - fitted})
    print(table(rows))
    print(table(PUBLISHED))
    print(f"in all {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
