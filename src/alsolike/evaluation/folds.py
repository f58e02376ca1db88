"""Evaluates one configuration on rolling folds: each trained anew, then all users pooled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.splitting.split import Split, expect_split
from alsolike.data.validation import said
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.learning_curve import with_given
from alsolike.evaluation.metrics.evaluate import USUAL, evaluate
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.models.fit import fit
from alsolike.models.registry import family_of
from alsolike.progress import SILENT, Observer
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import with_example

Values = npt.NDArray[np.float64]

POOLED = "all"


@dataclass(frozen=True)
class FoldsEvaluation:
    """Metrics of one configuration on the test users of each fold.

    Parameters
    ----------
    splits : tuple of Split
    evaluations : tuple of Evaluation
        Of the model of each fold.
    """

    splits: tuple[Split, ...]
    evaluations: tuple[Evaluation, ...]

    @property
    def model_name(self) -> str:
        """The name of the models."""
        return self.evaluations[0].model_name

    def per_user(self, metric: str) -> dict[str, float]:
        """Return a value per user: the mean over the folds that have the user as a test user."""
        found: dict[str, list[float]] = {}
        for evaluation in self.evaluations:
            evaluation.mean(metric)  # refuses a metric that was not measured
            users, values = evaluation.per_user["user"], evaluation.per_user[metric]
            for user, value in zip(users.tolist(), values.tolist(), strict=True):
                found.setdefault(user, []).append(value)
        return {user: float(np.mean(values)) for user, values in found.items()}

    def table(self) -> Table:
        """Return metric, fold, mean, low, high and users; fold ``"all"`` has all users pooled.

        A user of several folds counts once, with the mean over them. Metrics with one value for all
        users have no row that is pooled.
        """
        rows: list[dict[str, Any]] = []
        for at, evaluation in enumerate(self.evaluations, start=1):
            for row in evaluation.table().rows():
                rows.append({"metric": row["metric"], "fold": f"{at}"} | row)
        for metric in self.evaluations[0].metrics:
            pooled = bootstrap_mean(
                np.array(list(self.per_user(metric).values())), np.random.default_rng(0)
            )
            ends = {"mean": pooled.mean, "low": pooled.low, "high": pooled.high}
            rows.append({"metric": metric, "fold": POOLED} | ends | {"users": pooled.n})
        order = list(dict.fromkeys(row["metric"] for row in rows))
        rows.sort(key=lambda row: order.index(row["metric"]))  # the folds of a metric together
        return Table.from_rows(rows)

    def table_of_first(self) -> Table:
        """Return the rows of the first metric, each fold named as a model, for reports."""
        first = self.evaluations[0].metrics[0]
        names = {POOLED: "all folds"}
        return Table.from_rows(
            [
                {"model": names.get(row["fold"], f"fold {row['fold']}")}
                | {name: row[name] for name in ("metric", "mean", "low", "high", "users")}
                for row in self.table().rows()
                if row["metric"] == first
            ]
        )

    def folds(self) -> Table:
        """Return the sizes of each fold, and how much of its test is new to training."""
        return Table.from_rows([_sizes(at, one) for at, one in enumerate(self.splits, start=1)])

    def brief(self, width: int) -> str:
        """Return the first metric on each fold, at most `width` columns wide."""
        text = self.table_of_first().fitted(width, whole="--verbose or report.html")
        return "\n".join([wrapped(f"{self._on}:", width, indent=2), text])

    @property
    def _on(self) -> str:
        return f"{self.model_name} on the test windows of {len(self.splits)} folds by time"

    def __str__(self) -> str:
        return f"{self._on}:\n{self.folds()}\n{self.table()}"


@with_example("al.evaluate_folds(al.ALSConfig(), al.split_folds(likes, folds=3))")
def evaluate_folds(
    config: Any,
    folds: Sequence[Split],
    *,
    k: int | Sequence[int] = 10,
    metrics: Sequence[str] = USUAL,
    exclude_seen: bool = True,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> FoldsEvaluation:
    """Fit a configuration on each fold, to training and validation, and measure its test users.

    Parameters
    ----------
    config : Config
        Of any family.
    folds : sequence of Split
        As `alsolike.split_folds` returns them.
    k, metrics
        As in `alsolike.evaluate`.
    exclude_seen : bool
        Leave what the user had before the test out of the lists.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer

    Raises
    ------
    SettingError
        There is no fold, or the configuration is of no known family.
    DataError
        A fold is no `Split`, or nobody is in its test.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting.splitters import hold_out
    >>> from alsolike.models.baselines.popularity import PopularityConfig
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> likes = Interactions.from_columns(users, [f"i{number % 15}" for number in range(240)])
    >>> folds = [hold_out(likes, k=2, seed=seed) for seed in (0, 1)]
    >>> found = evaluate_folds(PopularityConfig(), folds, k=5, metrics=["precision"])
    >>> found.table()["fold"].tolist(), found.table()["users"].tolist()
    (['1', '2', 'all'], [4, 4, 6])
    """
    family_of(config)
    if isinstance(folds, Split) or not isinstance(folds, Sequence) or not folds:
        raise SettingError(
            "One or more folds expected, as alsolike.split_folds(likes, folds=3) returns them, not "
            f"{said(folds)}."
        )
    engine, evaluations = engine or LocalEngine(), []
    for fold in folds:
        expect_split(fold)
    observer.start("folds", len(folds))
    for fold in folds:
        model = fit(fold.train_and_validation(), config, engine=engine)
        evaluations.append(
            evaluate(
                with_given(model, fold, engine, with_validation=True),
                fold.test,
                exclude=fold.shown(with_validation=True) if exclude_seen else None,
                k=k,
                metrics=metrics,
                engine=engine,
            )
        )
        observer.advance()
    observer.finish()
    return FoldsEvaluation(tuple(folds), tuple(evaluations))


def _sizes(at: int, fold: Split) -> dict[str, Any]:
    seen = fold.train_and_validation()
    users = fold.test_users
    return {
        "fold": f"{at}",
        "seen": seen.n_interactions,
        "test": fold.test.n_interactions,
        "test users": len(users),
        "of them new": int((seen.user_counts[users] == 0).sum()),
        "new items": int(((fold.test.item_counts > 0) & (seen.item_counts == 0)).sum()),
        "test from": dict(fold.details).get("test from"),
    }
