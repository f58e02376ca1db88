"""Selection among many candidates: ties with the best, and its selection bias."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.evaluation.statistics.exact_sums import ExactValues, Values
from alsolike.evaluation.statistics.intervals import (
    Estimate,
    ProportionTest,
    bootstrap_mean,
    check_share,
)
from alsolike.evaluation.statistics.max_t import shortfalls, sign_flips
from alsolike.tables import Table

Flags = npt.NDArray[np.bool_]

# Parts of the users: one scores the pick of the others.
_PARTS = 3


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of `compare_with_best`; all arrays are (n_candidates,), in the order given.

    Parameters
    ----------
    best : int
        The candidate with the highest mean, the first of several.
    level : float
        The probability that all of ``ties``, and that all intervals, hold.
    means : float64
        The mean of each candidate over the users, to about 12 digits.
    differences : float64
        Mean minus the mean of the best; 0 or less.
    low, high : float64
        Ends of the interval of the candidate's true mean minus that of the truly best candidate.
        ``high`` is 0 if the candidate may be the best itself; ``low`` of the best is the most that
        picking it may lose. -inf: nothing is known.
    p_values : float64
        Of the hypothesis that no candidate is truly better, corrected for all comparisons; above 0,
        at most 1.
    ties : bool
        Whether the candidate does not differ significantly from the best. A candidate with ``high``
        of 0 that does not tie is worse, by an unknown amount.
    """

    best: int
    level: float
    means: Values
    differences: Values
    low: Values
    high: Values
    p_values: Values
    ties: Flags

    def table(self, names: Sequence[str] | None = None) -> Table:
        """Return a row per candidate, with its name or else its number from 0."""
        if names is not None and len(names) != len(self.means):
            raise SettingError(f"{len(names):,} names for {len(self.means):,} candidates.")
        return Table(
            {
                "candidate": np.arange(len(self.means)) if names is None else names,
                "mean": self.means,
                "difference": self.differences,
                "low": self.low,
                "high": self.high,
                "p_value": self.p_values,
                "ties": self.ties,
            }
        )

    def __str__(self) -> str:
        count, mean = int(self.ties.sum()), self.means[self.best]
        loss = 0.0 - self.low[self.best]
        lost = f"at most {loss:.4f}" if math.isfinite(loss) else "an unknown amount"
        return (
            f"{count:,} of {len(self.means):,} candidates, including the best ({mean:z.4f}), do "
            f"not differ significantly from it at {100 * self.level:g} %; picking it loses {lost}."
        )


@dataclass(frozen=True)
class Optimism:
    """Result of `optimism`.

    Parameters
    ----------
    best : int
        The candidate with the highest mean, the first of several.
    candidates : int
        Number of candidates.
    score : float
        Its observed mean.
    amount : float
        The selection bias: how much that overstates its true mean on average; 0 or more.
    corrected : Estimate
        ``score - amount``, with its interval.
    """

    best: int
    candidates: int
    score: float
    amount: float
    corrected: Estimate

    def mapped(self, figure: Callable[[float], float]) -> "Optimism":
        """Return it in a figure of the mean, which rises or falls with it, such as an error."""
        low, high = sorted(figure(end) for end in (self.corrected.low, self.corrected.high))
        score, corrected = figure(self.score), figure(self.corrected.mean)
        if (score, corrected) == (self.score, self.corrected.mean):
            return self
        estimate = Estimate(corrected, low, high, self.corrected.n)
        return Optimism(self.best, self.candidates, score, abs(score - corrected), estimate)

    def __str__(self) -> str:
        amount = f"about {self.amount:.4f}" if round(self.amount, 4) else "less than 0.0001"
        return (
            f"The best of {self.candidates:,} scored {self.score:.4f}. Its selection bias is "
            f"{amount}; expect {self.corrected}."
        )


def compare_with_best(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
) -> Comparison:
    """Find the candidates that do not differ significantly from the best, over the same users.

    The best is picked by the same data, so testing each candidate against it is not valid. Tested
    instead is, for each candidate, that no other has a higher mean [1]_. Its statistic is the
    largest paired difference by which another beats it, divided by the root of the sum of squared
    differences. All candidates are tested at once by the step-down max-T procedure [2]_ [3]_, with
    one random sign per user for all candidates. With probability `level` no truly best candidate,
    be it one or all of them, is rejected; users are taken as a sample of many.

    A model confidence set [4]_ has the same aim, but drops rejected candidates from the comparison,
    which is proven only if the others differ clearly. Signs are drawn instead of users, since a sum
    and its own spread are then resampled together: few users, values that are nearly all 0, and
    candidates that differ for three users are no special cases.

    The intervals hold simultaneously, whichever candidate was picked; their critical value is the
    larger of those of the values and of the centred values.

    Parameters
    ----------
    values : float64, (n_candidates, n_users)
        Finite values of one metric for the same users in the same order, higher is better. Values
        that agree to about 12 digits of the largest count as equal.
    rng : numpy.random.Generator
    resamples : int
        Random signs. A p-value is at least ``1 / (resamples + 1)``, which must reach ``1 - level``.
    level : float
        Above 0 and below 1.

    Returns
    -------
    Comparison
        With too few users to reach `level`, all tie and ``low`` is -inf. One candidate, or copies
        of the best, tie with p = 1 and an interval from 0 to 0 if there are no others. Takes time
        proportional to ``n_candidates ** 2 * resamples``.

    Raises
    ------
    DataError
        There are no values, not in two dimensions, or some are not finite.
    SettingError
        A setting is out of its range.

    References
    ----------
    .. [1] J. C. Hsu, "Constrained simultaneous confidence intervals for multiple comparisons with
       the best", Annals of Statistics 12(3), 1984.
    .. [2] P. H. Westfall, S. S. Young, "Resampling-based multiple testing", 1993, algorithm 2.8.
    .. [3] J. P. Romano, M. Wolf, "Exact and approximate stepdown methods for multiple hypothesis
       testing", Journal of the American Statistical Association 100, 2005.
    .. [4] P. R. Hansen, A. Lunde, J. M. Nason, "The model confidence set", Econometrica 79, 2011.

    Examples
    --------
    >>> users = np.random.default_rng(0).random(200)
    >>> twins = [users, users[::-1], users - 0.5]
    >>> print(compare_with_best(twins, np.random.default_rng(1)).ties)
    [ True  True False]
    """
    allowed = _allowed(resamples, level)
    exact = ExactValues(values)
    squares = exact.squared_differences()
    as_far, largest = sign_flips(exact, squares, rng, resamples)
    ties = as_far > allowed
    critical = float(np.sort(largest, axis=0)[resamples - 1 - allowed].max()) / math.sqrt(exact.n)
    means = exact.sums / exact.n
    low, high = shortfalls(means, squares / exact.n, critical, ties)
    return Comparison(
        exact.best,
        level,
        exact.scaled(means),
        exact.scaled(means - means[exact.best]),
        exact.scaled(low),
        exact.scaled(high),
        (as_far + 1) / (resamples + 1),
        ties,
    )


def optimism(
    values: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    level: float = 0.95,
) -> Optimism:
    """Estimate the selection bias: by how much the best of many overstates its true mean.

    Users are split randomly into three parts; the best is picked on two of them and scored on the
    third [1]_. Each part is left out in turn, many times. The bias is what the best scores beyond
    that: never negative, and 0 for a single candidate. If all are truly equal, it is right on
    average; else it is rather too large, since two thirds of the users pick worse than all of them.

    In simulations with 100 candidates and 200 or 300 users, the corrected score was off by 0.0
    standard errors on average if all are equal, by -0.2 if they differ by 1 to 4, and by -0.7 in
    the worst case tried, one that stands out by 4 from 99 equal ones. The 95 % interval takes the
    bias as known: it covered the truth in 94 to 98 % if all are equal, in 82 to 95 % if they
    differ, and in 71 % in that worst case. Alternatives: the gain within bootstrap draws finds only
    0.7 of the bias if all are equal; scoring on users not drawn [2]_ is a little steadier if all
    are equal, and twice as far off if one stands out; the correction of Tibshirani and Tibshirani
    [3]_ is 2.5 to 3 standard errors too large; ten parts are closer if one stands out, but spread
    nearly twice as far if all are equal.

    Parameters
    ----------
    values, rng, level
        As in `compare_with_best`, as are the errors.
    resamples : int
        Splits, and draws for the interval; at least 1.

    Returns
    -------
    Optimism
        Its interval is the bootstrap interval of the mean of the best, shifted by the bias. For one
        user the bias is 0, and the interval is the value.

    References
    ----------
    .. [1] S. Varma, R. Simon, "Bias in error estimation when using cross-validation for model
       selection", BMC Bioinformatics 7, 2006.
    .. [2] I. Tsamardinos, E. Greasidou, G. Borboudakis, "Bootstrapping the out-of-sample
       predictions for efficient and accurate cross-validation", Machine Learning 107, 2018.
    .. [3] R. J. Tibshirani, R. Tibshirani, "A bias correction for the minimum error rate in
       cross-validation", Annals of Applied Statistics 3(2), 2009.

    Examples
    --------
    >>> equal = np.random.default_rng(0).normal(0.5, 0.1, size=(100, 400))
    >>> print(optimism(equal, np.random.default_rng(1)))
    The best of 100 scored 0.5140. Its selection bias is about 0.0124; expect 0.5015 (0.4916 to
    0.5111).
    """
    exact = ExactValues(values)
    of_best = np.asarray(values, dtype=np.float64)[exact.best]
    observed = bootstrap_mean(of_best, rng, resamples=resamples, level=level)
    amount = _gain(exact, rng, resamples)
    corrected = Estimate(
        observed.mean - amount, observed.low - amount, observed.high - amount, exact.n
    )
    return Optimism(exact.best, len(exact), observed.mean, amount, corrected)


def cheapest_of(costs: Sequence[tuple[float, ...]], ties: npt.ArrayLike) -> int:
    """Return the cheapest candidate among those that tie with the best, the first of several.

    Parameters
    ----------
    costs : sequence of tuples of numbers, n_candidates of them, equally long
        Costs of each candidate, compared by the first number, then the second, and so on.
    ties : bool, (n_candidates,)
        As in `Comparison`.

    Raises
    ------
    SettingError
        None ties, or the costs cannot be compared.

    Examples
    --------
    >>> cheapest_of([(10, 4.0), (20, 1.0), (10, 2.0), (5, 1.0)], [True, True, True, False])
    2
    """
    flags = np.asarray(ties)
    if flags.dtype != np.bool_ or flags.shape != (len(costs),) or not flags.any():
        raise SettingError(
            f"{len(costs):,} candidates need as many ties, true or false and at least one true; "
            f"given were {flags.dtype} of shape {flags.shape}."
        )
    for number, cost in enumerate(costs):
        if len(cost) != len(costs[0]) or any(math.isnan(part) for part in cost):
            raise SettingError(
                f"The cost of candidate {number}, {cost}, cannot be compared with that of "
                f"candidate 0, {costs[0]}: as many numbers each are needed, and no NaN."
            )
    return min(map(int, np.flatnonzero(flags)), key=lambda number: (costs[number], number))


def describe_difference(test: ProportionTest, level: float = 0.95) -> str:
    """Say in one sentence whether two shares of hits differ, by both p-value and interval.

    Parameters
    ----------
    test : ProportionTest
        From `alsolike.evaluation.statistics.intervals.two_proportions`.
    level : float
        The level that it was given; SettingError if it is not above 0 and below 1.

    Examples
    --------
    >>> from alsolike.evaluation.statistics.intervals import two_proportions
    >>> print(describe_difference(two_proportions(727, 15270, 730, 15270)))
    No significant difference: -0.00020 (95 % interval -0.00498 to 0.00459; p = 0.94).
    >>> print(describe_difference(two_proportions(727, 15270, 520, 15270)))
    Significant difference: 0.01356 (95 % interval 0.00912 to 0.01801; p < 0.001).
    """
    check_share("level", level)
    differs = test.p_value <= 1 - level and not test.low <= 0 <= test.high
    width = test.high - test.low
    decimals = 4 if not 0 < width < 1e-2 else min(2 - math.floor(math.log10(width)), 12)
    difference, low, high = (
        f"{0.0 if abs(end) < 0.5 * 10**-decimals else end:.{decimals}f}"
        for end in (test.difference, test.low, test.high)
    )
    p = f"p = {test.p_value:.2g}" if test.p_value >= 1e-3 else "p < 0.001"
    verdict = "Significant difference" if differs else "No significant difference"
    return f"{verdict}: {difference} ({100 * level:g} % interval {low} to {high}; {p})."


def _gain(exact: ExactValues, rng: np.random.Generator, splits: int) -> float:
    """Return by how much the best outscores picks of two parts of the users on the third."""
    if exact.n == 1:
        return 0.0
    scored = []
    for inside in exact.split(rng, splits, min(_PARTS, exact.n)):
        picked = exact.first_largest(exact.sums[:, None, None] - inside)
        scored.append(np.take_along_axis(inside, picked[None], axis=0)[0].sum(axis=1))
    mean = np.concatenate(scored).mean()
    return max(float(exact.scaled((exact.sums[exact.best] - mean) / exact.n)), 0.0)


def _allowed(resamples: int, level: float) -> int:
    """Return how many resamples may reach the observed statistic if it is significant."""
    check_share("level", level)
    allowed = math.floor((1 - level) * (resamples + 1) + 1e-9) - 1
    if allowed < 0:
        raise SettingError(
            f"{resamples:,} resamples are too few for level {level}: at least "
            f"{math.ceil(1 / (1 - level) - 1e-9) - 1:,} are needed."
        )
    return allowed
