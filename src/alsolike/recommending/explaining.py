"""Which of a user's items carry how much of a score. No Numba."""

import html
from dataclasses import dataclass

import numpy as np

from alsolike.hints import with_example
from alsolike.models.base import Basis, Floats
from alsolike.models.equations import UserEquations
from alsolike.models.factor_model import FactorModel, with_factors
from alsolike.recommending.answers import (
    Indices,
    checked_ids,
    history_of,
    known_items,
    names_of,
)
from alsolike.recommending.fallback import all_alike, likes_of_items
from alsolike.recommending.nearest import dots
from alsolike.tables import Table, wrapped

_PAGE = 20  # likes of an explanation that a page shows


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
    basis : {"model", "popularity"}
        "popularity" where the model knows nothing of the user, who is shown the most liked items:
        both scores are then how many like the item, and there are no parts that add up to them.
    """

    user: str
    item: str
    name: str
    score: float
    stored_score: float
    parts: Table
    dislikes: int
    basis: Basis = "model"

    @property
    def summary(self) -> str:
        """The score and what it is the sum of, as one sentence."""
        called = f"{self.item!r} ({self.name})" if self.name else repr(self.item)
        if self.basis == "popularity":
            return (
                f"The model has nothing to score items by for user {self.user!r}, who is shown the "
                f"most liked items: item {called} is liked by {self.score:,.0f}."
            )
        told = f"Item {called} scores {self.score:z.4f} for user {self.user!r}: the sum of these"
        if not self.dislikes:
            return f"{told}."
        return (
            f"{told}, where the {self.dislikes:,} with a value below zero add 0 themselves and "
            "change what the others add, through the similarities."
        )

    def brief(self, width: int) -> str:
        """Return the likes that carry most of the score, at most `width` columns wide."""
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
    return explained(model, user, target, items, values, model.user_factors[row])


def explained(
    model: FactorModel,
    user: str,
    target: int,
    items: Indices,
    values: Floats,
    vector: Floats | None = None,
) -> Explanation:
    """Explain the score of an item (row) by a user's items (rows) and their values.

    Parameters
    ----------
    model : FactorModel
    user : str
        Who that is, for the words.
    target : int
    items : int32, (n,)
    values : float32, (n,)
    vector : float32, (factors,), or None
        The user's factors as they are stored; None: those of the exact solution.
    """
    name = model.catalogue.name_of(target) if model.catalogue is not None else ""
    if not (values > 0).any():
        return _of_popular(model, user, target, name)
    equations = UserEquations.of(model, items, values)
    if vector is None:
        vector = equations.factors.astype(np.float32)
    if all_alike(model, vector[None])[0]:
        return _of_popular(model, user, target, name)
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
        name=name,
        score=float(contributions.sum()),
        stored_score=float(dots(model.item_factors[[target]], vector)[0]),
        parts=Table(parts),
        dislikes=int((values < 0).sum()),
    )


def _of_popular(model: FactorModel, user: str, target: int, name: str) -> Explanation:
    """Return that an item is listed since many like it: nothing of the user's carries a score."""
    likes = float(likes_of_items(model)[target])
    columns = ("value", "pull", "similarity", "contribution")
    return Explanation(
        user=user,
        item=model.items.id_of(target),
        name=name,
        score=likes,
        stored_score=likes,
        parts=Table({"item": np.empty(0, dtype=object), **{one: np.empty(0) for one in columns}}),
        dislikes=0,
        basis="popularity",
    )
