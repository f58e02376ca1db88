"""All metrics at lists of 5, 10 and 20 for all users of a split, beside the peers.

Run as ``python benchmarks/evaluation.py [--data gowalla,article] [--factors 64]``. Our model is
fitted once to the training part; its factors are handed to the peers, so that all judge the same
scores. Training items are left out of the lists. Gowalla comes with its split, from the folder that
ALSOLIKE_DATA names; of other data a fifth of each user's items is held out. 300x200x6000 is a
made-up table of that size.

What each computes in its time: alsolike the usual metrics of alsolike.evaluation.metrics.evaluate,
AUC over all items among them; the same without AUC, which no peer has (implicit's is of the list
alone), and with percentile rank, novelty and diversity;
implicit precision, MAP, NDCG and that AUC, one call for each length; irspack hit rate, recall,
NDCG, MAP, precision and coverage of all lengths at once. BLAS is held to one thread for the peers.

Then the figures side by side where the definitions agree: NDCG of all three; MAP of alsolike and
implicit (over the smaller of the list's length and the number of relevant items); precision (hits
by the list's length), recall, hit rate and coverage of alsolike and irspack; and implicit's
precision (hits of all users by what all perfect lists would hold), which follows from our hits.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from _side_by_side import (
    Report,
    Row,
    arguments,
    clock,
    held,
    hu2008,
    own_peak,
    peak_alone,
    peer,
    product_rate,
    store,
    stored,
    stored_table,
    table,
    tables,
    take_turns,
)
from alsolike.data.interactions import Interactions
from alsolike.data.splitting.splitters import hold_out_fraction
from alsolike.engines.local import LocalEngine
from alsolike.evaluation.metrics.evaluate import USUAL, evaluate
from alsolike.models.als.train import fit
from alsolike.models.factor_model import FactorModel

CONFIG = hu2008(iterations=5)
LENGTHS = (5, 10, 20)
TASK = "evaluation"
IRSPACK_NAMES = {
    "precision": "precision",
    "recall": "recall",
    "ndcg": "ndcg",
    "hit_rate": "hit",
    "coverage": "catalog_coverage",
}
CLOSE = 1e-4  # scores that nearly tie may change places between libraries

Found = Mapping[str, float]


class Objective:
    """One library that measures the lists of one model.

    Parameters
    ----------
    model : FactorModel
    train, test : Interactions
    threads : int
    """

    name = "alsolike"
    settings = f"evaluate, {', '.join(USUAL)} at {LENGTHS}"
    metrics = USUAL
    blas_threads = 1

    def __init__(
        self, model: FactorModel, train: Interactions, test: Interactions, threads: int
    ) -> None:
        self.model, self.train, self.test, self.threads = model, train, test, threads

    def measure(self) -> Found:
        """Return all that is compared, by "metric@k"."""
        found = evaluate(
            self.model,
            self.test,
            exclude=self.train,
            k=LENGTHS,
            metrics=self.metrics,
            engine=LocalEngine(self.threads),
        )
        relevant = self.test.user_counts[found.user_indices]
        told = {name: found.mean(name) for name in found.metrics}
        for k in LENGTHS:
            told[f"coverage@{k}"] = found.mean(f"coverage@{k}")
            told[f"hits of all@{k}"] = found.hits(k) / np.minimum(relevant, k).sum()
        return told


class ObjectiveWithoutAuc(Objective):
    """The same without AUC, for which every score of a user is put in order."""

    name = "alsolike, no auc"
    settings = "the same without auc"
    metrics = tuple(metric for metric in USUAL if metric != "auc")


class ObjectiveWithContents(Objective):
    """The same with what no peer here has: how new and how diverse lists are, and ranks."""

    name = "alsolike, and contents"
    settings = "the same with percentile_rank, novelty and diversity"
    metrics = (*USUAL, "percentile_rank", "novelty", "diversity")


class Implicit(Objective):
    """Ben Frederickson's implicit."""

    name = "implicit"
    settings = f"ranking_metrics_at_k, once for each K of {LENGTHS}, num_threads"

    def __init__(
        self, model: FactorModel, train: Interactions, test: Interactions, threads: int
    ) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        super().__init__(model, train, test, threads)
        with held(1):
            self.peer = AlternatingLeastSquares(factors=model.factors, num_threads=threads)
        self.peer.user_factors = np.array(model.user_factors)
        self.peer.item_factors = np.array(model.item_factors)
        self.matrices = tuple(sp.csr_matrix(one.user_items) for one in (train, test))

    def measure(self) -> Found:
        from implicit.evaluation import ranking_metrics_at_k

        told = {}
        for k in LENGTHS:
            found = ranking_metrics_at_k(
                self.peer, *self.matrices, K=k, show_progress=False, num_threads=self.threads
            )
            told |= {f"{name}@{k}": found[name] for name in ("ndcg", "map")}
            told[f"hits of all@{k}"] = found["precision"]
        return told


class Irspack(Objective):
    """irspack's Evaluator, with the block of users that is its default."""

    name = "irspack"
    settings = f"Evaluator(test).get_scores(model, {list(LENGTHS)}), n_threads"

    def __init__(
        self, model: FactorModel, train: Interactions, test: Interactions, threads: int
    ) -> None:
        from irspack import Evaluator, IALSRecommender

        super().__init__(model, train, test, threads)
        called = {"n_components": model.factors, "n_threads": threads}
        self.peer = IALSRecommender(train.user_items, **called)
        self.peer.start_learning()
        core = self.peer.trainer.core_trainer
        core.user, core.item = np.array(model.user_factors), np.array(model.item_factors)
        self.evaluator = Evaluator(sp.csr_matrix(test.user_items), n_threads=threads)

    def measure(self) -> Found:
        found = self.evaluator.get_scores(self.peer, list(LENGTHS))
        return {
            f"{ours}@{k}": found[f"{theirs}@{k}"]
            for ours, theirs in IRSPACK_NAMES.items()
            for k in LENGTHS
        }


JUDGES: dict[str, type[Objective]] = {
    one.name: one
    for one in (Objective, ObjectiveWithoutAuc, ObjectiveWithContents, Implicit, Irspack)
}


def names_of(asked: argparse.Namespace) -> list[str]:
    """Return who takes part."""
    found = [name for name in ("implicit", "irspack") if peer(name, asked) is not None]
    return ["alsolike", ObjectiveWithoutAuc.name, ObjectiveWithContents.name, *found]


def agreement(found: Mapping[str, Found]) -> list[dict[str, object]]:
    """Return the figures that two or more measured, ours first, and whether they agree."""
    ours = found["alsolike"]
    rows: list[dict[str, object]] = []
    for name, value in ours.items():
        theirs = {
            objective: each.get(name) for objective, each in found.items() if objective in JUDGES
        }
        for own in (Objective, ObjectiveWithoutAuc, ObjectiveWithContents):
            del theirs[own.name]
        given = [float(other) for other in theirs.values() if other is not None]
        if given:
            apart = max(abs(other - value) for other in given)
            row: dict[str, object] = {"figure": name, "alsolike": value, **theirs}
            rows.append(row | {"apart": apart, "agree": "yes" if apart <= CLOSE else "no"})
    return rows


def compare(
    report: Report,
    asked: argparse.Namespace,
    data: str,
    parts: tuple[Interactions, Interactions],
) -> None:
    """Print and keep the tables of one split."""
    train, test = parts
    config = replace(CONFIG, factors=asked.factors)
    model = fit(train, config, engine=LocalEngine(asked.threads))
    rate = product_rate(asked.threads)
    objectives = [JUDGES[name](model, train, test, asked.threads) for name in names_of(asked)]
    clocks = {one.name: clock(one.measure, one.blas_threads) for one in objectives}
    taken = take_turns(clocks, asked.turns)
    with tempfile.TemporaryDirectory() as folder:
        store(
            Path(folder),
            train=train.user_items,
            test=test.user_items,
            users=model.user_factors,
            items=model.item_factors,
        )
        where = ("--stored", folder, "--threads", asked.threads)
        rows = [
            Row(
                TASK,
                name,
                seconds,
                peak_mib=None if asked.no_memory else peak_alone("--alone", name, *where),
            )
            for name, seconds in taken.items()
        ]
    with held(1):
        agreed = agreement({one.name: one.measure() for one in objectives})
    users = int(np.count_nonzero(test.user_counts))
    report.section(
        f"{data}: {train!r}, {test.n_interactions:,} held out of {users:,} users; "
        f"{asked.factors} factors",
        rows,
        rate=rate,
        settings={one.name: one.settings for one in objectives},
        data=data,
        factors=asked.factors,
        agreement=agreed,
    )
    print(f"\nThe same figures, apart by at most {CLOSE:g} where they agree:\n{table(agreed)}")


def alone(asked: argparse.Namespace) -> int:
    """Measure once as one contender does and print this process's peak memory."""
    train, test = (stored_table(asked.stored, name) for name in ("train", "test"))
    users, items = (stored(asked.stored, name) for name in ("users", "items"))
    model = FactorModel(
        users=train.users,
        items=train.items,
        user_factors=users,
        item_factors=items,
        item_counts=train.item_counts,
    )
    objective = JUDGES[asked.alone](model, train, test, asked.threads)
    with held(objective.blas_threads):
        objective.measure()
    print(own_peak())
    return 0


def main() -> int:
    """Compare for each table asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="gowalla,article", help="several, separated by commas")
    parser.add_argument("--factors", type=int, default=64)
    asked = parser.parse_args()
    if asked.alone:
        return alone(asked)
    report = Report("evaluation", asked)
    for data, likes, held_out in tables(asked.data):
        parts = (likes, held_out)
        if held_out is None:
            split = hold_out_fraction(likes, fraction=0.2)
            parts = (split.train_and_validation(), split.test)
        compare(report, asked, data, parts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
