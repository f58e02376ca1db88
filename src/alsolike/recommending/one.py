"""One row at a time, in plain NumPy: what a web server answers with.

Numba is not imported, so that a server starts at once. `recommend_one` and `similar_to` give the
very bytes of `alsolike.recommending.many`: a float32 product only narrows the items down to those
that can be among the best, and these are scored by the one defined sum of `kernels.topk.dot`.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, SettingError
from alsolike.hints import with_example
from alsolike.models.base import Basis, Floats
from alsolike.models.equations import UserEquations, checked_values
from alsolike.models.factor_model import FactorModel, with_factors
from alsolike.recommending.answers import (
    MIN_COUNT,
    Indices,
    Mask,
    checked_ids,
    checked_k,
    known_items,
    lifts_of,
    open_ids,
    open_items,
    product_margin,
    row_lengths,
    seen_by,
    tidy,
    with_direction,
)
from alsolike.recommending.fallback import (
    WithoutLikes,
    all_alike,
    by_popularity,
    check_without_likes,
    shown,
)
from alsolike.recommending.nearest import Neighbours, dots, narrowed
from alsolike.tables import Table


def recommend_one(
    model: FactorModel,
    user: str,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    without_likes: WithoutLikes = "popular",
) -> Table:
    """Recommend items to one user; the same table as ``recommend(model, user)``.

    What a score means, and what not, is said in `alsolike.recommending.many.recommend`.

    Parameters
    ----------
    model : FactorModel
    user : str
        Id of the user.
    k, exclude_seen, allow, deny, without_likes
        As in `alsolike.recommending.many.recommend`.

    Returns
    -------
    Table
        Columns ``user``, ``rank``, ``item``, ``name`` where names are known, ``score``, ``basis``.

    Raises
    ------
    UnknownId
        The user or an item is not in the model.
    SettingError
        `exclude_seen` without a history in the model, or `k` below 1.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als import ALSConfig, fit
    >>> likes = Interactions.from_columns(
    ...     ["u1", "u1", "u2", "u2", "u2", "u3"], ["a", "b", "a", "b", "c", "d"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> recommend_one(model, "u1", k=1)["item"].tolist()
    ['c']
    """
    with_factors(model, "recommend to one user")
    check_without_likes(without_likes)
    (user,) = checked_ids(user, "user")
    row = model.users.index_of(user)
    among = open_items(len(model.items), *open_ids(model, allow, deny))
    may_appear = among.copy()
    if exclude_seen:
        seen = seen_by(model)
        may_appear[seen.indices[seen.indptr[row] : seen.indptr[row + 1]]] = False
    length = min(checked_k(k), max(len(model.items), 1))
    ranked = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
    if model.user_factors[row].any():  # else everything ties
        ranked = best_items(model, model.user_factors[row], may_appear, length, f"user {user!r}")
    lists = shown(
        model,
        np.array([row], dtype=np.int32),
        padded(ranked, length),
        among,
        exclude_seen=exclude_seen,
        without_likes=without_likes,
    )
    asked = ("user", model.users.ids_of([row]))
    return tidy(model, asked, "item", lists.indices, lists.scores, lists.bases)


@with_example('al.recommend_for_likes(model, {"i1": 1, "i2": 1}, k=10)')
def recommend_for_likes(
    model: FactorModel,
    likes: Mapping[str, float],
    *,
    k: int = 10,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    without_likes: WithoutLikes = "popular",
) -> Table:
    """Recommend items to somebody whom the model has never seen.

    What a score means, and what not, is said in `alsolike.recommending.many.recommend`.

    Parameters
    ----------
    model : FactorModel
    likes : mapping of str to float
        Ids or names of items, with the value of each as in the training data (1 for a like, a
        count; below zero for a dislike). They are left out of the answer.
    k, allow, deny, without_likes
        As in `alsolike.recommending.many.recommend`: without a value above zero in `likes`, the
        answer is the most liked items, or nothing.

    Returns
    -------
    Table
        Columns ``rank``, ``item``, ``name`` where names are known, ``score``, ``basis``.

    Raises
    ------
    UnknownId
        A liked item is neither an id nor exactly one item's name.
    SettingError
        A value is zero or not finite, an item is given twice, or `k` is below 1.
    """
    with_factors(model, "recommend for likes")
    if not isinstance(likes, Mapping):
        raise SettingError(
            f"likes give each item a value, such as {{'an item': 1}}; they are {likes!r}."
        )
    check_without_likes(without_likes)
    items, values = known_items(model, list(likes)), list(likes.values())
    may_appear = open_items(len(model.items), *open_ids(model, allow, deny))
    may_appear[items] = False
    indices, scores, basis = best_for(model, items, values, may_appear, k, without_likes)
    bases = np.full((1, len(indices)), basis, dtype=object)
    return tidy(model, None, "item", indices[None], scores[None], bases)


def best_for(
    model: FactorModel,
    items: Indices,
    values: Sequence[float],
    may_appear: Mask,
    k: int,
    without_likes: WithoutLikes = "popular",
) -> tuple[Indices, Floats, Basis]:
    """Return what is listed for items (rows) and their values, and how it was found.

    Parameters
    ----------
    model : FactorModel
    items, values
        As `fold_in_user` takes them.
    may_appear : bool, (n_items,)
    k : int
        At most so many, at least 1.
    without_likes : {"popular", "empty"}
        As in `recommend_for_likes`. What has a value below zero is not listed by popularity.
    """
    length, amounts = checked_k(k), checked_values(values, len(items))
    if (amounts > 0).any():
        vector = fold_in_user(model, items, amounts)
        if not all_alike(model, vector[None])[0]:
            return *best_items(model, vector, may_appear, length, "this row of likes"), "model"
    if without_likes == "empty":
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32), "popularity"
    return *by_popularity(model, length, may_appear, items[amounts < 0]), "popularity"


def similar_to(
    model: FactorModel,
    item: str,
    *,
    k: int = 10,
    include_self: bool = False,
    min_count: int = MIN_COUNT,
) -> Table:
    """Find the items most similar to one item; the same table as ``similar(model, item)``.

    Parameters
    ----------
    model : FactorModel
    item : str
        Id or name of the item.
    k, include_self, min_count
        As in `alsolike.recommending.many.similar`.

    Returns
    -------
    Table
        Columns ``item``, ``rank``, ``similar_item``, ``name`` where names are known, ``score``.

    Raises
    ------
    UnknownId
        The item is neither an id nor exactly one item's name.
    """
    length = checked_k(k)
    with_factors(model, "compare items")
    (row,) = known_items(model, [item])
    indices, scores = Neighbours(model).similar(row, length, min_count=min_count)
    if include_self and with_direction(model)[row]:
        indices = np.concatenate(([row], indices[: length - 1])).astype(np.int32)
        scores = np.concatenate(([1.0], scores[: length - 1])).astype(np.float32)
    asked = ("item", model.items.ids_of([row]))
    return tidy(model, asked, "similar_item", indices[None], scores[None])


def fold_in_user(
    model: FactorModel,
    items: Sequence[str] | Indices,
    values: npt.ArrayLike | None = None,
) -> Floats:
    """Return the factors of a user on whom the model was not trained.

    Parameters
    ----------
    model : FactorModel
    items : sequence of str (ids or names), or int32, (n,) (rows)
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
    rows = known_items(model, items)
    if values is None:
        values = np.ones(len(rows))
    return UserEquations.of(model, rows, values).factors.astype(np.float32)


def padded(ranked: tuple[Indices, Floats], k: int) -> tuple[Indices, Floats]:
    """Return one list as `Ranked` holds it, (1, k)."""
    items, scores = ranked
    indices, padding = np.full((1, k), -1, dtype=np.int32), np.full((1, k), -np.inf, np.float32)
    indices[0, : len(items)], padding[0, : len(items)] = items, scores
    return indices, padding


def best_items(
    model: FactorModel, vector: Floats, may_appear: Mask, k: int, who: str
) -> tuple[Indices, Floats]:
    """Return the best items for one row of user factors, and their scores.

    Parameters
    ----------
    model : FactorModel
    vector : float32, (factors,)
    may_appear : bool, (n_items,)
    k : int
        At most so many, at least 1.
    who : str
        Whose factors they are, for messages.

    Returns
    -------
    int32 and float32, (n,)
        Best first; of equal ones the lower row.

    Raises
    ------
    FitError
        A score is not finite.
    """
    near = model.item_factors @ vector
    bad = np.flatnonzero(may_appear & ~(near < np.inf))
    if len(bad):
        raise FitError(
            f"Model {model.name!r} scores item {model.items.id_of(int(bad[0]))!r} for {who} as "
            f"{near[bad[0]]}; every score must be finite. Fit it anew with more regularization, "
            "or a smaller alpha."
        )
    longest = np.float64(model.item_norms.max(initial=0.0))
    raised, lift = int(lifts_of(longest)), int(lifts_of(row_lengths(vector)))
    factors = np.ldexp(model.item_factors, raised) if raised else model.item_factors
    vector = np.ldexp(vector, lift)
    near = factors @ vector if raised or lift else near
    margin = product_margin(row_lengths(vector), np.ldexp(longest, raised), model.factors)

    def scores(items: Indices) -> Floats:
        return dots(factors[items], vector)

    near = np.where(may_appear, near, np.float32(-np.inf))
    items, found = narrowed(near, checked_k(k), float(margin), scores)
    return items, np.ldexp(found, -(raised + lift))
