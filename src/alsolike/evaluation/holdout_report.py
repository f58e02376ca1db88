"""Metrics of the chosen model's lists, and of baselines, on the test users, for quoting."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from alsolike.data.splitting.split import Split
from alsolike.engines.base import Engine
from alsolike.evaluation.cold_items.evaluate import ColdEvaluation, evaluate_new_items
from alsolike.evaluation.learning_curve import with_given
from alsolike.evaluation.metrics.evaluate import USUAL, evaluate
from alsolike.evaluation.metrics.list_contents import ItemVectors
from alsolike.evaluation.metrics.ratings import RatingEvaluation, evaluate_ratings
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.metrics.squared_errors import mean_squared_error
from alsolike.evaluation.objectives.base import Objective
from alsolike.evaluation.slices.slices import Slices, slices_of
from alsolike.evaluation.statistics.intervals import Estimate, paired_difference
from alsolike.evaluation.statistics.verdict import ModelVerdict
from alsolike.models.base import FittedModel
from alsolike.models.baselines.popularity import fit_popularity
from alsolike.models.fit import fit
from alsolike.models.protocols import HasFactors, PredictsRatings, able
from alsolike.models.settings import Config
from alsolike.tables import Table, wrapped

# Metrics that `brief` prints after the measure that settings were chosen by.
_SHOWN = ("precision", "ndcg", "hit_rate", "coverage", "novelty", "diversity")
_MEASURED = (*USUAL, "percentile_rank", "novelty", "diversity")
_WHOLE = "--verbose or report.html"
_ENDS = " interval"


@dataclass(frozen=True)
class HoldoutReport:
    """Metrics of the chosen model's lists, and of baselines, on the test users.

    Parameters
    ----------
    measure : str
        The measure that settings were chosen by, as `table` calls it.
    evaluations : tuple of Evaluation
        The chosen model's lists, then popularity's, then those of other baselines, over the same
        users.
    errors : mapping of str to float
        The chosen model's mean squared errors: ``mse_users``, over all cells of the test users'
        rows against the test items (the article's), and ``mse_all``, over all cells against its
        training data. Empty for a model without factors, whose scores have other targets than 0 and
        1.
    difference : Estimate
        Chosen minus popularity in that measure, paired over the users.
    slices : tuple of Slices
        Metrics of the first two by length of history and by popularity, and their spread.
    new_items : mapping of str to ColdEvaluation
        Of a split by items, by the names of models: how well new items are recommended among
        themselves, as in `evaluations`, and among all items. There are no errors and slices then.
    ratings : RatingEvaluation or None
        Of settings that were chosen by ratings: errors of the chosen model and of simpler
        predictions.
    """

    measure: str
    evaluations: tuple[Evaluation, ...]
    errors: Mapping[str, float]
    difference: Estimate
    slices: tuple[Slices, ...] = ()
    new_items: Mapping[str, ColdEvaluation] = field(default_factory=dict)
    ratings: RatingEvaluation | None = None

    def table(self) -> Table:
        """Return model, metric, mean, low, high, users; the chosen measure first."""
        rows = [
            {"model": evaluation.model_name} | row
            for evaluation in self.evaluations
            for row in evaluation.table().rows()
        ]
        order = [self.measure, *(row["metric"] for row in rows)]
        rows.sort(key=lambda row: order.index(row["metric"]))  # the models of a metric together
        rows += [
            {
                "model": self.evaluations[0].model_name,
                "metric": metric,
                "mean": error,
                "users": len(self.evaluations[0].user_indices),
            }
            for metric, error in self.errors.items()
        ]
        return Table.from_rows(rows)

    def further(self) -> list[tuple[str, Table]]:
        """Return the slices as tables, each with its heading."""
        found = [] if self.ratings is None else [(self.ratings.about, self.ratings.table())]
        found += [
            (f"{name}: new items, in lists of these alone and of all items", one.table())
            for name, one in self.new_items.items()
        ]
        for one in self.slices:
            found += [
                (f"{one.model_name}: {one.metric} by number of likes in training", one.by_history),
                (f"{one.model_name}: held-out likes found, by popularity of the item",
                 one.by_popularity),
                (f"{one.model_name}: spread of recommendations",
                 one.concentration.to_table()),
            ]  # fmt: skip
        return found

    @functools.cached_property
    def verdicts(self) -> tuple[ModelVerdict, ...]:
        """Whether the lists are better than each baseline's; those that are not first."""
        found = [ModelVerdict("Lists", self.measure, self.difference)]
        for other in self.evaluations[2:]:
            ours, theirs = (one.per_user[self.measure] for one in (self.evaluations[0], other))
            gain = paired_difference(ours, theirs, np.random.default_rng(0))
            found.append(ModelVerdict("Lists", self.measure, gain, other.model_name))
        return tuple(sorted(found, key=lambda verdict: verdict.is_better))

    def brief(self, width: int) -> str:
        """Return the verdicts, then the main metrics, at most `width` columns wide."""
        verdicts = [wrapped(f"{verdict}", width, indent=2) for verdict in self.verdicts]
        metrics = list(dict.fromkeys(self.table()["metric"]))
        shown = [name for name in metrics if name == self.measure or name.split("@")[0] in _SHOWN]
        missing = [f"{len(metrics) - len(shown):,} more metrics"] if metrics != shown else []
        table = _side_by_side(self.table(), shown)
        ends = [name for name in table.column_names if name.endswith(_ENDS)]
        text = table.fitted(width, least=ends[::-1], more=missing, whole=_WHOLE)
        if self.ratings is not None:
            verdicts = [self.ratings.brief(width), "", *verdicts]
        lines = [*verdicts, "", wrapped(self._on, width, indent=2), text]
        return "\n".join([*lines, *(wrapped(one, width, indent=2) for one in self.about_new_items)])

    @functools.cached_property
    def about_new_items(self) -> list[str]:
        """The new items, and how often each model lists them among all, as sentences."""
        first = [one.about for one in self.new_items.values()][:1]
        return [*first, *(f"{name}: {one.about_shown}" for name, one in self.new_items.items())]

    @property
    def _on(self) -> str:
        return (
            f"On {self.difference.n:,} test users (not used for any choice), with 95 % intervals:"
        )

    def __str__(self) -> str:
        verdicts = "\n".join(map(str, self.verdicts))
        first = [] if self.ratings is None else [f"{self.ratings}", ""]
        lists = f"{verdicts}\n\n{self._on}\n{self.table()}"
        return "\n".join([*first, lists, *self.about_new_items])


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


def holdout_report(
    objective: Objective,
    chosen: Config,
    split: Split,
    engine: Engine,
    *,
    others: Mapping[str, Config] | None = None,
    features: ItemVectors | None = None,
    with_ratings: bool = False,
) -> HoldoutReport:
    """Measure the lists of the chosen settings, and of baselines, on the test users.

    Parameters
    ----------
    objective : Objective
        By which the settings were chosen; of lists.
    chosen : Config
    split : Split
    engine : Engine
    others : mapping of str to Config, or None
        Baselines besides popularity, by their names.
    features : ItemVectors or None
        Of the items: their diversity within lists is measured, too.
    with_ratings : bool
        Also measure the errors of predicted ratings.
    """
    fitted = split.train_and_validation()
    shown = split.shown(with_validation=True)

    def trained(config: Config) -> FittedModel:
        model = fit(fitted, config, engine=engine)
        return with_given(model, split, engine, with_validation=True)

    metrics = _MEASURED if features is None else (*_MEASURED, "feature_diversity")

    new_items = split.new_items("test")

    of_new: dict[str, ColdEvaluation] = {}

    def measured(model: FittedModel) -> Evaluation:
        if new_items is not None:
            of_new[model.name] = evaluate_new_items(
                model, split.test, exclude=shown, k=objective.k, new_items=new_items, engine=engine
            )
            return of_new[model.name].among_new
        return evaluate(
            model,
            split.test,
            exclude=shown,
            k=objective.k,
            metrics=metrics,
            features=features,
            engine=engine,
        )

    model, popularity = trained(chosen), fit_popularity(fitted)
    ratings = None
    if with_ratings:
        predicting = able(model, PredictsRatings, "measure errors of ratings")
        ratings = evaluate_ratings(
            predicting, split.test, train=shown, user_indices=split.test_users, engine=engine
        )
    evaluations = [measured(model), measured(popularity)]
    evaluations += [
        replace(measured(trained(config)), model_name=name)
        for name, config in (others or {}).items()
    ]
    errors = {}
    predicts = isinstance(model, PredictsRatings)  # whose scores have other targets than 0 and 1
    if isinstance(model, HasFactors) and not predicts and new_items is None:
        errors = {
            "mse_users": mean_squared_error(model, split.test, user_indices=split.test_users),
            "mse_all": mean_squared_error(model, shown),
        }
    slices: tuple[Slices, ...] = ()
    if new_items is None:
        slices = tuple(
            slices_of(
                each, split.test, shown, metric=objective.metric, k=objective.k, engine=engine
            )
            for each in (model, popularity)
        )
    ours, theirs = (each.per_user[objective.column] for each in evaluations[:2])
    return HoldoutReport(
        measure=objective.measure,
        evaluations=tuple(evaluations),
        errors=errors,
        difference=paired_difference(ours, theirs, np.random.default_rng(0)),
        slices=slices,
        new_items=of_new,
        ratings=ratings,
    )
