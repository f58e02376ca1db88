"""Folds of item-to-item evaluation: training data, and queries of users whom it never saw."""

from dataclasses import dataclass
from typing import Literal

from alsolike.data.interactions import Interactions
from alsolike.data.splitting.split import Split
from alsolike.data.splitting.unseen_users import hold_out_unseen_users
from alsolike.evaluation.item_to_item.item_queries import ItemQueries
from alsolike.recommending.shared import MIN_COUNT

Part = Literal["validation", "test"]

# Tables with fewer users have so many folds, whose users are pooled.
_FEW_USERS = 5_000
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """Training data and the queries of validation and test users, who are not in it.

    Parameters
    ----------
    train : Interactions
        The rows of validation and test users are empty; users and items are those of the table.
    validation, test : ItemQueries
    """

    train: Interactions
    validation: ItemQueries
    test: ItemQueries

    @classmethod
    def of(
        cls,
        split: Split,
        *,
        seed: int = 0,
        pages_per_user: int = 5,
        min_count: int = MIN_COUNT,
    ) -> "Fold":
        """Draw the queries of a split of unseen users; arguments as of `unseen_users`."""
        validation, test = (
            ItemQueries.of(
                held_out,
                split.train,
                pages_per_user=pages_per_user,
                min_count=min_count,
                seed=seed,
            )
            for held_out in (split.validation, split.test)
        )
        return cls(split.train, validation, test)

    def queries(self, part: Part) -> ItemQueries:
        """Return the queries of a part."""
        return self.validation if part == "validation" else self.test


def folds_of(likes: Interactions) -> int:
    """Return the number of folds of `unseen_users`."""
    return _FOLDS if likes.n_users < _FEW_USERS else 1


def unseen_users(
    likes: Interactions, *, seed: int = 0, pages_per_user: int = 5, min_count: int = MIN_COUNT
) -> tuple[Fold, ...]:
    """Split off users whom training never sees, and draw the items that they ask for.

    Validation and test users are a tenth of all users each, at most 2,000. Below 5,000 users there
    are five folds, each with users of its own draw; train a model on each, and pool the users.

    Parameters
    ----------
    likes : Interactions
    seed : int
        Of all draws, at least 0. The first fold is that of
        `alsolike.data.splitting.unseen_users.hold_out_unseen_users`.
    pages_per_user : int
        Most items that a user asks for, at least 1.
    min_count : int
        Least likes in training of an item that may be listed or have a list, at least 0.

    Raises
    ------
    SettingError
        A setting is out of its range.
    SplitError
        There are too few users.
    DataError
        No user of a part has an item to ask for and another like.

    Examples
    --------
    >>> users = [f"u{user}" for user in range(20) for item in range(4)]
    >>> folds = unseen_users(Interactions.from_columns(users, list("abcd") * 20))
    >>> len(folds), folds[0].train, folds[0].test.items
    (5, Interactions(20 users, 4 items, 64 interactions, 80 % filled), array([0, 1, 2, 3, 0, 1, 2, 3], dtype=int32))
    """  # noqa: E501 - one line of output
    count = folds_of(likes)
    return tuple(
        Fold.of(
            hold_out_unseen_users(likes, seed=seed, fold=number),
            seed=seed,
            pages_per_user=pages_per_user,
            min_count=min_count,
        )
        for number in range(count)
    )
