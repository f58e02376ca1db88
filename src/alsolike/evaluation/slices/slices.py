"""Metrics by groups of users and items, and spread over the catalogue.

Popularity's, from the same functions, show what of a slice is due to the model.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import SettingError
from alsolike.evaluation.metrics.evaluate import (
    ACCURACY,
    METRICS,
    checked_metrics,
    measured,
)
from alsolike.evaluation.metrics.exposure import exposure_of
from alsolike.evaluation.metrics.ground_truth import GroundTruth, check_matching_ids
from alsolike.evaluation.metrics.ties import ties_of
from alsolike.evaluation.slices.concentration import Concentration, concentration
from alsolike.evaluation.slices.groups import by_history, by_popularity
from alsolike.evaluation.statistics.intervals import seed_from
from alsolike.models.protocols import Recommender
from alsolike.progress import SILENT, Observer
from alsolike.tables import Table


@dataclass(frozen=True, eq=False)
class Slices:
    """Result of `slices_of` for one model; tables of two models can be concatenated.

    Parameters
    ----------
    model_name : str
    metric : str
        Of the slices by history, such as ``"precision@10"``.
    k : int
        Length of the lists.
    excludes_seen : bool
        Whether seen items were left out of the lists.
    without_relevant : int
        Requested users who have no held-out like, and so are in no slice.
    by_history, by_popularity : Table
        See the functions of these names.
    concentration : Concentration
    """

    model_name: str
    metric: str
    k: int
    excludes_seen: bool
    without_relevant: int
    by_history: Table
    by_popularity: Table
    concentration: Concentration

    def __str__(self) -> str:
        seen = "left out" if self.excludes_seen else "kept"
        parts = [
            f"{self.model_name}, lists of {self.k}, seen items {seen}; with 95 % intervals",
            f"{self.metric} by the likes that a user has in training:\n{_shown(self.by_history)}",
            f"Held-out likes found in the top {self.k}, by popularity of the item (head, middle "
            f"and tail have about a third of all likes each):\n{_shown(self.by_popularity)}",
            f"Recommended items:\n{self.concentration}",
        ]
        if self.without_relevant:
            parts.append(f"Users without a held-out like: {self.without_relevant:,}.")
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        tables = (self.by_history, self.by_popularity, self.concentration.to_table())
        return "".join(table._repr_html_() for table in tables)


def slices_of(
    model: Recommender,
    held_out: Interactions,
    shown: Interactions,
    *,
    metric: str = "precision",
    k: int = 10,
    exclude_seen: bool = True,
    user_indices: npt.ArrayLike | None = None,
    classes: int = 4,
    rng: np.random.Generator | int = 0,
    resamples: int = 2000,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Slices:
    """Break a model's metrics down by users and items, and measure the spread of its lists.

    Parameters
    ----------
    model, held_out, user_indices, engine, observer
        As in `alsolike.evaluation.metrics.evaluate.evaluate`.
    shown : Interactions
        The training data with the given likes of users held out whole: the source of histories and
        popularity.
    metric : str
        Any of `alsolike.evaluation.metrics.evaluate.ACCURACY`, without ``@k``.
    k : int
        Length of the lists, at least 1.
    exclude_seen : bool
        Leave the pairs of `shown` out of the lists.
    classes, rng, resamples
        As in `by_history`. Two models with one seed on the same users have the same draws.

    Raises
    ------
    SettingError
        A setting is out of its range, or `metric` is not one of these.
    DataError
        Ids differ; `shown` has no like; or as `alsolike.evaluation.metrics.evaluate.evaluate`.
    FitError
        A score is not a finite number.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> train = Interactions.from_columns(["u1", "u2", "u2", "u3"], ["a", "a", "b", "c"])
    >>> held_out = Interactions(
    ...     sp.csr_array(np.float32([[0, 1, 0], [0, 0, 1], [0, 0, 0]])), train.users, train.items
    ... )
    >>> found = slices_of(fit_popularity(train), held_out, train, k=1)
    >>> found.by_history["mean"].tolist(), found.concentration.coverage
    ([0.5, 1.0], 0.5)
    """
    check_whole("k", k, least=1)
    if metric in METRICS and metric not in ACCURACY:
        raise SettingError(f"{metric} is not sliced by users; these are: {', '.join(ACCURACY)}.")
    names = checked_metrics([metric])
    check_matching_ids(model, "slice its figures", held_out=held_out, shown=shown)
    seed = seed_from(rng)
    engine = engine or LocalEngine()
    truth = GroundTruth.of(held_out, shown if exclude_seen else None, user_indices)
    lists = truth.ranked(model, k + 1, engine, observer)
    ties = ties_of(model, truth, lists, [k], engine, spread=True)
    evaluation = measured(model, truth, lists, [k], names, engine, ties)
    (measure,) = evaluation.metrics
    of_users = by_history(
        evaluation, shown, measure, classes=classes, rng=seed, resamples=resamples
    )
    of_items = by_popularity(
        model.name,
        truth.wanted,
        lists.indices[:, :k],
        shown,
        ties=ties,
        rng=seed,
        resamples=resamples,
    )
    exposure = exposure_of(lists, [k], 0, ties, truth.wanted.shape[1])
    return Slices(
        model.name,
        measure,
        k,
        exclude_seen,
        truth.without_relevant,
        of_users,
        of_items,
        concentration(truth.wanted, lists.indices[:, :k], shown, exposure=exposure),
    )


def _shown(table: Table) -> Table:
    """Drop the columns model and metric, and bounds that the group's name repeats."""
    hidden = {"model", "metric"}
    if "history" in table:
        hidden |= {"likes_from", "likes_to"}
    return Table({name: table[name] for name in table.column_names if name not in hidden})
