"""Makes lists for users who are not in the model: the most liked items, or nothing."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Id
from alsolike.errors import Unable
from alsolike.models.protocols import Recommender
from alsolike.recommending.rules.rules import Allowed
from alsolike.recommending.shared import Indices, Mask, checked_ids, user_rows
from alsolike.recommending.unknown.fallback import (
    Fallback,
    ForUnknown,
    Lists,
    MostLiked,
    check_fallback,
)
from alsolike.tables import Table


def asked_users(
    model: Recommender, users: Id | Iterable[Id] | None, fallback: Fallback
) -> tuple[Indices, Any, Mask]:
    """Return the rows of the known users, and the ids of all and which are known, in order."""
    check_fallback(fallback)
    if users is None or fallback == "error":
        rows = user_rows(users, model.users)
        return rows, model.users.ids_of(rows), np.ones(len(rows), dtype=bool)
    given = checked_ids(users, model.users)
    places = model.users.places_of(given)
    is_known = places >= 0
    return places[is_known].astype(np.int32), model.users.column_of(given), is_known


def with_unknown(
    model: Recommender,
    lists: Lists,
    is_known: Mask,
    allowed: Allowed,
    fallback: ForUnknown,
) -> Lists:
    """Add the lists of users who are not in the model: the most liked items, or nothing.

    Parameters
    ----------
    model : Recommender
    allowed : Allowed
        The items that may be listed.
    lists : Lists
        Of the known users, in order.
    is_known : bool, (n_rows,)
        Which users, of all in order, are known.
    fallback : {"popular", "none"}

    Raises
    ------
    Unable
        The most liked items are wanted, and the model has no counts of likes.
    """
    width, n_rows = lists.indices.shape[1], len(is_known)
    indices = np.full((n_rows, width), -1, dtype=np.int32)
    scores = np.full((n_rows, width), -np.inf, dtype=np.float32)
    popular = np.zeros((n_rows, width), dtype=bool)
    indices[is_known], scores[is_known] = lists.indices, lists.scores
    popular[is_known] = lists.popular
    if fallback == "popular" and not is_known.all():
        most_liked = MostLiked.of(model, allowed.may_appear)
        if not most_liked.likes.any():
            raise Unable(
                f"{model.name!r} does not know how many like an item, so it has no list for users "
                "who are not in it. Pass fallback='none'."
            )
        nothing = np.empty(0, dtype=np.int32)
        best = most_liked.after(nothing, width, nothing, allowed.limits)
        here = slice(0, len(best))
        indices[~is_known, here], popular[~is_known, here] = best, True
        scores[~is_known, here] = most_liked.scores(best)
    return Lists(indices, scores, popular)


def with_fallback(table: Table, lists: Lists, is_known: Mask, fallback: ForUnknown) -> Table:
    """Add a column to a table of lists: the fallback that a row is; None for known users."""
    listed, _ = np.nonzero(lists.indices >= 0)
    names = np.full(len(listed), None, dtype=object)
    names[~is_known[listed]] = fallback
    return Table({**table.to_dict(), "fallback": names})
