"""What is known of a user, and how a model is asked for one: the only place that decides.

A user whom the model was trained on is scored as trained, until the service is told likes of the
user; then all likes together are folded in, as those of a new user are. A model that folds nobody
in goes on with what it was trained on: what the service was told does not count then, is said not
to, and is not recommended either.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from alsolike.models.base import Explains, HasFactors, able
from alsolike.recommending.explain import Explanation, explained
from alsolike.recommending.fallback import Found, WithoutLikes
from alsolike.recommending.shared import Mask, history_of
from alsolike.recommending.single import best_for, recommended
from alsolike.web.serving.registry import ServedModel


@dataclass(frozen=True)
class Profile:
    """What a user likes in the eyes of one model.

    Parameters
    ----------
    user : str
    row : int or None
        Of the user; None where the model was not trained on that user.
    trained : int or None
        Likes and dislikes in the training data; None where the model was saved without its history
        and was trained on this user, so that they can neither be counted nor left out.
    values : mapping of int to float
        Rows of the items that count, those in the training data first.
    live : frozenset of int
        Rows told to the service that count.
    ignored : int
        Likes told to the service that do not count: of items that this model does not know, or all
        where it folds nobody in.
    aside : frozenset of int
        Rows of those that do not count though the model knows them.
    """

    user: str
    row: int | None
    trained: int | None
    values: Mapping[int, float]
    live: frozenset[int]
    ignored: int
    aside: frozenset[int] = frozenset()

    @property
    def known(self) -> bool:
        """Whether the model was trained on this user."""
        return self.row is not None

    @property
    def as_trained(self) -> int | None:
        """The user's row where what was trained is all that counts; None: likes are folded in."""
        return None if self.live else self.row


def profile_of(served: ServedModel, user: str, live: Mapping[str, float]) -> Profile:
    """Return what a user likes: the training data, overlaid by the likes of the service."""
    model = served.model
    row = model.users.find(user)
    values: dict[int, float] = {}
    if row is not None and model.history is not None:
        likes = model.history.user_items
        stored = slice(likes.indptr[row], likes.indptr[row + 1])
        values = dict(zip(likes.indices[stored].tolist(), likes.data[stored].tolist(), strict=True))
    trained = None if row is not None and model.history is None else len(values)
    found = {place: live[item] for item in live if (place := model.items.find(item)) is not None}
    if not served.folds_in:
        return Profile(user, row, trained, values, frozenset(), len(live), frozenset(found))
    counted = frozenset(found)
    return Profile(user, row, trained, {**values, **found}, counted, len(live) - len(found))


def recommend(
    served: ServedModel,
    profile: Profile,
    k: int,
    may_appear: Mask,
    *,
    exclude_seen: bool = True,
    without_likes: WithoutLikes = "popular",
) -> Found:
    """Return what is recommended to a user.

    Parameters
    ----------
    held : Held
    taste : Taste
    k : int
        At most so many, at least 1.
    may_appear : bool, (n_items,)
        Items that are allowed at all.
    exclude_seen : bool
        Leave out what the user likes already, as far as that is known.
    without_likes : {"popular", "empty"}
        What is listed where the model knows nothing of the user.

    Raises
    ------
    Unable
        The user's likes would have to be folded in, and the model folds nobody in.
    SettingError, FitError
        As of `alsolike.recommend`.
    """
    row = profile.as_trained
    if row is None:
        return recommend_for(
            served, profile.values, k, may_appear, exclude=exclude_seen, without_likes=without_likes
        )
    if exclude_seen and profile.aside:
        may_appear = without(may_appear, profile.aside)
    return recommended(
        served.model, row, may_appear, k,
        exclude_seen=exclude_seen and served.model.history is not None, without_likes=without_likes,
    )  # fmt: skip


def recommend_for(
    served: ServedModel,
    values: Mapping[int, float],
    k: int,
    may_appear: Mask,
    *,
    exclude: bool = True,
    without_likes: WithoutLikes = "popular",
) -> Found:
    """Return what is recommended for likes (rows to values) by fold-in; see `recommend`."""
    if exclude:
        may_appear = without(may_appear, values)
    rows = np.array(list(values), dtype=np.int32)
    return best_for(served.model, rows, list(values.values()), may_appear, k, without_likes)


def explanation(served: ServedModel, profile: Profile, target: int) -> Explanation:
    """Return which likes of a user carry the score of an item (row).

    Raises
    ------
    Unable
        The model does not score by single likes, or folds nobody in.
    SettingError
        The model was trained on this user and saved without its history.
    """
    model = able(served.model, Explains, "explain a score")
    if profile.known:
        history_of(model, "explain a score")
    rows = np.array(list(profile.values), dtype=np.int32)
    values = np.array(list(profile.values.values()), dtype=np.float32)
    row = profile.as_trained
    stored = model.user_factors[row] if row is not None and isinstance(model, HasFactors) else None
    return explained(model, profile.user, target, rows, values, stored)


def without(may_appear: Mask, rows: Iterable[int]) -> Mask:
    """Return what may appear but some rows."""
    left = may_appear.copy()
    left[list(rows)] = False
    return left
