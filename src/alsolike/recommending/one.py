"""One row at a time, in plain NumPy: what a web server answers with, and what explains.

Numba is not imported, so that a server starts at once. `recommend_one` and `similar_to` give the
very bytes of `alsolike.recommending.many`: a float32 product only narrows the items down to those
that can be among the best, and these are scored by the one defined sum of `kernels.topk.dot`.
"""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alsolike.errors import FitError, SettingError
from alsolike.models.base import FactorModel, Floats, with_factors
from alsolike.recommending.answers import (
    MIN_COUNT,
    Indices,
    Mask,
    checked_ids,
    checked_k,
    history_of,
    known_items,
    lifts_of,
    names_of,
    open_ids,
    open_items,
    product_margin,
    row_lengths,
    seen_by,
    tidy,
    with_direction,
)
from alsolike.recommending.equations import UserEquations
from alsolike.recommending.nearest import Neighbours, dots, narrowed
from alsolike.tables import Table, wrapped

_PAGE = 20  # likes of an explanation that a page shows


def recommend_one(
    model: FactorModel,
    user: str,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
) -> Table:
    """Recommend items to one user; the same table as ``recommend(model, user)``.

    What a score means, and what not, is said in `alsolike.recommending.many.recommend`.

    Parameters
    ----------
    model : FactorModel
    user : str
        Id of the user.
    k, exclude_seen, allow, deny
        As in `alsolike.recommending.many.recommend`.

    Returns
    -------
    Table
        Columns ``user``, ``rank``, ``item``, ``name`` where names are known, ``score``.

    Raises
    ------
    UnknownId
        The user or an item is not in the model.
    SettingError
        `exclude_seen` without a history in the model, or `k` below 1.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als import ALSConfig, fit
    >>> likes = Interactions.from_columns(
    ...     ["u1", "u1", "u2", "u2", "u2", "u3"], ["a", "b", "a", "b", "c", "d"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> recommend_one(model, "u1", k=1)["item"].tolist()
    ['c']
    """
    (user,) = checked_ids(user, "user")
    row = model.users.index_of(user)
    may_appear = open_items(len(model.items), *open_ids(model, allow, deny))
    if exclude_seen:
        seen = seen_by(model)
        may_appear[seen.indices[seen.indptr[row] : seen.indptr[row + 1]]] = False
    indices, scores = best_items(model, model.user_factors[row], may_appear, k, f"user {user!r}")
    return tidy(model, ("user", model.users.ids_of([row])), "item", indices[None], scores[None])


def recommend_for_likes(
    model: FactorModel,
    likes: Mapping[str, float],
    *,
    k: int = 10,
    allow: Iterable[str] | None = None,
    deny: Iterable[str] | None = None,
) -> Table:
    """Recommend items to somebody whom the model has never seen.

    What a score means, and what not, is said in `alsolike.recommending.many.recommend`.

    Parameters
    ----------
    model : FactorModel
    likes : mapping of str to float
        Ids or names of items, with the value of each as in the training data (1 for a like, a
        count; below zero for a dislike). They are left out of the answer.
    k, allow, deny
        As in `alsolike.recommending.many.recommend`.

    Returns
    -------
    Table
        Columns ``rank``, ``item``, ``name`` where names are known, ``score``.

    Raises
    ------
    UnknownId
        A liked item is neither an id nor exactly one item's name.
    SettingError
        A value is zero or not finite, an item is given twice, or `k` is below 1.
    """
    with_factors(model, "recommend for likes")
    if not isinstance(likes, Mapping):
        raise SettingError(
            f"likes give each item a value, such as {{'an item': 1}}; they are {likes!r}."
        )
    items = known_items(model, list(likes))
    vector = fold_in_user(model, items, list(likes.values()))
    may_appear = open_items(len(model.items), *open_ids(model, allow, deny))
    may_appear[items] = False
    indices, scores = best_items(model, vector, may_appear, k, "this row of likes")
    return tidy(model, None, "item", indices[None], scores[None])


def similar_to(
    model: FactorModel,
    item: str,
    *,
    k: int = 10,
    include_self: bool = False,
    min_count: int = MIN_COUNT,
) -> Table:
    """Find the items most similar to one item; the same table as ``similar(model, item)``.

    Parameters
    ----------
    model : FactorModel
    item : str
        Id or name of the item.
    k, include_self, min_count
        As in `alsolike.recommending.many.similar`.

    Returns
    -------
    Table
        Columns ``item``, ``rank``, ``similar_item``, ``name`` where names are known, ``score``.

    Raises
    ------
    UnknownId
        The item is neither an id nor exactly one item's name.
    """
    length = checked_k(k)
    with_factors(model, "compare items")
    (row,) = known_items(model, [item])
    indices, scores = Neighbours(model).similar(row, length, min_count=min_count)
    if include_self and with_direction(model)[row]:
        indices = np.concatenate(([row], indices[: length - 1])).astype(np.int32)
        scores = np.concatenate(([1.0], scores[: length - 1])).astype(np.float32)
    asked = ("item", model.items.ids_of([row]))
    return tidy(model, asked, "similar_item", indices[None], scores[None])


def fold_in_user(
    model: FactorModel,
    items: Sequence[str] | Indices,
    values: npt.ArrayLike | None = None,
) -> Floats:
    """Return the factors of a user on whom the model was not trained.

    Parameters
    ----------
    model : FactorModel
    items : sequence of str (ids or names), or int32, (n,) (rows)
    values : float, (n,), or None
        d_ui of each item, as in the training data; None: 1 each.

    Returns
    -------
    float32, (factors,)

    Raises
    ------
    UnknownId, SettingError, FitError
        As in `recommend_for_likes`; FitError where the row's system is singular.

    References
    ----------
    Hu, Koren, Volinsky 2008, eq. 4, solved in float64.
    """
    rows = known_items(model, items)
    if values is None:
        values = np.ones(len(rows))
    return UserEquations.of(model, rows, values).factors.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Which of a user's items carry how much of one score (Hu, Koren, Volinsky 2008, section 5).

    Parameters
    ----------
    user, item, name : str
        Whose score of what; the name is empty where it is not known.
    score : float
        The score by the exact solution of the user's row, float64: the sum of all contributions.
    stored_score : float
        The score by the model's float32 factors, as lists show it. It equals `score` up to
        rounding where the model was solved exactly, and about where by conjugate gradients.
    parts : Table
        One row per item of the user, the largest contribution first: ``item``, ``name`` where
        names are known, ``value`` (d_uj), ``pull`` (confidence times preference), ``similarity``
        (s_ij, as this user sees it) and ``contribution``, which is their product.
    dislikes : int
        Rows of `parts` with a value below zero. Their pull and contribution are 0; they count all
        the same, since they shape the similarities of all other rows.
    """

    user: str
    item: str
    name: str
    score: float
    stored_score: float
    parts: Table
    dislikes: int

    @property
    def summary(self) -> str:
        """The score and what it is the sum of, as one sentence."""
        called = f"{self.item!r} ({self.name})" if self.name else repr(self.item)
        told = f"Item {called} scores {self.score:z.4f} for user {self.user!r}: the sum of these"
        if not self.dislikes:
            return f"{told}."
        return (
            f"{told}, where the {self.dislikes:,} with a value below zero add 0 themselves and "
            "change what the others add, through the similarities."
        )

    def brief(self, width: int) -> str:
        """Return the likes that carry most of the score, at most `width` columns wide."""
        more = [f"{len(self.parts) - _PAGE:,} more likes"] if len(self.parts) > _PAGE else []
        least = ("pull", "similarity", "value", "name")
        parts = Table({name: each[:_PAGE] for name, each in self.parts.to_dict().items()})
        text = parts.fitted(width, least=least, more=more, whole="--verbose")
        return f"{wrapped(self.summary, width, indent=2)}\n{text}"

    def __str__(self) -> str:
        return f"{self.summary}\n{self.parts}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary)}</p>{self.parts._repr_html_()}"


def explain(model: FactorModel, user: str, item: str) -> Explanation:
    """Explain a score by the user's own items.

    With A the matrix of the user's normal equations, the score of item i is the sum over the
    user's items j of ``r_j * s_ij``, with ``s_ij = y_i' A^-1 y_j`` and the pull
    ``r_j = c_uj p_uj``.

    Parameters
    ----------
    model : FactorModel
        With its history.
    user : str
        Id of the user.
    item : str
        Id or name of the item.

    Returns
    -------
    Explanation

    Raises
    ------
    UnknownId
        The user or the item is not in the model.
    SettingError
        The model was saved without its history.

    Examples
    --------
    >>> from alsolike.data.interactions import Interactions
    >>> from alsolike.models.als import ALSConfig, fit
    >>> likes = Interactions.from_columns(
    ...     ["u1", "u1", "u2", "u2", "u2", "u3"], ["a", "b", "a", "b", "c", "d"])
    >>> model = fit(likes, ALSConfig(factors=2, iterations=3))
    >>> why = explain(model, "u1", "c")
    >>> bool(np.isclose(why.parts["contribution"].sum(), why.score))
    True
    """
    with_factors(model, "explain a score")
    (user,) = checked_ids(user, "user")
    row = model.users.index_of(user)
    (target,) = known_items(model, [item])
    history = history_of(model, "explain a score").user_items
    stored = slice(history.indptr[row], history.indptr[row + 1])
    items, values = np.asarray(history.indices[stored]), np.asarray(history.data[stored])
    equations = UserEquations.of(model, items, values)
    similarities = equations.similarities(model.item_factors[target])
    contributions = equations.pulls * similarities
    order = np.lexsort((items, -contributions))
    parts = {
        "item": model.items.ids_of(items[order]),
        **names_of(model, items[order]),
        "value": values[order],
        "pull": equations.pulls[order],
        "similarity": similarities[order],
        "contribution": contributions[order],
    }
    return Explanation(
        user=user,
        item=model.items.id_of(target),
        name=model.catalogue.name_of(target) if model.catalogue is not None else "",
        score=float(contributions.sum()),
        stored_score=float(dots(model.item_factors[[target]], model.user_factors[row])[0]),
        parts=Table(parts),
        dislikes=int((values < 0).sum()),
    )


def best_items(
    model: FactorModel, vector: Floats, may_appear: Mask, k: int, who: str
) -> tuple[Indices, Floats]:
    """Return the best items for one row of user factors, and their scores.

    Parameters
    ----------
    model : FactorModel
    vector : float32, (factors,)
    may_appear : bool, (n_items,)
    k : int
        At most so many, at least 1.
    who : str
        Whose factors they are, for messages.

    Returns
    -------
    int32 and float32, (n,)
        Best first; of equal ones the lower row.

    Raises
    ------
    FitError
        A score is not finite.
    """
    near = model.item_factors @ vector
    bad = np.flatnonzero(may_appear & ~(near < np.inf))
    if len(bad):
        raise FitError(
            f"Model {model.name!r} scores item {model.items.id_of(int(bad[0]))!r} for {who} as "
            f"{near[bad[0]]}; every score must be finite. Fit it anew with more regularization, "
            "or a smaller alpha."
        )
    longest = np.float64(model.item_norms.max(initial=0.0))
    raised, lift = int(lifts_of(longest)), int(lifts_of(row_lengths(vector)))
    factors = np.ldexp(model.item_factors, raised) if raised else model.item_factors
    vector = np.ldexp(vector, lift)
    near = factors @ vector if raised or lift else near
    margin = product_margin(row_lengths(vector), np.ldexp(longest, raised), model.factors)

    def scores(items: Indices) -> Floats:
        return dots(factors[items], vector)

    near = np.where(may_appear, near, np.float32(-np.inf))
    items, found = narrowed(near, checked_k(k), float(margin), scores)
    return items, np.ldexp(found, -(raised + lift))
