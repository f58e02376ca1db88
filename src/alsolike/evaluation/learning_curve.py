"""Learning curves: one training, scored at chosen sweeps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.metrics.ground_truth import GroundTruth
from alsolike.evaluation.objectives.base import DEGENERATE, HeldOut, Objective, as_gain
from alsolike.evaluation.objectives.kinds import checked_objectives, chosen_objective
from alsolike.models.base import FittedModel
from alsolike.models.family import TrainingData
from alsolike.models.fit import iterate
from alsolike.models.protocols import FoldsIn, HasFactors, Recommender, able
from alsolike.models.registry import family_of
from alsolike.models.settings import seed_of
from alsolike.progress import SILENT, Observer
from alsolike.recommending.ranking.scan import Ranked

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CurvePoint:
    """Figures after a number of sweeps.

    Parameters
    ----------
    sweep : int
    figures : mapping of str to float
        Such as ``"validation_precision@10"``; those of further objectives are named
        ``"<objective>: <figure>"``.
    per_user_scores : mapping of str to float64, (n_users,)
        By each objective's prefix (``""`` for the first), the value of its measure for each
        held-out user, in the order of the rows: used to compare runs.
    """

    sweep: int
    figures: Mapping[str, float]
    per_user_scores: Mapping[str, Values]


def learning_curve(
    split: Split,
    config: Any,
    *,
    sweeps: Sequence[int],
    k: int | None = None,
    metric: str | None = None,
    exclude_seen: bool | None = None,
    choose: HeldOut | None = None,
    objective: Objective | None = None,
    beside: Sequence[Objective] = (),
    engine: Engine | None = None,
    observer: Observer = SILENT,
    data: TrainingData | None = None,
) -> Iterator[CurvePoint]:
    """Train once and yield a point at each chosen sweep, or one at the end.

    Held-out and train metrics are means over the same users: those with held-out items. For the
    ranking objective, train lists leave nothing out, as in the article, and mean squared errors are
    over all cells of these users' rows.

    Parameters
    ----------
    split : Split
    config : Config
        Of any family. Its ``iterations`` are not used; the last of `sweeps` ends the training.
    sweeps : sequence of int
        At least 1 each. A family that is only scored at its end gives one point, as of sweep 1.
    k, metric, exclude_seen, choose
        Settings of a `RankingObjective` to use if `objective` is None.
    objective : Objective or None
        What to measure. None: ranking.
    beside : sequence of Objective
        Further objectives to score at each point.
    engine : Engine or None
        Where to compute; the figures do not depend on it.
    observer : Observer
        Notified of each point.
    data : TrainingData or None
        The training part, with what other trainings on it have in common; None: the part alone.

    Raises
    ------
    SettingError
        No sweeps, two objectives of one name, or an objective and settings of one.
    SplitError
        The split has no user in the part that an objective chooses on.
    FitError
        The solver or a figure is not finite.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting.splitters import hold_out
    >>> from alsolike.models.als.config import ALSConfig
    >>> from alsolike.models.linear.ease import EASEConfig
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> items = [f"i{number % 15}" for number in range(240)]
    >>> split = hold_out(Interactions.from_columns(users, items), k=2)
    >>> curve = learning_curve(split, ALSConfig(factors=4), sweeps=[2, 4], k=5)
    >>> [point.sweep for point in curve]
    [2, 4]
    >>> [point.sweep for point in learning_curve(split, EASEConfig(), sweeps=[2, 4], k=5)]
    [1]
    """
    first = chosen_objective(
        objective, k=k, metric=metric, exclude_seen=exclude_seen, choose=choose
    )
    wanted = checked_sweeps(sweeps)
    objectives = checked_objectives(split, first, beside)
    seed, known, family = 0, {1}, family_of(config)
    if family.scored == "sweeps":
        seed, known = seed_of(config), set(wanted)
        config = replace(config, iterations=wanted[-1])
    panel = Panel(split, objectives, seed, engine or LocalEngine())
    observer.start("learning curve", len(known))
    training = iterate(data or split.train, config, engine=engine)
    for sweep, model in enumerate(training, start=1):
        if sweep in known:
            point = panel.point(sweep, with_given(model, split, engine))
            if data is not None and DEGENERATE not in point.figures:
                ending = replace(config, iterations=sweep) if family.scored == "sweeps" else config
                data.offer(family, ending, model, as_gain(first.score, point.figures[first.score]))
            yield point
            observer.advance()
    observer.finish()


class Panel:
    """Scores the points of one curve by several objectives, with shared lists.

    Parameters
    ----------
    split : Split
    objectives : mapping of str to Objective
        By the prefix of their figures, as `checked_objectives` returns them.
    seed : int
        Seed of the resamples.
    engine : Engine
    """

    def __init__(
        self, split: Split, objectives: Mapping[str, Objective], seed: int, engine: Engine
    ) -> None:
        # All that a model has seen: training data, and what held-out users gave.
        shown = split.shown()
        self._engine = engine
        self._bound = {
            prefix: objective.bind(split, shown, seed) for prefix, objective in objectives.items()
        }
        # Equal ground truths share lists: ranking is most of the work.
        self._truths: list[GroundTruth] = []
        self._longest: list[int] = []
        for bound in self._bound.values():
            for truth in bound.ground_truths:
                at = self._place_of(truth)
                if at == len(self._truths):
                    self._truths.append(truth)
                    self._longest.append(0)
                # One more place shows whether equal scores reach beyond a list.
                self._longest[at] = max(self._longest[at], bound.objective.k + 1)
        # The best of all items are among the seen ones and the best of the others.
        twins = ((at, self._twin_of(at)) for at in range(len(self._truths)))
        self._twins = {at: twin for at, twin in twins if twin is not None}

    def point(self, sweep: int, model: Recommender) -> CurvePoint:
        """Return the figures of all objectives, each with its prefix."""
        lists = self._lists(model)
        figures: dict[str, float] = {}
        per_user_scores: dict[str, Values] = {}
        for prefix, bound in self._bound.items():
            own = [lists[self._place_of(truth)] for truth in bound.ground_truths]
            values, per_user_scores[prefix] = bound.figures(model, own, self._engine)
            figures |= {prefix + name: value for name, value in values.items()}
        return CurvePoint(sweep, figures, per_user_scores)

    def _lists(self, model: Recommender) -> list[Ranked]:
        """Return the lists of all ground truths; twins are derived instead of ranked."""
        found: dict[int, Ranked] = {}
        for at, (truth, k) in enumerate(zip(self._truths, self._longest, strict=True)):
            if at not in self._twins or not isinstance(model, HasFactors):
                found[at] = truth.ranked(model, k, self._engine)
        if isinstance(model, HasFactors):
            for at, twin in self._twins.items():
                found[at] = self._truths[twin].ranked_with_excluded(
                    model, found[twin], self._longest[at], self._engine
                )
        return [found[at] for at in range(len(self._truths))]

    def _twin_of(self, at: int) -> int | None:
        """Return which lists differ only in leaving out what these keep, if any."""
        own, k = self._truths[at], self._longest[at]
        if own.exclude is not None:
            return None
        twins = (
            other
            for other, truth in enumerate(self._truths)
            if truth.exclude is not None
            and truth.among is None
            and truth.has_same_users(own)
            and self._longest[other] >= k
        )
        return next(twins, None)

    def _place_of(self, truth: GroundTruth) -> int:
        known = (at for at, other in enumerate(self._truths) if other.needs_same_lists(truth))
        return next(known, len(self._truths))


def with_given(
    model: FittedModel, split: Split, engine: Engine | None, *, with_validation: bool = False
) -> FittedModel:
    """Return the model with the given likes of users held out whole, if the split has such.

    `with_validation`: the model was also fitted to the validation part.
    """
    if split.given is None:
        return model
    shown = split.shown(with_validation=with_validation)
    known: FittedModel = able(model, FoldsIn, "score held-out users").with_history(
        shown, engine=engine
    )
    return known


def checked_sweeps(sweeps: Sequence[int]) -> tuple[int, ...]:
    """Return the distinct sweeps, ascending; raise SettingError for none or one below 1."""
    wanted = sorted(set(sweeps))
    if not wanted or wanted[0] < 1 or any(int(sweep) != sweep for sweep in wanted):
        raise SettingError(
            f"sweeps must name at least one sweep, each a whole number from 1: {list(sweeps)}."
        )
    return tuple(int(sweep) for sweep in wanted)
