"""Similar items by evidence beside counts, the cosine and popularity, on users never trained on.

Run as ``python benchmarks/similar.py [--data lastfm,steam] [--seeds 0,1,2,3,4]``. The tables are
those of docs/data/, read and filtered as there, from the folder that ALSOLIKE_DATA names, and
citeulike-a without its cold items.

For each seed, a tenth of the users each are validation and test users, without a like in training
(five such folds below 5,000 users). Everything is chosen by precision@10 on validation users, and
quoted on test users:

``counts``: how many like both, with all users alike (co-counts, at 0 the cosine of likes), weighed
by rarity as in BM25, or by 1 / L ** .5 and 1 / L (the normalised filter); each with its own dial.
``evidence``: ALS by the settings that a run tries for similar items, or --configs, with prior
strengths 30 to 1000 and the dial. ``cosine``: of the same model. ``popularity``.

``best``: at the best mark, ``default``: at the most specific mark with .97 of the best mark's
validation precision. Differences are paired over users, whose values are means over the seeds,
with 95 % intervals.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import alsolike as al
from _public_tables import citeulike, lastfm, online_retail, steam
from _side_by_side import RESULTS, arguments, listed, save, table
from alsolike.data.datasets.public import gowalla
from alsolike.data.filtering import filter_counts
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.item_to_item.agreement import FeatureVectors, read_features
from alsolike.evaluation.item_to_item.co_counts import CoCountModel
from alsolike.evaluation.item_to_item.dial import Dial, evaluate_dial
from alsolike.evaluation.item_to_item.unseen_users import Fold, unseen_users
from alsolike.evaluation.statistics.intervals import Estimate, paired_difference
from alsolike.models.als.config import ALSConfig
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_named
from alsolike.models.similarity.co_counts import CoCounts
from alsolike.models.similarity.config import MARKS, SimilarityConfig

PRIORS = (30.0, 100.0, 300.0, 1000.0)
K = 10
MEASURE = f"precision@{K}"
METRICS = ("precision", "p_0.5")
FEW = "2 to 5 likes"

Values = dict[str, float]


def gowalla_train(folder: Path) -> Interactions:
    """Read the training part of Gowalla."""
    return gowalla(folder / "lightgcn-gowalla")[0]


TABLES: dict[str, Callable[[Path], Interactions]] = {
    "lastfm": lastfm,
    "steam": steam,
    "online-retail": online_retail,
    "citeulike-a": citeulike,
    "gowalla": gowalla_train,
}


@dataclass(frozen=True, eq=False)
class WeighedCounts(CoCountModel):
    """Counts of common likes by users of other weights: a power of their likes, or rarity."""

    power: float | None = None

    @cached_property
    def _counts(self) -> CoCounts:
        rare = CoCounts.from_likes(self.history)
        if self.power is None:
            return rare
        likes = np.maximum(np.diff(rare.user_starts), 1).astype(float)
        weights = np.maximum(np.round(likes**self.power * 2**20), 1) / 2**20
        sums = np.concatenate(([0.0], np.cumsum(weights[rare.item_users])))
        return replace(rare, weights=weights, sizes=np.diff(sums[rare.item_starts]))


@dataclass(frozen=True)
class Contender:
    """One way to list similar items, and its figures along its dial."""

    group: str
    name: str
    validation: Dial
    test: Dial

    @property
    def value(self) -> float:
        """The validation precision at the best mark."""
        return self.validation.values[self.validation.best]


def count_contenders(folds: Sequence[Fold], measure: Callable[..., Contender]) -> list[Contender]:
    """Return the counts with each weight of users."""
    ways: dict[str, Callable[[Interactions], CoCountModel]] = {
        "co-counts": CoCountModel,
        "rarity": WeighedCounts,
        "1/L^.5": lambda train: WeighedCounts(train, power=-0.5),
        "1/L": lambda train: WeighedCounts(train, power=-1.0),
    }
    return [
        measure("counts", name, [make(fold.train) for fold in folds], None)
        for name, make in ways.items()
    ]


def contenders(
    folds: Sequence[Fold],
    configs: Sequence[ALSConfig],
    features: FeatureVectors | None,
    threads: int,
) -> list[Contender]:
    """Train and evaluate all on each fold."""
    engine = LocalEngine(threads)

    def measure(
        group: str, name: str, models: Sequence[Any], similarity: SimilarityConfig | None,
        marks: Sequence[float] = MARKS,
    ) -> Contender:  # fmt: skip
        how = {"k": K, "marks": marks, "similarity": similarity, "metrics": METRICS}
        validation = evaluate_dial(models, folds, "validation", engine=engine, **how)
        test = evaluate_dial(
            models, folds, "test", features=features, spread=True, engine=engine, **how
        )
        return Contender(group, name, validation, test)

    found = count_contenders(folds, measure)
    found.append(
        measure("popularity", "popularity", [fit_popularity(fold.train) for fold in folds], None)
    )
    for config in configs:
        models = [al.fit(fold.train, config, engine=engine) for fold in folds]
        name = f"{config.factors} factors, unobserved {config.unobserved_weight:g}"
        for prior in PRIORS:
            similarity = SimilarityConfig(affinity="evidence", prior_strength=prior)
            found.append(measure("evidence", f"{name}, prior {prior:g}", models, similarity))
        cosine = SimilarityConfig(affinity="cosine", popularity_bias=0.0)
        found.append(measure("cosine", name, models, cosine, (0.0,)))
    return found


def best_of(found: Sequence[Contender], group: str) -> Contender:
    """Return the contender of a group with the highest validation precision."""
    return max((one for one in found if one.group == group), key=lambda one: one.value)


def per_user(dial: Dial, place: int, metric: str = MEASURE) -> Values:
    """Return the values of test users by id."""
    columns = dial.evaluations[place].per_user
    return dict(zip(columns["user"].tolist(), columns[metric].tolist(), strict=True))


def few_likes(dial: Dial, place: int) -> Values:
    """Return the precision of test users over their items with few likes, by row."""
    found = dial.evaluations[place].class_values.get(FEW)
    return {} if found is None else dict(zip(map(str, found.users), found.values, strict=True))


@dataclass
class Figures:
    """The test figures of one line over the seeds."""

    name: str
    users: list[Values]
    few: list[Values]
    others: list[dict[str, float | None]]

    def row(self) -> dict[str, Any]:
        """Return the means over the seeds."""
        row: dict[str, Any] = {"line": self.name}
        row[MEASURE] = float(np.mean([np.mean(list(one.values())) for one in self.users]))
        row["2 to 5 likes"] = float(
            np.mean([np.mean(list(one.values())) for one in self.few if one] or [np.nan])
        )
        for name in self.others[0]:
            given = [one[name] for one in self.others if one[name] is not None]
            row[name] = float(np.mean(given)) if given else None
        return {name: round(value, 4) if isinstance(value, float) else value
                for name, value in row.items()}  # fmt: skip


def figures_of(name: str, contender: Contender, place: int) -> Figures:
    """Return the test figures of a contender at a mark."""
    evaluation = contender.test.evaluations[place]
    shown = evaluation.shown
    agreement = getattr(shown, "agreement", None)
    return Figures(
        name,
        [per_user(contender.test, place)],
        [few_likes(contender.test, place)],
        [{
            "p_0.5": evaluation.mean(f"p_0.5@{K}"),
            "agreement": None if agreement is None else agreement.mean,
            "share shown": evaluation.share_shown,
            "mark": contender.test.mark(place),
        }],
    )  # fmt: skip


def gain(ours: Sequence[Values], theirs: Sequence[Values]) -> Estimate:
    """Return the paired difference over users, whose values are means over the seeds."""

    def means(seeds: Sequence[Values]) -> dict[str, list[float]]:
        values: dict[str, list[float]] = {}
        for one in seeds:
            for user, value in one.items():
                values.setdefault(user, []).append(value)
        return values

    one, other = means(ours), means(theirs)
    users = sorted(one.keys() & other.keys())
    pairs: npt.NDArray[np.float64] = np.array(
        [[np.mean(one[user]), np.mean(other[user])] for user in users]
    )
    return paired_difference(pairs[:, 0], pairs[:, 1], np.random.default_rng(0))


def compare(name: str, likes: Interactions, asked: argparse.Namespace) -> dict[str, Any]:
    """Print the figures of one table."""
    kept, _ = filter_counts(likes, min_per_user=5, min_per_item=5)
    print(f"\n{name}: {kept!r}")
    features = None
    if name == "lastfm":
        path = Path(os.environ["ALSOLIKE_DATA"]) / "lastfm-2k/user_taggedartists.dat.gz"
        features = read_features(path, "artistID", "tagID", kept.items)
    configs = family_named("als").similar_space(TrainingData(kept))
    if asked.configs:
        parts = [list(map(float, listed(one))) for one in asked.configs.split(";")]
        configs = [
            replace(configs[0], factors=int(factors), unobserved_weight=weight,
                    regularization=regularization, iterations=int(sweeps))
            for factors, weight, regularization, sweeps in parts
        ]  # fmt: skip
    lines: dict[str, Figures] = {}
    for seed in map(int, listed(asked.seeds)):
        found = contenders(unseen_users(kept, seed=seed), configs, features, asked.threads)
        evidence = best_of(found, "evidence")
        same = evidence.name.rpartition(", prior")[0]
        cosine = next(one for one in found if one.group == "cosine" and one.name == same)
        for line, one, place in (
            ("popularity", best_of(found, "popularity"), 0),
            ("plain co-counts", found[0], len(MARKS) - 1),
            ("best counts", (counts := best_of(found, "counts")), counts.validation.best),
            ("best counts, default mark", counts, counts.validation.auto),
            ("cosine of the same model", cosine, 0),
            ("evidence", evidence, evidence.validation.best),
            ("evidence, default mark", evidence, evidence.validation.auto),
        ):
            figures = figures_of(line, one, place)
            if line in lines:
                kept_ones = lines[line]
                kept_ones.users += figures.users
                kept_ones.few += figures.few
                kept_ones.others += figures.others
            else:
                lines[line] = figures
        print(f"  seed {seed}: {evidence.name}; counts by {counts.name}", flush=True)
    rows = [one.row() for one in lines.values()]
    print(table(rows))
    pairs = [
        ("evidence", "best counts"),
        ("evidence", "popularity"),
        ("evidence, default mark", "plain co-counts"),
        ("evidence, default mark", "cosine of the same model"),
    ]
    gains = {f"{one} - {other}": gain(lines[one].users, lines[other].users) for one, other in pairs}
    gains["evidence - best counts, items with 2 to 5 likes"] = gain(
        lines["evidence"].few, lines["best counts"].few
    )
    for label, estimate in gains.items():
        print(f"  {label}: {estimate.mean:+.4f} ({estimate.low:+.4f} to {estimate.high:+.4f})")
    return {
        "data": name,
        "rows": rows,
        "gains": {label: [one.mean, one.low, one.high] for label, one in gains.items()},
    }


def main() -> int:
    """Compare on each table asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default=",".join(TABLES), help="several, separated by commas")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument(
        "--configs", help="factors,unobserved_weight,regularization,sweeps; several by ';'"
    )
    asked = parser.parse_args()
    folder = os.environ.get("ALSOLIKE_DATA")
    if folder is None:
        print("left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    sections = []
    for name in listed(asked.data):
        if name not in TABLES:
            sys.exit(f"There are no data {name!r}: {', '.join(TABLES)}.")
        sections.append(compare(name, TABLES[name](Path(folder)), asked))
        save(asked.json or RESULTS / "similar.json", {"benchmark": "similar", "sections": sections})
    return 0


if __name__ == "__main__":
    sys.exit(main())
