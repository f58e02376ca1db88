"""Definitions of ranking metrics in other libraries, with their sources.

Notation
--------
Per user: k is the requested length, n the number of items in the list (at most k), m that of
relevant items, h that of hits; s is the sum, over the places of the hits, of the precision there;
dcg is the sum, over the same places, of 1 / log2(place + 1). Places count from 1. Means are over
users with a relevant item unless all users are named.

`DEFINITIONS` is the table. Ours are means over all orders of equal scores; all others but LightFM
take a list in its order. A row without `differs` equals ours on every other input. The values are
derived from the measures of the kernels. References are the files of `SOURCES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.evaluation.metrics.definition_inputs import DefinitionInputs

Values = npt.NDArray[np.float64]

SOURCES = {
    "alsolike": "alsolike/kernels/ranking/metrics.py; catalogue_order.py (AUC)",
    "implicit": "implicit 0.7.3, implicit/evaluation.pyx",
    "irspack": "irspack 0.5.2, cpp_source/evaluator.cpp",
    "LightFM": "LightFM 1.17, lightfm/_lightfm_fast.pyx.template, lines 1301-1319 (ranks) and "
    "1341-1376 (AUC); lightfm/evaluation.py",
    "RecBole": "RecBole 1.2.1, recbole/evaluator/metrics.py",
    "Spark": "Spark at commit 075aa42ee010, "
    "mllib/src/main/scala/org/apache/spark/mllib/evaluation/RankingMetrics.scala",
}


@dataclass(frozen=True)
class Definition:
    """One metric as defined by one library.

    Parameters
    ----------
    library, metric : str
        The library, and our metric to compare it with; ``@k`` follows where it stops at k.
    called : str
        The library's name for it.
    formula : str
        In the notation at the head of this file.
    where : str
        The lines of the file of `SOURCES`, or its function.
    value : callable
        From `DefinitionInputs` to the value, or None if the library has no number for these or the
        scores are unknown.
    differs : str
        In words, how it differs from ours.
    """

    library: str
    metric: str
    called: str
    formula: str
    where: str
    value: Callable[[DefinitionInputs], float | None]
    differs: str = ""

    @property
    def our_metric(self) -> str:
        """Our metric to compare it with, without ``@k``."""
        return self.metric.removesuffix("@k")


def _mean_over_orders(name: str) -> Callable[[DefinitionInputs], float]:
    return lambda found: float(found.ours[name].mean())


def _mean_of(name: str) -> Callable[[DefinitionInputs], float]:
    return lambda found: float(found.listed_as[name].mean())


def _over_all_users(name: str) -> Callable[[DefinitionInputs], float]:
    def value(found: DefinitionInputs) -> float:
        return _with_zeros(found.listed_as[name], found)

    return value


def _with_zeros(values: Values, found: DefinitionInputs) -> float:
    return float(values.sum() / (len(values) + found.without_relevant))


def _pooled_precision(found: DefinitionInputs) -> float:
    return float(found.hit.sum() / np.minimum(found.k, found.relevant).sum())


def _precision_of_list(found: DefinitionInputs) -> float:
    # An empty list adds 0: it has no hit.
    return float((found.listed_as["hits"] / np.maximum(found.listed, 1)).mean())


def _safe_precision(found: DefinitionInputs) -> float:
    return float((found.safe_hits / found.k).mean())


def _safe_recall(found: DefinitionInputs) -> float:
    return float((found.safe_hits / found.relevant).mean())


def _recall_capped_by_list(found: DefinitionInputs) -> float:
    most = np.minimum(found.listed, found.relevant)
    return float((found.listed_as["hits"] / np.maximum(most, 1)).mean())


def _ndcg_of_list(found: DefinitionInputs) -> float:
    ideal = np.concatenate(([0.0], np.cumsum(1 / np.log2(np.arange(found.k) + 2.0))))
    ours = ideal[np.minimum(found.k, found.relevant)]
    theirs = ideal[np.minimum(found.listed, found.relevant)]
    return float((found.listed_as["ndcg"] * ours / np.where(theirs > 0, theirs, 1)).mean())


def _over_relevant(found: DefinitionInputs) -> Values:
    return found.listed_as["map"] * np.minimum(found.k, found.relevant) / found.relevant


def _map_over_relevant(found: DefinitionInputs) -> float:
    return float(_over_relevant(found).mean())


def _map_over_relevant_of_all(found: DefinitionInputs) -> float:
    return _with_zeros(_over_relevant(found), found)


def _auc_from_list(found: DefinitionInputs) -> float | None:
    relevant, misses_at_all = found.relevant, found.n_items - found.relevant
    if not misses_at_all.all():
        return None
    hit = found.hit
    # implicit continues lists with excluded items, so an empty place is a miss while any is left.
    miss = ~hit & (np.cumsum(~hit, axis=1) <= misses_at_all[:, None])
    inside = (np.cumsum(hit, axis=1) * miss).sum(axis=1)
    beyond = (hit.sum(axis=1) + relevant) / 2 * (misses_at_all - miss.sum(axis=1))
    return float(((inside + beyond) / (relevant * misses_at_all)).mean())


def _auc(found: DefinitionInputs) -> float | None:
    return None if found.whole is None else float(found.whole.auc.mean())


def _auc_of_worst_places(found: DefinitionInputs) -> float | None:
    if found.whole is None or not found.whole.others.all():
        return None
    return float(found.whole.lightfm_auc.mean())


def _reciprocal_of_worst_places(found: DefinitionInputs) -> float | None:
    return None if found.whole is None else float(found.whole.lightfm_reciprocal.mean())


def _auc_by_relevant(found: DefinitionInputs) -> float | None:
    if found.whole is None or not found.whole.others.any():
        return None
    counted = found.whole.others > 0
    weights = found.relevant[counted]
    return float((found.whole.auc[counted] * weights).sum() / weights.sum())


_ALL_USERS = (
    "Users without a relevant item count as 0 in the mean if they are passed in; all other "
    "libraries leave them out."
)
_WORST_PLACE = (
    "Ranks an item behind all others with the same score, so that nothing in a tie that extends "
    "beyond place k counts; ours takes the mean over all orders."
)

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "alsolike", "precision@k", "precision", "mean of h / k", "measure_lists",
        _mean_over_orders("precision"),
    ),
    Definition(
        "implicit", "precision@k", "ranking_metrics_at_k: precision",
        "sum of h / sum of min(k, m)", "lines 444, 455, 471", _pooled_precision,
        "One ratio over all users, not a mean per user: users with more relevant items weigh more. "
        "It divides by min(k, m), not k, so that 1 can be reached; this is closer to a recall.",
    ),
    Definition(
        "irspack", "precision@k", "precision", "mean of h / n",
        "lines 131, 157, 350-351", _precision_of_list,
        "Divides by the number of items in the list, not by k: a short list is not penalized.",
    ),
    Definition(
        "LightFM", "precision@k", "precision_at_k", "mean of h / k, ties last",
        "lines 80-85", _safe_precision, _WORST_PLACE,
    ),
    Definition(
        "RecBole", "precision@k", "Precision", "mean of h / k", "lines 226-227",
        _mean_of("precision"),
    ),
    Definition(
        "Spark", "precision@k", "precisionAt", "mean over all users of h / k",
        "lines 66-72, 248-263", _over_all_users("precision"), _ALL_USERS,
    ),
    Definition("alsolike", "recall@k", "recall", "mean of h / m", "measure_lists",
        _mean_over_orders("recall"),
    ),
    Definition(
        "irspack", "recall@k", "recall", "mean of h / m", "lines 158-163", _mean_of("recall"),
    ),
    Definition(
        "LightFM", "recall@k", "recall_at_k", "mean of h / m, ties last",
        "lines 157-166", _safe_recall, _WORST_PLACE,
    ),
    Definition(
        "RecBole", "recall@k", "Recall", "mean of h / m", "lines 159-160", _mean_of("recall"),
    ),
    Definition(
        "Spark", "recall@k", "recallAt", "mean over all users of h / m",
        "lines 224-230, 248-263", _over_all_users("recall"), _ALL_USERS,
    ),
    Definition(
        "alsolike", "capped_recall@k", "capped_recall", "mean of h / min(k, m)",
        "measure_lists", _mean_over_orders("capped_recall"),
    ),
    Definition(
        "irspack", "capped_recall@k", "recall, with recall_with_cutoff=True",
        "mean of h / min(n, m)", "lines 158-163, 350-351", _recall_capped_by_list,
        "Capped by the number of items in the list, not by k: a short list is not penalized.",
    ),
    Definition(
        "alsolike", "hit_rate@k", "hit_rate", "share of users with h > 0", "measure_lists",
        _mean_over_orders("hit_rate"),
    ),
    Definition(
        "irspack", "hit_rate@k", "hit", "share of users with h > 0", "lines 154-156",
        _mean_of("hit_rate"),
    ),
    Definition(
        "RecBole", "hit_rate@k", "Hit", "share of users with h > 0", "lines 62-64",
        _mean_of("hit_rate"),
    ),
    Definition(
        "alsolike", "ndcg@k", "ndcg", "mean of dcg / dcg of min(k, m) hits", "ndcg",
        _mean_over_orders("ndcg"),
    ),
    Definition(
        "implicit", "ndcg@k", "ranking_metrics_at_k: ndcg", "mean of dcg / dcg of min(k, m) hits",
        "lines 408-409, 449, 458, 473", _mean_of("ndcg"),
    ),
    Definition(
        "irspack", "ndcg@k", "ndcg", "mean of dcg / dcg of min(n, m) hits",
        "lines 137-139, 148, 164, 350-351", _ndcg_of_list,
        "The ideal list is as long as the list, not k: a short list is not penalized.",
    ),
    Definition(
        "RecBole", "ndcg@k", "NDCG", "mean of dcg / dcg of min(k, m) hits", "lines 186-202",
        _mean_of("ndcg"),
    ),
    Definition(
        "Spark", "ndcg@k", "ndcgAt", "mean over all users of dcg / ideal", "lines 153-204",
        _over_all_users("ndcg"), _ALL_USERS,
    ),
    Definition(
        "alsolike", "map@k", "map", "mean of s / min(k, m)", "average_precision",
        _mean_over_orders("map"),
    ),
    Definition(
        "implicit", "map@k", "ranking_metrics_at_k: map", "mean of s / min(k, m)",
        "lines 457, 463, 472", _mean_of("map"),
    ),
    Definition(
        "irspack", "map@k", "map", "mean of s / m", "lines 141-150, 165", _map_over_relevant,
        "Divides by all relevant items: with more than k of them, 1 cannot be reached.",
    ),
    Definition(
        "RecBole", "map@k", "MAP", "mean of s / min(k, m)", "lines 126-136", _mean_of("map"),
    ),
    Definition(
        "Spark", "map@k", "meanAveragePrecisionAt", "mean over all users of s / min(k, m)",
        "lines 97-103, 115-133", _over_all_users("map"), _ALL_USERS,
    ),
    Definition(
        "Spark", "map", "meanAveragePrecision", "mean over all users of s / m",
        "lines 80-87, 115-133", _map_over_relevant_of_all,
        "Does not stop at k but uses the whole list passed in, here of k items, and divides by all "
        "relevant items. Users without one count as 0 in the mean.",
    ),
    Definition(
        "alsolike", "mrr@k", "mrr", "mean of 1 / place of the first hit", "reciprocal_rank",
        _mean_over_orders("mrr"),
    ),
    Definition(
        "LightFM", "mrr", "reciprocal_rank", "the same in the whole catalogue",
        "lines 320-325", _reciprocal_of_worst_places,
        "Does not stop at k: a first hit at place 50 adds 1 / 50, ours adds 0. Ranks an item "
        "behind all others with the same score.",
    ),
    Definition(
        "RecBole", "mrr@k", "MRR", "mean of 1 / place of the first hit", "lines 88-96",
        _mean_of("mrr"),
    ),
    Definition(
        "alsolike", "auc", "auc", "mean share of pairs in order", "measure_order", _auc,
    ),
    Definition(
        "implicit", "auc@k", "ranking_metrics_at_k: auc", "area in the list, a line to the end",
        "lines 450-451, 459-464, 474", _auc_from_list,
        "Uses only the list, and assumes that the relevant items outside it are spread evenly over "
        "the rest: a list without a hit has nearly 0.5. Excluded items count as not relevant. "
        "Fails with an error if all items are relevant for a user.",
    ),
    Definition(
        "LightFM", "auc", "auc_score", "mean share of pairs in order, ties 0",
        "lines 235-254",
        _auc_of_worst_places,
        "A pair of equal scores counts 0, not one half. Relevant items with equal scores count "
        "against each other: for a model that scores all items equally it is 0 or less. NaN if a "
        "user has no item left to compare with.",
    ),
    Definition(
        "RecBole", "auc", "GAUC", "sum of m * auc / sum of m",
        "lines 283-317", _auc_by_relevant,
        "Weighs users by their number of relevant items, and leaves out users who have no item "
        "left to compare with; ours counts them as one half. (Its AUC is something else: one curve "
        "over the labelled pairs of all users.)",
    ),
)  # fmt: skip
