"""The ratings objective: errors of predicted ratings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.metrics.ratings import RATING_METRICS, HeldOutRatings
from alsolike.evaluation.objectives.base import BoundObjective, Objective, Values
from alsolike.models.protocols import PredictsRatings, Recommender, able
from alsolike.recommending.ranking.scan import Ranked

RATINGS = "ratings"
_RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class RatingsObjective(Objective):
    """Scores a model by the errors of its predictions of held-out ratings; lower is better.

    For models that predict ratings (`alsolike.models.protocols.PredictsRatings`); predictions are
    not clipped. The values per user are minus what each adds to the mean squared (or absolute)
    error, so that tests and ties weigh each rating equally.

    Parameters
    ----------
    name, choose
        As of every `Objective`.
    metric : {"rmse", "mae"}
    k : int
        Not used: there are no lists.

    Examples
    --------
    >>> print(RatingsObjective(metric="mae"))
    mae of ratings on validation (lower is better)
    """

    kind: ClassVar[str] = RATINGS
    metrics: ClassVar[tuple[str, ...]] = RATING_METRICS

    metric: str = "rmse"

    @property
    def column(self) -> str:
        """The metric."""
        return self.metric

    @property
    def figures(self) -> tuple[str, ...]:
        """The metric on both parts, with an interval on the held-out one."""
        return (f"train_{self.measure}", *self.interval)

    def of_gain(self, gain: float) -> float:
        """Return the metric that a mean of values per user stands for."""
        return float(np.sqrt(max(-gain, 0.0))) if self.metric == "rmse" else -gain

    def bind(self, split: Split, shown: Interactions, seed: int) -> BoundObjective:
        """Collect the held-out ratings, and the training ratings of the same users."""
        return _BoundRatings(self, split, shown, seed)

    def to_settings(self) -> dict[str, Any]:
        """Return all settings as plain values, with their kind."""
        return {"kind": self.kind} | super().to_settings()

    def __str__(self) -> str:
        return f"{self.measure} of ratings on {self.choose} (lower is better)"


class _BoundRatings:
    """A ratings objective with the ratings that it asks for."""

    ground_truths: tuple[GroundTruth, ...] = ()

    def __init__(
        self, objective: RatingsObjective, split: Split, shown: Interactions, seed: int
    ) -> None:
        held_out, users = objective.held_out(split)
        self.objective, self._seed = objective, seed
        self._held_out = HeldOutRatings(held_out, users)
        self._train = HeldOutRatings(shown, users)

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the figures, and a gain per user; lists are not used."""
        able(model, PredictsRatings, "score it by ratings")
        metric = self.objective.metric
        errors = self._held_out.errors(model)
        found = errors.estimate(metric, np.random.default_rng(self._seed), resamples=_RESAMPLES)
        on_train = self._train.errors(model).figure(metric) if len(self._train.users) else np.nan
        values = (on_train, found.mean, found.low, found.high)
        return dict(zip(self.objective.figures, values, strict=True)), errors.gains(metric)
