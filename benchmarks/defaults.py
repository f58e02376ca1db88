"""How good the default settings of ALS are: beside popularity, a quick run, and a grid.

Run as ``python benchmarks/defaults.py [--data lastfm,steam,online-retail] [--seeds 0,1,2,3,4]``.
The tables are those of docs/data/, read and filtered as there, from the folder that ALSOLIKE_DATA
names; citeulike-a without its cold items. The split is that of a run: five items of a fifth of the
users are held out for validation, and as many for the test.

Printed is precision@10 on validation users, after training on the training part, and on test users,
after training on that and the validation part: of ``al.ALSConfig()`` with nothing said, of
popularity, and of the best ALS of the quick preset (not with --no-quick), whose settings validation
has chosen. Means over the seeds; the difference from popularity on test users is paired by user and
has a 95 % interval.

``--grid`` prints validation precision@10 of other settings instead, on the split of the first seed:
additive confidence, alpha 1, lambda with exponent 1, by factors (--factors 64,256), values, weight
of unobserved cells (also in units of the filled share) and lambda, at the best of 8 sweeps.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import alsolike as al
from _side_by_side import RESULTS, arguments, listed, save, table
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.learning_curve import learning_curve
from alsolike.evaluation.objectives.ranking import RankingObjective
from alsolike.evaluation.statistics.intervals import Estimate, paired_difference
from alsolike.models.als.config import ALSConfig
from alsolike.tuning.options import Searching
from alsolike.tuning.presets import quick_for
from alsolike.tuning.search import search
from similar import TABLES

K, HELD_OUT = 10, 5
SCORE = f"precision@{K}"
SWEEPS = (1, 2, 3, 4, 5, 6, 8)


@dataclass
class Figures:
    """What one way to choose settings scored, by seed."""

    validation: list[float] = field(default_factory=list)
    test: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    settings: str = ""


def per_user(model: Any, held_out: al.Interactions, seen: al.Interactions) -> dict[str, float]:
    """Return the precision of each user's list, by id."""
    found = al.evaluate(model, held_out, exclude=seen, k=K, metrics=["precision"])
    users = held_out.users.ids_of(np.flatnonzero(held_out.user_counts))
    return dict(zip(users.tolist(), found.per_user[SCORE].tolist(), strict=True))


def mean(values: Mapping[str, float]) -> float:
    """Return the mean over users."""
    return float(np.mean(list(values.values())))


def measure(figures: Figures, split: al.Split, fit: Callable[[al.Interactions], Any]) -> None:
    """Add the scores of one seed."""
    figures.validation.append(mean(per_user(fit(split.train), split.validation, split.train)))
    start = time.perf_counter()
    known = split.train_and_validation()
    model = fit(known)
    figures.seconds.append(time.perf_counter() - start)
    figures.test.append(per_user(model, split.test, known))


def quick(split: al.Split, kept: al.Interactions, seed: int, engine: LocalEngine) -> ALSConfig:
    """Return the best settings of ALS of a quick run."""
    preset = quick_for(kept)
    preset = replace(preset, base=replace(preset.base, seed=seed))
    strategy = Searching().strategy(preset)
    objective = preset.ranking(seed)
    found = search(split, strategy, sweeps=preset.sweeps, objective=objective, engine=engine)
    if not isinstance(found.best, ALSConfig):
        raise TypeError(f"settings of als expected, {found.best!r} found")
    return found.best


def gain(ours: Figures, theirs: Figures) -> Estimate:
    """Compare two ways on test users; a user's value is the mean over the seeds."""
    both: list[list[float]] = []
    for figures in (ours, theirs):
        of_user: dict[str, list[float]] = {}
        for values in figures.test:
            for user, value in values.items():
                of_user.setdefault(user, []).append(value)
        both.append([float(np.mean(of_user[user])) for user in sorted(of_user)])
    return paired_difference(both[0], both[1], np.random.default_rng(0))


def compare(name: str, kept: al.Interactions, asked: argparse.Namespace) -> dict[str, Any]:
    """Print the figures of one table."""
    engine = LocalEngine(asked.threads)
    found = {"popularity": Figures(), "ALSConfig()": Figures()}
    if asked.quick:
        found["quick, its best ALS"] = Figures()
    for seed in map(int, listed(asked.seeds)):
        split = al.hold_out(kept, k=HELD_OUT, seed=seed)
        measure(found["popularity"], split, al.fit_popularity)
        config = ALSConfig(seed=seed)
        measure(
            found["ALSConfig()"], split, lambda likes, c=config: al.fit(likes, c, engine=engine)
        )
        if asked.quick:
            start = time.perf_counter()
            best = quick(split, kept, seed, engine)
            figures = found["quick, its best ALS"]
            figures.settings = (
                f"factors {best.factors}, values {best.values}, unobserved weight "
                f"{best.unobserved_weight:g}, lambda {best.regularization:g}, "
                f"sweeps {best.iterations}"
            )
            searched = time.perf_counter() - start
            measure(figures, split, lambda likes, c=best: al.fit(likes, c, engine=engine))
            figures.seconds[-1] += searched
    rows = [row_of(label, figures, found) for label, figures in found.items()]
    print(table(rows), flush=True)
    return {"name": name, "rows": rows}


def row_of(label: str, figures: Figures, found: Mapping[str, Figures]) -> dict[str, Any]:
    """Return a line of the table."""
    test = np.mean([mean(one) for one in figures.test])
    best = found.get("quick, its best ALS")
    row: dict[str, Any] = {
        "settings": label,
        "validation": f"{np.mean(figures.validation):.4f}",
        "test": f"{test:.4f}",
        "above popularity": "",
        "of quick": "",
        "seconds": round(float(np.mean(figures.seconds)), 1),
        "the last seed's": figures.settings,
    }
    if label != "popularity":
        apart = gain(figures, found["popularity"])
        row["above popularity"] = f"{apart.mean:+.4f} ({apart.low:.4f} to {apart.high:.4f})"
    if best is not None:
        row["of quick"] = f"{test / np.mean([mean(one) for one in best.test]):.3f}"
    return row


def grid(name: str, kept: al.Interactions, asked: argparse.Namespace) -> dict[str, Any]:
    """Print validation scores of a grid, a table for each number of factors and form of values."""
    seed = int(listed(asked.seeds)[0])
    split = al.hold_out(kept, k=HELD_OUT, seed=seed)
    tables = []
    for factors, values in itertools.product(map(int, listed(asked.factors)), listed(asked.values)):
        base = ALSConfig(factors=factors, values=values, seed=seed)
        rows = list(grid_rows(split, base, asked))
        print(f"{name}, {factors} factors, values {values}: {SCORE}, @ best sweep")
        print(table(rows), flush=True)
        tables.append({"factors": factors, "values": values, "rows": rows})
    return {"name": name, "grid": tables}


def grid_rows(
    split: al.Split, base: ALSConfig, asked: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield a line for each weight of unobserved cells."""
    objective, engine = RankingObjective(k=K), LocalEngine(asked.threads)
    filled = split.train.n_interactions / (split.train.n_users * split.train.n_items)
    for weight in map(float, listed(asked.weights)):
        row: dict[str, Any] = {"weight": weight, "of the filled share": f"{weight / filled:.1f}"}
        for regularization in map(float, listed(asked.lambdas)):
            config = replace(base, unobserved_weight=weight, regularization=regularization)
            curve = learning_curve(split, config, sweeps=SWEEPS, objective=objective, engine=engine)
            best = max(curve, key=lambda point: point.figures[objective.score])
            text = f"{best.figures[objective.score]:.4f} @ {best.sweep}"
            row[f"lambda {regularization:g}"] = text
        yield row


def main() -> int:
    """Print the figures of all tables."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="lastfm,steam,online-retail", help=", ".join(TABLES))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--no-quick", dest="quick", action="store_false", help="no search")
    parser.add_argument("--grid", action="store_true", help="a grid of settings instead")
    parser.add_argument("--factors", default="64,256", help="of the grid")
    parser.add_argument("--values", default="binary,log", help="of the grid")
    parser.add_argument("--weights", default="0.01,0.03,0.1,0.3,1", help="of the grid")
    parser.add_argument("--lambdas", default="0.003,0.01,0.03", help="of the grid")
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("all are left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    parts = []
    for name in listed(asked.data):
        if name not in TABLES:
            sys.exit(f"There are no data {name!r}: {', '.join(TABLES)}.")
        likes = TABLES[name](Path(os.environ["ALSOLIKE_DATA"]))
        kept, _ = al.filter_counts(likes, min_per_user=5, min_per_item=5)
        print(f"\n{name}: {kept!r}")
        parts.append((grid if asked.grid else compare)(name, kept, asked))
    save(asked.json or RESULTS / "defaults.json", {"benchmark": "defaults", "tables": parts})
    return 0


if __name__ == "__main__":
    sys.exit(main())
