"""Reports the similar items on test users whom training never saw, beside their baselines."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.evaluation.item_to_item.evaluate import PREFIX
from alsolike.evaluation.item_to_item.source_classes import CLASSES
from alsolike.evaluation.metrics.result import describe_degenerate, is_degenerate
from alsolike.evaluation.statistics.intervals import Estimate, bootstrap_mean
from alsolike.evaluation.statistics.verdict import ModelVerdict, compared
from alsolike.models.similarity.config import SimilarityConfig
from alsolike.pipeline.similar_items.choice import Choice, SimilarItemsChoice
from alsolike.pipeline.similar_items.measurement import Measuring
from alsolike.tables import Table, wrapped
from alsolike.text import counted
from alsolike.views.figures.dials import dials
from alsolike.views.figures.marks import Spec

_WHOLE = "--verbose or report.html"
_AGREEMENT = "agreement of features"


@dataclass(frozen=True)
class NotCompared:
    """The reason why similar items were not measured; has no figures.

    Parameters
    ----------
    reason : str
        A sentence.
    """

    reason: str
    settings_of_lists: None = None
    other_model: None = None
    words: str = ""
    verdicts: tuple[ModelVerdict, ...] = ()

    def warnings(self) -> Iterator[str]:
        """Yield the reason."""
        yield self.reason

    def notes(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()

    def figure(self) -> None:
        """Return nothing to draw."""

    @property
    def marks(self) -> Table:
        """A table without rows."""
        return Table({})

    def table(self) -> Table:
        """Return a table without rows."""
        return Table({})

    def further(self) -> list[tuple[str, Table]]:
        """Return no tables."""
        return []

    def metrics_of_lists(self) -> dict[str, float]:
        """Return no metrics."""
        return {}

    def metrics(self) -> dict[str, float]:
        """Return no metrics."""
        return {}

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, eq=False)
class SimilarItemsReport:
    """The similar items that are published, on test users, beside those of baselines.

    Parameters
    ----------
    choice : SimilarItemsChoice
    how : Measuring
    failed : tuple of str
        Contestants that were not measured, as sentences.
    """

    choice: SimilarItemsChoice
    how: Measuring
    failed: tuple[str, ...] = ()

    @property
    def settings_of_lists(self) -> SimilarityConfig | None:
        """How the model of the lists compares items; None: without a dial."""
        own = self.choice.of_lists
        return None if own is None else own.config

    @property
    def other_model(self) -> Choice | None:
        """The model of similar items, if it is not that of the lists."""
        published = self.choice.published
        return None if published is self.choice.of_lists else published

    @property
    def measure(self) -> str:
        """The metric of the choice, such as ``"precision@10"``."""
        return self.how.measure

    @functools.cached_property
    def shown(self) -> tuple[tuple[Choice, int], ...]:
        """The models in the tables, each at a mark: published, the better one if any, baselines."""
        choice = self.choice
        found = dict.fromkeys([choice.published, choice.winner])
        own = [(one, one.published) for one in found]
        return (*own, *((one, one.best) for one in choice.rivals if one not in found))

    @functools.cached_property
    def verdicts(self) -> tuple[ModelVerdict, ...]:
        """Whether the similar items are better than each baseline; those that are not first."""
        found = [
            ModelVerdict(
                "Similar items", self.measure, self.choice.difference(one), one.named(one.best)
            )
            for one in self.choice.rivals
        ]
        return tuple(sorted(found, key=lambda verdict: verdict.is_better))

    def warnings(self) -> Iterator[str]:
        """Yield what could mislead a reader of these figures, apart from the verdicts."""
        yield from self.failed
        if self.how.popularity_bias is not None and not self.choice.published.has_dial:
            yield (
                f"{self.choice.published.contestant.name} has no dial: its similar items are the "
                "same at every popularity_bias."
            )
        for one, gain in self.choice.above_on_validation():
            yield (
                "Beside items, a baseline is above all models that may be published, on the "
                f"validation users: {one.named(one.best)}, {compared(self.measure, gain)}."
            )
        if (loss := self.choice.loss_of_one_model()) is not None:
            yield (
                f"One model serves lists and similar items. {self.choice.winner.name} is better "
                f"beside items on the validation users; on the test users it has "
                f"{compared(self.measure, loss)}."
            )
        published, mark = self.shown[0]
        share = published.fact("degenerate_share", mark) or 0.0
        if is_degenerate(share):
            degenerate = describe_degenerate(share, "item queries")
            yield f"Similar items: {degenerate} This includes queries without similar items."

    def notes(self) -> Iterator[str]:
        """Yield how the similar items were chosen and measured."""
        yield self.sentence()
        folds = len(self.how.folds)
        pooled = f", pooled over {folds} splits" if folds > 1 else ""
        yield (
            "Metrics of similar items: for a few items that each test user likes, is the rest of "
            "what the user likes among the similar items? Training saw nothing of these users"
            f"{pooled}. In p_0.5 and p_1, which are precision, "
            "hits on rare items weigh more."
        )
        if self.choice.left:
            names = "; ".join(
                f"{one.contestant.name} ({one.contestant.origin})" for one in self.choice.left
            )
            yield (
                f"Significantly worse beside items than the best on the first of {folds} splits, "
                f"and measured on that one alone: {names}."
            )

    @property
    def words(self) -> str:
        """The model of similar items and its mark, as a short sentence."""
        return f"Beside items: {self.choice.published.name}, {self._way}."

    @property
    def _way(self) -> str:
        choice = self.choice
        if choice.published is not choice.winner:
            return "the model of the lists"
        finalists = (*choice.choices, *choice.left)
        among = counted(sum(one.contestant.may_win for one in finalists), "finalist")
        return f"the best of {among}"

    def sentence(self) -> str:
        """Say what the similar items are, and how they were chosen."""
        published, way = self.choice.published, self._way
        if self.how.popularity_bias is not None:
            way += ", at the mark that was given"
        elif published.has_dial:
            best = published.measured.marks[published.best]
            way += f", at the most specific mark with 97 % of the precision of the best ({best:g})"
        settings = [published.contestant.origin]
        if published.config is not None and published.measured.strengths > 1:
            settings.append(f"prior strength {published.config.prior_strength:g}")
        return (
            f"Similar items by {published.name} ({', '.join(settings)}): {way}, on the validation "
            "users."
        )

    def table(self) -> Table:
        """Return model, metric, mean, low, high, users; the metric of the choice first."""
        rows = [
            {"model": one.named(mark), "metric": f"{metric}@{self.how.k}"}
            | _ends(one.test(metric, mark))
            for metric in self.how.metrics
            for one, mark in self.shown
        ]
        return Table.from_rows(rows)

    def further(self) -> list[tuple[str, Table]]:
        """Return what is shown, and precision by the likes of items, each with a heading."""
        spread = [{"model": one.named(mark)} | _spread(one, mark) for one, mark in self.shown]
        classes: list[dict[str, Any]] = []
        for name in CLASSES:
            for one, mark in self.shown:
                values = one.of_class(name, mark)
                if len(values):
                    ends = {key: _rounded(value) for key, value in _ends(values).items()}
                    classes.append({"items": name, "model": one.named(mark)} | ends)
        heading = f"Similar items: precision@{self.how.k} by the likes of the item they are beside"
        tables = [("Similar items: what is shown beside all items", Table.from_rows(spread))]
        return [*tables, (heading, Table.from_rows(classes))] if classes else tables

    def metrics(self) -> dict[str, float]:
        """Return the means of the published similar items on test users, by metric."""
        return self._metrics_of(self.choice.published)

    def metrics_of_lists(self) -> dict[str, float]:
        """Return the means of the similar items of the model of the lists, by metric."""
        own = self.choice.of_lists
        return {} if own is None else self._metrics_of(own)

    def _metrics_of(self, one: Choice) -> dict[str, float]:
        return {
            f"test {PREFIX}{metric}@{self.how.k}": float(one.test(metric, one.published).mean())
            for metric in self.how.metrics
        }

    @functools.cached_property
    def marks(self) -> Table:
        """The best of each family at all marks: means on test users, and what is shown."""
        rows = [
            {"model": one.contestant.name, "mark": mark if one.has_dial else None}
            | {
                self._upward: _rounded(one.test(self.how.metric, at).mean()),
                self._weighted: _rounded(one.test("p_0.5", at).mean()),
            }
            | _spread(one, at)
            for one in self.choice.of_each_family
            for at, mark in enumerate(one.measured.marks)
        ]
        return Table.from_rows(rows)

    def figure(self) -> Spec:
        """Draw the dials of all contestants."""
        published = self.choice.published
        mark = published.mark if published.has_dial else None
        return dials(
            self.marks,
            x=_AGREEMENT if self.how.features is not None else self._weighted,
            y=self._upward,
            chosen=(published.contestant.name, mark),
        )

    @property
    def _upward(self) -> str:
        return f"{self.how.measure} on test users"

    @property
    def _weighted(self) -> str:
        return f"precision weighted towards rare items (P_0.5@{self.how.k})"

    def brief(self, width: int) -> str:
        """Return the verdicts, then the main figures, at most `width` columns wide."""
        head = [self.sentence(), *map(str, self.verdicts)]
        rows = [
            {"model": one.named(mark).replace(", mark", " at")}
            | {
                self.how.measure: _ends(one.test(self.how.metric, mark))["mean"],
                "interval": "{low:.4f} to {high:.4f}".format(
                    **_ends(one.test(self.how.metric, mark))
                ),
                "catalogue": one.fact("share_shown", mark),
                "median likes": one.fact("median_likes", mark),
            }
            | ({"agreement": one.fact("agreement", mark)} if self.how.features else {})
            for one, mark in self.shown
        ]
        table = Table.from_rows(rows)
        more = [f"{len(self.how.metrics) - 1:,} more metrics"]
        text = table.fitted(width, least=["median likes", "catalogue"], more=more, whole=_WHOLE)
        lines = [wrapped(one, width, indent=2) for one in (*head, "", self._on)]
        return "\n".join([*lines, text])

    @property
    def _on(self) -> str:
        published, mark = self.shown[0]
        users = len(published.test(self.how.metric, mark))
        return f"On {users:,} test users whom training never saw, with 95 % intervals:"

    def __str__(self) -> str:
        head = [self.sentence(), *map(str, self.verdicts), "", self._on, str(self.table())]
        return "\n".join([*head, *(f"{heading}\n{table}" for heading, table in self.further())])


def _ends(values: Any) -> dict[str, Any]:
    """Return the mean of users' values with its interval, as columns."""
    found: Estimate = bootstrap_mean(values, np.random.default_rng(0))
    return {"mean": found.mean, "low": found.low, "high": found.high, "users": found.n}


def _spread(one: Choice, mark: int) -> dict[str, Any]:
    """Return what a model shows beside all items at a mark, for tables."""
    found = {
        "share of the catalogue shown": one.fact("share_shown", mark),
        "median likes of what is shown": one.fact("median_likes", mark),
    }
    if one.fact("agreement", mark) is not None:
        found |= {
            _AGREEMENT: one.fact("agreement", mark),
            "of random items": one.fact("agreement_floor", mark),
            "of the nearest by features": one.fact("agreement_ceiling", mark),
            "items that cannot be compared": one.fact("sources_without", mark),
            "shown items without features": one.fact("shown_without", mark),
        }
    return {name: _rounded(value) for name, value in found.items()}


def _rounded(value: Any) -> Any:
    """Return a number with four decimals; other values as they are."""
    return round(float(value), 4) if isinstance(value, float) else value
