"""Recommendations and similar items for many rows at once, in blocks, by the compiled kernels.

Each thread holds one block of scores, so memory does not grow with users x items. Results equal
those of `alsolike.recommending.single`, byte for byte.
"""

import functools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.vocabulary import Id
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import FittedModel, Floats
from alsolike.models.protocols import HasFactors, HasItemWeights, Recommender, expect_model
from alsolike.models.similarity.config import Affinity
from alsolike.progress import SILENT, Observer
from alsolike.recommending.affinities import similarity_with
from alsolike.recommending.features.answers import refuse_settings_of_likes, similar_by
from alsolike.recommending.features.aspects import By, check_by
from alsolike.recommending.features.comparing import WEIGHT
from alsolike.recommending.ranking.exclusion import excluded_of
from alsolike.recommending.ranking.nearest import expect_item_scorer
from alsolike.recommending.ranking.scan import (
    NotFiniteError,
    Plain,
    Products,
    Ranked,
    Scan,
    ScoreSource,
)
from alsolike.recommending.ranking.single_row import ranked_for_user
from alsolike.recommending.ranking.weight_sums import WeightSums
from alsolike.recommending.rules.rules import Allowed, Rules, allowed_neighbours, allowed_of
from alsolike.recommending.shared import (
    MIN_COUNT,
    Indices,
    Mask,
    checked_ids,
    checked_indices,
    checked_k,
    lists_table,
    open_items,
)
from alsolike.recommending.similarity import similar_indices
from alsolike.recommending.unknown.fallback import (
    Fallback,
    Lists,
    WithoutLikes,
    check_without_likes,
    fill_lists,
    left_out_pairs,
)
from alsolike.recommending.unknown.unseen_users import asked_users, with_fallback, with_unknown
from alsolike.tables import Table
from alsolike.usage_hints import with_example


def top_items(
    model: Recommender,
    user_indices: npt.ArrayLike,
    *,
    k: int,
    exclude: sp.csr_array | None = None,
    allow: npt.ArrayLike | None = None,
    deny: npt.ArrayLike | None = None,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Ranked:
    """Rank the best items of users given by their rows.

    For models with factors, scores are `alsolike.kernels.ranking.topk.dot` of the two rows of
    factors, so they do not depend on other users, threads or the linear algebra library; for models
    with item weights, sums in the order of the user's likes. For other models they are
    ``model.scores`` of blocks of 240 users and 2,048 items; an item with a score of -inf is not
    listed.

    Parameters
    ----------
    model : Recommender
    user_indices : int, (n_rows,)
        Rows of users; they may repeat.
    k : int
        Length of each list, at least 1.
    exclude : scipy.sparse.csr_array, (n_users, n_items), or None
        Stored pairs, whatever their value, do not appear.
    allow, deny : int, (any,), or None
        The only items that may appear; items that may not.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer
        Notified of each block of users, perhaps from another thread.

    Raises
    ------
    DataError
        An index is out of range, or `exclude` has another shape than the model.
    FitError
        A score is NaN or infinite.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u3"], ["a", "b", "b", "c"])
    >>> top_items(fit_popularity(likes), [0, 1], k=2, exclude=likes.user_items).indices
    array([[ 2, -1],
           [ 0,  2]], dtype=int32)
    """
    n_users, n_items = len(model.users), len(model.items)
    rows = checked_indices(user_indices, n_users, kind="user")
    starts, ends, taken = excluded_of(exclude, rows, (n_users, n_items))
    source = source_of(model, rows)
    scan = Scan(source, open_items(n_items, allow, deny), taken, starts, ends, checked_k(k))
    try:
        return scan.run(engine or LocalEngine(), observer, "Ranking items")
    except NotFiniteError as bad:
        raise bad.as_fit_error(model, rows) from None


def source_of(model: Recommender, rows: Indices) -> ScoreSource:
    """Return the scores that `top_items` ranks these users' lists by."""
    if isinstance(model, HasFactors):
        return Products(rows, model.user_factors, model.item_factors, model.item_norms)
    if isinstance(model, HasItemWeights):
        return WeightSums(rows, model)
    return Plain(rows, model)


@with_example('al.recommend(model, ["u1"], k=10)')
def recommend(
    model: Recommender,
    users: Id | Sequence[Id] | None = None,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
    without_likes: WithoutLikes = "popular",
    fallback: Fallback = "error",
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Recommend items to users, ids in and ids out.

    The score of a model with factors is a predicted preference: the target is 1 for liked items and
    0 for the rest. It may be above 1 or below 0 and is not a probability; compare only scores of
    the same user and model. Other models have their own scale.

    Parameters
    ----------
    model : Recommender
    users : str, int, sequence of them, or None
        Ids of users; None: all of them.
    k : int
        Items per user, or all that may appear if they are fewer.
    exclude_seen : bool
        Leave out a user's training items; the model must have its history.
    allow, deny : iterable of str or int, or None
        Ids or names of the only items that may appear; of items that may not.
    rules : Rules or None
        Rules by columns of the item table. A list is shorter than `k` only if they allow no more.
    without_likes : {"popular", "empty"}
        List for users about whom the model knows nothing (without a value above zero in the
        training data, with factors that are all zero, or with the same score for every item): the
        most liked items, without seen and disliked ones, or no rows.
    fallback : {"error", "popular", "none"}
        For users who are not in the model: raise UnknownId, list the most liked items, or give no
        rows. With the latter two, the table has a last column ``fallback``: ``"popular"`` in the
        rows of such users, else None. For their likes, see `alsolike.recommend_to_new`.
    engine, observer
        As in `top_items`.

    Returns
    -------
    Table
        Columns ``user``, ``rank`` (from 1), ``item``, ``name`` if names are known, ``score`` and
        ``basis``: ``"model"``, with the model's score, or ``"popularity"``, with the number of
        likes as score. Do not compare the two kinds of scores.

    Raises
    ------
    UnknownId
        A user or an item is not in the model. With another `fallback` than "error": an item, or an
        id that can be no user's, such as ``"x"`` where ids are whole numbers.
    SettingError
        `exclude_seen` for a model without its history, `k` below 1, or a rule asks for a column or
        value that is not there.
    Unable
        ``fallback="popular"``, and the model has no counts of likes.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.baselines.popularity import fit_popularity
    >>> likes = Interactions.from_columns(["u1", "u1", "u2", "u3"], ["a", "b", "b", "c"])
    >>> print(recommend(fit_popularity(likes), ["u1", "u2"], k=2))
    +------+------+------+-------+------------+
    | user | rank | item | score | basis      |
    +------+------+------+-------+------------+
    | u1   |    1 | c    |     1 | popularity |
    | u2   |    1 | a    |     1 | popularity |
    | u2   |    2 | c    |     1 | popularity |
    +------+------+------+-------+------------+
    """
    expect_model(model, "recommend")
    check_without_likes(without_likes)
    allowed = allowed_of(model, rules, allow, deny)
    rows, user_ids, is_known = asked_users(model, users, fallback)
    lists = shown_items(
        model,
        rows,
        k=k,
        exclude_seen=exclude_seen,
        allowed=allowed,
        without_likes=without_likes,
        engine=engine,
        observer=observer,
    )
    if fallback != "error":
        lists = with_unknown(model, lists, is_known, allowed, fallback)
    owners = "user", user_ids
    table = lists_table(model, owners, "item", lists.indices, lists.scores, lists.bases)
    return table if fallback == "error" else with_fallback(table, lists, is_known, fallback)


def shown_items(
    model: Recommender,
    rows: Indices,
    *,
    k: int,
    exclude_seen: bool,
    allowed: Allowed | None = None,
    without_likes: WithoutLikes = "popular",
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Lists:
    """Return the lists of `recommend` by rows; without `allowed`, of all items."""
    length = min(checked_k(k), max(len(model.items), 1))
    exclude = left_out_pairs(model, exclude_seen=exclude_seen)
    allowed = allowed or allowed_of(model, None)
    may_appear, limits = allowed.may_appear, allowed.limits
    allow = None if may_appear.all() else np.flatnonzero(may_appear)
    rank = functools.partial(
        top_items, model, exclude=exclude, allow=allow, engine=engine, observer=observer
    )

    def many(part: Indices, n: int) -> tuple[Indices, Floats]:
        found = rank(rows[part], k=n)
        return found.indices, found.scores

    def one(place: int, among: Mask, n: int) -> tuple[Indices, Floats]:
        unseen = among.copy()
        if exclude is not None:
            own = slice(exclude.indptr[rows[place]], exclude.indptr[rows[place] + 1])
            unseen[exclude.indices[own]] = False
        return ranked_for_user(model, int(rows[place]), unseen, n)

    if limits is None:
        ranked = many(np.arange(len(rows), dtype=np.int32), length)
    else:
        ranked = limits.best_of_many(len(rows), length, may_appear, many, one)
    return fill_lists(
        model,
        rows,
        ranked,
        may_appear,
        exclude_seen=exclude_seen,
        without_likes=without_likes,
        limits=limits,
    )


@with_example('al.similar(model, ["i1"], k=10)')
def similar(
    model: FittedModel,
    items: Id | Sequence[Id] | None = None,
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
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Find the items most similar to items.

    Models with factors compare items by evidence: the share of an item's likers who also like the
    other, counted where many like the item, and predicted by the model where few do. Item-knn
    compares by the counts alone. Both have one dial, `popularity_bias`, from specific to popular
    items; scores not above 0 are not listed. Other models have scores of their own and no dial.
    For EASE: what a like of the item adds to the score of the other. For popularity: the likes of
    the other; for random, nothing. Compare only scores of the same item and model.

    Parameters
    ----------
    model : FittedModel
        One with factors, or an `alsolike.models.base.ItemScorer`.
    items : str, int, sequence of them, or None
        Ids or names of items; None: all of them.
    k : int
        Neighbours per item, or all with a score if they are fewer.
    affinity : {"evidence", "audience", "cosine", "dot", "counts"} or None
        ``"audience"``: the prediction alone. ``"cosine"`` and ``"dot"``: of the two items' factors.
        ``"counts"``: for item-knn. None: the model's own.
    popularity_bias : float or None
        From 0 (specific items: the share is divided by the root of the other's likes) to 1
        (popular items: the share as it is). For the cosine, 0 is the plain cosine. None: the
        model's own, 0.8 unless it was chosen.
    prior_strength : float or None
        For evidence: the prediction weighs as much as so many likers; above 0. None: the model's
        own.
    include_self : bool
        Put the item itself first, with score 1, as one of the `k`; only for the cosine with
        `popularity_bias` 0, since other scores of an item with itself mean nothing.
    min_count : int
        Least likes of a neighbour in the training data: what a single person likes says little
        about an item. Hence at least 2; use 5 or more for unfiltered data.
    rules : Rules or None
        As in `alsolike.recommend`; not together with `include_self`.
    by : str
        Compare items by ``"likes"``, all of the above; by ``"features"``, or a block of them, such
        as ``"images"``; or by several with commas: ``"likes,images"`` is the mean of both scores,
        each standardized, ``"both"`` that of likes and all features. But for likes alone, only `k`
        and `rules` go with it, and new items are listed, too. `weight`, from 0 to 1, is that of
        features beside likes.
    engine, observer
        As in `top_items`.

    Returns
    -------
    Table
        Columns ``item``, ``rank`` (from 1), ``similar_item``, ``name`` (of the similar item)
        if names are known, ``score``: a share at most 1 if the dial is at 1, else of no fixed
        scale.

    Raises
    ------
    UnknownId
        An item is neither an id nor exactly one item's name.
    Unable
        The model compares no items, a setting is given and it has no dial, or it knows no features.
    SettingError
        A setting is out of its range, the model does not have the affinity, `include_self` for
        another than the cosine, or a rule asks for a column or value that is not there.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als.train import fit
    >>> from alsolike.models.als.config import ALSConfig
    >>> likes = Interactions.from_columns(
    ...     ["u1", "u1", "u2", "u2", "u3", "u3"], ["a", "b", "a", "b", "c", "d"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> similar(model, "a", k=1)["similar_item"].tolist()
    ['b']
    >>> similar(model, "a", k=1, affinity="cosine", popularity_bias=0)["similar_item"].tolist()
    ['b']
    """
    if check_by(by) != "likes":
        refuse_settings_of_likes(by, affinity, popularity_bias, prior_strength, include_self)
        return similar_by(model, items, by, k=k, weight=weight, rules=rules)
    scorer = expect_item_scorer(model, "compare items")
    config = similarity_with(
        model,
        affinity=affinity,
        popularity_bias=popularity_bias,
        prior_strength=prior_strength,
    )
    allowed = allowed_neighbours(model, rules, include_self=include_self)
    rows = _item_rows(model, items)
    ranked = similar_indices(
        scorer,
        rows,
        k=min(checked_k(k), max(len(model.items), 1)),
        include_self=include_self,
        similarity=config,
        min_count=min_count,
        allowed=allowed,
        engine=engine,
        observer=observer,
    )
    item_ids = model.items.ids_of(rows)
    return lists_table(model, ("item", item_ids), "similar_item", ranked.indices, ranked.scores)


def _item_rows(model: FittedModel, items: Id | Sequence[Id] | None) -> Indices:
    if items is None:
        return np.arange(len(model.items), dtype=np.int32)
    wanted = checked_ids(items, model.items)
    return np.array([model.item_index(item) for item in wanted], dtype=np.int32)
