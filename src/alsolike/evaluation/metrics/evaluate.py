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
percentile_rank   share of the other items (not excluded) that score higher than a relevant one,
                  equal scores counting one half; mean over the relevant ones, weighted by their
                  held-out values [4]_; 0 is best, 0.5 is random
novelty@k         mean of -log2(share of users who like it) over the items of the list [5]_
diversity@k       1 - mean cosine of all pairs in the list, by the users who like both [6]_
================= ===============================================================================

``feature_diversity@k`` is diversity by features of items. ``coverage@k``, the share of all items
that are in at least one user's list, and ``pooled_percentile_rank``, the weighted mean over all
relevant items of all users, are one value and not per user.

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
.. [4] Y. Hu, Y. Koren, C. Volinsky, "Collaborative filtering for implicit feedback datasets",
   ICDM 2008, equation 8, which pools all users.
.. [5] T. Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems",
   PNAS 107(10), 2010.
.. [6] C.-N. Ziegler et al., "Improving recommendation lists through topic diversification",
   WWW 2005.
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
from alsolike.errors import SettingError
from alsolike.evaluation.metrics.catalogue_order import catalogue_order
from alsolike.evaluation.metrics.exposure import coverages_of
from alsolike.evaluation.metrics.ground_truth import (
    GroundTruth,
    as_lists,
    check_matching_ids,
)
from alsolike.evaluation.metrics.list_contents import (
    CONTENTS,
    GroupContents,
    ItemContents,
    ItemVectors,
    contents_of,
    likes_to_count,
)
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.metrics.ties import Ties, ties_of
from alsolike.kernels.compiler.jit import plain
from alsolike.kernels.ranking.metrics import LIST_MEASURES, measure_lists
from alsolike.models.protocols import Recommender
from alsolike.progress import SILENT, Observer
from alsolike.recommending.ranking.scan import Ranked
from alsolike.tables import Table
from alsolike.usage_hints import did_you_mean, with_example

Indices = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

# With a value per user, larger is better: settings can be chosen by them.
ACCURACY = ("precision", "recall", "capped_recall", "ndcg", "map", "mrr", "hit_rate", "auc")
USUAL = (*ACCURACY, "coverage")
_POOLED = "pooled_percentile_rank"
METRICS = (*USUAL, "percentile_rank", _POOLED, *CONTENTS)
_OF_CATALOGUE = ("auc", "percentile_rank")


@with_example("al.evaluate(model, split.test, exclude=split.train, k=10)")
def evaluate(
    model: Recommender,
    held_out: Interactions,
    *,
    exclude: Interactions | None,
    k: int | Sequence[int] = 10,
    metrics: Sequence[str] = USUAL,
    user_indices: npt.ArrayLike | None = None,
    likes: Interactions | None = None,
    features: ItemVectors | None = None,
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
        Any of `METRICS`, without ``@k``. By default, those of accuracy, and coverage.
    user_indices : int, (n,), or None
        Rows of the users to measure, each once; the values come in this order. Those without a
        relevant item are left out and counted. None: all with a relevant item.
    likes : Interactions or None
        What novelty and diversity count likes in. None: `exclude`, or else the model's history.
    features : ItemVectors or None
        Features of the items, for ``"feature_diversity"``: see
        `alsolike.evaluation.item_to_item.agreement.read_features`.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer

    Raises
    ------
    SettingError
        Unknown metric, list length or user row, or a metric without its features.
    DataError
        Model and interactions differ in users or items; a relevant item is excluded, so that it
        can never be found; nobody has a relevant item; or there are no likes to count.
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
    contents = None
    if features is not None or set(names) & set(CONTENTS):
        contents = ItemContents.of(names, likes_to_count(model, likes, exclude), features)
    engine = engine or LocalEngine()
    truth = GroundTruth.of(held_out, exclude, user_indices)
    ranked = truth.ranked(model, max(lengths) + 1, engine, observer)
    return measured(model, truth, ranked, lengths, names, engine, contents=contents)


def measured(
    model: Recommender,
    truth: GroundTruth,
    ranked: Ranked,
    lengths: Sequence[int],
    names: Sequence[str],
    engine: Engine,
    ties: Ties | None = None,
    *,
    contents: ItemContents | None = None,
) -> Evaluation:
    """Measure the lists of `truth`'s users, one item longer than the longest of `lengths`.

    The extra place shows whether equal scores reach beyond a list. `ties` are those of these lists,
    with ``spread=True``, if they are known already. Metrics of `CONTENTS` need `contents`.
    """
    with_coverage = "coverage" in names
    if ties is None:
        sums = None if contents is None else GroupContents(contents, ranked, lengths[-1])
        ties = ties_of(model, truth, ranked, lengths, engine, spread=with_coverage, group_sums=sums)
    values = values_of(ranked, ties, truth.wanted, lengths)
    columns: dict[str, Any] = {"user": truth.user_ids} | columns_of(values, lengths, names)
    order = None
    if {*_OF_CATALOGUE, _POOLED} & set(names):
        order = catalogue_order(model, truth, engine)
        columns |= {name: getattr(order, name) for name in _OF_CATALOGUE if name in names}
    if contents is not None:
        columns |= contents_of(contents, ranked, ties, lengths, names, engine)
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
        pooled_percentile_rank=(
            order.pooled_percentile_rank if order is not None and _POOLED in names else None
        ),
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
