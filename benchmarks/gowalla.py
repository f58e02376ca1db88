"""How far exact WRMF goes on Gowalla: its whole search, one fit, one look at the test set.

Run as ``python benchmarks/gowalla.py [--out runs/gowalla] [--factors 64,128,256,512,1024]``, with
ALSOLIKE_DATA naming the folder of public data. The data are split as the authors of NGCF and
LightGCN did. Settings are chosen on a tenth of each user's training items; the search doubles
(Rendle et al. 2022): all settings with the fewest factors, the best third of them with the next
more. The ledger lies in the folder of ``--out``: killed, the same command goes on.

Printed is the leaderboard, then recall@20 and nDCG@20 of the chosen settings, fitted to the whole
training part, on the test set, with 95 % intervals over its users, beside what papers report for
others on the same split.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import alsolike as al
from _side_by_side import hu2008, listed, table
from alsolike.cli.terminal import Terminal
from alsolike.data.datasets.public import gowalla
from alsolike.tuning.budget.budget import Budget
from alsolike.tuning.leaderboard.leaderboard import SearchResult
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.by_name import strategy_of

BASE = hu2008(regularization_count="observed")
SPACE = {
    "alpha": [10.0, 30.0, 100.0],
    "regularization": [0.3, 1.0, 3.0],
    "regularization_exponent": [0.5, 1.0],
}
SWEEPS = (2, 4, 8, 12)
K = 20
# Recall@20 and nDCG@20 that have been published for the same split, without intervals.
PUBLISHED = [
    {"published": name, "recall@20": recall, "ndcg@20": ndcg}
    for name, recall, ndcg in (
        ("MF-BPR", 0.1627, 0.1378),
        ("EASE", 0.1765, 0.1467),
        ("LightGCN", 0.1820, 0.1547),
        ("GF-CF", 0.1849, 0.1518),
    )
]


def inner_split(train: al.Interactions) -> al.Split:
    """Return nine tenths of each user's training items, and the tenth that settings are chosen on.

    Its own test part goes back to training: the test set is elsewhere.
    """
    parts = al.hold_out_fraction(train, fraction=0.1)
    nothing = train.keep(train.user_items.data < 0)
    whole = al.joined(parts.train, parts.test)
    return al.Split(whole, parts.validation, nothing, "a tenth of each user's items to choose on")


def chosen(split: al.Split, asked: argparse.Namespace) -> SearchResult:
    """Search, or go on with a search, in the folder asked for."""
    asked.out.mkdir(parents=True, exist_ok=True)
    space = SPACE | {"factors": [int(value) for value in listed(asked.factors)]}
    strategy = strategy_of("doubling", space, BASE)
    with Ledger(asked.out / "ledger.sqlite") as ledger:
        return search(
            split,
            strategy,
            sweeps=SWEEPS,
            ledger=ledger,
            objective=f"ndcg@{K}",
            budget=Budget(forecast=True),
            observer=Terminal(),
        )


def main() -> int:
    """Search, fit, and measure once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/gowalla"), help="of the ledger")
    parser.add_argument("--factors", default="64,128,256,512,1024")
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("gowalla is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    train, test = gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")
    split = inner_split(train)
    print(split)
    start = time.perf_counter()
    found = chosen(split, asked)
    searched = time.perf_counter()
    print(found)
    print(f"\nChosen: {found.best}")
    model = al.fit(train, found.best)
    fitted = time.perf_counter()
    measured = al.evaluate(model, test, exclude=train, k=K, metrics=["recall", "ndcg"])
    print(table(list(measured.summary().rows())))
    print(table(PUBLISHED))
    print(f"search {searched - start:.0f} s, fit {fitted - searched:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
