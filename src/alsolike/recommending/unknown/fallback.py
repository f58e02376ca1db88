"""Fallback to the most liked items for users about whom a model knows nothing.

These are users without a value above zero in the training data, with factors that are all zero, or
with the same score for every item, where any order would be arbitrary. The fallback is for
recommendations only; evaluation measures the scores themselves.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from alsolike.data.interactions import Interactions, masked
from alsolike.models.base import Basis, FittedModel, Floats
from alsolike.models.baselines.popularity import as_scores
from alsolike.models.protocols import HasFactors, Recommender
from alsolike.models.settings import check_choice
from alsolike.recommending.rules.limits import Limits
from alsolike.recommending.shared import (
    Counts,
    Indices,
    Mask,
    likes_of_items,
    seen_by,
)
from alsolike.recommending.unknown.unknown_users import (
    is_by_popularity,
    is_informed,
    listed_alike,
    users_alike,
)

WithoutLikes = Literal["popular", "empty"]
ForUnknown = Literal["popular", "none"]
Fallback = Literal["popular", "none", "error"]

_WHOLE = 2**24  # float32 has all whole numbers below


@dataclass(frozen=True, eq=False)
class Lists:
    """Ranked lists with the basis of each item.

    Parameters
    ----------
    indices : int32, (n_rows, k)
        Items, best first; -1 where a row has no more.
    scores : float32, (n_rows, k)
        The model's, or the likes of items that are listed by popularity.
    popular : bool, (n_rows, k)
        Which items are listed by popularity.
    """

    indices: Indices
    scores: Floats
    popular: Mask

    @property
    def bases(self) -> npt.NDArray[np.object_]:
        """Basis of each item, ``"model"`` or ``"popularity"``, (n_rows, k)."""
        return _bases(self.popular)


class RankedList(NamedTuple):
    """One list with the basis of each item.

    Parameters
    ----------
    rows : int32, (n,)
        Items, best first.
    scores : float32, (n,)
        The model's, or the likes of items that are listed by popularity.
    basis : {"model", "popularity"}
        Basis of the first item; of an empty list, "model" if the model knows anything of its owner.
    popular : bool, (n,)
        Which items are listed by popularity: none, all, or the last ones.
    """

    rows: Indices
    scores: Floats
    basis: Basis
    popular: Mask

    @property
    def bases(self) -> npt.NDArray[np.object_]:
        """Basis of each item, ``"model"`` or ``"popularity"``, (n,)."""
        return _bases(self.popular)


def check_without_likes(given: object) -> None:
    """Raise SettingError unless `given` is "popular" or "empty"."""
    check_choice("without_likes", given, get_args(WithoutLikes))


def check_fallback(given: object) -> None:
    """Raise SettingError unless `given` is "popular", "none" or "error"."""
    check_choice("fallback", given, get_args(Fallback))


def fill_lists(
    model: Recommender,
    rows: Indices,
    ranked: tuple[Indices, Floats],
    may_appear: Mask,
    *,
    exclude_seen: bool,
    without_likes: WithoutLikes,
    limits: Limits | None = None,
) -> Lists:
    """Complete ranked lists of users with the most liked items where the model has none.

    Parameters
    ----------
    model : Recommender
    rows : int32, (n_rows,)
        Rows of the users.
    ranked : int32 and float32, (n_rows, k)
        Items and scores, of any content for unknown users; overwritten.
    may_appear : bool, (n_items,)
        Items that may be listed.
    exclude_seen : bool
        Leave out seen items. Disliked ones are never listed by popularity.
    without_likes : {"popular", "empty"}
        List the most liked items, or nothing.
    limits : Limits or None
        Kept by the ranked lists; the most liked items keep them, too.
    """
    indices, scores = ranked
    kept = _founded(model, scores, (indices >= 0).sum(axis=1))
    is_unknown = ~is_informed(model, rows)
    is_unknown |= listed_alike(model, rows, scores, kept)
    kept[is_unknown] = 0
    places = np.arange(indices.shape[1])
    popular = np.full(indices.shape, is_by_popularity(model))
    popular &= places < kept[:, None]
    cut = (places >= kept[:, None]) & (indices >= 0)
    indices[cut], scores[cut] = -1, -np.inf
    short = np.flatnonzero(is_unknown | cut.any(axis=1))
    if without_likes == "empty" or not len(short):
        return Lists(indices, scores, popular)
    most_liked = MostLiked.of(model, may_appear)
    for row in short.tolist():
        first = int(kept[row])
        left_out = left_out_of(model, int(rows[row]), exclude_seen=exclude_seen)
        items = most_liked.after(indices[row, :first], indices.shape[1], left_out, limits)
        here = slice(first, first + len(items))
        indices[row, here], popular[row, here] = items, True
        scores[row, here] = most_liked.scores(items)
    return Lists(indices, scores, popular)


def is_settled(model: Recommender, row: int, ranked: tuple[Indices, Floats], k: int) -> bool:
    """Tell, quickly, that `fill_lists` would change nothing in a user's list; False: it may.

    The list is full, its scores differ, and the model knows the user.
    """
    items, scores = ranked
    if len(items) < k or scores[0] == scores[-1]:
        return False
    nothing = getattr(model, "score_of_nothing", None)
    is_founded = nothing is None or bool(scores[-1] > nothing)
    return is_founded and bool(is_informed(model, np.array([row], dtype=np.int32))[0])


def fill_list(
    model: Recommender,
    ranked: tuple[Indices, Floats],
    k: int,
    may_appear: Mask,
    left_out: Indices,
    *,
    is_unknown: bool,
    without_likes: WithoutLikes,
    limits: Limits | None = None,
) -> RankedList:
    """Complete the list of a new user, as `fill_lists` does.

    Parameters
    ----------
    model, may_appear, without_likes, limits
        As in `fill_lists`.
    ranked : int32 and float32, (n,)
        Items and scores.
    k : int
        Length of the list.
    left_out : int32, (any,)
        Items that are not listed by popularity.
    is_unknown : bool
        Whether the model knows nothing about the user.
    """
    rows, scores = ranked
    n_founded = _founded(model, scores[None], np.array([len(rows)]))
    kept = 0 if is_unknown else int(n_founded[0])
    is_cut = is_unknown or kept < len(rows)
    rows, scores = rows[:kept], scores[:kept]
    popular = np.full(kept, is_by_popularity(model))
    if is_cut and without_likes == "popular":
        most_liked = MostLiked.of(model, may_appear)
        more = most_liked.after(rows, k, left_out, limits)
        rows, scores = np.append(rows, more), np.append(scores, most_liked.scores(more))
        popular = np.append(popular, np.ones(len(more), dtype=bool))
    by_popularity = bool(popular[0]) if len(rows) else is_unknown
    return RankedList(rows, scores, "popularity" if by_popularity else "model", popular)


@dataclass(frozen=True, eq=False)
class MostLiked:
    """The liked items, most liked first, ties by row.

    Parameters
    ----------
    order : int32, (n,)
    likes : int64, (n_items,)
    """

    order: Indices
    likes: Counts

    @classmethod
    def of(cls, model: Recommender, may_appear: Mask | None = None) -> "MostLiked":
        """Order the items of a model by likes; `may_appear` (n_items,) limits them."""
        likes = likes_of_items(model)
        if isinstance(model, FittedModel):
            order = model.items_by_likes
        else:
            order = np.argsort(-likes, kind="stable").astype(np.int32)
        listed = likes > 0 if may_appear is None else (likes > 0) & may_appear
        return cls(order[listed[order]], likes)

    def best(self, k: int, left_out: Indices) -> Indices:
        """Return the first `k` items except `left_out`."""
        # At most len(left_out) of these are left out.
        first = self.order[: k + len(left_out)]
        return first[~np.isin(first, left_out)][:k]

    def after(
        self, listed: Indices, k: int, left_out: Indices, limits: Limits | None = None
    ) -> Indices:
        """Return the items that follow `listed` in a list of `k`, except `left_out`."""
        if limits is not None:
            return limits.first_of(self.order, k - len(listed), listed=listed, left_out=left_out)
        return self.best(k - len(listed), np.concatenate([left_out, listed]))

    def scores(self, items: Indices) -> Floats:
        """Return the likes of these items, as float32 in exactly that order."""
        if self.likes.max(initial=0) < _WHOLE:
            return self.likes[items].astype(np.float32)
        return as_scores(self.likes)[items]


def basis_of(model: Recommender, row: int) -> Basis:
    """Return the basis of a user's list: popularity if the model knows nothing about the user."""
    rows = np.array([row], dtype=np.int32)
    by_popularity = is_by_popularity(model) or not is_informed(model, rows)[0]
    return "popularity" if by_popularity or users_alike(model, rows)[0] else "model"


def fallback_notes(model: Recommender, rows: Indices, without_likes: WithoutLikes) -> list[str]:
    """Describe, in sentences, the users about whom the model knows nothing, and their lists.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> fallback_notes(tiny_model(), np.arange(3, dtype=np.int32), "popular")
    []
    """
    known = is_informed(model, rows)
    alike = np.zeros(len(rows), dtype=bool)
    if not is_by_popularity(model):
        alike[known] = users_alike(model, rows[known])
    lists = {
        "popular": "the most liked items (basis popularity; the score is the number of likes)",
        "empty": "no list",
    }[without_likes]
    sentences = []
    if n_unknown := int((~known).sum()):
        sentences.append(f"{_users(n_unknown, 'without positive interactions')} {lists}.")
    if n_alike := int(alike.sum()):
        why = (
            "all its factors are zero; fit it with less regularization"
            if isinstance(model, HasFactors) and not model.item_norms.any()
            else "it cannot distinguish items for them"
        )
        whose = f"for whom the model scores all items equally ({why})"
        sentences.append(f"{_users(n_alike, whose)} {lists}.")
    return sentences


def _founded(model: Recommender, scores: Floats, lengths: npt.NDArray[np.intp]) -> Counts:
    """Return how many items of each list score above the model's `score_of_nothing`."""
    nothing = getattr(model, "score_of_nothing", None)
    if nothing is None:
        return lengths.astype(np.int64)
    founded: Counts = np.minimum(lengths, (scores > nothing).sum(axis=1)).astype(np.int64)
    return founded


def left_out_pairs(model: Recommender, *, exclude_seen: bool) -> sp.csr_array | None:
    """Return the pairs that a model must not list: seen ones, or else disliked ones.

    Models with factors have learned from dislikes and may list them if seen items are kept.

    Raises
    ------
    SettingError
        `exclude_seen` for a model without its history.
    """
    if exclude_seen:
        return seen_by(model)
    history = getattr(model, "history", None)
    if isinstance(model, HasFactors) or not isinstance(history, Interactions):
        return None
    matrix = history.user_items
    disliked = matrix.data < 0
    return masked(matrix, disliked) if disliked.any() else None


def left_out_of(model: Recommender, row: int, *, exclude_seen: bool) -> Indices:
    """Return the items that are not listed by popularity for a user: seen or disliked ones."""
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        return np.empty(0, dtype=np.int32)
    matrix = history.user_items
    stored = slice(matrix.indptr[row], matrix.indptr[row + 1])
    items: Indices = matrix.indices[stored]
    return items if exclude_seen else items[matrix.data[stored] < 0]


def _bases(popular: Mask) -> npt.NDArray[np.object_]:
    names: npt.NDArray[np.object_] = np.array(get_args(Basis), dtype=object)
    found: npt.NDArray[np.object_] = names[popular.astype(np.intp)]
    return found


def _users(count: int, which: str) -> str:
    return f"1 user {which} gets" if count == 1 else f"{count:,} users {which} get"
