"""How much of a row's scores float32 loses, by the gain of the row, against dense float64.

The gain is the trace of BB' (docs/decisions/0002): the row's system has eigenvalues between 1 and
1 + gain. Printed: the largest and the 99th percentile of ``|scores - exact| / |exact|`` over all
items, once with every row in float32, then with the rows above one limit refined, and with those
above another in float64 throughout.
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
FACTORS, ALPHAS, LAMBDAS = (10, 40, 120), (0.1, 1, 50, 1000, 1e6), (0, 1e-5, 0.1, 10)
ENGINE = LocalEngine(1)

Doubles = npt.NDArray[np.float64]


def likes(n_users: int = 400, n_items: int = 300) -> Interactions:
    """Make up counts with rows from one interaction to most items."""
    rng = np.random.default_rng(0)
    share = np.outer(0.02 * rng.pareto(1.0, n_users) + 0.005, rng.pareto(1.0, n_items) + 0.1)
    filled = rng.random((n_users, n_items)) < np.clip(share, 0, 0.9)
    counts = np.minimum(rng.zipf(1.6, filled.shape), 20)
    return Interactions.from_matrix(sp.csr_array(filled * counts))


def errors(data: Interactions, config: ALSConfig, limits: tuple[float, float]) -> Doubles:
    """Return gain and relative error of the scores of each user, (n_users, 2)."""
    rng = np.random.default_rng(1)
    items = rng.standard_normal((data.n_items, config.factors)).astype(np.float32)
    side = half_sweep.Side.of(data.user_items, config.loss_config, "user", data.users)
    values, basis = gramian_basis.eigenbasis(gramian_basis.gramian(items, ENGINE), ENGINE)
    turned = gramian_basis.turned(items, basis, ENGINE)
    found = np.zeros((data.n_users, config.factors), dtype=np.float32)
    half_sweep.FLOAT32_GAIN, half_sweep.REFINED_GAIN = limits
    half_sweep.solve_side(
        side, turned, values, found, config.loss_config, config.solver_config, ENGINE
    )
    Y = items.astype(np.float64)
    scores = found.astype(np.float64) @ turned.astype(np.float64).T
    dense = (turned.astype(np.float64) ** 2 / (values + config.regularization)).sum(axis=1)
    told = []
    for row, amounts in enumerate(data.user_items.toarray().astype(np.float64)):
        w = config.alpha * amounts
        if not w.any():
            continue
        system = Y.T @ Y + config.regularization * np.eye(config.factors) + (Y.T * w) @ Y
        exact = Y @ np.linalg.solve(system, Y.T @ np.where(w > 0, 1 + w, 0))
        error = np.linalg.norm(scores[row] - exact) / np.linalg.norm(exact)
        told.append((w @ dense, error))
    return np.array(told)


def main() -> int:
    """Print both tables; fail where the rows as they are solved miss the goal."""
    data, worst = likes(), 0.0
    usual = half_sweep.FLOAT32_GAIN, half_sweep.REFINED_GAIN
    ways = {
        "float32 alone": (np.inf, np.inf),
        "float32, refined above {:g}": (usual[0], np.inf),
        "float32, refined above {:g}, float64 above {:g}": usual,
    }
    for name, limits in ways.items():
        parts = [
            errors(data, hu2008(factors=f, alpha=a, regularization=lam), limits)
            for f, a, lam in itertools.product(FACTORS, ALPHAS, LAMBDAS)
        ]
        gains, lost = np.concatenate(parts).T
        worst = lost.max()
        print(f"{name.format(*usual)}\n      gain from    rows   largest error   99th percentile")
        for low in 10.0 ** np.arange(-2, 6):
            inside = lost[(gains >= low) & (gains < 10 * low)]
            if inside.size:
                tail = np.quantile(inside, 0.99)
                print(f"{low:15,.2f}{inside.size:8,}{inside.max():16.1e}{tail:18.1e}")
    print(f"largest error {worst:.1e}, goal {GOAL:.0e}")
    return 1 if worst > GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
