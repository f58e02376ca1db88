"""Confidence intervals of ratios of sums over users, such as the mean error of all ratings."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from alsolike.errors import DataError
from alsolike.evaluation.statistics.intervals import Estimate

Values = npt.NDArray[np.float64]

_DRAWS_PER_BLOCK = 1 << 20


def bootstrap_ratio(
    sums: Values,
    counts: Values,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
    as_figure: Callable[[Values], Values] = lambda ratios: ratios,
) -> Estimate:
    """Estimate ``sum(sums) / sum(counts)`` over users, with its percentile bootstrap interval.

    All users are drawn anew, each with all that is of the user, so that ratings of one user need
    not be independent. The order of the users does not matter.

    Parameters
    ----------
    sums, counts : float64, (n_users,)
        Such as squared errors and numbers of ratings; counts above 0.
    rng : numpy.random.Generator
    resamples, level
        As of `alsolike.evaluation.statistics.intervals.bootstrap_mean`.
    as_figure : callable
        What is made of a ratio, such as its root; it must not fall.

    Raises
    ------
    DataError
        There are no users, or a value is not finite.

    Examples
    --------
    >>> squares, ratings = np.array([4.0, 1.0, 9.0] * 20), np.array([4.0, 4.0, 4.0] * 20)
    >>> print(bootstrap_ratio(squares, ratings, np.random.default_rng(0), as_figure=np.sqrt))
    1.0801 (0.9811 to 1.1708)
    """
    if not len(sums) or not (np.isfinite(sums).all() and (counts > 0).all()):
        raise DataError("At least one user with finite sums, each of one value or more, expected.")
    order = np.lexsort((counts, sums))
    both, n = np.stack([sums[order], counts[order]]), len(sums)
    ratios = np.empty(resamples)
    step = max(_DRAWS_PER_BLOCK // n, 1)
    for first in range(0, resamples, step):
        rows = min(step, resamples - first)
        drawn = rng.integers(0, n, size=(rows, n), dtype=np.int64)
        drawn += n * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        # Not by the linear algebra library, whose sums may depend on its threads.
        above, below = (np.einsum("rn,n->r", times, own) for own in both)
        ratios[first : first + rows] = above / below
    whole = as_figure(np.array([both[0].sum() / both[1].sum()]))
    low, high = as_figure(np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2]))
    return Estimate(float(whole[0]), float(low), float(high), n)
