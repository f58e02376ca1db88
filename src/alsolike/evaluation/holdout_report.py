"""Figures to quote: the chosen model on the test users, who had no part in any choice."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine
from alsolike.evaluation.item_to_item.evaluate import ItemToItemEvaluation, item_to_item_name
from alsolike.evaluation.learning_curve import with_given
from alsolike.evaluation.metrics.evaluate import evaluate, mean_squared_error
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.objectives.kinds import ItemToItemObjective
from alsolike.evaluation.slices.slices import Slices, slices_of
from alsolike.evaluation.statistics.intervals import Estimate, paired_difference
from alsolike.evaluation.statistics.verdict import ModelVerdict
from alsolike.models.base import HasFactors, compares_items
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from alsolike.models.settings import Config, seed_of
from alsolike.tables import Table, wrapped

# What a page shows, after the measure that settings were chosen by.
_SHOWN = ("precision", "ndcg", "hit_rate", "coverage", "shelf_precision", "shelf_hit_rate")
_WHOLE = "--verbose or report.html"
_ENDS = " interval"


@dataclass(frozen=True)
class HoldoutReport:
    """Figures of the chosen model and of popularity on the test users.

    Parameters
    ----------
    measure : str
        The measure that settings were chosen by, as `table` calls it.
    evaluations : tuple of Evaluation
        The chosen model's, then popularity's, over the same users.
    errors : mapping of str to float
        The chosen model's mean squared errors: ``mse_users``, over all cells of the test users'
        rows against the test items (the article's), and ``mse_all``, over all cells against what
        it was fitted to. None of a model without factors, whose scores aim at no 0 and 1: the
        table has no such rows then.
    difference : Estimate
        Chosen minus popularity in that measure, paired over the users.
    slices : tuple of Slices
        Both models' figures by length of history and by popularity, and how they are spread.
    shelves : tuple of ItemToItemEvaluation
        Both models' shelves of similar items: whether who likes an item likes what stands beside
        it. Empty where the chosen model compares no items.
    """

    measure: str
    evaluations: tuple[Evaluation, ...]
    errors: Mapping[str, float]
    difference: Estimate
    slices: tuple[Slices, ...] = ()
    shelves: tuple[ItemToItemEvaluation, ...] = ()

    def table(self) -> Table:
        """Return model, metric, mean, low, high, users; the chosen measure first.

        What was measured on shelves is called so: ``"shelf_precision@10"``.
        """
        rows = [
            {"model": evaluation.model_name} | row
            for evaluation in self.evaluations
            for row in [*evaluation.summary().rows(), *_coverage(evaluation)]
        ]
        rows += [
            {"model": one.model_name} | row | {"metric": item_to_item_name(row["metric"])}
            for one in self.shelves
            for row in one.summary().rows()
        ]
        order = [self.measure, *(row["metric"] for row in rows)]
        rows.sort(key=lambda row: order.index(row["metric"]))  # the models of a metric together
        model, users = self.evaluations[0].model_name, len(self.evaluations[0].user_indices)
        rows += [
            {"model": model, "metric": metric, "mean": error, "users": users}
            for metric, error in self.errors.items()
        ]
        return Table.from_rows(rows)

    def further(self) -> list[tuple[str, Table]]:
        """Return the slices as tables, each with its heading."""
        found = []
        for one in self.slices:
            found += [
                (f"{one.model_name}: {one.metric} by what a user likes already", one.by_history),
                (f"{one.model_name}: held-out pairs found, by popularity of the item",
                 one.by_popularity),
                (f"{one.model_name}: how recommendations are spread",
                 one.concentration.to_table()),
            ]  # fmt: skip
        return found

    @functools.cached_property
    def verdicts(self) -> tuple[ModelVerdict, ...]:
        """Whether lists, and similar items, are better than popularity on the test users.

        Each in the measure that settings were chosen by, or in the first that shelves have; those
        that are not better come first.
        """
        by_shelves = self.measure.startswith(item_to_item_name(""))
        column = self.measure.removeprefix(item_to_item_name(""))
        found = []
        for what, both, is_chosen in (
            ("Lists", self.evaluations, not by_shelves),
            ("Similar items", self.shelves, by_shelves),
        ):
            if is_chosen:
                found.append(ModelVerdict(what, self.measure, self.difference))
            elif len(both) > 1:
                own = column if column in both[0].metrics else both[0].metrics[0]
                ours, theirs = (each.per_user[own] for each in both)
                gain = paired_difference(ours, theirs, np.random.default_rng(0))
                found.append(
                    ModelVerdict(what, own if by_shelves else item_to_item_name(own), gain)
                )
        return tuple(sorted(found, key=lambda verdict: verdict.is_better))

    def brief(self, width: int) -> str:
        """Return the verdicts, then the most telling figures, at most `width` columns wide."""
        told = [wrapped(f"{verdict}", width, indent=2) for verdict in self.verdicts]
        metrics = list(dict.fromkeys(self.table()["metric"]))
        shown = [name for name in metrics if name == self.measure or name.split("@")[0] in _SHOWN]
        missing = [f"{len(metrics) - len(shown):,} more figures"] if metrics != shown else []
        table = _side_by_side(self.table(), shown)
        ends = [name for name in table.column_names if name.endswith(_ENDS)]
        text = table.fitted(width, least=ends[::-1], more=missing, whole=_WHOLE)
        return "\n".join([*told, "", wrapped(self._on, width, indent=2), text])

    @property
    def _on(self) -> str:
        return f"On {self.difference.n:,} test users, whom no choice has seen, with 95 % intervals:"

    def __str__(self) -> str:
        verdicts = "\n".join(map(str, self.verdicts))
        return f"{verdicts}\n\n{self._on}\n{self.table()}"


def _side_by_side(table: Table, metrics: list[str]) -> Table:
    """Return a row per metric, and for each model its mean and its interval."""
    rows: dict[str, dict[str, object]] = {name: {"metric": name} for name in metrics}
    for model in dict.fromkeys(table["model"]):
        for row in table.rows():
            if row["model"] == model and row["metric"] in rows:
                whole = row["low"] is not None and row["high"] is not None
                rows[row["metric"]] |= {
                    model: row["mean"],
                    model + _ENDS: f"{row['low']:.4f} to {row['high']:.4f}" if whole else None,
                }
    return Table.from_rows(list(rows.values()))


def _coverage(evaluation: Evaluation) -> list[dict[str, object]]:
    users = len(evaluation.user_indices)
    return [
        {"metric": f"coverage@{k}", "mean": share, "users": users}
        for k, share in evaluation.coverage_at.items()
    ]


def holdout_report(
    objective: Objective, chosen: Config, split: Split, engine: Engine
) -> HoldoutReport:
    """Measure the chosen settings and popularity on the test users."""
    fitted = split.train_and_validation()
    shown = split.shown(with_validation=True)
    model = with_given(fit(fitted, chosen, engine=engine), split, engine, with_validation=True)
    popularity = fit_popularity(fitted)
    evaluations = [
        evaluate(each, split.test, exclude=shown, k=objective.k, engine=engine)
        for each in (model, popularity)
    ]
    errors = {}
    if isinstance(model, HasFactors):
        errors = {
            "mse_users": mean_squared_error(model, split.test, user_indices=split.test_users),
            "mse_all": mean_squared_error(model, shown),
        }
    # A model that scores items for users alone has nothing beside an item.
    beside = (model, popularity) if compares_items(model) else ()
    asking = (
        objective
        if isinstance(objective, ItemToItemObjective)
        else ItemToItemObjective(k=objective.k, seed=seed_of(chosen))
    )
    shelves = [asking.evaluation(each, fitted, split.test, shown, engine) for each in beside]
    quoted = shelves if asking is objective else evaluations
    ours, theirs = (each.per_user[objective.column] for each in quoted)
    slices = tuple(
        slices_of(each, split.test, shown, metric=objective.metric, k=objective.k, engine=engine)
        for each in (model, popularity)
    )
    return HoldoutReport(
        measure=objective.measure,
        evaluations=tuple(evaluations),
        errors=errors,
        difference=paired_difference(ours, theirs, np.random.default_rng(0)),
        slices=slices,
        shelves=tuple(shelves),
    )
