"""How much of a row's scores float32 loses, by the gain of the row, against dense float64.

The gain is the trace of BB' (docs/decisions/0002): the row's system has eigenvalues between 1 and
1 + gain. Printed: the largest and the 99th percentile of ``|scores - exact| / |exact|`` over all
items, once with every row in float32, then with the rows above one limit refined, and with those
above another in float64 throughout.

A second table is of many factors and an uneven spectrum: how much is lost if the Gramian and the
change of basis are computed in float32, by the spread of the rows' dense parts, and as it is
decided (alsolike.models.als.half_sweep.float32_basis).
"""

import itertools
import sys

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from _side_by_side import hu2008
from alsolike.data.interactions import Interactions
from alsolike.engines.local import LocalEngine
from alsolike.models.als import gramian_basis, half_sweep
from alsolike.models.als.config import ALSConfig

GOAL = 1e-5
MANY, SPREADS = 320, 10.0 ** np.arange(1, 9)
FACTORS, ALPHAS, LAMBDAS = (10, 40, 120), (0.1, 1, 50, 1000, 1e6), (0, 1e-5, 0.1, 10)
ENGINE = LocalEngine(1)

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


def likes(n_users: int = 400, n_items: int = 300) -> Interactions:
    """Make up counts with rows from one interaction to most items."""
    rng = np.random.default_rng(0)
    share = np.outer(0.02 * rng.pareto(1.0, n_users) + 0.005, rng.pareto(1.0, n_items) + 0.1)
    filled = rng.random((n_users, n_items)) < np.clip(share, 0, 0.9)
    counts = np.minimum(rng.zipf(1.6, filled.shape), 20)
    return Interactions.from_matrix(sp.csr_array(filled * counts))


def errors(
    data: Interactions,
    items: Floats,
    config: ALSConfig,
    limits: tuple[float, float],
    in_float32: bool | None = None,
) -> Doubles:
    """Return gain and relative error of the scores of each user, (n_users, 2).

    The basis is computed in float32 if `in_float32`; None: if the rule says so.
    """
    side = half_sweep.Side.of(data.user_items, config.loss_config, "user", data.users)
    if in_float32 is None:
        in_float32 = half_sweep.float32_basis(side, items, config.loss_config, ENGINE)
    gramian = gramian_basis.gramian(items, ENGINE, in_float32=in_float32)
    values, basis = gramian_basis.eigenbasis(gramian, ENGINE)
    turned = gramian_basis.turned(items, basis, ENGINE, in_float32=in_float32)
    found = np.zeros((data.n_users, config.factors), dtype=np.float32)
    half_sweep.FLOAT32_GAIN, half_sweep.REFINED_GAIN = limits
    half_sweep.solve_side(
        side, turned, values, found, config.loss_config, config.solver_config, ENGINE
    )
    Y = items.astype(np.float64)
    scores = found.astype(np.float64) @ turned.astype(np.float64).T
    unobserved = config.loss_config.unobserved_weight
    dense = unobserved * Y.T @ Y
    told = []
    for row, amounts in enumerate(data.user_items.toarray().astype(np.float64)):
        w = config.alpha * amounts
        if not w.any():
            continue
        lam = side.regularization[row]
        system = dense + lam * np.eye(config.factors) + (Y.T * w) @ Y
        pull = 0.0 if config.confidence == "additive" else unobserved
        exact = Y @ np.linalg.solve(system, Y.T @ np.where(w > 0, pull + w, 0))
        error = np.linalg.norm(scores[row] - exact) / np.linalg.norm(exact)
        gain = w @ (turned.astype(np.float64) ** 2 / (unobserved * values + lam)).sum(axis=1)
        told.append((gain, error))
    return np.array(told)


def drawn_items(data: Interactions, factors: int) -> Floats:
    """Return random factors of the items."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((data.n_items, factors)).astype(np.float32)


def uneven_items(data: Interactions, factors: int) -> Floats:
    """Return factors whose Gramian has eigenvalues over six decades, in no basis of its own."""
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.standard_normal((factors, factors)))[0]
    lengths = np.logspace(0, -3, factors)
    return ((rng.standard_normal((data.n_items, factors)) * lengths) @ basis).astype(np.float32)


def print_gains(data: Interactions) -> float:
    """Print what is lost by the gain of the row; return the largest error of rows as solved."""
    usual = half_sweep.FLOAT32_GAIN, half_sweep.REFINED_GAIN
    worst = 0.0
    ways = {
        "float32 alone": (np.inf, np.inf),
        "float32, refined above {:g}": (usual[0], np.inf),
        "float32, refined above {:g}, float64 above {:g}": usual,
    }
    for name, limits in ways.items():
        parts = [
            errors(
                data, drawn_items(data, f), hu2008(factors=f, alpha=a, regularization=lam), limits
            )
            for f, a, lam in itertools.product(FACTORS, ALPHAS, LAMBDAS)
        ]
        gains, lost = np.concatenate(parts).T
        worst = float(lost.max())
        print(f"{name.format(*usual)}\n      gain from    rows   largest error   99th percentile")
        for low in 10.0 ** np.arange(-2, 6):
            inside = lost[(gains >= low) & (gains < 10 * low)]
            if inside.size:
                tail = np.quantile(inside, 0.99)
                print(f"{low:15,.2f}{inside.size:8,}{inside.max():16.1e}{tail:18.1e}")
    return worst


def print_spreads(data: Interactions) -> float:
    """Print what is lost by a basis in float32; return the largest error where it is used."""
    usual, worst = (half_sweep.FLOAT32_GAIN, half_sweep.REFINED_GAIN), 0.0
    items = uneven_items(data, MANY)
    print(f"{MANY} factors, largest error by spread\n  spread  float64  float32  by the rule")
    for spread in SPREADS:
        lam = 0.005 * gramian_basis.squared_length(items, ENGINE) / spread
        config = hu2008(
            factors=MANY,
            alpha=1.0,
            regularization=1.01 * lam,
            confidence="additive",
            unobserved_weight=0.005,
        )
        ways = (
            errors(data, items, config, usual, in_float32)[:, 1].max()
            for in_float32 in (False, True, None)
        )
        double, single, chosen = ways
        worst = max(worst, chosen)
        print(f"{spread:8.0e}{double:9.1e}{single:9.1e}{chosen:13.1e}")
    return worst


def main() -> int:
    """Print all tables; fail where the rows as they are solved miss the goal."""
    worst = max(print_gains(likes()), print_spreads(likes(40, 500)))
    print(f"largest error {worst:.1e}, goal {GOAL:.0e}")
    return 1 if worst > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
