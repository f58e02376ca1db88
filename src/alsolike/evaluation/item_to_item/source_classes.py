"""Precision of similar items by the popularity of the item that they stand beside."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.evaluation.item_to_item.item_queries import Indices, ItemQueries, Mask, Values
from alsolike.evaluation.slices.groups import POPULARITY_CLASSES, popularity_classes
from alsolike.evaluation.statistics.intervals import bootstrap_mean
from alsolike.models.similarity.config import FEW_LIKES

_FEWEST = 2
FEW = f"{_FEWEST} to {FEW_LIKES} likes"
# From the rarest items to the most popular ones; the first is a part of the others.
CLASSES = (FEW, "tail", "middle", "head")

Part = tuple[ItemQueries, Values]
UserMeans = Callable[[Iterable[Part]], tuple[Indices, Values]]


@dataclass(frozen=True, eq=False)
class ClassValues:
    """The values of users whose queries are about items of one class.

    Parameters
    ----------
    name : str
        One of `CLASSES`.
    users : int64, (n,)
        Rows of the users with such a query, ascending.
    values : float64, (n,)
        Means over these queries.
    queries, likes_from, likes_to : int
        How many queries, and the likes in training of their items.
    """

    name: str
    users: Indices
    values: Values
    queries: int
    likes_from: int
    likes_to: int

    def row(self) -> dict[str, Any]:
        """Return the class as a row of a table, with a bootstrap interval."""
        seed = [0, CLASSES.index(self.name)]
        estimate = bootstrap_mean(self.values, np.random.default_rng(seed))
        return {
            "class": self.name,
            "likes_from": self.likes_from,
            "likes_to": self.likes_to,
            "queries": self.queries,
            "users": len(self.users),
            "mean": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
        }


def by_source_class(parts: Sequence[Part], user_means: UserMeans) -> dict[str, ClassValues]:
    """Return the values of users by the class of their queries' items.

    The classes of popularity are those of
    `alsolike.evaluation.slices.groups.popularity_classes`, by the training data of each fold; the
    items with 2 to 5 likes are shown apart as well. A class without queries has no entry.

    Parameters
    ----------
    parts : sequence of (ItemQueries, float64 (n_queries,))
        Of each fold.
    user_means : callable
        From such parts, NaN for queries that do not count, to users and their means.
    """
    found = {}
    for name in CLASSES:
        members = [_is_in(name, queries) for queries, _ in parts]
        likes = np.concatenate(
            [q.likes[q.items[own]] for (q, _), own in zip(parts, members, strict=True)]
        )
        if not len(likes):
            continue
        chosen = [
            (queries, np.where(own, values, np.nan))
            for (queries, values), own in zip(parts, members, strict=True)
        ]
        users, values = user_means(chosen)
        found[name] = ClassValues(
            name, users, values, len(likes), int(likes.min()), int(likes.max())
        )
    return found


def _is_in(name: str, queries: ItemQueries) -> Mask:
    """Return which queries are about an item of a class, bool, (n_queries,)."""
    if name == FEW:
        of_items = (queries.likes >= _FEWEST) & (queries.likes <= FEW_LIKES)
    else:
        of_items = popularity_classes(queries.likes) == POPULARITY_CLASSES.index(name)
    found: Mask = of_items[queries.items]
    return found
