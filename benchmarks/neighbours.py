"""Nearest neighbours of items, and the lists of all users by them, beside the peers.

Run as ``python benchmarks/neighbours.py [--tasks fit,lists] [--data gowalla,lastfm,steam]``. Public
data are read from the folder that ALSOLIKE_DATA names; 300x200x6000 is a made-up table of that
size.

``fit``: cosines, the nearest 20, 100 or all neighbours of each item; BM25; the normalised filter,
all neighbours, beside irspack's P3alpha and RP3beta, which are corners of it. ``lists``: the best
20 items of each user by the models just fitted, those seen in training left out. implicit counts
the item itself among its neighbours, so it is asked for one more; its BM25 has other constants.
irspack keeps the nearest of each item that is scored, not of each that is liked: lists can be the
same for all neighbours alone. It scores 256 users at a time. ``same lists`` is the share of users
whose 20 scores are the peer's within 1e-4: items of equal scores may stand otherwise.

``settings``: precision@10 and nDCG@10 on validation items (five of each user), by a wide search and
by the settings that a search tries by default, on five public tables. ``gowalla``: recall@20 and
nDCG@20 on the test set of the split of LightGCN's authors. ``large``: seconds and peak memory of
one fit with 100 neighbours and of all lists, for a made-up table of the size --large.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

import alsolike as al
from _side_by_side import (
    Clock,
    Report,
    Row,
    arguments,
    clock,
    listed,
    own_peak,
    peer,
    seconds_of,
    table,
    take_turns,
)
from alsolike.data.datasets.public import gowalla
from alsolike.data.datasets.synthetic import synthetic
from alsolike.engines.local import LocalEngine
from alsolike.models.family import TrainingData
from alsolike.models.neighbours.config import ItemKNNConfig
from alsolike.models.neighbours.family import ItemKNNFamily
from alsolike.models.neighbours.fit import fit_item_knn
from alsolike.recommending.batch import top_items
from alsolike.recommending.ranking.scan import Ranked

LIST, USERS_AT_ONCE = 20, 256
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "lastfm": (
        "lastfm-2k/user_artists.dat.gz", {"user": "userID", "item": "artistID", "value": "weight"}
    ),
    "steam": (
        "steam-200k/game_play.dat.gz", {"user": "User_ID", "item": "Game_ID", "value": "Hours"}
    ),
    "retail": (
        "online-retail-2010-2011/online_retail_2010_2011.csv.gz",
        {
            "user": "CustomerID", "item": "Description", "value": "Quantity", "missing_id": "drop",
            "negative": "net", "duplicates": "keep",
        },
    ),
    "citeulike": ("citeulike-a-cold/train.csv.gz", {"user": "uid", "item": "iid"}),
}  # fmt: skip

Scores = npt.NDArray[Any]


class Ours:
    """One of our models of a table."""

    name = "alsolike"

    def __init__(self, likes: al.Interactions, config: ItemKNNConfig, threads: int) -> None:
        self.likes, self.config, self.engine = likes, config, LocalEngine(threads)
        self.fit()

    def fit(self) -> None:
        """Find the neighbours."""
        self.model = fit_item_knn(self.likes, self.config, engine=self.engine)

    def lists(self) -> Scores:
        """Return the scores of the best items of all users, best first."""
        everyone, seen = np.arange(self.likes.n_users), self.likes.user_items
        return top_items(self.model, everyone, k=LIST, exclude=seen, engine=self.engine).scores


class Implicit:
    """Ben Frederickson's implicit; `recommend` has one thread."""

    name = "implicit"

    def __init__(self, likes: al.Interactions, config: ItemKNNConfig, threads: int) -> None:
        from implicit import nearest_neighbours

        kinds = {"cosine": "CosineRecommender", "bm25": "BM25Recommender"}
        kept = likes.n_items if config.neighbours is None else config.neighbours + 1
        made = getattr(nearest_neighbours, kinds[config.weighting])
        self.peer = made(K=kept, num_threads=threads)
        self.matrix = ones(likes, np.float64)
        self.fit()

    def fit(self) -> None:
        self.peer.fit(self.matrix, show_progress=False)

    def lists(self) -> Scores:
        everyone = np.arange(self.matrix.shape[0])
        return self.peer.recommend(everyone, self.matrix, N=LIST)[1]


class Irspack:
    """irspack: scores of a block of users, and its own choice of the best of them."""

    name = "irspack"

    def __init__(self, likes: al.Interactions, config: ItemKNNConfig, threads: int) -> None:
        from irspack import recommenders

        matrix, kept = ones(likes, np.float64), config.neighbours or likes.n_items
        given = {"top_k": kept, "n_threads": threads}
        if config.weighting == "normalized":
            beta = config.target_exponent
            kind = recommenders.RP3betaRecommender if beta else recommenders.P3alphaRecommender
            self.peer = kind(matrix, **given, **({"beta": beta} if beta else {}))
        else:
            weighting = "NONE" if config.weighting == "cosine" else "BM_25"
            self.peer = recommenders.CosineKNNRecommender(
                matrix, **given, normalize=weighting == "NONE", feature_weighting=weighting
            )
        self.threads = threads
        self.fit()

    def fit(self) -> None:
        self.peer.learn()

    def lists(self) -> Scores:
        from irspack.utils.id_mapping import retrieve_recommend_from_score

        n_users = self.peer.X_train_all.shape[0]
        found = np.zeros((n_users, LIST))
        for first in range(0, n_users, USERS_AT_ONCE):
            last = min(first + USERS_AT_ONCE, n_users)
            scores = self.peer.get_score_remove_seen_block(first, last)
            best = retrieve_recommend_from_score(scores, [], LIST, n_threads=self.threads)
            for row, pairs in enumerate(best, first):
                found[row, : len(pairs)] = [score for _, score in pairs]
        return found


def ones(likes: al.Interactions, kind: Any) -> sp.csr_matrix:
    """Return a one for each like, as the peers take it."""
    matrix = sp.csr_matrix(likes.user_items > 0)
    return matrix.astype(kind)


def configs(asked: argparse.Namespace) -> Iterator[tuple[str, ItemKNNConfig, tuple[type, ...]]]:
    """Yield what is fitted, and who else offers it."""
    sizes = [None if text == "all" else int(text) for text in listed(asked.kept)]
    for kept in sizes:
        name = f"cosine, {kept or 'all'}"
        yield name, ItemKNNConfig(neighbours=kept), (Implicit, Irspack)
    yield "bm25, 100", ItemKNNConfig(weighting="bm25"), (Implicit, Irspack)
    corners = (("P3alpha, all", 0.0), ("RP3beta, all", 0.3)) if None in sizes else ()
    for name, beta in corners:
        corner = ItemKNNConfig(
            weighting="normalized", neighbours=None, source_exponent=1, target_exponent=beta
        )
        yield name, corner, (Irspack,)


def compare(report: Report, asked: argparse.Namespace, data: str, likes: al.Interactions) -> None:
    """Print and keep the tables of one data set."""
    rows: list[Row] = []
    tasks = [task for task in ("fit", "lists") if task in listed(asked.tasks)]
    for name, config, kinds in configs(asked):
        able = [kind for kind in kinds if peer(kind.name, asked) is not None]
        made: list[Any] = [kind(likes, config, asked.threads) for kind in (Ours, *able)]
        alike = {one.name: "" for one in made} if name.startswith("bm25") else same_lists(made)
        for task in tasks:
            calls: dict[str, Callable[[], object]] = {one.name: getattr(one, task) for one in made}
            clocks: dict[str, Clock] = {key: clock(call, 1) for key, call in calls.items()}
            for one, seconds in take_turns(clocks, asked.turns).items():
                rows.append(Row(f"{task}: {name}", one, seconds, more={"same_lists": alike[one]}))
    report.section(f"{data}: {likes!r}", rows, data=data)


def same_lists(made: list[Any]) -> dict[str, Any]:
    """Return the share of users with the scores of ours, for each of those who are compared."""
    ours = made[0].lists()
    found: dict[str, Any] = {made[0].name: None}
    for one in made[1:]:
        theirs = one.lists()
        # Where no like adds to an item, peers list nothing, or anything.
        is_listed = (ours > 0) & (theirs > 0)
        alike = np.isclose(ours, theirs, rtol=1e-4) | ~is_listed
        if one.name == "irspack" and made[0].config.weighting == "normalized":
            # Theirs is the mean over the user's likes, ours the sum.
            share = ours[:, :1] / np.where(theirs[:, :1] > 0, theirs[:, :1], 1)
            alike = np.isclose(ours, theirs * share, rtol=1e-4) | ~is_listed
        found[one.name] = round(float(alike.all(axis=1).mean()), 4)
    return found


def loaded(name: str) -> al.Interactions:
    """Return a public table, its users and items with at least five likes."""
    folder = Path(os.environ["ALSOLIKE_DATA"])
    if name == "gowalla":
        return gowalla(folder / "lightgcn-gowalla")[0]
    file, columns = FILES[name]
    likes, _ = al.read(str(folder / file), **columns)
    return al.filter_counts(likes, min_per_user=5, min_per_item=5)[0]


def wide() -> Iterator[ItemKNNConfig]:
    """Yield the settings of a wide search."""
    values = ("binary", "log")
    for kept, kind in itertools.product((50, 100, 400, None), values):
        yield ItemKNNConfig(neighbours=kept, values=kind)
    for kept, b, kind in itertools.product((100, 400), (0.05, 0.2, 0.4), values):
        yield ItemKNNConfig(weighting="bm25", neighbours=kept, b=b, values=kind)
    for user, source, target, kept, kind in itertools.product(
        (0.5, 1.0), (0.5, 0.7, 0.9), (0.3, 0.4, 0.5, 0.6, 0.7), (50, 100, 400), values
    ):
        yield ItemKNNConfig(
            weighting="normalized", user_exponent=user, source_exponent=source,
            target_exponent=target, neighbours=kept, values=kind,
        )  # fmt: skip


def settings(asked: argparse.Namespace) -> None:
    """Print what the settings of the family reach, beside the best of a wide search."""
    shares: dict[ItemKNNConfig, dict[str, float]] = {}
    engine = LocalEngine(asked.threads)
    for data in listed(asked.settings_data):
        likes = loaded(data)
        split = al.hold_out(likes, k=5, seed=0)
        tried = ItemKNNFamily().search_space(TrainingData(split.train))
        has_values = len(np.unique(split.train.user_items.data)) > 1
        found: dict[ItemKNNConfig, tuple[float, float]] = {}
        for config in dict.fromkeys((*tried, *(() if asked.narrow else wide()))):
            if config.values != "binary" and not has_values:
                continue
            model = fit_item_knn(split.train, config, engine=engine)
            measured = al.evaluate(
                model, split.validation, exclude=split.train, k=10,
                metrics=["precision", "ndcg"], engine=engine,
            )  # fmt: skip
            means = {row["metric"]: row["mean"] for row in measured.summary().rows()}
            found[config] = means["precision@10"], means["ndcg@10"]
        best = tuple(max(pair[at] for pair in found.values()) for at in (0, 1))
        of_tried = [found[config] for config in tried if config in found]
        near = tuple(max(pair[at] for pair in of_tried) for at in (0, 1))
        print(f"\n{data}: {split.train!r}")
        lines = [("best of the wide search", best), ("best of those tried", near)]
        print(table([_line(text, pair, best) for text, pair in lines]))
        top = sorted(found, key=lambda config: -found[config][1])[:6]
        print(table([_line(_named(config), found[config], best) for config in (*tried, *top)
                     if config in found]), flush=True)  # fmt: skip
        for config, pair in found.items():
            shares.setdefault(config, {})[data] = min(pair[0] / best[0], pair[1] / best[1])
    print("\nShare of the best on each table, the lower of precision@10 and nDCG@10")
    every = sorted(shares, key=lambda config: -np.mean([*shares[config].values()]))
    print(table([{"settings": _named(config)} | {
        key: round(value, 3) for key, value in shares[config].items()
    } for config in every]))  # fmt: skip


def _named(config: ItemKNNConfig) -> str:
    kept = config.neighbours or "all"
    exponents = config.user_exponent, config.source_exponent, config.target_exponent
    what = {"cosine": "", "bm25": f" b {config.b}", "normalized": " {} {} {}".format(*exponents)}
    return f"{config.weighting}{what[config.weighting]}, {kept}, {config.values}"


def _line(text: str, pair: tuple[float, ...], best: tuple[float, ...]) -> dict[str, Any]:
    precision, ndcg = pair
    return {
        "settings": text, "precision@10": round(precision, 4), "ndcg@10": round(ndcg, 4),
        "of_best": round(min(precision / best[0], ndcg / best[1]), 3),
    }  # fmt: skip


def published(asked: argparse.Namespace) -> None:
    """Print recall@20 and nDCG@20 on Gowalla's test set."""
    train, test = gowalla(Path(os.environ["ALSOLIKE_DATA"]) / "lightgcn-gowalla")
    for kept in (None, 400):
        config = ItemKNNConfig(weighting="normalized", neighbours=kept)
        model = fit_item_knn(train, config, engine=LocalEngine(asked.threads))
        found = al.evaluate(model, test, exclude=train, k=LIST, metrics=["recall", "ndcg"])
        print(f"\n{model!r}")
        print(table(list(found.summary().rows())), flush=True)


def large(asked: argparse.Namespace) -> None:
    """Print seconds and peak memory of a large table."""
    n_users, n_items, n_likes = map(int, asked.large.split("x"))
    likes = synthetic(n_users, n_items, n_likes)
    print(f"\n{likes!r}; peak so far {own_peak():,.0f} MiB", flush=True)
    engine, kept = LocalEngine(asked.threads), ItemKNNConfig(neighbours=100)
    made: list[Any] = []
    took = seconds_of(lambda: made.append(fit_item_knn(likes, kept, engine=engine)))
    print(f"fit, 100 neighbours: {took:.0f} s, peak {own_peak():,.0f} MiB", flush=True)

    def in_blocks() -> None:
        for first in range(0, n_users, 1 << 18):
            some = np.arange(first, min(first + (1 << 18), n_users))
            found: Ranked = top_items(
                made[0], some, k=LIST, exclude=likes.user_items, engine=engine
            )
            del found

    took = seconds_of(in_blocks)
    print(f"top {LIST} of all users: {took:.0f} s, peak {own_peak():,.0f} MiB", flush=True)


def main() -> int:
    """Do the tasks asked for."""
    parser = arguments(__doc__)
    parser.add_argument("--tasks", default="fit,lists", help="fit, lists, settings, gowalla, large")
    parser.add_argument("--data", default="gowalla,lastfm,steam", help="separated by commas")
    parser.add_argument("--kept", default="20,100,all", help="neighbours that are kept")
    parser.add_argument("--settings-data", default="lastfm,steam,retail,citeulike,gowalla")
    parser.add_argument("--large", default="2000000x1000000x30000000")
    parser.add_argument("--narrow", action="store_true", help="settings: without a wide search")
    asked = parser.parse_args()
    tasks = listed(asked.tasks)
    if "large" in tasks:
        large(asked)
    made_up = [name for name in listed(asked.data) if name[:1].isdigit()]
    if "ALSOLIKE_DATA" not in os.environ:
        print("public data are left out: ALSOLIKE_DATA does not name their folder")
        asked.data, asked.settings_data = ",".join(made_up), ""
    elif "gowalla" in tasks:
        published(asked)
    if "settings" in tasks:
        settings(asked)
    if {"fit", "lists"} & set(tasks):
        report = Report("neighbours", asked)
        for name in listed(asked.data):
            size = name in made_up and [int(part) for part in name.split("x")]
            compare(report, asked, name, synthetic(*size) if size else loaded(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
