"""Recommendations and similar items for many rows at once: blocked, by the kernels.

Never more than one block of scores per thread is held, so memory does not grow with users x items.
`alsolike.recommending.single` gives the same answers, byte for byte, for a single row without
Numba.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import FittedModel, HasFactors, Recommender, expect_model
from alsolike.progress import SILENT, Observer
from alsolike.recommending.fallback import (
    Lists,
    WithoutLikes,
    check_without_likes,
    left_out_pairs,
    shown,
)
from alsolike.recommending.ranking.exclusion import excluded_of
from alsolike.recommending.ranking.nearest import comparing
from alsolike.recommending.ranking.scan import (
    NotFiniteError,
    Plain,
    Products,
    Ranked,
    Scan,
    ScoreSource,
)
from alsolike.recommending.shared import (
    MIN_COUNT,
    Indices,
    checked_ids,
    checked_indices,
    checked_k,
    open_ids,
    open_items,
    tidy,
    user_rows,
)
from alsolike.recommending.similarity import cosines_of, similar_indices
from alsolike.suggestions import with_example
from alsolike.tables import Table

__all__ = [
    "Ranked",
    "cosines_of",
    "recommend",
    "shown_items",
    "similar",
    "similar_indices",
    "source_of",
    "top_items",
]


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

    Where a model has factors, scores are `alsolike.kernels.ranking.topk.dot` of the two rows of
    factors, so they do not depend on which other users are asked for, on threads or on the linear
    algebra library. For other models they are what ``model.scores`` gives for blocks of 240 users
    and 2,048 items; a score of -inf means that the item must not appear.

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
        Hears of each block of users done, perhaps from another thread.

    Returns
    -------
    Ranked

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
        raise bad.told(model, rows) from None


def source_of(model: Recommender, rows: Indices) -> ScoreSource:
    """Return the scores that `top_items` ranks these users' lists by."""
    if isinstance(model, HasFactors):
        return Products(rows, model.user_factors, model.item_factors, model.item_norms)
    return Plain(rows, model)


@with_example('al.recommend(model, ["u1"], k=10)')
def recommend(
    model: Recommender,
    users: str | Sequence[str] | None = None,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
    without_likes: WithoutLikes = "popular",
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Recommend items to users, ids in and ids out.

    The score of a model with factors is a predicted preference: the model aims at 1 for what a user
    likes and at 0 for the rest, and how near it comes depends on its settings. It may be above 1
    or below 0 and is no probability; compare scores of one user and one model only. Other models
    have scales of their own.

    Parameters
    ----------
    model : Recommender
    users : str, sequence of str, or None
        Ids of users; None: all of them.
    k : int
        Items per user: exactly so many, or all that may appear where they are fewer.
    exclude_seen : bool
        Leave out the items of a user's own training interactions, which the model must have
        with it.
    allow, deny : iterable of str, or None
        Ids or names of the only items that may appear; of items that may not.
    without_likes : {"popular", "empty"}
        What a user gets of whom the model knows nothing: without a value above zero in the training
        data, with factors that are all zeros, or with the same score for every item. The most liked
        items that the user has not got and did not dislike; or no rows at all.
    engine, observer
        As in `top_items`.

    Returns
    -------
    Table
        Columns ``user``, ``rank`` (from 1), ``item``, ``name`` where names are known, ``score`` and
        ``basis``: how the item was found. ``"model"``: by the score that the model gives the pair.
        ``"popularity"``: since many like it, and the score is how many do. The two kinds of scores
        are not to be compared.

    Raises
    ------
    UnknownId
        A user or an item is not in the model.
    SettingError
        `exclude_seen` without a history in the model, or `k` below 1.

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
    rows = user_rows(users, model.users)
    lists = shown_items(
        model,
        rows,
        k=k,
        exclude_seen=exclude_seen,
        among=open_ids(model, allow, deny),
        without_likes=without_likes,
        engine=engine,
        observer=observer,
    )
    user_ids = model.users.ids_of(rows)
    return tidy(model, ("user", user_ids), "item", lists.indices, lists.scores, lists.bases)


def shown_items(
    model: Recommender,
    rows: Indices,
    *,
    k: int,
    exclude_seen: bool,
    among: tuple[Indices | None, Indices | None] = (None, None),
    without_likes: WithoutLikes = "popular",
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Lists:
    """Return the lists of `recommend` by rows of users; `among` is what is allowed and denied."""
    allowed, denied = among
    ranked = top_items(
        model,
        rows,
        k=min(checked_k(k), max(len(model.items), 1)),
        exclude=left_out_pairs(model, exclude_seen=exclude_seen),
        allow=allowed,
        deny=denied,
        engine=engine,
        observer=observer,
    )
    return shown(
        model,
        rows,
        (ranked.indices, ranked.scores),
        open_items(len(model.items), allowed, denied),
        exclude_seen=exclude_seen,
        without_likes=without_likes,
    )


@with_example('al.similar(model, ["i1"], k=10)')
def similar(
    model: FittedModel,
    items: str | Sequence[str] | None = None,
    *,
    k: int = 10,
    include_self: bool = False,
    min_count: int = MIN_COUNT,
    engine: Engine | None = None,
    observer: Observer = SILENT,
) -> Table:
    """Find the items most similar to items.

    What a score means depends on the model. With factors, as of ALS: the cosine of the two rows.
    Of item-knn: the similarity that it was fitted with, among the neighbours that it keeps. Of
    EASE: what a like of the item adds to the score of the other. Of popularity: how many like the
    other; of chance, nothing. Compare scores of one item and one model only.

    Parameters
    ----------
    model : FittedModel
        One with factors, or an `alsolike.models.base.ItemScorer`.
    items : str, sequence of str, or None
        Ids or names of items; None: all of them.
    k : int
        Neighbours per item: exactly so many, or all that there are where they are fewer. An item
        without factors has none, and no rows here.
    include_self : bool
        Whether the item itself comes first, with score 1, as one of the `k`; of models with
        factors alone.
    min_count : int
        Neighbours have at least so many interactions in the training data. The cosine ignores
        the length of a row of factors, which is what tells much evidence from little: an item of
        one listener points exactly where that listener points, and so is as "similar" as can be
        to the listener's other rarities. Hence 2 at the least; 5 and more where the data were not
        filtered.
    engine, observer
        As in `top_items`.

    Returns
    -------
    Table
        Columns ``item``, ``rank`` (from 1), ``similar_item``, ``name`` (of the similar item)
        where names are known, ``score``: in [-1, 1] where it is a cosine.

    Raises
    ------
    UnknownId
        An item is neither an id nor exactly one item's name.
    SettingError
        The model compares no items, or `include_self` of one without factors.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als.train import ALSConfig, fit
    >>> likes = Interactions.from_columns(
    ...     ["u1", "u1", "u2", "u2", "u3", "u3"], ["a", "b", "a", "b", "c", "d"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> similar(model, "a", k=1)["similar_item"].tolist()
    ['b']
    """
    scorer = comparing(model, "compare items")
    rows = _item_rows(model, items)
    ranked = similar_indices(
        scorer,
        rows,
        k=min(checked_k(k), max(len(model.items), 1)),
        include_self=include_self,
        min_count=min_count,
        engine=engine,
        observer=observer,
    )
    item_ids = model.items.ids_of(rows)
    return tidy(model, ("item", item_ids), "similar_item", ranked.indices, ranked.scores)


def nothing_similar(model: FittedModel) -> Table:
    """Return the table of `similar` without rows, of a model that compares no items."""
    nowhere = np.empty((0, 1), dtype=np.int32)
    nobody = ("item", np.empty(0, dtype=object))
    return tidy(model, nobody, "similar_item", nowhere, nowhere.astype(np.float32))


def _item_rows(model: FittedModel, items: str | Sequence[str] | None) -> Indices:
    if items is None:
        return np.arange(len(model.items), dtype=np.int32)
    wanted = checked_ids(items, "item")
    return np.array([model.item_index(item) for item in wanted], dtype=np.int32)
