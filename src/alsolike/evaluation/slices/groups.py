"""Metrics by length of users' histories and by popularity of items."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import relevant_counts
from alsolike.data.validation import check_whole
from alsolike.errors import DataError, SettingError
from alsolike.evaluation.metrics.result import Evaluation
from alsolike.evaluation.metrics.ties import Ties
from alsolike.evaluation.slices.concentration import likes_of
from alsolike.evaluation.statistics.intervals import Estimate, bootstrap_mean, seed_from
from alsolike.tables import Table
from alsolike.usage_hints import did_you_mean

Counts = npt.NDArray[np.int64]
Lists = npt.NDArray[np.int32]

POPULARITY_CLASSES = ("head", "middle", "tail", "never liked")

# Draws that are held at once, and what they draw: they fit into a shared cache.
_DRAWS_PER_BLOCK = 1 << 19


def by_history(
    found: Evaluation,
    shown: Interactions,
    metric: str,
    *,
    classes: int = 4,
    rng: np.random.Generator | int = 0,
    resamples: int = 2000,
) -> Table:
    """Return a metric by the length of the users' histories, with 95 % bootstrap intervals.

    Users are put into classes of about equal size by how many likes they have in `shown`. Users
    with equally many are in one class, so there may be fewer classes, see `quantile_tops`. No class
    is empty. The interval of a class with one user is that user's value.

    Parameters
    ----------
    found : Evaluation
        Of users of `shown`.
    shown : Interactions
        The training data with the given likes of users held out whole.
    metric : str
        One of ``found.metrics``, such as ``"precision@10"``.
    classes : int
        At most so many, at least 1.
    rng : numpy.random.Generator or int
        A source of one seed, or that seed.
    resamples : int
        At least 1.

    Returns
    -------
    Table
        Columns model, metric, history (the class in words), likes_from, likes_to, users, mean,
        low, high; shortest histories first.

    Raises
    ------
    SettingError
        A setting is out of its range, or `metric` has no value per user.
    DataError
        A user of `found` is not in `shown`.
    """
    check_whole("classes", classes, least=1)
    if metric not in found.metrics:
        raise SettingError(
            f"{metric!r} has no value per user here; these have: {', '.join(found.metrics)}."
            f"{did_you_mean(metric, found.metrics)}"
        )
    seed, values = seed_from(rng), found.per_user[metric]
    if found.user_indices.max(initial=-1) >= shown.n_users:
        raise DataError(
            f"The evaluation has a user in row {found.user_indices.max():,}; the interactions have "
            f"{shown.n_users:,} users. Take both from the same Split."
        )
    lengths = relevant_counts(shown)[found.user_indices]
    tops = quantile_tops(lengths, classes)
    class_of = np.searchsorted(tops, lengths)
    floors = np.concatenate(([lengths.min()], tops[:-1] + 1))
    rows = []
    for number, (floor, top) in enumerate(zip(floors.tolist(), tops.tolist(), strict=True)):
        own = values[class_of == number]
        draws = np.random.default_rng([seed, number])
        rows.append(
            {
                "model": found.model_name,
                "metric": metric,
                "history": _range(floor, top),
                "likes_from": floor,
                "likes_to": top,
                "users": len(own),
            }
            | _interval(bootstrap_mean(own, draws, resamples=resamples))
        )
    return Table.from_rows(rows)


def by_popularity(
    model_name: str,
    wanted: sp.csr_array,
    lists: Lists,
    shown: Interactions,
    *,
    ties: Ties | None = None,
    rng: np.random.Generator | int = 0,
    resamples: int = 2000,
) -> Table:
    """Return the share of the held-out likes that was found, by the popularity of their items.

    It is a ratio of sums over all users, not a mean of their recalls, since a user may have no
    held-out like in a class. For its interval, users with a pair in the class are drawn with all
    their pairs.

    Parameters
    ----------
    model_name : str
    wanted : CSR, (n_users, n_items)
        The held-out likes of the users measured.
    lists : int32, (n_users, k)
        Their recommendations; -1 where a list has ended.
    shown : Interactions
        Source of the likes to count.
    ties : Ties or None
        The ties that the lists end in: a like among them counts as the mean over all orders. None:
        the lists are used as they are.
    rng, resamples
        As in `by_history`.

    Returns
    -------
    Table
        Columns model, metric, popularity (one of `POPULARITY_CLASSES`), likes_from, likes_to (of
        one item), items, share_of_likes, pairs, users (with such a pair), mean, low, high (None
        without held-out pairs). A class without items has no row.

    Raises
    ------
    DataError
        `shown` has no like, or the shapes do not match.
    """
    seed, likes = seed_from(rng), likes_of(shown)
    n_users, n_items = wanted.shape
    if n_items != len(likes) or len(lists) != n_users:
        raise DataError(
            f"Held-out likes of {n_users:,} users and {n_items:,} items, {len(lists):,} lists, and "
            f"{len(likes):,} items with counts do not belong together."
        )
    class_of = popularity_classes(likes)
    users = np.repeat(np.arange(n_users), np.diff(wanted.indptr))
    is_found = _found(users, wanted.indices, lists, n_items)
    is_tied, chance = np.zeros_like(is_found), np.zeros(n_users)
    if ties is not None:
        is_tied, chance = ties.is_in, ties.share(lists.shape[1])
    metric, total = f"recall of pairs@{lists.shape[1]}", int(likes.sum())
    rows: list[dict[str, Any]] = []
    for number in np.unique(class_of).tolist():
        own, is_own = likes[class_of == number], class_of[wanted.indices] == number
        pairs = np.bincount(users[is_own], minlength=n_users)
        hits = np.bincount(users[is_own & is_tied], minlength=n_users) * chance
        hits += np.bincount(users[is_own & is_found & ~is_tied], minlength=n_users)
        owners = np.flatnonzero(pairs)
        figures: dict[str, Any] = dict.fromkeys(("mean", "low", "high"))
        if len(owners):
            draws = np.random.default_rng([seed, number])
            share = ratio_of_sums(hits[owners], pairs[owners], draws, resamples=resamples)
            figures = _interval(share)
        rows.append(
            {
                "model": model_name,
                "metric": metric,
                "popularity": POPULARITY_CLASSES[number],
                "likes_from": int(own.min()),
                "likes_to": int(own.max()),
                "items": len(own),
                "share_of_likes": int(own.sum()) / total,
                "pairs": int(pairs.sum()),
                "users": len(owners),
            }
            | figures
        )
    return Table.from_rows(rows)


def quantile_tops(lengths: Counts, classes: int) -> Counts:
    """Return the largest number of each class when numbers are cut into about equal classes.

    Equal numbers stay together: each quantile moves to the nearest gap between two numbers, or to
    an end.

    Parameters
    ----------
    lengths : int64, (n,), at least one
    classes : int
        At most so many, at least 1.

    Returns
    -------
    int64, (n_classes,)
        Ascending, each one of `lengths`, the last their maximum: no class is empty.

    Examples
    --------
    >>> quantile_tops(np.array([5, 5, 5, 6, 9, 12]), 3)
    array([ 5,  6, 12])
    >>> quantile_tops(np.array([1, 2, 50, 50, 50, 50, 50, 50, 50, 50]), 3)
    array([ 2, 50])
    """
    distinct, users = np.unique(lengths, return_counts=True)
    # Possible and wanted cuts, as users below them, all in whole numbers.
    partings = classes * np.concatenate(([0], np.cumsum(users)))
    wanted = len(lengths) * np.arange(1, classes)
    nearest = np.abs(partings - wanted[:, None]).argmin(axis=1)
    tops = distinct[nearest[nearest > 0] - 1]
    return np.unique(np.append(tops, distinct[-1]))


def popularity_classes(likes: Counts) -> npt.NDArray[np.int64]:
    """Return the place in `POPULARITY_CLASSES` of each item.

    From the most popular item down, items with the first third of all likes are the head, those
    with the second third the middle, the rest the tail; items without likes are a class of their
    own. Equally popular items are in one class, that of the first of them, so there is always a
    head, and there may be no middle or tail.

    Parameters
    ----------
    likes : int64, (n_items,)
        Of each item; not all 0.

    Examples
    --------
    >>> popularity_classes(np.array([9, 5, 4, 3, 3, 1, 1, 1, 0]))
    array([0, 1, 1, 2, 2, 2, 2, 2, 3])
    """
    distinct, place, items = np.unique(likes, return_inverse=True, return_counts=True)
    carried, total = distinct * items, int(likes.sum())
    # Likes of the items that are more popular.
    above = total - np.cumsum(carried)
    thirds = np.minimum(3 * above // max(total, 1), 2)
    return np.where(distinct == 0, 3, thirds)[place]


def ratio_of_sums(
    parts: npt.ArrayLike,
    wholes: npt.ArrayLike,
    rng: np.random.Generator,
    *,
    resamples: int = 2000,
    block: int = _DRAWS_PER_BLOCK,
) -> Estimate:
    """Estimate ``sum(parts) / sum(wholes)`` over users, with its 95 % bootstrap interval.

    As `alsolike.evaluation.statistics.intervals.bootstrap_mean`, drawing both numbers of each user.
    Users are sorted by these numbers, so their order does not matter.

    Parameters
    ----------
    parts : int64 or float64, (n,)
    wholes : int64, (n,)
        Each at least 1, so that no draw divides by 0.
    rng : numpy.random.Generator
    resamples : int
        At least 1.
    block : int
        Users drawn at once; it changes no draw.

    Returns
    -------
    Estimate
        If all users have the same ratio, the interval is that ratio.

    Raises
    ------
    DataError
        No users, or a whole below 1.

    Examples
    --------
    >>> ratio_of_sums([1, 2], [2, 4], np.random.default_rng(0))
    Estimate(mean=0.5, low=0.5, high=0.5, n=2)
    """
    check_whole("resamples", resamples, least=1)
    some, all_of = np.asarray(parts), np.asarray(wholes)
    n = len(all_of)
    is_number = some.dtype.kind in "iuf" and all_of.dtype.kind in "iu"
    if not n or not is_number or len(some) != n or all_of.min() < 1 or not np.isfinite(some).all():
        raise DataError(
            "A ratio of sums needs users who each have two numbers, the second a whole number of "
            "at least 1."
        )
    in_order = np.lexsort((all_of, some))
    some, all_of = some[in_order], all_of[in_order]
    ratios = np.empty(resamples)
    step = max(block // n, 1)
    for first in range(0, resamples, step):
        drawn = rng.integers(0, n, size=(min(step, resamples - first), n), dtype=np.int32)
        sums = some.take(drawn).sum(axis=1), all_of.take(drawn).sum(axis=1)
        ratios[first : first + len(drawn)] = sums[0] / sums[1]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Estimate(float(some.sum()) / int(all_of.sum()), float(low), float(high), n)


def _found(
    users: npt.NDArray[np.int64], items: npt.NDArray[Any], lists: Lists, n_items: int
) -> npt.NDArray[np.bool_]:
    """Return which pairs of a user and an item are in that user's list."""
    rows, places = np.nonzero(lists >= 0)
    listed = rows * n_items + lists[rows, places]
    return np.isin(users * n_items + items, listed)


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}


def _range(low: int, high: int) -> str:
    if low == high:
        return f"{low:,} like" if low == 1 else f"{low:,} likes"
    return f"{low:,} to {high:,} likes"
