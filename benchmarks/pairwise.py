"""BPR and WARP beside LightFM's and implicit's, and beside ALS: lists, time, and similar items.

Run as ``python benchmarks/pairwise.py [--tasks lists,people,similar] [--data lastfm,gowalla]
[--trials 24] [--threads 2]``, with ALSOLIKE_DATA naming the folder of public data. Peers that are
not installed are left out, and the table says so: ``lightfm-next`` 1.19 is built from source,
implicit is among the requirements of the tests.

Last.fm is whole, Gowalla the likes of 4,000 users of its training part, drawn by seed. Ten likes of
a fifth of the users are held out for validation, and as many of another fifth for the test. Every
contender draws as many settings with 64 factors from ranges of its own, and is scored after every
five epochs; the best epoch of the best trial by nDCG@10 on validation users is its model. Quoted
are both means on test users, the difference to the best of ours with its 95 % interval over users,
the seconds of training up to that epoch, and those of our best trial until it first reaches the
peer's score on validation users.

``people``: a fifth of the users are left out of the training and folded in afterwards, by default
settings; quoted are their lists beside those of a training with them. ``similar``: the share of
held-out likes among the 10 items most similar to each of a user's likes, by the cosine at several
marks of the dial, and by evidence, as if scores by pairs were shares of people.
"""

import argparse
import importlib
import importlib.util
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

import alsolike as al
from _public_tables import lastfm
from _side_by_side import listed, table
from alsolike.data.datasets.public import gowalla
from alsolike.engines.local import LocalEngine
from alsolike.errors import FitError
from alsolike.evaluation.statistics.intervals import paired_difference
from alsolike.models.factor_model import FactorModel
from alsolike.models.family import TrainingData
from alsolike.models.registry import family_of
from alsolike.recommending.similarity import similar_indices

K, FACTORS, EVERY, EPOCHS = 10, 64, 5, 60
METRICS = [f"precision@{K}", f"ndcg@{K}"]
SLICE = 4_000  # users of Gowalla

Values = npt.NDArray[np.float64]
# Yields, after every few epochs, the seconds of training so far, the epoch and a model.
Trial = Callable[[al.Interactions, np.random.Generator, int, int], Iterator[tuple[float, int, Any]]]


@dataclass
class Found:
    """The best model of a contender, and the scores over time of its trial.

    Parameters
    ----------
    curve : list of (float, float)
        Seconds of training, and nDCG@10 on validation users.
    """

    name: str
    model: Any
    score: float
    seconds: float
    epoch: int
    curve: list[tuple[float, float]]
    spent: float = 0.0


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number, uniform by its logarithm."""
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def ours(train: al.Interactions, config: Any, threads: int) -> Iterator[tuple[float, int, Any]]:
    """Train one of our families."""
    family, engine = family_of(config), LocalEngine(threads)
    spent, start = 0.0, time.perf_counter()
    for model in family.iterate(TrainingData(train), config, engine=engine):
        spent += time.perf_counter() - start
        yield spent, model.sweeps, model
        start = time.perf_counter()


def our_bpr(
    train: al.Interactions, rng: np.random.Generator, epochs: int, threads: int
) -> Iterator[Any]:
    """Draw settings of BPR."""
    ridge = between(rng, 0.001, 0.03)
    yield from ours(
        train,
        al.BPRConfig(
            factors=FACTORS, iterations=epochs, learning_rate=between(rng, 0.03, 0.2),
            user_regularization=ridge, item_regularization=ridge * between(rng, 1, 4),
            candidates=int(rng.choice([4, 8, 16])),
        ),
        threads,
    )  # fmt: skip


def our_warp(
    train: al.Interactions, rng: np.random.Generator, epochs: int, threads: int
) -> Iterator[Any]:
    """Draw settings of WARP."""
    ridge = between(rng, 0.001, 0.03)
    yield from ours(
        train,
        al.WARPConfig(
            factors=FACTORS, iterations=epochs, learning_rate=between(rng, 0.015, 0.06),
            user_regularization=ridge, item_regularization=ridge * between(rng, 1, 4),
            max_sampled=int(rng.choice([30, 100])),
        ),
        threads,
    )  # fmt: skip


def our_als(
    train: al.Interactions, rng: np.random.Generator, epochs: int, threads: int
) -> Iterator[Any]:
    """Draw settings of ALS."""
    weight = al.ALSConfig().for_table(train).unobserved_weight
    yield from ours(
        train,
        al.ALSConfig(
            factors=FACTORS, iterations=15, regularization=between(rng, 0.002, 0.03),
            unobserved_weight=(weight or 1.0) * between(rng, 0.3, 3),
        ),
        threads,
    )  # fmt: skip


def _lightfm(loss: str, rates: tuple[float, float]) -> Trial:
    def trial(
        train: al.Interactions, rng: np.random.Generator, epochs: int, threads: int
    ) -> Iterator[tuple[float, int, Any]]:
        likes = sp.coo_matrix((train.user_items > 0).astype(np.float32))
        model = importlib.import_module("lightfm").LightFM(
            no_components=FACTORS, loss=loss, learning_rate=between(rng, *rates),
            item_alpha=between(rng, 1e-7, 1e-4), user_alpha=between(rng, 1e-7, 1e-4),
            max_sampled=int(rng.choice([10, 30, 100])), random_state=0,
        )  # fmt: skip
        spent = 0.0
        for epoch in range(EVERY, epochs + 1, EVERY):
            start = time.perf_counter()
            model.fit_partial(likes, epochs=EVERY, num_threads=threads)
            spent += time.perf_counter() - start
            users, items = model.user_embeddings, model.item_embeddings
            ones = np.ones((len(users), 1), dtype=np.float32)
            yield spent, epoch, (
                np.hstack([users, ones]), np.hstack([items, model.item_biases[:, None]]),
            )  # fmt: skip

    return trial


def implicit_bpr(
    train: al.Interactions, rng: np.random.Generator, epochs: int, threads: int
) -> Iterator[tuple[float, int, Any]]:
    """Draw settings of implicit's BPR; a further fit goes on from the factors."""
    likes = sp.csr_matrix((train.user_items > 0).astype(np.float32))
    model = importlib.import_module("implicit.bpr").BayesianPersonalizedRanking(
        factors=FACTORS, learning_rate=between(rng, 0.01, 0.2), num_threads=threads,
        regularization=between(rng, 0.001, 0.1), iterations=EVERY, random_state=0,
    )  # fmt: skip
    spent = 0.0
    for epoch in range(EVERY, 4 * epochs + 1, EVERY):
        start = time.perf_counter()
        model.fit(likes, show_progress=False)
        spent += time.perf_counter() - start
        if epoch % (4 * EVERY) == 0:
            yield spent, epoch, (model.user_factors, model.item_factors)


CONTENDERS: dict[str, tuple[Trial, str | None]] = {
    "alsolike bpr": (our_bpr, None),
    "alsolike warp": (our_warp, None),
    "alsolike als": (our_als, None),
    "lightfm warp": (_lightfm("warp", (0.01, 0.1)), "lightfm"),
    "lightfm bpr": (_lightfm("bpr", (0.02, 0.2)), "lightfm"),
    "implicit bpr": (implicit_bpr, "implicit"),
}


def as_model(factors: Any, train: al.Interactions) -> Any:
    """Return a model of factors made elsewhere; ours stay."""
    if not isinstance(factors, tuple):
        return factors
    users, items = (np.array(one, dtype=np.float32, order="C") for one in factors)
    return FactorModel(train.users, train.items, users, items, train.like_counts, history=train)


def lists_of(model: Any, held_out: al.Interactions, seen: al.Interactions) -> dict[str, Values]:
    """Return both metrics of each user who has held-out likes."""
    found = al.evaluate(model, held_out, exclude=seen, k=K, metrics=["precision", "ndcg"])
    return {name: np.array(found.per_user[name], dtype=np.float64) for name in METRICS}


def best_of(name: str, trial: Trial, split: al.Split, asked: argparse.Namespace) -> Found:
    """Return the best epoch of the best trial, by validation users."""
    best = None
    spent = 0.0
    for number in range(asked.trials):
        curve: list[tuple[float, float]] = []
        here = None
        try:
            for seconds, epoch, factors in trial(
                split.train, np.random.default_rng([asked.seed, number]), asked.epochs,
                asked.threads,
            ):  # fmt: skip
                if epoch % EVERY:
                    continue
                model = as_model(factors, split.train)
                score = float(lists_of(model, split.validation, split.train)[METRICS[1]].mean())
                curve.append((seconds, score))
                if here is None or score > here.score:
                    here = Found(name, model, score, seconds, epoch, curve)
        except FitError as error:
            print(f"{name}, trial {number}: {error}")
        spent += curve[-1][0] if curve else 0.0
        if here is not None and (best is None or here.score > best.score):
            best = here
    assert best is not None
    best.spent = spent
    return best


def time_to(ours: Found, score: float) -> float | None:
    """Return the seconds until the best trial first reaches a score; None: it never does."""
    return next((seconds for seconds, found in ours.curve if found >= score), None)


def rows_of(found: dict[str, Found], split: al.Split) -> list[dict[str, Any]]:
    """Return the rows of the table: all contenders on test users, and differences to ours."""
    seen = al.joined(split.train, split.validation)
    lists = {name: lists_of(one.model, split.test, seen) for name, one in found.items()}
    rows = []
    for name, one in found.items():
        row: dict[str, Any] = {
            "contender": name, "validation": round(one.score, 4), "epoch": one.epoch,
            "seconds": round(one.seconds, 2), "all trials s": round(one.spent, 1),
        }  # fmt: skip
        for metric in METRICS:
            row[metric] = round(float(lists[name][metric].mean()), 4)
        rival = f"alsolike {name.partition(' ')[2]}" if "als" not in name[:3] else "alsolike als"
        if rival != name and rival in found:
            for metric in METRICS:
                gap = paired_difference(
                    lists[rival][metric], lists[name][metric], np.random.default_rng(0)
                )
                row[f"{rival} - it, {metric}"] = str(gap)
            reached = time_to(found[rival], one.score)
            row["reached after s"] = "never" if reached is None else round(reached, 2)
        rows.append(row)
    return rows


def people(split: al.Split) -> list[dict[str, Any]]:
    """Return the lists of people who were trained on, and who were folded in."""
    train, rng = split.train, np.random.default_rng(0)
    is_new = rng.random(train.n_users) < 0.2
    fewer = train.keep(~np.repeat(is_new, train.user_counts))
    held_out = split.validation.keep(np.repeat(is_new, split.validation.user_counts))
    rows = []
    for config in (al.BPRConfig(), al.WARPConfig(), al.ALSConfig(factors=FACTORS)):
        whole, without = al.fit(train, config), al.fit(fewer, config)
        start = time.perf_counter()
        without.folded_in(train.user_items[np.flatnonzero(is_new)])
        each = 1000 * (time.perf_counter() - start) / int(is_new.sum())
        folded = without.with_history(train)
        row: dict[str, Any] = {"model": whole.name, "ms each": round(each, 2)}
        trained, later = (lists_of(one, held_out, train) for one in (whole, folded))
        for metric in METRICS:
            row[f"{metric}, trained"] = round(float(trained[metric].mean()), 4)
            row[f"{metric}, folded in"] = round(float(later[metric].mean()), 4)
        gap = paired_difference(later[METRICS[1]], trained[METRICS[1]], rng)
        rows.append({**row, "difference": str(gap)})
    return rows


def similar(split: al.Split) -> list[dict[str, Any]]:
    """Return how many held-out likes are similar to likes, by several ways to compare items."""
    rows = []
    for config in (al.BPRConfig(), al.WARPConfig()):
        model = al.fit(split.train, config)
        as_shares = FactorModel(
            model.users, model.items, model.user_factors, model.item_factors, model.item_counts,
            history=model.history,
        )  # fmt: skip
        for label, one, bias in (
            *((f"cosine at {bias}", model, bias) for bias in (0.0, 0.2, 0.5, 0.8)),
            ("evidence at 0.8", as_shares, 0.8),
        ):
            compared = al.with_similarity(one, popularity_bias=bias)
            near = similar_indices(compared, np.arange(len(model.items)), k=K).indices
            rows.append({"model": model.name, "by": label, "precision": shelf(near, split)})
    return rows


def shelf(near: npt.NDArray[np.int32], split: al.Split) -> float:
    """Return the mean over users of the share of held-out likes in the lists of their likes."""
    liked, held = split.train.user_items, split.validation.user_items
    found = []
    for user in np.flatnonzero(split.validation.user_counts):
        own = liked.indices[liked.indptr[user] : liked.indptr[user + 1]]
        wanted = held.indices[held.indptr[user] : held.indptr[user + 1]]
        found.append(float(np.isin(near[own], wanted).mean()))
    return round(float(np.mean(found)), 4)


def read(name: str, folder: Path) -> al.Interactions:
    """Read a table of likes."""
    if name == "lastfm":
        return al.filter_counts(lastfm(folder), min_per_user=12, min_per_item=2)[0]
    train, _ = gowalla(folder / "lightgcn-gowalla")
    drawn = np.random.default_rng(0).permutation(train.n_users)[:SLICE]
    kept = train.keep(np.repeat(np.isin(np.arange(train.n_users), drawn), train.user_counts))
    return al.filter_counts(kept, min_per_user=12, min_per_item=2)[0]


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="lastfm,gowalla")
    parser.add_argument("--tasks", default="lists,people,similar")
    parser.add_argument("--contenders", default=",".join(CONTENDERS))
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if "ALSOLIKE_DATA" not in os.environ:
        print("pairwise is left out: ALSOLIKE_DATA does not name the folder of public data")
        return 0
    warnings.filterwarnings("ignore", module="lightfm|implicit")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as implicit asks
    for data in listed(asked.data):
        likes = read(data, Path(os.environ["ALSOLIKE_DATA"]))
        split = al.hold_out(likes, k=K, seed=asked.seed)
        print(f"\n{data}: {split.train!r}, {asked.trials} trials each")
        for task, work in (("people", people), ("similar", similar)):
            if task in listed(asked.tasks):
                print(table(work(split)), flush=True)
        if "lists" not in listed(asked.tasks):
            continue
        found = {}
        for name in listed(asked.contenders):
            trial, needs = CONTENDERS[name]
            if needs is not None and importlib.util.find_spec(needs) is None:
                print(f"{name} is left out: {needs} is not installed")
                continue
            found[name] = best_of(name, trial, split, asked)
            print(f"{name}: {found[name].score:.4f} after {found[name].spent:.0f} s", flush=True)
        for row in rows_of(found, split):
            print(table([row]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
