"""Feature-aware ALS: seconds of a sweep, beside plain ALS and irspack.

Run as ``python benchmarks/features.py [--factors 64] [--turns 5]``. The likes are a made-up table
of the article's shape, 15,274 users and 25,655 items with 547,477 likes. Its items have 161,510
pairs with 20,352 tags, as in the article's follow-up: few tags on many items, most on few.

A sweep of ALS solves all items and all users; with features, it also regresses the factors of the
items on them, by conjugate gradients up to a relative residual of 1e-4. irspack's epochs are the
same work with its own regression, by its Cholesky solver.
"""

from types import ModuleType

import numpy as np
import scipy.sparse as sp

from _side_by_side import Clock, Report, Row, arguments, clock, peer, tables, take_turns
from alsolike.data.features.features import Block, Features
from alsolike.data.interactions import Interactions
from alsolike.data.string_array import StringArray
from alsolike.engines.local import LocalEngine
from alsolike.models.als.config import ALSConfig
from alsolike.models.als.train import Training
from alsolike.models.feature_als.config import FeatureALSConfig
from alsolike.models.feature_als.train import FeatureTraining

TAGS, CELLS = 20_352, 161_510
# How unequal tags are, and items in how many they have.
SKEW = 0.9
TASK = "sweep"


def tags_of(n_items: int, n_tags: int, cells: int, seed: int = 0) -> Features:
    """Return made-up tags of items: so many pairs, of which a few tags have most."""
    generator = np.random.default_rng(seed)
    chances = 1 / np.arange(1, n_tags + 1) ** SKEW
    chances /= chances.sum()
    items = generator.integers(0, n_items, 2 * cells)
    tags = generator.choice(n_tags, size=2 * cells, p=chances)
    pairs = np.unique(items * n_tags + tags)
    pairs = np.sort(generator.choice(pairs, size=min(cells, len(pairs)), replace=False))
    ones = np.ones(len(pairs), dtype=np.float32)
    matrix = sp.coo_array((ones, np.divmod(pairs, n_tags)), shape=(n_items, n_tags))
    names = StringArray.pack(f"tag {number}" for number in range(n_tags))
    return Features(sp.csr_array(matrix), (Block("tag", "set", names),))


def of_irspack(
    irspack: ModuleType, likes: Interactions, features: Features, factors: int, threads: int
) -> Clock:
    """Return what times an epoch of irspack's ALS with features."""
    config = ALSConfig(factors=factors).for_table(likes)
    model = irspack.IALSRecommender(
        sp.csr_matrix(likes.user_items), n_components=factors, alpha0=config.unobserved_weight,
        reg=config.regularization, solver_type="CHOLESKY", n_threads=threads,
        item_features=sp.csr_matrix(features.matrix), lambda_item_feature=1.0,
    )  # fmt: skip
    model.start_learning()
    return clock(model.run_epoch, threads)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--data", default="article", help="article, or a size: 300x200x6000")
    parser.add_argument("--factors", type=int, default=64)
    parser.add_argument("--tags", type=int, default=TAGS)
    parser.add_argument("--cells", type=int, default=CELLS, help="pairs of an item and a tag")
    asked = parser.parse_args()
    report, engine = Report("features", asked), LocalEngine(asked.threads)
    for name, likes, _ in tables(asked.data):
        features = tags_of(likes.n_items, asked.tags, asked.cells)
        known = Interactions(likes.user_items, likes.users, likes.items, item_features=features)
        plain = Training(likes, ALSConfig(factors=asked.factors), None, engine)
        aware = FeatureTraining(known, FeatureALSConfig(factors=asked.factors), None, engine)
        clocks: dict[str, Clock] = {
            "alsolike als": clock(plain.sweep, asked.threads),
            "alsolike feature-als": clock(aware.sweep, asked.threads),
        }
        irspack = peer("irspack", asked)
        if irspack is not None:
            clocks["irspack features"] = of_irspack(
                irspack, likes, features, asked.factors, asked.threads
            )
        rows = [Row(TASK, label, taken) for label, taken in take_turns(clocks, asked.turns).items()]
        report.section(
            f"{name}: {likes.n_users:,} x {likes.n_items:,}, {likes.n_interactions:,} likes; "
            f"{features.n_features:,} tags, {features.matrix.nnz:,} pairs; {asked.factors} factors",
            rows,
            settings={
                "alsolike feature-als": "exact rows; residual of the regression at most 1e-4",
                "irspack features": "Cholesky solver, lambda_item_feature 1",
            },
        )


if __name__ == "__main__":
    main()
