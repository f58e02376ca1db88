"""Chooses, on validation users, the mark of each contestant and the model of similar items."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from alsolike.evaluation.item_to_item.dial import KEPT
from alsolike.evaluation.statistics.intervals import Estimate, paired_difference
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.pipeline.similar_items.contestants import Contestant
from alsolike.pipeline.similar_items.measurement import Measured, Values, rounded_means

# With fewer, an interval is too rough to leave a model behind.
_FEW_USERS = 100


@dataclass(frozen=True, eq=False)
class Choice:
    """A contestant with its settings and marks, chosen on validation users.

    Parameters
    ----------
    measured : Measured
    best, published : int
        The places of the best mark, and of the one to publish.
    """

    measured: Measured
    best: int
    published: int

    @property
    def contestant(self) -> Contestant:
        """The contestant."""
        return self.measured.contestant

    @property
    def mark(self) -> float | None:
        """The mark to publish; None without a dial."""
        return self.measured.marks[self.published]

    @property
    def has_dial(self) -> bool:
        """Whether it was measured at several marks."""
        return len(self.measured.marks) > 1

    @property
    def config(self) -> SimilarityConfig | None:
        """The settings to publish; None without a dial."""
        config, mark = self.measured.config, self.mark
        if config is None or mark is None:
            return None
        return replace(config, popularity_bias=mark)

    @property
    def name(self) -> str:
        """The name of the contestant, with the mark to publish if it has a dial."""
        return self.named(self.published)

    def named(self, mark: int) -> str:
        """Return the name of the contestant, with the mark at a place if it has a dial."""
        at = f", mark {self.measured.marks[mark]:g}" if self.has_dial else ""
        return f"{self.contestant.name}{at}"

    def validation(self, mark: int) -> Values:
        """Return the values of validation users at a mark, (n_users,)."""
        values: Values = self.measured.validation[mark]
        return values

    def test(self, metric: str, mark: int) -> Values:
        """Return the values of test users in a metric at a mark, (n_users,)."""
        values: Values = self.measured.test[metric][mark]
        return values

    def fact(self, name: str, mark: int) -> float | None:
        """Return a fact at a mark; None where it was not measured."""
        found = float(self.measured.facts[name][mark])
        return None if np.isnan(found) else found

    def of_class(self, name: str, mark: int) -> Values:
        """Return precision of test users beside items of a class, of users with such a query."""
        values = self.measured.classes[name][mark]
        known: Values = values[~np.isnan(values)]
        return known


def choose(measured: Measured, popularity_bias: float | None = None) -> Choice:
    """Choose the marks of a contestant by its validation users.

    The mark to publish is `popularity_bias`, or (None) the smallest one that keeps 0.97 of the best
    mark's value.
    """
    means = rounded_means(measured.validation)
    best = int(np.argmax(means))
    published = int(np.flatnonzero(means >= KEPT * means[best])[0])
    if popularity_bias is not None and popularity_bias in measured.marks:
        published = measured.marks.index(popularity_bias)
    return Choice(measured, best, published)


@dataclass(frozen=True, eq=False)
class SimilarItemsChoice:
    """The model of similar items, and all that it was compared with; `decide` makes it.

    Parameters
    ----------
    choices : tuple of Choice
        Of all contestants that were measured on all folds, as `contestants_of` orders them.
    left : tuple of Choice
        Of those that were left behind on the first fold, by its users alone.
    published : Choice
        The model whose similar items are published.
    winner : Choice
        The best of those that may be published; another than `published` if one model is to serve
        both.
    of_lists : Choice or None
        The model whose lists are published; None if it compares no items.
    metric : str
        By which was chosen.
    """

    choices: tuple[Choice, ...]
    left: tuple[Choice, ...]
    published: Choice
    winner: Choice
    of_lists: Choice | None
    metric: str

    @property
    def of_each_family(self) -> tuple[Choice, ...]:
        """The published model, and the best of each family and way in which it compares items."""
        best = {self.published.contestant.name: self.published}
        for some in (self.choices, self.left):
            for one in sorted(some, key=_value, reverse=True):
                best.setdefault(one.contestant.name, one)
        return tuple(best.values())

    @property
    def rivals(self) -> tuple[Choice, ...]:
        """The best of each baseline, weakest first, without the published model."""
        names = dict.fromkeys(one.contestant.baseline for one in self.choices)
        best = [
            max((one for one in self.choices if one.contestant.baseline == name), key=_value)
            for name in filter(None, names)
        ]
        return tuple(sorted((one for one in best if one is not self.published), key=_value))

    @property
    def shown(self) -> tuple[Choice, ...]:
        """All that a report shows, each once."""
        own = [self.published, self.winner, *([] if self.of_lists is None else [self.of_lists])]
        found = {id(one): one for one in (*own, *self.rivals, *self.of_each_family)}
        return tuple(found.values())

    def with_choices(self, changed: Mapping[int, Choice]) -> "SimilarItemsChoice":
        """Return the same with some choices replaced, given by their identity."""

        def new(one: Choice) -> Choice:
            return changed.get(id(one), one)

        return replace(
            self,
            choices=tuple(map(new, self.choices)),
            left=tuple(map(new, self.left)),
            published=new(self.published),
            winner=new(self.winner),
            of_lists=None if self.of_lists is None else new(self.of_lists),
        )

    def difference(self, rival: Choice) -> Estimate:
        """Return published minus a rival at its best mark, on test users, paired."""
        ours = self.published.test(self.metric, self.published.published)
        theirs = rival.test(self.metric, rival.best)
        return paired_difference(ours, theirs, np.random.default_rng(0))

    def above_on_validation(self) -> Iterator[tuple[Choice, Estimate]]:
        """Yield what may not be published and is better than the winner on validation users.

        Each at its best mark, and only where the whole interval is above 0.
        """
        ours = self.winner.validation(self.winner.best)
        for one in self.choices:
            if not one.contestant.may_win:
                theirs = one.validation(one.best)
                gain = paired_difference(theirs, ours, np.random.default_rng(0))
                if gain.n > 1 and gain.low > 0:
                    yield one, gain

    def loss_of_one_model(self) -> Estimate | None:
        """Return the winner minus the published model on test users, paired; None if it is one."""
        if self.winner is self.published:
            return None
        ours = self.winner.test(self.metric, self.winner.published)
        theirs = self.published.test(self.metric, self.published.published)
        return paired_difference(ours, theirs, np.random.default_rng(0))


def decide(
    choices: Sequence[Choice],
    chosen_run: int,
    metric: str,
    *,
    left: Sequence[Choice] = (),
    one_model: bool = False,
) -> SimilarItemsChoice | None:
    """Choose the model of similar items: the best at the mark that it would be published at.

    On validation users. By their best marks, a model could win that loses at its own.

    Parameters
    ----------
    choices : sequence of Choice
        Of equal ones, the first is chosen.
    chosen_run : int
        The run whose lists are published.
    metric : str
    left : sequence of Choice
        Those that were left behind on the first fold.
    one_model : bool
        Publish the similar items of that run, even if another is better.

    Returns
    -------
    SimilarItemsChoice or None
        None if no model compares items that may be published.
    """
    measured = [*choices, *left]
    of_lists = next((one for one in measured if one.contestant.run == chosen_run), None)
    finalists = (one for one in choices if one.contestant.may_win)
    winner = max(finalists, key=_published_value, default=None)
    published = of_lists if one_model else winner
    if winner is None or published is None:
        return None
    return SimilarItemsChoice(tuple(choices), tuple(left), published, winner, of_lists, metric)


def without_losers(measured: Sequence[Measured], chosen_run: int) -> list[Measured]:
    """Return all but those that are significantly worse than the best on validation users.

    The model of the lists and the baselines remain in any case.
    """
    choices = [choose(one) for one in measured]
    best = max((one for one in choices if one.contestant.may_win), key=_value, default=None)
    if best is None:
        return list(measured)
    ahead = best.validation(best.best)

    def remains(one: Choice) -> bool:
        if one.contestant.baseline or one.contestant.run == chosen_run:
            return True
        gain = paired_difference(one.validation(one.best), ahead, np.random.default_rng(0))
        return gain.n < _FEW_USERS or gain.high >= 0

    return [one.measured for one in choices if remains(one)]


def _published_value(choice: Choice) -> float:
    """Return the value on validation users at the mark to publish."""
    return float(rounded_means(choice.measured.validation)[choice.published])


def _value(choice: Choice) -> float:
    """Return the value on validation users at the best mark."""
    return float(rounded_means(choice.measured.validation)[choice.best])
