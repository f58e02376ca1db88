"""Recommends to many people who are not in a model, by a table of their likes."""

import warnings
from collections.abc import Iterable

import numpy as np

from alsolike.data.interactions import Interactions
from alsolike.data.validation import expect_interactions
from alsolike.data.vocabulary import Id
from alsolike.engines.base import Engine
from alsolike.engines.local import LocalEngine
from alsolike.models.base import FittedModel
from alsolike.models.protocols import FoldsIn, able
from alsolike.progress import Observer
from alsolike.recommending.rules.rules import Rules, allowed_of
from alsolike.recommending.shared import checked_k, lists_table
from alsolike.recommending.single import recommend_row_for_likes
from alsolike.recommending.unknown.fallback import (
    Lists,
    RankedList,
    WithoutLikes,
    check_without_likes,
)
from alsolike.tables import Table
from alsolike.text import counted
from alsolike.usage_hints import with_example


@with_example("al.recommend_to_new(model, likes, k=10)")
def recommend_to_new(
    model: FittedModel,
    likes: Interactions,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[Id] | None = None,
    deny: Iterable[Id] | None = None,
    rules: Rules | None = None,
    without_likes: WithoutLikes = "popular",
    engine: Engine | None = None,
    observer: Observer | None = None,
) -> Table:
    """Recommend items to all users of a table of likes, by these likes alone.

    The users need not be in the model; each is folded in, as by `alsolike.recommend_for_likes`.
    What the model knows of a user of the same id does not count; `alsolike.joined` adds likes.

    Parameters
    ----------
    model : FittedModel
        One that folds in users.
    likes : Interactions
        Likes of items that the model does not know are left out, and `observer` is told how many;
        without one, this is a ``UserWarning``.
    k, allow, deny, rules
        As in `alsolike.recommend`.
    exclude_seen : bool
        Leave out the items that a user has in `likes`.
    without_likes : {"popular", "empty"}
        List for users without a value above zero of a known item: the most liked items, or no rows.
    engine : Engine or None
        None: all threads of this machine.
    observer : Observer or None

    Returns
    -------
    Table
        Columns ``user``, ``rank`` (from 1), ``item``, ``name`` if names are known, ``score`` and
        ``basis``, as of `alsolike.recommend`. Users are in the order of `likes`, their ids of its
        type.

    Raises
    ------
    Unable
        The model does not fold in users.
    DataError
        `likes` are no interactions.
    UnknownId, SettingError, FitError
        As of `alsolike.recommend_for_likes`.

    Examples
    --------
    >>> from alsolike.models.fit import fit
    >>> likes = Interactions.from_columns(["ann", "ann", "bob", "bob"], [7, 9, 7, 12])
    >>> model = fit(likes, family="item-knn")
    >>> new = Interactions.from_columns(["eve", "zoe"], [9, 12])
    >>> recommend_to_new(model, new, k=1)["item"].tolist()
    [7, 7]
    """
    able(model, FoldsIn, "recommend for likes")
    expect_interactions(likes, "likes")
    check_without_likes(without_likes)
    length = min(checked_k(k), max(len(model.items), 1))
    allowed = allowed_of(model, rules, allow, deny)
    matrix, places = likes.user_items, model.items.places_of(likes.items)
    if unknown := int(np.count_nonzero(places[matrix.indices] < 0)):
        _warn(
            f"{counted(unknown, 'like')} of items that the model does not know left out.", observer
        )

    def of_user(row: int) -> RankedList:
        stored = slice(matrix.indptr[row], matrix.indptr[row + 1])
        items, values = places[matrix.indices[stored]], matrix.data[stored]
        items, values = items[items >= 0].astype(np.int32), values[items >= 0]
        may_appear = allowed.may_appear.copy()
        if exclude_seen:
            may_appear[items] = False
        return recommend_row_for_likes(
            model, items, values.tolist(), may_appear, length, without_likes,
            limits=allowed.limits,
        )  # fmt: skip

    found = (engine or LocalEngine()).each(of_user, range(likes.n_users))
    lists = _joined(found, length)
    owners = "user", likes.users.ids_of(np.arange(likes.n_users))
    return lists_table(model, owners, "item", lists.indices, lists.scores, lists.bases)


def _joined(found: list[RankedList], length: int) -> Lists:
    shape = len(found), length
    indices = np.full(shape, -1, dtype=np.int32)
    scores, popular = np.full(shape, -np.inf, dtype=np.float32), np.zeros(shape, dtype=bool)
    for row, one in enumerate(found):
        here = row, slice(0, len(one.rows))
        indices[here], scores[here], popular[here] = one.rows, one.scores, one.popular
    return Lists(indices, scores, popular)


def _warn(danger: str, observer: Observer | None) -> None:
    if observer is None:
        warnings.warn(danger, stacklevel=4)
    else:
        observer.warn(danger)
