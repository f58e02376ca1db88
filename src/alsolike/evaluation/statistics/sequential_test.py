"""A sequential test of preference between two models, valid after every vote."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields

from alsolike.data.validation import check_whole
from alsolike.evaluation.statistics.intervals import check_share

DIFFERENCE = "difference"
NO_DIFFERENCE = "no difference"
NOT_YET = "not yet"

# Prior concentration near one half. In simulations, 5 needs about the fewest votes for shares of
# 0.6 and 0.65 (a median of 179 and 79), and few for others: 12 in a row.
_CONCENTRATION = 5.0

_HALVINGS = 50
_MOST_LOG = 700.0  # exp of more is infinite


@dataclass(frozen=True)
class SequentialTest:
    """Evidence of votes between two models, valid at every vote.

    A fixed-size test errs far more often than it says if it is read after each vote to decide
    whether to stop. Here, the probability that the wrong verdict is *ever* given is at most
    `alpha`, under any stopping rule.

    Let S of n votes that saw a difference be for the first, each with probability theta.
    Against each theta a bettor's capital is

        ``M(theta) = B(a + S, a + n - S) / B(a, a) / (theta**S * (1 - theta)**(n - S))``

    with B the beta function: a mixture over q of products of ``q / theta`` and ``(1 - q) / (1 -
    theta)``, each of which is 1 on average [1]_. Capital that begins with 1 and never grows on
    average ever reaches ``1 / alpha`` with probability of at most `alpha` [2]_. `e_value` is
    M(1/2), and `interval` holds every theta with ``M(theta) < 1 / alpha`` [1]_ [3]_: it ever misses
    the true one with probability of at most `alpha`.

    *No* difference beyond the margin m needs evidence of its own. Now a tie counts as half a vote
    for each, s is the mean with ties, and the capital bet against ``s >= t`` for
    t = 1/2 + m is the product of ``(1/2 / t)**x * (1/2 / (1 - t))**(1 - x)`` over votes x of 0, 1/2
    and 1 (the bet of Wald [4]_, on one half against t). That is at most its chord ``x / (2 t) +
    (1 - x) / (2 (1 - t))``, whose mean is at most 1 where s is at least t. Likewise against ``s <=
    1/2 - m``. The smaller of the two capitals is `margin_e_value`; the truth can be on one side
    only, so that both may use all of `alpha`.

    Parameters
    ----------
    wins, losses : int
        Votes for the first, and for the second.
    ties : int
        Votes that saw no difference. They do not count for `e_value` and `interval`.
    alpha : float
        Above 0 and below 1.
    margin : float
        Above 0 and below 0.5. A share within 0.5 plus or minus this counts as no difference.

    Raises
    ------
    SettingError
        A count is not a whole number of at least 0, or a setting is out of its range.

    Notes
    -----
    What is assumed is that each vote which sees a difference is for the first with probability
    theta, whatever the votes before it. Where the models are alike and sides are sign_flips, that
    holds with theta = 1/2 whoever votes. Of other values: where few people give many votes, it is
    their taste that is measured.

    The verdict is that of the votes as they stand, and more votes may take it back. Where there is
    no difference, a median of about 800 votes is needed to say so with a margin of 0.05.

    References
    ----------
    .. [1] H. Robbins, "Statistical methods related to the law of the iterated logarithm", Annals
       of Mathematical Statistics 41(5), 1970; for the interval as here, I. Waudby-Smith, A.
       Ramdas, "Confidence sequences for sampling without replacement", NeurIPS 2020, section 2
       (the prior over the posterior is a martingale).
    .. [2] J. Ville, "Étude critique de la notion de collectif", 1939.
    .. [3] S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric,
       nonasymptotic confidence sequences", Annals of Statistics 49(2), 2021.
    .. [4] A. Wald, "Sequential tests of statistical hypotheses", Annals of Mathematical Statistics
       16(2), 1945.

    Examples
    --------
    >>> test = SequentialTest(wins=42, losses=19, ties=7)
    >>> test.verdict, round(test.e_value, 1)
    ('not yet', 17.3)
    >>> SequentialTest(wins=43, losses=19, ties=7).verdict
    'difference'
    >>> SequentialTest(wins=300, losses=300, ties=10).verdict
    'no difference'
    """

    wins: int
    losses: int
    ties: int = 0
    alpha: float = 0.05
    margin: float = 0.05

    def __post_init__(self) -> None:
        for count in fields(self)[:3]:
            check_whole(count.name, getattr(self, count.name), least=0)
        check_share("alpha", self.alpha)
        check_share("margin", self.margin, below=0.5)

    @property
    def votes(self) -> int:
        """All votes, ties among them."""
        return self.wins + self.losses + self.ties

    @property
    def share(self) -> float | None:
        """Wins among the votes that saw a difference; None where there are none."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @functools.cached_property
    def e_value(self) -> float:
        """Evidence for a difference: 1 is none, ``1 / alpha`` is enough. At most 1e304."""
        decided = self.wins + self.losses
        return math.exp(min(self._log_bet + decided * math.log(2), _MOST_LOG))

    @functools.cached_property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the share; without 0.5 if `e_value` is enough."""
        share = self.share
        if share is None:
            return 0.0, 1.0
        bar, wins, losses = self._log_bet + math.log(self.alpha), self.wins, self.losses

        def is_out(theta: float) -> bool:
            # Of so many votes that the middle rounds to an end, both ends are the same.
            return not 0 < theta < 1 or wins * math.log(theta) + losses * math.log1p(-theta) <= bar

        low = _edge(is_out, 0.0, share) if self.wins else 0.0
        high = _edge(is_out, 1.0, share) if self.losses else 1.0
        return low, high

    @functools.cached_property
    def margin_e_value(self) -> float:
        """Evidence that there is no difference beyond the margin; ``1 / alpha`` is enough."""
        # The smaller capital is the one bet against the model with more votes.
        few, many = sorted((self.wins, self.losses))
        half = self.ties / 2
        high = (many + half) * math.log1p(2 * self.margin)
        low = (few + half) * math.log1p(-2 * self.margin)
        return math.exp(min(-(high + low), _MOST_LOG))

    @property
    def is_within_margin(self) -> bool:
        """Whether a difference beyond the margin can be ruled out."""
        return self.margin_e_value >= 1 / self.alpha

    @property
    def verdict(self) -> str:
        """One of `DIFFERENCE`, `NO_DIFFERENCE` (beyond the margin) and `NOT_YET`.

        A difference that is certain but within the margin is still a difference.
        """
        if self.e_value >= 1 / self.alpha:
            return DIFFERENCE
        return NO_DIFFERENCE if self.is_within_margin else NOT_YET

    @functools.cached_property
    def _log_bet(self) -> float:
        """Logarithm of the mixture's probability of these votes, in their order."""
        after = _log_beta(_CONCENTRATION + self.wins, _CONCENTRATION + self.losses)
        return after - _log_beta(_CONCENTRATION, _CONCENTRATION)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(is_out: Callable[[float], bool], outside: float, inside: float) -> float:
    """Bisect for the edge of the interval, on or just beyond it."""
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        if is_out(middle):
            outside = middle
        else:
            inside = middle
    return outside
