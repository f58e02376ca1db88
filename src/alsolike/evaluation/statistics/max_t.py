"""The max-T test of all candidates against each other, by sign flips of users."""

import math

import numpy as np
import numpy.typing as npt

from alsolike.evaluation.statistics.exact_sums import ExactValues, Indices, Values

# Two statistics this near to each other are the same one, rounded differently.
_SAME = 1 - 1e-9


def _inverse_roots(squares: Values) -> Values:
    return np.divide(1.0, np.sqrt(squares), out=np.zeros_like(squares), where=squares > 0)


def _beaten(sums: Values, inverse_roots: Values) -> Values:
    """Return the largest margin by which another beats each candidate, per resample."""
    above, below = np.zeros_like(sums), np.zeros_like(sums)
    for i in range(len(sums) - 1):
        differences = sums[i + 1 :] - sums[i]
        differences *= inverse_roots[i, i + 1 :, None]
        differences.max(axis=0, out=above[i], initial=0.0)
        np.minimum(below[i + 1 :], differences, out=below[i + 1 :])
    return np.maximum(above, -below)


def sign_flips(
    exact: ExactValues, squares: Values, rng: np.random.Generator, resamples: int
) -> tuple[Indices, Values]:
    """Flip the signs of users, and count how often candidates are beaten as far as observed.

    A candidate's statistic is the largest margin by which another beats it: the sum of their paired
    differences over the root of the sum of their squares, which signs do not change.

    Parameters
    ----------
    exact : ExactValues
    squares : float64, (n_candidates, n_candidates)
        Its sums of squared differences.
    rng : numpy.random.Generator
    resamples : int

    Returns
    -------
    as_far : int64, (n_candidates,)
        Resamples in which some candidate, of those not beaten by more than this one, was beaten at
        least as far as this one was observed to be (step-down max-T).
    largest : float64, (resamples, 2)
        The largest statistic of each resample: of the values, to test whether means are equal, and
        of the values minus each candidate's mean, for intervals, whose candidates may differ.
    """
    means = exact.sums / exact.n
    apart = squares - exact.n * np.subtract.outer(means, means) ** 2
    apart[apart <= 1e-12 * squares] = 0  # rounding is all that is left
    roots, centred_roots = _inverse_roots(squares), _inverse_roots(apart)
    seen = _beaten(exact.sums[:, None], roots)[:, 0] * _SAME
    order = np.argsort(seen, kind="stable")
    bars = seen[order, None]
    counts = np.zeros(len(exact), dtype=np.int64)
    largest = np.empty((resamples, 2))
    for block, sums, sign_sums in exact.signed(rng, resamples):
        beaten = np.maximum.accumulate(_beaten(sums, roots)[order], axis=0)
        counts += np.count_nonzero(beaten >= bars, axis=1)
        largest[block, 0] = beaten[-1]
        largest[block, 1] = _beaten(sums - means[:, None] * sign_sums, centred_roots).max(axis=0)
    as_far = np.empty_like(counts)
    # No candidate differs significantly before those that are beaten by more.
    as_far[order] = np.maximum.accumulate(counts[::-1])[::-1]
    return as_far, largest


def shortfalls(
    means: Values, squares: Values, critical: float, ties: npt.NDArray[np.bool_]
) -> tuple[Values, Values]:
    """Return the interval of each candidate's mean minus that of the truly best one.

    A pair's statistic, mean over root mean square, grows with Student's t, so a critical value of
    one is one of the other. At the largest possible value, 1, nothing is known.

    Parameters
    ----------
    means : float64, (n_candidates,)
    squares : float64, (n_candidates, n_candidates)
        Mean squared differences.
    critical : float
        Of the statistic: 0 to 1.
    ties : bool, (n_candidates,)
        Which candidates may be the truly best one.

    Returns
    -------
    low, high : float64, (n_candidates,)
        At most 0; ``high`` is 0 for ties, and where a difference is uncertain.
    """
    low, high = np.zeros_like(means), np.zeros_like(means)
    for i, mean in enumerate(means):
        differences = mean - means
        if critical < _SAME:
            deviations = np.sqrt(np.maximum(squares[i] - differences**2, 0.0))
            margins = critical / math.sqrt(1 - critical**2) * deviations
        else:
            margins = np.where(squares[i] > 0, math.inf, 0.0)
        low[i] = (differences - margins)[ties].min()
        high[i] = min((differences + margins).min(), 0.0)
    high[ties] = 0
    return low, high
