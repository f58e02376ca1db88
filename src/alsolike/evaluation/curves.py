"""Learning curves: one training, scored at chosen sweeps while it goes on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.split import Split
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError, SplitError
from alsolike.evaluation.intervals import Resamples
from alsolike.evaluation.measures import METRICS, SquaredErrors, measured
from alsolike.evaluation.questions import Questions
from alsolike.models.als import fold_in, iterate
from alsolike.models.base import FactorModel, Recommender
from alsolike.models.config import ALSConfig
from alsolike.observing import SILENT, Observer
from alsolike.recommending.scan import Ranked

HeldOut = Literal["validation", "test"]
Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# Coverage has one value for all users, and so no interval over them.
_RANKING_METRICS = tuple(metric for metric in METRICS if metric != "coverage")

# Intervals of points rank nothing; 1,000 resamples place their ends to about a tenth of the width.
_RESAMPLES = 1_000


@dataclass(frozen=True, kw_only=True)
class Judge:
    """One way to score a point: what is measured, on whom, and with or without the seen items.

    Parameters
    ----------
    name : str
        For people and as a prefix in the ledger.
    metric : str
        A metric of `alsolike.evaluation.measures` that each user has a value of.
    k : int
        Length of the lists, at least 1.
    exclude_seen : bool
        Leave a user's training items out of the lists (False: the article's way). The train
        figures never leave them out.
    choose : {"validation", "test"}
        The held-out part that the best point is chosen on.

    Examples
    --------
    >>> print(Judge(k=5))
    precision@5 on validation, seen items excluded
    >>> print(Judge(k=5, exclude_seen=False, choose="test"))
    precision@5 on test, seen items kept
    """

    name: str = "honest"
    metric: str = "precision"
    k: int = 10
    exclude_seen: bool = True
    choose: HeldOut = "validation"

    def __post_init__(self) -> None:
        if self.metric not in _RANKING_METRICS:
            raise SettingError(
                f"A point can be judged by {', '.join(_RANKING_METRICS)}, not by {self.metric!r}."
            )
        whole = isinstance(self.k, (int, np.integer)) and not isinstance(self.k, bool)
        if not whole or self.k < 1:
            raise SettingError(f"k must be a whole number of at least 1, not {self.k!r}.")
        if self.choose not in get_args(HeldOut):
            raise SettingError(
                f"The best is chosen on 'validation' or on 'test', not on {self.choose!r}."
            )

    @property
    def measure(self) -> str:
        """The metric with its length, such as ``"precision@10"``."""
        return self.metric if self.metric == "auc" else f"{self.metric}@{self.k}"

    @property
    def score(self) -> str:
        """The figure that ranks, such as ``"validation_precision@10"``."""
        return f"{self.choose}_{self.measure}"

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of all figures that this judge gives each point, in order."""
        return (
            f"train_{self.measure}",
            self.score,
            f"{self.score}_low",
            f"{self.score}_high",
            "train_mse",
            f"{self.choose}_mse",
        )

    def __str__(self) -> str:
        seen = "excluded" if self.exclude_seen else "kept"
        return f"{self.measure} on {self.choose}, seen items {seen}"


@dataclass(frozen=True)
class CurvePoint:
    """What was measured after so many sweeps.

    Parameters
    ----------
    sweep : int
    figures : mapping of str to float
        Such as ``"validation_precision@10"``; those of judges beside the first are named
        ``"<judge>: <figure>"``.
    answers : mapping of str to float64, (n_users,)
        By each judge's prefix (``""`` for the first), the value of its measure for each held-out
        user, in the order of the rows: what runs are compared by.
    """

    sweep: int
    figures: Mapping[str, float]
    answers: Mapping[str, Values]


def learning_curve(
    split: Split,
    config: ALSConfig,
    *,
    sweeps: Sequence[int],
    k: int = 10,
    metric: str = "precision",
    exclude_seen: bool = True,
    choose: HeldOut = "validation",
    beside: Sequence[Judge] = (),
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Iterator[CurvePoint]:
    """Train once and yield a point at each chosen sweep.

    Held-out and train figures are means over the same users: those with held-out items. Train
    lists leave nothing out, as in the article. Mean squared errors are over all cells of these
    users' rows.

    Parameters
    ----------
    split : Split
    config : ALSConfig
        Its ``iterations`` are not used; the last of `sweeps` ends the training.
    sweeps : sequence of int
        At least 1 each.
    k, metric, exclude_seen, choose
        What is measured, as in `Judge`.
    beside : sequence of Judge
        Further ways to score each point of the same training.
    engine : Engine or None
        Where to compute; the figures do not depend on it.
    observer : Observer
        Hears one step for each point.

    Raises
    ------
    SettingError
        No sweeps, or judges of one name.
    SplitError
        The split has no user in the part that a judge chooses on.
    FitError
        The solver or a figure is not finite.

    Examples
    --------
    >>> from alsolike.data.splitting import hold_out
    >>> users = [f"u{number}" for number in range(20) for _ in range(12)]
    >>> items = [f"i{number % 15}" for number in range(240)]
    >>> split = hold_out(Interactions.from_columns(users, items), k=2)
    >>> curve = learning_curve(split, ALSConfig(factors=4), sweeps=[2, 4], k=5)
    >>> [point.sweep for point in curve]
    [2, 4]
    """
    first = Judge(k=k, metric=metric, exclude_seen=exclude_seen, choose=choose)
    wanted = checked_sweeps(sweeps)
    judges = checked_judges(split, first, beside)
    panel = Panel(split, judges, config.seed, engine or LocalEngine())
    training = iterate(split.train, replace(config, iterations=wanted[-1]), engine=engine)
    observer.start("learning curve", len(wanted))
    for sweep, model in enumerate(training, start=1):
        if sweep not in wanted:
            continue
        yield panel.point(sweep, with_given(model, split, engine))
        observer.advance()
    observer.finish()


def one_point(
    split: Split,
    model: Recommender,
    *,
    judges: Mapping[str, Judge],
    seed: int,
    engine: Engine | None = None,
) -> CurvePoint:
    """Score a model that has no sweeps, as the point of sweep 1; it knows what was given."""
    engine = engine or LocalEngine()
    return Panel(split, judges, seed, engine).point(1, model)


class Panel:
    """All judges of a curve, with what they ask made ready for one point after another.

    Parameters
    ----------
    split : Split
    judges : mapping of str to Judge
        By the prefix of their figures, as `checked_judges` gives them.
    seed : int
        Of the resamples.
    engine : Engine
    """

    def __init__(
        self, split: Split, judges: Mapping[str, Judge], seed: int, engine: Engine
    ) -> None:
        # What a model has been shown when it is asked: training, and what was given.
        shown = split.shown()
        self._engine = engine
        self._seats = {prefix: _Seat(judge, split, shown, seed) for prefix, judge in judges.items()}
        # Judges who ask alike read the same lists: ranking is most of the work.
        self._asked: list[Questions] = []
        self._longest: list[int] = []
        for seat in self._seats.values():
            for questions in seat.questions:
                at = self._place_of(questions)
                if at == len(self._asked):
                    self._asked.append(questions)
                    self._longest.append(0)
                self._longest[at] = max(self._longest[at], seat.judge.k)
        # The best of all items are among the seen ones and the best of the others.
        twins = ((at, self._twin_of(at)) for at in range(len(self._asked)))
        self._twins = {at: twin for at, twin in twins if twin is not None}

    def point(self, sweep: int, model: Recommender) -> CurvePoint:
        """Return the figures of all judges, each with its judge's prefix."""
        lists = self._lists(model)
        found: dict[str, float] = {}
        answers: dict[str, Values] = {}
        for prefix, seat in self._seats.items():
            own = [lists[self._place_of(questions)] for questions in seat.questions]
            values, answers[prefix] = seat.figures(model, own, self._engine)
            found |= {prefix + name: value for name, value in values.items()}
        return CurvePoint(sweep, found, answers)

    def _lists(self, model: Recommender) -> list[Ranked]:
        """Return the answers to all that is asked; ranking is left out where another's will do."""
        found: dict[int, Ranked] = {}
        for at, (questions, k) in enumerate(zip(self._asked, self._longest, strict=True)):
            if at not in self._twins or not isinstance(model, FactorModel):
                found[at] = questions.ranked(model, k, self._engine)
        for at, twin in self._twins.items():
            if isinstance(model, FactorModel):
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
            for other, (questions, length) in enumerate(
                zip(self._asked, self._longest, strict=True)
            )
            if questions.exclude is not None and questions.asks_for(own) and length >= k
        )
        return next(twins, None)

    def _place_of(self, questions: Questions) -> int:
        known = (at for at, other in enumerate(self._asked) if other.asks_like(questions))
        return next(known, len(self._asked))


class _Seat:
    """One judge with its questions, its cells and its resamples."""

    def __init__(self, judge: Judge, split: Split, shown: Interactions, seed: int) -> None:
        held_out, users = _held_out(split, judge)
        self.judge = judge
        of_chosen = Questions.of(held_out, shown if judge.exclude_seen else None, users)
        of_train = Questions.of(shown, None, users)
        self.questions = (of_train, of_chosen)
        self._errors = SquaredErrors(shown, users), SquaredErrors(held_out, users)
        # The same resamples for each point of a curve: two points do not differ by their draw.
        self._resamples = Resamples(
            len(of_chosen.users), np.random.default_rng(seed), resamples=_RESAMPLES
        )

    def figures(
        self, model: Recommender, lists: Sequence[Ranked], engine: Engine
    ) -> tuple[dict[str, float], Values]:
        """Return the judge's figures for one model, from the lists that answer its questions.

        And the value of each user. A model without factors has no errors.
        """
        measure = self.judge.measure
        of_train, of_chosen = (
            measured(model, asked, ranked, [self.judge.k], [self.judge.metric], engine)
            for asked, ranked in zip(self.questions, lists, strict=True)
        )
        answers = of_chosen.per_user[measure]
        interval = self._resamples.mean(answers)
        values = [of_train.mean(measure), interval.mean, interval.low, interval.high]
        if isinstance(model, FactorModel):
            values += [errors.mean(model, engine) for errors in self._errors]
        named = zip(self.judge.figures, map(float, values), strict=False)
        return dict(named), answers


def with_given(model: FactorModel, split: Split, engine: Engine | None) -> FactorModel:
    """Return the model with the whole held-out users folded in, where the split has such."""
    if split.given is None:
        return model
    rows = np.flatnonzero(split.given.user_counts)
    user_factors = model.user_factors.copy()
    user_factors[rows] = fold_in(model, split.given.user_items[rows], engine=engine)
    return replace(model, user_factors=user_factors)


def checked_sweeps(sweeps: Sequence[int]) -> tuple[int, ...]:
    """Return the distinct sweeps, ascending; raise SettingError for none or one below 1."""
    wanted = sorted(set(sweeps))
    if not wanted or wanted[0] < 1 or any(int(sweep) != sweep for sweep in wanted):
        raise SettingError(
            f"sweeps must name at least one sweep, each a whole number from 1: {list(sweeps)}."
        )
    return tuple(int(sweep) for sweep in wanted)


def checked_judges(split: Split, first: Judge, beside: Sequence[Judge]) -> dict[str, Judge]:
    """Return the judges by the prefix of their figures; "" for the first."""
    names = [judge.name for judge in (first, *beside)]
    if len(set(names)) < len(names):
        raise SettingError(f"Judges of one search need different names; these are {names}.")
    judges = {"": first, **{f"{judge.name}: ": judge for judge in beside}}
    for judge in judges.values():
        _held_out(split, judge)
    return judges


def _held_out(split: Split, judge: Judge) -> tuple[Interactions, Rows]:
    """Return the part that `judge` chooses on and the rows of its users."""
    if judge.choose == "validation":
        held_out, users = split.validation, split.validation_users
    else:
        held_out, users = split.test, split.test_users
    if not users.size:
        raise SplitError(
            f"The best cannot be chosen on {judge.choose}: this split has no {judge.choose} "
            "users. Make the split with some, or choose on the other part."
        )
    return held_out, users
