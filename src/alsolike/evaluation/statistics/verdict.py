"""`ModelVerdict`: whether a model is better than a baseline, in a sentence."""

from dataclasses import dataclass

from alsolike.evaluation.statistics.intervals import Estimate
from alsolike.tables import fixed

# Rounding of sums in another order is below this.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ModelVerdict:
    """Whether a model is better than a baseline in one measure, over the same users.

    Parameters
    ----------
    what : str
        Subject of the sentence: ``"Lists"``, ``"Similar items"``.
    measure : str
        Such as ``"precision@10"``.
    difference : Estimate
        The model's value minus the baseline's, paired over the users, with its 95 % interval.
    baseline : str
        Its name.

    Examples
    --------
    >>> print(ModelVerdict("Lists", "precision@10", Estimate(0.0844, 0.0744, 0.0941, 371)))
    Lists: better than popularity: precision@10 higher by 0.0844 (95 % interval 0.0744 to 0.0941).
    >>> print(ModelVerdict("Lists", "ndcg@5", Estimate(-0.007, -0.0101, -0.0041, 371)).is_better)
    False
    """

    what: str
    measure: str
    difference: Estimate
    baseline: str = "popularity"

    @property
    def is_better(self) -> bool:
        """Whether the whole interval is above 0, and there is more than one user."""
        return self.difference.n > 1 and self.difference.low > _ROUNDING

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval is below 0, and there is more than one user."""
        return self.difference.n > 1 and self.difference.high < -_ROUNDING

    def __str__(self) -> str:
        head = "better" if self.is_better else "not better"
        text = (
            f"{self.what}: {head} than {self.baseline}: {compared(self.measure, self.difference)}"
        )
        return f"{text}." if self.is_better or self.is_worse else f"{text}: {_undecided(self)}."


def compared(measure: str, difference: Estimate) -> str:
    """Say by how much a measure is higher or lower, with its signed interval.

    Examples
    --------
    >>> compared("precision@10", Estimate(-0.007, -0.0151, 0.0011, 371))
    'precision@10 lower by 0.0070 (95 % interval -0.0151 to 0.0011)'
    >>> compared("precision@10", Estimate(-0.0, 0.0, 0.0, 371))
    'precision@10 the same (95 % interval 0.0000 to 0.0000)'
    """
    mean, low, high = map(_unrounded, (difference.mean, difference.low, difference.high))
    amount = f"{'higher' if mean > 0 else 'lower'} by {fixed(abs(mean))}" if mean else "the same"
    return f"{measure} {amount} (95 % interval {fixed(low)} to {fixed(high)})"


def _unrounded(value: float) -> float:
    return 0.0 if abs(value) < _ROUNDING else value


def _undecided(verdict: ModelVerdict) -> str:
    return (
        "one user is not enough to tell"
        if verdict.difference.n == 1
        else "no significant difference"
    )
