"""Explanation of a score by contributions of the user's items. No Numba."""

import html
from dataclasses import dataclass
from typing import Any

import numpy as np

from alsolike.data.vocabulary import Id
from alsolike.models.base import Basis, Doubles, FittedModel, Floats
from alsolike.models.protocols import (
    Contributions,
    Explains,
    FoldsIn,
    FoldsInFactors,
    HasFactors,
    able,
)
from alsolike.models.values import aged_by
from alsolike.recommending.features.reasons import because_of, features_behind
from alsolike.recommending.ranking.narrowing import dots
from alsolike.recommending.ranking.single_row import (
    row_of_likes,
    scores_for_likes,
    scores_of_user,
)
from alsolike.recommending.shared import (
    Indices,
    ages_of_row,
    checked_ids,
    history_of,
    known_items,
    likes_of_items,
    names_of,
)
from alsolike.recommending.unknown.unknown_users import (
    all_alike,
    are_alike,
    has_user_features,
)
from alsolike.tables import Table, wrapped
from alsolike.usage_hints import with_example

_PAGE = 20  # likes of an explanation that a page shows


@dataclass(frozen=True, eq=False)
class Explanation:
    """Contributions of a user's items to a score (Hu, Koren, Volinsky 2008, section 5).

    Parameters
    ----------
    user, item : str or int
        Ids.
    name : str
        That of the item, empty if unknown.
    score : float
        Sum of all contributions, of `by_user_features` and of `by_item`, float64; for models with
        factors by the exact solution of the user's row.
    stored_score : float
        The score in lists, float32: `score` up to rounding, or nearly, after conjugate gradients.
    parts : Table
        One row per item of the user, the largest contribution first: ``item``, ``name`` if names
        are known, ``value`` (d_uj), ``pull`` (confidence times preference), ``similarity`` (s_ij,
        specific to this user) and ``contribution``, their product. Of a model made of models, in
        place of pull and similarity a column for each of them, which add up to the contribution.
    dislikes : int
        Rows of `parts` with a value below zero: they contribute 0 themselves, and change the
        similarities of the other rows.
    basis : {"model", "popularity"}
        "popularity" if the model knows nothing about the user, or no liked item contributes to
        the score: both scores are then the likes of the item, and there are no parts.
    is_known : bool
        For basis "popularity": whether the model scores other items for the user.
    members : tuple of str
        The columns of the members of a model made of models.
    by_user_features : float
        The part of `score` that is not of likes but of what is known of the user.
    by_item : float
        The part of `score` that anybody gets, such as the mean and the item's bias of ratings.
    features : tuple of (str, float)
        Of a model that explains by features, those behind the score, the most first, as
        ``("tag: castle", 0.2)`` with what each adds.
    """

    user: Id
    item: Id
    name: str
    score: float
    stored_score: float
    parts: Table
    dislikes: int
    basis: Basis = "model"
    is_known: bool = False
    members: tuple[str, ...] = ()
    by_user_features: float = 0.0
    by_item: float = 0.0
    features: tuple[tuple[str, float], ...] = ()

    @property
    def summary(self) -> str:
        """The score and its origin, as one sentence, and the features behind it."""
        return f"{self._origin} {because_of(self.features)}".rstrip()

    @property
    def _origin(self) -> str:
        called = f"{self.item!r} ({self.name})" if self.name else repr(self.item)
        likers = "1 user likes" if self.score == 1 else f"{self.score:,.0f} users like"
        if self.is_known:
            return (
                f"No item that user {self.user!r} likes contributes to the score of item {called}; "
                f"{likers} it."
            )
        if self.basis == "popularity":
            return (
                f"The model cannot score items for user {self.user!r}, who gets the most liked "
                f"items; {likers} item {called}."
            )
        score = f"Item {called} scores {self.score:z.4f} for user {self.user!r}, the sum of these"
        score += " contributions"
        if self.by_user_features:
            score += f" and of {self.by_user_features:z.4f} by what is known of the user"
        if self.by_item:
            return f"{score} and of {self.by_item:z.4f}, what is expected of it for anybody."
        if not self.dislikes:
            return f"{score}."
        return (
            f"{score}; the {self.dislikes:,} with a value below zero contribute 0 "
            "themselves, but change the contributions of the others through the similarities."
        )

    def brief(self, width: int) -> str:
        """Return the largest contributions, at most `width` columns wide."""
        summary = wrapped(self.summary, width, indent=2)
        if not len(self.parts):
            return summary
        more = [f"{len(self.parts) - _PAGE:,} more likes"] if len(self.parts) > _PAGE else []
        least = ("pull", "similarity", "value", "name")
        parts = Table({name: each[:_PAGE] for name, each in self.parts.to_dict().items()})
        return f"{summary}\n{parts.fitted(width, least=least, more=more, whole='--verbose')}"

    def __str__(self) -> str:
        return f"{self.summary}\n{self.parts}" if len(self.parts) else self.summary

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary)}</p>{self.parts._repr_html_()}"


@with_example('al.explain(model, "u1", "i1")')
def explain(model: FittedModel, user: Id, item: Id) -> Explanation:
    """Explain a score by the user's own items.

    The score of item i is the sum over the user's items j of the pull of j times a similarity of
    i and j:

    - ALS: ``r_j * s_ij`` with the pull ``r_j = c_uj p_uj`` and ``s_ij = y_i' A^-1 y_j``, where A
      is the matrix of the user's normal equations;
    - explicit ALS: ``t_j * s_ij`` with the pull ``t_j = r_uj - m - b_j``, how much more the user
      gave j than is expected for anybody; and besides ``m + b_i``, what is expected of i;
    - item-knn: the similarity of the two if i is among the neighbours that j keeps; EASE: the
      weight from j to i. A like has a pull of 1, or what its value and age weigh; a dislike of 0;
    - blend: the sum of what its members add, each times its weight over the standard deviation of
      its scores of the user.

    Parameters
    ----------
    model : FittedModel
        One that `Explains`, with its history.
    user : str or int
        Id of the user.
    item : str or int
        Id or name of the item.

    Raises
    ------
    UnknownId
        The user or the item is not in the model.
    SettingError
        The model was saved without its history, or its scores are not sums over likes.

    Examples
    --------
    >>> from alsolike.testing import tiny_model
    >>> why = explain(tiny_model(), "user 0", "é1")
    >>> bool(np.isclose(why.parts["contribution"].sum(), why.score))
    True
    """
    able(model, Explains, "explain a score")
    (user,) = checked_ids(user, model.users)
    row = model.users.index_of(user)
    (target,) = known_items(model, [item])
    history = history_of(model, "explain a score").user_items
    stored = slice(history.indptr[row], history.indptr[row + 1])
    items, values = np.asarray(history.indices[stored]), np.asarray(history.data[stored])
    owner, ages = model.users.id_of(row), ages_of_row(model, row)
    return explain_rows(model, owner, target, items, values, row, ages=ages)


def explain_rows(
    model: FittedModel,
    user: Id,
    target: int,
    items: Indices,
    values: Floats,
    row: int | None = None,
    *,
    ages: Doubles | None = None,
) -> Explanation:
    """Explain the score of an item (row) by a user's items (rows) and their values.

    Parameters
    ----------
    model : FittedModel
        One that `Explains` and `FoldsIn`.
    user : str or int
        Name in the summary.
    target : int
    items : int32, (n,)
    values : float32, (n,)
    row : int or None
        The user's row, if these are the likes that the model knows of the user; None: fold in.
    ages : float64, (n,), or None
        Of the likes, in days; None: all are new.
    """
    able(model, Explains, "explain a score")
    score, is_unknown = None, True
    if (values > 0).any():
        score, is_unknown = _stored_score(model, target, items, values, row, ages)
    if score is None or is_unknown:
        return _of_popular(model, user, target)
    nothing = model.score_of_nothing
    if nothing is not None and score <= nothing:
        return _of_popular(model, user, target, is_known=True)
    targets = np.array([target], dtype=np.int32)
    split = contributions_of(model, items, values, targets, ages=ages)
    contributions = split.parts[0]
    by_item = 0.0 if split.base is None else float(split.base[0])
    own = float(contributions.sum()) + by_item
    by_features = row is not None and has_user_features(model, np.array([row]))[0]
    by_user_features = score - own if by_features else 0.0
    order = np.lexsort((items, -contributions))
    added = {name: parts[0][order] for name, parts in split.members.items()}
    products = {"pull": split.pulls[order], "similarity": split.similarities[0][order]}
    parts = {
        "item": model.items.ids_of(items[order]),
        **names_of(model, items[order]),
        "value": values[order],
        **(added or products),
        "contribution": contributions[order],
    }
    return Explanation(
        user=user,
        item=model.items.id_of(target),
        name=_name_of(model, target),
        score=own + by_user_features,
        stored_score=score,
        parts=Table(parts),
        dislikes=int((values < 0).sum()),
        members=tuple(added),
        by_user_features=by_user_features,
        by_item=by_item,
        features=features_behind(model, items, values, target),
    )


def contributions_of(
    model: FittedModel,
    items: Indices,
    values: Floats,
    targets: Indices,
    *,
    ages: Doubles | None = None,
) -> Contributions:
    """Split the scores of `targets` (rows) into contributions of likes of `items` (rows).

    `ages` are those of the likes, in days; None: all are new.

    Raises
    ------
    SettingError
        The model's scores are not sums over likes.
    FitError
        The equations of the likes have no unique solution.
    """
    explaining = able(model, Explains, "explain a score")
    found: Contributions = explaining.contributions(items, values, targets, **aged_by(model, ages))
    return found


def _stored_score(
    model: Any,
    target: int,
    items: Indices,
    values: Floats,
    row: int | None,
    ages: Doubles | None,
) -> tuple[float, bool]:
    """Return the score in lists, and whether the model scores all items equally."""
    vector = None
    if row is not None and isinstance(model, HasFactors):
        vector = model.user_factors[row]
    elif isinstance(model, FoldsInFactors):
        likes = row_of_likes(items, values, len(model.items))
        (vector,) = model.folded_in(likes, **aged_by(model, ages))
    if vector is not None:
        score = dots(model.item_factors[[target]], vector)[0]
        return float(score), bool(all_alike(model, vector[None])[0])
    folds_in = able(model, FoldsIn, "explain a score")
    scores = (
        scores_for_likes(folds_in, items, values, ages)
        if row is None
        else scores_of_user(model, row)
    )
    return float(scores[target]), are_alike(scores)


def _of_popular(
    model: FittedModel, user: Id, target: int, *, is_known: bool = False
) -> Explanation:
    """Explain an item that is listed by popularity."""
    likes = float(likes_of_items(model)[target])
    columns = ("value", "pull", "similarity", "contribution")
    return Explanation(
        user=user,
        item=model.items.id_of(target),
        name=_name_of(model, target),
        score=likes,
        stored_score=likes,
        parts=Table({"item": np.empty(0, dtype=object), **{one: np.empty(0) for one in columns}}),
        dislikes=0,
        basis="popularity",
        is_known=is_known,
    )


def _name_of(model: FittedModel, row: int) -> str:
    return model.catalogue.name_of(row) if model.catalogue is not None else ""
