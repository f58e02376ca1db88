"""What a half-life of likes gains where a shop asks for what comes next.

Run as ``python benchmarks/half_lives.py [--data online-retail,lastfm-tags] [--families als,ease]``,
with ALSOLIKE_DATA naming the folder of public data. Each table is cut into three rolling folds by
time. Of each family, every half-life is scored on the validation windows, pooled by user; the best
of them, and no half-life, are then fitted to training and validation, and scored on the test
windows. Printed are the means, and the paired interval of the difference on test.
"""

import argparse
import csv
import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import alsolike as al
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.evaluation.folds import evaluate_folds
from alsolike.evaluation.statistics.intervals import paired_difference
from alsolike.models.registry import family_of
from alsolike.models.settings import Config
from alsolike.tables import Table

METRIC, K, FOLDS = "ndcg", 10, 3
HALF_LIVES = (None, 720.0, 360.0, 180.0, 90.0, 45.0, 20.0)
FAMILIES: Mapping[str, Config] = {
    "als": al.ALSConfig(factors=64, values="binary"),
    "item-knn": al.ItemKNNConfig(
        weighting="normalized", neighbours=400, user_exponent=0.5, source_exponent=0.7,
        target_exponent=0.4,
    ),
    "ease": al.EASEConfig(regularization=100, dropout=0.33),
}  # fmt: skip


def online_retail(folder: Path) -> Interactions:
    """Read the purchases of Online Retail, with the time of the last one of each pair."""
    return al.read(
        folder / "online-retail-2010-2011/online_retail_2010_2011.csv.gz",
        user="CustomerID", item="Description", timestamp="InvoiceDate", missing_id="drop",
        repeats="once",
    )[0]  # fmt: skip


def lastfm_tags(folder: Path) -> Interactions:
    """Read which artists people of Last.fm tagged, with the day on which they last did."""
    days: dict[tuple[str, str], float] = {}
    with gzip.open(folder / "lastfm-2k/user_taggedartists.dat.gz", "rt") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            pair = row["userID"], row["artistID"]
            day = datetime(*(int(row[one]) for one in ("year", "month", "day")), tzinfo=UTC)
            days[pair] = max(days.get(pair, -np.inf), day.timestamp())
    likes = Interactions.from_columns(*zip(*days, strict=True))
    return replace(likes, timestamps=np.array([days[pair] for pair in pairs_of(likes)]))


def pairs_of(likes: Interactions) -> Iterator[tuple[str, str]]:
    """Yield the ids of each like, in the order of the times."""
    cells = likes.user_items.tocoo()
    for user, item in zip(cells.row.tolist(), cells.col.tolist(), strict=True):
        yield likes.users.id_of(user), likes.items.id_of(item)


TABLES: Mapping[str, Callable[[Path], Interactions]] = {
    "online-retail": online_retail,
    "lastfm-tags": lastfm_tags,
}


def on_validation(fold: Split) -> Split:
    """Return the fold with its validation window as the test, and nothing to validate on."""
    nothing = fold.validation.keep(np.zeros(fold.validation.n_interactions, dtype=bool))
    return replace(fold, validation=nothing, test=fold.validation)


def compared(likes: Interactions, config: Config) -> Iterator[dict[str, object]]:
    """Yield a row for each half-life: means on validation, and of two of them on test."""
    folds = al.split_folds(likes, folds=FOLDS)
    inner, rows, family = [on_validation(one) for one in folds], [], family_of(config)
    for days in HALF_LIVES:
        aged = family.with_half_life(config, days)
        per_user = evaluate_folds(aged, inner, k=K, metrics=[METRIC]).per_user(f"{METRIC}@{K}")
        rows.append((float(np.mean(list(per_user.values()))), days, aged))
    best = max(rows, key=lambda row: row[0])
    tested = {
        days: evaluate_folds(aged, folds, k=K, metrics=[METRIC]).per_user(f"{METRIC}@{K}")
        for _, days, aged in (rows[0], best)
    }
    for mean, days, _ in rows:
        row: dict[str, object] = {"half-life": days or "none", "validation": round(mean, 4)}
        values = tested.get(days)
        row["test"] = "" if values is None else f"{np.mean(list(values.values())):.4f}"
        row["gain on test"] = ""
        if values is not None and days is not None:
            ours, plain = (np.array(list(tested[one].values())) for one in (days, None))
            found = paired_difference(ours, plain, np.random.default_rng(0))
            row["gain on test"] = f"{found.mean:.4f} ({found.low:.4f} to {found.high:.4f})"
        yield row


def main() -> None:
    """Print a table for each data set and family."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=",".join(TABLES), help=", ".join(TABLES))
    parser.add_argument("--families", default=",".join(FAMILIES), help=", ".join(FAMILIES))
    given = parser.parse_args()
    for name in given.data.split(","):
        likes = TABLES[name](Path(os.environ["ALSOLIKE_DATA"]))
        likes, _ = filter_counts(likes, min_per_user=5, min_per_item=5)
        span = np.ptp(np.quantile(likes.timestamps, (0.01, 0.99))) / 86_400
        print(f"{name}: {likes!r}, 98 % of them within {span:,.0f} days")
        for family in given.families.split(","):
            print(f"{family}, {METRIC}@{K}:")
            print(Table.from_rows(list(compared(likes, FAMILIES[family]))), flush=True)


if __name__ == "__main__":
    main()
