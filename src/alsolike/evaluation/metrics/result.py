"""`Evaluation`: the measures of a model, user by user."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.evaluation.statistics.intervals import bootstrap_mean, seed_from
from alsolike.suggestions import did_you_mean
from alsolike.tables import Table

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Result of `alsolike.evaluation.metrics.evaluate.evaluate`: a value per user and metric.

    Parameters
    ----------
    model_name : str
        The model's own word for itself.
    excludes_seen : bool
        Whether given interactions were kept out of the lists; false is the article's way.
    user_indices : int64, (n_users,)
        Rows of the users measured.
    per_user : Table
        Column ``user`` with the caller's ids, and a float64 column per metric.
    hits_at : mapping of int to float
        List length -> hits of all users together; whole where no list ends within a tie.
    coverage_at : mapping of int to float
        List length -> coverage.
    without_relevant : int
        Users asked for who have no relevant held-out item, and so no values.
    blind_at : mapping of int to float
        List length -> share of the users whose list says next to nothing: the score of its last
        place is the median of the scores of all items, and reaches beyond the list, or is that of
        all items that may be listed.
    """

    model_name: str
    excludes_seen: bool
    user_indices: Indices
    per_user: Table
    hits_at: Mapping[int, float]
    coverage_at: Mapping[int, float]
    without_relevant: int = 0
    blind_at: Mapping[int, float] = field(default_factory=dict)

    @property
    def degenerate_share(self) -> float:
        """The largest share of `blind_at`; of shelves, pages whose item has no neighbour count."""
        return max(self.blind_at.values(), default=0.0)

    @property
    def is_degenerate(self) -> bool:
        """Whether the model ranks next to nothing for more than half of the users.

        Its figures are those of an order drawn by lot, or nearly so. It should not be used.
        """
        return is_degenerate(self.degenerate_share)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that have a value per user, such as ``"precision@5"``."""
        return self.per_user.column_names[1:]

    def mean(self, metric: str) -> float:
        """Return the mean over users of a metric such as ``"precision@5"``; coverage, too."""
        name, _, length = metric.partition("@")
        if name == "coverage" and length.isdecimal() and int(length) in self.coverage_at:
            return self.coverage_at[int(length)]
        if metric not in self.metrics:
            coverages = [f"coverage@{k}" for k in self.coverage_at]
            raise SettingError(
                f"{metric!r} was not measured; these were: "
                f"{', '.join([*self.metrics, *coverages])}."
                f"{did_you_mean(metric, [*self.metrics, *coverages])}"
            )
        return float(self.per_user[metric].mean())

    def hits(self, k: int) -> float:
        """Return the hits of all users together in lists of length `k`, as expected under ties."""
        if k not in self.hits_at:
            raise SettingError(f"Lists of {k} were not measured, but of {list(self.hits_at)}.")
        return self.hits_at[k]

    def summary(self, rng: np.random.Generator | int = 0, *, resamples: int = 2000) -> Table:
        """Return the mean of each metric over users with its 95 % bootstrap interval.

        The same users are drawn for each metric, so that a row does not depend on which other
        metrics were asked for. Coverage is no mean over users and has no row; see `mean`.

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
        return Table(
            {
                "metric": list(self.metrics),
                "mean": np.array([estimate.mean for estimate in estimates], dtype=np.float64),
                "low": np.array([estimate.low for estimate in estimates], dtype=np.float64),
                "high": np.array([estimate.high for estimate in estimates], dtype=np.float64),
                "users": np.array([estimate.n for estimate in estimates], dtype=np.int64),
            }
        )

    def __repr__(self) -> str:
        means = ", ".join(f"{name} {self.mean(name):z.4f}" for name in self.metrics)
        seen = "seen excluded" if self.excludes_seen else "seen kept"
        seen += ", degenerate" * self.is_degenerate
        return f"Evaluation({self.model_name}, {len(self.user_indices):,} users, {seen}: {means})"

    def _repr_html_(self) -> str:
        told = f"<p>{describe_degenerate(self.degenerate_share)}</p>" if self.is_degenerate else ""
        return told + self.summary()._repr_html_()


def is_degenerate(share: float) -> bool:
    """Return whether a model with this share of lists that say next to nothing is degenerate."""
    return share > 0.5


def describe_degenerate(share: float, of: str = "users") -> str:
    """Return in words what makes a model degenerate, and what that means for its figures.

    Examples
    --------
    >>> print(describe_degenerate(0.973))
    Degenerate: for 97 % of the users the list ends among items of equal score, half of all items
    or more. What stands there is as good as drawn by lot.
    """
    return (
        f"Degenerate: for {100 * share:.0f} % of the {of} the list ends among items of equal "
        "score, half of all items or more. What stands there is as good as drawn by lot."
    )
