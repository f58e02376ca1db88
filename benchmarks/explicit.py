"""Explicit ALS: seconds until the loss that cmfrec ends with, beside cmfrec and scikit-surprise.

Run as ``python benchmarks/explicit.py [--factors 10,50,100] [--turns 5]``. The ratings are made up:
6,000 users and 3,700 items with 1,000,000 ratings from 1 to 5, unequally many of each, by biases
and 12 hidden traits with noise.

All minimize the same loss: squared errors of observed ratings with a mean, biases of users and
items, and lambda .05 times the number of ratings of each row, for factors and biases alike. That is
`alsolike.ExplicitALSConfig`, cmfrec's ``scale_lam``, and what Surprise's stochastic gradient
descent approaches. The loss of each result is computed in float64 by the same function.

``alsolike`` trains until its loss is at most a thousandth above that of cmfrec after 15 sweeps;
how many sweeps that are is found before the clock runs. ``cmfrec`` does its 15 sweeps, by Cholesky
factorizations in float32. Surprise does ``--epochs`` epochs, in one turn alone: where its loss is
above that goal, its seconds are a lower bound of the time that it needs. Each starts from random
factors of its own.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import scipy.sparse as sp

from _side_by_side import Report, Row, arguments, held, listed, peer, seconds_of, take_turns
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.explicit_als.config import ExplicitALSConfig
from alsolike.models.explicit_als.half_sweep import rating_loss, side_of
from alsolike.models.explicit_als.train import Training

N_USERS, N_ITEMS, N_RATINGS, TRAITS = 6_000, 3_700, 1_000_000, 12
REGULARIZATION, SWEEPS, MARGIN = 0.05, 15, 1.001


def made_up(n_users: int, n_items: int, n_ratings: int, seed: int = 0) -> Interactions:
    """Return made-up ratings from 1 to 5."""
    drawn = np.random.default_rng(seed)
    chances = [
        drawn.permutation(np.arange(1, count + 1) ** -power)
        for count, power in ((n_users, 0.6), (n_items, 0.8))
    ]
    users, items = (drawn.choice(len(p), 3 * n_ratings, p=p / p.sum()) for p in chances)
    cells = np.unique(users.astype(np.int64) * n_items + items)
    cells = np.sort(drawn.permutation(cells)[:n_ratings])
    users, items = np.divmod(cells, n_items)
    traits = [drawn.standard_normal((count, TRAITS)) for count in (n_users, n_items)]
    ratings = (
        3.6
        + 0.35 * drawn.standard_normal(n_users)[users]
        + 0.45 * drawn.standard_normal(n_items)[items]
        + 0.5 * np.einsum("rf,rf->r", traits[0][users], traits[1][items]) / np.sqrt(TRAITS)
        + 0.8 * drawn.standard_normal(len(cells))
    )
    values = np.clip(np.rint(ratings), 1, 5).astype(np.float32)
    return Interactions.from_matrix(sp.csr_array((values, (users, items)), (n_users, n_items)))


class Goal:
    """The loss of any contender's factors, in float64."""

    def __init__(self, ratings: Interactions, config: ExplicitALSConfig) -> None:
        self.config, self.engine = config, LocalEngine()
        self.sides = (
            side_of(ratings.user_items, config, "user", None),
            side_of(ratings.item_users, config, "item", None),
        )

    def loss(self, mean: float, x: Any, bu: Any, y: Any, bi: Any) -> float:
        """Return the loss of factors (n, f), biases (n,) and a mean."""
        one, other = np.ones((len(x), 1)), np.ones((len(y), 1))
        users = np.hstack([x, np.reshape(bu, (-1, 1)), one]).astype(np.float32)
        items = np.hstack([y, other, mean + np.reshape(bi, (-1, 1))]).astype(np.float32)
        return rating_loss(self.sides, users, items, mean, self.config, self.engine)


class Ours:
    """A training of ours, from the ratings in memory, of as many sweeps as it needs."""

    def __init__(self, ratings: Interactions, config: ExplicitALSConfig, threads: int) -> None:
        self.ratings, self.config, self.engine = ratings, config, LocalEngine(threads)

    def sweeps_to(self, goal: float) -> tuple[int, float]:
        """Return after how many sweeps the loss is at most `goal`, or ten times cmfrec's."""
        training = Training(self.ratings, self.config, None, self.engine)
        sweep, reached = 0, float("inf")
        while reached > goal and sweep < 10 * SWEEPS:
            training.sweep()
            sweep, reached = sweep + 1, training.model().loss()
        return sweep, reached

    def train(self, sweeps: int) -> float:
        """Return the seconds of a training."""

        def whole() -> None:
            training = Training(self.ratings, self.config, None, self.engine)
            for _ in range(sweeps):
                training.sweep()

        return seconds_of(whole)


def of_cmfrec(cmfrec: ModuleType, ratings: Interactions, factors: int, threads: int) -> Any:
    """Return what trains cmfrec and keeps its model."""
    matrix = sp.coo_matrix(ratings.user_items)

    def train() -> float:
        train.model = cmfrec.CMF(  # type: ignore[attr-defined]
            k=factors, lambda_=REGULARIZATION, scale_lam=True, niter=SWEEPS, use_cg=False,
            method="als", use_float=True, precompute_for_predictions=False, produce_dicts=False,
            verbose=False, nthreads=threads,
        )  # fmt: skip
        with held(1):
            return seconds_of(lambda: train.model.fit(matrix))  # type: ignore[attr-defined]

    return train


def of_surprise(
    surprise: ModuleType,
    ratings: Interactions,
    factors: int,
    epochs: int,
    loss: Callable[..., float],
) -> tuple[float, float]:
    """Return the seconds and the loss of Surprise's SVD, in the order of our rows."""
    cells = ratings.user_items.tocoo()
    rows = ((int(u), int(i), float(r), None)
            for u, i, r in zip(cells.row, cells.col, cells.data, strict=True))  # fmt: skip
    given = surprise.Dataset(surprise.Reader(rating_scale=(1, 5)))
    known = given.construct_trainset(list(rows))
    model = surprise.SVD(
        n_factors=factors, n_epochs=epochs, lr_all=0.01, reg_all=REGULARIZATION, random_state=0
    )
    seconds = seconds_of(lambda: model.fit(known))
    found = []
    for count, place, factor, bias in (
        (ratings.n_users, known.to_inner_uid, model.pu, model.bu),
        (ratings.n_items, known.to_inner_iid, model.qi, model.bi),
    ):
        whole, biases = np.zeros((count, factors)), np.zeros(count)
        for row in range(count):
            try:
                inner = place(row)
            except ValueError:  # without ratings
                continue
            whole[row], biases[row] = factor[inner], bias[inner]
        found += [whole, biases]
    return seconds, loss(known.global_mean, *found)


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__)
    parser.add_argument("--factors", default="10,50,100")
    parser.add_argument("--epochs", type=int, default=40, help="of Surprise")
    parser.add_argument("--ratings", type=int, default=N_RATINGS)
    asked = parser.parse_args()
    report = Report("explicit", asked)
    ratings = made_up(N_USERS, N_ITEMS, asked.ratings)
    cmfrec, surprise = peer("cmfrec", asked), peer("surprise", asked)
    for factors in map(int, listed(asked.factors)):
        config = ExplicitALSConfig(
            factors=factors, regularization=REGULARIZATION, iterations=SWEEPS
        )
        goal, ours = Goal(ratings, config), Ours(ratings, config, asked.threads)
        clocks, rows = {}, []
        aim, theirs = float("inf"), None
        if cmfrec is not None:
            theirs = of_cmfrec(cmfrec, ratings, factors, asked.threads)
            theirs()
            model = theirs.model
            aim = goal.loss(
                model.glob_mean_, model.A_, model.user_bias_, model.B_, model.item_bias_
            )
            clocks["cmfrec"] = theirs
        sweeps, reached = ours.sweeps_to(MARGIN * aim) if theirs else (SWEEPS, float("nan"))
        clocks = {"alsolike explicit-als": lambda n=sweeps, o=ours: o.train(n), **clocks}
        more = {
            "alsolike explicit-als": {"sweeps": sweeps, "loss": reached},
            "cmfrec": {"sweeps": SWEEPS, "loss": aim},
        }
        for name, taken in take_turns(clocks, asked.turns).items():
            rows.append(Row("train", name, taken, more=more[name]))
        if surprise is not None:
            seconds, loss = of_surprise(surprise, ratings, factors, asked.epochs, goal.loss)
            rows.append(
                Row("train", "surprise SVD", [seconds], more={"sweeps": asked.epochs, "loss": loss})
            )
        report.section(
            f"{ratings.n_users:,} x {ratings.n_items:,}, {ratings.n_interactions:,} ratings; "
            f"{factors} factors, lambda {REGULARIZATION} times the ratings of a row",
            rows,
            settings={"surprise SVD": "learning rate .01; one turn"},
        )


if __name__ == "__main__":
    main()
