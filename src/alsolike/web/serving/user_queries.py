"""Combines a user's training and live likes, and scores the user by them.

A trained user is scored as trained until the service has live likes of the user; then all likes are
folded in, as for a new user. A model that cannot fold in keeps to its training: live likes do not
count, are reported as ignored, and are not recommended.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from alsolike.models.base import Doubles
from alsolike.models.protocols import Explains, able
from alsolike.recommending.explain import Explanation, explain_rows
from alsolike.recommending.rules.rules import Allowed
from alsolike.recommending.shared import Mask, ages_of_row, history_of
from alsolike.recommending.single import recommend_row, recommend_row_for_likes
from alsolike.recommending.unknown.fallback import RankedList, WithoutLikes
from alsolike.web.serving.registry import ServedModel


@dataclass(frozen=True)
class Profile:
    """The likes of a user, as one model sees them.

    Parameters
    ----------
    user : str
    row : int or None
        None if the model was not trained on the user.
    trained : int or None
        Number of values in the training data; None if the model was trained on this user and saved
        without its history.
    values : mapping of int to float
        Rows and values of the items that count, those in the training data first.
    live : frozenset of int
        Rows of live likes that count.
    ignored : int
        Live likes that do not count: of items unknown to the model, or all if it cannot fold in.
    aside : frozenset of int
        Rows of live likes that do not count although the model knows the items.
    ages : mapping of int to float, or None
        Days of the likes in `values`, in their order, for a model with a half-life; 0 of live ones.
    """

    user: str
    row: int | None
    trained: int | None
    values: Mapping[int, float]
    live: frozenset[int]
    ignored: int
    aside: frozenset[int] = frozenset()
    ages: Mapping[int, float] | None = None

    @property
    def known(self) -> bool:
        """Whether the model was trained on this user."""
        return self.row is not None

    @property
    def days(self) -> Doubles | None:
        """The ages as an array, (n_values,)."""
        return None if self.ages is None else np.array(list(self.ages.values()))

    @property
    def as_trained(self) -> int | None:
        """The user's row if there are no live likes that count; None: likes are folded in."""
        return None if self.live else self.row


def profile_of(served: ServedModel, user: str, live: Mapping[str, float]) -> Profile:
    """Return a user's likes: those of the training data, overridden by live likes."""
    model = served.model
    row = model.users.find(user)
    values: dict[int, float] = {}
    ages = None if row is None else ages_of_row(model, row)
    if row is not None and model.history is not None:
        likes = model.history.user_items
        stored = slice(likes.indptr[row], likes.indptr[row + 1])
        values = dict(zip(likes.indices[stored].tolist(), likes.data[stored].tolist(), strict=True))
    trained = None if row is not None and model.history is None else len(values)
    found = {place: live[item] for item in live if (place := model.items.find(item)) is not None}
    if not served.folds_in:
        return Profile(user, row, trained, values, frozenset(), len(live), frozenset(found))
    counted, n_ignored, days = frozenset(found), len(live) - len(found), None
    if ages is not None:
        days = {**dict(zip(values, ages.tolist(), strict=True)), **dict.fromkeys(found, 0.0)}
    return Profile(user, row, trained, {**values, **found}, counted, n_ignored, ages=days)


def recommend(
    served: ServedModel,
    profile: Profile,
    k: int,
    allowed: Allowed | None = None,
    *,
    exclude_seen: bool = True,
    without_likes: WithoutLikes = "popular",
) -> RankedList:
    """Return recommendations for a user.

    Parameters
    ----------
    served : ServedModel
    profile : Profile
    k : int
        Length of the list, at least 1.
    allowed : Allowed or None
        The items that may be listed; None: all.
    exclude_seen : bool
        Leave out items that the user is known to like.
    without_likes : {"popular", "empty"}
        List for a user without known likes.

    Raises
    ------
    Unable
        The user's likes must be folded in, and the model cannot.
    SettingError, FitError
        As of `alsolike.recommend`.
    """
    row = profile.as_trained
    if row is None:
        return recommend_for(
            served, profile.values, k, allowed,
            exclude=exclude_seen, without_likes=without_likes, ages=profile.days,
        )  # fmt: skip
    left = without(served, allowed, profile.aside if exclude_seen else ())
    return recommend_row(
        served.model, row, left, k,
        exclude_seen=exclude_seen and served.model.history is not None, without_likes=without_likes,
        limits=None if allowed is None else allowed.limits,
    )  # fmt: skip


def recommend_for(
    served: ServedModel,
    values: Mapping[int, float],
    k: int,
    allowed: Allowed | None = None,
    *,
    exclude: bool = True,
    without_likes: WithoutLikes = "popular",
    ages: Doubles | None = None,
) -> RankedList:
    """Return recommendations for likes (rows to values) by fold-in; see `recommend`.

    `ages` are those of the likes, in days; None: all are new.
    """
    left = without(served, allowed, values if exclude else ())
    rows = np.array(list(values), dtype=np.int32)
    return recommend_row_for_likes(
        served.model, rows, list(values.values()), left, k, without_likes,
        limits=None if allowed is None else allowed.limits, ages=ages,
    )  # fmt: skip


def explanation(served: ServedModel, profile: Profile, target: int) -> Explanation:
    """Return the contributions of a user's likes to the score of an item (row).

    Raises
    ------
    Unable
        The model has no contributions of single likes, or cannot fold in.
    SettingError
        The model was trained on this user and saved without its history.
    """
    model = able(served.model, Explains, "explain a score")
    if profile.known:
        history_of(model, "explain a score")
    rows = np.array(list(profile.values), dtype=np.int32)
    values = np.array(list(profile.values.values()), dtype=np.float32)
    return explain_rows(
        model, profile.user, target, rows, values, profile.as_trained, ages=profile.days
    )


def without(served: ServedModel, allowed: Allowed | None, rows: Iterable[int]) -> Mask:
    """Return the mask of allowed items, None: of all, without some rows."""
    n_items = len(served.model.items)
    left = np.ones(n_items, dtype=bool) if allowed is None else allowed.may_appear.copy()
    left[list(rows)] = False
    return left
