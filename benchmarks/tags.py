"""Tags on Last.fm: what they add to lists, and tags that are suggested for artists.

Run as ``python benchmarks/tags.py [--tasks lists,linear,suggested] [--seeds 5]``, with
ALSOLIKE_DATA naming the folder of public data.

``lists``: for each seed ten plays of a fifth of the users are held out for the test, and as many of
another fifth for validation; tags that these users gave are left out of what is trained on. ALS and
feature-aware ALS choose their settings on validation users, the second among those of a search
around the first. Quoted are lists of 10 for the test users: precision, and the share of held-out
plays found of artists with 2 to 5 likes in training, each with the paired difference and its 95 %
interval over users. Shuffled tags, with the same search, say what is due to the tags themselves.

``linear``: the same lists by EASE, without tags and with a row for each tag under the likes.

``suggested``: a tenth of the pairs of an artist and a tag are held out. Ten tags are suggested for
each artist, by the tags of similar artists; beside it stand the most frequent tags, and tags of the
nearest artists by tags alone. Quoted is the share of held-out pairs found.
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import alsolike as al
from _side_by_side import listed, table
from alsolike.data.features.features import Features
from alsolike.evaluation.statistics.intervals import paired_difference
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named
from alsolike.recommending.features.suggesting import suggestions_of
from alsolike.tuning.search import search
from gowalla import best_of_families

K = 10
FEW = (2, 5)  # likes of an artist in training
GRID = {"regularization": [0.003, 0.006, 0.01, 0.02], "factors": [256]}
SWEEPS = (3, 5, 8)
FEATURE_FAMILY = "feature-als"

Values = npt.NDArray[np.float64]


def tagged(folder: Path) -> al.Interactions:
    """Read the plays of Last.fm, with tags of artists and who gave them."""
    own = folder / "lastfm-2k"
    likes, _ = al.read(
        own / "user_artists.dat.gz", user="userID", item="artistID", value="weight",
        item_features=f"{own / 'user_taggedartists.dat.gz'}:artistID,tagID@userID",
    )  # fmt: skip
    return al.filter_counts(likes, min_per_user=10, min_per_item=2)[0]


def lists_of(model: Any, split: al.Split, seen: al.Interactions) -> tuple[Values, Values]:
    """Return precision@10 of each test user, and the share found of artists with few likes.

    The second is NaN for users without such an artist.
    """
    counts = seen.like_counts
    is_few = (counts >= FEW[0]) & (counts <= FEW[1])
    precision, found = [], []
    found_all = al.evaluate(model, split.test, exclude=seen, k=K, metrics=["precision"])
    few = split.test.keep(is_few[split.test.user_items.indices])
    of_few = al.evaluate(model, few, exclude=seen, k=K, metrics=["recall"])
    by_user = dict(zip(of_few.per_user["user"], of_few.per_user[f"recall@{K}"], strict=True))
    for user, value in zip(
        found_all.per_user["user"], found_all.per_user[f"precision@{K}"], strict=True
    ):
        precision.append(value)
        found.append(by_user.get(user, np.nan))
    return np.array(precision), np.array(found)


@dataclass
class Seeds:
    """What the seeds gave, user by user, and the model to compare with."""

    baseline: str = "als"
    precision: dict[str, list[Values]] = field(default_factory=dict)
    few: dict[str, list[Values]] = field(default_factory=dict)
    chosen: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, split: al.Split, config: Any) -> None:
        """Fit to training and validation, and measure on test users."""
        seen = split.train_and_validation()
        both = lists_of(al.fit(seen, config), split, seen)
        for kind, values in zip((self.precision, self.few), both, strict=True):
            kind.setdefault(name, []).append(values)

    def rows(self) -> list[dict[str, Any]]:
        """Return the means, and the differences to ALS, paired over the users of all seeds."""
        rows = []
        for name in self.precision:
            row: dict[str, Any] = {"model": name, "seeds": len(self.precision[name])}
            for label, kind in ((f"precision@{K}", self.precision), ("few likes", self.few)):
                own, base = np.concatenate(kind[name]), np.concatenate(kind[self.baseline])
                has = ~np.isnan(own)
                row[label] = float(own[has].mean())
                gain = paired_difference(own[has], base[has], np.random.default_rng(0))
                row[f"{label}, gain"] = f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            rows.append(row)
        return rows


def lists(likes: al.Interactions, seeds: int) -> None:
    """Compare lists with and without tags, and print."""
    found = Seeds()
    for seed in range(seeds):
        start = time.perf_counter()
        split = al.hold_out(likes, k=K, share=0.2, validation_share=0.2, seed=seed)
        real = split.train_and_validation().item_features
        best = chosen(split)
        found.add("als", split, best["als"])
        found.add("with tags", split, best[FEATURE_FAMILY])
        mixed = shuffled(split, seed)
        others = chosen(mixed)
        found.add("with shuffled tags", mixed, others[FEATURE_FAMILY])
        print(f"seed {seed}: {split.own_features:,} cells of tags left out, {real}")
        for name, config in (*best.items(), ("shuffled", others[FEATURE_FAMILY])):
            print(f"  {name}: {told(config)}")
        print(f"  {time.perf_counter() - start:.0f} s", flush=True)
    print(table(found.rows()))


def linear(likes: al.Interactions, seeds: int) -> None:
    """Compare lists of EASE with and without tags, and print."""
    found = Seeds(baseline="ease")
    for seed in range(seeds):
        split = al.hold_out(likes, k=K, share=0.2, validation_share=0.2, seed=seed)
        space = family_named("ease").search_space(TrainingData(split.train))
        tried = search(split, (), candidates=list(space), objective=f"precision@{K}")
        for name, has_tags in (("ease", False), ("with tags", True)):
            best = next(
                row.config for row in tried.rows
                if row.is_candidate and (row.config.feature_weight > 0) == has_tags
            )  # fmt: skip
            print(f"seed {seed}, {name}: {best}", flush=True)
            found.add(name, split, best)
    print(table(found.rows()))


def shuffled(split: al.Split, seed: int) -> al.Split:
    """Return the split with the features of other items."""
    order = np.random.default_rng(seed).permutation(split.train.n_items)

    def mixed(part: al.Interactions) -> al.Interactions:
        own = part.item_features
        if own is None:
            return part
        return replace(part, item_features=Features(own.matrix, own.blocks).take(order))

    parts = map(mixed, (split.train, split.validation, split.test))
    return al.Split(*parts, method=split.method)


def told(config: Any) -> str:
    """Return the settings that were searched."""
    names = ("factors", "regularization", "iterations", "item_feature_regularization")
    return ", ".join(f"{name} {getattr(config, name)}" for name in names if hasattr(config, name))


def chosen(split: al.Split) -> Mapping[str, Any]:
    """Return the best settings of ALS, and of the feature-aware model around them."""
    found = search(
        split, al.expand(GRID, al.ALSConfig()), sweeps=SWEEPS, objective=f"precision@{K}",
        combined=[FEATURE_FAMILY],
    )  # fmt: skip
    return best_of_families(found)


def suggested(likes: al.Interactions, seed: int = 0) -> None:
    """Compare suggested tags with two baselines, and print."""
    known = likes.item_features
    if known is None:
        return
    matrix = known.matrix
    generator = np.random.default_rng(seed)
    hidden = generator.random(matrix.nnz) < 0.1
    rows = np.repeat(np.arange(known.n_rows), np.diff(matrix.indptr))
    kept = matrix.copy()
    kept.data[hidden] = 0
    kept.eliminate_zeros()
    train = replace(likes, item_features=Features(kept, known.blocks))
    model = al.fit(train, family="item-profile")
    ours = suggestions_of(model)
    alone = suggestions_of(replace(model, history=None))
    among = ours.among(None, 2)
    counts = np.bincount(kept.indices, minlength=known.n_features).astype(np.float64)
    shares: dict[str, list[float]] = {name: [] for name in ("ours", "frequent", "tag-knn")}
    for row in np.unique(rows[hidden]):
        wanted = set(matrix.indices[hidden & (rows == row)].tolist())
        for name, one, scores in (
            ("ours", ours, ours.scores(row)),
            ("frequent", ours, counts),
            ("tag-knn", alone, alone.scores(row)),
        ):
            best, _ = one.best(int(row), K, among, scores)
            shares[name].append(len(wanted & set(best.tolist())) / len(wanted))
    lines = []
    for name, values in shares.items():
        gain = paired_difference(
            np.array(shares["ours"]), np.array(values), np.random.default_rng(0)
        )
        text = "" if name == "ours" else f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        lines.append({"suggested by": name, "found among 10": np.mean(values), "ours, gain": text})
    print(f"{len(shares['ours']):,} artists, {int(hidden.sum()):,} pairs held out")
    print(table(lines))


def main() -> int:
    """Run the tasks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", default="lists,linear,suggested")
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("Last.fm is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    likes = tagged(Path(os.environ["ALSOLIKE_DATA"]))
    if "lists" in listed(asked.tasks):
        lists(likes, asked.seeds)
    if "linear" in listed(asked.tasks):
        linear(likes, asked.seeds)
    if "suggested" in listed(asked.tasks):
        suggested(likes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
