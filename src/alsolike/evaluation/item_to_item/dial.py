"""Evaluates similar items at all marks of the dial, in one pass over a model's scores."""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.errors import SettingError
from alsolike.evaluation.item_to_item.agreement import FeatureVectors
from alsolike.evaluation.item_to_item.evaluate import (
    USUAL,
    FoldLists,
    ItemToItemEvaluation,
    evaluate_queries,
    queries_of,
    sources_of,
)
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.evaluation.item_to_item.item_recommender import (
    ModelItemRecommender,
    item_recommender_of,
)
from alsolike.evaluation.item_to_item.query_metrics import QueryMetrics, checked_names
from alsolike.evaluation.item_to_item.shown_items import ShownItems
from alsolike.evaluation.item_to_item.unseen_users import Fold, Part
from alsolike.models.protocols import HasAffinities, ItemScorer, Recommender
from alsolike.models.similarity.config import MARKS, SimilarityConfig
from alsolike.progress import SILENT, Observer

# Of the best mark's value, what a more specific mark must keep to be chosen.
KEPT = 0.97


@dataclass(frozen=True, eq=False)
class Dial:
    """The evaluations of a model's similar items along its dial.

    Parameters
    ----------
    name : str
        Of the model.
    config : SimilarityConfig or None
        The affinity and the prior; the dial is that of `marks`. None: the model has no dial.
    marks : tuple of float
        Popularity biases, ascending; empty without a dial.
    evaluations : tuple of ItemToItemEvaluation
        One for each mark, or the only one.
    metric : str
        Which of their means chooses, such as ``"precision@10"``.
    """

    name: str
    config: SimilarityConfig | None
    marks: tuple[float, ...]
    evaluations: tuple[ItemToItemEvaluation, ...]
    metric: str

    @functools.cached_property
    def values(self) -> tuple[float, ...]:
        """The mean of the metric at each mark."""
        return tuple(one.mean(self.metric) for one in self.evaluations)

    @property
    def best(self) -> int:
        """The place of the mark with the highest value; of equal ones, the most specific."""
        return self.values.index(max(self.values))

    @property
    def auto(self) -> int:
        """The place of the most specific mark with at least .97 of the highest value."""
        least = KEPT * max(self.values)
        return next(place for place, value in enumerate(self.values) if value >= least)

    def mark(self, place: int) -> float | None:
        """Return the mark at a place, or None without a dial."""
        return self.marks[place] if self.marks else None

    def config_at(self, place: int) -> SimilarityConfig | None:
        """Return the settings at the mark of a place, or None without a dial."""
        if self.config is None:
            return None
        return replace(self.config, popularity_bias=self.marks[place])


def evaluate_dial(
    models: Sequence[Recommender | ItemScorer],
    folds: Sequence[Fold],
    part: Part = "validation",
    *,
    k: int = 10,
    marks: Sequence[float] = MARKS,
    similarity: SimilarityConfig | None = None,
    metrics: Sequence[str] = USUAL,
    choose_by: str = "precision",
    spread: bool = False,
    features: FeatureVectors | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Dial:
    """Evaluate the similar items of a model at all marks of its dial, or as they are without one.

    The figures are those of `alsolike.evaluation.item_to_item.evaluate.evaluate_item_to_item` mark
    by mark.

    Parameters
    ----------
    models : sequence of Recommender or ItemScorer
        One for each fold, trained on the fold's training data; all of one configuration.
    folds, part, k, metrics, spread, features
        As of `evaluate_item_to_item`.
    marks : sequence of float
        Popularity biases, ascending, each from 0 to 1.
    similarity : SimilarityConfig or None
        The affinity and the prior; None: the models' own. Its popularity bias is not used.
    choose_by : str
        The metric of `Dial.best` and `Dial.auto`, one of `metrics`.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer

    Raises
    ------
    SettingError
        A setting is out of its range, or the models compare no items.
    DataError
        Not one model for each fold.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.evaluation.item_to_item.co_counts import CoCountModel
    >>> from alsolike.evaluation.item_to_item.unseen_users import unseen_users
    >>> users = [f"u{user}" for user in range(60) for _ in range(4)]
    >>> items = [f"{'abc'[user % 3]}{item}" for user in range(60) for item in range(4)]
    >>> folds = unseen_users(Interactions.from_columns(users, items))
    >>> dial = evaluate_dial([CoCountModel(one.train) for one in folds], folds, k=2)
    >>> dial.mark(dial.auto), dial.evaluations[dial.auto].mean("precision@2")
    (0.0, 1.0)
    """
    check_whole("k", k, least=1)
    names = checked_names(metrics)
    if choose_by not in names:
        raise SettingError(f"choose_by must be one of the metrics {names}, not {choose_by!r}.")
    return dial_of(
        models,
        queries_of(models, folds, part),
        k,
        names,
        marks=_checked_marks(marks),
        similarity=similarity,
        choose_by=choose_by,
        spread=spread,
        features=features,
        engine=engine,
        observer=observer,
    )


def dial_of(
    models: Sequence[Recommender | ItemScorer],
    of_folds: Sequence[ItemQueries],
    k: int,
    names: Sequence[str],
    *,
    marks: tuple[float, ...] = MARKS,
    similarity: SimilarityConfig | None = None,
    choose_by: str,
    spread: bool = False,
    features: FeatureVectors | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Dial:
    """Evaluate as `evaluate_dial`, on the queries of each fold; the settings are checked."""
    column, name = f"{choose_by}@{k}", str(models[0].name)
    dialled = [model for model in models if isinstance(model, HasAffinities)]
    if len(dialled) < len(models):
        recommenders = [
            item_recommender_of(
                model,
                queries.train,
                min_count=queries.min_count,
                similarity=similarity,
                engine=engine,
                observer=observer,
            )
            for model, queries in zip(models, of_folds, strict=True)
        ]
        alone = evaluate_queries(recommenders, of_folds, k, names, spread=spread, features=features)
        return Dial(name, None, (), (alone,), column)
    config = similarity or dialled[0].similarity_config
    found = [
        _at_marks(
            ModelItemRecommender(model, queries.min_count, engine, observer, queries.likes, config),
            queries,
            k,
            names,
            marks,
            spread=spread,
            features=features,
        )
        for model, queries in zip(dialled, of_folds, strict=True)
    ]
    evaluations = tuple(
        ItemToItemEvaluation.of(
            name,
            [measured for measured, _ in of_mark],
            k,
            ShownItems.pooled([shown for _, shown in of_mark if shown is not None]),
        )
        for of_mark in zip(*found, strict=True)
    )
    return Dial(name, config, marks, evaluations, column)


def _at_marks(
    recommender: ModelItemRecommender,
    queries: ItemQueries,
    k: int,
    names: Sequence[str],
    marks: Sequence[float],
    *,
    spread: bool,
    features: FeatureVectors | None,
) -> list[tuple[QueryMetrics, ShownItems | None]]:
    """Return the metrics of one fold at each mark, and what is shown, if asked for."""
    with_shown = spread or features is not None
    sources = sources_of(queries, spread=with_shown)
    found = []
    lists = recommender.ranked_at_marks(sources, k + 1, marks)
    for mark, ranked in zip(marks, lists, strict=True):
        own, one = recommender.at(mark), FoldLists(queries, sources, ranked)
        measured = one.metrics(own.score_rows, own.n_shown, k, names)
        found.append((measured, one.shown(k, features) if with_shown else None))
    return found


def _checked_marks(marks: Sequence[float]) -> tuple[float, ...]:
    """Return the marks; raise SettingError unless there are some, ascending."""
    given = tuple(marks)
    if not given or any(later <= mark for mark, later in itertools.pairwise(given)):
        raise SettingError(
            f"marks must be one popularity bias or more, ascending, not {list(given)}."
        )
    return given
