"""Measures of a model on held-out interactions: one value per user, and their means.

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
coverage@k        share of all items that are in at least one user's list; one value for all
================= ===============================================================================

Places count from 1. Equal scores stand in the order of the items.

References
----------
.. [1] K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS
   20(4), 2002.
.. [2] S. Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009,
   section 6.2.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.errors import DataError, FitError, SettingError
from alsolike.evaluation.results import Evaluation
from alsolike.kernels.metrics import LIST_MEASURES, measure_auc, measure_lists
from alsolike.models.base import FactorModel, Recommender
from alsolike.observing import SILENT, Observer
from alsolike.recommending.many import Ranked, top_items
from alsolike.tables import Table

__all__ = ["METRICS", "Evaluation", "evaluate", "mean_squared_error"]

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

# Scores that AUC holds at once per thread: 16 MB.
_SCORES_PER_BLOCK = 1 << 22
# Rows of user factors that are turned to float64 at once.
_ROWS_PER_BLOCK = 1 << 12


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
        Over the model's users and items. Values above 0 are the relevant items; others take no
        part.
    exclude : Interactions or None
        Usually the training interactions: their pairs, dislikes included, never appear in a list,
        nor in the pairs of AUC. None: everything competes (``exclude_seen=False``, the article's
        way), which puts what was trained on at the top.
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

    Returns
    -------
    Evaluation

    Raises
    ------
    SettingError
        A metric, list length or user row that there is not.
    DataError
        Model and interactions differ in users or items; a relevant item is excluded, so that it
        could never be found; or nobody has a relevant item.
    FitError
        A score is not a finite number.

    Examples
    --------
    >>> from alsolike.models.popularity import fit_popularity
    >>> train = Interactions.from_columns(["u1", "u2", "u2", "u3"], ["a", "a", "b", "c"])
    >>> held_out = Interactions(
    ...     sp.csr_array(np.float32([[0, 1, 0], [0, 0, 0], [0, 1, 0]])), train.users, train.items
    ... )
    >>> found = evaluate(fit_popularity(train), held_out, exclude=train, k=1, metrics=["precision"])
    >>> print(found.per_user)
    +------+-------------+
    | user | precision@1 |
    +------+-------------+
    | u1   |           1 |
    | u3   |           0 |
    +------+-------------+
    """
    lengths, names = _checked_lengths(k), _checked_metrics(metrics)
    _same_ids(model, held_out, "held-out")
    if exclude is not None:
        _same_ids(model, exclude, "excluded")
    relevant = _relevant(held_out)
    users, without_relevant = _measured_users(relevant, user_indices)
    wanted, aside = relevant[users], None
    if exclude is not None:
        aside = exclude.user_items[users]
        _none_excluded(wanted, aside, users, held_out)
    engine = engine or LocalEngine()
    ranked = top_items(
        model,
        users,
        k=max(lengths),
        exclude=None if exclude is None else exclude.user_items,
        engine=engine,
        observer=observer,
    )
    measured = np.empty((len(lengths), len(LIST_MEASURES), len(users)))
    measure_lists(ranked.indices, *_lists(wanted), np.array(lengths, dtype=np.int64), measured)
    columns: dict[str, Any] = {"user": held_out.users.ids_of(users)}
    for at, length in enumerate(lengths):
        for name in names:
            if name in LIST_MEASURES:
                columns[f"{name}@{length}"] = measured[at, LIST_MEASURES.index(name)]
    if "auc" in names:
        columns["auc"] = _auc(model, users, wanted, aside, engine)
    covered = _coverage(ranked, lengths, held_out.n_items) if "coverage" in names else {}
    hits = {length: int(measured[at, 0].sum()) for at, length in enumerate(lengths)}
    return Evaluation(
        model.name, exclude is not None, users, Table(columns), hits, covered, without_relevant
    )


def mean_squared_error(
    model: FactorModel,
    interactions: Interactions,
    *,
    user_indices: npt.ArrayLike | None = None,
    engine: Engine | None = None,
) -> float:
    """Return the mean squared error of the scores over every cell, observed or not.

    The aim is the preference: 1 where the value is above 0, else 0. The squares of all scores sum
    to the product of the two Gramians, ``<X'X, Y'Y>``, so that only the observed cells are visited;
    all in float64.

    Parameters
    ----------
    model : FactorModel
    interactions : Interactions
        Over the model's users and items.
    user_indices : int, (n,), or None
        Rows of users, each once: the error over their rows, the article's (``mse_users``). None:
        over all cells (``mse_all``).
    engine : Engine or None
        None: all threads of this machine.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    SettingError
        A row of users that there is not, or twice.
    DataError
        Model and interactions differ in users or items, or there is no cell.
    FitError
        A factor is not a finite number.

    Examples
    --------
    >>> likes = Interactions.from_columns(["u1", "u2"], ["a", "b"])
    >>> model = FactorModel(
    ...     likes.users, likes.items, np.float32([[1], [0]]), np.float32([[1], [0.5]]),
    ...     np.array([1.25]), likes.item_counts,
    ... )
    >>> mean_squared_error(model, likes), mean_squared_error(model, likes, user_indices=[0])
    (0.3125, 0.125)
    """
    _same_ids(model, interactions, "given")
    rows = (
        np.arange(interactions.n_users)
        if user_indices is None
        else _checked_rows(user_indices, interactions.n_users)
    )
    cells = len(rows) * interactions.n_items
    if not cells:
        raise DataError("There is no cell to measure: no users or no items.")
    if not (np.isfinite(model.user_factors).all() and np.isfinite(model.item_factors).all()):
        raise FitError(
            "A factor is not a finite number. The model is broken; fit it again, with a larger "
            "regularization."
        )
    item_factors = model.item_factors.astype(np.float64)
    preferred = _relevant(interactions)[rows]

    def gramian_of_items(_: int) -> Values:
        gramian: Values = item_factors.T @ item_factors
        return gramian

    engine = engine or LocalEngine()
    (of_items,) = engine.each(gramian_of_items, [0])

    def missed(first: int) -> float:
        """Return the squares of a block of rows, less twice the scores at its preferred cells."""
        block = slice(first, first + _ROWS_PER_BLOCK)
        user_factors = model.user_factors[rows[block]].astype(np.float64)
        squares = (user_factors.T @ user_factors) * of_items
        at_preferred = user_factors * (preferred[block] @ item_factors)
        return float(squares.sum() - 2 * at_preferred.sum())

    total = sum(engine.each(missed, range(0, len(rows), _ROWS_PER_BLOCK))) + preferred.nnz
    # A perfect fit may come out below 0 by rounding.
    return float(max(total / cells, 0.0))


def _checked_lengths(k: int | Sequence[int]) -> list[int]:
    given: list[Any] = list(np.atleast_1d(np.asarray(k, dtype=object)))
    whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, bool) for one in given)
    if not given or not whole or min(given) < 1:
        raise SettingError(
            f"k must be one or more list lengths, whole numbers of at least 1, not {k!r}."
        )
    return sorted(set(map(int, given)))


def _checked_metrics(metrics: Sequence[str]) -> list[str]:
    names = [metrics] if isinstance(metrics, str) else list(dict.fromkeys(metrics))
    unknown = [name for name in names if name not in METRICS]
    if unknown or not names:
        raise SettingError(f"Unknown metrics {unknown}; known are {', '.join(METRICS)} (no @k).")
    return names


def _same_ids(model: Recommender, interactions: Interactions, label: str) -> None:
    if interactions.users != model.users or interactions.items != model.items:
        raise DataError(
            f"The {label} interactions ({interactions.n_users:,} users, {interactions.n_items:,} "
            f"items) and the model ({len(model.users):,} users, {len(model.items):,} items) do not "
            "have the same users and items. Take both from the same Split."
        )


def _relevant(interactions: Interactions) -> sp.csr_array:
    """Return the pairs with a value above 0, as ones; columns ascend."""
    matrix = interactions.user_items
    is_relevant = matrix.data > 0
    before = np.concatenate(([0], np.cumsum(is_relevant, dtype=np.int64)))
    ones = np.ones(before[-1])
    return sp.csr_array((ones, matrix.indices[is_relevant], before[matrix.indptr]), matrix.shape)


def _checked_rows(user_indices: npt.ArrayLike, n_users: int) -> Indices:
    rows = np.asarray(user_indices)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise SettingError("user_indices must be row numbers, integers in one dimension.")
    rows = rows.astype(np.int64)
    if rows.size and not 0 <= rows.min() <= rows.max() < n_users:
        raise SettingError(f"user_indices must be from 0 to {n_users - 1:,}.")
    if len(np.unique(rows)) < len(rows):
        raise SettingError("user_indices must name each user once.")
    return rows


def _measured_users(
    relevant: sp.csr_array, user_indices: npt.ArrayLike | None
) -> tuple[Indices, int]:
    has_relevant = np.diff(relevant.indptr) > 0
    if user_indices is None:
        users, asked = np.flatnonzero(has_relevant), 0
    else:
        rows = _checked_rows(user_indices, len(has_relevant))
        users, asked = rows[has_relevant[rows]], len(rows)
    if not users.size:
        raise DataError(
            f"None of the {asked or len(has_relevant):,} users has a relevant held-out item "
            "(value above 0): there is nothing to measure."
        )
    return users, asked - len(users) if asked else 0


def _none_excluded(
    wanted: sp.csr_array, aside: sp.csr_array, users: Indices, held_out: Interactions
) -> None:
    taken = sp.csr_array((np.ones(aside.nnz), aside.indices, aside.indptr), aside.shape)
    both = (wanted * taken).tocoo()
    if both.nnz:
        user = held_out.users.id_of(int(users[both.row[0]]))
        item = held_out.items.id_of(int(both.col[0]))
        raise DataError(
            f"{both.nnz:,} held-out pairs are also excluded and could never be found, the first is "
            f"user {user!r} with item {item!r}. To measure on what a model was trained on, pass "
            "exclude=None."
        )


def _lists(matrix: sp.csr_array) -> tuple[Indices, npt.NDArray[np.int32]]:
    """Return starts and columns of the rows in the types of the kernels."""
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32)


def _auc(
    model: Recommender,
    users: Indices,
    wanted: sp.csr_array,
    aside: sp.csr_array | None,
    engine: Engine,
) -> Values:
    n_items = wanted.shape[1]
    left_out = sp.csr_array(wanted.shape) if aside is None else aside
    step = max(_SCORES_PER_BLOCK // n_items, 1)

    def measure(first: int) -> Values:
        block = users[first : first + step]
        scores = np.ascontiguousarray(model.scores(block, slice(0, n_items)))
        values = np.empty(len(block))
        rows = slice(first, first + len(block))
        broken = measure_auc(scores, *_lists(wanted[rows]), *_lists(left_out[rows]), values)
        if broken >= 0:
            row, item = divmod(broken, n_items)
            raise FitError(
                f"The score of user {model.users.id_of(int(block[row]))!r} and item "
                f"{model.items.id_of(item)!r} is NaN. The model is broken; fit it again."
            )
        return values

    return np.concatenate(engine.each(measure, range(0, len(users), step)))


def _coverage(ranked: Ranked, lengths: Sequence[int], n_items: int) -> dict[int, float]:
    covered = {}
    for length in lengths:
        shown = np.unique(ranked.indices[:, :length])
        covered[length] = float(np.count_nonzero(shown >= 0) / n_items)
    return covered
