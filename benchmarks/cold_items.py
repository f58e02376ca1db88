"""Cold items on citeulike-a: settings chosen on validation articles, one look at the test articles.

Run as ``python benchmarks/cold_items.py [--features tags,citations] [--families ...]``, with
ALSOLIKE_DATA naming the folder of public data. The split is that of Zhu et al., "Heater", SIGIR
2020: nobody in training has bookmarked the articles of validation and test. Tags were given by the
people who bookmark, so they tell of taste; citations are clean. Ranked are the articles of the test
set alone; recall@20 is hits over all test likes of a user, as published.

The search is that of a run on a split by new items: the families that use features, then blends of
the best. Printed are the leaderboard, and the test figures of the best settings of each family; the
seconds of a blend are without those of members that were fitted before it.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import alsolike as al
from _public_tables import citeulike_cold
from _side_by_side import listed, table
from alsolike.cli.terminal import Terminal
from alsolike.models.family import TrainingData
from alsolike.models.memo import Memo
from alsolike.models.registry import family_of
from alsolike.tuning.candidate_families import lineup_for
from alsolike.tuning.search import search
from gowalla import best_of_families

K = 20
SWEEPS = (5,)


def test_figures(split: al.Split, data: TrainingData, config: Any) -> dict[str, Any]:
    """Fit to training alone, as published, and measure on the test articles."""
    start, family = time.perf_counter(), family_of(config)
    model = family.fit(data, config)
    data.offer(family, config, model, 0.0)  # to blends that have it as a member
    seconds = time.perf_counter() - start
    found = al.evaluate_new_items(
        model, split.test, exclude=split.train, k=K, metrics=["recall", "ndcg"],
        new_items=split.new_items("test"),
    )  # fmt: skip
    row: dict[str, Any] = {"family": family.name}
    for one in found.among_new.summary().rows():
        name = one["metric"]
        row |= {name: one["mean"], f"{name} interval": f"{one['low']:.4f} to {one['high']:.4f}"}
    return row | {"fit s": seconds}


def main() -> int:
    """Search, and measure once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--features", default="tags,citations")
    parser.add_argument("--families", help="only these, separated by commas")
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("citeulike-a is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    start = time.perf_counter()
    split = citeulike_cold(Path(os.environ["ALSOLIKE_DATA"]), asked.features)
    print(split, split.train.item_features, flush=True)
    families = None if asked.families is None else listed(asked.families)
    lineup = lineup_for(families, None, split.train, by_features=True)
    found = search(
        split, (), sweeps=SWEEPS, objective=f"recall@{K}", candidates=lineup.candidates,
        baselines=lineup.baselines, combined=lineup.combined, observer=Terminal(),
    )  # fmt: skip
    print(found)
    print(f"search {time.perf_counter() - start:.0f} s", flush=True)
    best = best_of_families(found)
    for family, config in best.items():
        print(f"{family}: {config}", flush=True)
    data = TrainingData(split.train, Memo(keeps_best=True))
    # Members before blends, which are the best.
    print(table([test_figures(split, data, config) for config in reversed(best.values())][::-1]))
    print(f"in all {time.perf_counter() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
