"""Recommendations and similar items for one row, in plain NumPy, for a web server.

Numba is not imported, so a server starts at once. Results equal those of
`alsolike.recommending.batch` byte for byte: a float32 product only selects the items that can be
among the best, which are then scored by the exact sum of `kernels.topk.dot`.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from alsolike.data.vocabulary import Id
from alsolike.errors import SettingError
from alsolike.models.als.normal_equations import checked_values
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import FoldsIn, FoldsInFactors, able, expect_model
from alsolike.models.similarity.config import Affinity
from alsolike.models.values import aged_by
from alsolike.recommending.affinities import similarity_with
from alsolike.recommending.features.answers import refuse_settings_of_likes, similar_by
from alsolike.recommending.features.aspects import By, check_by
from alsolike.recommending.features.comparing import WEIGHT
from alsolike.recommending.ranking.factor_single import best_items, has_factors
from alsolike.recommending.ranking.narrowing import best_of
from alsolike.recommending.ranking.nearest import Neighbours, expect_cosines
from alsolike.recommending.ranking.single_row import ranked_for_user, row_of_likes, scores_for_likes
from alsolike.recommending.rules.limits import Limits
from alsolike.recommending.rules.rules import Rules, allowed_neighbours, allowed_of
from alsolike.recommending.shared import (
    MIN_COUNT,
    Doubles,
    Indices,
    Mask,
    checked_ids,
    checked_k,
    known_items,
    list_table,
    padded,
    seen_by,
)
from alsolike.recommending.unknown.fallback import (
    RankedList,
    WithoutLikes,
    basis_of,
    check_without_likes,
    fill_list,
    fill_lists,
    is_settled,
    left_out_of,
)
from alsolike.recommending.unknown.unknown_users import all_alike, are_alike, is_by_popularity
from alsolike.tables import Table
from alsolike.usage_hints import with_example


def recommend_one(
    model: FittedModel,
    user: Id,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
    without_likes: WithoutLikes = "popular",
) -> Table:
    """Recommend items to one user; the same table as ``recommend(model, user)``.

    See `alsolike.recommending.batch.recommend` for the meaning of scores. They are the same to the
    byte, unless ``scores`` of a model without factors depend on the other users of a block.

    Parameters
    ----------
    model : FittedModel
    user : str or int
        Id of the user.
    k, exclude_seen, allow, deny, rules, without_likes
        As in `alsolike.recommending.batch.recommend`.

    Returns
    -------
    Table
        Columns ``user``, ``rank``, ``item``, ``name`` if names are known, ``score``, ``basis``.

    Raises
    ------
    UnknownId
        The user or an item is not in the model.
    SettingError
        `exclude_seen` for a model without its history, or `k` below 1.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> recommend_one(tiny_model(), "user 0", k=1)["item"].tolist()
    ['a3']
    """
    expect_model(model, "recommend to one user")
    (user,) = checked_ids(user, model.users)
    row = model.users.index_of(user)
    allowed = allowed_of(model, rules, allow, deny)
    found = recommend_row(
        model, row, allowed.may_appear, k,
        exclude_seen=exclude_seen, without_likes=without_likes, limits=allowed.limits,
    )  # fmt: skip
    owner = "user", model.users.ids_of([row])
    return list_table(model, owner, "item", found.rows, found.scores, found.bases)


def recommend_row(
    model: FittedModel,
    row: int,
    may_appear: Mask,
    k: int,
    *,
    exclude_seen: bool = True,
    without_likes: WithoutLikes = "popular",
    limits: Limits | None = None,
) -> RankedList:
    """Recommend items to a user (row), as `alsolike.recommending.batch.recommend` does.

    Parameters
    ----------
    model, row, k, exclude_seen, without_likes
        As in `recommend_one`, as are the errors.
    may_appear : bool, (n_items,)
        Items that may be listed, seen ones included.
    limits : Limits or None
        How many items of a kind may be listed.
    """
    check_without_likes(without_likes)
    length = min(checked_k(k), max(len(model.items), 1))
    unseen = may_appear.copy()
    if exclude_seen:
        seen_by(model)  # refuses a model without history
    if exclude_seen or not has_factors(model):
        unseen[left_out_of(model, row, exclude_seen=exclude_seen)] = False
    rank = functools.partial(ranked_for_user, model, row)
    ranked = rank(unseen, length) if limits is None else limits.best(length, unseen, rank)
    if is_settled(model, row, ranked, length):
        popular = np.full(length, is_by_popularity(model))
        return RankedList(*ranked, "popularity" if popular[0] else "model", popular)
    lists = fill_lists(
        model,
        np.array([row], dtype=np.int32),
        padded(ranked, length),
        may_appear,
        exclude_seen=exclude_seen,
        without_likes=without_likes,
        limits=limits,
    )
    here = 0, slice(int(np.count_nonzero(lists.indices >= 0)))
    rows, scores, popular = lists.indices[here], lists.scores[here], lists.popular[here]
    if not len(rows):
        return RankedList(rows, scores, basis_of(model, row), popular)
    return RankedList(rows, scores, "popularity" if popular[0] else "model", popular)


@with_example('al.recommend_for_likes(model, {"i1": 1, "i2": 1}, k=10)')
def recommend_for_likes(
    model: FittedModel,
    likes: Mapping[Id, float],
    *,
    k: int = 10,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
    without_likes: WithoutLikes = "popular",
) -> Table:
    """Recommend items to a new user, by likes; scores as in `alsolike.recommend`.

    Parameters
    ----------
    model : FittedModel
    likes : mapping of str or int to float
        Ids or names of items, with the value of each as in the training data (1 for a like, a
        count; below zero for a dislike). They are not recommended.
    k, allow, deny, rules, without_likes
        As in `alsolike.recommending.batch.recommend`: without a value above zero in `likes`, the
        result is the most liked items, or nothing.

    Returns
    -------
    Table
        Columns ``rank``, ``item``, ``name`` if names are known, ``score``, ``basis``.

    Raises
    ------
    UnknownId
        A liked item is neither an id nor exactly one item's name.
    SettingError
        A value is zero or not finite, an item is given twice, or `k` is below 1.
    """
    able(model, FoldsIn, "recommend for likes")
    if not isinstance(likes, Mapping):
        raise SettingError(
            f"likes must map items to values, such as {{'an item': 1}}, not {likes!r}."
        )
    check_without_likes(without_likes)
    items, values = known_items(model, list(likes)), list(likes.values())
    allowed = allowed_of(model, rules, allow, deny)
    allowed.may_appear[items] = False
    found = recommend_row_for_likes(
        model, items, values, allowed.may_appear, k, without_likes, limits=allowed.limits
    )
    return list_table(model, None, "item", found.rows, found.scores, found.bases)


def recommend_row_for_likes(
    model: FittedModel,
    items: Indices,
    values: Sequence[float],
    may_appear: Mask,
    k: int,
    without_likes: WithoutLikes = "popular",
    *,
    limits: Limits | None = None,
    ages: Doubles | None = None,
) -> RankedList:
    """Recommend items for likes, as `recommend_for_likes` does.

    Parameters
    ----------
    model, k, without_likes
        As in `recommend_for_likes`. Disliked items are not listed by popularity.
    items : int32, (n,)
        Rows of the liked items.
    values : sequence of float, (n,)
    may_appear : bool, (n_items,)
    limits : Limits or None
        How many items of a kind may be listed.
    ages : float64, (n,), or None
        Of the likes, in days; None: all are new.

    Raises
    ------
    SettingError, FitError
        As in `recommend_for_likes`.
    """
    length, amounts = checked_k(k), checked_values(values, len(items))
    able(model, FoldsIn, "recommend for likes")
    ranked, is_unknown = (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)), True
    disliked = items[amounts < 0]

    def rank(shown: Mask, n: int) -> tuple[Indices, Floats]:
        nonlocal is_unknown
        found, is_unknown = ranked_for_likes(model, items, amounts, shown, n, ages)
        return found

    if (amounts > 0).any():
        ranked = (
            rank(may_appear, length) if limits is None else limits.best(length, may_appear, rank)
        )
    return fill_list(
        model,
        ranked,
        length,
        may_appear,
        disliked,
        is_unknown=is_unknown,
        without_likes=without_likes,
        limits=limits,
    )


def similar_to(
    model: FittedModel,
    item: Id,
    *,
    k: int = 10,
    affinity: Affinity | None = None,
    popularity_bias: float | None = None,
    prior_strength: float | None = None,
    include_self: bool = False,
    min_count: int = MIN_COUNT,
    rules: Rules | None = None,
    by: By = "likes",
    weight: float = WEIGHT,
) -> Table:
    """Find the items most similar to one item; the same table as ``similar(model, item)``.

    Parameters
    ----------
    model : FittedModel
    item : str or int
        Id or name of the item.
    k, affinity, popularity_bias, prior_strength, include_self, min_count, rules, by, weight
        As in `alsolike.recommending.batch.similar`, as are further errors.

    Returns
    -------
    Table
        Columns ``item``, ``rank``, ``similar_item``, ``name`` if names are known, ``score``.

    Raises
    ------
    UnknownId
        The item is neither an id nor exactly one item's name.
    """
    length = checked_k(k)
    if check_by(by) != "likes":
        refuse_settings_of_likes(by, affinity, popularity_bias, prior_strength, include_self)
        return similar_by(model, item, by, k=k, weight=weight, rules=rules)
    config = similarity_with(
        model, affinity=affinity, popularity_bias=popularity_bias, prior_strength=prior_strength
    )
    neighbours = Neighbours(model, config)
    by_cosine = expect_cosines(model, config) if include_self else None
    allowed = allowed_neighbours(model, rules, include_self=include_self)
    (row,) = known_items(model, [item])
    indices, scores = neighbours.similar(
        row, length,
        min_count=min_count, may_appear=allowed.may_appear, limits=allowed.limits,
    )  # fmt: skip
    if by_cosine is not None and by_cosine.item_norms[row] > 0:
        indices = np.concatenate(([row], indices[: length - 1])).astype(np.int32)
        scores = np.concatenate(([1.0], scores[: length - 1])).astype(np.float32)
    return list_table(model, ("item", model.items.ids_of([row])), "similar_item", indices, scores)


def fold_in_user(
    model: FittedModel,
    items: Sequence[Id] | Indices,
    values: npt.ArrayLike | None = None,
) -> Floats:
    """Solve for the factors of a user who is not in the model.

    Parameters
    ----------
    model : FittedModel
    items : sequence of str or int (ids or names), or int32, (n,) (rows)
    values : float, (n,), or None
        d_ui of each item, as in the training data; None: 1 each.

    Returns
    -------
    float32, (factors,)

    Raises
    ------
    UnknownId, SettingError, FitError
        As in `recommend_for_likes`; FitError where the row's system is singular.

    References
    ----------
    Hu, Koren, Volinsky 2008, eq. 4, solved in float64.
    """
    folding: FoldsInFactors = able(model, FoldsInFactors, "fold in a user")
    rows = known_items(model, items)
    amounts = checked_values(np.ones(len(rows)) if values is None else values, len(rows))
    vector: Floats
    (vector,) = folding.folded_in(row_of_likes(rows, amounts, len(folding.items)))
    return vector


def ranked_for_likes(
    model: Any,
    items: Indices,
    values: Floats,
    may_appear: Mask,
    k: int,
    ages: Doubles | None = None,
) -> tuple[tuple[Indices, Floats], bool]:
    """Return the best items for likes, and whether the model scores all items equally."""
    owner = "this row of likes"
    if isinstance(model, FoldsInFactors):
        likes = row_of_likes(items, values, len(model.items))
        (vector,) = model.folded_in(likes, **aged_by(model, ages))
        if all_alike(model, vector[None])[0]:
            return (np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)), True
        return best_items(model, vector, may_appear, k, owner), False
    scores = scores_for_likes(model, items, values, ages)
    may_appear = may_appear.copy()
    may_appear[items[values < 0]] = False
    is_unknown = not is_by_popularity(model) and are_alike(scores)
    return best_of(model, scores, may_appear, k, owner), is_unknown
