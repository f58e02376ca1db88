"""The article's follow-up on a table of its shape: WARP by default and searched, tags, ALS.

Run as ``python benchmarks/follow_up.py [--folder follow_up] [--trials 250] [--tag-trials 50]
[--als-trials 12] [--data article]``. What the follow-up did, in its order: WARP with its defaults
at 10, 20, ... 100 epochs; a search of 250 trials; with tags, one of 50 trials; and ALS beside them.
Each search has a ledger in the folder: after a kill, the same command goes on where it was.

The likes are made up in the article's shape, 15,274 users x 25,655 items with 547,477 likes, and
the tags too, 20,352 of them in 161,510 cells: the article's own are not to be had. Made-up likes
have popular items and no taste, so that no model can find more than popularity, and tags say
nothing. The figures show what the whole costs, and how far apart two models must be to be told
apart. On likes with a taste, ``--data lastfm`` runs the same on Last.fm with its own tags, read
from the folder that ALSOLIKE_DATA names; tags by test users are left out.

5 likes of each of a fifth of the users are held out for the test, and of another fifth for
validation, by which every choice is made; the follow-up chose on the test users. WARP takes no
features here: with tags, the family is feature-als. precision@5 of the chosen models, fitted to
training and validation, on the test users, seen items left out (and kept, as the article did),
with the 95 % interval over users, and the paired difference from ALS.

The follow-up's own figures are counts of hits among 15,270 held-out likes: of these no more is
known than totals, so their intervals are Wilson's and their differences are Newcombe's, for
independent trials. Two models on the same users are not independent: the intervals are too wide, if
anything.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

import alsolike as al
from _side_by_side import table
from alsolike.data.datasets.synthetic import article_shape, synthetic
from alsolike.data.features.features import Block, Features
from alsolike.data.string_array import StringArray
from alsolike.evaluation.statistics.intervals import (
    bootstrap_mean,
    paired_difference,
    two_proportions,
)
from alsolike.models.pairwise.config import WARPConfig
from alsolike.progress import Observer
from alsolike.tuning.search import search
from alsolike.tuning.storage.ledger import Ledger
from alsolike.tuning.strategies.search_space import Range, drawn
from tags import tagged as lastfm_with_tags

K = 5
HELD_OUT = 15_270
# Hits of the follow-up's models, from the figures that it prints: p@5 times 15,270.
ORIGINAL = {
    "WARP, default": 518, "WARP, 250 trials": 730, "WARP with tags": 704, "ALS, the article's": 727,
}  # fmt: skip
TAGS, TAG_CELLS = 20_352, 161_510
EPOCHS = tuple(range(10, 101, 10))
WARP_SPACE: Mapping[str, Any] = {
    "factors": [16, 32, 64, 96, 128],
    "learning_rate": Range(low=0.01, high=0.3, log=True),
    "user_regularization": Range(low=1e-4, high=0.1, log=True),
    "item_regularization": Range(low=1e-4, high=0.1, log=True),
    "max_sampled": [10, 30, 100],
}
ALS_SPACE: Mapping[str, Any] = {
    "factors": [32, 64, 128],
    "regularization": Range(low=0.001, high=0.1, log=True),
    "unobserved_weight": Range(low=0.003, high=0.3, log=True),
}
TAG_SPACE: Mapping[str, Any] = {
    **ALS_SPACE,
    "item_feature_regularization": Range(low=0.1, high=100.0, log=True),
}

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """A searched family: what was chosen, how many trainings it took, and their seconds."""

    name: str
    config: Any
    trials: int
    seconds: float


class Counted(Observer):
    """Prints how many trainings are done, and warnings."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done, self._begun = what, total, 0, time.monotonic()

    def tell(self, finding: object) -> None:
        """Count a finished training."""
        if hasattr(finding, "title"):
            self._done += 1
            took = time.monotonic() - self._begun
            print(f"{self._what}: {self._done} of {self._total}, {took:.0f} s", file=sys.stderr)

    def warn(self, danger: str) -> None:
        """Print a warning."""
        print(f"{self._what}: {danger}", file=sys.stderr)


def likes_of(asked: argparse.Namespace) -> al.Interactions:
    """Return likes with tags of items."""
    if asked.data == "lastfm":
        return lastfm_with_tags(Path(os.environ["ALSOLIKE_DATA"]))
    if asked.data == "article":
        return tagged(article_shape(), TAGS, TAG_CELLS)
    users, items, cells = map(int, asked.data.split("x"))
    return tagged(synthetic(users, items, cells, minimum=12), items, 6 * items)


def tagged(likes: al.Interactions, n_tags: int, cells: int) -> al.Interactions:
    """Give items random tags, some of them frequent."""
    made = synthetic(likes.n_items, n_tags, cells, seed=1).user_items
    names = StringArray.pack([f"tag {number}" for number in range(n_tags)])
    return replace(likes, item_features=Features(sp.csr_array(made), (Block("tag", "set", names),)))


def searched(
    name: str, configs: Sequence[Any], split: al.Split, asked: argparse.Namespace, sweeps: Any
) -> Chosen:
    """Search with a ledger of its own, which goes on after a kill."""
    file = asked.folder / f"{name.replace(' ', '_').replace(',', '')}.sqlite"
    with Ledger(file) as ledger:
        found = search(
            split, configs, objective=f"precision@{K}", sweeps=sweeps, ledger=ledger,
            observer=Counted(name, len(configs)),
        )  # fmt: skip
        seconds = seconds_in(ledger)
    return Chosen(name, found.best, len(configs), seconds)


def seconds_in(ledger: Ledger) -> float:
    """Return the seconds of all trainings of a ledger, also of those before a kill."""
    return float(sum(row["seconds"] or 0.0 for row in ledger.to_table().rows()))


def curve(split: al.Split, asked: argparse.Namespace) -> Chosen:
    """Train WARP with its defaults, and print validation precision by epochs."""
    name = "WARP, default"
    with Ledger(asked.folder / "WARP_default.sqlite") as ledger:
        found = search(
            split, [WARPConfig()], objective=f"precision@{K}", sweeps=asked.epochs, ledger=ledger,
            observer=Counted(name, 1),
        )  # fmt: skip
        (run,) = [row["id"] for row in ledger.to_table().rows()]
        points, seconds = ledger.points(run), seconds_in(ledger)
    figures = [
        {"epochs": sweep, **{name: point[name] for name in sorted(point) if "precision" in name}}
        for sweep, point in points.items()
    ]
    print(table(figures), end="\n\n")
    return Chosen(name, found.best, 1, seconds)


def measured(chosen: Chosen, split: al.Split, known: al.Interactions) -> dict[bool, Values]:
    """Return precision@5 of each test user, with seen items left out and kept."""
    model = al.fit(known, chosen.config)
    found = {}
    for kept in (False, True):
        result = al.evaluate(
            model, split.test, exclude=None if kept else known, k=K, metrics=["precision"]
        )
        found[kept] = np.asarray(result.per_user[f"precision@{K}"], dtype=np.float64)
    return found


def compare(all_chosen: Sequence[Chosen], split: al.Split) -> None:
    """Print the chosen models on the test users, and what can be told apart."""
    known = split.train_and_validation()
    values = {one.name: measured(one, split, known) for one in all_chosen}
    reference = all_chosen[-1].name
    rows, verdicts = [], []
    for one in all_chosen:
        own = values[one.name]
        mean = bootstrap_mean(own[False], np.random.default_rng(0))
        row = {
            "model": one.name, "trainings": one.trials, "seconds": round(one.seconds, 1),
            "hits": round(float(own[False].sum()) * K), "p@5": f"{mean.mean:.4f}",
            "interval": f"{mean.low:.4f} to {mean.high:.4f}",
            "p@5, seen kept": f"{own[True].mean():.4f}",
        }  # fmt: skip
        rows.append(row)
        if one.name != reference:
            gap = paired_difference(own[False], values[reference][False], np.random.default_rng(0))
            verdicts.append(
                f"{one.name} against {reference}: {gap.mean:+.4f} ({gap.low:+.4f} to "
                f"{gap.high:+.4f}): {_verdict(gap.low, gap.high)}"
            )
    print(table(rows), end="\n\n")
    print("\n".join(verdicts), end="\n\n")
    for one in all_chosen:
        differing = {
            field.name: getattr(one.config, field.name)
            for field in dataclasses.fields(one.config)
            if getattr(one.config, field.name) != field.default
        }
        print(f"{one.name}: {differing}")


def original() -> None:
    """Print the follow-up's own figures with intervals, and what they can tell apart."""
    rows = []
    for name, hits in ORIGINAL.items():
        alone = two_proportions(hits, HELD_OUT, 0, HELD_OUT)
        low, high = _wilson_of(hits)
        rows.append(
            {"the follow-up's": name, "hits": hits, "p@5": f"{alone.difference:.4f}",
             "interval": f"{low:.4f} to {high:.4f}"}
        )  # fmt: skip
    print(table(rows), end="\n\n")
    last = list(ORIGINAL)[-1]
    for name, hits in list(ORIGINAL.items())[:-1]:
        gap = two_proportions(hits, HELD_OUT, ORIGINAL[last], HELD_OUT)
        print(
            f"{name} against {last}: {gap.difference:+.4f} ({gap.low:+.4f} to {gap.high:+.4f}), "
            f"p = {gap.p_value:.2g}: {_verdict(gap.low, gap.high)}"
        )
    print()


def _wilson_of(hits: int) -> tuple[float, float]:
    share, z = hits / HELD_OUT, 1.959964
    middle = (share + z * z / (2 * HELD_OUT)) / (1 + z * z / HELD_OUT)
    spread = share * (1 - share) / HELD_OUT + z * z / (4 * HELD_OUT**2)
    half = z * spread**0.5 / (1 + z * z / HELD_OUT)
    return middle - half, middle + half


def _verdict(low: float, high: float) -> str:
    return "cannot be told apart" if low <= 0 <= high else "can be told apart"


def main(given: Sequence[str] | None = None) -> None:
    """Run all parts; what a ledger has is not done again."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("follow_up"))
    parser.add_argument("--trials", type=int, default=250)
    parser.add_argument("--tag-trials", type=int, default=50)
    parser.add_argument("--als-trials", type=int, default=12)
    parser.add_argument("--epochs", default=",".join(map(str, EPOCHS)))
    parser.add_argument("--data", default="article", help="article, lastfm, or 300x200x6000")
    asked = parser.parse_args(given)
    asked.epochs = tuple(int(part) for part in asked.epochs.split(","))
    asked.folder.mkdir(parents=True, exist_ok=True)
    original()
    likes = likes_of(asked)
    split = al.hold_out(likes, k=K)
    print(f"{likes}\n{split}\n{likes.item_features}", end="\n\n")
    warp = drawn(WARP_SPACE, WARPConfig(iterations=asked.epochs[-1]), asked.trials)
    tags = drawn(TAG_SPACE, al.FeatureALSConfig(iterations=8), asked.tag_trials)
    plain = drawn(ALS_SPACE, al.ALSConfig(iterations=8), asked.als_trials)
    every = [one for one in asked.epochs if one == asked.epochs[-1] or one % 20 == 0]
    compare(
        [
            curve(split, asked),
            searched(f"WARP, {len(warp)} trials", warp, split, asked, every),
            searched(f"feature-als with tags, {len(tags)} trials", tags, split, asked, (4, 8)),
            searched(f"ALS, {len(plain)} trials", plain, split, asked, (4, 8)),
        ],
        split,
    )


if __name__ == "__main__":
    main()
