"""Learning curves: one training, scored at chosen sweeps as it runs."""

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
from alsolike.evaluation.objectives.base import HeldOut, Objective
from alsolike.evaluation.objectives.kinds import checked_objectives, chosen_objective
from alsolike.models.base import FittedModel, FoldsIn, HasFactors, Recommender, able
from alsolike.models.fit import iterate
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
        Such as ``"validation_precision@10"``; those of judges beside the first are named
        ``"<judge>: <figure>"``.
    per_user_scores : mapping of str to float64, (n_users,)
        By each judge's prefix (``""`` for the first), the value of its measure for each held-out
        user, in the order of the rows: what runs are compared by.
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
) -> Iterator[CurvePoint]:
    """Train once and yield a point at each chosen sweep, or the one that there is at the end.

    Held-out and train figures are means over the same users: those with held-out items. Of judges
    of lists, train lists leave nothing out, as in the article, and mean squared errors are over all
    cells of these users' rows.

    Parameters
    ----------
    split : Split
    config : Config
        Of any family. Its ``iterations`` are not used; the last of `sweeps` ends the training.
    sweeps : sequence of int
        At least 1 each. A family that is scored at its end alone gives one point, as of sweep 1.
    k, metric, exclude_seen, choose
        Settings of a `RankingObjective`, in place of `judge`; None keeps its own.
    judge : Judge or None
        What is measured. None: lists.
    beside : sequence of Judge
        Further ways to score each point of the same training.
    engine : Engine or None
        Where to compute; the figures do not depend on it.
    observer : Observer
        Hears one step for each point.

    Raises
    ------
    SettingError
        No sweeps, judges of one name, or a judge with settings beside it.
    SplitError
        The split has no user in the part that a judge chooses on.
    FitError
        The solver or a figure is not finite.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.data.splitting.splitters import hold_out
    >>> from alsolike.models.als.config import ALSConfig
    >>> from alsolike.models.ease import EASEConfig
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
    seed, known = 0, {1}
    if family_of(config).scored == "sweeps":
        seed, known = seed_of(config), set(wanted)
        config = replace(config, iterations=wanted[-1])
    panel = Panel(split, objectives, seed, engine or LocalEngine())
    observer.start("learning curve", len(known))
    for sweep, model in enumerate(iterate(split.train, config, engine=engine), start=1):
        if sweep in known:
            yield panel.point(sweep, with_given(model, split, engine))
            observer.advance()
    observer.finish()


class Panel:
    """Scores the points of one curve by several judges, with shared lists.

    Parameters
    ----------
    split : Split
    judges : mapping of str to Judge
        By the prefix of their figures, as `checked_objectives` gives them.
    seed : int
        Of the resamples.
    engine : Engine
    """

    def __init__(
        self, split: Split, objectives: Mapping[str, Objective], seed: int, engine: Engine
    ) -> None:
        # What a model has been shown when it is asked: training, and what was given.
        shown = split.shown()
        self._engine = engine
        self._bound = {
            prefix: objective.bind(split, shown, seed) for prefix, objective in objectives.items()
        }
        # Judges who ask alike read the same lists: ranking is most of the work.
        self._asked: list[GroundTruth] = []
        self._longest: list[int] = []
        for bound in self._bound.values():
            for truth in bound.ground_truths:
                at = self._place_of(truth)
                if at == len(self._asked):
                    self._asked.append(truth)
                    self._longest.append(0)
                # One place more shows whether equal scores reach beyond a list.
                self._longest[at] = max(self._longest[at], bound.objective.k + 1)
        # The best of all items are among the seen ones and the best of the others.
        twins = ((at, self._twin_of(at)) for at in range(len(self._asked)))
        self._twins = {at: twin for at, twin in twins if twin is not None}

    def point(self, sweep: int, model: Recommender) -> CurvePoint:
        """Return the figures of all judges, each with its judge's prefix."""
        lists = self._lists(model)
        found: dict[str, float] = {}
        per_user_scores: dict[str, Values] = {}
        for prefix, bound in self._bound.items():
            own = [lists[self._place_of(truth)] for truth in bound.ground_truths]
            values, per_user_scores[prefix] = bound.figures(model, own, self._engine)
            found |= {prefix + name: value for name, value in values.items()}
        return CurvePoint(sweep, found, per_user_scores)

    def _lists(self, model: Recommender) -> list[Ranked]:
        """Return the per_user_scores to all that is asked; ranking is left out where another's will do."""
        found: dict[int, Ranked] = {}
        for at, (truth, k) in enumerate(zip(self._asked, self._longest, strict=True)):
            if at not in self._twins or not isinstance(model, HasFactors):
                found[at] = truth.ranked(model, k, self._engine)
        for at, twin in self._twins.items():
            if isinstance(model, HasFactors):
                found[at] = self._asked[twin].ranked_with_excluded(
                    model, found[twin], self._longest[at], self._engine
                )
        return [found[at] for at in range(len(self._asked))]

    def _twin_of(self, at: int) -> int | None:
        """Return which lists leave out what these keep, but are otherwise the same, if any do."""
        own, k = self._asked[at], self._longest[at]
        if own.exclude is not None:
            return None
        twins = (
            other
            for other, (truth, length) in enumerate(zip(self._asked, self._longest, strict=True))
            if truth.exclude is not None and truth.has_same_users(own) and length >= k
        )
        return next(twins, None)

    def _place_of(self, truth: GroundTruth) -> int:
        known = (at for at, other in enumerate(self._asked) if other.needs_same_lists(truth))
        return next(known, len(self._asked))


def with_given(
    model: FittedModel, split: Split, engine: Engine | None, *, with_validation: bool = False
) -> FittedModel:
    """Return the model knowing what whole held-out users gave, where the split has such.

    `with_validation` says that it was fitted to the validation part, too.
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
