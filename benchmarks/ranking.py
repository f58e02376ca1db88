"""The best items of all users and all items, and one answer at a time, beside the peers.

Run as ``python benchmarks/ranking.py [--data gowalla,article] [--factors 64,1024]``. Our model is
fitted once; its factors are handed to the peers, so that all rank the same scores. More than 128
factors are fitted by the settings that lists gain from, few sweeps and a low unobserved weight, by
which lengths differ less and fewer products are skipped.

``top 20, all users``: the items that each user has in training left out. ``similar 10, all items``:
by the cosine, as implicit has it, and by evidence, our default; irspack does not offer it. The
floor of both is the bare matrix product: blocks of 256 rows times all items, into memory that is
used again, by as many workers, with BLAS at one thread in each. The flop model is that product, 2 f
for each score. ``similar 10, all marks``: by evidence, in one pass for one mark of the dial, and
for all of them. ``one user``, ``one item``: a single answer of 20 and 10 on one thread; its
median and 99th percentile are over --calls calls.

Peers run as they advise: their own threads, BLAS held to one; irspack scores 256 users at a time.
Gowalla is read from the folder that ALSOLIKE_DATA names; 300x200x6000 is a made-up table of that
size.
"""

import argparse
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from _side_by_side import (
    Clock,
    Report,
    Row,
    arguments,
    clock,
    held,
    hu2008,
    listed,
    own_peak,
    peak_alone,
    peer,
    product_rate,
    seconds_of,
    store,
    stored,
    stored_table,
    tables,
    take_turns,
)
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import fit
from alsolike.models.factor_model import FactorModel
from alsolike.models.similarity.config import MARKS, USUAL_BIAS, USUAL_SIMILARITY, SimilarityConfig
from alsolike.recommending.batch import top_items
from alsolike.recommending.similarity import similar_at_marks, similar_indices
from alsolike.recommending.single import recommend_one, similar_to

CONFIG = hu2008(iterations=5)
MANY = 128  # factors; more have settings of their own
CONFIG_OF_MANY = ALSConfig(
    alpha=1.0,
    regularization=0.01,
    regularization_exponent=1.0,
    unobserved_weight=0.005,
    values="binary",
    confidence="additive",
    iterations=3,
)
USERS_AT_ONCE = 256
LIST, SHELF = 20, 10
TOP, SIMILAR = f"top {LIST}, all users", f"similar {SHELF}, all items"
MARKED = f"similar {SHELF}, all marks"
ONE_USER, ONE_ITEM = "one user", "one item"
FLOOR = "matrix product"

Lists = npt.NDArray[Any]

most_rows: int | None = None  # of users and items, by --rows


def rows_of(count: int) -> npt.NDArray[np.intp]:
    """Return the rows of users or items whose lists are made: the first ones."""
    return np.arange(count if most_rows is None else min(count, most_rows))


class Ranker:
    """One library with the factors of one model, and what it can be asked.

    Parameters
    ----------
    model : FactorModel
        With its history.
    threads : int
    """

    name = "alsolike"
    settings = "top_items and similar_indices; recommend_one and similar_to, by the cosine"
    similarity = SimilarityConfig(affinity="cosine", popularity_bias=0.0)
    blas_threads = 1

    def __init__(self, model: FactorModel, threads: int) -> None:
        assert model.history is not None
        self.model = model.with_similarity(self.similarity)
        self.seen, self.threads = model.history.user_items, threads
        self.engine = LocalEngine(threads)

    def tasks(self) -> dict[str, Callable[[], object]]:
        """Return what is done for all rows at once."""
        return {TOP: self.top, SIMILAR: self.similar}

    def answers(self) -> dict[str, Callable[[int], object]]:
        """Return what is answered for one row."""
        return {ONE_USER: self.one_user, ONE_ITEM: self.one_item}

    def top(self) -> Lists:
        """Return the best items of every user."""
        everyone = rows_of(len(self.model.users))
        ranked = top_items(self.model, everyone, k=LIST, exclude=self.seen, engine=self.engine)
        return ranked.indices

    def similar(self) -> object:
        """Return the items nearest to every item; rare ones too, as the peers do."""
        every = rows_of(len(self.model.items))
        ranked = similar_indices(self.model, every, k=SHELF, min_count=0, engine=self.engine)
        return ranked.indices

    def one_user(self, row: int) -> object:
        """Answer for one user."""
        return recommend_one(self.model, self.model.users.id_of(row), k=LIST)

    def one_item(self, row: int) -> object:
        """Answer for one item."""
        return similar_to(self.model, self.model.items.id_of(row), k=SHELF, min_count=0)


class Evidence(Ranker):
    """Similar items as by default: by evidence, at the default mark."""

    name = "alsolike, evidence"
    settings = "similar_indices and similar_to, with the default settings"
    similarity = USUAL_SIMILARITY

    def tasks(self) -> dict[str, Callable[[], object]]:
        return {SIMILAR: self.similar}

    def answers(self) -> dict[str, Callable[[int], object]]:
        return {ONE_ITEM: self.one_item}


class OneMark(Evidence):
    """The same in the pass that is made for several marks of the dial, for one of them."""

    name = "alsolike, 1 mark"
    settings = "similar_at_marks"
    marks: tuple[float, ...] = (USUAL_BIAS,)

    def tasks(self) -> dict[str, Callable[[], object]]:
        return {MARKED: self.similar}

    def answers(self) -> dict[str, Callable[[int], object]]:
        return {}

    def similar(self) -> object:
        every = rows_of(len(self.model.items))
        return similar_at_marks(
            self.model, every, k=SHELF, marks=self.marks, min_count=0, engine=self.engine
        )


class AllMarks(OneMark):
    """The same at all marks."""

    name = f"alsolike, {len(MARKS)} marks"
    marks = MARKS


class Implicit(Ranker):
    """Ben Frederickson's implicit. Its similar items begin with the item itself: one more."""

    name = "implicit"
    settings = "recommend and similar_items, all rows in one call, num_threads, BLAS at one thread"

    def __init__(self, model: FactorModel, threads: int) -> None:
        from implicit.cpu.als import AlternatingLeastSquares

        super().__init__(model, threads)
        with held(1):
            self.peer = AlternatingLeastSquares(factors=model.factors, num_threads=threads)
        self.peer.user_factors = np.array(model.user_factors)
        self.peer.item_factors = np.array(model.item_factors)
        self.matrix = sp.csr_matrix(self.seen)

    def top(self) -> Lists:
        everyone = rows_of(len(self.model.users))
        return self.peer.recommend(everyone, self.matrix[everyone], N=LIST)[0]

    def similar(self) -> Lists:
        every = rows_of(len(self.model.items))
        return self.peer.similar_items(every, N=SHELF + 1)[0][:, 1:]

    def one_user(self, row: int) -> object:
        return self.peer.recommend(row, self.matrix[row], N=LIST)

    def one_item(self, row: int) -> object:
        return self.peer.similar_items(row, N=SHELF + 1)


class Irspack(Ranker):
    """irspack's iALS: scores of a block of users, and its own choice of the best of them."""

    name = "irspack"
    settings = (
        f"get_score_remove_seen_block of {USERS_AT_ONCE} users, retrieve_recommend_from_score, "
        "n_threads"
    )

    def __init__(self, model: FactorModel, threads: int) -> None:
        from irspack import IALSRecommender

        super().__init__(model, threads)
        called = {"n_components": model.factors, "n_threads": threads}
        self.peer = IALSRecommender(self.seen, **called)
        self.peer.start_learning()
        core = self.peer.trainer.core_trainer
        core.user, core.item = np.array(model.user_factors), np.array(model.item_factors)

    def tasks(self) -> dict[str, Callable[[], object]]:
        return {TOP: self.top}

    def answers(self) -> dict[str, Callable[[int], object]]:
        return {ONE_USER: self.one_user}

    def top(self) -> Lists:
        found: list[list[tuple[int, float]]] = []
        last = len(rows_of(len(self.model.users)))
        for first in range(0, last, USERS_AT_ONCE):
            found += self._best(first, min(first + USERS_AT_ONCE, last))
        short = [[item for item, _ in row] + [-1] * (LIST - len(row)) for row in found]
        return np.array(short)

    def one_user(self, row: int) -> object:
        return self._best(row, row + 1)

    def _best(self, first: int, last: int) -> list[list[tuple[int, float]]]:
        from irspack.utils.id_mapping import retrieve_recommend_from_score

        scores = self.peer.get_score_remove_seen_block(first, last)
        return retrieve_recommend_from_score(scores, [], LIST, n_threads=self.threads)


class Product(Ranker):
    """The floor: all scores, none of them looked at."""

    name = FLOOR
    settings = f"blocks of {USERS_AT_ONCE} rows, one BLAS thread in each worker"

    def answers(self) -> dict[str, Callable[[int], object]]:
        return {}

    def top(self) -> None:
        self._multiply(self.model.user_factors[rows_of(len(self.model.users))])

    def similar(self) -> None:
        self._multiply(self.model.item_factors[rows_of(len(self.model.items))])

    def _multiply(self, left: npt.NDArray[np.float32]) -> None:
        right, own = self.model.item_factors.T, threading.local()

        def block(first: int) -> None:
            if not hasattr(own, "scores"):
                own.scores = np.empty((USERS_AT_ONCE, right.shape[1]), dtype=np.float32)
            rows = left[first : first + USERS_AT_ONCE]
            np.matmul(rows, right, out=own.scores[: len(rows)])

        self.engine.each(block, range(0, len(left), USERS_AT_ONCE))


OURS = (Ranker, Evidence, OneMark, AllMarks)
RANKERS: dict[str, type[Ranker]] = {one.name: one for one in (*OURS, Implicit, Irspack, Product)}


def names_of(asked: argparse.Namespace) -> list[str]:
    """Return who takes part."""
    found = [name for name in ("implicit", "irspack") if peer(name, asked) is not None]
    return [*(one.name for one in OURS), *found, FLOOR]


def flops(model: FactorModel, task: str) -> float | None:
    """Return the operations of all scores: a multiplication and an addition for each factor.

    None for all marks of the dial, which have one product together.
    """
    if task == MARKED:
        return None
    rows = len(rows_of(len(model.users) if task == TOP else len(model.items)))
    return 2.0 * rows * len(model.items) * model.factors


def whole_rows(
    rankers: list[Ranker], task: str, asked: argparse.Namespace, folder: Path
) -> list[Row]:
    """Return what one task takes for all rows at once, and how many lists equal ours."""
    able = [one for one in rankers if task in one.tasks()]
    found: dict[str, object] = {}
    for one in able:
        with held(one.blas_threads):
            found[one.name] = one.tasks()[task]()
    clocks: dict[str, Clock] = {
        one.name: clock(one.tasks()[task], one.blas_threads) for one in able
    }
    taken = take_turns(clocks, asked.turns)
    rows = []
    for name, seconds in taken.items():
        where = ["--task", task, "--stored", folder, "--threads", asked.threads]
        where += [] if asked.rows is None else ["--rows", asked.rows]
        peak = None if asked.no_memory else peak_alone("--alone", name, *where)
        same = {}
        if name not in (FLOOR, *(one.name for one in OURS[1:])):
            same["same_lists"] = share_of_equal(found["alsolike"], found[name])
        rows.append(Row(task, name, seconds, flops(able[0].model, task), peak, same))
    return rows


def share_of_equal(ours: object, theirs: object) -> float:
    """Return the share of lists with the same items; those of equal scores may stand otherwise."""
    one, other = np.sort(np.asarray(ours)), np.sort(np.asarray(theirs))
    return round(float((one == other).all(axis=1).mean()), 4)


def answer_rows(rankers: list[Ranker], task: str, calls: int) -> list[Row]:
    """Return how long single answers take: one call of each contender in turn."""
    able = {one.name: one.answers()[task] for one in rankers if task in one.answers()}
    model = rankers[0].model
    count = len(model.users) if task == ONE_USER else len(model.items)
    asked = np.random.default_rng(0).integers(count, size=calls + 1).tolist()
    taken: dict[str, list[float]] = {name: [] for name in able}
    with held(1):
        for turn, row in enumerate(asked):
            for name, answer in able.items():
                seconds = seconds_of(partial(answer, row))
                if turn:
                    taken[name].append(seconds)
    return [
        Row(task, name, seconds, more={"p99": float(np.quantile(seconds, 0.99))})
        for name, seconds in taken.items()
    ]


def compare(
    report: Report, asked: argparse.Namespace, data: str, likes: Interactions, factors: int
) -> None:
    """Print and keep the table of one data set and number of factors."""
    settings = (CONFIG if factors <= MANY else CONFIG_OF_MANY).to_settings()
    config = ALSConfig(**settings | {"factors": factors})
    model = fit(likes, config, engine=LocalEngine(asked.threads))
    with tempfile.TemporaryDirectory() as folder:
        store(
            Path(folder),
            likes=likes.user_items,
            users=model.user_factors,
            items=model.item_factors,
        )
        rate = product_rate(asked.threads)
        rankers = [RANKERS[name](model, asked.threads) for name in names_of(asked)]
        rows = whole_rows(rankers, TOP, asked, Path(folder))
        rows += whole_rows(rankers, SIMILAR, asked, Path(folder))
        rows += whole_rows(rankers, MARKED, asked, Path(folder))
    alone = [RANKERS[name](model, 1) for name in names_of(asked)]
    rows += answer_rows(alone, ONE_USER, asked.calls) + answer_rows(alone, ONE_ITEM, asked.calls)
    report.section(
        f"{data}: {likes!r}; {factors} factors",
        rows,
        rate=rate,
        settings={one.name: one.settings for one in rankers},
        data=data,
        factors=factors,
        calls=asked.calls,
        most_rows=asked.rows,
    )


def alone(asked: argparse.Namespace) -> int:
    """Do one task of one contender and print this process's peak memory."""
    likes = stored_table(asked.stored, "likes")
    users, items = (stored(asked.stored, name) for name in ("users", "items"))
    model = FactorModel(
        users=likes.users,
        items=likes.items,
        user_factors=users,
        item_factors=items,
        item_counts=likes.item_counts,
        history=likes,
    )
    one = RANKERS[asked.alone](model, asked.threads)
    with held(one.blas_threads):
        one.tasks()[asked.task]()
    print(own_peak())
    return 0


def main() -> int:
    """Compare for each table asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="gowalla,article", help="several, separated by commas")
    parser.add_argument("--factors", default="64", help="several, separated by commas")
    parser.add_argument("--calls", type=int, default=500, help="single answers of each contender")
    parser.add_argument("--rows", type=int, help="lists of only the first so many users and items")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    global most_rows  # noqa: PLW0603 - one setting of the whole process
    most_rows = asked.rows
    if asked.alone:
        return alone(asked)
    report = Report("ranking", asked)
    for data, likes, _ in tables(asked.data):
        for factors in listed(asked.factors):
            compare(report, asked, data, likes, int(factors))
    return 0


if __name__ == "__main__":
    sys.exit(main())
