"""`Evaluation`: what was measured of a model, user by user."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.errors import SettingError
from alsolike.evaluation.intervals import bootstrap_mean
from alsolike.hints import did_you_mean
from alsolike.tables import Table

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `alsolike.evaluation.measures.evaluate` found: a value per user and metric.

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
    hits_at : mapping of int to int
        List length -> hits of all users together.
    coverage_at : mapping of int to float
        List length -> coverage.
    without_relevant : int
        Users asked for who have no relevant held-out item, and so no values.
    """

    model_name: str
    excludes_seen: bool
    user_indices: Indices
    per_user: Table
    hits_at: Mapping[int, int]
    coverage_at: Mapping[int, float]
    without_relevant: int = 0

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

    def hits(self, k: int) -> int:
        """Return the hits of all users together in lists of length `k`."""
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
            As in `alsolike.evaluation.intervals.bootstrap_mean`.

        Returns
        -------
        Table
            Columns metric, mean, low, high, users.
        """
        seed = int(rng.integers(1 << 62)) if isinstance(rng, np.random.Generator) else rng
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
        return f"Evaluation({self.model_name}, {len(self.user_indices):,} users, {seen}: {means})"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
