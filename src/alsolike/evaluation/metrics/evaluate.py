"""Ranking metrics of a model on held-out interactions: one value per user, and their means.

Names, at a list length k, of a user with m relevant items (held out, value above 0):

================= ===============================================================================
precision@k       hits / k, even where fewer than k items could be recommended
recall@k          hits / m
capped_recall@k   hits / min(k, m): 1 is reached by every perfect list
ndcg@k            sum over hits of 1 / log2(place + 1), over the same sum with hits at the first
                  min(k, m) places (Järvelin & Kekäläinen 2002 [1]_, with the discount of Burges
                  et al. 2005)
map@k             sum over hits of the precision at their place, over min(k, m)
mrr@k             1 / place of the first hit; 0 without one
hit_rate@k        1 with a hit, else 0
auc               share of pairs of a relevant and another item (not excluded) in which the
                  relevant one scores higher, equal scores counting one half [2]_
coverage@k        share of all items that are in at least one user's list; one value, not per user
================= ===============================================================================

Places count from 1. For equal scores, each metric is the mean over all orders of the tied items
[3]_, so ids do not matter. Scores are compared as the float32 that lists are ranked by.

References
----------
.. [1] K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
   20(4), 2002.
.. [2] S. Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009,
   section 6.2.
.. [3] F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently in
   the presence of tied scores", ECIR 2008.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.validation import check_whole
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.metrics.auc import auc_of
from alsolike.evaluation.metrics.exposure import coverages_of
from alsolike.evaluation.metrics.ground_truth import (
    GroundTruth,
    as_lists,
    check_matching_ids,
    checked_rows,
)
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.metrics.ties import Ties, ties_of
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.metrics import LIST_MEASURES, measure_lists
from alsolike.kernels.solver.dense import observed_loss
from alsolike.models.base import HasFactors, Recommender, able
from alsolike.models.history_model import likes_of
from alsolike.progress import SILENT, Observer
from alsolike.recommending.ranking.scan import Ranked
from alsolike.tables import Table
from alsolike.usage_hints import did_you_mean, with_example

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

METRICS = (
    "precision",
    "recall",
    "capped_recall",
    "ndcg",
    "map",
    "mrr",
    "hit_rate",
    "auc",
    "coverage",
)

# Rows of user factors that are turned to float64 at once.
_ITEMS_SUMMED = 4096
_ROWS_PER_BLOCK = 1 << 12


@with_example("al.evaluate(model, split.test, exclude=split.train, k=10)")
def evaluate(
    model: Recommender,
    held_out: Interactions,
    *,
    exclude: Interactions | None,
    k: int | Sequence[int] = 10,
    metrics: Sequence[str] = METRICS,
    user_indices: npt.ArrayLike | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Evaluation:
    """Measure a model's lists and scores against held-out interactions.

    Parameters
    ----------
    model : Recommender
    held_out : Interactions
        Over the model's users and items. Values above 0 are the relevant items; others are ignored.
    exclude : Interactions or None
        Usually the training interactions: their pairs, dislikes included, are left out of the lists
        and of the pairs of AUC. None: all items are ranked (``exclude_seen=False``, as in the
        article), which puts training items at the top.
    k : int or sequence of int
        Lengths of lists, each at least 1.
    metrics : sequence of str
        Any of `METRICS`, without ``@k``.
    user_indices : int, (n,), or None
        Rows of the users to measure, each once; the values come in this order. Those without a
        relevant item are left out and counted. None: all with a relevant item.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer

    Raises
    ------
    SettingError
        Unknown metric, list length or user row.
    DataError
        Model and interactions differ in users or items; a relevant item is excluded, so that it
        can never be found; or nobody has a relevant item.
    FitError
        A score is not a finite number.

    Examples
    --------
    Items b and c are equally popular: u1 gets either of them.

    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> train = Interactions.from_columns(["u1", "u2", "u2", "u3"], ["a", "a", "b", "c"])
    >>> held_out = Interactions(
    ...     sp.csr_array(np.float32([[0, 1, 0], [0, 0, 0], [0, 1, 0]])), train.users, train.items
    ... )
    >>> found = evaluate(fit_popularity(train), held_out, exclude=train, k=1, metrics=["precision"])
    >>> print(found.per_user)
    +------+-------------+
    | user | precision@1 |
    +------+-------------+
    | u1   |         0.5 |
    | u3   |         0.0 |
    +------+-------------+
    """
    check_matching_ids(model, "evaluate", held_out=held_out, exclude=exclude)
    lengths, names = checked_lengths(k), checked_metrics(metrics)
    engine = engine or LocalEngine()
    truth = GroundTruth.of(held_out, exclude, user_indices)
    ranked = truth.ranked(model, max(lengths) + 1, engine, observer)
    return measured(model, truth, ranked, lengths, names, engine)


def measured(
    model: Recommender,
    truth: GroundTruth,
    ranked: Ranked,
    lengths: Sequence[int],
    names: Sequence[str],
    engine: Engine,
    ties: Ties | None = None,
) -> Evaluation:
    """Measure the lists of `truth`'s users, one item longer than the longest of `lengths`.

    The extra place shows whether equal scores reach beyond a list. `ties` are those of these lists,
    with ``spread=True``, if they are known already.
    """
    with_coverage = "coverage" in names
    if ties is None:
        ties = ties_of(model, truth, ranked, lengths, engine, spread=with_coverage)
    values = values_of(ranked, ties, truth.wanted, lengths)
    columns: dict[str, Any] = {"user": truth.user_ids} | columns_of(values, lengths, names)
    if "auc" in names:
        columns["auc"] = auc_of(model, truth, engine)
    n_items = truth.wanted.shape[1]
    return Evaluation(
        model.name,
        truth.exclude is not None,
        truth.users,
        Table(columns),
        {length: float(values[at, 0].sum()) for at, length in enumerate(lengths)},
        coverages_of(ranked, lengths, ties, n_items) if with_coverage else {},
        truth.without_relevant,
        blind_at={length: float(ties.is_blind[at].mean()) for at, length in enumerate(lengths)},
    )


def values_of(ranked: Ranked, ties: Ties, wanted: sp.csr_array, lengths: Sequence[int]) -> Values:
    """Return the measures of lists, float64, (n_lengths, len(LIST_MEASURES), n_lists).

    Parameters
    ----------
    ranked : Ranked, (n_lists, at least the longest length)
    ties : Ties
        Ties at the ends of the longest lists.
    wanted : CSR, (n_lists, n_items)
    lengths : sequence of int
        Ascending.
    """
    longest = lengths[-1]
    values = np.empty((len(lengths), len(LIST_MEASURES), len(ranked.indices)))
    measure_lists(
        plain(np.ascontiguousarray(ranked.indices[:, :longest])),
        plain(np.ascontiguousarray(ranked.scores[:, :longest])),
        plain(ties.sizes),
        plain(ties.relevant),
        *as_lists(wanted),
        np.array(lengths, dtype=np.int64),
        values,
    )
    return values


def columns_of(values: Values, lengths: Sequence[int], names: Sequence[str]) -> dict[str, Values]:
    """Name the measures of lists as `values_of` returns them: ``"precision@10"``."""
    return {
        f"{name}@{length}": values[at, LIST_MEASURES.index(name)]
        for at, length in enumerate(lengths)
        for name in names
        if name in LIST_MEASURES
    }


def mean_squared_error(
    model: HasFactors,
    interactions: Interactions,
    *,
    user_indices: npt.ArrayLike | None = None,
    engine: Engine | None = None,
) -> float:
    """Return the mean squared error of the scores over every cell, observed or not.

    The target is the preference: 1 where the value is above 0, else 0. The squares of all scores
    sum to the product of the Gramians, ``<X'X, Y'Y>``, so that only observed cells are visited; all
    in float64.

    Parameters
    ----------
    model : HasFactors
    interactions : Interactions
        Over the model's users and items.
    user_indices : int, (n,), or None
        Rows of users, each once: the error over their rows, the article's (``mse_users``). None:
        over all cells (``mse_all``).
    engine : Engine or None
        None: all threads of this machine.

    Raises
    ------
    SettingError
        The model has no factors, or a row of users is unknown or given twice.
    DataError
        Model and interactions differ in users or items, or there is no cell.
    FitError
        A factor is not a finite number.

    Examples
    --------
    >>> from alsolike.models.factor_model import FactorModel
    >>> likes = Interactions.from_columns(["u1", "u2"], ["a", "b"])
    >>> model = FactorModel(
    ...     likes.users, likes.items, np.float32([[1], [0]]), np.float32([[1], [0.5]]),
    ...     likes.item_counts,
    ... )
    >>> mean_squared_error(model, likes), mean_squared_error(model, likes, user_indices=[0])
    (0.3125, 0.125)
    """
    able(model, HasFactors, "measure squared errors")
    check_matching_ids(model, "measure squared errors", interactions=interactions)
    rows = (
        np.arange(interactions.n_users)
        if user_indices is None
        else checked_rows(user_indices, interactions.n_users)
    )
    cells = len(rows) * interactions.n_items
    if not cells:
        raise DataError("There is no cell to measure: no users or no items.")
    if not (np.isfinite(model.user_factors).all() and np.isfinite(model.item_factors).all()):
        raise FitError(
            "A factor is not a finite number. The model is broken; fit it again, with a larger "
            "regularization."
        )
    return SquaredErrors(interactions, rows).mean(model, engine or LocalEngine())


def item_gramian(model: HasFactors, engine: Engine) -> Values:
    """Return ``item_factors.T @ item_factors`` in float64, (f, f)."""

    def summed(_: int) -> Values:
        total = np.zeros((model.factors, model.factors))
        for first in range(0, len(model.items), _ITEMS_SUMMED):
            block = model.item_factors[first : first + _ITEMS_SUMMED].astype(np.float64)
            total += block.T @ block
        return total

    # On the engine, which holds BLAS to one thread: the sums do not depend on how many it has.
    (gramian,) = engine.each(summed, [0])
    return gramian


class SquaredErrors:
    """Squared errors over the rows of some users, for one model after another.

    Parameters
    ----------
    interactions : Interactions
    rows : int64, (n,)
        Rows of users, each once.
    """

    def __init__(self, interactions: Interactions, rows: Indices) -> None:
        self._rows, self._preferred = rows, likes_of(interactions)[rows]
        # Of the loss's cells, those of weight 0 that pull with 1 add 1 - 2 s.
        self._weights, self._pulls = np.zeros(self._preferred.nnz), np.ones(self._preferred.nnz)

    def mean(
        self,
        model: HasFactors,
        engine: Engine,
        gramian: Values | None = None,
        *,
        block_rows: int = _ROWS_PER_BLOCK,
    ) -> float:
        """Return the mean squared error of `model`; `gramian` is its `item_gramian`, if known."""
        of_items = item_gramian(model, engine) if gramian is None else gramian
        items = plain(model.item_factors)
        starts, columns = as_lists(self._preferred)
        users = plain(model.user_factors[self._rows])

        def missed(first: int) -> float:
            """Return the squares of a block of rows, less twice the scores at its cells."""
            last = min(first + block_rows, len(users))
            block = users[first:last].astype(np.float64)
            own = slice(starts[first], starts[last])
            at_preferred = observed_loss(
                starts, columns, self._weights[own], self._pulls[own], first, last, users, items
            )
            return float(((block.T @ block) * of_items).sum() + at_preferred)

        total = sum(engine.each(missed, range(0, len(users), block_rows)))
        # A perfect fit may come out below 0 by rounding.
        return float(max(total / (len(users) * len(items)), 0.0))


def checked_lengths(k: int | Sequence[int]) -> list[int]:
    """Return the distinct list lengths, ascending; raise SettingError for an invalid one."""
    given: list[Any] = list(np.atleast_1d(np.asarray(k, dtype=object)))
    try:
        if lengths := sorted({check_whole("k", one, least=1) for one in given}):
            return lengths
    except SettingError:
        pass
    raise SettingError(
        f"k must be one or more list lengths, whole numbers of at least 1, not {k!r}."
    )


def checked_metrics(metrics: Sequence[str]) -> list[str]:
    """Return the distinct names of metrics; raise SettingError for an unknown one."""
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        hint = did_you_mean(str(unknown[0]).partition("@")[0], METRICS) if unknown else ""
        raise SettingError(
            f"Unknown metrics {unknown}; known are {', '.join(METRICS)} (no @k).{hint}"
        )
    return names
