"""`Evaluation`: metrics of a model, user by user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.evaluation.statistics.intervals import bootstrap_mean, seed_from
from alsolike.tables import Table
from alsolike.usage_hints import did_you_mean

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of `alsolike.evaluation.metrics.evaluate.evaluate`: a value per user and metric.

    Parameters
    ----------
    model_name : str
    excludes_seen : bool
        Whether given interactions were left out of the lists; False in the article.
    user_indices : int64, (n_users,)
        Rows of the measured users.
    per_user : Table
        Column ``user`` with the caller's ids, and a float64 column per metric.
    hits_at : mapping of int to float
        List length -> hits of all users; whole if no list ends within a tie.
    coverage_at : mapping of int to float
        List length -> coverage.
    without_relevant : int
        Requested users without a relevant held-out item, who have no values.
    blind_at : mapping of int to float
        List length -> share of the users whose list is nearly random: its last score is the median
        of all items' scores and reaches beyond the list, or is that of all items that may be
        listed.
    pooled_percentile_rank : float or None
        The percentile rank over all relevant items of all users, if it was measured.
    """

    model_name: str
    excludes_seen: bool
    user_indices: Indices
    per_user: Table
    hits_at: Mapping[int, float]
    coverage_at: Mapping[int, float]
    without_relevant: int = 0
    blind_at: Mapping[int, float] = field(default_factory=dict)
    pooled_percentile_rank: float | None = None

    @property
    def degenerate_share(self) -> float:
        """Largest share of `blind_at`; of similar items, queries without neighbours count."""
        return max(self.blind_at.values(), default=0.0)

    @property
    def is_degenerate(self) -> bool:
        """Whether more than half of the lists are nearly random: do not use the model."""
        return is_degenerate(self.degenerate_share)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have a value per user, such as ``"precision@5"``."""
        return self.per_user.column_names[1:]

    @property
    def single(self) -> dict[str, float]:
        """The metrics that have one value for all users, such as ``"coverage@5"``."""
        found = {f"coverage@{k}": share for k, share in self.coverage_at.items()}
        if self.pooled_percentile_rank is not None:
            found["pooled_percentile_rank"] = self.pooled_percentile_rank
        return found

    def mean(self, metric: str) -> float:
        """Return the mean over users of a metric such as ``"precision@5"``, or one of `single`."""
        single = self.single
        if metric in single:
            return single[metric]
        if metric not in self.metrics:
            known = [*self.metrics, *single]
            raise SettingError(
                f"{metric!r} was not measured; these were: {', '.join(known)}."
                f"{did_you_mean(metric, known)}"
            )
        return float(self.per_user[metric].mean())

    def hits(self, k: int) -> float:
        """Return the hits of all users in lists of length `k`, as expected under ties."""
        if k not in self.hits_at:
            raise SettingError(f"Lists of {k} were not measured, but of {list(self.hits_at)}.")
        return self.hits_at[k]

    def summary(self, rng: np.random.Generator | int = 0, *, resamples: int = 2000) -> Table:
        """Return the mean of each metric over users with its 95 % bootstrap interval.

        The same users are drawn for each metric, so a row does not depend on the other metrics.
        Metrics with one value for all users have no row; see `single`.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            A source of one seed, or that seed.
        resamples : int
            As in `alsolike.evaluation.statistics.intervals.bootstrap_mean`.

        Returns
        -------
        Table
            Columns metric, mean, low, high, users.
        """
        seed = seed_from(rng)
        estimates = [
            bootstrap_mean(self.per_user[name], np.random.default_rng(seed), resamples=resamples)
            for name in self.metrics
        ]
        columns: dict[str, Any] = {
            name: np.array([getattr(estimate, name) for estimate in estimates], dtype=np.float64)
            for name in ("mean", "low", "high")
        }
        users = np.array([estimate.n for estimate in estimates], dtype=np.int64)
        return Table({"metric": list(self.metrics)} | columns | {"users": users})

    def table(self) -> Table:
        """Return the rows of `summary`, and those of `single`, which have no interval."""
        users = len(self.user_indices)
        rows = [
            {"metric": metric, "mean": value, "low": None, "high": None, "users": users}
            for metric, value in self.single.items()
        ]
        return Table.from_rows([*self.summary().rows(), *rows])

    def __repr__(self) -> str:
        means = ", ".join(f"{name} {self.mean(name):z.4f}" for name in self.metrics)
        seen = "seen excluded" if self.excludes_seen else "seen kept"
        seen += ", degenerate" * self.is_degenerate
        return f"Evaluation({self.model_name}, {len(self.user_indices):,} users, {seen}: {means})"

    def _repr_html_(self) -> str:
        note = f"<p>{describe_degenerate(self.degenerate_share)}</p>" if self.is_degenerate else ""
        return note + self.summary()._repr_html_()


def is_degenerate(share: float) -> bool:
    """Return whether a model with this share of nearly random lists is degenerate."""
    return share > 0.5


def describe_degenerate(share: float, of: str = "users") -> str:
    """Say in a sentence that a model is degenerate, and why.

    Examples
    --------
    >>> print(describe_degenerate(0.973))
    Degenerate: for 97 % of the users the list ends in a tie of half of all items or more, so its
    order is as good as random.
    """
    return (
        f"Degenerate: for {100 * share:.0f} % of the {of} the list ends in a tie of half of all "
        "items or more, so its order is as good as random."
    )
