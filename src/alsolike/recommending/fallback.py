"""What is listed for users of whom a model knows nothing: the most liked items, named as such.

A model knows nothing of a user without a value above zero in its training data, of one whose row of
factors is all zeros, and of one for whom it scores all items alike: any order of such scores is no
recommendation, and the first ids of the catalogue least of all. This rule is for what is shown.
Evaluation measures the scores themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from alsolike.data.interactions import Interactions
from alsolike.models.base import Basis, FittedModel, Floats, HasFactors, Recommender
from alsolike.models.factor_model import FactorModel
from alsolike.models.popularity import as_scores
from alsolike.models.settings import check_choice
from alsolike.recommending.answers import Indices, Mask, lifts_of, product_margin, row_lengths
from alsolike.recommending.nearest import dots

WithoutLikes = Literal["popular", "empty"]

Counts = npt.NDArray[np.int64]

_SAMPLED = 64  # items whose scores tell most users apart from those for whom all are alike
_USERS = 4096  # at a time
_ITEMS = 2048  # at a time
_WHOLE = 2**24  # float32 has all whole numbers below
_HALF_OF_LEAST = 2.0**-151  # whatever is below is 0 as float32, with its rounding


@dataclass(frozen=True, eq=False)
class Lists:
    """Ranked lists as they are shown.

    Parameters
    ----------
    indices : int32, (n_rows, k)
        Items, best first; -1 where a row has no more.
    scores : float32, (n_rows, k)
        Those of the model, or how many like the item where it is listed by popularity.
    popular : bool, (n_rows, k)
        Which items are listed by popularity.
    """

    indices: Indices
    scores: Floats
    popular: Mask

    @property
    def bases(self) -> npt.NDArray[np.object_]:
        """How each item was found, ``"model"`` or ``"popularity"``, (n_rows, k)."""
        names: npt.NDArray[np.object_] = np.array(get_args(Basis), dtype=object)
        found: npt.NDArray[np.object_] = names[self.popular.astype(np.intp)]
        return found


def check_without_likes(given: object) -> None:
    """Raise SettingError where `given` says neither "popular" nor "empty"."""
    check_choice("without_likes", given, get_args(WithoutLikes))


def shown(
    model: Recommender,
    rows: Indices,
    ranked: tuple[Indices, Floats],
    may_appear: Mask,
    *,
    exclude_seen: bool,
    without_likes: WithoutLikes,
) -> Lists:
    """Return the lists of users as they are shown, see the head of this module.

    Parameters
    ----------
    model : Recommender
    rows : int32, (n_rows,)
        Rows of the users.
    ranked : int32 and float32, (n_rows, k)
        Items and scores as the model ranks them; of users of whom it knows nothing, it need not.
        Both are written to.
    may_appear : bool, (n_items,)
        Items that are allowed at all.
    exclude_seen : bool
        Whether what a user has seen is left out. What a user dislikes always is, from what is
        listed by popularity.
    without_likes : {"popular", "empty"}
        List the most liked items, or nothing.
    """
    indices, scores = ranked
    kept = _founded(model, scores, (indices >= 0).sum(axis=1))
    silent = ~has_likes(model, rows)
    silent |= _all_alike(model, rows, scores, kept)
    kept[silent] = 0
    places = np.arange(indices.shape[1])
    popular = np.full(indices.shape, getattr(model, "basis", "model") == "popularity")
    popular &= places < kept[:, None]
    cut = (places >= kept[:, None]) & (indices >= 0)
    indices[cut], scores[cut] = -1, -np.inf
    short = np.flatnonzero(silent | cut.any(axis=1))
    if without_likes == "empty" or not len(short):
        return Lists(indices, scores, popular)
    most_liked = MostLiked.of(model, may_appear)
    for row in short.tolist():
        left_out = _left_out(model, int(rows[row]), exclude_seen=exclude_seen)
        first = int(kept[row])
        items = most_liked.best(
            indices.shape[1] - first, np.concatenate([left_out, indices[row, :first]])
        )
        here = slice(first, first + len(items))
        indices[row, here], popular[row, here] = items, True
        scores[row, here] = most_liked.scores(items)
    return Lists(indices, scores, popular)


def by_popularity(
    model: Recommender, k: int, may_appear: Mask, left_out: Indices
) -> tuple[Indices, Floats]:
    """Return the most liked items but those of `left_out`, and how many like each."""
    most_liked = MostLiked.of(model, may_appear)
    items = most_liked.best(k, left_out)
    return items, most_liked.scores(items)


@dataclass(frozen=True, eq=False)
class MostLiked:
    """The items that somebody likes, the most liked first, of equals the lower row.

    Parameters
    ----------
    order : int32, (n,)
    likes : int64, (n_items,)
    """

    order: Indices
    likes: Counts

    @classmethod
    def of(cls, model: Recommender, may_appear: Mask | None = None) -> "MostLiked":
        """Order the items of a model by likes; those alone that may appear, bool, (n_items,)."""
        likes = likes_of_items(model)
        if isinstance(model, FittedModel):
            order = model.items_by_likes
        else:
            order = np.argsort(-likes, kind="stable").astype(np.int32)
        listed = likes > 0 if may_appear is None else (likes > 0) & may_appear
        return cls(order[listed[order]], likes)

    def best(self, k: int, left_out: Indices) -> Indices:
        """Return the first `k`, or all that there are, without some."""
        # So many at the most can be among the first that are looked at.
        first = self.order[: k + len(left_out)]
        return first[~np.isin(first, left_out)][:k]

    def scores(self, items: Indices) -> Floats:
        """Return how many like these items, as float32 in exactly that order."""
        if self.likes.max(initial=0) < _WHOLE:
            return self.likes[items].astype(np.float32)
        return as_scores(self.likes)[items]


def likes_of_items(model: Recommender) -> Counts:
    """Return how many like each item, int64, (n_items,); zeros where a model does not know."""
    counts = getattr(model, "item_counts", None)
    if isinstance(counts, np.ndarray):
        return counts
    history = getattr(model, "history", None)
    if isinstance(history, Interactions):
        return history.like_counts
    return np.zeros(len(model.items), dtype=np.int64)


def basis_of(model: FactorModel, row: int) -> Basis:
    """Return how items are found for a user (row): by popularity where the model knows nothing."""
    known = has_likes(model, np.array([row], dtype=np.int32))[0]
    alike = all_alike(model, model.user_factors[row : row + 1])[0]
    return "model" if known and not alike else "popularity"


def has_likes(model: Recommender, rows: Indices) -> Mask:
    """Return which users have a value above zero in the model's history, bool, (n_rows,).

    True of all users of a model without history: it does not say.
    """
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        return np.ones(len(rows), dtype=bool)
    matrix, found = history.user_items, np.zeros(len(rows), dtype=bool)
    for part in _parts(len(rows), _USERS):
        starts = matrix.indptr[rows[part]].astype(np.int64)
        lengths = matrix.indptr[rows[part] + 1] - starts
        owners = np.repeat(np.arange(len(starts)), lengths)
        places = np.arange(len(owners)) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        found[part][owners[matrix.data[places] > 0]] = True
    return found


def all_alike(model: FactorModel, vectors: Floats) -> Mask:
    """Return for which rows of user factors all items of the model have the same score, as float32.

    Products of vanishing factors rank by more bits than the scores that are given back have left;
    they are taken as they are given back, as they are where a model is measured.

    Parameters
    ----------
    model : FactorModel
    vectors : float32, (n, factors)

    Returns
    -------
    bool, (n,)
        True of a row of zeros. Where the model has a single item, of no other row.
    """
    longest = float(model.item_norms.max(initial=0.0))
    if longest == 0:
        return np.ones(len(vectors), dtype=bool)
    raised, lengths = int(lifts_of(np.float64(longest))), row_lengths(vectors)
    n_items = len(model.items)
    silent: Mask = lengths == 0
    if n_items == 1:
        return silent
    sampled = np.unique(np.linspace(0, n_items - 1, _SAMPLED).astype(np.int64))
    sample = np.ldexp(model.item_factors[sampled], raised)
    for part in _parts(len(vectors), _USERS):
        lifts = lifts_of(lengths[part])
        lifted = np.ldexp(vectors[part], lifts[:, None])
        with np.errstate(over="ignore", invalid="ignore"):
            near = lifted @ sample.T
            spread = near.max(axis=1) - near.min(axis=1)
        margins = product_margin(row_lengths(lifted), np.ldexp(longest, raised), model.factors)
        silent[part] |= lengths[part] * longest < _HALF_OF_LEAST
        # Most rows are told apart by the sample; the others need the exact scores of all items.
        is_doubtful = (spread <= 2 * margins) | (lifts + raised > 0)
        for row in np.flatnonzero(is_doubtful & ~silent[part]).tolist():
            silent[part][row] = _is_flat(model, lifted[row], raised, int(lifts[row]))
    return silent


def fallback_notes(model: FactorModel, rows: Indices, without_likes: WithoutLikes) -> list[str]:
    """Return for how many users the model knows nothing, and what they get, in sentences.

    Parameters
    ----------
    model : FactorModel
    rows : int32, (n_rows,)
        Rows of the users who were asked about.
    without_likes : {"popular", "empty"}

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> fallback_notes(tiny_model(), np.arange(3, dtype=np.int32), "popular")
    []
    """
    known = has_likes(model, rows)
    alike = np.zeros(len(rows), dtype=bool)
    for part in _parts(len(rows), _USERS):
        alike[part] = all_alike(model, model.user_factors[rows[part]])
    gets = {
        "popular": "the most liked items, named by basis popularity, with their likes as score",
        "empty": "no list",
    }[without_likes]
    sentences = []
    if n_unknown := int((~known).sum()):
        sentences.append(f"{_users(n_unknown)} without positive interactions: {gets}.")
    if n_alike := int((known & alike).sum()):
        why = (
            "all its factors are zero; fit it with less regularization"
            if not model.item_norms.any()
            else "it tells nothing apart for them"
        )
        sentences.append(
            f"{_users(n_alike)} for whom the model scores all items alike ({why}): {gets}."
        )
    return sentences


def _founded(model: Recommender, scores: Floats, lengths: npt.NDArray[np.intp]) -> Counts:
    """Return how many items of each list the model has a reason for."""
    nothing = getattr(model, "score_of_nothing", None)
    if nothing is None:
        return lengths.astype(np.int64)
    founded: Counts = np.minimum(lengths, (scores > nothing).sum(axis=1)).astype(np.int64)
    return founded


def _all_alike(model: Recommender, rows: Indices, scores: Floats, kept: Counts) -> Mask:
    """Return for which users the model scores all items alike, bool, (n_rows,)."""
    if getattr(model, "basis", "model") == "popularity":
        return np.zeros(len(rows), dtype=bool)
    last = np.maximum(kept - 1, 0)
    # Two scores of a list that differ say that not all are alike.
    flat: Mask = scores[:, 0] == scores[np.arange(len(rows)), last]
    if not isinstance(model, HasFactors):
        flat &= kept > 0
    places = np.flatnonzero(flat)
    for part in _parts(len(places), _ITEMS):
        asked = rows[places[part]]
        if isinstance(model, HasFactors):
            flat[places[part]] = all_alike(model, model.user_factors[asked])
        else:
            flat[places[part]] = _scored_alike(model, asked)
    return flat


def _scored_alike(model: Recommender, rows: Indices) -> Mask:
    """Return for which users all items that may appear have the same score, as `all_alike`."""
    lowest = np.full(len(rows), np.inf, dtype=np.float32)
    highest = np.full(len(rows), -np.inf, dtype=np.float32)
    left = np.arange(len(rows))
    for part in _parts(len(model.items), _ITEMS):
        block = model.scores(rows[left], part)
        highest[left] = np.maximum(highest[left], block.max(axis=1))
        least = np.where(block == -np.inf, np.float32(np.inf), block).min(axis=1)
        lowest[left] = np.minimum(lowest[left], least)
        left = left[lowest[left] >= highest[left]]
        if not len(left):
            break
    alike: Mask = (lowest >= highest) & (len(model.items) > 1)
    return alike


def _is_flat(model: FactorModel, vector: Floats, raised: int, lift: int) -> bool:
    """Tell whether all items have the same score, as it is given back, for one lifted row."""
    first = None
    for part in _parts(len(model.items), _ITEMS):
        scores = np.ldexp(dots(np.ldexp(model.item_factors[part], raised), vector), -raised - lift)
        first = scores[0] if first is None else first
        if not (scores == first).all():
            return False
    return True


def _left_out(model: Recommender, row: int, *, exclude_seen: bool) -> Indices:
    """Return the items that are not listed by popularity for a user."""
    history = getattr(model, "history", None)
    if not isinstance(history, Interactions):
        return np.empty(0, dtype=np.int32)
    matrix = history.user_items
    stored = slice(matrix.indptr[row], matrix.indptr[row + 1])
    items: Indices = matrix.indices[stored]
    return items if exclude_seen else items[matrix.data[stored] < 0]


def _users(count: int) -> str:
    return f"{count:,} {'user' if count == 1 else 'users'}"


def _parts(count: int, size: int) -> Iterator[slice]:
    for first in range(0, count, size):
        yield slice(first, min(first + size, count))
