"""Non-negative ALS and logistic factorization beside ALS, on Last.fm: seconds, zeros, lists.

Run as ``python benchmarks/other_factors.py [--factors 32,64] [--families als,nonnegative,lmf]``,
with ALSOLIKE_DATA naming the folder of public data.

5 plays of each of a fifth of the users are held out for the test, and as many of others for
validation; regularization is chosen on these. Quoted is precision@5 of the test users, seen items
left out, with its 95 % interval over users, and the paired difference from ALS with as many
factors; the seconds of the last fit, with setting up, after a first one that compiles; and the
share of factors that are exactly 0. implicit's LMF, which samples negatives, is measured with its
defaults where implicit is installed.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import alsolike as al
from _public_tables import lastfm
from _side_by_side import listed, table
from alsolike.evaluation.statistics.intervals import bootstrap_mean, paired_difference
from alsolike.models.factor_model import FactorModel

K = 5
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Contender:
    """A name, the settings that validation chooses from, and how one of them is fitted."""

    name: str
    tried: Sequence[Any]
    fit: Callable[[al.Interactions, Any], Any] = al.fit


def contenders(factors: int, wanted: Sequence[str]) -> list[Contender]:
    """Return what is compared, with so many factors."""
    plain = [
        al.ALSConfig(factors=factors, regularization=one) for one in (0.003, 0.006, 0.01, 0.02)
    ]
    logistic = [al.LMFConfig(factors=factors, regularization=one) for one in (3.0, 6.0, 10.0)]
    known = {
        "als": Contender("ALS", plain),
        "nonnegative": Contender(
            "ALS, nonnegative", [replace(one, nonnegative=True) for one in plain]
        ),
        "lmf": Contender("LMF", logistic),
        "implicit": Contender("LMF of implicit", [factors], peer_lmf),
    }
    return [known[name] for name in wanted]


def peer_lmf(train: al.Interactions, factors: int) -> FactorModel:
    """Fit implicit's, with its defaults."""
    from implicit.lmf import LogisticMatrixFactorization

    model = LogisticMatrixFactorization(factors=factors, random_state=0, num_threads=0)
    model.fit((train.user_items > 0).astype(np.float32).tocsr(), show_progress=False)
    return FactorModel(
        train.users, train.items, np.ascontiguousarray(model.user_factors),
        np.ascontiguousarray(model.item_factors), train.like_counts,
    )  # fmt: skip


def precision(model: Any, held_out: al.Interactions, seen: al.Interactions) -> Values:
    """Return precision@5 of each user."""
    found = al.evaluate(model, held_out, exclude=seen, k=K, metrics=["precision"])
    return np.asarray(found.per_user[f"precision@{K}"], dtype=np.float64)


def main() -> None:
    """Print a table for each number of factors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", default="32,64")
    parser.add_argument("--families", default="als,nonnegative,lmf")
    asked = parser.parse_args()
    likes = lastfm(Path(os.environ["ALSOLIKE_DATA"]))
    split = al.hold_out(al.filter_counts(likes, min_per_user=10, min_per_item=2)[0], k=K)
    print(f"{split.train}", end="\n\n")
    for factors in map(int, listed(asked.factors)):
        rows, reference = [], None
        for one in contenders(factors, listed(asked.families)):
            scores = [
                precision(one.fit(split.train, config), split.validation, split.train).mean()
                for config in one.tried
            ]
            best = one.tried[int(np.argmax(scores))]
            known = split.train_and_validation()
            begun = time.monotonic()
            model = one.fit(known, best)
            seconds = time.monotonic() - begun
            values = precision(model, split.test, known)
            mean = bootstrap_mean(values, np.random.default_rng(0))
            reference = values if reference is None else reference
            gap = paired_difference(values, reference, np.random.default_rng(0))
            rows.append({
                "factors": factors, "model": one.name,
                "regularization": getattr(best, "regularization", None), "seconds": seconds,
                "precision@5": str(mean), "difference": "" if values is reference else str(gap),
                "zeros": float((model.item_factors == 0).mean()),
            })  # fmt: skip
        print(table(rows), end="\n\n")


if __name__ == "__main__":
    main()
