"""Confidence intervals and significance tests over users."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from alsolike.data.validation import check_whole
from alsolike.errors import DataError, SettingError

Values = npt.NDArray[np.float64]

# Draws that are held in memory at once, about 16 MB.
_DRAWS_PER_BLOCK = 1 << 20


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval.

    Parameters
    ----------
    mean, low, high : float
        The mean of the values and the ends of its interval.
    n : int
        Number of values; for a single value the interval is that value.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:z.4f} ({self.low:z.4f} to {self.high:z.4f})"


@dataclass(frozen=True)
class ProportionTest:
    """Result of `two_proportions`.

    Parameters
    ----------
    difference, low, high : float
        First proportion minus second, and the ends of its interval.
    p_value : float
        Two-sided p-value of equal proportions.
    """

    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_mean(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Estimate a mean over users, with its percentile bootstrap interval.

    All users are drawn anew with replacement, `resamples` times; the interval holds the middle
    `level` of the means [1]_. It shows how the mean varies with other users of the same kind, not
    with another split or seed. Places in the sorted values are drawn, so the order of the users
    does not matter.

    Parameters
    ----------
    values : float64, (n,)
        One finite value per user, at least one.
    rng : numpy.random.Generator
    resamples : int
        At least 1.
    level : float
        Above 0 and below 1.

    Raises
    ------
    DataError
        There are no values, or some are not finite.
    SettingError
        A setting is out of its range.

    References
    ----------
    .. [1] B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.

    Examples
    --------
    >>> print(bootstrap_mean([0.0, 0.2, 0.0, 0.4] * 50, np.random.default_rng(0)))
    0.1500 (0.1270 to 0.1720)
    """
    numbers = _checked(values)
    check_whole("resamples", resamples, least=1)
    check_share("level", level)
    return Resamples(len(numbers), rng, resamples=resamples).mean(numbers, level=level)


class Resamples:
    """The draws of one bootstrap, shared by many means over equally many users.

    Means then do not differ by their draws, and drawing, which takes most of the time, is done
    once.

    Parameters
    ----------
    n : int
        Users, at least one. Draws are places among the sorted values.
    rng : numpy.random.Generator
    resamples : int
        At least 1. ``2 * n * resamples`` bytes are held.
    block : int
        Users drawn at once; it changes no draw.
    """

    def __init__(
        self,
        n: int,
        rng: np.random.Generator,
        *,
        resamples: int = 2000,
        block: int = _DRAWS_PER_BLOCK,
    ) -> None:
        # How often each user was drawn is all that a mean needs. A count is at most n, and above
        # 65,535 never: of n users one is drawn once per draw on average.
        self._counts = np.empty((resamples, n), dtype=np.uint16)
        step = max(block // n, 1)
        for first in range(0, resamples, step):
            rows = min(step, resamples - first)
            drawn = rng.integers(0, n, size=(rows, n), dtype=np.int64)
            drawn += n * np.arange(rows)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=rows * n)
            self._counts[first : first + rows] = counts.reshape(rows, n)

    def mean(self, values: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
        """Estimate the mean of values, float64, (n,); as `bootstrap_mean`."""
        numbers = _checked(values)
        if numbers.min() == numbers.max():
            only = float(numbers[0])
            return Estimate(only, only, only, len(numbers))
        # Not by the linear algebra library, whose sums may depend on its threads.
        means = np.einsum("rn,n->r", self._counts, np.sort(numbers)) / len(numbers)
        low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
        return Estimate(float(numbers.mean()), float(low), float(high), len(numbers))


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Estimate the mean of ``a - b`` over the same users, with its bootstrap interval.

    Use it for two models on the same users: what makes a user hard for both drops out, so it finds
    smaller differences than two separate intervals.

    Parameters
    ----------
    a, b : float64, (n,)
        Values of the same users in the same order.
    rng, resamples, level
        As in `bootstrap_mean`.

    Returns
    -------
    Estimate
        An interval without 0 is a significant difference.

    Raises
    ------
    DataError
        The two differ in length, are empty, or hold values that are not finite.

    Examples
    --------
    >>> print(paired_difference([0.3, 0.5, 0.2], [0.2, 0.4, 0.1], np.random.default_rng(0)))
    0.1000 (0.1000 to 0.1000)
    """
    return bootstrap_mean(_differences(a, b), rng, resamples=resamples, level=level)


def sign_flip_p_value(
    a: npt.ArrayLike, b: npt.ArrayLike, rng: np.random.Generator, *, resamples: int = 10_000
) -> float:
    """Return the two-sided p-value of a paired sign-flip (permutation) test of equal means.

    If both models were equally good, the sign of each user's difference would be random. The
    p-value is the share of random signs that give a mean at least as far from 0 as the observed
    one, which counts itself [1]_.

    Parameters
    ----------
    a, b : float64, (n,)
        Values of the same users in the same order.
    rng : numpy.random.Generator
    resamples : int
        Random signs, at least 1; the p-value is at least ``1 / (resamples + 1)``.

    Raises
    ------
    DataError
        As in `paired_difference`.
    SettingError
        `resamples` is below 1.

    References
    ----------
    .. [1] B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical
       Applications in Genetics and Molecular Biology 9(1), 2010.

    Examples
    --------
    >>> sign_flip_p_value([0.2, 0.4], [0.2, 0.4], np.random.default_rng(0))
    1.0
    """
    check_whole("resamples", resamples, least=1)
    differences = _differences(a, b)
    differences = differences[differences != 0]
    # Sorted, so that ids do not matter: the signs are random anyway.
    sizes = np.sort(np.abs(differences))
    total = sizes.sum()
    # Ties with the observed mean in exact arithmetic must not depend on rounding.
    bar = abs(math.fsum(differences)) - 1e-9 * total
    step = max(_DRAWS_PER_BLOCK // max(len(sizes), 1), 1)
    as_far = 0
    for first in range(0, resamples, step):
        size = (min(step, resamples - first), len(sizes))
        is_flipped = rng.integers(0, 2, size=size, dtype=np.int8).astype(bool)
        flipped = np.where(is_flipped, sizes, 0.0).sum(axis=1)
        as_far += int(np.count_nonzero(np.abs(total - 2 * flipped) >= bar))
    return (as_far + 1) / (resamples + 1)


def two_proportions(
    hits_a: int, n_a: int, hits_b: int, n_b: int, *, level: float = 0.95
) -> ProportionTest:
    """Compare two shares of hits by their totals.

    The p-value is that of the z-test with the pooled proportion; the interval of the difference is
    Newcombe's, from two Wilson intervals [1]_. Both assume independent trials. If the values of
    each user are known, `paired_difference` is more powerful and assumes less.

    Parameters
    ----------
    hits_a, n_a, hits_b, n_b : int
        Hits out of trials, of each.
    level : float
        Above 0 and below 1.

    Raises
    ------
    SettingError
        No trials, or more hits than trials.

    References
    ----------
    .. [1] R. G. Newcombe, "Interval estimation for the difference between independent
       proportions", Statistics in Medicine 17, 1998, method 10.

    Examples
    --------
    The article's ALS and its follow-up's WARP, 727 and 730 hits of 15,270, do not differ:

    >>> two_proportions(727, 15270, 730, 15270).p_value > 0.9
    True
    """
    for hits, trials in ((hits_a, n_a), (hits_b, n_b)):
        if not 0 <= hits <= trials or trials < 1:
            raise SettingError(f"{hits:,} hits of {trials:,} trials are not possible.")
    check_share("level", level)
    share_a, share_b = hits_a / n_a, hits_b / n_b
    difference = share_a - share_b
    pooled = (hits_a + hits_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    p_value = math.erfc(abs(difference) / error / math.sqrt(2)) if error else 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    low_a, high_a = _wilson(share_a, n_a, z)
    low_b, high_b = _wilson(share_b, n_b, z)
    low = difference - math.hypot(share_a - low_a, high_b - share_b)
    high = difference + math.hypot(high_a - share_a, share_b - low_b)
    return ProportionTest(difference, low, high, p_value)


def _wilson(share: float, n: int, z: float) -> tuple[float, float]:
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _checked(values: npt.ArrayLike) -> Values:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or not numbers.size:
        raise DataError(f"At least one value in one row is needed, not shape {numbers.shape}.")
    if not np.isfinite(numbers).all():
        position = int(np.flatnonzero(~np.isfinite(numbers))[0])
        raise DataError(f"Values must be finite; value {position} is {numbers[position]}.")
    return numbers


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> Values:
    ours, theirs = _checked(a), _checked(b)
    if len(ours) != len(theirs):
        raise DataError(
            f"{len(ours):,} values and {len(theirs):,}: a paired comparison needs the same "
            "users on both sides, in the same order."
        )
    return ours - theirs


def check_share(name: str, value: float, *, below: float = 1) -> None:
    """Raise SettingError unless a setting is above 0 and below `below`."""
    if not 0 < value < below:
        raise SettingError(f"{name} must be above 0 and below {below:g}, not {value}.")


def seed_from(rng: np.random.Generator | int) -> int:
    """Return a seed as given, or draw one from a generator; SettingError for all else."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(1 << 62))
    return check_whole("rng", rng, least=0)
